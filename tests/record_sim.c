#include <config.h>
#include "record_sim.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"

static const size_t offsets[SIM_SEQUENCES + 1] = { 0, 17, 34, 36, 53, 54 + 6, 77, 79, 96, 113, 120,
                                                   137 };
static int32_t ids[137];
const uint32_t sim_without[SIM_WITHOUT] = { 0, 17, SIM_HIDDEN - 1 };

/* Sequence of the corpus that is number 0 of the run: that of a shard. */
static size_t base;

osc_observer_shape sim_shape(void)
{
    osc_observer_shape shape = { .layers = SIM_LAYERS, .heads = SIM_HEADS, .hidden = SIM_HIDDEN,
                                 .modules = SIM_MODULES };
    for (int p = OSC_AT_QKV_IN; p <= OSC_AT_RESID_POST; p++)
        shape.width[p] = sim_width((osc_point)p);
    shape.width[OSC_AT_SCORES] = shape.width[OSC_AT_PATTERN] = 0;
    return shape;
}

osc_corpus sim_corpus(void)
{
    for (size_t i = 0; i < offsets[SIM_SEQUENCES]; i++)
        ids[i] = (int32_t)(i * 7919 % 50000);
    return (osc_corpus){ .ids = ids, .offset = (size_t *)(uintptr_t)offsets,
                         .count = SIM_SEQUENCES, .longest = SIM_LENGTH, .length = SIM_LENGTH,
                         .bos = 2 };
}

osc_recorder_options sim_options(const char *path)
{
    return (osc_recorder_options){
        .path = path,
        .info = {
            .tool = "outlierscope test", .command = "record --model m",
            .time = "2024-01-01T00:00:00Z",
            .host = "host", .backend = "cpu", .threads = 2, .dtype = "float16",
            .scheme = "llm-int8:threshold=6", .model = "opt-sim", .arch = "opt",
            .parameters = 123456789012345u, .layers = SIM_LAYERS, .hidden = SIM_HIDDEN,
            .heads = SIM_HEADS, .ffn = SIM_FFN, .weights_sha256 = "aa", .tokenizer_sha256 = "",
            .text_sha256 = "cc", .protocol = "stream", .bos = 2, .sequence_length = SIM_LENGTH,
            .sequences = SIM_SEQUENCES, .alpha = 6.0,
        },
        .points = SIM_POINTS, .track = SIM_TRACK, .raw = SIM_RAW,
        .without = sim_without, .without_count = SIM_WITHOUT,
        .metrics = true, .event_cap = 1000000, .interval = 1e9,
    };
}

size_t sim_width(osc_point point)
{
    return point == OSC_AT_FC1_OUT || point == OSC_AT_FC2_IN ? SIM_FFN : SIM_HIDDEN;
}

/* splitmix64 */
static uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

float sim_value(osc_point point, size_t layer, size_t sequence, size_t position, size_t feature)
{
    uint64_t h = mix(mix(mix(mix(mix(point) + layer) + sequence) + position) + feature);
    double u = 0;
    for (int i = 0; i < 4; i++)
        u += (double)(h >> (16 * i) & 0xffff) / 65536.0 - 0.5;
    if (point == OSC_AT_RESID_POST && layer > 0 && position < 2 && feature == 7)
        return position == 0 ? -5000.0f : 4000.0f;     /* massive */
    double scale = feature % 11 == 4 ? 4.0 : feature % 11 == 7 ? 7.0 : 1.0;
    return (float)(u * 1.7 * scale);
}

double sim_nll(size_t sequence, size_t position)
{
    return position == 0 ? 0.0 : (double)(mix(sequence * 1000 + position) >> 11) * 0x1p-50;
}

static void reduce(osc_column_stats *stats, const float *x, size_t rows, float alpha)
{
    for (size_t i = 0; i < rows * stats->width; i++) {
        size_t f = i % stats->width;
        double v = x[i];
        stats->min[f] = fminf(stats->min[f], x[i]);
        stats->max[f] = fmaxf(stats->max[f], x[i]);
        stats->sum[f] += v;
        stats->sumsq[f] += v * v;
        stats->sum4[f] += v * v * v * v;
        stats->count_ge[f] += fabsf(x[i]) >= alpha;
        int e = x[i] == 0 ? -100 : ilogb(v);
        int bin = e - OSC_HISTOGRAM_LOWEST;
        stats->histogram[bin < 0 ? 0 : bin >= OSC_HISTOGRAM_BINS ? OSC_HISTOGRAM_BINS - 1 : bin]++;
    }
}

/* In two calls, as a backend with several threads may. */
static osc_status deliver_hits(const osc_observer_options *options, osc_point point, size_t layer,
                               size_t sequence, const float *x, size_t rows)
{
    osc_hit hits[SIM_LENGTH * SIM_HIDDEN];
    size_t count = 0;
    for (size_t i = 0; i < rows * SIM_HIDDEN; i++)
        if (fabsf(x[i]) >= options->alpha)
            hits[count++] = (osc_hit){ (uint32_t)(i / SIM_HIDDEN), (uint32_t)(i % SIM_HIDDEN),
                                       x[i] };
    OSC_TRY(options->on_hits(options->user, point, layer, sequence, hits, count / 2));
    return options->on_hits(options->user, point, layer, sequence, hits + count / 2,
                            count - count / 2);
}

/* --- the residual stream and modules, by sorting --------------------------------------- */

typedef struct {
    float  value;
    size_t place;
} cell;

/* By magnitude; of equal ones the later first. */
static int rising(const void *a, const void *b)
{
    const cell *x = a, *y = b;
    if (fabsf(x->value) != fabsf(y->value))
        return fabsf(x->value) < fabsf(y->value) ? -1 : 1;
    return x->place > y->place ? -1 : 1;
}

static size_t sim_rows(size_t sequence)
{
    return offsets[sequence + 1] - offsets[sequence];
}

osc_residual sim_residual(size_t state, size_t sequence, const osc_residual_stats *stats)
{
    static cell cells[SIM_LENGTH * SIM_HIDDEN], row[SIM_HIDDEN];
    size_t rows = sim_rows(sequence), count = rows * SIM_HIDDEN;
    osc_residual r = { .tops = OSC_RESIDUAL_TOP };
    for (size_t t = 0; t < rows; t++) {
        for (size_t f = 0; f < SIM_HIDDEN; f++) {
            float x = state == 0 ? sim_value(OSC_AT_EMBED, 0, sequence, t, f)
                                 : sim_value(OSC_AT_RESID_POST, state - 1, sequence, t, f);
            row[f] = cells[t * SIM_HIDDEN + f] = (cell){ x, t * SIM_HIDDEN + f };
            if (stats != NULL)
                stats->sumsq[f] += (double)x * x;
        }
        qsort(row, SIM_HIDDEN, sizeof *row, rising);
        r.ratio += (double)fabsf(row[SIM_HIDDEN - 1].value)
                 / (double)fabsf(row[(SIM_HIDDEN - 1) / 2].value);
    }
    qsort(cells, count, sizeof *cells, rising);
    r.median = fabsf(cells[(count - 1) / 2].value);
    for (size_t i = 0; i < OSC_RESIDUAL_TOP; i++) {
        const cell *c = &cells[count - 1 - i];
        r.top[i] = (osc_hit){ (uint32_t)(c->place / SIM_HIDDEN), (uint32_t)(c->place % SIM_HIDDEN),
                              c->value };
    }
    for (size_t i = 0; stats != NULL && i < count; i++)
        stats->massive[cells[i].place % SIM_HIDDEN] += fabsf(cells[i].value) > 100
                                                    && fabsf(cells[i].value) >= 1000 * r.median;
    return r;
}

osc_summary sim_summary(osc_point point, size_t layer, size_t sequence)
{
    osc_summary s = { .count = sim_rows(sequence) * sim_width(point) };
    for (size_t i = 0; i < s.count; i++) {
        double x = sim_value(point, layer, sequence, i / sim_width(point), i % sim_width(point));
        s.peak = fmaxf(s.peak, fabsf((float)x));
        for (int p = 0; p < 4; p++)
            s.power[p] += pow(x, p + 1);
    }
    return s;
}

static osc_status run_metrics(const osc_hooks *hooks, osc_point point, int layer, size_t sequence)
{
    osc_observer *observer = osc_hooks_observer(hooks);
    const osc_observer_options *options = osc_observer_get_options(observer);
    size_t of = layer < 0 ? 0 : (size_t)layer, state = (size_t)(layer + 1);
    if (options->modules >> point & 1u) {
        osc_summary summary = sim_summary(point, of, base + sequence);
        OSC_TRY(options->on_summary(options->user, point, layer, sequence, &summary));
    }
    if (!options->residual || (point != OSC_AT_EMBED && point != OSC_AT_RESID_POST))
        return OSC_OK;
    osc_residual residual = sim_residual(state, base + sequence,
                                         osc_observer_residual(observer, state));
    return options->on_residual(options->user, state, sequence, &residual);
}

static osc_status run_tensor(const osc_hooks *hooks, osc_point point, size_t layer,
                             size_t sequence, size_t rows)
{
    float x[SIM_LENGTH * SIM_FFN];
    size_t width = sim_width(point);
    for (size_t i = 0; i < rows * width; i++)
        x[i] = sim_value(point, layer, base + sequence, i / width, i % width);
    osc_event event = { .point = point, .layer = (int)layer, .sequence = sequence, .data = x,
                        .rows = rows, .width = width };
    OSC_TRY(osc_hooks_fire(hooks, &event));
    osc_observer *observer = osc_hooks_observer(hooks);
    osc_column_stats *stats = osc_observer_stats(observer, point, layer);
    const osc_observer_options *options = osc_observer_get_options(observer);
    if (stats != NULL)
        reduce(stats, x, rows, options->alpha);
    if (options->hits >> point & 1u)
        return deliver_hits(options, point, layer, sequence, x, rows);
    return OSC_OK;
}

static double top1_of(uint64_t seed, size_t sequence, size_t rows)
{
    double sum = 1.0;
    for (size_t t = 1; t < rows; t++)
        sum += (double)(mix(seed + sequence * 999 + t * 13) >> 11) * 0x1p-53;
    return sum;
}

static void run_top1(osc_observer *observer, size_t layer, size_t sequence, size_t rows)
{
    osc_top1_stats *top1 = osc_observer_top1(observer);
    for (size_t h = 0; h < SIM_HEADS; h++) {
        top1->mass[layer * SIM_HEADS + h] += top1_of(layer * 77 + h, sequence, rows);
        if (top1->without != NULL)
            top1->without[layer * SIM_HEADS + h] += top1_of(layer * 77 + h + 5000, sequence, rows);
    }
    if (layer == 0) {
        top1->queries += rows;
        top1->first++;
    }
}

osc_status sim_run(const osc_hooks *hooks, size_t first, size_t count, double *nll)
{
    const size_t *offset = offsets + base;
    for (size_t s = first; s < first + count; s++)
        OSC_TRY(run_metrics(hooks, OSC_AT_EMBED, -1, s));
    for (size_t layer = 0; layer < SIM_LAYERS; layer++) {
        for (size_t s = first; s < first + count; s++) {
            size_t rows = offset[s + 1] - offset[s];
            for (int p = OSC_AT_QKV_IN; p <= OSC_AT_RESID_POST; p++)
                if (p != OSC_AT_SCORES && p != OSC_AT_PATTERN) {
                    OSC_TRY(run_tensor(hooks, (osc_point)p, layer, s, rows));
                    OSC_TRY(run_metrics(hooks, (osc_point)p, (int)layer, s));
                }
            run_top1(osc_hooks_observer(hooks), layer, base + s, rows);
        }
    }
    for (size_t s = first; s < first + count; s++)
        OSC_TRY(run_metrics(hooks, OSC_AT_FINAL_NORM, -1, s));
    for (size_t s = first; s < first + count; s++)
        for (size_t t = offset[s]; t < offset[s + 1]; t++)
            nll[t - offset[first]] = sim_nll(base + s, t - offset[s]);
    return OSC_OK;
}

static osc_status record_chunks(osc_recorder *recorder, const osc_hooks *hooks, size_t chunk,
                                size_t end)
{
    double nll[SIM_SEQUENCES * SIM_LENGTH];
    while (osc_recorder_done(recorder) < end) {
        size_t first = osc_recorder_done(recorder);
        size_t count = end - first < chunk ? end - first : chunk;
        OSC_TRY(sim_run(hooks, first, count, nll));
        OSC_TRY(osc_recorder_add(recorder, first, count, nll));
    }
    return osc_recorder_finish(recorder);
}

osc_status sim_record(osc_recorder *recorder, size_t chunk, size_t end)
{
    osc_hooks *hooks;
    OSC_TRY(osc_hooks_create(&hooks, SIM_LAYERS));
    osc_status status = osc_recorder_bind(recorder, hooks);
    if (status == OSC_OK)
        status = record_chunks(recorder, hooks, chunk, end);
    osc_hooks_free(hooks);
    return status;
}

osc_status sim_record_shard(const osc_recorder_options *options, size_t shard, size_t shards,
                            size_t chunk, size_t most)
{
    osc_observer_shape shape = sim_shape();
    osc_corpus corpus = sim_corpus(), share;
    osc_recorder_options own = *options;
    osc_recorder *recorder;
    OSC_TRY(osc_corpus_share(&share, &corpus, shard, shards));
    own.info.shard = shard;
    own.info.shards = shards;
    own.info.first_sequence = (size_t)(share.offset - corpus.offset);
    own.info.corpus_sequences = corpus.count;
    own.info.sequences = share.count;
    OSC_TRY(osc_recorder_open(&recorder, &own, &shape, &share));
    base = own.info.first_sequence;
    osc_status status = sim_record(recorder, chunk, most < share.count ? most : share.count);
    base = 0;
    osc_recorder_free(recorder);
    return status;
}

osc_status sim_record_all(const osc_recorder_options *options, size_t chunk, size_t end)
{
    osc_observer_shape shape = sim_shape();
    osc_corpus corpus = sim_corpus();
    osc_recorder *recorder;
    OSC_TRY(osc_recorder_open(&recorder, options, &shape, &corpus));
    osc_status status = sim_record(recorder, chunk, end);
    osc_recorder_free(recorder);
    return status;
}

/* --- helpers of the tests ---------------------------------------------------------- */

char sim_folder[32] = "record-XXXXXX", sim_a[64], sim_b[64];

bool sim_set_up(void)
{
    if (mkdtemp(sim_folder) == NULL)
        return false;
    snprintf(sim_a, sizeof sim_a, "%s/a.h5", sim_folder);
    snprintf(sim_b, sizeof sim_b, "%s/b.h5", sim_folder);
    return true;
}

void sim_clean_up(void)
{
    unlink(sim_a);
    unlink(sim_b);
    rmdir(sim_folder);
}

void sim_error_has(const char *text)
{
    ck_assert_msg(strstr(osc_error(), text) != NULL, "'%s' is not in: %s", text, osc_error());
}

osc_status sim_open(osc_recorder **recorder, const osc_recorder_options *options)
{
    static osc_corpus corpus;
    osc_observer_shape shape = sim_shape();
    corpus = sim_corpus();
    return osc_recorder_open(recorder, options, &shape, &corpus);
}

void sim_make(const char *path)
{
    osc_recorder_options options = sim_options(path);
    options.overwrite = true;
    ck_ok(sim_record_all(&options, 4, SIM_SEQUENCES));
}

osc_status sim_collect(void *user, const osc_record_event *events, size_t count)
{
    sim_events *list = user;
    for (size_t i = 0; i < count; i++) {
        list->event = osc_grow(list->event, &list->room, list->count + 1, sizeof *events);
        list->event[list->count++] = events[i];
    }
    return OSC_OK;
}

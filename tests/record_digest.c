/* Reads all that a record of the simulated run has, through the functions that analyses use. */
#include <config.h>
#include "record_sim.h"

#include <string.h>

#include "base/alloc.h"

/* FNV-1a */
static void add(uint64_t *digest, const void *data, size_t size)
{
    const unsigned char *byte = data;
    for (size_t i = 0; i < size; i++)
        *digest = (*digest ^ byte[i]) * 0x100000001b3u;
}

static void add_info(uint64_t *digest, const osc_record_info *info)
{
    const char *texts[] = { info->tool, info->command, info->time, info->host, info->model,
                            info->arch, info->dtype, info->backend, info->scheme, info->protocol,
                            info->weights_sha256, info->tokenizer_sha256, info->text_sha256,
                            info->merged };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        add(digest, texts[i], strlen(texts[i]) + 1);
    uint64_t numbers[] = { info->threads, info->parameters, info->layers, info->hidden, info->heads,
                           info->ffn, (uint64_t)info->bos, info->sequence_length, info->sequences,
                           info->shard, info->shards, info->first_sequence, info->corpus_sequences,
                           info->sequences_done, info->positions, info->scored, info->complete };
    double reals[] = { info->alpha, info->nll, info->perplexity };
    add(digest, numbers, sizeof numbers);
    add(digest, reals, sizeof reals);
}

static void add_stats(uint64_t *digest, const osc_column_stats *stats)
{
    for (size_t l = 0; l < SIM_LAYERS; l++) {
        size_t width = stats[l].width;
        add(digest, stats[l].min, width * sizeof *stats->min);
        add(digest, stats[l].max, width * sizeof *stats->max);
        add(digest, stats[l].sum, width * sizeof *stats->sum);
        add(digest, stats[l].sumsq, width * sizeof *stats->sumsq);
        add(digest, stats[l].sum4, width * sizeof *stats->sum4);
        add(digest, stats[l].count_ge, width * sizeof *stats->count_ge);
        add(digest, stats[l].histogram, OSC_HISTOGRAM_BINS * sizeof *stats->histogram);
    }
}

static osc_status add_row(void *user, const osc_record_metrics_row *of)
{
    size_t modules = 3 * SIM_LAYERS + 1, tops = (size_t)SIM_STATES * OSC_RESIDUAL_TOP;
    add(user, of->inf_norm, modules * sizeof *of->inf_norm);
    add(user, of->kurtosis, modules * sizeof *of->kurtosis);
    add(user, of->ratio, SIM_STATES * sizeof *of->ratio);
    add(user, of->median, SIM_STATES * sizeof *of->median);
    add(user, of->top, tops * sizeof *of->top);
    add(user, of->top_position, tops * sizeof *of->top_position);
    add(user, of->top_feature, tops * sizeof *of->top_feature);
    return OSC_OK;
}

static osc_status add_events(void *user, const osc_record_event *events, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int32_t places[] = { events[i].sequence, events[i].position, events[i].feature,
                             events[i].layer, events[i].point };
        add(user, places, sizeof places);
        add(user, &events[i].value, sizeof events[i].value);
    }
    return OSC_OK;
}

static osc_status add_sequences(uint64_t *digest, osc_record *record)
{
    for (size_t s = 0; s < osc_record_get_info(record)->sequences_done; s++) {
        size_t count;
        int32_t ids[SIM_LENGTH];
        double nll[SIM_LENGTH];
        OSC_TRY(osc_record_sequence(record, s, &count, ids, nll));
        add(digest, ids, count * sizeof *ids);
        add(digest, nll, count * sizeof *nll);
    }
    return OSC_OK;
}

static osc_status add_attention(uint64_t *digest, osc_record *record)
{
    const double *all, *later;
    osc_record_without without;
    size_t cells = (size_t)SIM_LAYERS * SIM_HEADS;
    OSC_TRY(osc_record_top1(record, &all, &later));
    add(digest, all, cells * sizeof *all);
    add(digest, later, cells * sizeof *later);
    OSC_TRY(osc_record_top1_without(record, &without));
    add(digest, without.all, cells * sizeof *without.all);
    add(digest, without.later, cells * sizeof *without.later);
    add(digest, without.features, without.count * sizeof *without.features);
    return OSC_OK;
}

static osc_status add_all(uint64_t *digest, osc_record *record)
{
    const osc_column_stats *stats;
    const osc_residual_stats *residual;
    const uint64_t *any, *pairs;
    add_info(digest, osc_record_get_info(record));
    for (unsigned p = 0; p < OSC_POINT_COUNT; p++) {
        if (!(osc_record_points(record) >> p & 1u))
            continue;
        OSC_TRY(osc_record_stats(record, (osc_point)p, &stats));
        add_stats(digest, stats);
    }
    OSC_TRY(osc_record_positions(record, osc_record_track(record), &any, &pairs));
    add(digest, any, SIM_HIDDEN * sizeof *any);
    add(digest, pairs, SIM_HIDDEN * sizeof *pairs);
    OSC_TRY(add_attention(digest, record));
    OSC_TRY(osc_record_residual(record, &residual));
    add(digest, residual[0].sumsq, SIM_STATES * SIM_HIDDEN * sizeof *residual[0].sumsq);
    add(digest, residual[0].massive, SIM_STATES * SIM_HIDDEN * sizeof *residual[0].massive);
    OSC_TRY(osc_record_metrics_each(record, add_row, digest));
    OSC_TRY(osc_record_events(record, add_events, digest));
    return add_sequences(digest, record);
}

osc_status sim_digest(const char *path, uint64_t *digest)
{
    osc_record *record;
    *digest = 0xcbf29ce484222325u;
    OSC_TRY(osc_record_open(&record, path));
    osc_status status = add_all(digest, record);
    osc_record_close(record);
    return status;
}

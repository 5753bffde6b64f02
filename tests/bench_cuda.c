/* The CUDA backend: every operation of a block at the shapes of an OPT model (width=H: at one
 * of heads of 128), or whole models given as arguments (checkpoints, synth:...), 8 sequences
 * of 2048 random ids, alone and recording, and one id at a time; with devices=0,1 on several
 * GPUs, with memory=GB in so much memory, with chunk=N so many sequences at a time.  With
 * parts=graphs whole models alone, as graphs and without, and besides 64 sequences of 64 ids;
 * with parts=decoding one id at a time alone, with parts=prefill that alone.
 * Medians of wall clock around work that is waited for, of five runs, of three where one takes
 * long; a first is not counted. */
#include <config.h>
#include "bench.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

#include "backend/backend.h"
#include "osc.h"

enum { RUNS = 5, FEW_RUNS = 3, REPEATS = 20, T = 2048, TOGETHER = 4, SEQUENCES = 8, SHORT = 64 };
static const double LONG_RUN = 0.5;      /* seconds: beyond them FEW_RUNS are enough */

static const osc_backend *cuda;
static osc_device *gpu;
static const char *devices;      /* of whole models */
static double memory;            /* 10^9 bytes for them; 0: what is free */
static size_t chunk;             /* sequences at a time; 0: as the program does */
static enum { EVERYTHING, GRAPHS, DECODING, PREFILL } part;    /* of a model */

static void must(osc_status status)
{
    if (status == OSC_OK)
        return;
    fprintf(stderr, "bench_cuda: %s\n", osc_error());
    exit(1);
}

static void report(const char *kernel, const char *shape, double seconds, double flops,
                   double bytes)
{
    printf("{\"bench\": \"op\", \"backend\": \"cuda\", \"kernel\": \"%s\", \"shape\": \"%s\", "
           "\"median_us\": %.1f, \"tflops\": %.1f, \"gbps\": %.0f}\n", kernel, shape,
           1e6 * seconds, 1e-12 * flops / seconds, 1e-9 * bytes / seconds);
    fflush(stdout);
}

/* --- operations ----------------------------------------------------------------------- */

/* Buffers of one shape: widths h, f; random values of standard size. */
typedef struct {
    size_t h, f, heads;
    void  *x, *y, *w, *bias, *ffn, *q, *k, *v, *stats, *top1;
    void  *several;          /* [TOGETHER, T, f] */
} shape;

typedef osc_status (*operation)(const shape *s);

static void *random_values(size_t count)
{
    size_t size = osc_dtype_size(cuda->dtype), piece = (size_t)1 << 20;
    float *values = osc_alloc(piece, sizeof *values);
    void *there;
    uint64_t state = count;
    must(cuda->alloc(gpu, &there, count * size));
    for (size_t i = 0; i < count; i += piece) {
        size_t n = count - i < piece ? count - i : piece;
        for (size_t j = 0; j < n; j++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            values[j] = (float)((double)(state >> 11) * 0x1p-52 - 1.0);
        }
        must(cuda->host_put(gpu, (char *)there + i * size, cuda->dtype, values, n));
    }
    osc_free(values);
    return there;
}

static osc_status copy(const shape *s) { return cuda->copy(gpu, s->ffn, s->w, T * s->f); }
static osc_status add(const shape *s) { return cuda->add(gpu, s->y, s->x, T * s->h); }

static osc_status norm(const shape *s)
{
    return cuda->layernorm(gpu, s->y, s->x, s->bias, s->bias, 1e-5f, T, s->h);
}

static osc_status square(const shape *s)
{
    return cuda->matmul(gpu, s->y, s->x, s->w, s->bias, OSC_ACT_NONE, T, s->h, s->h);
}

static osc_status fc1(const shape *s)
{
    return cuda->matmul(gpu, s->ffn, s->x, s->w, s->bias, OSC_ACT_RELU, T, s->f, s->h);
}

static osc_status fc2(const shape *s)
{
    return cuda->matmul(gpu, s->y, s->ffn, s->w, s->bias, OSC_ACT_NONE, T, s->h, s->f);
}

static osc_status attend(const shape *s)
{
    size_t size = s->h / s->heads;
    osc_attention args = { .tokens = T, .heads = s->heads, .head_size = size,
                           .scale = 1.0f / sqrtf((float)size), .top1 = s->top1 };
    return cuda->attention(gpu, s->y, s->q, s->k, s->v, &args);
}

static osc_status ignore(const osc_hits_route *route, const osc_hit *hits, size_t count)
{
    (void)route; (void)hits; (void)count;
    return OSC_OK;
}

static osc_status observe(const shape *s, const void *x, size_t sequences, size_t width, bool hits)
{
    static const osc_hits_route route = { .sink = ignore };
    osc_column_stats stats;
    osc_column_stats_lay_out(&stats, s->stats, 1, width);
    return cuda->observe(gpu, &stats, x, (osc_sequences){ sequences, T }, width, 6.0f,
                         hits ? &route : NULL);
}

static osc_status observe_h(const shape *s) { return observe(s, s->x, 1, s->h, false); }
static osc_status observe_hits(const shape *s) { return observe(s, s->x, 1, s->h, true); }
static osc_status observe_f(const shape *s) { return observe(s, s->ffn, 1, s->f, false); }

static osc_status ignore_residual(const osc_residual_route *route, const osc_residual *residual)
{
    (void)route; (void)residual;
    return OSC_OK;
}

static osc_status ignore_summary(const osc_summary_route *route, const osc_summary *summary)
{
    (void)route; (void)summary;
    return OSC_OK;
}

static osc_status residual_of(const shape *s, const void *x, size_t sequences)
{
    static const osc_residual_route route = { .sink = ignore_residual };
    osc_residual_stats stats = { s->h, s->stats, (uint64_t *)s->stats + s->h };
    return cuda->residual(gpu, &stats, x, (osc_sequences){ sequences, T }, s->h, &route);
}

static osc_status summarize_of(const shape *s, const void *x, size_t sequences)
{
    static const osc_summary_route route = { .sink = ignore_summary };
    return cuda->summarize(gpu, x, (osc_sequences){ sequences, T }, s->h, &route);
}

static osc_status residual(const shape *s) { return residual_of(s, s->x, 1); }
static osc_status summarize(const shape *s) { return summarize_of(s, s->x, 1); }

/* TOGETHER sequences in one call. */
static osc_status observe_h_several(const shape *s)
{
    return observe(s, s->several, TOGETHER, s->h, false);
}

static osc_status observe_hits_several(const shape *s)
{
    return observe(s, s->several, TOGETHER, s->h, true);
}

static osc_status observe_f_several(const shape *s)
{
    return observe(s, s->several, TOGETHER, s->f, false);
}

static osc_status residual_several(const shape *s) { return residual_of(s, s->several, TOGETHER); }
static osc_status summarize_several(const shape *s)
{
    return summarize_of(s, s->several, TOGETHER);
}

/* As where nothing is recorded. */
static osc_status attend_alone(const shape *s)
{
    size_t size = s->h / s->heads;
    osc_attention args = { .tokens = T, .heads = s->heads, .head_size = size,
                           .scale = 1.0f / sqrtf((float)size) };
    return cuda->attention(gpu, s->y, s->q, s->k, s->v, &args);
}

/* One query behind 2047 keys. */
static osc_status attend_one(const shape *s)
{
    size_t size = s->h / s->heads;
    osc_attention args = { .tokens = 1, .past = T - 1, .heads = s->heads, .head_size = size,
                           .scale = 1.0f / sqrtf((float)size) };
    return cuda->attention(gpu, s->y, s->q, s->k, s->v, &args);
}

static osc_status norm_one(const shape *s)
{
    return cuda->layernorm(gpu, s->y, s->x, s->bias, s->bias, 1e-5f, 1, s->h);
}

static osc_status add_one(const shape *s) { return cuda->add(gpu, s->y, s->x, s->h); }

/* Of one row, and of two, which cuBLASLt does; the weights are larger than the cache only
 * from a width of 4096 on. */
static osc_status fc1_one(const shape *s)
{
    return cuda->matmul(gpu, s->ffn, s->x, s->w, s->bias, OSC_ACT_RELU, 1, s->f, s->h);
}

static osc_status fc2_one(const shape *s)
{
    return cuda->matmul(gpu, s->y, s->ffn, s->w, s->bias, OSC_ACT_NONE, 1, s->h, s->f);
}

static osc_status fc1_two(const shape *s)
{
    return cuda->matmul(gpu, s->ffn, s->x, s->w, s->bias, OSC_ACT_RELU, 2, s->f, s->h);
}

static osc_status fc2_two(const shape *s)
{
    return cuda->matmul(gpu, s->y, s->ffn, s->w, s->bias, OSC_ACT_NONE, 2, s->h, s->f);
}

static double time_operation(operation run, const shape *s)
{
    double seconds[RUNS];
    char byte[1];
    for (size_t r = 0; r < RUNS + 1; r++) {
        must(cuda->settle(gpu, false));
        must(cuda->get(gpu, byte, s->x, sizeof byte));
        double start = bench_now();
        for (size_t i = 0; i < REPEATS; i++)
            must(run(s));
        must(cuda->get(gpu, byte, s->x, sizeof byte));
        if (r > 0)   /* the first warms up */
            seconds[r - 1] = (bench_now() - start) / REPEATS;
    }
    return bench_median(seconds, RUNS);
}

typedef struct {
    const char *name;
    operation   run;
    double      flops, bytes;
} timed;

static void time_all(const timed *ops, size_t count, const shape *s, const char *text)
{
    for (size_t i = 0; i < count; i++)
        report(ops[i].name, text, time_operation(ops[i].run, s), ops[i].flops, ops[i].bytes);
}

static void time_one(const shape *s)
{
    size_t h = s->h;
    double th = (double)T * (double)h, hh = (double)h * (double)h, size = 2;
    const timed ops[] = {
        { "copy", copy, 0, 8 * th * size }, { "add", add, 0, 3 * th * size },
        { "layernorm", norm, 0, 2 * th * size },
        { "square", square, 2 * T * hh, size * (2 * th + hh) },
        { "fc1", fc1, 8 * T * hh, size * (5 * th + 4 * hh) },
        { "fc2", fc2, 8 * T * hh, size * (5 * th + 4 * hh) },
        { "attention", attend, 2 * T * th, 4 * th * size },
        { "attention without top-1 mass", attend_alone, 2 * T * th, 4 * th * size },
        { "observe", observe_h, 0, th * size }, { "observe+hits", observe_hits, 0, th * size },
        { "observe fc2_in", observe_f, 0, 4 * th * size },
        { "summarize", summarize, 0, th * size }, { "residual", residual, 0, th * size },
        { "attention of one", attend_one, 4 * th, 2 * th * size },
        { "layernorm of one", norm_one, 0, 0 }, { "add of one", add_one, 0, 0 },
        { "fc1 of one", fc1_one, 8 * hh, 4 * hh * size },
        { "fc2 of one", fc2_one, 8 * hh, 4 * hh * size },
        { "fc1 of two", fc1_two, 16 * hh, 4 * hh * size },
        { "fc2 of two", fc2_two, 16 * hh, 4 * hh * size },
    };
    char text[64];
    snprintf(text, sizeof text, "%d x %zu", T, h);
    time_all(ops, sizeof ops / sizeof *ops, s, text);
}

static void time_several(const shape *s)
{
    double values = (double)TOGETHER * T * (double)s->h, size = 2;
    const timed ops[] = {
        { "observe", observe_h_several, 0, values * size },
        { "observe+hits", observe_hits_several, 0, values * size },
        { "observe fc2_in", observe_f_several, 0, 4 * values * size },
        { "summarize", summarize_several, 0, values * size },
        { "residual", residual_several, 0, values * size },
    };
    char text[64];
    snprintf(text, sizeof text, "%d x %d x %zu", TOGETHER, T, s->h);
    time_all(ops, sizeof ops / sizeof *ops, s, text);
}

static void bench_shape(size_t h, size_t heads)
{
    osc_limits limits = { .tokens = T, .rows = TOGETHER * T, .heads = heads,
                          .head_size = h / heads, .widest = 4 * h };
    shape s = { .h = h, .f = 4 * h, .heads = heads };
    must(cuda->open(&gpu, 0));
    must(cuda->plan(gpu, &limits));
    s.x = random_values(T * h);
    s.y = random_values(T * h);
    s.q = random_values(T * h);
    s.k = random_values(T * h);
    s.v = random_values(T * h);
    s.bias = random_values(4 * h);
    s.ffn = random_values(4 * T * h);
    s.several = random_values(4 * TOGETHER * T * h);
    s.w = random_values(4 * h * h > 4 * T * h ? 4 * h * h : 4 * T * h);
    must(cuda->alloc(gpu, &s.stats, osc_column_stats_bytes(1, 4 * h)));
    must(cuda->alloc(gpu, &s.top1, heads * sizeof(double)));
    time_one(&s);
    time_several(&s);
    void *all[] = { s.x, s.y, s.q, s.k, s.v, s.bias, s.ffn, s.several, s.w, s.stats, s.top1 };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        cuda->release(gpu, all[i]);
    cuda->close(gpu);
}

/* --- whole models ----------------------------------------------------------------------- */

static osc_status count_hits(void *user, osc_point point, size_t layer, size_t sequence,
                             const osc_hit *hits, size_t count)
{
    (void)point; (void)layer; (void)sequence; (void)hits;
    *(size_t *)user += count;
    return OSC_OK;
}

/* Adds to *all, unless it is NULL, how many runs there were, the first included. */
static double forward(osc_session *session, const osc_corpus *corpus, const osc_hooks *hooks,
                      double *nll, size_t *all)
{
    double seconds[RUNS + 1];
    size_t step = osc_session_chunk(session), runs = RUNS;
    for (size_t r = 0; r < runs + 1; r++) {
        double start = bench_now();
        for (size_t i = 0; i < corpus->count; i += step)
            must(osc_session_run(session, corpus, i,
                                 corpus->count - i < step ? corpus->count - i : step, hooks,
                                 nll + corpus->offset[i]));
        seconds[r] = bench_now() - start;
        if (r == 0 && seconds[0] > LONG_RUN)
            runs = FEW_RUNS;
    }
    if (all != NULL)
        *all += runs + 1;
    return bench_median(seconds + 1, runs);
}

static osc_corpus random_corpus(const osc_config *config, size_t count, size_t length)
{
    osc_corpus corpus = { .count = count, .longest = length, .length = length,
                          .protocol = OSC_TOKENS, .bos = -1, .digest = "" };
    uint64_t state = 1;
    corpus.ids = osc_alloc(count * length, sizeof *corpus.ids);
    corpus.offset = osc_alloc(count + 1, sizeof *corpus.offset);
    for (size_t i = 0; i < count * length; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        corpus.ids[i] = (int32_t)((state >> 33) % config->vocabulary);
    }
    for (size_t i = 0; i <= count; i++)
        corpus.offset[i] = i * length;
    return corpus;
}

static void report_model(const char *what, const osc_session *session, const osc_model *model,
                         double seconds, double tokens, double baseline, const char *more)
{
    printf("{\"bench\": \"%s\", \"backend\": \"cuda\", \"kernel\": \"%s\", \"shape\": \"%s\", "
           "\"median_us\": %.1f, \"tokens_per_s\": %.0f, \"weight_mib\": %.1f, "
           "\"buffer_mib\": %.1f, \"peak_mib\": %.1f, \"devices\": \"%s\", \"memory_gb\": %g, "
           "\"ratio\": %.3f%s}\n", what, osc_session_scheme(session),
           osc_model_name(model), 1e6 * seconds, tokens / seconds,
           (double)osc_session_weight_bytes(session) / 0x1p20,
           (double)osc_session_buffer_bytes(session) / 0x1p20,
           (double)osc_session_peak_bytes(session) / 0x1p20, devices != NULL ? devices : "0",
           memory, baseline / seconds, more);
    fflush(stdout);
}

static osc_status count_summary(void *user, osc_point point, int layer, size_t sequence,
                                const osc_summary *summary)
{
    (void)user; (void)point; (void)layer; (void)sequence; (void)summary;
    return OSC_OK;
}

static osc_status count_residual(void *user, size_t state, size_t sequence,
                                 const osc_residual *found)
{
    (void)user; (void)state; (void)sequence; (void)found;
    return OSC_OK;
}

/* What record keeps by default, or (`metrics` false) with --no-metrics. */
static void bench_observed(osc_session *session, const osc_model *model, const osc_corpus *corpus,
                           double *nll, double plain, bool metrics)
{
    osc_hooks *hooks;
    osc_observer *observer;
    size_t hits = 0, runs = 0;
    char more[64];
    osc_observer_shape widths = osc_model_shape(model);
    unsigned track = 1u << OSC_AT_QKV_IN | 1u << OSC_AT_OUT_IN | 1u << OSC_AT_FC1_IN;
    osc_observer_options wanted = { .alpha = 6.0f, .points = track | 1u << OSC_AT_FC2_IN,
                                    .hits = track, .top1 = true, .on_hits = count_hits,
                                    .on_summary = count_summary, .on_residual = count_residual,
                                    .user = &hits };
    wanted.modules = metrics ? widths.modules : 0;
    wanted.residual = metrics;
    must(osc_observer_create(&observer, &widths, &wanted));
    must(osc_hooks_create(&hooks, widths.layers));
    must(osc_hooks_observe(hooks, observer));
    double observed = forward(session, corpus, hooks, nll, &runs);
    snprintf(more, sizeof more, ", \"hits\": %zu", hits / runs);
    report_model(metrics ? "observed+metrics" : "observed", session, model, observed,
                 (double)corpus->offset[corpus->count], plain, more);
    osc_hooks_free(hooks);
    osc_observer_free(observer);
}

/* Medians of a step behind few ids, and at the end of the longest sequence. */
static void bench_decode(const osc_model *model, const char *scheme, size_t length)
{
    enum { STEPS = 48, PROMPT = 16 };
    osc_session *session;
    osc_session_options options = { .backend = "cuda", .scheme = scheme, .longest = length,
                                    .chunk = 1, .cached = true };
    double seconds[STEPS];
    const float *logits;
    must(osc_session_open(&session, model, &options));
    int32_t *ids = osc_alloc(length, sizeof *ids);
    for (size_t i = 0; i < length; i++)
        ids[i] = (int32_t)(i * 7919 % osc_model_config(model)->vocabulary);
    for (int at_end = 0; at_end < 2; at_end++) {
        size_t before = at_end ? length - STEPS - 4 : PROMPT;
        osc_decode_begin(session, 0);
        must(osc_decode(session, ids, before, NULL, &logits));
        for (size_t i = 0; i < STEPS + 4; i++) {
            double start = bench_now();
            must(osc_decode(session, &ids[before + i], 1, NULL, &logits));
            if (i >= 4)
                seconds[i - 4] = bench_now() - start;
        }
        double median = bench_median(seconds, STEPS);
        report_model(at_end ? "decode behind a long past" : "decode", session, model, median, 1,
                     median, "");
    }
    osc_free(ids);
    osc_session_close(session);
}

/* Chunks as graphs; hooks, though none are bound, keep the host in it. */
static void bench_graphs(const osc_model *model, const char *scheme, size_t count, size_t length)
{
    osc_session *session;
    osc_hooks *hooks;
    char more[64];
    const osc_config *config = osc_model_config(model);
    osc_corpus corpus = random_corpus(config, count, length);
    double *nll = osc_alloc(count * length, sizeof *nll);
    osc_session_options options = { .backend = "cuda", .scheme = scheme, .longest = length,
                                    .chunk = count };
    must(osc_session_open(&session, model, &options));
    must(osc_hooks_create(&hooks, config->layers));
    double without = forward(session, &corpus, hooks, nll, NULL);
    double tokens = (double)(count * length), slowest = 0.0;
    for (size_t i = 0; i < RUNS; i++) {     /* one of which makes the graph */
        double start = bench_now();
        must(osc_session_run(session, &corpus, 0, count, NULL, nll));
        slowest = fmax(slowest, bench_now() - start);
    }
    double with = forward(session, &corpus, NULL, nll, NULL);
    snprintf(more, sizeof more, ", \"sequences\": %zu, \"ids\": %zu", count, length);
    report_model("prefill without graph", session, model, without, tokens, without, more);
    snprintf(more, sizeof more, ", \"sequences\": %zu, \"ids\": %zu, \"making_us\": %.0f", count,
             length, 1e6 * (slowest - without));
    report_model("prefill with graph", session, model, with, tokens, without, more);
    osc_hooks_free(hooks);
    osc_session_close(session);
    osc_free(corpus.ids);
    osc_free(corpus.offset);
    osc_free(nll);
}

/* Of several sequences, alone and with `observed` recording. */
static void bench_prefill(const osc_model *model, const char *scheme, size_t length,
                          bool observed)
{
    osc_session *session;
    char more[64];
    osc_session_options options = { .backend = "cuda", .scheme = scheme, .longest = length,
                                    .chunk = chunk };
    options.devices = devices;
    options.memory = (size_t)(memory * 1e9);
    double start = bench_now();
    must(osc_session_open(&session, model, &options));
    double opening = bench_now() - start, tokens = (double)(SEQUENCES * length);
    osc_corpus corpus = random_corpus(osc_model_config(model), SEQUENCES, length);
    double *nll = osc_alloc(SEQUENCES * length, sizeof *nll);
    double plain = forward(session, &corpus, NULL, nll, NULL);
    snprintf(more, sizeof more, ", \"opening_s\": %.2f", opening);
    report_model("prefill", session, model, plain, tokens, plain, more);
    for (int metrics = 0; observed && metrics < 2; metrics++)
        bench_observed(session, model, &corpus, nll, plain, metrics == 1);
    osc_session_close(session);
    osc_free(corpus.ids);
    osc_free(corpus.offset);
    osc_free(nll);
}

static void bench_model(const char *path, const char *scheme)
{
    osc_model *model;
    must(osc_model_open(&model, path));
    size_t positions = osc_model_config(model)->positions, length = positions < T ? positions : T;
    if (part == GRAPHS) {
        bench_graphs(model, scheme, SEQUENCES, length);
        bench_graphs(model, scheme, SHORT, SHORT);
    }
    if (part == EVERYTHING || part == PREFILL)
        bench_prefill(model, scheme, length, part == EVERYTHING);
    if (part == EVERYTHING || part == DECODING)
        bench_decode(model, scheme, length);
    osc_model_close(model);
}

int main(int argc, char **argv)
{
    must(osc_backend_find(&cuda, "cuda"));
    static const struct { size_t hidden, heads; } sizes[] = { { 768, 12 }, { 4096, 32 },
                                                              { 7168, 56 } };
    for (size_t i = 0; argc == 1 && i < sizeof sizes / sizeof *sizes; i++)
        bench_shape(sizes[i].hidden, sizes[i].heads);
    for (int i = 1; i < argc; i++) {
        char *scheme = strchr(argv[i], '@');     /* DIR or DIR@SCHEME */
        if (scheme != NULL)
            *scheme++ = '\0';
        if (strncmp(argv[i], "devices=", 8) == 0)     /* of the models behind it */
            devices = argv[i] + 8;
        else if (strncmp(argv[i], "memory=", 7) == 0)
            memory = strtod(argv[i] + 7, NULL);
        else if (strcmp(argv[i], "parts=graphs") == 0)
            part = GRAPHS;
        else if (strncmp(argv[i], "chunk=", 6) == 0)
            chunk = strtoul(argv[i] + 6, NULL, 10);
        else if (strcmp(argv[i], "parts=prefill") == 0)
            part = PREFILL;
        else if (strcmp(argv[i], "parts=decoding") == 0)
            part = DECODING;
        else if (strncmp(argv[i], "width=", 6) == 0) {
            size_t width = strtoul(argv[i] + 6, NULL, 10);
            bench_shape(width, width / 128);
        }
        else
            bench_model(argv[i], scheme);
    }
    return 0;
}

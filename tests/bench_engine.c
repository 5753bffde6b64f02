/* The forward pass against the machine's own cblas_sgemm, and recording against
 * not recording, on 16 sequences of 512 ids.  Both sides run in turn in this
 * process.  Models: share/opt-mini-8m, and any directories given as arguments. */
#include <config.h>
#include "bench.h"

#include <cblas.h>
#include <string.h>
#include <unistd.h>

#include "osc.h"

enum { RUNS = 9, SEQUENCES = 16, LENGTH = 512 };

typedef struct {
    osc_model   *model;
    osc_session *session;
    osc_corpus   corpus;
    double      *nll;
} bench;

static void must(osc_status status)
{
    if (status == OSC_OK)
        return;
    fprintf(stderr, "bench_engine: %s\n", osc_error());
    exit(1);
}

static void set_up(bench *b, const char *path)
{
    must(osc_model_open(&b->model, path));
    osc_session_options options = { .longest = LENGTH };
    must(osc_session_open(&b->session, b->model, &options));
    b->corpus = (osc_corpus){ .count = SEQUENCES, .longest = LENGTH, .length = LENGTH,
                              .protocol = OSC_TOKENS, .bos = -1, .digest = "" };
    b->corpus.ids = osc_alloc((size_t)SEQUENCES * LENGTH, sizeof *b->corpus.ids);
    b->corpus.offset = osc_alloc(SEQUENCES + 1, sizeof *b->corpus.offset);
    b->nll = osc_alloc((size_t)SEQUENCES * LENGTH, sizeof *b->nll);
    uint64_t state = 1;
    for (size_t i = 0; i < (size_t)SEQUENCES * LENGTH; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        b->corpus.ids[i] = (int32_t)((state >> 33) % osc_model_config(b->model)->vocabulary);
    }
    for (size_t i = 0; i <= SEQUENCES; i++)
        b->corpus.offset[i] = i * LENGTH;
}

static void tear_down(bench *b)
{
    osc_session_close(b->session);
    osc_model_close(b->model);
    osc_free(b->corpus.ids);
    osc_free(b->corpus.offset);
    osc_free(b->nll);
}

/* Multiplications and additions of the linear layers, the head and causal attention. */
static double flops(const osc_config *c)
{
    double h = (double)c->hidden, f = (double)c->ffn, t = LENGTH;
    double linear = (double)c->layers * (4 * h * h + 2 * h * f)
                  + (double)c->vocabulary * (double)c->embed_width;
    double attention = (double)c->layers * 2 * (t / 2) * h;
    return SEQUENCES * t * 2 * (linear + attention);
}

static double forward(bench *b, const osc_hooks *hooks)
{
    double start = bench_now();
    size_t step = osc_session_chunk(b->session);
    for (size_t i = 0; i < SEQUENCES; i += step)
        must(osc_session_run(b->session, &b->corpus, i, SEQUENCES - i < step ? SEQUENCES - i : step,
                             hooks, b->nll + i * LENGTH));
    return bench_now() - start;
}

/* Seconds that cblas_sgemm itself, with as many threads, takes for as many
 * operations at the model's FFN shape. */
static double sgemm(const bench *b)
{
    const osc_config *c = osc_model_config(b->model);
    float *x = osc_alloc(LENGTH * c->hidden, sizeof *x), *w = osc_alloc(c->ffn * c->hidden, sizeof *w);
    float *y = osc_alloc(LENGTH * c->ffn, sizeof *y);
    for (size_t i = 0; i < LENGTH * c->hidden; i++)
        x[i] = (float)(i % 17) - 8.0f;
    for (size_t i = 0; i < c->ffn * c->hidden; i++)
        w[i] = (float)(i % 13) - 6.0f;
    double one = 2.0 * LENGTH * (double)c->ffn * (double)c->hidden;
    int times = (int)(2e10 / one) + 1;
#ifdef HAVE_OPENBLAS_SET_NUM_THREADS
    openblas_set_num_threads((int)osc_session_threads(b->session));
#endif
    double start = bench_now();
    for (int i = 0; i < times; i++)
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, LENGTH, (int)c->ffn, (int)c->hidden,
                    1.0f, x, (int)c->hidden, w, (int)c->hidden, 0.0f, y, (int)c->ffn);
    double seconds = (bench_now() - start) / times * flops(c) / one;
#ifdef HAVE_OPENBLAS_SET_NUM_THREADS
    openblas_set_num_threads(1);
#endif
    osc_free(x);
    osc_free(w);
    osc_free(y);
    return seconds;
}

/* A recording of all default statistics, from opening the file to its last commit. */
static double record(bench *b, const char *path)
{
    double start = bench_now();
    const osc_config *c = osc_model_config(b->model);
    char weights[OSC_DIGEST_HEX];
    must(osc_store_digest(osc_model_store(b->model), weights, NULL));
    unsigned track = 1u << OSC_AT_QKV_IN | 1u << OSC_AT_OUT_IN | 1u << OSC_AT_FC1_IN;
    osc_recorder_options options = {
        .path = path,
        .info = { .tool = "bench", .command = "", .time = "", .host = "",
                  .backend = osc_session_backend(b->session), .dtype = "float16", .scheme = "none",
                  .model = osc_model_name(b->model), .arch = c->arch,
                  .parameters = osc_model_parameters(b->model), .layers = c->layers,
                  .hidden = c->hidden, .heads = c->heads, .ffn = c->ffn,
                  .weights_sha256 = weights, .tokenizer_sha256 = "", .text_sha256 = "",
                  .protocol = "tokens", .bos = -1, .sequence_length = LENGTH,
                  .sequences = SEQUENCES, .alpha = 6.0 },
        .points = track | 1u << OSC_AT_FC2_IN,
        .track = track, .event_cap = 10000000, .overwrite = true, .interval = -1.0,
    };
    osc_observer_shape shape = osc_model_shape(b->model);
    osc_recorder *recorder;
    osc_hooks *hooks;
    must(osc_recorder_open(&recorder, &options, &shape, &b->corpus));
    must(osc_hooks_create(&hooks, c->layers));
    must(osc_recorder_bind(recorder, hooks));
    size_t step = osc_session_chunk(b->session);
    for (size_t i = 0; i < SEQUENCES; i += step) {
        size_t n = SEQUENCES - i < step ? SEQUENCES - i : step;
        must(osc_session_run(b->session, &b->corpus, i, n, hooks, b->nll + i * LENGTH));
        must(osc_recorder_add(recorder, i, n, b->nll + i * LENGTH));
    }
    must(osc_recorder_finish(recorder));
    osc_hooks_free(hooks);
    osc_recorder_free(recorder);
    return bench_now() - start;
}

static void run(const char *path)
{
    bench b;
    double plain[RUNS], gemm[RUNS], recording[RUNS];
    char file[] = "/tmp/bench-record-XXXXXX", shape[256];
    int fd = mkstemp(file);
    if (fd < 0)
        must(osc_fail(OSC_EIO, "cannot make a temporary file"));
    close(fd);
    set_up(&b, path);
    forward(&b, NULL);
    for (size_t r = 0; r < RUNS; r++) {
        gemm[r] = sgemm(&b);
        plain[r] = forward(&b, NULL);
        recording[r] = record(&b, file);
    }
    unlink(file);
    snprintf(shape, sizeof shape, "%s %dx%d", osc_model_name(b.model), SEQUENCES, LENGTH);
    double median = bench_median(plain, RUNS);
    bench_print("forward", "float32", shape, median, "cblas_sgemm, as many operations at the FFN shape",
                bench_median(gemm, RUNS));
    bench_print("record", "float32", shape, bench_median(recording, RUNS), "perplexity", median);
    tear_down(&b);
}

int main(int argc, char **argv)
{
    const char *share = getenv("OSC_SHARE");
    char path[4096];
    snprintf(path, sizeof path, "%s/opt-mini-8m", share != NULL ? share : OSC_SOURCE_SHARE);
    run(path);
    for (int i = 1; i < argc; i++)
        run(argv[i]);
    return 0;
}

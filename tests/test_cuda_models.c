/* Whole models on the GPU against the CPU: every architecture and scheme, tensor hooks
 * that read and write, sequences behind a cache, with and without graphs.  Says SKIP
 * where no GPU can be opened. */
#include <config.h>
#include "run.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "osc.h"
#include "reference.h"

enum { LENGTH = 40, SEQUENCES = 3 };

static const char *const models[] = {
    "data/models/opt-preln-s1", "data/models/opt-postln-proj-s1", "data/models/gpt2-s1",
    "data/models/gptj-s1", "data/models/bloom-6heads-s1", "data/models/llama-gqa-s1",
};
enum { MODELS = sizeof models / sizeof *models };

typedef struct {
    osc_model *model;
    size_t     vocabulary;
    int32_t    ids[SEQUENCES * LENGTH];
    size_t     offset[SEQUENCES + 1];
    osc_corpus corpus;
    double     nll[SEQUENCES * LENGTH];
} fixture;

static void open_model(fixture *f, size_t number)
{
    must(osc_model_open(&f->model, in_tests(models[number])));
    f->vocabulary = osc_model_config(f->model)->vocabulary;
    for (size_t i = 0; i < SEQUENCES * LENGTH; i++)
        f->ids[i] = (int32_t)((i * i * 7919 + i * 31 + 5) % f->vocabulary);
    for (size_t i = 0; i <= SEQUENCES; i++)
        f->offset[i] = i * LENGTH;
    f->corpus = (osc_corpus){ .ids = f->ids, .offset = f->offset, .count = SEQUENCES,
                              .longest = LENGTH };
}

static osc_session *open_session(const fixture *f, const char *backend, const char *scheme,
                                 bool cached)
{
    osc_session *session;
    osc_session_options options = { .backend = backend, .scheme = scheme, .longest = LENGTH,
                                    .threads = 2, .cached = cached };
    must(osc_session_open(&session, f->model, &options));
    return session;
}

static double run(fixture *f, const char *backend, const char *scheme, const osc_hooks *hooks)
{
    osc_session *session = open_session(f, backend, scheme, false);
    must(osc_session_run(session, &f->corpus, 0, SEQUENCES, hooks, f->nll));
    osc_session_close(session);
    return osc_perplexity_of(&f->corpus, SEQUENCES, f->nll).perplexity;
}

/* --- perplexities ------------------------------------------------------------------- */

/* Schemes that decompose are as close as 16 bits are, others as close as their codes. */
static const struct { const char *name; double allowed; } schemes[] = {
    { "none", 0.005 }, { "llm-int8", 0.005 }, { "q8-0", 0.005 }, { "absmax-vector", 0.015 },
    { "absmax-row", 0.015 }, { "absmax", 0.015 }, { "zeropoint", 0.015 },
    { "zeropoint-vector", 0.015 },
};

START_TEST(test_perplexity)
{
    fixture f;
    open_model(&f, (size_t)_i);
    for (size_t s = 0; s < sizeof schemes / sizeof *schemes; s++) {
        double want = run(&f, "cpu", schemes[s].name, NULL);
        double got = run(&f, "cuda", schemes[s].name, NULL);
        ck_assert_msg(fabs(got / want - 1) <= schemes[s].allowed, "%s, %s: %g, on the CPU %g",
                      models[_i], schemes[s].name, got, want);
    }
    osc_model_close(f.model);
}
END_TEST

/* --- hooks -------------------------------------------------------------------------- */

enum { EVENTS = 1024, VALUES = 4 << 20 };

typedef struct {
    osc_event event[EVENTS];
    float    *values;      /* [VALUES] of all events */
    size_t    at[EVENTS], count, used;
} seen;

static osc_status keep(const osc_event *event, void *user)
{
    seen *all = user;
    size_t n = event->rows * event->width;
    ck_assert(all->count < EVENTS && all->used + n <= VALUES);
    all->event[all->count] = *event;
    all->at[all->count++] = all->used;
    memcpy(all->values + all->used, event->data, n * sizeof(float));
    all->used += n;
    return OSC_OK;
}

static void see(fixture *f, seen *all, const char *backend)
{
    osc_hooks *hooks;
    all->count = all->used = 0;
    must(osc_hooks_create(&hooks, osc_model_config(f->model)->layers));
    must(osc_hooks_add(hooks, "*", OSC_READ, keep, all));
    run(f, backend, "none", hooks);
    osc_hooks_free(hooks);
}

/* Frobenius norm of the difference over that of the values; infinities must agree. */
static double apart(const float *a, const float *b, size_t n)
{
    double difference = 0, size = 0;
    for (size_t i = 0; i < n; i++) {
        if (isinf(b[i]) && a[i] == b[i])
            continue;
        difference += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
        size += (double)b[i] * (double)b[i];
    }
    return sqrt(difference / (size + 1e-30));
}

START_TEST(test_hooks_read)
{
    static seen here, there;
    fixture f;
    here.values = osc_alloc(VALUES, sizeof(float));
    there.values = osc_alloc(VALUES, sizeof(float));
    open_model(&f, (size_t)_i);
    see(&f, &here, "cpu");
    see(&f, &there, "cuda");
    ck_assert_uint_eq(here.count, there.count);
    for (size_t e = 0; e < here.count; e++) {
        const osc_event *a = &here.event[e], *b = &there.event[e];
        ck_assert(a->point == b->point && a->layer == b->layer && a->sequence == b->sequence
                  && a->rows == b->rows && a->width == b->width);
        double d = apart(there.values + there.at[e], here.values + here.at[e],
                         a->rows * a->width);
        ck_assert_msg(d < 0.02, "%s, %s of block %d: apart by %g", models[_i],
                      osc_point_name(a->point), a->layer, d);
    }
    osc_free(here.values);
    osc_free(there.values);
    osc_model_close(f.model);
}
END_TEST

static osc_status halve(const osc_event *event, void *user)
{
    (void)user;
    for (size_t i = 0; i < event->rows * event->width; i += 3)
        event->data[i] *= 0.5f;
    return OSC_OK;
}

START_TEST(test_hooks_write)
{
    static const char *const points[] = { "blocks.*.qkv_in", "blocks.*.v", "blocks.*.pattern",
                                          "blocks.*.out_in", "blocks.*.resid_mid",
                                          "blocks.*.fc1_out", "blocks.*.fc2_in", "final_norm" };
    fixture f;
    open_model(&f, (size_t)_i);
    double plain = run(&f, "cpu", "none", NULL);
    for (size_t p = 0; p < sizeof points / sizeof *points; p++) {
        osc_hooks *hooks;
        must(osc_hooks_create(&hooks, osc_model_config(f.model)->layers));
        must(osc_hooks_add(hooks, points[p], OSC_WRITE, halve, NULL));
        double want = run(&f, "cpu", "none", hooks), got = run(&f, "cuda", "none", hooks);
        ck_assert_msg(want != plain && fabs(got / want - 1) <= 0.005,
                      "%s, writing %s: %g, on the CPU %g", models[_i], points[p], got, want);
        osc_hooks_free(hooks);
    }
    osc_model_close(f.model);
}
END_TEST

/* --- behind a cache ----------------------------------------------------------------- */

/* Logits of every piece's last id go to logits [LENGTH, V] at its row. */
static void decode(const fixture *f, float *logits, const char *backend, const char *scheme,
                   const size_t *pieces, const osc_hooks *hooks)
{
    osc_session *session = open_session(f, backend, scheme, true);
    const float *last;
    for (int turn = 0; turn < 2; turn++) {      /* the second starts from the cache of the first */
        osc_decode_begin(session, 0);
        for (size_t t = 0, i = 0; t < LENGTH; i += pieces[i + 1] != 0) {
            size_t n = LENGTH - t < pieces[i] ? LENGTH - t : pieces[i];
            must(osc_decode(session, f->ids + t, n, hooks, &last));
            t += n;
            memcpy(logits + (t - 1) * f->vocabulary, last, f->vocabulary * sizeof *last);
        }
    }
    osc_session_close(session);
}

START_TEST(test_cache)
{
    static const size_t pieces[][6] = { { 1, 0 }, { 12, 1, 0 }, { 5, 1, 1, 13, 8, 0 } };
    static const char *const schemes_here[] = { "none", "llm-int8", "q8-0" };
    fixture f;
    open_model(&f, (size_t)_i);
    size_t n = LENGTH * f.vocabulary;
    float *want = osc_alloc(n, sizeof *want), *got = osc_alloc(n, sizeof *got);
    float *hooked = osc_alloc(n, sizeof *hooked);
    for (size_t s = 0; s < 3; s++)
        for (size_t p = 0; p < 3; p++) {
            osc_hooks *hooks;
            memset(want, 0, n * sizeof *want);
            memset(got, 0, n * sizeof *got);
            memset(hooked, 0, n * sizeof *got);
            decode(&f, want, "cpu", schemes_here[s], pieces[p], NULL);
            decode(&f, got, "cuda", schemes_here[s], pieces[p], NULL);
            double d = apart(got, want, n);
            ck_assert_msg(d < (s == 0 ? 0.01 : 0.05), "%s, %s, split %zu: logits apart by %g",
                          models[_i], schemes_here[s], p, d);
            /* hooks, though none are bound, keep the host in it: no graphs, the same bits */
            must(osc_hooks_create(&hooks, osc_model_config(f.model)->layers));
            decode(&f, hooked, "cuda", schemes_here[s], pieces[p], hooks);
            ck_assert_int_eq(memcmp(got, hooked, n * sizeof *got), 0);
            osc_hooks_free(hooks);
        }
    osc_free(want);
    osc_free(got);
    osc_free(hooked);
    osc_model_close(f.model);
}
END_TEST

/* --- whole chunks as graphs --------------------------------------------------------- */

/* Lengths of the sequences of every chunk: some come again, at once or later. */
enum { CHUNKS = 16, IN_PARTS = 4, IDS = CHUNKS * SEQUENCES * LENGTH };
static const size_t lengths[CHUNKS][SEQUENCES] = {
    { 40, 40, 40 }, { 40, 40, 40 }, { 40, 40, 40 }, { 40, 40, 40 }, { 40, 40, 40 },
    { 3, 40, 17 }, { 40, 40, 40 }, { 17, 40, 3 }, { 17, 40, 3 }, { 17, 40, 3 }, { 17, 40, 3 },
    { 40, 40, 40 }, { 1, 1, 2 }, { 1, 1, 2 }, { 1, 1, 2 }, { 1, 1, 2 },
};

typedef struct {
    int32_t    ids[IDS];
    size_t     offset[CHUNKS * SEQUENCES + 1];
    osc_corpus corpus;
} chunks;

static void fill_chunks(chunks *c, size_t vocabulary)
{
    for (size_t i = 0; i < CHUNKS * SEQUENCES; i++)
        c->offset[i + 1] = c->offset[i] + lengths[i / SEQUENCES][i % SEQUENCES];
    for (size_t i = 0; i < IDS; i++)
        c->ids[i] = (int32_t)((i * i * 1531 + i * 37 + 11) % vocabulary);
    c->corpus = (osc_corpus){ .ids = c->ids, .offset = c->offset, .count = CHUNKS * SEQUENCES,
                              .longest = LENGTH };
}

/* Chunk by chunk, but one that runs as two. */
static void run_chunks(osc_session *session, const chunks *c, const osc_hooks *hooks, double *nll)
{
    for (size_t first = 0; first < CHUNKS * SEQUENCES; first += SEQUENCES) {
        size_t count = first == IN_PARTS * SEQUENCES ? 1 : SEQUENCES;
        for (size_t i = first; i < first + SEQUENCES; i += count, count = first + SEQUENCES - i)
            must(osc_session_run(session, &c->corpus, i, count, hooks, nll + c->offset[i]));
    }
}

/* Hooks, though none are bound, keep the host in it: no graphs, the same bits. */
START_TEST(test_chunks)
{
    static const char *const schemes_here[] = {
        "none", "llm-int8", "llm-int8:weights=int8", "llm-int8-zeropoint", "absmax-row-decomp",
        "absmax", "zeropoint", "absmax-row", "absmax-vector", "zeropoint-vector", "q8-0",
    };
    static chunks c;
    static double plain[IDS], graph[IDS];
    fixture f;
    open_model(&f, (size_t)_i);
    memset(&c, 0, sizeof c);
    fill_chunks(&c, f.vocabulary);
    for (size_t s = 0; s < sizeof schemes_here / sizeof *schemes_here; s++) {
        osc_hooks *hooks;
        must(osc_hooks_create(&hooks, osc_model_config(f.model)->layers));
        osc_session *session = open_session(&f, "cuda", schemes_here[s], false);
        memset(plain, 0xff, sizeof plain);
        memset(graph, 0xff, sizeof graph);
        run_chunks(session, &c, hooks, plain);
        run_chunks(session, &c, NULL, graph);
        ck_assert_msg(memcmp(plain, graph, sizeof plain) == 0, "%s, %s", models[_i],
                      schemes_here[s]);
        run_chunks(session, &c, NULL, graph);      /* from the graphs of the last time */
        ck_assert_msg(memcmp(plain, graph, sizeof plain) == 0, "%s, %s, again", models[_i],
                      schemes_here[s]);
        osc_session_close(session);
        osc_hooks_free(hooks);
    }
    osc_model_close(f.model);
}
END_TEST

/* --- sequences that share passes ------------------------------------------------------ */

enum { JOINED = 9, JOINED_IDS = JOINED * LENGTH };
static const size_t joined_lengths[JOINED] = { 40, 40, 40, 17, 17, 40, 3, 3, 1 };

/* The scores of all sequences, `chunk` of them at a time. */
static void run_joined(const fixture *f, const osc_corpus *corpus, const char *scheme,
                       size_t chunk, double *nll)
{
    osc_session *session;
    osc_session_options options = { .backend = "cuda", .scheme = scheme, .longest = LENGTH,
                                    .chunk = chunk };
    must(osc_session_open(&session, f->model, &options));
    for (size_t i = 0; i < JOINED; i += chunk)
        must(osc_session_run(session, corpus, i, chunk, NULL, nll + corpus->offset[i]));
    osc_session_close(session);
}

/* Products of other shapes may add in another order, in float32. */
START_TEST(test_joined)
{
    static const char *const schemes_here[] = {
        "none", "absmax-row", "absmax-vector", "zeropoint-vector", "q8-0", "llm-int8",
        "llm-int8:threshold=1.5", "llm-int8:weights=int8,threshold=1",
        "absmax-row-decomp:threshold=2", "llm-int8-zeropoint", "absmax",
    };
    size_t offset[JOINED + 1] = { 0 };
    double apart_nll[JOINED_IDS], nll[JOINED_IDS];
    int32_t ids[JOINED_IDS];
    fixture f;
    open_model(&f, (size_t)_i);
    for (size_t i = 0; i < JOINED; i++)
        offset[i + 1] = offset[i] + joined_lengths[i];
    for (size_t i = 0; i < JOINED_IDS; i++)
        ids[i] = (int32_t)((i * i * 1531 + i * 37 + 11) % f.vocabulary);
    osc_corpus corpus = { .ids = ids, .offset = offset, .count = JOINED, .longest = LENGTH };
    for (size_t s = 0; s < sizeof schemes_here / sizeof *schemes_here; s++) {
        run_joined(&f, &corpus, schemes_here[s], 1, apart_nll);
        run_joined(&f, &corpus, schemes_here[s], JOINED, nll);
        for (size_t i = 0; i < offset[JOINED]; i++)
            ck_assert_msg(fabs(nll[i] - apart_nll[i]) <= 0.002 * (1 + apart_nll[i]),
                          "%s, %s: id %zu costs %g, alone %g", models[_i], schemes_here[s], i,
                          nll[i], apart_nll[i]);
    }
    osc_model_close(f.model);
}
END_TEST

/* --- steps of one id ---------------------------------------------------------------- */

static osc_status count_rows(const osc_event *event, void *user)
{
    size_t *rows = user;
    *rows += event->rows;
    return OSC_OK;
}

/* All logits of a few steps; `points` are read by a hook, which keeps operations from being
 * one kernel. */
static void few_steps(const fixture *f, float *logits, const char *scheme, const char *points)
{
    enum { PROMPT = 3, STEPS = 5 };
    osc_session *session = open_session(f, "cuda", scheme, true);
    osc_hooks *hooks = NULL;
    const float *last;
    size_t rows = 0;
    if (points != NULL) {
        must(osc_hooks_create(&hooks, osc_model_config(f->model)->layers));
        must(osc_hooks_add(hooks, points, OSC_READ, count_rows, &rows));
    }
    osc_decode_begin(session, 0);
    for (size_t t = 0; t < STEPS; t++) {
        must(osc_decode(session, f->ids + (t == 0 ? 0 : PROMPT + t - 1), t == 0 ? PROMPT : 1,
                        hooks, &last));
        memcpy(logits + t * f->vocabulary, last, f->vocabulary * sizeof *last);
    }
    must(osc_decode_end(session));
    ck_assert((rows > 0) == (points != NULL));
    osc_hooks_free(hooks);
    osc_session_close(session);
}

/* Small enough for a sanitizer: the same steps twice, plain and as graphs. */
START_TEST(test_short)
{
    static const char *const some[] = { "none", "llm-int8" };
    fixture f;
    open_model(&f, 0);
    size_t bytes = 5 * f.vocabulary * sizeof(float);
    float *want = osc_alloc(bytes, 1), *got = osc_alloc(bytes, 1);
    few_steps(&f, want, some[_i], NULL);
    few_steps(&f, got, some[_i], "blocks.0.v");
    ck_assert_int_eq(memcmp(want, got, bytes), 0);
    osc_free(want);
    osc_free(got);
    osc_model_close(f.model);
}
END_TEST

/* What is done in one kernel has the bits of its parts. */
START_TEST(test_steps)
{
    static const char *const some[] = { "none", "llm-int8", "llm-int8-zeropoint:weights=int8" };
    static const char *const points[] = { "blocks.*.attn_out", "blocks.*.mlp_out", "blocks.*.v" };
    fixture f;
    open_model(&f, (size_t)_i);
    size_t bytes = 5 * f.vocabulary * sizeof(float);
    float *want = osc_alloc(bytes, 1), *got = osc_alloc(bytes, 1);
    for (size_t s = 0; s < sizeof some / sizeof *some; s++) {
        few_steps(&f, want, some[s], NULL);
        for (size_t p = 0; p < sizeof points / sizeof *points; p++) {
            few_steps(&f, got, some[s], points[p]);
            ck_assert_msg(memcmp(want, got, bytes) == 0, "%s, %s: a hook at %s changes logits",
                          models[_i], some[s], points[p]);
        }
    }
    osc_free(want);
    osc_free(got);
    osc_model_close(f.model);
}
END_TEST

/* A CUDA context does not survive a fork. */
static int run_here(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK);
    srunner_set_tap(runner, "-");
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(void)
{
    const osc_backend *cuda;
    osc_device *gpu;
    if (osc_backend_find(&cuda, "cuda") != OSC_OK || cuda->open(&gpu, 1) != OSC_OK) {
        printf("1..0 # SKIP %s\n", osc_error());
        return EXIT_SUCCESS;
    }
    cuda->close(gpu);
    Suite *suite = suite_create("cuda models");
    TCase *perplexity = tcase_create("perplexity"), *hooks = tcase_create("hooks");
    TCase *cache = tcase_create("cache"), *graphs = tcase_create("graphs");
    TCase *steps = tcase_create("steps"), *small = tcase_create("small-steps");
    tcase_set_timeout(perplexity, 300);
    tcase_set_timeout(hooks, 300);
    tcase_set_timeout(cache, 300);
    tcase_set_timeout(steps, 300);
    tcase_add_loop_test(perplexity, test_perplexity, 0, MODELS);
    tcase_add_loop_test(hooks, test_hooks_read, 0, MODELS);
    tcase_add_loop_test(hooks, test_hooks_write, 0, MODELS);
    tcase_add_loop_test(cache, test_cache, 0, MODELS);
    tcase_add_loop_test(steps, test_steps, 0, MODELS);
    tcase_set_timeout(graphs, 300);
    tcase_add_loop_test(graphs, test_chunks, 0, MODELS);
    tcase_add_loop_test(graphs, test_joined, 0, MODELS);
    suite_add_tcase(suite, perplexity);
    suite_add_tcase(suite, hooks);
    suite_add_tcase(suite, cache);
    tcase_set_timeout(small, 300);
    tcase_add_loop_test(small, test_short, 0, 2);
    suite_add_tcase(suite, steps);
    suite_add_tcase(suite, graphs);
    suite_add_tcase(suite, small);
    return run_here(suite);
}

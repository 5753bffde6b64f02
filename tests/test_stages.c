/* Sessions on several devices: the same bits as on one, and what observers hear in the
 * same order.  The CPU stands for any number of devices; with a GPU, it does, too. */
#include <config.h>
#include "run.h"

#include <stdio.h>
#include <string.h>

#include "osc.h"

#define TINY "synth:opt-125m,seed=4,outliers=3,num_hidden_layers=5,hidden_size=64," \
             "word_embed_proj_dim=64,num_attention_heads=4,ffn_dim=128,vocab_size=300," \
             "max_position_embeddings=64"

enum { SEQUENCES = 7, LONGEST = 40, IDS = SEQUENCES * LONGEST, HITS = 1 << 14 };

static osc_model *model;
static int32_t ids[IDS];
static size_t offset[SEQUENCES + 1];

static void must(osc_status status)
{
    ck_assert_msg(status == OSC_OK, "%s", osc_error());
}

static osc_corpus make_corpus(void)
{
    for (size_t i = 0; i < SEQUENCES; i++)
        offset[i + 1] = offset[i] + LONGEST - 3 * i;
    for (size_t i = 0; i < IDS; i++)
        ids[i] = (int32_t)(i * 7919 % 300);
    return (osc_corpus){ .ids = ids, .offset = offset, .count = SEQUENCES, .longest = LONGEST,
                         .length = LONGEST, .protocol = OSC_TOKENS, .bos = -1, .digest = "" };
}

typedef struct {
    osc_point point;
    size_t    layer;
    osc_hit   hit;
} event;

/* What one run gave. */
typedef struct {
    double        nll[IDS];
    event         hits[SEQUENCES][HITS];
    size_t        count[SEQUENCES];
    osc_observer *observer;
} outcome;

static osc_status on_hits(void *user, osc_point point, size_t layer, size_t sequence,
                          const osc_hit *hits, size_t count)
{
    outcome *o = user;
    for (size_t i = 0; i < count && o->count[sequence] < HITS; i++)
        o->hits[sequence][o->count[sequence]++] = (event){ point, layer, hits[i] };
    return OSC_OK;
}

static osc_hooks *observe(outcome *o)
{
    static const uint32_t left_out[] = { 1, 7 };
    static const osc_left_out without = { .feature = left_out, .count = 2 };
    osc_hooks *hooks;
    osc_observer_shape shape = osc_model_shape(model);
    unsigned points = 1u << OSC_AT_QKV_IN | 1u << OSC_AT_FC1_IN | 1u << OSC_AT_FC2_IN;
    osc_observer_options wanted = {
        .alpha = 6.0f, .points = points, .hits = 1u << OSC_AT_QKV_IN | 1u << OSC_AT_FC1_IN,
        .top1 = true, .without = &without, .without_sets = 1, .on_hits = on_hits, .user = o,
    };
    must(osc_observer_create(&o->observer, &shape, &wanted));
    must(osc_hooks_create(&hooks, shape.layers));
    must(osc_hooks_observe(hooks, o->observer));
    return hooks;
}

static outcome *run(const char *backend, const char *devices, size_t chunk, size_t memory,
                    const char *scheme)
{
    osc_session *session;
    osc_corpus corpus = make_corpus();
    outcome *o = osc_alloc(1, sizeof *o);
    osc_hooks *hooks = observe(o);
    osc_session_options options = { .backend = backend, .scheme = scheme, .longest = LONGEST,
                                    .chunk = chunk, .devices = devices, .memory = memory,
                                    .threads = 2 };
    must(osc_session_open(&session, model, &options));
    for (size_t i = 0; i < SEQUENCES; i += chunk)
        must(osc_session_run(session, &corpus, i, SEQUENCES - i < chunk ? SEQUENCES - i : chunk,
                             hooks, o->nll + offset[i]));
    ck_assert_uint_gt(osc_session_peak_bytes(session), 0);
    osc_hooks_free(hooks);
    osc_session_close(session);
    return o;
}

static void release(outcome *o)
{
    osc_observer_free(o->observer);
    osc_free(o);
}

static void same(const outcome *a, const outcome *b)
{
    size_t layers = osc_model_config(model)->layers, heads = osc_model_config(model)->heads;
    ck_assert_mem_eq(a->nll, b->nll, sizeof a->nll);
    for (osc_point p = 0; p < OSC_POINT_COUNT; p++) {
        const osc_column_stats *x = osc_observer_stats(a->observer, p, 0);
        const osc_column_stats *y = osc_observer_stats(b->observer, p, 0);
        if (x != NULL)
            ck_assert_mem_eq(x->sum, y->sum, osc_column_stats_bytes(layers, x->width));
    }
    const osc_top1_stats *x = osc_observer_top1(a->observer), *y = osc_observer_top1(b->observer);
    ck_assert_mem_eq(x->mass, y->mass, layers * heads * sizeof *x->mass);
    ck_assert_mem_eq(x->without, y->without, layers * heads * sizeof *x->without);
    ck_assert_uint_eq(x->queries, y->queries);
    for (size_t i = 0; i < SEQUENCES; i++) {
        ck_assert_uint_gt(a->count[i], 0);
        ck_assert_uint_lt(a->count[i], HITS);
        ck_assert_uint_eq(a->count[i], b->count[i]);
        for (size_t j = 0; j < a->count[i]; j++)
            ck_assert_mem_eq(&a->hits[i][j], &b->hits[i][j], sizeof(event));
    }
}

static const char *const devices[] = { "0,1", "2,0,1", "0,1,2,3,4" };
enum { LISTS = sizeof devices / sizeof *devices };

START_TEST(test_same_bits)
{
    static const char *const schemes[] = { "none", "llm-int8" };
    must(osc_model_open(&model, TINY));
    for (size_t s = 0; s < 2; s++) {
        outcome *one = run("cpu", NULL, SEQUENCES, 0, schemes[s]);
        for (size_t chunk = 2; chunk <= SEQUENCES; chunk += 5) {
            outcome *many = run("cpu", devices[_i], chunk, 0, schemes[s]);
            same(one, many);
            release(many);
        }
        release(one);
    }
    osc_model_close(model);
}
END_TEST

/* One GPU twice; and its blocks' weights in two buffers by turns. */
START_TEST(test_gpu)
{
    static const char *const schemes[] = { "none", "llm-int8", "absmax", "q8-0" };
    must(osc_model_open(&model, TINY));
    for (size_t s = 0; s < 4; s++) {
        outcome *one = run("cuda", NULL, SEQUENCES, 0, schemes[s]);
        outcome *two = run("cuda", "0,0", 3, 0, schemes[s]);
        outcome *turns = run("cuda", NULL, 3, (size_t)1 << 30, schemes[s]);
        outcome *both = run("cuda", "0,0", SEQUENCES, (size_t)1 << 30, schemes[s]);
        same(one, two);
        same(one, turns);
        same(one, both);
        release(one);
        release(two);
        release(turns);
        release(both);
    }
    osc_model_close(model);
}
END_TEST

static void refuse(const char *text, const char *why)
{
    osc_session *session;
    osc_session_options options = { .longest = LONGEST, .devices = text };
    must(osc_model_open(&model, TINY));
    ck_assert_int_eq(osc_session_open(&session, model, &options), OSC_EINVAL);
    ck_assert_msg(strstr(osc_error(), why) != NULL, "%s: %s", text, osc_error());
    osc_model_close(model);
}

START_TEST(test_refused)
{
    refuse("0,1,2,3,4,5", "6 devices for 5 blocks");
    refuse("", "expected numbers");
    refuse("0,", "expected numbers");
    refuse("0,x", "expected numbers");
    refuse("-1", "expected numbers");
    refuse("0 1", "expected numbers");
    refuse("99999999999999999999", "expected numbers");
    ck_assert_int_eq(osc_session_check_devices("0,1"), OSC_OK);
}
END_TEST

static bool have_gpu(void)
{
    const osc_backend *cuda;
    osc_device *gpu;
    if (osc_backend_find(&cuda, "cuda") != OSC_OK || cuda->open(&gpu, 1) != OSC_OK) {
        printf("# SKIP the GPU: %s\n", osc_error());
        return false;
    }
    cuda->close(gpu);
    return true;
}

/* A CUDA context does not survive a fork. */
int main(void)
{
    Suite *suite = suite_create("stages");
    TCase *cpu = tcase_create("cpu");
    tcase_add_loop_test(cpu, test_same_bits, 0, LISTS);
    tcase_add_test(cpu, test_refused);
    suite_add_tcase(suite, cpu);
    if (have_gpu()) {
        TCase *gpu = tcase_create("gpu");
        tcase_set_timeout(gpu, 300);
        tcase_add_test(gpu, test_gpu);
        suite_add_tcase(suite, gpu);
        setenv("CK_FORK", "no", 0);
    }
    return run_suite(suite);
}

/* The forward pass against figures computed independently in float32
 * (tests/data/README.md), and what the engine promises: hooks that read, write and
 * stop, the same bits for any number of threads and any chunking, no allocation
 * inside a run. */
#include <config.h>
#include "run.h"

#include <math.h>
#include <string.h>

#include "reference.h"

enum { HEAD = 16 };    /* logits of a position that the reference keeps for trained models */

/* One sequence alone moves more than the mean of 16. */
static const double LOGIT = 1e-3, RELATIVE = 1e-4, ONE_SEQUENCE = 5e-4, SPREADS = 10.0;

typedef struct {
    osc_model   *model;
    osc_session *session;
    osc_hooks   *hooks;
    osc_corpus  *corpus;
    double      *nll;
} fixture;

static void set_up(fixture *f, const char *model, osc_corpus *corpus, size_t threads, size_t chunk)
{
    must(osc_model_open(&f->model, model));
    osc_session_options options = { .longest = corpus->longest, .threads = threads, .chunk = chunk };
    must(osc_session_open(&f->session, f->model, &options));
    must(osc_hooks_create(&f->hooks, osc_model_config(f->model)->layers));
    f->corpus = corpus;
    f->nll = osc_alloc(corpus->offset[corpus->count], sizeof *f->nll);
}

static void tear_down(fixture *f)
{
    osc_free(f->nll);
    osc_hooks_free(f->hooks);
    osc_session_close(f->session);
    osc_model_close(f->model);
}

static osc_perplexity run_all(fixture *f)
{
    size_t step = osc_session_chunk(f->session);
    for (size_t i = 0; i < f->corpus->count; i += step) {
        size_t n = f->corpus->count - i < step ? f->corpus->count - i : step;
        must(osc_session_run(f->session, f->corpus, i, n, f->hooks,
                             f->nll + f->corpus->offset[i]));
    }
    return osc_perplexity_of(f->corpus, f->corpus->count, f->nll);
}

/* --- logits of random checkpoints written by another implementation -------------- */

/* Llama's reference.json had its rotary frequencies rounded to fp16 (tests/data/README.md):
 * its logits are those of the float64 figures with that rounding, not of the checkpoint. */
static const struct { const char *model, *figures; } random_models[] = {
    { "data/models/opt-preln-s1", "reference.json" },
    { "data/models/opt-preln-s2", "reference.json" },
    { "data/models/opt-postln-proj-s1", "reference.json" },
    { "data/models/opt-postln-proj-s2", "reference.json" },
    { "data/models/gpt2-s1", "reference.json" },
    { "data/models/gptj-s1", "reference.json" },
    { "data/models/bloom-6heads-s1", "reference.json" },
    { "data/models/llama-gqa-s1", "float64.json" },
};

static osc_status check_logits(const osc_event *event, void *user)
{
    const json_t *reference = user;
    const json_t *positions = json_object_get(reference, "positions");
    const json_t *rows = json_array_get(json_object_get(reference, "logits"), event->sequence);
    size_t i;
    json_t *position;
    json_array_foreach(positions, i, position) {
        const json_t *row = json_array_get(rows, i);
        const float *got = event->data + (size_t)json_integer_value(position) * event->width;
        ck_assert_uint_eq(json_array_size(row), event->width);
        for (size_t j = 0; j < event->width; j++)
            ck_assert_double_eq_tol(got[j], json_number_value(json_array_get(row, j)), LOGIT);
    }
    return OSC_OK;
}

START_TEST(test_random_models)
{
    char path[PATH];
    snprintf(path, sizeof path, "%s", in_tests(random_models[_i].model));
    char *file = osc_path_join(path, random_models[_i].figures);
    json_t *reference = read_json(file);
    osc_corpus *corpus = corpus_of(json_object_get(reference, "ids"));
    fixture f;
    set_up(&f, path, corpus, 2, 0);
    must(osc_hooks_add(f.hooks, "logits", OSC_READ, check_logits, reference));
    run_all(&f);
    for (size_t i = 0; i < corpus->count; i++) {
        double total = 0.0;
        double want = json_number_value(json_array_get(json_object_get(reference, "nll"), i));
        for (size_t t = corpus->offset[i]; t < corpus->offset[i + 1]; t++)
            total += f.nll[t];
        ck_assert_double_eq_tol(total / want, 1.0, RELATIVE);
    }
    tear_down(&f);
    osc_corpus_free(corpus);
    json_decref(reference);
    osc_free(file);
}
END_TEST

/* --- trained models -------------------------------------------------------------- */

/* In late positions of the trained models float32 itself is off by more than 1e-3:
 * the reference by up to 0.05 from the same pass in float64, others elsewhere and by chance
 * more.  So what is asked of a
 * logit is 1e-3, or ten times the distance between the two references. */
typedef struct {
    json_t *single, *exact;     /* figures in float32 and float64 */
} figures;

/* Checks the logits of sequence 0 that the reference keeps: the first HEAD of a few
 * positions, and the largest of all. */
static osc_status check_head(const osc_event *event, void *user)
{
    const json_t *reference = ((figures *)user)->single, *exact = ((figures *)user)->exact;
    if (event->sequence != 0)
        return OSC_OK;
    const json_t *positions = json_object_get(reference, "logits_pos");
    size_t i;
    json_t *position;
    json_array_foreach(positions, i, position) {
        const float *got = event->data + (size_t)json_integer_value(position) * event->width;
        const json_t *row = json_array_get(json_object_get(reference, "logits_head"), i);
        const json_t *truth = json_array_get(json_object_get(exact, "logits_head"), i);
        size_t best = 0;
        double spread = 0.0;
        for (size_t j = 0; j < HEAD; j++)
            spread = fmax(spread, fabs(json_number_value(json_array_get(row, j))
                                       - json_number_value(json_array_get(truth, j))));
        for (size_t j = 0; j < HEAD; j++)
            ck_assert_double_eq_tol(got[j], json_number_value(json_array_get(truth, j)),
                                    fmax(LOGIT, SPREADS * spread));
        for (size_t j = 0; j < event->width; j++)
            best = got[j] > got[best] ? j : best;
        ck_assert_int_eq((json_int_t)best, json_integer_value(json_array_get(
                         json_object_get(reference, "logits_argmax"), i)));
    }
    return OSC_OK;
}

static void check_perplexity(fixture *f, const json_t *reference, const json_t *exact)
{
    osc_perplexity p = run_all(f);
    double first = 0.0;
    for (size_t t = 0; t < f->corpus->offset[1]; t++)
        first += f->nll[t];
    ck_assert_double_eq_tol(first / number(reference, "nll_first_seq"), 1.0, ONE_SEQUENCE);
    check_perplexity_near(p.perplexity, reference, exact);
}

static void check_trained(const char *model, const char *tokens, const char *single,
                          const char *exact)
{
    figures both = { read_json(single), read_json(in_tests(exact)) };
    osc_corpus *corpus;
    must(osc_corpus_read_tokens(&corpus, tokens, 0));
    fixture f;
    set_up(&f, model, corpus, 2, 0);
    must(osc_hooks_add(f.hooks, "logits", OSC_READ, check_head, &both));
    check_perplexity(&f, both.single, both.exact);
    tear_down(&f);
    osc_corpus_free(corpus);
    json_decref(both.single);
    json_decref(both.exact);
}

START_TEST(test_sampled)
{
    char model[PATH], tokens[PATH];
    snprintf(model, sizeof model, "%s", in_share("opt-mini-2m"));
    snprintf(tokens, sizeof tokens, "%s", in_tests("data/text/sampled-16x256.tokens"));
    check_trained(model, tokens, in_tests("data/reference/opt-mini-2m.json"),
                  "data/reference/opt-mini-2m.float64.json");
}
END_TEST

/* The same on what is not committed: a post-norm model, and held-out books. */
static const struct { const char *model, *tokens, *single, *exact; } shared_cases[] = {
    { "models/opt-mini-postln-2m", "reference/sampled/sampled-16x256.tokens",
      "reference/sampled/opt-mini-postln-2m.json",
      "data/reference/opt-mini-postln-2m.float64.json" },
    { "models/opt-mini-2m", "reference/heldout-16x512.tokens",
      "reference/opt-mini-2m/reference.json", "data/reference/opt-mini-2m.heldout.float64.json" },
    { "models/opt-mini-postln-2m", "reference/heldout-16x512.tokens",
      "reference/opt-mini-postln-2m/reference.json",
      "data/reference/opt-mini-postln-2m.heldout.float64.json" },
};

START_TEST(test_shared)
{
    char model[PATH], tokens[PATH], single[PATH];
    if (in_shared(shared_cases[_i].model) == NULL)
        return;
    snprintf(model, sizeof model, "%s", in_shared(shared_cases[_i].model));
    snprintf(tokens, sizeof tokens, "%s", in_shared(shared_cases[_i].tokens));
    snprintf(single, sizeof single, "%s", in_shared(shared_cases[_i].single));
    check_trained(model, tokens, single, shared_cases[_i].exact);
}
END_TEST

/* --- promises -------------------------------------------------------------------- */

static osc_corpus *few_sequences(void)
{
    osc_corpus *corpus;
    must(osc_corpus_read_tokens(&corpus, in_tests("data/text/sampled-16x256.tokens"), 5));
    return corpus;
}

START_TEST(test_same_bits)
{
    static const struct { size_t threads, chunk; } ways[] = { { 1, 0 }, { 2, 1 }, { 3, 2 }, { 8, 4 } };
    osc_corpus *corpus = few_sequences();
    size_t bytes = corpus->offset[corpus->count] * sizeof(double);
    double *first = osc_alloc(bytes, 1);
    for (size_t w = 0; w < sizeof ways / sizeof *ways; w++) {
        fixture f;
        set_up(&f, in_share("opt-mini-2m"), corpus, ways[w].threads, ways[w].chunk);
        if (ways[w].chunk > 0)
            ck_assert_uint_eq(osc_session_chunk(f.session), ways[w].chunk);
        run_all(&f);
        if (w == 0)
            memcpy(first, f.nll, bytes);
        ck_assert_int_eq(memcmp(first, f.nll, bytes), 0);
        tear_down(&f);
    }
    osc_free(first);
    osc_corpus_free(corpus);
}
END_TEST

START_TEST(test_no_allocation)
{
    osc_corpus *corpus = few_sequences();
    fixture f;
    set_up(&f, in_share("opt-mini-2m"), corpus, 2, 0);
    size_t before = osc_alloc_count();
    run_all(&f);
    ck_assert_uint_eq(osc_alloc_count(), before);
    tear_down(&f);
    osc_corpus_free(corpus);
}
END_TEST

typedef struct {
    size_t calls;
    double sum;
} tally;

static osc_status add_up(const osc_event *event, void *user)
{
    tally *t = user;
    t->calls++;
    for (size_t i = 0; i < event->rows * event->width; i++)
        if (isfinite(event->data[i]))
            t->sum += event->data[i];
    return OSC_OK;
}

/* Hooks at every point see every tensor once a sequence, and reading changes
 * nothing (scores and pattern run attention in steps: last bits may differ). */
START_TEST(test_read_everything)
{
    osc_corpus *corpus = few_sequences();
    fixture plain, hooked;
    tally t = { 0, 0.0 };
    set_up(&plain, in_share("opt-mini-2m"), corpus, 2, 0);
    set_up(&hooked, in_share("opt-mini-2m"), corpus, 2, 0);
    must(osc_hooks_add(hooked.hooks, "*", OSC_READ, add_up, &t));
    osc_perplexity a = run_all(&plain), b = run_all(&hooked);
    ck_assert_uint_eq(t.calls, (14 * 6 + 3) * corpus->count);
    ck_assert_double_eq_tol(a.perplexity / b.perplexity, 1.0, 3e-5);
    tear_down(&plain);
    tear_down(&hooked);
    osc_corpus_free(corpus);
}
END_TEST

/* pattern: rows sum to 1, nothing above the diagonal. */
static osc_status check_pattern(const osc_event *event, void *user)
{
    ++*(size_t *)user;
    size_t t = event->width;
    for (size_t r = 0; r < event->rows; r++) {
        double sum = 0.0;
        for (size_t j = 0; j < t; j++) {
            sum += event->data[r * t + j];
            ck_assert(j <= r % t || event->data[r * t + j] == 0.0f);
        }
        ck_assert_double_eq_tol(sum, 1.0, 1e-5);
    }
    return OSC_OK;
}

START_TEST(test_pattern)
{
    osc_corpus *corpus = few_sequences();
    fixture f;
    size_t calls = 0;
    set_up(&f, in_share("opt-mini-2m"), corpus, 2, 0);
    must(osc_hooks_add(f.hooks, "blocks.4.attn.hook_pattern", OSC_READ, check_pattern, &calls));
    run_all(&f);
    ck_assert_uint_eq(calls, corpus->count);
    tear_down(&f);
    osc_corpus_free(corpus);
}
END_TEST

/* Zeroes the features listed in the reference. */
static osc_status zero_features(const osc_event *event, void *user)
{
    const json_t *features = user;
    size_t i;
    json_t *feature;
    json_array_foreach(features, i, feature)
        for (size_t r = 0; r < event->rows; r++)
            event->data[r * event->width + (size_t)json_integer_value(feature)] = 0.0f;
    return OSC_OK;
}

/* An ablation multiplies every small difference in float arithmetic: 0.1 %. */
static void check_ablation(const char *model, const char *tokens, const char *single)
{
    static const struct { const char *set, *result; bool fc1; } cases[] = {
        { "ablation_dims", "ablate_top_qkv", false },
        { "ablation_dims", "ablate_top_qkv_fc1", true },
        { "random_dims", "ablate_random_qkv", false },
        { "random_dims", "ablate_random_qkv_fc1", true },
    };
    json_t *reference = read_json(single);
    osc_corpus *corpus;
    must(osc_corpus_read_tokens(&corpus, tokens, 0));
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        fixture f;
        set_up(&f, model, corpus, 2, 0);
        json_t *set = json_object_get(reference, cases[c].set);
        must(osc_hooks_add(f.hooks, "blocks.*.qkv_in", OSC_WRITE, zero_features, set));
        if (cases[c].fc1)
            must(osc_hooks_add(f.hooks, "blocks.*.fc1_in", OSC_WRITE, zero_features, set));
        osc_perplexity p = run_all(&f);
        ck_assert_msg(fabs(p.perplexity / number(reference, cases[c].result) - 1.0) < 1e-3,
                      "%s: perplexity %.8g, reference %.8g", cases[c].result, p.perplexity,
                      number(reference, cases[c].result));
        tear_down(&f);
    }
    osc_corpus_free(corpus);
    json_decref(reference);
}

START_TEST(test_write_hooks)
{
    char model[PATH], tokens[PATH];
    snprintf(model, sizeof model, "%s", in_share("opt-mini-2m"));
    snprintf(tokens, sizeof tokens, "%s", in_tests("data/text/sampled-16x256.tokens"));
    check_ablation(model, tokens, in_tests("data/reference/opt-mini-2m.json"));
}
END_TEST

START_TEST(test_write_hooks_post_norm)
{
    char model[PATH], tokens[PATH];
    const char *path = in_shared("models/opt-mini-postln-2m");
    if (path == NULL)
        return;
    snprintf(model, sizeof model, "%s", path);
    snprintf(tokens, sizeof tokens, "%s", in_tests("data/text/sampled-16x256.tokens"));
    check_ablation(model, tokens, in_tests("data/reference/opt-mini-postln-2m.json"));
}
END_TEST

static osc_status stop_at_second(const osc_event *event, void *user)
{
    ++*(size_t *)user;
    return event->sequence == 1 ? OSC_STOP : OSC_OK;
}

START_TEST(test_stop)
{
    osc_corpus *corpus = few_sequences();
    fixture f;
    size_t calls = 0;
    set_up(&f, in_share("opt-mini-2m"), corpus, 1, 0);
    must(osc_hooks_add(f.hooks, "blocks.2.fc1_in", OSC_READ, stop_at_second, &calls));
    ck_assert_int_eq(osc_session_run(f.session, corpus, 0, 3, f.hooks, f.nll), OSC_STOP);
    ck_assert_uint_eq(calls, 2);
    tear_down(&f);
    osc_corpus_free(corpus);
}
END_TEST

START_TEST(test_limits)
{
    osc_corpus *corpus = few_sequences();
    fixture f;
    set_up(&f, in_share("opt-mini-2m"), corpus, 1, 2);
    ck_assert_int_eq(osc_session_run(f.session, corpus, 0, 3, NULL, f.nll), OSC_EINVAL);
    ck_assert_int_eq(osc_session_run(f.session, corpus, 4, 2, NULL, f.nll), OSC_EINVAL);
    osc_session *session;
    osc_session_options options = { .longest = 1025 };
    ck_assert_int_eq(osc_session_open(&session, f.model, &options), OSC_EINVAL);
    ck_assert_ptr_nonnull(strstr(osc_error(), "1024 positions"));
    options = (osc_session_options){ .longest = 16, .backend = "tpu" };
    ck_assert_int_eq(osc_session_open(&session, f.model, &options), OSC_EINVAL);
    options = (osc_session_options){ .longest = 16, .scheme = "nnone" };
    ck_assert_int_eq(osc_session_open(&session, f.model, &options), OSC_EINVAL);
    ck_assert_ptr_nonnull(strstr(osc_error(), "did you mean 'none'"));
    tear_down(&f);
    osc_corpus_free(corpus);
}
END_TEST

/* Every allocation of open and run fails once: an error, no leak, no crash. */
START_TEST(test_out_of_memory)
{
    osc_corpus *corpus = few_sequences();
    osc_status status = OSC_ENOMEM;
    size_t n = 0;
    while (status != OSC_OK) {
        osc_model *model = NULL;
        osc_session *session = NULL;
        osc_session_options options = { .longest = corpus->longest, .threads = 1 };
        osc_alloc_fail_from(++n);
        status = osc_model_open(&model, in_tests("data/models/opt-preln-s1"));
        options.longest = 64;
        if (status == OSC_OK)
            status = osc_session_open(&session, model, &options);
        osc_alloc_fail_from(0);
        ck_assert_msg(status == OSC_OK || status == OSC_ENOMEM, "allocation %zu: %s", n, osc_error());
        osc_session_close(session);
        osc_model_close(model);
    }
    ck_assert_uint_gt(n, 30);
    osc_corpus_free(corpus);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("engine");
    TCase *tc = tcase_create("reference");
    tcase_set_timeout(tc, 300);
    tcase_add_loop_test(tc, test_random_models, 0, sizeof random_models / sizeof *random_models);
    tcase_add_test(tc, test_sampled);
    tcase_add_loop_test(tc, test_shared, 0, sizeof shared_cases / sizeof *shared_cases);
    tcase_add_test(tc, test_write_hooks);
    tcase_add_test(tc, test_write_hooks_post_norm);
    suite_add_tcase(suite, tc);
    tc = tcase_create("promises");
    tcase_set_timeout(tc, 300);
    tcase_add_test(tc, test_same_bits);
    tcase_add_test(tc, test_no_allocation);
    tcase_add_test(tc, test_read_everything);
    tcase_add_test(tc, test_pattern);
    tcase_add_test(tc, test_stop);
    tcase_add_test(tc, test_limits);
    tcase_add_test(tc, test_out_of_memory);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}

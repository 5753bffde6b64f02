/* `ablate` on the trained models against figures computed independently
 * (tests/data/README.md), and against hooks of these tests. */
#include <config.h>
#include "run.h"

#include <math.h>
#include <string.h>

#include "experiments/ablate.h"
#include "reference.h"

enum { TOP1_SEQUENCES = 4 };   /* of which the reference keeps top-1 masses */

typedef struct {
    char model[PATH], tokens[PATH], features[256];
    ablate_options options;
} setting;

static void set_up(setting *s, const char *model, size_t sequences)
{
    *s = (setting){ .options = { .run = RUN_OPTIONS_DEFAULT, .scheme = "none", .alpha = -1,
                                 .seed = 1, .points = 1u << OSC_AT_QKV_IN } };
    snprintf(s->model, sizeof s->model, "%s", model);
    snprintf(s->tokens, sizeof s->tokens, "%s", in_tests("data/text/sampled-16x256.tokens"));
    s->options.model = s->model;
    s->options.run.tokens = s->tokens;
    s->options.run.sequences = sequences;
    s->options.run.threads = 1;
}

/* "63,80,108" */
static void set_features(setting *s, const json_t *list)
{
    size_t i, used = 0;
    json_t *feature;
    json_array_foreach(list, i, feature)
        used += (size_t)snprintf(s->features + used, sizeof s->features - used, "%s%lld",
                                 i > 0 ? "," : "", (long long)json_integer_value(feature));
    s->options.features = s->features;
}

/* --- against the reference ---------------------------------------------------------- */

static const struct {
    const char *set, *perplexity, *top1;
    bool        fc1;
} figures[] = {
    { "ablation_dims", "ablate_top_qkv", "top1_mass_top_zeroed", false },
    { "ablation_dims", "ablate_top_qkv_fc1", NULL, true },
    { "random_dims", "ablate_random_qkv", "top1_mass_random_zeroed", false },
    { "random_dims", "ablate_random_qkv_fc1", NULL, true },
};

static void check_perplexity(const setting *s, const json_t *reference, const char *figure)
{
    ablation a = { .tool = "" };
    must(ablate_measure(&a, &s->options));
    ck_assert_uint_eq(a.scored, 16 * 255);
    ck_assert_double_eq_tol(ablation_baseline(&a)->perplexity / number(reference, "ppl_fp32"), 1,
                            3e-4);
    double expected = number(reference, figure), got = ablation_chosen(&a, 0)->perplexity;
    ck_assert_msg(fabs(got / expected - 1) < 1e-3, "%s: %.8g, reference %.8g", figure, got,
                  expected);
    ablation_free(&a);
}

static void check_masses(const double *got, const json_t *expected, const char *name,
                         double budget)
{
    for (size_t l = 0; l < json_array_size(expected); l++) {
        double want = json_number_value(json_array_get(expected, l));
        ck_assert_msg(fabs(got[l] - want) < budget, "%s, block %zu: %.6f, reference %.6f", name, l,
                      got[l], want);
    }
}

static void check_top1(const setting *s, const json_t *reference, const char *figure,
                       double budget)
{
    ablation a = { .tool = "" };
    must(ablate_measure(&a, &s->options));
    const ablation_cell *none = ablation_baseline(&a), *chosen = ablation_chosen(&a, 0);
    check_masses(none->top1, json_object_get(reference, "top1_mass"), "regular", 2 * budget);
    check_masses(chosen->top1, json_object_get(reference, figure), figure, budget);
    for (size_t l = 0; l < a.layers; l++)     /* one query of 256 has the mass 1 */
        ck_assert_double_eq_tol((256 * chosen->top1[l] - 1) / 255, chosen->later[l], 1e-9);
    ablation_free(&a);
}

static void check_case(const char *model, const char *path, int i, double budget)
{
    json_t *reference = read_json(path);
    setting s;
    set_up(&s, model, 0);
    set_features(&s, json_object_get(reference, figures[i].set));
    if (figures[i].fc1)
        s.options.points |= 1u << OSC_AT_FC1_IN;
    check_perplexity(&s, reference, figures[i].perplexity);
    s.options.run.sequences = TOP1_SEQUENCES;
    if (figures[i].top1 != NULL)
        check_top1(&s, reference, figures[i].top1, budget);
    json_decref(reference);
}

START_TEST(test_reference)
{
    check_case(in_share("opt-mini-2m"), in_tests("data/reference/opt-mini-2m.json"), _i, 1e-4);
}
END_TEST

/* Block 1 is inexact in float32 there: the reference's masses are up to 3.0e-4 from the same
 * pass in float64, and those without features zeroed up to 4.0e-4. */
START_TEST(test_reference_post_norm)
{
    const char *model = in_shared("models/opt-mini-postln-2m");
    if (model != NULL)
        check_case(model, in_tests("data/reference/opt-mini-postln-2m.json"), _i, 5e-4);
}
END_TEST

/* --- features ------------------------------------------------------------------------ */

/* The reference's first outliers are those of largest magnitude at the points. */
START_TEST(test_largest)
{
    json_t *reference = read_json(in_tests("data/reference/opt-mini-2m.json"));
    setting s;
    ablation a = { .tool = "" };
    set_up(&s, in_share("opt-mini-2m"), 0);
    s.options.points |= 1u << OSC_AT_FC1_IN;
    s.options.top = 6;
    must(ablate_measure(&a, &s.options));
    const json_t *list = json_object_get(reference, "ablation_dims");
    for (size_t i = 0; i < 6; i++)
        ck_assert_int_eq(a.feature[i], json_integer_value(json_array_get(list, i)));
    const json_t *top = json_array_get(json_object_get(reference, "top8_dims"), 0);
    ck_assert_double_eq_tol(a.magnitude[0], json_number_value(json_array_get(top, 1)), 0.11);
    ablation_free(&a);
    json_decref(reference);
}
END_TEST

START_TEST(test_outliers)
{
    json_t *reference = read_json(in_tests("data/reference/opt-mini-2m.json"));
    const json_t *list = json_object_get(json_object_get(reference, "outlier_dims_by_pairs"),
                                         "qkv_in+out_in+fc1_in");
    setting s;
    ablation a = { .tool = "" };
    set_up(&s, in_share("opt-mini-2m"), 0);
    must(ablate_measure(&a, &s.options));
    ck_assert_uint_eq(a.features, json_array_size(list));
    for (size_t i = 0; i < a.features; i++) {
        bool found = false;
        for (size_t j = 0; j < a.features; j++)
            found |= json_integer_value(json_array_get(list, j)) == a.feature[i];
        ck_assert_msg(found, "%u is no outlier of the reference", (unsigned)a.feature[i]);
        ck_assert(i == 0 || a.magnitude[i] <= a.magnitude[i - 1]);
    }
    ablation_free(&a);
    json_decref(reference);
}
END_TEST

/* --- against hooks ------------------------------------------------------------------- */

enum { FEATURE = 63, SECOND = 80, BLOCK = 3, LAYERS = 6 };

/* What a hook adds up, or puts in the place of two features of one block or of all. */
typedef struct {
    int    only;                       /* block; -1: all */
    double sum[2][LAYERS], rows;
    float  value[2][LAYERS];
    double mass, queries;
} probe;

static osc_status add_up(const osc_event *event, void *user)
{
    probe *p = user;
    for (size_t t = 0; t < event->rows; t++) {
        p->sum[0][event->layer] += event->data[t * event->width + FEATURE];
        p->sum[1][event->layer] += event->data[t * event->width + SECOND];
    }
    p->rows += event->layer == 0 ? (double)event->rows : 0;
    return OSC_OK;
}

static osc_status replace(const osc_event *event, void *user)
{
    const probe *p = user;
    for (size_t t = 0; t < event->rows && (p->only < 0 || p->only == event->layer); t++) {
        event->data[t * event->width + FEATURE] = p->value[0][event->layer];
        event->data[t * event->width + SECOND] = p->value[1][event->layer];
    }
    return OSC_OK;
}

static osc_status largest(const osc_event *event, void *user)
{
    probe *p = user;
    for (size_t r = 0; r < event->rows; r++) {
        float most = 0;
        for (size_t t = 0; t < event->width; t++)
            most = fmaxf(most, event->data[r * event->width + t]);
        p->mass += (double)most;
        p->queries++;
    }
    return OSC_OK;
}

static double run_hooked(const run_input *input, probe *p, osc_hook_fn fn, osc_access access,
                         bool pattern)
{
    osc_session *session;
    osc_hooks *hooks;
    osc_session_options options = { .longest = input->corpus->longest, .chunk = 2 };
    double *nll = osc_alloc(input->corpus->offset[2], sizeof *nll);
    must(osc_session_open(&session, input->model, &options));
    must(osc_hooks_create(&hooks, LAYERS));
    must(osc_hooks_add(hooks, "blocks.*.qkv_in", access, fn, p));
    if (pattern)
        must(osc_hooks_add(hooks, "blocks.3.pattern", OSC_READ, largest, p));
    must(osc_session_run(session, input->corpus, 0, 2, hooks, nll));
    double perplexity = osc_perplexity_of(input->corpus, 2, nll).perplexity;
    osc_hooks_free(hooks);
    osc_session_close(session);
    osc_free(nll);
    return perplexity;
}

/* Both modes; block 3's attention sees regular inputs but for itself. */
START_TEST(test_hooks)
{
    setting s;
    run_input input;
    probe p = { .only = -1 };
    ablation a = { .tool = "" };
    set_up(&s, in_share("opt-mini-2m"), 2);
    s.options.features = "63,80";
    s.options.mode = (ablation_mode)_i;
    must(ablate_measure(&a, &s.options));
    must(run_open(&input, s.model, &s.options.run));
    run_hooked(&input, &p, add_up, OSC_READ, false);
    for (size_t l = 0; l < LAYERS && _i == ABLATION_MEAN; l++)
        for (size_t i = 0; i < 2; i++)
            p.value[i][l] = (float)(p.sum[i][l] / p.rows);
    double perplexity = run_hooked(&input, &p, replace, OSC_WRITE, false);
    ck_assert_double_eq_tol(ablation_chosen(&a, 0)->perplexity / perplexity, 1, 1e-5);
    p.only = BLOCK;
    run_hooked(&input, &p, replace, OSC_WRITE, true);
    ck_assert_double_eq_tol(ablation_chosen(&a, 0)->top1[BLOCK], p.mass / p.queries, 1e-5);
    ck_assert_double_gt(fabs(ablation_baseline(&a)->top1[BLOCK] - p.mass / p.queries), 1e-3);
    run_close(&input);
    ablation_free(&a);
}
END_TEST

/* --- steps, draws, threads ----------------------------------------------------------- */

static void must_equal(const ablation_cell *x, const ablation_cell *y, size_t layers)
{
    ck_assert(x->perplexity == y->perplexity && x->nll == y->nll);
    ck_assert_mem_eq(x->top1, y->top1, layers * sizeof *x->top1);
    ck_assert_mem_eq(x->later, y->later, layers * sizeof *x->later);
}

/* A step is the same set alone, bit for bit, whatever the threads and chunks. */
START_TEST(test_steps)
{
    setting s;
    ablation all = { .tool = "" }, one = { .tool = "" };
    set_up(&s, in_share("opt-mini-2m"), 2);
    s.options.mode = (ablation_mode)_i;
    s.options.top = 3;
    s.options.cumulative = true;
    s.options.draws = 1;
    s.options.run.threads = 2;
    must(ablate_measure(&all, &s.options));
    ck_assert_uint_eq(all.steps, 3);
    snprintf(s.features, sizeof s.features, "%u,%u", (unsigned)all.feature[1],
             (unsigned)all.feature[0]);
    s.options.features = s.features;
    s.options.top = 0;
    s.options.cumulative = false;
    s.options.draws = 0;
    s.options.run.threads = 1;
    s.options.run.chunk = 1;
    must(ablate_measure(&one, &s.options));
    must_equal(ablation_baseline(&one), ablation_baseline(&all), one.layers);
    must_equal(ablation_chosen(&one, 0), ablation_chosen(&all, 1), one.layers);
    ablation_free(&one);

    snprintf(s.features, sizeof s.features, "%u,%u", (unsigned)all.drawn[0],
             (unsigned)all.drawn[1]);
    must(ablate_measure(&one, &s.options));
    must_equal(ablation_chosen(&one, 0), ablation_draw(&all, 0, 1), one.layers);
    ablation_free(&one);
    ablation_free(&all);
}
END_TEST

/* Without outliers there is nothing to take out, and no failure. */
START_TEST(test_nothing)
{
    setting s;
    ablation a = { .tool = "" };
    set_up(&s, in_share("opt-mini-2m"), 1);
    s.options.alpha = 1000;
    s.options.draws = 3;
    must(ablate_measure(&a, &s.options));
    ck_assert(a.features == 0 && a.draws == 0);
    must_equal(ablation_baseline(&a), ablation_chosen(&a, 0), a.layers);
    ck_assert_double_gt(ablation_baseline(&a)->top1[0], 0.01);
    ablation_free(&a);
}
END_TEST

START_TEST(test_wrong_points)
{
    setting s;
    ablation a = { .tool = "" };
    set_up(&s, in_share("opt-mini-2m"), 1);
    s.options.points |= 1u << OSC_AT_FC2_IN;
    ck_assert_int_eq(ablate_measure(&a, &s.options), OSC_EINVAL);
    ck_assert_ptr_nonnull(strstr(osc_error(), "fc2_in has not the features"));
    ablation_free(&a);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ablate");
    TCase *tc = tcase_create("reference");
    tcase_set_timeout(tc, 300);
    tcase_add_loop_test(tc, test_reference, 0, sizeof figures / sizeof *figures);
    tcase_add_loop_test(tc, test_reference_post_norm, 0, sizeof figures / sizeof *figures);
    tcase_add_test(tc, test_largest);
    tcase_add_test(tc, test_outliers);
    suite_add_tcase(suite, tc);
    tc = tcase_create("promises");
    tcase_set_timeout(tc, 300);
    tcase_add_loop_test(tc, test_hooks, 0, ABLATION_MODE_COUNT);
    tcase_add_loop_test(tc, test_steps, 0, ABLATION_MODE_COUNT);
    tcase_add_test(tc, test_nothing);
    tcase_add_test(tc, test_wrong_points);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}

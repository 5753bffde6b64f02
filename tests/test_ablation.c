/* Ablations without a model: which features are drawn, intervals, JSON there and back,
 * tables and figure; and the bootstrap beneath them. */
#include <config.h>
#include "run.h"

#include <gsl/gsl_randist.h>
#include <math.h>
#include <string.h>

#include "analyses/ablation.h"
#include "analyses/bootstrap.h"
#include "analyses/rng.h"
#include "memory_file.h"

#define must(call) ck_assert_msg((call) == OSC_OK, "%s: %s", #call, osc_error())

/* --- bootstrap -------------------------------------------------------------------- */

/* Ends from another implementation (Python's standard library, 400,000 resamples). */
START_TEST(test_interval)
{
    static const double skewed[] = { 0.2, 0.5, 0.9, 1.1, 1.4, 2.0, 2.6, 3.7, 5.8, 11.3 };
    static const double close[] = { 19.29, 19.62, 18.9, 20.4, 19.1, 19.9 };
    double interval[2], again[2];
    must(bootstrap_mean(interval, skewed, 10, 0.95, 1));
    ck_assert_double_eq_tol(interval[0], 1.540, 0.03);
    ck_assert_double_eq_tol(interval[1], 6.040, 0.15);
    must(bootstrap_mean(again, skewed, 10, 0.95, 1));
    ck_assert_mem_eq(interval, again, sizeof interval);
    must(bootstrap_mean(interval, close, 6, 0.95, 7));
    ck_assert_double_eq_tol(interval[0], 19.183, 0.02);
    ck_assert_double_eq_tol(interval[1], 20.002, 0.04);
    must(bootstrap_mean(again, skewed, 10, 0.5, 1));
    ck_assert_double_gt(again[0], 1.9);
    ck_assert_double_lt(again[1], 4.2);
}
END_TEST

START_TEST(test_no_interval)
{
    double values[] = { 3, 3, 3, 3, 3, 3 }, interval[2];
    must(bootstrap_mean(interval, values, 6, 0.95, 1));
    ck_assert(interval[0] == 3 && interval[1] == 3);
    must(bootstrap_mean(interval, values, BOOTSTRAP_LEAST - 1, 0.95, 1));
    ck_assert(isnan(interval[0]) && isnan(interval[1]));
    values[2] = INFINITY;
    must(bootstrap_mean(interval, values, 6, 0.95, 1));
    ck_assert(isnan(interval[0]) && isnan(interval[1]));
}
END_TEST

/* How often the interval holds the mean of the distribution that the values are from:
 * less often than its level where they are few, as docs/ablation.md says. */
static const struct {
    const char *name;
    size_t      count;
    bool        skewed;              /* exponential instead of normal */
    double      least, most;
} coverage_cases[] = {
    { "normal, 10", 10, false, 0.84, 0.95 },
    { "normal, 40", 40, false, 0.91, 0.98 },
    { "exponential, 10", 10, true, 0.80, 0.93 },
    { "exponential, 40", 40, true, 0.88, 0.97 },
};

START_TEST(test_coverage)
{
    enum { TRIALS = 200 };
    double values[40], interval[2];
    size_t inside = 0;
    gsl_rng rng;
    must(rng_open(&rng, 17));
    for (size_t trial = 0; trial < TRIALS; trial++) {
        for (size_t i = 0; i < coverage_cases[_i].count; i++)
            values[i] = coverage_cases[_i].skewed ? gsl_ran_exponential(&rng, 1)
                                                  : 1 + gsl_ran_ugaussian(&rng);
        must(bootstrap_mean(interval, values, coverage_cases[_i].count, 0.95, trial + 1));
        inside += interval[0] <= 1 && 1 <= interval[1];
    }
    rng_close(&rng);
    double share = (double)inside / TRIALS;
    printf("# %s: %.3f of 95 %% intervals hold the mean\n", coverage_cases[_i].name, share);
    ck_assert_double_ge(share, coverage_cases[_i].least);
    ck_assert_double_le(share, coverage_cases[_i].most);
}
END_TEST

/* --- sets ------------------------------------------------------------------------- */

enum { WIDTH = 50 };

/* Magnitudes 0.1 f; 45 and above are outliers, 30 and above reach alpha. */
static void make_candidates(ablation_candidates *c)
{
    must(ablation_candidates_allocate(c, WIDTH));
    for (size_t f = 0; f < WIDTH; f++) {
        c->magnitude[f] = 0.1f * (float)f;
        c->outlier[f] = f >= 45;
        c->reaches[f] = f >= 30;
    }
}

START_TEST(test_chosen)
{
    ablation_candidates c;
    make_candidates(&c);
    ablation a = { .layers = 2, .draws = 3 };
    must(ablation_take_outliers(&a, &c));
    ck_assert_uint_eq(a.features, 5);
    ck_assert_uint_eq(a.feature[0], 49);
    ck_assert_uint_eq(a.feature[4], 45);
    ck_assert_float_eq(a.magnitude[1], c.magnitude[48]);
    ablation_free(&a);

    const uint32_t given[] = { 3, 17, 3 }, beyond[] = { 1, WIDTH };
    must(ablation_take_given(&a, &c, given, 3));
    ck_assert_uint_eq(a.features, 2);
    ck_assert(a.feature[0] == 17 && a.feature[1] == 3);
    ablation_free(&a);

    c.magnitude[10] = c.magnitude[20] = 9;
    must(ablation_take_largest(&a, &c, 3));
    ck_assert(a.feature[0] == 10 && a.feature[1] == 20 && a.feature[2] == 49);
    ablation_free(&a);
    ck_assert_int_eq(ablation_take_largest(&a, &c, WIDTH + 1), OSC_EVALUE);
    ck_assert_int_eq(ablation_take_given(&a, &c, beyond, 2), OSC_EVALUE);

    memset(c.outlier, 0, WIDTH * sizeof *c.outlier);
    a.cumulative = true;
    must(ablation_take_outliers(&a, &c));
    ck_assert(a.features == 0 && a.draws == 0 && a.steps == 1);
    ablation_free(&a);
    ablation_candidates_free(&c);
}
END_TEST

static void draw_sets(ablation *a, const ablation_candidates *c, size_t draws, uint64_t seed)
{
    *a = (ablation){ .layers = 1, .draws = draws, .seed = seed };
    must(ablation_take_outliers(a, c));
    must(ablation_draw_sets(a, c));
}

START_TEST(test_draws)
{
    ablation_candidates c;
    ablation a, b;
    size_t drawn[WIDTH] = { 0 };
    make_candidates(&c);
    draw_sets(&a, &c, 3000, 5);
    ck_assert_int_eq(a.pool, ABLATION_NEVER);
    ck_assert_uint_eq(a.pool_size, 30);
    for (size_t d = 0; d < a.draws; d++) {
        bool seen[WIDTH] = { false };
        for (size_t i = 0; i < 5; i++) {
            uint32_t f = a.drawn[5 * d + i];
            ck_assert_uint_lt(f, 30);
            ck_assert(!seen[f]);
            seen[f] = true;
            drawn[f]++;
        }
    }
    for (size_t f = 0; f < 30; f++)     /* 500 expected, standard deviation 20 */
        ck_assert_msg(drawn[f] > 400 && drawn[f] < 600, "%zu was drawn %zu times", f, drawn[f]);

    draw_sets(&b, &c, 7, 5);            /* the first draws of more are the same */
    ck_assert_mem_eq(a.drawn, b.drawn, 7 * 5 * sizeof *a.drawn);
    ablation_free(&b);
    draw_sets(&b, &c, 7, 6);
    ck_assert_mem_ne(a.drawn, b.drawn, 7 * 5 * sizeof *a.drawn);
    static const uint32_t everywhere[] = { 6, 2, 26, 25, 9 };   /* by another MT19937 */
    ck_assert_mem_eq(a.drawn, everywhere, sizeof everywhere);
    ablation_free(&b);
    ablation_free(&a);
    ablation_candidates_free(&c);
}
END_TEST

/* Where too few never reach alpha, all that are no outliers; never the chosen. */
START_TEST(test_pools)
{
    ablation_candidates c;
    make_candidates(&c);
    for (size_t f = 4; f < WIDTH; f++)
        c.reaches[f] = true;
    ablation a;
    draw_sets(&a, &c, 200, 1);
    ck_assert_int_eq(a.pool, ABLATION_OTHERS);
    ck_assert_uint_eq(a.pool_size, 45);
    for (size_t i = 0; i < 200 * 5; i++)
        ck_assert_uint_lt(a.drawn[i], 45);
    ablation_free(&a);

    a = (ablation){ .layers = 1, .draws = 50, .seed = 1 };
    const uint32_t given[] = { 0, 1, 2, 3, 45 };
    must(ablation_take_given(&a, &c, given, 5));
    must(ablation_draw_sets(&a, &c));
    ck_assert_uint_eq(a.pool_size, 41);
    for (size_t i = 0; i < 50 * 5; i++)
        ck_assert(a.drawn[i] >= 4 && a.drawn[i] < 45);
    ablation_free(&a);

    for (size_t f = 3; f < WIDTH; f++)
        c.outlier[f] = true;
    a = (ablation){ .layers = 1, .draws = 1, .seed = 1 };
    must(ablation_take_outliers(&a, &c));
    ck_assert_int_eq(ablation_draw_sets(&a, &c), OSC_EVALUE);
    ck_assert_ptr_nonnull(strstr(osc_error(), "random sets of 47 features: only 3 are no"));
    ablation_free(&a);
    ablation_candidates_free(&c);
}
END_TEST

/* --- results ---------------------------------------------------------------------- */

/* Three features, six draws, four blocks, with plausible numbers. */
static void make_results(ablation *a, bool cumulative)
{
    ablation_candidates c;
    make_candidates(&c);
    *a = (ablation){
        .tool = "test", .command = "outlierscope ablate 'a b'", .model = "model & co",
        .scheme = "llm-int8:threshold=6", .backend = "cpu", .weights = "ab", .text = "cd",
        .chosen_by = "outliers <by hand>", .protocol = OSC_GPTQ, .bos = 2, .sequences = 5,
        .length = 64, .scored = 315, .alpha = 6, .mode = ABLATION_MEAN, .layers = 4,
        .points = 1u << OSC_AT_QKV_IN | 1u << OSC_AT_FC1_IN, .seed = 3, .cumulative = cumulative,
        .draws = 6,
    };
    const uint32_t given[] = { 49, 47, 12 };
    must(ablation_take_given(a, &c, given, 3));
    must(ablation_draw_sets(a, &c));
    for (size_t i = 0; i < 1 + 7 * a->steps; i++) {
        a->cell[i].perplexity = 20 + (i > 0 && i <= a->steps ? 60 * (double)i : 0.37 * (double)i);
        a->cell[i].nll = 315 * log(a->cell[i].perplexity);
        for (size_t l = 0; l < 4; l++) {
            a->cell[i].top1[l] = 0.5 - 0.01 * (double)(i + l);
            a->cell[i].later[l] = 0.49 - 0.01 * (double)(i + l);
        }
    }
    ablation_candidates_free(&c);
}

START_TEST(test_summary)
{
    ablation a;
    ablation_summary s;
    make_results(&a, false);
    must(ablation_summarize(&s, &a, 0, ABLATION_PERPLEXITY, ABLATION_ALL_BLOCKS));
    ck_assert_double_eq_tol(s.mean, 20 + 0.37 * 4.5, 1e-12);     /* cells 2 to 7 */
    ck_assert_double_eq_tol(s.sd, 0.37 * sqrt(3.5), 1e-12);
    ck_assert(s.low > 20.9 && s.low < s.mean && s.mean < s.high && s.high < 22.5);
    must(ablation_summarize(&s, &a, 0, ABLATION_TOP1, 3));
    ck_assert_double_eq_tol(s.mean, 0.5 - 0.01 * 7.5, 1e-12);
    must(ablation_summarize(&s, &a, 0, ABLATION_LATER, ABLATION_ALL_BLOCKS));
    ck_assert_double_eq_tol(s.mean, 0.49 - 0.01 * 6, 1e-12);
    a.draws = 1;
    must(ablation_summarize(&s, &a, 0, ABLATION_PERPLEXITY, ABLATION_ALL_BLOCKS));
    ck_assert(s.mean == ablation_draw(&a, 0, 0)->perplexity && isnan(s.sd) && isnan(s.low));
    a.draws = 0;
    must(ablation_summarize(&s, &a, 0, ABLATION_PERPLEXITY, ABLATION_ALL_BLOCKS));
    ck_assert(isnan(s.mean) && isnan(s.high));
    ablation_free(&a);
}
END_TEST

static void check_there_and_back(const ablation *a)
{
    ablation read;
    json_t *once = ablation_json(a);
    ck_assert_ptr_nonnull(once);
    must(ablation_parse(&read, once));
    json_t *twice = ablation_json(&read);
    ck_assert(json_equal(once, twice));
    ck_assert_str_eq(read.chosen_by, a->chosen_by);
    ck_assert_str_eq(read.scheme, a->scheme);
    ck_assert_uint_eq(read.points, a->points);
    ck_assert_uint_eq(read.steps, a->steps);
    json_decref(once);
    json_decref(twice);
    ablation_free(&read);
}

START_TEST(test_json)
{
    ablation a;
    make_results(&a, _i == 1);
    ablation_chosen(&a, 0)->perplexity = INFINITY;
    json_t *json = ablation_json(&a);
    ck_assert(json_is_null(json_object_get(json, "cumulative")) == (_i == 0));
    ck_assert_str_eq(json_string_value(json_object_get(json, "options")), "threshold=6");
    ck_assert_uint_eq(json_array_size(json_object_get(json_object_get(json, "zeroed"), "top1")), 4);
    json_t *random = json_object_get(json, "random");
    ck_assert_int_eq(json_integer_value(json_object_get(random, "draws")), 6);
    ck_assert_uint_eq(json_array_size(json_object_get(random, "top1")), 6);
    json_decref(json);
    ablation_chosen(&a, 0)->perplexity = 100;
    check_there_and_back(&a);
    ablation_free(&a);
}
END_TEST

START_TEST(test_json_without_features)
{
    ablation_candidates c;
    make_candidates(&c);
    memset(c.outlier, 0, WIDTH * sizeof *c.outlier);
    ablation a = { .layers = 3, .draws = 4, .cumulative = _i == 1, .model = "m", .scheme = "none" };
    must(ablation_take_outliers(&a, &c));
    check_there_and_back(&a);
    memory_file file;
    must(ablation_write(&a, TABLE_TEXT, memory_open(&file)));
    must(ablation_plot(&a, file.stream));
    ck_assert_ptr_nonnull(strstr(memory_close(&file), "no outlier feature"));
    free(file.text);
    ablation_free(&a);
    ablation_candidates_free(&c);
}
END_TEST

/* One change each to a good file. */
static const struct {
    const char *change;       /* merged into the root object */
    const char *message;
} damages[] = {
    { "{\"features\": 3}", "'features' is no array" },
    { "{\"features\": [1, 2]}", "'magnitudes' has 3 values, expected 2" },
    { "{\"features\": [1, -2, 3]}", "'features' has something that is no feature at 1" },
    { "{\"features\": [1, 2.5, 3]}", "no feature at 1" },
    { "{\"magnitudes\": [1, \"x\", 3]}", "'magnitudes' is no number" },
    { "{\"baseline\": []}", "'baseline' is no object" },
    { "{\"baseline\": {\"top1\": [], \"top1_later\": []}}", "'top1' is empty" },
    { "{\"baseline\": {\"top1\": [1], \"top1_later\": []}}", "'top1_later' has 0 values" },
    { "{\"zeroed\": {\"top1\": [1, 2, 3, 4, 5]}}", "'top1' has 5 values, expected 4" },
    { "{\"random\": null}", "'random' is no object" },
    { "{\"random\": {\"perplexity\": []}}", "'nll' is no array" },
    { "{\"random\": {\"perplexity\": [1], \"nll\": [1], \"features\": [[1]]}}",
      "'features' is not of 1 times 3 values" },
    { "{\"cumulative\": [1, 2]}", "'cumulative' has 2 steps for 3 features" },
    { "{\"cumulative\": [1, 2, 3]}", "'random' is no object" },
    { "{\"mode\": \"median\"}", "'mode' is 'median'" },
    { "{\"protocol\": null}", "'protocol' is ''" },
    { "{\"pool\": 4}", "pool" },
    { "{\"points\": [\"nowhere\"]}", "no hook point" },
    { "{\"points\": [3]}", "no hook point" },
    { "{\"scored\": \"many\"}", "scored" },
    { "{\"model\": {}}", "model" },
};

START_TEST(test_damaged_json)
{
    ablation a, read;
    make_results(&a, false);
    json_t *root = ablation_json(&a), *change = json_loads(damages[_i].change, 0, NULL);
    ck_assert_ptr_nonnull(change);
    json_object_update(root, change);
    ck_assert_int_eq(ablation_parse(&read, root), OSC_EFORMAT);
    ck_assert_msg(strstr(osc_error(), damages[_i].message) != NULL, "%s: %s", damages[_i].change,
                  osc_error());
    json_decref(change);
    json_decref(root);
    json_t *array = json_array();
    ck_assert_int_eq(ablation_parse(&read, array), OSC_EFORMAT);
    json_decref(array);
    ablation_free(&a);
}
END_TEST

static size_t count_of(const char *text, const char *what)
{
    size_t count = 0;
    for (const char *at = strstr(text, what); at != NULL; at = strstr(at + 1, what))
        count++;
    return count;
}

START_TEST(test_tables)
{
    ablation a;
    memory_file file;
    make_results(&a, true);
    must(ablation_write(&a, TABLE_TEXT, memory_open(&file)));
    char *text = memory_close(&file);
    ck_assert_ptr_nonnull(strstr(text, "One more at a time"));
    ck_assert_ptr_nonnull(strstr(text, "49 47 12"));
    ck_assert_ptr_nonnull(strstr(text, "replaced by their means at qkv_in+fc1_in"));
    ck_assert_uint_eq(count_of(text, "\nrandom "), 6);
    ck_assert_uint_eq(count_of(text, "\nrandom: "), 4);
    free(text);
    must(ablation_write(&a, TABLE_CSV, memory_open(&file)));
    text = memory_close(&file);
    /* A header, the model as it is, three steps of one chosen set, six draws, four rows of
     * statistics. */
    ck_assert_uint_eq(count_of(text, "\n"), 2 + 3 * (1 + 6 + 4));
    free(text);
    ablation_free(&a);
}
END_TEST

START_TEST(test_plot)
{
    ablation a;
    memory_file file;
    make_results(&a, _i == 1);
    must(ablation_plot(&a, memory_open(&file)));
    char *text = memory_close(&file);
    ck_assert_ptr_nonnull(strstr(text, "model &amp; co"));
    ck_assert_ptr_nonnull(strstr(text, "&lt;by hand&gt;"));
    ck_assert_ptr_null(strstr(text, "nan"));
    /* A mark for every draw of every step in two panels, and in the legend. */
    ck_assert_uint_eq(count_of(text, " fill=\"#56b4e9\""), 2 * 6 * a.steps + 1);
    free(text);
    ablation_free(&a);
}
END_TEST

/* Every allocation fails once: an error, no leak, no crash.  Of four draws, too few for
 * intervals, which take their time. */
START_TEST(test_out_of_memory)
{
    static const double five[] = { 1, 2, 3, 4, 5 };
    double interval[2];
    for (size_t n = 1; n <= 2; n++) {
        osc_alloc_fail_from(n);
        ck_assert_int_eq(bootstrap_mean(interval, five, 5, 0.95, 1), OSC_ENOMEM);
    }
    osc_alloc_fail_from(0);
    ablation a, read;
    make_results(&a, true);
    a.draws = 4;
    json_t *json = ablation_json(&a);
    osc_status status = OSC_ENOMEM;
    size_t n = 0;
    while (status != OSC_OK) {
        memory_file file;
        read = (ablation){ .cumulative = false };
        memory_open(&file);
        osc_alloc_fail_from(++n);
        status = ablation_parse(&read, json);
        if (status == OSC_OK)
            status = ablation_write(&read, TABLE_TEXT, file.stream);
        if (status == OSC_OK)
            status = ablation_write(&read, TABLE_JSON, file.stream);
        if (status == OSC_OK)
            status = ablation_plot(&read, file.stream);
        osc_alloc_fail_from(0);
        ck_assert_msg(status == OSC_OK || status == OSC_ENOMEM, "allocation %zu: %s", n,
                      osc_error());
        ablation_free(&read);
        free(memory_close(&file));
    }
    ck_assert_uint_gt(n, 50);
    json_decref(json);
    ablation_free(&a);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ablation");
    TCase *tc = tcase_create("bootstrap");
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, test_interval);
    tcase_add_test(tc, test_no_interval);
    tcase_add_loop_test(tc, test_coverage, 0, sizeof coverage_cases / sizeof *coverage_cases);
    suite_add_tcase(suite, tc);
    tc = tcase_create("sets");
    tcase_add_test(tc, test_chosen);
    tcase_add_test(tc, test_draws);
    tcase_add_test(tc, test_pools);
    suite_add_tcase(suite, tc);
    tc = tcase_create("results");
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, test_summary);
    tcase_add_loop_test(tc, test_json, 0, 2);
    tcase_add_loop_test(tc, test_json_without_features, 0, 2);
    tcase_add_loop_test(tc, test_damaged_json, 0, sizeof damages / sizeof *damages);
    tcase_add_test(tc, test_tables);
    tcase_add_loop_test(tc, test_plot, 0, 2);
    tcase_add_test(tc, test_out_of_memory);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}

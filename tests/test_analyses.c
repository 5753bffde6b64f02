/* The outlier rule on hand-made arrays, quartiles, unions of events. */
#include <config.h>
#include "run.h"

#include <math.h>
#include <string.h>

#include "analyses/events.h"
#include "analyses/features.h"
#include "analyses/record_text.h"
#include "analyses/stats.h"

/* --- the rule ----------------------------------------------------------------------- */

enum { LAYERS = 4, WIDTH = 7, POINTS = 2, POSITIONS = 50 };

/* Features of 4 blocks with 2 tracked tensors, 50 positions:
 *   0  in 1 block of 4 and at 12 of 200 pairs: both shares exactly at their minima
 *   1  likewise, but one pair less
 *   2  in no block: the largest magnitude is just below alpha
 *   3  in 2 blocks, both signs, both tensors of one block
 *   4  in every tensor, negative
 *   5  +6 exactly in one tensor, -5.9 elsewhere: one-sided; any position, few pairs
 *   6  NaN where nothing was seen (min = +inf, max = -inf) */
typedef struct {
    osc_column_stats stats[POINTS][LAYERS];
    float            min[POINTS][LAYERS][WIDTH], max[POINTS][LAYERS][WIDTH];
    uint64_t         any[WIDTH], pairs[WIDTH];
    feature_input    input;
} model;

static void value(model *m, int point, int layer, int feature, float min, float max)
{
    m->min[point][layer][feature] = min;
    m->max[point][layer][feature] = max;
}

static void make_model(model *m)
{
    static const uint64_t any[WIDTH] = { 12, 11, 0, 40, 50, 50, 0 };
    static const uint64_t pairs[WIDTH] = { 12, 11, 0, 60, 200, 11, 0 };
    for (int p = 0; p < POINTS; p++) {
        for (int l = 0; l < LAYERS; l++) {
            for (int f = 0; f < WIDTH; f++)
                value(m, p, l, f, -1, 1);
            value(m, p, l, 2, -5.9999995f, 5.9999995f);
            value(m, p, l, 4, -20, -6);
            value(m, p, l, 6, INFINITY, -INFINITY);
            m->stats[p][l] = (osc_column_stats){ .width = WIDTH, .min = m->min[p][l],
                                                 .max = m->max[p][l] };
        }
        m->input.stats[p] = m->stats[p];
    }
    value(m, 0, 2, 0, -2, 7);
    value(m, 1, 3, 1, -7, 2);
    value(m, 0, 1, 3, -8, 1);
    value(m, 1, 1, 3, -1, 9);
    value(m, 0, 3, 3, -8, 1);
    value(m, 1, 0, 5, -5.9f, 6);
    memcpy(m->any, any, sizeof any);
    memcpy(m->pairs, pairs, sizeof pairs);
    m->input.layers = LAYERS;
    m->input.width = WIDTH;
    m->input.points = POINTS;
    m->input.positions = POSITIONS;
    m->input.alpha = 6;
    m->input.any = m->any;
    m->input.pairs = m->pairs;
}

static const feature_rule defaults = { LAYERS_BLOCK, POSITIONS_PAIRS, 0.25, 0.06 };

static feature_list find(const feature_rule *rule)
{
    model m = { .input.layers = 0 };
    feature_list list;
    make_model(&m);
    ck_assert_int_eq(features_find(&list, &m.input, rule), OSC_OK);
    return list;
}

/* Features of the list in its order, "*" after outliers. */
static void check_list(const feature_list *list, const char *expected)
{
    char text[128] = "";
    for (size_t i = 0; i < list->count; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%zu%s ", list->row[i].feature,
                 list->row[i].outlier ? "*" : "");
    ck_assert_str_eq(text, expected);
}

START_TEST(test_rule)
{
    static const struct { feature_rule rule; const char *expected; } cases[] = {
        { { LAYERS_BLOCK, POSITIONS_PAIRS, 0.25, 0.06 }, "4* 3* 0* 1 5 " },
        { { LAYERS_SUBLAYER, POSITIONS_PAIRS, 0.25, 0.06 }, "4* 3* 0 1 5 " },
        { { LAYERS_SUBLAYER, POSITIONS_PAIRS, 0.125, 0.06 }, "4* 3* 0* 1 5 " },
        { { LAYERS_BLOCK, POSITIONS_ANY, 0.25, 0.22 }, "4* 5* 3* 0* 1* " },
        { { LAYERS_BLOCK, POSITIONS_ANY, 0.25, 0.24 }, "4* 5* 3* 0* 1 " },
        { { LAYERS_BLOCK, POSITIONS_PAIRS, 0.5, 0.3 }, "4* 3* 0 1 5 " },
        { { LAYERS_BLOCK, POSITIONS_PAIRS, 0.5, 0.3000001 }, "4* 3 0 1 5 " },
        { { LAYERS_BLOCK, POSITIONS_PAIRS, 0, 0 }, "4* 3* 0* 1* 5* " },
        { { LAYERS_BLOCK, POSITIONS_PAIRS, 1, 1 }, "4* 3 0 1 5 " },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        feature_list list = find(&cases[i].rule);
        check_list(&list, cases[i].expected);
        features_free(&list);
    }
}
END_TEST

START_TEST(test_rows)
{
    feature_list list = find(&defaults);
    const feature_row *two_sided = &list.row[1], *at_alpha = &list.row[4];
    ck_assert_double_eq(two_sided->layers_block, 0.5);
    ck_assert_double_eq(two_sided->layers_sublayer, 3.0 / 8);
    ck_assert_double_eq(two_sided->pairs, 0.3);
    ck_assert_double_eq(two_sided->any, 0.8);
    ck_assert_float_eq(two_sided->min, -8);
    ck_assert_float_eq(two_sided->max, 9);
    ck_assert(!two_sided->one_sided);
    ck_assert(at_alpha->one_sided);
    ck_assert_float_eq(at_alpha->max, 6);
    feature_summary summary = features_summarize(&list);
    ck_assert_uint_eq(summary.count, 3);
    ck_assert_uint_eq(summary.one_sided, 2);
    ck_assert_uint_eq(summary.common->feature, 4);
    ck_assert_double_eq_tol(summary.mean_layers, (1 + 0.5 + 0.25) / 3, 1e-15);
    ck_assert_double_eq_tol(summary.mean_positions, (1 + 0.3 + 0.06) / 3, 1e-15);
    features_keep_outliers(&list);
    check_list(&list, "4* 3* 0* ");
    features_free(&list);
}
END_TEST

START_TEST(test_no_outliers)
{
    model m = { .input.layers = 0 };
    feature_list list;
    make_model(&m);
    m.input.alpha = 100;
    ck_assert_int_eq(features_find(&list, &m.input, &defaults), OSC_OK);
    feature_summary summary = features_summarize(&list);
    ck_assert_uint_eq(summary.count, 0);
    ck_assert_ptr_null(summary.common);
    ck_assert(isnan(summary.mean_layers));
    features_free(&list);
    m.input.positions = 0;
    ck_assert_int_eq(features_find(&list, &m.input, &defaults), OSC_EVALUE);
}
END_TEST

/* Every share k/100 of totals that make it a whole number is reached by itself and
 * missed by one less. */
START_TEST(test_equality)
{
    for (uint64_t total = 100; total < 1000000000000; total = total * 7 / 100 * 100 + 700) {
        for (uint64_t percent = 1; percent <= 100; percent++) {
            char text[16];
            snprintf(text, sizeof text, "%.2f", (double)percent / 100);
            ck_assert(share_reaches(total / 100 * percent, total, strtod(text, NULL)));
            ck_assert(!share_reaches(total / 100 * percent - 1, total, strtod(text, NULL)));
        }
    }
}
END_TEST

/* --- events --------------------------------------------------------------------------- */

START_TEST(test_quartiles)
{
    /* Linear interpolation at (n - 1) p, as numpy.quantile's default. */
    static const struct { size_t count; float values[6]; double expected[3]; } cases[] = {
        { 1, { 7.5f }, { 7.5, 7.5, 7.5 } },
        { 4, { 9, -6, 7, 8 }, { 3.75, 7.5, 8.25 } },
        { 5, { -8, -6, -10, -7, -9 }, { -9, -8, -7 } },
        { 6, { 6, 64, 8, 16, 32, -6 }, { 6.5, 12, 28 } },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        float values[6];
        double got[3];
        memcpy(values, cases[i].values, sizeof values);
        stats_quartiles(got, values, cases[i].count);
        for (int q = 0; q < 3; q++)
            ck_assert_double_eq_tol(got[q], cases[i].expected[q], 1e-12);
    }
    double none[3];
    stats_quartiles(none, NULL, 0);
    ck_assert(isnan(none[0]) && isnan(none[1]) && isnan(none[2]));
}
END_TEST

START_TEST(test_union)
{
    enum { A = OSC_AT_QKV_IN, B = OSC_AT_FC1_IN, C = OSC_AT_FC2_IN };
    static const osc_record_event events[] = {   /* sequence, position, feature, layer, point */
        { 0, 1, 2, 0, A, 7 }, { 0, 3, 2, 0, A, 7 }, { 0, 1, 2, 0, B, 7 }, { 0, 2, 0, 0, B, 7 },
        { 0, 2, 1, 0, C, 7 },                    /* not tracked */
        { 0, 1, 2, 1, A, 7 },                    /* another block */
        { 1, 1, 2, 1, A, 7 }, { 1, 1, 2, 1, B, -7 },   /* another sequence, the same position */
    };
    static const uint64_t expected[2 * 3] = { 1, 0, 2, 0, 0, 2 };
    uint64_t count[2 * 3] = { 0 };
    events_union counter = { .layers = 2, .width = 3, .track = 1u << A | 1u << B, .count = count };
    ck_assert_int_eq(events_union_add(&counter, events, 3), OSC_OK);
    ck_assert_int_eq(events_union_add(&counter, events + 3, 5), OSC_OK);
    events_union_finish(&counter);
    ck_assert_mem_eq(count, expected, sizeof count);

    static const osc_record_event bad[] = {
        { 0, -1, 0, 0, A, 7 }, { 0, 0, 3, 0, A, 7 }, { 0, 0, -1, 0, A, 7 }, { 0, 0, 0, 2, A, 7 },
        { 0, 0, 0, -1, A, 7 }, { 0, 0, 0, 0, -1, 7 }, { 0, 0, 0, 0, OSC_POINT_COUNT, 7 },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_int_eq(events_union_add(&counter, &bad[i], 1), OSC_EFORMAT);
    events_union_finish(&counter);
}
END_TEST

START_TEST(test_record_text)
{
    static const struct { uint64_t parameters; const char *expected; } cases[] = {
        { 950, "950" }, { 2369792, "2.4M" }, { 125239296, "125M" }, { 6658473984, "6.7B" },
        { 999960000, "1.0B" }, { 175000000000, "175B" },
    };
    char text[128];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_str_eq(record_parameters_text(text, sizeof text, cases[i].parameters),
                         cases[i].expected);
    osc_record_info info = {
        .sequences_done = 1, .sequence_length = 256, .scored = 255, .bos = -1,
    };
    record_protocol_text(text, sizeof text, &info, "stream", "none");
    ck_assert_str_eq(text, "1 sequence of up to 256 ids, 255 scored, protocol stream, no bos, "
                           "scheme none");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("analyses");
    TCase *tc = tcase_create("analyses");
    tcase_add_test(tc, test_rule);
    tcase_add_test(tc, test_rows);
    tcase_add_test(tc, test_no_outliers);
    tcase_add_test(tc, test_equality);
    tcase_add_test(tc, test_quartiles);
    tcase_add_test(tc, test_union);
    tcase_add_test(tc, test_record_text);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}

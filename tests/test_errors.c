/* The arithmetic of `compare --errors`, and its figures. */
#include <config.h>
#include "run.h"

#include <math.h>
#include <string.h>

#include "analyses/blockmap.h"
#include "analyses/lineplot.h"
#include "experiments/errors.h"
#include "memory_file.h"

/* Sums over K of whole numbers are exact: any order gives the same. */
START_TEST(test_product)
{
    enum { ROWS = 3, MOST = 37 };
    static const struct { size_t n, k; } shapes[] = { { 1, 1 }, { 16, 5 }, { 17, 37 }, { 37, 2 } };
    float x[ROWS * MOST], w[MOST * MOST];
    double y[ROWS * MOST], scratch[2 * PRODUCT_TILE * MOST];
    for (size_t i = 0; i < ROWS * MOST; i++)
        x[i] = (float)(i * 7 % 11) - 5.0f;
    for (size_t i = 0; i < MOST * MOST; i++)
        w[i] = (float)(i * 5 % 13) + 16777216.0f;   /* sums need more than float32 */
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        size_t n = shapes[s].n, k = shapes[s].k;
        layer_product(y, x, w, ROWS, n, k, scratch, 2);
        for (size_t t = 0; t < ROWS; t++)
            for (size_t j = 0; j < n; j++) {
                double sum = 0;
                for (size_t i = 0; i < k; i++)
                    sum += (double)x[t * k + i] * (double)w[j * k + i];
                ck_assert_double_eq(y[t * n + j], sum);
            }
    }
}
END_TEST

START_TEST(test_noise)
{
    static const double exact[] = { 3, -4, 0 };
    static const float same[] = { 3, -4, 0 }, off[] = { 3, -4, 0.5f };
    layer_error e = { .signal = 0 };
    errors_count_noise(&e, same, exact, 3);
    ck_assert_double_eq(e.signal, 25);
    ck_assert_double_eq(errors_sqnr(&e), INFINITY);
    errors_count_noise(&e, off, exact, 3);   /* 50 over 0.25 */
    ck_assert_double_eq_tol(errors_sqnr(&e), 10 * log10(200), 1e-12);
}
END_TEST

/* Column 1 is removed.  Row 0: scale 100, zero 0; row 1: zero -127, so that 0 is -127. */
START_TEST(test_codes)
{
    uint32_t columns[] = { 1 };
    int8_t qx[] = { 127, 0, 0, 0, 100,      -127, 0, -127, 127, -27 };
    float sx[] = { 100, 100 };
    int32_t zx[] = { 0, -127 };
    /* 127.4 rounds to 127, 1.28 is clamped; 0.004 is lost, 0 is not */
    static const float x[] = { 1.28f, 99, 0.004f, 0, 1,    0.0f, 99, 0.004f, 2.551f, 1 };
    osc_code_view view = { .columns = columns, .column_count = 1, .qx = qx, .sx = sx, .zx = zx };
    bool scratch[5];
    layer_error e = { .signal = 0 };
    errors_count_codes(&e, &view, x, 2, 5, scratch);
    ck_assert(e.coded);
    ck_assert_uint_eq(e.codes, 8);
    ck_assert_uint_eq(e.zeros, 4);
    ck_assert_uint_eq(e.lost, 2);
    ck_assert_uint_eq(e.clipped, 2);         /* 128, and 255 - 127 = 128 */
    ck_assert_uint_eq(e.removed, 1);

    static const float near[] = { 1.274f, 99, -1.274f, 1.2749f, -1.2749f };
    errors_count_codes(&e, &view, near, 1, 5, scratch);
    ck_assert_uint_eq(e.clipped, 2);
    ck_assert_uint_eq(e.codes, 12);
}
END_TEST

START_TEST(test_outliers)
{
    static const float x[] = { 6, 5.9f, 0, -7,    6, 5, NAN, 0 };
    bool scratch[4];
    ck_assert_uint_eq(errors_count_outliers(x, 2, 4, scratch), 2);
}
END_TEST

START_TEST(test_axis)
{
    static const struct { double low, high; bool log; size_t ticks; double first, last; } axes[] = {
        { 0, 12, false, 7, 0, 12 },
        { 35.03, 37.47, false, 6, 35, 37.5 },
        { 0, 100, false, 6, 0, 100 },
        { 18, 900, true, 5, 20, 500 },
        { 3, 3, false, 7, 2.97, 3.03 },
    };
    for (size_t i = 0; i < sizeof axes / sizeof *axes; i++) {
        lineplot_axis axis = lineplot_axis_make(axes[i].low, axes[i].high, axes[i].log, 6);
        ck_assert_uint_eq(axis.ticks, axes[i].ticks);
        ck_assert_double_eq_tol(axis.tick[0], axes[i].first, 1e-9);
        ck_assert_double_eq_tol(axis.tick[axis.ticks - 1], axes[i].last, 1e-9);
        ck_assert_double_ge(lineplot_axis_at(&axis, axes[i].low), -1e-9);
        ck_assert_double_le(lineplot_axis_at(&axis, axes[i].high), 1 + 1e-9);
    }
    lineplot_axis none = lineplot_axis_make(INFINITY, -INFINITY, false, 6);
    ck_assert(isfinite(none.low) && none.high > none.low);
}
END_TEST

static size_t occurrences(const char *text, const char *word)
{
    size_t count = 0;
    for (; (text = strstr(text, word)) != NULL; text += strlen(word))
        count++;
    return count;
}

START_TEST(test_lineplot)
{
    static const double x[] = { 1, 2, 4, INFINITY }, y[] = { 3, NAN, 5, 4 };
    lineplot_series series[] = { { .name = "a < b", .x = x, .y = y, .count = 4 } };
    lineplot_panel panels[] = { { .y_label = "y", .series = series, .count = 1 },
                                { .y_label = "z", .series = series, .count = 1,
                                  .from_zero = true } };
    lineplot plot = { .title = "t", .subtitle = "s", .x_label = "x", .panel = panels,
                      .panels = 2 };
    memory_file file;
    lineplot_write(&plot, memory_open(&file));
    char *text = memory_close(&file);
    ck_assert_uint_eq(occurrences(text, "<circle"), 2 * 3 + 1);   /* not the NaN; the legend */
    ck_assert_uint_eq(occurrences(text, ">inf<"), 2);
    ck_assert_uint_eq(occurrences(text, "a &lt; b"), 1);
    ck_assert_uint_eq(occurrences(text, "nan"), 0);
    free(text);
}
END_TEST

START_TEST(test_blockmap)
{
    static const double value[] = { 20, 41, NAN, INFINITY }, flat[] = { 30, 30 };
    static const char *const columns[] = { "q", "k" };
    blockmap_panel panels[] = { { "one", 2, value }, { "two", 1, flat } };
    blockmap map = { .title = "t", .subtitle = "s", .value_label = "v", .unit = "dB",
                     .column = columns, .columns = 2, .panel = panels, .panels = 2 };
    memory_file file;
    blockmap_write(&map, memory_open(&file));
    char *text = memory_close(&file);
    ck_assert_uint_eq(occurrences(text, ">30<"), 2);
    ck_assert_uint_eq(occurrences(text, ">-<"), 2);               /* what is no number */
    ck_assert_uint_eq(occurrences(text, ">20 dB<"), 1);           /* the scale's low end */
    ck_assert_uint_eq(occurrences(text, ">block<"), 2);
    free(text);
    map.panels = 0;
    blockmap_write(&map, memory_open(&file));
    text = memory_close(&file);
    ck_assert_ptr_nonnull(strstr(text, "</svg>"));
    free(text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("errors");
    TCase *tests = tcase_create("errors");
    tcase_add_test(tests, test_product);
    tcase_add_test(tests, test_noise);
    tcase_add_test(tests, test_codes);
    tcase_add_test(tests, test_outliers);
    tcase_add_test(tests, test_axis);
    tcase_add_test(tests, test_lineplot);
    tcase_add_test(tests, test_blockmap);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}

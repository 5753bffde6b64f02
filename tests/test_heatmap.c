/* The heat map: colours, scales, placing of labels, well-formed and not blank. */
#include <config.h>
#include "run.h"

#include <math.h>
#include <string.h>

#include "analyses/heatmap.h"
#include "analyses/palette.h"
#include "memory_file.h"
#include "xml.h"

/* Relative luminance of "#rrggbb". */
static double luminance(const char *color)
{
    unsigned rgb[3];
    static const double weight[3] = { 0.2126, 0.7152, 0.0722 };
    double sum = 0;
    ck_assert_int_eq(sscanf(color, "#%2x%2x%2x", &rgb[0], &rgb[1], &rgb[2]), 3);
    for (int i = 0; i < 3; i++) {
        double v = rgb[i] / 255.0;
        sum += weight[i] * (v <= 0.04045 ? v / 12.92 : pow((v + 0.055) / 1.055, 2.4));
    }
    return sum;
}

/* In grey the order is the same, and every tenth of the scale is visible. */
START_TEST(test_palette)
{
    char color[PALETTE_TEXT];
    double last = 1;
    for (int i = 0; i <= 10; i++) {
        palette_color(color, i / 10.0);
        double lightness = cbrt(luminance(color));
        ck_assert_double_le(lightness, last - 0.03);
        last = lightness;
    }
    palette_color(color, NAN);
    ck_assert_uint_eq(strlen(color), 7);
}
END_TEST

START_TEST(test_scales)
{
    static const struct { double most, expected; } scales[] = {
        { 0, 1 }, { 1, 1 }, { 0.51, 1 }, { 0.5, 0.5 }, { 0.19, 0.2 }, { 0.031, 0.05 },
        { 0.0001, 0.0001 }, { 0.00011, 0.0002 },
    };
    for (size_t i = 0; i < sizeof scales / sizeof *scales; i++)
        ck_assert_double_eq_tol(heatmap_scale(scales[i].most), scales[i].expected, 1e-9);
    ck_assert_uint_eq(heatmap_tick_step(28, 16), 1);
    ck_assert_uint_eq(heatmap_tick_step(4, 16), 5);
    ck_assert_uint_eq(heatmap_tick_step(0.25, 50), 200);

    double place[] = { 10, 11, 12, 50, 99, 100 };
    heatmap_spread(place, 6, 10, 5, 100);
    static const double expected[] = { 5, 15, 25, 50, 90, 100 };
    for (int i = 0; i < 6; i++)
        ck_assert_double_eq_tol(place[i], expected[i], 1e-9);
    double middle[] = { 40, 41, 42 };
    heatmap_spread(middle, 3, 10, 0, 100);
    for (int i = 0; i < 3; i++)
        ck_assert_double_eq_tol(middle[i], 31 + 10 * i, 1e-9);
}
END_TEST

static char *draw(size_t rows, size_t columns, bool axis)
{
    double *values = osc_alloc(rows * columns, sizeof *values);
    size_t *feature = osc_alloc(columns, sizeof *feature);
    bool *marked = osc_alloc(columns, sizeof *marked);
    for (size_t c = 0; c < columns; c++) {
        feature[c] = c;
        marked[c] = c % 50 == 1;
        for (size_t r = 0; r < rows; r++)
            values[r * columns + c] = c % 50 == 1 ? (double)(r + 1) / (double)rows : 0;
    }
    memory_file file;
    heatmap map = {
        .title = "a <b> & \"c\" \x01\xff", .subtitle = "sub", .value_label = "value",
        .mark_label = "mark", .rows = rows, .columns = columns, .value = values,
        .feature = feature, .marked = marked, .axis = axis,
    };
    ck_assert_int_eq(heatmap_write(&map, memory_open(&file)), OSC_OK);
    osc_free(values);
    osc_free(feature);
    osc_free(marked);
    return memory_close(&file);
}

START_TEST(test_heatmap)
{
    static const struct { size_t rows, columns; bool axis; size_t marks; } cases[] = {
        { 8, 60, false, 2 }, { 2, 1, false, 0 }, { 6, 128, true, 3 }, { 32, 4096, true, 78 },
        { 96, 12288, true, 78 },   /* as many labels as have room */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *svg = draw(cases[i].rows, cases[i].columns, cases[i].axis), dark[PALETTE_TEXT];
        xml_check(svg);
        xml_check_parser(svg);
        ck_assert_ptr_nonnull(strstr(svg, "viewBox=\"0 0 "));
        ck_assert_ptr_nonnull(strstr(svg, "a &lt;b&gt; &amp; &quot;c&quot;  \xef\xbf\xbd"));
        ck_assert_uint_eq(xml_count(svg, "nan"), 0);
        palette_color(dark, 1);
        if (cases[i].marks > 0)    /* in the map and in the legend */
            ck_assert_uint_ge(xml_count(svg, dark), 2);
        ck_assert_uint_eq(xml_count(svg, "<polygon"), cases[i].marks + (cases[i].marks > 0));
        free(svg);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("heatmap");
    TCase *tc = tcase_create("heatmap");
    tcase_set_timeout(tc, 60);   /* a busy machine: the largest map is a megabyte */
    tcase_add_test(tc, test_palette);
    tcase_add_test(tc, test_scales);
    tcase_add_test(tc, test_heatmap);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}

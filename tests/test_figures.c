/* Every kind of figure, with few and with many things in it: well-formed, not blank, no
 * text on another or beyond the edge; marks that differ in grey.  With files as arguments
 * checks these instead: for tests that run commands. */
#include <config.h>
#include "run.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "analyses/blockmap.h"
#include "analyses/dotplot.h"
#include "analyses/heatmap.h"
#include "analyses/lineplot.h"
#include "analyses/mark.h"
#include "analyses/palette.h"
#include "analyses/scatter.h"
#include "memory_file.h"
#include "svg_check.h"

static const char *const words[] = {
    "opt-mini-2m-step500", "opt-mini-8m", "llm-int8:threshold=6,weights=int8", "absmax", "none",
    "a", "zeropoint-vector", "opt-125m", "random sets, each", "q8-0", "a <b> & \"c\" 'd'",
    "absmax-row-decomp:rule=topk,threshold=12",
};
enum { WORDS = sizeof words / sizeof *words };

static const char long_text[] =
    "Share of the 4096 positions at which |x| >= 6 in any of qkv_in, out_in, fc1_in; 24 of 256 "
    "features reach it, the others are left out. 4 sequences of up to 1024 ids, protocol stream.";

/* Checks what was drawn and releases it. */
static void check(memory_file *file, const char *name)
{
    char *svg = memory_close(file), why[SVG_WHY], path[] = "figureXXXXXX";
    if (!svg_check_texts(svg, why))
        ck_abort_msg("%s: %s", name, why);
    int fd = mkstemp(path);
    FILE *out = fdopen(fd, "w");
    fputs(svg, out);
    ck_assert_int_eq(fclose(out), 0);
    bool well = !svg_check_has("xmllint") || svg_check_xml(path, why);
    bool drawn = !well || !svg_check_has("rsvg-convert") || svg_check_picture(path, why);
    unlink(path);
    free(svg);
    if (!well || !drawn)
        ck_abort_msg("%s: %s", name, why);
}

START_TEST(test_lineplots)
{
    static const struct { size_t panels, series, points; bool infinite, whiskers; } cases[] = {
        { 1, 1, 1, false, false }, { 1, 3, 12, true, false }, { 2, 9, 40, true, false },
        { 3, 4, 8, false, true }, { 4, 12, 3, false, true },
    };
    enum { POINTS = 40 };
    double x[POINTS], y[WORDS][POINTS], low[POINTS], high[POINTS];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        lineplot_series series[WORDS];
        lineplot_panel panels[4];
        size_t points = cases[i].points;
        for (size_t p = 0; p < points; p++) {
            x[p] = cases[i].infinite && p + 1 == points ? INFINITY : 1.5 * (double)p;
            low[p] = 11 + (double)p;
            high[p] = 900 * (double)(p + 1);
            for (size_t s = 0; s < WORDS; s++)
                y[s][p] = 12.3 + pow((double)(p + 1), 1 + (double)s / 4);
        }
        for (size_t s = 0; s < cases[i].series; s++)
            series[s] = (lineplot_series){
                .name = words[s], .x = x, .y = y[s], .count = points, .color = s,
                .reference = s == 2, .low = cases[i].whiskers ? low : NULL,
                .high = cases[i].whiskers ? high : NULL };
        for (size_t p = 0; p < cases[i].panels; p++)
            panels[p] = (lineplot_panel){ .y_label = "perplexity over that without quantization",
                                          .series = series, .count = cases[i].series,
                                          .from_zero = p % 2 == 1, .x_label = "block" };
        memory_file file;
        lineplot_write(&(lineplot){ .title = "What the outlier threshold costs and gives",
                                    .subtitle = long_text, .x_label = "threshold",
                                    .panel = panels, .panels = cases[i].panels },
                       memory_open(&file));
        check(&file, "lineplot");
    }
}
END_TEST

START_TEST(test_dotplots)
{
    static const struct { size_t rows, series; double most, least; } cases[] = {
        { 1, 1, 0.02, 0 }, { 9, 4, 12, -0.04 }, { 12, 12, 40000, -3 }, { 4, 2, INFINITY, -0.3 },
        { 3, 2, 1e12, -50 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t rows = cases[i].rows, count = cases[i].series;
        double value[WORDS * WORDS];
        for (size_t v = 0; v < rows * count; v++)
            value[v] = v % 7 == 6 ? NAN : (double)v / (double)(rows * count);
        value[0] = cases[i].most;
        if (rows > 1)
            value[count] = cases[i].least;
        memory_file file;
        dotplot_write(&(dotplot){ .title = "What each scheme costs", .subtitle = long_text,
                                  .x_label = "perplexity above that of scheme none",
                                  .row = words, .rows = rows, .series = words, .count = count,
                                  .value = value }, memory_open(&file));
        check(&file, "dotplot");
    }
}
END_TEST

START_TEST(test_heatmaps)
{
    static const struct { size_t rows, columns; bool axis; } cases[] = {
        { 8, 60, false }, { 2, 1, false }, { 6, 128, true }, { 32, 4096, true },
        { 96, 12288, true },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t rows = cases[i].rows, columns = cases[i].columns;
        double *value = osc_alloc(rows * columns, sizeof *value);
        size_t *feature = osc_alloc(columns, sizeof *feature);
        bool *marked = osc_alloc(columns, sizeof *marked);
        for (size_t c = 0; c < columns; c++) {
            feature[c] = cases[i].axis ? c : 7 * c + 3;
            marked[c] = c % 50 == 1 || c % 50 == 2;
            for (size_t r = 0; r < rows; r++)
                value[r * columns + c] = (double)((r + c) % 5) / 5;
        }
        memory_file file;
        ck_assert_int_eq(heatmap_write(&(heatmap){
            .title = "Where features of opt-mini-8m reach 6", .subtitle = long_text,
            .value_label = "share of the positions", .mark_label = "outlier feature: reached in "
            "at least 25 % of the blocks and at 6 % or more of the (block, position) pairs",
            .rows = rows, .columns = columns, .value = value, .feature = feature,
            .marked = marked, .axis = cases[i].axis }, memory_open(&file)), OSC_OK);
        check(&file, "heatmap");
        osc_free(value);
        osc_free(feature);
        osc_free(marked);
    }
}
END_TEST

START_TEST(test_blockmaps)
{
    static const char *const layers[] = { "q", "k", "v", "out", "fc1", "fc2" };
    static const struct { size_t panels, rows; double step; } cases[] = {
        { 1, 6, 1 }, { 4, 12, 3 }, { 12, 96, 0.2 }, { 2, 1, 0 },
    };
    double value[96 * 6];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        blockmap_panel panel[WORDS];
        for (size_t v = 0; v < cases[i].rows * 6; v++)
            value[v] = v % 17 == 16 ? NAN : 21.3 + cases[i].step * (double)v;
        for (size_t p = 0; p < cases[i].panels; p++)
            panel[p] = (blockmap_panel){ .title = words[p], .rows = cases[i].rows,
                                         .value = value };
        memory_file file;
        blockmap_write(&(blockmap){ .title = "Quantization noise of linear layers",
                                    .subtitle = long_text, .value_label = "SQNR", .unit = "dB",
                                    .column = layers, .columns = 6, .panel = panel,
                                    .panels = cases[i].panels }, memory_open(&file));
        check(&file, "blockmap");
    }
}
END_TEST

START_TEST(test_scatters)
{
    enum { POINTS = 10 };
    scatter_point point[POINTS], published[POINTS];
    for (size_t i = 0; i < POINTS; i++) {
        point[i] = (scatter_point){ 1e8 * pow(2.1, (double)i), (double)(i * i), words[i] };
        published[i] = (scatter_point){ 1.2e8 * pow(1.9, (double)i), (double)(4 * i), words[i] };
    }
    const scatter_series series[] = {
        { .name = "recorded models", .mark = SCATTER_DISC, .point = point, .count = POINTS },
        { .name = "published", .mark = SCATTER_RING, .point = published, .count = POINTS },
    };
    for (size_t panels = 1; panels <= 6; panels += 5) {
        scatter_panel panel[6];
        for (size_t p = 0; p < panels; p++)
            panel[p] = (scatter_panel){
                .heading = "3a layers by parameters",
                .caption = { "records: rho 0.816, p 0.25 (exact, n = 10)" },
                .x = { .label = "parameters", .log = true, .amounts = true },
                .y = { .label = "outlier features", .whole = true, .from_zero = true },
                .series = series, .count = 1 + p % 2 };
        memory_file file;
        ck_assert_int_eq(scatter_write(&(scatter){
            .title = "How outlier features emerge", .subtitle = long_text, .panel = panel,
            .panels = panels, .columns = panels > 1 ? 2 : 1 }, memory_open(&file)), OSC_OK);
        check(&file, "scatter");
    }
}
END_TEST

/* Relative luminance of "#rrggbb". */
static double luminance(const char *color)
{
    static const double weight[3] = { 0.2126, 0.7152, 0.0722 };
    unsigned rgb[3];
    double sum = 0;
    ck_assert_int_eq(sscanf(color, "#%2x%2x%2x", &rgb[0], &rgb[1], &rgb[2]), 3);
    for (int i = 0; i < 3; i++) {
        double v = rgb[i] / 255.0;
        sum += weight[i] * (v <= 0.04045 ? v / 12.92 : pow((v + 0.055) / 1.055, 2.4));
    }
    return sum;
}

/* The element that draws a mark, without its colour and place. */
static void shape_of(char shape[32], size_t index)
{
    memory_file file;
    mark_draw(memory_open(&file), 50, 50, 8, index);
    char *svg = memory_close(&file);
    double y[2] = { 0, 0 };
    if (strncmp(svg, "<polygon", 8) == 0)   /* triangles up and down, diamonds: first corners */
        sscanf(svg, "<polygon points=\"%*f,%lf %*f,%lf", &y[0], &y[1]);
    snprintf(shape, 32, "%.8s %d %d", svg, (int)y[0], (int)y[1]);
    free(svg);
}

/* Two series look alike in grey only if neither their marks nor their greys differ. */
START_TEST(test_marks_in_grey)
{
    enum { SERIES = 15 };
    char shape[SERIES][32];
    for (size_t i = 0; i < SERIES; i++) {
        shape_of(shape[i], i);
        ck_assert_double_le(luminance(palette_series(i)), 0.5);   /* seen on white */
        for (size_t j = 0; j < i; j++) {
            double grey = cbrt(luminance(palette_series(i))) - cbrt(luminance(palette_series(j)));
            ck_assert_msg(strcmp(shape[i], shape[j]) != 0 || fabs(grey) > 0.03,
                          "series %zu and %zu", j, i);
        }
    }
}
END_TEST

/* The checks find what they are for. */
START_TEST(test_checks)
{
    char why[SVG_WHY];
    static const char frame[] = "<svg width=\"%d\" height=\"100\"><text x=\"10\" y=\"30\""
        " font-size=\"12\" text-anchor=\"start\">first</text><text x=\"%d\" y=\"%d\""
        " font-size=\"12\" text-anchor=\"end\"%s>second</text></svg>";
    static const struct { int width, x, y; const char *rotate; bool fine; } cases[] = {
        { 200, 120, 34, "", true }, { 200, 70, 34, "", false }, { 110, 120, 34, "", false },
        { 200, 60, 34, " transform=\"rotate(-90 60 34)\"", true },
        { 200, 25, 20, " transform=\"rotate(-90 25 20)\"", false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char svg[1024];
        snprintf(svg, sizeof svg, frame, cases[i].width, cases[i].x, cases[i].y,
                 cases[i].rotate);
        ck_assert_int_eq(svg_check_texts(svg, why), cases[i].fine);
    }
    ck_assert(!svg_check_texts("", why));
    if (!svg_check_has("rsvg-convert")) {
        printf("# SKIP rsvg-convert is not there: pictures are not looked at\n");
        return;
    }
    char path[] = "blankXXXXXX";
    FILE *out = fdopen(mkstemp(path), "w");
    fputs("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"9\" height=\"9\"></svg>", out);
    ck_assert_int_eq(fclose(out), 0);
    bool fine = svg_check_picture(path, why);
    unlink(path);
    ck_assert(!fine);
}
END_TEST

static int check_files(int count, char **path)
{
    int bad = 0;
    for (int i = 0; i < count; i++) {
        char why[SVG_WHY], *text;
        size_t size, length = strlen(path[i]);
        bool figure = length > 4 && strcmp(path[i] + length - 4, ".svg") == 0;
        bool fine = osc_read_file(&text, &size, path[i], 64 << 20) == OSC_OK;
        if (!fine) {
            snprintf(why, sizeof why, "%s", osc_error());
        } else {
            fine = svg_check_texts(text, why)
                && (!svg_check_has("xmllint") || svg_check_xml(path[i], why))
                && (!figure || !svg_check_has("rsvg-convert") || svg_check_picture(path[i], why));
            osc_free(text);
        }
        if (!fine)
            printf("%s: %s\n", path[i], why);
        bad += !fine;
    }
    return bad;
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return check_files(argc - 1, argv + 1) == 0 ? 0 : 1;
    Suite *suite = suite_create("figures");
    TCase *tc = tcase_create("figures");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, test_checks);
    tcase_add_test(tc, test_lineplots);
    tcase_add_test(tc, test_dotplots);
    tcase_add_test(tc, test_heatmaps);
    tcase_add_test(tc, test_blockmaps);
    tcase_add_test(tc, test_scatters);
    tcase_add_test(tc, test_marks_in_grey);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}

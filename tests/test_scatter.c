/* Scatter plots: where labels go, axes, what is drawn, no text on another. */
#include <config.h>
#include "run.h"

#include <math.h>
#include <string.h>

#include "analyses/scatter.h"
#include "memory_file.h"
#include "xml.h"

/* --- labels ------------------------------------------------------------------------------ */

enum { MOST = 48 };

static const labels_box area = { 100, 50, 400, 280 };

static double uniform(uint64_t *state, double low, double high)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return low + (high - low) * (double)(*state >> 11) / 9007199254740992.0;
}

static double distance(const labels_box *box, double x, double y)
{
    double dx = fmax(fmax(box->left - x, x - box->left - box->width), 0);
    double dy = fmax(fmax(box->top - y, y - box->top - box->height), 0);
    return hypot(dx, dy);
}

/* What a reader needs: inside, on no mark, on no other label. */
static void check_places(const labels_mark *mark, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const labels_box *b = &mark[i].box;
        if (!mark[i].placed)
            continue;
        ck_assert(b->left >= area.left && b->left + b->width <= area.left + area.width);
        ck_assert(b->top >= area.top && b->top + b->height <= area.top + area.height);
        for (size_t j = 0; j < count; j++) {
            ck_assert_double_ge(distance(b, mark[j].x, mark[j].y), mark[j].radius);
            ck_assert(i == j || !mark[j].placed || !labels_overlap(b, &mark[j].box));
        }
        double gap = distance(b, mark[i].x, mark[i].y) - mark[i].radius;
        ck_assert_msg(gap < 12 || mark[i].leader, "label %zu is %g away without a line", i, gap);
        if (mark[i].leader) {
            ck_assert_double_eq_tol(distance(b, mark[i].tip_x, mark[i].tip_y), 0, 1e-9);
            ck_assert_double_eq_tol(hypot(mark[i].mark_x - mark[i].x, mark[i].mark_y - mark[i].y),
                                    mark[i].radius, 1e-9);
        }
    }
}

static labels_mark mark_at(double x, double y, double width)
{
    return (labels_mark){ .x = x, .y = y, .radius = 5, .box = { .width = width, .height = 12 } };
}

START_TEST(test_labels_scattered)
{
    uint64_t state = 11 + (uint64_t)_i;
    labels_mark mark[MOST];
    for (size_t count = 1; count <= 24; count++) {
        for (size_t i = 0; i < count; i++)
            mark[i] = mark_at(uniform(&state, 100, 500), uniform(&state, 50, 330),
                              uniform(&state, 40, 110));
        ck_assert_uint_eq(labels_place(mark, count, &area, NULL, 0), 0);
        check_places(mark, count);
    }
}
END_TEST

/* In one place, along one line, in a corner. */
START_TEST(test_labels_crowded)
{
    labels_mark mark[MOST];
    for (int shape = 0; shape < 3; shape++) {
        for (size_t i = 0; i < 14; i++)
            mark[i] = shape == 0 ? mark_at(300, 200, 90)
                    : shape == 1 ? mark_at(110 + 4.0 * (double)i, 320, 90)
                                 : mark_at(498, 52, 90);
        ck_assert_uint_eq(labels_place(mark, 14, &area, NULL, 0), 0);
        check_places(mark, 14);
    }
}
END_TEST

START_TEST(test_labels_without_room)
{
    labels_mark mark[MOST];
    for (size_t i = 0; i < MOST; i++)
        mark[i] = mark_at(300, 200, 350);
    size_t missing = labels_place(mark, MOST, &area, NULL, 0);
    ck_assert_uint_gt(missing, 20);
    ck_assert_uint_lt(missing, MOST);
    check_places(mark, MOST);
    mark[0] = mark_at(300, 200, 401);
    mark[1] = mark_at(320, 210, 0);       /* a mark that wants no label */
    ck_assert_uint_eq(labels_place(mark, 2, &area, NULL, 0), 1);
    ck_assert(!mark[0].placed && !mark[1].placed);
}
END_TEST

START_TEST(test_labels_avoid_curves)
{
    labels_mark mark = mark_at(300, 200, 80);
    static const labels_line line[] = { { 310, 200, 500, 200 } };
    ck_assert_uint_eq(labels_place(&mark, 1, &area, NULL, 0), 0);
    ck_assert_double_gt(mark.box.left, 300);      /* to the right if it can */
    ck_assert_uint_eq(labels_place(&mark, 1, &area, line, 1), 0);
    ck_assert(mark.box.top + mark.box.height <= 200 || mark.box.top >= 200
              || mark.box.left + mark.box.width <= 310);
    check_places(&mark, 1);
}
END_TEST

/* --- figures ------------------------------------------------------------------------------ */

static char *write_plot(const scatter *plot)
{
    memory_file file;
    ck_assert_int_eq(scatter_write(plot, memory_open(&file)), OSC_OK);
    char *svg = memory_close(&file);
    xml_check(svg);
    xml_check_parser(svg);
    ck_assert_uint_eq(xml_count(svg, "nan") + xml_count(svg, "inf\""), 0);
    return svg;
}

START_TEST(test_figure)
{
    static const scatter_point own[] = {
        { 2e6, 0, "tiny <&>" }, { 2e6, 0, "tiny again" }, { 8e6, 75, "small" },
        { 4e7, NAN, "unknown" }, { 4e7, 100, "a model with quite a long name" },
    };
    static const scatter_point paper[] = { { 117e6, 25, "GPT" }, { 13e9, 100, "FSEQ 13B" } };
    static const scatter_node curve[] = {
        { 2e6, 5, -500, 20 }, { 6e6, 40, 20, 60 }, { 4e7, 95, 60, 1e6 },
    };
    static const scatter_series series[] = {
        { "own", SCATTER_DISC, own, 5, curve, 3 }, { "cut short", SCATTER_RING, own, 1, NULL, 0 },
        { "paper", SCATTER_DIAMOND, paper, 2, NULL, 0 },
    };
    const scatter_panel panel = {
        .heading = "heading", .caption = { "one", "two that is long enough to need several lines "
        "because it goes on and on about nothing in particular, on and on" },
        .x = { .label = "parameters", .log = true, .amounts = true },
        .y = { .label = "layers (%)", .from_zero = true, .high = 100 },
        .series = series, .count = 3,
    };
    const scatter_panel panels[] = { panel, panel, panel };
    for (size_t columns = 1; columns <= 2; columns++) {
        char *svg = write_plot(&(scatter){ .title = "title", .subtitle = "subtitle",
                                           .panel = panels, .panels = 3, .columns = columns });
        ck_assert_uint_gt(xml_check_texts(svg), 60);
        ck_assert_uint_eq(xml_count(svg, ">tiny &lt;&amp;&gt;</text>"), 3 * 2);
        ck_assert_uint_eq(xml_count(svg, ">unknown<"), 0);
        ck_assert_uint_eq(xml_count(svg, ">FSEQ 13B<"), 3);
        ck_assert_uint_eq(xml_count(svg, "fill=\"#0072b2\"/>"), 3 * 4 + 1);      /* discs */
        ck_assert_uint_eq(xml_count(svg, "fill=\"#0072b2\" fill-opacity"), 3);   /* bands */
        ck_assert_uint_eq(xml_count(svg, "<polyline"), 3);
        ck_assert_uint_eq(xml_count(svg, ">10B<"), 3);
        free(svg);
    }
}
END_TEST

/* Horizontal places of two marks. */
static void places_of(double place[2], const scatter_axis *x, double first, double second)
{
    const scatter_point point[] = { { first, 1, NULL }, { second, 2, NULL } };
    const scatter_series series = { "s", SCATTER_DIAMOND, point, 2, NULL, 0 };
    const scatter_panel panel = { .heading = "h", .x = *x, .y = { .label = "y" },
                                  .series = &series, .count = 1 };
    char *svg = write_plot(&(scatter){ .title = "t", .subtitle = "s", .panel = &panel,
                                       .panels = 1, .columns = 1 });
    const char *s = strstr(strstr(svg, "<polygon") + 1, "<polygon");   /* behind the legend's */
    place[0] = xml_number(s, "points=\"");
    place[1] = xml_number(strstr(s + 1, "<polygon"), "points=\"");
    free(svg);
}

START_TEST(test_direction)
{
    static const scatter_axis forward = { .label = "x" };
    static const scatter_axis backward = { .label = "x", .reversed = true };
    double place[2];
    places_of(place, &forward, 10, 20);
    ck_assert_double_lt(place[0] + 300, place[1]);
    places_of(place, &backward, 10, 20);
    ck_assert_double_gt(place[0], place[1] + 300);
}
END_TEST

static size_t ticks_of(const scatter_axis *x, double low, double high)
{
    const scatter_point point[] = { { low, 0, NULL }, { high, 0, NULL } };
    const scatter_series series = { "s", SCATTER_DISC, point, 2, NULL, 0 };
    const scatter_panel panel = { .heading = "h", .x = *x, .y = { .label = "y", .from_zero = true },
                                  .series = &series, .count = 1 };
    char *svg = write_plot(&(scatter){ .title = "t", .subtitle = "s", .panel = &panel,
                                       .panels = 1, .columns = 1 });
    xml_check_texts(svg);
    size_t below = 0;
    for (const char *s = svg; (s = strstr(s, "text-anchor=\"middle\"")) != NULL; s++)
        below += !xml_has(s, "rotate");
    free(svg);
    return below - 1;   /* the axis has a label of that kind too */
}

/* Every axis has at least two ticks, however narrow, wide or empty its range. */
START_TEST(test_axes)
{
    static const scatter_axis axes[] = {
        { .label = "x", .log = true, .amounts = true }, { .label = "x" },
        { .label = "x", .reversed = true, .log_if_wide = true },
    };
    static const double range[][2] = {
        { 1861632, 1861632 }, { 2369792, 8678400 }, { 1.86e6, 42.5e6 }, { 1e6, 175e9 },
        { 12.5, 12.5 }, { 12.5, 33.5 }, { 12.5, 228 }, { 41.55, 41.56 }, { 999, 1001 },
    };
    for (size_t a = 0; a < sizeof axes / sizeof *axes; a++)
        for (size_t r = 0; r < sizeof range / sizeof *range; r++) {
            size_t ticks = ticks_of(&axes[a], range[r][0], range[r][1]);
            ck_assert_msg(ticks >= 2 && ticks <= 12, "axis %zu, range %zu: %zu", a, r, ticks);
        }
    ticks_of(&axes[0], NAN, NAN);
    ticks_of(&axes[1], NAN, NAN);
}
END_TEST

START_TEST(test_out_of_memory)
{
    static const scatter_point point[] = { { 1, 2, "a" }, { 2, 3, "b" } };
    const scatter_series series = { "s", SCATTER_DISC, point, 2, NULL, 0 };
    const scatter_panel panel = { .heading = "h", .x = { .label = "x" }, .y = { .label = "y" },
                                  .series = &series, .count = 1 };
    const scatter plot = { .title = "t", .subtitle = "s", .panel = &panel, .panels = 1,
                           .columns = 1 };
    osc_status status = OSC_ENOMEM;
    for (size_t n = 1; status != OSC_OK; n++) {
        memory_file file;
        memory_open(&file);
        osc_alloc_fail_from(n);
        status = scatter_write(&plot, file.stream);
        osc_alloc_fail_from(0);
        ck_assert(status == OSC_OK || status == OSC_ENOMEM);
        free(memory_close(&file));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scatter");
    TCase *tc = tcase_create("scatter");
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, test_labels_scattered, 0, 8);
    tcase_add_test(tc, test_labels_crowded);
    tcase_add_test(tc, test_labels_without_room);
    tcase_add_test(tc, test_labels_avoid_curves);
    tcase_add_test(tc, test_figure);
    tcase_add_test(tc, test_direction);
    tcase_add_test(tc, test_axes);
    tcase_add_test(tc, test_out_of_memory);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}

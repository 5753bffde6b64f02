/* Layout from top to bottom: title, subtitle, marks and the labels that have one,
 * the map with its axes, the legend. */
#include <config.h>
#include "analyses/heatmap.h"

#include <math.h>
#include <stdlib.h>

#include "analyses/palette.h"
#include "analyses/svg.h"

#define INK   "#222222"
#define FAINT "#e4e4e4"
#define FRAME "#8a8a8a"

enum {
    MARGIN = 20, LEFT = 72, WIDTH_LEAST = 640, MAP_WIDTH_MOST = 1024, LEADING = 16,
    LABEL_GAP = 13, COLORS = 100, LEGEND_WIDTH = 240, LEGEND_BAR = 14
};

static const svg_font title_font = { 17, SVG_START, INK, true, 0 };
static const svg_font small = { 12, SVG_START, INK, false, 0 };
static const svg_font small_end = { 12, SVG_END, INK, false, 0 };
static const svg_font small_middle = { 12, SVG_MIDDLE, INK, false, 0 };
static const svg_font upright = { 12, SVG_MIDDLE, INK, false, -90 };
static const svg_font upright_end = { 12, SVG_END, INK, false, -90 };
static const svg_font upright_bold = { 12, SVG_END, INK, true, -90 };
static const svg_font middle_bold = { 12, SVG_MIDDLE, INK, true, 0 };
static const svg_font upright_mark = { 12, SVG_START, INK, true, -90 };

typedef struct {
    const heatmap *map;
    FILE          *out;
    double         cell_width, cell_height;
    size_t         group;                      /* columns to a pixel column */
    size_t         cells;                      /* pixel columns */
    double         left, top, width, height;   /* of the map */
    double         page_width, page_height;
    double         axis_top, legend_top;       /* below the map */
    double         scale;                      /* share of the darkest colour */
    size_t        *label;                      /* marked columns with a label above, ascending */
    size_t         labels, marks;
    bool           rotated;                    /* labels of columns stand upright */
} layout;

/* --- what goes where -------------------------------------------------------------- */

static void place_columns(layout *l)
{
    size_t columns = l->map->columns;
    l->group = l->map->axis ? (columns + MAP_WIDTH_MOST - 1) / MAP_WIDTH_MOST : 1;
    l->cells = (columns + l->group - 1) / l->group;
    double widest = l->map->axis ? 8 : 44, narrowest = l->map->axis ? 1 : 16;
    l->cell_width = floor(MAP_WIDTH_MOST / (double)l->cells);
    l->cell_width = fmin(fmax(l->cell_width, narrowest), widest);
    l->width = l->cell_width * (double)l->cells;
    l->rotated = l->cell_width < 40;
    l->cell_height = floor(fmin(fmax(380 / (double)l->map->rows, 4), 28));
    l->height = l->cell_height * (double)l->map->rows;
}

static double largest(const heatmap *map)
{
    double most = 0;
    for (size_t i = 0; i < map->rows * map->columns; i++)
        most = fmax(most, map->value[i]);
    return most;
}

static void place_rows(layout *l)
{
    const heatmap *map = l->map;
    double text_width = l->page_width - 2 * MARGIN;
    size_t lines = svg_paragraph(NULL, 0, 0, text_width, LEADING, &small, map->subtitle);
    l->top = 44 + LEADING * (double)lines + 14;
    if (l->marks > 0)
        l->top += map->axis ? 62 : 12;
    l->axis_top = l->top + l->height;
    l->legend_top = l->axis_top + (!map->axis && l->rotated ? 54 : 30) + 34;
    double explained = l->marks == 0 ? 0 : LEADING * (double)
        svg_paragraph(NULL, 0, 0, text_width - 20, LEADING, &small, map->mark_label);
    l->page_height = l->legend_top + 62 + explained + MARGIN / 2;
}

typedef struct { size_t column; double share; } ranked;

static int by_share(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->share != y->share)
        return x->share < y->share ? 1 : -1;
    return x->column < y->column ? -1 : 1;
}

static int ascending(const void *a, const void *b)
{
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    return x < y ? -1 : x > y;
}

/* On an axis, as many marked columns get a label as have room, the darkest first. */
static osc_status choose_labels(layout *l)
{
    const heatmap *map = l->map;
    ranked *candidates = osc_alloc(map->columns, sizeof *candidates);
    l->label = osc_alloc(map->columns, sizeof *l->label);
    if (candidates == NULL || l->label == NULL) {
        osc_free(candidates);
        return OSC_ENOMEM;
    }
    for (size_t c = 0; c < map->columns; c++) {
        if (!map->marked[c])
            continue;
        ranked *r = &candidates[l->marks++];
        r->column = c;
        for (size_t row = 0; row < map->rows; row++)
            r->share += map->value[row * map->columns + c];
    }
    qsort(candidates, l->marks, sizeof *candidates, by_share);
    size_t room = (size_t)(l->width / LABEL_GAP);
    l->labels = !map->axis ? 0 : l->marks < room ? l->marks : room;
    for (size_t i = 0; i < l->labels; i++)
        l->label[i] = candidates[i].column;
    qsort(l->label, l->labels, sizeof *l->label, ascending);
    osc_free(candidates);
    return OSC_OK;
}

static osc_status plan(layout *l)
{
    place_columns(l);
    OSC_TRY(choose_labels(l));
    l->left = LEFT;
    l->page_width = fmax(l->left + l->width + MARGIN, WIDTH_LEAST);
    l->page_width = fmax(l->page_width, svg_text_width(l->map->title, &title_font) + 2 * MARGIN);
    l->scale = heatmap_scale(largest(l->map));
    place_rows(l);
    return OSC_OK;
}

static double column_x(const layout *l, size_t column)
{
    return l->left + l->cell_width * ((double)(column / l->group) + 0.5);
}

/* Block 0 is at the bottom, as the residual stream is usually drawn. */
static double row_y(const layout *l, size_t row)
{
    return l->top + l->cell_height * (double)(l->map->rows - 1 - row);
}

/* --- the map ---------------------------------------------------------------------- */

static double cell_value(const layout *l, size_t row, size_t cell)
{
    const heatmap *map = l->map;
    double most = 0;
    for (size_t c = cell * l->group; c < (cell + 1) * l->group && c < map->columns; c++)
        most = fmax(most, map->value[row * map->columns + c]);
    return most;
}

/* 0: never; 1..COLORS: steps of the scale. */
static int cell_color(const layout *l, size_t row, size_t cell)
{
    double value = cell_value(l, row, cell);
    return value > 0 ? (int)fmax(ceil(COLORS * value / l->scale), 1) : 0;
}

static void draw_grid(const layout *l)
{
    for (size_t row = 1; row < l->map->rows; row++)
        svg_line(l->out, l->left, row_y(l, row) + l->cell_height, l->left + l->width,
                 row_y(l, row) + l->cell_height, FAINT);
    for (size_t c = 1; c < l->cells && !l->map->axis; c++)
        svg_line(l->out, l->left + l->cell_width * (double)c, l->top,
                 l->left + l->cell_width * (double)c, l->top + l->height, FAINT);
}

/* Cells of one colour side by side are one rectangle. */
static void draw_row(const layout *l, size_t row)
{
    for (size_t first = 0, end; first < l->cells; first = end) {
        int color = cell_color(l, row, first);
        end = first + 1;
        while (l->map->axis && end < l->cells && cell_color(l, row, end) == color)
            end++;
        if (color == 0)
            continue;
        char fill[PALETTE_TEXT], tip[96];
        palette_color(fill, (double)color / COLORS);
        snprintf(tip, sizeof tip, "feature %zu, block %zu: %.3g %%", l->map->feature[first], row,
                 100 * cell_value(l, row, first));
        svg_rect(l->out, l->left + l->cell_width * (double)first, row_y(l, row),
                 l->cell_width * (double)(end - first), l->cell_height, fill,
                 l->map->axis ? NULL : tip);
    }
}

static void draw_map(const layout *l)
{
    /* Over large cells the grid keeps neighbours of one colour apart; over small ones it
     * would cover too much of them. */
    bool over = !l->map->axis && l->cell_height >= 10;
    svg_group_begin(l->out);
    if (!over)
        draw_grid(l);
    for (size_t row = 0; row < l->map->rows; row++)
        draw_row(l, row);
    if (over)
        draw_grid(l);
    svg_frame(l->out, l->left, l->top, l->width, l->height, FRAME);
    svg_group_end(l->out);
}

/* --- axes -------------------------------------------------------------------------- */

static void draw_number(const layout *l, double x, double y, const svg_font *font, size_t number)
{
    char text[24];
    snprintf(text, sizeof text, "%zu", number);
    svg_text(l->out, x, y, font, text);
}

static void draw_block_axis(const layout *l)
{
    size_t step = heatmap_tick_step(l->cell_height, LEADING);
    for (size_t row = 0; row < l->map->rows; row += step) {
        double y = row_y(l, row) + l->cell_height / 2;
        svg_line(l->out, l->left - 5, y, l->left, y, FRAME);
        draw_number(l, l->left - 9, y + 4, &small_end, row);
    }
    svg_text(l->out, l->left - 46, l->top + l->height / 2, &upright, "block");
}

static void draw_feature_ticks(const layout *l)
{
    size_t step = heatmap_tick_step(l->cell_width / (double)l->group, 50);
    for (size_t c = 0; c < l->map->columns; c += step) {
        svg_line(l->out, column_x(l, c), l->axis_top, column_x(l, c), l->axis_top + 5, FRAME);
        draw_number(l, column_x(l, c), l->axis_top + 18, &small_middle, l->map->feature[c]);
    }
}

static void draw_feature_labels(const layout *l)
{
    for (size_t c = 0; c < l->map->columns; c++) {
        bool bold = l->map->marked[c];
        if (l->rotated)
            draw_number(l, column_x(l, c) + 4, l->axis_top + 7, bold ? &upright_bold : &upright_end,
                        l->map->feature[c]);
        else
            draw_number(l, column_x(l, c), l->axis_top + 18, bold ? &middle_bold : &small_middle,
                        l->map->feature[c]);
    }
}

static void draw_feature_axis(const layout *l)
{
    char text[128] = "feature";
    if (l->map->axis)
        draw_feature_ticks(l);
    else
        draw_feature_labels(l);
    if (l->group > 1)
        snprintf(text, sizeof text, "feature (a pixel shows the largest of %zu neighbours)",
                 l->group);
    svg_font font = l->width < 400 ? small : small_middle;   /* a narrow map: text may be wider */
    svg_text(l->out, l->width < 400 ? l->left : l->left + l->width / 2, l->legend_top - 24, &font,
             text);
}

/* --- marks ------------------------------------------------------------------------- */

static osc_status draw_marks_on_axis(const layout *l)
{
    double *place = osc_alloc(l->labels, sizeof *place);
    if (place == NULL)
        return OSC_ENOMEM;
    for (size_t i = 0; i < l->labels; i++)
        place[i] = column_x(l, l->label[i]);
    heatmap_spread(place, l->labels, LABEL_GAP, l->left + 6, l->left + l->width);
    for (size_t i = 0; i < l->labels; i++) {
        double x = column_x(l, l->label[i]);
        svg_pointer(l->out, x, l->top - 1, 6, INK);
        svg_line(l->out, x, l->top - 7, place[i], l->top - 22, FRAME);
        draw_number(l, place[i] + 4, l->top - 25, &upright_mark, l->map->feature[l->label[i]]);
    }
    osc_free(place);
    return OSC_OK;
}

static osc_status draw_marks(const layout *l)
{
    if (l->map->axis)
        return draw_marks_on_axis(l);
    for (size_t c = 0; c < l->map->columns; c++)
        if (l->map->marked[c])
            svg_pointer(l->out, column_x(l, c), l->top - 2, 9, INK);
    return OSC_OK;
}

/* --- legend ------------------------------------------------------------------------ */

static void draw_scale(const layout *l, double x, double y)
{
    svg_group_begin(l->out);
    svg_frame(l->out, x, y, 22, LEGEND_BAR, FRAME);
    double bar = x + 58;
    for (int i = 0; i < COLORS; i++) {
        char fill[PALETTE_TEXT];
        palette_color(fill, (i + 1.0) / COLORS);
        svg_rect(l->out, bar + i * LEGEND_WIDTH / (double)COLORS, y,
                 LEGEND_WIDTH / (double)COLORS + 0.5, LEGEND_BAR, fill, NULL);
    }
    svg_frame(l->out, bar, y, LEGEND_WIDTH, LEGEND_BAR, FRAME);
    svg_group_end(l->out);
    svg_text(l->out, x + 11, y + 30, &small_middle, "never");
    for (int i = 0; i <= 4; i++) {
        char text[32];
        double at = bar + LEGEND_WIDTH * i / 4.0;
        snprintf(text, sizeof text, "%g %%", 25 * i * l->scale);
        svg_line(l->out, at, y + LEGEND_BAR, at, y + LEGEND_BAR + 4, FRAME);
        svg_text(l->out, at, y + 30, &small_middle, text);
    }
}

static void draw_legend(const layout *l)
{
    double y = l->legend_top;
    svg_text(l->out, MARGIN, y, &small, l->map->value_label);
    draw_scale(l, MARGIN + 8, y + 8);
    if (l->marks == 0)
        return;
    svg_pointer(l->out, MARGIN + 6, y + 66, 9, INK);
    svg_paragraph(l->out, MARGIN + 18, y + 66, l->page_width - 2 * MARGIN - 20, LEADING, &small,
                  l->map->mark_label);
}

osc_status heatmap_write(const heatmap *map, FILE *out)
{
    layout l = { .map = map, .out = out };
    osc_status status = plan(&l);
    if (status == OSC_OK) {
        svg_begin(out, l.page_width, l.page_height, map->title, map->subtitle);
        svg_text(out, MARGIN, 32, &title_font, map->title);
        svg_paragraph(out, MARGIN, 54, l.page_width - 2 * MARGIN, LEADING, &small, map->subtitle);
        draw_map(&l);
        draw_block_axis(&l);
        draw_feature_axis(&l);
        status = draw_marks(&l);
        draw_legend(&l);
        svg_end(out);
    }
    osc_free(l.label);
    return status;
}

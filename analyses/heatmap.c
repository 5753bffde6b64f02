#include <config.h>
#include "analyses/heatmap.h"

#include <math.h>

#include "analyses/heatmap_layout.h"
#include "analyses/palette.h"

#define INK   "#222222"
#define FAINT "#e4e4e4"
#define FRAME "#8a8a8a"

enum { COLORS = 100, LEGEND_WIDTH = 240, LEGEND_BAR = 14 };

static const svg_font small_end = { 12, SVG_END, INK, false, 0 };
static const svg_font small_middle = { 12, SVG_MIDDLE, INK, false, 0 };
static const svg_font upright = { 12, SVG_MIDDLE, INK, false, -90 };
static const svg_font upright_end = { 12, SVG_END, INK, false, -90 };
static const svg_font upright_bold = { 12, SVG_END, INK, true, -90 };
static const svg_font middle_bold = { 12, SVG_MIDDLE, INK, true, 0 };
static const svg_font upright_mark = { 12, SVG_START, INK, true, -90 };

static double column_x(const heatmap_layout *l, size_t column)
{
    return l->left + l->cell_width * ((double)(column / l->group) + 0.5);
}

/* Block 0 is at the bottom, as the residual stream is usually drawn. */
static double row_y(const heatmap_layout *l, size_t row)
{
    return l->top + l->cell_height * (double)(l->map->rows - 1 - row);
}

/* --- the map ---------------------------------------------------------------------- */

static double cell_value(const heatmap_layout *l, size_t row, size_t cell)
{
    const heatmap *map = l->map;
    double most = 0;
    for (size_t c = cell * l->group; c < (cell + 1) * l->group && c < map->columns; c++)
        most = fmax(most, map->value[row * map->columns + c]);
    return most;
}

/* 0: never; 1..COLORS: steps of the scale. */
static int cell_color(const heatmap_layout *l, size_t row, size_t cell)
{
    double value = cell_value(l, row, cell);
    return value > 0 ? (int)fmax(ceil(COLORS * value / l->scale), 1) : 0;
}

static void draw_grid(const heatmap_layout *l)
{
    for (size_t row = 1; row < l->map->rows; row++)
        svg_line(l->out, l->left, row_y(l, row) + l->cell_height, l->left + l->width,
                 row_y(l, row) + l->cell_height, FAINT);
    for (size_t c = 1; c < l->cells && !l->map->axis; c++)
        svg_line(l->out, l->left + l->cell_width * (double)c, l->top,
                 l->left + l->cell_width * (double)c, l->top + l->height, FAINT);
}

/* Cells of one colour side by side are one rectangle. */
static void draw_row(const heatmap_layout *l, size_t row)
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

static void draw_map(const heatmap_layout *l)
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

static void draw_number(const heatmap_layout *l, double x, double y, const svg_font *font,
                        size_t number)
{
    char text[24];
    snprintf(text, sizeof text, "%zu", number);
    svg_text(l->out, x, y, font, text);
}

static void draw_block_axis(const heatmap_layout *l)
{
    size_t step = heatmap_tick_step(l->cell_height, LEADING);
    for (size_t row = 0; row < l->map->rows; row += step) {
        double y = row_y(l, row) + l->cell_height / 2;
        svg_line(l->out, l->left - 5, y, l->left, y, FRAME);
        draw_number(l, l->left - 9, y + 4, &small_end, row);
    }
    svg_text(l->out, l->left - 46, l->top + l->height / 2, &upright, "block");
}

static void draw_feature_ticks(const heatmap_layout *l)
{
    size_t step = heatmap_tick_step(l->cell_width / (double)l->group, 50);
    for (size_t c = 0; c < l->map->columns; c += step) {
        svg_line(l->out, column_x(l, c), l->axis_top, column_x(l, c), l->axis_top + 5, FRAME);
        draw_number(l, column_x(l, c), l->axis_top + 18, &small_middle, l->map->feature[c]);
    }
}

static void draw_feature_labels(const heatmap_layout *l)
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

static void draw_feature_axis(const heatmap_layout *l)
{
    char text[128] = "feature";
    if (l->map->axis)
        draw_feature_ticks(l);
    else
        draw_feature_labels(l);
    if (l->group > 1)
        snprintf(text, sizeof text, "feature (a pixel shows the largest of %zu neighbours)",
                 l->group);
    bool narrow = l->width < 400;   /* the text may be wider than the map */
    svg_text(l->out, narrow ? l->left : l->left + l->width / 2, l->legend_top - 24,
             narrow ? &heatmap_text_font : &small_middle, text);
}

/* --- marks ------------------------------------------------------------------------- */

static osc_status draw_marks_on_axis(const heatmap_layout *l)
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

static osc_status draw_marks(const heatmap_layout *l)
{
    if (l->map->axis)
        return draw_marks_on_axis(l);
    for (size_t c = 0; c < l->map->columns; c++)
        if (l->map->marked[c])
            svg_pointer(l->out, column_x(l, c), l->top - 2, 9, INK);
    return OSC_OK;
}

/* --- legend ------------------------------------------------------------------------ */

static void draw_scale(const heatmap_layout *l, double x, double y)
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

static void draw_legend(const heatmap_layout *l)
{
    double y = l->legend_top;
    svg_text(l->out, MARGIN, y, &heatmap_text_font, l->map->value_label);
    draw_scale(l, MARGIN + 8, y + 8);
    if (l->marks == 0)
        return;
    svg_pointer(l->out, MARGIN + 6, y + 66, 9, INK);
    svg_paragraph(l->out, MARGIN + 18, y + 66, l->page_width - 2 * MARGIN - 20, LEADING,
                  &heatmap_text_font, l->map->mark_label);
}

osc_status heatmap_write(const heatmap *map, FILE *out)
{
    heatmap_layout l;
    osc_status status = heatmap_plan(&l, map, out);
    if (status == OSC_OK) {
        svg_begin(out, l.page_width, l.page_height, map->title, map->subtitle);
        svg_text(out, MARGIN, 32, &heatmap_title_font, map->title);
        svg_paragraph(out, MARGIN, 54, l.page_width - 2 * MARGIN, LEADING, &heatmap_text_font,
                      map->subtitle);
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

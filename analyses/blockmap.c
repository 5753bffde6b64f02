#include <config.h>
#include "analyses/blockmap.h"

#include <math.h>

#include "analyses/heatmap.h"
#include "analyses/palette.h"
#include "analyses/svg.h"

#define INK   "#222222"
#define FRAME "#8a8a8a"

enum {
    MARGIN = 20, LEADING = 16, CELL = 44, LEFT = 48, GAP = 20, PANEL_TOP = 26, PANEL_BOTTOM = 34,
    WIDTH_MOST = 1080, LEGEND_WIDTH = 300, LEGEND_BAR = 14, LEGEND_STEPS = 100, LEGEND_HEIGHT = 62,
    WIDTH_LEAST = 640
};

static const svg_font title_font = { 17, SVG_START, INK, true, 0 };
static const svg_font panel_font = { 13, SVG_START, INK, true, 0 };
static const svg_font text_font = { 12, SVG_START, INK, false, 0 };
static const svg_font middle = { 12, SVG_MIDDLE, INK, false, 0 };
static const svg_font end = { 12, SVG_END, INK, false, 0 };
static const svg_font upright = { 12, SVG_MIDDLE, INK, false, -90 };
static const svg_font dark_number = { 11, SVG_MIDDLE, INK, false, 0 };
static const svg_font light_number = { 11, SVG_MIDDLE, "#ffffff", false, 0 };

typedef struct {
    const blockmap *map;
    FILE           *out;
    double          low, high;         /* the colour scale */
    double          panel_width, page_width;
    size_t          across;            /* panels side by side */
} layout;

/* --- layout ---------------------------------------------------------------------- */

static double cell_height(const blockmap_panel *panel)
{
    return floor(fmin(fmax(480 / (double)panel->rows, 5), 20));
}

static double panel_height(const blockmap_panel *panel)
{
    return PANEL_TOP + cell_height(panel) * (double)panel->rows + PANEL_BOTTOM;
}

/* Of the panels of one line. */
static double line_height(const layout *l, size_t first)
{
    double most = 0;
    for (size_t i = first; i < first + l->across && i < l->map->panels; i++)
        most = fmax(most, panel_height(&l->map->panel[i]));
    return most;
}

/* Panels as wide as the widest title wants, and as many side by side as the page takes. */
static void find_widths(layout *l)
{
    double titles = 0;
    for (size_t i = 0; i < l->map->panels; i++)
        titles = fmax(titles, svg_text_width(l->map->panel[i].title, &panel_font));
    l->panel_width = LEFT + fmax(CELL * (double)l->map->columns, titles) + GAP;
    size_t fit = (size_t)fmax((WIDTH_MOST - 2 * MARGIN) / l->panel_width, 1);
    l->across = l->map->panels < fit && l->map->panels > 0 ? l->map->panels : fit;
    l->page_width = fmax(2 * MARGIN + l->panel_width * (double)l->across, WIDTH_LEAST);
    l->page_width = fmax(l->page_width, svg_text_width(l->map->title, &title_font) + 2 * MARGIN);
}

/* Ends at multiples of 5. */
static void find_scale(layout *l)
{
    double low = INFINITY, high = -INFINITY;
    for (size_t p = 0; p < l->map->panels; p++) {
        const blockmap_panel *panel = &l->map->panel[p];
        for (size_t i = 0; i < panel->rows * l->map->columns; i++) {
            if (!isfinite(panel->value[i]))
                continue;
            low = fmin(low, panel->value[i]);
            high = fmax(high, panel->value[i]);
        }
    }
    l->low = low <= high ? 5 * floor(low / 5) : 0;
    l->high = low <= high ? 5 * ceil(high / 5) : 5;
    if (l->high <= l->low)
        l->high = l->low + 5;
}

/* --- panels ---------------------------------------------------------------------- */

static double darkness(const layout *l, double value)
{
    return 1 - fmin(fmax((value - l->low) / (l->high - l->low), 0), 1);
}

static void draw_cell(const layout *l, const blockmap_panel *panel, size_t row, size_t column,
                      double x, double y)
{
    double value = panel->value[row * l->map->columns + column];
    char fill[PALETTE_TEXT] = "#ffffff", tip[96];
    if (!isnan(value))
        palette_color(fill, darkness(l, value));
    snprintf(tip, sizeof tip, "block %zu %s: %.1f %s", row, l->map->column[column], value,
             l->map->unit);
    svg_rect(l->out, x, y, CELL, cell_height(panel), fill, tip);
}

static void draw_number(const layout *l, const blockmap_panel *panel, size_t row, size_t column,
                        double x, double y)
{
    double value = panel->value[row * l->map->columns + column];
    char text[32] = "-";
    if (isfinite(value))
        snprintf(text, sizeof text, "%.0f", value);
    bool light = !isnan(value) && palette_lightness(darkness(l, value)) < 0.6;
    if (cell_height(panel) >= 13)
        svg_text(l->out, x + CELL / 2.0, y + cell_height(panel) / 2 + 4,
                 light ? &light_number : &dark_number, text);
}

static void each_cell(const layout *l, const blockmap_panel *panel, double x, double y,
                      void (*draw)(const layout *, const blockmap_panel *, size_t, size_t,
                                   double, double))
{
    double height = cell_height(panel);
    for (size_t row = 0; row < panel->rows; row++)
        for (size_t column = 0; column < l->map->columns; column++)
            draw(l, panel, row, column, x + CELL * (double)column,
                 y + height * (double)(panel->rows - 1 - row));
}

static void draw_axes(const layout *l, const blockmap_panel *panel, double x, double y)
{
    double height = cell_height(panel), bottom = y + height * (double)panel->rows;
    size_t step = heatmap_tick_step(height, LEADING);
    for (size_t row = 0; row < panel->rows; row += step) {
        char text[24];
        snprintf(text, sizeof text, "%zu", row);
        svg_text(l->out, x - 6, bottom - height * ((double)row + 0.5) + 4, &end, text);
    }
    for (size_t column = 0; column < l->map->columns; column++)
        svg_text(l->out, x + CELL * ((double)column + 0.5), bottom + 16, &middle,
                 l->map->column[column]);
    svg_text(l->out, x - 34, (y + bottom) / 2, &upright, "block");
}

static void draw_panel(const layout *l, const blockmap_panel *panel, double left, double top)
{
    double x = left + LEFT, y = top + PANEL_TOP;
    svg_text(l->out, x, top + 17, &panel_font, panel->title);
    svg_group_begin(l->out);
    each_cell(l, panel, x, y, draw_cell);
    svg_frame(l->out, x, y, CELL * (double)l->map->columns,
              cell_height(panel) * (double)panel->rows, FRAME);
    svg_group_end(l->out);
    each_cell(l, panel, x, y, draw_number);
    draw_axes(l, panel, x, y);
}

/* --- legend ---------------------------------------------------------------------- */

static void draw_legend(const layout *l, double top)
{
    double x = MARGIN + LEFT, y = top + 12;
    svg_text(l->out, x, top, &text_font, l->map->value_label);
    svg_group_begin(l->out);
    for (int i = 0; i < LEGEND_STEPS; i++) {
        char fill[PALETTE_TEXT];
        double width = LEGEND_WIDTH / (double)LEGEND_STEPS;
        palette_color(fill, 1 - (i + 0.5) / LEGEND_STEPS);
        svg_rect(l->out, x + i * width, y, width + (i + 1 < LEGEND_STEPS ? 0.5 : 0), LEGEND_BAR,
                 fill, NULL);
    }
    svg_frame(l->out, x, y, LEGEND_WIDTH, LEGEND_BAR, FRAME);
    svg_group_end(l->out);
    double unit = LEGEND_WIDTH / (l->high - l->low);
    size_t step = 5 * heatmap_tick_step(5 * unit, 50);
    for (double v = l->low; v <= l->high; v += (double)step) {
        char text[48];
        snprintf(text, sizeof text, "%g %s", v, l->map->unit);
        svg_line(l->out, x + unit * (v - l->low), y + LEGEND_BAR, x + unit * (v - l->low),
                 y + LEGEND_BAR + 4, FRAME);
        svg_text(l->out, x + unit * (v - l->low), y + LEGEND_BAR + 17, &middle, text);
    }
}

void blockmap_write(const blockmap *map, FILE *out)
{
    layout l = { .map = map, .out = out };
    find_scale(&l);
    find_widths(&l);
    double text_width = l.page_width - 2 * MARGIN;
    size_t lines = svg_paragraph(NULL, 0, 0, text_width, LEADING, &text_font, map->subtitle);
    double top = 44 + LEADING * (double)lines + 16, height = top + LEGEND_HEIGHT + MARGIN;
    for (size_t first = 0; first < map->panels; first += l.across)
        height += line_height(&l, first);

    svg_begin(out, l.page_width, height, map->title, map->subtitle);
    svg_text(out, MARGIN, 32, &title_font, map->title);
    svg_paragraph(out, MARGIN, 54, text_width, LEADING, &text_font, map->subtitle);
    draw_legend(&l, top);
    top += LEGEND_HEIGHT;
    for (size_t first = 0; first < map->panels; first += l.across) {
        for (size_t i = first; i < first + l.across && i < map->panels; i++)
            draw_panel(&l, &map->panel[i], MARGIN + l.panel_width * (double)(i - first), top);
        top += line_height(&l, first);
    }
    svg_end(out);
}

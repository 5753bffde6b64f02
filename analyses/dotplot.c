#include <config.h>
#include "analyses/dotplot.h"

#include <math.h>

#include "analyses/mark.h"
#include "analyses/svg.h"

#define INK   "#222222"
#define FAINT "#e4e4e4"
#define BAND  "#f6f6f6"
#define FRAME "#8a8a8a"

enum {
    MARGIN = 20, LEADING = 16, PLOT_WIDTH = 560, SERIES_HEIGHT = 8, ROW_ROOM = 12, ROW_LEAST = 22,
    INF_ROOM = 110, MARK = 8, LEGEND_LEADING = 18, LEGEND_GAP = 28, NAME_GAP = 10
};

static const svg_font title_font = { 17, SVG_START, INK, true, 0 };
static const svg_font text_font = { 12, SVG_START, INK, false, 0 };
static const svg_font middle = { 12, SVG_MIDDLE, INK, false, 0 };
static const svg_font end = { 12, SVG_END, INK, false, 0 };

typedef struct {
    const dotplot *plot;
    FILE          *out;
    double         left, top, row_height, width;
    double         low, high;        /* of the scale, as places */
    bool           infinite;         /* some value is infinite */
} frame;

double dotplot_place(double percent)
{
    return copysign(log10(1 + fabs(percent) / DOTPLOT_LINEAR), percent);
}

/* --- scale ------------------------------------------------------------------------ */

/* The first of 0.1, 1, 10, ... percent that is not below `percent` > 0. */
static double decade_above(double percent)
{
    double tick = DOTPLOT_LINEAR;
    while (tick < 0.999999 * percent)
        tick *= 10;
    return tick;
}

static void find_scale(frame *f)
{
    double low = 0, high = 0;
    for (size_t i = 0; i < f->plot->rows * f->plot->count; i++) {
        double value = f->plot->value[i];
        f->infinite |= isinf(value);
        if (isfinite(value)) {
            low = fmin(low, value);
            high = fmax(high, value);
        }
    }
    f->high = dotplot_place(decade_above(fmax(high, 1)));
    f->low = low < 0 ? dotplot_place(-decade_above(-low)) : -0.1;
}

static double x_of(const frame *f, double percent)
{
    double width = PLOT_WIDTH - (f->infinite ? INF_ROOM : 0);
    if (isinf(percent))
        return f->left + PLOT_WIDTH - INF_ROOM / 2.0;
    return f->left + MARK + (width - 2 * MARK) * (dotplot_place(percent) - f->low)
                            / (f->high - f->low);
}

/* --- drawing ---------------------------------------------------------------------- */

/* Draws a tick; its label only if that begins beyond *edge, which it moves, and ends
 * before what is at the right. */
static void draw_tick(const frame *f, double percent, double *edge)
{
    char text[32];
    double x = x_of(f, percent), bottom = f->top + f->row_height * (double)f->plot->rows;
    snprintf(text, sizeof text, "%s%g %%", percent > 0 ? "+" : "", percent);
    double half = svg_text_width(text, &middle) / 2;
    svg_line(f->out, x, f->top, x, bottom + 5, percent == 0 ? FRAME : FAINT);
    double limit = f->infinite ? f->left + PLOT_WIDTH - 0.8 * INF_ROOM : f->width;
    if (fabs(x - x_of(f, 0)) < *edge + half || x + half > limit)
        return;
    svg_text(f->out, x, bottom + 19, &middle, text);
    *edge = fabs(x - x_of(f, 0)) + half;
}

static void draw_scale(const frame *f)
{
    double bottom = f->top + f->row_height * (double)f->plot->rows;
    double left = -INFINITY, right;
    draw_tick(f, 0, &left);
    right = left;
    for (double tick = DOTPLOT_LINEAR; dotplot_place(tick) <= f->high + 1e-9; tick *= 10)
        draw_tick(f, tick, &right);
    for (double tick = DOTPLOT_LINEAR; dotplot_place(-tick) >= f->low - 1e-9; tick *= 10)
        draw_tick(f, -tick, &left);
    if (f->infinite)
        svg_text(f->out, x_of(f, INFINITY), bottom + 19, &middle, "not finite");
    svg_text(f->out, f->left + PLOT_WIDTH / 2.0, bottom + 40, &middle, f->plot->x_label);
}

static void draw_bands(const frame *f)
{
    svg_group_begin(f->out);
    for (size_t r = 1; r < f->plot->rows; r += 2)
        svg_rect(f->out, f->left, f->top + f->row_height * (double)r, PLOT_WIDTH, f->row_height,
                 BAND, NULL);
    svg_frame(f->out, f->left, f->top, PLOT_WIDTH, f->row_height * (double)f->plot->rows, FRAME);
    svg_group_end(f->out);
}

static void draw_row(const frame *f, size_t row)
{
    const dotplot *plot = f->plot;
    double middle_y = f->top + f->row_height * ((double)row + 0.5);
    svg_text(f->out, f->left - NAME_GAP, middle_y + 4, &end, plot->row[row]);
    for (size_t s = 0; s < plot->count; s++) {
        double value = plot->value[row * plot->count + s];
        double y = middle_y + SERIES_HEIGHT * ((double)s - ((double)plot->count - 1) / 2);
        if (!isnan(value))
            mark_draw(f->out, x_of(f, value), y, MARK, s);
    }
}

/* Entries one behind another, in lines of at most f->width; `draw` false: only counts.
 * Returns the number of lines. */
static size_t legend(const frame *f, double top, bool draw)
{
    double x = MARGIN;
    size_t lines = 1;
    for (size_t s = 0; s < f->plot->count; s++) {
        double width = 16 + svg_text_width(f->plot->series[s], &text_font);
        if (x > MARGIN && x + width > f->width - MARGIN) {
            x = MARGIN;
            lines++;
        }
        double y = top + LEGEND_LEADING * (double)(lines - 1);
        if (draw) {
            mark_draw(f->out, x + MARK / 2.0, y - 4, MARK, s);
            svg_text(f->out, x + 16, y, &text_font, f->plot->series[s]);
        }
        x += width + LEGEND_GAP;
    }
    return lines;
}

void dotplot_write(const dotplot *plot, FILE *out)
{
    frame f = { .plot = plot, .out = out };
    double names = 0;
    for (size_t r = 0; r < plot->rows; r++)
        names = fmax(names, svg_text_width(plot->row[r], &end));
    f.left = MARGIN + names + NAME_GAP;
    f.width = fmax(f.left + PLOT_WIDTH + MARGIN + 10,
                   svg_text_width(plot->title, &title_font) + 2 * MARGIN);
    f.row_height = fmax(ROW_LEAST, ROW_ROOM + SERIES_HEIGHT * (double)plot->count);
    double text_width = f.width - 2 * MARGIN;
    size_t lines = svg_paragraph(NULL, 0, 0, text_width, LEADING, &text_font, plot->subtitle);
    double legend_top = 44 + LEADING * (double)lines + 20;
    f.top = legend_top + LEGEND_LEADING * (double)legend(&f, 0, false);
    double height = f.top + f.row_height * (double)plot->rows + 40 + MARGIN;
    find_scale(&f);

    svg_begin(out, f.width, height, plot->title, plot->subtitle);
    svg_text(out, MARGIN, 32, &title_font, plot->title);
    svg_paragraph(out, MARGIN, 54, text_width, LEADING, &text_font, plot->subtitle);
    legend(&f, legend_top, true);
    draw_bands(&f);
    draw_scale(&f);
    for (size_t r = 0; r < plot->rows; r++)
        draw_row(&f, r);
    svg_end(out);
}

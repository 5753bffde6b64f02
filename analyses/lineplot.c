#include <config.h>
#include "analyses/lineplot.h"

#include <math.h>

#include "analyses/mark.h"
#include "analyses/palette.h"
#include "analyses/svg.h"

#define INK   "#222222"
#define FAINT "#e4e4e4"
#define FRAME "#8a8a8a"

enum {
    MARGIN = 20, LEADING = 16, PLOT_WIDTH = 380, PLOT_HEIGHT = 280, LEFT = 74, GAP = 24,
    PITCH = PLOT_WIDTH + LEFT + GAP, ROW = PLOT_HEIGHT + 66, ACROSS_MOST = 2, LEGEND_TEXT = 38,
    INF_ROOM = 44, TICKS = 6, MARK = 7
};

static const svg_font title_font = { 17, SVG_START, INK, true, 0 };
static const svg_font text_font = { 12, SVG_START, INK, false, 0 };
static const svg_font middle = { 12, SVG_MIDDLE, INK, false, 0 };
static const svg_font end = { 12, SVG_END, INK, false, 0 };
static const svg_font upright = { 12, SVG_MIDDLE, INK, false, -90 };

typedef struct {
    const lineplot_panel *panel;
    FILE                 *out;
    double                left, top;
    lineplot_axis         x, y;
    bool                  infinite;      /* some x is infinite */
} frame;

static double x_of(const frame *f, double x)
{
    double width = PLOT_WIDTH - (f->infinite ? INF_ROOM : 0);
    return f->left + (isinf(x) ? PLOT_WIDTH - INF_ROOM / 2.0
                               : 8 + (width - 16) * lineplot_axis_at(&f->x, x));
}

static double y_of(const frame *f, double y)
{
    return f->top + PLOT_HEIGHT * (1 - lineplot_axis_at(&f->y, y));
}

static bool drawn(const lineplot_series *s, size_t i)
{
    return isfinite(s->y[i]) && (isfinite(s->x[i]) || (isinf(s->x[i]) && s->x[i] > 0));
}

/* --- axes ---------------------------------------------------------------------- */

static void widen(double range[2], double value)
{
    range[0] = fmin(range[0], value);
    range[1] = fmax(range[1], value);
}

static bool has_whisker(const lineplot_series *s, size_t i)
{
    return s->low != NULL && isfinite(s->low[i]) && isfinite(s->high[i]);
}

static void find_ranges(frame *f)
{
    double x[2] = { INFINITY, -INFINITY }, y[2] = { INFINITY, -INFINITY };
    for (size_t s = 0; s < f->panel->count; s++) {
        const lineplot_series *series = &f->panel->series[s];
        for (size_t i = 0; i < series->count; i++) {
            if (!drawn(series, i))
                continue;
            widen(y, series->y[i]);
            if (has_whisker(series, i)) {
                widen(y, series->low[i]);
                widen(y, series->high[i]);
            }
            f->infinite = f->infinite || isinf(series->x[i]);
            if (isfinite(series->x[i]))
                widen(x, series->x[i]);
        }
    }
    if (f->panel->from_zero)
        y[0] = 0;
    bool few = f->panel->whole && x[1] - x[0] >= 1 && x[1] - x[0] < TICKS;
    f->x = f->panel->amounts ? lineplot_axis_log(x[0], x[1], TICKS)
         : lineplot_axis_make(x[0], x[1], false, few ? (size_t)(x[1] - x[0]) : TICKS);
    f->y = lineplot_axis_make(y[0], y[1], !f->panel->from_zero && y[1] > 10 * y[0], TICKS);
}

static void draw_axes(const frame *f, const char *x_label)
{
    char text[32];
    double bottom = f->top + PLOT_HEIGHT;
    svg_group_begin(f->out);
    for (size_t i = 0; i < f->y.ticks; i++)
        svg_line(f->out, f->left, y_of(f, f->y.tick[i]), f->left + PLOT_WIDTH,
                 y_of(f, f->y.tick[i]), FAINT);
    for (size_t i = 0; i < f->x.ticks; i++)
        svg_line(f->out, x_of(f, f->x.tick[i]), bottom, x_of(f, f->x.tick[i]), bottom + 5, FRAME);
    svg_frame(f->out, f->left, f->top, PLOT_WIDTH, PLOT_HEIGHT, FRAME);
    svg_group_end(f->out);
    for (size_t i = 0; i < f->y.ticks; i++) {
        snprintf(text, sizeof text, "%.6g", f->y.tick[i]);
        svg_text(f->out, f->left - 7, y_of(f, f->y.tick[i]) + 4, &end, text);
    }
    for (size_t i = 0; i < f->x.ticks; i++) {
        if (f->panel->amounts)
            lineplot_amount_text(text, sizeof text, f->x.tick[i]);
        else
            snprintf(text, sizeof text, "%.6g", f->x.tick[i]);
        svg_text(f->out, x_of(f, f->x.tick[i]), bottom + 19, &middle, text);
    }
    if (f->infinite)
        svg_text(f->out, x_of(f, INFINITY), bottom + 19, &middle, "inf");
    svg_text(f->out, f->left + PLOT_WIDTH / 2.0, bottom + 40, &middle, x_label);
    svg_text(f->out, f->left - 58, f->top + PLOT_HEIGHT / 2.0, &upright, f->panel->y_label);
    if (f->y.log)
        svg_text(f->out, f->left + 6, f->top + 14, &text_font, "logarithmic");
}

/* --- series -------------------------------------------------------------------- */

static void draw_whisker(const frame *f, const lineplot_series *s, size_t i, const char *color)
{
    double x = x_of(f, s->x[i]), low = y_of(f, s->low[i]), high = y_of(f, s->high[i]);
    svg_stroke(f->out, x, low, x, high, color, 1.2, false);
    svg_stroke(f->out, x - 4, low, x + 4, low, color, 1.2, false);
    svg_stroke(f->out, x - 4, high, x + 4, high, color, 1.2, false);
}

static void draw_series(const frame *f, const lineplot_series *s)
{
    bool begun = false;
    double last[2] = { 0, 0 };
    const char *color = palette_series(s->color);
    for (size_t i = 0; i < s->count; i++) {
        if (!drawn(s, i))
            continue;
        double x = x_of(f, s->x[i]), y = y_of(f, s->y[i]);
        if (begun && !s->scatter)
            svg_stroke(f->out, last[0], last[1], x, y, color, s->reference ? 1.2 : 1.8,
                       s->reference || isinf(s->x[i]));
        if (has_whisker(s, i))
            draw_whisker(f, s, i, color);
        if (!s->reference)
            mark_draw(f->out, x, y, MARK, s->color);
        last[0] = x;
        last[1] = y;
        begun = true;
    }
}

static void draw_panel(const lineplot *plot, size_t index, double top, FILE *out)
{
    frame f = { .panel = &plot->panel[index], .out = out,
                .left = MARGIN + LEFT + (double)(index % ACROSS_MOST) * PITCH,
                .top = top + (double)(index / ACROSS_MOST) * ROW };
    find_ranges(&f);
    draw_axes(&f, f.panel->x_label != NULL ? f.panel->x_label : plot->x_label);
    for (size_t s = 0; s < f.panel->count; s++)
        draw_series(&f, &f.panel->series[s]);
}

static void draw_legend(const lineplot_panel *panel, double left, double top, FILE *out)
{
    for (size_t s = 0; s < panel->count; s++) {
        const lineplot_series *series = &panel->series[s];
        double y = top + (double)s * (LEADING + 2);
        if (!series->scatter)
            svg_stroke(out, left, y, left + 30, y, palette_series(series->color),
                       series->reference ? 1.2 : 1.8, series->reference);
        if (!series->reference)
            mark_draw(out, left + 15, y, MARK, series->color);
        svg_text(out, left + LEGEND_TEXT, y + 4, &text_font, series->name);
    }
}

/* Where things are. */
typedef struct {
    double width, height, top;            /* of the page; of the first panel */
    double legend_left, legend_top;
} sheet;

/* The legend is below the panels, or where the last row has room for one more. */
static void place_legend(sheet *p, const lineplot *plot, double bottom)
{
    const lineplot_panel *panel = &plot->panel[0];
    double names = 0, lines = (double)panel->count * (LEADING + 2);
    bool beside = plot->panels > 1 && plot->panels % ACROSS_MOST != 0;
    for (size_t s = 0; s < panel->count; s++)
        names = fmax(names, svg_text_width(panel->series[s].name, &text_font));
    p->legend_left = beside ? MARGIN + LEFT + (double)(plot->panels % ACROSS_MOST) * PITCH
                            : MARGIN;
    p->legend_top = beside ? bottom - ROW + LEADING : bottom;
    p->width = fmax(p->width, p->legend_left + LEGEND_TEXT + names + MARGIN);
    p->height = fmax(bottom, p->legend_top + lines + MARGIN / 2.0);
}

static sheet arrange(const lineplot *plot)
{
    size_t across = plot->panels < ACROSS_MOST ? plot->panels : ACROSS_MOST;
    size_t rows = (plot->panels + ACROSS_MOST - 1) / ACROSS_MOST;
    sheet p = { .width = fmax(2 * MARGIN + (double)across * PITCH - GAP,
                              svg_text_width(plot->title, &title_font) + 2 * MARGIN) };
    place_legend(&p, plot, 0);
    size_t lines = svg_paragraph(NULL, 0, 0, p.width - 2 * MARGIN, LEADING, &text_font,
                                 plot->subtitle);
    p.top = 44 + LEADING * (double)lines + 14;
    place_legend(&p, plot, p.top + (double)rows * ROW);
    return p;
}

void lineplot_write(const lineplot *plot, FILE *out)
{
    sheet p = arrange(plot);
    svg_begin(out, p.width, p.height, plot->title, plot->subtitle);
    svg_text(out, MARGIN, 32, &title_font, plot->title);
    svg_paragraph(out, MARGIN, 54, p.width - 2 * MARGIN, LEADING, &text_font, plot->subtitle);
    for (size_t i = 0; i < plot->panels; i++)
        draw_panel(plot, i, p.top, out);
    draw_legend(&plot->panel[0], p.legend_left, p.legend_top, out);
    svg_end(out);
}

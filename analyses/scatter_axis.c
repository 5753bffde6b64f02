/* The axes of a panel. */
#include <config.h>
#include "analyses/scatter_parts.h"

#include <math.h>

enum { INSET = 14, TICKS = 6 };

static const svg_font middle = { 12, SVG_MIDDLE, SCATTER_INK, false, 0 };
static const svg_font end = { 12, SVG_END, SCATTER_INK, false, 0 };
static const svg_font upright = { 12, SVG_MIDDLE, SCATTER_INK, false, -90 };

static double along(const lineplot_axis *axis, const scatter_axis *a, double value)
{
    double at = lineplot_axis_at(axis, value);
    return a->reversed ? 1 - at : at;
}

double scatter_x(const scatter_frame *f, double x)
{
    return f->left + INSET + (SCATTER_WIDTH - 2 * INSET) * along(&f->x, &f->panel->x, x);
}

/* Bands may leave the axis: they are cut at the frame. */
double scatter_y(const scatter_frame *f, double y)
{
    double up = INSET + (SCATTER_HEIGHT - 2 * INSET) * along(&f->y, &f->panel->y, y);
    return f->top + SCATTER_HEIGHT - fmin(fmax(up, 0), SCATTER_HEIGHT);
}

static void stretch(double range[2], double value)
{
    range[0] = fmin(range[0], value);
    range[1] = fmax(range[1], value);
}

static lineplot_axis make_axis(const scatter_axis *a, double low, double high)
{
    size_t about = TICKS;
    high = fmax(high, a->high > 0 ? a->high : high);
    if (a->from_zero) {
        low = 0;
        high = high > 0 ? high : 1;
    }
    if (low > 0 && isfinite(high) && (a->log || (a->log_if_wide && high > 10 * low)))
        return lineplot_axis_log(low, high, TICKS);
    if (a->whole && high - low < TICKS)
        about = (size_t)fmax(ceil(high - low), 1);
    return lineplot_axis_make(low, high, false, about);
}

static bool drawn(const scatter_point *p)
{
    return isfinite(p->x) && isfinite(p->y);
}

void scatter_make_axes(scatter_frame *f)
{
    double x[2] = { INFINITY, -INFINITY }, y[2] = { INFINITY, -INFINITY };
    for (size_t s = 0; s < f->panel->count; s++) {
        const scatter_series *series = &f->panel->series[s];
        for (size_t i = 0; i < series->count; i++) {
            if (!drawn(&series->point[i]))
                continue;
            stretch(x, series->point[i].x);
            stretch(y, series->point[i].y);
        }
        for (size_t i = 0; i < series->nodes; i++)
            stretch(y, series->curve[i].y);
    }
    f->x = make_axis(&f->panel->x, x[0], x[1]);
    f->y = make_axis(&f->panel->y, y[0], y[1]);
}

static void tick_text(char *text, size_t size, const scatter_axis *a, double value)
{
    if (a->amounts)
        lineplot_amount_text(text, size, value);
    else
        snprintf(text, size, "%.6g", value);
}

static void draw_ticks(const scatter_frame *f)
{
    char text[32];
    double bottom = f->top + SCATTER_HEIGHT;
    for (size_t i = 0; i < f->y.ticks; i++) {
        tick_text(text, sizeof text, &f->panel->y, f->y.tick[i]);
        svg_text(f->out, f->left - 7, scatter_y(f, f->y.tick[i]) + 4, &end, text);
    }
    for (size_t i = 0; i < f->x.ticks; i++) {
        tick_text(text, sizeof text, &f->panel->x, f->x.tick[i]);
        svg_text(f->out, scatter_x(f, f->x.tick[i]), bottom + 19, &middle, text);
    }
}

static void draw_axis_label(const scatter_frame *f, double x, double y, const svg_font *font,
                            const scatter_axis *a, bool log)
{
    char text[128];
    snprintf(text, sizeof text, "%.100s%s", a->label, log ? " (logarithmic)" : "");
    svg_text(f->out, x, y, font, text);
}

void scatter_draw_axes(const scatter_frame *f)
{
    double bottom = f->top + SCATTER_HEIGHT;
    svg_group_begin(f->out);
    for (size_t i = 0; i < f->y.ticks; i++)
        svg_line(f->out, f->left, scatter_y(f, f->y.tick[i]), f->left + SCATTER_WIDTH,
                 scatter_y(f, f->y.tick[i]), SCATTER_FAINT);
    for (size_t i = 0; i < f->x.ticks; i++) {
        double x = scatter_x(f, f->x.tick[i]);
        svg_line(f->out, x, bottom, x, bottom + 5, SCATTER_FRAME);
    }
    svg_frame(f->out, f->left, f->top, SCATTER_WIDTH, SCATTER_HEIGHT, SCATTER_FRAME);
    svg_group_end(f->out);
    draw_ticks(f);
    draw_axis_label(f, f->left + SCATTER_WIDTH / 2.0, bottom + 40, &middle, &f->panel->x, f->x.log);
    draw_axis_label(f, f->left - 52, f->top + SCATTER_HEIGHT / 2.0, &upright, &f->panel->y,
                    f->y.log);
}

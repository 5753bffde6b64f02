#include <config.h>
#include "analyses/scatter.h"

#include <math.h>
#include <string.h>

#include "analyses/palette.h"
#include "analyses/svg.h"

#define INK   "#222222"
#define FAINT "#ececec"
#define FRAME "#8a8a8a"
#define THIN  "#9a9a9a"

enum {
    MARGIN = 20, LEADING = 15, PLOT_WIDTH = 410, PLOT_HEIGHT = 290, LEFT = 66, GAP = 34,
    INSET = 14, BELOW = 58, TICKS = 6, RADIUS = 4
};

static const svg_font title_font = { 17, SVG_START, INK, true, 0 };
static const svg_font heading_font = { 13, SVG_START, INK, true, 0 };
static const svg_font text_font = { 12, SVG_START, INK, false, 0 };
static const svg_font small = { 11, SVG_START, INK, false, 0 };
static const svg_font middle = { 12, SVG_MIDDLE, INK, false, 0 };
static const svg_font end = { 12, SVG_END, INK, false, 0 };
static const svg_font upright = { 12, SVG_MIDDLE, INK, false, -90 };

typedef struct {
    const scatter_panel *panel;
    FILE                *out;
    double               left, top;      /* of the plot's frame */
    lineplot_axis        x, y;
} frame;

/* --- axes ------------------------------------------------------------------------------- */

static double along(const lineplot_axis *axis, const scatter_axis *a, double value)
{
    double at = lineplot_axis_at(axis, value);
    return a->reversed ? 1 - at : at;
}

static double x_of(const frame *f, double x)
{
    return f->left + INSET + (PLOT_WIDTH - 2 * INSET) * along(&f->x, &f->panel->x, x);
}

/* Bands may leave the axis: they are cut at the frame. */
static double y_of(const frame *f, double y)
{
    double up = INSET + (PLOT_HEIGHT - 2 * INSET) * along(&f->y, &f->panel->y, y);
    return f->top + PLOT_HEIGHT - fmin(fmax(up, 0), PLOT_HEIGHT);
}

static void stretch(double range[2], double value)
{
    range[0] = fmin(range[0], value);
    range[1] = fmax(range[1], value);
}

/* Logarithmic axes get at least a factor of 4, which has ticks in it. */
static lineplot_axis make_axis(const scatter_axis *a, double low, double high)
{
    size_t about = TICKS;
    high = fmax(high, a->high > 0 ? a->high : high);
    if (a->from_zero) {
        low = 0;
        high = high > 0 ? high : 1;
    }
    if (a->log && low > 0 && high < 4 * low) {
        double more = sqrt(4 * low / high);
        low /= more;
        high *= more;
    }
    if (a->whole && high - low < TICKS)
        about = (size_t)fmax(ceil(high - low), 1);
    return lineplot_axis_make(low, high, a->log, about);
}

static bool drawn(const scatter_point *p)
{
    return isfinite(p->x) && isfinite(p->y);
}

static void find_ranges(frame *f)
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

/* "2M", "500K", "10B"; or plain numbers. */
static void tick_text(char *text, size_t size, const scatter_axis *a, double value)
{
    static const char letters[] = "\0KMBT";
    size_t power = 0;
    for (; a->amounts && value >= 999.5 && power < 4; power++)
        value /= 1000;
    snprintf(text, size, "%.6g%.1s", value, &letters[power]);
}

static void draw_ticks(const frame *f)
{
    char text[32];
    double bottom = f->top + PLOT_HEIGHT;
    for (size_t i = 0; i < f->y.ticks; i++) {
        tick_text(text, sizeof text, &f->panel->y, f->y.tick[i]);
        svg_text(f->out, f->left - 7, y_of(f, f->y.tick[i]) + 4, &end, text);
    }
    for (size_t i = 0; i < f->x.ticks; i++) {
        tick_text(text, sizeof text, &f->panel->x, f->x.tick[i]);
        svg_text(f->out, x_of(f, f->x.tick[i]), bottom + 19, &middle, text);
    }
}

static void draw_axes(const frame *f)
{
    double bottom = f->top + PLOT_HEIGHT;
    svg_group_begin(f->out);
    for (size_t i = 0; i < f->y.ticks; i++)
        svg_line(f->out, f->left, y_of(f, f->y.tick[i]), f->left + PLOT_WIDTH,
                 y_of(f, f->y.tick[i]), FAINT);
    for (size_t i = 0; i < f->x.ticks; i++)
        svg_line(f->out, x_of(f, f->x.tick[i]), bottom, x_of(f, f->x.tick[i]), bottom + 5, FRAME);
    svg_frame(f->out, f->left, f->top, PLOT_WIDTH, PLOT_HEIGHT, FRAME);
    svg_group_end(f->out);
    draw_ticks(f);
    svg_text(f->out, f->left + PLOT_WIDTH / 2.0, bottom + 40, &middle, f->panel->x.label);
    svg_text(f->out, f->left - 52, f->top + PLOT_HEIGHT / 2.0, &upright, f->panel->y.label);
}

/* --- curves ------------------------------------------------------------------------------- */

static const char *color_of(const scatter_series *s)
{
    return palette_series(s->mark == SCATTER_DIAMOND);
}

/* `xy` has room for 4 numbers a node. */
static void draw_curve(const frame *f, const scatter_series *s, double *xy)
{
    bool dashed = s->mark == SCATTER_DIAMOND;
    if (s->nodes == 0)
        return;
    for (size_t i = 0; i < s->nodes; i++) {
        size_t back = 2 * s->nodes - 1 - i;
        xy[2 * i] = xy[2 * back] = x_of(f, s->curve[i].x);
        xy[2 * i + 1] = y_of(f, s->curve[i].low);
        xy[2 * back + 1] = y_of(f, s->curve[i].high);
    }
    if (!isnan(s->curve[0].low))
        svg_area(f->out, xy, 2 * s->nodes, color_of(s), 0.16);
    for (size_t i = 0; i < s->nodes; i++)
        xy[2 * i + 1] = y_of(f, s->curve[i].y);
    svg_path(f->out, xy, s->nodes, color_of(s), dashed ? 1.4 : 1.8, dashed);
}

static osc_status draw_curves(const frame *f)
{
    size_t most = 0;
    for (size_t s = 0; s < f->panel->count; s++)
        most = f->panel->series[s].nodes > most ? f->panel->series[s].nodes : most;
    double *xy = osc_alloc(4 * most, sizeof *xy);
    if (xy == NULL)
        return OSC_ENOMEM;
    for (size_t s = 0; s < f->panel->count; s++)
        draw_curve(f, &f->panel->series[s], xy);
    osc_free(xy);
    return OSC_OK;
}

/* --- marks and labels ------------------------------------------------------------------- */

static void draw_mark(FILE *out, double x, double y, const scatter_series *s)
{
    switch (s->mark) {
    case SCATTER_DISC: svg_disc(out, x, y, RADIUS, color_of(s)); break;
    case SCATTER_RING: svg_ring(out, x, y, RADIUS - 0.6, color_of(s)); break;
    case SCATTER_DIAMOND: svg_diamond(out, x, y, RADIUS + 0.8, color_of(s)); break;
    }
}

/* The marks of a panel with its labels, and the curves that these avoid. */
typedef struct {
    labels_mark *mark;
    const char **text;
    size_t       marks;
    labels_line *line;
    size_t       lines;
} scene;

static void fill_marks(scene *made, const frame *f)
{
    for (size_t s = 0; s < f->panel->count; s++) {
        const scatter_series *series = &f->panel->series[s];
        for (size_t i = 0; i < series->count; i++) {
            const scatter_point *p = &series->point[i];
            if (!drawn(p))
                continue;
            double width = p->label == NULL ? 0 : svg_text_width(p->label, &small);
            made->text[made->marks] = p->label;
            made->mark[made->marks++] = (labels_mark){
                .x = x_of(f, p->x), .y = y_of(f, p->y), .radius = RADIUS + 1,
                .box = { .width = width, .height = small.size + 1 },
            };
        }
        for (size_t i = 1; i < series->nodes; i++) {
            const scatter_node *a = &series->curve[i - 1], *b = &series->curve[i];
            made->line[made->lines++] = (labels_line){ x_of(f, a->x), y_of(f, a->y),
                                                       x_of(f, b->x), y_of(f, b->y) };
        }
    }
}

static osc_status own_scene(scene *made, const frame *f)
{
    size_t marks = 0, lines = 0;
    for (size_t s = 0; s < f->panel->count; s++) {
        marks += f->panel->series[s].count;
        lines += f->panel->series[s].nodes;
    }
    made->mark = osc_alloc(marks, sizeof *made->mark);
    made->text = osc_alloc(marks, sizeof *made->text);
    made->line = osc_alloc(lines, sizeof *made->line);
    return made->mark && made->text && made->line ? OSC_OK : OSC_ENOMEM;
}

static void draw_labels(const scene *s, FILE *out)
{
    for (size_t i = 0; i < s->marks; i++)
        if (s->mark[i].placed && s->mark[i].leader)
            svg_stroke(out, s->mark[i].tip_x, s->mark[i].tip_y, s->mark[i].mark_x,
                       s->mark[i].mark_y, THIN, 0.7, false);
    for (size_t i = 0; i < s->marks; i++)
        if (s->mark[i].placed)
            svg_text(out, s->mark[i].box.left, s->mark[i].box.top + small.size - 1, &small,
                     s->text[i]);
}

static osc_status draw_points(const frame *f)
{
    const labels_box area = { f->left + 3, f->top + 3, PLOT_WIDTH - 6, PLOT_HEIGHT - 6 };
    scene made = { .marks = 0 };
    osc_status status = own_scene(&made, f);
    if (status == OSC_OK) {
        fill_marks(&made, f);
        labels_place(made.mark, made.marks, &area, made.line, made.lines);
        draw_labels(&made, f->out);
        size_t next = 0;
        for (size_t s = 0; s < f->panel->count; s++)
            for (size_t i = 0; i < f->panel->series[s].count; i++)
                if (drawn(&f->panel->series[s].point[i])) {
                    draw_mark(f->out, made.mark[next].x, made.mark[next].y,
                              &f->panel->series[s]);
                    next++;
                }
    }
    osc_free(made.mark);
    osc_free(made.text);
    osc_free(made.line);
    return status;
}

/* --- panels ------------------------------------------------------------------------------- */

/* Writes the heading and the captions, or (out NULL) only counts their lines. */
static size_t write_captions(const scatter_panel *p, double left, double top, FILE *out)
{
    size_t lines = 0;
    if (out != NULL)
        svg_text(out, left, top + 12, &heading_font, p->heading);
    for (size_t i = 0; i < SCATTER_CAPTIONS; i++)
        if (p->caption[i] != NULL)
            lines += svg_paragraph(out, left, top + 30 + LEADING * (double)lines,
                                   LEFT + PLOT_WIDTH, LEADING, &small, p->caption[i]);
    return lines;
}

/* Lines of captions above the panels of a row. */
static size_t caption_lines(const scatter *plot, size_t first)
{
    size_t most = 0;
    for (size_t i = first; i < plot->panels && i < first + plot->columns; i++) {
        size_t lines = write_captions(&plot->panel[i], 0, 0, NULL);
        most = lines > most ? lines : most;
    }
    return most;
}

static double captions_height(size_t lines)
{
    return 24 + LEADING * (double)lines;
}

static osc_status draw_panel(const scatter_panel *panel, double left, double top, size_t lines,
                             FILE *out)
{
    frame f = { .panel = panel, .out = out, .left = left + LEFT,
                .top = top + captions_height(lines) };
    write_captions(panel, left, top, out);
    find_ranges(&f);
    draw_axes(&f);
    OSC_TRY(draw_curves(&f));
    return draw_points(&f);
}

static void draw_legend(const scatter_panel *panel, double top, FILE *out)
{
    for (size_t s = 0; s < panel->count; s++) {
        const scatter_series *series = &panel->series[s];
        double y = top + (double)s * (LEADING + 3);
        draw_mark(out, MARGIN + 8, y, series);
        svg_text(out, MARGIN + 24, y + 4, &text_font, series->name);
    }
}

static double width_of(const scatter *plot)
{
    double width = (double)plot->columns * (LEFT + PLOT_WIDTH + GAP) - GAP + 2 * MARGIN;
    width = fmax(width, svg_text_width(plot->title, &title_font) + 2 * MARGIN);
    for (size_t s = 0; s < plot->panel[0].count; s++)
        width = fmax(width, svg_text_width(plot->panel[0].series[s].name, &text_font)
                            + 2 * MARGIN + 24);
    return width;
}

osc_status scatter_write(const scatter *plot, FILE *out)
{
    double width = width_of(plot);
    size_t lines = svg_paragraph(NULL, 0, 0, width - 2 * MARGIN, LEADING, &text_font,
                                 plot->subtitle);
    double first = 44 + LEADING * (double)lines + 12, top = first;
    for (size_t i = 0; i < plot->panels; i += plot->columns)
        top += captions_height(caption_lines(plot, i)) + PLOT_HEIGHT + BELOW;
    double height = top + (double)plot->panel[0].count * (LEADING + 3) + MARGIN / 2.0;
    svg_begin(out, width, height, plot->title, plot->subtitle);
    svg_text(out, MARGIN, 32, &title_font, plot->title);
    svg_paragraph(out, MARGIN, 54, width - 2 * MARGIN, LEADING, &text_font, plot->subtitle);
    draw_legend(&plot->panel[0], top, out);
    top = first;
    for (size_t i = 0; i < plot->panels; i++) {
        size_t column = i % plot->columns, above = caption_lines(plot, i - column);
        OSC_TRY(draw_panel(&plot->panel[i], MARGIN + (double)column * (LEFT + PLOT_WIDTH + GAP),
                           top, above, out));
        if (column + 1 == plot->columns)
            top += captions_height(above) + PLOT_HEIGHT + BELOW;
    }
    svg_end(out);
    return OSC_OK;
}

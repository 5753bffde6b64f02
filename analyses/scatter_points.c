/* What is in the frame of a panel.  Labels find their places first; then come, from the
 * bottom, curves, a veil over them behind each label, bands, leaders, labels, marks. */
#include <config.h>
#include "analyses/scatter_parts.h"

#include <math.h>

#include "analyses/palette.h"

#define THIN "#9a9a9a"

enum { RADIUS = 4 };

static const svg_font small = { 11, SVG_START, SCATTER_INK, false, 0 };
static const svg_font small_end = { 11, SVG_END, SCATTER_INK, false, 0 };

typedef struct {
    labels_mark *mark;      /* [marks], every point that is drawn, series by series */
    const char **text;
    size_t       marks, missing;
    labels_line *line;      /* [lines], of the curves, which labels avoid */
    size_t       lines;
    double      *xy;        /* room for a band */
} scene;

static const char *color_of(const scatter_series *s)
{
    return palette_series(s->mark == SCATTER_DIAMOND);
}

static bool drawn(const scatter_point *p)
{
    return isfinite(p->x) && isfinite(p->y);
}

/* --- places -------------------------------------------------------------------------------- */

static void add_marks(scene *made, const scatter_frame *f, const scatter_series *series)
{
    for (size_t i = 0; i < series->count; i++) {
        const scatter_point *p = &series->point[i];
        if (!drawn(p))
            continue;
        double width = p->label == NULL ? 0 : svg_text_width(p->label, &small);
        made->text[made->marks] = p->label;
        made->mark[made->marks++] = (labels_mark){
            .x = scatter_x(f, p->x), .y = scatter_y(f, p->y), .radius = RADIUS + 1,
            .box = { .width = width, .height = small.size + 1 },
        };
    }
}

static void add_lines(scene *made, const scatter_frame *f, const scatter_series *series)
{
    for (size_t i = 1; i < series->nodes; i++) {
        const scatter_node *a = &series->curve[i - 1], *b = &series->curve[i];
        made->line[made->lines++] = (labels_line){ scatter_x(f, a->x), scatter_y(f, a->y),
                                                   scatter_x(f, b->x), scatter_y(f, b->y) };
    }
}

static osc_status own_scene(scene *made, const scatter_panel *panel)
{
    size_t marks = 0, lines = 0;
    for (size_t s = 0; s < panel->count; s++) {
        marks += panel->series[s].count;
        lines += panel->series[s].nodes;
    }
    made->mark = osc_alloc(marks, sizeof *made->mark);
    made->text = osc_alloc(marks, sizeof *made->text);
    made->line = osc_alloc(lines, sizeof *made->line);
    made->xy = osc_alloc(4 * lines, sizeof *made->xy);
    return made->mark && made->text && made->line && made->xy ? OSC_OK : OSC_ENOMEM;
}

static void place(scene *made, const scatter_frame *f)
{
    const labels_box area = { f->left + 3, f->top + 3, SCATTER_WIDTH - 6, SCATTER_HEIGHT - 6 };
    for (size_t s = 0; s < f->panel->count; s++) {
        add_marks(made, f, &f->panel->series[s]);
        add_lines(made, f, &f->panel->series[s]);
    }
    made->missing = labels_place(made->mark, made->marks, &area, made->line, made->lines);
}

/* --- curves -------------------------------------------------------------------------------- */

static void draw_curve(const scatter_frame *f, const scatter_series *s, double *xy)
{
    bool dashed = s->mark == SCATTER_DIAMOND;
    for (size_t i = 0; i < s->nodes; i++) {
        xy[2 * i] = scatter_x(f, s->curve[i].x);
        xy[2 * i + 1] = scatter_y(f, s->curve[i].y);
    }
    if (s->nodes > 0)
        svg_path(f->out, xy, s->nodes, color_of(s), dashed ? 1.4 : 1.8, dashed);
}

/* Along the lower edge and back along the upper. */
static void draw_band(const scatter_frame *f, const scatter_series *s, double *xy)
{
    if (s->nodes == 0 || isnan(s->curve[0].low))
        return;
    for (size_t i = 0; i < s->nodes; i++) {
        size_t back = 2 * s->nodes - 1 - i;
        xy[2 * i] = xy[2 * back] = scatter_x(f, s->curve[i].x);
        xy[2 * i + 1] = scatter_y(f, s->curve[i].low);
        xy[2 * back + 1] = scatter_y(f, s->curve[i].high);
    }
    svg_area(f->out, xy, 2 * s->nodes, color_of(s), 0.16);
}

/* --- labels and marks ------------------------------------------------------------------- */

static void draw_veils(const scene *s, FILE *out)
{
    for (size_t i = 0; i < s->marks; i++) {
        const labels_box *b = &s->mark[i].box;
        const double right = b->left + b->width, bottom = b->top + b->height;
        const double xy[] = { b->left, b->top, right, b->top, right, bottom, b->left, bottom };
        if (s->mark[i].placed)
            svg_area(out, xy, 4, "#ffffff", 0.7);
    }
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

static void note_missing(const scatter_frame *f, size_t missing)
{
    char text[64];
    snprintf(text, sizeof text, "no room for %zu label%s", missing, missing == 1 ? "" : "s");
    if (missing > 0)
        svg_text(f->out, f->left + SCATTER_WIDTH, f->top + SCATTER_HEIGHT + 54, &small_end, text);
}

void scatter_draw_mark(FILE *out, double x, double y, const scatter_series *s)
{
    switch (s->mark) {
    case SCATTER_DISC: svg_disc(out, x, y, RADIUS, color_of(s)); break;
    case SCATTER_RING: svg_ring(out, x, y, RADIUS - 0.6, color_of(s)); break;
    case SCATTER_DIAMOND: svg_diamond(out, x, y, RADIUS + 0.8, color_of(s)); break;
    }
}

static void draw_marks(const scene *s, const scatter_frame *f)
{
    const labels_mark *next = s->mark;
    for (size_t i = 0; i < f->panel->count; i++)
        for (size_t j = 0; j < f->panel->series[i].count; j++)
            if (drawn(&f->panel->series[i].point[j])) {
                scatter_draw_mark(f->out, next->x, next->y, &f->panel->series[i]);
                next++;
            }
}

static void draw(const scene *s, const scatter_frame *f)
{
    for (size_t i = 0; i < f->panel->count; i++)
        draw_curve(f, &f->panel->series[i], s->xy);
    draw_veils(s, f->out);
    for (size_t i = 0; i < f->panel->count; i++)
        draw_band(f, &f->panel->series[i], s->xy);
    draw_labels(s, f->out);
    draw_marks(s, f);
    note_missing(f, s->missing);
}

osc_status scatter_draw_points(const scatter_frame *f)
{
    scene made = { .marks = 0 };
    osc_status status = own_scene(&made, f->panel);
    if (status == OSC_OK) {
        place(&made, f);
        draw(&made, f);
    }
    osc_free(made.mark);
    osc_free(made.text);
    osc_free(made.line);
    osc_free(made.xy);
    return status;
}

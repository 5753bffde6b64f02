/* Each label tries places around its mark, on rings of growing distance, and takes the
 * cheapest that is free: near ones, to the right and above first, off the curves.  Some
 * rounds let it move when others have; of several orders the cheapest arrangement wins. */
#include <config.h>
#include "analyses/labels.h"

#include <math.h>

enum { DIRECTIONS = 16, RINGS = 14, ROUNDS = 3, TURNS = 8, CROWD = 40 };

static const double beside = 6, above = 1;         /* room between labels */
static const double leader_from = 9;      /* distance that needs a line */
static const double on_curve = 14, ambiguous = 16, on_leader = 60;   /* in pixels of distance */
static const double no_place = 10000;

typedef struct {
    labels_mark       *mark;
    size_t             count;
    const labels_box  *area;
    const labels_line *line;
    size_t             lines;
} scene;

bool labels_overlap(const labels_box *a, const labels_box *b)
{
    return a->left < b->left + b->width && b->left < a->left + a->width
        && a->top < b->top + b->height && b->top < a->top + a->height;
}

static double clamp(double value, double low, double high)
{
    return value < low ? low : value > high ? high : value;
}

static labels_box with_room(const labels_box *box)
{
    return (labels_box){ box->left - beside, box->top - above, box->width + 2 * beside,
                         box->height + 2 * above };
}

static double distance(const labels_box *box, double x, double y)
{
    return hypot(x - clamp(x, box->left, box->left + box->width),
                 y - clamp(y, box->top, box->top + box->height));
}

/* Does the segment enter the box?  (Liang and Barsky's clipping.) */
static bool crosses(const labels_box *box, double x1, double y1, double x2, double y2)
{
    double from = 0, to = 1, step[2] = { x2 - x1, y2 - y1 };
    double low[2] = { box->left - x1, box->top - y1 };
    double high[2] = { low[0] + box->width, low[1] + box->height };
    for (int i = 0; i < 2; i++) {
        if (step[i] == 0) {
            if (low[i] > 0 || high[i] < 0)
                return false;
            continue;
        }
        double a = low[i] / step[i], b = high[i] / step[i];
        from = fmax(from, fmin(a, b));
        to = fmin(to, fmax(a, b));
    }
    return from < to;
}

/* --- places ----------------------------------------------------------------------------- */

/* The line between a label and its mark, and whether it is long enough to be drawn. */
static void join(labels_mark *m)
{
    m->tip_x = clamp(m->x, m->box.left, m->box.left + m->box.width);
    m->tip_y = clamp(m->y, m->box.top, m->box.top + m->box.height);
    double length = hypot(m->tip_x - m->x, m->tip_y - m->y);
    m->leader = length - m->radius > leader_from;
    double share = length > 0 ? m->radius / length : 0;
    m->mark_x = m->x + share * (m->tip_x - m->x);
    m->mark_y = m->y + share * (m->tip_y - m->y);
}

/* Is the place of mark `index` inside and on no mark and no other label? */
static bool is_free(const scene *s, size_t index)
{
    const labels_mark *m = &s->mark[index];
    labels_box box = with_room(&m->box);
    if (m->box.left < s->area->left || m->box.top < s->area->top
        || m->box.left + m->box.width > s->area->left + s->area->width
        || m->box.top + m->box.height > s->area->top + s->area->height)
        return false;
    for (size_t i = 0; i < s->count; i++) {
        const labels_mark *other = &s->mark[i];
        if (distance(&m->box, other->x, other->y) < other->radius + 1
            || (i != index && other->placed && labels_overlap(&box, &other->box)))
            return false;
    }
    return true;
}

/* Lines that run through other labels, through this one, or through other marks. */
static double cost_of_leaders(const scene *s, size_t index)
{
    const labels_mark *m = &s->mark[index];
    double cost = 0;
    for (size_t i = 0; i < s->count; i++) {
        const labels_mark *other = &s->mark[i];
        if (i == index)
            continue;
        labels_box disc = { other->x - other->radius, other->y - other->radius,
                            2 * other->radius, 2 * other->radius };
        if (m->leader)
            cost += on_leader * crosses(&disc, m->tip_x, m->tip_y, m->mark_x, m->mark_y);
        if (other->placed && m->leader)
            cost += on_leader * crosses(&other->box, m->tip_x, m->tip_y, m->mark_x, m->mark_y);
        if (other->placed && other->leader)
            cost += on_leader * crosses(&m->box, other->tip_x, other->tip_y, other->mark_x,
                                        other->mark_y);
    }
    return cost;
}

/* Could a reader take it for the label of another mark?  Marks in one place share. */
static bool is_ambiguous(const scene *s, size_t index)
{
    const labels_mark *m = &s->mark[index];
    double own = distance(&m->box, m->x, m->y);
    for (size_t i = 0; i < s->count; i++) {
        const labels_mark *other = &s->mark[i];
        if (hypot(other->x - m->x, other->y - m->y) > 1
            && distance(&m->box, other->x, other->y) < own + 3)
            return true;
    }
    return false;
}

static double cost_of(const scene *s, size_t index)
{
    const labels_mark *m = &s->mark[index];
    double cost = cost_of_leaders(s, index) + (is_ambiguous(s, index) ? ambiguous : 0);
    for (size_t i = 0; i < s->lines; i++) {
        const labels_line *l = &s->line[i];
        if (crosses(&m->box, l->x1, l->y1, l->x2, l->y2)) {
            cost += on_curve;
            break;
        }
    }
    return cost;
}

/* --- search ------------------------------------------------------------------------------ */

/* Tries a place; `own` is what it costs in itself.  Keeps it if it is the best so far. */
static void attempt(const scene *s, size_t index, double left, double top, double own,
                    labels_mark *best, double *least)
{
    labels_mark *m = &s->mark[index];
    if (own >= *least)
        return;
    m->box.left = left;
    m->box.top = top;
    join(m);
    if (!is_free(s, index))
        return;
    double cost = own + cost_of(s, index);
    if (cost >= *least)
        return;
    *least = cost;
    *best = *m;
    best->placed = true;
}

/* Around the mark: right, then above, below, left; farther costs more. */
static void try_rings(const scene *s, size_t index, labels_mark *best, double *least)
{
    const labels_mark m = s->mark[index];
    const double turn = 2 * acos(-1.0) / DIRECTIONS;
    for (int ring = 0; ring < RINGS; ring++) {
        double gap = ring == 0 ? 3 : 3 + 5.0 * ring + ring * ring;
        for (int d = 0; d < DIRECTIONS; d++) {
            double across = cos(d * turn), up = sin(d * turn);
            double x = m.x + across * (m.radius + gap), y = m.y - up * (m.radius + gap);
            double left = x - m.box.width * (1 - clamp(across * 1.5, -1, 1)) / 2;
            double top = y - m.box.height * (1 + clamp(up * 1.5, -1, 1)) / 2;
            double preference = 1.5 * (1 - across) + (up < -0.01 ? 1 : 0);
            attempt(s, index, left, top, gap + preference, best, least);
        }
    }
}

/* Anywhere. */
static void try_grid(const scene *s, size_t index, labels_mark *best, double *least)
{
    const labels_mark m = s->mark[index];
    for (double top = s->area->top; top < s->area->top + s->area->height; top += 5)
        for (double left = s->area->left; left < s->area->left + s->area->width; left += 8)
            attempt(s, index, left, top, hypot(left + m.box.width / 2 - m.x,
                                               top + m.box.height / 2 - m.y), best, least);
}

/* Returns what the place costs. */
static double place(const scene *s, size_t index)
{
    labels_mark *m = &s->mark[index], best = *m;
    double least = INFINITY;
    m->placed = false;
    best.placed = false;
    try_rings(s, index, &best, &least);
    if (!best.placed)
        try_grid(s, index, &best, &least);
    *m = best;
    return best.placed ? least : no_place;
}

static size_t divisor(size_t a, size_t b)
{
    return b == 0 ? a : divisor(b, a % b);
}

/* Places all in an order of its own for each `turn`: every stride-th mark, round and
 * round.  Returns what the places of the last round cost. */
static double arrange(const scene *s, size_t turn)
{
    double cost = 0;
    size_t stride = turn + 1;
    while (divisor(s->count, stride) != 1)
        stride++;
    for (size_t i = 0; i < s->count; i++)
        s->mark[i].placed = s->mark[i].leader = false;
    for (int round = 0; round < ROUNDS; round++) {
        cost = 0;
        for (size_t i = 0; i < s->count; i++) {
            size_t index = (i * stride + turn) % s->count;
            if (s->mark[index].box.width > 0)
                cost += place(s, index);
        }
    }
    return cost;
}

size_t labels_place(labels_mark *mark, size_t count, const labels_box *area,
                    const labels_line *line, size_t lines)
{
    scene s = { mark, count, area, line, lines };
    double least = INFINITY;
    size_t best = 0, missing = 0, turns = count == 0 ? 0 : count <= CROWD ? TURNS : 1;
    for (size_t turn = 0; turn < turns; turn++) {
        double cost = arrange(&s, turn);
        if (cost < least) {
            least = cost;
            best = turn;
        }
    }
    if (turns > 1)
        arrange(&s, best);
    for (size_t i = 0; i < count; i++)
        missing += mark[i].box.width > 0 && !mark[i].placed;
    return missing;
}

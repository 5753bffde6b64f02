/* The figure of a threshold study. */
#include <config.h>
#include "analyses/schemes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analyses/lineplot.h"

typedef struct {
    size_t           cells;              /* of the results */
    double          *x, *perplexity, *percent;   /* [cells] */
    double          *flat;               /* [2 * cells] x of reference lines; y likewise: */
    double          *level;
    char           (*name)[560];         /* [cells] of series */
    lineplot_series *series, *shares;    /* [2 * cells] */
    size_t           count, share_count, colors;
    bool             relative;           /* several models: their perplexities are far apart */
} curves;

static double height(const curves *v, const scheme_cell *c)
{
    return v->relative ? c->relative : c->perplexity;
}

/* The scheme without its threshold, and the model. */
static void name_series(char *name, size_t size, const scheme_cell *c)
{
    size_t length = strlen(c->scheme);
    for (size_t i = 0; i < length; i++)
        if ((c->scheme[i] == ':' || c->scheme[i] == ',')
            && strncmp(c->scheme + i + 1, "threshold=", 10) == 0)
            length = i;
    snprintf(name, size, "%s %.*s", c->model, (int)length, c->scheme);
}

static bool same_series(const scheme_cell *a, const scheme_cell *b)
{
    char first[560], second[560];
    name_series(first, sizeof first, a);
    name_series(second, sizeof second, b);
    return a->group == b->group && strcmp(first, second) == 0;
}

/* Group by group: scheme none, then series by series. */
static int by_series(const void *a, const void *b)
{
    const scheme_cell *x = a, *y = b;
    char first[560], second[560];
    if (x->group != y->group)
        return x->group < y->group ? -1 : 1;
    if (isnan(x->threshold) != isnan(y->threshold))
        return isnan(x->threshold) ? -1 : 1;
    name_series(first, sizeof first, x);
    name_series(second, sizeof second, y);
    int order = strcmp(first, second);
    return order != 0 ? order : (x->threshold > y->threshold) - (x->threshold < y->threshold);
}

void schemes_sort_study(scheme_cells *cells)
{
    if (cells->count > 0)
        qsort(cells->cell, cells->count, sizeof *cells->cell, by_series);
}

static int by_threshold(const void *a, const void *b)
{
    const scheme_cell *const *x = a, *const *y = b;
    return ((*x)->threshold > (*y)->threshold) - ((*x)->threshold < (*y)->threshold);
}

/* Cells first .. first+count-1 are one series. */
static osc_status add_series(curves *v, const scheme_cells *r, size_t first, size_t count)
{
    const scheme_cell **sorted = osc_alloc(count, sizeof *sorted);
    if (sorted == NULL)
        return OSC_ENOMEM;
    for (size_t i = 0; i < count; i++)
        sorted[i] = &r->cell[first + i];
    qsort(sorted, count, sizeof *sorted, by_threshold);
    for (size_t i = 0; i < count; i++) {
        v->x[first + i] = sorted[i]->threshold;
        v->perplexity[first + i] = height(v, sorted[i]);
        v->percent[first + i] = 100 * sorted[i]->columns;
    }
    osc_free(sorted);
    name_series(v->name[first], sizeof *v->name, &r->cell[first]);
    lineplot_series s = { .name = v->name[first], .x = v->x + first, .y = v->perplexity + first,
                          .count = count, .color = v->colors };
    v->series[v->count++] = s;
    s.y = v->percent + first;
    v->shares[v->share_count++] = s;
    v->colors++;
    return OSC_OK;
}

/* A model's perplexity under scheme none, as a dashed line over all thresholds. */
static void add_reference(curves *v, const scheme_cells *r, size_t cell, size_t end)
{
    double low = INFINITY, high = -INFINITY;
    for (size_t i = cell + 1; i < end; i++) {
        low = fmin(low, r->cell[i].threshold);
        high = fmax(high, r->cell[i].threshold);
    }
    v->flat[2 * cell] = low;
    v->flat[2 * cell + 1] = high;
    v->level[2 * cell] = v->level[2 * cell + 1] = height(v, &r->cell[cell]);
    name_series(v->name[cell], sizeof *v->name, &r->cell[cell]);
    v->series[v->count++] = (lineplot_series){
        .name = v->name[cell], .x = v->flat + 2 * cell, .y = v->level + 2 * cell, .count = 2,
        .color = v->colors, .reference = true,
    };
}

static osc_status make_curves(curves *v, const scheme_cells *r)
{
    size_t i = 0;
    while (i < r->count) {
        size_t end = i;
        if (isnan(r->cell[i].threshold)) {
            while (++end < r->count && r->cell[end].group == r->cell[i].group)
                ;
            add_reference(v, r, i++, end);
            continue;
        }
        while (end < r->count && same_series(&r->cell[i], &r->cell[end]))
            end++;
        OSC_TRY(add_series(v, r, i, end - i));
        i = end;
    }
    return OSC_OK;
}

static osc_status own(curves *v, size_t cells)
{
    v->cells = cells;
    v->x = osc_alloc(cells, sizeof *v->x);
    v->perplexity = osc_alloc(cells, sizeof *v->perplexity);
    v->percent = osc_alloc(cells, sizeof *v->percent);
    v->flat = osc_alloc(2 * cells, sizeof *v->flat);
    v->level = osc_alloc(2 * cells, sizeof *v->level);
    v->name = osc_alloc(cells, sizeof *v->name);
    v->series = osc_alloc(2 * cells, sizeof *v->series);
    v->shares = osc_alloc(2 * cells, sizeof *v->shares);
    return v->x == NULL || v->perplexity == NULL || v->percent == NULL || v->flat == NULL
        || v->level == NULL || v->name == NULL || v->series == NULL || v->shares == NULL
         ? OSC_ENOMEM : OSC_OK;
}

static void release(curves *v)
{
    osc_free(v->x);
    osc_free(v->perplexity);
    osc_free(v->percent);
    osc_free(v->flat);
    osc_free(v->level);
    osc_free(v->name);
    osc_free(v->series);
    osc_free(v->shares);
}

static void draw(const curves *v, const scheme_cells *r, FILE *out)
{
    const scheme_cell *c = &r->cell[0];
    char subtitle[400];
    snprintf(subtitle, sizeof subtitle, "Columns of a layer's input with outliers are multiplied "
             "in floating point, all others in int8. %zu sequence%s of at most %zu ids, "
             "protocol %s. Dashed: without quantization.", c->sequences,
             c->sequences == 1 ? "" : "s", c->length, c->protocol);
    const lineplot_panel panels[] = {
        { .y_label = v->relative ? "perplexity over that without quantization" : "perplexity",
          .series = v->series, .count = v->count },
        { .y_label = "columns in 16 bit (%)", .series = v->shares, .count = v->share_count,
          .from_zero = true },
    };
    lineplot_write(&(lineplot){
        .title = "What the outlier threshold costs and gives", .subtitle = subtitle,
        .x_label = "threshold", .panel = panels, .panels = 2 }, out);
}

osc_status schemes_plot_study(const scheme_cells *cells, FILE *out)
{
    curves v = { .relative = cells->groups > 1 };
    osc_status status = own(&v, cells->count);
    if (status == OSC_OK)
        status = make_curves(&v, cells);
    if (status == OSC_OK)
        draw(&v, cells, out);
    release(&v);
    return status;
}

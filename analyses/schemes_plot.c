/* What each scheme costs, as a figure. */
#include <config.h>
#include "analyses/schemes.h"

#include <math.h>
#include <string.h>

#include "analyses/dotplot.h"

typedef struct {
    const char **row, **series;          /* [cells], [groups]; point into the cells or names */
    char       (*name)[SCHEME_NAME + 48];   /* [groups] */
    double      *value;                  /* [rows, groups] */
    size_t       rows;
} dots;

static osc_status own(dots *d, const scheme_cells *cells)
{
    d->row = osc_alloc(cells->count, sizeof *d->row);
    d->series = osc_alloc(cells->groups, sizeof *d->series);
    d->name = osc_alloc(cells->groups, sizeof *d->name);
    d->value = cells->count > SIZE_MAX / (cells->groups + 1) ? NULL
             : osc_alloc(cells->count * cells->groups, sizeof *d->value);
    return d->row == NULL || d->series == NULL || d->name == NULL || d->value == NULL
         ? OSC_ENOMEM : OSC_OK;
}

static void release(dots *d)
{
    osc_free(d->row);
    osc_free(d->series);
    osc_free(d->name);
    osc_free(d->value);
}

/* The row of a scheme; a new one if it has none. */
static size_t row_of(dots *d, const char *scheme, size_t groups)
{
    for (size_t i = 0; i < d->rows; i++)
        if (strcmp(d->row[i], scheme) == 0)
            return i;
    for (size_t g = 0; g < groups; g++)
        d->value[d->rows * groups + g] = NAN;
    d->row[d->rows] = scheme;
    return d->rows++;
}

/* Groups of one model differ in their sequences. */
static void name_group(dots *d, const scheme_cells *cells, const scheme_cell *c)
{
    bool alone = true;
    for (size_t i = 0; i < cells->count; i++)
        alone &= cells->cell[i].group == c->group || strcmp(cells->cell[i].model, c->model) != 0;
    if (alone)
        snprintf(d->name[c->group], sizeof *d->name, "%s", c->model);
    else
        snprintf(d->name[c->group], sizeof *d->name, "%s (%zu sequences)", c->model, c->sequences);
    d->series[c->group] = d->name[c->group];
}

static void collect(dots *d, const scheme_cells *cells)
{
    for (size_t i = 0; i < cells->count; i++) {
        const scheme_cell *c = &cells->cell[i];
        if (d->series[c->group] == NULL)
            name_group(d, cells, c);
        if (strcmp(c->scheme, "none") == 0)
            continue;
        size_t row = row_of(d, c->scheme, cells->groups);
        double percent = 100 * (c->relative - 1);
        d->value[row * cells->groups + c->group] = isfinite(percent) ? percent
                                                 : isfinite(c->perplexity) ? NAN : INFINITY;
    }
}

/* What the numbers were measured on, where it is the same for all. */
static void write_subtitle(char *text, size_t size, const scheme_cells *cells)
{
    const scheme_cell *first = &cells->cell[0];
    bool same = true;
    for (size_t i = 1; i < cells->count; i++) {
        const scheme_cell *c = &cells->cell[i];
        same &= c->sequences == first->sequences && c->length == first->length
             && strcmp(c->protocol, first->protocol) == 0;
    }
    int used = snprintf(text, size, "Perplexity with the linear layers under each scheme, against "
                        "that of the same model as stored (scheme none). The scale is linear "
                        "below %g %% and logarithmic beyond.", DOTPLOT_LINEAR);
    if (same)
        snprintf(text + used, size - (size_t)used, " %zu sequence%s of at most %zu ids, "
                 "protocol %s.", first->sequences, first->sequences == 1 ? "" : "s",
                 first->length, first->protocol);
}

osc_status schemes_plot(const scheme_cells *cells, FILE *out)
{
    dots d = { .rows = 0 };
    char subtitle[512];
    osc_status status = own(&d, cells);
    if (status == OSC_OK) {
        collect(&d, cells);
        write_subtitle(subtitle, sizeof subtitle, cells);
        dotplot_write(&(dotplot){
            .title = "What each scheme costs", .subtitle = subtitle,
            .x_label = "perplexity above that of scheme none", .row = d.row, .rows = d.rows,
            .series = d.series, .count = cells->groups, .value = d.value }, out);
    }
    release(&d);
    return status;
}

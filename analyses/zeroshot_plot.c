/* Accuracy against model size: the paper's Figure 1, and its parts. */
#include <config.h>
#include "analyses/zeroshot.h"

#include <math.h>
#include <string.h>

#include "analyses/lineplot.h"

enum { PANELS = 16 };

/* The points of one panel, [schemes, cells] each. */
typedef struct {
    double          *x, *y, *low, *high;
    lineplot_series *series;             /* [schemes] */
} points;

typedef struct {
    const zeroshot_cells *cells;
    const char          **scheme;        /* [schemes] in order of appearance */
    size_t                schemes;
    points                part[PANELS];
    lineplot_panel        panel[PANELS];
    char                  label[PANELS][64];
    size_t                panels;
} figure;

/* --- memory ------------------------------------------------------------------------------ */

static osc_status own_points(points *p, size_t schemes, size_t cells)
{
    double **const arrays[] = { &p->x, &p->y, &p->low, &p->high };
    for (size_t i = 0; i < 4; i++) {
        *arrays[i] = osc_alloc(schemes * cells, sizeof(double));
        if (*arrays[i] == NULL)
            return OSC_ENOMEM;
    }
    p->series = osc_alloc(schemes, sizeof *p->series);
    return p->series != NULL ? OSC_OK : OSC_ENOMEM;
}

static void release(figure *f)
{
    for (size_t i = 0; i < PANELS; i++) {
        osc_free(f->part[i].x);
        osc_free(f->part[i].y);
        osc_free(f->part[i].low);
        osc_free(f->part[i].high);
        osc_free(f->part[i].series);
    }
    osc_free(f->scheme);
    osc_free(f);
}

/* --- points ------------------------------------------------------------------------------ */

/* Accuracy and standard error, in percent, that cell `i` has in the panel of a task, or
 * with NULL of the mean; NaN: none. */
static zeroshot_mean value_of(const zeroshot_cells *cells, size_t i, const osc_task *task)
{
    const zeroshot_cell *c = &cells->cell[i];
    zeroshot_mean value = { NAN, NAN };
    if (task == NULL && zeroshot_is_last(cells, i))
        value = zeroshot_mean_of(cells, i);
    else if (task != NULL && strcmp(c->task, task->name) == 0)
        value = (zeroshot_mean){ c->acc, c->acc_stderr };
    return (zeroshot_mean){ 100 * value.acc, 100 * value.acc_stderr };
}

/* Keeps the points of a series in the order of x. */
static void insert(points *p, size_t first, size_t count, double x, zeroshot_mean value)
{
    size_t at = first + count;
    for (; at > first && p->x[at - 1] > x; at--) {
        p->x[at] = p->x[at - 1];
        p->y[at] = p->y[at - 1];
        p->low[at] = p->low[at - 1];
        p->high[at] = p->high[at - 1];
    }
    p->x[at] = x;
    p->y[at] = value.acc;
    p->low[at] = value.acc - value.acc_stderr;
    p->high[at] = value.acc + value.acc_stderr;
}

/* Returns how many points the panel has. */
static size_t fill_points(figure *f, points *p, const osc_task *task)
{
    const zeroshot_cells *cells = f->cells;
    size_t all = 0;
    for (size_t s = 0; s < f->schemes; s++) {
        size_t first = s * cells->count, count = 0;
        for (size_t i = 0; i < cells->count; i++) {
            const zeroshot_cell *c = &cells->cell[i];
            zeroshot_mean value = value_of(cells, i, task);
            if (strcmp(c->scheme, f->scheme[s]) == 0 && c->parameters > 0 && !isnan(value.acc))
                insert(p, first, count++, (double)c->parameters, value);
        }
        p->series[s] = (lineplot_series){
            .name = f->scheme[s], .x = p->x + first, .y = p->y + first, .low = p->low + first,
            .high = p->high + first, .count = count, .color = s,
        };
        all += count;
    }
    return all;
}

/* A panel without points is left out. */
static osc_status add_panel(figure *f, const osc_task *task)
{
    points *p = &f->part[f->panels];
    if (f->panels == PANELS)
        return OSC_OK;
    if (p->x == NULL)
        OSC_TRY(own_points(p, f->schemes, f->cells->count));
    if (fill_points(f, p, task) == 0)
        return OSC_OK;
    snprintf(f->label[f->panels], sizeof f->label[f->panels], "%s, %%",
             task != NULL ? task->title : "mean accuracy of the tasks");
    f->panel[f->panels] = (lineplot_panel){
        .y_label = f->label[f->panels], .series = p->series, .count = f->schemes,
        .amounts = true,
    };
    f->panels++;
    return OSC_OK;
}

/* --- the figure -------------------------------------------------------------------------- */

static osc_status list_schemes(figure *f)
{
    f->scheme = osc_alloc(f->cells->count, sizeof *f->scheme);
    for (size_t i = 0; i < f->cells->count && f->scheme != NULL; i++) {
        bool known = false;
        for (size_t s = 0; s < f->schemes; s++)
            known |= strcmp(f->scheme[s], f->cells->cell[i].scheme) == 0;
        if (!known)
            f->scheme[f->schemes++] = f->cells->cell[i].scheme;
    }
    return f->scheme != NULL ? OSC_OK : OSC_ENOMEM;
}

static osc_status fill(figure *f)
{
    OSC_TRY(list_schemes(f));
    OSC_TRY(add_panel(f, NULL));
    for (size_t t = 0; osc_tasks[t] != NULL; t++)
        OSC_TRY(add_panel(f, osc_tasks[t]));
    return f->panels > 0 ? OSC_OK
         : osc_fail(OSC_ENOTFOUND, "no accuracies of models whose size is known");
}

osc_status zeroshot_plot(const zeroshot_cells *cells, FILE *out)
{
    figure *f = osc_alloc(1, sizeof *f);
    if (f == NULL)
        return OSC_ENOMEM;
    f->cells = cells;
    osc_status status = fill(f);
    if (status == OSC_OK)
        lineplot_write(&(lineplot){
            .title = "Zero-shot accuracy and model size",
            .subtitle = "Texts and rules of lm-evaluation-harness; acc, not normalized; whiskers: "
                        "one standard error; a line for each matmul scheme.",
            .x_label = "parameters (logarithmic)", .panel = f->panel, .panels = f->panels,
        }, out);
    release(f);
    return status;
}

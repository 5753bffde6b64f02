/* The figure of an ablation: three panels of one legend. */
#include <config.h>
#include "analyses/ablation.h"

#include "analyses/lineplot.h"

/* Series, in the order of the legend, and their numbers (mark.h): each has a colour and a
 * shape of its own, so that the figure can be read in grey. */
enum { NONE, CHOSEN, DRAWS, MEAN, SERIES };   /* the last two only with draws */
static const size_t series_color[SERIES] = { 6, 15, 19, 7 };

typedef struct {
    const ablation *a;
    double          ends[2], level[2];   /* of the line of the model as it is */
    double         *count, *value;       /* [steps] against the number of features, or [layers] */
    double         *mean, *low, *high;   /*     against the block; of the draws */
    double         *draw_x, *draw_y;     /* [draws * steps], or blocks: none */
    size_t          points;
    lineplot_series series[SERIES];
} panel;

static osc_status open_panel(panel *p, const ablation *a, size_t points, size_t dots)
{
    *p = (panel){ .a = a, .points = points };
    p->count = osc_alloc(points, sizeof *p->count);
    p->value = osc_alloc(points, sizeof *p->value);
    p->mean = osc_alloc(points, sizeof *p->mean);
    p->low = osc_alloc(points, sizeof *p->low);
    p->high = osc_alloc(points, sizeof *p->high);
    p->draw_x = osc_alloc(dots, sizeof *p->draw_x);
    p->draw_y = osc_alloc(dots, sizeof *p->draw_y);
    return p->count == NULL || p->value == NULL || p->mean == NULL || p->low == NULL
        || p->high == NULL || p->draw_x == NULL || p->draw_y == NULL ? OSC_ENOMEM : OSC_OK;
}

static void close_panel(panel *p)
{
    osc_free(p->count);
    osc_free(p->value);
    osc_free(p->mean);
    osc_free(p->low);
    osc_free(p->high);
    osc_free(p->draw_x);
    osc_free(p->draw_y);
}

static osc_status add_mean(panel *p, size_t i, size_t step, ablation_quantity quantity, int block)
{
    ablation_summary s;
    OSC_TRY(ablation_summarize(&s, p->a, step, quantity, block));
    p->mean[i] = s.mean;
    p->low[i] = s.low;
    p->high[i] = s.high;
    return OSC_OK;
}

/* Points against the number of features taken out; alone where they are not cumulative. */
static osc_status fill_steps(panel *p, ablation_quantity quantity)
{
    const ablation *a = p->a;
    size_t dots = 0;
    for (size_t s = 0; s < a->steps; s++) {
        p->count[s] = (double)ablation_size(a, s);
        p->value[s] = ablation_value(a, ablation_chosen(a, s), quantity, ABLATION_ALL_BLOCKS);
        OSC_TRY(add_mean(p, s, s, quantity, ABLATION_ALL_BLOCKS));
        for (size_t d = 0; d < a->draws; d++, dots++) {
            p->draw_x[dots] = p->count[s];
            p->draw_y[dots] = ablation_value(a, ablation_draw(a, d, s), quantity,
                                             ABLATION_ALL_BLOCKS);
        }
    }
    p->ends[1] = a->features > 0 ? (double)a->features : 1;
    p->level[0] = p->level[1] = ablation_value(a, ablation_baseline(a), quantity,
                                               ABLATION_ALL_BLOCKS);
    p->series[NONE] = (lineplot_series){ .x = p->ends, .y = p->level, .count = 2 };
    p->series[DRAWS] = (lineplot_series){ .x = p->draw_x, .y = p->draw_y, .count = dots };
    return OSC_OK;
}

/* The top-1 mass of each block, without all the features. */
static osc_status fill_blocks(panel *p)
{
    const ablation *a = p->a;
    for (size_t b = 0; b < a->layers; b++) {
        p->count[b] = (double)b;
        p->value[b] = ablation_chosen(a, a->steps - 1)->top1[b];
        OSC_TRY(add_mean(p, b, a->steps - 1, ABLATION_TOP1, (int)b));
    }
    p->series[NONE] = (lineplot_series){ .x = p->count, .y = ablation_baseline(a)->top1,
                                         .count = a->layers };
    return OSC_OK;
}

static void name_series(panel *p, bool lines)
{
    static const char *const names[SERIES] = {
        [NONE] = "nothing taken out", [CHOSEN] = "the chosen features taken out",
        [DRAWS] = "random sets, each", [MEAN] = "random sets, their mean",
    };
    p->series[CHOSEN] = (lineplot_series){ .x = p->count, .y = p->value, .count = p->points };
    p->series[MEAN] = (lineplot_series){ .x = p->count, .y = p->mean, .count = p->points,
                                         .low = p->low, .high = p->high };
    for (size_t s = 0; s < SERIES; s++) {
        p->series[s].name = names[s];
        p->series[s].color = series_color[s];
        p->series[s].reference = s == NONE;
        p->series[s].scatter = s == DRAWS || (!lines && s != NONE);
    }
}

static void draw(const ablation *a, const lineplot_panel *panels, size_t count, FILE *out)
{
    char title[400], subtitle[1024], points[128];
    bool mean = a->mode == ABLATION_MEAN;
    snprintf(title, sizeof title, "What %.250s loses without %zu feature%s", a->model, a->features,
             a->features == 1 ? "" : "s");
    snprintf(subtitle, sizeof subtitle,
             "Perplexity: features %s at %s of every block. Top-1 mass: largest attention "
             "probability, mean over heads and queries, features %s at the input of that block's "
             "attention alone. Chosen: %s. %zu random sets; whiskers: %.0f %% bootstrap confidence interval "
             "of their mean. %zu sequences of at most %zu ids, protocol %s.",
             mean ? "replaced by their means" : "zeroed",
             ablation_points_text(points, sizeof points, a->points),
             mean ? "replaced" : "zeroed", a->chosen_by, a->draws,
             100 * ABLATION_LEVEL, a->sequences, a->length, osc_protocol_name(a->protocol));
    lineplot plot = { .title = title, .subtitle = subtitle,
                      .x_label = "features taken out (number)", .panel = panels, .panels = count };
    lineplot_write(&plot, out);
}

osc_status ablation_plot(const ablation *a, FILE *out)
{
    enum { PANELS = 3 };
    static const char *const labels[PANELS] = {
        "perplexity", "attention top-1 mass, mean of blocks", "attention top-1 mass",
    };
    panel p[PANELS] = { { .a = a } };
    lineplot_panel panels[PANELS];
    osc_status status = OSC_OK;
    for (size_t i = 0; i < PANELS && status == OSC_OK; i++) {
        bool blocks = i == 2;
        status = open_panel(&p[i], a, blocks ? a->layers : a->steps,
                            blocks ? 0 : a->draws * a->steps);
        if (status == OSC_OK)
            status = blocks ? fill_blocks(&p[i])
                            : fill_steps(&p[i], i == 0 ? ABLATION_PERPLEXITY : ABLATION_TOP1);
        name_series(&p[i], blocks || a->cumulative);
        panels[i] = (lineplot_panel){ .y_label = labels[i], .series = p[i].series,
                                      .count = a->draws > 0 ? SERIES : DRAWS,
                                      .from_zero = i > 0, .whole = true,
                                      .x_label = blocks ? "block" : NULL };
    }
    if (status == OSC_OK)
        draw(a, panels, PANELS, out);
    for (size_t i = 0; i < PANELS; i++)
        close_panel(&p[i]);
    return status;
}

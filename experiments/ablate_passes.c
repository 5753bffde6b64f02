/* The passes of an ablation: one for all top-1 masses, one for each perplexity. */
#include <config.h>
#include "experiments/ablate.h"

#include <stdlib.h>
#include <string.h>

/* --- sets ------------------------------------------------------------------------------- */

/* One set of features, as the observer and the hooks want it. */
typedef struct {
    ablation_cell *cell;        /* where its measures go */
    char           name[64];
    uint32_t      *feature;     /* [count], rising */
    size_t         count;
    float         *value;       /* [layers, count] at qkv_in; NULL: zeros */
} taken;

typedef struct {
    taken *set;
    size_t count;
} taken_list;

static int rising(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static osc_status gather_values(taken *set, const float *mean, size_t layers, size_t width)
{
    set->value = osc_alloc(layers, set->count * sizeof *set->value);
    if (set->value == NULL)
        return OSC_ENOMEM;
    for (size_t l = 0; l < layers; l++)
        for (size_t i = 0; i < set->count; i++)
            set->value[l * set->count + i] = mean[l * width + set->feature[i]];
    return OSC_OK;
}

static osc_status fill_set(taken *set, const ablate_run *r, const uint32_t *feature, size_t count)
{
    set->count = count;
    set->feature = osc_alloc(count, sizeof *feature);
    if (set->feature == NULL)
        return OSC_ENOMEM;
    memcpy(set->feature, feature, count * sizeof *feature);
    qsort(set->feature, count, sizeof *feature, rising);
    const float *mean = r->mean[OSC_AT_QKV_IN];
    return mean == NULL ? OSC_OK : gather_values(set, mean, r->result->layers,
                                                 r->candidates.width);
}

/* The chosen features, then the draws, each with all steps. */
static osc_status make_sets(taken_list *list, const ablate_run *r)
{
    const ablation *a = r->result;
    list->set = osc_alloc((1 + a->draws) * a->steps, sizeof *list->set);
    if (list->set == NULL)
        return OSC_ENOMEM;
    for (size_t i = 0; i <= a->draws; i++) {
        for (size_t s = 0; s < a->steps; s++) {
            taken *set = &list->set[list->count++];
            char name[40] = "chosen";
            if (i > 0)
                snprintf(name, sizeof name, "random %zu", i);
            set->cell = i == 0 ? ablation_chosen(a, s) : ablation_draw(a, i - 1, s);
            snprintf(set->name, sizeof set->name, "%s (%zu)", name, ablation_size(a, s));
            OSC_TRY(fill_set(set, r, i == 0 ? a->feature : a->drawn + (i - 1) * a->features,
                             ablation_size(a, s)));
        }
    }
    return OSC_OK;
}

static void free_sets(taken_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        osc_free(list->set[i].feature);
        osc_free(list->set[i].value);
    }
    osc_free(list->set);
}

/* --- not cascading: all sets in one pass ---------------------------------------------------- */

/* Means over heads and queries from sums, [layers * heads]. */
static void fill_masses(ablation_cell *cell, const double *mass, const osc_top1_stats *top1,
                        const osc_config *config)
{
    double all = (double)(config->heads * top1->queries);
    double first = (double)(config->heads * top1->first);
    for (size_t l = 0; l < config->layers; l++) {
        double sum = 0;
        for (size_t h = 0; h < config->heads; h++)
            sum += mass[l * config->heads + h];
        cell->top1[l] = sum / all;
        cell->later[l] = (sum - first) / (all - first);
    }
}

static osc_status create_observer(osc_observer **observer, const ablate_run *r,
                                  const taken_list *list)
{
    osc_observer_shape shape = osc_model_shape(r->input.model);
    osc_left_out *without = osc_alloc(list->count, sizeof *without);
    if (without == NULL)
        return OSC_ENOMEM;
    for (size_t i = 0; i < list->count; i++)
        without[i] = (osc_left_out){ .feature = list->set[i].feature, .count = list->set[i].count,
                                     .value = list->set[i].value };
    osc_observer_options options = {
        .alpha = 1, .top1 = true, .without = without, .without_sets = list->count,
    };
    osc_status status = osc_observer_create(observer, &shape, &options);
    osc_free(without);
    return status;
}

static void take_masses(ablate_run *r, osc_observer *observer, const taken_list *list)
{
    const osc_config *config = osc_model_config(r->input.model);
    const osc_top1_stats *top1 = osc_observer_top1(observer);
    fill_masses(ablation_baseline(r->result), top1->mass, top1, config);
    for (size_t i = 0; i < list->count; i++)
        fill_masses(list->set[i].cell, top1->without + i * config->layers * config->heads, top1,
                    config);
}

/* Also the perplexity of the model as it is, unless that is known. */
static osc_status measure_attention(ablate_run *r, const taken_list *list)
{
    osc_observer *observer = NULL;
    osc_hooks *hooks = NULL;
    osc_status status = create_observer(&observer, r, list);
    if (status == OSC_OK)
        status = osc_hooks_create(&hooks, osc_model_config(r->input.model)->layers);
    if (status == OSC_OK)
        status = osc_hooks_observe(hooks, observer);
    if (status == OSC_OK)
        status = ablate_pass(r, r->observed == NULL ? &r->regular : NULL, hooks, "attention");
    if (status == OSC_OK)
        take_masses(r, observer, list);
    osc_hooks_free(hooks);
    osc_observer_free(observer);
    return status;
}

/* --- cascading: a pass for each set ----------------------------------------------------- */

typedef struct {
    const taken        *set;
    const float *const *mean;    /* by point */
} replacement;

static osc_status take_out(const osc_event *event, void *user)
{
    const replacement *what = user;
    const float *mean = what->mean[event->point];
    for (size_t i = 0; i < what->set->count; i++) {
        size_t feature = what->set->feature[i];
        float value = mean == NULL ? 0.0f : mean[(size_t)event->layer * event->width + feature];
        for (size_t t = 0; t < event->rows; t++)
            event->data[t * event->width + feature] = value;
    }
    return OSC_OK;
}

static osc_status add_hooks(osc_hooks *hooks, unsigned points, replacement *what)
{
    for (unsigned p = 0; p < OSC_POINT_COUNT; p++) {
        char pattern[64];
        if ((points >> p & 1u) == 0)
            continue;
        snprintf(pattern, sizeof pattern, "blocks.*.%s", osc_point_name((osc_point)p));
        OSC_TRY(osc_hooks_add(hooks, pattern, OSC_WRITE, take_out, what));
    }
    return OSC_OK;
}

static void set_perplexity(ablation_cell *cell, const osc_perplexity *p)
{
    cell->nll = p->nll;
    cell->perplexity = p->perplexity;
}

static osc_status measure_cascade(ablate_run *r, const taken *set)
{
    replacement what = { set, (const float *const *)r->mean };
    osc_perplexity p;
    osc_hooks *hooks;
    OSC_TRY(osc_hooks_create(&hooks, osc_model_config(r->input.model)->layers));
    osc_status status = add_hooks(hooks, r->options->points, &what);
    if (status == OSC_OK)
        status = ablate_pass(r, &p, hooks, set->name);
    if (status == OSC_OK)
        set_perplexity(set->cell, &p);
    osc_hooks_free(hooks);
    return status;
}

static osc_status measure_sets(ablate_run *r)
{
    taken_list list = { NULL, 0 };
    osc_status status = make_sets(&list, r);
    if (status == OSC_OK)
        status = measure_attention(r, &list);
    for (size_t i = 0; i < list.count && status == OSC_OK; i++)
        status = measure_cascade(r, &list.set[i]);
    free_sets(&list);
    return status;
}

/* Nothing is taken out: no more is to be measured than the model as it is. */
static osc_status measure_nothing(ablate_run *r)
{
    const taken_list none = { NULL, 0 };
    ablation_cell *regular = ablation_baseline(r->result), *chosen = ablation_chosen(r->result, 0);
    if (r->observed != NULL)
        take_masses(r, r->observed, &none);
    else
        OSC_TRY(measure_attention(r, &none));
    set_perplexity(chosen, &r->regular);
    memcpy(chosen->top1, regular->top1, r->result->layers * sizeof *chosen->top1);
    memcpy(chosen->later, regular->later, r->result->layers * sizeof *chosen->later);
    return OSC_OK;
}

osc_status ablate_run_passes(ablate_run *r)
{
    OSC_TRY(r->result->features > 0 ? measure_sets(r) : measure_nothing(r));
    set_perplexity(ablation_baseline(r->result), &r->regular);
    r->result->scored = r->regular.scored;
    return OSC_OK;
}

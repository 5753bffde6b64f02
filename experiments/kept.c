#include <config.h>
#include "experiments/kept.h"

#include "experiments/layer_study.h"

struct kept_counter {
    layer_study *study;
    const osc_model *model;
    uint32_t    *columns;            /* [widest] of the last call */
    uint64_t     calls;
    double       shares;             /* sum over calls */
    uint64_t     removed, values;
};

static osc_status count(const osc_event *event, void *user)
{
    kept_counter *c = user;
    bool coded;
    osc_code_view view = { .columns = c->columns };
    size_t first = 0, calls = 0;
    while (layer_study_input(first) != event->point)
        first++;
    for (size_t l = first; l < STUDY_LINEARS; l++)   /* q, k and v are three calls with one input */
        calls += layer_study_input(l) == event->point && layer_study_has(c->model, l);
    OSC_TRY(layer_study_put(c->study, (size_t)event->layer, event->data, event->rows,
                            event->width));
    OSC_TRY(layer_study_view(c->study, &coded, &view, 0, first));
    c->calls += calls;
    c->shares += (double)calls * (double)view.column_count / (double)event->width;
    c->removed += (uint64_t)calls * event->rows * view.column_count;
    c->values += (uint64_t)calls * event->rows * event->width;
    return OSC_OK;
}

osc_status kept_open(kept_counter **counter, const run_input *input, const char *scheme,
                     const run_options *options, osc_hooks *hooks)
{
    static const char *const patterns[] = { "blocks.*.qkv_in", "blocks.*.out_in",
                                            "blocks.*.fc1_in", "blocks.*.fc2_in" };
    osc_observer_shape shape = osc_model_shape(input->model);
    size_t widest = 0;
    kept_counter *made = osc_alloc(1, sizeof *made);
    if (made == NULL)
        return OSC_ENOMEM;
    made->model = input->model;
    for (size_t l = 0; l < STUDY_LINEARS; l++)
        if (shape.width[layer_study_input(l)] > widest)
            widest = shape.width[layer_study_input(l)];
    made->columns = osc_alloc(widest, sizeof *made->columns);
    osc_status status = made->columns == NULL ? OSC_ENOMEM
        : layer_study_open(&made->study, input->model, &scheme, 1, input->corpus->longest, options);
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns && status == OSC_OK; i++)
        status = osc_hooks_add(hooks, patterns[i], OSC_READ, count, made);
    if (status != OSC_OK) {
        kept_close(made);
        return status;
    }
    *counter = made;
    return OSC_OK;
}

void kept_close(kept_counter *c)
{
    if (c == NULL)
        return;
    layer_study_close(c->study);
    osc_free(c->columns);
    osc_free(c);
}

double kept_columns(const kept_counter *c)
{
    return c->shares / (double)c->calls;
}

double kept_values(const kept_counter *c)
{
    return (double)c->removed / (double)c->values;
}

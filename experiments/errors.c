/* The run of compare --errors: one unquantized pass per model, whose hooks apply every
 * scheme to what the pass delivers. */
#include <config.h>
#include "experiments/errors.h"

#include <string.h>

typedef struct {
    layer_study  *study;
    model_errors *errors;
    size_t        schemes;
    osc_code_view view;        /* arrays for one call */
    bool         *mark;        /* [widest] */
} measuring;

/* --- one call ------------------------------------------------------------------ */

static layer_error *at(const measuring *m, size_t scheme, const osc_event *event, size_t linear)
{
    size_t row = scheme * m->errors->layers + (size_t)event->layer;
    return &m->errors->layer[row * STUDY_LINEARS + linear];
}

static osc_status measure_scheme(measuring *m, const osc_event *event, size_t scheme,
                                 size_t linear, const double *exact)
{
    layer_error *e = at(m, scheme, event, linear);
    float *y;
    bool coded;
    OSC_TRY(layer_study_apply(m->study, &y, scheme, linear));
    errors_count_noise(e, y, exact, event->rows * layer_study_outputs(m->study, linear));
    OSC_TRY(layer_study_view(m->study, &coded, &m->view, scheme, linear));
    if (coded)
        errors_count_codes(e, &m->view, event->data, event->rows, event->width, m->mark);
    e->calls++;
    return OSC_OK;
}

static osc_status measure_input(const osc_event *event, void *user)
{
    measuring *m = user;
    size_t outliers = errors_count_outliers(event->data, event->rows, event->width, m->mark);
    OSC_TRY(layer_study_put(m->study, (size_t)event->layer, event->data, event->rows,
                            event->width));
    for (size_t l = 0; l < STUDY_LINEARS; l++) {
        const double *exact;
        if (layer_study_input(l) != event->point || !m->errors->has[l])
            continue;
        OSC_TRY(layer_study_exact(m->study, &exact, l));
        for (size_t s = 0; s < m->schemes; s++) {
            at(m, s, event, l)->outliers += outliers;
            OSC_TRY(measure_scheme(m, event, s, l, exact));
        }
    }
    return OSC_OK;
}

/* --- one model ----------------------------------------------------------------- */

static osc_status own(measuring *m, const run_input *input)
{
    osc_observer_shape shape = osc_model_shape(input->model);
    size_t rows = input->corpus->longest, widest = 0;
    for (size_t l = 0; l < STUDY_LINEARS; l++)
        if (shape.width[layer_study_input(l)] > widest)
            widest = shape.width[layer_study_input(l)];
    m->view.columns = osc_alloc(widest, sizeof *m->view.columns);
    m->view.qx = osc_alloc(rows, widest);
    m->view.sx = osc_alloc(rows, sizeof *m->view.sx);
    m->view.zx = osc_alloc(rows, sizeof *m->view.zx);
    m->mark = osc_alloc(widest, sizeof *m->mark);
    m->errors->layer = osc_alloc(m->schemes * m->errors->layers * STUDY_LINEARS,
                                 sizeof *m->errors->layer);
    return m->view.columns == NULL || m->view.qx == NULL || m->view.sx == NULL
        || m->view.zx == NULL || m->mark == NULL || m->errors->layer == NULL ? OSC_ENOMEM : OSC_OK;
}

static osc_status bind(measuring *m, osc_hooks *hooks)
{
    static const char *const patterns[] = { "blocks.*.qkv_in", "blocks.*.out_in",
                                            "blocks.*.fc1_in", "blocks.*.fc2_in" };
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++)
        OSC_TRY(osc_hooks_add(hooks, patterns[i], OSC_READ, measure_input, m));
    return OSC_OK;
}

static osc_status run(measuring *m, const run_input *input, const compare_options *o)
{
    const char *names[SCHEME_LIST_MOST];
    char label[300];
    osc_session *session = NULL;
    osc_hooks *hooks = NULL;
    for (size_t i = 0; i < m->schemes; i++)
        names[i] = o->list.text[i];
    snprintf(label, sizeof label, "%s errors", osc_model_name(input->model));
    osc_status status = own(m, input);
    if (status == OSC_OK)
        status = layer_study_open(&m->study, input->model, names, m->schemes,
                                  input->corpus->longest, &o->run);
    if (status == OSC_OK)
        status = osc_hooks_create(&hooks, m->errors->layers);
    if (status == OSC_OK)
        status = bind(m, hooks);
    if (status == OSC_OK)
        status = run_session(&session, input, "none", label, &o->run);
    if (status == OSC_OK)
        status = measure_run(session, input->corpus, hooks, NULL);
    osc_session_close(session);
    osc_hooks_free(hooks);
    return status;
}

static osc_status measure_input_model(model_errors *e, const run_input *input,
                                      const compare_options *o)
{
    const osc_corpus *corpus = input->corpus;
    *e = (model_errors){ .protocol = corpus->protocol, .bos = corpus->bos,
                         .sequences = corpus->count, .length = corpus->length,
                         .layers = osc_model_config(input->model)->layers };
    for (size_t l = 0; l < STUDY_LINEARS; l++)
        e->has[l] = layer_study_has(input->model, l);
    snprintf(e->model, sizeof e->model, "%s", osc_model_name(input->model));
    measuring m = { .errors = e, .schemes = o->list.count };
    osc_status status = run(&m, input, o);
    layer_study_close(m.study);
    osc_free(m.view.columns);
    osc_free(m.view.qx);
    osc_free(m.view.sx);
    osc_free(m.view.zx);
    osc_free(m.mark);
    return status;
}

static osc_status measure_model(error_results *r, const compare_options *o, const char *model)
{
    run_input input = { .model = NULL };
    char *path = run_shipped_or(model, CLI_DEFAULT_MODEL);
    osc_status status = path != NULL ? run_open(&input, path, &o->run) : OSC_ENOTFOUND;
    if (status == OSC_OK)
        status = measure_input_model(&r->model[r->count++], &input, o);
    run_close(&input);
    osc_free(path);
    return status;
}

osc_status errors_measure(error_results *r, const compare_options *o)
{
    if (o->models.count == 0)
        return measure_model(r, o, NULL);
    for (size_t i = 0; i < o->models.count; i++)
        OSC_TRY(measure_model(r, o, o->models.item[i]));
    return OSC_OK;
}

void errors_free(error_results *r)
{
    for (size_t i = 0; i < r->count; i++)
        osc_free(r->model[i].layer);
    r->count = 0;
}

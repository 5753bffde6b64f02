/* An ablation from options to results. */
#include <config.h>
#include "experiments/ablate.h"

#include <string.h>

#include "experiments/measure.h"

osc_status ablate_pass(ablate_run *r, osc_perplexity *p, const osc_hooks *hooks, const char *what)
{
    const osc_corpus *corpus = r->input.corpus;
    snprintf(r->label, sizeof r->label, "%s %s", osc_model_name(r->input.model), what);
    OSC_TRY(measure_run(r->session, corpus, hooks, p == NULL ? NULL : r->nll));
    if (p != NULL)
        *p = osc_perplexity_of(corpus, corpus->count, r->nll);
    return OSC_OK;
}

static osc_status check_points(const ablate_run *r)
{
    osc_observer_shape shape = osc_model_shape(r->input.model);
    size_t hidden = osc_model_config(r->input.model)->hidden;
    for (unsigned p = 0; p < OSC_POINT_COUNT; p++)
        if ((r->options->points >> p & 1u) && shape.width[p] != hidden)
            return osc_fail(OSC_EINVAL, "--points: %s has not the features of the hidden state, "
                            "which is %zu wide", osc_point_name((osc_point)p), hidden);
    return OSC_OK;
}

/* What the numbers are of. */
static osc_status describe(ablate_run *r)
{
    ablation *a = r->result;
    const ablate_options *o = r->options;
    const osc_corpus *corpus = r->input.corpus;
    snprintf(a->tool, sizeof a->tool, "%s", PACKAGE_STRING);
    snprintf(a->model, sizeof a->model, "%s", osc_model_name(r->input.model));
    snprintf(a->scheme, sizeof a->scheme, "%s", osc_session_scheme(r->session));
    snprintf(a->backend, sizeof a->backend, "%s", osc_session_backend(r->session));
    strcpy(a->tokenizer, r->input.tokenizer_digest);
    strcpy(a->text, corpus->digest);
    a->protocol = corpus->protocol;
    a->bos = corpus->bos;
    a->sequences = corpus->count;
    a->length = corpus->length;
    a->layers = osc_model_config(r->input.model)->layers;
    a->mode = o->mode;
    a->points = o->points;
    a->seed = o->seed;
    a->cumulative = o->cumulative;
    a->draws = o->draws;
    return osc_store_digest(osc_model_store(r->input.model), a->weights, cli_progress());
}

static osc_status open_all(ablate_run *r)
{
    const ablate_options *o = r->options;
    char *model = run_shipped_or(o->model, CLI_DEFAULT_MODEL);
    osc_status status = model != NULL ? run_open(&r->input, model, &o->run) : OSC_ENOTFOUND;
    osc_free(model);
    OSC_TRY(status);
    OSC_TRY(check_points(r));
    r->nll = osc_alloc(r->input.corpus->offset[r->input.corpus->count], sizeof *r->nll);
    if (r->nll == NULL)
        return OSC_ENOMEM;
    OSC_TRY(run_session(&r->session, &r->input, o->scheme, r->label, &o->run));
    return describe(r);
}

static void close_all(ablate_run *r)
{
    osc_observer_free(r->observed);
    for (size_t p = 0; p < OSC_POINT_COUNT; p++)
        osc_free(r->mean[p]);
    ablation_candidates_free(&r->candidates);
    osc_session_close(r->session);
    osc_free(r->nll);
    run_close(&r->input);
}

osc_status ablate_measure(ablation *result, const ablate_options *options)
{
    ablate_run r = { .options = options, .result = result };
    osc_status status = open_all(&r);
    if (status == OSC_OK)
        status = ablate_choose(&r);
    if (status == OSC_OK)
        status = ablate_run_passes(&r);
    close_all(&r);
    return status;
}

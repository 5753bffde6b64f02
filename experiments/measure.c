#include <config.h>
#include "experiments/measure.h"

#include <string.h>

#include "analyses/jsonout.h"
#include "analyses/schemes.h"
#include "experiments/nonfinite.h"
#include "experiments/stop.h"

osc_status measure_run(osc_session *session, const osc_corpus *corpus, const osc_hooks *hooks,
                       double *nll)
{
    size_t chunk = osc_session_chunk(session);
    for (size_t first = 0; first < corpus->count; ) {
        if (stop_signal() != 0)
            return osc_fail(OSC_STOP, "stopped by a signal");
        size_t count = corpus->count - first < chunk ? corpus->count - first : chunk;
        OSC_TRY(osc_session_run(session, corpus, first, count, hooks,
                                nll == NULL ? NULL : nll + corpus->offset[first]));
        first += count;
    }
    return OSC_OK;
}

static measurement describe(const run_input *input, const osc_session *session)
{
    const osc_corpus *corpus = input->corpus;
    measurement m = {
        .protocol = corpus->protocol, .sequences = corpus->count, .length = corpus->length,
        .bos = corpus->bos, .weight_bytes = osc_session_weight_bytes(session),
        .linear_bytes = osc_session_linear_bytes(session),
        .peak_bytes = osc_session_peak_bytes(session),
    };
    snprintf(m.model, sizeof m.model, "%s", osc_model_name(input->model));
    snprintf(m.scheme, sizeof m.scheme, "%s", osc_session_scheme(session));
    return m;
}

osc_status measure(measurement *m, const run_input *input, const char *scheme,
                   const run_options *options, const osc_hooks *hooks)
{
    osc_session *session = NULL;
    const osc_corpus *corpus = input->corpus;
    double *nll = osc_alloc(corpus->offset[corpus->count], sizeof *nll);
    char label[512];
    snprintf(label, sizeof label, "%s %s", osc_model_name(input->model), scheme);
    osc_status status = nll != NULL ? run_session(&session, input, scheme, label, options)
                                    : OSC_ENOMEM;
    if (status == OSC_OK)
        status = measure_run(session, corpus, hooks, nll);
    if (status == OSC_OK)
        status = nonfinite_tell(session, corpus, 0, corpus->count, nll,
                                osc_model_config(input->model)->layers);
    if (status == OSC_OK) {
        *m = describe(input, session);
        m->result = osc_perplexity_of(corpus, corpus->count, nll);
    }
    osc_session_close(session);
    osc_free(nll);
    return status;
}

json_t *measure_json(const measurement *m)
{
    size_t name = strcspn(m->scheme, ":");
    return json_pack("{s:o, s:s%, s:s, s:s, s:s, s:I, s:I, s:I, s:o, s:o, s:i, s:I, s:I, s:I}",
                     "model", json_out_text(m->model),
                     "scheme", m->scheme, name,
                     "options", m->scheme[name] == ':' ? m->scheme + name + 1 : "",
                     "protocol", osc_protocol_name(m->protocol),
                     "protocol_summary", osc_protocol_summary(m->protocol),
                     "sequences", (json_int_t)m->sequences,
                     "sequence_length", (json_int_t)m->length,
                     "scored", (json_int_t)m->result.scored,
                     "nll", json_out_number(m->result.nll),
                     "perplexity", json_out_number(m->result.perplexity),
                     "bos", (int)m->bos,
                     "weight_bytes", (json_int_t)m->weight_bytes,
                     "linear_bytes", (json_int_t)m->linear_bytes,
                     "peak_bytes", (json_int_t)m->peak_bytes);
}

osc_status measure_identify(measure_identity *identity, const run_input *input,
                            const run_options *options)
{
    const osc_corpus *corpus = input->corpus;
    const osc_backend *backend;
    OSC_TRY(osc_backend_find(&backend, options->backend));
    *identity = (measure_identity){
        .backend = backend->spec, .protocol = osc_protocol_name(corpus->protocol),
        .sequences = corpus->count, .length = corpus->length, .bos = corpus->bos,
    };
    strcpy(identity->text, corpus->digest);
    strcpy(identity->tokenizer, input->tokenizer_digest);
    return osc_store_digest(osc_model_store(input->model), identity->model, cli_progress());
}

json_t *measure_identity_json(const measure_identity *identity, json_t *row)
{
    json_t *more = json_pack("{s:s, s:s, s:s, s:s}", "backend", identity->backend,
                             "model_sha256", identity->model,
                             "tokenizer_sha256", identity->tokenizer,
                             "text_sha256", identity->text);
    bool failed = row == NULL || more == NULL || json_object_update(row, more) != 0;
    json_decref(more);
    if (!failed)
        return row;
    json_decref(row);
    return NULL;
}

void measure_note(table *t, const measurement *m)
{
    schemes_note_protocol(t, osc_protocol_name(m->protocol), m->bos);
}

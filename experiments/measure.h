/* Perplexity of one model under one scheme: the cell that `perplexity` and `compare`
 * make their tables of. */
#ifndef EXPERIMENTS_MEASURE_H
#define EXPERIMENTS_MEASURE_H

#include "analyses/table.h"
#include "experiments/run.h"

typedef struct {
    char           model[256], scheme[256];   /* scheme with its options */
    osc_perplexity result;
    osc_protocol   protocol;
    size_t         sequences, length;
    int32_t        bos;
    size_t         weight_bytes, linear_bytes, peak_bytes;   /* of the session (session.h) */
} measurement;

/* Runs the input's whole corpus.  `hooks` may be NULL.  OSC_STOP between two chunks
 * after a signal that stop.h caught. */
osc_status measure(measurement *m, const run_input *input, const char *scheme,
                   const run_options *options, const osc_hooks *hooks);

/* Runs all chunks of the corpus; `nll` [ids of the corpus] may be NULL. */
osc_status measure_run(osc_session *session, const osc_corpus *corpus, const osc_hooks *hooks,
                       double *nll);

/* The keys that all commands share, owned by the caller; NULL when out of memory. */
json_t *measure_json(const measurement *m);

/* What must agree for two numbers to stand in one table. */
typedef struct {
    char        model[OSC_DIGEST_HEX], text[OSC_DIGEST_HEX], tokenizer[OSC_DIGEST_HEX];
    const char *backend, *protocol;
    size_t      sequences, length;
    int32_t     bos;
} measure_identity;

/* Of an input; digests the weights, which reads them all. */
osc_status measure_identify(measure_identity *identity, const run_input *input,
                            const run_options *options);
/* Puts its digests and the backend into `row`, which is released and NULL is returned when
 * out of memory. */
json_t *measure_identity_json(const measure_identity *identity, json_t *row);

/* A note that says how the text was cut. */
void measure_note(table *t, const measurement *m);

#endif

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
    size_t         weight_bytes, linear_bytes;   /* as the session holds them (session.h) */
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

/* A note that says how the text was cut. */
void measure_note(table *t, const measurement *m);

#endif

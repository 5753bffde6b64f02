/* What a run will take, told before it: operations, memory, time (docs/memory.md). */
#ifndef EXPERIMENTS_ESTIMATE_H
#define EXPERIMENTS_ESTIMATE_H

#include "analyses/table.h"
#include "experiments/run.h"

/* How fast this machine multiplies and converts weights under one scheme. */
typedef struct {
    char   scheme[256];
    double flops;            /* of a large product, per second */
    double weights;          /* brought into the scheme's form, per second */
} estimate_rate;

/* Rates measured so far; what is not there is measured when it is needed. */
typedef struct {
    double         stated;   /* FLOP/s of scheme none's products; 0: as measured */
    estimate_rate *rate;
    size_t         count, capacity;
    double         in_use;   /* bytes that this process had when it was asked first */
} estimator;

void estimator_free(estimator *rates);

/* The work to estimate. */
typedef struct {
    const run_input   *input;
    const osc_corpus  *corpus;    /* the input's, or a share of it */
    const char        *scheme;    /* NULL: none */
    const run_options *options;
    double             passes;    /* over the corpus */
    double             beside;    /* bytes that the command keeps besides the session */
} estimate_work;

typedef struct {
    osc_session_needs needs;
    double ids, flops;            /* of one pass */
    double peak;                  /* bytes of resident memory of the process, at most */
    double seconds;               /* of all passes, but for reading from the disk */
    double read;                  /* bytes of weights read, in every chunk of every pass unless
                                     they stay */
} estimate;

/* OSC_ENOMEM if options->memory is too little; errors of osc_session_open. */
osc_status estimate_make(estimate *e, estimator *rates, const estimate_work *work);

/* Bytes of a recorder: accumulators for these hook points, the same again while they are
 * written, and what is around them. */
double estimate_recorder(const osc_model *model, unsigned points, bool metrics);

/* Cells of a table: "24 MB", "1.2 GB"; "2.0 s", "5.1 min". */
void estimate_memory_cell(table *t, double bytes);
void estimate_time_cell(table *t, double seconds);

/* What the numbers of memory and time mean, below a table of them. */
void estimate_notes(table *t, const estimator *rates);

#endif

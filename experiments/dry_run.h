/* --dry-run of the commands that run a model: a row per model and scheme with what it
 * would take. */
#ifndef EXPERIMENTS_DRY_RUN_H
#define EXPERIMENTS_DRY_RUN_H

#include "experiments/estimate.h"

typedef struct {
    table    *table;
    estimator estimator;
} dry_run;

osc_status dry_run_open(dry_run *d);
osc_status dry_run_add(dry_run *d, const estimate_work *work);
/* Prints the table on standard output, if `status` is OSC_OK, and releases it; returns
 * `status` or what went wrong printing. */
osc_status dry_run_close(dry_run *d, osc_status status);

/* What commands of several models and schemes do: so many passes over the text with each. */
typedef struct {
    const cli_list    *models;     /* empty: the shipped one */
    const char *const *schemes;    /* [scheme_count] */
    size_t             scheme_count;
    const run_options *options;
    double             passes;
} dry_run_plan;

/* Opens the models, one after the other, and prints the table. */
osc_status dry_run_print(const dry_run_plan *plan);

#endif

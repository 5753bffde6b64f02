/* How much of the inputs of linear layers a decomposed scheme keeps out of int8,
 * counted while a pass runs. */
#ifndef EXPERIMENTS_KEPT_H
#define EXPERIMENTS_KEPT_H

#include "experiments/run.h"

typedef struct kept_counter kept_counter;

/* Binds a counter for `scheme` to `hooks`, which it must outlive. */
osc_status kept_open(kept_counter **counter, const run_input *input, const char *scheme,
                     const run_options *options, osc_hooks *hooks);
void kept_close(kept_counter *counter);

/* Mean over all calls of linear layers of the share of columns removed; and removed
 * values over all values of all calls. */
double kept_columns(const kept_counter *counter);
double kept_values(const kept_counter *counter);

#endif

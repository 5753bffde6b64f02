/* Confidence intervals by resampling. */
#ifndef ANALYSES_BOOTSTRAP_H
#define ANALYSES_BOOTSTRAP_H

#include "osc.h"

enum {
    BOOTSTRAP_LEAST = 5,          /* fewer values say too little: no interval */
    BOOTSTRAP_RESAMPLES = 10000
};

/* The BCa interval (Efron 1987: bias-corrected and accelerated) of the mean of
 * `values` [count] at confidence `level` (0.95).  The same seed (rng.h) gives the same
 * interval everywhere.  NaN both if there are fewer than BOOTSTRAP_LEAST values or one
 * is not finite.  OSC_ENOMEM. */
osc_status bootstrap_mean(double interval[2], const double *values, size_t count, double level,
                          uint64_t seed);

#endif

/* A seeded generator of GSL in memory that may run out without ending the program. */
#ifndef ANALYSES_RNG_H
#define ANALYSES_RNG_H

#include <gsl/gsl_rng.h>

#include "osc.h"

/* MT19937, whose numbers are the same everywhere; the seed is 1 ... RNG_SEED_MOST.
 * Ended with rng_close.  OSC_ENOMEM. */
osc_status rng_open(gsl_rng *rng, uint64_t seed);
void rng_close(gsl_rng *rng);

#define RNG_SEED_MOST 4294967295.0   /* 32 bits of a seed count; 0 would be another number's twin */

#endif

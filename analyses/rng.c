#include <config.h>
#include "analyses/rng.h"

/* gsl_rng_alloc calls abort() when out of memory. */
osc_status rng_open(gsl_rng *rng, uint64_t seed)
{
    *rng = (gsl_rng){ .type = gsl_rng_mt19937, .state = osc_alloc(1, gsl_rng_mt19937->size) };
    if (rng->state == NULL)
        return OSC_ENOMEM;
    gsl_rng_set(rng, (unsigned long)seed);
    return OSC_OK;
}

void rng_close(gsl_rng *rng)
{
    osc_free(rng->state);
    rng->state = NULL;
}

/* The few statistics that we take from GSL; no other file includes it. */
#ifndef ANALYSES_STATS_H
#define ANALYSES_STATS_H

#include <stddef.h>

/* The 25, 50 and 75 % quantiles (linear interpolation between order statistics);
 * sorts `values`.  NaN each if there are none. */
void stats_quartiles(double quartiles[3], float *values, size_t count);

#endif

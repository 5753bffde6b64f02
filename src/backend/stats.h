/* Column statistics of an activation matrix: what a backend reduces to. */
#ifndef OSC_BACKEND_STATS_H
#define OSC_BACKEND_STATS_H

#include <stddef.h>
#include <stdint.h>

/* Bin b of a histogram counts values with 2^(b-40) <= |x| < 2^(b-39); bin 0 also
 * everything smaller, zero included, the last bin everything larger, NaN too. */
enum { OSC_HISTOGRAM_BINS = 64, OSC_HISTOGRAM_LOWEST = -40 };

/* Accumulators over rows, per column; arrays are [width].  A fresh one has
 * min = +inf, max = -inf and zeros.  NaN reaches the sums, not min and max. */
typedef struct {
    size_t    width;
    float    *min, *max;
    double   *sum, *sumsq, *sum4;    /* of x, x^2, x^4 */
    uint64_t *count_ge;              /* rows with |x| >= alpha */
    uint64_t *histogram;             /* [OSC_HISTOGRAM_BINS], all columns together */
} osc_column_stats;

/* One value with |x| >= alpha. */
typedef struct {
    uint32_t position;   /* row within its sequence */
    uint32_t feature;    /* column */
    float    value;
} osc_hit;

#endif

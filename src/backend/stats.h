/* Statistics of an activation matrix: what a backend reduces to. */
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

/* One activation of one sequence as a whole. */
typedef struct {
    uint64_t count;       /* values */
    float    peak;        /* largest |x|; NaN if any is NaN */
    double   power[4];    /* sums of x, x^2, x^3, x^4 */
} osc_summary;

/* The residual stream of one sequence between two blocks, x [rows, width].  The median
 * of n magnitudes is number (n - 1) / 2 of them in rising order, counted from 0: the
 * lower of two middle ones, as torch.median.  NaN is larger than everything. */
enum { OSC_RESIDUAL_TOP = 3 };
typedef struct {
    float   median;                  /* of |x| over all values */
    double  ratio;                   /* sum over the rows of max|x| / median|x| of the row */
    size_t  tops;                    /* OSC_RESIDUAL_TOP, or fewer if there are no more values */
    osc_hit top[OSC_RESIDUAL_TOP];   /* largest |x|, falling; of equals the first by position,
                                        then by feature */
} osc_residual;

/* Accumulators of the residual stream at one place, per column; arrays are [width]. */
typedef struct {
    size_t    width;
    double   *sumsq;                 /* of x^2 */
    uint64_t *massive;               /* rows with |x| >= osc_massive_from(median) */
} osc_residual_stats;

/* Sun et al. 2024: massive is |x| > 100 and |x| >= 1000 median, the median being that of
 * the sequence's whole [rows, width].  The smallest magnitude that is. */
float osc_massive_from(float median);

/* Bondarenko et al. 2023: mean((x - mean)^4) / (var^2 + 1e-6), var with n - 1. */
double osc_summary_kurtosis(const osc_summary *summary);

#endif

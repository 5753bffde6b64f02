/* Rank correlation, and how often chance alone gives as strong a one. */
#ifndef ANALYSES_RANKS_H
#define ANALYSES_RANKS_H

#include "osc.h"

enum {
    RANKS_EXACT_MOST = 10,        /* all permutations up to 10! = 3628800, random ones above */
    RANKS_DRAWS      = 100000,
    RANKS_LEAST      = 3
};

typedef enum { RANKS_REFUSED, RANKS_EXACT, RANKS_PERMUTATION } ranks_method;

typedef struct {
    size_t       n;
    double       rho;         /* Spearman's, equal values share the mean of their ranks */
    double       p;           /* two-sided: the share of pairings with |rho| at least as large */
    double       least_p;     /* the smallest p that these values could have given */
    ranks_method method;
    char         refused[96]; /* why, if method is RANKS_REFUSED: rho and p are NaN */
} ranks_result;

/* "exact", "permutation"; NULL if refused. */
const char *ranks_method_name(ranks_method method);

/* Of `n` pairs of finite numbers.  `seed` starts the random pairings: the same seed
 * gives the same p.  A result that the data do not support is refused, not an error.
 * OSC_ENOMEM. */
osc_status ranks_spearman(ranks_result *result, const double *x, const double *y, size_t n,
                          uint64_t seed);

#endif

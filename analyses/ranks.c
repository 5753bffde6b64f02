/* Spearman's correlation is Pearson's of the ranks.  Ranks are kept doubled, so that
 * the mean ranks of equal values are whole numbers and permutations are compared
 * exactly: no two that are equal can differ by rounding. */
#include <config.h>
#include "analyses/ranks.h"

#include <gsl/gsl_rng.h>
#include <gsl/gsl_sort.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct {
    size_t    n;
    int64_t  *x, *y;         /* doubled ranks */
    int64_t   sum_x, sum_y;
    int64_t   product;       /* sum of x[i] y[i] as y stands now */
} pairing;

/* What the permutations seen so far say. */
typedef struct {
    int64_t  observed, largest;                  /* |n times the covariance| */
    uint64_t seen, as_large, at_largest;
} tally;

const char *ranks_method_name(ranks_method method)
{
    static const char *const names[] = {
        [RANKS_REFUSED] = NULL, [RANKS_EXACT] = "exact", [RANKS_PERMUTATION] = "permutation",
    };
    return names[method];
}

/* `order` is room for n indices. */
static void rank(int64_t *doubled, size_t *order, const double *value, size_t n)
{
    gsl_sort_index(order, value, 1, n);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && value[order[end]] == value[order[i]]; end++)
            ;
        for (size_t j = i; j < end; j++)   /* mean of the ranks i + 1 .. end */
            doubled[order[j]] = (int64_t)(i + 1 + end);
    }
}

/* n^2 times four times the covariance of the ranks. */
static int64_t covariance(const pairing *p)
{
    return (int64_t)p->n * p->product - p->sum_x * p->sum_y;
}

static void count(tally *t, const pairing *p)
{
    int64_t size = llabs(covariance(p));
    t->seen++;
    t->as_large += size >= t->observed;
    if (size > t->largest) {
        t->largest = size;
        t->at_largest = 0;
    }
    t->at_largest += size == t->largest;
}

static void swap(pairing *p, size_t i, size_t j)
{
    p->product += (p->x[i] - p->x[j]) * (p->y[j] - p->y[i]);
    int64_t kept = p->y[i];
    p->y[i] = p->y[j];
    p->y[j] = kept;
}

/* Heap's algorithm: every permutation once, a swap from one to the next. */
static void count_all(tally *t, pairing *p)
{
    size_t at[RANKS_EXACT_MOST] = { 0 };
    count(t, p);
    for (size_t i = 1; i < p->n;) {
        if (at[i] < i) {
            swap(p, i % 2 == 0 ? 0 : at[i], i);
            count(t, p);
            at[i]++;
            i = 1;
        } else {
            at[i++] = 0;
        }
    }
}

/* The observed pairing and RANKS_DRAWS random ones, so that p is never 0 (Phipson and
 * Smyth 2010, "Permutation p-values should never be zero"). */
static osc_status count_some(tally *t, pairing *p, uint64_t seed)
{
    gsl_rng *random = gsl_rng_alloc(gsl_rng_mt19937);
    if (random == NULL)
        return osc_fail(OSC_ENOMEM, "out of memory for a random number generator");
    gsl_rng_set(random, (unsigned long)seed);
    count(t, p);
    for (size_t draw = 0; draw < RANKS_DRAWS; draw++) {
        for (size_t i = p->n - 1; i > 0; i--)
            swap(p, i, gsl_rng_uniform_int(random, i + 1));
        count(t, p);
    }
    gsl_rng_free(random);
    return OSC_OK;
}

static int64_t sum_of(const int64_t *value, size_t n)
{
    int64_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += value[i];
    return sum;
}

static int64_t product_of(const int64_t *x, const int64_t *y, size_t n)
{
    int64_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i] * y[i];
    return sum;
}

static osc_status correlate(ranks_result *r, pairing *p, uint64_t seed)
{
    int64_t n = (int64_t)p->n;
    p->sum_x = sum_of(p->x, p->n);
    p->sum_y = sum_of(p->y, p->n);
    p->product = product_of(p->x, p->y, p->n);
    int64_t square_x = n * product_of(p->x, p->x, p->n) - p->sum_x * p->sum_x;
    int64_t square_y = n * product_of(p->y, p->y, p->n) - p->sum_y * p->sum_y;
    if (square_x == 0 || square_y == 0) {
        snprintf(r->refused, sizeof r->refused, "all values of %s are equal",
                 square_x == 0 ? "x" : "y");
        return OSC_OK;
    }
    tally t = { .observed = llabs(covariance(p)) };
    r->rho = (double)covariance(p) / sqrt((double)square_x * (double)square_y);
    r->method = p->n <= RANKS_EXACT_MOST ? RANKS_EXACT : RANKS_PERMUTATION;
    if (r->method == RANKS_EXACT)
        count_all(&t, p);
    else
        OSC_TRY(count_some(&t, p, seed));
    r->p = (double)t.as_large / (double)t.seen;
    r->least_p = (double)(r->method == RANKS_EXACT ? t.at_largest : 1) / (double)t.seen;
    return OSC_OK;
}

osc_status ranks_spearman(ranks_result *result, const double *x, const double *y, size_t n,
                          uint64_t seed)
{
    ranks_result r = { .n = n, .rho = NAN, .p = NAN, .least_p = NAN };
    osc_status status = OSC_OK;
    if (n < RANKS_LEAST) {
        snprintf(r.refused, sizeof r.refused, "%zu point%s, at least %d are needed", n,
                 n == 1 ? "" : "s", RANKS_LEAST);
    } else {
        pairing p = { .n = n, .x = osc_alloc(n, sizeof *p.x), .y = osc_alloc(n, sizeof *p.y) };
        size_t *order = osc_alloc(n, sizeof *order);
        status = OSC_ENOMEM;
        if (p.x != NULL && p.y != NULL && order != NULL) {
            rank(p.x, order, x, n);
            rank(p.y, order, y, n);
            status = correlate(&r, &p, seed);
        }
        osc_free(p.x);
        osc_free(p.y);
        osc_free(order);
    }
    if (status == OSC_OK)
        *result = r;
    return status;
}

/* Helpers of the numeric tests: a reproducible random stream, ugly shapes, and
 * comparison that says where and by how much. */
#ifndef NEAR_H
#define NEAR_H

#include <check.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>

/* xorshift64*, uniform in [-1, 1). */
static inline float random_float(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return (float)((double)(*state * 2685821657736338717u >> 11) * 0x1p-52 - 1.0);
}

static inline void random_fill(float *x, size_t n, float scale, uint64_t *state)
{
    for (size_t i = 0; i < n; i++)
        x[i] = scale * random_float(state);
}

static inline void assert_near(const char *what, const float *got, const double *want, size_t n,
                               double budget)
{
    for (size_t i = 0; i < n; i++)
        ck_assert_msg(fabs((double)got[i] - want[i]) <= budget * (1.0 + fabs(want[i])),
                      "%s: element %zu is %.9g, expected %.9g", what, i, (double)got[i], want[i]);
}

#endif

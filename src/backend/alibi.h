/* ALiBi (Press et al. 2022): the score of key j in head a grows by slope(a) * j, which
 * for the softmax is the same as falling by slope(a) * (i - j). */
#ifndef OSC_BACKEND_ALIBI_H
#define OSC_BACKEND_ALIBI_H

#include <math.h>
#include <stddef.h>

/* With c the largest power of two that is at most `heads`: 2^(-8/c * (a + 1)) for heads
 * below c, odd powers of 2^(-4/c) for the others. */
static inline float osc_alibi_slope(size_t head, size_t heads)
{
    size_t c = 1;
    while (2 * c <= heads)
        c *= 2;
    double exponent = head < c ? 8.0 * (double)(head + 1) / (double)c
                               : 4.0 * (double)(2 * (head - c) + 1) / (double)c;
    return (float)exp2(-exponent);
}

#endif

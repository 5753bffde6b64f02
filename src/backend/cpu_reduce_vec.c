/* Vector loops of whole-tensor reductions, compiled once per instruction set as cpu_vec.c
 * is, but without contraction: every build gives the same bits.  Magnitudes are compared
 * by their bits, which are in the order of the values with NaN at the end. */
#include <config.h>
#include "backend/cpu_vec.h"

#include <string.h>

#include "base/half.h"

typedef int32_t i16v __attribute__((vector_size(64)));
typedef float   v8 __attribute__((vector_size(32)));
typedef double  d8 __attribute__((vector_size(64)));

#define INLINE static inline __attribute__((always_inline))

enum { SIGN_OFF = 0x7fffffff };

INLINE i16v magnitudes16(const float *x)
{
    i16v v;
    memcpy(&v, x, sizeof v);
    return v & SIGN_OFF;
}

INLINE int32_t magnitude(float x)
{
    return (int32_t)(osc_float_to_bits(x) & SIGN_OFF);
}

static uint32_t peak(const float *x, size_t n)
{
    i16v best16 = { 0 };
    int32_t best = 0;
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        i16v v = magnitudes16(x + i), more = v > best16;
        best16 = (more & v) | (~more & best16);
    }
    for (; i < n; i++)
        best = magnitude(x[i]) > best ? magnitude(x[i]) : best;
    for (size_t lane = 0; lane < 16; lane++)
        best = best16[lane] > best ? best16[lane] : best;
    return (uint32_t)best;
}

static size_t count_below(const float *x, size_t n, uint32_t limit)
{
    i16v below16 = { 0 };    /* comparisons give -1 for true */
    int32_t most = (int32_t)limit, below = 0;
    size_t i = 0;
    for (; i + 16 <= n; i += 16)
        below16 -= magnitudes16(x + i) < most;
    for (; i < n; i++)
        below += magnitude(x[i]) < most;
    for (size_t lane = 0; lane < 16; lane++)
        below += below16[lane];
    return (size_t)below;
}

static uint32_t largest_below(const float *x, size_t n, uint32_t limit)
{
    i16v best16 = { 0 };
    int32_t most = (int32_t)limit, best = 0;
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        i16v v = magnitudes16(x + i), more = (v < most) & (v > best16);
        best16 = (more & v) | (~more & best16);
    }
    for (; i < n; i++)
        if (magnitude(x[i]) < most && magnitude(x[i]) > best)
            best = magnitude(x[i]);
    for (size_t lane = 0; lane < 16; lane++)
        best = best16[lane] > best ? best16[lane] : best;
    return (uint32_t)best;
}

static void powers(double power[4], const float *x, size_t n)
{
    d8 sum[4] = { { 0 } };
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        v8 v;
        memcpy(&v, x + i, sizeof v);
        d8 d = __builtin_convertvector(v, d8), dd = d * d;
        sum[0] += d;
        sum[1] += dd;
        sum[2] += dd * d;
        sum[3] += dd * dd;
    }
    double rest[4] = { 0.0 };
    for (; i < n; i++) {
        double d = x[i], dd = d * d;
        rest[0] += d;
        rest[1] += dd;
        rest[2] += dd * d;
        rest[3] += dd * dd;
    }
    for (size_t p = 0; p < 4; p++) {
        for (size_t lane = 0; lane < 8; lane++)
            rest[p] += sum[p][lane];
        power[p] = rest[p];
    }
}

static void squares(double *sumsq, const float *x, size_t rows, size_t stride, size_t width)
{
    size_t c = 0;
    for (; c + 8 <= width; c += 8) {
        d8 sum = { 0 };
        for (size_t r = 0; r < rows; r++) {
            v8 v;
            memcpy(&v, x + r * stride + c, sizeof v);
            d8 d = __builtin_convertvector(v, d8);
            sum += d * d;
        }
        for (size_t lane = 0; lane < 8; lane++)
            sumsq[c + lane] += sum[lane];
    }
    for (; c < width; c++) {
        double sum = 0.0;
        for (size_t r = 0; r < rows; r++)
            sum += (double)x[r * stride + c] * x[r * stride + c];
        sumsq[c] += sum;
    }
}

#define NAME2(isa) osc_cpu_reduce_##isa
#define NAME1(isa) NAME2(isa)

const osc_cpu_reduce_vec NAME1(OSC_VEC) = {
    .peak = peak,
    .count_below = count_below,
    .largest_below = largest_below,
    .powers = powers,
    .squares = squares,
};

/* The inner loops of the CPU backend, in plain C with vector types, compiled once
 * per instruction set (src/backend/local.mk) and chosen when a device opens.  All
 * run on one thread.  Pointers have any alignment that their type allows. */
#ifndef OSC_BACKEND_CPU_VEC_H
#define OSC_BACKEND_CPU_VEC_H

#include <stddef.h>
#include <stdint.h>

#include "backend/backend.h"

/* Column statistics of one call, to be added to the accumulators: [width] each. */
typedef struct {
    float  *min, *max;
    double *sum, *sumsq, *sum4;
} osc_cpu_columns;

/* Whole-tensor reductions (cpu_reduce_vec.c), the same bits from every build.  A
 * magnitude is the bits of |x|, `limit` one to compare it with; n < 2^31. */
typedef struct {
    uint32_t (*peak)(const float *x, size_t n);                          /* the largest */
    size_t   (*count_below)(const float *x, size_t n, uint32_t limit);
    uint32_t (*largest_below)(const float *x, size_t n, uint32_t limit); /* 0 if there is none */
    /* power[p] = sum of x^(p+1). */
    void     (*powers)(double power[4], const float *x, size_t n);
    /* sumsq[c] += sum over the rows of x^2, for columns 0..width-1 of x [rows, stride]. */
    void     (*squares)(double *sumsq, const float *x, size_t rows, size_t stride, size_t width);
} osc_cpu_reduce_vec;

typedef struct {
    const char *name;    /* "generic", "avx2", "avx512" */

    /* y[n] from n fp16 or bf16 at any address. */
    void (*widen_f16)(float *y, const void *x, size_t n);
    void (*widen_bf16)(float *y, const void *x, size_t n);
    /* Whether all of x[n] are finite. */
    int  (*all_finite)(const float *x, size_t n);

    /* Sum of x[i] w[i], and y += factor w, of n weights w at any address.  In the same order
     * for all types: weights widened before give the same bits. */
    float (*dot_f32)(const float *x, const void *w, size_t n);
    float (*dot_f16)(const float *x, const void *w, size_t n);
    float (*dot_bf16)(const float *x, const void *w, size_t n);
    void  (*add_scaled_f32)(float *y, float factor, const void *w, size_t n);
    void  (*add_scaled_f16)(float *y, float factor, const void *w, size_t n);
    void  (*add_scaled_bf16)(float *y, float factor, const void *w, size_t n);

    void (*add)(float *y, const float *x, size_t n);
    /* y = act(y + bias) for one row; bias may be NULL. */
    void (*bias_act)(float *y, const float *bias, osc_act act, size_t n);
    /* One row of layernorm; weight and bias may be NULL. */
    void (*layernorm)(float *y, const float *x, const float *weight, const float *bias,
                      float eps, size_t n);

    /* One row of rmsnorm; weight may be NULL. */
    void (*rmsnorm)(float *y, const float *x, const float *weight, float eps, size_t n);

    /* Largest of x[n]; -inf for n = 0; NaN is passed over. */
    float (*max)(const float *x, size_t n);
    /* y = exp(scale * (x - shift)), 0 below e^-87; returns the sum of y.  y may be x. */
    float (*exp)(float *y, const float *x, float scale, float shift, size_t n);
    /* The sum of exp(x - shift). */
    float (*exp_sum)(const float *x, float shift, size_t n);
    void  (*multiply)(float *y, float factor, size_t n);

    /* Adds columns 0..width-1 of x [rows, stride] to `columns`, each sum over the
     * rows of this call first, then once to the accumulator. */
    void (*columns)(const osc_cpu_columns *columns, const float *x, size_t rows, size_t stride,
                    size_t width);
    /* count[c] += rows with |x| >= alpha, for columns 0..width-1 of x [rows, stride]. */
    void (*count_ge)(uint64_t *count, const float *x, size_t rows, size_t stride, size_t width,
                     float alpha);
    /* bins[b]++ for columns 0..width-1 of x [rows, stride], b as in stats.h: the exponent
     * of x, clamped to OSC_HISTOGRAM_BINS bins. */
    void (*exponents)(uint64_t *bins, const float *x, size_t rows, size_t stride, size_t width);

    const osc_cpu_reduce_vec *reduce;
} osc_cpu_vec;

extern const osc_cpu_reduce_vec osc_cpu_reduce_generic, osc_cpu_reduce_avx2,
                                osc_cpu_reduce_avx512;
extern const osc_cpu_vec osc_cpu_vec_generic, osc_cpu_vec_avx2, osc_cpu_vec_avx512;

/* The best of them for the processor at hand. */
const osc_cpu_vec *osc_cpu_vec_choose(void);

#endif

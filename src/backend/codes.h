/* Products of 8-bit codes: how operands are coded, and a view of the codes.
 *
 * y = x w^T + b with x [T, K] and w [N, K].  A set of values that share a scale
 * (a row, or the whole tensor) is coded as
 *   symmetric:  s = 127/max|x|,        z = 0,                     q = clamp(rint(x s))
 *   zeropoint:  s = 254/(max - min),   z = -rint(s min) - 127,    q = clamp(rint(x s) + z)
 * in float32, rounding half to even, clamped to -127..127; x ~ (q - z)/s.  A set
 * of zeros (max = min for zeropoint) counts as a range of 1.  A set with NaN or
 * infinity in it has scale NaN, so that every y it touches is NaN; so has one whose
 * zero point leaves 32 bits.  Removed columns O of x contribute nothing to the
 * product of codes, and x_O w_O^T in float32. */
#ifndef OSC_BACKEND_CODES_H
#define OSC_BACKEND_CODES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tensor/tensor.h"

enum {
    OSC_CODES_WIDEST = 133143,   /* K: 127 * 127 * K stays below 2^31 */
    OSC_CODE_BLOCK = 32          /* weights that share a scale in OSC_SHARE_BLOCK */
};

/* Which values share a scale.  OSC_SHARE_BLOCK is for w alone: blocks of 32 along
 * K with an fp16 scale max|w|/127 (llama.cpp's Q8_0); x then stays float. */
typedef enum { OSC_SHARE_NONE, OSC_SHARE_TENSOR, OSC_SHARE_ROW, OSC_SHARE_BLOCK } osc_share;

/* Which columns of x are removed. */
typedef enum {
    OSC_REMOVE_NONE,
    OSC_REMOVE_ABSOLUTE,   /* any |x| >= threshold; NaN is not */
    OSC_REMOVE_RATIO,      /* max|x| of the column > threshold * mean over columns of that */
    OSC_REMOVE_TOP,        /* the `top` columns of largest max|x|, the lower index first */
    OSC_REMOVE_FIXED       /* those given when the weight was coded */
} osc_remove;

typedef struct {
    osc_share  x, w;
    bool       zeropoint;
    osc_remove remove;
    float      threshold;
    size_t     top;
    bool       stored;      /* x_O multiplies the weights as stored, else the decoded codes */
} osc_coding;

/* A weight to be coded: the stored tensor, N rows of K in any strides (tensor.h), which
 * must outlive the coded weight if coding->stored; and for OSC_REMOVE_FIXED the columns,
 * ascending. */
typedef struct {
    const osc_tensor *tensor;
    const uint32_t   *columns;
    size_t            column_count;
} osc_code_source;

/* The operands of one product, for tests and error studies.  Arrays belong to the
 * caller; NULL: not wanted. */
typedef struct {
    uint32_t *columns;       /* [K] removed columns, ascending; the first column_count are set */
    size_t    column_count;
    int8_t   *qx;            /* [T, K]; 0 in removed columns */
    float    *sx;            /* [T], all equal if the tensor shares */
    int32_t  *zx;            /* [T] */
    int8_t   *qw;            /* [N, K] */
    float    *sw;            /* [N] */
    int32_t  *zw;            /* [N] */
    int64_t  *sum;           /* [T, N] sum over kept columns of (qx - zx)(qw - zw), mod 2^64 */
} osc_code_view;

#endif

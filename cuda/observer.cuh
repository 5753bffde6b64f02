/* What the kernel of column statistics (observe.cu) and that of hits (find_hits.cu) share. */
#ifndef OSC_CUDA_OBSERVER_CUH
#define OSC_CUDA_OBSERVER_CUH

#include "cuda/element.cuh"

enum {
    WARP = 32, WARPS = 8, THREADS = WARPS * WARP,
    COUNT = 4, COLUMNS = WARP * COUNT      /* neighbouring columns of a lane and of a block */
};

struct osc_cuda_observer {
    double   *sums;          /* [SUMS, SLICES, widest] what slices found: of x, x^2, x^4 */
    float    *min, *max;     /* [SLICES, widest] */
    uint32_t *count_ge;      /* [SLICES, widest] */
    uint32_t *hot;           /* [widest / 32] bits: columns with hits in this call */
    uint32_t *block_hits;    /* [tokens / WARPS] hits of a block of write_hits() and 1, 0 before */
    uint32_t *ticket;        /* blocks of write_hits() that have begun */
    unsigned *arrived;       /* [widest / COLUMNS] blocks that are done with some columns; 0
                                between kernels */
    size_t   widest;
};

/* Blocks that look for hits, a warp a row. */
static inline unsigned hit_blocks(size_t rows)
{
    return (unsigned)((rows + WARPS - 1) / WARPS);
}

/* |x| >= alpha if and only if |x| is not less than this. */
template <typename T> static T least_from(float alpha);
template <> __half least_from<__half>(float alpha) { return __float2half_ru(alpha); }
template <> __nv_bfloat16 least_from<__nv_bfloat16>(float alpha)
{
    return __float2bfloat16_ru(alpha);
}

/* Writes the hits of the values that statistics were made of last, behind *filled, which it
 * moves on and puts in *end (device view). */
osc_status osc_cuda_find_hits(osc_device *device, const void *x, size_t rows, size_t width,
                              float alpha, uint64_t *end);

#endif

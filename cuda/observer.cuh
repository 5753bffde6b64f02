/* What the kernel of column statistics (observe.cu) and that of hits (find_hits.cu) share. */
#ifndef OSC_CUDA_OBSERVER_CUH
#define OSC_CUDA_OBSERVER_CUH

#include "cuda/device.h"
#include "cuda/element.cuh"
#include "cuda/hits.h"

enum {
    WARP = 32, WARPS = 8, THREADS = WARPS * WARP,
    COUNT = 4, COLUMNS = WARP * COUNT,     /* neighbouring columns of a lane and of a block */
    HIT_ROWS = 4                           /* of a warp that looks for hits */
};

/* Partial statistics of one launch: sequences of slices of rows. */
struct osc_cuda_observer {
    size_t   cells;
    double   *sums;          /* [SUMS, cells], of x, x^2, x^4; cells are [sequences, slices,
                                width] */
    float    *min, *max;     /* [cells] */
    uint32_t *count_ge;      /* [cells] */
    uint32_t *hot;           /* [sequences, groups, COLUMNS / 32] bits: columns with hits, groups
                                of COLUMNS */
    uint32_t *hot_hits;      /* of these columns, as many */
    uint32_t *block_hits;    /* [sequences, hit_blocks()] hits of a block of write_hits() and 1, 0
                                before */
    uint32_t *ticket;        /* [CUDA_TOGETHER] blocks that have begun, of a write_hits() that
                                begins with that sequence */
    unsigned *arrived;       /* [sequences, groups] blocks that are done with some columns, then
                                [groups] sequences; 0 between kernels */
};

/* Blocks that look for hits in a sequence. */
static inline unsigned hit_blocks(size_t tokens)
{
    return (unsigned)((tokens + WARPS * HIT_ROWS - 1) / (WARPS * HIT_ROWS));
}

/* |x| >= alpha if and only if |x| is not less than this. */
template <typename T> static T least_from(float alpha);
template <> __half least_from<__half>(float alpha) { return __float2half_ru(alpha); }
template <> __nv_bfloat16 least_from<__nv_bfloat16>(float alpha)
{
    return __float2bfloat16_ru(alpha);
}

/* Writes the hits of some sequences, from `first` on, of x, which statistics were made of
 * last. */
osc_status osc_cuda_find_hits(osc_device *device, const void *x, size_t first,
                              osc_sequences sequences, size_t width, float alpha,
                              const osc_cuda_hit_counts *counts);

#endif

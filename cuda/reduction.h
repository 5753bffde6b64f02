/* Scratch of the kernels that reduce a whole activation (summary.cu, residual.cu). */
#ifndef OSC_CUDA_REDUCTION_H
#define OSC_CUDA_REDUCTION_H

#include "cuda/device.h"

enum {
    CUDA_SUMMARY_BLOCKS = 528,
    CUDA_MAGNITUDES = 1 << 15,    /* of a 16-bit type, in rising order of their bits */
    CUDA_RESIDUAL_SLICES = 16     /* of the rows, for sums of columns */
};

typedef struct {
    double   power[4];
    uint32_t peak;                /* bits of the largest |x| as float32 */
} osc_cuda_summary_part;

/* Magnitudes are bits of the device's type without the sign. */
struct osc_cuda_reduction {
    osc_cuda_summary_part *parts;     /* [CUDA_SUMMARY_BLOCKS] */
    unsigned *arrived;                /* [1 + widest] blocks that are done, 0 between kernels */
    uint32_t *peak, *median;          /* [tokens] magnitudes of every row */
    uint32_t *counts;                 /* [CUDA_MAGNITUDES] from the least of the rows' medians on,
                                         0 between calls */
    struct osc_cuda_bracket *bracket;
    double   *sums;                   /* [CUDA_RESIDUAL_SLICES, widest] */
};

#endif

/* Scratch of the kernels that reduce a whole activation (summary.cu, residual.cu). */
#ifndef OSC_CUDA_REDUCTION_H
#define OSC_CUDA_REDUCTION_H

#include "cuda/device.h"

enum {
    CUDA_SUMMARY_BLOCKS = 264,
    CUDA_MAGNITUDES = 1 << 15,    /* of a 16-bit type, in rising order of their bits */
    CUDA_COUNTS = 1 + CUDA_MAGNITUDES,
    CUDA_RESIDUAL_SLICES = 32     /* of the rows, for sums of columns, at most */
};

typedef struct {
    double   power[4];
    uint32_t peak;                /* bits of the largest |x| as float32 */
} osc_cuda_summary_part;

/* Of the sequences of one launch, CUDA_TOGETHER at most.  Magnitudes are bits of the device's
 * type without the sign. */
struct osc_cuda_reduction {
    osc_cuda_summary_part *parts;     /* [sequences, CUDA_SUMMARY_BLOCKS] */
    unsigned *arrived;                /* [sequences] blocks that are done, of a summary; 0
                                         between kernels, and so of a residual stream: */
    unsigned *done;                   /* [sequences, groups of columns], then [groups] sequences */
    uint32_t *peak, *median;          /* [rows] magnitudes of every row */
    uint32_t *counts;                 /* [sequences, CUDA_COUNTS] below the least of the rows'
                                         medians, then from there on; 0 between calls */
    struct osc_cuda_bracket *bracket; /* [sequences] */
    size_t   cells;
    double   *sums;                   /* [cells]: [sequences, slices, width] */
};

#endif

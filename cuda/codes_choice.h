/* Which kernel multiplies codes: without CUDA, so that it is tested where there is none. */
#ifndef OSC_CUDA_CODES_CHOICE_H
#define OSC_CUDA_CODES_CHOICE_H

#include <stdbool.h>
#include <stddef.h>

/* In the order of CUDA_KERNELS. */
typedef enum { CODES_FEW_DP4A, CODES_FEW_MMA, CODES_WGMMA, CODES_CUBLASLT } osc_cuda_codes_kernels;

/* The number of the kernel with which to start looking for one that fits y [rows, n] =
 * x [rows, k] w^T: the one that was faster where the two differ (codes_measured.h), else 0.
 * `hopper`: the kernels for sm_90a are there; without them nothing was measured. */
size_t osc_cuda_codes_choice(size_t rows, size_t n, size_t k, bool hopper);

#endif

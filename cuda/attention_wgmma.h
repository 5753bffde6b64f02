/* Attention with Hopper's warpgroup instructions: heads of 64 to 128 on sm_90a. */
#ifndef OSC_CUDA_ATTENTION_WGMMA_H
#define OSC_CUDA_ATTENTION_WGMMA_H

#include "cuda/device.h"

#ifdef __cplusplus
extern "C" {
#endif

bool osc_cuda_attention_wgmma_fits(const osc_device *device, size_t head_size);
/* As backend->attention; it fits, rows of heads are 16-byte aligned, and past is 0 where there
 * are several sequences. */
osc_status osc_cuda_attention_wgmma(osc_device *device, void *o, const void *q, const void *k,
                                    const void *v, const osc_attention *args);

#ifdef __cplusplus
}
#endif

#endif

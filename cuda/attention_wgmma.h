/* Attention with Hopper's warpgroup instructions: heads of 64 and 128 on sm_90a. */
#ifndef OSC_CUDA_ATTENTION_WGMMA_H
#define OSC_CUDA_ATTENTION_WGMMA_H

#include "cuda/device.h"

#ifdef __cplusplus
extern "C" {
#endif

/* As backend->attention; pointers are 16-byte aligned and device->hopper is true. */
osc_status osc_cuda_attention_wgmma(osc_device *device, void *o, const void *q, const void *k,
                                    const void *v, const osc_attention *args);

#ifdef __cplusplus
}
#endif

#endif

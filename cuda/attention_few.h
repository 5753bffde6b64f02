/* Attention of a few queries against any number of keys. */
#ifndef OSC_CUDA_ATTENTION_FEW_H
#define OSC_CUDA_ATTENTION_FEW_H

#include "cuda/device.h"

#ifdef __cplusplus
extern "C" {
#endif

/* As backend->attention, for up to CUDA_FEW_QUERIES queries of heads up to 128, a multiple
 * of 8; pointers are 16-byte aligned. */
osc_status osc_cuda_attention_few(osc_device *device, void *o, const void *q, const void *k,
                                  const void *v, const osc_attention *args);

#ifdef __cplusplus
}
#endif

#endif

/* The members of the CUDA backend, as in backend/backend.h. */
#ifndef OSC_CUDA_BACKEND_H
#define OSC_CUDA_BACKEND_H

#include "cuda/device.h"

#ifdef __cplusplus
extern "C" {
#endif

osc_status osc_cuda_open(osc_device **device, size_t threads, osc_dtype dtype);
void osc_cuda_close(osc_device *device);
size_t osc_cuda_threads(const osc_device *device);

osc_status osc_cuda_alloc(osc_device *device, void **data, size_t bytes);
void osc_cuda_release(osc_device *device, void *data);
osc_status osc_cuda_plan(osc_device *device, const osc_limits *limits);
size_t osc_cuda_scratch_bytes(const osc_device *device);

#ifdef __cplusplus
}
#endif

#endif

/* Moving bytes between host and device, and the buffers that weights take turns in. */
#include <config.h>
#include "cuda/backend.h"
#include "cuda/watch.h"

#include <string.h>

osc_status osc_cuda_get(osc_device *device, void *host, const void *src, size_t bytes)
{
    bool few = bytes <= CUDA_PINNED;
    OSC_TRY(osc_cuda_claim_all(device));
    OSC_CUDA_TRY(cudaMemcpyAsync(few ? device->pinned : host, src, bytes, cudaMemcpyDeviceToHost,
                                 device->stream), "copying from the device");
    OSC_TRY(osc_cuda_wait(device, "copying from the device"));
    if (few)
        memcpy(host, device->pinned, bytes);
    return OSC_OK;
}

/* The stream of observers has done what was issued to it before the copy. */
osc_status osc_cuda_get_stats(osc_device *device, void *host, const void *src, size_t bytes)
{
    OSC_CUDA_TRY(cudaMemcpyAsync(host, src, bytes, cudaMemcpyDeviceToHost, device->watch),
                 "copying statistics from the device");
    return osc_cuda_watch_wait(device);
}

osc_status osc_cuda_used(osc_device *device, unsigned turn)
{
    OSC_CUDA_TRY(cudaEventRecord(device->turn[turn], device->stream), "marking weights as used");
    return OSC_OK;
}

osc_status osc_cuda_reuse(osc_device *device, unsigned turn)
{
    OSC_CUDA_TRY(cudaStreamWaitEvent(device->loads, device->turn[turn], 0),
                 "waiting for weights to be used");
    return OSC_OK;
}

/* --- views for hooks ---------------------------------------------------------------------- */

static osc_status grow_view(osc_device *device, size_t count)
{
    float *grown = osc_grow(device->view, &device->view_capacity, count, sizeof *grown);
    if (grown == NULL)
        return OSC_ENOMEM;
    device->view = grown;
    return OSC_OK;
}

/* Through a piece of float32 on the device: half of it is never on the host. */
osc_status osc_cuda_host_view(osc_device *device, float **view, void *x, osc_dtype dtype,
                              size_t count)
{
    size_t size = osc_dtype_size(dtype);
    OSC_TRY(grow_view(device, count));
    for (size_t i = 0; i < count; i += CUDA_PIECE) {
        size_t n = count - i < CUDA_PIECE ? count - i : CUDA_PIECE;
        const void *from = (const char *)x + i * size;
        if (dtype != OSC_F32) {
            OSC_TRY(osc_cuda_widen(device, device->piece, from, n));
            from = device->piece;
        }
        OSC_TRY(osc_cuda_get(device, device->view + i, from, n * sizeof(float)));
    }
    *view = device->view;
    return OSC_OK;
}

osc_status osc_cuda_host_put(osc_device *device, void *x, osc_dtype dtype, const float *view,
                             size_t count)
{
    size_t size = osc_dtype_size(dtype);
    for (size_t i = 0; i < count; i += CUDA_PIECE) {
        size_t n = count - i < CUDA_PIECE ? count - i : CUDA_PIECE;
        void *to = (char *)x + i * size;
        OSC_TRY(osc_cuda_put(device, dtype == OSC_F32 ? to : device->piece, view + i,
                             n * sizeof(float)));
        if (dtype != OSC_F32)
            OSC_TRY(osc_cuda_narrow(device, to, device->piece, n));
    }
    return OSC_OK;
}

/* Several GPUs of a host, each with a device of its own. */
#include <config.h>
#include "cuda/backend.h"

osc_status osc_cuda_select(osc_device *device)
{
    OSC_CUDA_TRY(cudaSetDevice(device->index), "taking the GPU");
    return OSC_OK;
}

/* Where the GPUs have no way to each other, the driver copies through the host. */
static osc_status copy(osc_device *to, void *dst, osc_device *from, const void *src, size_t bytes)
{
    if (bytes == 0)
        return OSC_OK;
    OSC_CUDA_TRY(cudaMemcpyPeerAsync(dst, to->index, src, from->index, bytes, to->stream),
                 "copying between GPUs");
    return OSC_OK;
}

osc_status osc_cuda_hand_over(osc_device *to, void *dst, osc_device *from, const void *src,
                              size_t bytes)
{
    OSC_CUDA_TRY(cudaEventRecord(from->handed, from->stream), "copying between GPUs");
    OSC_CUDA_TRY(cudaStreamWaitEvent(to->stream, from->handed, 0), "copying between GPUs");
    return copy(to, dst, from, src, bytes);
}

/* Lets this GPU read the memory of those before it and they read its. */
void osc_cuda_make_way(const osc_device *device)
{
    for (int other = 0; other < device->index; other++) {
        int here = 0, there = 0;
        cudaDeviceCanAccessPeer(&there, device->index, other);
        cudaDeviceCanAccessPeer(&here, other, device->index);
        if (there && cudaDeviceEnablePeerAccess(other, 0) != cudaSuccess)
            cudaGetLastError();   /* was done before */
        if (here && cudaSetDevice(other) == cudaSuccess
            && cudaDeviceEnablePeerAccess(device->index, 0) != cudaSuccess)
            cudaGetLastError();
    }
    cudaSetDevice(device->index);
}

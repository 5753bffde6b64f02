/* Bytes and stored tensors to the device, through two pinned buffers in turn; tensors on a
 * stream of their own, so that weights of the next block arrive while this block computes. */
#include <config.h>
#include "cuda/backend.h"
#include "cuda/watch.h"

#include <limits.h>
#include <string.h>

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Bytes of the pinned buffer that one thread copies at a time. */
enum { STRIP = 1 << 20 };

/* Host threads share the copy: one alone does not fill the bus. */
static void copy_bytes(const osc_device *device, char *to, const char *from, size_t bytes)
{
    (void)device;
#pragma omp parallel for num_threads((int)device->threads)
    for (size_t i = 0; i < bytes; i += STRIP)
        memcpy(to + i, from + i, smaller(STRIP, bytes - i));
}

/* From pageable memory CUDA itself would copy with one thread, and wait. */
static osc_status put_pieces(osc_device *device, char *dst, const char *host, size_t bytes)
{
    for (size_t i = 0; i < bytes; i += CUDA_STAGING) {
        size_t n = smaller(CUDA_STAGING, bytes - i);
        unsigned half = device->next_half++ % 2;
        char *staging = (char *)device->staging + half * CUDA_STAGING;
        OSC_CUDA_TRY(cudaEventSynchronize(device->staged[half]), "waiting for a staging buffer");
        copy_bytes(device, staging, host + i, n);
        OSC_CUDA_TRY(cudaMemcpyAsync(dst + i, staging, n, cudaMemcpyHostToDevice, device->stream),
                     "copying to the device");
        OSC_CUDA_TRY(cudaEventRecord(device->staged[half], device->stream),
                     "copying to the device");
    }
    return OSC_OK;
}

/* A copy of few bytes from pageable memory has left it when the call returns. */
osc_status osc_cuda_put(osc_device *device, void *dst, const void *host, size_t bytes)
{
    OSC_TRY(osc_cuda_claim_all(device));
    if (bytes > STRIP)
        return put_pieces(device, dst, host, bytes);
    OSC_CUDA_TRY(cudaMemcpyAsync(dst, host, bytes, cudaMemcpyHostToDevice, device->stream),
                 "copying to the device");
    return OSC_OK;
}

/* Elements first .. first+n-1 of a tensor, counted row-major, in any strides. */
static void gather(char *to, const osc_tensor *src, size_t first, size_t n)
{
    size_t size = osc_dtype_size(src->dtype);
    for (size_t i = 0; i < n; i++) {
        size_t rest = first + i, offset = 0;
        for (size_t d = src->ndim; d-- > 0;) {
            offset += rest % src->dim[d] * src->stride[d];
            rest /= src->dim[d];
        }
        memcpy(to + i * size, (const char *)src->data + offset * size, size);
    }
}

osc_status osc_cuda_upload(osc_device *device, void *dst, const osc_tensor *src, size_t first,
                           size_t n)
{
    unsigned half = device->next_half++ % 2;
    if (src->drawn != NULL)
        return osc_cuda_draw(device, dst, src, first, n);
    size_t size = osc_dtype_size(src->dtype);
    char *staging = (char *)device->staging + half * CUDA_STAGING;
    OSC_CUDA_TRY(cudaEventSynchronize(device->staged[half]), "waiting for a staging buffer");
    if (osc_tensor_is_contiguous(src))
        copy_bytes(device, staging, (const char *)src->data + first * size, n * size);
    else
        gather(staging, src, first, n);
    OSC_CUDA_TRY(cudaMemcpyAsync(dst, staging, n * size, cudaMemcpyHostToDevice, device->loads),
                 "copying weights");
    OSC_CUDA_TRY(cudaEventRecord(device->staged[half], device->loads), "copying weights");
    return OSC_OK;
}

osc_status osc_cuda_load(osc_device *device, void *dst, const osc_tensor *src, size_t *bad)
{
    if ((src->dtype != OSC_F32 && src->dtype != OSC_F16 && src->dtype != OSC_BF16)
        || src->ndim == 0)
        return osc_fail(OSC_EUNSUP, "weights of type %s cannot be loaded",
                        osc_dtype_name(src->dtype));
    size_t count = osc_tensor_count(src), size = osc_dtype_size(src->dtype);
    size_t piece = CUDA_STAGING / size, to_size = osc_dtype_size(device->dtype);
    unsigned long long first_bad = ULLONG_MAX;
    OSC_CUDA_TRY(cudaMemsetAsync(device->bad, 0xff, sizeof first_bad, device->loads),
                 "checking weights");
    for (size_t i = 0; i < count; i += piece) {
        size_t n = smaller(piece, count - i);
        void *raw = (char *)device->raw + device->next_half % 2 * CUDA_STAGING;
        OSC_TRY(osc_cuda_upload(device, raw, src, i, n));
        OSC_TRY(osc_cuda_convert(device, (char *)dst + i * to_size, raw, src->dtype, n, i));
    }
    OSC_CUDA_TRY(cudaMemcpyAsync(&first_bad, device->bad, sizeof first_bad,
                                 cudaMemcpyDeviceToHost, device->loads), "checking weights");
    OSC_CUDA_TRY(cudaStreamSynchronize(device->loads), "loading weights");
    *bad = first_bad == ULLONG_MAX ? SIZE_MAX : (size_t)first_bad;
    return OSC_OK;
}

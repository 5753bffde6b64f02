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

/* One of the two pinned buffers. */
typedef struct {
    char       *data;                /* CUDA_STAGING bytes */
    cudaEvent_t sent;
} pinned;

/* The next one, once what was in it has been sent. */
static osc_status take_pinned(osc_device *device, pinned *buffer)
{
    unsigned half = device->next_half++ % 2;
    *buffer = (pinned){ (char *)device->staging + half * CUDA_STAGING, device->staged[half] };
    OSC_CUDA_TRY(cudaEventSynchronize(buffer->sent), "waiting for a staging buffer");
    return OSC_OK;
}

static osc_status send_pinned(const pinned *buffer, void *dst, size_t bytes, cudaStream_t stream,
                              const char *what)
{
    OSC_CUDA_TRY(cudaMemcpyAsync(dst, buffer->data, bytes, cudaMemcpyHostToDevice, stream), what);
    OSC_CUDA_TRY(cudaEventRecord(buffer->sent, stream), what);
    return OSC_OK;
}

/* From pageable memory CUDA itself would copy with one thread, and wait. */
static osc_status put_pieces(osc_device *device, char *dst, const char *host, size_t bytes)
{
    for (size_t i = 0; i < bytes; i += CUDA_STAGING) {
        size_t n = smaller(CUDA_STAGING, bytes - i);
        pinned buffer;
        OSC_TRY(take_pinned(device, &buffer));
        copy_bytes(device, buffer.data, host + i, n);
        OSC_TRY(send_pinned(&buffer, dst + i, n, device->stream, "copying to the device"));
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
    size_t size = osc_dtype_size(src->dtype);
    pinned buffer;
    if (src->drawn != NULL)
        return osc_cuda_draw(device, dst, src, first, n);
    OSC_TRY(take_pinned(device, &buffer));
    if (osc_tensor_is_contiguous(src))
        copy_bytes(device, buffer.data, (const char *)src->data + first * size, n * size);
    else
        gather(buffer.data, src, first, n);
    return send_pinned(&buffer, dst, n * size, device->loads, "copying weights");
}

osc_status osc_cuda_check_begin(osc_device *device)
{
    OSC_CUDA_TRY(cudaMemsetAsync(device->bad, 0xff, sizeof *device->bad, device->loads),
                 "checking weights");
    return OSC_OK;
}

osc_status osc_cuda_check_end(osc_device *device, size_t *bad)
{
    unsigned long long first = ULLONG_MAX;
    OSC_CUDA_TRY(cudaMemcpyAsync(&first, device->bad, sizeof first, cudaMemcpyDeviceToHost,
                                 device->loads), "checking weights");
    OSC_CUDA_TRY(cudaStreamSynchronize(device->loads), "loading weights");
    *bad = first == ULLONG_MAX ? SIZE_MAX : (size_t)first;
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
    OSC_TRY(osc_cuda_check_begin(device));
    for (size_t i = 0; i < count; i += piece) {
        size_t n = smaller(piece, count - i);
        void *raw = (char *)device->raw + device->next_half % 2 * CUDA_STAGING;
        OSC_TRY(osc_cuda_upload(device, raw, src, i, n));
        OSC_TRY(osc_cuda_convert(device, (char *)dst + i * to_size, raw, src->dtype, n, i));
    }
    return osc_cuda_check_end(device, bad);
}

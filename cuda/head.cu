/* The language-model head: logits of some rows in float32, small enough to stay in
 * the L2 cache, then their part of the log-sum-exp. */
#include <config.h>
#include "cuda/backend.h"
#include "cuda/element.cuh"

enum { WARP = 32, THREADS = 256, WARPS = THREADS / WARP };

template <typename F>
static __device__ float reduce(float value, F f, float *parts)
{
    for (int offset = WARP / 2; offset > 0; offset /= 2)
        value = f(value, __shfl_xor_sync(~0u, value, offset));
    __syncthreads();
    if (threadIdx.x % WARP == 0)
        parts[threadIdx.x / WARP] = value;
    __syncthreads();
    for (int w = 0; w < WARPS; w++)
        value = w == 0 ? parts[0] : f(value, parts[w]);
    return value;
}

/* One row a block: the streaming form, rescaled when a larger maximum turns up.  A
 * logit that is NaN makes the sum NaN. */
template <typename T>
static __global__ void update(osc_row_lse *lse, float *tile, const T *bias,
                              const int32_t *targets, size_t n, size_t first, float *logits,
                              size_t stride)
{
    __shared__ float parts[WARPS];
    float *row = tile + blockIdx.x * n;
    float largest = -INFINITY, sum = 0.0f;
    for (size_t i = threadIdx.x; i < n; i += THREADS) {
        float v = row[i];
        if (bias != NULL)
            row[i] = v += to_float(bias[i]);
        largest = v > largest ? v : largest;
        if (logits != NULL)
            logits[blockIdx.x * stride + first + i] = v;
    }
    osc_row_lse old = lse[blockIdx.x];
    largest = reduce(largest, [](float a, float b) { return a > b ? a : b; }, parts);
    largest = largest > old.max ? largest : old.max;
    for (size_t i = threadIdx.x; i < n; i += THREADS)
        sum += expf(row[i] - largest);
    sum = reduce(sum, [](float a, float b) { return a + b; }, parts);
    if (threadIdx.x != 0)
        return;
    int32_t target = targets[blockIdx.x];
    if (largest > old.max)
        old.sum *= exp((double)old.max - (double)largest);
    old.max = largest;
    old.sum += (double)sum;
    if (target >= 0 && (size_t)target >= first && (size_t)target < first + n)
        old.target = row[(size_t)target - first];
    lse[blockIdx.x] = old;
}

template <typename T>
static osc_status launch_update(osc_device *device, osc_row_lse *lse, const void *bias,
                                const int32_t *targets, size_t rows, size_t first, size_t n,
                                float *logits, size_t stride)
{
    update<<<(unsigned)rows, THREADS, 0, device->stream>>>(lse, device->piece, (const T *)bias,
                                                           targets, n, first, logits, stride);
    return osc_cuda_launched("log-sum-exp");
}

osc_status osc_cuda_head_biased(osc_device *device, osc_row_lse *lse, const void *x,
                                const void *w, const void *bias, const int32_t *targets,
                                size_t rows, size_t first, size_t n, size_t k, float *logits,
                                size_t stride)
{
    size_t group = CUDA_PIECE / n, size = osc_dtype_size(device->dtype);
    if (group == 0)
        return osc_fail(OSC_EINVAL, "head tile of %zu rows: at most %d", n, CUDA_PIECE);
    for (size_t i = 0; i < rows; i += group) {
        size_t m = rows - i < group ? rows - i : group;
        OSC_TRY(osc_cuda_product(device, device->piece, OSC_F32, (const char *)x + i * k * size, w,
                                 NULL, OSC_ACT_NONE, m, n, k));
        OSC_TRY(OSC_CUDA_BY_DTYPE(device, launch_update, device, lse + i, bias, targets + i, m,
                                  first, n, logits == NULL ? NULL : logits + i * stride, stride));
    }
    return OSC_OK;
}

osc_status osc_cuda_head(osc_device *device, osc_row_lse *lse, const void *x, const void *w,
                         const int32_t *targets, size_t rows, size_t first, size_t n, size_t k,
                         float *logits, size_t stride)
{
    return osc_cuda_head_biased(device, lse, x, w, NULL, targets, rows, first, n, k, logits,
                                stride);
}

/* The language-model head: logits of some rows in float32, small enough to stay in
 * the L2 cache, then their part of the log-sum-exp. */
#include <config.h>
#include "cuda/backend.h"
#include "cuda/element.cuh"

enum { WARP = 32, THREADS = 256, WARPS = THREADS / WARP, AT_ONCE = 16 };

/* Sum of exp(logit - largest) over what a lane, then a warp, has seen; a logit that is NaN
 * makes it NaN. */
struct part {
    float largest, sum;
};

/* A part that has seen nothing but -inf has the sum 0 at any maximum. */
static __device__ __forceinline__ float shrink(float from, float to)
{
    return from == -INFINITY ? 1.0f : expf(from - to);
}

static __device__ __forceinline__ void take(part *p, const float (&v)[AT_ONCE])
{
    float largest = p->largest;
#pragma unroll
    for (int j = 0; j < AT_ONCE; j++)
        largest = v[j] > largest ? v[j] : largest;
    float from = largest == -INFINITY ? 0.0f : largest;
    p->sum *= shrink(p->largest, largest);
    p->largest = largest;
#pragma unroll
    for (int j = 0; j < AT_ONCE; j++)
        p->sum += expf(v[j] - from);
}

static __device__ __forceinline__ part join(part p)
{
    for (int offset = WARP / 2; offset > 0; offset /= 2) {
        part other = { __shfl_xor_sync(~0u, p.largest, offset),
                       __shfl_xor_sync(~0u, p.sum, offset) };
        float largest = other.largest > p.largest ? other.largest : p.largest;
        p.sum = p.sum * shrink(p.largest, largest) + other.sum * shrink(other.largest, largest);
        p.largest = largest;
    }
    return p;
}

/* The i-th to i+3rd logit of a row, -inf beyond its end. */
template <bool VECTORS>
static __device__ __forceinline__ void load4(float *v, const float *row, size_t i, size_t n)
{
    if (VECTORS && i < n) {
        float4 four = *(const float4 *)(row + i);
        v[0] = four.x, v[1] = four.y, v[2] = four.z, v[3] = four.w;
        return;
    }
#pragma unroll
    for (int j = 0; j < 4; j++)
        v[j] = i + j < n ? row[i + j] : -INFINITY;
}

/* One row a warp. */
template <typename T, bool VECTORS>
static __global__ void update(osc_row_lse *lse, const float *tile, const T *bias,
                              const int32_t *targets, size_t rows, size_t n, size_t first,
                              float *logits, size_t stride)
{
    size_t r = blockIdx.x * (size_t)WARPS + threadIdx.x / WARP;
    unsigned lane = threadIdx.x % WARP;
    if (r >= rows)
        return;
    const float *row = tile + r * n;
    part p = { -INFINITY, 0.0f };
    for (size_t i = lane * 4; i < n; i += WARP * AT_ONCE) {
        float v[AT_ONCE];
#pragma unroll
        for (int j = 0; j < AT_ONCE; j += 4)
            load4<VECTORS>(v + j, row, i + j * WARP, n);
#pragma unroll
        for (int j = 0; j < AT_ONCE; j++) {
            size_t at = i + j / 4 * (4 * WARP) + j % 4;
            if (bias != NULL && at < n)
                v[j] += to_float(bias[at]);
            if (logits != NULL && at < n)
                logits[r * stride + first + at] = v[j];
        }
        take(&p, v);
    }
    p = join(p);
    if (lane != 0)
        return;
    osc_row_lse old = lse[r];
    int32_t target = targets[r];
    double largest = p.largest > old.max ? p.largest : old.max;
    old.sum = old.sum * exp((double)old.max - largest)
            + (double)p.sum * exp((double)p.largest - largest);
    old.max = (float)largest;
    if (target >= 0 && (size_t)target >= first && (size_t)target < first + n) {
        size_t at = (size_t)target - first;
        old.target = row[at] + (bias != NULL ? to_float(bias[at]) : 0.0f);
    }
    lse[r] = old;
}

template <typename T>
static osc_status launch_update(osc_device *device, osc_row_lse *lse, const void *bias,
                                const int32_t *targets, size_t rows, size_t first, size_t n,
                                float *logits, size_t stride)
{
    auto kernel = n % 4 == 0 ? update<T, true> : update<T, false>;
    kernel<<<(unsigned)((rows + WARPS - 1) / WARPS), THREADS, 0, device->stream>>>(
        lse, device->piece, (const T *)bias, targets, rows, n, first, logits, stride);
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

/* The product of one row: every weight is read once, 16 bytes a lane, and a warp has
 * several outputs so that what it read of x serves them all. */
#include <config.h>
#include "cuda/backend.h"
#include "cuda/activate.cuh"
#include "cuda/element.cuh"

enum { WARP = 32, WARPS = 4, THREADS = WARPS * WARP, UNROLL = 4 };

/* sums[r] += w[r, 8 values] x[8 values] */
template <typename T, int ROWS>
static __device__ __forceinline__ void take(float (&sums)[ROWS], const packed<T> &x,
                                            const packed<T> (&w)[ROWS])
{
#pragma unroll
    for (int j = 0; j < packed<T>::COUNT; j++) {
        float v = to_float(x.at[j]);
#pragma unroll
        for (int r = 0; r < ROWS; r++)
            sums[r] += v * to_float(w[r].at[j]);
    }
}

static __device__ float activate_any(float x, osc_act act)
{
    switch (act) {
    case OSC_ACT_NONE: return x;
    case OSC_ACT_RELU: return activate<OSC_ACT_RELU>(x);
    case OSC_ACT_GELU: return activate<OSC_ACT_GELU>(x);
    case OSC_ACT_GELU_TANH: return activate<OSC_ACT_GELU_TANH>(x);
    case OSC_ACT_SILU: return activate<OSC_ACT_SILU>(x);
    }
    return x;
}

/* ROWS neighbouring outputs a warp; k in pieces of eight. */
template <typename Y, typename T, int ROWS>
static __global__ void __launch_bounds__(THREADS)
multiply_row(Y *y, const T *x, const T *w, const T *bias, osc_act act, size_t n, size_t pieces)
{
    size_t first = (blockIdx.x * (size_t)WARPS + threadIdx.x / WARP) * ROWS;
    int lane = threadIdx.x % WARP;
    const uint4 *xs = (const uint4 *)x, *ws[ROWS];
    float sums[ROWS] = { 0.0f };
    if (first >= n)
        return;
#pragma unroll
    for (int r = 0; r < ROWS; r++)
        ws[r] = (const uint4 *)w + (first + r < n ? first + r : first) * pieces;
    size_t i = lane;
    for (; i + (UNROLL - 1) * WARP < pieces; i += UNROLL * WARP) {
        packed<T> some[UNROLL][ROWS], of_x[UNROLL];
#pragma unroll
        for (int u = 0; u < UNROLL; u++) {
#pragma unroll
            for (int r = 0; r < ROWS; r++)
                some[u][r].bits = __ldcs(&ws[r][i + u * WARP]);
            of_x[u].bits = __ldg(&xs[i + u * WARP]);
        }
#pragma unroll
        for (int u = 0; u < UNROLL; u++)
            take<T, ROWS>(sums, of_x[u], some[u]);
    }
    for (; i < pieces; i += WARP) {
        packed<T> some[ROWS], of_x;
        of_x.bits = __ldg(&xs[i]);
#pragma unroll
        for (int r = 0; r < ROWS; r++)
            some[r].bits = __ldcs(&ws[r][i]);
        take<T, ROWS>(sums, of_x, some);
    }
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
        for (int offset = WARP / 2; offset > 0; offset /= 2)
            sums[r] += __shfl_xor_sync(~0u, sums[r], offset);
        if (lane == 0 && first + r < n) {
            float sum = sums[r] + (bias == NULL ? 0.0f : to_float(bias[first + r]));
            y[first + r] = from_float<Y>(activate_any(sum, act));
        }
    }
}

template <typename Y, typename T, int ROWS>
static void launch_rows(osc_device *device, void *y, const void *x, const void *w,
                        const void *bias, osc_act act, size_t n, size_t k)
{
    unsigned blocks = (unsigned)((n + WARPS * ROWS - 1) / (WARPS * ROWS));
    multiply_row<Y, T, ROWS><<<blocks, THREADS, 0, device->stream>>>(
        (Y *)y, (const T *)x, (const T *)w, (const T *)bias, act, n, k / packed<T>::COUNT);
}

/* Fewer outputs a warp where there would be too few warps. */
template <typename T>
static osc_status launch(osc_device *device, void *y, osc_dtype out, const void *x, const void *w,
                         const void *bias, osc_act act, size_t n, size_t k)
{
    bool many = n >= (size_t)device->processors * 2 * WARPS * 2;
    if (out == OSC_F32)
        launch_rows<float, T, 2>(device, y, x, w, bias, act, n, k);
    else if (many)
        launch_rows<T, T, 2>(device, y, x, w, bias, act, n, k);
    else
        launch_rows<T, T, 1>(device, y, x, w, bias, act, n, k);
    return osc_cuda_launched("product of a row");
}

bool osc_cuda_vector_suits(const void *x, const void *w, size_t k)
{
    return k % 8 == 0 && is_aligned16(x) && is_aligned16(w);
}

osc_status osc_cuda_vector_product(osc_device *device, void *y, osc_dtype out, const void *x,
                                   const void *w, const void *bias, osc_act act, size_t n,
                                   size_t k)
{
    return OSC_CUDA_BY_DTYPE(device, launch, device, y, out, x, w, bias, act, n, k);
}

osc_status osc_cuda_logits(osc_device *device, float *logits, const void *x,
                           const osc_tensor *table, const void *bias)
{
    size_t n = table->dim[0], k = table->dim[1];
    if (osc_cuda_vector_suits(x, table->data, k))
        return osc_cuda_vector_product(device, logits, OSC_F32, x, table->data, bias,
                                       OSC_ACT_NONE, n, k);
    return osc_cuda_product_any(device, logits, OSC_F32, x, table->data, bias, false, 1, n, k);
}

/* Few rows of x times weights in blocks of codes, each code read once: a warp has an output,
 * a lane 16 neighbouring codes at a time, half a block. */
#include <config.h>
#include "cuda/codes_q8.cuh"

enum { THREADS = 256, WARPS = THREADS / 32, EACH = 16 };

/* 16 codes as floats. */
static __device__ __forceinline__ void widen(float (&q)[EACH], uint4 codes)
{
    const unsigned word[4] = { codes.x, codes.y, codes.z, codes.w };
#pragma unroll
    for (unsigned j = 0; j < EACH; j++)
        q[j] = (float)(int8_t)(word[j / 4] >> j % 4 * 8);
}

/* Sum of x q over 16 columns from i on; x is zero beyond k. */
template <typename T>
static __device__ __forceinline__ float dot(const T *x, const float (&q)[EACH], unsigned i,
                                            unsigned k)
{
    packed<T> half[2];
    float sum = 0.0f;
    half[0].bits = load8<true>(x, i, k);
    half[1].bits = load8<true>(x, i + 8, k);
#pragma unroll
    for (unsigned j = 0; j < EACH; j++)
        sum = fmaf(to_float(half[j / 8].at[j % 8]), q[j], sum);
    return sum;
}

template <typename T, int ROWS>
static __global__ void __launch_bounds__(THREADS) few_kernel(const __grid_constant__ q8_call a)
{
    unsigned output = blockIdx.x * WARPS + threadIdx.x / 32, lane = threadIdx.x % 32;
    const T *x = reinterpret_cast<const T *>(a.x);
    float y[ROWS] = { 0.0f };
    if (output >= a.n)
        return;
    const int8_t *codes = a.w.code + (size_t)output * a.w.blocks * BLOCK;
    const __half *units = a.w.unit + (size_t)output * a.w.blocks;
    for (unsigned i = lane * EACH; i < a.w.blocks * BLOCK; i += 32 * EACH) {
        float q[EACH], unit = to_float(units[i / BLOCK]);
        widen(q, *reinterpret_cast<const uint4 *>(codes + i));
#pragma unroll
        for (unsigned t = 0; t < ROWS; t++)
            if (ROWS == 1 || t < a.rows)
                y[t] = fmaf(unit, dot(x + (size_t)t * a.k, q, i, a.k), y[t]);
    }
#pragma unroll
    for (unsigned t = 0; t < ROWS; t++)
        for (unsigned d = 16; d > 0; d /= 2)
            y[t] += __shfl_xor_sync(~0u, y[t], d);
    float bias = a.bias != NULL ? to_float(reinterpret_cast<const T *>(a.bias)[output]) : 0.0f;
#pragma unroll
    for (unsigned t = 0; t < ROWS; t++)
        if (lane == t && t < a.rows)
            reinterpret_cast<T *>(a.y)[(size_t)t * a.n + output] =
                from_float<T>(activated(y[t] + bias, a.act));
}

template <typename T>
static osc_status launch(osc_device *device, const osc_cuda_layer *p, const void *blocks)
{
    auto kernel = p->rows == 1 ? few_kernel<T, 1> : few_kernel<T, FEW_ROWS>;
    kernel<<<(unsigned)((p->n + WARPS - 1) / WARPS), THREADS, 0, device->stream>>>(q8_call_of(p, blocks));
    return osc_cuda_launched("multiplying blocks of codes");
}

osc_status osc_cuda_q8_few(osc_device *device, bool *done, const osc_cuda_layer *p,
                           const void *blocks)
{
    *done = true;
    return OSC_CUDA_BY_DTYPE(device, launch, device, p, blocks);
}

/* Many rows of x times weights in blocks of codes, through cuBLASLt: some outputs' weights
 * at a time are decoded to two 16-bit floats, the nearest and what it leaves over, whose
 * products with x are summed in float32.  A weight, code times scale, has 18 bits and so loses
 * nothing in float16 (two in bfloat16); outputs are rounded once. */
#include <config.h>
#include "cuda/backend.h"
#include "cuda/codes_q8.cuh"

enum { THREADS = 256, LEFT_SCALE = 2048 };   /* of what is left over, which else might underflow */

template <typename T> static __device__ __forceinline__ float most_of(T);
template <> __device__ __forceinline__ float most_of(__half) { return 65504.0f; }
template <> __device__ __forceinline__ float most_of(__nv_bfloat16) { return 3.38953139e38f; }

/* Outputs first .. first+count-1 to near and left, [count, k] both. */
template <typename T>
static __global__ void decode(T *near_w, T *left, q8_weight w, size_t first, size_t count, size_t k)
{
    size_t at = (blockIdx.x * (size_t)THREADS + threadIdx.x) * 8, all = count * k;
    if (at >= all)
        return;
    size_t row = first + at / k, column = at % k;             /* eight of one block */
    float unit = to_float(w.unit[row * w.blocks + column / BLOCK]);
    uint2 codes = *reinterpret_cast<const uint2 *>(w.code + row * w.blocks * BLOCK + column);
    packed<T> high, low;
#pragma unroll
    for (unsigned j = 0; j < 8; j++) {
        float v = unit * (float)(int8_t)((j < 4 ? codes.x : codes.y) >> j % 4 * 8);
        float near = isnan(v) ? v : fminf(fmaxf(v, -most_of(T())), most_of(T()));
        high.at[j] = from_float<T>(near);
        low.at[j] = from_float<T>((v - to_float(high.at[j])) * LEFT_SCALE);
    }
    *reinterpret_cast<uint4 *>(near_w + at) = high.bits;
    *reinterpret_cast<uint4 *>(left + at) = low.bits;
}

/* y [rows, n] from sums [rows, count] of outputs first .. */
template <typename T>
static __global__ void finish(T *y, const float *sum, const T *bias, osc_act act, size_t rows,
                              size_t n, size_t first, size_t count)
{
    size_t step = (size_t)gridDim.x * THREADS;
    for (size_t i = blockIdx.x * (size_t)THREADS + threadIdx.x; i < rows * count; i += step) {
        size_t output = first + i % count;
        float b = bias != NULL ? to_float(bias[output]) : 0.0f;
        y[i / count * n + output] = from_float<T>(activated(sum[i] + b, act));
    }
}

/* Rows from..from+m-1 of x with the decoded weights. */
template <typename T>
static osc_status multiply(osc_device *device, bool *done, const osc_cuda_layer *p,
                           const T *weights, size_t first, size_t count, size_t from, size_t m)
{
    const T *x = (const T *)p->x + from * p->k;
    size_t blocks = (m * count + THREADS - 1) / THREADS, most = (size_t)device->processors * 32;
    OSC_TRY(osc_cuda_product_sum(device, done, device->piece, x, weights + count * p->k,
                                 1.0f / LEFT_SCALE, false, m, count, p->k));
    if (*done)
        OSC_TRY(osc_cuda_product_sum(device, done, device->piece, x, weights, 1.0f, true, m, count,
                                     p->k));
    if (!*done)
        return OSC_OK;
    finish<T><<<(unsigned)(blocks < most ? blocks : most), THREADS, 0, device->stream>>>(
        (T *)p->y + from * p->n, device->piece, (const T *)p->bias, p->act, m, p->n, first, count);
    return osc_cuda_launched("finishing blocks of codes");
}

template <typename T>
static osc_status launch(osc_device *device, bool *done, const osc_cuda_layer *p,
                         const void *blocks)
{
    T *weights = (T *)device->codes->slice;
    size_t outputs = CODES_SLICE / (2 * sizeof(T)) / p->k / 64 * 64;
    *done = outputs > 0;
    for (size_t first = 0; *done && first < p->n; first += outputs) {
        size_t count = p->n - first < outputs ? p->n - first : outputs;
        size_t vectors = count * p->k / 8, rows = CUDA_PIECE / count;
        decode<T><<<(unsigned)((vectors + THREADS - 1) / THREADS), THREADS, 0, device->stream>>>(
            weights, weights + count * p->k, q8_at(blocks, p->n, p->k), first, count, p->k);
        OSC_TRY(osc_cuda_launched("decoding blocks of codes"));
        for (size_t from = 0; *done && from < p->rows; from += rows) {
            size_t m = p->rows - from < rows ? p->rows - from : rows;
            OSC_TRY(multiply<T>(device, done, p, weights, first, count, from, m));
        }
    }
    return OSC_OK;
}

osc_status osc_cuda_q8_many(osc_device *device, bool *done, const osc_cuda_layer *p,
                            const void *blocks)
{
    return OSC_CUDA_BY_DTYPE(device, launch, device, done, p, blocks);
}

/* The product of two matrices of any shape and alignment, for those that cuBLASLt
 * declines: plain tiles, float32 sums in order of K. */
#include <config.h>
#include "cuda/backend.h"
#include "cuda/element.cuh"

enum { TILE = 16 };

template <typename Y, typename T>
static __global__ void multiply(Y *y, const T *x, const T *w, const T *bias, bool relu,
                                size_t rows, size_t n, size_t k)
{
    __shared__ float left[TILE][TILE], right[TILE][TILE + 1];
    size_t r = blockIdx.y * (size_t)TILE + threadIdx.y;
    size_t c = blockIdx.x * (size_t)TILE + threadIdx.x;
    size_t own = blockIdx.x * (size_t)TILE + threadIdx.y;   /* row of w that this thread loads */
    float sum = 0.0f;
    for (size_t i = 0; i < k; i += TILE) {
        size_t at = i + threadIdx.x;
        left[threadIdx.y][threadIdx.x] = r < rows && at < k ? to_float(x[r * k + at]) : 0.0f;
        right[threadIdx.y][threadIdx.x] = own < n && at < k ? to_float(w[own * k + at]) : 0.0f;
        __syncthreads();
        for (int j = 0; j < TILE; j++)
            sum += left[threadIdx.y][j] * right[threadIdx.x][j];
        __syncthreads();
    }
    if (r >= rows || c >= n)
        return;
    if (bias != NULL)
        sum += to_float(bias[c]);
    y[r * n + c] = from_float<Y>(relu && sum < 0.0f ? 0.0f : sum);
}

template <typename T>
static osc_status launch(osc_device *device, void *y, osc_dtype out, const void *x, const void *w,
                         const void *bias, bool relu, size_t rows, size_t n, size_t k)
{
    dim3 grid((unsigned)((n + TILE - 1) / TILE), (unsigned)((rows + TILE - 1) / TILE));
    dim3 block(TILE, TILE);
    if (out == OSC_F32)
        multiply<<<grid, block, 0, device->stream>>>((float *)y, (const T *)x, (const T *)w,
                                                     (const T *)bias, relu, rows, n, k);
    else
        multiply<<<grid, block, 0, device->stream>>>((T *)y, (const T *)x, (const T *)w,
                                                     (const T *)bias, relu, rows, n, k);
    return osc_cuda_launched("product");
}

osc_status osc_cuda_product_any(osc_device *device, void *y, osc_dtype out, const void *x,
                                const void *w, const void *bias, bool relu, size_t rows, size_t n,
                                size_t k)
{
    return OSC_CUDA_BY_DTYPE(device, launch, device, y, out, x, w, bias, relu, rows, n, k);
}

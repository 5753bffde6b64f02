/* Coding weights, from values of the stored type in device memory, on the stream of
 * loads. */
#include <config.h>
#include "cuda/codes.cuh"

enum { THREADS = 256, TILE = 32 };

/* Reduces keys over the block. */
static __device__ void block_range(int32_t *low, int32_t *high)
{
    __shared__ int32_t least[THREADS / 32], most[THREADS / 32];
    *low = __reduce_min_sync(~0u, *low);
    *high = __reduce_max_sync(~0u, *high);
    if (threadIdx.x % 32 == 0) {
        least[threadIdx.x / 32] = *low;
        most[threadIdx.x / 32] = *high;
    }
    __syncthreads();
    for (unsigned i = 0; i < THREADS / 32; i++) {
        *low = min(*low, least[i]);
        *high = max(*high, most[i]);
    }
}

template <typename V>
static __device__ void row_range(int32_t *low, int32_t *high, const V *row, size_t k)
{
    *low = INT32_MAX;
    *high = INT32_MIN;
    for (size_t i = threadIdx.x; i < k; i += THREADS) {
        int32_t key = key32(to_float(row[i]));
        *low = min(*low, key);
        *high = max(*high, key);
    }
    block_range(low, high);
}

template <typename V>
static __global__ void __launch_bounds__(THREADS)
range_kernel(int32_t *range, const V *values, size_t count)
{
    int32_t low = INT32_MAX, high = INT32_MIN;
    size_t i = blockIdx.x * (size_t)THREADS + threadIdx.x;
    for (; i < count; i += gridDim.x * (size_t)THREADS) {
        int32_t key = key32(to_float(values[i]));
        low = min(low, key);
        high = max(high, key);
    }
    block_range(&low, &high);
    if (threadIdx.x == 0) {
        atomicMin(&range[0], low);
        atomicMax(&range[1], high);
    }
}

/* Smallest index of a value that is not finite. */
template <typename V>
static __device__ void find_bad(unsigned long long *bad, const V *row, size_t first, size_t k)
{
    for (size_t i = threadIdx.x; i < k; i += THREADS)
        if (!isfinite(to_float(row[i])))
            atomicMin(bad, (unsigned long long)(first + i));
}

static __device__ int block_sum(int value)
{
    __shared__ int part[THREADS / 32];
    value = __reduce_add_sync(~0u, value);
    if (threadIdx.x % 32 == 0)
        part[threadIdx.x / 32] = value;
    __syncthreads();
    value = 0;
    for (unsigned i = 0; i < THREADS / 32; i++)
        value += part[i];
    return value;
}

/* One output: its scale, codes, and their sum. */
template <typename V, bool ZERO>
static __global__ void __launch_bounds__(THREADS)
code_kernel(osc_cuda_weight w, const V *values, size_t first, size_t k, const int32_t *range,
            unsigned long long *bad)
{
    size_t output = first + blockIdx.x;
    const V *row = values + blockIdx.x * k;
    int8_t *code = w.code + osc_cuda_code_row((unsigned)output) * w.stride;
    int32_t low, high;
    int sum = 0;
    row_range(&low, &high, row, k);
    if (!isfinite(value_of_key(low)) || !isfinite(value_of_key(high)))
        find_bad(bad, row, output * k, k);
    if (range != NULL) {
        low = range[0];
        high = range[1];
    }
    code_scale s = scale_of(low, high, ZERO);
    for (size_t i = threadIdx.x; i < w.stride; i += THREADS) {
        int q = i < k && !isnan(s.scale) ? code_of<ZERO>(to_float(row[i]), s) : 0;
        code[i] = (int8_t)q;
        sum += (int8_t)q;
    }
    if (ZERO)
        sum = block_sum(sum);
    if (threadIdx.x != 0)
        return;
    w.scale[output] = s.scale;
    w.inverse[output] = __fdiv_rn(1.0f, s.scale);
    if (ZERO) {
        w.zero[output] = s.zero;
        w.total[output] = sum;
    }
}

/* stored[column, row of codes] = value, a tile at a time. */
template <typename V, typename T>
static __global__ void __launch_bounds__(TILE * TILE)
store_kernel(osc_cuda_weight w, const V *values, size_t first, size_t rows, size_t k)
{
    __shared__ float tile[TILE][TILE + 1];
    size_t column = blockIdx.x * (size_t)TILE, top = blockIdx.y * (size_t)TILE;
    unsigned x = threadIdx.x % TILE, y = threadIdx.x / TILE;
    if (top + y < rows && column + x < k)
        tile[y][x] = to_float(values[(top + y) * k + column + x]);
    __syncthreads();
    if (top + x < rows && column + y < k)
        reinterpret_cast<T *>(w.stored)[(column + y) * w.rows
                                        + osc_cuda_code_row((unsigned)(first + top + x))]
            = from_float<T>(tile[x][y]);
}

/* What belongs to no output: the last panel is cleared before it is filled. */
static osc_status clear_panel(osc_device *device, const osc_cuda_weight *w, size_t n, size_t k)
{
    size_t panel = w->rows - CODES_PANEL;
    if (w->rows == n)
        return OSC_OK;
    OSC_CUDA_TRY(cudaMemsetAsync(w->code + panel * w->stride, 0, CODES_PANEL * w->stride,
                                 device->loads), "clearing codes");
    if (w->stored != NULL)
        OSC_CUDA_TRY(cudaMemset2DAsync(w->stored + panel, 2 * w->rows, 0, 2 * CODES_PANEL, k,
                                       device->loads), "clearing weights");
    return OSC_OK;
}

template <typename V>
static osc_status code(osc_device *device, const osc_cuda_weight *w, bool zeropoint,
                       const void *values, size_t first, size_t rows, size_t k,
                       const int32_t *range, unsigned long long *bad)
{
    const V *from = (const V *)values;
    dim3 tiles((unsigned)((k + TILE - 1) / TILE), (unsigned)((rows + TILE - 1) / TILE));
    unsigned blocks = (unsigned)rows;
    if (zeropoint)
        code_kernel<V, true><<<blocks, THREADS, 0, device->loads>>>(*w, from, first, k, range, bad);
    else
        code_kernel<V, false><<<blocks, THREADS, 0, device->loads>>>(*w, from, first, k, range,
                                                                      bad);
    if (w->stored != NULL && device->dtype == OSC_F16)
        store_kernel<V, __half><<<tiles, TILE * TILE, 0, device->loads>>>(*w, from, first, rows, k);
    else if (w->stored != NULL)
        store_kernel<V, __nv_bfloat16><<<tiles, TILE * TILE, 0, device->loads>>>(*w, from, first,
                                                                                  rows, k);
    return osc_cuda_launched("coding weights");
}

#define BY_STORED(dtype, function, ...) \
    ((dtype) == OSC_F32 ? function<float>(__VA_ARGS__) \
     : (dtype) == OSC_F16 ? function<__half>(__VA_ARGS__) : function<__nv_bfloat16>(__VA_ARGS__))

osc_status osc_cuda_code_w(osc_device *device, const osc_cuda_weight *w, const osc_coding *coding,
                           const void *values, osc_dtype dtype, size_t first, size_t rows,
                           size_t n, size_t k, const int32_t *range, unsigned long long *bad)
{
    if (first == 0)
        OSC_TRY(clear_panel(device, w, n, k));
    return BY_STORED(dtype, code, device, w, coding->zeropoint, values, first, rows, k, range, bad);
}

template <typename V>
static osc_status extend_range(osc_device *device, int32_t *range, const void *values, size_t count)
{
    size_t blocks = (count + THREADS - 1) / THREADS, most = 8 * (size_t)device->processors;
    range_kernel<V><<<(unsigned)(blocks < most ? blocks : most), THREADS, 0, device->loads>>>(
        range, (const V *)values, count);
    return osc_cuda_launched("finding the range of weights");
}

osc_status osc_cuda_range_w(osc_device *device, int32_t *range, const void *values,
                            osc_dtype dtype, size_t count)
{
    return BY_STORED(dtype, extend_range, device, range, values, count);
}

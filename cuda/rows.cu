/* Row operations: embedding, position rows, layer norm. */
#include <config.h>
#include "cuda/backend.h"
#include "cuda/flags.cuh"

constexpr size_t WARP = 32, ROW_THREADS = 512, ROW_SHARED = 48 << 10;

/* Threads for a row of `vectors` pieces: whole warps, four pieces a thread if it has so
 * many, since short rows wait more for each other than for memory. */
static unsigned threads_for(size_t vectors)
{
    size_t threads = (vectors / 4 + WARP - 1) / WARP * WARP;
    if (threads == 0)
        threads = WARP;
    return (unsigned)(threads < ROW_THREADS ? threads : ROW_THREADS);
}

template <typename T>
static bool in_vectors(const void *a, const void *b, size_t width)
{
    return is_aligned16(a) && is_aligned16(b) && width % packed<T>::COUNT == 0;
}

/* --- tables ------------------------------------------------------------------------------- */

/* V is T or the 16 bytes of several. */
template <typename V>
static __global__ void gather_rows(V *y, const V *table, const int32_t *ids, size_t width)
{
    const V *from = table + (size_t)ids[blockIdx.x] * width;
    for (size_t i = threadIdx.x; i < width; i += blockDim.x)
        y[blockIdx.x * width + i] = from[i];
}

/* Where a kernel finds the ids: those of a graph are read whenever it runs. */
static osc_status put_ids(osc_device *device, const int32_t **there, const int32_t *ids,
                          size_t rows)
{
    void *mapped;
    *there = device->ids;
    if (ids != device->graph_ids)
        return osc_cuda_put(device, device->ids, ids, rows * sizeof *ids);
    OSC_CUDA_TRY(cudaHostGetDevicePointer(&mapped, device->graph_ids, 0), "embedding");
    *there = (const int32_t *)mapped;
    return OSC_OK;
}

osc_status osc_cuda_embed_there(osc_device *device, void *y, const osc_tensor *table,
                                const int32_t *there, size_t rows)
{
    size_t width = table->dim[1], bytes = width * osc_dtype_size(device->dtype);
    if (bytes % sizeof(uint4) == 0 && is_aligned16(y) && is_aligned16(table->data)) {
        size_t vectors = bytes / sizeof(uint4);
        gather_rows<<<(unsigned)rows, threads_for(vectors), 0, device->stream>>>(
            (uint4 *)y, (const uint4 *)table->data, there, vectors);
    } else {
        gather_rows<<<(unsigned)rows, threads_for(width), 0, device->stream>>>(
            (uint16_t *)y, (const uint16_t *)table->data, there, width);
    }
    return osc_cuda_launched("embedding");
}

osc_status osc_cuda_embed(osc_device *device, void *y, const osc_tensor *table,
                          const int32_t *ids, size_t rows)
{
    const int32_t *there;
    OSC_TRY(put_ids(device, &there, ids, rows));
    return osc_cuda_embed_there(device, y, table, there, rows);
}

osc_status osc_cuda_add_rows(osc_device *device, void *y, const osc_tensor *table, size_t first,
                             size_t rows)
{
    size_t width = table->dim[1];
    const char *from = (const char *)table->data + first * width * osc_dtype_size(device->dtype);
    return osc_cuda_add(device, y, from, rows * width);
}

/* --- layer norm --------------------------------------------------------------------------- */

/* Sum over the block, the same for every thread and every run.  `parts` has one
 * float a warp. */
static __device__ float block_sum(float value, float *parts)
{
    for (int offset = WARP / 2; offset > 0; offset /= 2)
        value += __shfl_xor_sync(~0u, value, offset);
    __syncthreads();   /* parts may still be read by the sum before */
    if (threadIdx.x % WARP == 0)
        parts[threadIdx.x / WARP] = value;
    __syncthreads();
    float sum = 0.0f;
    for (unsigned w = 0; w < blockDim.x / WARP; w++)
        sum += parts[w];
    return sum;
}

/* One row a block, COUNT elements a time.  `row` keeps the row in shared memory when
 * it fits there, else it is read again; the variance is that of x - mean.  Unless `more`
 * is NULL, x += more comes first. */
template <typename T, int COUNT>
static __global__ void norm_rows(T *y, T *x, const T *more, const T *weight, const T *bias,
                                 float eps, size_t width, bool keep,
                                 const __grid_constant__ osc_cuda_flags f)
{
    struct __align__(COUNT * sizeof(T)) piece { T at[COUNT]; };
    extern __shared__ uint4 row_bytes[];
    __shared__ float parts[ROW_THREADS / WARP];
    piece *row = (piece *)row_bytes, *in = (piece *)(x + blockIdx.x * width);
    const piece *added = (const piece *)(more + blockIdx.x * width);
    piece *out = (piece *)(y + blockIdx.x * width);
    size_t pieces = width / COUNT;
    float sum = 0.0f, square = 0.0f;
    after_last_kernel();
    let_next_kernel();
    clear_next(f);
    for (size_t i = threadIdx.x; i < pieces; i += blockDim.x) {
        piece p = in[i];
        if (more != NULL) {
            piece q = added[i];
#pragma unroll
            for (int j = 0; j < COUNT; j++)
                p.at[j] = from_float<T>(to_float(p.at[j]) + to_float(q.at[j]));
            in[i] = p;
        }
        if (keep)
            row[i] = p;
#pragma unroll
        for (int j = 0; j < COUNT; j++)
            sum += to_float(p.at[j]);
    }
    float mean = block_sum(sum, parts) / (float)width;
    for (size_t i = threadIdx.x; i < pieces; i += blockDim.x) {
        piece p = keep ? row[i] : in[i];
#pragma unroll
        for (int j = 0; j < COUNT; j++) {
            float d = to_float(p.at[j]) - mean;
            square += d * d;
        }
    }
    float inverse = 1.0f / sqrtf(block_sum(square, parts) / (float)width + eps);
    for (size_t i = threadIdx.x; i < pieces; i += blockDim.x) {
        piece p = keep ? row[i] : in[i];
        piece w, b;
        if (weight != NULL)
            w = ((const piece *)weight)[i];
        if (bias != NULL)
            b = ((const piece *)bias)[i];
#pragma unroll
        for (int j = 0; j < COUNT; j++) {
            float v = (to_float(p.at[j]) - mean) * inverse;
            if (weight != NULL)
                v *= to_float(w.at[j]);
            if (bias != NULL)
                v += to_float(b.at[j]);
            p.at[j] = from_float<T>(v);
        }
        out[i] = p;
        flag_piece<T, COUNT>(f, i, p.at);
    }
}

template <typename T>
static osc_status launch_norm(osc_device *device, void *y, void *x, const void *more,
                              const void *weight, const void *bias, float eps, size_t rows,
                              size_t width)
{
    size_t bytes = width * sizeof(T);
    bool keep = bytes <= ROW_SHARED;
    bool vectors = in_vectors<T>(x, y, width) && is_aligned16(more) && is_aligned16(weight)
                && is_aligned16(bias);
    osc_cuda_flags flags;
    OSC_TRY(osc_cuda_flags_for(device, &flags, y, rows, width));
    return launch_after(device, "layer norm",
                        vectors ? norm_rows<T, packed<T>::COUNT> : norm_rows<T, 1>,
                        (unsigned)rows, threads_for(vectors ? width / packed<T>::COUNT : width),
                        keep ? bytes : 0, (T *)y, (T *)x, (const T *)more, (const T *)weight,
                        (const T *)bias, eps, width, keep, flags);
}

osc_status osc_cuda_layernorm(osc_device *device, void *y, const void *x, const void *weight,
                              const void *bias, float eps, size_t rows, size_t width)
{
    return OSC_CUDA_BY_DTYPE(device, launch_norm, device, y, (void *)x, NULL, weight, bias, eps,
                             rows, width);
}

osc_status osc_cuda_add_layernorm(osc_device *device, void *y, void *x, const void *more,
                                  const void *weight, const void *bias, float eps, size_t rows,
                                  size_t width)
{
    return OSC_CUDA_BY_DTYPE(device, launch_norm, device, y, x, more, weight, bias, eps, rows,
                             width);
}

/* Row operations: embedding, position rows, layer norm. */
#include <config.h>
#include "cuda/backend.h"
#include "cuda/flags.cuh"
#include "cuda/launch.cuh"
#include "cuda/norm.cuh"

constexpr int HELD = 4;           /* pieces of a row that a thread keeps */

/* Threads for a row of `pieces`: whole warps, HELD pieces a thread if it has so many, since
 * short rows wait more for each other than for memory. */
static unsigned threads_for(size_t pieces)
{
    size_t threads = (pieces / HELD + WARP - 1) / WARP * WARP;
    if (threads == 0)
        threads = WARP;
    return (unsigned)(threads < MOST_THREADS ? threads : MOST_THREADS);
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
    let_next_kernel();
    after_last_kernel();
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
        return launch_after(device, "embedding", gather_rows<uint4>, dim3((unsigned)rows),
                            threads_for(vectors), 0, (uint4 *)y, (const uint4 *)table->data, there,
                            vectors);
    }
    return launch_after(device, "embedding", gather_rows<uint16_t>, dim3((unsigned)rows),
                        threads_for(width), 0, (uint16_t *)y, (const uint16_t *)table->data, there,
                        width);
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

/* A thread's pieces of a row, the first HELD of them in registers. */
template <typename P> static __device__ __forceinline__ void hold(P (&held)[HELD], const P *row,
                                                                  size_t pieces)
{
#pragma unroll
    for (int h = 0; h < HELD; h++)
        if (row != NULL && threadIdx.x + h * blockDim.x < pieces)
            held[h] = row[threadIdx.x + h * blockDim.x];
}

/* f(piece) for all pieces of a thread. */
template <typename P, typename F>
static __device__ __forceinline__ void for_pieces(const P (&held)[HELD], const P *row,
                                                  size_t pieces, F f)
{
#pragma unroll
    for (int h = 0; h < HELD; h++)
        if (threadIdx.x + h * blockDim.x < pieces)
            f(held[h]);
    for (size_t i = threadIdx.x + HELD * blockDim.x; i < pieces; i += blockDim.x)
        f(row[i]);
}

/* row += more, in memory and in what a thread holds. */
template <typename P>
static __device__ __forceinline__ void add_row(P (&held)[HELD], P *row, const P *more,
                                               size_t pieces)
{
#pragma unroll
    for (int h = 0; h < HELD; h++) {
        size_t i = threadIdx.x + h * blockDim.x;
        if (i < pieces)
            row[i] = held[h] = added(held[h], more[i]);
    }
    for (size_t i = threadIdx.x + HELD * blockDim.x; i < pieces; i += blockDim.x)
        row[i] = added(row[i], more[i]);
}

/* A piece normed; weight and bias only `weighted` and `biased`. */
template <typename T, int COUNT>
static __device__ __forceinline__ piece<T, COUNT> normed(piece<T, COUNT> p, float mean,
                                                         float inverse, piece<T, COUNT> weight,
                                                         piece<T, COUNT> bias, bool weighted,
                                                         bool biased)
{
#pragma unroll
    for (int j = 0; j < COUNT; j++) {
        float v = (to_float(p.at[j]) - mean) * inverse;
        if (weighted)
            v *= to_float(weight.at[j]);
        if (biased)
            v += to_float(bias.at[j]);
        p.at[j] = from_float<T>(v);
    }
    return p;
}

/* One row a block, COUNT elements a piece; weight and bias, which may be NULL, are read
 * before the row is there.  What a thread does not hold it reads again; the variance is
 * that of x - mean.  Unless `more` is NULL, x += more comes first. */
template <typename T, int COUNT>
static __global__ void norm_rows(T *y, T *x, const T *more, const T *weight, const T *bias,
                                 float eps, size_t width, const __grid_constant__ osc_cuda_flags f)
{
    typedef piece<T, COUNT> some;
    __shared__ block_parts parts[2];
    some *in = (some *)(x + blockIdx.x * width);
    const some *w = (const some *)weight, *b = (const some *)bias;
    some *out = (some *)(y + blockIdx.x * width), row[HELD], ws[HELD], bs[HELD], none;
    size_t pieces = width / COUNT;
    float sum = 0.0f, square = 0.0f;
    let_next_kernel();
    hold(ws, w, pieces);
    hold(bs, b, pieces);
    after_last_kernel();
    clear_next(f);
    hold(row, in, pieces);
    if (more != NULL)
        add_row(row, in, (const some *)(more + blockIdx.x * width), pieces);
    for_pieces(row, in, pieces, [&](const some &p) {
#pragma unroll
        for (int j = 0; j < COUNT; j++)
            sum += to_float(p.at[j]);
    });
    float mean = block_sum(sum, &parts[0]) / (float)width;
    for_pieces(row, in, pieces, [&](const some &p) {
#pragma unroll
        for (int j = 0; j < COUNT; j++) {
            float d = to_float(p.at[j]) - mean;
            square += d * d;
        }
    });
    float inverse = 1.0f / sqrtf(block_sum(square, &parts[1]) / (float)width + eps);
    osc_cuda_flags own = of_row(f, blockIdx.x);
    auto put = [&](size_t i, some p) {
        out[i] = p;
        flag_piece<T, COUNT>(own, i, p.at);
    };
#pragma unroll
    for (int h = 0; h < HELD; h++)
        if (threadIdx.x + h * blockDim.x < pieces)
            put(threadIdx.x + h * blockDim.x, normed(row[h], mean, inverse, ws[h], bs[h],
                                                     w != NULL, b != NULL));
    for (size_t i = threadIdx.x + HELD * blockDim.x; i < pieces; i += blockDim.x)
        put(i, normed(in[i], mean, inverse, w == NULL ? none : w[i], b == NULL ? none : b[i],
                      w != NULL, b != NULL));
}

template <typename T>
static osc_status launch_norm(osc_device *device, void *y, void *x, const void *more,
                              const void *weight, const void *bias, float eps, size_t rows,
                              size_t width)
{
    const int COUNT = packed<T>::COUNT;
    bool vectors = in_vectors<T>(x, y, width) && is_aligned16(more) && is_aligned16(weight)
                && is_aligned16(bias);
    osc_cuda_flags flags;
    OSC_TRY(osc_cuda_flags_for(device, &flags, y, rows, width));
    return launch_after(device, "layer norm", vectors ? norm_rows<T, COUNT> : norm_rows<T, 1>,
                        dim3((unsigned)rows), threads_for(vectors ? width / COUNT : width), 0,
                        (T *)y, (T *)x, (const T *)more, (const T *)weight, (const T *)bias, eps,
                        width, flags);
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

/* The product of one row: every weight is read once (stream.cuh), and a warp has two
 * outputs so that what it read of x serves both. */
#include <config.h>
#include "cuda/backend.h"
#include "cuda/activate.cuh"
#include "cuda/element.cuh"
#include "cuda/stream.cuh"

enum {
    WARP = 32, WARPS = 4, THREADS = WARPS * WARP,
    RESIDENT = 4              /* CTAs of a multiprocessor */
};

struct call {
    const void *x;
    streams     w;
    void       *y[OSC_PRODUCTS], *plus[OSC_PRODUCTS];
    const void *bias[OSC_PRODUCTS];
    osc_act     act[OSC_PRODUCTS];
};

/* sums[r] += w[r, 8 values] x[8 values] */
template <typename T>
static __device__ __forceinline__ void take(float (&sums)[STREAM_ROWS], const packed<T> &x,
                                            const packed<T> (&w)[STREAM_ROWS])
{
#pragma unroll
    for (int j = 0; j < packed<T>::COUNT; j++) {
        float v = to_float(x.at[j]);
#pragma unroll
        for (int r = 0; r < STREAM_ROWS; r++)
            sums[r] += v * to_float(w[r].at[j]);
    }
}

/* Adds the products of a batch to this lane's sums. */
template <typename T>
static __device__ __forceinline__ void multiply(float (&sums)[STREAM_ROWS], const batch &b,
                                                const call &a, unsigned base)
{
    packed<T> x[STREAM_STEPS];
#pragma unroll
    for (unsigned j = 0; j < STREAM_STEPS; j++) {
        unsigned i = base + (j * WARP + threadIdx.x % WARP) * 16;
        x[j].bits = i < a.w.bytes ? *(const uint4 *)((const char *)a.x + i)
                                  : make_uint4(0, 0, 0, 0);
    }
#pragma unroll
    for (unsigned j = 0; j < STREAM_STEPS; j++) {
        packed<T> w[STREAM_ROWS];
#pragma unroll
        for (int r = 0; r < STREAM_ROWS; r++)
            w[r].bits = b.at[r][j];
        take<T>(sums, x[j], w);
    }
}

/* Lane r writes the unit's output r. */
template <typename Y, typename T>
static __device__ __forceinline__ void end_unit(const call &a, unsigned unit,
                                                float (&sums)[STREAM_ROWS])
{
    unsigned lane = threadIdx.x % WARP;
    stream_rows rows = rows_of(a.w, unit);
    unsigned i = rows.first + lane, number = rows.number;
    bool in = lane < STREAM_ROWS && i < a.w.count[number];
    const T *bias = (const T *)a.bias[number], *plus = (const T *)a.plus[number];
    float b = in && bias != NULL ? to_float(bias[i]) : 0.0f;
    float before = in && plus != NULL ? to_float(plus[i]) : 0.0f, mine = 0.0f;
#pragma unroll
    for (unsigned r = 0; r < STREAM_ROWS; r++) {
        for (int offset = WARP / 2; offset > 0; offset /= 2)
            sums[r] += __shfl_xor_sync(~0u, sums[r], offset);
        mine = lane == r ? sums[r] : mine;
        sums[r] = 0.0f;
    }
    Y y = from_float<Y>(activated(mine + b, a.act[number]));
    if (in && plus == NULL)
        ((Y *)a.y[number])[i] = y;
    else if (in)
        ((T *)a.plus[number])[i] = from_float<T>(before + to_float(y));
}

template <typename Y, typename T>
static __global__ void __launch_bounds__(THREADS, RESIDENT)
multiply_row(const __grid_constant__ call a)
{
    unsigned unit = blockIdx.x * WARPS + threadIdx.x / WARP, step = gridDim.x * WARPS;
    float sums[STREAM_ROWS] = { 0.0f };
    batch first[2];
    let_next_kernel();
    stream_place ahead = begin_stream(first, a.w, unit, step);
    after_last_kernel();
    for_batches(a.w, first, ahead, unit, step,
                [&](const batch &b, unsigned base) { multiply<T>(sums, b, a, base); },
                [&](unsigned done) { end_unit<Y, T>(a, done, sums); }, [](unsigned) {});
}

template <typename Y, typename T>
static osc_status launch_call(osc_device *device, const call &a)
{
    unsigned most = (unsigned)(RESIDENT * device->processors);
    return launch_after(device, "product of a row", multiply_row<Y, T>,
                        stream_blocks(a.w, WARPS, most), THREADS, 0, a);
}

template <typename T>
static osc_status launch(osc_device *device, osc_dtype out, const osc_product *products,
                         size_t count, const void *x, size_t k)
{
    call a = {};
    a.x = x;
    a.w.bytes = (unsigned)(k * sizeof(T));
    for (size_t i = 0; i < count; i++) {
        const osc_product *p = &products[i];
        add_stream(&a.w, i, p->w, p->n);
        a.y[i] = p->y;
        a.plus[i] = p->plus;
        a.bias[i] = p->bias;
        a.act[i] = p->act;
    }
    return out == OSC_F32 ? launch_call<float, T>(device, a) : launch_call<T, T>(device, a);
}

bool osc_cuda_vector_suits(const void *x, const void *w, size_t k)
{
    return k % 8 == 0 && is_aligned16(x) && is_aligned16(w);
}

osc_status osc_cuda_vector_products(osc_device *device, osc_dtype out, const osc_product *products,
                                    size_t count, const void *x, size_t k)
{
    return OSC_CUDA_BY_DTYPE(device, launch, device, out, products, count, x, k);
}

osc_status osc_cuda_logits(osc_device *device, float *logits, const void *x,
                           const osc_tensor *table, const void *bias)
{
    size_t n = table->dim[0], k = table->dim[1];
    osc_product p = {};
    p.y = logits;
    p.w = table->data;
    p.bias = bias;
    p.n = n;
    if (osc_cuda_vector_suits(x, table->data, k))
        return osc_cuda_vector_products(device, OSC_F32, &p, 1, x, k);
    return osc_cuda_product_any(device, logits, OSC_F32, x, table->data, bias, false, 1, n, k);
}

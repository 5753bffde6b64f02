/* y from sums of codes in memory: scales, removed columns, bias and activation before
 * the only rounding.  A thread makes eight neighbouring outputs of a row. */
#include <config.h>
#include "cuda/flags.cuh"

enum { THREADS = 128, EACH = 8 };

struct call : product_call {
    const int32_t *from;      /* sums [rows, count] */
    unsigned       first, count;
};

/* Place of output i of a thread in its panel: the order of osc_cuda_code_row. */
static __device__ __forceinline__ unsigned place(unsigned i, unsigned lane)
{
    return i / 2 * 8 + lane * 2 + i % 2;
}

/* out[EACH] += the removed columns that lie side by side. */
template <typename T>
static __device__ void add_side(float (&out)[EACH], const call &a, unsigned t, unsigned panel,
                                unsigned lane, unsigned removed)
{
    for (unsigned i = 0; i < min(removed, (unsigned)CODES_SIDE); i++) {
        size_t chunk = i / CODES_CHUNK, at = i % CODES_CHUNK;
        const T *x = reinterpret_cast<const T *>(a.c.side_x);
        const T *w = reinterpret_cast<const T *>(a.c.side_w);
        float value = to_float(x[(chunk * a.rows + t) * CODES_CHUNK + at]);
#pragma unroll
        for (unsigned j = 0; j < EACH; j++)
            out[j] = fmaf(value, to_float(w[(chunk * a.w.rows + panel + place(j, lane))
                                            * CODES_CHUNK + at]), out[j]);
    }
}

template <typename T>
static __device__ void add_rest(float (&out)[EACH], const call &a, unsigned t, unsigned panel,
                                unsigned lane, unsigned removed)
{
    for (unsigned i = CODES_SIDE; i < removed; i++) {
        size_t column = a.c.columns[1 + i];
        if (!is_removed(a, t, column))
            continue;
        float value = to_float(reinterpret_cast<const T *>(a.x)[(size_t)t * a.k + column]);
#pragma unroll
        for (unsigned j = 0; j < EACH; j++) {
            size_t row = panel + place(j, lane);
            float w = a.w.stored != NULL
                    ? to_float(reinterpret_cast<const T *>(a.w.stored)[column * a.w.rows + row])
                    : (float)a.w.code[row * a.w.stride + column];
            out[j] = fmaf(value, w, out[j]);
        }
    }
}

template <typename T, bool ZERO>
static __device__ T finish(const call &a, const row_scale &x, unsigned output, int sum, float side)
{
    output_scale w = { a.w.inverse[output], ZERO ? a.w.zero[output] : 0,
                       ZERO ? a.c.kept_w[output] : 0, a.w.stored != NULL };
    float value = scaled<ZERO>(sum, side, x, w);
    if (a.bias != NULL)
        value += to_float(reinterpret_cast<const T *>(a.bias)[output]);
    return from_float<T>(activated(value, a.act));
}

template <typename T>
static __device__ void store(const call &a, size_t at, unsigned output, T value)
{
    reinterpret_cast<T *>(a.y)[at] = value;
    flag1<T>(of_row(a.flags, at / a.n), output, value);
}

template <typename T, bool ZERO>
static __global__ void __launch_bounds__(THREADS) scale_kernel(const __grid_constant__ call a)
{
    unsigned octet = blockIdx.x * THREADS + threadIdx.x, t = blockIdx.y;
    unsigned lane = octet % 4, panel = octet / 4 * CODES_PANEL;
    unsigned removed = a.c.columns[0], output = a.first + panel + lane * EACH;
    clear_next(a.flags);
    if (panel >= a.count)
        return;
    const int32_t *from = a.from + (size_t)t * a.count + panel;
    row_scale x = { a.c.inverse[t], a.c.outliers[t], (double)a.c.zero[t], a.c.kept[t] };
    int sum[EACH];
    float side[EACH] = { 0.0f };
#pragma unroll
    for (unsigned j = 0; j < EACH; j++)
        sum[j] = from[place(j, lane)];
    if (a.sum == NULL) {
        add_side<T>(side, a, t, a.first + panel, lane, removed);
        add_rest<T>(side, a, t, a.first + panel, lane, removed);
    }
    for (unsigned j = 0; j < EACH && output + j < a.n; j++) {
        size_t at = (size_t)t * a.n + output + j;
        if (a.sum != NULL)
            a.sum[at] = sum[j];
        else
            store<T>(a, at, output + j, finish<T, ZERO>(a, x, output + j, sum[j], side[j]));
    }
}

template <typename T>
static osc_status launch(osc_device *device, const osc_cuda_layer *p, const int32_t *sum,
                         size_t first, size_t count)
{
    call a = {};
    dim3 blocks((unsigned)((count / EACH + THREADS - 1) / THREADS), (unsigned)p->rows);
    fill_call(&a, device, p);
    a.from = sum;
    a.first = (unsigned)first;
    a.count = (unsigned)count;
    if (p->coding.zeropoint)
        scale_kernel<T, true><<<blocks, THREADS, 0, device->stream>>>(a);
    else
        scale_kernel<T, false><<<blocks, THREADS, 0, device->stream>>>(a);
    return osc_cuda_launched("scaling sums of codes");
}

osc_status osc_cuda_scale_sums(osc_device *device, const osc_cuda_layer *p, const int32_t *sum,
                               size_t first, size_t count)
{
    return OSC_CUDA_BY_DTYPE(device, launch, device, p, sum, first, count);
}

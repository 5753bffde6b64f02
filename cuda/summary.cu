/* The summary of an activation: largest magnitude and sums of powers.  Powers of eight
 * neighbours are added in float32, the eights in float64, in an order that the count alone
 * decides. */
#include <config.h>
#include "cuda/backend.h"
#include "cuda/element.cuh"
#include "cuda/last.cuh"
#include "cuda/reports.h"
#include "cuda/reduction.h"
#include "cuda/watch.h"

enum { WARP = 32, THREADS = 256, WARPS = THREADS / WARP, BATCH = 4 };

/* Sum of `keep` and what the lane `offset` apart sends. */
static __device__ __forceinline__ double exchange(double keep, double send, int offset)
{
    return keep + __shfl_xor_sync(~0u, send, offset);
}

/* Over a warp: the power that a lane has is of number lane / 8. */
static __device__ double add_lanes(const double (&power)[4])
{
    int lane = threadIdx.x % WARP;
    bool upper = (lane & 16) != 0, odd = (lane & 8) != 0;
    double first = exchange(upper ? power[2] : power[0], upper ? power[0] : power[2], 16);
    double second = exchange(upper ? power[3] : power[1], upper ? power[1] : power[3], 16);
    double own = exchange(odd ? second : first, odd ? first : second, 8);
#pragma unroll
    for (int offset = 4; offset > 0; offset /= 2)
        own = exchange(own, own, offset);
    return own;
}

/* Sums and peaks of all threads, of power number t for thread t. */
static __device__ void add_threads(double &sum, uint32_t &peak,
                                   const osc_cuda_summary_part &own)
{
    __shared__ double powers[WARPS][4];
    __shared__ uint32_t peaks[WARPS];
    int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
    double power = add_lanes(own.power);
    uint32_t most = __reduce_max_sync(~0u, own.peak);
    __syncthreads();
    if (lane % 8 == 0)
        powers[warp][lane / 8] = power;
    if (lane == 0)
        peaks[warp] = most;
    __syncthreads();
    sum = 0.0;
    peak = 0;
    for (int w = 0; w < WARPS && threadIdx.x < 4; w++) {
        sum += powers[w][threadIdx.x];
        peak = max(peak, peaks[w]);
    }
}

/* Eight values; `peak` is the largest magnitude in each half, NaN if there is one. */
template <typename T>
static __device__ __forceinline__ void take(osc_cuda_summary_part &part,
                                            typename pair_of<T>::type &peak, const packed<T> &x)
{
    const typename pair_of<T>::type *pairs = (const typename pair_of<T>::type *)&x;
    float power[4] = { 0.0f };
#pragma unroll
    for (int j = 0; j < packed<T>::COUNT; j++) {
        float v = to_float(x.at[j]), square = v * v;
        power[0] += v;
        power[1] += square;
        power[2] += square * v;
        power[3] += square * square;
    }
#pragma unroll
    for (int j = 0; j < packed<T>::COUNT / 2; j++)
        peak = __hmax2_nan(peak, __habs2(pairs[j]));
#pragma unroll
    for (int p = 0; p < 4; p++)
        part.power[p] += (double)power[p];
}

/* Eight values from `first` on, zeros beyond the end. */
template <typename T>
static __device__ packed<T> read(const T *x, size_t first, size_t count, bool vectors)
{
    packed<T> some;
    if (vectors && first + packed<T>::COUNT <= count) {
        some.bits = *(const uint4 *)(x + first);
        return some;
    }
    for (int j = 0; j < packed<T>::COUNT; j++)
        some.at[j] = first + j < count ? x[first + j] : from_float<T>(0.0f);
    return some;
}

template <typename T>
static __global__ void __launch_bounds__(THREADS, 4)
summarize(osc_cuda_report *reports, osc_cuda_summary_part *parts, unsigned *arrived, const T *x,
          size_t count, bool vectors)
{
    osc_summary *to = &reports[blockIdx.y].summary;
    const size_t STEP = (size_t)THREADS * packed<T>::COUNT;
    osc_cuda_summary_part own = { { 0.0, 0.0, 0.0, 0.0 }, 0 };
    typename pair_of<T>::type peak = { from_float<T>(0.0f), from_float<T>(0.0f) };
    parts += blockIdx.y * CUDA_SUMMARY_BLOCKS;
    x += blockIdx.y * count;
    size_t first = blockIdx.x * STEP + threadIdx.x * packed<T>::COUNT, step = gridDim.x * STEP;
    for (size_t i = first; i < count; i += BATCH * step) {
        packed<T> some[BATCH];
        if (vectors && i + (BATCH - 1) * step + packed<T>::COUNT <= count) {
#pragma unroll
            for (int b = 0; b < BATCH; b++)
                some[b].bits = *(const uint4 *)(x + i + b * step);
        } else {
#pragma unroll
            for (int b = 0; b < BATCH; b++)
                some[b] = read(x, i + b * step, count, vectors);
        }
#pragma unroll
        for (int b = 0; b < BATCH; b++)
            take(own, peak, some[b]);
    }
    own.peak = max(__float_as_uint(to_float(peak.x)), __float_as_uint(to_float(peak.y)));
    double sum;
    uint32_t most;
    add_threads(sum, most, own);
    if (threadIdx.x < 4)
        parts[blockIdx.x].power[threadIdx.x] = sum;
    if (threadIdx.x == 0)
        parts[blockIdx.x].peak = most;
    if (!is_last(&arrived[blockIdx.y], gridDim.x))
        return;
    own = { { 0.0, 0.0, 0.0, 0.0 }, 0 };
    for (unsigned i = threadIdx.x; i < gridDim.x; i += THREADS) {
#pragma unroll
        for (int p = 0; p < 4; p++)
            own.power[p] += __ldcg(&parts[i].power[p]);
        own.peak = max(own.peak, __ldcg(&parts[i].peak));
    }
    add_threads(sum, most, own);
    if (threadIdx.x < 4)
        to->power[threadIdx.x] = sum;
    if (threadIdx.x == 0) {
        to->count = count;
        to->peak = __uint_as_float(most);
    }
}

/* Sequences of x of `count` values each. */
template <typename T>
static osc_status launch(osc_device *device, osc_cuda_report *to, const void *x, size_t sequences,
                         size_t count)
{
    struct osc_cuda_reduction *r = device->reduction;
    size_t step = (size_t)THREADS * packed<T>::COUNT, blocks = (count + step - 1) / step;
    const size_t MOST = CUDA_SUMMARY_BLOCKS;
    bool vectors = is_aligned16(x) && (sequences == 1 || count % packed<T>::COUNT == 0);
    dim3 grid((unsigned)(blocks < MOST ? blocks : MOST), (unsigned)sequences);
    summarize<<<grid, THREADS, 0, device->watch>>>(to, r->parts, r->arrived, (const T *)x, count,
                                                   vectors);
    return osc_cuda_launched("summary");
}

static osc_status summarize_all(osc_device *device, const char *x, osc_sequences rows,
                                size_t width, const osc_summary_route *route)
{
    const size_t MOST = CUDA_TOGETHER;
    size_t values = rows.tokens * width, bytes = values * osc_dtype_size(device->dtype);
    for (size_t first = 0, count; first < rows.count; first += count) {
        osc_cuda_report *to;
        osc_summary_route from = *route;
        from.sequence += first;
        count = rows.count - first < MOST ? rows.count - first : MOST;
        OSC_TRY(osc_cuda_report_begin(device, &to, count));
        OSC_TRY(OSC_CUDA_BY_DTYPE(device, launch, device, to, x + first * bytes, count, values));
        osc_cuda_report_summaries(device, &from, count);
    }
    return OSC_OK;
}

osc_status osc_cuda_summarize(osc_device *device, const void *x, osc_sequences rows, size_t width,
                              const osc_summary_route *route)
{
    OSC_TRY(osc_cuda_watch_begin(device));
    osc_status status = summarize_all(device, (const char *)x, rows, width, route);
    osc_status end = osc_cuda_watch_end(device, x, rows.count * rows.tokens * width
                                                   * osc_dtype_size(device->dtype));
    return status != OSC_OK ? status : end;
}

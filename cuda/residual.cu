/* The residual stream's measures.  All values have 16 bits, so their magnitudes are whole
 * numbers below 2^15 that order as the values do: the median of a row is found by counting
 * their upper bits, then the lower ones of those with the upper bits of the median; the
 * median of all by counting every magnitude between the rows' least and greatest medians,
 * between which it lies.  Medians and largest values are exact. */
#include <config.h>
#include "cuda/backend.h"
#include "cuda/element.cuh"
#include "cuda/last.cuh"
#include "cuda/reports.h"
#include "cuda/reduction.h"
#include "cuda/watch.h"

enum {
    WARP = 32,
    ROW_THREADS = 128, ROW_WARPS = ROW_THREADS / WARP,
    COUNT_THREADS = 1024, LANES = 128, GROUPS = COUNT_THREADS / LANES, COUNT = 4,
    COLUMNS = COUNT * LANES,
    ALL_BLOCKS = 128,     /* at most, if the columns are that few: each takes an SM */
    MASSIVE_BLOCKS = 264,
    BATCH = 4             /* rows whose squares are added in float32 */
};

struct osc_cuda_bracket {
    uint32_t low, high;                 /* of the rows' medians; ~0 and 0 between calls */
    unsigned long long below;           /* values below low, 0 between calls */
    float    massive_from;
};

osc_status osc_cuda_residual_plan(osc_device *device, const osc_limits *limits)
{
    size_t wide = limits->widest, rows = limits->tokens;
    size_t words = 2 * rows + CUDA_MAGNITUDES + 1 + wide;
    size_t doubles = CUDA_RESIDUAL_SLICES * wide;
    void *memory;
    struct osc_cuda_reduction *r = (struct osc_cuda_reduction *)osc_alloc(1, sizeof *r);
    if (r == NULL)
        return OSC_ENOMEM;
    device->reduction = r;
    size_t bytes = CUDA_SUMMARY_BLOCKS * sizeof *r->parts + sizeof *r->bracket
                 + doubles * sizeof(double) + words * sizeof(uint32_t);
    OSC_TRY(osc_cuda_own(device, &memory, bytes));
    r->parts = (osc_cuda_summary_part *)memory;
    r->bracket = (struct osc_cuda_bracket *)(r->parts + CUDA_SUMMARY_BLOCKS);
    r->sums = (double *)(r->bracket + 1);
    r->peak = (uint32_t *)(r->sums + doubles);
    r->median = r->peak + rows;
    r->counts = r->median + rows;
    r->arrived = r->counts + CUDA_MAGNITUDES;
    OSC_CUDA_TRY(cudaMemsetAsync(memory, 0, bytes, device->stream), "planning");
    OSC_CUDA_TRY(cudaMemsetAsync(&r->bracket->low, 0xff, sizeof r->bracket->low, device->stream),
                 "planning");
    return OSC_OK;
}

static __device__ __forceinline__ float magnitude_to_float(__half, uint32_t bits)
{
    return __half2float(__ushort_as_half((unsigned short)bits));
}

static __device__ __forceinline__ float magnitude_to_float(__nv_bfloat16, uint32_t bits)
{
    return __uint_as_float(bits << 16);
}

/* --- rows --------------------------------------------------------------------------------- */

enum { LOW_BITS = 7, LOWS = 1 << LOW_BITS, UPPERS = CUDA_MAGNITUDES >> LOW_BITS };
static_assert((int)LOWS == ROW_THREADS && (int)UPPERS == 2 * ROW_THREADS, "counts of a thread");

/* The magnitudes of values 2 i and 2 i + 1 of a row; what is beyond it is no smaller than
 * anything. */
template <bool WHOLE>
static __device__ __forceinline__ uint32_t read_pair(const uint16_t *row, unsigned i,
                                                     unsigned width)
{
    const uint32_t MAGNITUDES = 0x7fff7fffu;
    if (WHOLE)
        return ((const uint32_t *)row)[i] & MAGNITUDES;
    uint32_t low = 2 * i < width ? row[2 * i] : 0x7fffu;
    uint32_t high = 2 * i + 1 < width ? row[2 * i + 1] : 0x7fffu;
    return (low | high << 16) & MAGNITUDES;
}

/* What the block's threads have counted: the thread whose count has the value of this rank
 * gets that among its own, the others a rank beyond theirs. */
static __device__ unsigned rank_here(unsigned count, unsigned rank)
{
    __shared__ unsigned warps[ROW_WARPS];
    int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
    unsigned sum = count;
#pragma unroll
    for (int offset = 1; offset < WARP; offset *= 2) {
        unsigned other = __shfl_up_sync(~0u, sum, offset);
        if (lane >= offset)
            sum += other;
    }
    if (lane == WARP - 1)
        warps[warp] = sum;
    __syncthreads();
    unsigned before = sum - count;
#pragma unroll
    for (int w = 0; w < ROW_WARPS - 1; w++)
        before += w < warp ? warps[w] : 0;
    return rank - before;        /* wraps around if the value comes before */
}

/* One row a block, at most PAIRS pairs of values a thread in registers; 0: any number, read
 * twice.  WHOLE: rows are of pairs, as many for every thread. */
template <int PAIRS, bool WHOLE>
static __global__ void __launch_bounds__(ROW_THREADS)
measure_rows(const __grid_constant__ struct osc_cuda_reduction r, const uint16_t *x,
             unsigned width)
{
    __shared__ unsigned uppers[UPPERS], lows[LOWS], peaks[ROW_WARPS], upper, rank;
    const uint16_t *row = x + blockIdx.x * (size_t)width;
    const int count = (int)((width + 2 * ROW_THREADS - 1) / (2 * ROW_THREADS));
    uint32_t own[PAIRS > 0 ? PAIRS : 1], most = 0;
    ((uint2 *)uppers)[threadIdx.x] = make_uint2(0, 0);
    lows[threadIdx.x] = 0;
#pragma unroll
    for (int i = 0; i < PAIRS; i++)
        if (i < count)
            own[i] = read_pair<WHOLE>(row, i * ROW_THREADS + threadIdx.x, width);
    __syncthreads();
#pragma unroll
    for (int i = 0; i < (PAIRS > 0 ? PAIRS : count); i++)
        if (i < count) {
            unsigned at = i * ROW_THREADS + threadIdx.x;
            uint32_t pair = PAIRS > 0 ? own[i] : read_pair<WHOLE>(row, at, width);
            atomicAdd(&uppers[pair >> LOW_BITS & (UPPERS - 1)], 1u);
            atomicAdd(&uppers[pair >> (16 + LOW_BITS)], 1u);
            most = __vmaxu2(most, WHOLE || 2 * at + 1 < width ? pair
                                : 2 * at < width ? pair & 0x7fffu : 0);
        }
    most = __reduce_max_sync(~0u, max(most & 0xffffu, most >> 16));
    if (threadIdx.x % WARP == 0)
        peaks[threadIdx.x / WARP] = most;
    __syncthreads();
    uint2 two = ((uint2 *)uppers)[threadIdx.x];
    unsigned here = rank_here(two.x + two.y, (width - 1) / 2);
    if (here < two.x + two.y) {
        upper = 2 * threadIdx.x + (here >= two.x);
        rank = here - (here >= two.x ? two.x : 0);
    }
    __syncthreads();
    const unsigned wanted = upper;
#pragma unroll
    for (int i = 0; i < (PAIRS > 0 ? PAIRS : count); i++)
        if (i < count) {
            unsigned at = i * ROW_THREADS + threadIdx.x;
            uint32_t pair = PAIRS > 0 ? own[i] : read_pair<WHOLE>(row, at, width);
            if ((pair >> LOW_BITS & (UPPERS - 1)) == wanted)
                atomicAdd(&lows[pair & (LOWS - 1)], 1u);
            if (pair >> (16 + LOW_BITS) == wanted)
                atomicAdd(&lows[pair >> 16 & (LOWS - 1)], 1u);
        }
    __syncthreads();
    if (rank_here(lows[threadIdx.x], rank) >= lows[threadIdx.x])
        return;
    unsigned median = wanted << LOW_BITS | threadIdx.x;     /* one thread's */
    for (int w = 1; w < ROW_WARPS; w++)
        peaks[0] = max(peaks[0], peaks[w]);
    r.peak[blockIdx.x] = peaks[0];
    r.median[blockIdx.x] = median;
    atomicMin(&r.bracket->low, median);
    atomicMax(&r.bracket->high, median);
}

/* --- the largest values ------------------------------------------------------------------- */

/* Threads of a block that is as large as a block can be. */
static __device__ unsigned long long max_of_all(unsigned long long value)
{
    __shared__ unsigned long long parts[WARP];
    for (int offset = WARP / 2; offset > 0; offset /= 2)
        value = max(value, __shfl_xor_sync(~0u, value, offset));
    __syncthreads();
    if (threadIdx.x % WARP == 0)
        parts[threadIdx.x / WARP] = value;
    __syncthreads();
    value = parts[threadIdx.x % WARP];
    for (int offset = WARP / 2; offset > 0; offset /= 2)
        value = max(value, __shfl_xor_sync(~0u, value, offset));
    return value;
}

/* Sum over the threads, in the order of a tree. */
static __device__ double sum_of_all(double value)
{
    __shared__ double parts[WARP];
    for (int offset = WARP / 2; offset > 0; offset /= 2)
        value += __shfl_xor_sync(~0u, value, offset);
    __syncthreads();
    if (threadIdx.x % WARP == 0)
        parts[threadIdx.x / WARP] = value;
    __syncthreads();
    value = parts[threadIdx.x % WARP];
    for (int offset = WARP / 2; offset > 0; offset /= 2)
        value += __shfl_xor_sync(~0u, value, offset);
    return value;
}

/* The three largest of all are in the three rows whose largest values are the largest, of
 * equals the first: the key of a row or value is its magnitude, then how early it is. */
template <typename T>
static __device__ void find_top(osc_residual *to, const osc_cuda_reduction &r, const T *x,
                                size_t rows, size_t width)
{
    const unsigned long long PLACES = (1ull << 48) - 1;
    size_t of_top[OSC_RESIDUAL_TOP];
    unsigned kept = (unsigned)min(rows, (size_t)OSC_RESIDUAL_TOP);
    unsigned tops = (unsigned)min(rows * width, (size_t)OSC_RESIDUAL_TOP);
    unsigned long long last = ~0ull;
    for (unsigned t = 0; t < kept; t++) {
        unsigned long long best = 0;
        for (size_t i = threadIdx.x; i < rows; i += COUNT_THREADS) {
            unsigned long long key = (unsigned long long)r.peak[i] << 48 | (PLACES - i);
            best = key < last ? max(best, key) : best;
        }
        last = max_of_all(best);
        of_top[t] = (size_t)(PLACES - (last & PLACES));
    }
    last = ~0ull;
    for (unsigned t = 0; t < tops; t++) {
        unsigned long long best = 0;
        for (unsigned k = 0; k < kept; k++)
#pragma unroll 4
            for (size_t c = threadIdx.x; c < width; c += COUNT_THREADS) {
                size_t i = of_top[k] * width + c;
                unsigned long long m = ((const uint16_t *)x)[i] & 0x7fffu;
                unsigned long long key = m << 48 | (PLACES - i);
                best = key < last ? max(best, key) : best;
            }
        last = max_of_all(best);
        size_t at = (size_t)(PLACES - (last & PLACES));
        if (threadIdx.x == 0)
            to->top[t] = { (uint32_t)(at / width), (uint32_t)(at % width), to_float(x[at]) };
    }
    if (threadIdx.x == 0)
        to->tops = tops;
}

/* What the rows' peaks and medians say. */
template <typename T>
static __device__ void measure_peaks(osc_residual *to, const osc_cuda_reduction &r, const T *x,
                                     size_t rows, size_t width)
{
    double ratio = 0.0;
    for (size_t i = threadIdx.x; i < rows; i += COUNT_THREADS)
        ratio += (double)magnitude_to_float(T(), r.peak[i])
               / (double)magnitude_to_float(T(), r.median[i]);
    ratio = sum_of_all(ratio);
    find_top(to, r, x, rows, width);
    if (threadIdx.x == 0)
        to->ratio = ratio;
}

/* --- all values --------------------------------------------------------------------------- */

/* COUNT columns of a row. */
union four {
    uint2    bits;
    uint16_t at[COUNT];
    __device__ four() {}
};

/* Magnitudes: how many are below `low`, and those from there on in bins [span]. */
static __device__ __forceinline__ void count_value(uint32_t *bins, uint32_t low, uint32_t span,
                                                   int *below, uint32_t magnitude)
{
    uint32_t above = magnitude - low;       /* wraps around below low */
    *below += (int)(above >> 31);
    if (above < span)
        atomicAdd(&bins[above], 1u);
}

/* A thread's columns of the `left` rows at x, every GROUPS-th: counts, and sums of squares. */
template <typename T, bool VECTORS>
static __device__ __forceinline__ int count_rows(double (&sums)[COUNT], uint32_t *bins,
                                                 uint32_t low, uint32_t span, const T *x,
                                                 size_t width, int left, int inside)
{
    int below = 0;
    for (; left > 0; left -= BATCH * GROUPS, x += BATCH * GROUPS * width) {
        four some[BATCH];
        float squares[COUNT] = { 0.0f, 0.0f, 0.0f, 0.0f };
        const T *from = x;
#pragma unroll
        for (int b = 0; b < BATCH; b++, from += GROUPS * width) {
            if (VECTORS && b * GROUPS < left)
                some[b].bits = *(const uint2 *)from;
#pragma unroll
            for (int j = 0; j < COUNT && !VECTORS; j++)
                some[b].at[j] = b * GROUPS < left && j < inside ? ((const uint16_t *)from)[j] : 0;
        }
#pragma unroll
        for (int b = 0; b < BATCH; b++)
            if (b * GROUPS < left)
#pragma unroll
                for (int j = 0; j < COUNT; j++) {
                    uint32_t magnitude = some[b].at[j] & 0x7fffu;
                    float v = magnitude_to_float(T(), magnitude);
                    squares[j] += v * v;
                    if (VECTORS || j < inside)
                        count_value(bins, low, span, &below, magnitude);
                }
#pragma unroll
        for (int j = 0; j < COUNT; j++)
            sums[j] += (double)squares[j];
    }
    return below;
}

/* Counts of magnitudes from `low` on in bins [span], and sums of squares of the block's
 * columns over a slice of rows. */
template <typename T, bool VECTORS>
static __device__ void count_slice(uint32_t *bins, uint32_t low, uint32_t span,
                                   const osc_cuda_reduction &r, const T *x, size_t slice,
                                   size_t rows, size_t width, size_t slice_rows)
{
    double (*groups)[COLUMNS] = (double (*)[COLUMNS])bins;
    size_t column = blockIdx.x * (size_t)COLUMNS + threadIdx.x % LANES * COUNT;
    size_t first = slice * slice_rows + threadIdx.x / LANES;
    int inside = column < width ? (int)min(width - column, (size_t)COUNT) : 0;
    int left = inside == 0 || first >= rows ? 0
        : (int)(min((slice + 1) * slice_rows, rows) - first);
    double sums[COUNT] = { 0.0, 0.0, 0.0, 0.0 };
    for (uint32_t i = threadIdx.x; i < span; i += COUNT_THREADS)
        bins[i] = 0;
    __syncthreads();
    int below = count_rows<T, VECTORS>(sums, bins, low, span, x + first * width + column, width,
                                       left, inside);
    below = __reduce_add_sync(~0u, below);
    if (threadIdx.x % WARP == 0 && below != 0)
        atomicAdd(&r.bracket->below, (unsigned long long)below);
    __syncthreads();
    for (uint32_t i = threadIdx.x; i < span; i += COUNT_THREADS)
        if (bins[i] != 0)
            atomicAdd(&r.counts[i], bins[i]);
    __syncthreads();
    for (int j = 0; j < COUNT; j++)
        groups[threadIdx.x / LANES][threadIdx.x % LANES * COUNT + j] = sums[j];
    __syncthreads();
    column = blockIdx.x * (size_t)COLUMNS + threadIdx.x;
    if (threadIdx.x >= COLUMNS || column >= width)
        return;
    double sum = 0.0;
    for (int g = 0; g < GROUPS; g++)
        sum += groups[g][threadIdx.x];
    r.sums[slice * width + column] = sum;
}

/* The block that comes last in its columns adds up the slices. */
static __device__ void add_slices(double *sumsq, const osc_cuda_reduction &r, size_t slices,
                                  size_t width)
{
    size_t column = blockIdx.x * (size_t)COLUMNS + threadIdx.x;
    if (threadIdx.x >= COLUMNS || column >= width)
        return;
    double sum = 0.0;
#pragma unroll 4
    for (size_t s = 0; s < slices; s++)
        sum += __ldcg(&r.sums[s * width + column]);
    sumsq[column] += sum;
}

/* --- the end ------------------------------------------------------------------------------ */

/* The magnitude of which `rank` values are below or before it.  Clears the counts. */
static __device__ uint32_t find_median(const osc_cuda_reduction &r, uint32_t low, uint32_t span,
                                       unsigned long long rank)
{
    __shared__ unsigned long long warps[WARP];
    __shared__ uint32_t found;
    int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
    uint32_t each = (span + COUNT_THREADS - 1) / COUNT_THREADS;
    uint32_t first = min(threadIdx.x * each, span), last = min(first + each, span);
    unsigned long long own = 0, sum, at = __ldcg(&r.bracket->below);
    for (uint32_t i = first; i < last; i++)
        own += __ldcg(&r.counts[i]);
    sum = own;
    for (int offset = 1; offset < WARP; offset *= 2) {
        unsigned long long other = __shfl_up_sync(~0u, sum, offset);
        if (lane >= offset)
            sum += other;
    }
    if (lane == WARP - 1)
        warps[warp] = sum;
    __syncthreads();
    for (int w = 0; w < warp; w++)
        at += warps[w];
    at += sum - own;
    if (at <= rank && rank - at < own)
        for (uint32_t i = first; i < last; i++) {
            uint32_t count = __ldcg(&r.counts[i]);
            if (rank - at < count) {
                found = low + i;
                break;
            }
            at += count;
        }
    for (uint32_t i = first; i < last; i++)
        r.counts[i] = 0;
    __syncthreads();
    return found;
}

/* As osc_massive_from. */
static __device__ float massive_from(float median)
{
    double least = 1000.0 * (double)median;
    if (least <= 100.0)
        return nextafterf(100.0f, INFINITY);
    float from = (float)least;
    return (double)from < least ? nextafterf(from, INFINITY) : from;
}

/* Four columns a thread in every GROUPS-th row of a slice, blockIdx.y - 1; a block of
 * blockIdx.y 0 looks at the rows' peaks meanwhile.  The block that comes last of all finds
 * the median. */
template <typename T, bool VECTORS>
static __global__ void __launch_bounds__(COUNT_THREADS, 1)
measure_all(osc_residual *to, double *sumsq, const __grid_constant__ struct osc_cuda_reduction r,
            const T *x, size_t rows, size_t width, size_t slice_rows)
{
    extern __shared__ uint32_t bins[];          /* [high - low + 1]; then sums of columns */
    uint32_t low = r.bracket->low, span = r.bracket->high - low + 1;
    unsigned slices = gridDim.y - 1;
    if (blockIdx.y > 0) {
        count_slice<T, VECTORS>(bins, low, span, r, x, blockIdx.y - 1, rows, width, slice_rows);
        if (is_last(&r.arrived[1 + blockIdx.x], slices))
            add_slices(sumsq, r, slices, width);
    } else if (blockIdx.x == 0) {
        measure_peaks(to, r, x, rows, width);
    } else {
        return;
    }
    if (!is_last(&r.arrived[0], gridDim.x * slices + 1))
        return;
    float median = magnitude_to_float(T(), find_median(r, low, span, (rows * width - 1) / 2));
    if (threadIdx.x != 0)
        return;
    to->median = median;
    *r.bracket = { ~0u, 0, 0, massive_from(median) };
}

/* Counts massive values of the rows that have some: few, of models that have any. */
template <typename T>
static __global__ void count_massive(uint64_t *massive,
                                     const __grid_constant__ struct osc_cuda_reduction r,
                                     const T *x, size_t rows, size_t width)
{
    float from = r.bracket->massive_from;
    for (size_t i = blockIdx.x; i < rows; i += gridDim.x) {
        if (magnitude_to_float(T(), r.peak[i]) < from)       /* not so if it is NaN */
            continue;
        for (size_t c = threadIdx.x; c < width; c += blockDim.x)
            if (fabsf(to_float(x[i * width + c])) >= from)
                atomicAdd((unsigned long long *)&massive[c], 1ull);
    }
}

/* --- launching ---------------------------------------------------------------------------- */

static osc_status launch_rows(osc_device *device, const void *x, size_t rows, size_t width)
{
    size_t pairs = (width + 2 * ROW_THREADS - 1) / (2 * ROW_THREADS);
    bool whole = width % (2 * ROW_THREADS) == 0 && ((uintptr_t)x & 3) == 0;
    auto kernel = !whole ? (pairs <= 16 ? measure_rows<16, false> : measure_rows<0, false>)
        : pairs <= 4 ? measure_rows<4, true> : pairs <= 16 ? measure_rows<16, true>
        : pairs <= 48 ? measure_rows<48, true> : measure_rows<0, true>;
    kernel<<<(unsigned)rows, ROW_THREADS, 0, device->watch>>>(
        *device->reduction, (const uint16_t *)x, (unsigned)width);
    return osc_cuda_launched("medians of rows");
}

template <typename T>
static osc_status launch_all(osc_device *device, osc_residual *to,
                             const osc_residual_stats *stats, const void *data, size_t rows,
                             size_t width)
{
    const size_t BYTES = CUDA_MAGNITUDES * sizeof(uint32_t);
    const T *x = (const T *)data;
    const size_t SLICES = CUDA_RESIDUAL_SLICES;
    size_t across = (width + COLUMNS - 1) / COLUMNS, slices = ALL_BLOCKS / across;
    slices = slices < 1 ? 1 : slices < SLICES ? slices : SLICES;
    size_t slice_rows = (rows + slices - 1) / slices;
    dim3 grid((unsigned)across, 1 + (unsigned)((rows + slice_rows - 1) / slice_rows));
    bool vectors = width % 4 == 0 && ((uintptr_t)data & 7) == 0;
    auto kernel = vectors ? measure_all<T, true> : measure_all<T, false>;
    OSC_CUDA_TRY(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                      (int)BYTES), "shared memory of medians");
    kernel<<<grid, COUNT_THREADS, BYTES, device->watch>>>(to, stats->sumsq, *device->reduction, x,
                                                          rows, width, slice_rows);
    OSC_TRY(osc_cuda_launched("median"));
    count_massive<<<MASSIVE_BLOCKS, 2 * ROW_THREADS, 0, device->watch>>>(
        stats->massive, *device->reduction, x, rows, width);
    return osc_cuda_launched("massive activations");
}

osc_status osc_cuda_residual(osc_device *device, const osc_residual_stats *stats, const void *x,
                             size_t rows, size_t width, const osc_residual_route *route)
{
    void *to;
    OSC_TRY(osc_cuda_report_begin(device, &to));
    OSC_TRY(osc_cuda_watch_begin(device));
    OSC_TRY(launch_rows(device, x, rows, width));
    OSC_TRY(OSC_CUDA_BY_DTYPE(device, launch_all, device, (osc_residual *)to, stats, x, rows,
                              width));
    osc_cuda_report_residual(device, route);
    return osc_cuda_watch_end(device, x, rows * width * osc_dtype_size(device->dtype));
}

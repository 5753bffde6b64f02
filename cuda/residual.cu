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
    COUNT_THREADS = 512, COUNT_WARPS = COUNT_THREADS / WARP,
    LANES = 128, GROUPS = COUNT_THREADS / LANES, COUNT = 4,
    COLUMNS = COUNT * LANES,
    ALL_BLOCKS = 256,     /* of a sequence, at most, if the columns are that few */
    BINS = 8192,          /* of a block; magnitudes that are more are counted in global memory */
    BATCH = 4             /* rows whose squares are added in float32 */
};
constexpr size_t LONG = 8;              /* sequences of any length fit into a launch */

struct osc_cuda_bracket {
    uint32_t low, high;                 /* of the rows' medians; ~0 and 0 between calls */
    float    massive_from;
};

osc_status osc_cuda_residual_plan(osc_device *device, const osc_limits *limits)
{
    const size_t MANY = ALL_BLOCKS * COLUMNS, wide = limits->widest;
    size_t rows = limits->rows, counts = CUDA_TOGETHER * CUDA_COUNTS;
    size_t cells = LONG * (wide > MANY ? wide : MANY);
    size_t done = (CUDA_TOGETHER + 1) * (wide / COLUMNS + 1);
    size_t parts = CUDA_TOGETHER * CUDA_SUMMARY_BLOCKS;
    void *memory;
    struct osc_cuda_reduction *r = (struct osc_cuda_reduction *)osc_alloc(1, sizeof *r);
    if (r == NULL)
        return OSC_ENOMEM;
    device->reduction = r;
    size_t bytes = parts * sizeof *r->parts + CUDA_TOGETHER * sizeof *r->bracket
                 + cells * sizeof *r->sums
                 + (2 * rows + counts + CUDA_TOGETHER + done) * sizeof(uint32_t);
    OSC_TRY(osc_cuda_own(device, &memory, bytes));
    r->cells = cells;
    r->parts = (osc_cuda_summary_part *)memory;
    r->bracket = (struct osc_cuda_bracket *)(r->parts + parts);
    r->sums = (double *)(r->bracket + CUDA_TOGETHER);
    r->peak = (uint32_t *)(r->sums + cells);
    r->median = r->peak + rows;
    r->counts = r->median + rows;
    r->arrived = r->counts + counts;
    r->done = r->arrived + CUDA_TOGETHER;
    OSC_CUDA_TRY(cudaMemsetAsync(memory, 0, bytes, device->stream), "planning");
    for (size_t i = 0; i < CUDA_TOGETHER; i++)
        OSC_CUDA_TRY(cudaMemsetAsync(&r->bracket[i].low, 0xff, sizeof r->bracket->low,
                                     device->stream), "planning");
    return OSC_OK;
}

/* What belongs to one sequence of `rows` rows; sums and counters do to all. */
static __device__ osc_cuda_reduction of_sequence(const osc_cuda_reduction &all, unsigned sequence,
                                                 size_t rows)
{
    osc_cuda_reduction r = all;
    r.bracket += sequence;
    r.counts += sequence * (size_t)CUDA_COUNTS;
    r.peak += sequence * rows;
    r.median += sequence * rows;
    return r;
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

/* One row of a sequence a block, PAIRS pairs of values a thread in registers; 0: any number,
 * read twice.  WHOLE: the row has just these; else at most these. */
template <int PAIRS, bool WHOLE>
static __global__ void __launch_bounds__(ROW_THREADS)
measure_rows(const __grid_constant__ struct osc_cuda_reduction all, const uint16_t *x,
             unsigned width)
{
    const osc_cuda_reduction r = of_sequence(all, blockIdx.y, gridDim.x);
    __shared__ unsigned uppers[UPPERS], lows[LOWS + 1], peaks[ROW_WARPS], upper, rank;
    const uint16_t *row = x + (blockIdx.y * (size_t)gridDim.x + blockIdx.x) * width;
    const int count = WHOLE && PAIRS > 0 ? PAIRS
                    : (int)((width + 2 * ROW_THREADS - 1) / (2 * ROW_THREADS));
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
    const unsigned wanted = upper, from = wanted << LOW_BITS;
#pragma unroll
    for (int i = 0; i < (PAIRS > 0 ? PAIRS : count); i++)
        if (i < count) {
            unsigned at = i * ROW_THREADS + threadIdx.x;
            uint32_t pair = PAIRS > 0 ? own[i] : read_pair<WHOLE>(row, at, width);
            atomicAdd(&lows[min((pair & 0xffffu) - from, (unsigned)LOWS)], 1u);
            atomicAdd(&lows[min((pair >> 16) - from, (unsigned)LOWS)], 1u);
        }
    __syncthreads();
    if (rank_here(lows[threadIdx.x], rank) >= lows[threadIdx.x])
        return;
    unsigned median = from | threadIdx.x;     /* one thread's */
    for (int w = 1; w < ROW_WARPS; w++)
        peaks[0] = max(peaks[0], peaks[w]);
    r.peak[blockIdx.x] = peaks[0];
    r.median[blockIdx.x] = median;
    atomicMin(&r.bracket->low, median);
    atomicMax(&r.bracket->high, median);
}

/* --- the largest values ------------------------------------------------------------------- */

static __device__ unsigned long long max_of_all(unsigned long long value)
{
    __shared__ unsigned long long parts[COUNT_WARPS];
    for (int offset = WARP / 2; offset > 0; offset /= 2)
        value = max(value, __shfl_xor_sync(~0u, value, offset));
    __syncthreads();
    if (threadIdx.x % WARP == 0)
        parts[threadIdx.x / WARP] = value;
    __syncthreads();
    value = parts[threadIdx.x % COUNT_WARPS];
    for (int offset = COUNT_WARPS / 2; offset > 0; offset /= 2)
        value = max(value, __shfl_xor_sync(~0u, value, offset));
    return value;
}

/* Sum over the threads, in the order of a tree. */
static __device__ double sum_of_all(double value)
{
    __shared__ double parts[COUNT_WARPS];
    for (int offset = WARP / 2; offset > 0; offset /= 2)
        value += __shfl_xor_sync(~0u, value, offset);
    __syncthreads();
    if (threadIdx.x % WARP == 0)
        parts[threadIdx.x / WARP] = value;
    __syncthreads();
    value = parts[threadIdx.x % COUNT_WARPS];
    for (int offset = COUNT_WARPS / 2; offset > 0; offset /= 2)
        value += __shfl_xor_sync(~0u, value, offset);
    return value;
}

/* The largest keys that were put in.  A key is a magnitude, then how early it is; 0 is none. */
struct largest {
    unsigned long long key[OSC_RESIDUAL_TOP];

    static __device__ unsigned long long key_of(unsigned long long magnitude, size_t place)
    {
        return magnitude << 48 | (PLACES - place);
    }

    static __device__ size_t place_of(unsigned long long key)
    {
        return (size_t)(PLACES - (key & PLACES));
    }

    __device__ void put(unsigned long long more)
    {
#pragma unroll
        for (int t = 0; t < OSC_RESIDUAL_TOP; t++) {
            unsigned long long less = min(key[t], more);
            key[t] = max(key[t], more);
            more = less;
        }
    }

    /* Takes the largest of all threads' out. */
    __device__ unsigned long long take()
    {
        unsigned long long best = max_of_all(key[0]);
        if (key[0] == best) {
#pragma unroll
            for (int t = 1; t < OSC_RESIDUAL_TOP; t++)
                key[t - 1] = key[t];
            key[OSC_RESIDUAL_TOP - 1] = 0;
        }
        return best;
    }

private:
    static constexpr unsigned long long PLACES = (1ull << 48) - 1;
};

/* The three largest of all are in the three rows whose largest values are the largest, of
 * equals the first. */
template <typename T>
static __device__ void find_top(osc_residual *to, const osc_cuda_reduction &r, const T *x,
                                size_t rows, size_t width)
{
    largest of_rows = {}, of_values = {};
    unsigned kept = (unsigned)min(rows, (size_t)OSC_RESIDUAL_TOP);
    unsigned tops = (unsigned)min(rows * width, (size_t)OSC_RESIDUAL_TOP);
    for (size_t i = threadIdx.x; i < rows; i += COUNT_THREADS)
        of_rows.put(largest::key_of(r.peak[i], i));
    for (unsigned k = 0; k < kept; k++) {
        size_t row = largest::place_of(of_rows.take());
#pragma unroll 8
        for (size_t c = threadIdx.x; c < width; c += COUNT_THREADS) {
            size_t i = row * width + c;
            of_values.put(largest::key_of(((const uint16_t *)x)[i] & 0x7fffu, i));
        }
    }
    for (unsigned t = 0; t < tops; t++) {
        size_t at = largest::place_of(of_values.take());
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

/* Counts a magnitude in bins [1 + span + 1]: those below `low`, from there on, and beyond.  In
 * a block's own bins all do, since that takes less than a branch; in GLOBAL memory those below are
 * added to *below, and nothing counts those beyond. */
template <bool GLOBAL>
static __device__ __forceinline__ void count_value(uint32_t *bins, int low, int span, int *below,
                                                   uint32_t magnitude)
{
    int above = (int)magnitude - low;
    if (!GLOBAL) {
        atomicAdd(&bins[min(max(above, -1), span) + 1], 1u);
        return;
    }
    *below += above < 0;
    if ((unsigned)above < (unsigned)span)
        atomicAdd(&bins[above + 1], 1u);
}

/* Columns of one row. */
template <typename T, bool VECTORS, bool GLOBAL>
static __device__ __forceinline__ void take_row(float (&squares)[COUNT], int *below,
                                                uint32_t *bins, int low, int span,
                                                const four &row, int inside)
{
#pragma unroll
    for (int j = 0; j < COUNT; j++) {
        uint32_t magnitude = row.at[j] & 0x7fffu;
        float v = magnitude_to_float(T(), magnitude);
        squares[j] += v * v;
        if (VECTORS || j < inside)
            count_value<GLOBAL>(bins, low, span, below, magnitude);
    }
}

/* A thread's columns of the `left` rows at x, every GROUPS-th: counts, and sums of squares. */
template <typename T, bool VECTORS, bool GLOBAL>
static __device__ __forceinline__ int count_rows(double (&sums)[COUNT], uint32_t *bins, int low,
                                                 int span, const T *x, size_t width, int left,
                                                 int inside)
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
        if (left > (BATCH - 1) * GROUPS) {
#pragma unroll
            for (int b = 0; b < BATCH; b++)
                take_row<T, VECTORS, GLOBAL>(squares, &below, bins, low, span, some[b], inside);
        } else {
#pragma unroll
            for (int b = 0; b < BATCH - 1; b++)
                if (b * GROUPS < left)
                    take_row<T, VECTORS, GLOBAL>(squares, &below, bins, low, span, some[b],
                                                 inside);
        }
#pragma unroll
        for (int j = 0; j < COUNT; j++)
            sums[j] += (double)squares[j];
    }
    return below;
}

/* What a block finds in its columns over a slice of rows. */
union block_found {
    uint32_t bins[BINS + 2];                    /* magnitudes below, from `low` on, beyond */
    double   groups[GROUPS][COLUMNS];           /* sums of squares */
};

/* Counts, in the block's bins where they suffice, and sums of squares. */
template <typename T, bool VECTORS>
static __device__ void count_slice(double (&sums)[COUNT], block_found &found,
                                   const osc_cuda_reduction &r, const T *x, size_t width, int left,
                                   int inside)
{
    int low = (int)r.bracket->low, span = (int)r.bracket->high - low + 1;
    if (span > BINS) {
        int below = count_rows<T, VECTORS, true>(sums, r.counts, low, span, x, width, left, inside);
        below = __reduce_add_sync(~0u, below);
        if (threadIdx.x % WARP == 0 && below != 0)
            atomicAdd(&r.counts[0], (uint32_t)below);
        return;
    }
    for (int i = threadIdx.x; i < span + 2; i += COUNT_THREADS)
        found.bins[i] = 0;
    __syncthreads();
    count_rows<T, VECTORS, false>(sums, found.bins, low, span, x, width, left, inside);
    __syncthreads();
    for (int i = threadIdx.x; i < span + 1; i += COUNT_THREADS)
        if (found.bins[i] != 0)
            atomicAdd(&r.counts[i], found.bins[i]);
}

/* Some columns of a sequence x in one slice of its rows: counts, and sums of squares to `to`,
 * those of the columns in this slice. */
template <typename T, bool VECTORS>
static __device__ void measure_slice(double *to, const osc_cuda_reduction &r, const T *x,
                                     size_t column, size_t slice, size_t rows, size_t width,
                                     size_t slice_rows)
{
    __shared__ block_found found;
    size_t own = column + threadIdx.x % LANES * COUNT;
    size_t first = slice * slice_rows + threadIdx.x / LANES;
    int inside = own < width ? (int)min(width - own, (size_t)COUNT) : 0;
    int left = inside == 0 || first >= rows ? 0
        : (int)(min((slice + 1) * slice_rows, rows) - first);
    double sums[COUNT] = { 0.0, 0.0, 0.0, 0.0 };
    count_slice<T, VECTORS>(sums, found, r, x + first * width + own, width, left, inside);
    __syncthreads();
    for (int j = 0; j < COUNT; j++)
        found.groups[threadIdx.x / LANES][threadIdx.x % LANES * COUNT + j] = sums[j];
    __syncthreads();
    if (column + threadIdx.x >= width)
        return;
    double sum = 0.0;
    for (int g = 0; g < GROUPS; g++)
        sum += found.groups[g][threadIdx.x];
    to[column + threadIdx.x] = sum;
}
static_assert((int)COLUMNS == (int)COUNT_THREADS, "a column a thread");

static __device__ double add_cells(double sum, const double *cells, size_t count, size_t step)
{
#pragma unroll 8
    for (size_t i = 0; i < count; i++)
        sum += __ldcg(&cells[i * step]);
    return sum;
}

/* The last block of a sequence in a group of columns adds up its slices, that of the last
 * sequence the sequences, which are left where their first slices were. */
static __device__ void add_slices(double *sumsq, const osc_cuda_reduction &r, size_t group,
                                  size_t across, size_t slices, size_t width)
{
    unsigned *done = r.done + blockIdx.y * across + group;
    size_t column = group * COLUMNS + threadIdx.x, sequence = slices * width;
    double *own = r.sums + blockIdx.y * sequence + column;
    if (!is_last(done, (unsigned)slices))
        return;
    if (column < width)
        *own = add_cells(0.0, own, slices, width);
    if (is_last(r.done + gridDim.y * across + group, gridDim.y) && column < width)
        sumsq[column] = add_cells(sumsq[column], r.sums + column, gridDim.y, sequence);
}

/* --- the end ------------------------------------------------------------------------------ */

/* The magnitude of which `rank` values are below or before it.  Clears the counts, of which
 * the first is of values below `low`. */
static __device__ uint32_t find_median(const osc_cuda_reduction &r, uint32_t low, uint32_t span,
                                       unsigned long long rank)
{
    __shared__ unsigned long long warps[WARP];
    __shared__ uint32_t found;
    int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
    uint32_t each = (span + COUNT_THREADS) / COUNT_THREADS;
    uint32_t first = min(threadIdx.x * each, span + 1), last = min(first + each, span + 1);
    unsigned long long own = 0, sum, at = 0;
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
                found = low + i - 1;
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

/* Of a sequence, its first block looks at the rows' peaks, each of the others at a group of
 * columns in a slice of rows.  The block that comes last finds the median. */
template <typename T, bool VECTORS>
static __global__ void __launch_bounds__(COUNT_THREADS, 3)
measure_all(osc_cuda_report *reports, double *sumsq,
            const __grid_constant__ struct osc_cuda_reduction all, const T *x, size_t rows,
            size_t width, size_t slice_rows, unsigned across)
{
    const osc_cuda_reduction r = of_sequence(all, blockIdx.y, rows);
    osc_residual *to = &reports[blockIdx.y].residual;
    uint32_t low = r.bracket->low, span = r.bracket->high - low + 1;
    unsigned slices = (gridDim.x - 1) / across, group = (blockIdx.x - 1) % across;
    unsigned slice = (blockIdx.x - 1) / across;
    x += blockIdx.y * rows * width;
    if (blockIdx.x == 0) {
        measure_peaks(to, r, x, rows, width);
    } else {
        double *sums = r.sums + (blockIdx.y * (size_t)slices + slice) * width;
        measure_slice<T, VECTORS>(sums, r, x, group * (size_t)COLUMNS, slice, rows, width,
                                  slice_rows);
        add_slices(sumsq, r, group, across, slices, width);
    }
    if (!is_last(&r.arrived[blockIdx.y], gridDim.x))
        return;
    float median = magnitude_to_float(T(), find_median(r, low, span, (rows * width - 1) / 2));
    if (threadIdx.x != 0)
        return;
    to->median = median;
    *r.bracket = { ~0u, 0, massive_from(median) };
}

/* Counts massive values of the rows that have some: few, of models that have any.  Each warp
 * looks which of the block's rows they are. */
template <typename T>
static __global__ void count_massive(uint64_t *massive,
                                     const __grid_constant__ struct osc_cuda_reduction all,
                                     const T *x, size_t rows, size_t width)
{
    const osc_cuda_reduction r = of_sequence(all, blockIdx.y, rows);
    float from = r.bracket->massive_from;
    size_t first = blockIdx.x * (size_t)WARP, own = first + threadIdx.x % WARP;
    bool some = own < rows && !(magnitude_to_float(T(), r.peak[own]) < from);  /* so if it is NaN */
    x += (blockIdx.y * rows + first) * width;
    for (unsigned left = __ballot_sync(~0u, some); left != 0; left &= left - 1) {
        const T *row = x + (__ffs(left) - 1) * width;
        for (size_t c = threadIdx.x; c < width; c += blockDim.x)
            if (fabsf(to_float(row[c])) >= from)
                atomicAdd((unsigned long long *)&massive[c], 1ull);
    }
}

/* --- launching ---------------------------------------------------------------------------- */

/* How sequences are cut. */
struct cut {
    size_t across, slices, slice_rows;
    size_t together;          /* sequences of a launch */
};

static cut find_cut(const osc_cuda_reduction *r, size_t rows, size_t width)
{
    const size_t SLICES = CUDA_RESIDUAL_SLICES, TOGETHER = CUDA_TOGETHER;
    cut c;
    c.across = (width + COLUMNS - 1) / COLUMNS;
    size_t slices = ALL_BLOCKS / c.across;
    slices = slices < 1 ? 1 : slices < SLICES ? slices : SLICES;
    c.slice_rows = (rows + slices - 1) / slices;
    c.slices = (rows + c.slice_rows - 1) / c.slice_rows;
    c.together = r->cells / (c.slices * width);
    c.together = c.together < TOGETHER ? c.together : TOGETHER;
    return c;
}

/* For rows of so many pairs a thread: those of known models in registers. */
static auto rows_kernel(size_t pairs) -> decltype(&measure_rows<0, true>)
{
    switch (pairs) {
    case 3:  return measure_rows<3, true>;
    case 4:  return measure_rows<4, true>;
    case 8:  return measure_rows<8, true>;
    case 10: return measure_rows<10, true>;
    case 16: return measure_rows<16, true>;
    case 20: return measure_rows<20, true>;
    case 28: return measure_rows<28, true>;
    case 32: return measure_rows<32, true>;
    case 36: return measure_rows<36, true>;
    case 48: return measure_rows<48, true>;
    }
    return measure_rows<0, true>;
}

static osc_status launch_rows(osc_device *device, const void *x, osc_sequences some, size_t width)
{
    size_t pairs = (width + 2 * ROW_THREADS - 1) / (2 * ROW_THREADS);
    bool whole = width % (2 * ROW_THREADS) == 0 && ((uintptr_t)x & 3) == 0;
    auto kernel = whole ? rows_kernel(pairs)
                : pairs <= 16 ? measure_rows<16, false> : measure_rows<0, false>;
    dim3 grid((unsigned)some.tokens, (unsigned)some.count);
    kernel<<<grid, ROW_THREADS, 0, device->watch>>>(*device->reduction, (const uint16_t *)x,
                                                    (unsigned)width);
    return osc_cuda_launched("medians of rows");
}

template <typename T>
static osc_status launch_all(osc_device *device, osc_cuda_report *to,
                             const osc_residual_stats *stats, const void *data,
                             osc_sequences some, const cut *c)
{
    const T *x = (const T *)data;
    size_t rows = some.tokens, width = stats->width;
    dim3 grid(1 + (unsigned)(c->across * c->slices), (unsigned)some.count);
    dim3 massive((unsigned)((rows + WARP - 1) / WARP), (unsigned)some.count);
    bool vectors = width % 4 == 0 && ((uintptr_t)data & 7) == 0;
    auto kernel = vectors ? measure_all<T, true> : measure_all<T, false>;
    kernel<<<grid, COUNT_THREADS, 0, device->watch>>>(to, stats->sumsq, *device->reduction, x, rows,
                                                      width, c->slice_rows, (unsigned)c->across);
    OSC_TRY(osc_cuda_launched("median"));
    count_massive<<<massive, 2 * ROW_THREADS, 0, device->watch>>>(
        stats->massive, *device->reduction, x, rows, width);
    return osc_cuda_launched("massive activations");
}

static osc_status measure(osc_device *device, const osc_residual_stats *stats, const char *x,
                          osc_sequences rows, const osc_residual_route *route)
{
    size_t bytes = rows.tokens * stats->width * osc_dtype_size(device->dtype);
    cut c = find_cut(device->reduction, rows.tokens, stats->width);
    for (size_t first = 0; first < rows.count; first += c.together, x += c.together * bytes) {
        size_t left = rows.count - first;
        osc_sequences some = { left < c.together ? left : c.together, rows.tokens };
        osc_residual_route from = *route;
        osc_cuda_report *to;
        from.sequence += first;
        OSC_TRY(osc_cuda_report_begin(device, &to, some.count));
        OSC_TRY(launch_rows(device, x, some, stats->width));
        OSC_TRY(OSC_CUDA_BY_DTYPE(device, launch_all, device, to, stats, x, some, &c));
        osc_cuda_report_residuals(device, &from, some.count);
    }
    return OSC_OK;
}

osc_status osc_cuda_residual(osc_device *device, const osc_residual_stats *stats, const void *x,
                             osc_sequences rows, size_t width, const osc_residual_route *route)
{
    OSC_TRY(osc_cuda_watch_begin(device));
    osc_status status = measure(device, stats, (const char *)x, rows, route);
    osc_status end = osc_cuda_watch_end(device, x, rows.count * rows.tokens * width
                                                   * osc_dtype_size(device->dtype));
    return status != OSC_OK ? status : end;
}

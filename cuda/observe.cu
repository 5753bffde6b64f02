/* Column statistics and hits, reduced where the values are.  Rows are cut into slices
 * whose partial sums are added in order, so results are the same bits in every run.
 * Values that reach alpha are then looked for in the columns that have some, which are
 * few, and written in order of (row, column). */
#include <config.h>
#include "cuda/backend.h"
#include "cuda/element.cuh"
#include "cuda/hits.h"
#include "cuda/last.cuh"
#include "cuda/reduction.h"
#include "cuda/reports.h"
#include "cuda/watch.h"

enum {
    WARP = 32, WARPS = 8, THREADS = WARPS * WARP,
    BATCH = 4,                /* rows that a warp reads at once */
    COUNT = 4,                /* neighbouring columns of a lane, in PAIRS words */
    PAIRS = COUNT / 2, COLUMNS = WARP * COUNT,
    EXPONENTS = 2048,         /* of a double */
    BINS = OSC_HISTOGRAM_BINS, BIN_BIAS = 1023 + OSC_HISTOGRAM_LOWEST,
    SUMS = 3
};
constexpr size_t SLICES = 32;        /* at most */
constexpr size_t SLICE_ROWS = 32;    /* at least */
constexpr size_t SLICE_GROUP = 8;    /* slices that a thread reads at once */
constexpr size_t SLICE_MOST = 65536; /* rows: a thread counts to 65535 */
constexpr size_t BLOCKS = 512;       /* about so many on every device: the order of sums */

struct osc_cuda_observer {
    double   *sums;          /* [SUMS, SLICES, widest] what slices found: of x, x^2, x^4 */
    float    *min, *max;     /* [SLICES, widest] */
    uint32_t *count_ge;      /* [SLICES, widest] */
    uint32_t *hot;           /* [widest / 32] bits: columns with hits in this call */
    uint32_t *block_hits;    /* [tokens / WARPS] hits of a block of write_hits() and 1, 0 before */
    uint32_t *ticket;        /* blocks of write_hits() that have begun */
    double   *cubes;         /* [SLICES, groups of COLUMNS] sums of x^3 */
    osc_cuda_summary_part *parts;     /* [groups] of the summary of these values */
    unsigned *arrived;       /* [widest / COLUMNS] blocks that are done with some columns; 0
                                between kernels */
    size_t   widest;
};

osc_status osc_cuda_observe_plan(osc_device *device, const osc_limits *limits)
{
    size_t wide = limits->widest, cells = SLICES * wide, groups = wide / COLUMNS + 1;
    size_t blocks = limits->tokens / WARPS + 1, masks = groups * (COLUMNS / WARP);
    size_t words = 3 * cells + masks + blocks + 1 + groups;
    void *memory;
    struct osc_cuda_observer *o = (struct osc_cuda_observer *)osc_alloc(1, sizeof *o);
    if (o == NULL)
        return OSC_ENOMEM;
    device->observer = o;
    OSC_TRY(osc_cuda_own(device, &memory, SUMS * cells * sizeof *o->sums + words * 4
                         + groups * (SLICES * sizeof *o->cubes + sizeof *o->parts)));
    o->sums = (double *)memory;
    o->cubes = o->sums + SUMS * cells;
    o->parts = (osc_cuda_summary_part *)(o->cubes + SLICES * groups);
    o->min = (float *)(o->parts + groups);
    o->max = o->min + cells;
    o->count_ge = (uint32_t *)(o->max + cells);
    o->hot = o->count_ge + cells;
    o->block_hits = o->hot + masks;
    o->ticket = o->block_hits + blocks;
    o->arrived = o->ticket + 1;
    o->widest = wide;
    OSC_CUDA_TRY(cudaMemsetAsync(o->arrived, 0, groups * sizeof *o->arrived, device->stream),
                 "planning");
    return OSC_OK;
}

/* --- values ------------------------------------------------------------------------------- */

static __device__ __forceinline__ double to_double(__half x)
{
    double wide;
    asm("cvt.f64.f16 %0, %1;" : "=d"(wide) : "h"(__half_as_ushort(x)));
    return wide;
}

static __device__ __forceinline__ double to_double(__nv_bfloat16 x)
{
    return (double)__bfloat162float(x);
}

static __half least_from(__half, float alpha) { return __float2half_ru(alpha); }
static __nv_bfloat16 least_from(__nv_bfloat16, float alpha) { return __float2bfloat16_ru(alpha); }

static __device__ __forceinline__ __half2 both(__half x) { return __half2half2(x); }
static __device__ __forceinline__ __nv_bfloat162 both(__nv_bfloat16 x)
{
    return __bfloat162bfloat162(x);
}

/* COUNT columns of one row. */
template <typename T> union piece {
    typename pair_of<T>::type pair[PAIRS];
    T     at[COUNT];
    uint2 bits;
    __device__ piece() {}
};
static_assert(COUNT * 2 == sizeof(uint2), "a piece is read at once");

/* Every WARPS-th of the `left` rows at x; columns beyond `inside` are zero. */
template <typename T, bool VECTORS>
static __device__ __forceinline__ void read_batch(piece<T> (&batch)[BATCH], const T *x,
                                                  size_t width, int left, int inside)
{
#pragma unroll
    for (int b = 0; b < BATCH; b++, x += WARPS * width) {
        if constexpr (VECTORS) {
            if (b * WARPS < left)
                batch[b].bits = *(const uint2 *)x;
        } else {
#pragma unroll
            for (int j = 0; j < COUNT; j++)
                batch[b].at[j] = j < inside && b * WARPS < left ? x[j] : from_float<T>(0.0f);
        }
    }
}

/* --- columns ------------------------------------------------------------------------------ */

/* What a thread found in its columns.  Counts are those of pairs of columns: the first's
 * plus 65536 times the second's less the first's. */
template <typename T, bool CUBES> struct column_sums {
    double sum[SUMS][COUNT], cubes;      /* cubes: of all columns, if wanted */
    typename pair_of<T>::type min[PAIRS], max[PAIRS];
    uint32_t counts[PAIRS];

    __device__ column_sums()
    {
#pragma unroll
        for (int j = 0; j < COUNT; j++)
            sum[0][j] = sum[1][j] = sum[2][j] = 0.0;
        cubes = 0.0;
#pragma unroll
        for (int p = 0; p < PAIRS; p++) {
            min[p] = both(from_float<T>(INFINITY));
            max[p] = both(from_float<T>(-INFINITY));
            counts[p] = 0;
        }
    }

    /* NaN is passed over by minimum, maximum and the comparison. */
    template <bool VECTORS>
    __device__ __forceinline__ void take(const piece<T> &row, typename pair_of<T>::type alpha,
                                         uint32_t *exponents, int inside)
    {
#pragma unroll
        for (int p = 0; p < PAIRS; p++) {
            min[p] = __hmin2(min[p], row.pair[p]);
            max[p] = __hmax2(max[p], row.pair[p]);
            counts[p] -= __hge2_mask(__habs2(row.pair[p]), alpha);
        }
#pragma unroll
        for (int j = 0; j < COUNT; j++) {
            double v = to_double(row.at[j]), square = v * v;
            sum[0][j] += v;
            sum[1][j] += square;
            sum[2][j] += square * square;
            if (CUBES)
                cubes += square * v;
            if (VECTORS || j < inside)
                atomicAdd(&exponents[(uint32_t)__double2hiint(v) >> 20 & (EXPONENTS - 1)], 1u);
        }
    }
};

/* Adds counts of exponents up into `histogram`. */
static __device__ void add_exponents(uint64_t *histogram, const uint32_t *exponents)
{
#pragma unroll
    for (int i = 0; i < EXPONENTS / THREADS; i++) {
        int exponent = i * THREADS + threadIdx.x;
        uint32_t count = exponents[exponent];
        int bin = min(max(exponent - (int)BIN_BIAS, 0), (int)BINS - 1);
        if (count != 0)
            atomicAdd((unsigned long long *)&histogram[bin], (unsigned long long)count);
    }
}

/* What the warps of a block found, and sums over them. */
template <typename T> struct warps_found {
    double sum[SUMS][WARPS][COLUMNS];
    T      min[WARPS][COLUMNS], max[WARPS][COLUMNS];
    uint32_t counts[WARPS][COLUMNS / 2];

    template <bool CUBES> __device__ void put(const column_sums<T, CUBES> &own)
    {
        int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP, column = lane * COUNT;
#pragma unroll
        for (int s = 0; s < SUMS; s++)
#pragma unroll
            for (int j = 0; j < COUNT; j++)
                sum[s][warp][column + j] = own.sum[s][j];
#pragma unroll
        for (int p = 0; p < PAIRS; p++) {
            *(typename pair_of<T>::type *)&min[warp][column + 2 * p] = own.min[p];
            *(typename pair_of<T>::type *)&max[warp][column + 2 * p] = own.max[p];
            counts[warp][lane * PAIRS + p] = own.counts[p];
        }
    }

    __device__ double add(int s, int column) const
    {
        double all = sum[s][0][column];
#pragma unroll
        for (int w = 1; w < WARPS; w++)
            all += sum[s][w][column];
        return all;
    }

    __device__ float find_min(int column) const
    {
        T all = min[0][column];
#pragma unroll
        for (int w = 1; w < WARPS; w++)
            all = __hmin(all, min[w][column]);
        return to_float(all);
    }

    __device__ float find_max(int column) const
    {
        T all = max[0][column];
#pragma unroll
        for (int w = 1; w < WARPS; w++)
            all = __hmax(all, max[w][column]);
        return to_float(all);
    }

    __device__ uint32_t count(int column) const
    {
        uint32_t all = 0;
#pragma unroll
        for (int w = 0; w < WARPS; w++) {
            uint32_t two = counts[w][column / 2], first = two & 0xffff;
            all += column % 2 == 0 ? first : ((two >> 16) + first) & 0xffff;
        }
        return all;
    }
};

static __device__ __forceinline__ double sum_warp(double own)
{
#pragma unroll
    for (int offset = WARP / 2; offset > 0; offset /= 2)
        own += __shfl_xor_sync(~0u, own, offset);
    return own;
}

/* --- slices ------------------------------------------------------------------------------- */

/* Half of the block's threads have the sums of x and x^2, the other half the rest. */
template <typename T>
static __device__ void store_slice(const osc_cuda_observer &o, const warps_found<T> &found,
                                   size_t width)
{
    int own = threadIdx.x % COLUMNS;
    size_t column = blockIdx.x * (size_t)COLUMNS + own, at = blockIdx.y * width + column;
    size_t next = SLICES * o.widest;
    if (column >= width)
        return;
    if (threadIdx.x < COLUMNS) {
        o.sums[at] = found.add(0, own);
        o.sums[next + at] = found.add(1, own);
        return;
    }
    o.sums[2 * next + at] = found.add(2, own);
    o.min[at] = found.find_min(own);
    o.max[at] = found.find_max(own);
    o.count_ge[at] = found.count(own);
}

/* Slices' values of one column, `first` and those behind it; the last one again beyond it. */
template <typename V>
static __device__ __forceinline__ void read_slices(V (&some)[SLICE_GROUP], const V *column,
                                                   size_t width, size_t first, size_t slices)
{
#pragma unroll
    for (size_t s = 0; s < SLICE_GROUP; s++)
        some[s] = __ldcg(&column[min(first + s, slices - 1) * width]);
}

/* Adds a column's sums of slices up, in order. */
static __device__ double add_slices(const double *column, size_t width, size_t slices)
{
    double sum = 0.0;
    for (size_t first = 0; first < slices; first += SLICE_GROUP) {
        double some[SLICE_GROUP];
        read_slices(some, column, width, first, slices);
#pragma unroll
        for (size_t s = 0; s < SLICE_GROUP; s++)
            sum += first + s < slices ? some[s] : 0.0;
    }
    return sum;
}

/* Minimum, maximum and count of column i.  Returns the count and the bits of the largest
 * magnitude as float32, 0 if all are NaN. */
static __device__ uint2 join_slices(const osc_column_stats &stats, const osc_cuda_observer &o,
                                    size_t slices, size_t i)
{
    size_t width = stats.width;
    float least = INFINITY, most = -INFINITY;
    uint32_t count = 0;
    for (size_t first = 0; first < slices; first += SLICE_GROUP) {
        float low[SLICE_GROUP], high[SLICE_GROUP];
        uint32_t counts[SLICE_GROUP];
        read_slices(low, o.min + i, width, first, slices);
        read_slices(high, o.max + i, width, first, slices);
        read_slices(counts, o.count_ge + i, width, first, slices);
#pragma unroll
        for (size_t s = 0; s < SLICE_GROUP; s++) {
            least = fminf(least, low[s]);
            most = fmaxf(most, high[s]);
            count += first + s < slices ? counts[s] : 0;
        }
    }
    stats.min[i] = fminf(stats.min[i], least);
    stats.max[i] = fmaxf(stats.max[i], most);
    stats.count_ge[i] += count;
    return make_uint2(count, __float_as_uint(fmaxf(0.0f, fmaxf(most, -least))));
}

/* What a thread of the last block knows for the summary: of the first half of them the sums of
 * x and x^2 of a column, of the other half those of x^4 and the largest magnitude. */
struct column_end {
    double   first, second;
    uint32_t most;
};

/* These columns' part of the summary. */
static __device__ void put_part(const osc_cuda_observer &o, const column_end &own)
{
    __shared__ column_end warps[WARPS];
    double first = sum_warp(own.first), second = sum_warp(own.second);
    uint32_t most = __reduce_max_sync(~0u, own.most);
    if (threadIdx.x % WARP == 0)
        warps[threadIdx.x / WARP] = { first, second, most };
    __syncthreads();
    if (threadIdx.x >= WARP)
        return;
    double cubes = 0.0;
    for (unsigned s = threadIdx.x; s < gridDim.y; s += WARP)
        cubes += __ldcg(&o.cubes[s * gridDim.x + blockIdx.x]);
    osc_cuda_summary_part part = { { 0.0, 0.0, sum_warp(cubes), 0.0 }, 0 };
    for (int w = 0; w < WARPS / 2; w++) {
        part.power[0] += warps[w].first;
        part.power[1] += warps[w].second;
        part.power[3] += warps[WARPS / 2 + w].first;
        part.peak = max(part.peak, warps[WARPS / 2 + w].most);
    }
    if (threadIdx.x == 0)
        o.parts[blockIdx.x] = part;
}

/* The last block of some columns adds up what all of them found. */
template <bool SUMMARY>
static __device__ void finish_columns(const osc_column_stats &stats, const osc_cuda_observer &o)
{
    size_t width = stats.width, i = blockIdx.x * (size_t)COLUMNS + threadIdx.x % COLUMNS;
    size_t next = SLICES * o.widest;
    column_end own = { 0.0, 0.0, 0 };
    uint2 joined = make_uint2(0, 0);
    if (i < width && threadIdx.x < COLUMNS) {
        own.first = add_slices(o.sums + i, width, gridDim.y);
        own.second = add_slices(o.sums + next + i, width, gridDim.y);
        stats.sum[i] += own.first;
        stats.sumsq[i] += own.second;
    } else if (i < width) {
        own.first = add_slices(o.sums + 2 * next + i, width, gridDim.y);
        joined = join_slices(stats, o, gridDim.y, i);
        own.most = joined.y;
        stats.sum4[i] += own.first;
    }
    uint32_t hot = __ballot_sync(~0u, joined.x > 0);
    if (threadIdx.x >= COLUMNS && threadIdx.x % WARP == 0)
        o.hot[blockIdx.x * (COLUMNS / WARP) + (threadIdx.x - COLUMNS) / WARP] = hot;
    if (SUMMARY)
        put_part(o, own);
}

/* The block's first warp: the summary from the parts of `groups` groups of columns.  Squares
 * add up to NaN if and only if a value is NaN. */
static __device__ void finish_summary(osc_summary *to, const osc_cuda_observer &o,
                                      unsigned groups, uint64_t count)
{
    osc_cuda_summary_part own = { { 0.0, 0.0, 0.0, 0.0 }, 0 };
    for (unsigned g = threadIdx.x; g < groups; g += WARP) {
        for (int p = 0; p < 4; p++)
            own.power[p] += o.parts[g].power[p];
        own.peak = max(own.peak, o.parts[g].peak);
    }
    for (int p = 0; p < 4; p++)
        own.power[p] = sum_warp(own.power[p]);
    float peak = __uint_as_float(__reduce_max_sync(~0u, own.peak));
    if (threadIdx.x != 0)
        return;
    to->count = count;
    to->peak = isnan(own.power[1]) ? NAN : peak;
    for (int p = 0; p < 4; p++)
        to->power[p] = own.power[p];
}

/* --- the kernel of statistics ------------------------------------------------------------- */

/* COUNT columns a lane, every WARPS-th row of a slice a warp.  The block that comes last
 * in its columns adds up the slices.  Gets write_hits() of hit_blocks blocks ready. */
template <typename T, bool VECTORS, bool SUMMARY>
static __global__ void __launch_bounds__(THREADS, 4)
observe_columns(const __grid_constant__ osc_column_stats stats,
                const __grid_constant__ osc_cuda_observer o, const T *x, size_t rows,
                size_t slice_rows, T alpha, unsigned hit_blocks)
{
    __shared__ union both_uses {
        uint4    words[EXPONENTS / 4];
        uint32_t exponents[EXPONENTS];
        warps_found<T> found;
        __device__ both_uses() {}
    } shared;
    __shared__ double cubes[WARPS];
    const size_t width = stats.width;
    size_t column = blockIdx.x * (size_t)COLUMNS + threadIdx.x % WARP * COUNT;
    size_t first = blockIdx.y * slice_rows + threadIdx.x / WARP;
    int inside = column < width ? (int)min(width - column, (size_t)COUNT) : 0;
    int left = inside == 0 || first >= rows ? 0
        : (int)(min((blockIdx.y + 1) * slice_rows, rows) - first);
    column_sums<T, SUMMARY> own;
#pragma unroll
    for (int i = 0; i < EXPONENTS / 4 / THREADS; i++)
        shared.words[i * THREADS + threadIdx.x] = make_uint4(0, 0, 0, 0);
    if (blockIdx.y == 0)
        for (unsigned i = blockIdx.x * THREADS + threadIdx.x; i <= hit_blocks;
             i += gridDim.x * THREADS)
            *(i < hit_blocks ? &o.block_hits[i] : o.ticket) = 0;
    __syncthreads();
    x += first * width + column;
    for (; left > 0; left -= BATCH * WARPS, x += BATCH * WARPS * width) {
        piece<T> batch[BATCH];
        read_batch<T, VECTORS>(batch, x, width, left, inside);
        if (left > (BATCH - 1) * WARPS) {
#pragma unroll
            for (int b = 0; b < BATCH; b++)
                own.template take<VECTORS>(batch[b], both(alpha), shared.exponents, inside);
        } else {
#pragma unroll
            for (int b = 0; b < BATCH - 1; b++)
                if (b * WARPS < left)
                    own.template take<VECTORS>(batch[b], both(alpha), shared.exponents, inside);
        }
    }
    __syncthreads();
    add_exponents(stats.histogram, shared.exponents);
    __syncthreads();
    shared.found.put(own);
    if (SUMMARY)
        own.cubes = sum_warp(own.cubes);
    if (SUMMARY && threadIdx.x % WARP == 0)
        cubes[threadIdx.x / WARP] = own.cubes;
    __syncthreads();
    store_slice(o, shared.found, width);
    if (SUMMARY && threadIdx.x == 0) {
        double sum = cubes[0];
        for (int w = 1; w < WARPS; w++)
            sum += cubes[w];
        o.cubes[blockIdx.y * gridDim.x + blockIdx.x] = sum;
    }
    if (is_last(&o.arrived[blockIdx.x], gridDim.y))
        finish_columns<SUMMARY>(stats, o);
}

/* --- hits --------------------------------------------------------------------------------- */

/* Exclusive prefix of `value` over the block's threads, and the total. */
static __device__ uint64_t prefix(uint64_t value, uint64_t *total)
{
    __shared__ uint64_t warps[WARPS];
    int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
    uint64_t sum = value;
    for (int offset = 1; offset < WARP; offset *= 2) {
        uint64_t other = __shfl_up_sync(~0u, sum, offset);
        if (lane >= offset)
            sum += other;
    }
    __syncthreads();
    if (lane == WARP - 1)
        warps[warp] = sum;
    __syncthreads();
    uint64_t before = 0;
    *total = 0;
    for (int w = 0; w < WARPS; w++) {
        before += w < warp ? warps[w] : 0;
        *total += warps[w];
    }
    return before + sum - value;
}

/* Lists the columns of THREADS words of bits that have hits, ascending.  Returns how many. */
static __device__ unsigned list_hot(uint16_t *list, const uint32_t *hot, size_t words)
{
    uint64_t count;
    uint32_t bits = threadIdx.x < words ? hot[threadIdx.x] : 0;
    uint64_t at = prefix(__popc(bits), &count);
    for (; bits != 0; bits &= bits - 1)
        list[at++] = (uint16_t)(threadIdx.x * WARP + __ffs(bits) - 1);
    __syncthreads();
    return (unsigned)count;
}

/* Where this block's hits begin: behind those that are there, and those of the blocks
 * before.  The last block moves *filled on. */
static __device__ uint64_t place_block(const osc_cuda_observer &o, unsigned block, uint64_t count,
                                       uint64_t *filled, uint64_t *end)
{
    __shared__ uint64_t start;
    uint64_t sum = 0, before;
    if (threadIdx.x == 0) {
        start = __ldcg(filled);
        __threadfence();          /* read before the last block can know of this one */
        atomicExch(&o.block_hits[block], (unsigned)count + 1);
    }
    for (unsigned i = threadIdx.x; i < block; i += THREADS) {
        unsigned found;
        while ((found = *(volatile uint32_t *)&o.block_hits[i]) == 0)
            ;
        sum += found - 1;
    }
    prefix(sum, &before);
    if (threadIdx.x == 0 && block == gridDim.x - 1) {
        __threadfence();
        *filled = start + before + count;
        *end = start + before + count;
    }
    return start + before;
}

/* Hits of one row in listed columns, written to `to` if it is not NULL.  Returns how many. */
template <typename T>
static __device__ unsigned find_hits(osc_hit *to, const T *x, size_t row, size_t width,
                                     size_t first, const uint16_t *list, unsigned count, T alpha)
{
    int lane = threadIdx.x % WARP;
    unsigned found = 0;
    for (unsigned h = 0; h < count; h += WARP) {
        size_t column = h + lane < count ? first + list[h + lane] : 0;
        T v = h + lane < count ? x[row * width + column] : from_float<T>(0.0f);
        bool hit = __habs(v) >= alpha;
        unsigned mask = __ballot_sync(~0u, hit);
        if (hit && to != NULL)
            to[found + __popc(mask & ((1u << lane) - 1))] = { (uint32_t)row, (uint32_t)column,
                                                              to_float(v) };
        found += __popc(mask);
    }
    return found;
}

static __host__ __device__ unsigned groups_of(size_t width)
{
    return (unsigned)((width + COLUMNS - 1) / COLUMNS);
}

static __global__ void make_summary(osc_summary *to, const __grid_constant__ osc_cuda_observer o,
                                    unsigned groups, uint64_t count)
{
    finish_summary(to, o, groups, count);
}

/* A row a warp; blocks take their rows as they begin, so that those before them run.  The
 * summary of observe_columns() is finished if `summary` is not NULL. */
template <typename T>
static __global__ void __launch_bounds__(THREADS)
write_hits(osc_hit *hits, const __grid_constant__ osc_cuda_observer o, const T *x, size_t rows,
           size_t width, T alpha, uint64_t *filled, uint64_t *end, osc_summary *summary)
{
    __shared__ uint16_t list[THREADS * WARP];
    __shared__ unsigned block;
    size_t words = (width + WARP - 1) / WARP;
    uint64_t own = 0, all, before = 0;
    unsigned listed = 0, any = 0;
    if (threadIdx.x == 0)
        block = atomicAdd(o.ticket, 1u);
    __syncthreads();
    if (summary != NULL && block == 0 && threadIdx.x < WARP)
        finish_summary(summary, o, groups_of(width), rows * width);
    size_t row = block * (size_t)WARPS + threadIdx.x / WARP;
    for (size_t w = 0; w < words; w += THREADS) {
        listed = list_hot(list, o.hot + w, words - w);
        any |= listed;
        if (row < rows)
            own += find_hits<T>(NULL, x, row, width, w * WARP, list, listed, alpha);
        __syncthreads();
    }
    if (any == 0) {               /* so it is in every block */
        if (threadIdx.x == 0 && block == 0)
            *end = *filled;
        return;
    }
    before = prefix(threadIdx.x % WARP == 0 ? own : 0, &all);
    before = __shfl_sync(~0u, before, 0);
    hits += place_block(o, block, all, filled, end) + before;
    for (size_t w = 0; w < words; w += THREADS) {
        if (words > THREADS)
            listed = list_hot(list, o.hot + w, words - w);
        if (row < rows)
            hits += find_hits<T>(hits, x, row, width, w * WARP, list, listed, alpha);
        __syncthreads();
    }
}

/* --- launching ---------------------------------------------------------------------------- */

static unsigned hit_blocks(size_t rows)
{
    return (unsigned)((rows + WARPS - 1) / WARPS);
}

template <typename T>
static osc_status launch_columns(osc_device *device, osc_column_stats *stats, const void *x,
                                 size_t rows, float alpha, bool hits, bool summary)
{
    const struct osc_cuda_observer *o = device->observer;
    size_t width = stats->width, across = groups_of(width);
    bool vectors = width % COUNT == 0 && ((uintptr_t)x & (sizeof(uint2) - 1)) == 0;
    size_t slices = (BLOCKS + across - 1) / across;
    slices = slices < SLICES ? slices : SLICES;
    size_t slice_rows = (rows + slices - 1) / slices;
    slice_rows = slice_rows > SLICE_ROWS ? slice_rows : SLICE_ROWS;
    slice_rows = slice_rows < SLICE_MOST ? slice_rows : SLICE_MOST;
    slices = (rows + slice_rows - 1) / slice_rows;
    if (slices > SLICES)
        return osc_fail(OSC_EINVAL, "statistics of %zu rows: at most %zu", rows,
                        SLICES * SLICE_MOST);
    dim3 grid((unsigned)across, (unsigned)slices);
    auto kernel = summary
        ? (vectors ? observe_columns<T, true, true> : observe_columns<T, false, true>)
        : (vectors ? observe_columns<T, true, false> : observe_columns<T, false, false>);
    kernel<<<grid, THREADS, 0, device->watch>>>(*stats, *o, (const T *)x, rows, slice_rows,
                                                least_from(T(), alpha),
                                                hits ? hit_blocks(rows) : 0);
    return osc_cuda_launched("column statistics");
}

template <typename T>
static osc_status launch_hits(osc_device *device, const void *x, size_t rows, size_t width,
                              float alpha, uint64_t *end, void *summary)
{
    write_hits<<<hit_blocks(rows), THREADS, 0, device->watch>>>(
        device->hits->hits, *device->observer, (const T *)x, rows, width, least_from(T(), alpha),
        device->hits->filled, end, (osc_summary *)summary);
    return osc_cuda_launched("hits");
}

static osc_status launch_summary(osc_device *device, void *summary, size_t rows, size_t width)
{
    make_summary<<<1, WARP, 0, device->watch>>>((osc_summary *)summary, *device->observer,
                                                groups_of(width), rows * width);
    return osc_cuda_launched("summary");
}

osc_status osc_cuda_observe(osc_device *device, osc_column_stats *stats, const void *x,
                            size_t rows, size_t width, float alpha, const osc_hits_route *route)
{
    uint64_t *end = NULL;
    if (route != NULL)      /* may report: what is taken must be issued before the next */
        OSC_TRY(osc_cuda_hits_begin(device, rows * width, &end));
    void *summary = osc_cuda_summary_take(device, x, rows * width);
    OSC_TRY(osc_cuda_summary_issue(device));
    OSC_TRY(osc_cuda_watch_begin(device));
    OSC_TRY(OSC_CUDA_BY_DTYPE(device, launch_columns, device, stats, x, rows, alpha,
                              route != NULL, summary != NULL));
    if (route != NULL) {
        OSC_TRY(OSC_CUDA_BY_DTYPE(device, launch_hits, device, x, rows, width, alpha, end,
                                  summary));
        OSC_TRY(osc_cuda_hits_end(device, route, rows * width));
    } else if (summary != NULL) {
        OSC_TRY(launch_summary(device, summary, rows, width));
    }
    return osc_cuda_watch_end(device, x, rows * width * osc_dtype_size(device->dtype));
}

/* What threads, warps and slices of the rows find in columns, and how it is added up. */
#ifndef OSC_CUDA_COLUMNS_CUH
#define OSC_CUDA_COLUMNS_CUH

#include "cuda/observer.cuh"

enum {
    BATCH = 4,                /* rows that a warp takes at once */
    AHEAD = 3 * BATCH,        /* rows of a warp that are on their way */
    PAIRS = COUNT / 2,        /* words of a lane's columns */
    EXPONENTS = 2048,         /* of a double */
    BINS = OSC_HISTOGRAM_BINS, BIN_BIAS = 1023 + OSC_HISTOGRAM_LOWEST,
    SUMS = 3
};
constexpr size_t SLICES = 32;        /* at most */
constexpr size_t SLICE_GROUP = 8;    /* slices that a thread reads at once */

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

/* Exponents of finite values but 0, as those of a double. */
template <typename T> struct exponents_of;
template <> struct exponents_of<__half> { enum { LEAST = 1023 - 24, MOST = 1023 + 15 }; };
template <> struct exponents_of<__nv_bfloat16> { enum { LEAST = 1023 - 133, MOST = 1023 + 127 }; };

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
template <typename T>
static __device__ __forceinline__ void read_batch(piece<T> (&batch)[BATCH], const T *x,
                                                  size_t width, int left, int inside)
{
#pragma unroll
    for (int b = 0; b < BATCH; b++, x += WARPS * width)
#pragma unroll
        for (int j = 0; j < COUNT; j++)
            batch[b].at[j] = j < inside && b * WARPS < left ? x[j] : from_float<T>(0.0f);
}

/* Rows on their way to shared memory: the columns of every lane, which alone reads them. */
typedef uint2 row_queue[WARPS][AHEAD][WARP];

static __device__ __forceinline__ void ask_batch(row_queue &queue, int slot, const void *x,
                                                 size_t row_bytes, int left)
{
    unsigned to = (unsigned)__cvta_generic_to_shared(
        &queue[threadIdx.x / WARP][slot][threadIdx.x % WARP]);
    const char *from = (const char *)x;
#pragma unroll
    for (int b = 0; b < BATCH; b++, from += WARPS * row_bytes)
        if (b * WARPS < left)
            asm volatile("cp.async.ca.shared.global [%0], [%1], 8;"
                         :: "r"(to + b * (unsigned)sizeof queue[0][0]), "l"(from) : "memory");
    asm volatile("cp.async.commit_group;" ::: "memory");
}

/* The batch asked for first has come. */
template <typename T>
static __device__ __forceinline__ void take_batch(piece<T> (&batch)[BATCH], row_queue &queue,
                                                  int slot)
{
    asm volatile("cp.async.wait_group %0;" :: "n"(AHEAD / BATCH - 1) : "memory");
#pragma unroll
    for (int b = 0; b < BATCH; b++)
        batch[b].bits = queue[threadIdx.x / WARP][slot + b][threadIdx.x % WARP];
}

/* --- columns ------------------------------------------------------------------------------ */

/* What a thread found in its columns.  Counts are those of pairs of columns: the first's
 * plus 65536 times the second's less the first's. */
template <typename T> struct column_sums {
    double sum[SUMS][COUNT];
    typename pair_of<T>::type min[PAIRS], max[PAIRS];
    uint32_t counts[PAIRS];

    __device__ column_sums()
    {
#pragma unroll
        for (int j = 0; j < COUNT; j++)
            sum[0][j] = sum[1][j] = sum[2][j] = 0.0;
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
            if (VECTORS || j < inside)
                atomicAdd(&exponents[(uint32_t)__double2hiint(v) >> 20 & (EXPONENTS - 1)], 1u);
        }
    }
};

/* Adds counts of exponents up into `histogram`. */
template <typename T>
static __device__ void add_exponents(uint64_t *histogram, const uint32_t *exponents)
{
    const int FIRST = exponents_of<T>::LEAST, FINITE = exponents_of<T>::MOST - FIRST + 1;
    for (int i = threadIdx.x; i < FINITE + 2; i += THREADS) {
        int exponent = i < FINITE ? FIRST + i : i == FINITE ? 0 : EXPONENTS - 1;
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

    __device__ void put(const column_sums<T> &own)
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
        uint32_t two = 0;
#pragma unroll
        for (int w = 0; w < WARPS; w++)
            two += counts[w][column / 2];
        uint32_t first = two & 0xffff;
        return column % 2 == 0 ? first : ((two >> 16) + first) & 0xffff;
    }
};

/* --- slices and sequences ------------------------------------------------------------------- */

/* What is known of a column: half of a block's threads have the sums of x and x^2, the other
 * half the rest. */
struct column_share {
    bool     is_rest;
    double   sum[2];             /* of x and x^2, or of x^4 and nothing */
    float    min, max;
    uint32_t count;
};

static __device__ column_share nothing()
{
    return { threadIdx.x >= COLUMNS, { 0.0, 0.0 }, INFINITY, -INFINITY, 0 };
}

static __device__ void put_share(const osc_cuda_observer &o, size_t at, const column_share &share)
{
    if (!share.is_rest) {
        o.sums[at] = share.sum[0];
        o.sums[o.cells + at] = share.sum[1];
        return;
    }
    o.sums[2 * o.cells + at] = share.sum[0];
    o.min[at] = share.min;
    o.max[at] = share.max;
    o.count_ge[at] = share.count;
}

template <typename T>
static __device__ column_share share_of(const warps_found<T> &found)
{
    int own = threadIdx.x % COLUMNS;
    column_share share = nothing();
    share.sum[0] = found.add(share.is_rest ? 2 : 0, own);
    if (!share.is_rest) {
        share.sum[1] = found.add(1, own);
        return share;
    }
    share.min = found.find_min(own);
    share.max = found.find_max(own);
    share.count = found.count(own);
    return share;
}

/* What SLICE_GROUP cells from `first` on say, `step` apart; the last one again beyond it. */
template <typename V>
static __device__ __forceinline__ void read_cells(V (&some)[SLICE_GROUP], const V *cells,
                                                  size_t step, size_t first, size_t count)
{
#pragma unroll
    for (size_t s = 0; s < SLICE_GROUP; s++)
        some[s] = __ldcg(&cells[min(first + s, count - 1) * step]);
}

/* Adds `count` cells from `at` on to sums of x and x^2, `step` apart, in order. */
static __device__ void add_sums(column_share &share, const osc_cuda_observer &o, size_t at,
                                size_t step, size_t count)
{
    for (size_t first = 0; first < count; first += SLICE_GROUP) {
        double sum[SLICE_GROUP], square[SLICE_GROUP];
        read_cells(sum, o.sums + at, step, first, count);
        read_cells(square, o.sums + o.cells + at, step, first, count);
#pragma unroll
        for (size_t s = 0; s < SLICE_GROUP; s++) {
            share.sum[0] += first + s < count ? sum[s] : 0.0;
            share.sum[1] += first + s < count ? square[s] : 0.0;
        }
    }
}

/* The same of the rest. */
static __device__ void add_rest(column_share &share, const osc_cuda_observer &o, size_t at,
                                size_t step, size_t count)
{
    for (size_t first = 0; first < count; first += SLICE_GROUP) {
        double sum[SLICE_GROUP];
        float low[SLICE_GROUP], high[SLICE_GROUP];
        uint32_t counts[SLICE_GROUP];
        read_cells(sum, o.sums + 2 * o.cells + at, step, first, count);
        read_cells(low, o.min + at, step, first, count);
        read_cells(high, o.max + at, step, first, count);
        read_cells(counts, o.count_ge + at, step, first, count);
#pragma unroll
        for (size_t s = 0; s < SLICE_GROUP; s++) {
            share.sum[0] += first + s < count ? sum[s] : 0.0;
            share.min = fminf(share.min, low[s]);
            share.max = fmaxf(share.max, high[s]);
            share.count += first + s < count ? counts[s] : 0;
        }
    }
}

static __device__ __forceinline__ void add_cells(column_share &share, const osc_cuda_observer &o,
                                                 size_t at, size_t step, size_t count)
{
    if (share.is_rest)
        add_rest(share, o, at, step, count);
    else
        add_sums(share, o, at, step, count);
}

static __device__ void add_share(column_share &all, const column_share &share)
{
    all.sum[0] += share.sum[0];
    all.sum[1] += share.sum[1];
    all.min = fminf(all.min, share.min);
    all.max = fmaxf(all.max, share.max);
    all.count += share.count;
}

/* Of a column's statistics; the count is what will be added. */
static __device__ column_share load_share(const osc_column_stats &stats, size_t i)
{
    column_share share = nothing();
    if (!share.is_rest) {
        share.sum[0] = stats.sum[i];
        share.sum[1] = stats.sumsq[i];
        return share;
    }
    share.sum[0] = stats.sum4[i];
    share.min = stats.min[i];
    share.max = stats.max[i];
    return share;
}

static __device__ void store_share(const osc_column_stats &stats, size_t i,
                                   const column_share &share)
{
    if (!share.is_rest) {
        stats.sum[i] = share.sum[0];
        stats.sumsq[i] = share.sum[1];
        return;
    }
    stats.sum4[i] = share.sum[0];
    stats.min[i] = share.min;
    stats.max[i] = share.max;
    stats.count_ge[i] += share.count;
}

#endif

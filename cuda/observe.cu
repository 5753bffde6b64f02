/* Column statistics and hits, reduced where the values are.  Rows are cut into slices
 * whose partial sums are added in order, so results are the same bits in every run.
 * Values that reach alpha are then looked for in the columns that have some, which are
 * few, and written in order of (row, column). */
#include <config.h>
#include "cuda/backend.h"
#include "cuda/element.cuh"
#include "cuda/hits.h"

enum {
    WARP = 32, WARPS = 8, THREADS = WARPS * WARP,
    SLICES = 32,             /* at most */
    SLICE_ROWS = 32,         /* at least */
    BINS = OSC_HISTOGRAM_BINS, BIN_BIAS = 127 + OSC_HISTOGRAM_LOWEST
};

/* What one slice found in one column. */
struct slice {
    double   sum, sumsq, sum4;
    float    min, max;
    uint64_t count_ge;
};

struct osc_cuda_observer {
    slice    *parts;         /* [SLICES, widest] */
    uint32_t *hot;           /* [widest] columns with hits in this call, ascending */
    uint8_t  *is_hot;        /* [widest] */
    uint32_t *hot_count;
    uint64_t *row_start;     /* [tokens] where a row's hits begin */
    unsigned *arrived;       /* blocks that are done, 0 between kernels */
};

osc_status osc_cuda_observe_plan(osc_device *device, const osc_limits *limits)
{
    struct osc_cuda_observer *o;
    size_t wide = limits->widest;
    void *memory;
    size_t parts = SLICES * wide * sizeof *o->parts, starts = limits->tokens * sizeof *o->row_start;
    OSC_TRY(osc_cuda_own(device, &memory, parts + starts + wide * 5 + 8));
    o = (struct osc_cuda_observer *)osc_alloc(1, sizeof *o);
    if (o == NULL)
        return OSC_ENOMEM;
    device->observer = o;
    o->parts = (slice *)memory;
    o->row_start = (uint64_t *)(o->parts + SLICES * wide);
    o->hot = (uint32_t *)(o->row_start + limits->tokens);
    o->hot_count = o->hot + wide;
    o->arrived = o->hot_count + 1;
    o->is_hot = (uint8_t *)(o->arrived + 1);
    OSC_CUDA_TRY(cudaMemsetAsync(o->hot_count, 0, 8, device->stream), "planning");
    return OSC_OK;
}

/* --- columns -------------------------------------------------------------------------------- */

static __device__ void add(slice &to, const slice &from)
{
    to.sum += from.sum;
    to.sumsq += from.sumsq;
    to.sum4 += from.sum4;
    to.min = from.min < to.min ? from.min : to.min;
    to.max = from.max > to.max ? from.max : to.max;
    to.count_ge += from.count_ge;
}

static __device__ slice nothing(void)
{
    slice s = { 0.0, 0.0, 0.0, INFINITY, -INFINITY, 0 };
    return s;
}

static __device__ __forceinline__ void take(slice &s, float v, float alpha)
{
    double square = (double)v * v;
    s.sum += v;
    s.sumsq += square;
    s.sum4 += square * square;
    s.min = v < s.min ? v : s.min;
    s.max = v > s.max ? v : s.max;
    s.count_ge += fabsf(v) >= alpha;
}

static __device__ __forceinline__ int bin_of(float v)
{
    int bin = (int)(__float_as_uint(v) >> 23 & 0xff) - BIN_BIAS;
    return bin < 0 ? 0 : bin >= BINS ? BINS - 1 : bin;
}

/* Adds the threads' counters [BINS, THREADS] up into `histogram`. */
static __device__ void add_bins(uint64_t *histogram, const uint16_t *counters)
{
    int lane = threadIdx.x % WARP, bin = threadIdx.x / 4;
    const uint32_t *pairs = (const uint32_t *)(counters + bin * THREADS + threadIdx.x % 4 * 64);
    unsigned sum = 0;
    for (int i = 0; i < 32; i++) {
        uint32_t pair = pairs[(i + lane) % 32];   /* every lane another bank */
        sum += (pair & 0xffff) + (pair >> 16);
    }
    sum += __shfl_xor_sync(~0u, sum, 1);
    sum += __shfl_xor_sync(~0u, sum, 2);
    if (threadIdx.x % 4 == 0 && sum != 0)
        atomicAdd((unsigned long long *)&histogram[bin], (unsigned long long)sum);
}

/* COUNT neighbouring columns a lane, every WARPS-th row of the slice a warp. */
template <typename T, int COUNT>
static __global__ void __launch_bounds__(THREADS)
reduce_columns(slice *parts, uint64_t *histogram, const T *x, size_t rows, size_t width,
               size_t slice_rows, float alpha)
{
    struct __align__(COUNT * sizeof(T)) piece { T at[COUNT]; };
    enum { COLUMNS = WARP * COUNT };
    __shared__ union {
        uint16_t counters[BINS * THREADS];
        slice    warps[WARPS][COLUMNS];
    } shared;
    int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
    size_t column = blockIdx.x * (size_t)COLUMNS + lane * COUNT;
    size_t first = blockIdx.y * slice_rows;
    size_t last = first + slice_rows < rows ? first + slice_rows : rows;
    slice own[COUNT];
#pragma unroll
    for (int j = 0; j < COUNT; j++)
        own[j] = nothing();
    for (int i = 0; i < BINS; i++)
        shared.counters[i * THREADS + threadIdx.x] = 0;
    if (column < width)
#pragma unroll 4
        for (size_t r = first + warp; r < last; r += WARPS) {
            piece p = *(const piece *)(x + r * width + column);
#pragma unroll
            for (int j = 0; j < COUNT; j++) {
                float v = to_float(p.at[j]);
                take(own[j], v, alpha);
                shared.counters[bin_of(v) * THREADS + threadIdx.x]++;
            }
        }
    __syncthreads();
    add_bins(histogram, shared.counters);
    __syncthreads();
#pragma unroll
    for (int j = 0; j < COUNT; j++)
        shared.warps[warp][lane * COUNT + j] = own[j];
    __syncthreads();
    size_t mine = blockIdx.x * (size_t)COLUMNS + threadIdx.x;
    if (threadIdx.x < COLUMNS && mine < width) {
        slice sum = shared.warps[0][threadIdx.x];
        for (int w = 1; w < WARPS; w++)
            add(sum, shared.warps[w][threadIdx.x]);
        parts[blockIdx.y * width + mine] = sum;
    }
}

/* --- sums of slices and columns with hits ------------------------------------------------------ */

/* True for all threads of the block that comes last; what the others wrote is visible. */
static __device__ bool is_last_block(unsigned *arrived)
{
    __shared__ bool last;
    __threadfence();
    __syncthreads();
    if (threadIdx.x == 0)
        last = atomicInc(arrived, gridDim.x - 1) == gridDim.x - 1;   /* back to 0 then */
    __syncthreads();
    if (last)
        __threadfence();
    return last;
}

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

static __device__ void list_hot(uint32_t *hot, uint32_t *hot_count, const uint8_t *is_hot,
                                size_t width)
{
    uint64_t count = 0, here;
    for (size_t i = 0; i < width; i += THREADS) {
        size_t column = i + threadIdx.x;
        bool found = column < width && ((const volatile uint8_t *)is_hot)[column];
        uint64_t at = prefix(found, &here);
        if (found)
            hot[count + at] = (uint32_t)column;
        count += here;
    }
    if (threadIdx.x == 0)
        *hot_count = (uint32_t)count;
}

static __global__ void add_slices(osc_column_stats stats, const slice *parts, size_t slices,
                                  uint8_t *is_hot, uint32_t *hot, uint32_t *hot_count,
                                  unsigned *arrived)
{
    size_t i = blockIdx.x * (size_t)THREADS + threadIdx.x, width = stats.width;
    if (i < width) {
        slice sum = parts[i];
        for (size_t s = 1; s < slices; s++)
            add(sum, parts[s * width + i]);
        stats.sum[i] += sum.sum;
        stats.sumsq[i] += sum.sumsq;
        stats.sum4[i] += sum.sum4;
        stats.min[i] = sum.min < stats.min[i] ? sum.min : stats.min[i];
        stats.max[i] = sum.max > stats.max[i] ? sum.max : stats.max[i];
        stats.count_ge[i] += sum.count_ge;
        is_hot[i] = sum.count_ge > 0;
    }
    if (hot != NULL && is_last_block(arrived))
        list_hot(hot, hot_count, is_hot, width);
}

/* --- hits ----------------------------------------------------------------------------------------- */

/* Counts the hits of every row, a row a warp; the last block says where they go. */
template <typename T>
static __global__ void count_rows(uint64_t *row_start, uint64_t *filled, uint64_t *end,
                                  const T *x, size_t rows, size_t width, const uint32_t *hot,
                                  const uint32_t *hot_count, float alpha, unsigned *arrived)
{
    size_t row = blockIdx.x * (size_t)WARPS + threadIdx.x / WARP;
    int lane = threadIdx.x % WARP;
    unsigned found = 0;
    if (row < rows)
        for (uint32_t h = lane; h < *hot_count; h += WARP)
            found += fabsf(to_float(x[row * width + hot[h]])) >= alpha;
    for (int offset = WARP / 2; offset > 0; offset /= 2)
        found += __shfl_xor_sync(~0u, found, offset);
    if (row < rows && lane == 0)
        row_start[row] = found;
    if (!is_last_block(arrived))
        return;
    uint64_t count = *filled, here;
    __syncthreads();
    for (size_t i = 0; i < rows; i += THREADS) {
        size_t r = i + threadIdx.x;
        uint64_t at = prefix(r < rows ? ((volatile uint64_t *)row_start)[r] : 0, &here);
        if (r < rows)
            row_start[r] = count + at;
        count += here;
    }
    if (threadIdx.x == 0) {
        *filled = count;
        *end = count;
    }
}

template <typename T>
static __global__ void write_hits(osc_hit *hits, const uint64_t *row_start, const T *x,
                                  size_t rows, size_t width, const uint32_t *hot,
                                  const uint32_t *hot_count, float alpha)
{
    size_t row = blockIdx.x * (size_t)WARPS + threadIdx.x / WARP;
    int lane = threadIdx.x % WARP;
    if (row >= rows)
        return;
    uint64_t at = row_start[row];
    for (uint32_t h = 0; h < *hot_count; h += WARP) {
        uint32_t column = h + lane < *hot_count ? hot[h + lane] : 0;
        float v = h + lane < *hot_count ? to_float(x[row * width + column]) : 0.0f;
        unsigned mask = __ballot_sync(~0u, fabsf(v) >= alpha);
        if (fabsf(v) >= alpha) {
            osc_hit hit = { (uint32_t)row, column, v };
            hits[at + __popc(mask & ((1u << lane) - 1))] = hit;
        }
        at += __popc(mask);
    }
}

/* --- launching -------------------------------------------------------------------------------- */

template <typename T>
static osc_status launch_columns(osc_device *device, osc_column_stats *stats, const void *x,
                                 size_t rows, size_t width, float alpha, size_t slices,
                                 size_t slice_rows)
{
    const struct osc_cuda_observer *o = device->observer;
    bool vectors = width % 4 == 0 && ((uintptr_t)x & 7) == 0;
    size_t columns = WARP * (vectors ? 4 : 1);
    dim3 grid((unsigned)((width + columns - 1) / columns), (unsigned)slices);
    if (vectors)
        reduce_columns<T, 4><<<grid, THREADS, 0, device->stream>>>(
            o->parts, stats->histogram, (const T *)x, rows, width, slice_rows, alpha);
    else
        reduce_columns<T, 1><<<grid, THREADS, 0, device->stream>>>(
            o->parts, stats->histogram, (const T *)x, rows, width, slice_rows, alpha);
    return osc_cuda_launched("column statistics");
}

template <typename T>
static osc_status launch_hits(osc_device *device, const void *x, size_t rows, size_t width,
                              float alpha, uint64_t *end)
{
    const struct osc_cuda_observer *o = device->observer;
    const struct osc_cuda_hits *h = device->hits;
    unsigned blocks = (unsigned)((rows + WARPS - 1) / WARPS);
    count_rows<<<blocks, THREADS, 0, device->stream>>>(o->row_start, h->filled, end, (const T *)x,
                                                       rows, width, o->hot, o->hot_count, alpha,
                                                       o->arrived);
    write_hits<<<blocks, THREADS, 0, device->stream>>>(h->hits, o->row_start, (const T *)x, rows,
                                                       width, o->hot, o->hot_count, alpha);
    return osc_cuda_launched("hits");
}

osc_status osc_cuda_observe(osc_device *device, osc_column_stats *stats, const void *x,
                            size_t rows, size_t width, float alpha, const osc_hits_route *route)
{
    const struct osc_cuda_observer *o = device->observer;
    size_t slice_rows = (rows + SLICES - 1) / SLICES;
    if (slice_rows < SLICE_ROWS)
        slice_rows = SLICE_ROWS;
    size_t slices = (rows + slice_rows - 1) / slice_rows;
    OSC_TRY(OSC_CUDA_BY_DTYPE(device, launch_columns, device, stats, x, rows, width, alpha, slices,
                              slice_rows));
    add_slices<<<(unsigned)((width + THREADS - 1) / THREADS), THREADS, 0, device->stream>>>(
        *stats, o->parts, slices, o->is_hot, route == NULL ? NULL : o->hot, o->hot_count,
        o->arrived);
    OSC_TRY(osc_cuda_launched("column statistics"));
    if (route == NULL)
        return OSC_OK;
    uint64_t *end;
    OSC_TRY(osc_cuda_hits_begin(device, rows * width, &end));
    OSC_TRY(OSC_CUDA_BY_DTYPE(device, launch_hits, device, x, rows, width, alpha, end));
    return osc_cuda_hits_end(device, route, rows * width);
}

/* Column statistics and hits, reduced where the values are.  Rows are cut into slices
 * whose partial sums are added in order, so results are the same bits in every run.
 * Values that reach alpha are then looked for in the columns that have some, which are
 * few, and written in order of (row, column). */
#include <config.h>
#include "cuda/backend.h"
#include "cuda/element.cuh"
#include "cuda/hits.h"
#include "cuda/last.cuh"
#include "cuda/watch.h"

enum {
    WARP = 32, WARPS = 8, THREADS = WARPS * WARP,
    BATCH = 4,               /* rows that a warp reads at once */
    BINS = OSC_HISTOGRAM_BINS, BIN_BIAS = 127 + OSC_HISTOGRAM_LOWEST
};
constexpr size_t SLICES = 32;        /* at most */
constexpr size_t SLICE_ROWS = 32;    /* at least */
constexpr size_t GROUP = 8;          /* columns or rows that a thread reads at once */
constexpr size_t SLICE_GROUP = 4;    /* slices, the same */
constexpr size_t SLICE_MOST = 65536; /* rows: counters of the histogram have 16 bits */
constexpr size_t BLOCKS = 512;       /* about so many on every device: the order of sums */

/* What one slice found in one column. */
struct slice {
    double   sum, sumsq, sum4;
    float    min, max;
    uint32_t count_ge, unused;
};

struct osc_cuda_observer {
    slice    *parts;         /* [SLICES, widest] */
    uint64_t *row_start;     /* [tokens] where a row's hits begin */
    uint32_t *row_hits;      /* [tokens] hits of a row, 0 between calls */
    uint32_t *hot;           /* [widest] columns with hits in this call, ascending */
    uint32_t *is_hot;        /* [widest] */
    uint32_t *hot_count;
    unsigned *arrived;       /* [widest + 1] blocks that are done with some columns, and groups
                                of columns that are done; 0 between kernels */
};

osc_status osc_cuda_observe_plan(osc_device *device, const osc_limits *limits)
{
    size_t wide = limits->widest, rows = limits->tokens;
    size_t words = 2 * rows + rows + 2 * wide + 1 + wide + 1;
    void *memory;
    struct osc_cuda_observer *o = (struct osc_cuda_observer *)osc_alloc(1, sizeof *o);
    if (o == NULL)
        return OSC_ENOMEM;
    device->observer = o;
    OSC_TRY(osc_cuda_own(device, &memory, SLICES * wide * sizeof *o->parts + words * 4));
    o->parts = (slice *)memory;
    o->row_start = (uint64_t *)(o->parts + SLICES * wide);
    o->row_hits = (uint32_t *)(o->row_start + rows);
    o->hot = o->row_hits + rows;
    o->is_hot = o->hot + wide;
    o->hot_count = o->is_hot + wide;
    o->arrived = o->hot_count + 1;
    OSC_CUDA_TRY(cudaMemsetAsync(o->row_start, 0, words * 4, device->stream), "planning");
    return OSC_OK;
}

/* --- columns ------------------------------------------------------------------------------ */

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
    slice s = { 0.0, 0.0, 0.0, INFINITY, -INFINITY, 0, 0 };
    return s;
}

/* NaN is passed over by minimum and maximum. */
static __device__ __forceinline__ void take(slice &s, float v)
{
    double square = (double)v * v;
    s.sum += v;
    s.sumsq += square;
    s.sum4 += square * square;
    s.min = fminf(v, s.min);
    s.max = fmaxf(v, s.max);
}

static __device__ __forceinline__ int bin_of(float v)
{
    int exponent = (int)(__float_as_uint(fabsf(v)) >> 23);
    return min(max(exponent, (int)BIN_BIAS), BIN_BIAS + BINS - 1) - BIN_BIAS;
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

/* One value of each of BATCH rows in COUNT columns. */
template <typename T, int COUNT> struct batch {
    struct __align__(COUNT * sizeof(T)) piece { T at[COUNT]; };
    piece row[BATCH];

    __device__ void read(const T *x, size_t width, size_t first, size_t last)
    {
#pragma unroll
        for (int b = 0; b < BATCH; b++)
            if (first + b * WARPS < last)
                row[b] = *(const piece *)(x + (first + b * WARPS) * width);
    }
};

/* --- columns with hits and their rows ----------------------------------------------------- */

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

/* GROUP neighbours of an array of another block's words; 0 beyond the end. */
static __device__ void read_group(uint32_t (&group)[GROUP], const uint32_t *words, size_t first,
                                  size_t count)
{
#pragma unroll
    for (size_t j = 0; j < GROUP; j++)
        group[j] = first + j < count ? __ldcg(&words[first + j]) : 0;
}

static __device__ void list_hot(uint32_t *hot, uint32_t *hot_count, const uint32_t *is_hot,
                                size_t width)
{
    uint64_t count = 0, here;
    for (size_t base = 0; base < width; base += THREADS * GROUP) {
        size_t first = base + threadIdx.x * GROUP;
        uint32_t found[GROUP], sum = 0;
        read_group(found, is_hot, first, width);
#pragma unroll
        for (size_t j = 0; j < GROUP; j++)
            sum += found[j];
        uint64_t at = count + prefix(sum, &here);
#pragma unroll
        for (size_t j = 0; j < GROUP; j++)
            if (found[j])
                hot[at++] = (uint32_t)(first + j);
        count += here;
    }
    if (threadIdx.x == 0)
        *hot_count = (uint32_t)count;
}

/* Where the hits of every row go, behind the *filled ones that are there. */
static __device__ void place_rows(uint64_t *row_start, uint32_t *row_hits, size_t rows,
                                  uint64_t *filled, uint64_t *end)
{
    uint64_t count = *filled, here;
    for (size_t base = 0; base < rows; base += THREADS * GROUP) {
        size_t first = base + threadIdx.x * GROUP;
        uint32_t found[GROUP], sum = 0;
        read_group(found, row_hits, first, rows);
#pragma unroll
        for (size_t j = 0; j < GROUP; j++)
            sum += found[j];
        uint64_t at = count + prefix(sum, &here);
#pragma unroll
        for (size_t j = 0; j < GROUP; j++)
            if (first + j < rows) {
                row_start[first + j] = at;
                row_hits[first + j] = 0;
                at += found[j];
            }
        count += here;
    }
    if (threadIdx.x == 0) {      /* all have read *filled: prefix() is a barrier */
        *filled = count;
        *end = count;
    }
}

/* --- the kernel of statistics ------------------------------------------------------------- */

static __device__ slice read_slice(const slice *from)
{
    slice s;
    s.sum = __ldcg(&from->sum);
    s.sumsq = __ldcg(&from->sumsq);
    s.sum4 = __ldcg(&from->sum4);
    s.min = __ldcg(&from->min);
    s.max = __ldcg(&from->max);
    s.count_ge = __ldcg(&from->count_ge);
    return s;
}

/* Adds column i's slices in order. */
static __device__ void add_slices(const osc_column_stats &stats, const osc_cuda_observer &o,
                                  size_t slices, size_t i)
{
    size_t width = stats.width;
    slice sum = nothing();
    for (size_t first = 0; first < slices; first += SLICE_GROUP) {
        slice some[SLICE_GROUP];       /* all on their way before the first is needed */
#pragma unroll
        for (size_t s = 0; s < SLICE_GROUP; s++)
            some[s] = read_slice(&o.parts[min(first + s, slices - 1) * width + i]);
#pragma unroll
        for (size_t s = 0; s < SLICE_GROUP; s++)
            if (first + s < slices)
                add(sum, some[s]);
    }
    stats.sum[i] += sum.sum;
    stats.sumsq[i] += sum.sumsq;
    stats.sum4[i] += sum.sum4;
    stats.min[i] = sum.min < stats.min[i] ? sum.min : stats.min[i];
    stats.max[i] = sum.max > stats.max[i] ? sum.max : stats.max[i];
    stats.count_ge[i] += sum.count_ge;
    o.is_hot[i] = sum.count_ge > 0;
}

/* COUNT neighbouring columns a lane, every WARPS-th row of the slice a warp.  Counters
 * of the histogram are each thread's own, [BINS, THREADS].  The block that comes last in
 * its columns adds up the slices; if hits are wanted (end is not NULL), the one that is
 * last of all prepares for them. */
template <typename T, int COUNT>
static __global__ void __launch_bounds__(THREADS, 4)
observe_columns(const __grid_constant__ osc_column_stats stats,
                const __grid_constant__ osc_cuda_observer o, const T *x, size_t rows,
                size_t slice_rows, float alpha, uint64_t *filled, uint64_t *end)
{
    const size_t width = stats.width;
    enum { COLUMNS = WARP * COUNT };
    __shared__ union {
        uint4    words[BINS * THREADS / 8];
        uint16_t counters[BINS * THREADS];
        slice    warps[WARPS][COLUMNS];
    } shared;
    int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
    size_t column = blockIdx.x * (size_t)COLUMNS + lane * COUNT;
    size_t first = blockIdx.y * slice_rows;
    size_t last = first + slice_rows < rows ? first + slice_rows : rows;
    bool inside = column < width;
    uint16_t *mine = shared.counters + threadIdx.x;
    slice own[COUNT];
#pragma unroll
    for (int j = 0; j < COUNT; j++)
        own[j] = nothing();
#pragma unroll
    for (int i = 0; i < BINS / 8; i++)
        shared.words[i * THREADS + threadIdx.x] = make_uint4(0, 0, 0, 0);
    __syncthreads();
    for (size_t r = first + warp; r < last; r += BATCH * WARPS) {
        batch<T, COUNT> some;
        if (inside)
            some.read(x + column, width, r, last);
#pragma unroll
        for (int b = 0; b < BATCH; b++) {
            if (r + b * WARPS >= last)
                break;
            unsigned found = 0;
            float most = 0.0f;
            if (inside)
#pragma unroll
                for (int j = 0; j < COUNT; j++) {
                    float v = to_float(some.row[b].at[j]);
                    take(own[j], v);
                    most = fmaxf(most, fabsf(v));
                    mine[bin_of(v) * THREADS]++;
                }
            if (most >= alpha)     /* few rows of few columns */
#pragma unroll
                for (int j = 0; j < COUNT; j++) {
                    unsigned hit = fabsf(to_float(some.row[b].at[j])) >= alpha;
                    own[j].count_ge += hit;
                    found += hit;
                }
            if (end != NULL && __any_sync(~0u, found)) {
                found = __reduce_add_sync(~0u, found);
                if (lane == 0)
                    atomicAdd(&o.row_hits[r + b * WARPS], found);
            }
        }
    }
    __syncthreads();
    add_bins(stats.histogram, shared.counters);
    __syncthreads();
#pragma unroll
    for (int j = 0; j < COUNT; j++)
        shared.warps[warp][lane * COUNT + j] = own[j];
    __syncthreads();
    column = blockIdx.x * (size_t)COLUMNS + threadIdx.x;
    if (threadIdx.x < COLUMNS && column < width) {
        slice sum = shared.warps[0][threadIdx.x];
        for (int w = 1; w < WARPS; w++)
            add(sum, shared.warps[w][threadIdx.x]);
        o.parts[blockIdx.y * width + column] = sum;
    }
    if (!is_last(&o.arrived[blockIdx.x], gridDim.y))
        return;
    if (threadIdx.x < COLUMNS && column < width)
        add_slices(stats, o, gridDim.y, column);
    if (end == NULL || !is_last(&o.arrived[gridDim.x], gridDim.x))
        return;
    list_hot(o.hot, o.hot_count, o.is_hot, width);
    place_rows(o.row_start, o.row_hits, rows, filled, end);
}

/* --- hits --------------------------------------------------------------------------------- */

/* A row a warp. */
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

/* --- launching ---------------------------------------------------------------------------- */

template <typename T>
static osc_status launch_columns(osc_device *device, osc_column_stats *stats, const void *x,
                                 size_t rows, float alpha, uint64_t *end)
{
    const struct osc_cuda_observer *o = device->observer;
    size_t width = stats->width;
    bool vectors = width % 4 == 0 && ((uintptr_t)x & 7) == 0;
    size_t columns = WARP * (vectors ? 4 : 1), across = (width + columns - 1) / columns;
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
    if (vectors)
        observe_columns<T, 4><<<grid, THREADS, 0, device->watch>>>(
            *stats, *o, (const T *)x, rows, slice_rows, alpha, device->hits->filled, end);
    else
        observe_columns<T, 1><<<grid, THREADS, 0, device->watch>>>(
            *stats, *o, (const T *)x, rows, slice_rows, alpha, device->hits->filled, end);
    return osc_cuda_launched("column statistics");
}

template <typename T>
static osc_status launch_hits(osc_device *device, const void *x, size_t rows, size_t width,
                              float alpha)
{
    const struct osc_cuda_observer *o = device->observer;
    unsigned blocks = (unsigned)((rows + WARPS - 1) / WARPS);
    write_hits<<<blocks, THREADS, 0, device->watch>>>(device->hits->hits, o->row_start,
                                                       (const T *)x, rows, width, o->hot,
                                                       o->hot_count, alpha);
    return osc_cuda_launched("hits");
}

osc_status osc_cuda_observe(osc_device *device, osc_column_stats *stats, const void *x,
                            size_t rows, size_t width, float alpha, const osc_hits_route *route)
{
    uint64_t *end = NULL;
    if (route != NULL)
        OSC_TRY(osc_cuda_hits_begin(device, rows * width, &end));
    OSC_TRY(osc_cuda_watch_begin(device));
    OSC_TRY(OSC_CUDA_BY_DTYPE(device, launch_columns, device, stats, x, rows, alpha, end));
    if (route != NULL) {
        OSC_TRY(OSC_CUDA_BY_DTYPE(device, launch_hits, device, x, rows, width, alpha));
        OSC_TRY(osc_cuda_hits_end(device, route, rows * width));
    }
    return osc_cuda_watch_end(device, x, rows * width * osc_dtype_size(device->dtype));
}

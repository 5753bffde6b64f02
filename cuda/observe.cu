/* Column statistics, reduced where the values are.  Rows are cut into slices whose partial
 * sums are added in order, so results are the same bits in every run.  Values that reach alpha
 * are then looked for in the columns that have some (find_hits.cu). */
#include <config.h>
#include "cuda/backend.h"
#include "cuda/columns.cuh"
#include "cuda/last.cuh"
#include "cuda/watch.h"

constexpr size_t SLICE_ROWS = 32;     /* at least */
constexpr size_t SLICE_MOST = 32768;  /* a block counts to 65535 */
constexpr size_t SLICE_SHORT = 512;   /* rows, unless there are more than SLICES of them */
constexpr size_t CELLS = 1 << 19;     /* at least: 4 sequences of 2048 rows of any width */

osc_status osc_cuda_observe_plan(osc_device *device, const osc_limits *limits)
{
    size_t wide = limits->widest, groups = wide / COLUMNS + 1;
    size_t rows = limits->rows, cells = SLICES * wide > CELLS ? SLICES * wide : CELLS;
    size_t masks = CUDA_TOGETHER * groups * (COLUMNS / WARP);
    size_t blocks = rows / (WARPS * HIT_ROWS) + CUDA_TOGETHER;
    size_t counters = (CUDA_TOGETHER + 1) * groups;
    size_t words = 3 * cells + 2 * masks + blocks + CUDA_TOGETHER + counters;
    void *memory;
    struct osc_cuda_observer *o = (struct osc_cuda_observer *)osc_alloc(1, sizeof *o);
    if (o == NULL)
        return OSC_ENOMEM;
    device->observer = o;
    OSC_TRY(osc_cuda_own(device, &memory, SUMS * cells * sizeof *o->sums + words * 4));
    o->cells = cells;
    o->sums = (double *)memory;
    o->min = (float *)(o->sums + SUMS * cells);
    o->max = o->min + cells;
    o->count_ge = (uint32_t *)(o->max + cells);
    o->hot = o->count_ge + cells;
    o->hot_hits = o->hot + masks;
    o->block_hits = o->hot_hits + masks;
    o->ticket = o->block_hits + blocks;
    o->arrived = o->ticket + CUDA_TOGETHER;
    OSC_CUDA_TRY(cudaMemsetAsync(o->arrived, 0, counters * sizeof *o->arrived, device->stream),
                 "planning");
    return OSC_OK;
}

/* --- the kernel of statistics ------------------------------------------------------------- */

/* This thread's share of the columns of the block's sequence, from all slices. */
static __device__ column_share join_slices(const osc_cuda_observer &o, size_t at, bool inside,
                                           size_t width)
{
    column_share share = nothing();
    if (inside)
        add_cells(share, o, at, width, gridDim.y);
    uint32_t hot = __ballot_sync(~0u, share.count > 0), hits = __reduce_add_sync(~0u, share.count);
    if (share.is_rest && threadIdx.x % WARP == 0) {
        unsigned word = (blockIdx.z * gridDim.x + blockIdx.x) * (COLUMNS / WARP)
                      + threadIdx.x / WARP - COLUMNS / WARP;
        o.hot[word] = hot;
        o.hot_hits[word] = hits;
    }
    return share;
}

/* The last block of a sequence in some columns adds up its slices, that of the last sequence
 * the sequences, which are left where their first slices were. */
static __device__ void finish_columns(const osc_column_stats &stats, const osc_cuda_observer &o)
{
    size_t width = stats.width, i = blockIdx.x * (size_t)COLUMNS + threadIdx.x % COLUMNS;
    size_t sequence = gridDim.y * width;
    bool inside = i < width;
    column_share all = inside ? load_share(stats, i) : nothing();
    column_share share = join_slices(o, blockIdx.z * sequence + i, inside, width);
    if (gridDim.z == 1) {
        add_share(all, share);
    } else {
        if (inside)
            put_share(o, blockIdx.z * sequence + i, share);
        if (!is_last(&o.arrived[gridDim.z * gridDim.x + blockIdx.x], gridDim.z))
            return;
        if (inside)
            add_cells(all, o, i, sequence, gridDim.z);
    }
    if (inside)
        store_share(stats, i, all);
}

/* What is in a thread's columns of the `left` rows at x, every WARPS-th. */
template <typename T, bool VECTORS>
static __device__ __forceinline__ void take_rows(column_sums<T> &own, row_queue &queue,
                                                 uint32_t *exponents, const T *x, size_t width,
                                                 int left, int inside, T alpha)
{
    const size_t STEP = BATCH * WARPS * width;
    int slot = 0, asked = left;
    const T *next = x;
    for (int b = 0; VECTORS && b < AHEAD; b += BATCH, next += STEP, asked -= BATCH * WARPS)
        ask_batch(queue, b, next, width * sizeof *x, asked);
    for (; left > 0; left -= BATCH * WARPS, x += STEP) {
        piece<T> batch[BATCH];
        if constexpr (VECTORS)
            take_batch(batch, queue, slot);
        else
            read_batch(batch, x, width, left, inside);
        if (left > (BATCH - 1) * WARPS) {
#pragma unroll
            for (int b = 0; b < BATCH; b++)
                own.template take<VECTORS>(batch[b], both(alpha), exponents, inside);
        } else {
#pragma unroll
            for (int b = 0; b < BATCH - 1; b++)
                if (b * WARPS < left)
                    own.template take<VECTORS>(batch[b], both(alpha), exponents, inside);
        }
        if (VECTORS) {
            ask_batch(queue, slot, next, width * sizeof *x, asked);
            next += STEP;
            asked -= BATCH * WARPS;
            slot = slot == AHEAD - BATCH ? 0 : slot + BATCH;
        }
    }
}

/* COUNT columns a lane, every WARPS-th row of a slice of a sequence a warp.  Gets write_hits()
 * ready, of hit_blocks blocks a sequence. */
template <typename T, bool VECTORS>
static __global__ void __launch_bounds__(THREADS, 4)
observe_columns(const __grid_constant__ osc_column_stats stats,
                const __grid_constant__ osc_cuda_observer o, const T *x, size_t rows,
                size_t slice_rows, T alpha, unsigned hit_blocks)
{
    __shared__ uint4 exponents[EXPONENTS / 4];
    __shared__ union both_uses {
        row_queue queue;
        warps_found<T> found;
        __device__ both_uses() {}
    } shared;
    const size_t width = stats.width;
    size_t column = blockIdx.x * (size_t)COLUMNS + threadIdx.x % WARP * COUNT;
    size_t first = blockIdx.y * slice_rows + threadIdx.x / WARP;
    int inside = column < width ? (int)min(width - column, (size_t)COUNT) : 0;
    int left = inside == 0 || first >= rows ? 0
        : (int)(min((blockIdx.y + 1) * slice_rows, rows) - first);
    column_sums<T> own;
#pragma unroll
    for (int i = 0; i < EXPONENTS / 4 / THREADS; i++)
        exponents[i * THREADS + threadIdx.x] = make_uint4(0, 0, 0, 0);
    if (blockIdx.y == 0)
        for (unsigned i = blockIdx.x * THREADS + threadIdx.x; i <= hit_blocks;
             i += gridDim.x * THREADS)
            *(i < hit_blocks ? &o.block_hits[blockIdx.z * hit_blocks + i]
                             : &o.ticket[blockIdx.z]) = 0;
    __syncthreads();
    take_rows<T, VECTORS>(own, shared.queue, (uint32_t *)exponents,
                          x + (blockIdx.z * rows + first) * width + column, width, left, inside,
                          alpha);
    __syncthreads();
    shared.found.put(own);
    __syncthreads();
    column = blockIdx.x * (size_t)COLUMNS + threadIdx.x % COLUMNS;
    if (column < width)
        put_share(o, (blockIdx.z * (size_t)gridDim.y + blockIdx.y) * width + column,
                  share_of(shared.found));
    bool last = is_last(&o.arrived[blockIdx.z * gridDim.x + blockIdx.x], gridDim.y);
    add_exponents<T>(stats.histogram, (const uint32_t *)exponents);   /* nobody waits for it */
    if (last)
        finish_columns(stats, o);
}

/* --- launching ---------------------------------------------------------------------------- */

/* How sequences are cut. */
struct cut {
    size_t across, slices, slice_rows;
    size_t together;          /* sequences of a launch */
};

static osc_status find_cut(cut *c, const struct osc_cuda_observer *o, size_t rows, size_t width)
{
    c->across = (width + COLUMNS - 1) / COLUMNS;
    size_t slice_rows = 8 * c->across < SLICE_SHORT ? 8 * c->across : SLICE_SHORT;
    slice_rows = slice_rows > SLICE_ROWS ? slice_rows : SLICE_ROWS;
    if (rows > SLICES * slice_rows)
        slice_rows = (rows + SLICES - 1) / SLICES;
    c->slice_rows = slice_rows < SLICE_MOST ? slice_rows : SLICE_MOST;
    c->slices = (rows + c->slice_rows - 1) / c->slice_rows;
    if (c->slices > SLICES)
        return osc_fail(OSC_EINVAL, "statistics of %zu rows: at most %zu", rows,
                        SLICES * SLICE_MOST);
    size_t fit = o->cells / (c->slices * width), most = CUDA_TOGETHER;
    c->together = fit < most ? fit : most;
    return OSC_OK;
}

template <typename T>
static osc_status launch_columns(osc_device *device, osc_column_stats *stats, const void *x,
                                 osc_sequences some, const cut *c, float alpha, bool hits)
{
    bool vectors = stats->width % COUNT == 0 && ((uintptr_t)x & (sizeof(uint2) - 1)) == 0;
    dim3 grid((unsigned)c->across, (unsigned)c->slices, (unsigned)some.count);
    auto kernel = vectors ? observe_columns<T, true> : observe_columns<T, false>;
    kernel<<<grid, THREADS, 0, device->watch>>>(*stats, *device->observer, (const T *)x,
                                                some.tokens, c->slice_rows, least_from<T>(alpha),
                                                hits ? hit_blocks(some.tokens) : 0);
    return osc_cuda_launched("column statistics");
}

/* As many sequences at a time as there is room for their hits. */
static osc_status find_hits(osc_device *device, const void *x, osc_sequences some, size_t width,
                            float alpha, osc_hits_route route)
{
    size_t most = some.tokens * width;
    for (size_t first = 0, count; first < some.count; first += count) {
        osc_cuda_hit_counts counts;
        count = some.count - first;
        OSC_TRY(osc_cuda_hits_begin(device, most, &count, &counts));
        OSC_TRY(osc_cuda_find_hits(device, x, first, { count, some.tokens }, width, alpha,
                                   &counts));
        OSC_TRY(osc_cuda_hits_end(device, &route, most, count));
        route.sequence += count;
    }
    return OSC_OK;
}

static osc_status observe(osc_device *device, osc_column_stats *stats, const void *data,
                          osc_sequences rows, float alpha, const osc_hits_route *route)
{
    cut c = {};
    const char *x = (const char *)data;
    size_t width = stats->width, bytes = rows.tokens * width * osc_dtype_size(device->dtype);
    OSC_TRY(find_cut(&c, device->observer, rows.tokens, width));
    for (size_t first = 0; first < rows.count; first += c.together) {
        size_t left = rows.count - first;
        osc_sequences some = { left < c.together ? left : c.together, rows.tokens };
        OSC_TRY(OSC_CUDA_BY_DTYPE(device, launch_columns, device, stats, x + first * bytes, some,
                                  &c, alpha, route != NULL));
        if (route == NULL)
            continue;
        osc_hits_route to = *route;
        to.sequence += first;
        OSC_TRY(find_hits(device, x + first * bytes, some, width, alpha, to));
    }
    return OSC_OK;
}

osc_status osc_cuda_observe(osc_device *device, osc_column_stats *stats, const void *x,
                            osc_sequences rows, size_t width, float alpha,
                            const osc_hits_route *route)
{
    OSC_TRY(osc_cuda_watch_begin(device));
    osc_status status = observe(device, stats, x, rows, alpha, route);
    osc_status end = osc_cuda_watch_end(device, x, rows.count * rows.tokens * width
                                                   * osc_dtype_size(device->dtype));
    return status != OSC_OK ? status : end;
}

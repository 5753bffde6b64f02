/* Column statistics, reduced where the values are.  Rows are cut into slices whose partial
 * sums are added in order, so results are the same bits in every run.  Values that reach alpha
 * are then looked for in the columns that have some (find_hits.cu). */
#include <config.h>
#include "cuda/backend.h"
#include "cuda/columns.cuh"
#include "cuda/hits.h"
#include "cuda/last.cuh"
#include "cuda/watch.h"

constexpr size_t SLICE_ROWS = 32;    /* at least */
constexpr size_t SLICE_MOST = 65536; /* rows: a thread counts to 65535 */
constexpr size_t BLOCKS = 512;       /* about so many on every device: the order of sums */

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
    OSC_TRY(osc_cuda_own(device, &memory, SUMS * cells * sizeof *o->sums + words * 4));
    o->sums = (double *)memory;
    o->min = (float *)(o->sums + SUMS * cells);
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

/* --- the kernel of statistics ------------------------------------------------------------- */

/* COUNT columns a lane, every WARPS-th row of a slice a warp.  The block that comes last
 * in its columns adds up the slices.  Gets write_hits() of hit_blocks blocks ready. */
template <typename T, bool VECTORS>
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
    const size_t width = stats.width;
    size_t column = blockIdx.x * (size_t)COLUMNS + threadIdx.x % WARP * COUNT;
    size_t first = blockIdx.y * slice_rows + threadIdx.x / WARP;
    int inside = column < width ? (int)min(width - column, (size_t)COUNT) : 0;
    int left = inside == 0 || first >= rows ? 0
        : (int)(min((blockIdx.y + 1) * slice_rows, rows) - first);
    column_sums<T> own;
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
    __syncthreads();
    store_slice(o, shared.found, width);
    if (is_last(&o.arrived[blockIdx.x], gridDim.y))
        finish_columns(stats, o);
}

/* --- launching ---------------------------------------------------------------------------- */

template <typename T>
static osc_status launch_columns(osc_device *device, osc_column_stats *stats, const void *x,
                                 size_t rows, float alpha, bool hits)
{
    const struct osc_cuda_observer *o = device->observer;
    size_t width = stats->width, across = (width + COLUMNS - 1) / COLUMNS;
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
    auto kernel = vectors ? observe_columns<T, true> : observe_columns<T, false>;
    kernel<<<grid, THREADS, 0, device->watch>>>(*stats, *o, (const T *)x, rows, slice_rows,
                                                least_from<T>(alpha),
                                                hits ? hit_blocks(rows) : 0);
    return osc_cuda_launched("column statistics");
}

osc_status osc_cuda_observe(osc_device *device, osc_column_stats *stats, const void *x,
                            size_t rows, size_t width, float alpha, const osc_hits_route *route)
{
    uint64_t *end = NULL;
    if (route != NULL)
        OSC_TRY(osc_cuda_hits_begin(device, rows * width, &end));
    OSC_TRY(osc_cuda_watch_begin(device));
    OSC_TRY(OSC_CUDA_BY_DTYPE(device, launch_columns, device, stats, x, rows, alpha,
                              route != NULL));
    if (route != NULL) {
        OSC_TRY(osc_cuda_find_hits(device, x, rows, width, alpha, end));
        OSC_TRY(osc_cuda_hits_end(device, route, rows * width));
    }
    return osc_cuda_watch_end(device, x, rows * width * osc_dtype_size(device->dtype));
}

/* Coding x in one pass, where the kernel that made x has found its removed columns: a
 * team of warps has a row in registers, finds its scale, and writes the codes.  CTAs wait
 * for nothing but the kernel before.  Some lay the removed columns of w side by side
 * meanwhile; that is also all there is to do for the next product with the same x.
 *
 * Sequences that share a call have each their own removed columns: a column is listed if any
 * has removed it, and is zero among the listed ones in the rows of those that have not. */
#include <config.h>
#include "cuda/codes_x.cuh"

enum {
    LAY_THREADS = 256,
    SHORT = 1024,            /* columns that one warp has in registers */
    SHORT_ROWS = 4,          /* rows of a CTA then */
    LONG = 4096,             /* columns of a row of which a thread has more */
    MOST_THREADS = 512,
    RESIDENT_THREADS = 1024, /* of a multiprocessor that code */
    WIDEST = MOST_THREADS * 8 * 16
};

struct call {
    const void     *x;
    osc_cuda_removed removed;
    unsigned        rows, k, stride;
    unsigned        row_warps;       /* warps of a row */
    unsigned        lay_blocks;      /* the first so many CTAs have no rows */
    osc_cuda_weight w;
    osc_cuda_codes  c;
};

/* The removed columns: all of them in c.columns, the first CODES_SIDE here. */
struct columns {
    uint32_t list[CODES_SIDE];
    unsigned count;
};

/* --- the removed columns of w --------------------------------------------------------- */

template <typename T>
static __device__ void lay_side(const osc_cuda_weight &w, uint16_t *side_w, const columns &c,
                                unsigned first, unsigned step)
{
    unsigned count = min(c.count, (unsigned)CODES_SIDE);
    unsigned items = (count + CODES_CHUNK - 1) / CODES_CHUNK * (unsigned)w.rows;
    for (unsigned i = first; i < items; i += step) {
        side_weights<T> one;
        one.load(w, i, c.list, count);
        one.store(side_w, i);
    }
}

/* For columns that an earlier kernel left in memory. */
template <typename T>
static __global__ void __launch_bounds__(LAY_THREADS)
lay_kernel(const __grid_constant__ osc_cuda_weight w, uint16_t *side_w, int32_t *kept_w,
           const uint32_t *all, unsigned n, unsigned k)
{
    __shared__ columns c;
    unsigned first = blockIdx.x * LAY_THREADS + threadIdx.x, step = gridDim.x * LAY_THREADS;
    after_last_kernel();
    let_next_kernel();
    if (threadIdx.x == 0)
        c.count = all[0];
    if (threadIdx.x < min((unsigned)CODES_SIDE, k))      /* there may be fewer columns */
        c.list[threadIdx.x] = all[1 + threadIdx.x];
    __syncthreads();
    lay_side<T>(w, side_w, c, first, step);
    if (kept_w == NULL)
        return;
    for (unsigned j = first; j < n; j += step)
        kept_w[j] = kept_without(w, j, c.count <= CODES_SIDE ? c.list : all + 1, c.count);
}

/* --- rows ----------------------------------------------------------------------------- */

/* Vectors of a row that a thread has. */
template <typename T, bool ALIGNED, int EACH>
static __device__ __forceinline__ void load_row(uint4 (&v)[EACH], const call &a, unsigned row,
                                                const team &t)
{
    const T *x = reinterpret_cast<const T *>(a.x) + (size_t)row * a.k;
#pragma unroll
    for (unsigned e = 0; e < EACH; e++) {
        unsigned i = (t.lane + e * t.lanes) * 8;
        v[e] = row < a.rows && i < a.k ? load8<ALIGNED>(x, i, a.k) : make_uint4(0, 0, 0, 0);
    }
}

/* The largest of the team; `turn` alternates, so that one barrier is enough. */
static __device__ __forceinline__ unsigned team_most(unsigned most, const team &t, unsigned turn)
{
    __shared__ unsigned part[2][MOST_THREADS / 32];
    if (t.lanes == 32)
        return most;
    if (threadIdx.x % 32 == 0)
        part[turn][threadIdx.x / 32] = most;
    __syncthreads();                   /* a CTA is one team then */
    for (unsigned i = 0; i < t.lanes / 32; i++)
        most = max(most, part[turn][i]);
    return most;
}

template <typename T, int EACH>
static __device__ __forceinline__ code_scale scale_of_row(const uint4 (&v)[EACH], const team &t,
                                                          unsigned turn)
{
    extremes all = no_extremes<false>();
    int32_t low, high;
#pragma unroll
    for (unsigned e = 0; e < EACH; e++)
        extend<false>(&all, v[e], 0);
    all = warp_extremes<false>(all);
    all.high = team_most(all.high, t, turn);
    float_keys<T, false>(&low, &high, all);
    return scale_of(low, high, false);
}

template <typename T, int EACH>
static __device__ __forceinline__ void store_codes(const uint4 (&v)[EACH], const call &a,
                                                   unsigned row, const team &t, code_scale s)
{
    int sum = 0;
    float gone = 0.0f;
    bool nan = isnan(s.scale);
#pragma unroll
    for (unsigned e = 0; e < EACH; e++) {
        unsigned i = (t.lane + e * t.lanes) * 8;
        uint2 q = code8<T, false>(v[e], 0, s, &sum, &gone);
        if (i < a.stride)
            *reinterpret_cast<uint2 *>(a.c.code + (size_t)row * a.stride + i) =
                nan ? make_uint2(0, 0) : q;
    }
    if (t.lane == 0)
        store_scale(a.c, row, { s.scale, 0 }, 0.0, 0.0f);
}

/* --- the kernel ----------------------------------------------------------------------- */

/* Lists the removed columns; the CTA that has `all` also for later kernels. */
static __device__ void list_all(const call &a, columns *c, bool all)
{
    extern __shared__ uint32_t bits[];
    unsigned words = (a.k + 31) / 32;
    for (unsigned w = threadIdx.x; w < words; w += blockDim.x) {
        uint32_t any = 0;
        for (unsigned s = 0; s < a.removed.count; s++)
            any |= a.removed.bits[(size_t)s * a.removed.words + w];
        bits[w] = any;
    }
    __syncthreads();
    if (threadIdx.x < 32) {
        unsigned count = list_columns(c->list, CODES_SIDE, all ? a.c.columns + 1 : NULL, bits,
                                      words);
        if (threadIdx.x == 0) {
            c->count = count;
            if (all)
                a.c.columns[0] = count;
        }
    }
    __syncthreads();
}

/* Bits of the row's sequence; beyond the last row, of the last. */
static __device__ __forceinline__ const uint32_t *bits_of(const call &a, unsigned row)
{
    return a.removed.bits + (size_t)(min(row, a.rows - 1) / a.removed.rows) * a.removed.words;
}

/* What of a thread's vectors is removed. */
template <int EACH>
static __device__ __forceinline__ void load_gone(unsigned (&gone)[EACH], const uint32_t *bits,
                                                 const call &a, const team &t)
{
#pragma unroll
    for (unsigned e = 0; e < EACH; e++) {
        unsigned i = (t.lane + e * t.lanes) * 8;
        gone[e] = i < a.k ? reinterpret_cast<const uint8_t *>(bits)[i / 8] : 0;
    }
}

/* Rows of this CTA; the next one is under way while a row's removed columns are stored. */
template <typename T, bool ALIGNED, int EACH>
static __device__ void code_rows(const call &a, columns *c)
{
    unsigned block = blockIdx.x - a.lay_blocks;
    team t = my_team(a.row_warps, blockDim.x);
    unsigned step = (gridDim.x - a.lay_blocks) * t.count, turn = 0;
    unsigned gone[EACH];
    uint4 v[EACH];
    const uint32_t *own = bits_of(a, block * t.count + t.index);
    load_row<T, ALIGNED, EACH>(v, a, block * t.count + t.index, t);
    load_gone<EACH>(gone, own, a, t);
    list_all(a, c, block == 0);
    for (unsigned row = block * t.count + t.index; row < a.rows; row += step, turn ^= 1) {
#pragma unroll
        for (unsigned e = 0; e < EACH; e++)
            v[e] = without<false>(v[e], gone[e]);
        store_codes<T, EACH>(v, a, row, t, scale_of_row<T, EACH>(v, t, turn));
        load_row<T, ALIGNED, EACH>(v, a, row + step, t);
        store_side(a.c.side_x, reinterpret_cast<const T *>(a.x) + (size_t)row * a.k, row, a.rows, t,
                   c->list, c->count, a.removed.count > 1 ? own : NULL);
        if (a.removed.count > 1 && bits_of(a, row + step) != own) {
            own = bits_of(a, row + step);
            load_gone<EACH>(gone, own, a, t);
        }
    }
}

template <typename T, bool ALIGNED, int EACH>
static __global__ void __launch_bounds__(MOST_THREADS, EACH > 8 ? 1 : 2)
known_kernel(const __grid_constant__ call a)
{
    __shared__ columns c;
    after_last_kernel();
    let_next_kernel();
    if (blockIdx.x >= a.lay_blocks) {
        code_rows<T, ALIGNED, EACH>(a, &c);
    } else {
        list_all(a, &c, false);
        lay_side<T>(a.w, a.c.side_w, c, blockIdx.x * blockDim.x + threadIdx.x,
                    a.lay_blocks * blockDim.x);
    }
}

/* --- launching ------------------------------------------------------------------------ */

/* CTAs with rows: all are resident at once, since a later one would have the whole latency
 * of a row to itself. */
static size_t choose_blocks(const osc_device *device, size_t rows, size_t threads, size_t lay)
{
    size_t most = RESIDENT_THREADS / threads * (size_t)device->processors;
    most = most > 2 * lay ? most - lay : most;
    return rows < most ? rows : most;
}

template <typename T, bool ALIGNED, int EACH>
static osc_status launch(osc_device *device, const osc_cuda_layer *p, osc_cuda_removed removed,
                         bool side)
{
    size_t vectors = p->w.stride / 8, warps = (vectors + EACH * 32 - 1) / (EACH * 32);
    size_t rows = p->k <= SHORT ? SHORT_ROWS : 1, threads = rows * warps * 32;
    size_t lay = side ? (p->w.rows + threads - 1) / threads : 0;
    call a = {};
    a.x = p->x;
    a.removed = removed;
    a.rows = (unsigned)p->rows;
    a.k = (unsigned)p->k;
    a.stride = (unsigned)p->w.stride;
    a.row_warps = (unsigned)warps;
    a.lay_blocks = (unsigned)lay;
    a.w = p->w;
    a.c = *device->codes;
    size_t blocks = choose_blocks(device, (p->rows + rows - 1) / rows, threads, lay);
    return launch_after(device, "coding x", known_kernel<T, ALIGNED, EACH>,
                        (unsigned)(blocks + lay), (unsigned)threads,
                        (p->k + 31) / 32 * sizeof(uint32_t), a);
}

/* Long rows have more vectors a thread: fewer warps that wait for each other. */
template <typename T>
static osc_status launch_any(osc_device *device, const osc_cuda_layer *p,
                             osc_cuda_removed removed, bool side)
{
    if (!rows_aligned(p->x, p->k))
        return launch<T, false, 16>(device, p, removed, side);
    if (p->k <= LONG)
        return launch<T, true, 4>(device, p, removed, side);
    return p->k <= MOST_THREADS * 8 * 8 ? launch<T, true, 8>(device, p, removed, side)
                                        : launch<T, true, 16>(device, p, removed, side);
}

bool osc_cuda_known_x_fits(const osc_cuda_layer *p)
{
    return p->w.stride <= WIDEST;
}

osc_status osc_cuda_code_known_x(osc_device *device, const osc_cuda_layer *p,
                                 osc_cuda_removed removed, bool side)
{
    return OSC_CUDA_BY_DTYPE(device, launch_any, device, p, removed, side);
}

template <typename T>
static osc_status lay(osc_device *device, const osc_cuda_layer *p)
{
    const osc_cuda_codes *c = device->codes;
    return launch_after(device, "laying columns side by side", lay_kernel<T>,
                        (unsigned)((p->w.rows + LAY_THREADS - 1) / LAY_THREADS), LAY_THREADS, 0,
                        p->w, c->side_w, p->coding.zeropoint ? c->kept_w : NULL, c->columns,
                        (unsigned)p->n, (unsigned)p->k);
}

osc_status osc_cuda_lay_side(osc_device *device, const osc_cuda_layer *p)
{
    if (p->coding.remove == OSC_REMOVE_NONE && !p->coding.zeropoint)
        return OSC_OK;
    return OSC_CUDA_BY_DTYPE(device, lay, device, p);
}

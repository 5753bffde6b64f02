/* Coding x: which columns are removed, scales of rows, the codes, and the removed
 * columns of x and w side by side.  One kernel; where the columns or the scale depend
 * on all rows its CTAs, which are all resident, meet in between, and read their rows
 * a second time from a cache. */
#include <config.h>
#include "cuda/codes_x.cuh"

enum {
    THREADS = 512,
    WARPS = THREADS / 32,
    RESIDENT = 2,            /* CTAs of a multiprocessor */
    HELD = 4                 /* vectors of a row that a lane holds in registers */
};

template <typename T, bool ALIGNED> struct call {
    const T  *x;
    unsigned  rows, k, stride, n, panel_rows;
    osc_remove remove;
    bool      tensor;        /* all rows share a scale */
    bool      side;          /* removed columns of w are wanted */
    float     threshold;
    unsigned  top;
    unsigned  block_rows;    /* rows of one CTA */
    unsigned  row_warps;     /* warps that work on one row */
    osc_cuda_weight w;
    osc_cuda_codes  c;
};

/* --- meeting -------------------------------------------------------------------------------- */

/* Every CTA of the grid gets here before one goes on; what they wrote before can then
 * be read.  `calls`, the count of uses of a buffer, goes up by one. */
static __device__ void meet(osc_cuda_meeting *m, unsigned *calls)
{
    __syncthreads();
    if (threadIdx.x == 0) {
        unsigned epoch = *(volatile unsigned *)&m->epoch, before, now;
        asm volatile("atom.add.acq_rel.gpu.u32 %0, [%1], 1;"
                     : "=r"(before) : "l"(&m->arrived) : "memory");
        if (before == gridDim.x - 1) {
            m->arrived = 0;
            *calls += 1;
            asm volatile("red.release.gpu.global.add.u32 [%0], 1;" :: "l"(&m->epoch) : "memory");
        } else {
            do
                asm volatile("ld.acquire.gpu.u32 %0, [%1];"
                             : "=r"(now) : "l"(&m->epoch) : "memory");
            while (now == epoch);
        }
    }
    __syncthreads();
}

/* Which of two buffers this call uses: those who meet clear the other for the next. */
static __device__ unsigned turn(const unsigned *calls)
{
    return *(const volatile unsigned *)calls & 1;
}

template <typename V>
static __device__ void fill(V *data, V value, unsigned count)
{
    for (unsigned i = blockIdx.x * THREADS + threadIdx.x; i < count; i += gridDim.x * THREADS)
        data[i] = value;
}

static __device__ unsigned block_sum(unsigned value)
{
    __shared__ unsigned part[WARPS];
    value = __reduce_add_sync(~0u, value);
    __syncthreads();
    if (threadIdx.x % 32 == 0)
        part[threadIdx.x / 32] = value;
    __syncthreads();
    value = 0;
    for (unsigned i = 0; i < WARPS; i++)
        value += part[i];
    return value;
}

/* --- which columns ---------------------------------------------------------------------------- */

/* The peak of eight columns over this CTA's rows, for `slots` threads a vector; then
 * sink(column, peaks). */
template <typename T, bool ALIGNED, typename F>
static __device__ void for_peaks(const call<T, ALIGNED> &a, F sink)
{
    unsigned first = blockIdx.x * a.block_rows, vectors = (a.k + 7) / 8;
    unsigned last = min(first + a.block_rows, a.rows);
    unsigned slots = vectors >= THREADS ? 1 : THREADS / vectors;
    unsigned slot = vectors >= THREADS ? 0 : threadIdx.x / vectors;
    unsigned vector = vectors >= THREADS ? threadIdx.x : threadIdx.x % vectors;
    if (slot >= slots)
        return;
    for (; vector < vectors; vector += THREADS) {
        uint4 most = make_uint4(0, 0, 0, 0);
#pragma unroll 8
        for (unsigned t = first + slot; t < last; t += slots)
            larger8<T>(&most, load8<ALIGNED>(a.x + (size_t)t * a.k, vector * 8, a.k));
        sink(vector * 8, most);
    }
}

/* Columns with |x| >= threshold. */
template <typename T, bool ALIGNED>
static __device__ void remove_above(const call<T, ALIGNED> &a, uint32_t *bits, unsigned words)
{
    unsigned *calls = &a.c.meeting->calls[0];
    uint32_t *found = a.c.found + turn(calls) * bit_words(a.c.widest);
    uint32_t *other = a.c.found + (1 - turn(calls)) * bit_words(a.c.widest);
    for (unsigned w = threadIdx.x; w < words; w += THREADS)
        bits[w] = 0;
    __syncthreads();
    for_peaks(a, [&](unsigned i, uint4 most) {
        unsigned reached = reach8<T>(most, a.threshold);
        reached &= a.k - i < 8 ? (1u << (a.k - i)) - 1 : 0xffu;
        if (reached != 0)
            atomicOr(&bits[i / 32], reached << i % 32);
    });
    __syncthreads();
    for (unsigned w = threadIdx.x; w < words; w += THREADS)
        if (bits[w] != 0)
            atomicOr(&found[w], bits[w]);
    meet(a.c.meeting, calls);
    for (unsigned w = threadIdx.x; w < words; w += THREADS)
        bits[w] = w < (a.k + 31) / 32 ? *(volatile uint32_t *)&found[w] : 0;
    fill(other, 0u, bit_words(a.c.widest));
}

/* Bits of the columns for which keep(peak) holds; peaks are bits of floats. */
template <typename F>
static __device__ void set_bits(uint32_t *bits, const uint32_t *peak, unsigned k, unsigned words,
                                F pass)
{
    for (unsigned w = threadIdx.x / 32; w < words; w += WARPS) {
        unsigned i = w * 32 + threadIdx.x % 32;
        unsigned word = __ballot_sync(~0u, i < k && pass(peak[i]));
        if (threadIdx.x % 32 == 0)
            bits[w] = word;
    }
    __syncthreads();
}

static __device__ double mean_of(const uint32_t *peak, unsigned k)
{
    __shared__ double part[THREADS];
    double sum = 0.0;
    for (unsigned i = threadIdx.x; i < k; i += THREADS)
        sum += (double)__uint_as_float(peak[i]);
    part[threadIdx.x] = sum;
    for (unsigned half = THREADS / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half)
            part[threadIdx.x] += part[threadIdx.x + half];
    }
    __syncthreads();
    return part[0] / (double)k;
}

static __device__ unsigned count_from(const uint32_t *peak, unsigned k, uint32_t bits)
{
    unsigned count = 0;
    for (unsigned i = threadIdx.x; i < k; i += THREADS)
        count += peak[i] >= bits;
    return block_sum(count);
}

/* Warp 0 adds the first `count` of `ties` to `bits`. */
static __device__ void add_first(uint32_t *bits, const uint32_t *ties, unsigned words,
                                 unsigned count)
{
    unsigned lane = threadIdx.x % 32;
    for (unsigned base = 0; base < words && count > 0; base += 32) {
        unsigned w = base + lane, word = w < words ? ties[w] : 0, upto = __popc(word);
        unsigned mine = upto;
        for (unsigned d = 1; d < 32; d *= 2) {
            unsigned other = __shfl_up_sync(~0u, upto, d);
            upto += lane >= d ? other : 0;
        }
        unsigned before = upto - mine, all = __shfl_sync(~0u, upto, 31);
        for (unsigned taken = before; word != 0 && taken < count; taken++, word &= word - 1)
            bits[w] |= word & -word;
        count -= min(count, all);
    }
}

/* The `top` largest: bisection over the bits of the top-th largest peak. */
static __device__ void remove_top(uint32_t *bits, uint32_t *ties, const uint32_t *peak, unsigned k,
                                  unsigned words, unsigned top)
{
    uint32_t limit = 0;
    for (uint32_t bit = 1u << 30; bit > 0 && top > 0; bit >>= 1)
        if (count_from(peak, k, limit | bit) >= top)
            limit |= bit;
    unsigned equal = top - (top > 0 ? count_from(peak, k, limit + 1) : 0);
    set_bits(bits, peak, k, words, [=](uint32_t p) { return top > 0 && p > limit; });
    set_bits(ties, peak, k, words, [=](uint32_t p) { return top > 0 && p == limit; });
    if (threadIdx.x < 32)
        add_first(bits, ties, words, equal);
}

/* The rules that compare columns. */
template <typename T, bool ALIGNED>
static __device__ void remove_by_rank(const call<T, ALIGNED> &a, uint32_t *bits, unsigned words)
{
    unsigned *calls = &a.c.meeting->calls[1];
    uint32_t *first = a.c.found + 2 * bit_words(a.c.widest);
    uint32_t *peak = first + turn(calls) * a.c.widest;
    uint32_t *other = first + (1 - turn(calls)) * a.c.widest;
    for_peaks(a, [&](unsigned i, uint4 most) {
        const unsigned word[4] = { most.x, most.y, most.z, most.w };
        for (unsigned j = 0; j < 8 && i + j < a.k; j++)
            atomicMax(&peak[i + j], __float_as_uint(
                      bits16<T>::value(word[j / 2] >> j % 2 * 16 & 0xffff)));
    });
    meet(a.c.meeting, calls);
    if (a.remove == OSC_REMOVE_RATIO) {
        double limit = (double)a.threshold * mean_of(peak, a.k);
        set_bits(bits, peak, a.k, words,
                 [=](uint32_t p) { return (double)__uint_as_float(p) > limit; });
    } else {
        remove_top(bits, bits + words, peak, a.k, words, min(a.top, a.k));
    }
    fill(other, 0u, (unsigned)a.c.widest);
}

template <typename T, bool ALIGNED>
static __device__ void find_removed(const call<T, ALIGNED> &a, uint32_t *bits, unsigned words)
{
    if (a.remove == OSC_REMOVE_ABSOLUTE) {
        remove_above(a, bits, words);
    } else if (a.remove == OSC_REMOVE_RATIO || a.remove == OSC_REMOVE_TOP) {
        remove_by_rank(a, bits, words);
    } else {
        for (unsigned w = threadIdx.x; w < words; w += THREADS)
            bits[w] = 0;
        __syncthreads();
        unsigned count = a.remove == OSC_REMOVE_FIXED ? a.w.columns[0] : 0;
        for (unsigned i = threadIdx.x; i < count; i += THREADS)
            atomicOr(&bits[a.w.columns[1 + i] / 32], 1u << a.w.columns[1 + i] % 32);
    }
    __syncthreads();
}

/* --- rows ----------------------------------------------------------------------------- */

/* The warps of one row: lanes of a row hold vectors lane, lane + lanes, ... */
struct team {
    unsigned lane, lanes, index, count, warps;
};

static __device__ team my_team(unsigned warps)
{
    return { threadIdx.x % (warps * 32), warps * 32, threadIdx.x / (warps * 32), WARPS / warps,
             warps };
}

static __device__ __forceinline__ void team_sync(const team &t)
{
    if (t.warps == 1)
        __syncwarp();
    else
        asm volatile("bar.sync %0, %1;" :: "r"(t.index + 1), "r"(t.lanes) : "memory");
}

/* Reduces over a team with op(a, b) on words that are equal in a warp already. */
template <typename F>
static __device__ __forceinline__ unsigned team_reduce(const team &t, unsigned value, F op)
{
    __shared__ unsigned part[WARPS];
    if (t.warps == 1)
        return value;
    unsigned warp = threadIdx.x / 32;
    if (threadIdx.x % 32 == 0)
        part[warp] = value;
    team_sync(t);
    value = part[t.index * t.warps];
    for (unsigned i = 1; i < t.warps; i++)
        value = op(value, part[t.index * t.warps + i]);
    team_sync(t);
    return value;
}

/* HELD vectors of a row from column `from` on. */
template <typename T, bool ALIGNED>
static __device__ __forceinline__ void take(uint4 held[HELD], const call<T, ALIGNED> &a,
                                            const T *row,
                                            const team &t, unsigned from)
{
#pragma unroll
    for (unsigned j = 0; j < HELD; j++)
        held[j] = load8<ALIGNED>(row, from + (j * t.lanes + t.lane) * 8, a.k);
}

/* Extremes of a row's kept values over the team; `held` keeps its last vectors. */
template <typename T, bool ALIGNED, bool ZERO>
static __device__ extremes row_extremes(uint4 held[HELD], const call<T, ALIGNED> &a, const T *row,
                                        const team &t, const uint32_t *bits)
{
    extremes e = no_extremes<ZERO>();
    for (unsigned from = 0; from < a.k; from += HELD * t.lanes * 8) {
        take(held, a, row, t, from);
#pragma unroll
        for (unsigned j = 0; j < HELD; j++) {
            unsigned i = from + (j * t.lanes + t.lane) * 8;
            if (i >= a.k)
                continue;
            held[j] = without<ZERO>(held[j], removed8(bits, i));
            extend<ZERO>(&e, held[j], removed8(bits, i));
        }
    }
    e = warp_extremes<ZERO>(e);
    if (ZERO)
        e.low = team_reduce(t, e.low, [](unsigned p, unsigned q) {
            return (unsigned)min((int)p, (int)q); });
    e.high = team_reduce(t, e.high, [](unsigned p, unsigned q) {
        return (unsigned)max((int)p, (int)q); });
    return e;
}

template <typename T, bool ALIGNED, bool ZERO>
static __device__ void code_row(uint4 held[HELD], const call<T, ALIGNED> &a, unsigned row,
                                const team &t,
                                const uint32_t *bits, code_scale s, unsigned removed)
{
    const T *x = a.x + (size_t)row * a.k;
    bool nan = isnan(s.scale), whole = a.k <= HELD * t.lanes * 8;
    int sum = 0;
    float gone = 0.0f;
    for (unsigned from = 0; from < a.stride; from += HELD * t.lanes * 8) {
        if (!whole)
            take(held, a, x, t, from);
#pragma unroll
        for (unsigned j = 0; j < HELD; j++) {
            unsigned i = from + (j * t.lanes + t.lane) * 8;
            if (i >= a.stride)
                continue;
            uint4 v = without<ZERO>(held[j], removed8(bits, i));
            uint2 q = code8<T, ZERO>(v, removed8(bits, i), s, &sum, &gone);
            if (nan)
                q = make_uint2(0, 0);
            *reinterpret_cast<uint2 *>(a.c.code + (size_t)row * a.stride + i) = q;
        }
    }
    if (ZERO) {
        sum = (int)team_reduce(t, (unsigned)__reduce_add_sync(~0u, nan ? 0 : sum),
                               [](unsigned p, unsigned q) { return p + q; });
        for (unsigned d = 16; d > 0; d /= 2)
            gone += __shfl_xor_sync(~0u, gone, d);
        gone = __uint_as_float(team_reduce(t, __float_as_uint(gone), [](unsigned p, unsigned q) {
            return __float_as_uint(__uint_as_float(p) + __uint_as_float(q)); }));
    }
    if (t.lane == 0) {
        a.c.scale[row] = s.scale;
        a.c.inverse[row] = __fdiv_rn(1.0f, s.scale);
        a.c.zero[row] = s.zero;
        a.c.kept[row] = (double)sum - (double)(a.k - removed) * s.zero;
        a.c.outliers[row] = gone;
    }
}

/* The i-th removed column of a row, zero where there is none. */
template <typename T, bool ALIGNED>
static __device__ __forceinline__ T side_value(const call<T, ALIGNED> &a, unsigned row, unsigned i,
                                               const uint32_t *list, unsigned count)
{
    return i < count ? a.x[(size_t)row * a.k + list[i]] : from_float<T>(0.0f);
}

/* The first CODES_SIDE removed columns of a row, zeros up to a whole chunk; `ahead` is
 * this lane's first. */
template <typename T, bool ALIGNED>
static __device__ void side_row(const call<T, ALIGNED> &a, unsigned row, const team &t, T ahead,
                                const uint32_t *list, unsigned count)
{
    unsigned whole = (count + CODES_CHUNK - 1) / CODES_CHUNK * CODES_CHUNK;
    for (unsigned i = t.lane; i < whole; i += t.lanes) {
        T value = i < t.lanes ? ahead : side_value(a, row, i, list, count);
        reinterpret_cast<T *>(a.c.side_x)[((size_t)(i / CODES_CHUNK) * a.rows + row) * CODES_CHUNK
                                          + i % CODES_CHUNK] = value;
    }
}

/* Extremes of all rows, found together. */
template <typename T, bool ALIGNED, bool ZERO>
static __device__ void tensor_range(const call<T, ALIGNED> &a, const team &t, const uint32_t *bits,
                                    int32_t *low, int32_t *high)
{
    uint4 held[HELD];
    unsigned *calls = &a.c.meeting->calls[2];
    int32_t *range = a.c.range + 2 * turn(calls), *other = a.c.range + 2 * (1 - turn(calls));
    unsigned first = blockIdx.x * a.block_rows, last = min(first + a.block_rows, a.rows);
    for (unsigned row = first + t.index; row < last; row += t.count) {
        extremes e = row_extremes<T, ALIGNED, ZERO>(held, a, a.x + (size_t)row * a.k, t, bits);
        float_keys<T, ZERO>(low, high, e);
        if (t.lane == 0) {
            atomicMin(&range[0], *low);
            atomicMax(&range[1], *high);
        }
    }
    meet(a.c.meeting, calls);
    *low = *(volatile int32_t *)&range[0];
    *high = *(volatile int32_t *)&range[1];
    if (blockIdx.x == 0 && threadIdx.x == 0) {
        other[0] = INT32_MAX;
        other[1] = INT32_MIN;
    }
}

template <typename T, bool ALIGNED, bool ZERO>
static __device__ void code_rows(const call<T, ALIGNED> &a, const uint32_t *bits,
                                 const uint32_t *list,
                                 unsigned removed)
{
    team t = my_team(a.row_warps);
    uint4 held[HELD];
    int32_t low = 0, high = 0;
    if (a.tensor)
        tensor_range<T, ALIGNED, ZERO>(a, t, bits, &low, &high);
    unsigned first = blockIdx.x * a.block_rows, last = min(first + a.block_rows, a.rows);
    unsigned count = min(removed, (unsigned)CODES_SIDE);
    for (unsigned row = first + t.index; row < last; row += t.count) {
        const T *x = a.x + (size_t)row * a.k;
        T ahead = side_value(a, row, t.lane, list, count);
        if (a.tensor) {
            take(held, a, x, t, 0);
        } else {
            extremes e = row_extremes<T, ALIGNED, ZERO>(held, a, x, t, bits);
            float_keys<T, ZERO>(&low, &high, e);
        }
        code_scale s = removed == a.k ? code_scale{ 1.0f, 0 } : scale_of(low, high, ZERO);
        code_row<T, ALIGNED, ZERO>(held, a, row, t, bits, s, removed);
        side_row(a, row, t, ahead, list, count);
    }
}

/* --- the removed columns of w --------------------------------------------------------- */

/* The removed columns of a chunk for one row of codes of w: as stored, or the codes. */
template <typename T, bool ALIGNED> struct side_weights {
    packed<T> part[2];

    __device__ __forceinline__ void load(const call<T, ALIGNED> &a, unsigned item,
                                         const uint32_t *list,
                                         unsigned count)
    {
        unsigned chunk = item / a.panel_rows, row = item % a.panel_rows;
#pragma unroll
        for (unsigned j = 0; j < CODES_CHUNK; j++) {
            unsigned i = chunk * CODES_CHUNK + j;
            T value = from_float<T>(0.0f);
            if (i < count && a.w.stored != NULL)
                value = reinterpret_cast<const T *>(a.w.stored)[(size_t)list[i] * a.panel_rows
                                                                + row];
            else if (i < count)
                value = from_float<T>((float)a.w.code[(size_t)row * a.stride + list[i]]);
            part[j / 8].at[j % 8] = value;
        }
    }

    __device__ __forceinline__ void store(const call<T, ALIGNED> &a, unsigned item) const
    {
        uint4 *to = reinterpret_cast<uint4 *>(a.c.side_w) + (size_t)item * (CODES_CHUNK / 8);
        to[0] = part[0].bits;
        to[1] = part[1].bits;
    }
};

/* Sum of the codes of a row of w over the kept columns. */
template <typename T, bool ALIGNED>
static __device__ int kept_codes(const call<T, ALIGNED> &a, unsigned output, const uint32_t *list,
                                 unsigned removed, const uint32_t *bits)
{
    const int8_t *code = a.w.code + (size_t)osc_cuda_code_row(output) * a.stride;
    int kept = a.w.total[output];
    if (removed <= CODES_SIDE) {
        for (unsigned i = 0; i < removed; i++)
            kept -= code[list[i]];
        return kept;
    }
    for (unsigned i = 0; i < a.k; i++)
        kept -= bits[i / 32] >> i % 32 & 1 ? code[i] : 0;
    return kept;
}

/* Codes of rows, and the removed columns of w: those of a thread's first item are
 * under way meanwhile. */
template <typename T, bool ALIGNED, bool ZERO>
static __device__ void code_all(const call<T, ALIGNED> &a, const uint32_t *bits,
                                const uint32_t *list,
                                unsigned removed)
{
    unsigned count = min(removed, (unsigned)CODES_SIDE);
    unsigned chunks = (count + CODES_CHUNK - 1) / CODES_CHUNK;
    unsigned items = a.side ? chunks * a.panel_rows : 0;
    unsigned first = blockIdx.x * THREADS + threadIdx.x, step = gridDim.x * THREADS;
    side_weights<T, ALIGNED> ahead;
    if (first < items)
        ahead.load(a, first, list, count);
    code_rows<T, ALIGNED, ZERO>(a, bits, list, removed);
    for (unsigned i = first; i < items; i += step) {
        if (i != first)
            ahead.load(a, i, list, count);
        ahead.store(a, i);
    }
    if (ZERO && a.side)
        for (unsigned j = first; j < a.n; j += step)
            a.c.kept_w[j] = kept_codes(a, j, list, removed, bits);
}

template <typename T, bool ALIGNED, bool ZERO>
static __global__ void __launch_bounds__(THREADS, RESIDENT)
code_kernel(const __grid_constant__ call<T, ALIGNED> a)
{
    extern __shared__ uint32_t bits[];
    __shared__ uint32_t list[CODES_SIDE];
    __shared__ unsigned removed;
    unsigned words = bit_words(a.k);
    after_last_kernel();
    let_next_kernel();
    find_removed(a, bits, words);
    if (threadIdx.x < 32) {
        unsigned count = list_columns(list, CODES_SIDE,
                                      blockIdx.x == 0 ? a.c.columns + 1 : NULL, bits, words);
        if (threadIdx.x == 0) {
            removed = count;
            if (blockIdx.x == 0)
                a.c.columns[0] = count;
        }
    }
    __syncthreads();
    remove_padding(bits, a.k, words);
    __syncthreads();
    code_all<T, ALIGNED, ZERO>(a, bits, list, removed);
}

/* --- launching ------------------------------------------------------------------------ */

static unsigned choose_warps(size_t k, size_t block_rows)
{
    unsigned warps = 1;
    while (warps < WARPS && (warps * 32 * 8 * HELD < k || warps * block_rows < WARPS))
        warps *= 2;
    return warps;
}

template <typename T, bool ALIGNED>
static osc_status launch(osc_device *device, const osc_cuda_layer *p, bool side)
{
    call<T, ALIGNED> a = {};
    size_t blocks = (size_t)(RESIDENT * device->processors);
    size_t items = side ? p->w.rows / 128 : 0;
    items = p->rows > items ? p->rows : items;
    blocks = items < blocks ? items : blocks;
    a.side = side && (p->coding.remove != OSC_REMOVE_NONE || p->coding.zeropoint);
    a.x = (const T *)p->x;
    a.rows = (unsigned)p->rows;
    a.k = (unsigned)p->k;
    a.stride = (unsigned)p->w.stride;
    a.n = (unsigned)p->n;
    a.panel_rows = (unsigned)p->w.rows;
    a.remove = p->coding.remove;
    a.tensor = p->coding.x == OSC_SHARE_TENSOR;
    a.threshold = p->coding.threshold;
    a.top = (unsigned)(p->coding.top < p->k ? p->coding.top : p->k);
    a.block_rows = (unsigned)((p->rows + blocks - 1) / blocks);
    a.row_warps = choose_warps(p->k, a.block_rows);
    a.w = p->w;
    a.c = *device->codes;
    size_t shared = 2 * bit_words(a.k) * sizeof(uint32_t);   /* at most 33 KiB */
    return launch_after(device, "coding x", p->coding.zeropoint ? code_kernel<T, ALIGNED, true>
                        : code_kernel<T, ALIGNED, false>, (unsigned)blocks, THREADS, shared, a);
}

osc_status osc_cuda_code_x(osc_device *device, const osc_cuda_layer *p, bool side)
{
    bool half = device->dtype == OSC_F16;
    if (rows_aligned(p->x, p->k))
        return half ? launch<__half, true>(device, p, side)
                    : launch<__nv_bfloat16, true>(device, p, side);
    return half ? launch<__half, false>(device, p, side)
                : launch<__nv_bfloat16, false>(device, p, side);
}

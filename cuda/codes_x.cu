/* Coding x: which columns are removed, scales of rows, the codes, and the removed
 * columns of x and w side by side.  One kernel; where the columns or the scale depend
 * on all rows its CTAs, which are all resident, exchange what they found in between.
 * Rows wait for that in shared memory, those that find no room there in a cache. */
#include <config.h>
#include "cuda/codes_x.cuh"

enum {
    THREADS = 512,
    WARPS = THREADS / 32,
    RESIDENT = 2,            /* CTAs of a multiprocessor, one where there is little to do */
    LITTLE = 6 << 20,        /* bytes of x */
    STATIC_BYTES = 8 << 10   /* of shared memory that a CTA needs besides what it is given */
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
    unsigned  kept_rows;     /* of these, in shared memory */
    unsigned  row_warps;     /* warps that work on one row */
    osc_cuda_weight w;
    osc_cuda_codes  c;
};

/* The dynamic shared memory of a CTA: rows of x [kept_rows, k], bits of removed columns,
 * as many that this CTA found. */
template <typename T> struct room {
    T        *rows;
    uint32_t *bits, *mine;
};

template <typename T, bool ALIGNED>
static __device__ __forceinline__ room<T> my_room(const call<T, ALIGNED> &a)
{
    extern __shared__ uint4 memory[];
    T *rows = reinterpret_cast<T *>(memory);
    uint32_t *bits = reinterpret_cast<uint32_t *>(rows + (size_t)a.kept_rows * a.k);
    return { rows, bits, bits + bit_words(a.k) };
}

/* Row t of x, the local-th of this CTA. */
template <typename T, bool ALIGNED>
static __device__ __forceinline__ const T *row_of(const call<T, ALIGNED> &a, const room<T> &m,
                                                  unsigned t)
{
    unsigned local = t - blockIdx.x * a.block_rows;
    return local < a.kept_rows ? m.rows + (size_t)local * a.k : a.x + (size_t)t * a.k;
}

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

/* --- columns with |x| >= threshold ------------------------------------------------------------ */

/* What a CTA tells the others: its columns, as long as they are few. */
enum { TOLD = 12, EACH = 6, NO_COLUMN = 0xffff, TOO_MANY = 0xfffe };

struct finds {
    unsigned count, many;              /* many: a CTA has more than it can tell */
    uint16_t column[TOLD];
};

/* Bits of eight columns from i on. */
static __device__ __forceinline__ void note(uint32_t *bits, finds *f, unsigned i, unsigned reached)
{
    unsigned fresh = reached << i % 32;
    fresh &= ~atomicOr(&bits[i / 32], fresh);
    for (; fresh != 0; fresh &= fresh - 1) {
        unsigned at = atomicAdd(&f->count, 1);
        if (at < TOLD)
            f->column[at] = (uint16_t)(i / 32 * 32 + (unsigned)__ffs((int)fresh) - 1);
    }
}

template <typename T, bool ALIGNED>
static __device__ __forceinline__ void look8(const call<T, ALIGNED> &a, uint32_t *bits, finds *f,
                                             uint4 v, unsigned i)
{
    unsigned most = larger2(larger2(larger2(larger2(0, v.x, T()), v.y, T()), v.z, T()), v.w, T());
    float low = bits16<T>::value(most & 0xffff), high = bits16<T>::value(most >> 16);
    if (low < a.threshold && high < a.threshold)
        return;
    uint4 size = make_uint4(0, 0, 0, 0);
    larger8<T>(&size, v);
    unsigned reached = reach8<T>(size, a.threshold);
    i = i % a.k;
    reached &= a.k - i < 8 ? (1u << (a.k - i)) - 1 : 0xffu;
    if (reached != 0)
        note(bits, f, i, reached);
}

/* Brings this CTA's rows to shared memory and finds its columns; a thread looks at what
 * it brings. */
template <typename T, bool ALIGNED>
static __device__ void look_at_rows(const call<T, ALIGNED> &a, const room<T> &m, finds *f)
{
    unsigned first = min(blockIdx.x * a.block_rows, a.rows);
    unsigned last = min(first + a.block_rows, a.rows), vectors = (a.k + 7) / 8;
    unsigned kept = min(a.kept_rows, last - first) * (a.k / 8);
    const uint4 *from = reinterpret_cast<const uint4 *>(a.x + (size_t)first * a.k);
    uint4 *to = reinterpret_cast<uint4 *>(m.rows);
    for (unsigned v = threadIdx.x; v < kept; v += THREADS)
        copy16(to + v, from + v);
    for (unsigned t = first + a.kept_rows; t < last; t++)
#pragma unroll 4
        for (unsigned v = threadIdx.x; v < vectors; v += THREADS)
            look8(a, m.mine, f, load8<ALIGNED>(a.x + (size_t)t * a.k, v * 8, a.k), v * 8);
    copies_arrived();
#pragma unroll 4
    for (unsigned v = threadIdx.x; v < kept; v += THREADS)
        look8(a, m.mine, f, to[v], v * 8);
}

/* A CTA's columns are in two pieces of 16 bytes, each with the number of the round: one
 * that reads the number has the columns too. */
static __device__ void tell(uint4 *told, const finds *f, unsigned round, bool many)
{
    uint16_t c[EACH];
    unsigned part = threadIdx.x;
    if (part >= TOLD / EACH)
        return;
    for (unsigned i = 0; i < EACH; i++)
        c[i] = part * EACH + i < f->count ? f->column[part * EACH + i] : (uint16_t)NO_COLUMN;
    if (many)
        c[0] = TOO_MANY;
    store_whole(told + blockIdx.x * (TOLD / EACH) + part,
                make_uint4(round, c[0] | (unsigned)c[1] << 16, c[2] | (unsigned)c[3] << 16,
                           c[4] | (unsigned)c[5] << 16));
}

/* Sets the bit of each lane's column, NO_COLUMN for none: most CTAs tell of the same
 * columns, and a bit is set once for a warp. */
static __device__ void set_bit(uint32_t *bits, unsigned column)
{
    unsigned same = __match_any_sync(~0u, column);
    if (column < TOO_MANY && threadIdx.x % 32 == (unsigned)__ffs((int)same) - 1)
        atomicOr(&bits[column / 32], 1u << column % 32);
}

static __device__ void hear(const uint4 *told, finds *f, uint32_t *bits, unsigned round)
{
    unsigned pieces = gridDim.x * (TOLD / EACH);
    for (unsigned first = 0; first < pieces; first += THREADS) {
        unsigned p = first + threadIdx.x;
        uint4 v = make_uint4(round, ~0u, ~0u, ~0u);
        while (p < pieces && (v = load_whole(told + p)).x != round)
            ;
        __syncwarp();
        if ((v.y & 0xffff) == TOO_MANY)
            atomicExch(&f->many, 1);
        const unsigned word[3] = { v.y, v.z, v.w };
#pragma unroll
        for (unsigned i = 0; i < EACH; i++)
            if (__any_sync(~0u, (word[i / 2] >> i % 2 * 16 & 0xffff) < TOO_MANY))
                set_bit(bits, word[i / 2] >> i % 2 * 16 & 0xffff);
    }
}

/* Merges any number of columns in memory. */
template <typename T, bool ALIGNED>
static __device__ void merge_bits(const call<T, ALIGNED> &a, const room<T> &m, unsigned words)
{
    unsigned *calls = &a.c.meeting->calls[0];
    uint32_t *found = a.c.found + turn(calls) * bit_words(a.c.widest);
    uint32_t *other = a.c.found + (1 - turn(calls)) * bit_words(a.c.widest);
    for (unsigned w = threadIdx.x; w < words; w += THREADS)
        if (m.mine[w] != 0)
            atomicOr(&found[w], m.mine[w]);
    meet(a.c.meeting, calls);
    for (unsigned w = threadIdx.x; w < words; w += THREADS)
        m.bits[w] = w < (a.k + 31) / 32 ? *(volatile uint32_t *)&found[w] : 0;
    fill(other, 0u, bit_words(a.c.widest));
}

template <typename T, bool ALIGNED>
static __device__ void remove_above(const call<T, ALIGNED> &a, const room<T> &m, unsigned words)
{
    __shared__ finds f;
    unsigned round = *(volatile unsigned *)&a.c.meeting->round + 1;
    for (unsigned w = threadIdx.x; w < words; w += THREADS)
        m.bits[w] = m.mine[w] = 0;
    if (threadIdx.x == 0)
        f.count = f.many = 0;
    __syncthreads();
    look_at_rows(a, m, &f);
    __syncthreads();
    tell((uint4 *)a.c.told, &f, round, f.count > TOLD || a.k > TOO_MANY);
    hear((const uint4 *)a.c.told, &f, m.bits, round);
    __syncthreads();
    if (f.many)
        merge_bits(a, m, words);
    if (blockIdx.x == 0 && threadIdx.x == 0)
        a.c.meeting->round = round;
}

/* --- the rules that compare columns ------------------------------------------------------- */

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
static __device__ void find_removed(const call<T, ALIGNED> &a, const room<T> &m, unsigned words)
{
    if (a.remove == OSC_REMOVE_ABSOLUTE) {
        remove_above(a, m, words);
    } else if (a.remove == OSC_REMOVE_RATIO || a.remove == OSC_REMOVE_TOP) {
        remove_by_rank(a, m.bits, words);
    } else {
        for (unsigned w = threadIdx.x; w < words; w += THREADS)
            m.bits[w] = 0;
        __syncthreads();
        unsigned count = a.remove == OSC_REMOVE_FIXED ? a.w.columns[0] : 0;
        for (unsigned i = threadIdx.x; i < count; i += THREADS)
            atomicOr(&m.bits[a.w.columns[1 + i] / 32], 1u << a.w.columns[1 + i] % 32);
    }
    __syncthreads();
}

/* --- rows ----------------------------------------------------------------------------- */

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
    if (threadIdx.x % 32 == 0)
        part[threadIdx.x / 32] = value;
    team_sync(t);
    value = part[t.index * t.warps];
    for (unsigned i = 1; i < t.warps; i++)
        value = op(value, part[t.index * t.warps + i]);
    team_sync(t);
    return value;
}

/* Extremes of a row's kept values over the team. */
template <typename T, bool ALIGNED, bool ZERO>
static __device__ extremes row_extremes(const call<T, ALIGNED> &a, const T *row, const team &t,
                                        const uint32_t *bits)
{
    extremes e = no_extremes<ZERO>();
#pragma unroll 4
    for (unsigned i = t.lane * 8; i < a.k; i += t.lanes * 8) {
        unsigned removed = removed8(bits, i);
        extend<ZERO>(&e, without<ZERO>(load8<ALIGNED>(row, i, a.k), removed), removed);
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
static __device__ void code_row(const call<T, ALIGNED> &a, const T *x, unsigned row, const team &t,
                                const uint32_t *bits, code_scale s, unsigned removed)
{
    bool nan = isnan(s.scale);
    int sum = 0;
    float gone = 0.0f;
#pragma unroll 4
    for (unsigned i = t.lane * 8; i < a.stride; i += t.lanes * 8) {
        unsigned out = removed8(bits, i);
        uint4 v = without<ZERO>(load8<ALIGNED>(x, i, a.k), out);
        uint2 q = code8<T, ZERO>(v, out, s, &sum, &gone);
        if (nan)
            q = make_uint2(0, 0);
        *reinterpret_cast<uint2 *>(a.c.code + (size_t)row * a.stride + i) = q;
    }
    if (ZERO) {
        sum = (int)team_reduce(t, (unsigned)__reduce_add_sync(~0u, nan ? 0 : sum),
                               [](unsigned p, unsigned q) { return p + q; });
        for (unsigned d = 16; d > 0; d /= 2)
            gone += __shfl_xor_sync(~0u, gone, d);
        gone = __uint_as_float(team_reduce(t, __float_as_uint(gone), [](unsigned p, unsigned q) {
            return __float_as_uint(__uint_as_float(p) + __uint_as_float(q)); }));
    }
    if (t.lane == 0)
        store_scale(a.c, row, s, (double)sum - (double)(a.k - removed) * s.zero, gone);
}

/* Extremes of all rows, found together. */
template <typename T, bool ALIGNED, bool ZERO>
static __device__ void tensor_range(const call<T, ALIGNED> &a, const team &t, const uint32_t *bits,
                                    int32_t *low, int32_t *high)
{
    unsigned *calls = &a.c.meeting->calls[2];
    int32_t *range = a.c.range + 2 * turn(calls), *other = a.c.range + 2 * (1 - turn(calls));
    unsigned first = blockIdx.x * a.block_rows, last = min(first + a.block_rows, a.rows);
    for (unsigned row = first + t.index; row < last; row += t.count) {
        extremes e = row_extremes<T, ALIGNED, ZERO>(a, a.x + (size_t)row * a.k, t, bits);
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
static __device__ void code_rows(const call<T, ALIGNED> &a, const room<T> &m, const uint32_t *list,
                                 unsigned removed)
{
    team t = my_team(a.row_warps, THREADS);
    int32_t low = 0, high = 0;
    if (a.tensor)
        tensor_range<T, ALIGNED, ZERO>(a, t, m.bits, &low, &high);
    unsigned first = blockIdx.x * a.block_rows, last = min(first + a.block_rows, a.rows);
    for (unsigned row = first + t.index; row < last; row += t.count) {
        const T *x = row_of(a, m, row);
        if (!a.tensor) {
            extremes e = row_extremes<T, ALIGNED, ZERO>(a, x, t, m.bits);
            float_keys<T, ZERO>(&low, &high, e);
        }
        code_scale s = removed == a.k ? code_scale{ 1.0f, 0 } : scale_of(low, high, ZERO);
        code_row<T, ALIGNED, ZERO>(a, x, row, t, m.bits, s, removed);
        store_side(a.c.side_x, x, row, a.rows, t, list, removed);
    }
}

/* --- the removed columns of w --------------------------------------------------------- */

/* Sum of the codes of a row of w over the kept columns. */
template <typename T, bool ALIGNED>
static __device__ int kept_codes(const call<T, ALIGNED> &a, unsigned output, const uint32_t *list,
                                 unsigned removed, const uint32_t *bits)
{
    const int8_t *code = a.w.code + (size_t)osc_cuda_code_row(output) * a.stride;
    int kept = a.w.total[output];
    if (removed <= CODES_SIDE)
        return kept_without(a.w, output, list, removed);
    for (unsigned i = 0; i < a.k; i++)
        kept -= bits[i / 32] >> i % 32 & 1 ? code[i] : 0;
    return kept;
}

/* Codes of rows, and the removed columns of w: those of a thread's first item are
 * under way meanwhile. */
template <typename T, bool ALIGNED, bool ZERO>
static __device__ void code_all(const call<T, ALIGNED> &a, const room<T> &m, const uint32_t *list,
                                unsigned removed)
{
    unsigned count = min(removed, (unsigned)CODES_SIDE);
    unsigned chunks = (count + CODES_CHUNK - 1) / CODES_CHUNK;
    unsigned items = a.side ? chunks * a.panel_rows : 0;
    unsigned first = blockIdx.x * THREADS + threadIdx.x, step = gridDim.x * THREADS;
    side_weights<T> ahead;
    if (first < items)
        ahead.load(a.w, first, list, count);
    code_rows<T, ALIGNED, ZERO>(a, m, list, removed);
    for (unsigned i = first; i < items; i += step) {
        if (i != first)
            ahead.load(a.w, i, list, count);
        ahead.store(a.c.side_w, i);
    }
    if (ZERO && a.side)
        for (unsigned j = first; j < a.n; j += step)
            a.c.kept_w[j] = kept_codes(a, j, list, removed, m.bits);
}

template <typename T, bool ALIGNED, bool ZERO>
static __global__ void __launch_bounds__(THREADS, RESIDENT)
code_kernel(const __grid_constant__ call<T, ALIGNED> a)
{
    __shared__ uint32_t list[CODES_SIDE];
    __shared__ unsigned removed;
    unsigned words = bit_words(a.k);
    room<T> m = my_room(a);
    after_last_kernel();
    let_next_kernel();
    find_removed(a, m, words);
    if (threadIdx.x < 32) {
        unsigned count = list_columns(list, CODES_SIDE,
                                      blockIdx.x == 0 ? a.c.columns + 1 : NULL, m.bits, words);
        if (threadIdx.x == 0) {
            removed = count;
            if (blockIdx.x == 0)
                a.c.columns[0] = count;
        }
        __syncwarp();
        remove_padding(m.bits, a.k, words);
    }
    __syncthreads();
    code_all<T, ALIGNED, ZERO>(a, m, list, removed);
}

/* --- launching ------------------------------------------------------------------------ */

/* Warps of a row: all of them work, and those of a row have barriers of their own. */
static unsigned choose_warps(size_t block_rows)
{
    unsigned warps = 1;
    while (warps < WARPS && warps * block_rows < WARPS)
        warps *= 2;
    return warps;
}

/* Bytes of shared memory for a CTA's rows of x: as many as leave room for the others.
 * Only the rule for a threshold brings them there. */
static size_t room_for_rows(const osc_device *device, const osc_cuda_layer *p, size_t resident,
                            size_t bits)
{
    size_t room = device->codes->shared / resident;
    if (p->coding.remove != OSC_REMOVE_ABSOLUTE || !rows_aligned(p->x, p->k)
        || room < STATIC_BYTES + bits)
        return 0;
    return room - STATIC_BYTES - bits;
}

template <typename T, bool ALIGNED>
static osc_status launch(osc_device *device, const osc_cuda_layer *p, bool side)
{
    call<T, ALIGNED> a = {};
    unsigned resident = p->rows * p->k * 2 <= LITTLE ? 1 : RESIDENT;
    size_t blocks = (size_t)(resident * device->processors);
    size_t items = side ? p->w.rows / 128 : 0;
    items = p->rows > items ? p->rows : items;
    blocks = items < blocks ? items : blocks;
    void (*kernel)(call<T, ALIGNED>) = p->coding.zeropoint ? code_kernel<T, ALIGNED, true>
                                                           : code_kernel<T, ALIGNED, false>;
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
    size_t bits = 2 * bit_words(a.k) * sizeof(uint32_t);      /* at most 33 KiB */
    size_t kept = room_for_rows(device, p, resident, bits) / (p->k * sizeof(T));
    a.kept_rows = (unsigned)(kept < a.block_rows ? kept : a.block_rows);
    a.row_warps = choose_warps(a.block_rows);
    a.w = p->w;
    a.c = *device->codes;
    size_t shared = (size_t)a.kept_rows * p->k * sizeof(T) + bits;
    OSC_CUDA_TRY(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                      (int)shared), "taking shared memory");
    return launch_after(device, "coding x", kernel, (unsigned)blocks, THREADS, shared, a);
}

osc_status osc_cuda_code_any_x(osc_device *device, const osc_cuda_layer *p, bool side)
{
    bool half = device->dtype == OSC_F16;
    if (rows_aligned(p->x, p->k))
        return half ? launch<__half, true>(device, p, side)
                    : launch<__nv_bfloat16, true>(device, p, side);
    return half ? launch<__half, false>(device, p, side)
                : launch<__nv_bfloat16, false>(device, p, side);
}

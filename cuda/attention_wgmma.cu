/* Causal attention on Hopper: warpgroups of 64 queries each share tiles of keys and values,
 * which a warp of its own keeps bringing into shared memory.  Scores and o are sums of wgmma;
 * p goes from registers into the second product.  The products of the next scores and of p
 * with its values run while the exponentials are taken, and blocks walk over many tiles of
 * queries, so that the next one's keys come while the last one's o is stored.
 *
 * Tiles [rows, 64 values] have rows of 128 bytes whose 16-byte pieces are swizzled
 * (piece ^ row % 8), as the instructions want them; heads of more than 64 have two side by
 * side, the columns beyond the head zeros.  K is read along its rows, V across them. */
#include <config.h>
#include <cudaTypedefs.h>

#include "cuda/attention.cuh"
#include "cuda/attention_wgmma.h"
#include "cuda/launch.cuh"
#include "cuda/wgmma.cuh"

enum { GROUP = 128, ROW_BYTES = 128 };

/* What a block, one a multiprocessor, does at a time for heads of up to D. */
template <int D_> struct shape {
    enum {
        D = D_, GROUPS = 2, KEYS = 128, STAGES = 2,
        WARPS = 4 * GROUPS, THREADS = (GROUPS + 1) * GROUP, QUERIES = 64 * GROUPS,
        MANY = 240, FEW = 24,                      /* registers of a thread that attends, and of
                                                      one of the group that brings */
        PARTS = (D + 63) / 64,                     /* tiles side by side */
        QUERY_BYTES = PARTS * QUERIES * ROW_BYTES, KEY_BYTES = PARTS * KEYS * ROW_BYTES,
        SHARED_BYTES = QUERY_BYTES + 2 * STAGES * KEY_BYTES + 1024
    };
};

/* [head_size, heads, rows, sequences] of q, k and v */
struct attention_maps {
    CUtensorMap q, k, v;
};

struct attention_work {
    unsigned heads, tiles, sequences;
};

#if defined(__CUDA_ARCH_FEAT_SM90_ALL)

/* --- products ----------------------------------------------------------------------------- */

/* Rows of 128 swizzled bytes; eight rows are 1024 bytes, the next tile of columns
 * `beside` bytes on. */
static __device__ __forceinline__ uint64_t describe(uint32_t address, unsigned beside)
{
    return (uint64_t)((address & 0x3ffff) >> 4) | (uint64_t)(beside >> 4) << 16
         | (uint64_t)(1024 >> 4) << 32 | 1ull << 62;
}

#define FOUR(c, d, i)    c((d)[i][0]), c((d)[i][1]), c((d)[i][2]), c((d)[i][3])
#define EIGHT(c, d, i)   FOUR(c, d, i), FOUR(c, d, i + 1)
#define SIXTEEN(c, d, i) EIGHT(c, d, i), EIGHT(c, d, i + 2)
#define SUMS_64(c, d)    SIXTEEN(c, d, 0), SIXTEEN(c, d, 4)
#define SUMS_80(c, d)    SUMS_64(c, d), EIGHT(c, d, 8)
#define SUMS_96(c, d)    SUMS_64(c, d), SIXTEEN(c, d, 8)
#define SUMS_128(c, d)   SUMS_96(c, d), SIXTEEN(c, d, 12)
#define LIST_32 \
    "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, " \
    "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
#define LIST_40 LIST_32 ", %32, %33, %34, %35, %36, %37, %38, %39"
#define LIST_48 LIST_40 ", %40, %41, %42, %43, %44, %45, %46, %47"

template <typename T, int N> struct product;

/* Of 64 rows with N columns over 16: first and more: d = or += a b^T; weigh: d += p v,
 * p the lane's part of [64, 16]. */
#define PRODUCT(T, TYPE, N, LIST, A, B, C, D, E)                                               \
    template <> struct product<T, N> {                                                         \
        static __device__ __forceinline__ void first(float (&d)[N / 8][4], uint64_t a,         \
                                                     uint64_t b)                               \
        {                                                                                      \
            asm volatile("wgmma.mma_async.sync.aligned.m64n" #N "k16.f32." TYPE "." TYPE " {"  \
                         LIST "}, %" #A ", %" #B ", 0, 1, 1, 0, 0;"                            \
                         : SUMS_##N("=f", d) : "l"(a), "l"(b));                                \
        }                                                                                      \
        static __device__ __forceinline__ void more(float (&d)[N / 8][4], uint64_t a,          \
                                                    uint64_t b)                                \
        {                                                                                      \
            asm volatile("wgmma.mma_async.sync.aligned.m64n" #N "k16.f32." TYPE "." TYPE " {"  \
                         LIST "}, %" #A ", %" #B ", 1, 1, 1, 0, 0;"                            \
                         : SUMS_##N("+f", d) : "l"(a), "l"(b));                                \
        }                                                                                      \
        static __device__ __forceinline__ void weigh(float (&d)[N / 8][4],                     \
                                                     const uint32_t (&p)[4], uint64_t b)       \
        {                                                                                      \
            asm volatile("wgmma.mma_async.sync.aligned.m64n" #N "k16.f32." TYPE "." TYPE " {"  \
                         LIST "}, {%" #A ", %" #B ", %" #C ", %" #D "}, %" #E ", 1, 1, 1, 1;"  \
                         : SUMS_##N("+f", d)                                                   \
                         : "r"(p[0]), "r"(p[1]), "r"(p[2]), "r"(p[3]), "l"(b));                \
        }                                                                                      \
    };
#define PRODUCTS(N, LIST, A, B, C, D, E)                                                       \
    PRODUCT(__half, "f16", N, LIST, A, B, C, D, E)                                             \
    PRODUCT(__nv_bfloat16, "bf16", N, LIST, A, B, C, D, E)

PRODUCTS(64, LIST_32, 32, 33, 34, 35, 36)
PRODUCTS(80, LIST_40, 40, 41, 42, 43, 44)
PRODUCTS(96, LIST_48, 48, 49, 50, 51, 52)
PRODUCTS(128, WGMMA_LIST_64, 64, 65, 66, 67, 68)

/* Issued, not waited for. */
template <typename T, typename S>
static __device__ __forceinline__ void score(float (&s)[S::KEYS / 8][4], uint64_t queries,
                                             uint64_t keys)
{
    wgmma_fence();
    product<T, S::KEYS>::first(s, queries, keys);
#pragma unroll
    for (int d = 1; d < S::D / 16; d++)
        product<T, S::KEYS>::more(s, queries + (d / 4 * S::QUERIES * ROW_BYTES + d % 4 * 32) / 16,
                                  keys + (d / 4 * S::KEYS * ROW_BYTES + d % 4 * 32) / 16);
    wgmma_commit();
}

template <typename T, typename S, int KEYS = S::KEYS>
static __device__ __forceinline__ void weigh(float (&o)[S::D / 8][4],
                                             const uint32_t (&p)[S::KEYS / 16][4], uint64_t values)
{
    wgmma_fence();
#pragma unroll
    for (int n = 0; n < KEYS / 16; n++)
        product<T, S::D>::weigh(o, p[n], values + n * 16 * ROW_BYTES / 16);
    wgmma_commit();
}

/* What makes d comes before this and what uses it after, whatever else is waited for. */
template <int N> static __device__ __forceinline__ void settle(float (&d)[N][4])
{
#pragma unroll
    for (int i = 0; i < N; i++)
#pragma unroll
        for (int j = 0; j < 4; j++)
            asm volatile("" : "+f"(d[i][j]) :: "memory");
}

/* p rounded to T as the first operand of the second product. */
template <typename T, int N>
static __device__ __forceinline__ void pack_all(uint32_t (&p)[N][4], const float (&s)[2 * N][4])
{
#pragma unroll
    for (int n = 0; n < N; n++)
#pragma unroll
        for (int j = 0; j < 4; j++) {
            const float *pair = &s[2 * n + j / 2][j % 2 * 2];
            p[n][j] = pack2<T>(pair[0], pair[1]);
        }
}

/* --- the order of work -------------------------------------------------------------------- */

/* 64 GROUPS queries of a head */
struct attention_unit {
    unsigned head, tile, sequence;
};

/* The round-th of this block: sequences one behind the other, of each the longest rows first;
 * every other round the blocks take theirs in the opposite order, which evens their sums out. */
static __device__ __forceinline__ bool unit_of(attention_unit &u, const attention_work &w,
                                               unsigned round)
{
    unsigned each = w.heads * w.tiles, mine = blockIdx.x;
    unsigned at = round * gridDim.x + (round % 2 == 0 ? mine : gridDim.x - 1 - mine);
    unsigned rest = at % each;
    u.sequence = at / each;
    u.tile = w.tiles - 1 - rest / w.heads;
    u.head = rest % w.heads;
    return u.sequence < w.sequences;
}

/* Tiles of keys that queries up to one before `query` have. */
template <typename S>
static __device__ __forceinline__ unsigned tiles_up_to(const attention_args &args, unsigned query)
{
    unsigned last = query < (unsigned)args.tokens ? query : (unsigned)args.tokens;
    return ((unsigned)args.past + last + S::KEYS - 1) / S::KEYS;
}

/* --- shared memory ------------------------------------------------------------------------ */

struct attention_turns {
    uint64_t full, empty;
};

/* Slots of a ring and their barriers; `n` counts uses. */
template <typename S> struct attention_shared {
    char *queries, *keys, *values;
    attention_turns *of_queries, *of_keys, *of_values;
};

template <typename S> static __device__ __forceinline__ unsigned slot(unsigned n)
{
    return n % S::STAGES;
}

template <typename S> static __device__ __forceinline__ unsigned parity(unsigned n)
{
    return n / S::STAGES % 2;
}

/* --- bringing tiles ----------------------------------------------------------------------- */

template <int PARTS>
static __device__ __forceinline__ void bring(char *to, const CUtensorMap *map,
                                             attention_turns *turns, unsigned parity,
                                             unsigned rows, unsigned head, unsigned row,
                                             unsigned sequence)
{
    barrier_wait(&turns->empty, parity ^ 1);
    barrier_expect(&turns->full, PARTS * rows * ROW_BYTES);
#pragma unroll
    for (int i = 0; i < PARTS; i++)
        copy_4d(to + i * rows * ROW_BYTES, map, &turns->full, i * 64, (int)head, (int)row,
                (int)sequence);
}

template <typename S>
static __device__ void bring_all(const attention_args &args, const attention_maps &maps,
                                 const attention_work &work, const attention_shared<S> &shared)
{
    attention_unit u;
    for (unsigned round = 0, n = 0; unit_of(u, work, round); round++) {
        unsigned count = tiles_up_to<S>(args, (u.tile + 1) * S::QUERIES);
        unsigned kv_head = u.head / args.group;
        bring<S::PARTS>(shared.queries, &maps.q, shared.of_queries, round % 2, S::QUERIES, u.head,
                        u.tile * S::QUERIES, u.sequence);
        for (unsigned t = 0; t < count; t++, n++) {
            bring<S::PARTS>(shared.keys + slot<S>(n) * S::KEY_BYTES, &maps.k,
                            shared.of_keys + slot<S>(n), parity<S>(n), S::KEYS, kv_head,
                            t * S::KEYS, u.sequence);
            bring<S::PARTS>(shared.values + slot<S>(n) * S::KEY_BYTES, &maps.v,
                            shared.of_values + slot<S>(n), parity<S>(n), S::KEYS, kv_head,
                            t * S::KEYS, u.sequence);
        }
    }
}

/* This warp is done with a slot. */
static __device__ __forceinline__ void leave(attention_turns *turns)
{
    if (threadIdx.x % WARP == 0)
        barrier_arrive(&turns->empty);
}

/* --- attending ---------------------------------------------------------------------------- */

/* Warpgroups issue their products one behind the other, so that one's exponentials meet
 * another's products. */
static __device__ __forceinline__ void take_turn(int group)
{
    asm volatile("bar.sync %0, %1;" :: "r"(1 + group), "n"(2 * GROUP) : "memory");
}

template <typename S> static __device__ __forceinline__ void pass_turn(int group)
{
    asm volatile("bar.arrive %0, %1;"
                 :: "r"(1 + (group + 1) % S::GROUPS), "n"(2 * GROUP) : "memory");
}

/* As soften(), in an order that keeps many exponentials on their way. */
template <int N>
static __device__ __forceinline__ void soften_wide(float (&s)[N][4], float (&shrink)[2],
                                                   float (&largest)[2], float (&sum)[2],
                                                   float factor)
{
    float most[2][2] = { { largest[0], largest[1] }, { s[0][0], s[0][2] } }, part[2][2];
#pragma unroll
    for (int n = 0; n < N; n++)
#pragma unroll
        for (int r = 0; r < 2; r++)
            most[n % 2][r] = fmaxf(most[n % 2][r], fmaxf(s[n][2 * r], s[n][2 * r + 1]));
#pragma unroll
    for (int r = 0; r < 2; r++)
        most[0][r] = fmaxf(most[0][r], most[1][r]);
#pragma unroll
    for (int offset = 1; offset <= 2; offset++)
#pragma unroll
        for (int r = 0; r < 2; r++)
            most[0][r] = fmaxf(most[0][r], __shfl_xor_sync(~0u, most[0][r], offset));
#pragma unroll
    for (int r = 0; r < 2; r++) {
        shrink[r] = fast_exp2((largest[r] - most[0][r]) * factor);
        largest[r] = most[0][r];
    }
#pragma unroll
    for (int n = 0; n < N; n++)
#pragma unroll
        for (int j = 0; j < 4; j++)
            s[n][j] = fast_exp2((s[n][j] - largest[j / 2]) * factor);
#pragma unroll
    for (int r = 0; r < 2; r++)
        part[0][r] = part[1][r] = 0.0f;
#pragma unroll
    for (int n = 0; n < N; n++)
#pragma unroll
        for (int r = 0; r < 2; r++)
            part[n % 2][r] += s[n][2 * r] + s[n][2 * r + 1];
#pragma unroll
    for (int r = 0; r < 2; r++)
        sum[r] = sum[r] * shrink[r] + (part[0][r] + part[1][r]);
}

/* Scores become exponentials. */
template <typename S>
static __device__ __forceinline__ void
weigh_up(float (&s)[S::KEYS / 8][4], float (&shrink)[2], float (&largest)[2], float (&sum)[2],
         const attention_args &args, float factor, float slope, unsigned query, unsigned key,
         bool masked)
{
    if (args.full != 0)
        lean(s, query, key, slope);
    if (masked)
        mask(s, query, key);
    soften_wide(s, shrink, largest, sum, factor);
}

template <typename T, typename S>
static __device__ __forceinline__ void
attend_unit(float (&o)[S::D / 8][4], float (&sum)[2], const attention_args &args,
            const attention_unit &u, const attention_shared<S> &shared, int group, int warp,
            unsigned round, unsigned &n)
{
    unsigned first = u.tile * S::QUERIES + group * 64;         /* query of this warpgroup */
    unsigned at = (unsigned)args.past + first + warp % 4 * 16 + threadIdx.x % WARP / 4;
    unsigned all = tiles_up_to<S>(args, (u.tile + 1) * S::QUERIES);
    unsigned count = tiles_up_to<S>(args, first + 64);
    unsigned whole = ((unsigned)args.past + first + 1) / S::KEYS;   /* tiles none are masked of */
    uint64_t queries = describe(shared_address(shared.queries) + group * 64 * ROW_BYTES, 0);
    uint64_t keys = describe(shared_address(shared.keys), 0);
    uint64_t values = describe(shared_address(shared.values), S::KEYS * ROW_BYTES);
    float factor = args.scale * 1.44269504088896341f, slope = slope_of(args, u.head);
    float s[S::KEYS / 8][4], shrink[2], largest[2] = { -INFINITY, -INFINITY };
    uint32_t p[S::KEYS / 16][4];
    const unsigned step = S::KEY_BYTES / 16;
    const int HALF = S::KEYS / 32 * 16;

#pragma unroll
    for (int i = 0; i < S::D / 8; i++)
#pragma unroll
        for (int j = 0; j < 4; j++)
            o[i][j] = 0.0f;
    settle(o);
    sum[0] = sum[1] = 0.0f;
    barrier_wait(&shared.of_queries->full, round % 2);
    barrier_wait(&shared.of_keys[slot<S>(n)].full, parity<S>(n));
    take_turn(group);
    score<T, S>(s, queries, keys + slot<S>(n) * step);
    pass_turn<S>(group);
    wgmma_wait<0>();
    settle(s);
    leave(shared.of_keys + slot<S>(n));
    weigh_up<S>(s, shrink, largest, sum, args, factor, slope, at, 0, whole == 0);
    pack_all<T>(p, s);
    for (unsigned t = 1; t < count; t++, n++) {
        unsigned next = n + 1;
        barrier_wait(&shared.of_keys[slot<S>(next)].full, parity<S>(next));
        take_turn(group);
        score<T, S>(s, queries, keys + slot<S>(next) * step);
        barrier_wait(&shared.of_values[slot<S>(n)].full, parity<S>(n));
        weigh<T, S>(o, p, values + slot<S>(n) * step);
        pass_turn<S>(group);
        wgmma_wait<1>();
        settle(s);
        leave(shared.of_keys + slot<S>(next));
        weigh_up<S>(s, shrink, largest, sum, args, factor, slope, at, t * S::KEYS, t >= whole);
        settle(s);
        if (__any_sync(~0u, shrink[0] != 1.0f || shrink[1] != 1.0f)) {
            asm volatile("wgmma.wait_group.sync.aligned 0; // and shrink" ::: "memory");
            settle(o);
            rescale(o, shrink);
        } else {
            wgmma_wait<0>();
            settle(o);
        }
        leave(shared.of_values + slot<S>(n));
        pack_all<T>(p, s);
    }
    leave(shared.of_queries);
    barrier_wait(&shared.of_values[slot<S>(n)].full, parity<S>(n));
    /* values that none of the queries has may be no numbers */
    if ((unsigned)args.past + first + 64 <= (count - 1) * S::KEYS + HALF)
        weigh<T, S, HALF>(o, p, values + slot<S>(n) * step);
    else
        weigh<T, S>(o, p, values + slot<S>(n) * step);
    wgmma_wait<0>();
    settle(o);
    leave(shared.of_values + slot<S>(n));
    n++;
    for (unsigned t = count; t < all; t++, n++) {      /* of other warpgroups alone */
        barrier_wait(&shared.of_keys[slot<S>(n)].full, parity<S>(n));
        take_turn(group);
        pass_turn<S>(group);
        leave(shared.of_keys + slot<S>(n));
        barrier_wait(&shared.of_values[slot<S>(n)].full, parity<S>(n));
        leave(shared.of_values + slot<S>(n));
    }
}

/* Lane c of four gets the c-th words of all, which have w[i] of the i-th columns each. */
static __device__ __forceinline__ void transpose(uint32_t (&w)[4])
{
#pragma unroll
    for (int bit = 1; bit <= 2; bit *= 2)
#pragma unroll
        for (int i = 0; i < 4; i++) {
            if (i & bit)
                continue;
            bool upper = threadIdx.x & bit;
            uint32_t other = __shfl_xor_sync(~0u, upper ? w[i] : w[i | bit], bit);
            w[i] = upper ? other : w[i];
            w[i | bit] = upper ? w[i | bit] : other;
        }
}

/* o of this lane's two rows, eight columns at a time. */
template <typename T, int D>
static __device__ __forceinline__ void store_wide(T *o_all, const float (&o)[D / 8][4],
                                                  const float (&sum)[2],
                                                  const attention_args &args,
                                                  unsigned sequence, unsigned head,
                                                  unsigned query)
{
    unsigned eighth = threadIdx.x % 4;
#pragma unroll
    for (int r = 0; r < 2; r++) {
        bool inside = query + r * 8 < args.tokens;
        T *row = o_all + (query + r * 8) * args.width + head;
        float inverse = 1.0f / sum[r];
        unsigned most = 0;
#pragma unroll
        for (int d = 0; d < D / 8; d += 4) {
            uint32_t w[4] = { 0, 0, 0, 0 };
#pragma unroll
            for (int i = 0; i < 4 && d + i < D / 8; i++) {
                w[i] = pack2<T>(o[d + i][2 * r] * inverse, o[d + i][2 * r + 1] * inverse);
                most = larger2(most, w[i], T());
            }
            transpose(w);
            if (inside && (d + eighth) * 8 < args.head_size)
                *(uint4 *)(row + (d + eighth) * 8) = make_uint4(w[0], w[1], w[2], w[3]);
        }
        if (inside && args.flags.bits != NULL && reaches<T>(most, args.flags.threshold))
            flag_row<T, D>(o, r, inverse, args, sequence, head);
    }
}

template <typename T, typename S>
static __device__ __forceinline__ void
attend_all(T *o, const attention_args &args, const attention_work &work,
           const attention_shared<S> &shared)
{
    int warp = __shfl_sync(~0u, threadIdx.x / WARP, 0), group = warp / 4;
    attention_unit u;
    if (group == S::GROUPS - 1)
        pass_turn<S>(group);
    for (unsigned round = 0, n = 0; unit_of(u, work, round); round++) {
        float out[S::D / 8][4], sum[2];
        size_t before = u.sequence * args.tokens;
        unsigned query = u.tile * S::QUERIES + warp * 16;
        attend_unit<T, S>(out, sum, args, u, shared, group, warp, round, n);
        sum[0] = quad_sum(sum[0]);
        sum[1] = quad_sum(sum[1]);
        store_wide<T, S::D>(o + before * args.width, out, sum, args, u.sequence,
                            u.head * (unsigned)args.head_size,
                            query + threadIdx.x % WARP / 4);
        if (args.mass == NULL || query >= args.tokens)
            continue;
        double mass = mass_of_warp(args, sum, query + threadIdx.x % WARP / 4);
        if (threadIdx.x % WARP == 0)
            args.mass[((size_t)u.head * work.sequences + u.sequence) * ((args.tokens + 15) / 16)
                      + query / 16] = mass;
    }
}

template <typename S>
static __device__ __forceinline__ attention_shared<S> lay_out(char *bytes, attention_turns *turns)
{
    char *start = (char *)(((uintptr_t)bytes + 1023) / 1024 * 1024);
    char *keys = start + S::QUERY_BYTES;
    return { start, keys, keys + S::STAGES * S::KEY_BYTES, turns, turns + 1,
             turns + 1 + S::STAGES };
}

template <typename T, typename S>
static __device__ __forceinline__ void run(T *o, const attention_args &args,
                                           const attention_maps &maps,
                                           const attention_work &work, char *bytes)
{
    __shared__ attention_turns turns[1 + 2 * S::STAGES];
    attention_shared<S> shared = lay_out<S>(bytes, turns);
    if (threadIdx.x < 1 + 2 * S::STAGES) {
        barrier_init(&turns[threadIdx.x].full, 1);
        barrier_init(&turns[threadIdx.x].empty, S::WARPS);
    }
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
    __syncthreads();
    after_last_kernel();
    clear_next(args.flags);
    if (threadIdx.x >= S::WARPS * WARP) {
        registers_give<S::FEW>();
        if (threadIdx.x == S::WARPS * WARP)
            bring_all<S>(args, maps, work, shared);
    } else {
        registers_take<S::MANY>();
        attend_all<T, S>(o, args, work, shared);
    }
}

#endif

template <typename T, typename S>
static __global__ void __launch_bounds__(S::THREADS, 1)
attend_wgmma(T *o, const __grid_constant__ attention_args args,
             const __grid_constant__ attention_maps maps, attention_work work)
{
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
    extern __shared__ char bytes[];
    run<T, S>(o, args, maps, work, bytes);
#endif
}

/* --- launching ---------------------------------------------------------------------------- */

/* Boxes of `box` rows and 64 columns of a head. */
static osc_status make_map(const osc_device *device, CUtensorMap *map, const void *x,
                           const attention_args &args, size_t width, size_t rows,
                           size_t sequences, unsigned box)
{
    const cuuint64_t dim[4] = { args.head_size, width / args.head_size, rows, sequences };
    const cuuint64_t stride[3] = { 2 * args.head_size, 2 * width, 2 * width * rows };
    const cuuint32_t boxes[4] = { 64, 1, box, 1 }, step[4] = { 1, 1, 1, 1 };
    CUresult result = ((PFN_cuTensorMapEncodeTiled_v12000)device->encode)(
        map, device->dtype == OSC_F16 ? CU_TENSOR_MAP_DATA_TYPE_FLOAT16
                                      : CU_TENSOR_MAP_DATA_TYPE_BFLOAT16,
        4, (void *)x, dim, stride, boxes, step, CU_TENSOR_MAP_INTERLEAVE_NONE,
        CU_TENSOR_MAP_SWIZZLE_128B, CU_TENSOR_MAP_L2_PROMOTION_L2_256B,
        CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
    if (result != CUDA_SUCCESS)
        return osc_fail(OSC_EDEVICE, "CUDA: describing %zu x %zu values for copies: error %d",
                        sequences * rows, width, (int)result);
    return OSC_OK;
}

template <typename T, typename S>
static osc_status launch(osc_device *device, void *o, const void *q, const void *k, const void *v,
                         const osc_attention *args)
{
    size_t sequences = sequences_of(args), keys = args->past + args->tokens;
    attention_args a = make_attention_args(device, args, true);
    attention_work work = { (unsigned)args->heads,
                            (unsigned)((args->tokens + S::QUERIES - 1) / S::QUERIES),
                            (unsigned)sequences };
    attention_maps maps;
    size_t units = args->heads * work.tiles * sequences;
    size_t most = (size_t)device->processors;
    OSC_TRY(osc_cuda_flags_for(device, &a.flags, o, sequences * args->tokens, a.width));
    OSC_TRY(make_map(device, &maps.q, q, a, a.width, args->tokens, sequences, S::QUERIES));
    OSC_TRY(make_map(device, &maps.k, k, a, a.kv_width, keys, sequences, S::KEYS));
    OSC_TRY(make_map(device, &maps.v, v, a, a.kv_width, keys, sequences, S::KEYS));
    OSC_CUDA_TRY(cudaFuncSetAttribute(attend_wgmma<T, S>,
                                      cudaFuncAttributeMaxDynamicSharedMemorySize,
                                      S::SHARED_BYTES), "shared memory of attention");
    OSC_TRY(launch_after(device, "attention", attend_wgmma<T, S>,
                         dim3((unsigned)(units < most ? units : most)), S::THREADS,
                         S::SHARED_BYTES, (T *)o, a, maps, work));
    return args->top1 == NULL ? OSC_OK
                              : osc_cuda_add_masses(device, args->top1, args->heads, sequences,
                                                    (args->tokens + 15) / 16);
}

template <typename T>
static osc_status dispatch(osc_device *device, void *o, const void *q, const void *k,
                           const void *v, const osc_attention *args)
{
    size_t size = args->head_size;
    return size <= 64 ? launch<T, shape<64>>(device, o, q, k, v, args)
         : size <= 80 ? launch<T, shape<80>>(device, o, q, k, v, args)
         : size <= 96 ? launch<T, shape<96>>(device, o, q, k, v, args)
                      : launch<T, shape<128>>(device, o, q, k, v, args);
}

bool osc_cuda_attention_wgmma_fits(const osc_device *device, size_t head_size)
{
    return device->hopper && device->encode != NULL && head_size >= 64 && head_size <= 128;
}

osc_status osc_cuda_attention_wgmma(osc_device *device, void *o, const void *q, const void *k,
                                    const void *v, const osc_attention *args)
{
    return OSC_CUDA_BY_DTYPE(device, dispatch, device, o, q, k, v, args);
}

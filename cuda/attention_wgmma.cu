/* Causal attention on Hopper: two warpgroups of 64 queries each share tiles of 64 keys.
 * Scores and o are sums of wgmma; p goes from registers into the second product.  Two
 * blocks share a multiprocessor, so that one's exponentials overlap the other's products.
 *
 * Tiles [64 rows, 64 values] have rows of 128 bytes whose 16-byte pieces are swizzled
 * (piece ^ row % 8), as the instructions want them; a head of 128 has two side by
 * side.  K is read along its rows, V across them. */
#include <config.h>
#include "cuda/attention.cuh"
#include "cuda/attention_wgmma.h"

enum {
    GROUP = 128, GROUPS = 2, THREADS = GROUPS * GROUP, WARPS = THREADS / WARP,
    QUERIES = 64 * GROUPS, TILE_BYTES = 64 * 128
};

#if defined(__CUDA_ARCH_FEAT_SM90_ALL)

/* Rows of 128 swizzled bytes; eight rows are 1024 bytes, the next tile of columns
 * TILE_BYTES on. */
static __device__ __forceinline__ uint64_t descriptor(uint32_t address)
{
    return (uint64_t)((address & 0x3ffff) >> 4) | (uint64_t)(TILE_BYTES >> 4) << 16
         | (uint64_t)(1024 >> 4) << 32 | 1ull << 62;
}

static __device__ __forceinline__ void products_begin(void)
{
    asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
}

static __device__ __forceinline__ void products_commit(void)
{
    asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
}

static __device__ __forceinline__ void products_wait(void)
{
    asm volatile("wgmma.wait_group.sync.aligned 0;" ::: "memory");
}

#define FOUR(c, d, i)    c((d)[i][0]), c((d)[i][1]), c((d)[i][2]), c((d)[i][3])
#define SIXTEEN(c, d, i) FOUR(c, d, i), FOUR(c, d, i + 1), FOUR(c, d, i + 2), FOUR(c, d, i + 3)
#define LIST_32 \
    "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, " \
    "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31}"
#define LIST_64 \
    "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, " \
    "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, " \
    "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, " \
    "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63}"

/* s = or += a b^T over 16 columns of 64 queries and 64 keys. */
#define SCORE(TYPE, ACCESS, MORE) \
    asm volatile("wgmma.mma_async.sync.aligned.m64n64k16.f32." TYPE "." TYPE " " LIST_32 \
                 ", %32, %33, " MORE ", 1, 1, 0, 0;" \
                 : SIXTEEN(ACCESS, s, 0), SIXTEEN(ACCESS, s, 4) : "l"(a), "l"(b))

/* o += p v over 16 keys; p is the lane's part of [64, 16]. */
#define WEIGH_64(TYPE) \
    asm volatile("wgmma.mma_async.sync.aligned.m64n64k16.f32." TYPE "." TYPE " " LIST_32 \
                 ", {%32, %33, %34, %35}, %36, 1, 1, 1, 1;" \
                 : SIXTEEN("+f", o, 0), SIXTEEN("+f", o, 4) \
                 : "r"(p[0]), "r"(p[1]), "r"(p[2]), "r"(p[3]), "l"(b))
#define WEIGH_128(TYPE) \
    asm volatile("wgmma.mma_async.sync.aligned.m64n128k16.f32." TYPE "." TYPE " " LIST_64 \
                 ", {%64, %65, %66, %67}, %68, 1, 1, 1, 1;" \
                 : SIXTEEN("+f", o, 0), SIXTEEN("+f", o, 4), SIXTEEN("+f", o, 8), \
                   SIXTEEN("+f", o, 12) \
                 : "r"(p[0]), "r"(p[1]), "r"(p[2]), "r"(p[3]), "l"(b))

static __device__ __forceinline__ void score_first(__half, float (&s)[8][4], uint64_t a, uint64_t b)
{
    SCORE("f16", "=f", "0");
}

static __device__ __forceinline__ void score_more(__half, float (&s)[8][4], uint64_t a, uint64_t b)
{
    SCORE("f16", "+f", "1");
}

static __device__ __forceinline__ void score_first(__nv_bfloat16, float (&s)[8][4], uint64_t a,
                                                   uint64_t b)
{
    SCORE("bf16", "=f", "0");
}

static __device__ __forceinline__ void score_more(__nv_bfloat16, float (&s)[8][4], uint64_t a,
                                                  uint64_t b)
{
    SCORE("bf16", "+f", "1");
}

static __device__ __forceinline__ void weigh_step(__half, float (&o)[8][4],
                                                  const uint32_t (&p)[4], uint64_t b)
{
    WEIGH_64("f16");
}

static __device__ __forceinline__ void weigh_step(__nv_bfloat16, float (&o)[8][4],
                                                  const uint32_t (&p)[4], uint64_t b)
{
    WEIGH_64("bf16");
}

static __device__ __forceinline__ void weigh_step(__half, float (&o)[16][4],
                                                  const uint32_t (&p)[4], uint64_t b)
{
    WEIGH_128("f16");
}

static __device__ __forceinline__ void weigh_step(__nv_bfloat16, float (&o)[16][4],
                                                  const uint32_t (&p)[4], uint64_t b)
{
    WEIGH_128("bf16");
}

/* --- tiles -------------------------------------------------------------------------------- */

/* COUNT rows from `first` on into D / 64 tiles side by side for each 64 of them; zeros
 * beyond `rows`. */
template <typename T, int D, int COUNT>
static __device__ __forceinline__ void fetch(char *tiles, const T *head, unsigned rows,
                                             size_t width, unsigned first)
{
    const int PIECES = D / 8;
#pragma unroll
    for (int i = 0; i < COUNT * PIECES / THREADS; i++) {
        int at = i * THREADS + threadIdx.x, row = at / PIECES, piece = at % PIECES;
        bool inside = first + row < rows;
        const T *from = head + (inside ? (size_t)(first + row) * width : 0) + piece * 8;
        char *tile = tiles + (row / 64 * (D / 64) + piece / 8) * TILE_BYTES;
        copy16(tile + row % 64 * 128 + ((piece ^ row) % 8) * 16, from, inside);
    }
}

/* Copies so far are there for every thread, and for wgmma. */
static __device__ __forceinline__ void arrive(void)
{
    copies_wait<0>();
    asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
    __syncthreads();
}

/* --- the kernel --------------------------------------------------------------------------- */

template <typename T, int D>
static __device__ __forceinline__ void score(float (&s)[KEYS / 8][4], uint32_t queries,
                                             uint32_t keys)
{
    products_begin();
    score_first(T(), s, descriptor(queries), descriptor(keys));
#pragma unroll
    for (int d = 1; d < D / 16; d++) {
        uint32_t at = d / 4 * TILE_BYTES + d % 4 * 32;
        score_more(T(), s, descriptor(queries + at), descriptor(keys + at));
    }
    products_commit();
}

template <typename T, int D>
static __device__ __forceinline__ void weigh(float (&o)[D / 8][4],
                                             const uint32_t (&p)[KEYS / 16][4], uint32_t values)
{
    products_begin();
#pragma unroll
    for (int n = 0; n < KEYS / 16; n++)
        weigh_step(T(), o, p[n], descriptor(values + n * 16 * 128));
    products_commit();
}

/* p rounded to T as the first operand of the second product. */
template <typename T>
static __device__ __forceinline__ void pack_all(uint32_t (&p)[KEYS / 16][4],
                                                const float (&s)[KEYS / 8][4])
{
#pragma unroll
    for (int n = 0; n < KEYS / 16; n++)
#pragma unroll
        for (int j = 0; j < 4; j++) {
            const float *pair = &s[2 * n + j / 2][j % 2 * 2];
            p[n][j] = pack(from_float<T>(pair[0]), from_float<T>(pair[1]));
        }
}

template <typename T, int D>
static __device__ __forceinline__ void
attend_all(T *o, const T *q, const T *k, const T *v, const attention_args &args, char *tiles)
{
    const int KEY_BYTES = D / 64 * TILE_BYTES;
    char *keys = tiles + GROUPS * KEY_BYTES, *values = keys + 2 * KEY_BYTES;
    unsigned tile = gridDim.y - 1 - blockIdx.y;    /* the longest rows first */
    size_t head = rows_before(args) * args.width + blockIdx.x * (size_t)D;
    size_t kv_head = rows_before(args) * args.kv_width + blockIdx.x / args.group * (size_t)D;
    int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP, group = threadIdx.x / GROUP;
    unsigned query = tile * QUERIES + warp * 16 + lane / 4;
    unsigned keys_all = (unsigned)(args.past + args.tokens);
    unsigned at = (unsigned)args.past + query;     /* position of this lane's first row */
    unsigned left = (keys_all + KEYS - 1) / KEYS;
    unsigned count = ((unsigned)args.past + (tile + 1) * QUERIES + KEYS - 1) / KEYS;
    unsigned mine = ((unsigned)args.past + tile * QUERIES + group * 64 + 1) / KEYS;
                                                   /* from this tile of keys on some are masked */
    uint32_t queries_at = shared_address(tiles) + group * KEY_BYTES;
    uint32_t keys_at = shared_address(keys), values_at = shared_address(values);
    float factor = args.scale * 1.44269504088896341f, slope = slope_of(args, blockIdx.x);
    float out[D / 8][4], s[KEYS / 8][4], largest[2] = { -INFINITY, -INFINITY }, sum[2] = { 0, 0 };
    uint32_t p[KEYS / 16][4];

    count = count < left ? count : left;           /* tiles that have keys */
#pragma unroll
    for (int i = 0; i < D / 8; i++)
#pragma unroll
        for (int j = 0; j < 4; j++)
            out[i][j] = 0.0f;
    fetch<T, D, QUERIES>(tiles, q + head, (unsigned)args.tokens, args.width, tile * QUERIES);
    fetch<T, D, KEYS>(keys, k + kv_head, keys_all, args.kv_width, 0);
    fetch<T, D, KEYS>(values, v + kv_head, keys_all, args.kv_width, 0);
    copies_end();
    for (unsigned t = 0; t < count; t++) {
        uint32_t now = t % 2 * KEY_BYTES, next = KEY_BYTES - now;
        arrive();                                  /* and all are done with the tile before */
        if (t + 1 < count) {
            fetch<T, D, KEYS>(keys + next, k + kv_head, keys_all, args.kv_width, (t + 1) * KEYS);
            fetch<T, D, KEYS>(values + next, v + kv_head, keys_all, args.kv_width,
                              (t + 1) * KEYS);
        }
        copies_end();
        score<T, D>(s, queries_at, keys_at + now);
        products_wait();
        if (args.full != 0)
            lean(s, at, t * KEYS, slope);
        if (t >= mine)
            mask(s, at, t * KEYS);
        soften<D>(s, out, largest, sum, factor);
        pack_all<T>(p, s);
        weigh<T, D>(out, p, values_at + now);
        products_wait();
    }
    sum[0] = quad_sum(sum[0]);
    sum[1] = quad_sum(sum[1]);
    store<T, D>(o + head, out, sum, args, query);
    if (args.mass != NULL)
        add_mass<WARPS>(mass_of(args, tile), args, sum, query);
}

#endif

template <typename T, int D>
static __global__ void __launch_bounds__(THREADS, 2)
attend_wgmma(T *o, const T *q, const T *k, const T *v, const __grid_constant__ attention_args args)
{
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
    extern __shared__ __align__(1024) char tiles[];
    attend_all<T, D>(o, q, k, v, args, tiles);
#endif
}

template <typename T, int D>
static osc_status launch(osc_device *device, void *o, const void *q, const void *k, const void *v,
                         const osc_attention *args)
{
    size_t bytes = (GROUPS + 4) * (D / 64) * TILE_BYTES, sequences = sequences_of(args);
    dim3 grid((unsigned)args->heads, (unsigned)((args->tokens + QUERIES - 1) / QUERIES),
              (unsigned)sequences);
    attention_args a = make_attention_args(device, args, true);
    OSC_TRY(osc_cuda_flags_for(device, &a.flags, o, sequences * args->tokens, a.width));
    OSC_CUDA_TRY(cudaFuncSetAttribute(attend_wgmma<T, D>,
                                      cudaFuncAttributeMaxDynamicSharedMemorySize, (int)bytes),
                 "shared memory of attention");
    attend_wgmma<T, D><<<grid, THREADS, bytes, device->stream>>>((T *)o, (const T *)q,
                                                                 (const T *)k, (const T *)v, a);
    OSC_TRY(osc_cuda_launched("attention"));
    return args->top1 == NULL ? OSC_OK
                              : osc_cuda_add_masses(device, args->top1, args->heads, sequences,
                                                    grid.y);
}

template <typename T>
static osc_status dispatch(osc_device *device, void *o, const void *q, const void *k,
                           const void *v, const osc_attention *args)
{
    return args->head_size == 64 ? launch<T, 64>(device, o, q, k, v, args)
                                 : launch<T, 128>(device, o, q, k, v, args);
}

osc_status osc_cuda_attention_wgmma(osc_device *device, void *o, const void *q, const void *k,
                                    const void *v, const osc_attention *args)
{
    return OSC_CUDA_BY_DTYPE(device, dispatch, device, o, q, k, v, args);
}

/* Causal attention without a T x T matrix (Dao 2023, FlashAttention-2): a block of
 * four warps has 64 queries of one head and walks over the keys, 64 at a time, with a
 * running maximum and sum.  The largest probability of a query is 1 / sum at the end,
 * since the exponent of the maximum is 0. */
#include <config.h>
#include "cuda/attention.cuh"
#include "cuda/attention_few.h"
#include "cuda/attention_wgmma.h"
#include "cuda/launch.cuh"

enum {
    WARPS = 4, THREADS = WARPS * WARP,
    QUERIES = 64, KEYS = 64,
    ROW_PAD = 8          /* elements: rows then start 16 bytes apart modulo the banks */
};

/* --- tiles -------------------------------------------------------------------------------- */

/* Rows first .. first+63 of one head into a tile [64, D + ROW_PAD]; zeros beyond `rows`
 * and beyond the head. */
template <typename T, int D>
static __device__ void fetch(T *tile, const T *head, const attention_args &args, size_t rows,
                             size_t width, size_t first)
{
    const int PIECES = D / 8;
    for (int i = threadIdx.x; i < KEYS * PIECES; i += THREADS) {
        int row = i / PIECES, column = i % PIECES * 8;
        T *to = tile + row * (D + ROW_PAD) + column;
        bool inside = first + row < rows;
        const T *from = head + (inside ? (first + row) * width : 0);
        if (args.vectors) {
            bool wanted = inside && column < (int)args.head_size;
            copy16(to, wanted ? from + column : head, wanted);
        } else {
            for (int j = 0; j < 8; j++)
                to[j] = inside && column + j < (int)args.head_size ? from[column + j]
                                                                   : from_float<T>(0.0f);
        }
    }
}

/* --- one tile of scores ------------------------------------------------------------------- */

/* s[8][4] = q k^T of this warp's 16 queries and the tile's 64 keys. */
template <typename T, int D>
static __device__ __forceinline__ void score(float (&s)[KEYS / 8][4],
                                             const uint32_t (&q)[D / 16][4], const T *keys)
{
    int lane = threadIdx.x % WARP;
    /* tiles 0, 1: keys 0-7 at depths 0-7, 8-15; tiles 2, 3: keys 8-15 */
    const T *row = keys + (lane % 8 + lane / 16 * 8) * (D + ROW_PAD) + lane / 8 % 2 * 8;
#pragma unroll
    for (int n = 0; n < KEYS / 8; n++)
#pragma unroll
        for (int j = 0; j < 4; j++)
            s[n][j] = 0.0f;
#pragma unroll
    for (int d = 0; d < D / 16; d++)
#pragma unroll
        for (int n = 0; n < KEYS / 16; n++) {
            uint32_t k[4];
            load_tiles(k, row + n * 16 * (D + ROW_PAD) + d * 16);
            mma<T>(s[2 * n], q[d], k[0], k[1]);
            mma<T>(s[2 * n + 1], q[d], k[2], k[3]);
        }
}

/* o[D / 8][4] += p v, p rounded to T. */
template <typename T, int D>
static __device__ __forceinline__ void weigh(float (&o)[D / 8][4], const float (&p)[KEYS / 8][4],
                                             const T *values)
{
    int lane = threadIdx.x % WARP;
    const T *row = values + (lane % 8 + lane / 8 % 2 * 8) * (D + ROW_PAD) + lane / 16 * 8;
#pragma unroll
    for (int n = 0; n < KEYS / 16; n++) {
        uint32_t a[4];
#pragma unroll
        for (int j = 0; j < 4; j++) {
            const float *pair = &p[2 * n + j / 2][j % 2 * 2];
            a[j] = pack(from_float<T>(pair[0]), from_float<T>(pair[1]));
        }
#pragma unroll
        for (int d = 0; d < D / 16; d++) {
            uint32_t v[4];
            load_tiles_transposed(v, row + n * 16 * (D + ROW_PAD) + d * 16);
            mma<T>(o[2 * d], a, v[0], v[1]);
            mma<T>(o[2 * d + 1], a, v[2], v[3]);
        }
    }
}

/* --- the kernel --------------------------------------------------------------------------- */

template <typename T, int D>
static __global__ void __launch_bounds__(THREADS)
attend(T *o, const T *q, const T *k, const T *v, const __grid_constant__ attention_args args)
{
    extern __shared__ uint4 bytes[];
    const int TILE = KEYS * (D + ROW_PAD);
    T *keys = (T *)bytes, *values = keys + 2 * TILE;   /* two of each, filled in turn */
    unsigned tile = gridDim.y - 1 - blockIdx.y;        /* the longest rows first */
    size_t head = rows_before(args) * args.width + blockIdx.x * args.head_size;
    size_t kv_head = rows_before(args) * args.kv_width
                   + blockIdx.x / args.group * args.head_size;
    size_t keys_all = args.past + args.tokens;
    int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
    unsigned query = tile * QUERIES + warp * 16 + lane / 4;
    unsigned at = (unsigned)args.past + query;         /* position of this lane's first row */
    unsigned last = (unsigned)(args.past + tile * QUERIES + QUERIES - 1) / KEYS;
    float factor = args.scale * 1.44269504088896341f, slope = slope_of(args, blockIdx.x);

    /* queries pass through the first tile of values into registers */
    uint32_t fragments[D / 16][4];
    fetch<T, D>(values, q + head, args, args.tokens, args.width, tile * QUERIES);
    copies_end();
    fetch<T, D>(keys, k + kv_head, args, keys_all, args.kv_width, 0);
    copies_end();
    copies_wait<1>();
    __syncthreads();
#pragma unroll
    for (int d = 0; d < D / 16; d++)
        load_tiles(fragments[d], values + (warp * 16 + lane % 16) * (D + ROW_PAD) + lane / 16 * 8
                                        + d * 16);
    __syncthreads();
    fetch<T, D>(values, v + kv_head, args, keys_all, args.kv_width, 0);
    copies_end();

    float out[D / 8][4] = { { 0.0f } }, largest[2] = { -INFINITY, -INFINITY }, sum[2] = { 0, 0 };
    for (unsigned t = 0; t <= last; t++) {
        int now = t % 2 * TILE, next = TILE - now;
        if (t < last) {
            fetch<T, D>(keys + next, k + kv_head, args, keys_all, args.kv_width, (t + 1) * KEYS);
            copies_end();
            fetch<T, D>(values + next, v + kv_head, args, keys_all, args.kv_width,
                        (t + 1) * KEYS);
        } else {
            copies_end();                /* empty groups keep the count of them the same */
        }
        copies_end();
        copies_wait<3>();
        __syncthreads();
        float s[KEYS / 8][4], shrink[2];
        score<T, D>(s, fragments, keys + now);
        if (args.full != 0)
            lean(s, at, t * KEYS, slope);
        if (t * KEYS + KEYS > args.past + tile * QUERIES)
            mask(s, at, t * KEYS);
        soften(s, shrink, largest, sum, factor);
        rescale(out, shrink);
        copies_wait<2>();
        __syncthreads();
        weigh<T, D>(out, s, values + now);
        __syncthreads();
    }
    sum[0] = quad_sum(sum[0]);
    sum[1] = quad_sum(sum[1]);
    clear_next(args.flags);
    store<T, D>(o + head, out, sum, args, query);
    if (args.mass != NULL)
        add_mass<WARPS>(mass_of(args, tile), args, sum, query);
}

/* --- heads wider than the tiles ----------------------------------------------------------- */

/* One query and head a block, its scores in shared memory. */
template <typename T>
static __global__ void attend_wide(T *o, const T *q, const T *k, const T *v,
                                   const __grid_constant__ attention_args args)
{
    extern __shared__ float s[];
    __shared__ float parts[WARPS];
    size_t query = blockIdx.x, last = args.past + query;
    size_t head = rows_before(args) * args.width + blockIdx.y * args.head_size;
    size_t kv_head = rows_before(args) * args.kv_width
                   + blockIdx.y / args.group * args.head_size;
    float largest = -INFINITY, sum = 0.0f, slope = slope_of(args, blockIdx.y);
    for (size_t j = threadIdx.x; j <= last; j += THREADS) {
        float dot = 0.0f;
        for (size_t d = 0; d < args.head_size; d++)
            dot += to_float(q[query * args.width + head + d])
                 * to_float(k[j * args.kv_width + kv_head + d]);
        dot -= slope * (float)(last - j);
        s[j] = dot;
        largest = fmaxf(largest, dot);
    }
    for (int offset = WARP / 2; offset > 0; offset /= 2)
        largest = fmaxf(largest, __shfl_xor_sync(~0u, largest, offset));
    if (threadIdx.x % WARP == 0)
        parts[threadIdx.x / WARP] = largest;
    __syncthreads();
    largest = fmaxf(fmaxf(parts[0], parts[1]), fmaxf(parts[2], parts[3]));
    for (size_t j = threadIdx.x; j <= last; j += THREADS)
        s[j] = expf((s[j] - largest) * args.scale);
    __syncthreads();
    for (size_t j = 0; j <= last; j++)
        sum += s[j];
    for (size_t d = threadIdx.x; d < args.head_size; d += THREADS) {
        float out = 0.0f;
        for (size_t j = 0; j <= last; j++)
            out += s[j] * to_float(v[j * args.kv_width + kv_head + d]);
        o[query * args.width + head + d] = from_float<T>(out / sum);
    }
    if (args.mass != NULL && threadIdx.x == 0)
        args.mass[((size_t)blockIdx.y * gridDim.z + blockIdx.z) * gridDim.x + query] =
            1.0 / (double)sum;
}

/* --- launching ---------------------------------------------------------------------------- */

enum { MOST_SEQUENCES = 65535 };      /* of a grid */

typedef osc_status attention_call(osc_device *device, void *o, const void *q, const void *k,
                                  const void *v, const osc_attention *args);

/* A warp a head, in a fixed order. */
static __global__ void add_masses(double *top1, const double *mass, size_t sequences,
                                  size_t parts)
{
    after_last_kernel();
    double all = threadIdx.x == 0 ? top1[blockIdx.x] : 0.0;
    mass += blockIdx.x * sequences * parts;
    for (size_t s = 0; s < sequences; s++, mass += parts) {
        double sum = 0.0;
        for (size_t i = threadIdx.x; i < parts; i += WARP)
            sum += mass[i];
        for (int offset = WARP / 2; offset > 0; offset /= 2)
            sum += __shfl_xor_sync(~0u, sum, offset);
        all += sum;
    }
    if (threadIdx.x == 0)
        top1[blockIdx.x] = all;
}

osc_status osc_cuda_add_masses(osc_device *device, double *top1, size_t heads, size_t sequences,
                               size_t parts)
{
    return launch_after(device, "top-1 mass", add_masses, dim3((unsigned)heads), WARP, 0, top1,
                        (const double *)device->mass, sequences, parts);
}

template <typename K>
static osc_status allow_shared(K *kernel, size_t bytes)
{
    OSC_CUDA_TRY(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                      (int)bytes), "shared memory of attention");
    return OSC_OK;
}

/* One sequence a call: the few queries of a step, more sequences than a grid has room for. */
static osc_status attend_each(osc_device *device, void *o, const void *q, const void *k,
                              const void *v, const osc_attention *args, attention_call *attend)
{
    size_t kv_heads = args->kv_heads == 0 ? args->heads : args->kv_heads;
    size_t bytes = args->tokens * args->heads * args->head_size * 2;
    size_t kv_bytes = args->tokens * kv_heads * args->head_size * 2;
    osc_attention one = *args;
    one.sequences = 1;
    for (size_t s = 0; s < sequences_of(args); s++)
        OSC_TRY(attend(device, (char *)o + s * bytes, (const char *)q + s * bytes,
                       (const char *)k + s * kv_bytes, (const char *)v + s * kv_bytes, &one));
    return OSC_OK;
}

template <typename T, int D>
static osc_status launch(osc_device *device, void *o, const void *q, const void *k, const void *v,
                         const attention_args &args, size_t heads, size_t sequences)
{
    size_t bytes = 4 * KEYS * (D + ROW_PAD) * sizeof(T);
    dim3 grid((unsigned)heads, (unsigned)((args.tokens + QUERIES - 1) / QUERIES),
              (unsigned)sequences);
    OSC_TRY(allow_shared(attend<T, D>, bytes));
    attend<T, D><<<grid, THREADS, bytes, device->stream>>>((T *)o, (const T *)q, (const T *)k,
                                                           (const T *)v, args);
    return osc_cuda_launched("attention");
}

template <typename T>
static osc_status launch_wide(osc_device *device, void *o, const void *q, const void *k,
                              const void *v, const attention_args &args, size_t heads,
                              size_t sequences)
{
    size_t bytes = (args.past + args.tokens + 3) / 4 * 4 * sizeof(float);   /* read in fours */
    dim3 grid((unsigned)args.tokens, (unsigned)heads, (unsigned)sequences);
    OSC_TRY(allow_shared(attend_wide<T>, bytes));
    attend_wide<T><<<grid, THREADS, bytes, device->stream>>>((T *)o, (const T *)q, (const T *)k,
                                                             (const T *)v, args);
    return osc_cuda_launched("attention");
}

template <typename T>
static osc_status dispatch(osc_device *device, void *o, const void *q, const void *k,
                           const void *v, const osc_attention *args)
{
    size_t size = args->head_size, heads = args->heads, n = sequences_of(args);
    attention_args a = make_attention_args(device, args, size % 8 == 0 && is_aligned16(o)
                                           && is_aligned16(q) && is_aligned16(k)
                                           && is_aligned16(v));
    if (a.vectors && size <= 128 && args->tokens <= CUDA_FEW_QUERIES)
        return attend_each(device, o, q, k, v, args, osc_cuda_attention_few);
    if (n > MOST_SEQUENCES)
        return attend_each(device, o, q, k, v, args, osc_cuda_attention);
    if (a.vectors && osc_cuda_attention_wgmma_fits(device, size))
        return osc_cuda_attention_wgmma(device, o, q, k, v, args);
    if (size <= 128)
        OSC_TRY(osc_cuda_flags_for(device, &a.flags, o, n * args->tokens, a.width));
    size_t parts = size <= 128 ? (args->tokens + QUERIES - 1) / QUERIES : args->tokens;
    OSC_TRY(size <= 32 ? (launch<T, 32>(device, o, q, k, v, a, heads, n))
          : size <= 64 ? (launch<T, 64>(device, o, q, k, v, a, heads, n))
          : size <= 80 ? (launch<T, 80>(device, o, q, k, v, a, heads, n))
          : size <= 96 ? (launch<T, 96>(device, o, q, k, v, a, heads, n))
          : size <= 128 ? (launch<T, 128>(device, o, q, k, v, a, heads, n))
                        : launch_wide<T>(device, o, q, k, v, a, heads, n));
    return args->top1 == NULL ? OSC_OK
                              : osc_cuda_add_masses(device, args->top1, heads, n, parts);
}

osc_status osc_cuda_attention(osc_device *device, void *o, const void *q, const void *k,
                              const void *v, const osc_attention *args)
{
    if (sequences_of(args) > 1 && args->past != 0)
        return osc_fail(OSC_EINVAL, "attention of %zu sequences behind %zu keys, expected none",
                        args->sequences, args->past);
    if (args->top1 != NULL && sequences_of(args) * args->tokens > device->limits.rows)
        return osc_fail(OSC_EINVAL, "top-1 mass of %zu x %zu queries, planned were %zu",
                        sequences_of(args), args->tokens, device->limits.rows);
    return OSC_CUDA_BY_DTYPE(device, dispatch, device, o, q, k, v, args);
}

/* Causal attention without a T x T matrix (Dao 2023, FlashAttention-2): a block of
 * four warps has 64 queries of one head and walks over the keys, 64 at a time, with a
 * running maximum and sum.  The largest probability of a query is 1 / sum at the end,
 * since the exponent of the maximum is 0. */
#include <config.h>
#include "cuda/backend.h"
#include "cuda/element.cuh"
#include "cuda/mma.cuh"

enum {
    WARP = 32, WARPS = 4, THREADS = WARPS * WARP,
    QUERIES = 64, KEYS = 64,
    ROW_PAD = 8          /* elements: rows then start 16 bytes apart modulo the banks */
};

struct attention_args {
    size_t tokens, head_size, width;     /* width: heads * head_size */
    float  scale;
    double *mass;                        /* [heads, tiles] */
    bool   vectors;                      /* rows can be copied 16 bytes at a time */
};

/* --- tiles --------------------------------------------------------------------------------- */

/* Rows first .. first+63 of one head into a tile [64, D + ROW_PAD]; zeros beyond the
 * sequence and beyond the head. */
template <typename T, int D>
static __device__ void fetch(T *tile, const T *head, const attention_args &args, size_t first)
{
    const int PIECES = D / 8;
    for (int i = threadIdx.x; i < KEYS * PIECES; i += THREADS) {
        int row = i / PIECES, column = i % PIECES * 8;
        T *to = tile + row * (D + ROW_PAD) + column;
        bool inside = first + row < args.tokens;
        const T *from = head + (inside ? (first + row) * args.width : 0);
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

/* --- one tile of scores --------------------------------------------------------------------- */

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

/* Keys after a query do not count; `query` is that of this lane's first row. */
static __device__ __forceinline__ void mask(float (&s)[KEYS / 8][4], size_t query, size_t key)
{
    int lane = threadIdx.x % WARP;
#pragma unroll
    for (int n = 0; n < KEYS / 8; n++)
#pragma unroll
        for (int j = 0; j < 4; j++)
            if (key + n * 8 + lane % 4 * 2 + j % 2 > query + j / 2 * 8)
                s[n][j] = -INFINITY;
}

static __device__ __forceinline__ float quad_max(float v)
{
    v = fmaxf(v, __shfl_xor_sync(~0u, v, 1));
    return fmaxf(v, __shfl_xor_sync(~0u, v, 2));
}

static __device__ __forceinline__ float quad_sum(float v)
{
    v += __shfl_xor_sync(~0u, v, 1);
    return v + __shfl_xor_sync(~0u, v, 2);
}

/* s becomes exp(scale (s - max)); max and sum of this lane's two rows move on, and o
 * is rescaled.  `sum` is this lane's part: the quad's are added at the end. */
template <int D>
static __device__ __forceinline__ void soften(float (&s)[KEYS / 8][4], float (&o)[D / 8][4],
                                              float (&largest)[2], float (&sum)[2], float factor)
{
#pragma unroll
    for (int r = 0; r < 2; r++) {
        float most = largest[r];
#pragma unroll
        for (int n = 0; n < KEYS / 8; n++)
            most = fmaxf(most, fmaxf(s[n][2 * r], s[n][2 * r + 1]));
        most = quad_max(most);
        float shrink = exp2f((largest[r] - most) * factor);
        largest[r] = most;
        sum[r] *= shrink;
#pragma unroll
        for (int n = 0; n < KEYS / 8; n++)
#pragma unroll
            for (int j = 0; j < 2; j++) {
                float e = exp2f((s[n][2 * r + j] - most) * factor);
                s[n][2 * r + j] = e;
                sum[r] += e;
            }
#pragma unroll
        for (int d = 0; d < D / 8; d++) {
            o[d][2 * r] *= shrink;
            o[d][2 * r + 1] *= shrink;
        }
    }
}

/* --- the kernel ------------------------------------------------------------------------------ */

/* Sum over the block's queries of 1 / sum, in a fixed order. */
static __device__ void add_mass(const attention_args &args, const float (&sum)[2], size_t query)
{
    __shared__ double parts[WARPS];
    int lane = threadIdx.x % WARP;
    double mass = 0.0;
    if (lane % 4 == 0)
        for (int r = 0; r < 2; r++)
            if (query + r * 8 < args.tokens)
                mass += 1.0 / (double)sum[r];
    for (int offset = 4; offset < WARP; offset *= 2)
        mass += __shfl_xor_sync(~0u, mass, offset);
    if (lane == 0)
        parts[threadIdx.x / WARP] = mass;
    __syncthreads();
    if (threadIdx.x == 0)
        args.mass[blockIdx.y * gridDim.x + gridDim.x - 1 - blockIdx.x]
            = parts[0] + parts[1] + parts[2] + parts[3];
}

template <typename T, int D>
static __device__ void store(T *head, const float (&o)[D / 8][4], const float (&sum)[2],
                             const attention_args &args, size_t query)
{
    int lane = threadIdx.x % WARP;
    for (int r = 0; r < 2; r++) {
        if (query + r * 8 >= args.tokens)
            continue;
        T *row = head + (query + r * 8) * args.width;
        float inverse = 1.0f / sum[r];
#pragma unroll
        for (int d = 0; d < D / 8; d++) {
            int column = d * 8 + lane % 4 * 2;
            T first = from_float<T>(o[d][2 * r] * inverse);
            T second = from_float<T>(o[d][2 * r + 1] * inverse);
            if (args.vectors && column < (int)args.head_size) {
                *(uint32_t *)(row + column) = pack(first, second);
            } else {
                if (column < (int)args.head_size)
                    row[column] = first;
                if (column + 1 < (int)args.head_size)
                    row[column + 1] = second;
            }
        }
    }
}

template <typename T, int D>
static __global__ void __launch_bounds__(THREADS)
attend(T *o, const T *q, const T *k, const T *v, const __grid_constant__ attention_args args)
{
    extern __shared__ uint4 bytes[];
    const int TILE = KEYS * (D + ROW_PAD);
    T *keys = (T *)bytes, *values = keys + 2 * TILE;   /* two of each, filled in turn */
    size_t tile = gridDim.x - 1 - blockIdx.x;          /* the longest rows first */
    size_t head = blockIdx.y * args.head_size;
    int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
    size_t query = tile * QUERIES + warp * 16 + lane / 4;
    float factor = args.scale * 1.44269504088896341f;

    /* queries pass through the first tile of values into registers */
    uint32_t fragments[D / 16][4];
    fetch<T, D>(values, q + head, args, tile * QUERIES);
    copies_end();
    fetch<T, D>(keys, k + head, args, 0);
    copies_end();
    copies_wait<1>();
    __syncthreads();
#pragma unroll
    for (int d = 0; d < D / 16; d++)
        load_tiles(fragments[d], values + (warp * 16 + lane % 16) * (D + ROW_PAD) + lane / 16 * 8
                                        + d * 16);
    __syncthreads();
    fetch<T, D>(values, v + head, args, 0);
    copies_end();

    float out[D / 8][4] = { { 0.0f } }, largest[2] = { -INFINITY, -INFINITY }, sum[2] = { 0, 0 };
    for (size_t t = 0; t <= tile; t++) {
        int now = t % 2 * TILE, next = TILE - now;
        if (t < tile) {
            fetch<T, D>(keys + next, k + head, args, (t + 1) * KEYS);
            copies_end();
            fetch<T, D>(values + next, v + head, args, (t + 1) * KEYS);
        } else {
            copies_end();                /* empty groups keep the count of them the same */
        }
        copies_end();
        copies_wait<3>();
        __syncthreads();
        float s[KEYS / 8][4];
        score<T, D>(s, fragments, keys + now);
        if (t == tile)
            mask(s, query, t * KEYS);
        soften<D>(s, out, largest, sum, factor);
        copies_wait<2>();
        __syncthreads();
        weigh<T, D>(out, s, values + now);
        __syncthreads();
    }
    sum[0] = quad_sum(sum[0]);
    sum[1] = quad_sum(sum[1]);
    store<T, D>(o + head, out, sum, args, query);
    if (args.mass != NULL)
        add_mass(args, sum, query);
}

/* --- heads wider than the tiles ------------------------------------------------------------- */

/* One query and head a block, its scores in shared memory. */
template <typename T>
static __global__ void attend_wide(T *o, const T *q, const T *k, const T *v,
                                   const __grid_constant__ attention_args args)
{
    extern __shared__ float s[];
    __shared__ float parts[WARPS];
    size_t query = blockIdx.x, head = blockIdx.y * args.head_size;
    float largest = -INFINITY, sum = 0.0f;
    for (size_t j = threadIdx.x; j <= query; j += THREADS) {
        float dot = 0.0f;
        for (size_t d = 0; d < args.head_size; d++)
            dot += to_float(q[query * args.width + head + d])
                 * to_float(k[j * args.width + head + d]);
        s[j] = dot;
        largest = fmaxf(largest, dot);
    }
    for (int offset = WARP / 2; offset > 0; offset /= 2)
        largest = fmaxf(largest, __shfl_xor_sync(~0u, largest, offset));
    if (threadIdx.x % WARP == 0)
        parts[threadIdx.x / WARP] = largest;
    __syncthreads();
    largest = fmaxf(fmaxf(parts[0], parts[1]), fmaxf(parts[2], parts[3]));
    for (size_t j = threadIdx.x; j <= query; j += THREADS)
        s[j] = expf((s[j] - largest) * args.scale);
    __syncthreads();
    for (size_t j = 0; j <= query; j++)
        sum += s[j];
    for (size_t d = threadIdx.x; d < args.head_size; d += THREADS) {
        float out = 0.0f;
        for (size_t j = 0; j <= query; j++)
            out += s[j] * to_float(v[j * args.width + head + d]);
        o[query * args.width + head + d] = from_float<T>(out / sum);
    }
    if (args.mass != NULL && threadIdx.x == 0)
        args.mass[blockIdx.y * gridDim.x + query] = 1.0 / (double)sum;
}

/* --- launching -------------------------------------------------------------------------------- */

static __global__ void add_masses(double *top1, const double *mass, size_t tiles)
{
    double sum = 0.0;
    for (size_t i = 0; i < tiles; i++)
        sum += mass[blockIdx.x * tiles + i];
    top1[blockIdx.x] += sum;
}

osc_status osc_cuda_add_masses(osc_device *device, double *top1, size_t heads, size_t parts)
{
    add_masses<<<(unsigned)heads, 1, 0, device->stream>>>(top1, device->mass, parts);
    return osc_cuda_launched("top-1 mass");
}

template <typename K>
static osc_status allow_shared(K *kernel, size_t bytes)
{
    OSC_CUDA_TRY(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                      (int)bytes), "shared memory of attention");
    return OSC_OK;
}

template <typename T, int D>
static osc_status launch(osc_device *device, void *o, const void *q, const void *k, const void *v,
                         const attention_args &args, size_t heads)
{
    size_t bytes = 4 * KEYS * (D + ROW_PAD) * sizeof(T);
    dim3 grid((unsigned)((args.tokens + QUERIES - 1) / QUERIES), (unsigned)heads);
    OSC_TRY(allow_shared(attend<T, D>, bytes));
    attend<T, D><<<grid, THREADS, bytes, device->stream>>>((T *)o, (const T *)q, (const T *)k,
                                                           (const T *)v, args);
    return osc_cuda_launched("attention");
}

template <typename T>
static osc_status launch_wide(osc_device *device, void *o, const void *q, const void *k,
                              const void *v, const attention_args &args, size_t heads)
{
    size_t bytes = args.tokens * sizeof(float);
    dim3 grid((unsigned)args.tokens, (unsigned)heads);
    OSC_TRY(allow_shared(attend_wide<T>, bytes));
    attend_wide<T><<<grid, THREADS, bytes, device->stream>>>((T *)o, (const T *)q, (const T *)k,
                                                             (const T *)v, args);
    return osc_cuda_launched("attention");
}

template <typename T>
static osc_status dispatch(osc_device *device, void *o, const void *q, const void *k,
                           const void *v, const osc_attention *args)
{
    size_t size = args->head_size;
    attention_args a = { args->tokens, size, args->heads * size, args->scale,
                         args->top1 == NULL ? NULL : device->mass,
                         size % 8 == 0 && is_aligned16(o) && is_aligned16(q) && is_aligned16(k)
                             && is_aligned16(v) };
    size_t parts = size <= 128 ? (args->tokens + QUERIES - 1) / QUERIES : args->tokens;
    OSC_TRY(size <= 32 ? (launch<T, 32>(device, o, q, k, v, a, args->heads))
          : size <= 64 ? (launch<T, 64>(device, o, q, k, v, a, args->heads))
          : size <= 80 ? (launch<T, 80>(device, o, q, k, v, a, args->heads))
          : size <= 96 ? (launch<T, 96>(device, o, q, k, v, a, args->heads))
          : size <= 128 ? (launch<T, 128>(device, o, q, k, v, a, args->heads))
                        : launch_wide<T>(device, o, q, k, v, a, args->heads));
    return args->top1 == NULL ? OSC_OK
                              : osc_cuda_add_masses(device, args->top1, args->heads, parts);
}

osc_status osc_cuda_attention(osc_device *device, void *o, const void *q, const void *k,
                              const void *v, const osc_attention *args)
{
    return OSC_CUDA_BY_DTYPE(device, dispatch, device, o, q, k, v, args);
}

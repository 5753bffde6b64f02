/* What the kernels of causal attention share: scores of a warp's 16 queries against some
 * keys in registers, laid out as the tensor cores leave them: lane l holds rows l/4 and
 * l/4+8 and columns 2(l%4), +1 of every eight. */
#ifndef OSC_CUDA_ATTENTION_CUH
#define OSC_CUDA_ATTENTION_CUH

#include "cuda/backend.h"
#include "cuda/flags.cuh"
#include "cuda/mma.cuh"

enum { WARP = 32 };

struct attention_args {
    size_t tokens, past, head_size;
    size_t width, kv_width;              /* of rows of q and o, of k and v */
    unsigned group;                      /* heads of q that share one of k and v */
    unsigned full;                       /* with ALiBi the largest power of two that is at most
                                            heads, else 0 */
    float  scale;
    double *mass;                        /* [heads, sequences, tiles] */
    bool   vectors;                      /* rows can be copied 16 bytes at a time */
    osc_cuda_flags flags;                /* of o */
};

static inline size_t sequences_of(const osc_attention *args)
{
    return args->sequences == 0 ? 1 : args->sequences;
}

static inline attention_args make_attention_args(osc_device *device, const osc_attention *args,
                                                 bool vectors)
{
    size_t size = args->head_size, kv_heads = args->kv_heads == 0 ? args->heads : args->kv_heads;
    unsigned full = args->alibi;
    while (full != 0 && 2 * full <= args->heads)
        full *= 2;
    return { args->tokens, args->past, size, args->heads * size, kv_heads * size,
             (unsigned)(args->heads / kv_heads), full, args->scale,
             args->top1 == NULL ? NULL : device->mass, vectors, {} };
}

/* Rows of q and o, and of k and v, before those of this block's sequence. */
static __device__ __forceinline__ size_t rows_before(const attention_args &args)
{
    return blockIdx.z * args.tokens;
}

static __device__ __forceinline__ double *mass_of(const attention_args &args, unsigned tile)
{
    return args.mass + ((size_t)blockIdx.x * gridDim.z + blockIdx.z) * gridDim.y + tile;
}

/* osc_alibi_slope(head) in units of unscaled scores; 0 without ALiBi. */
static __device__ __forceinline__ float slope_of(const attention_args &args, unsigned head)
{
    float c = (float)args.full;
    if (args.full == 0)
        return 0.0f;
    return exp2f(head < args.full ? -8.0f * (float)(head + 1) / c
                                  : -4.0f * (float)(2 * (head - args.full) + 1) / c) / args.scale;
}

/* ALiBi, as far as it differs between keys: the distance from the query counts. */
template <int N>
static __device__ __forceinline__ void lean(float (&s)[N][4], unsigned query, unsigned key,
                                            float slope)
{
    int lane = threadIdx.x % WARP, ahead = (int)(key - query) + lane % 4 * 2;
#pragma unroll
    for (int n = 0; n < N; n++)
#pragma unroll
        for (int j = 0; j < 4; j++)
            s[n][j] += slope * (float)(ahead + n * 8 + j % 2 - j / 2 * 8);
}

static __device__ __forceinline__ float fast_exp2(float x)
{
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

/* Keys after a query do not count; `query` is the position of this lane's first row. */
template <int N>
static __device__ __forceinline__ void mask(float (&s)[N][4], unsigned query, unsigned key)
{
    int lane = threadIdx.x % WARP, last = (int)(query - key) - lane % 4 * 2;
#pragma unroll
    for (int n = 0; n < N; n++)
#pragma unroll
        for (int j = 0; j < 4; j++)
            if (n * 8 + j % 2 - j / 2 * 8 > last)
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
 * must shrink.  `sum` is this lane's part: the quad's are added at the end. */
template <int N>
static __device__ __forceinline__ void soften(float (&s)[N][4], float (&shrink)[2],
                                              float (&largest)[2], float (&sum)[2], float factor)
{
#pragma unroll
    for (int r = 0; r < 2; r++) {
        float most = largest[r];
#pragma unroll
        for (int n = 0; n < N; n++)
            most = fmaxf(most, fmaxf(s[n][2 * r], s[n][2 * r + 1]));
        most = quad_max(most);
        shrink[r] = fast_exp2((largest[r] - most) * factor);
        largest[r] = most;
        sum[r] *= shrink[r];
#pragma unroll
        for (int n = 0; n < N; n++)
#pragma unroll
            for (int j = 0; j < 2; j++) {
                float e = fast_exp2((s[n][2 * r + j] - most) * factor);
                s[n][2 * r + j] = e;
                sum[r] += e;
            }
    }
}

template <int N>
static __device__ __forceinline__ void rescale(float (&o)[N][4], const float (&shrink)[2])
{
#pragma unroll
    for (int d = 0; d < N; d++)
#pragma unroll
        for (int j = 0; j < 4; j++)
            o[d][j] *= shrink[j / 2];
}

/* Sum over the warp's queries of 1 / sum; `query` is this lane's first. */
static __device__ double mass_of_warp(const attention_args &args, const float (&sum)[2],
                                      size_t query)
{
    double mass = 0.0;
    if (threadIdx.x % 4 == 0)
        for (int r = 0; r < 2; r++)
            if (query + r * 8 < args.tokens)
                mass += 1.0 / (double)sum[r];
    for (int offset = 4; offset < WARP; offset *= 2)
        mass += __shfl_xor_sync(~0u, mass, offset);
    return mass;
}

/* The same over the block's queries, in a fixed order. */
template <int WARPS>
static __device__ void add_mass(double *mass_of_tile, const attention_args &args,
                                const float (&sum)[2], size_t query)
{
    __shared__ double parts[WARPS];
    double mass = mass_of_warp(args, sum, query);
    if (threadIdx.x % WARP == 0)
        parts[threadIdx.x / WARP] = mass;
    __syncthreads();
    if (threadIdx.x != 0)
        return;
    double total = 0.0;
    for (int w = 0; w < WARPS; w++)
        total += parts[w];
    *mass_of_tile = total;
}

/* Flags of a row of o of a sequence for this lane, two of every eight columns of the head,
 * which is column `head` and on. */
template <typename T, int D>
static __device__ void flag_row(const float (&o)[D / 8][4], int r, float inverse,
                                const attention_args &args, unsigned sequence, unsigned head)
{
    osc_cuda_flags own = of_row(args.flags, sequence * (unsigned)args.tokens);
    unsigned first = threadIdx.x % 4 * 2;
#pragma unroll
    for (int d = 0; d < D / 8; d++)
        for (int j = 0; j < 2; j++)
            if (d * 8 + first + j < args.head_size)
                flag1<T>(own, head + d * 8 + first + j,
                         from_float<T>(o[d][2 * r + j] * inverse));
}

template <typename T, int D>
static __device__ void store(T *head, const float (&o)[D / 8][4], const float (&sum)[2],
                             const attention_args &args, size_t query)
{
    int lane = threadIdx.x % WARP;
#pragma unroll
    for (int r = 0; r < 2; r++) {
        if (query + r * 8 >= args.tokens)
            continue;
        T *row = head + (query + r * 8) * args.width;
        float inverse = 1.0f / sum[r];
        unsigned most = 0;
#pragma unroll
        for (int d = 0; d < D / 8; d++) {
            int column = d * 8 + lane % 4 * 2;
            T first = from_float<T>(o[d][2 * r] * inverse);
            T second = from_float<T>(o[d][2 * r + 1] * inverse);
            most = larger2(most, pack(first, second), T());
            if (args.vectors && column < (int)args.head_size) {
                *(uint32_t *)(row + column) = pack(first, second);
            } else {
                if (column < (int)args.head_size)
                    row[column] = first;
                if (column + 1 < (int)args.head_size)
                    row[column + 1] = second;
            }
        }
        if (args.flags.bits != NULL && reaches<T>(most, args.flags.threshold))
            flag_row<T, D>(o, r, inverse, args, blockIdx.z,
                           blockIdx.x * (unsigned)args.head_size);
    }
}

#endif

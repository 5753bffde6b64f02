/* Attention in steps, for hooks between them: scores [A, T, T] in float32.  A hook
 * copies them to the host, which takes longer than these plain kernels. */
#include <config.h>
#include "cuda/backend.h"
#include "cuda/element.cuh"

enum { TILE = 16, WARP = 32, THREADS = 256, WARPS = THREADS / WARP };

/* Shapes of one call: s is [heads, tokens, keys]. */
struct step_args {
    size_t tokens, past, keys, size, width, kv_width, group;
    float  scale;
    bool   alibi;
    size_t heads;
};

static step_args args_of(const osc_attention *args)
{
    size_t kv_heads = args->kv_heads == 0 ? args->heads : args->kv_heads;
    return { args->tokens, args->past, args->past + args->tokens, args->head_size,
             args->heads * args->head_size, kv_heads * args->head_size, args->heads / kv_heads,
             args->scale, args->alibi, args->heads };
}

/* osc_alibi_slope(head). */
static __device__ float slope_of(size_t head, size_t heads)
{
    size_t c = 1;
    while (2 * c <= heads)
        c *= 2;
    return exp2f(head < c ? -8.0f * (float)(head + 1) / (float)c
                          : -4.0f * (float)(2 * (head - c) + 1) / (float)c);
}

/* s[h, i, j] = scale q_i . k_j + slope(h) j, -inf for j > past + i. */
template <typename T>
static __global__ void score(float *s, const T *q, const T *k,
                             const __grid_constant__ step_args args)
{
    __shared__ float left[TILE][TILE], right[TILE][TILE + 1];
    size_t i = blockIdx.y * (size_t)TILE + threadIdx.y;
    size_t j = blockIdx.x * (size_t)TILE + threadIdx.x;
    size_t own = blockIdx.x * (size_t)TILE + threadIdx.y;
    const T *qs = q + blockIdx.z * args.size, *ks = k + blockIdx.z / args.group * args.size;
    float dot = 0.0f;
    for (size_t d = 0; d < args.size; d += TILE) {
        size_t at = d + threadIdx.x;
        left[threadIdx.y][threadIdx.x]
            = i < args.tokens && at < args.size ? to_float(qs[i * args.width + at]) : 0.0f;
        right[threadIdx.y][threadIdx.x]
            = own < args.keys && at < args.size ? to_float(ks[own * args.kv_width + at]) : 0.0f;
        __syncthreads();
        for (int c = 0; c < TILE; c++)
            dot += left[threadIdx.y][c] * right[threadIdx.x][c];
        __syncthreads();
    }
    float lean = args.alibi ? slope_of(blockIdx.z, args.heads) * (float)j : 0.0f;
    if (i < args.tokens && j < args.keys)
        s[(blockIdx.z * args.tokens + i) * args.keys + j]
            = j <= args.past + i ? dot * args.scale + lean : -INFINITY;
}

template <typename T>
static osc_status launch_score(osc_device *device, const void *q, const void *k,
                               const osc_attention *args)
{
    step_args a = args_of(args);
    dim3 grid((unsigned)((a.keys + TILE - 1) / TILE), (unsigned)((a.tokens + TILE - 1) / TILE),
              (unsigned)a.heads), block(TILE, TILE);
    score<<<grid, block, 0, device->stream>>>(args->scores, (const T *)q, (const T *)k, a);
    return osc_cuda_launched("attention scores");
}

osc_status osc_cuda_attend_scores(osc_device *device, const void *q, const void *k,
                                  const osc_attention *args)
{
    return OSC_CUDA_BY_DTYPE(device, launch_score, device, q, k, args);
}

/* One row of scores a block; mass[row] = 1 / sum. */
static __global__ void soften(float *s, double *mass, size_t keys)
{
    __shared__ float parts[WARPS];
    float *row = s + blockIdx.x * keys;
    float largest = -INFINITY, sum = 0.0f;
    for (size_t j = threadIdx.x; j < keys; j += THREADS)
        largest = fmaxf(largest, row[j]);
    for (int offset = WARP / 2; offset > 0; offset /= 2)
        largest = fmaxf(largest, __shfl_xor_sync(~0u, largest, offset));
    if (threadIdx.x % WARP == 0)
        parts[threadIdx.x / WARP] = largest;
    __syncthreads();
    for (int w = 0; w < WARPS; w++)
        largest = fmaxf(largest, parts[w]);
    for (size_t j = threadIdx.x; j < keys; j += THREADS) {
        row[j] = expf(row[j] - largest);
        sum += row[j];
    }
    for (int offset = WARP / 2; offset > 0; offset /= 2)
        sum += __shfl_xor_sync(~0u, sum, offset);
    __syncthreads();
    if (threadIdx.x % WARP == 0)
        parts[threadIdx.x / WARP] = sum;
    __syncthreads();
    sum = 0.0f;
    for (int w = 0; w < WARPS; w++)
        sum += parts[w];
    for (size_t j = threadIdx.x; j < keys; j += THREADS)
        row[j] *= 1.0f / sum;
    if (mass != NULL && threadIdx.x == 0)
        mass[blockIdx.x] = 1.0 / (double)sum;
}

osc_status osc_cuda_attend_softmax(osc_device *device, const osc_attention *args)
{
    size_t rows = args->heads * args->tokens;
    soften<<<(unsigned)rows, THREADS, 0, device->stream>>>(
        args->scores, args->top1 == NULL ? NULL : device->mass, args->past + args->tokens);
    OSC_TRY(osc_cuda_launched("softmax"));
    return args->top1 == NULL
        ? OSC_OK : osc_cuda_add_masses(device, args->top1, args->heads, 1, args->tokens);
}

/* o[i, h, d] = sum over j of s[h, i, j] v[j, h, d]. */
template <typename T>
static __global__ void weigh(T *o, const float *s, const T *v,
                             const __grid_constant__ step_args args)
{
    __shared__ float left[TILE][TILE], right[TILE][TILE + 1];
    size_t i = blockIdx.y * (size_t)TILE + threadIdx.y;
    size_t d = blockIdx.x * (size_t)TILE + threadIdx.x;
    const float *row = s + (blockIdx.z * args.tokens + i) * args.keys;
    const T *vs = v + blockIdx.z / args.group * args.size;
    float sum = 0.0f;
    for (size_t j = 0; j < args.keys; j += TILE) {
        size_t key = j + threadIdx.y, at = j + threadIdx.x;
        left[threadIdx.y][threadIdx.x] = i < args.tokens && at < args.keys ? row[at] : 0.0f;
        right[threadIdx.y][threadIdx.x]
            = key < args.keys && d < args.size ? to_float(vs[key * args.kv_width + d]) : 0.0f;
        __syncthreads();
        for (int c = 0; c < TILE; c++)
            sum += left[threadIdx.y][c] * right[c][threadIdx.x];
        __syncthreads();
    }
    if (i < args.tokens && d < args.size)
        o[i * args.width + blockIdx.z * args.size + d] = from_float<T>(sum);
}

template <typename T>
static osc_status launch_weigh(osc_device *device, void *o, const void *v,
                               const osc_attention *args)
{
    dim3 grid((unsigned)((args->head_size + TILE - 1) / TILE),
              (unsigned)((args->tokens + TILE - 1) / TILE), (unsigned)args->heads);
    dim3 block(TILE, TILE);
    weigh<<<grid, block, 0, device->stream>>>((T *)o, args->scores, (const T *)v, args_of(args));
    return osc_cuda_launched("attention values");
}

osc_status osc_cuda_attend_values(osc_device *device, void *o, const void *v,
                                  const osc_attention *args)
{
    return OSC_CUDA_BY_DTYPE(device, launch_weigh, device, o, v, args);
}

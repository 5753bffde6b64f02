/* Attention of a few queries, mostly one behind a long cache: the keys of a head are split
 * over blocks, and in a block over groups of lanes that each keep a running maximum, sum
 * and o of their own.  A block that is the last of its query and head adds up what the
 * others left.  Every key and value is read once, 16 bytes a lane. */
#include <config.h>
#include "cuda/attention.cuh"
#include "cuda/attention_few.h"
#include "cuda/launch.cuh"

enum {
    THREADS = 128,
    UNROLL = 4,            /* keys that a group reads before it needs the first */
    BLOCKS = 8             /* a multiprocessor, to keep enough reads on their way */
};

/* Of some keys: the largest score in powers of two, the sum of exponentials relative to
 * it, and their weighted values. */
struct few_part {
    float largest, sum;
};

static __device__ __forceinline__ float weight_of(float largest, float of_all)
{
    return largest == -INFINITY ? 0.0f : fast_exp2(largest - of_all);
}

/* Parts that other blocks wrote are in the cache that all share. */
template <bool OTHERS> static __device__ __forceinline__ float read(const float *from)
{
    return OTHERS ? __ldcg(from) : *from;
}

/* Adds up `count` parts, whose outputs [count, stride] this thread sees one column of. */
template <bool OTHERS>
static __device__ float merge(few_part &all, const few_part *parts, const float *column,
                              unsigned count, unsigned stride)
{
    float out = 0.0f;
    all.largest = -INFINITY;
    all.sum = 0.0f;
    for (unsigned i = 0; i < count; i++)
        all.largest = fmaxf(all.largest, read<OTHERS>(&parts[i].largest));
    for (unsigned i = 0; i < count; i++) {
        float weight = weight_of(read<OTHERS>(&parts[i].largest), all.largest);
        all.sum += weight * read<OTHERS>(&parts[i].sum);
        out += weight * read<OTHERS>(&column[i * stride]);
    }
    return out;
}

/* The group's keys among first .. last-1; q has the scale in it. */
template <typename T, int LANES>
static __device__ void attend_keys(few_part &part, float (&out)[8], const float (&q)[8],
                                   const T *k, const T *v, size_t stride, unsigned first,
                                   unsigned last, unsigned position, float slope, bool mine)
{
    const unsigned GROUPS = THREADS / LANES;
    for (unsigned base = first; base < last; base += GROUPS * UNROLL) {
        unsigned key = base + threadIdx.x / LANES;
        packed<T> ks[UNROLL], vs[UNROLL];
        float s[UNROLL], most = part.largest;
#pragma unroll
        for (unsigned u = 0; u < UNROLL; u++) {
            bool wanted = mine && key + u * GROUPS < last;
            size_t at = (key + u * GROUPS) * stride;
            ks[u].bits = wanted ? *(const uint4 *)(k + at) : make_uint4(0, 0, 0, 0);
            vs[u].bits = wanted ? *(const uint4 *)(v + at) : make_uint4(0, 0, 0, 0);
        }
#pragma unroll
        for (unsigned u = 0; u < UNROLL; u++) {
            s[u] = 0.0f;
#pragma unroll
            for (int j = 0; j < 8; j++)
                s[u] += q[j] * to_float(ks[u].at[j]);
#pragma unroll
            for (int offset = LANES / 2; offset > 0; offset /= 2)
                s[u] += __shfl_xor_sync(~0u, s[u], offset);
            s[u] = key + u * GROUPS < last ? s[u] - slope * (float)(position - key - u * GROUPS)
                                           : -INFINITY;
            most = fmaxf(most, s[u]);
        }
        float shrink = weight_of(part.largest, most);
        part.largest = most;
        part.sum *= shrink;
#pragma unroll
        for (int j = 0; j < 8; j++)
            out[j] *= shrink;
#pragma unroll
        for (unsigned u = 0; u < UNROLL; u++) {
            float p = weight_of(s[u], most);
            part.sum += p;
#pragma unroll
            for (int j = 0; j < 8; j++)
                out[j] += p * to_float(vs[u].at[j]);
        }
    }
}

/* Block (x, y, z): head x, keys y * chunk and on, query z.  `parts` and then `outs` are
 * [heads * queries, splits] and [heads * queries, splits, 8 LANES]. */
template <typename T, int LANES>
static __global__ void __launch_bounds__(THREADS)
attend_few(T *o, const T *q, const T *k, const T *v, const __grid_constant__ attention_args args,
           unsigned chunk, few_part *parts, float *outs, unsigned *arrived)
{
    enum { GROUPS = THREADS / LANES, D = 8 * LANES };
    __shared__ few_part of_group[GROUPS];
    __shared__ float of_column[GROUPS][D];
    __shared__ bool is_last;
    unsigned column = threadIdx.x % LANES * 8, position = (unsigned)args.past + blockIdx.z;
    unsigned first = blockIdx.y * chunk;
    unsigned last = first + chunk < position + 1 ? first + chunk : position + 1;
    bool mine = column < args.head_size;
    T *to = o + blockIdx.z * args.width + blockIdx.x * args.head_size;
    const float LOG2E = 1.44269504088896341f;
    float query[8], out[8] = { 0.0f };
    few_part part = { -INFINITY, 0.0f };
    packed<T> bits;
    bits.bits = make_uint4(0, 0, 0, 0);
    let_next_kernel();
    after_last_kernel();
    if (mine)
        bits.bits = *(const uint4 *)(q + blockIdx.z * args.width + blockIdx.x * args.head_size
                                     + column);
#pragma unroll
    for (int j = 0; j < 8; j++)
        query[j] = to_float(bits.at[j]) * args.scale * LOG2E;
    size_t kv = blockIdx.x / args.group * args.head_size + column;
    attend_keys<T, LANES>(part, out, query, k + kv, v + kv, args.kv_width, first, last, position,
                          slope_of(args, blockIdx.x) * args.scale * LOG2E, mine);
    if (threadIdx.x % LANES == 0)
        of_group[threadIdx.x / LANES] = part;
#pragma unroll
    for (int j = 0; j < 8; j++)
        of_column[threadIdx.x / LANES][column + j] = out[j];
    __syncthreads();
    unsigned d = threadIdx.x, cell = blockIdx.x * gridDim.z + blockIdx.z;
    float sum = d < D ? merge<false>(part, of_group, &of_column[0][d], GROUPS, D) : 0.0f;
    if (gridDim.y > 1) {
        size_t at = (size_t)cell * gridDim.y;
        if (d < D)
            outs[(at + blockIdx.y) * D + d] = sum;
        if (d == 0)
            parts[at + blockIdx.y] = part;
        __threadfence();
        __syncthreads();
        if (d == 0)
            is_last = atomicInc(&arrived[cell], gridDim.y - 1) == gridDim.y - 1;
        __syncthreads();
        if (!is_last)
            return;
        __threadfence();
        sum = d < D ? merge<true>(part, parts + at, outs + at * D + d, gridDim.y, D) : 0.0f;
    }
    if (d < args.head_size)
        to[d] = from_float<T>(sum / part.sum);
    if (args.mass != NULL && d == 0)
        args.mass[cell] = 1.0 / (double)part.sum;
}

template <typename T, int LANES>
static osc_status launch(osc_device *device, void *o, const void *q, const void *k, const void *v,
                         const osc_attention *args)
{
    const unsigned STEP = THREADS / LANES * UNROLL;       /* keys that a block reads at once */
    unsigned keys = (unsigned)(args->past + args->tokens);
    unsigned cells = (unsigned)(args->heads * args->tokens);
    unsigned splits = (unsigned)(device->processors * BLOCKS) / cells;
    unsigned steps = (keys + STEP - 1) / STEP;
    unsigned each = splits == 0 ? steps : (steps + splits - 1) / splits;
    splits = (steps + each - 1) / each;
    few_part *parts = (few_part *)device->piece;
    float *outs = (float *)(parts + (size_t)cells * splits);
    dim3 grid((unsigned)args->heads, splits, (unsigned)args->tokens);
    OSC_TRY(launch_after(device, "attention", attend_few<T, LANES>, grid, THREADS, 0, (T *)o,
                         (const T *)q, (const T *)k, (const T *)v,
                         make_attention_args(device, args, true), each * STEP, parts, outs,
                         device->arrived));
    return args->top1 == NULL
        ? OSC_OK : osc_cuda_add_masses(device, args->top1, args->heads, 1, args->tokens);
}

template <typename T>
static osc_status dispatch(osc_device *device, void *o, const void *q, const void *k,
                           const void *v, const osc_attention *args)
{
    return args->head_size <= 32 ? launch<T, 4>(device, o, q, k, v, args)
         : args->head_size <= 64 ? launch<T, 8>(device, o, q, k, v, args)
                                 : launch<T, 16>(device, o, q, k, v, args);
}

osc_status osc_cuda_attention_few(osc_device *device, void *o, const void *q, const void *k,
                                  const void *v, const osc_attention *args)
{
    return OSC_CUDA_BY_DTYPE(device, dispatch, device, o, q, k, v, args);
}

/* What the norms of rows share: a row is one block's, COUNT elements a piece. */
#ifndef OSC_CUDA_NORM_CUH
#define OSC_CUDA_NORM_CUH

#include "cuda/element.cuh"

constexpr unsigned WARP = 32, MOST_THREADS = 512;

template <typename T, int COUNT> struct __align__(COUNT * sizeof(T)) piece {
    T at[COUNT];
};

/* p + more, rounded. */
template <typename T, int COUNT>
static __device__ __forceinline__ piece<T, COUNT> added(piece<T, COUNT> p, piece<T, COUNT> more)
{
#pragma unroll
    for (int j = 0; j < COUNT; j++)
        p.at[j] = from_float<T>(to_float(p.at[j]) + to_float(more.at[j]));
    return p;
}

/* A float of each warp; every sum of a kernel has its own. */
struct block_parts {
    float of_warp[MOST_THREADS / WARP];
};

/* Sum over the block, the same for every thread and every run. */
static __device__ __forceinline__ float block_sum(float value, block_parts *parts)
{
    for (unsigned offset = WARP / 2; offset > 0; offset /= 2)
        value += __shfl_xor_sync(~0u, value, offset);
    if (threadIdx.x % WARP == 0)
        parts->of_warp[threadIdx.x / WARP] = value;
    __syncthreads();
    float sum = 0.0f;
    for (unsigned w = 0; w < blockDim.x / WARP; w++)
        sum += parts->of_warp[w];
    return sum;
}

#endif

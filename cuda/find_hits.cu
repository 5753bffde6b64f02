/* Values that reach alpha, looked for in the columns that have some, which are few, and
 * written in order of (row, column). */
#include <config.h>
#include "cuda/hits.h"
#include "cuda/observer.cuh"

/* Exclusive prefix of `value` over the block's threads, and the total. */
static __device__ uint64_t prefix(uint64_t value, uint64_t *total)
{
    __shared__ uint64_t warps[WARPS];
    int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
    uint64_t sum = value;
    for (int offset = 1; offset < WARP; offset *= 2) {
        uint64_t other = __shfl_up_sync(~0u, sum, offset);
        if (lane >= offset)
            sum += other;
    }
    __syncthreads();
    if (lane == WARP - 1)
        warps[warp] = sum;
    __syncthreads();
    uint64_t before = 0;
    *total = 0;
    for (int w = 0; w < WARPS; w++) {
        before += w < warp ? warps[w] : 0;
        *total += warps[w];
    }
    return before + sum - value;
}

/* Lists the columns of THREADS words of bits that have hits, ascending.  Returns how many. */
static __device__ unsigned list_hot(uint16_t *list, const uint32_t *hot, size_t words)
{
    uint64_t count;
    uint32_t bits = threadIdx.x < words ? hot[threadIdx.x] : 0;
    uint64_t at = prefix(__popc(bits), &count);
    for (; bits != 0; bits &= bits - 1)
        list[at++] = (uint16_t)(threadIdx.x * WARP + __ffs(bits) - 1);
    __syncthreads();
    return (unsigned)count;
}

/* Where this block's hits begin: behind those that are there, and those of the blocks
 * before; of no interest if it has none.  The last block of a sequence tells its end, the last
 * of all moves *filled on. */
static __device__ uint64_t place_block(uint32_t *block_hits, unsigned block, unsigned blocks,
                                       uint64_t count, uint64_t *filled, uint64_t *ends)
{
    __shared__ uint64_t start;
    bool is_end = (block + 1) % blocks == 0;
    uint64_t sum = 0, before;
    if (threadIdx.x == 0) {
        start = __ldcg(filled);
        __threadfence();          /* read before the last block can know of this one */
        atomicExch(&block_hits[block], (unsigned)count + 1);
    }
    if (count == 0 && !is_end)
        return 0;
    for (unsigned i = threadIdx.x; i < block; i += THREADS) {
        unsigned found;
        while ((found = *(volatile uint32_t *)&block_hits[i]) == 0)
            ;
        sum += found - 1;
    }
    prefix(sum, &before);
    if (threadIdx.x == 0 && is_end)
        ends[block / blocks] = start + before + count;
    if (threadIdx.x == 0 && block == gridDim.x - 1) {
        __threadfence();
        *filled = start + before + count;
    }
    return start + before;
}

/* Hits of one row in listed columns, written to `to` if it is not NULL.  Returns how many. */
template <typename T>
static __device__ unsigned find_hits(osc_hit *to, const T *x, size_t row, size_t width,
                                     size_t first, const uint16_t *list, unsigned count, T alpha)
{
    int lane = threadIdx.x % WARP;
    unsigned found = 0;
    for (unsigned h = 0; h < count; h += WARP) {
        size_t column = h + lane < count ? first + list[h + lane] : 0;
        T v = h + lane < count ? x[row * width + column] : from_float<T>(0.0f);
        bool hit = __habs(v) >= alpha;
        unsigned mask = __ballot_sync(~0u, hit);
        if (hit && to != NULL)
            to[found + __popc(mask & ((1u << lane) - 1))] = { (uint32_t)row, (uint32_t)column,
                                                              to_float(v) };
        found += __popc(mask);
    }
    return found;
}

/* A row a warp, `blocks` blocks a sequence from `first` on; they take their rows as they begin,
 * so that those before them run. */
template <typename T>
static __global__ void __launch_bounds__(THREADS)
write_hits(osc_hit *hits, const __grid_constant__ osc_cuda_observer o, const T *x, unsigned first,
           unsigned blocks, size_t tokens, size_t width, T alpha, uint64_t *filled, uint64_t *ends)
{
    __shared__ uint16_t list[THREADS * WARP];
    __shared__ unsigned block;
    size_t words = (width + COLUMNS - 1) / COLUMNS * (COLUMNS / WARP);
    uint64_t own = 0, all, before = 0;
    unsigned listed = 0;
    if (threadIdx.x == 0)
        block = atomicAdd(&o.ticket[first], 1u);
    __syncthreads();
    size_t sequence = first + block / blocks;
    size_t row = block % blocks * (size_t)WARPS + threadIdx.x / WARP;
    const uint32_t *hot = o.hot + sequence * words;
    x += sequence * tokens * width;
    for (size_t w = 0; w < words; w += THREADS) {
        listed = list_hot(list, hot + w, words - w);
        if (row < tokens)
            own += find_hits<T>(NULL, x, row, width, w * WARP, list, listed, alpha);
        __syncthreads();
    }
    before = prefix(threadIdx.x % WARP == 0 ? own : 0, &all);
    before = __shfl_sync(~0u, before, 0);
    hits += place_block(o.block_hits + first * (size_t)blocks, block, blocks, all, filled, ends)
          + before;
    if (all == 0)
        return;
    for (size_t w = 0; w < words; w += THREADS) {
        if (words > THREADS)
            listed = list_hot(list, hot + w, words - w);
        if (row < tokens)
            hits += find_hits<T>(hits, x, row, width, w * WARP, list, listed, alpha);
        __syncthreads();
    }
}

template <typename T>
static osc_status launch_hits(osc_device *device, const void *x, size_t first,
                              osc_sequences sequences, size_t width, float alpha, uint64_t *ends)
{
    unsigned blocks = hit_blocks(sequences.tokens);
    write_hits<<<(unsigned)sequences.count * blocks, THREADS, 0, device->watch>>>(
        device->hits->hits, *device->observer, (const T *)x, (unsigned)first, blocks,
        sequences.tokens, width, least_from<T>(alpha), device->hits->filled, ends);
    return osc_cuda_launched("hits");
}

osc_status osc_cuda_find_hits(osc_device *device, const void *x, size_t first,
                              osc_sequences sequences, size_t width, float alpha, uint64_t *ends)
{
    return OSC_CUDA_BY_DTYPE(device, launch_hits, device, x, first, sequences, width, alpha, ends);
}

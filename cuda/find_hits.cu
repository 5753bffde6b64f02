/* Values that reach alpha, looked for in the columns that have some, which are few, and
 * written in order of (row, column). */
#include <config.h>
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

/* Hits of a sequence, of all columns. */
static __device__ uint64_t sum_hits(const uint32_t *hot_hits, size_t words)
{
    uint64_t sum = 0, all;
    for (size_t i = threadIdx.x; i < words; i += THREADS)
        sum += hot_hits[i];
    prefix(sum, &all);
    return all;
}

/* Hits of the sequence's blocks before this one. */
static __device__ uint64_t wait_for_blocks(uint32_t *block_hits, unsigned block, uint64_t count)
{
    uint64_t sum = 0, before;
    if (threadIdx.x == 0)
        atomicExch(&block_hits[block], (unsigned)count + 1);
    if (count == 0)
        return 0;                /* nobody asks */
    for (unsigned i = threadIdx.x; i < block; i += THREADS) {
        unsigned found;
        while ((found = *(volatile uint32_t *)&block_hits[i]) == 0)
            ;
        sum += found - 1;
    }
    prefix(sum, &before);
    return before;
}

/* How many hits the `rows` rows at x have in listed columns, for every lane its own. */
template <typename T>
static __device__ unsigned count_hits(const T *x, int rows, size_t width, const uint16_t *list,
                                      unsigned count, T alpha)
{
    unsigned found = 0;
    for (unsigned h = threadIdx.x % WARP; h < count; h += WARP) {
        T v[HIT_ROWS];
#pragma unroll
        for (int r = 0; r < HIT_ROWS; r++)
            v[r] = r < rows ? x[r * width + list[h]] : from_float<T>(0.0f);
#pragma unroll
        for (int r = 0; r < HIT_ROWS; r++)
            found += r < rows && __habs(v[r]) >= alpha;
    }
    return found;
}

/* Writes the hits of one row in listed columns, which are counted from `first`.  Returns how
 * many. */
template <typename T>
static __device__ unsigned put_hits(osc_hit *to, const T *x, size_t row, size_t first,
                                    const uint16_t *list, unsigned count, T alpha)
{
    int lane = threadIdx.x % WARP;
    unsigned found = 0;
    for (unsigned h = 0; h < count; h += WARP) {
        bool inside = h + lane < count;
        unsigned column = inside ? list[h + lane] : 0;
        T v = inside ? x[column] : from_float<T>(0.0f);
        bool hit = inside && __habs(v) >= alpha;
        unsigned mask = __ballot_sync(~0u, hit);
        if (hit)
            to[found + __popc(mask & ((1u << lane) - 1))] = { (uint32_t)row,
                                                              (uint32_t)(first + column),
                                                              to_float(v) };
        found += __popc(mask);
    }
    return found;
}

/* HIT_ROWS rows a warp, `blocks` blocks a sequence from `first` on; they take their rows as they
 * begin, so that those before them run.  How many hits sequences have is known. */
template <typename T>
static __global__ void __launch_bounds__(THREADS)
write_hits(osc_hit *hits, const __grid_constant__ osc_cuda_observer o, const T *x, unsigned first,
           unsigned blocks, size_t tokens, size_t width, T alpha,
           const __grid_constant__ osc_cuda_hit_counts counts)
{
    __shared__ uint16_t list[THREADS * WARP];
    __shared__ unsigned ticket;
    const size_t words = (width + COLUMNS - 1) / COLUMNS * (COLUMNS / WARP);
    if (threadIdx.x == 0)
        ticket = atomicAdd(&o.ticket[first], 1u);
    __syncthreads();
    unsigned sequence = ticket / blocks, block = ticket % blocks, listed = 0, own = 0;
    const uint32_t *hot = o.hot + (first + sequence) * words;
    const uint32_t *hot_hits = o.hot_hits + first * words;
    uint64_t all = sum_hits(hot_hits + sequence * words, words), of_block;
    if (block != 0 && all == 0)
        return;
    uint64_t before = counts.after[0] + sum_hits(hot_hits, sequence * words);
    if (block == 0 && threadIdx.x == 0)
        counts.after[1 + sequence] = counts.ends[sequence] = before + all;
    if (all == 0)
        return;
    size_t row = (block * (size_t)WARPS + threadIdx.x / WARP) * HIT_ROWS;
    int rows = row < tokens ? (int)min(tokens - row, (size_t)HIT_ROWS) : 0;
    x += ((first + sequence) * tokens + row) * width;
    for (size_t w = 0; w < words; w += THREADS) {
        listed = list_hot(list, hot + w, words - w);
        own += count_hits(x + w * WARP, rows, width, list, listed, alpha);
        __syncthreads();
    }
    before += prefix(own, &of_block);
    before = __shfl_sync(~0u, before, 0);
    hits += before + wait_for_blocks(o.block_hits + (first + sequence) * blocks, block, of_block);
    for (int r = 0; of_block > 0 && r < HIT_ROWS; r++)
        for (size_t w = 0; w < words; w += THREADS) {
            if (words > THREADS)
                listed = list_hot(list, hot + w, words - w);
            if (r < rows)
                hits += put_hits(hits, x + r * width + w * WARP, row + r, w * WARP, list, listed,
                                 alpha);
            __syncthreads();
        }
}

template <typename T>
static osc_status launch_hits(osc_device *device, const void *x, size_t first,
                              osc_sequences sequences, size_t width, float alpha,
                              const osc_cuda_hit_counts *counts)
{
    unsigned blocks = hit_blocks(sequences.tokens);
    write_hits<<<(unsigned)sequences.count * blocks, THREADS, 0, device->watch>>>(
        device->hits->hits, *device->observer, (const T *)x, (unsigned)first, blocks,
        sequences.tokens, width, least_from<T>(alpha), *counts);
    return osc_cuda_launched("hits");
}

osc_status osc_cuda_find_hits(osc_device *device, const void *x, size_t first,
                              osc_sequences sequences, size_t width, float alpha,
                              const osc_cuda_hit_counts *counts)
{
    return OSC_CUDA_BY_DTYPE(device, launch_hits, device, x, first, sequences, width, alpha,
                             counts);
}

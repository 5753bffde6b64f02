/* Numbers that look random and are a function of a counter. */
#ifndef OSC_BASE_MIX_H
#define OSC_BASE_MIX_H

#include <stdint.h>

/* Of a function that kernels of the CUDA backend call, too. */
#ifdef __CUDACC__
#define OSC_HERE_AND_THERE __host__ __device__
#else
#define OSC_HERE_AND_THERE
#endif

/* The finalizer of SplitMix64 (Steele, Lea and Flood 2014): a bijection whose output
 * bits all depend on all input bits. */
OSC_HERE_AND_THERE
static inline uint64_t osc_mix64(uint64_t z)
{
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* Output number `i` of SplitMix64 with the state `key`. */
OSC_HERE_AND_THERE
static inline uint64_t osc_random_at(uint64_t key, uint64_t i)
{
    return osc_mix64(key + (i + 1) * 0x9e3779b97f4a7c15u);
}

#endif

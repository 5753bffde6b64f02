/* Tensors whose elements follow from their index: a backend may make them where it
 * needs them instead of reading them. */
#ifndef OSC_TENSOR_DRAWN_H
#define OSC_TENSOR_DRAWN_H

#include <stdint.h>

#include "base/mix.h"

/* Element i of such a tensor is `constant` if `unit` is 0, else osc_draw(key, i) * unit in
 * float32, rounded to the tensor's type. */
typedef struct {
    const void *first;          /* where element 0 is, or would be, in memory */
    uint64_t    key;            /* of the tensor's stream of numbers */
    float       constant, unit;
} osc_drawn;

/* Number i of the stream, in units of 2^-16 sqrt(3) standard deviations: four 16-bit
 * numbers, each uniform, less their mean.  Integers, so that it is the same everywhere. */
OSC_HERE_AND_THERE
static inline int32_t osc_draw(uint64_t key, uint64_t i)
{
    uint64_t bits = osc_random_at(key, i);
    return (int32_t)((bits & 0xffff) + (bits >> 16 & 0xffff) + (bits >> 32 & 0xffff)
                     + (bits >> 48)) - 2 * 0xffff;
}

#endif

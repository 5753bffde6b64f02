/* Python's random.seed(0) and random.randint, for published draws. */
#ifndef OSC_TEXT_PYRANDOM_H
#define OSC_TEXT_PYRANDOM_H

#include <stddef.h>
#include <stdint.h>

enum { OSC_PYRANDOM_STATE = 624 };

typedef struct {
    uint32_t state[OSC_PYRANDOM_STATE];   /* of MT19937 */
    size_t   used;
} osc_pyrandom;

void osc_pyrandom_seed(osc_pyrandom *random, uint32_t seed);

/* The next 32 bits. */
uint32_t osc_pyrandom_next(osc_pyrandom *random);

/* random.randint(0, n - 1); n from 1 to 2^32 - 1. */
uint32_t osc_pyrandom_below(osc_pyrandom *random, uint32_t n);

#endif

#include <config.h>
#include "text/pyrandom.h"

enum { N = OSC_PYRANDOM_STATE, M = 397 };

/* MT19937 (Matsumoto and Nishimura 1998): init_genrand, then init_by_array of one key. */
void osc_pyrandom_seed(osc_pyrandom *random, uint32_t seed)
{
    uint32_t *s = random->state;
    s[0] = 19650218u;
    for (uint32_t i = 1; i < N; i++)
        s[i] = 1812433253u * (s[i - 1] ^ s[i - 1] >> 30) + i;
    uint32_t i = 1;
    for (int k = 0; k < N; k++) {
        s[i] = (s[i] ^ (s[i - 1] ^ s[i - 1] >> 30) * 1664525u) + seed;
        if (++i == N) {
            s[0] = s[N - 1];
            i = 1;
        }
    }
    for (int k = 0; k < N - 1; k++) {
        s[i] = (s[i] ^ (s[i - 1] ^ s[i - 1] >> 30) * 1566083941u) - i;
        if (++i == N) {
            s[0] = s[N - 1];
            i = 1;
        }
    }
    s[0] = 0x80000000u;
    random->used = N;
}

static void refill(uint32_t *s)
{
    for (size_t i = 0; i < N; i++) {
        uint32_t y = (s[i] & 0x80000000u) | (s[(i + 1) % N] & 0x7fffffffu);
        s[i] = s[(i + M) % N] ^ y >> 1 ^ (y & 1 ? 0x9908b0dfu : 0);
    }
}

uint32_t osc_pyrandom_next(osc_pyrandom *random)
{
    if (random->used == N) {
        refill(random->state);
        random->used = 0;
    }
    uint32_t y = random->state[random->used++];
    y ^= y >> 11;
    y ^= y << 7 & 0x9d2c5680u;
    y ^= y << 15 & 0xefc60000u;
    return y ^ y >> 18;
}

/* Draws of as many bits as n has, until one is below it. */
uint32_t osc_pyrandom_below(osc_pyrandom *random, uint32_t n)
{
    int shift = __builtin_clz(n);
    uint32_t drawn;
    do
        drawn = osc_pyrandom_next(random) >> shift;
    while (drawn >= n);
    return drawn;
}

/* The int8 product with AVX-512 VNNI: vpdpbusd multiplies unsigned by signed codes,
 * four at a time, without saturation.  w is the unsigned one, shifted by 128 (one
 * xor a load); sums then have 128 * (sum of x) too much, taken away at the start. */
#include <config.h>
#include "backend/cpu_i8.h"

#include <immintrin.h>
#include <string.h>

enum { ROWS = 6, VECTORS = I8_PANEL / 16 };   /* 24 sums, 4 weights in 32 registers */

static inline __attribute__((always_inline)) __m512i four_codes(const int8_t *x)
{
    int32_t word;
    memcpy(&word, x, sizeof word);
    return _mm512_set1_epi32(word);
}

/* -128 times the sum of a row's codes, modulo 2^32. */
static inline int32_t excess(int32_t total)
{
    return (int32_t)((uint32_t)total * (uint32_t)-128);
}

/* `rows` is a constant where this is inlined: the loops over it unroll. */
static inline __attribute__((always_inline))
void tile(int32_t *sum, const int8_t *x, size_t stride, const int8_t *w, size_t steps,
          size_t rows, const int32_t *total)
{
    const __m512i shift = _mm512_set1_epi8((char)0x80);
    __m512i part[ROWS][VECTORS];
#pragma GCC unroll 8
    for (size_t r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (size_t v = 0; v < VECTORS; v++)
            part[r][v] = total != NULL ? _mm512_set1_epi32(excess(total[r]))
                                       : _mm512_loadu_si512(sum + r * I8_PANEL + v * 16);
    for (size_t s = 0; s < steps; s++) {
        __m512i b[VECTORS];
#pragma GCC unroll 4
        for (size_t v = 0; v < VECTORS; v++)
            b[v] = _mm512_xor_si512(_mm512_loadu_si512(w + (s * VECTORS + v) * 64), shift);
#pragma GCC unroll 8
        for (size_t r = 0; r < rows; r++) {
            __m512i a = four_codes(x + r * stride + s * I8_STEP);
#pragma GCC unroll 4
            for (size_t v = 0; v < VECTORS; v++)
                part[r][v] = _mm512_dpbusd_epi32(part[r][v], b[v], a);
        }
    }
#pragma GCC unroll 8
    for (size_t r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (size_t v = 0; v < VECTORS; v++)
            _mm512_storeu_si512(sum + r * I8_PANEL + v * 16, part[r][v]);
}

static void dot(int32_t *sum, const int8_t *x, size_t stride, const int8_t *w, size_t steps,
                size_t rows, const int32_t *total)
{
    for (size_t r = 0; r < rows; r += ROWS) {
        int32_t *to = sum + r * I8_PANEL;
        const int8_t *from = x + r * stride;
        const int32_t *of = total == NULL ? NULL : total + r;
        switch (rows - r) {
        case 1: tile(to, from, stride, w, steps, 1, of); break;
        case 2: tile(to, from, stride, w, steps, 2, of); break;
        case 3: tile(to, from, stride, w, steps, 3, of); break;
        case 4: tile(to, from, stride, w, steps, 4, of); break;
        case 5: tile(to, from, stride, w, steps, 5, of); break;
        default: tile(to, from, stride, w, steps, ROWS, of); break;
        }
    }
}

const osc_cpu_i8 osc_cpu_i8_vnni = {
    .name = "avx512-vnni",
    .available = osc_cpu_i8_has_vnni,
    .loops = &osc_cpu_i8_loops_avx512,
    .dot = dot,
};

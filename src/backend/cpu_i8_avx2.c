/* The int8 product with AVX2: pmaddubsw multiplies unsigned by signed codes and adds
 * pairs, saturating at 32767.  With |w| unsigned and x under the sign of w no pair
 * exceeds 2 * 127 * 127 = 32258 (codes are never -128), so nothing saturates. */
#include <config.h>
#include "backend/cpu_i8.h"

#include <immintrin.h>
#include <string.h>

enum { ROWS = 4, OUTPUTS = 16, VECTORS = OUTPUTS / 8 };

static inline __attribute__((always_inline)) __m256i load(const void *from)
{
    return _mm256_loadu_si256(from);
}

static inline __attribute__((always_inline)) __m256i four_codes(const int8_t *x)
{
    int32_t word;
    memcpy(&word, x, sizeof word);
    return _mm256_set1_epi32(word);
}

/* `rows` is a constant where this is inlined: the loops over it unroll. */
static inline __attribute__((always_inline))
void tile(int32_t *sum, const int8_t *x, size_t stride, const int8_t *w, size_t steps,
          size_t rows, bool start)
{
    const __m256i ones = _mm256_set1_epi16(1);
    __m256i part[ROWS][VECTORS];
#pragma GCC unroll 4
    for (size_t r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (size_t v = 0; v < VECTORS; v++)
            part[r][v] = start ? _mm256_setzero_si256() : load(sum + r * I8_PANEL + v * 8);
    for (size_t s = 0; s < steps; s++) {
        __m256i b[VECTORS], size[VECTORS];
#pragma GCC unroll 4
        for (size_t v = 0; v < VECTORS; v++) {
            b[v] = load(w + s * I8_PANEL * I8_STEP + v * 32);
            size[v] = _mm256_abs_epi8(b[v]);
        }
#pragma GCC unroll 4
        for (size_t r = 0; r < rows; r++) {
            __m256i a = four_codes(x + r * stride + s * I8_STEP);
#pragma GCC unroll 4
            for (size_t v = 0; v < VECTORS; v++) {
                __m256i pairs = _mm256_maddubs_epi16(size[v], _mm256_sign_epi8(a, b[v]));
                part[r][v] = _mm256_add_epi32(part[r][v], _mm256_madd_epi16(pairs, ones));
            }
        }
    }
#pragma GCC unroll 4
    for (size_t r = 0; r < rows; r++)
#pragma GCC unroll 4
        for (size_t v = 0; v < VECTORS; v++)
            _mm256_storeu_si256((__m256i *)(void *)(sum + r * I8_PANEL + v * 8), part[r][v]);
}

static void dot(int32_t *sum, const int8_t *x, size_t stride, const int8_t *w, size_t steps,
                size_t rows, const int32_t *total)
{
    bool start = total != NULL;
    for (size_t j = 0; j < I8_PANEL; j += OUTPUTS) {
        for (size_t r = 0; r < rows; r += ROWS) {
            int32_t *to = sum + r * I8_PANEL + j;
            const int8_t *from = x + r * stride, *b = w + j * I8_STEP;
            switch (rows - r) {
            case 1: tile(to, from, stride, b, steps, 1, start); break;
            case 2: tile(to, from, stride, b, steps, 2, start); break;
            case 3: tile(to, from, stride, b, steps, 3, start); break;
            default: tile(to, from, stride, b, steps, ROWS, start); break;
            }
        }
    }
}

const osc_cpu_i8 osc_cpu_i8_avx2 = {
    .name = "avx2",
    .available = osc_cpu_i8_has_avx2,
    .loops = &osc_cpu_i8_loops_avx2,
    .dot = dot,
};

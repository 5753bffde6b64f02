/* The int8 product with AVX2: pmaddubsw multiplies unsigned by signed codes and adds
 * pairs, saturating at 32767.  With |w| unsigned and x under the sign of w no pair
 * exceeds 2 * 127 * 127 = 32258 (codes are never -128), so nothing saturates. */
#include <config.h>
#include "backend/cpu_i8.h"

#include <immintrin.h>
#include <string.h>

enum {
    ROWS = 6,                  /* of a tile: 6 sums, and 16 registers must do */
    VECTORS = I8_PANEL / 8,
    DEPTH = 128                /* steps of a slice: 8 KiB, stays in the first cache */
};

#define INLINE static inline __attribute__((always_inline))

INLINE __m256i load(const void *from)
{
    return _mm256_loadu_si256(from);
}

INLINE void store(void *to, __m256i value)
{
    _mm256_storeu_si256(to, value);
}

INLINE __m256i four_codes(const int8_t *x)
{
    int32_t word;
    memcpy(&word, x, sizeof word);
    return _mm256_set1_epi32(word);
}

/* sum + x w for eight outputs: four products at a time. */
INLINE __m256i multiply(__m256i sum, __m256i x, __m256i w, __m256i size)
{
    __m256i pairs = _mm256_maddubs_epi16(size, _mm256_sign_epi8(x, w));
    return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

/* What ROWS rows need of w for eight outputs: codes and their sizes, in order. */
typedef struct {
    __m256i code[DEPTH], size[DEPTH];
} slice;

INLINE void take_slice(slice *to, const int8_t *w, size_t steps)
{
    for (size_t s = 0; s < steps; s++) {
        to->code[s] = load(w + s * I8_PANEL * I8_STEP);
        to->size[s] = _mm256_abs_epi8(to->code[s]);
    }
}

static void many_rows(int32_t *sum, const int8_t *x, size_t stride, const slice *w, size_t steps,
                      bool start)
{
    __m256i part[ROWS];
#pragma GCC unroll 8
    for (size_t r = 0; r < ROWS; r++)
        part[r] = start ? _mm256_setzero_si256() : load(sum + r * I8_PANEL);
    for (size_t s = 0; s < steps; s++) {
#pragma GCC unroll 8
        for (size_t r = 0; r < ROWS; r++)
            part[r] = multiply(part[r], four_codes(x + r * stride + s * I8_STEP), w->code[s],
                               w->size[s]);
    }
#pragma GCC unroll 8
    for (size_t r = 0; r < ROWS; r++)
        store(sum + r * I8_PANEL, part[r]);
}

/* One row with the whole panel: w is read once, in order. */
static void one_row(int32_t *sum, const int8_t *x, const int8_t *w, size_t steps, bool start)
{
    __m256i part[VECTORS];
#pragma GCC unroll 8
    for (size_t v = 0; v < VECTORS; v++)
        part[v] = start ? _mm256_setzero_si256() : load(sum + v * 8);
    for (size_t s = 0; s < steps; s++) {
        __m256i a = four_codes(x + s * I8_STEP);
#pragma GCC unroll 8
        for (size_t v = 0; v < VECTORS; v++) {
            __m256i b = load(w + (s * VECTORS + v) * 32);
            part[v] = multiply(part[v], a, b, _mm256_abs_epi8(b));
        }
    }
#pragma GCC unroll 8
    for (size_t v = 0; v < VECTORS; v++)
        store(sum + v * 8, part[v]);
}

static void dot(int32_t *sum, const int8_t *x, size_t stride, const int8_t *w, size_t steps,
                size_t rows, const int32_t *total)
{
    size_t whole = rows / ROWS * ROWS;
    slice part;
    for (size_t s = 0; s < steps; s += DEPTH) {
        size_t depth = steps - s < DEPTH ? steps - s : DEPTH;
        const int8_t *a = x + s * I8_STEP, *b = w + s * I8_STEP * I8_PANEL;
        bool start = total != NULL && s == 0;
        for (size_t j = 0; j < I8_PANEL && whole > 0; j += 8) {
            take_slice(&part, b + j * I8_STEP, depth);
            for (size_t r = 0; r < whole; r += ROWS)
                many_rows(sum + r * I8_PANEL + j, a + r * stride, stride, &part, depth, start);
        }
        for (size_t r = whole; r < rows; r++)
            one_row(sum + r * I8_PANEL, a + r * stride, b, depth, start);
    }
}

const osc_cpu_i8 osc_cpu_i8_avx2 = {
    .name = "avx2",
    .available = osc_cpu_i8_has_avx2,
    .loops = &osc_cpu_i8_loops_avx2,
    .dot = dot,
};

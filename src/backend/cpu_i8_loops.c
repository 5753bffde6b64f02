/* Float loops around the int8 products.  Compiled several times, as cpu_vec.c, but
 * without contraction of a * b + c: every build gives the same bits. */
#include <config.h>
#include "backend/cpu_i8.h"

#include <string.h>
#ifdef __AVX2__
#include <immintrin.h>
#endif

#include "base/half.h"

typedef float v16 __attribute__((vector_size(64)));

static void peaks(uint32_t *peak, const float *x, size_t rows, size_t stride, size_t width)
{
    for (size_t r = 0; r < rows; r++) {
        const float *row = x + r * stride;
        for (size_t j = 0; j < width; j++) {
            int32_t bits = (int32_t)(osc_float_to_bits(row[j]) & 0x7fffffffu);
            int32_t most = (int32_t)peak[j];
            bits = bits > 0x7f800000 ? 0 : bits;
            peak[j] = (uint32_t)(bits > most ? bits : most);
        }
    }
}

static void range(int32_t *low, int32_t *high, const float *x, size_t n)
{
    int32_t least = *low, most = *high;
    for (size_t i = 0; i < n; i++) {
        int32_t key = osc_code_key(osc_float_to_bits(x[i]));
        least = key < least ? key : least;
        most = key > most ? key : most;
    }
    *low = least;
    *high = most;
}

/* Adding and taking away 1.5 * 2^23 (2^52 in double) rounds to an integer, half to
 * even.  |x * scale| <= 127 but for the last bit: far below 2^22. */
static int32_t symmetric(int8_t *q, const float *x, float scale, size_t n)
{
    const float magic = 0x1.8p23f;
    int32_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        float v = (x[i] * scale + magic) - magic;
        v = v > 127.0f ? 127.0f : v;
        v = v < -127.0f ? -127.0f : v;
        int32_t code = (int32_t)v;
        q[i] = (int8_t)code;
        sum += code;
    }
    return sum;
}

/* In double: x * scale is rounded to float32 first, as defined, but its sum with a
 * zero point of up to 2^31 must not be. */
static int32_t zeropoint(int8_t *q, const float *x, osc_code_scale scale, size_t n)
{
    const double magic = 0x1.8p52, zero = scale.zero;
    int32_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        float scaled = x[i] * scale.scale;
        double v = (((double)scaled + magic) - magic) + zero;
        v = v > 127.0 ? 127.0 : v;
        v = v < -127.0 ? -127.0 : v;
        int32_t code = (int32_t)v;
        q[i] = (int8_t)code;
        sum += code;
    }
    return sum;
}

static void scale(float *y, const int32_t *sum, const osc_code_row *row,
                  const osc_code_panel *panel, size_t n)
{
    for (size_t j = 0; j < n; j++)
        y[j] = (float)sum[j] * row->inverse * panel->inverse[j];
}

static void scale_zero(float *y, const int32_t *sum, const osc_code_row *row,
                       const osc_code_panel *panel, size_t n)
{
    double zero = row->zero, kept = (double)row->kept;
    for (size_t j = 0; j < n; j++) {
        double expanded = (double)sum[j] - zero * (double)panel->kept[j]
                     - (double)panel->zero[j] * kept;
        y[j] = (float)expanded * row->inverse * panel->inverse[j];
    }
}

static void outer(float *y, const float *x, const float *w, size_t count, size_t n)
{
    v16 part[I8_PANEL / 16] = { { 0 } };
    for (size_t i = 0; i < count; i++) {
        for (size_t v = 0; v < I8_PANEL / 16; v++) {
            v16 in;
            memcpy(&in, w + i * I8_PANEL + v * 16, sizeof in);
            part[v] = part[v] + in * x[i];
        }
    }
    float all[I8_PANEL];
    memcpy(all, part, sizeof all);
    for (size_t j = 0; j < n; j++)
        y[j] += all[j];
}

/* `count` is a constant where this is inlined. */
static inline __attribute__((always_inline))
void block(float *y, const unsigned char *from, size_t count)
{
    uint16_t half;
    int8_t q[OSC_CODE_BLOCK];
    memcpy(&half, from, sizeof half);
    memcpy(q, from + 2, sizeof q);
    float unit = osc_f16_to_float(half);
    for (size_t j = 0; j < count; j++)
        y[j] = (float)q[j] * unit;
}

static void blocks(float *y, const void *data, size_t n)
{
    const unsigned char *from = data;
    size_t i = 0;
    for (; i + OSC_CODE_BLOCK <= n; i += OSC_CODE_BLOCK, from += 2 + OSC_CODE_BLOCK)
        block(y + i, from, OSC_CODE_BLOCK);
    if (i < n)
        block(y + i, from, n - i);
}

/* Codes of a block's half as floats.  Compilers make single conversions of the loop. */
static inline __attribute__((always_inline)) v16 codes16(const unsigned char *from)
{
#if defined __AVX512F__
    __m128i q;
    memcpy(&q, from, sizeof q);
    return (v16)_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(q));
#elif defined __AVX2__
    __m256 half[2];
    v16 v;
    for (size_t i = 0; i < 2; i++) {
        __m128i q = _mm_loadl_epi64((const __m128i *)(const void *)(from + 8 * i));
        half[i] = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(q));
    }
    memcpy(&v, half, sizeof v);
    return v;
#else
    float values[16];
    v16 v;
    for (size_t i = 0; i < 16; i++)
        values[i] = (float)(int8_t)from[i];
    memcpy(&v, values, sizeof v);
    return v;
#endif
}

static inline __attribute__((always_inline)) v16 floats16(const float *x)
{
    v16 v;
    memcpy(&v, x, sizeof v);
    return v;
}

/* The fp16 at `from`, sixteen times. */
static inline __attribute__((always_inline)) v16 unit16(const unsigned char *from)
{
    uint16_t half;
    memcpy(&half, from, sizeof half);
#ifdef __AVX512F__
    return (v16)_mm512_cvtph_ps(_mm256_set1_epi16((short)half));
#else
    return (v16){ 0 } + osc_f16_to_float(half);
#endif
}

static inline __attribute__((always_inline))
v16 dot_block(const float *x, const unsigned char *from)
{
    return (floats16(x) * codes16(from + 2) + floats16(x + 16) * codes16(from + 18))
         * unit16(from);
}

static float dot_blocks(const float *x, const void *data, size_t n)
{
    const size_t bytes = 2 + OSC_CODE_BLOCK;
    const unsigned char *from = data;
    v16 even = { 0 }, odd = { 0 };
    size_t i = 0;
    for (; i + 2 * OSC_CODE_BLOCK <= n; i += 2 * OSC_CODE_BLOCK, from += 2 * bytes) {
        even += dot_block(x + i, from);
        odd += dot_block(x + i + OSC_CODE_BLOCK, from + bytes);
    }
    for (; i < n; i += OSC_CODE_BLOCK, from += bytes) {
        float last[OSC_CODE_BLOCK] = { 0 };
        memcpy(last, x + i, (n - i < OSC_CODE_BLOCK ? n - i : OSC_CODE_BLOCK) * sizeof *last);
        even += dot_block(last, from);
    }
    float all[16], sum = 0.0f;
    even += odd;
    memcpy(all, &even, sizeof all);
    for (size_t l = 0; l < 16; l++)
        sum += all[l];
    return sum;
}

#define NAME2(isa) osc_cpu_i8_loops_##isa
#define NAME1(isa) NAME2(isa)

const osc_cpu_i8_loops NAME1(OSC_VEC) = {
    .peaks = peaks,
    .range = range,
    .symmetric = symmetric,
    .zeropoint = zeropoint,
    .scale = scale,
    .scale_zero = scale_zero,
    .outer = outer,
    .blocks = blocks,
    .dot_blocks = dot_blocks,
};

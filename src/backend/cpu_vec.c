/* Vector loops.  Compiled several times: OSC_VEC names the table that is defined,
 * and the compiler's flags say which instructions it may use.  A vector here has
 * 16 floats or 8 doubles whatever the machine's width, so the order of every sum
 * is the same for all builds (fused multiply-add still makes last-bit differences
 * between instruction sets). */
#include <config.h>
#include "backend/cpu_vec.h"

#include <math.h>
#include <string.h>
#ifdef __F16C__
#include <immintrin.h>
#endif

#include "base/half.h"

typedef float   v16 __attribute__((vector_size(64)));
typedef int32_t i16v __attribute__((vector_size(64)));
typedef float   v8 __attribute__((vector_size(32)));
typedef int32_t i8v __attribute__((vector_size(32)));
typedef double  d8 __attribute__((vector_size(64)));

#define INLINE static inline __attribute__((always_inline))

INLINE v16 load16(const float *x)
{
    v16 v;
    memcpy(&v, x, sizeof v);
    return v;
}

INLINE void store16(float *y, v16 v)
{
    memcpy(y, &v, sizeof v);
}

INLINE v16 splat16(float x)
{
    return (v16){ 0 } + x;
}

INLINE v16 select16(i16v mask, v16 yes, v16 no)
{
    return (v16)((mask & (i16v)yes) | (~mask & (i16v)no));
}

INLINE v16 max16(v16 a, v16 b)   /* b where it is NaN's turn: NaN in a is passed over */
{
    return select16(a > b, a, b);
}

INLINE float sum16(v16 v)
{
    float a[16];
    memcpy(a, &v, sizeof a);
    for (size_t half = 8; half > 0; half /= 2)
        for (size_t i = 0; i < half; i++)
            a[i] += a[i + half];
    return a[0];
}

/* e^x, |relative error| < 2e-7: x = n ln 2 + r, |r| <= ln 2 / 2, Taylor series of
 * e^r to r^7 (remainder below 6e-9), times 2^n.  Zero below -87 (the result would
 * be subnormal), infinity above 88, NaN for NaN. */
INLINE v16 exp16(v16 x)
{
    const float magic = 12582912.0f;   /* 1.5 * 2^23: adding it rounds to an integer */
    i16v tiny = x < splat16(-87.0f), huge = x > splat16(88.0f);
    v16 in = select16(tiny, splat16(-87.0f), select16(huge, splat16(88.0f), x));
    v16 shifted = in * 1.44269504088896341f + magic;
    v16 n = shifted - magic;
    v16 r = in - n * 0.693359375f;     /* ln 2 in two parts, the first exact in 9 bits */
    r = r + n * 2.12194440054690583e-4f;
    v16 p = splat16(1.0f / 5040);
    p = p * r + 1.0f / 720;
    p = p * r + 1.0f / 120;
    p = p * r + 1.0f / 24;
    p = p * r + 1.0f / 6;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    i16v power = ((i16v)shifted << 23) + (127 << 23);
    v16 y = p * (v16)power;
    y = select16(huge, splat16(INFINITY), y);
    return select16(tiny, splat16(0.0f), y);
}

typedef uint16_t u16v __attribute__((vector_size(32)));

INLINE v16 widen16_f32(const void *x)
{
    return load16(x);
}

INLINE v16 widen16_bf16(const void *x)
{
    u16v halves;
    memcpy(&halves, x, sizeof halves);
    return (v16)(__builtin_convertvector(halves, i16v) << 16);
}

INLINE v16 widen16_f16(const void *x)
{
#if defined __AVX512F__
    __m256i halves;
    memcpy(&halves, x, sizeof halves);
    return (v16)_mm512_cvtph_ps(halves);
#elif defined __F16C__
    __m128i halves[2];
    __m256 wide[2];
    v16 v;
    memcpy(halves, x, sizeof halves);
    wide[0] = _mm256_cvtph_ps(halves[0]);
    wide[1] = _mm256_cvtph_ps(halves[1]);
    memcpy(&v, wide, sizeof v);
    return v;
#else
    uint16_t halves[16];
    float wide[16];
    memcpy(halves, x, sizeof halves);
    for (size_t i = 0; i < 16; i++)
        wide[i] = osc_f16_to_float(halves[i]);
    return load16(wide);
#endif
}

INLINE v16 widen16(const unsigned char *w, osc_dtype dtype, size_t i)
{
    return dtype == OSC_F16 ? widen16_f16(w + 2 * i)
         : dtype == OSC_BF16 ? widen16_bf16(w + 2 * i) : widen16_f32(w + 4 * i);
}

/* One weight; `dtype` is a constant where these are inlined. */
INLINE float widen1(const unsigned char *w, osc_dtype dtype, size_t i)
{
    uint16_t half;
    float value;
    if (dtype == OSC_F32) {
        memcpy(&value, w + 4 * i, sizeof value);
        return value;
    }
    memcpy(&half, w + 2 * i, sizeof half);
    return dtype == OSC_F16 ? osc_f16_to_float(half) : osc_bf16_to_float(half);
}

INLINE float dot(const float *x, const void *w, osc_dtype dtype, size_t n)
{
    v16 part[4] = { { 0 } };
    size_t i = 0;
    for (; i + 64 <= n; i += 64)
        for (size_t p = 0; p < 4; p++)
            part[p] += load16(x + i + 16 * p) * widen16(w, dtype, i + 16 * p);
    for (; i + 16 <= n; i += 16)
        part[0] += load16(x + i) * widen16(w, dtype, i);
    float sum = sum16((part[0] + part[1]) + (part[2] + part[3]));
    for (; i < n; i++)
        sum += x[i] * widen1(w, dtype, i);
    return sum;
}

INLINE void add_scaled(float *y, float factor, const void *w, osc_dtype dtype, size_t n)
{
    size_t i = 0;
    for (; i + 16 <= n; i += 16)
        store16(y + i, load16(y + i) + factor * widen16(w, dtype, i));
    for (; i < n; i++)
        y[i] += factor * widen1(w, dtype, i);
}

static float dot_f32(const float *x, const void *w, size_t n)
{
    return dot(x, w, OSC_F32, n);
}

static float dot_f16(const float *x, const void *w, size_t n)
{
    return dot(x, w, OSC_F16, n);
}

static float dot_bf16(const float *x, const void *w, size_t n)
{
    return dot(x, w, OSC_BF16, n);
}

static void add_scaled_f32(float *y, float factor, const void *w, size_t n)
{
    add_scaled(y, factor, w, OSC_F32, n);
}

static void add_scaled_f16(float *y, float factor, const void *w, size_t n)
{
    add_scaled(y, factor, w, OSC_F16, n);
}

static void add_scaled_bf16(float *y, float factor, const void *w, size_t n)
{
    add_scaled(y, factor, w, OSC_BF16, n);
}

static void widen_bf16(float *y, const void *x, size_t n)
{
    const unsigned char *bytes = x;
    for (size_t i = 0; i < n; i++) {
        uint16_t h;
        memcpy(&h, bytes + 2 * i, sizeof h);
        y[i] = osc_bf16_to_float(h);
    }
}

static void widen_f16(float *y, const void *x, size_t n)
{
    const unsigned char *bytes = x;
    size_t i = 0;
#ifdef __F16C__
    for (; i + 8 <= n; i += 8) {
        __m128i h = _mm_loadu_si128((const __m128i *)(const void *)(bytes + 2 * i));
        _mm256_storeu_ps(y + i, _mm256_cvtph_ps(h));
    }
#endif
    for (; i < n; i++) {
        uint16_t h;
        memcpy(&h, bytes + 2 * i, sizeof h);
        y[i] = osc_f16_to_float(h);
    }
}

static int all_finite(const float *x, size_t n)
{
    uint32_t worst = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t magnitude = osc_float_to_bits(x[i]) & 0x7fffffffu;
        worst = magnitude > worst ? magnitude : worst;
    }
    return worst < 0x7f800000u;
}

static void add(float *y, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] += x[i];
}

static void multiply(float *y, float factor, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] *= factor;
}

INLINE float activate(float x, osc_act act)
{
    switch (act) {
    case OSC_ACT_NONE: return x;
    case OSC_ACT_RELU: return x < 0.0f ? 0.0f : x;   /* NaN stays */
    case OSC_ACT_GELU: return 0.5f * x * (1.0f + erff(x * 0.70710678118654752f));
    case OSC_ACT_GELU_TANH:
        return 0.5f * x * (1.0f + tanhf(0.79788456080286536f * (x + 0.044715f * x * x * x)));
    case OSC_ACT_SILU: return x / (1.0f + expf(-x));
    }
    return x;
}

static void bias_act(float *y, const float *bias, osc_act act, size_t n)
{
    if (bias != NULL)
        for (size_t i = 0; i < n; i++)
            y[i] += bias[i];
    if (act == OSC_ACT_RELU) {
        for (size_t i = 0; i < n; i++)
            y[i] = activate(y[i], OSC_ACT_RELU);
    } else if (act != OSC_ACT_NONE) {
        for (size_t i = 0; i < n; i++)
            y[i] = activate(y[i], act);
    }
}

/* Sums in double: rows are short, and the sums then do not depend on how a vector unit
 * would split them. */
INLINE void moments(double *sum, double *square, const float *x, size_t n)
{
    d8 sum8 = { 0 }, square8 = { 0 };
    size_t i = 0;
    *sum = *square = 0.0;
    for (; i + 8 <= n; i += 8) {
        v8 v;
        memcpy(&v, x + i, sizeof v);
        d8 d = __builtin_convertvector(v, d8);
        sum8 += d;
        square8 += d * d;
    }
    for (; i < n; i++) {
        *sum += x[i];
        *square += (double)x[i] * x[i];
    }
    for (size_t lane = 0; lane < 8; lane++) {
        *sum += sum8[lane];
        *square += square8[lane];
    }
}

static void layernorm(float *y, const float *x, const float *weight, const float *bias,
                      float eps, size_t n)
{
    double sum, square;
    moments(&sum, &square, x, n);
    double mean = sum / (double)n;
    double variance = square / (double)n - mean * mean;
    float m = (float)mean;
    float inverse = (float)(1.0 / sqrt((variance < 0.0 ? 0.0 : variance) + (double)eps));
    for (size_t i = 0; i < n; i++)
        y[i] = (x[i] - m) * inverse;
    if (weight != NULL)
        for (size_t i = 0; i < n; i++)
            y[i] *= weight[i];
    if (bias != NULL)
        for (size_t i = 0; i < n; i++)
            y[i] += bias[i];
}

static void rmsnorm(float *y, const float *x, const float *weight, float eps, size_t n)
{
    double sum, square;
    moments(&sum, &square, x, n);
    float inverse = (float)(1.0 / sqrt(square / (double)n + (double)eps));
    for (size_t i = 0; i < n; i++)
        y[i] = x[i] * inverse;
    if (weight != NULL)
        for (size_t i = 0; i < n; i++)
            y[i] *= weight[i];
}

static float max(const float *x, size_t n)
{
    v16 best16 = splat16(-INFINITY);
    size_t i = 0;
    for (; i + 16 <= n; i += 16)
        best16 = max16(load16(x + i), best16);
    float best = -INFINITY;
    for (; i < n; i++)
        best = x[i] > best ? x[i] : best;
    for (size_t lane = 0; lane < 16; lane++)
        best = best16[lane] > best ? best16[lane] : best;
    return best;
}

/* The last n < 16 values, filled up with -inf, whose exponential is 0. */
INLINE v16 load_tail(const float *x, size_t n)
{
    float padded[16];
    for (size_t i = 0; i < 16; i++)
        padded[i] = i < n ? x[i] : -INFINITY;
    return load16(padded);
}

static float exp_row(float *y, const float *x, float scale, float shift, size_t n)
{
    v16 sum = { 0 };
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        v16 e = exp16((load16(x + i) - shift) * scale);
        store16(y + i, e);
        sum += e;
    }
    if (i < n) {
        v16 e = exp16((load_tail(x + i, n - i) - shift) * scale);
        memcpy(y + i, &e, (n - i) * sizeof *y);
        sum += e;
    }
    return sum16(sum);
}

static float exp_sum(const float *x, float shift, size_t n)
{
    v16 sum = { 0 };
    size_t i = 0;
    for (; i + 16 <= n; i += 16)
        sum += exp16(load16(x + i) - shift);
    if (i < n)
        sum += exp16(load_tail(x + i, n - i) - shift);
    return sum16(sum);
}

/* Eight columns at a time: 32 bytes of every row. */
INLINE void columns8(const osc_cpu_columns *c, const float *x, size_t rows, size_t stride)
{
    v8 low, high;
    d8 sum = { 0 }, square = { 0 }, fourth = { 0 };
    memcpy(&low, c->min, sizeof low);
    memcpy(&high, c->max, sizeof high);
    for (size_t r = 0; r < rows; r++) {
        v8 v;
        memcpy(&v, x + r * stride, sizeof v);
        i8v less = v < low, more = v > high;
        low = (v8)((less & (i8v)v) | (~less & (i8v)low));
        high = (v8)((more & (i8v)v) | (~more & (i8v)high));
        d8 d = __builtin_convertvector(v, d8);
        d8 dd = d * d;
        sum += d;
        square += dd;
        fourth += dd * dd;
    }
    memcpy(c->min, &low, sizeof low);
    memcpy(c->max, &high, sizeof high);
    for (size_t lane = 0; lane < 8; lane++) {
        c->sum[lane] += sum[lane];
        c->sumsq[lane] += square[lane];
        c->sum4[lane] += fourth[lane];
    }
}

INLINE void columns1(const osc_cpu_columns *c, const float *x, size_t rows, size_t stride)
{
    double sum = 0.0, square = 0.0, fourth = 0.0;
    for (size_t r = 0; r < rows; r++) {
        float v = x[r * stride];
        *c->min = v < *c->min ? v : *c->min;
        *c->max = v > *c->max ? v : *c->max;
        double dd = (double)v * v;
        sum += v;
        square += dd;
        fourth += dd * dd;
    }
    *c->sum += sum;
    *c->sumsq += square;
    *c->sum4 += fourth;
}

static void columns(const osc_cpu_columns *c, const float *x, size_t rows, size_t stride,
                    size_t width)
{
    for (size_t i = 0; i < width;) {
        osc_cpu_columns at = { c->min + i, c->max + i, c->sum + i, c->sumsq + i, c->sum4 + i };
        if (width - i >= 8) {
            columns8(&at, x + i, rows, stride);
            i += 8;
        } else {
            columns1(&at, x + i, rows, stride);
            i++;
        }
    }
}

static void count_ge(uint64_t *count, const float *x, size_t rows, size_t stride, size_t width,
                     float alpha)
{
    size_t i = 0;
    for (; i + 8 <= width; i += 8) {
        i8v less = { 0 };    /* comparisons give -1 for true */
        for (size_t r = 0; r < rows; r++) {
            v8 v;
            memcpy(&v, x + r * stride + i, sizeof v);
            less += (v >= (v8){ 0 } + alpha) | (v <= (v8){ 0 } - alpha);
        }
        for (size_t lane = 0; lane < 8; lane++)
            count[i + lane] += (uint64_t)-(int64_t)less[lane];
    }
    for (; i < width; i++)
        for (size_t r = 0; r < rows; r++)
            count[i] += fabsf(x[r * stride + i]) >= alpha;
}

/* Bin of |x| from its exponent bits e: e - 127 - OSC_HISTOGRAM_LOWEST, clamped. */
enum { BIN_BIAS = 127 + OSC_HISTOGRAM_LOWEST, LAST_BIN = OSC_HISTOGRAM_BINS - 1 };

static size_t bin_of(uint32_t exponent)
{
    int bin = (int)exponent - BIN_BIAS;
    return bin < 0 ? 0 : bin > LAST_BIN ? LAST_BIN : (size_t)bin;
}

/* Eight tables in turn, so that equal neighbours (zeros after a ReLU) do not wait for
 * each other's increment. */
static void exponents(uint64_t *bins, const float *x, size_t rows, size_t stride, size_t width)
{
    uint32_t table[8][256] = { { 0 } };
    for (size_t r = 0; r < rows; r++) {
        const float *row = x + r * stride;
        size_t i = 0;
        for (; i + 8 <= width; i += 8) {
            uint64_t two[4];
            memcpy(two, row + i, sizeof two);
            for (size_t p = 0; p < 4; p++) {
                table[2 * p][two[p] >> 23 & 0xff]++;
                table[2 * p + 1][two[p] >> 55 & 0xff]++;
            }
        }
        for (; i < width; i++)
            bins[bin_of(osc_float_to_bits(row[i]) >> 23 & 0xff)]++;
    }
    for (size_t e = 0; e < 256; e++)
        for (size_t t = 0; t < 8; t++)
            bins[bin_of((uint32_t)e)] += table[t][e];
}

#define NAME2(isa) osc_cpu_vec_##isa
#define NAME1(isa) NAME2(isa)
#define REDUCE2(isa) osc_cpu_reduce_##isa
#define REDUCE1(isa) REDUCE2(isa)
#define TEXT2(isa) #isa
#define TEXT1(isa) TEXT2(isa)

const osc_cpu_vec NAME1(OSC_VEC) = {
    .name = TEXT1(OSC_VEC),
    .widen_f16 = widen_f16,
    .widen_bf16 = widen_bf16,
    .all_finite = all_finite,
    .dot_f32 = dot_f32,
    .dot_f16 = dot_f16,
    .dot_bf16 = dot_bf16,
    .add_scaled_f32 = add_scaled_f32,
    .add_scaled_f16 = add_scaled_f16,
    .add_scaled_bf16 = add_scaled_bf16,
    .add = add,
    .bias_act = bias_act,
    .layernorm = layernorm,
    .rmsnorm = rmsnorm,
    .max = max,
    .exp = exp_row,
    .exp_sum = exp_sum,
    .multiply = multiply,
    .columns = columns,
    .count_ge = count_ge,
    .exponents = exponents,
    .reduce = &REDUCE1(OSC_VEC),
};

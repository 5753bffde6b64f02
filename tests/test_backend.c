/* Every operation of the CPU backend against plain loops in double, on ugly
 * shapes, for every vector build that this processor can run, and bit for bit
 * across thread counts. */
#include <config.h>
#include "run.h"

#include <stdlib.h>
#include <string.h>

#include "backend/cpu.h"
#include "base/alloc.h"
#include "base/half.h"
#include "near.h"

static const double BUDGET = 2e-6;      /* float32 sums of up to ~300 terms of order 1 */

static const osc_backend *const cpu = &osc_backend_cpu;

static osc_device *open_device(size_t threads)
{
    osc_device *device;
    osc_limits limits = { .tokens = 300, .heads = 5, .head_size = 80, .widest = 700,
                          .vocabulary = 1100, .embed_width = 257 };
    ck_assert_int_eq(cpu->open(&device, threads), OSC_OK);
    ck_assert_int_eq(cpu->plan(device, &limits), OSC_OK);
    return device;
}

static float *random_matrix(size_t rows, size_t width, float scale, uint64_t seed)
{
    float *x = osc_alloc(rows * width, sizeof *x);
    random_fill(x, rows * width, scale, &seed);
    return x;
}

static const osc_cpu_vec *builds(int i)
{
    switch (i) {
    case 0: return &osc_cpu_vec_generic;
#ifdef HAVE_X86_64
    case 1: return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")
                   ? &osc_cpu_vec_avx2 : NULL;
    case 2: return osc_cpu_vec_choose() == &osc_cpu_vec_avx512 ? &osc_cpu_vec_avx512 : NULL;
#endif
    default: return NULL;
    }
}

/* --- the vector builds --------------------------------------------------------- */

static const size_t lengths[] = { 1, 2, 7, 8, 15, 16, 17, 31, 33, 64, 100, 257 };
enum { LENGTHS = sizeof lengths / sizeof *lengths };

START_TEST(test_widen)
{
    const osc_cpu_vec *vec = builds(_i);
    if (vec == NULL)
        return;
    static uint16_t h[65536 + 1];
    static float y[65536];
    for (size_t i = 0; i < 65536; i++)
        memcpy((char *)h + 1 + 2 * i, &(uint16_t){ (uint16_t)i }, 2);   /* odd address */
    vec->widen_f16(y, (char *)h + 1, 65536);
    for (size_t i = 0; i < 65536; i++)
        ck_assert_msg(osc_float_to_bits(y[i]) == osc_float_to_bits(osc_f16_to_float((uint16_t)i))
                      || isnan(y[i]), "%s: fp16 %zx", vec->name, i);
    vec->widen_bf16(y, (char *)h + 1, 65536);
    for (size_t i = 0; i < 65536; i++)
        ck_assert_uint_eq(osc_float_to_bits(y[i]), (uint32_t)i << 16);
}
END_TEST

START_TEST(test_exp)
{
    const osc_cpu_vec *vec = builds(_i);
    if (vec == NULL)
        return;
    for (float x = -90.0f; x <= 89.0f; x += 0.0137f) {
        float y, sum = vec->exp(&y, &x, 1.0f, 0.0f, 1);
        double want = x < -87.0f ? 0.0 : x > 88.0f ? INFINITY : exp((double)x);
        ck_assert_msg(want == (double)y || fabs((double)y / want - 1.0) < 3e-7,
                      "%s: exp(%g) is %g", vec->name, (double)x, (double)y);
        ck_assert_float_eq(sum, y);
    }
    float special[3] = { -INFINITY, NAN, INFINITY }, y[3];
    vec->exp(y, special, 1.0f, 0.0f, 3);
    ck_assert_float_eq(y[0], 0.0f);
    ck_assert_float_nan(y[1]);
    ck_assert_float_infinite(y[2]);
    for (size_t l = 0; l < LENGTHS; l++) {
        float *x = random_matrix(1, lengths[l], 5.0f, 3), *e = random_matrix(1, lengths[l], 0, 1);
        double want = 0.0;
        for (size_t i = 0; i < lengths[l]; i++)
            want += exp(2.0 * ((double)x[i] - 1.5));
        ck_assert_double_eq_tol(vec->exp(e, x, 2.0f, 1.5f, lengths[l]) / want, 1.0, 1e-6);
        double plain = 0.0;
        for (size_t i = 0; i < lengths[l]; i++)
            plain += exp((double)x[i] - 1.5);
        ck_assert_double_eq_tol(vec->exp_sum(x, 1.5f, lengths[l]) / plain, 1.0, 1e-6);
        osc_free(x);
        osc_free(e);
    }
}
END_TEST

START_TEST(test_max)
{
    const osc_cpu_vec *vec = builds(_i);
    if (vec == NULL)
        return;
    for (size_t l = 0; l < LENGTHS; l++) {
        float *x = random_matrix(1, lengths[l], 5.0f, 11 + l), want = -INFINITY;
        for (size_t i = 0; i < lengths[l]; i++)
            want = x[i] > want ? x[i] : want;
        ck_assert_float_eq(vec->max(x, lengths[l]), want);
        x[lengths[l] / 2] = INFINITY;
        ck_assert_float_eq(vec->max(x, lengths[l]), INFINITY);
        ck_assert_int_eq(vec->all_finite(x, lengths[l]), 0);
        x[lengths[l] / 2] = NAN;
        ck_assert_int_eq(vec->all_finite(x, lengths[l]), 0);
        x[lengths[l] / 2] = 3e38f;
        ck_assert_int_eq(vec->all_finite(x, lengths[l]), 1);
        osc_free(x);
    }
}
END_TEST

START_TEST(test_columns)
{
    const osc_cpu_vec *vec = builds(_i);
    if (vec == NULL)
        return;
    enum { ROWS = 37, STRIDE = 29 };
    float *x = random_matrix(ROWS, STRIDE, 7.0f, 5);
    x[3] = 0.0f; x[40] = 1e-20f; x[41] = 3e30f; x[90] = -1e-39f; x[91] = 0x1p-40f;
    for (size_t width = 1; width <= STRIDE; width++) {
        float low[STRIDE], high[STRIDE];
        double sum[STRIDE], square[STRIDE], fourth[STRIDE];
        for (size_t c = 0; c < width; c++) {
            low[c] = INFINITY;
            high[c] = -INFINITY;
            sum[c] = square[c] = fourth[c] = 1.0;   /* added to, not overwritten */
        }
        osc_cpu_columns at = { low, high, sum, square, fourth };
        uint64_t bins[OSC_HISTOGRAM_BINS] = { 0 }, plain[OSC_HISTOGRAM_BINS] = { 0 };
        vec->columns(&at, x, ROWS, STRIDE, width);
        vec->exponents(bins, x, ROWS, STRIDE, width);
        for (size_t c = 0; c < width; c++) {
            double s = 1.0, s2 = 1.0, s4 = 1.0, lo = INFINITY, hi = -INFINITY;
            for (size_t r = 0; r < ROWS; r++) {
                double v = x[r * STRIDE + c];
                s += v; s2 += v * v; s4 += v * v * v * v;
                lo = v < lo ? v : lo;
                hi = v > hi ? v : hi;
            }
            ck_assert_double_eq(low[c], lo);
            ck_assert_double_eq(high[c], hi);
            ck_assert_double_eq_tol(sum[c], s, 1e-12 * ROWS * 7);
            ck_assert_double_eq_tol(square[c] / s2, 1.0, 1e-13);
            ck_assert_double_eq_tol(fourth[c] / s4, 1.0, 1e-13);
        }
        for (size_t i = 0; i < ROWS * width; i++) {
            double v = x[i / width * STRIDE + i % width];
            int bin = v == 0.0 ? 0 : (int)floor(log2(fabs(v))) - OSC_HISTOGRAM_LOWEST;
            plain[bin < 0 ? 0 : bin > 63 ? 63 : bin]++;
        }
        ck_assert_mem_eq(bins, plain, sizeof bins);
    }
    osc_free(x);
}
END_TEST

START_TEST(test_layernorm)
{
    const osc_cpu_vec *vec = builds(_i);
    if (vec == NULL)
        return;
    for (size_t l = 0; l < LENGTHS; l++) {
        size_t n = lengths[l];
        float *x = random_matrix(1, n, 30.0f, 7), *w = random_matrix(1, n, 1, 8);
        float *b = random_matrix(1, n, 1, 9), *y = random_matrix(1, n, 0, 1);
        double *want = osc_alloc(n, sizeof *want), mean = 0.0, var = 0.0;
        for (size_t i = 0; i < n; i++)
            mean += x[i] / (double)n;
        for (size_t i = 0; i < n; i++)
            var += (x[i] - mean) * (x[i] - mean) / (double)n;
        for (size_t i = 0; i < n; i++)
            want[i] = (x[i] - mean) / sqrt(var + 1e-5) * w[i] + b[i];
        vec->layernorm(y, x, w, b, 1e-5f, n);
        assert_near("layernorm", y, want, n, BUDGET);
        vec->layernorm(x, x, NULL, NULL, 1e-5f, n);   /* in place, without affine part */
        for (size_t i = 0; i < n; i++)
            want[i] = (want[i] - b[i]) / w[i];
        assert_near("plain layernorm", x, want, n, 1e-4);
        osc_free(x); osc_free(w); osc_free(b); osc_free(y); osc_free(want);
    }
}
END_TEST

START_TEST(test_activations)
{
    const osc_cpu_vec *vec = builds(_i);
    if (vec == NULL)
        return;
    for (float v = -6.0f; v < 6.0f; v += 0.37f) {
        double x = (double)v + 0.25, y;
        float bias = 0.25f, got[4] = { v, v, v, v };
        for (int a = 0; a < 4; a++)
            vec->bias_act(&got[a], &bias, (osc_act)(OSC_ACT_RELU + a), 1);
        ck_assert_double_eq_tol(got[0], x < 0 ? 0 : x, 1e-6);
        y = 0.5 * x * (1 + erf(x / sqrt(2)));
        ck_assert_double_eq_tol(got[1], y, 2e-6);
        y = 0.5 * x * (1 + tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
        ck_assert_double_eq_tol(got[2], y, 2e-6);
        ck_assert_double_eq_tol(got[3], x / (1 + exp(-x)), 2e-6);
    }
    float bad = NAN;
    vec->bias_act(&bad, NULL, OSC_ACT_RELU, 1);
    ck_assert_float_nan(bad);
}
END_TEST

/* --- products of few rows -------------------------------------------------------- */

static const osc_dtype stored_types[] = { OSC_F32, OSC_F16, OSC_BF16 };

/* `n` values of the type at an odd address, and what they are as floats. */
static void store(unsigned char *to, float *values, size_t n, osc_dtype dtype)
{
    for (size_t i = 0; i < n; i++) {
        uint16_t half = dtype == OSC_F16 ? osc_float_to_f16(values[i])
                                         : osc_float_to_bf16(values[i]);
        if (dtype == OSC_F32) {
            memcpy(to + 1 + 4 * i, &values[i], 4);
        } else {
            memcpy(to + 1 + 2 * i, &half, 2);
            values[i] = dtype == OSC_F16 ? osc_f16_to_float(half) : osc_bf16_to_float(half);
        }
    }
}

/* Against sums in double; weights widened before give the same bits. */
START_TEST(test_dots)
{
    const osc_cpu_vec *vec = builds(_i);
    if (vec == NULL)
        return;
    for (size_t l = 0; l < LENGTHS; l++) {
        size_t n = lengths[l];
        float *x = random_matrix(1, n, 1, 51), *w = random_matrix(1, n, 1, 52);
        float *y = random_matrix(1, n, 1, 53), *z = random_matrix(1, n, 1, 53);
        unsigned char *stored = osc_alloc(4 * n + 1, 1);
        double *want = osc_alloc(n, sizeof *want);
        for (size_t d = 0; d < 3; d++) {
            float (*const dots[])(const float *, const void *, size_t) = {
                vec->dot_f32, vec->dot_f16, vec->dot_bf16 };
            void (*const adds[])(float *, float, const void *, size_t) = {
                vec->add_scaled_f32, vec->add_scaled_f16, vec->add_scaled_bf16 };
            double sum = 0.0, size = 0.0;
            store(stored, w, n, stored_types[d]);
            for (size_t i = 0; i < n; i++) {
                sum += (double)x[i] * w[i];
                size += fabs((double)x[i] * w[i]);
                want[i] = y[i] + 0.3f * (double)w[i];
            }
            float got = dots[d](x, stored + 1, n);
            ck_assert_double_eq_tol(got, sum, BUDGET * size);
            ck_assert_float_eq(got, vec->dot_f32(x, w, n));
            memcpy(z, y, n * sizeof *z);
            adds[d](z, 0.3f, stored + 1, n);
            assert_near("add_scaled", z, want, n, BUDGET);
        }
        osc_free(x); osc_free(w); osc_free(y); osc_free(z); osc_free(stored); osc_free(want);
    }
}
END_TEST

/* How a weight of N rows may lie: whole, as the columns of a matrix with others around, a
 * head's rows apart from the next one's, every other element. */
static osc_tensor laid_out(const void *data, osc_dtype dtype, size_t layout, size_t n, size_t k)
{
    osc_tensor t = osc_tensor_make(data, dtype, 2, (size_t[]){ n, k });
    if (layout == 1) {
        t.stride[0] = 1;
        t.stride[1] = n + 5;
    } else if (layout == 2) {
        t = osc_tensor_make(data, dtype, 3, (size_t[]){ n / 3, 3, k });
        t.stride[0] = 4 * k;
    } else if (layout == 3) {
        t.stride[0] = 2 * k;
        t.stride[1] = 2;
    }
    return t;
}

START_TEST(test_matmul_stored)
{
    static const struct { size_t rows, n, k; } shapes[] = {
        { 1, 3, 1 }, { 1, 99, 130 }, { 5, 66, 77 }, { 8, 600, 33 },
    };
    size_t rows = shapes[_i / 4].rows, n = shapes[_i / 4].n, k = shapes[_i / 4].k;
    size_t room = 2 * (n + 5) * (k + 5);
    float *x = random_matrix(rows, k, 1, 61), *w = random_matrix(1, room, 1, 62);
    float *b = random_matrix(1, n, 1, 63), *y = random_matrix(rows, n, 0, 1);
    float *again = random_matrix(rows, n, 0, 1);
    unsigned char *stored = osc_alloc(4 * room + 1, 1);
    double *want = osc_alloc(rows * n, sizeof *want);
    for (size_t d = 0; d < 3; d++) {
        store(stored, w, room, stored_types[d]);
        osc_tensor t = laid_out(stored + 1, stored_types[d], (size_t)_i % 4, n, k);
        size_t last = t.ndim - 1;
        for (size_t i = 0; i < rows * n; i++) {
            size_t row = i % n;
            size_t at = last == 1 ? row * t.stride[0] : row / 3 * t.stride[0] + row % 3 * t.stride[1];
            want[i] = b[row];
            for (size_t c = 0; c < k; c++)
                want[i] += (double)x[i / n * k + c] * w[at + c * t.stride[last]];
            want[i] = want[i] < 0 ? 0 : want[i];
        }
        for (size_t threads = 1; threads <= 3; threads++) {
            osc_device *device = open_device(threads);
            float *into = threads == 1 ? y : again;
            ck_assert_int_eq(cpu->matmul_stored(device, into, x, &t, b, OSC_ACT_RELU, rows), OSC_OK);
            if (threads > 1)
                ck_assert_int_eq(memcmp(y, again, rows * n * sizeof *y), 0);
            cpu->close(device);
        }
        assert_near("stored weight", y, want, rows * n, BUDGET + 6e-8 * (double)k);
    }
    osc_free(x); osc_free(w); osc_free(b); osc_free(y); osc_free(again); osc_free(stored);
    osc_free(want);
}
END_TEST

START_TEST(test_logits)
{
    enum { V = 77, P = 40 };
    float *x = random_matrix(1, P, 1, 64), *w = random_matrix(V, P, 1, 65);
    float *bias = random_matrix(1, V, 1, 66), *y = random_matrix(1, V, 0, 1);
    double *want = osc_alloc(V, sizeof *want);
    osc_tensor table = osc_tensor_make(w, OSC_F32, 2, (size_t[]){ V, P });
    osc_device *device = open_device(2);
    for (int biased = 0; biased < 2; biased++) {
        ck_assert_int_eq(cpu->logits(device, y, x, &table, biased ? bias : NULL), OSC_OK);
        for (size_t j = 0; j < V; j++) {
            want[j] = biased ? (double)bias[j] : 0.0;
            for (size_t c = 0; c < P; c++)
                want[j] += (double)x[c] * w[j * P + c];
        }
        assert_near("logits", y, want, V, 1e-5);
    }
    table.dtype = OSC_I32;
    ck_assert_int_eq(cpu->logits(device, y, x, &table, NULL), OSC_EUNSUP);
    cpu->close(device);
    osc_free(x); osc_free(w); osc_free(bias); osc_free(y); osc_free(want);
}
END_TEST

/* --- the operations ------------------------------------------------------------ */

START_TEST(test_load)
{
    osc_device *device = open_device(2);
    enum { ROWS = 37, COLS = 129 };
    static unsigned char stored[1 + 2 * ROWS * COLS];
    static float y[ROWS * COLS];
    for (size_t i = 0; i < ROWS * COLS; i++) {
        uint16_t h = osc_float_to_f16((float)i / 16.0f);
        memcpy(stored + 1 + 2 * i, &h, 2);
    }
    osc_tensor t = osc_tensor_make(stored + 1, OSC_F16, 2, (size_t[]){ ROWS, COLS });
    size_t bad;
    ck_assert_int_eq(cpu->load(device, y, &t, &bad), OSC_OK);
    ck_assert_uint_eq(bad, SIZE_MAX);
    ck_assert_float_eq(y[130], osc_f16_to_float(osc_float_to_f16(130 / 16.0f)));
    /* transposed: what a checkpoint that stores [in, out] needs */
    osc_tensor turned = t;
    turned.dim[0] = COLS; turned.dim[1] = ROWS;
    turned.stride[0] = 1; turned.stride[1] = COLS;
    ck_assert_int_eq(cpu->load(device, y, &turned, &bad), OSC_OK);
    ck_assert_float_eq(y[5 * ROWS + 7],
                       osc_f16_to_float(osc_float_to_f16((7 * COLS + 5) / 16.0f)));
    memcpy(stored + 1 + 2 * 4000, &(uint16_t){ 0x7c00 }, 2);
    memcpy(stored + 1 + 2 * 4500, &(uint16_t){ 0x7e00 }, 2);
    ck_assert_int_eq(cpu->load(device, y, &t, &bad), OSC_OK);
    ck_assert_uint_eq(bad, 4000);
    t.dtype = OSC_I32;
    ck_assert_int_eq(cpu->load(device, y, &t, &bad), OSC_EUNSUP);
    cpu->close(device);
}
END_TEST

static const struct { size_t rows, n, k; } products[] = {
    { 1, 1, 1 }, { 1, 300, 257 }, { 3, 5, 7 }, { 127, 255, 31 }, { 129, 257, 65 }, { 200, 600, 100 },
};

START_TEST(test_matmul)
{
    size_t rows = products[_i].rows, n = products[_i].n, k = products[_i].k;
    float *x = random_matrix(rows, k, 1, 21), *w = random_matrix(n, k, 1, 22);
    float *b = random_matrix(1, n, 1, 23), *y = random_matrix(rows, n, 0, 1);
    float *again = random_matrix(rows, n, 0, 1);
    double *want = osc_alloc(rows * n, sizeof *want);
    for (size_t i = 0; i < rows * n; i++) {
        want[i] = b[i % n];
        for (size_t c = 0; c < k; c++)
            want[i] += (double)x[i / n * k + c] * w[i % n * k + c];
        want[i] = want[i] < 0 ? 0 : want[i];
    }
    for (size_t threads = 1; threads <= 4; threads++) {
        osc_device *device = open_device(threads);
        float *into = threads == 1 ? y : again;
        ck_assert_int_eq(cpu->matmul(device, into, x, w, b, OSC_ACT_RELU, rows, n, k), OSC_OK);
        if (threads > 1)
            ck_assert_int_eq(memcmp(y, again, rows * n * sizeof *y), 0);
        cpu->close(device);
    }
    /* A BLAS without FMA adds up one after another: its error grows with k. */
    assert_near("matmul", y, want, rows * n, BUDGET + 6e-8 * (double)k);
    osc_free(x); osc_free(w); osc_free(b); osc_free(y); osc_free(again); osc_free(want);
}
END_TEST

static const struct { size_t tokens, heads, head_size; } attentions[] = {
    { 1, 1, 1 }, { 5, 3, 16 }, { 64, 2, 32 }, { 65, 5, 80 }, { 200, 1, 7 },
};

/* Causal attention in double; returns the mean of the top-1 mass of head 0. */
static double plain_attention(double *o, const float *q, const float *k, const float *v,
                              size_t t, size_t heads, size_t d, double scale)
{
    double top = 0.0;
    size_t width = heads * d;
    for (size_t h = 0; h < heads; h++) {
        for (size_t i = 0; i < t; i++) {
            double s[300], sum = 0.0, best = -INFINITY;
            for (size_t j = 0; j <= i; j++) {
                s[j] = 0.0;
                for (size_t c = 0; c < d; c++)
                    s[j] += scale * q[i * width + h * d + c] * k[j * width + h * d + c];
                best = s[j] > best ? s[j] : best;
            }
            for (size_t j = 0; j <= i; j++)
                sum += s[j] = exp(s[j] - best);
            top += h == 0 ? 1.0 / sum : 0.0;
            for (size_t c = 0; c < d; c++) {
                o[i * width + h * d + c] = 0.0;
                for (size_t j = 0; j <= i; j++)
                    o[i * width + h * d + c] += s[j] / sum * v[j * width + h * d + c];
            }
        }
    }
    return top;
}

START_TEST(test_attention)
{
    size_t t = attentions[_i].tokens, heads = attentions[_i].heads, d = attentions[_i].head_size;
    size_t count = t * heads * d;
    float *q = random_matrix(t, heads * d, 2, 31), *k = random_matrix(t, heads * d, 2, 32);
    float *v = random_matrix(t, heads * d, 2, 33), *o = random_matrix(t, heads * d, 0, 1);
    float *again = random_matrix(t, heads * d, 0, 1), *scores = random_matrix(heads * t, t, 0, 1);
    double *want = osc_alloc(count, sizeof *want), top1[5] = { 0 }, steps[5] = { 0 };
    double top = plain_attention(want, q, k, v, t, heads, d, 0.3);
    osc_attention args = { .tokens = t, .heads = heads, .head_size = d, .scale = 0.3f,
                           .top1 = top1 };
    for (size_t threads = 1; threads <= 3; threads++) {
        osc_device *device = open_device(threads);
        memset(top1, 0, sizeof top1);
        ck_assert_int_eq(cpu->attention(device, threads == 1 ? o : again, q, k, v, &args), OSC_OK);
        if (threads > 1)
            ck_assert_int_eq(memcmp(o, again, count * sizeof *o), 0);
        assert_near("attention", o, want, count, 1e-5);
        ck_assert_double_eq_tol(top1[0] / top, 1.0, 1e-6);
        cpu->close(device);
    }
    osc_device *device = open_device(2);
    args.scores = scores;
    args.top1 = steps;
    ck_assert_int_eq(cpu->attend_scores(device, q, k, &args), OSC_OK);
    ck_assert_int_eq(cpu->attend_softmax(device, &args), OSC_OK);
    ck_assert_int_eq(cpu->attend_values(device, again, v, &args), OSC_OK);
    assert_near("attention in steps", again, want, count, 1e-5);
    ck_assert_double_eq_tol(steps[heads - 1] / top1[heads - 1], 1.0, 1e-6);
    cpu->close(device);
    osc_free(q); osc_free(k); osc_free(v); osc_free(o); osc_free(again); osc_free(scores);
    osc_free(want);
}
END_TEST

static const struct { size_t past, tokens, heads, kv_heads, head_size; bool alibi; } pasts[] = {
    { 1, 1, 1, 1, 1, false }, { 37, 1, 4, 4, 16, false }, { 70, 3, 4, 2, 20, true },
    { 5, 130, 2, 1, 64, false }, { 130, 70, 3, 3, 8, true }, { 199, 1, 5, 5, 80, true },
};

/* Queries behind keys of earlier calls: the last rows of one attention over all of them. */
START_TEST(test_attention_past)
{
    size_t past = pasts[_i].past, t = pasts[_i].tokens, all = past + t, d = pasts[_i].head_size;
    size_t heads = pasts[_i].heads, kv = pasts[_i].kv_heads, width = heads * d;
    float *q = random_matrix(all, width, 2, 34), *k = random_matrix(all, kv * d, 2, 35);
    float *v = random_matrix(all, kv * d, 2, 36), *whole = random_matrix(all, width, 0, 1);
    float *o = random_matrix(t, width, 0, 1), *steps = random_matrix(all, width, 0, 1);
    float *long_scores = random_matrix(heads * all, all, 0, 1);
    float *scores = random_matrix(heads * t, all, 0, 1);
    double *want = osc_alloc(t * width, sizeof *want);
    double mass[6] = { 0 }, before[6] = { 0 }, got[6] = { 0 }, got_steps[6] = { 0 };
    osc_attention args = { .tokens = all, .heads = heads, .head_size = d, .kv_heads = kv,
                           .alibi = pasts[_i].alibi, .scale = 0.3f, .top1 = mass };
    osc_device *device = open_device(2);
    ck_assert_int_eq(cpu->attention(device, whole, q, k, v, &args), OSC_OK);
    args.scores = long_scores;
    ck_assert_int_eq(cpu->attend_scores(device, q, k, &args), OSC_OK);
    args.tokens = past;
    args.top1 = before;
    ck_assert_int_eq(cpu->attention(device, steps, q, k, v, &args), OSC_OK);
    args = (osc_attention){ .tokens = t, .past = past, .heads = heads, .head_size = d,
                            .kv_heads = kv, .alibi = pasts[_i].alibi, .scale = 0.3f, .top1 = got };
    ck_assert_int_eq(cpu->attention(device, o, q + past * width, k, v, &args), OSC_OK);
    args.scores = scores;
    args.top1 = got_steps;
    ck_assert_int_eq(cpu->attend_scores(device, q + past * width, k, &args), OSC_OK);
    for (size_t i = 0; i < heads * t; i++)
        for (size_t j = 0; j < all; j++) {
            float other = long_scores[(i / t * all + past + i % t) * all + j];
            if (j > past + i % t)
                ck_assert(isinf(scores[i * all + j]) && isinf(other));
            else
                ck_assert_float_eq_tol(scores[i * all + j], other, 2e-5f);
        }
    ck_assert_int_eq(cpu->attend_softmax(device, &args), OSC_OK);
    ck_assert_int_eq(cpu->attend_values(device, steps, v, &args), OSC_OK);
    for (size_t i = 0; i < t * width; i++)
        want[i] = whole[past * width + i];
    assert_near("attention behind a past", o, want, t * width, 1e-5);
    assert_near("its steps", steps, want, t * width, 1e-5);
    for (size_t h = 0; h < heads; h++) {
        ck_assert_double_eq_tol(got[h], mass[h] - before[h], 1e-5 * mass[h]);
        ck_assert_double_eq_tol(got_steps[h], mass[h] - before[h], 1e-5 * mass[h]);
    }
    cpu->close(device);
    osc_free(q); osc_free(k); osc_free(v); osc_free(whole); osc_free(o); osc_free(steps);
    osc_free(long_scores); osc_free(scores); osc_free(want);
}
END_TEST

START_TEST(test_head)
{
    enum { ROWS = 131, VOCABULARY = 1100, WIDTH = 33, SPLIT = 700 };
    float *x = random_matrix(ROWS, WIDTH, 3, 41), *w = random_matrix(VOCABULARY, WIDTH, 3, 42);
    float *logits = random_matrix(ROWS, VOCABULARY, 0, 1);
    osc_row_lse lse[ROWS];
    int32_t targets[ROWS];
    for (size_t r = 0; r < ROWS; r++) {
        lse[r] = (osc_row_lse){ .max = -INFINITY };
        targets[r] = (int32_t)(r * 97 % VOCABULARY);
    }
    osc_device *device = open_device(2);
    ck_assert_int_eq(cpu->head(device, lse, x, w, targets, ROWS, 0, SPLIT, WIDTH, logits,
                               VOCABULARY), OSC_OK);
    ck_assert_int_eq(cpu->head(device, lse, x, w + SPLIT * WIDTH, targets, ROWS, SPLIT,
                               VOCABULARY - SPLIT, WIDTH, logits, VOCABULARY), OSC_OK);
    for (size_t r = 0; r < ROWS; r++) {
        double sum = 0.0, target = 0.0;
        for (size_t j = 0; j < VOCABULARY; j++) {
            double logit = 0.0;
            for (size_t c = 0; c < WIDTH; c++)
                logit += (double)x[r * WIDTH + c] * w[j * WIDTH + c];
            ck_assert_double_eq_tol(logits[r * VOCABULARY + j], logit, 1e-4);
            sum += exp(logit);
            target = j == (size_t)targets[r] ? logit : target;
        }
        double nll = (double)lse[r].max + log(lse[r].sum) - (double)lse[r].target;
        ck_assert_double_eq_tol(nll, log(sum) - target, 2e-5);
    }
    cpu->close(device);
    osc_free(x); osc_free(w); osc_free(logits);
}
END_TEST

/* --- observe ------------------------------------------------------------------- */

typedef struct {
    osc_hit hits[4096];
    size_t  count, calls;
} collected;

static osc_status collect(const osc_hits_route *route, const osc_hit *hits, size_t count)
{
    collected *all = route->user;
    memcpy(all->hits + all->count, hits, count * sizeof *hits);
    all->count += count;
    all->calls++;
    return OSC_OK;
}

static osc_status refuse(const osc_hits_route *route, const osc_hit *hits, size_t count)
{
    (void)route; (void)hits; (void)count;
    return osc_fail(OSC_EIO, "no room");
}

START_TEST(test_observe)
{
    enum { ROWS = 41, WIDTH = 131 };
    const float alpha = 6.0f;
    const osc_sequences rows = { 1, ROWS };
    float *x = random_matrix(ROWS, WIDTH, 1, 51);
    for (size_t r = 0; r < ROWS; r++) {
        x[r * WIDTH + 3] = 7.5f;
        x[r * WIDTH + 130] = r % 2 ? -6.0f : -5.9999995f;   /* at the threshold counts */
        for (size_t c = 60; c < 100; c++)
            x[r * WIDTH + c] *= 40.0f;
    }
    x[5 * WIDTH + 9] = 0.0f;
    float low[WIDTH], high[WIDTH];
    double sum[WIDTH], square[WIDTH], fourth[WIDTH];
    uint64_t count[WIDTH], histogram[OSC_HISTOGRAM_BINS];
    static collected first, all;
    const osc_hits_route taken = { .sink = collect, .user = &all }, refused = { .sink = refuse };
    for (size_t threads = 1; threads <= 3; threads++) {
        osc_column_stats stats = { WIDTH, low, high, sum, square, fourth, count, histogram };
        for (size_t c = 0; c < WIDTH; c++) {
            low[c] = INFINITY;
            high[c] = -INFINITY;
            sum[c] = square[c] = fourth[c] = 0.0;
            count[c] = 0;
        }
        memset(histogram, 0, sizeof histogram);
        memset(&all, 0, sizeof all);
        osc_device *device = open_device(threads);
        ck_assert_int_eq(cpu->observe(device, &stats, x, rows, WIDTH, alpha, &taken), OSC_OK);
        ck_assert_int_eq(cpu->observe(device, &stats, x, rows, WIDTH, alpha, NULL), OSC_OK);
        ck_assert_int_eq(cpu->observe(device, &stats, x, rows, WIDTH, alpha, &refused), OSC_EIO);
        cpu->close(device);
        if (threads == 1)
            first = all;
        ck_assert_int_eq(memcmp(&first, &all, sizeof all), 0);
    }
    size_t next = 0;
    uint64_t zeros = 0;
    for (size_t r = 0; r < ROWS; r++)
        for (size_t c = 0; c < WIDTH; c++) {
            zeros += x[r * WIDTH + c] == 0.0f;
            if (fabsf(x[r * WIDTH + c]) < alpha)
                continue;
            ck_assert_uint_eq(all.hits[next].position, r);
            ck_assert_uint_eq(all.hits[next].feature, c);
            ck_assert_float_eq(all.hits[next++].value, x[r * WIDTH + c]);
        }
    ck_assert_uint_eq(next, all.count);
    ck_assert_uint_gt(all.calls, 0);
    ck_assert_uint_eq(count[3], 3 * ROWS);
    ck_assert_uint_eq(count[130], 3 * (ROWS / 2));       /* at the threshold, of either sign */
    ck_assert_float_eq(high[3], 7.5f);
    ck_assert_double_eq_tol(sum[3], 3 * ROWS * 7.5, 1e-9);
    ck_assert_uint_ge(histogram[0], 3 * zeros);
    ck_assert_uint_ge(histogram[42], 3 * ROWS);          /* 4 <= |x| < 8 is 2^(42-40) */
    osc_free(x);
}
END_TEST

/* --- finding ------------------------------------------------------------------- */

START_TEST(test_find)
{
    static const struct { const char *name, *message; } wrong[] = {
        { "tpu", "no backend 'tpu' in this build (there is: cpu" },
        { "cpu:dtype=fp16", "backend 'cpu' does not compute in fp16" },
        { "cpu:dtype=int3", "dtype is 'int3', expected fp32, fp16 or bf16" },
        { "cpu:type=fp32", "dtype" },
        { "cpu:kernel=wgmma", "backend 'cpu' has no choice of kernels" },
#ifdef HAVE_CUDA
        { "cuda:kernel=dp4a", "(there is: few-dp4a, few-mma, wgmma, cublaslt)" },
#endif
        { "", "" },
    };
    const osc_backend *found = NULL;
    ck_assert_int_eq(osc_backend_find(&found, NULL), OSC_OK);
    ck_assert_ptr_eq(found, cpu);
    ck_assert_int_eq(osc_backend_find(&found, "cpu:dtype=fp32"), OSC_OK);
    ck_assert_ptr_eq(found, cpu);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ck_assert_int_eq(osc_backend_find(&found, wrong[i].name), OSC_EINVAL);
        ck_assert_msg(strstr(osc_error(), wrong[i].message) != NULL, "%s", osc_error());
    }
    for (size_t i = 0; osc_backends[i] != NULL; i++) {     /* a backend's spec finds it again */
        ck_assert_int_eq(osc_backend_find(&found, osc_backends[i]->spec), OSC_OK);
        ck_assert_ptr_eq(found, osc_backends[i]);
    }
}
END_TEST

START_TEST(test_clear)
{
    enum { ROWS = 3, WIDTH = 5 };
    static const uint32_t columns[] = { 0, 4 };
    float *x = random_matrix(ROWS, WIDTH, 1, 7), *want = random_matrix(ROWS, WIDTH, 1, 7);
    osc_device *device = open_device(1);
    ck_assert_int_eq(cpu->clear(device, x, ROWS, WIDTH, columns, 2), OSC_OK);
    for (size_t r = 0; r < ROWS; r++)
        want[r * WIDTH] = want[r * WIDTH + 4] = 0.0f;
    ck_assert_int_eq(memcmp(x, want, ROWS * WIDTH * sizeof *x), 0);
    cpu->close(device);
    osc_free(x);
    osc_free(want);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("backend");
    TCase *tc = tcase_create("vector builds");
    tcase_add_loop_test(tc, test_widen, 0, 3);
    tcase_add_loop_test(tc, test_exp, 0, 3);
    tcase_add_loop_test(tc, test_max, 0, 3);
    tcase_add_loop_test(tc, test_columns, 0, 3);
    tcase_add_loop_test(tc, test_layernorm, 0, 3);
    tcase_add_loop_test(tc, test_dots, 0, 3);
    tcase_add_loop_test(tc, test_activations, 0, 3);
    suite_add_tcase(suite, tc);
    tc = tcase_create("operations");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, test_load);
    tcase_add_loop_test(tc, test_matmul, 0, sizeof products / sizeof *products);
    tcase_add_loop_test(tc, test_matmul_stored, 0, 16);
    tcase_add_test(tc, test_logits);
    tcase_add_loop_test(tc, test_attention, 0, sizeof attentions / sizeof *attentions);
    tcase_add_loop_test(tc, test_attention_past, 0, sizeof pasts / sizeof *pasts);
    tcase_add_test(tc, test_head);
    tcase_add_test(tc, test_observe);
    tcase_add_test(tc, test_clear);
    tcase_add_test(tc, test_find);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}

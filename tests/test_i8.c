/* Products of codes: what must hold for any numbers.  Every kernel that this processor
 * can run, every scheme, ugly shapes. */
#include <config.h>
#include "run.h"

#include <math.h>
#include <stdio.h>

#include "base/half.h"
#include "coded_layer.h"
#include "near.h"

/* As ck_assert_msg, which however writes a mark to a file each time it passes. */
#define check(condition, ...) do { if (!(condition)) ck_abort_msg(__VA_ARGS__); } while (0)

static const char *const schemes[] = {
    "absmax", "zeropoint", "absmax-row", "absmax-vector", "zeropoint-vector", "q8-0",
    "absmax-row-decomp", "llm-int8", "llm-int8-zeropoint",
    "absmax-row-decomp:weights=int8", "llm-int8:weights=int8", "llm-int8-zeropoint:weights=int8",
    "llm-int8:rule=topk,threshold=3", "llm-int8-zeropoint:rule=ratio,threshold=1.4",
    "llm-int8:threshold=0.3", "llm-int8-zeropoint:threshold=0",
};
enum { SCHEMES = sizeof schemes / sizeof *schemes, SYMMETRIC_AND_ZEROPOINT = 5, Q8 = 5 };

static const struct { size_t rows, n, k; } shapes[] = {
    { 1, 1, 1 }, { 2, 3, 5 }, { 1, 67, 130 }, { 7, 65, 31 }, { 6, 64, 64 }, { 13, 129, 257 },
    { 47, 70, 4099 }, { 241, 67, 131 },
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

/* A layer's numbers: x has a few larger columns, one of them beyond 6. */
typedef struct {
    size_t rows, n, k;
    float *x, *w, *y, *other;
} numbers;

static numbers numbers_new(size_t rows, size_t n, size_t k, uint64_t seed)
{
    numbers a = { rows, n, k, osc_alloc(rows * k, 4), osc_alloc(n * k, 4),
                  osc_alloc(rows * n, 4), osc_alloc(rows * n, 4) };
    random_fill(a.x, rows * k, 1.3f, &seed);
    random_fill(a.w, n * k, 0.11f, &seed);
    for (size_t t = 0; t < rows && k > 1; t++) {
        a.x[t * k + k / 2] *= 7.0f;
        a.x[t * k + k / 3] *= 2.1f;
        a.x[t * k + k - 1] += 0.8f;
    }
    return a;
}

static void numbers_free(numbers *a)
{
    osc_free(a->x);
    osc_free(a->w);
    osc_free(a->y);
    osc_free(a->other);
}

static void open_on(coded_layer *l, const char *scheme, const numbers *a, size_t threads)
{
    layer_open(l, scheme, a->w, OSC_F32, a->rows, a->n, a->k, threads);
}

static void assert_same(const char *what, const numbers *a)
{
    for (size_t i = 0; i < a->rows * a->n; i++)
        check(osc_float_to_bits(a->y[i]) == osc_float_to_bits(a->other[i]),
              "%s, %zu x %zu x %zu: y %zu is %.9g and %.9g", what, a->rows, a->n, a->k, i,
              (double)a->y[i], (double)a->other[i]);
}

static double exact(const numbers *a, size_t t, size_t j)
{
    double sum = 0.0;
    for (size_t i = 0; i < a->k; i++)
        sum += (double)a->x[t * a->k + i] * (double)a->w[j * a->k + i];
    return sum;
}

/* --- kernels ------------------------------------------------------------------------ */

/* Every kernel and thread count against the portable kernel on one thread. */
START_TEST(test_same_bits)
{
    for (size_t s = 0; s < SCHEMES; s++) {
        numbers a = numbers_new(shapes[_i].rows, shapes[_i].n, shapes[_i].k, 77 + s);
        coded_layer l;
        open_on(&l, schemes[s], &a, 1);
        l.device->i8 = &osc_cpu_i8_portable;
        layer_apply(&l, a.other, a.x, OSC_ACT_RELU);
        layer_close(&l);
        for (size_t i = 0; osc_cpu_i8_kernels[i] != NULL; i++) {
            for (size_t threads = 1; threads <= 4; threads++) {
                if (!osc_cpu_i8_kernels[i]->available())
                    continue;
                open_on(&l, schemes[s], &a, threads);
                l.device->i8 = osc_cpu_i8_kernels[i];
                layer_apply(&l, a.y, a.x, OSC_ACT_RELU);
                layer_close(&l);
                assert_same(schemes[s], &a);
            }
        }
        numbers_free(&a);
    }
}
END_TEST

/* The loops, which the above reaches only with numbers of a layer: halves, signed
 * zeros, all lengths. */
START_TEST(test_loops)
{
    enum { N = 70 };
    float x[N];
    for (size_t i = 0; i < N; i++)
        x[i] = ((float)i - 34.0f) * 0.5f;
    for (size_t n = 0; n <= N; n++) {
        for (size_t i = 0; osc_cpu_i8_kernels[i] != NULL; i++) {
            const osc_cpu_i8_loops *a = &osc_cpu_i8_loops_generic;
            const osc_cpu_i8_loops *b = osc_cpu_i8_kernels[i]->loops;
            if (!osc_cpu_i8_kernels[i]->available())
                continue;
            int8_t qa[N], qb[N];
            osc_code_scale scale = { 1.0f, -17 };
            ck_assert_int_eq(a->symmetric(qa, x, 1.0f, n), b->symmetric(qb, x, 1.0f, n));
            check(memcmp(qa, qb, n) == 0, "symmetric, %zu", n);
            for (size_t c = 0; c < n; c++)
                check(qa[c] == (int8_t)rintf(x[c]), "%g has code %d", (double)x[c], qa[c]);
            ck_assert_int_eq(a->zeropoint(qa, x, scale, n), b->zeropoint(qb, x, scale, n));
            check(memcmp(qa, qb, n) == 0, "zeropoint, %zu", n);
            int32_t la = INT32_MAX, ha = INT32_MIN, lb = INT32_MAX, hb = INT32_MIN;
            a->range(&la, &ha, x, n);
            b->range(&lb, &hb, x, n);
            ck_assert(la == lb && ha == hb);
        }
    }
}
END_TEST

/* The largest sums there are: all codes 127 or -127, K as wide as allowed. */
START_TEST(test_widest)
{
    size_t k = OSC_CODES_WIDEST;
    float *x = osc_alloc(2 * k, sizeof *x), *w = osc_alloc(2 * k, sizeof *w);
    for (size_t i = 0; i < 2 * k; i++) {
        x[i] = 2.0f;
        w[i] = i < k ? 0.5f : -0.5f;
    }
    for (size_t i = 0; osc_cpu_i8_kernels[i] != NULL; i++) {
        if (!osc_cpu_i8_kernels[i]->available())
            continue;
        coded_layer l;
        layer_open(&l, "absmax-vector", w, OSC_F32, 2, 2, k, 2);
        l.device->i8 = osc_cpu_i8_kernels[i];
        osc_code_view view = view_new(2, 2, k);
        view_of(&view, &l, x);
        ck_assert_int_eq(view.sum[0], 127ll * 127 * OSC_CODES_WIDEST);
        ck_assert_int_eq(view.sum[3], -127ll * 127 * OSC_CODES_WIDEST);
        float y[4];
        layer_apply(&l, y, x, OSC_ACT_NONE);
        ck_assert_double_eq_tol(y[2] / (double)k, 1.0, 1e-6);
        ck_assert_double_eq_tol(y[1] / (double)k, -1.0, 1e-6);
        view_free(&view);
        layer_close(&l);
    }
    osc_free(x);
    osc_free(w);
}
END_TEST

START_TEST(test_too_wide)
{
    size_t k = OSC_CODES_WIDEST + 1, bad;
    float *w = osc_alloc(k, sizeof *w);
    coded_layer l;
    layer_open(&l, "q8-0", w, OSC_F32, 1, 1, k, 1);   /* sums of floats: no limit */
    osc_coding coding = { .x = OSC_SHARE_ROW, .w = OSC_SHARE_ROW };
    void *memory = osc_alloc(osc_backend_cpu.codes_bytes(&coding, 1, k), 1);
    osc_code_source source = { .tensor = &l.stored };
    ck_assert_int_eq(osc_backend_cpu.codes_load(l.device, memory, &coding, &source, &bad),
                     OSC_EUNSUP);
    ck_assert_ptr_nonnull(strstr(osc_error(), "133144 inputs"));
    osc_free(memory);
    layer_close(&l);
    osc_free(w);
}
END_TEST

/* --- arithmetic ---------------------------------------------------------------------- */

/* The error of a product is bounded by half a step of each operand. */
START_TEST(test_close_to_exact)
{
    for (size_t s = 0; s < SCHEMES; s++) {
        numbers a = numbers_new(shapes[_i].rows, shapes[_i].n, shapes[_i].k, 5 + s);
        coded_layer l;
        open_on(&l, schemes[s], &a, 2);
        ck_assert_uint_eq(l.bad, SIZE_MAX);
        layer_apply(&l, a.y, a.x, OSC_ACT_NONE);
        for (size_t t = 0; t < a.rows; t++)
            for (size_t j = 0; j < a.n; j++) {
                double error = fabs((double)a.y[t * a.n + j] - exact(&a, t, j));
                /* |x| <= 9.1, |w| <= 0.11, steps of at most 9.1/127 and 0.11/127 */
                check(error <= 0.009 * (double)a.k, "%s: error %g", schemes[s], error);
            }
        layer_close(&l);
        numbers_free(&a);
    }
}
END_TEST

/* Permuting the columns of x and w together: the same sums, and the same outputs but
 * for the order in which outlier columns are added. */
START_TEST(test_permutation)
{
    enum { ROWS = 9, N = 70, K = 131, STEP = 48 };   /* STEP and K have no common factor */
    for (size_t s = 0; s < SCHEMES; s++) {
        if (s == Q8)
            continue;   /* its blocks are made of neighbours */
        numbers a = numbers_new(ROWS, N, K, 91), b = numbers_new(ROWS, N, K, 1);
        for (size_t i = 0; i < K; i++) {
            for (size_t t = 0; t < ROWS; t++)
                b.x[t * K + i * STEP % K] = a.x[t * K + i];
            for (size_t j = 0; j < N; j++)
                b.w[j * K + i * STEP % K] = a.w[j * K + i];
        }
        coded_layer la, lb;
        osc_code_view va = view_new(ROWS, N, K), vb = view_new(ROWS, N, K);
        open_on(&la, schemes[s], &a, 2);
        open_on(&lb, schemes[s], &b, 2);
        view_of(&va, &la, a.x);
        view_of(&vb, &lb, b.x);
        check(memcmp(va.sum, vb.sum, ROWS * N * sizeof *va.sum) == 0, "%s: sums", schemes[s]);
        layer_apply(&la, a.y, a.x, OSC_ACT_NONE);
        layer_apply(&lb, a.other, b.x, OSC_ACT_NONE);
        for (size_t i = 0; i < ROWS * N; i++) {
            double most = va.column_count < 2 ? 0.0 : 1e-5;
            check(fabs((double)a.y[i] - (double)a.other[i]) <= most, "%s: y %zu", schemes[s], i);
        }
        layer_close(&la);
        layer_close(&lb);
        view_free(&va);
        view_free(&vb);
        numbers_free(&a);
        numbers_free(&b);
    }
}
END_TEST

static void compare_schemes(const char *one, const char *two, const numbers *a)
{
    coded_layer l;
    open_on(&l, one, a, 2);
    layer_apply(&l, a->y, a->x, OSC_ACT_NONE);
    layer_close(&l);
    open_on(&l, two, a, 2);
    layer_apply(&l, a->other, a->x, OSC_ACT_NONE);
    layer_close(&l);
    assert_same(two, a);
}

/* Nothing reaches the threshold: bit for bit the scheme without decomposition. */
START_TEST(test_high_threshold)
{
    numbers a = numbers_new(shapes[_i].rows, shapes[_i].n, shapes[_i].k, 3);
    compare_schemes("absmax-row", "absmax-row-decomp:threshold=9.2", &a);
    compare_schemes("absmax-vector", "llm-int8:threshold=inf", &a);
    compare_schemes("absmax-vector", "llm-int8:threshold=1e300,weights=int8", &a);
    compare_schemes("absmax-vector", "llm-int8:rule=topk,threshold=0", &a);
    compare_schemes("zeropoint-vector", "llm-int8-zeropoint:threshold=9.2", &a);
    numbers_free(&a);
}
END_TEST

/* Everything reaches the threshold: a product of floats. */
START_TEST(test_zero_threshold)
{
    numbers a = numbers_new(shapes[_i].rows, shapes[_i].n, shapes[_i].k, 3);
    for (size_t t = 0; t < a.rows; t++)
        a.x[t * a.k] = 0.0f;
    static const char *const all[] = { "llm-int8:threshold=0", "llm-int8-zeropoint:threshold=0",
                                       "absmax-row-decomp:rule=topk,threshold=99999" };
    for (size_t s = 0; s < 3; s++) {
        coded_layer l;
        osc_code_view view = view_new(a.rows, a.n, a.k);
        open_on(&l, all[s], &a, 2);
        view_of(&view, &l, a.x);
        ck_assert_uint_eq(view.column_count, a.k);
        layer_apply(&l, a.y, a.x, OSC_ACT_NONE);
        for (size_t i = 0; i < a.rows * a.n; i++) {
            double want = exact(&a, i / a.n, i % a.n);
            check(fabs((double)a.y[i] - want) <= 2e-6 * (1.0 + sqrt((double)a.k)),
                  "%s: y %zu is %.9g, expected %.9g", all[s], i, (double)a.y[i], want);
            check(view.sum[i] == 0, "%s: sum %zu", all[s], i);
        }
        view_free(&view);
        layer_close(&l);
    }
    numbers_free(&a);
}
END_TEST

/* --- which columns -------------------------------------------------------------------- */

static size_t removed_by(const char *scheme, const numbers *a, uint32_t *columns)
{
    coded_layer l;
    osc_code_view view = view_new(a->rows, a->n, a->k);
    open_on(&l, scheme, a, 2);
    view_of(&view, &l, a->x);
    memcpy(columns, view.columns, view.column_count * sizeof *columns);
    view_free(&view);
    layer_close(&l);
    return view.column_count;
}

START_TEST(test_rules)
{
    enum { ROWS = 3, N = 2, K = 300 };   /* more than a stripe of columns */
    numbers a = { ROWS, N, K, osc_alloc(ROWS * K, 4), osc_alloc(N * K, 4), NULL, NULL };
    uint32_t columns[K];
    for (size_t i = 0; i < K; i++)
        a.x[i % ROWS * K + i] = 0.5f;          /* every column's peak is 0.5 ... */
    a.x[K + 4] = -6.0f;                        /* ... but for these */
    a.x[2 * K + 10] = nextafterf(6.0f, 0.0f);
    a.x[299] = 8.0f;
    a.x[7] = NAN;                              /* peak of column 7: 0.5 */
    a.x[K + 20] = -INFINITY;
    ck_assert_uint_eq(removed_by("llm-int8", &a, columns), 3);
    ck_assert(columns[0] == 4 && columns[1] == 20 && columns[2] == 299);
    ck_assert_uint_eq(removed_by("llm-int8:rule=topk,threshold=5", &a, columns), 5);
    ck_assert(columns[0] == 0 && columns[1] == 4 && columns[2] == 10 && columns[3] == 20
              && columns[4] == 299);           /* of the equal ones the first */
    ck_assert_uint_eq(removed_by("llm-int8:rule=topk", &a, columns), 6);
    ck_assert_uint_eq(removed_by("llm-int8:rule=topk,threshold=300", &a, columns), K);
    ck_assert_uint_eq(removed_by("llm-int8:rule=ratio", &a, columns), 0);   /* infinite mean */
    a.x[K + 20] = 0.5f;
    double mean = (297 * 0.5 + 6.0 + (double)a.x[2 * K + 10] + 8.0) / 300;
    char text[64];
    snprintf(text, sizeof text, "llm-int8:rule=ratio,threshold=%.6f", 7.9 / mean);
    ck_assert_uint_eq(removed_by(text, &a, columns), 1);
    snprintf(text, sizeof text, "llm-int8:rule=ratio,threshold=%.6f", 5.9 / mean);
    ck_assert_uint_eq(removed_by(text, &a, columns), 3);
    osc_free(a.x);
    osc_free(a.w);
}
END_TEST

/* --- values that are not ordinary ------------------------------------------------------ */

START_TEST(test_nonfinite_x)
{
    static const float values[] = { NAN, INFINITY, -INFINITY };
    for (size_t s = 0; s < SCHEMES; s++) {
        for (size_t v = 0; v < 3; v++) {
            for (size_t c = 0; c < 70; c += 23) {
                numbers a = numbers_new(5, 67, 70, 8);
                coded_layer l;
                a.x[2 * a.k + c] = values[v];
                open_on(&l, schemes[s], &a, 2);
                layer_apply(&l, a.y, a.x, OSC_ACT_NONE);
                for (size_t j = 0; j < a.n; j++)
                    check(!isfinite(a.y[2 * a.n + j]), "%s: %g became %g", schemes[s],
                          (double)values[v], (double)a.y[2 * a.n + j]);
                layer_close(&l);
                numbers_free(&a);
            }
        }
    }
}
END_TEST

START_TEST(test_nonfinite_w)
{
    for (size_t s = 0; s < SCHEMES; s++) {
        numbers a = numbers_new(5, 67, 70, 8);
        coded_layer l;
        a.w[66 * a.k + 69] = -INFINITY;
        a.w[65 * a.k + 3] = NAN;
        open_on(&l, schemes[s], &a, 2);
        ck_assert_uint_eq(l.bad, 65 * a.k + 3);
        layer_apply(&l, a.y, a.x, OSC_ACT_NONE);
        for (size_t t = 0; t < a.rows; t++)
            for (size_t j = 65; j < 67; j++)
                check(!isfinite(a.y[t * a.n + j]), "%s: row %zu output %zu", schemes[s], t, j);
        layer_close(&l);
        numbers_free(&a);
    }
}
END_TEST

/* Rows that are constant, tiny, huge, or far from zero for their range: finite results
 * near the exact ones, with zero points that leave the fast path. */
START_TEST(test_extreme_rows)
{
    enum { K = 37, N = 66 };
    static const struct { float base, spread; double step; } rows[] = {
        { 0.0f, 0.0f, 0.0 },            /* step: of the coarser scheme, relative to base + spread */
        { -3.75f, 0.0f, 0.04 }, { 20000.0f, 0.0f, 0.04 }, { 8e6f, 0.0f, 0.04 },
        { 1e5f, 3.0f, 0.04 }, { 1e-41f, 1e-42f, 1.0 }, { 2e30f, 5e30f, 0.04 },
    };
    enum { ROWS = sizeof rows / sizeof *rows };
    for (size_t s = 0; s < SCHEMES; s++) {
        if (strstr(schemes[s], "topk") != NULL)
            continue;
        numbers a = numbers_new(ROWS, N, K, 17);
        uint64_t state = 4;
        for (size_t i = 0; i < ROWS * K; i++)
            a.x[i] = rows[i / K].base + rows[i / K].spread * random_float(&state);
        for (size_t i = 0; i < N * K; i++)
            a.w[i] = i / K % 3 == 0 ? 1.0f : i / K % 3 == 1 ? 300.0f + a.w[i] : a.w[i];
        for (size_t t = 0; t < ROWS; t++) {
            numbers one = { 1, N, K, a.x + t * K, a.w, a.y, NULL };
            coded_layer l;
            open_on(&l, schemes[s], &one, 2);
            layer_apply(&l, one.y, one.x, OSC_ACT_NONE);
            double size = fabs((double)rows[t].base) + fabs((double)rows[t].spread);
            for (size_t j = 0; j < N; j++) {
                double want = exact(&one, 0, j), most = 300.0 * K * size * rows[t].step;
                check(fabs((double)one.y[j] - want) <= most + 1e-30,
                      "%s: row %zu output %zu is %.9g, expected %.9g", schemes[s], t, j,
                      (double)one.y[j], want);
            }
            layer_close(&l);
        }
        numbers_free(&a);
    }
}
END_TEST

/* A zero point that does not fit 32 bits: NaN, not a wrong number. */
START_TEST(test_zero_point_overflow)
{
    float x[3] = { 1e12f, 1e12f, 1e12f }, w[3] = { 1.0f, 2.0f, 3.0f }, y;
    coded_layer l;
    layer_open(&l, "zeropoint-vector", w, OSC_F32, 1, 1, 3, 1);
    layer_apply(&l, &y, x, OSC_ACT_NONE);
    ck_assert(isnan(y));
    x[0] = 3e38f;
    x[1] = -3e38f;   /* range infinite */
    layer_apply(&l, &y, x, OSC_ACT_NONE);
    ck_assert(isnan(y));
    layer_close(&l);
}
END_TEST

/* --- how the weight is stored ------------------------------------------------------------ */

static void *stored_as(osc_dtype dtype, float *w, size_t count)
{
    uint16_t *half = osc_alloc(count, sizeof *half);
    for (size_t i = 0; i < count; i++) {
        half[i] = dtype == OSC_F16 ? osc_float_to_f16(w[i])
                                   : (uint16_t)(osc_float_to_bits(w[i]) >> 16);
        w[i] = dtype == OSC_F16 ? osc_f16_to_float(half[i]) : osc_bf16_to_float(half[i]);
    }
    return half;
}

/* fp16 and bf16, and a transposed tensor, give what the same numbers in fp32 give. */
START_TEST(test_stored_forms)
{
    static const osc_dtype dtypes[] = { OSC_F16, OSC_BF16 };
    for (size_t s = 0; s < SCHEMES; s++) {
        for (size_t d = 0; d < 2; d++) {
            numbers a = numbers_new(4, 67, 45, 21);
            void *half = stored_as(dtypes[d], a.w, a.n * a.k);
            coded_layer l;
            open_on(&l, schemes[s], &a, 1);
            layer_apply(&l, a.other, a.x, OSC_ACT_NONE);
            float *turned = osc_alloc(a.n * a.k, sizeof *turned);
            for (size_t i = 0; i < a.n * a.k; i++)
                turned[i % a.k * a.n + i / a.k] = a.w[i];
            l.stored.data = turned;
            l.stored.stride[0] = 1;
            l.stored.stride[1] = a.n;
            done(l.choice.scheme->prepare(&l.linear, &osc_backend_cpu, l.device, &l.stored,
                                          &l.bad));
            layer_apply(&l, a.y, a.x, OSC_ACT_NONE);
            assert_same("transposed", &a);
            layer_close(&l);
            layer_open(&l, schemes[s], half, dtypes[d], a.rows, a.n, a.k, 1);
            layer_apply(&l, a.y, a.x, OSC_ACT_NONE);
            assert_same(schemes[s], &a);
            layer_close(&l);
            osc_free(half);
            osc_free(turned);
            numbers_free(&a);
        }
    }
}
END_TEST

START_TEST(test_bias_and_activation)
{
    for (size_t s = 0; s < SCHEMES; s++) {
        numbers a = numbers_new(5, 67, 70, 2);
        float bias[67];
        uint64_t state = 3;
        random_fill(bias, 67, 2.0f, &state);
        coded_layer l;
        open_on(&l, schemes[s], &a, 2);
        layer_apply(&l, a.other, a.x, OSC_ACT_NONE);
        for (size_t i = 0; i < a.rows * a.n; i++)
            a.other[i] = fmaxf(a.other[i] + bias[i % a.n], 0.0f);
        l.linear.bias = bias;
        layer_apply(&l, a.y, a.x, OSC_ACT_RELU);
        assert_same(schemes[s], &a);
        layer_close(&l);
        numbers_free(&a);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("i8");
    TCase *tc = tcase_create("kernels");
    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, test_same_bits, 0, SHAPES);
    tcase_add_test(tc, test_loops);
    tcase_add_test(tc, test_widest);
    tcase_add_test(tc, test_too_wide);
    suite_add_tcase(suite, tc);
    tc = tcase_create("arithmetic");
    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, test_close_to_exact, 0, SHAPES);
    tcase_add_test(tc, test_permutation);
    tcase_add_loop_test(tc, test_high_threshold, 0, SHAPES);
    tcase_add_loop_test(tc, test_zero_threshold, 0, SHAPES);
    tcase_add_test(tc, test_rules);
    tcase_add_test(tc, test_nonfinite_x);
    tcase_add_test(tc, test_nonfinite_w);
    tcase_add_test(tc, test_extreme_rows);
    tcase_add_test(tc, test_zero_point_overflow);
    suite_add_tcase(suite, tc);
    tc = tcase_create("weights");
    tcase_add_test(tc, test_stored_forms);
    tcase_add_test(tc, test_bias_and_activation);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}

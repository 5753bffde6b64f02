/* Products of codes on the GPU against the CPU backend: from the same 16-bit numbers the
 * same columns, scales, zero points, codes and sums, and outputs one rounding away, for
 * every scheme, kernel and element type, on ugly shapes. */
#include <config.h>
#include "run.h"

#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "base/half.h"
#include "coded_layer.h"
#include "cuda_side.h"
#include "golden_layers.h"
#include "near.h"
#include "paths.h"

static const char *const schemes[] = {
    "absmax", "zeropoint", "absmax-row", "absmax-vector", "zeropoint-vector", "q8-0",
    "absmax-row-decomp", "llm-int8", "llm-int8-zeropoint",
    "absmax-row-decomp:weights=int8", "llm-int8:weights=int8", "llm-int8-zeropoint:weights=int8",
    "llm-int8:rule=topk,threshold=3", "llm-int8-zeropoint:rule=ratio,threshold=1.4",
    "llm-int8:rule=topk,threshold=33", "llm-int8:rule=topk,threshold=0",
    "llm-int8:threshold=0.3", "llm-int8-zeropoint:threshold=0",
    "llm-int8:threshold=1.2,weights=int8", "llm-int8:threshold=inf",
};
enum { SCHEMES = sizeof schemes / sizeof *schemes };

static const struct { size_t rows, n, k; } shapes[] = {
    { 1, 1, 1 }, { 2, 3, 5 }, { 1, 67, 130 }, { 7, 65, 31 }, { 8, 64, 64 }, { 13, 129, 257 },
    { 33, 70, 4099 }, { 241, 67, 131 }, { 1, 384, 768 }, { 128, 256, 128 }, { 129, 520, 768 },
    { 300, 264, 1000 }, { 700, 1032, 272 },
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static const char *const backends[] = { "cuda:dtype=fp16", "cuda:dtype=bf16" };

/* A layer of numbers that 16 bits hold: as floats and as the device has them. */
typedef struct {
    osc_dtype dtype;
    size_t    rows, n, k;
    float    *x, *bias;
    uint16_t *x16, *w16, *bias16;
} numbers;

static uint16_t narrow(float value, osc_dtype dtype)
{
    if (dtype == OSC_F16)
        return osc_float_to_f16(value);
    uint32_t bits = osc_float_to_bits(value);
    return isnan(value) ? 0x7fc0 : (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static float widen(uint16_t value, osc_dtype dtype)
{
    return dtype == OSC_F16 ? osc_f16_to_float(value) : osc_bf16_to_float(value);
}

static void keep16(uint16_t *half, float *x, size_t count, osc_dtype dtype)
{
    for (size_t i = 0; i < count; i++) {
        half[i] = narrow(x[i], dtype);
        x[i] = widen(half[i], dtype);
    }
}

static void numbers_round(numbers *a)
{
    keep16(a->x16, a->x, a->rows * a->k, a->dtype);
    keep16(a->bias16, a->bias, a->n, a->dtype);
}

static numbers numbers_zero(osc_dtype dtype, size_t rows, size_t n, size_t k)
{
    return (numbers){ dtype, rows, n, k, osc_alloc(rows * k, 4), osc_alloc(n, 4),
                      osc_alloc(rows * k, 2), osc_alloc(n * k, 2), osc_alloc(n, 2) };
}

static numbers numbers_new(osc_dtype dtype, size_t rows, size_t n, size_t k, uint64_t seed)
{
    numbers a = numbers_zero(dtype, rows, n, k);
    random_fill(a.x, rows * k, 1.3f, &seed);
    random_fill(a.bias, n, 0.5f, &seed);
    for (size_t i = 0; i < n * k; i++)
        a.w16[i] = narrow(0.11f * random_float(&seed), dtype);
    for (size_t t = 0; t < rows && k > 1; t++) {
        a.x[t * k + k / 2] *= 7.0f;
        a.x[t * k + k / 3] *= 2.1f;
        a.x[t * k + k - 1] += 0.8f;
    }
    numbers_round(&a);
    return a;
}

static void numbers_free(numbers *a)
{
    void *all[] = { a->x, a->bias, a->x16, a->w16, a->bias16 };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        osc_free(all[i]);
}

/* --- the layer on the device ---------------------------------------------------------------- */

typedef struct {
    const osc_backend *cuda;
    osc_device       *device;
    osc_scheme_choice choice;
    osc_linear        linear;
    void             *x, *y;
    size_t            bad;
} device_layer;

/* One device for each element type for all tests, planned for the largest shape. */
static osc_device *opened[2];
enum { MOST_ROWS = 1024, WIDEST = 40960 };

static void open_device(device_layer *d, osc_dtype dtype)
{
    size_t i = dtype == OSC_BF16;
    osc_limits limits = { .tokens = MOST_ROWS, .heads = 1, .head_size = 8, .widest = WIDEST,
                          .codes = true, .vocabulary = 8, .embed_width = 8 };
    done(osc_backend_find(&d->cuda, backends[i]));
    if (opened[i] == NULL) {
        done(d->cuda->open(&opened[i], 1));
        done(d->cuda->plan(opened[i], &limits));
    }
    d->device = opened[i];
}

static void device_open(device_layer *d, const char *scheme, const numbers *a)
{
    memset(d, 0, sizeof *d);
    open_device(d, a->dtype);
    osc_tensor stored = osc_tensor_make(a->w16, a->dtype, 2, (size_t[]){ a->n, a->k });
    done(osc_scheme_parse(&d->choice, scheme));
    d->linear = (osc_linear){ .choice = &d->choice, .n = a->n, .k = a->k, .layer = 3,
                              .input = "fc1_in" };
    done(d->cuda->alloc(d->device, &d->linear.weight,
                        d->choice.scheme->bytes(&d->choice, d->cuda, a->n, a->k)));
    done(d->cuda->alloc(d->device, &d->linear.bias, a->n * 2));
    done(d->cuda->alloc(d->device, &d->x, a->rows * a->k * 2));
    done(d->cuda->alloc(d->device, &d->y, a->rows * a->n * 2));
    done(d->cuda->put(d->device, d->linear.bias, a->bias16, a->n * 2));
    done(d->cuda->put(d->device, d->x, a->x16, a->rows * a->k * 2));
    done(d->choice.scheme->prepare(&d->linear, d->cuda, d->device, &stored, &d->bad));
}

static void device_close(device_layer *d)
{
    d->cuda->release(d->device, d->linear.weight);
    d->cuda->release(d->device, d->linear.bias);
    d->cuda->release(d->device, d->x);
    d->cuda->release(d->device, d->y);
}

/* y as floats; y was poisoned before. */
static void device_apply(const device_layer *d, float *y, const numbers *a, osc_act act)
{
    uint16_t *half = osc_alloc(a->rows * a->n, 2);
    memset(half, 0xff, a->rows * a->n * 2);
    done(d->cuda->put(d->device, d->y, half, a->rows * a->n * 2));
    done(d->choice.scheme->apply(&d->linear, d->cuda, d->device, d->y, d->x, act, a->rows));
    done(d->cuda->get(d->device, half, d->y, a->rows * a->n * 2));
    for (size_t i = 0; i < a->rows * a->n; i++)
        y[i] = widen(half[i], a->dtype);
    osc_free(half);
}

/* --- comparison ------------------------------------------------------------------------------- */

static void same_floats(const char *what, const float *a, const float *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        check(osc_float_to_bits(a[i]) == osc_float_to_bits(b[i]) || (isnan(a[i]) && isnan(b[i])),
              "%s: %zu is %.9g, expected %.9g", what, i, (double)a[i], (double)b[i]);
}

static void same_view(const char *what, const osc_code_view *a, const osc_code_view *b,
                      const numbers *s)
{
    check(a->column_count == b->column_count, "%s: %zu columns, expected %zu", what,
          a->column_count, b->column_count);
    check(memcmp(a->columns, b->columns, a->column_count * 4) == 0, "%s: columns", what);
    same_floats("scale of x", a->sx, b->sx, s->rows);
    same_floats("scale of w", a->sw, b->sw, s->n);
    check(memcmp(a->zx, b->zx, s->rows * 4) == 0, "%s: zero points of x", what);
    check(memcmp(a->zw, b->zw, s->n * 4) == 0, "%s: zero points of w", what);
    check(memcmp(a->qw, b->qw, s->n * s->k) == 0, "%s: codes of w", what);
    for (size_t i = 0; i < s->rows * s->k; i++)
        check(a->qx[i] == b->qx[i], "%s: code (%zu, %zu) is %d, expected %d", what, i / s->k,
              i % s->k, a->qx[i], b->qx[i]);
    for (size_t i = 0; i < s->rows * s->n; i++)
        check(a->sum[i] == b->sum[i], "%s: sum (%zu, %zu) is %lld, expected %lld", what, i / s->n,
              i % s->n, (long long)a->sum[i], (long long)b->sum[i]);
}

/* Half a unit in the last place, and float32's own error for a sum of such terms. */
static void same_outputs(const char *what, const float *y, const float *want, const numbers *s,
                         double size)
{
    double unit = s->dtype == OSC_F16 ? 0x1p-11 : 0x1p-8;
    for (size_t i = 0; i < s->rows * s->n; i++) {
        double most = unit * fmax(fabs((double)want[i]), 0x1p-14) * 1.001 + 3e-6 * size;
        float rounded = widen(narrow(want[i], s->dtype), s->dtype);
        check(isfinite(rounded) ? fabs((double)y[i] - (double)want[i]) <= most : !isfinite(y[i]),
              "%s: y (%zu, %zu) is %.9g, expected %.9g", what, i / s->n, i % s->n, (double)y[i],
              (double)want[i]);
    }
}

static double largest(const float *x, size_t n)
{
    double most = 0.0;
    for (size_t i = 0; i < n; i++)
        most = isfinite(x[i]) ? fmax(most, fabs((double)x[i])) : most;
    return most;
}

/* What a file says of a product: of all of it, or of w alone if x was rounded here. */
typedef struct {
    const golden *layer;
    const double *y;
    bool          rounded;
} expected;

/* The CPU's view and output `want` against the file's, whose output then is wanted. */
static void compare_with(const expected *e, const osc_code_view *view, float *want,
                         const char *what, const numbers *a)
{
    if (e->rounded) {
        check_w(what, e->layer, view, a->n, a->k);
        return;
    }
    check_codes(what, e->layer, view, a->rows, a->n, a->k);
    for (size_t i = 0; i < a->rows * a->n; i++)
        want[i] = (float)e->y[i];
}

/* One scheme on these numbers: the CPU's view and output, then every kernel's.  `e` is NULL
 * or what the CPU's must be. */
static void compare(const char *scheme, const numbers *a, osc_act act, const expected *e)
{
    coded_layer cpu;
    device_layer gpu;
    float *want = osc_alloc(a->rows * a->n, 4), *y = osc_alloc(a->rows * a->n, 4);
    bool views = strstr(scheme, "q8") == NULL;
    osc_code_view mine = view_new(a->rows, a->n, a->k), its = view_new(a->rows, a->n, a->k);
    char what[160];
    layer_open(&cpu, scheme, a->w16, a->dtype, a->rows, a->n, a->k, 2);
    cpu.linear.bias = a->bias;
    layer_apply(&cpu, want, a->x, act);
    if (views)
        view_of(&its, &cpu, a->x);
    if (e != NULL)
        compare_with(e, &its, want, scheme, a);
    device_open(&gpu, scheme, a);
    ck_assert_uint_eq(gpu.bad, cpu.bad);
    for (size_t i = 0; cuda_kernel(i) != NULL; i++) {
        snprintf(what, sizeof what, "%s, %s, %s, %zu x %zu x %zu", scheme,
                 cuda_kernel(i), osc_dtype_name(a->dtype), a->rows, a->n, a->k);
        cuda_choose(gpu.device, i);
        if (views) {
            done(gpu.choice.scheme->view(&gpu.linear, gpu.cuda, gpu.device, &mine, gpu.x,
                                         a->rows));
            same_view(what, &mine, &its, a);
        }
        for (size_t again = 0; again < 2; again++) {
            device_apply(&gpu, y, a, act);
            same_outputs(what, y, want, a, largest(want, a->rows * a->n)
                         + 0.1 * largest(a->x, a->rows * a->k));
        }
    }
    cuda_choose(gpu.device, SIZE_MAX);
    device_close(&gpu);
    layer_close(&cpu);
    view_free(&mine);
    view_free(&its);
    osc_free(want);
    osc_free(y);
}

START_TEST(test_schemes)
{
    for (size_t s = 0; s < SCHEMES; s++) {
        for (size_t d = 0; d < 2; d++) {
            numbers a = numbers_new(d == 0 ? OSC_F16 : OSC_BF16, shapes[_i].rows, shapes[_i].n,
                                    shapes[_i].k, 77 + s);
            compare(schemes[s], &a, s % 2 == 0 ? OSC_ACT_NONE : OSC_ACT_RELU, NULL);
            numbers_free(&a);
        }
    }
}
END_TEST

START_TEST(test_activations)
{
    numbers a = numbers_new(OSC_F16, 21, 67, 131, 5);
    compare("llm-int8", &a, OSC_ACT_GELU, NULL);
    compare("llm-int8", &a, OSC_ACT_GELU_TANH, NULL);
    compare("zeropoint-vector", &a, OSC_ACT_SILU, NULL);
    compare("q8-0", &a, OSC_ACT_GELU, NULL);
    numbers_free(&a);
}
END_TEST

/* Blocks of codes: few rows; many outputs, and many rows, that are done in parts. */
START_TEST(test_blocks)
{
    static const struct { size_t rows, n, k; } of[] = {
        { 1, 70, 4096 }, { 1, 5, 24 }, { 8, 67, 4104 }, { 9, 67, 4104 }, { 20, 420, 40960 },
        { 600, 20000, 32 },
    };
    numbers a = numbers_new(_i % 2 == 0 ? OSC_F16 : OSC_BF16, of[_i / 2].rows, of[_i / 2].n,
                            of[_i / 2].k, 8);
    compare("q8-0", &a, _i % 4 < 2 ? OSC_ACT_RELU : OSC_ACT_GELU, NULL);
    numbers_free(&a);
}
END_TEST

/* Rows and columns of zeros, of one value, far from zero for their range; values that
 * are not finite: what the CPU makes of them. */
START_TEST(test_extremes)
{
    enum { ROWS = 12, N = 66, K = 72 };
    for (size_t s = 0; s < SCHEMES; s++) {
        numbers a = numbers_new(OSC_F16, ROWS, N, K, 17);
        for (size_t i = 0; i < K; i++) {
            a.x[i] = 0.0f;
            a.x[K + i] = -3.75f;
            a.x[2 * K + i] = 1000.0f + a.x[2 * K + i];
            a.x[3 * K + i] *= 1e-6f;
        }
        a.x[5 * K + 3] = NAN;
        a.x[6 * K + 71] = INFINITY;
        a.x[7 * K + 40] = -INFINITY;
        for (size_t i = 0; i < K; i++) {
            a.w16[3 * K + i] = 0;
            a.w16[4 * K + i] = 0x3c00;
        }
        numbers_round(&a);
        compare(schemes[s], &a, OSC_ACT_NONE, NULL);
        numbers_free(&a);
    }
}
END_TEST

/* Columns from a file, few rows and many. */
START_TEST(test_fixed_columns)
{
    static const char *const forms[] = {
        "llm-int8:columns=%s", "llm-int8:columns=%s,weights=int8", "llm-int8-zeropoint:columns=%s",
    };
    static const size_t rows[] = { 1, 2, 5, 140 };
    char path[] = "columns-XXXXXX", scheme[128];
    const char text[] = "blocks.3.fc1_in: 0 17 204 271\n";
    int file = mkstemp(path);
    ck_assert_int_ge(file, 0);
    ck_assert_int_eq(write(file, text, strlen(text)), (ssize_t)strlen(text));
    close(file);
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        for (size_t j = 0; j < sizeof rows / sizeof *rows; j++) {
            numbers a = numbers_new(OSC_F16, rows[j], 264, 272, 6 + i);
            snprintf(scheme, sizeof scheme, forms[i], path);
            compare(scheme, &a, OSC_ACT_RELU, NULL);
            numbers_free(&a);
        }
    }
    unlink(path);
}
END_TEST

START_TEST(test_nonfinite_weights)
{
    for (size_t s = 0; s < SCHEMES; s++) {
        numbers a = numbers_new(OSC_F16, 5, 67, 70, 8);
        device_layer d;
        float y[5 * 67];
        a.w16[66 * a.k + 69] = 0xfc00;
        a.w16[65 * a.k + 3] = 0x7e00;
        device_open(&d, schemes[s], &a);
        ck_assert_uint_eq(d.bad, 65 * a.k + 3);
        device_apply(&d, y, &a, OSC_ACT_NONE);
        for (size_t t = 0; t < a.rows; t++)
            check(!isfinite(y[t * 67 + 65]) && !isfinite(y[t * 67 + 66]), "%s: row %zu",
                  schemes[s], t);
        device_close(&d);
        numbers_free(&a);
    }
}
END_TEST

/* fp32 weights, and a transposed tensor. */
START_TEST(test_stored_forms)
{
    numbers a = numbers_new(OSC_F16, 9, 67, 45, 21);
    float *wide = osc_alloc(a.n * a.k, 4), *turned = osc_alloc(a.n * a.k, 4);
    float *want = osc_alloc(a.rows * a.n, 4), *y = osc_alloc(a.rows * a.n, 4);
    for (size_t i = 0; i < a.n * a.k; i++) {
        wide[i] = osc_f16_to_float(a.w16[i]);
        turned[i % a.k * a.n + i / a.k] = wide[i];
    }
    for (size_t s = 0; s < SCHEMES; s++) {
        device_layer d;
        device_open(&d, schemes[s], &a);
        device_apply(&d, want, &a, OSC_ACT_NONE);
        for (size_t form = 0; form < 2; form++) {
            osc_tensor t = osc_tensor_make(form == 0 ? wide : turned, OSC_F32, 2,
                                           (size_t[]){ a.n, a.k });
            if (form == 1) {
                t.stride[0] = 1;
                t.stride[1] = a.n;
            }
            done(d.choice.scheme->prepare(&d.linear, d.cuda, d.device, &t, &d.bad));
            device_apply(&d, y, &a, OSC_ACT_NONE);
            same_floats(schemes[s], y, want, a.rows * a.n);
        }
        device_close(&d);
    }
    osc_free(wide);
    osc_free(turned);
    osc_free(want);
    osc_free(y);
    numbers_free(&a);
}
END_TEST

/* Products with one x share its codes; they are made anew when x has changed. */
START_TEST(test_same_input)
{
    numbers a = numbers_new(OSC_F16, 200, 264, 320, 3), b = numbers_new(OSC_F16, 200, 264, 320, 4);
    device_layer d, e;
    float *want = osc_alloc(a.rows * a.n, 4), *y = osc_alloc(a.rows * a.n, 4);
    uint16_t *half = osc_alloc(a.rows * a.n, 2);
    device_open(&d, "llm-int8", &a);
    device_open(&e, "llm-int8", &b);
    for (size_t again = 0; again < 2; again++) {
        for (size_t t = 0; t < a.rows && again == 1; t++)
            b.x[t * a.k + 17] = 8.0f + (float)t;
        numbers_round(&b);
        done(e.cuda->put(e.device, e.x, b.x16, b.rows * b.k * 2));
        device_apply(&e, want, &b, OSC_ACT_NONE);
        done(e.cuda->put(e.device, d.x, b.x16, b.rows * b.k * 2));
        done(d.choice.scheme->apply(&d.linear, d.cuda, d.device, d.y, d.x, OSC_ACT_NONE, a.rows));
        done(e.choice.scheme->apply(&e.linear, e.cuda, e.device, e.y, d.x, OSC_ACT_NONE, a.rows));
        done(e.cuda->get(e.device, half, e.y, a.rows * a.n * 2));
        for (size_t i = 0; i < a.rows * a.n; i++)
            y[i] = osc_f16_to_float(half[i]);
        same_floats("same input", y, want, a.rows * a.n);
    }
    device_close(&d);
    device_close(&e);
    osc_free(want);
    osc_free(y);
    osc_free(half);
    numbers_free(&a);
    numbers_free(&b);
}
END_TEST

/* Three layers of one x in one call, the last added to something: the bits of one after the
 * other. */
static void check_several(const char *scheme, osc_dtype dtype, size_t rows, size_t n, size_t k)
{
    const size_t ns[OSC_PRODUCTS] = { n, n / 2 + 1, n + 40 };
    numbers a[OSC_PRODUCTS];
    device_layer d[OSC_PRODUCTS];
    osc_output outputs[OSC_PRODUCTS];
    void *plus, *want[OSC_PRODUCTS];
    size_t most = rows * ns[2];
    uint16_t *before = osc_alloc(most, 2), *poison = osc_alloc(most, 2), *y = osc_alloc(most, 2);
    float *floats = osc_alloc(most, 4);
    for (size_t i = 0; i < most; i++) {
        before[i] = narrow(0.01f * (float)(i % 301), dtype);
        poison[i] = 0xffff;
    }
    for (size_t i = 0; i < OSC_PRODUCTS; i++) {
        a[i] = numbers_new(dtype, rows, ns[i], k, 5 + i);
        device_open(&d[i], scheme, &a[i]);
        outputs[i] = (osc_output){ .linear = &d[i].linear, .y = d[i].y,
                                   .act = i == 1 ? OSC_ACT_RELU : OSC_ACT_NONE };
    }
    done(d->cuda->alloc(d->device, &plus, most * 2));
    done(d->cuda->put(d->device, plus, before, most * 2));
    for (size_t i = 0; i < OSC_PRODUCTS; i++) {
        done(d->cuda->put(d->device, d[i].x, a->x16, rows * k * 2));
        device_apply(&d[i], floats, &a[i], outputs[i].act);
        if (i == 2)
            done(d->cuda->add(d->device, plus, d[i].y, most));
        want[i] = osc_alloc(rows * ns[i], 2);
        done(d->cuda->get(d->device, want[i], i == 2 ? plus : d[i].y, rows * ns[i] * 2));
        done(d->cuda->put(d->device, d[i].y, poison, rows * ns[i] * 2));
    }
    done(d->cuda->put(d->device, plus, before, most * 2));
    outputs[2].plus = plus;
    done(d->choice.scheme->apply_several(outputs, OSC_PRODUCTS, d->cuda, d->device, d->x, rows));
    for (size_t i = 0; i < OSC_PRODUCTS; i++) {
        done(d->cuda->get(d->device, y, i == 2 ? plus : d[i].y, rows * ns[i] * 2));
        check(memcmp(y, want[i], rows * ns[i] * 2) == 0, "%s, %s: output %zu of %zu x %zu x %zu",
              scheme, osc_dtype_name(dtype), i, rows, n, k);
        osc_free(want[i]);
    }
    d->cuda->release(d->device, plus);
    for (size_t i = 0; i < OSC_PRODUCTS; i++) {
        device_close(&d[i]);
        numbers_free(&a[i]);
    }
    osc_free(before);
    osc_free(poison);
    osc_free(y);
    osc_free(floats);
}

START_TEST(test_several)
{
    static const struct { size_t rows, n, k; } some[] = {
        { 1, 64, 768 }, { 2, 67, 136 }, { 1, 2500, 2064 }, { 1, 33, 131 }, { 5, 96, 256 },
        { 200, 96, 256 },
    };
    for (size_t s = 0; s < SCHEMES; s++)
        for (size_t i = 0; i < sizeof some / sizeof *some; i++)
            check_several(schemes[s], (s + i) % 2 == 0 ? OSC_F16 : OSC_BF16, some[i].rows,
                          some[i].n, some[i].k);
}
END_TEST


/* --- single layers of a file ------------------------------------------------------------------ */

/* x becomes what float16 holds, which it is already in six of the ten cases. */
static void check_golden(hid_t file, const char *name, const char *scheme, bool stored)
{
    char folder[128], text[128];
    hsize_t dx[2], dw[2];
    float *x = dataset(file, H5T_NATIVE_FLOAT, dx, name, "x");
    float *w = dataset(file, H5T_NATIVE_FLOAT, dw, name, "w");
    numbers a = numbers_zero(OSC_F16, (size_t)dx[0], (size_t)dw[0], (size_t)dw[1]);
    snprintf(folder, sizeof folder, "%s/%s", name, scheme);
    golden_text(text, sizeof text, scheme, stored);
    golden g = golden_read(file, folder);
    memcpy(a.x, x, a.rows * a.k * sizeof *x);
    numbers_round(&a);
    keep16(a.w16, w, a.n * a.k, a.dtype);
    expected e = { &g, stored ? g.y : g.y_w8, memcmp(a.x, x, a.rows * a.k * sizeof *x) != 0 };
    compare(text, &a, OSC_ACT_NONE, &e);
    numbers_free(&a);
    golden_free(&g);
    osc_free(x);
    osc_free(w);
}

START_TEST(test_committed)
{
    for_golden(in_tests("data/layers.h5"), check_golden);
}
END_TEST

START_TEST(test_shared)
{
    const char *path = in_shared("reference/layers.h5");
    if (path != NULL)
        for_golden(path, check_golden);
}
END_TEST

/* --- calls after each other ------------------------------------------------------------------- */

/* A product captured into a graph finds its columns anew at every replay. */
START_TEST(test_graph)
{
    numbers a = numbers_new(OSC_F16, 200, 264, 320, 3);
    device_layer d;
    osc_graph *graph = NULL;
    float *first = osc_alloc(a.rows * a.n, 4), *y = osc_alloc(a.rows * a.n, 4);
    uint16_t *half = osc_alloc(a.rows * a.n, 2);
    device_open(&d, "llm-int8", &a);
    device_apply(&d, first, &a, OSC_ACT_RELU);
    done(d.cuda->graph_begin(d.device));
    done(d.choice.scheme->apply(&d.linear, d.cuda, d.device, d.y, d.x, OSC_ACT_RELU, a.rows));
    done(d.cuda->graph_end(d.device, &graph, true));
    for (size_t i = 0; i < 7; i++) {
        if (i % 2 == 1)   /* another set of columns in between */
            for (size_t t = 0; t < a.rows; t++)
                a.x[t * a.k + i * 11] = 9.0f;
        numbers_round(&a);
        done(d.cuda->put(d.device, d.x, a.x16, a.rows * a.k * 2));
        device_apply(&d, first, &a, OSC_ACT_RELU);
        for (size_t again = 0; again < i; again++)
            done(d.cuda->graph_run(d.device, graph));
        done(d.cuda->get(d.device, half, d.y, a.rows * a.n * 2));
        for (size_t j = 0; j < a.rows * a.n; j++)
            y[j] = osc_f16_to_float(half[j]);
        same_floats("replay", y, first, a.rows * a.n);
    }
    d.cuda->graph_free(d.device, graph);
    device_close(&d);
    osc_free(first);
    osc_free(y);
    osc_free(half);
    numbers_free(&a);
}
END_TEST

/* --- small enough for racecheck --------------------------------------------------------------- */

static const struct { const char *name, *kernel; size_t rows, n, k; } small[] = {
    { "small-few-dp4a", "few-dp4a", 2, 600, 528 }, { "small-few-mma", "few-mma", 7, 600, 528 },
    { "small-wgmma", "wgmma", 130, 40, 272 },
    { "small-wgmma-turns", "wgmma", 520, 8100, 656 },   /* more tiles than multiprocessors */
    { "small-cublaslt", "cublaslt", 21, 300, 272 },
};

/* Twice, since buffers take turns; against a kernel that no test has doubts about, the CPU's. */
START_TEST(test_small)
{
    static const char *const schemes_here[] = { "llm-int8", "zeropoint-vector", "absmax" };
    for (size_t s = 0; s < 3; s++) {
        numbers a = numbers_new(OSC_F16, small[_i].rows, small[_i].n, small[_i].k, 7 + s);
        coded_layer cpu;
        device_layer gpu;
        float *want = osc_alloc(a.rows * a.n, 4), *y = osc_alloc(a.rows * a.n, 4);
        layer_open(&cpu, schemes_here[s], a.w16, a.dtype, a.rows, a.n, a.k, 2);
        cpu.linear.bias = a.bias;
        layer_apply(&cpu, want, a.x, OSC_ACT_RELU);
        device_open(&gpu, schemes_here[s], &a);
        for (size_t i = 0; cuda_kernel(i) != NULL; i++)
            if (strcmp(cuda_kernel(i), small[_i].kernel) == 0)
                cuda_choose(gpu.device, i);
        for (size_t again = 0; again < 2; again++) {
            device_apply(&gpu, y, &a, OSC_ACT_RELU);
            same_outputs(small[_i].kernel, y, want, &a, largest(want, a.rows * a.n)
                         + 0.1 * largest(a.x, a.rows * a.k));
        }
        cuda_choose(gpu.device, SIZE_MAX);
        device_close(&gpu);
        layer_close(&cpu);
        osc_free(want);
        osc_free(y);
        numbers_free(&a);
    }
}
END_TEST

/* --- what is known of x ------------------------------------------------------------------------ */

/* y as it lies in memory. */
static void fetch_outputs(const device_layer *d, uint16_t *y, const numbers *a)
{
    done(d->cuda->get(d->device, y, d->y, a->rows * a->n * 2));
}

static void apply_only(const device_layer *d, const void *x, const numbers *a)
{
    done(d->choice.scheme->apply(&d->linear, d->cuda, d->device, d->y, x, OSC_ACT_RELU, a->rows));
}

static bool columns_known(const device_layer *d, const numbers *a)
{
    return cuda_knows_columns(d->device, d->x, &d->choice.coding, a->rows, a->k);
}

static bool codes_known(const device_layer *d, const numbers *a)
{
    return cuda_knows_codes(d->device, d->x, &d->choice.coding, a->rows, a->k);
}

/* Kernels that make the x of a layer, and tell which columns of it reach the threshold. */
typedef enum {
    LAYERNORM, RMSNORM, ATTENTION, PRODUCT, THEN_ACTIVATED, THEN_MULTIPLIED, MAKERS
} maker;

typedef struct {
    maker        kind;
    void        *from, *weight, *bias;      /* of norms; `from` is q, k and v too */
    device_layer first;                     /* of PRODUCT and what is THEN done to its y */
    numbers      inputs;
} source;

static void source_open(source *s, maker kind, const device_layer *d, const numbers *a,
                        const char *scheme)
{
    uint64_t seed = 90 + kind;
    float *values = osc_alloc(a->rows * a->k, 4), *scale = osc_alloc(a->k, 4);
    uint16_t *half = osc_alloc(a->rows * a->k, 2);
    memset(s, 0, sizeof *s);
    s->kind = kind;
    random_fill(values, a->rows * a->k, 1.0f, &seed);
    random_fill(scale, a->k, 1.0f, &seed);
    for (size_t i = 0; i < a->k; i += 37)
        scale[i] += 12.0f;
    for (size_t i = 0; i < a->rows * a->k; i++)      /* o is a mean of v's rows */
        values[i] += kind == ATTENTION && i % a->k % 29 == 3 ? 9.0f : 0.0f;
    if (a->rows > 4 && kind != ATTENTION) {
        values[2 * a->k] = NAN;
        values[4 * a->k + a->k / 2] = INFINITY;
    }
    done(d->cuda->alloc(d->device, &s->from, a->rows * a->k * 2));
    done(d->cuda->alloc(d->device, &s->weight, a->k * 2));
    done(d->cuda->alloc(d->device, &s->bias, a->k * 2));
    keep16(half, values, a->rows * a->k, a->dtype);
    done(d->cuda->put(d->device, s->from, half, a->rows * a->k * 2));
    keep16(half, scale, a->k, a->dtype);
    done(d->cuda->put(d->device, s->weight, half, a->k * 2));
    done(d->cuda->put(d->device, s->bias, half, a->k * 2));
    if (kind >= PRODUCT) {
        s->inputs = numbers_new(a->dtype, a->rows, a->k, 70, 12);
        for (size_t i = 0; i < a->k; i += 41)
            s->inputs.bias[i] += 11.0f;
        numbers_round(&s->inputs);
        device_open(&s->first, scheme, &s->inputs);
    }
    osc_free(values);
    osc_free(scale);
    osc_free(half);
}

static void source_close(source *s, const device_layer *d)
{
    d->cuda->release(d->device, s->from);
    d->cuda->release(d->device, s->weight);
    d->cuda->release(d->device, s->bias);
    if (s->kind < PRODUCT)
        return;
    device_close(&s->first);
    numbers_free(&s->inputs);
}

/* x of `sequences` that have as many rows each. */
static void source_make_of(const source *s, const device_layer *d, const numbers *a,
                           size_t sequences)
{
    size_t heads = a->k % 64 == 0 ? a->k / 64 : 1;
    osc_attention args = { .sequences = sequences, .tokens = a->rows / sequences, .heads = heads,
                           .head_size = a->k / heads, .scale = 0.1f };
    if (s->kind == LAYERNORM)
        done(d->cuda->layernorm(d->device, d->x, s->from, s->weight, s->bias, 1e-5f, a->rows,
                                a->k));
    else if (s->kind == RMSNORM)
        done(d->cuda->rmsnorm(d->device, d->x, s->from, s->weight, 1e-5f, a->rows, a->k));
    else if (s->kind == ATTENTION)
        done(d->cuda->attention(d->device, d->x, s->from, s->from, s->from, &args));
    else
        done(s->first.choice.scheme->apply(&s->first.linear, d->cuda, d->device, d->x, s->first.x,
                                           s->kind == PRODUCT ? OSC_ACT_RELU : OSC_ACT_NONE,
                                           a->rows));
    if (s->kind == THEN_ACTIVATED)
        done(d->cuda->activate(d->device, d->x, OSC_ACT_GELU, a->rows * a->k));
    if (s->kind == THEN_MULTIPLIED)
        done(d->cuda->multiply(d->device, d->x, s->from, a->rows * a->k));
}

static void source_make(const source *s, const device_layer *d, const numbers *a)
{
    source_make_of(s, d, a, 1);
}

/* Few queries have a kernel that tells nothing, and so have wide heads. */
static bool tells(const source *s, const numbers *a)
{
    bool wide = a->k % 64 != 0 && a->k > 128, few = a->rows <= 4 && a->k % 8 == 0;
    return a->rows > 2 && (s->kind != ATTENTION || (!wide && !few));
}

/* The same columns, codes and outputs, bit for bit, where the columns of x are known, where
 * they are not, and where its codes are there already. */
static void check_known(const char *what, const device_layer *d, const source *s,
                        const numbers *a, size_t sequences)
{
    (void)sequences;
    size_t bytes = a->rows * a->n * 2;
    uint16_t *y = osc_alloc(bytes, 1), *want = osc_alloc(bytes, 1);
    osc_code_view mine = view_new(a->rows, a->n, a->k), its = view_new(a->rows, a->n, a->k);
    cuda_forget(d->device);
    source_make(s, d, a);
    check(columns_known(d, a) == tells(s, a), "%s: columns known", what);
    done(d->choice.scheme->view(&d->linear, d->cuda, d->device, &mine, d->x, a->rows));
    cuda_forget(d->device);
    done(d->choice.scheme->view(&d->linear, d->cuda, d->device, &its, d->x, a->rows));
    same_view(what, &mine, &its, a);
    for (size_t i = 0; cuda_kernel(i) != NULL; i++) {
        cuda_choose(d->device, i);
        source_make(s, d, a);
        check(columns_known(d, a) == tells(s, a), "%s: columns known", what);
        apply_only(d, d->x, a);
        fetch_outputs(d, y, a);
        cuda_forget(d->device);
        apply_only(d, d->x, a);
        fetch_outputs(d, want, a);
        check(memcmp(y, want, bytes) == 0, "%s, %s: known columns", what, cuda_kernel(i));
        source_make(s, d, a);
        apply_only(d, d->x, a);
        apply_only(d, d->x, a);
        fetch_outputs(d, y, a);
        check(memcmp(y, want, bytes) == 0, "%s, %s: codes again", what, cuda_kernel(i));
    }
    cuda_choose(d->device, SIZE_MAX);
    view_free(&mine);
    view_free(&its);
    osc_free(y);
    osc_free(want);
}

static const struct { size_t rows, n, k; } known_shapes[] = {
    { 3, 5, 1 }, { 9, 66, 31 }, { 8, 64, 64 }, { 2, 24, 64 }, { 4, 67, 128 }, { 33, 70, 257 },
    /* the former are small enough for a sanitizer */
    { 7, 65, 130 }, { 130, 129, 320 }, { 241, 264, 1000 }, { 300, 264, 768 }, { 65, 70, 4099 },
    { 140, 264, 4096 }, { 5, 40, 20000 }, { 5, 24, 40960 },
};
enum { KNOWN_SHAPES = sizeof known_shapes / sizeof *known_shapes, KNOWN_SMALL = 6 };

typedef void (*made_check)(const char *what, const device_layer *d, const source *s,
                           const numbers *a, size_t sequences);

/* The checks of the layer with an x that this kind of kernel makes. */
static void check_made(const char *scheme, maker kind, const device_layer *d, const numbers *a,
                       size_t sequences, made_check checks)
{
    source s;
    char what[160];
    snprintf(what, sizeof what, "%s, maker %d, %s, %zu sequences of %zu x %zu x %zu", scheme,
             (int)kind, osc_dtype_name(a->dtype), sequences, a->rows / sequences, a->n, a->k);
    source_open(&s, kind, d, a, scheme);
    checks(what, d, &s, a, sequences);
    source_close(&s, d);
}

static const char *const forms[] = {
    "llm-int8", "llm-int8:weights=int8", "llm-int8:threshold=1.2", "llm-int8:threshold=0",
    "llm-int8:threshold=1e4", "llm-int8:threshold=inf",
};
enum { FORMS = sizeof forms / sizeof *forms };

/* The first `count` forms at shape i. */
static void check_known_columns(size_t i, osc_dtype dtype, size_t count)
{
    for (size_t f = 0; f < count; f++) {
        numbers a = numbers_new(dtype, known_shapes[i].rows, known_shapes[i].n,
                                known_shapes[i].k, 40 + f);
        device_layer d;
        device_open(&d, forms[f], &a);
        apply_only(&d, d.x, &a);             /* from now on columns are looked for */
        for (maker kind = 0; kind < MAKERS; kind++)
            if ((kind != ATTENTION || a.k <= 4096) && (f <= 1 || (f + i) % MAKERS == kind))
                check_made(forms[f], kind, &d, &a, 1, check_known);
        device_close(&d);
        numbers_free(&a);
    }
}

START_TEST(test_known_columns)
{
    check_known_columns((size_t)_i / 2, _i % 2 == 0 ? OSC_F16 : OSC_BF16, FORMS);
}
END_TEST

/* Small enough for a sanitizer. */
START_TEST(test_known_columns_small)
{
    check_known_columns(2 * (size_t)_i + 1, OSC_F16, 1);
}
END_TEST

/* --- sequences that share a product ----------------------------------------------------------- */

static const struct { size_t sequences, tokens, n, k; } joined_shapes[] = {
    { 3, 17, 66, 64 }, { 2, 3, 24, 64 },
    /* the former are small enough for a sanitizer */
    { 5, 8, 70, 320 }, { 3, 100, 264, 1000 }, { 9, 64, 129, 768 }, { 2, 300, 264, 4099 },
    { 40, 20, 264, 2048 }, { 8, 1, 40, 128 },
};
enum { JOINED_SHAPES = sizeof joined_shapes / sizeof *joined_shapes, JOINED_SMALL = 2 };

/* One sequence at a time, with columns that nobody knows. */
static void apply_apart(const device_layer *d, uint16_t *y, const numbers *a, size_t tokens)
{
    char *x = d->x, *out = d->y;
    cuda_forget(d->device);
    for (size_t t = 0; t < a->rows; t += tokens)
        done(d->choice.scheme->apply(&d->linear, d->cuda, d->device, out + t * a->n * 2,
                                     x + t * a->k * 2, OSC_ACT_RELU, tokens));
    fetch_outputs(d, y, a);
}

/* Removed columns of other sequences add zeros, which may group the others' sums anew: few
 * outputs may differ, by a last bit. */
static void check_outputs(const char *what, const uint16_t *y, const uint16_t *want,
                          const numbers *a)
{
    size_t count = a->rows * a->n, differ = 0;
    float step = a->dtype == OSC_BF16 ? 1.0f / 64 : 1.0f / 512;
    for (size_t i = 0; i < count; i++) {
        float mine = widen(y[i], a->dtype), its = widen(want[i], a->dtype);
        differ += y[i] != want[i];
        check(mine == its || (isnan(mine) && isnan(its))
              || fabsf(mine - its) <= step * fabsf(its) + 1e-3f,
              "%s: %zu is %g, alone %g", what, i, (double)mine, (double)its);
    }
    check(differ <= count / 50 + 1, "%s: %zu of %zu outputs differ", what, differ, count);
}

static void check_joined(const char *what, const device_layer *d, const source *s,
                         const numbers *a, size_t sequences)
{
    size_t bytes = a->rows * a->n * 2, tokens = a->rows / sequences;
    uint16_t *y = osc_alloc(bytes, 1), *want = osc_alloc(bytes, 1);
    const osc_coding *coding = &d->choice.coding;
    bool told = s->kind < ATTENTION || (s->kind == ATTENTION && tokens > 4 && a->k % 64 == 0);
    bool known = told && coding->remove == OSC_REMOVE_ABSOLUTE && !coding->zeropoint;
    for (size_t i = 0; cuda_kernel(i) != NULL; i++) {
        cuda_choose(d->device, i);
        d->cuda->part(d->device, tokens);
        source_make_of(s, d, a, sequences);
        check(!known || columns_known(d, a), "%s: columns known", what);
        apply_only(d, d->x, a);
        fetch_outputs(d, y, a);
        d->cuda->part(d->device, 0);
        apply_apart(d, want, a, tokens);
        check_outputs(what, y, want, a);
        d->cuda->part(d->device, tokens);
        source_make_of(s, d, a, sequences);
        apply_only(d, d->x, a);
        apply_only(d, d->x, a);              /* from the codes of the first */
        fetch_outputs(d, want, a);
        check(memcmp(y, want, bytes) == 0, "%s, %s: codes again", what, cuda_kernel(i));
    }
    d->cuda->part(d->device, 0);
    cuda_choose(d->device, SIZE_MAX);
    osc_free(y);
    osc_free(want);
}

/* Every sequence has its own removed columns, some, none or more than are laid side by side:
 * `count` forms of the product, x of the first `makers`. */
static void check_joined_shape(size_t i, osc_dtype dtype, size_t count, maker makers)
{
    static const char *const of_all[] = {
        "llm-int8:threshold=2", "llm-int8", "llm-int8:weights=int8,threshold=1.5",
        "absmax-row-decomp:threshold=1.2", "llm-int8-zeropoint:threshold=2", "absmax",
        "zeropoint-vector", "llm-int8:rule=topk,threshold=3",
    };
    size_t sequences = joined_shapes[i].sequences;
    for (size_t f = 0; f < count && f < sizeof of_all / sizeof *of_all; f++) {
        numbers a = numbers_new(dtype, sequences * joined_shapes[i].tokens, joined_shapes[i].n,
                                joined_shapes[i].k, 60 + f);
        device_layer d;
        device_open(&d, of_all[f], &a);
        apply_only(&d, d.x, &a);             /* from now on columns are looked for */
        for (maker kind = 0; kind < makers; kind++)
            if (kind != ATTENTION || a.k <= 2048)
                check_made(of_all[f], kind, &d, &a, sequences, check_joined);
        device_close(&d);
        numbers_free(&a);
    }
}

START_TEST(test_joined)
{
    check_joined_shape((size_t)_i / 2, _i % 2 == 0 ? OSC_F16 : OSC_BF16, SIZE_MAX, MAKERS);
}
END_TEST

/* Small enough for a sanitizer. */
START_TEST(test_joined_small)
{
    check_joined_shape((size_t)_i, OSC_F16, 1, LAYERNORM + 1);
}
END_TEST

/* Products of two weights with one x, which the second finds coded. */
START_TEST(test_shared_codes)
{
    static const size_t rows[] = { 2, 9, 140 };
    for (size_t s = 0; s < SCHEMES; s++) {
        for (size_t r = 0; r < 3; r++) {
            numbers a = numbers_new(OSC_F16, rows[r], 264, 272, 3);
            numbers b = numbers_new(OSC_F16, rows[r], 135, 272, 4);
            device_layer d, e;
            uint16_t *y = osc_alloc(b.rows * b.n, 2), *want = osc_alloc(b.rows * b.n, 2);
            device_open(&d, schemes[s], &a);
            device_open(&e, schemes[s], &b);
            apply_only(&e, d.x, &b);
            fetch_outputs(&e, want, &b);
            apply_only(&d, d.x, &a);
            check(rows[r] == 2 || codes_known(&d, &a) == (strstr(schemes[s], "q8") == NULL),
                  "%s: codes known", schemes[s]);
            apply_only(&e, d.x, &b);
            fetch_outputs(&e, y, &b);
            check(memcmp(y, want, b.rows * b.n * 2) == 0, "%s, %zu rows: the second weight",
                  schemes[s], rows[r]);
            device_close(&d);
            device_close(&e);
            osc_free(y);
            osc_free(want);
            numbers_free(&a);
            numbers_free(&b);
        }
    }
}
END_TEST

/* What a session, a hook or an ablation may do to x between the norm and the product. */
typedef enum {
    PUT, HOST_PUT, CLEAR, ADD, MULTIPLY, ACTIVATE, COPY, PRODUCT_OF_FLOATS, ROTATE, ADD_ROWS, EMBED,
    RELEASE, WRITERS
} writer;

static void write_some(writer how, const device_layer *d, const source *s, const numbers *a)
{
    static const uint32_t columns[] = { 0, 37, 5 };
    static const int32_t ids[64];
    size_t count = a->rows * a->k;
    osc_tensor table = osc_tensor_make(s->from, a->dtype, 2, (size_t[]){ a->rows, a->k });
    osc_rotary rotary = { .dim = 8, .base = 100.0f };
    char *late = (char *)d->x + (a->rows - 1) * a->k * 2;       /* the last row */
    void *memory;
    switch (how) {
    case PUT: done(d->cuda->put(d->device, late, a->x16, 2)); break;
    case HOST_PUT: done(d->cuda->host_put(d->device, late, a->dtype, a->x, a->k)); break;
    case CLEAR: done(d->cuda->clear(d->device, d->x, a->rows, a->k, columns, 3)); break;
    case ADD: done(d->cuda->add(d->device, d->x, s->from, count)); break;
    case MULTIPLY: done(d->cuda->multiply(d->device, d->x, s->from, count)); break;
    case ACTIVATE: done(d->cuda->activate(d->device, late, OSC_ACT_RELU, a->k)); break;
    case COPY: done(d->cuda->copy(d->device, late, s->from, a->k)); break;
    case PRODUCT_OF_FLOATS:
        done(d->cuda->matmul(d->device, late, s->from, s->from, NULL, OSC_ACT_NONE, 1, 1, a->k));
        break;
    case ROTATE: done(d->cuda->rotate(d->device, d->x, &rotary, a->rows, a->k / 8, 8)); break;
    case ADD_ROWS: done(d->cuda->add_rows(d->device, d->x, &table, 0, a->rows)); break;
    case EMBED: done(d->cuda->embed(d->device, late, &table, ids, 1)); break;
    default:
        done(d->cuda->alloc(d->device, &memory, 64));
        d->cuda->release(d->device, memory);
    }
}

START_TEST(test_forgotten)
{
    numbers a = numbers_new(OSC_F16, 40, 66, 72, 9);
    uint16_t *y = osc_alloc(a.rows * a.n, 2), *want = osc_alloc(a.rows * a.n, 2);
    device_layer d;
    source s;
    device_open(&d, "llm-int8", &a);
    apply_only(&d, d.x, &a);
    source_open(&s, LAYERNORM, &d, &a, "llm-int8");
    for (writer how = 0; how < WRITERS; how++) {
        source_make(&s, &d, &a);
        ck_assert(columns_known(&d, &a));
        apply_only(&d, d.x, &a);
        ck_assert(columns_known(&d, &a) && codes_known(&d, &a));
        write_some(how, &d, &s, &a);
        check(!columns_known(&d, &a) && !codes_known(&d, &a), "writer %d", (int)how);
        apply_only(&d, d.x, &a);
        fetch_outputs(&d, y, &a);
        cuda_forget(d.device);
        apply_only(&d, d.x, &a);
        fetch_outputs(&d, want, &a);
        check(memcmp(y, want, a.rows * a.n * 2) == 0, "writer %d: outputs", (int)how);
    }
    source_close(&s, &d);
    device_close(&d);
    osc_free(y);
    osc_free(want);
    numbers_free(&a);
}
END_TEST

/* A norm and the products behind it as a graph: no replay finds what another has left, nor
 * does what is done directly in between. */
START_TEST(test_known_in_graph)
{
    numbers a = numbers_new(OSC_F16, 150, 264, 320, 3);
    size_t bytes = a.rows * a.n * 2;
    uint16_t *y = osc_alloc(bytes, 1), *want = osc_alloc(bytes, 1);
    device_layer d;
    source s;
    osc_graph *graph = NULL;
    device_open(&d, "llm-int8", &a);
    source_open(&s, LAYERNORM, &d, &a, "llm-int8");
    for (size_t i = 0; i < 2; i++) {                /* the second time with flags */
        source_make(&s, &d, &a);
        apply_only(&d, d.x, &a);
    }
    done(d.cuda->graph_begin(d.device));
    for (size_t i = 0; i < 3; i++) {
        source_make(&s, &d, &a);
        ck_assert(columns_known(&d, &a));
        apply_only(&d, d.x, &a);
        apply_only(&d, d.x, &a);
    }
    done(d.cuda->graph_end(d.device, &graph, true));
    ck_assert(!columns_known(&d, &a) && !codes_known(&d, &a));
    for (size_t i = 0; i < 9; i++) {
        for (size_t t = 0; t < a.rows; t++)
            a.x[t * a.k + i * 13] = 30.0f;
        numbers_round(&a);
        done(d.cuda->put(d.device, s.from, a.x16, a.rows * a.k * 2));
        for (size_t j = 0; j < i % 3; j++)
            source_make(&s, &d, &a);
        apply_only(&d, d.x, &a);
        done(d.cuda->graph_run(d.device, graph));
        ck_assert(!columns_known(&d, &a) && !codes_known(&d, &a));
        fetch_outputs(&d, y, &a);
        source_make(&s, &d, &a);
        cuda_forget(d.device);
        apply_only(&d, d.x, &a);
        fetch_outputs(&d, want, &a);
        check(memcmp(y, want, bytes) == 0, "replay %zu", i);
    }
    d.cuda->graph_free(d.device, graph);
    source_close(&s, &d);
    device_close(&d);
    osc_free(y);
    osc_free(want);
    numbers_free(&a);
}
END_TEST

static void add_small(Suite *suite)
{
    for (size_t i = 0; i < sizeof small / sizeof *small; i++) {
        TCase *tc = tcase_create(small[i].name);
        tcase_set_timeout(tc, 300);
        tcase_add_loop_test(tc, test_small, (int)i, (int)i + 1);
        suite_add_tcase(suite, tc);
    }
}

int main(void)
{
    if (!cuda_present()) {
        printf("1..0 # SKIP no CUDA device\n");
        return EXIT_SUCCESS;
    }
    Suite *suite = suite_create("cuda codes");
    TCase *tc = tcase_create("schemes");
    tcase_set_timeout(tc, 300);
    tcase_add_loop_test(tc, test_schemes, 0, SHAPES);
    suite_add_tcase(suite, tc);
    tc = tcase_create("blocks");
    tcase_set_timeout(tc, 300);
    tcase_add_loop_test(tc, test_blocks, 0, 12);
    suite_add_tcase(suite, tc);
    tc = tcase_create("values");      /* small enough for a sanitizer */
    tcase_set_timeout(tc, 300);
    tcase_add_test(tc, test_activations);
    tcase_add_test(tc, test_extremes);
    tcase_add_test(tc, test_fixed_columns);
    tcase_add_test(tc, test_nonfinite_weights);
    tcase_add_test(tc, test_stored_forms);
    tcase_add_test(tc, test_same_input);
    tcase_add_test(tc, test_graph);
    tcase_add_test(tc, test_several);
    suite_add_tcase(suite, tc);
    tc = tcase_create("golden");
    tcase_set_timeout(tc, 300);
    tcase_add_test(tc, test_committed);
    tcase_add_test(tc, test_shared);
    suite_add_tcase(suite, tc);
    tc = tcase_create("known");
    tcase_set_timeout(tc, 300);
    tcase_add_loop_test(tc, test_known_columns, 0, 2 * KNOWN_SHAPES);
    tcase_add_test(tc, test_shared_codes);
    tcase_add_test(tc, test_known_in_graph);
    suite_add_tcase(suite, tc);
    tc = tcase_create("joined");
    tcase_set_timeout(tc, 300);
    tcase_add_loop_test(tc, test_joined, 0, 2 * JOINED_SHAPES);
    suite_add_tcase(suite, tc);
    tc = tcase_create("small-joined");
    tcase_set_timeout(tc, 300);
    tcase_add_loop_test(tc, test_joined_small, 0, JOINED_SMALL);
    suite_add_tcase(suite, tc);
    tc = tcase_create("small-known");
    tcase_set_timeout(tc, 300);
    tcase_add_loop_test(tc, test_known_columns_small, 0, KNOWN_SMALL / 2);
    tcase_add_test(tc, test_forgotten);
    suite_add_tcase(suite, tc);
    add_small(suite);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK);   /* a CUDA context does not survive fork */
    srunner_set_tap(runner, "-");
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    for (size_t i = 0; i < 2; i++)
        if (opened[i] != NULL)
            osc_backends[1]->close(opened[i]);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

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
#include "near.h"

/* As ck_assert_msg, which however writes a mark to a file each time it passes. */
#define check(condition, ...) do { if (!(condition)) ck_abort_msg(__VA_ARGS__); } while (0)

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

static numbers numbers_new(osc_dtype dtype, size_t rows, size_t n, size_t k, uint64_t seed)
{
    numbers a = { dtype, rows, n, k, osc_alloc(rows * k, 4), osc_alloc(n, 4),
                  osc_alloc(rows * k, 2), osc_alloc(n * k, 2), osc_alloc(n, 2) };
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
enum { MOST_ROWS = 1024, WIDEST = 8192 };

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

/* One scheme on these numbers: the CPU's view and output, then every kernel's. */
static void compare(const char *scheme, const numbers *a, osc_act act)
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
            compare(schemes[s], &a, s % 2 == 0 ? OSC_ACT_NONE : OSC_ACT_RELU);
            numbers_free(&a);
        }
    }
}
END_TEST

START_TEST(test_activations)
{
    numbers a = numbers_new(OSC_F16, 21, 67, 131, 5);
    compare("llm-int8", &a, OSC_ACT_GELU);
    compare("llm-int8", &a, OSC_ACT_GELU_TANH);
    compare("zeropoint-vector", &a, OSC_ACT_SILU);
    compare("q8-0", &a, OSC_ACT_GELU);
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
        compare(schemes[s], &a, OSC_ACT_NONE);
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
            compare(scheme, &a, OSC_ACT_RELU);
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

/* A product captured into a graph finds its columns anew at every replay. */
START_TEST(test_graph)
{
    numbers a = numbers_new(OSC_F16, 200, 264, 320, 3);
    device_layer d;
    cuda_graph *graph;
    float *first = osc_alloc(a.rows * a.n, 4), *y = osc_alloc(a.rows * a.n, 4);
    uint16_t *half = osc_alloc(a.rows * a.n, 2);
    device_open(&d, "llm-int8", &a);
    device_apply(&d, first, &a, OSC_ACT_RELU);
    ck_assert(cuda_graph_begin(d.device));
    done(d.choice.scheme->apply(&d.linear, d.cuda, d.device, d.y, d.x, OSC_ACT_RELU, a.rows));
    graph = cuda_graph_end(d.device);
    ck_assert_ptr_nonnull(graph);
    for (size_t i = 0; i < 7; i++) {
        if (i % 2 == 1)   /* another set of columns in between */
            for (size_t t = 0; t < a.rows; t++)
                a.x[t * a.k + i * 11] = 9.0f;
        numbers_round(&a);
        done(d.cuda->put(d.device, d.x, a.x16, a.rows * a.k * 2));
        device_apply(&d, first, &a, OSC_ACT_RELU);
        for (size_t again = 0; again < i; again++)
            ck_assert(cuda_graph_run(d.device, graph));
        done(d.cuda->get(d.device, half, d.y, a.rows * a.n * 2));
        for (size_t j = 0; j < a.rows * a.n; j++)
            y[j] = osc_f16_to_float(half[j]);
        same_floats("replay", y, first, a.rows * a.n);
    }
    cuda_graph_free(graph);
    device_close(&d);
    osc_free(first);
    osc_free(y);
    osc_free(half);
    numbers_free(&a);
}
END_TEST

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

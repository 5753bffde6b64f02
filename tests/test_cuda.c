/* Every operation of the CUDA backend against the CPU backend on the same rounded
 * inputs, on ugly shapes, in both element types; and bit for bit across repetitions.
 * Says SKIP where no GPU can be opened. */
#include <config.h>
#include <stdio.h>
#include <string.h>

#include "backend/backend.h"
#include "base/alloc.h"
#include "base/half.h"
#include "near.h"
#include "osc.h"
#include "paths.h"
#include "run.h"

enum { TOKENS = 300, MOST_ROWS = 5 * TOKENS, HEADS = 5, WIDEST = 30000, VOCABULARY = 1100 };

/* An output's own rounding and that of intermediate values. */
static const struct { const char *name; double budget; } types[] = {
    { "cuda:dtype=fp16", 2e-3 }, { "cuda:dtype=bf16", 1.6e-2 },
};
enum { TYPES = sizeof types / sizeof *types };

static const osc_backend *cpu, *cuda;
static osc_device *host, *gpu;
static double budget;

static void must(osc_status status)
{
    ck_assert_msg(status == OSC_OK, "%s", osc_error());
}

static void open_both(int i)
{
    osc_limits limits = { .tokens = TOKENS, .rows = MOST_ROWS, .heads = HEADS, .head_size = 160,
                          .widest = WIDEST, .vocabulary = VOCABULARY, .embed_width = 257 };
    must(osc_backend_find(&cpu, "cpu"));
    must(osc_backend_find(&cuda, types[i].name));
    budget = types[i].budget;
    must(cpu->open(&host, 1));
    must(cpu->plan(host, &limits));
    must(cuda->open(&gpu, 2));
    must(cuda->plan(gpu, &limits));
}

static osc_sequences one(size_t rows)
{
    return (osc_sequences){ 1, rows };
}

static void close_both(void)
{
    cpu->close(host);
    cuda->close(gpu);
}

/* --- values on both sides --------------------------------------------------------- */

/* The same values in host and device memory, rounded to the device's type. */
typedef struct {
    float *here;
    void  *there;
    size_t count;
} values;

/* `shift` elements off the alignment of an allocation. */
static values make_at(size_t count, float scale, uint64_t seed, size_t shift)
{
    values v = { osc_alloc(count, sizeof(float)), NULL, count };
    size_t size = osc_dtype_size(cuda->dtype);
    float *view;
    random_fill(v.here, count, scale, &seed);
    must(cuda->alloc(gpu, &v.there, (count + 8) * size));
    v.there = (char *)v.there + shift * size;
    must(cuda->host_put(gpu, v.there, cuda->dtype, v.here, count));
    must(cuda->host_view(gpu, &view, v.there, cuda->dtype, count));
    memcpy(v.here, view, count * sizeof *view);
    return v;
}

static values make(size_t count, float scale, uint64_t seed)
{
    return make_at(count, scale, seed, 0);
}

static void drop_at(values *v, size_t shift)
{
    osc_free(v->here);
    cuda->release(gpu, (char *)v->there - shift * osc_dtype_size(cuda->dtype));
}

static void drop(values *v)
{
    drop_at(v, 0);
}

/* Device values are within `budget` of v.here, relative to 1 + |value| times `size`. */
static void compare(const char *what, const values *v, double size)
{
    float *view;
    must(cuda->host_view(gpu, &view, v->there, cuda->dtype, v->count));
    for (size_t i = 0; i < v->count; i++) {
        double want = (double)v->here[i], got = (double)view[i];
        ck_assert_msg(fabs(got - want) <= budget * (size + fabs(want)),
                      "%s: element %zu of %zu is %.9g, expected %.9g", what, i, v->count, got,
                      want);
    }
}

/* --- loading ------------------------------------------------------------------------ */

static void store(char *at, float value, osc_dtype dtype)
{
    uint32_t bits = osc_float_to_bits(value);
    uint16_t half = dtype == OSC_F16 ? osc_float_to_f16(value) : (uint16_t)(bits >> 16);
    if (dtype == OSC_F32)
        memcpy(at, &bits, sizeof bits);
    else
        memcpy(at, &half, sizeof half);
}

START_TEST(test_load)
{
    static const osc_dtype dtypes[] = { OSC_F32, OSC_F16, OSC_BF16 };
    enum { ROWS = 33, WIDTH = 71, COUNT = ROWS * WIDTH };
    open_both(_i);
    for (size_t d = 0; d < sizeof dtypes / sizeof *dtypes; d++)
        for (size_t strided = 0; strided < 2; strided++) {
            size_t size = osc_dtype_size(dtypes[d]), bad, want;
            char *bytes = osc_alloc(2 * COUNT * size + 1, 1);
            uint64_t seed = 5;
            values v = make(COUNT, 0, 1);
            osc_tensor t = osc_tensor_make(bytes + 1, dtypes[d], 2, (size_t[]){ ROWS, WIDTH });
            if (strided)
                t.stride[0] = 2 * WIDTH;
            for (size_t i = 0; i < 2 * COUNT; i++)
                store(bytes + 1 + i * size, 3 * random_float(&seed), dtypes[d]);
            must(cpu->load(host, v.here, &t, &want));
            must(cuda->load(gpu, v.there, &t, &bad));
            ck_assert_uint_eq(bad, SIZE_MAX);
            compare("load", &v, 1e-3);
            size_t at = 5 * WIDTH + 7;
            store(bytes + 1 + (5 * t.stride[0] + 7) * size, INFINITY, dtypes[d]);
            store(bytes + 1 + (9 * t.stride[0] + 3) * size, NAN, dtypes[d]);
            must(cuda->load(gpu, v.there, &t, &bad));
            ck_assert_uint_eq(bad, at);
            osc_free(bytes);
            drop(&v);
        }
    osc_tensor ints = osc_tensor_make("", OSC_I8, 1, (size_t[]){ 1 });
    size_t bad;
    ck_assert_int_eq(cuda->load(gpu, NULL, &ints, &bad), OSC_EUNSUP);
    close_both();
}
END_TEST

/* Larger than both staging buffers together. */
START_TEST(test_load_large)
{
    enum { COUNT = (40 << 20) / 4 + 3 };
    open_both(_i);
    values v = make(COUNT, 0, 1);
    float *stored = osc_alloc(COUNT, sizeof *stored);
    uint64_t seed = 9;
    size_t bad;
    random_fill(stored, COUNT, 2, &seed);
    memcpy(v.here, stored, COUNT * sizeof *stored);
    osc_tensor t = osc_tensor_make(stored, OSC_F32, 1, (size_t[]){ COUNT });
    must(cuda->reuse(gpu, 1));
    must(cuda->load(gpu, v.there, &t, &bad));
    must(cuda->used(gpu, 1));
    compare("load", &v, 1e-3);
    stored[COUNT - 1] = NAN;
    must(cuda->load(gpu, v.there, &t, &bad));
    ck_assert_uint_eq(bad, COUNT - 1);
    osc_free(stored);
    drop(&v);
    close_both();
}
END_TEST

/* --- rows --------------------------------------------------------------------------- */

static osc_tensor table_of(const void *data, osc_dtype dtype, size_t rows, size_t width)
{
    return osc_tensor_make(data, dtype, 2, (size_t[]){ rows, width });
}

START_TEST(test_tables)
{
    enum { ROWS = 9, VALUES = 50 };
    static const size_t widths[] = { 1, 7, 64, 257, 4096 };
    int32_t ids[ROWS] = { 49, 0, 3, 3, 17, 21, 48, 1, 2 };
    open_both(_i);
    for (size_t w = 0; w < sizeof widths / sizeof *widths; w++) {
        size_t width = widths[w];
        values table = make(VALUES * width, 2, 3), y = make(ROWS * width, 0, 1);
        osc_tensor here = table_of(table.here, OSC_F32, VALUES, width);
        osc_tensor there = table_of(table.there, cuda->dtype, VALUES, width);
        must(cpu->embed(host, y.here, &here, ids, ROWS));
        must(cuda->embed(gpu, y.there, &there, ids, ROWS));
        compare("embed", &y, 0);
        must(cpu->add_rows(host, y.here, &here, 2, ROWS));
        must(cuda->add_rows(gpu, y.there, &there, 2, ROWS));
        compare("add_rows", &y, 0);
        drop(&table);
        drop(&y);
    }
    close_both();
}
END_TEST

START_TEST(test_layernorm)
{
    static const size_t shapes[][2] = { { 1, 1 }, { 1, 7 }, { 5, 64 }, { 3, 257 }, { 2, 4096 },
                                        { 2, 30000 }, { 300, 256 } };
    open_both(_i);
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        size_t rows = shapes[s][0], width = shapes[s][1], n = rows * width;
        values x = make(n, 3, 5), w = make(width, 1, 6), b = make(width, 1, 7), y = make(n, 0, 1);
        must(cpu->layernorm(host, y.here, x.here, w.here, b.here, 1e-5f, rows, width));
        must(cuda->layernorm(gpu, y.there, x.there, w.there, b.there, 1e-5f, rows, width));
        compare("layernorm", &y, 1);
        must(cpu->layernorm(host, x.here, x.here, NULL, NULL, 1e-5f, rows, width));
        must(cuda->layernorm(gpu, x.there, x.there, NULL, NULL, 1e-5f, rows, width));
        compare("layernorm in place", &x, 1);
        drop(&x); drop(&w); drop(&b); drop(&y);
    }
    close_both();
}
END_TEST

START_TEST(test_rmsnorm)
{
    static const size_t shapes[][2] = { { 1, 1 }, { 1, 7 }, { 5, 64 }, { 3, 257 }, { 2, 4096 },
                                        { 2, 30000 }, { 300, 256 } };
    open_both(_i);
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        size_t rows = shapes[s][0], width = shapes[s][1], n = rows * width;
        values x = make(n, 3, 5), w = make(width, 1, 6), y = make(n, 0, 1);
        must(cpu->rmsnorm(host, y.here, x.here, w.here, 1e-6f, rows, width));
        must(cuda->rmsnorm(gpu, y.there, x.there, w.there, 1e-6f, rows, width));
        compare("rmsnorm", &y, 1);
        must(cuda->rmsnorm(gpu, x.there, x.there, w.there, 1e-6f, rows, width));
        memcpy(x.here, y.here, n * sizeof *x.here);
        compare("rmsnorm in place", &x, 1);
        drop(&x); drop(&w); drop(&y);
    }
    close_both();
}
END_TEST

static void same_bits(const char *what, const values *a, const values *b)
{
    size_t bytes = a->count * osc_dtype_size(cuda->dtype);
    char *here = osc_alloc(bytes, 1), *there = osc_alloc(bytes, 1);
    must(cuda->get(gpu, here, a->there, bytes));
    must(cuda->get(gpu, there, b->there, bytes));
    ck_assert_msg(memcmp(here, there, bytes) == 0, "%s, %zu values", what, a->count);
    osc_free(here);
    osc_free(there);
}

/* In one pass the bits of addition and norm apart. */
START_TEST(test_add_norm)
{
    static const size_t shapes[][2] = { { 1, 1 }, { 5, 7 }, { 3, 257 }, { 40, 768 }, { 2, 4096 },
                                        { 2, 30000 } };
    open_both(_i);
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        size_t rows = shapes[s][0], width = shapes[s][1], n = rows * width;
        values w = make(width, 1, 6), b = make(width, 1, 7), more = make(n, 2, 8);
        for (int rms = 0; rms < 2; rms++) {
            values x = make(n, 3, 5), y = make(n, 0, 1), z = make(n, 3, 5), apart = make(n, 0, 1);
            must(cuda->add(gpu, z.there, more.there, n));
            if (rms) {
                must(cuda->rmsnorm(gpu, apart.there, z.there, w.there, 1e-6f, rows, width));
                must(cuda->add_rmsnorm(gpu, y.there, x.there, more.there, w.there, 1e-6f, rows,
                                       width));
            } else {
                must(cuda->layernorm(gpu, apart.there, z.there, w.there, b.there, 1e-5f, rows,
                                     width));
                must(cuda->add_layernorm(gpu, y.there, x.there, more.there, w.there, b.there,
                                         1e-5f, rows, width));
            }
            same_bits("sum", &x, &z);
            same_bits("norm of the sum", &y, &apart);
            drop(&x); drop(&y); drop(&z); drop(&apart);
        }
        drop(&w); drop(&b); drop(&more);
    }
    close_both();
}
END_TEST

START_TEST(test_rotate)
{
    static const struct { size_t rows, heads, size, dim, first; bool neighbours; } cases[] = {
        { 1, 1, 2, 2, 0, true }, { 5, 3, 20, 12, 0, true }, { 5, 3, 20, 12, 7, false },
        { 40, 5, 64, 64, 2000, false }, { 40, 5, 64, 32, 250, true },
        { 1, 5, 128, 128, 299, false },
    };
    open_both(_i);
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        osc_rotary rotary = { .dim = cases[c].dim, .neighbours = cases[c].neighbours,
                              .base = 10000.0f, .first = cases[c].first };
        values x = make(cases[c].rows * cases[c].heads * cases[c].size, 2, 50);
        must(cpu->rotate(host, x.here, &rotary, cases[c].rows, cases[c].heads, cases[c].size));
        must(cuda->rotate(gpu, x.there, &rotary, cases[c].rows, cases[c].heads, cases[c].size));
        compare("rotate", &x, 1);
        drop(&x);
    }
    close_both();
}
END_TEST

/* --- elementwise -------------------------------------------------------------------- */

START_TEST(test_elementwise)
{
    static const size_t counts[] = { 1, 7, 8, 1000, 70001 };
    open_both(_i);
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++)
        for (size_t shift = 0; shift < 2; shift++) {
            size_t n = counts[c];
            values x = make_at(n, 4, 8, shift), y = make(n, 3, 9);
            must(cpu->add(host, y.here, x.here, n));
            must(cuda->add(gpu, y.there, x.there, n));
            compare("add", &y, 0);
            must(cpu->multiply(host, y.here, x.here, n));
            must(cuda->multiply(gpu, y.there, x.there, n));
            compare("multiply", &y, 1e-2);
            for (int act = OSC_ACT_NONE; act <= OSC_ACT_SILU; act++) {
                must(cpu->copy(host, y.here, x.here, n));
                must(cuda->copy(gpu, y.there, x.there, n));
                must(cpu->activate(host, y.here, (osc_act)act, n));
                must(cuda->activate(gpu, y.there, (osc_act)act, n));
                compare("activate", &y, 1e-2);
            }
            drop_at(&x, shift);
            drop(&y);
        }
    close_both();
}
END_TEST

START_TEST(test_clear)
{
    enum { ROWS = 31, WIDTH = 203, MOST = 150 };
    uint32_t columns[MOST];
    open_both(_i);
    for (uint32_t i = 0; i < MOST; i++)
        columns[i] = i + i / 3;
    values x = make(ROWS * WIDTH, 2, 10);
    must(cpu->clear(host, x.here, ROWS, WIDTH, columns, MOST));
    must(cuda->clear(gpu, x.there, ROWS, WIDTH, columns, MOST));
    compare("clear", &x, 0);
    drop(&x);
    close_both();
}
END_TEST

/* --- products ----------------------------------------------------------------------- */

static void check_product(size_t rows, size_t n, size_t k, bool biased, osc_act act, size_t shift)
{
    values x = make_at(rows * k, 1, 11, shift), w = make(n * k, 1, 12), b = make(n, 2, 13);
    values y = make(rows * n, 0, 1);
    char what[128];
    snprintf(what, sizeof what, "product [%zu, %zu] [%zu]%s act %d shift %zu", rows, k, n,
             biased ? " + b" : "", (int)act, shift);
    must(cpu->matmul(host, y.here, x.here, w.here, biased ? b.here : NULL, act, rows, n, k));
    must(cuda->matmul(gpu, y.there, x.there, w.there, biased ? b.there : NULL, act, rows, n, k));
    compare(what, &y, 1);
    drop_at(&x, shift);
    drop(&w); drop(&b); drop(&y);
}

START_TEST(test_matmul)
{
    static const size_t rows[] = { 1, 2, 9, 130 }, ns[] = { 1, 3, 64, 257 },
                        ks[] = { 1, 5, 64, 256, 331 };
    open_both(_i);
    for (size_t r = 0; r < 4; r++)
        for (size_t n = 0; n < 4; n++)
            for (size_t k = 0; k < 5; k++)
                check_product(rows[r], ns[n], ks[k], (r + n + k) % 2, (osc_act)((r + n + k) % 5),
                              (n + k) % 3);
    for (int act = OSC_ACT_NONE; act <= OSC_ACT_SILU; act++)
        check_product(64, 96, 128, act % 2, (osc_act)act, 0);
    close_both();
}
END_TEST

/* Three products of one x in one call, the last added to something: the bits of one after the
 * other. */
static void check_several(size_t rows, size_t n, size_t k, osc_act act)
{
    const size_t ns[OSC_PRODUCTS] = { n, n / 2 + 1, n + 5 };
    values x = make(rows * k, 1, 11), plus = make(rows * ns[2], 3, 14), w[OSC_PRODUCTS];
    values b[OSC_PRODUCTS], y[OSC_PRODUCTS], want[OSC_PRODUCTS];
    osc_product products[OSC_PRODUCTS];
    size_t size = osc_dtype_size(cuda->dtype);
    bool done = false;
    for (size_t i = 0; i < OSC_PRODUCTS; i++) {
        w[i] = make(ns[i] * k, 1, 12 + i);
        b[i] = make(ns[i], 2, 13 + i);
        y[i] = make(rows * ns[i], 9, 1);
        want[i] = make(rows * ns[i], 5, 2);
        products[i] = (osc_product){ .y = y[i].there, .w = w[i].there, .n = ns[i],
                                     .bias = i == 1 ? NULL : b[i].there,
                                     .act = i == 0 ? act : OSC_ACT_NONE };
        must(cuda->matmul(gpu, want[i].there, x.there, w[i].there, products[i].bias,
                          products[i].act, rows, ns[i], k));
    }
    products[2].plus = plus.there;
    must(cuda->matmul_several(gpu, &done, products, OSC_PRODUCTS, x.there, rows, k));
    ck_assert_msg(done, "products of [%zu, %zu] are not made together", rows, k);
    values sum = make(rows * ns[2], 3, 14);      /* what plus was */
    must(cuda->add(gpu, sum.there, want[2].there, rows * ns[2]));
    for (size_t i = 0; i < OSC_PRODUCTS; i++) {
        size_t bytes = rows * ns[i] * size;
        char *got = osc_alloc(bytes, 1), *one = osc_alloc(bytes, 1);
        must(cuda->get(gpu, got, i == 2 ? plus.there : y[i].there, bytes));
        must(cuda->get(gpu, one, i == 2 ? sum.there : want[i].there, bytes));
        ck_assert_msg(memcmp(got, one, bytes) == 0, "product %zu of [%zu, %zu] [%zu], act %d", i,
                      rows, k, ns[i], (int)act);
        osc_free(got);
        osc_free(one);
        drop(&w[i]); drop(&b[i]); drop(&y[i]); drop(&want[i]);
    }
    drop(&x); drop(&plus); drop(&sum);
}

/* Products that are left to the caller: y and what it would be added to stay as they were. */
static void check_not_together(size_t rows, size_t n, size_t k)
{
    values x = make(rows * k, 1, 11), w = make(n * k, 1, 12), y = make(rows * n, 9, 1);
    values plus = make(rows * n, 3, 14), same[2] = { make(rows * n, 9, 1), make(rows * n, 3, 14) };
    const osc_product one = { .y = y.there, .plus = plus.there, .w = w.there, .n = n };
    size_t bytes = rows * n * osc_dtype_size(cuda->dtype);
    bool done = true;
    must(cuda->matmul_several(gpu, &done, &one, 1, x.there, rows, k));
    ck_assert_msg(!done, "products of [%zu, %zu] are made together", rows, k);
    for (size_t i = 0; i < 2; i++) {
        char *got = osc_alloc(bytes, 1), *was = osc_alloc(bytes, 1);
        must(cuda->get(gpu, got, i == 0 ? y.there : plus.there, bytes));
        must(cuda->get(gpu, was, same[i].there, bytes));
        ck_assert(memcmp(got, was, bytes) == 0);
        osc_free(got);
        osc_free(was);
        drop(&same[i]);
    }
    drop(&x); drop(&w); drop(&y); drop(&plus);
}

START_TEST(test_matmul_several)
{
    open_both(_i);
    check_several(1, 1, 8, OSC_ACT_NONE);
    check_several(1, 67, 136, OSC_ACT_GELU);
    check_several(1, 3000, 2056, OSC_ACT_SILU);      /* more units than warps, two batches */
    check_not_together(1, 130, 331);                 /* k of no whole vectors */
    check_not_together(3, 65, 64);
    close_both();
}
END_TEST

static void check_head(bool biased)
{
    enum { ROWS = 41, WIDTH = 72, SPLIT = 700 };
    static osc_row_lse here[ROWS], there[ROWS];
    int32_t targets[ROWS];
    void *lse, *to, *logits;
    values x = make(ROWS * WIDTH, 1, 14), w = make(VOCABULARY * WIDTH, 1, 15);
    values bias = make(VOCABULARY, 1, 16);
    float *want = osc_alloc(ROWS * VOCABULARY, sizeof *want), *got;
    for (size_t r = 0; r < ROWS; r++) {
        here[r] = (osc_row_lse){ .max = -INFINITY };
        targets[r] = r % 5 == 4 ? -1 : (int32_t)(r * 26);
    }
    must(cuda->alloc(gpu, &lse, sizeof here));
    must(cuda->alloc(gpu, &to, sizeof targets));
    must(cuda->alloc(gpu, &logits, ROWS * VOCABULARY * sizeof(float)));
    must(cuda->put(gpu, lse, here, sizeof here));
    must(cuda->put(gpu, to, targets, sizeof targets));
    for (size_t i = 0; i < VOCABULARY; i += SPLIT) {
        size_t n = VOCABULARY - i < SPLIT ? VOCABULARY - i : SPLIT;
        size_t at = i * WIDTH * osc_dtype_size(cuda->dtype);
        size_t bias_at = i * osc_dtype_size(cuda->dtype);
        must(cpu->head_biased(host, here, x.here, w.here + i * WIDTH, biased ? bias.here + i : NULL,
                              targets, ROWS, i, n, WIDTH, want, VOCABULARY));
        if (biased)
            must(cuda->head_biased(gpu, lse, x.there, (char *)w.there + at,
                                   (char *)bias.there + bias_at, to, ROWS, i, n, WIDTH, logits,
                                   VOCABULARY));
        else
            must(cuda->head(gpu, lse, x.there, (char *)w.there + at, to, ROWS, i, n, WIDTH, logits,
                            VOCABULARY));
    }
    must(cuda->get(gpu, there, lse, sizeof there));
    for (size_t r = 0; r < ROWS; r++) {
        double a = (double)here[r].max + log(here[r].sum);
        double b = (double)there[r].max + log(there[r].sum);
        ck_assert_double_eq_tol(a, b, 1e-4);
        if (targets[r] >= 0)
            ck_assert_float_eq_tol(here[r].target, there[r].target, 1e-4);
    }
    must(cuda->host_view(gpu, &got, logits, OSC_F32, ROWS * VOCABULARY));
    for (size_t i = 0; i < ROWS * VOCABULARY; i++)
        ck_assert_float_eq_tol(got[i], want[i], 1e-4);
    cuda->release(gpu, lse);
    cuda->release(gpu, to);
    cuda->release(gpu, logits);
    osc_free(want);
    drop(&x); drop(&w); drop(&bias);
}

START_TEST(test_head)
{
    open_both(_i);
    check_head(false);
    check_head(true);
    close_both();
}
END_TEST

/* --- attention ---------------------------------------------------------------------- */

static void check_masses(const double *want, const void *there, size_t heads, size_t tokens)
{
    double got[HEADS];
    must(cuda->get(gpu, got, there, heads * sizeof *got));
    for (size_t h = 0; h < heads; h++)
        ck_assert_double_eq_tol(got[h], want[h], 1e-4 * (double)tokens);
}

/* In one go and in steps; scores and masses are made here. */
static void check_attention_of(osc_attention here)
{
    size_t tokens = here.tokens, heads = here.heads, size = here.head_size;
    size_t keys = here.past + tokens, n = tokens * heads * size;
    size_t narrow = keys * (here.kv_heads == 0 ? heads : here.kv_heads) * size;
    double masses[HEADS] = { 0 };
    void *top1, *scores;
    values q = make(n, 1, 16), k = make(narrow, 1, 17), v = make(narrow, 1, 18);
    values o = make(n, 0, 1);
    must(cuda->alloc(gpu, &top1, sizeof masses));
    must(cuda->alloc(gpu, &scores, heads * tokens * keys * sizeof(float)));
    must(cuda->put(gpu, top1, masses, sizeof masses));
    here.top1 = masses;
    osc_attention there = here;
    there.top1 = top1;
    there.scores = scores;
    char what[160];
    snprintf(what, sizeof what, "attention of %zu tokens behind %zu, %zu heads (%zu) of %zu, "
             "scale %g%s", tokens, here.past, heads, here.kv_heads, size, (double)here.scale,
             here.alibi ? ", ALiBi" : "");
    must(cpu->attention(host, o.here, q.here, k.here, v.here, &here));
    must(cuda->attention(gpu, o.there, q.there, k.there, v.there, &there));
    compare(what, &o, 1);
    check_masses(masses, top1, heads, tokens);
    for (size_t h = 0; h < heads; h++)
        masses[h] *= 2;
    must(cuda->attend_scores(gpu, q.there, k.there, &there));
    must(cuda->attend_softmax(gpu, &there));
    must(cuda->attend_values(gpu, o.there, v.there, &there));
    compare(what, &o, 1);
    check_masses(masses, top1, heads, 2 * tokens);
    cuda->release(gpu, top1);
    cuda->release(gpu, scores);
    drop(&q); drop(&k); drop(&v); drop(&o);
}

/* `scale` as large as the trained models' scores need. */
static void check_attention(size_t tokens, size_t heads, size_t size, float scale)
{
    check_attention_of((osc_attention){ .tokens = tokens, .heads = heads, .head_size = size,
                                        .scale = scale });
}

/* Heads that share keys and values, ALiBi, keys of earlier calls; each alone and together. */
START_TEST(test_attention_kinds)
{
    static const size_t sizes[] = { 1, 16, 20, 64, 80, 96, 113, 128, 160 };
    static const struct { size_t past, tokens; } lengths[] = {
        { 0, 1 }, { 0, 3 }, { 0, 70 }, { 0, 200 }, { 1, 1 }, { 37, 1 }, { 63, 2 }, { 70, 3 },
        { 5, 130 }, { 130, 70 }, { 64, 64 }, { 63, 65 }, { 299, 1 }, { 296, 4 },
    };
    open_both(_i);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++)
            for (unsigned kind = 0; kind < 4; kind++)
                check_attention_of((osc_attention){
                    .tokens = lengths[l].tokens, .past = lengths[l].past,
                    .heads = kind == 1 ? 4 : HEADS, .kv_heads = kind == 1 ? 2 : kind == 3 ? 1 : 0,
                    .head_size = sizes[s], .alibi = kind >= 2, .scale = 0.3f });
    close_both();
}
END_TEST

static float *values_there(const values *v)
{
    float *view, *copy = osc_alloc(v->count, sizeof *copy);
    must(cuda->host_view(gpu, &view, v->there, cuda->dtype, v->count));
    memcpy(copy, view, v->count * sizeof *copy);
    return copy;
}

/* Several sequences in one call have the bits of one call each, in their order. */
static void check_sequences_of(osc_attention all, size_t sequences)
{
    size_t n = all.tokens * all.heads * all.head_size, size = osc_dtype_size(cuda->dtype);
    size_t narrow = all.kv_heads == 0 ? n : n / all.heads * all.kv_heads;
    double start[HEADS] = { 0.1 }, masses[2][HEADS];
    void *top1;
    values q = make(sequences * n, 1, 16), k = make(sequences * narrow, 1, 17);
    values v = make(sequences * narrow, 1, 18), o = make(sequences * n, 0, 1);
    float *got[2];
    must(cuda->alloc(gpu, &top1, sizeof start));
    all.top1 = top1;
    for (int together = 0; together < 2; together++) {
        must(cuda->host_put(gpu, o.there, cuda->dtype, q.here, o.count));
        must(cuda->put(gpu, top1, start, sizeof start));
        all.sequences = together ? sequences : 0;
        for (size_t s = 0; s < (together ? 1 : sequences); s++)
            must(cuda->attention(gpu, (char *)o.there + s * n * size,
                                 (char *)q.there + s * n * size,
                                 (char *)k.there + s * narrow * size,
                                 (char *)v.there + s * narrow * size, &all));
        got[together] = values_there(&o);
        must(cuda->get(gpu, masses[together], top1, sizeof start));
    }
    ck_assert_msg(memcmp(got[0], got[1], o.count * sizeof *got[0]) == 0
                  && memcmp(masses[0], masses[1], all.heads * sizeof *masses[0]) == 0,
                  "%zu sequences of %zu tokens, %zu heads (%zu) of %zu together have other bits",
                  sequences, all.tokens, all.heads, all.kv_heads, all.head_size);
    osc_free(got[0]);
    osc_free(got[1]);
    cuda->release(gpu, top1);
    drop(&q); drop(&k); drop(&v); drop(&o);
}

static void check_sequences(size_t tokens, size_t size, size_t sequences)
{
    for (unsigned kind = 0; kind < 4; kind++)
        check_sequences_of((osc_attention){ .tokens = tokens, .heads = kind == 1 ? 4 : HEADS,
                                            .kv_heads = kind == 1 ? 2 : kind == 3 ? 1 : 0,
                                            .head_size = size, .alibi = kind >= 2,
                                            .scale = 0.3f }, sequences);
}

START_TEST(test_attention_sequences)
{
    static const size_t sizes[] = { 16, 20, 64, 80, 96, 113, 128, 160 };
    open_both(_i);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        check_sequences(3, sizes[s], 4);
        check_sequences(5, sizes[s], 60);
        check_sequences(70, sizes[s], 4);
        check_sequences(149, sizes[s], 2);
    }
    close_both();
}
END_TEST

/* Every kernel once: with wgmma, mma, of few queries, and in steps. */
START_TEST(test_attention_small)
{
    static const size_t sizes[] = { 64, 80, 128 };
    static const struct { size_t past, tokens; } lengths[] = { { 0, 70 }, { 3, 65 }, { 66, 2 } };
    open_both(_i);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++)
            check_attention_of((osc_attention){
                .tokens = lengths[l].tokens, .past = lengths[l].past, .heads = 2, .kv_heads = 1,
                .head_size = sizes[s], .alibi = s == 1, .scale = 0.3f });
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        check_sequences_of((osc_attention){ .tokens = 66, .heads = 2, .head_size = sizes[s],
                                            .scale = 0.3f }, 3);
    close_both();
}
END_TEST

START_TEST(test_attention)
{
    static const size_t tokens[] = { 1, 2, 64, 65, 129, TOKENS };
    static const size_t sizes[] = { 1, 16, 20, 32, 48, 64, 80, 96, 113, 128, 160 };
    open_both(_i);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (size_t t = 0; t < sizeof tokens / sizeof *tokens; t++)
            check_attention(tokens[t], s % 2 ? HEADS : 1, sizes[s], 0.3f);
    check_attention(TOKENS, 2, 64, 1e5f);
    check_attention(TOKENS, 2, 128, 1e5f);
    check_attention(TOKENS, 2, 80, 1e5f);
    close_both();
}
END_TEST

/* --- observing ---------------------------------------------------------------------- */

enum { OBSERVED = 131, STATS = 5 * OBSERVED + OSC_HISTOGRAM_BINS };

typedef struct {
    osc_hit  hits[20000];
    unsigned point[20000];
    size_t   count;
} collected;

static osc_status collect(const osc_hits_route *route, const osc_hit *hits, size_t count)
{
    collected *all = route->user;
    ck_assert_uint_le(all->count + count, 20000);
    for (size_t i = 0; i < count; i++)
        all->point[all->count + i] = route->point;
    memcpy(all->hits + all->count, hits, count * sizeof *hits);
    all->count += count;
    return OSC_OK;
}

static osc_status refuse(const osc_hits_route *route, const osc_hit *hits, size_t count)
{
    (void)route; (void)hits; (void)count;
    return osc_fail(OSC_EIO, "no room");
}

static osc_column_stats stats_in(void *block)
{
    double *sum = block;
    uint64_t *counts = (uint64_t *)(sum + 3 * OBSERVED);
    float *low = (float *)(counts + OBSERVED + OSC_HISTOGRAM_BINS);
    return (osc_column_stats){ OBSERVED, low, low + OBSERVED, sum, sum + OBSERVED,
                               sum + 2 * OBSERVED, counts, counts + OBSERVED };
}

/* Values with columns of outliers; some at the threshold, some not finite. */
static values make_observed(size_t rows, uint64_t seed)
{
    values x = make(rows * OBSERVED, 1, seed);
    for (size_t r = 0; r < rows; r++) {
        x.here[r * OBSERVED + 3] = 7.5f;
        x.here[r * OBSERVED + 130] = r % 2 ? -6.0f : -5.96875f;
        for (size_t c = 60; c < 100; c++)
            x.here[r * OBSERVED + c] *= 40.0f;
    }
    x.here[9] = 0.0f;
    float *view;
    must(cuda->host_put(gpu, x.there, cuda->dtype, x.here, x.count));
    must(cuda->host_view(gpu, &view, x.there, cuda->dtype, x.count));
    memcpy(x.here, view, x.count * sizeof *view);
    return x;
}

static void compare_stats(const osc_column_stats *a, const osc_column_stats *b, size_t rows)
{
    for (size_t c = 0; c < OBSERVED; c++) {
        ck_assert_float_eq(a->min[c], b->min[c]);
        ck_assert_float_eq(a->max[c], b->max[c]);
        ck_assert_uint_eq(a->count_ge[c], b->count_ge[c]);
        ck_assert_double_eq_tol(a->sum[c], b->sum[c], 1e-9 * (double)rows);
        ck_assert_double_eq_tol(a->sumsq[c] / b->sumsq[c], 1, 1e-12);
        ck_assert_double_eq_tol(a->sum4[c] / b->sum4[c], 1, 1e-12);
    }
    ck_assert_int_eq(memcmp(a->histogram, b->histogram, OSC_HISTOGRAM_BINS * 8), 0);
}

START_TEST(test_observe)
{
    static const size_t rows[] = { 1, 31, 33, TOKENS, 2 };
    static double here[STATS], back[STATS], again[STATS];
    static collected want, got;
    void *there;
    size_t total = 0;
    open_both(_i);
    must(cuda->alloc(gpu, &there, sizeof here));
    for (int turn = 0; turn < 2; turn++) {
        osc_column_stats a = stats_in(here), b = stats_in(there), c = stats_in(back);
        memset(here, 0, sizeof here);
        for (size_t i = 0; i < OBSERVED; i++) {
            a.min[i] = INFINITY;
            a.max[i] = -INFINITY;
        }
        want.count = got.count = total = 0;
        must(cuda->put(gpu, there, here, sizeof here));
        for (unsigned r = 0; r < sizeof rows / sizeof *rows; r++) {
            values x = make_observed(rows[r], 20 + r);
            osc_hits_route to = { collect, &want, r, 0, 0 }, from = { collect, &got, r, 0, 0 };
            must(cpu->observe(host, &a, x.here, one(rows[r]), OBSERVED, 6.0f, &to));
            must(cuda->observe(gpu, &b, x.there, one(rows[r]), OBSERVED, 6.0f, &from));
            must(cpu->observe(host, &a, x.here, one(rows[r]), OBSERVED, 6.0f, NULL));
            must(cuda->observe(gpu, &b, x.there, one(rows[r]), OBSERVED, 6.0f, NULL));
            total += 2 * rows[r];
            drop(&x);
        }
        must(cuda->settle(gpu, true));
        must(cuda->get(gpu, back, there, sizeof back));
        compare_stats(&a, &c, total);
        ck_assert_uint_gt(want.count, 5000);
        ck_assert_uint_eq(want.count, got.count);
        ck_assert_int_eq(memcmp(want.hits, got.hits, want.count * sizeof *want.hits), 0);
        ck_assert_int_eq(memcmp(want.point, got.point, want.count * sizeof *want.point), 0);
        if (turn == 1)
            ck_assert_int_eq(memcmp(back, again, sizeof back), 0);
        memcpy(again, back, sizeof back);
    }
    cuda->release(gpu, there);
    close_both();
}
END_TEST

/* More calls than the buffer of hits takes; an error of the sink; hits that nobody wants. */
START_TEST(test_hits_in_turn)
{
    static double here[STATS];
    static collected got;
    void *there;
    open_both(_i);
    must(cuda->alloc(gpu, &there, sizeof here));
    must(cuda->put(gpu, there, here, sizeof here));
    osc_column_stats stats = stats_in(there);
    values x = make_observed(40, 30);
    size_t each = 0;
    for (size_t i = 0; i < x.count; i++)
        each += fabsf(x.here[i]) >= 0.5f;
    got.count = 0;
    for (unsigned call = 0; call < 5; call++) {     /* half of all values are hits */
        osc_hits_route route = { collect, &got, call, 0, 0 };
        must(cuda->observe(gpu, &stats, x.there, one(40), OBSERVED, 0.5f, &route));
    }
    must(cuda->settle(gpu, true));
    ck_assert_uint_eq(got.count, 5 * each);
    for (size_t i = 0; i < got.count; i++)
        ck_assert_uint_eq(got.point[i], i / each);
    osc_hits_route refused = { .sink = refuse };
    must(cuda->observe(gpu, &stats, x.there, one(40), OBSERVED, 0.5f, &refused));
    ck_assert_int_eq(cuda->settle(gpu, true), OSC_EIO);
    must(cuda->observe(gpu, &stats, x.there, one(40), OBSERVED, 0.5f, &refused));
    must(cuda->settle(gpu, false));
    must(cuda->settle(gpu, true));
    cuda->release(gpu, there);
    drop(&x);
    close_both();
}
END_TEST

/* --- small shapes of all branches, few enough for a sanitizer ----------------------- */

static bool same_value(double a, double b)
{
    return a == b || (isnan(a) && isnan(b));
}

static bool near_value(double a, double b, double allowed)
{
    return same_value(a, b) || fabs(a - b) <= allowed;
}

static void compare_columns(const osc_column_stats *a, const osc_column_stats *b, size_t rows)
{
    for (size_t c = 0; c < a->width; c++) {
        ck_assert_float_eq(a->min[c], b->min[c]);
        ck_assert_float_eq(a->max[c], b->max[c]);
        ck_assert_uint_eq(a->count_ge[c], b->count_ge[c]);
        ck_assert(near_value(a->sum[c], b->sum[c],
                             1e-12 * sqrt((double)rows * fmin(a->sumsq[c], 1e300))));
        ck_assert(near_value(a->sumsq[c], b->sumsq[c], 1e-12 * a->sumsq[c]));
        ck_assert(near_value(a->sum4[c], b->sum4[c], 1e-12 * a->sum4[c]));
    }
    for (size_t i = 0; i < OSC_HISTOGRAM_BINS; i++)
        ck_assert_uint_eq(a->histogram[i], b->histogram[i]);
}

typedef enum { FEW_HITS, ALL_HITS, NO_HITS, ODD_VALUES, CASES } observed_case;

/* Values that are zero, not finite, at the ends of the type, and at the threshold. */
static void make_odd(float *x, size_t count, bool bf16)
{
    const float odd[] = { 0.0f, -0.0f, INFINITY, -INFINITY, NAN, 6.0f, -6.0f, 5.9375f,
                          bf16 ? 0x1p-133f : 0x1p-24f, bf16 ? -0x1.cp-130f : -0x1.8p-20f,
                          bf16 ? 0x1.fep127f : 65504.0f, bf16 ? 0x1p-41f : 0x1p-14f };
    for (size_t i = 0; i < count; i++)
        if (i % 3 == 0)
            x[i] = odd[i / 3 * 7 % (sizeof odd / sizeof *odd)];
}

/* Twice with hits and once without, the same bits in a second round. */
static void check_observed(size_t rows, size_t width, observed_case what, size_t shift)
{
    static collected want, got;
    size_t bytes = osc_column_stats_bytes(1, width);
    float alpha = what == ALL_HITS ? 0x1p-20f : what == NO_HITS ? 1e9f : 6.0f, *view;
    void *here = osc_alloc(bytes, 1), *back = osc_alloc(bytes, 1), *again = osc_alloc(bytes, 1);
    void *there;
    values x = make_at(rows * width, 1, 20 + rows + width, shift);
    osc_column_stats a, b, c;
    osc_column_stats_lay_out(&a, here, 1, width);
    osc_column_stats_lay_out(&c, back, 1, width);
    must(cuda->alloc(gpu, &there, bytes));
    osc_column_stats_lay_out(&b, there, 1, width);
    for (size_t r = 0; r < rows; r++)
        x.here[r * width + width / 3] = r % 2 ? 6.0f : -7.5f;
    if (what == ODD_VALUES)
        make_odd(x.here, x.count, budget > 1e-2);
    must(cuda->host_put(gpu, x.there, cuda->dtype, x.here, x.count));
    must(cuda->host_view(gpu, &view, x.there, cuda->dtype, x.count));
    memcpy(x.here, view, x.count * sizeof *view);
    for (int turn = 0; turn < 2; turn++) {
        memset(here, 0, bytes);
        for (size_t i = 0; i < width; i++) {
            a.min[i] = INFINITY;
            a.max[i] = -INFINITY;
        }
        must(cuda->put(gpu, there, here, bytes));
        want.count = got.count = 0;
        for (unsigned call = 0; call < 3; call++) {
            osc_hits_route to = { collect, &want, call, 0, 0 };
            osc_hits_route from = { collect, &got, call, 0, 0 };
            must(cpu->observe(host, &a, x.here, one(rows), width, alpha, call < 2 ? &to : NULL));
            must(cuda->observe(gpu, &b, x.there, one(rows), width, alpha, call < 2 ? &from : NULL));
        }
        must(cuda->settle(gpu, true));
        must(cuda->get(gpu, back, there, bytes));
        compare_columns(&a, &c, 3 * rows);
        ck_assert_uint_eq(want.count, got.count);
        for (size_t i = 0; i < want.count; i++) {
            ck_assert_uint_eq(want.point[i], got.point[i]);
            ck_assert_uint_eq(want.hits[i].position, got.hits[i].position);
            ck_assert_uint_eq(want.hits[i].feature, got.hits[i].feature);
            ck_assert_float_eq(want.hits[i].value, got.hits[i].value);
        }
        if (turn == 1)
            ck_assert_int_eq(memcmp(back, again, bytes), 0);
        memcpy(again, back, bytes);
    }
    cuda->release(gpu, there);
    drop_at(&x, shift);
    osc_free(here); osc_free(back); osc_free(again);
}

START_TEST(test_observe_small)
{
    static const size_t shapes[][2] = { { 1, 1 }, { 1, 4 }, { 9, 3 }, { 33, 128 }, { 40, 132 },
                                        { 35, 257 }, { 1, 8230 } };
    open_both(_i);
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        for (int what = 0; what < CASES; what++)
            check_observed(shapes[s][0], shapes[s][1], (observed_case)what, s % 2);
    check_observed(40, 132, FEW_HITS, 0);
    close_both();
}
END_TEST

/* Room for three calls that hit everywhere: the fourth waits and reports. */
START_TEST(test_hits_overflow)
{
    enum { ROWS = 9, WIDTH = 12, CALLS = 5 };
    static collected got;
    void *there;
    open_both(_i);
    must(cuda->alloc(gpu, &there, osc_column_stats_bytes(1, WIDTH)));
    must(cuda->put(gpu, there, (double[5 * WIDTH + OSC_HISTOGRAM_BINS]){ 0 },
                   osc_column_stats_bytes(1, WIDTH)));
    osc_column_stats stats;
    osc_column_stats_lay_out(&stats, there, 1, WIDTH);
    values x = make(ROWS * WIDTH, 1, 31);
    got.count = 0;
    for (unsigned call = 0; call < CALLS; call++) {
        osc_hits_route route = { collect, &got, call, 0, 0 };
        must(cuda->observe(gpu, &stats, x.there, one(ROWS), WIDTH, 0x1p-20f, &route));
    }
    must(cuda->settle(gpu, true));
    ck_assert_uint_eq(got.count, CALLS * x.count);
    for (size_t i = 0; i < got.count; i++) {
        ck_assert_uint_eq(got.point[i], i / x.count);
        ck_assert_float_eq(got.hits[i].value, x.here[i % x.count]);
    }
    cuda->release(gpu, there);
    drop(&x);
    close_both();
}
END_TEST

/* --- whole activations -------------------------------------------------------------- */

enum { REDUCED_WIDEST = 20000 };

typedef struct {
    osc_residual residual[8];
    osc_summary  summary[8];
    size_t       residuals, summaries;
} reduced;

static osc_status keep_residual(const osc_residual_route *route, const osc_residual *residual)
{
    reduced *all = route->user;
    ck_assert_uint_eq(route->state, all->residuals);
    all->residual[all->residuals++] = *residual;
    return OSC_OK;
}

static osc_status keep_summary(const osc_summary_route *route, const osc_summary *summary)
{
    reduced *all = route->user;
    ck_assert_uint_eq(route->sequence, all->summaries);
    all->summary[all->summaries++] = *summary;
    return OSC_OK;
}

typedef enum { PLAIN, MASSIVE, EQUAL, ZEROS, SPREAD, WITH_NAN, KINDS } kind;

static void fill_reduced(float *x, size_t rows, size_t width, kind what)
{
    uint64_t seed = 77 + rows * 1000 + width;
    for (size_t i = 0; i < rows * width; i++) {
        float v = random_float(&seed);
        x[i] = what == EQUAL ? (v < 0 ? -2.5f : 2.5f) : what == ZEROS ? 0.0f
             : what == SPREAD ? ldexpf(v, (int)(i * 7919 % 20) - 13)
             : what == MASSIVE ? 0.05f * v : v;
    }
    if (what == MASSIVE || what == WITH_NAN)
        for (size_t r = 0; r < rows; r += 3)
            x[r * width + r % width] = r % 2 ? 1234.0f : -1232.0f - 2 * (float)(r / 9);
    if (what == WITH_NAN)
        x[rows / 2 * width + width / 2] = NAN;
}

static void compare_residual(const osc_residual *a, const osc_residual *b)
{
    ck_assert(same_value(a->median, b->median));
    ck_assert(same_value(a->ratio, b->ratio) || fabs(a->ratio / b->ratio - 1) < 1e-12);
    ck_assert_uint_eq(a->tops, b->tops);
    for (size_t t = 0; t < a->tops; t++) {
        ck_assert_uint_eq(a->top[t].position, b->top[t].position);
        ck_assert_uint_eq(a->top[t].feature, b->top[t].feature);
        ck_assert(same_value(a->top[t].value, b->top[t].value));
    }
}

static void compare_summary(const osc_summary *a, const osc_summary *b, const float *x)
{
    double scale[4] = { 0 };
    for (size_t i = 0; i < a->count; i++)
        for (int p = 0; p < 4; p++)
            scale[p] += pow(fabs((double)x[i]), p + 1);
    ck_assert_uint_eq(a->count, b->count);
    ck_assert(same_value(a->peak, b->peak));
    for (int p = 0; p < 4; p++)
        ck_assert(same_value(a->power[p], b->power[p])
                  || fabs(a->power[p] - b->power[p]) <= 1e-6 * scale[p]);
}

/* One shape: reports in order, the second of each like the first, columns added twice. */
static void check_reductions(size_t rows, size_t width, kind what, size_t shift)
{
    static double sumsq[REDUCED_WIDEST], sums[REDUCED_WIDEST];
    static uint64_t massive[REDUCED_WIDEST], counts[REDUCED_WIDEST];
    static reduced want, got;
    values x = make_at(rows * width, 1, 60, shift);
    void *there[2];
    float *view;
    fill_reduced(x.here, rows, width, what);
    must(cuda->host_put(gpu, x.there, cuda->dtype, x.here, x.count));
    must(cuda->host_view(gpu, &view, x.there, cuda->dtype, x.count));
    for (size_t i = 0; i < x.count; i++)
        x.here[i] = isnan(view[i]) ? NAN : view[i];     /* of all NaN, the one of arithmetic */
    memset(sumsq, 0, sizeof sumsq);
    memset(massive, 0, sizeof massive);
    must(cuda->alloc(gpu, &there[0], width * sizeof *sumsq));
    must(cuda->alloc(gpu, &there[1], width * sizeof *massive));
    must(cuda->put(gpu, there[0], sumsq, width * sizeof *sumsq));
    must(cuda->put(gpu, there[1], massive, width * sizeof *massive));
    osc_residual_stats here = { width, sumsq, massive }, other = { width, there[0], there[1] };
    memset(&want, 0, sizeof want);
    memset(&got, 0, sizeof got);
    for (size_t i = 0; i < 2; i++) {
        osc_residual_route r = { keep_residual, &want, i, 0 }, s = { keep_residual, &got, i, 0 };
        osc_summary_route t = { keep_summary, &want, 0, 0, i }, u = { keep_summary, &got, 0, 0, i };
        must(cpu->residual(host, &here, x.here, one(rows), width, &r));
        must(cpu->summarize(host, x.here, one(rows), width, &t));
        must(cuda->residual(gpu, &other, x.there, one(rows), width, &s));
        must(cuda->summarize(gpu, x.there, one(rows), width, &u));
    }
    ck_assert_uint_eq(got.residuals + got.summaries, 0);
    must(cuda->settle(gpu, true));
    ck_assert_uint_eq(got.residuals, 2);
    ck_assert_uint_eq(got.summaries, 2);
    for (size_t i = 0; i < 2; i++) {
        ck_assert_msg(same_value(want.residual[i].median, got.residual[i].median),
                      "%zu x %zu, kind %d, call %zu: median %.9g, expected %.9g", rows, width,
                      (int)what, i, (double)got.residual[i].median,
                      (double)want.residual[i].median);
        compare_residual(&want.residual[i], &got.residual[i]);
        compare_summary(&want.summary[i], &got.summary[i], x.here);
    }
    must(cuda->get(gpu, sums, there[0], width * sizeof *sums));
    must(cuda->get(gpu, counts, there[1], width * sizeof *counts));
    for (size_t c = 0; c < width; c++) {
        ck_assert(same_value(sums[c], sumsq[c]) || fabs(sums[c] - sumsq[c]) <= 1e-6 * sumsq[c]);
        ck_assert_uint_eq(counts[c], massive[c]);
    }
    cuda->release(gpu, there[0]);
    cuda->release(gpu, there[1]);
    drop_at(&x, shift);
}

START_TEST(test_reductions)
{
    static const size_t shapes[][2] = { { 1, 1 }, { 1, 2 }, { 2, 1 }, { 1, 17 }, { 7, 3 },
                                        { 33, 31 }, { 65, 64 }, { 41, 131 }, { 300, 520 },
                                        { 3, 4096 }, { 2, 20000 } };
    open_both(_i);
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        for (int what = 0; what < KINDS; what++)
            check_reductions(shapes[s][0], shapes[s][1], (kind)what, s % 3);
    close_both();
}
END_TEST

START_TEST(test_reductions_small)
{
    static const size_t shapes[][2] = { { 1, 1 }, { 2, 3 }, { 5, 64 }, { 3, 516 } };
    open_both(_i);
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        for (int what = 0; what < KINDS; what++)
            check_reductions(shapes[s][0], shapes[s][1], (kind)what, s % 2);
    close_both();
}
END_TEST

/* Observers run beside what follows: what they read must not change under them. */
START_TEST(test_watched)
{
    enum { ROWS = 300, WIDTH = 4096 };
    static reduced got;
    open_both(_i);
    values x = make(ROWS * WIDTH, 1, 61), y = make(ROWS * WIDTH, 1, 62);
    memset(&got, 0, sizeof got);
    for (size_t i = 0; i < 8; i++) {
        osc_summary_route to = { keep_summary, &got, 0, 0, i };
        must(cuda->summarize(gpu, x.there, one(ROWS), WIDTH, &to));
        must(cuda->add(gpu, x.there, y.there, x.count));
    }
    must(cuda->settle(gpu, true));
    ck_assert_uint_eq(got.summaries, 8);
    for (size_t i = 0; i < 8; i++) {
        double sum = 0, most = 0;
        for (size_t j = 0; j < x.count; j++) {
            sum += (double)x.here[j];
            most = fmax(most, fabs((double)x.here[j]));
        }
        ck_assert_double_eq_tol(got.summary[i].power[0], sum, budget * 2000);
        ck_assert_double_eq_tol((double)got.summary[i].peak, most, budget * 4);
        must(cpu->add(host, x.here, y.here, x.count));
    }
    drop(&x); drop(&y);
    close_both();
}
END_TEST

/* --- several sequences in one call --------------------------------------------------- */

enum { SEEN = 8, FIRST = 7 };      /* reports that are kept; the number of the first sequence */

/* What a run of observers leaves. */
typedef struct {
    osc_hit     *hits;
    size_t      *owner;            /* their sequences */
    size_t       count, room;
    osc_residual residual[SEEN];
    osc_summary  summary[SEEN];
    size_t       residuals, summaries;
    unsigned char *stats;          /* of columns, then of the residual stream */
    size_t       bytes;
} seen;

static size_t residual_bytes(size_t width)
{
    return width * (sizeof(double) + sizeof(uint64_t));
}

static seen make_seen(size_t width, size_t room)
{
    size_t bytes = osc_column_stats_bytes(1, width) + residual_bytes(width);
    return (seen){ .hits = osc_alloc(room, sizeof(osc_hit)), .room = room,
                   .owner = osc_alloc(room, sizeof(size_t)), .bytes = bytes,
                   .stats = osc_alloc(bytes, 1) };
}

static void free_seen(seen *s)
{
    osc_free(s->hits);
    osc_free(s->owner);
    osc_free(s->stats);
}

static osc_status see_hits(const osc_hits_route *route, const osc_hit *hits, size_t count)
{
    seen *s = route->user;
    ck_assert_uint_le(s->count + count, s->room);
    memcpy(s->hits + s->count, hits, count * sizeof *hits);
    for (size_t i = 0; i < count; i++)
        s->owner[s->count++] = route->sequence;
    return OSC_OK;
}

static osc_status see_residual(const osc_residual_route *route, const osc_residual *residual)
{
    seen *s = route->user;
    ck_assert_uint_eq(route->sequence, FIRST + s->residuals);
    if (s->residuals < SEEN)
        s->residual[s->residuals] = *residual;
    s->residuals++;
    return OSC_OK;
}

static osc_status see_summary(const osc_summary_route *route, const osc_summary *summary)
{
    seen *s = route->user;
    ck_assert_uint_eq(route->sequence, FIRST + s->summaries);
    if (s->summaries < SEEN)
        s->summary[s->summaries] = *summary;
    s->summaries++;
    return OSC_OK;
}

/* `at_once` sequences a call, each with all observers. */
static void see_all(seen *s, const values *x, osc_sequences rows, size_t width, float alpha,
                    size_t at_once)
{
    osc_column_stats stats;
    void *there;
    size_t each = rows.tokens * width * osc_dtype_size(cuda->dtype);
    size_t columns = osc_column_stats_bytes(1, width);
    must(cuda->alloc(gpu, &there, s->bytes));
    osc_column_stats_lay_out(&stats, s->stats, 1, width);
    memset(s->stats, 0, s->bytes);
    for (size_t i = 0; i < width; i++) {
        stats.sum[i] = (double)i * 0x1p-20;      /* what was added before counts */
        stats.min[i] = INFINITY;
        stats.max[i] = -INFINITY;
    }
    must(cuda->put(gpu, there, s->stats, s->bytes));
    osc_column_stats_lay_out(&stats, there, 1, width);
    double *sumsq = (double *)((char *)there + columns);
    osc_residual_stats stream = { width, sumsq, (uint64_t *)(sumsq + width) };
    s->count = s->residuals = s->summaries = 0;
    for (size_t i = 0; i < rows.count; i += at_once) {
        osc_sequences some = { rows.count - i < at_once ? rows.count - i : at_once, rows.tokens };
        const void *from = (const char *)x->there + i * each;
        osc_hits_route hits = { see_hits, s, 1, 2, FIRST + i };
        osc_summary_route summary = { see_summary, s, 1, 2, FIRST + i };
        osc_residual_route residual = { see_residual, s, 3, FIRST + i };
        must(cuda->observe(gpu, &stats, from, some, width, alpha, &hits));
        must(cuda->summarize(gpu, from, some, width, &summary));
        must(cuda->residual(gpu, &stream, from, some, width, &residual));
    }
    must(cuda->settle(gpu, true));
    must(cuda->get(gpu, s->stats, there, s->bytes));
    cuda->release(gpu, there);
}

static void compare_seen(const seen *a, const seen *b, size_t sequences)
{
    ck_assert_int_eq(memcmp(a->stats, b->stats, a->bytes), 0);
    ck_assert_uint_eq(a->count, b->count);
    ck_assert_int_eq(memcmp(a->hits, b->hits, a->count * sizeof *a->hits), 0);
    ck_assert_int_eq(memcmp(a->owner, b->owner, a->count * sizeof *a->owner), 0);
    ck_assert_uint_eq(a->residuals, sequences);
    ck_assert_uint_eq(a->summaries, sequences);
    ck_assert_uint_eq(b->residuals, sequences);
    ck_assert_uint_eq(b->summaries, sequences);
    for (size_t i = 0; i < SEEN && i < sequences; i++) {
        const osc_residual *r = &a->residual[i], *t = &b->residual[i];
        ck_assert_int_eq(memcmp(&r->median, &t->median, sizeof r->median), 0);
        ck_assert_int_eq(memcmp(&r->ratio, &t->ratio, sizeof r->ratio), 0);
        ck_assert_uint_eq(r->tops, t->tops);
        ck_assert_int_eq(memcmp(r->top, t->top, r->tops * sizeof *r->top), 0);
        ck_assert_int_eq(memcmp(&a->summary[i].peak, &b->summary[i].peak, sizeof(float)), 0);
        ck_assert_int_eq(memcmp(a->summary[i].power, b->summary[i].power,
                                sizeof a->summary[i].power), 0);
        ck_assert_uint_eq(a->summary[i].count, b->summary[i].count);
    }
}

/* One sequence a call, some and all: the same bits. */
static void check_together(osc_sequences rows, size_t width, observed_case what, size_t shift)
{
    float alpha = what == ALL_HITS ? 0x1p-20f : what == NO_HITS ? 1e9f : 6.0f;
    size_t all = rows.count * rows.tokens;
    values x = make_at(all * width, 1, 90 + all + width, shift);
    seen a = make_seen(width, x.count), b = make_seen(width, x.count);
    for (size_t r = 0; r < all; r += 1 + r % 3)
        x.here[r * width + r / rows.tokens % width] = r % 2 ? 6.0f : -700.0f;
    if (what == ODD_VALUES)
        make_odd(x.here, x.count / 2, budget > 1e-2);
    must(cuda->host_put(gpu, x.there, cuda->dtype, x.here, x.count));
    see_all(&a, &x, rows, width, alpha, 1);
    see_all(&b, &x, rows, width, alpha, rows.count);
    compare_seen(&a, &b, rows.count);
    see_all(&b, &x, rows, width, alpha, 2);
    compare_seen(&a, &b, rows.count);
    if (what != ODD_VALUES)
        ck_assert_uint_eq(a.count == 0, what == NO_HITS);
    free_seen(&a);
    free_seen(&b);
    drop_at(&x, shift);
}

static void check_counts(size_t tokens, size_t width, size_t shift)
{
    static const size_t counts[] = { 1, 2, 3, 5 };
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        for (int what = 0; what < CASES; what++)
            check_together((osc_sequences){ counts[i], tokens }, width, (observed_case)what,
                           shift);
}

START_TEST(test_together)
{
    open_both(_i);
    check_counts(TOKENS, 520, 0);
    check_counts(TOKENS - 1, 131, 1);
    check_counts(129, 1030, 0);
    check_together((osc_sequences){ 5, TOKENS }, 4096, FEW_HITS, 0);
    check_together((osc_sequences){ 20, 40 }, 20000, FEW_HITS, 0);     /* several launches */
    check_together((osc_sequences){ 700, 2 }, 132, FEW_HITS, 0);
    close_both();
}
END_TEST

START_TEST(test_together_small)
{
    open_both(_i);
    check_counts(9, 132, 1);
    close_both();
}
END_TEST

START_TEST(test_together_shapes)
{
    open_both(_i);
    check_counts(1, 3, 0);
    check_counts(34, 12, 0);
    check_together((osc_sequences){ 2, 3 }, 8230, ALL_HITS, 0);
    check_together((osc_sequences){ 35, 2 }, 5, ODD_VALUES, 0);        /* two launches */
    close_both();
}
END_TEST

/* Calls of ever more sequences that hit everywhere; with `limited` memory there is never room
 * for those of two. */
static void check_growing(bool limited)
{
    enum { TALL = 9, WIDTH = 12, MOST = 5, EACH = TALL * WIDTH };
    static const size_t counts[] = { 1, 3, 2, MOST, 1, 4 };
    enum { CALLS = sizeof counts / sizeof *counts };
    osc_column_stats stats;
    void *there;
    size_t bytes = osc_column_stats_bytes(1, WIDTH), at = 0;
    values x = make(MOST * EACH, 1, 33);
    seen got = make_seen(WIDTH, 16 * EACH);
    memset(got.stats, 0, got.bytes);
    must(cuda->alloc(gpu, &there, bytes));
    must(cuda->put(gpu, there, got.stats, bytes));
    osc_column_stats_lay_out(&stats, there, 1, WIDTH);
    if (limited)
        cuda->limit(gpu, cuda->peak_bytes(gpu) + EACH * 3 / 2 * sizeof(osc_hit));
    for (size_t c = 0; c < CALLS; c++) {
        osc_hits_route route = { see_hits, &got, 0, 0, 10 * c };
        must(cuda->observe(gpu, &stats, x.there, (osc_sequences){ counts[c], TALL }, WIDTH,
                           0x1p-20f, &route));
    }
    must(cuda->settle(gpu, true));
    ck_assert_uint_eq(got.count, 16 * EACH);
    for (size_t c = 0; c < CALLS; c++)
        for (size_t i = 0; i < counts[c] * EACH; i++, at++) {
            ck_assert_uint_eq(got.owner[at], 10 * c + i / EACH);
            ck_assert_uint_eq(got.hits[at].position, i % EACH / WIDTH);
            ck_assert_uint_eq(got.hits[at].feature, i % WIDTH);
            ck_assert_float_eq(got.hits[at].value, x.here[i]);
        }
    cuda->release(gpu, there);
    free_seen(&got);
    drop(&x);
}

START_TEST(test_together_growing)
{
    open_both(_i);
    check_growing(false);
    close_both();
    open_both(_i);
    check_growing(true);
    close_both();
}
END_TEST

/* --- the same bits ------------------------------------------------------------------ */

START_TEST(test_repeats)
{
    enum { T = 257, SIZE = 64, WIDTH = 4 * SIZE };
    open_both(_i);
    values q = make(T * WIDTH, 2, 40), w = make(WIDTH * WIDTH, 1, 41);
    values y = make(T * WIDTH, 0, 1), z = make(T * WIDTH, 0, 1);
    float *view, *first = osc_alloc(y.count, sizeof *first);
    osc_attention args = { .tokens = T, .heads = 4, .head_size = SIZE, .scale = 0.125f };
    for (int turn = 0; turn < 5; turn++) {
        must(cuda->attention(gpu, y.there, q.there, q.there, q.there, &args));
        must(cuda->matmul(gpu, z.there, y.there, w.there, NULL, OSC_ACT_NONE, T, WIDTH, WIDTH));
        must(cuda->host_view(gpu, &view, z.there, cuda->dtype, y.count));
        if (turn == 0)
            memcpy(first, view, y.count * sizeof *first);
        ck_assert_int_eq(memcmp(first, view, y.count * sizeof *first), 0);
    }
    osc_free(first);
    drop(&q); drop(&w); drop(&y); drop(&z);
    close_both();
}
END_TEST

START_TEST(test_no_memory)
{
    void *data;
    open_both(_i);
    ck_assert_int_eq(cuda->alloc(gpu, &data, (size_t)1 << 46), OSC_ENOMEM);
    ck_assert_ptr_nonnull(strstr(osc_error(), "out of memory on GPU 0"));
    ck_assert(!cuda->keeps(gpu, (size_t)1 << 46));
    must(cuda->alloc(gpu, &data, 0));      /* the error is not seen again */
    cuda->release(gpu, data);
    close_both();
}
END_TEST

/* --- whole models ------------------------------------------------------------------- */

enum { SEQUENCES = 6, LENGTH = 200 };

static void run_model(double *nll, const osc_model *model, const osc_corpus *corpus,
                      size_t memory, size_t *weight_bytes)
{
    osc_session *session;
    osc_session_options options = { .backend = "cuda", .longest = LENGTH, .chunk = 2,
                                    .memory = memory };
    must(osc_session_open(&session, model, &options));
    for (size_t i = 0; i < SEQUENCES; i += 2)
        must(osc_session_run(session, corpus, i, 2, NULL, nll + i * LENGTH));
    *weight_bytes = osc_session_weight_bytes(session);
    ck_assert_uint_gt(osc_session_peak_bytes(session), *weight_bytes);
    ck_assert(memory == 0 || osc_session_peak_bytes(session) <= memory);
    osc_session_close(session);
}

/* With little memory the blocks' weights take turns in two buffers: the same bits. */
START_TEST(test_turns)
{
    static int32_t ids[SEQUENCES * LENGTH];
    static size_t offset[SEQUENCES + 1];
    static double resident[SEQUENCES * LENGTH], moving[SEQUENCES * LENGTH];
    size_t all, two;
    osc_model *model;
    must(osc_model_open(&model, in_share("opt-mini-2m")));
    osc_corpus corpus = { .ids = ids, .offset = offset, .count = SEQUENCES, .longest = LENGTH,
                          .length = LENGTH, .protocol = OSC_TOKENS, .bos = -1, .digest = "" };
    for (size_t i = 0; i < SEQUENCES * LENGTH; i++)
        ids[i] = (int32_t)(i * 7919 % osc_model_config(model)->vocabulary);
    for (size_t i = 0; i <= SEQUENCES; i++)
        offset[i] = i * LENGTH;
    run_model(resident, model, &corpus, 0, &all);
    run_model(moving, model, &corpus, (size_t)1 << 30, &two);
    ck_assert_uint_lt(two, all);
    ck_assert_int_eq(memcmp(resident, moving, sizeof moving), 0);
    osc_model_close(model);
}
END_TEST

/* Loads the tensor drawn by the device, and from its values in memory: the same bits. */
static void check_drawn(osc_tensor tensor)
{
    size_t bytes = osc_tensor_count(&tensor) * osc_dtype_size(cuda->dtype), bad;
    char *drawn = osc_alloc(bytes, 1), *read = osc_alloc(bytes, 1);
    void *there;
    must(cuda->alloc(gpu, &there, bytes));
    must(cuda->load(gpu, there, &tensor, &bad));
    ck_assert_uint_eq(bad, SIZE_MAX);
    must(cuda->get(gpu, drawn, there, bytes));
    tensor.drawn = NULL;
    must(cuda->load(gpu, there, &tensor, &bad));
    must(cuda->get(gpu, read, there, bytes));
    ck_assert_int_eq(memcmp(drawn, read, bytes), 0);
    cuda->release(gpu, there);
    osc_free(drawn);
    osc_free(read);
}

/* All but the first row and column, transposed. */
static osc_tensor inner(osc_tensor t)
{
    t.data = (const char *)t.data + (t.stride[0] + t.stride[1]) * osc_dtype_size(t.dtype);
    size_t rows = t.dim[0] - 1, width = t.dim[1] - 1, stride = t.stride[0];
    t.dim[0] = width;
    t.dim[1] = rows;
    t.stride[0] = t.stride[1];
    t.stride[1] = stride;
    return t;
}

START_TEST(test_drawn)
{
    static const char *const dtypes[] = { "float16", "bfloat16", "float32" };
    char path[256];
    osc_model *model;
    open_both(_i);
    for (size_t d = 0; d < 3; d++) {
        snprintf(path, sizeof path, "synth:opt-125m,num_hidden_layers=1,seed=5,outliers=2,dtype=%s",
                 dtypes[d]);
        must(osc_model_open(&model, path));
        for (osc_block_slot slot = 0; slot < OSC_BLOCK_SLOTS; slot++) {
            const osc_stored *stored = osc_model_block(model, 0, slot);
            if (stored == NULL)
                continue;
            osc_store_need(osc_model_store(model), &stored->tensor);
            ck_assert_int_eq(stored->tensor.drawn == NULL,   /* values of their own */
                             strstr(stored->name, "layer_norm") != NULL);
            check_drawn(stored->tensor);
            if (stored->tensor.ndim == 2)
                check_drawn(inner(stored->tensor));
        }
        osc_model_close(model);
    }
    close_both();
}
END_TEST

/* Rows that score nothing are left out of the head: the same likelihoods; ids at random are
 * not the likeliest. */
START_TEST(test_score)
{
    static int32_t ids[SEQUENCES * LENGTH], targets[SEQUENCES * LENGTH];
    static size_t offset[SEQUENCES + 1];
    static double nll[SEQUENCES * LENGTH];
    osc_score score[SEQUENCES];
    osc_model *model;
    osc_session *session;
    size_t bytes;
    must(osc_model_open(&model, in_share("opt-mini-2m")));
    osc_corpus corpus = { .ids = ids, .offset = offset, .count = SEQUENCES, .longest = LENGTH,
                          .length = LENGTH, .protocol = OSC_TOKENS, .bos = -1, .digest = "" };
    for (size_t i = 0; i < SEQUENCES * LENGTH; i++) {
        ids[i] = (int32_t)(i * 7919 % osc_model_config(model)->vocabulary);
        targets[i] = -1;
    }
    for (size_t i = 0; i <= SEQUENCES; i++)
        offset[i] = i * LENGTH;
    for (size_t i = 0; i < SEQUENCES * LENGTH; i++)
        if (i % LENGTH + 1 < LENGTH && i % 7 < 1 + i / LENGTH)
            targets[i] = ids[i + 1];
    run_model(nll, model, &corpus, 0, &bytes);
    osc_session_options options = { .backend = "cuda", .longest = LENGTH, .chunk = SEQUENCES };
    must(osc_session_open(&session, model, &options));
    must(osc_session_score(session, &corpus, 0, SEQUENCES, targets, score));
    for (size_t i = 0; i < SEQUENCES; i++) {
        double sum = 0.0;
        for (size_t t = i * LENGTH; t < (i + 1) * LENGTH; t++)
            sum += targets[t] >= 0 ? nll[t + 1] : 0.0;
        ck_assert_double_eq_tol(score[i].nll / sum, 1.0, 1e-5);
        ck_assert(!score[i].greedy);
    }
    osc_session_close(session);
    osc_model_close(model);
}
END_TEST

/* A CUDA context does not survive a fork. */
static int run_here(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK);
    srunner_set_tap(runner, "-");
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(void)
{
    if (osc_backend_find(&cuda, "cuda") != OSC_OK || cuda->open(&gpu, 1) != OSC_OK) {
        printf("1..0 # SKIP %s\n", osc_error());
        return EXIT_SUCCESS;
    }
    cuda->close(gpu);
    Suite *suite = suite_create("cuda");
    TCase *operations = tcase_create("operations");
    tcase_set_timeout(operations, 300);
    tcase_add_loop_test(operations, test_load, 0, TYPES);
    tcase_add_loop_test(operations, test_load_large, 0, 1);
    tcase_add_loop_test(operations, test_tables, 0, TYPES);
    tcase_add_loop_test(operations, test_layernorm, 0, TYPES);
    tcase_add_loop_test(operations, test_rmsnorm, 0, TYPES);
    tcase_add_loop_test(operations, test_add_norm, 0, TYPES);
    tcase_add_loop_test(operations, test_rotate, 0, TYPES);
    tcase_add_loop_test(operations, test_elementwise, 0, TYPES);
    tcase_add_loop_test(operations, test_clear, 0, TYPES);
    tcase_add_loop_test(operations, test_matmul, 0, TYPES);
    tcase_add_loop_test(operations, test_matmul_several, 0, TYPES);
    tcase_add_loop_test(operations, test_head, 0, TYPES);
    tcase_add_loop_test(operations, test_repeats, 0, TYPES);
    tcase_add_loop_test(operations, test_no_memory, 0, 1);
    suite_add_tcase(suite, operations);
    TCase *observers = tcase_create("observers");
    tcase_set_timeout(observers, 300);
    tcase_add_loop_test(observers, test_observe, 0, TYPES);
    tcase_add_loop_test(observers, test_hits_in_turn, 0, TYPES);
    tcase_add_loop_test(observers, test_reductions, 0, TYPES);
    tcase_add_loop_test(observers, test_together, 0, TYPES);
    tcase_add_loop_test(observers, test_together_shapes, 0, TYPES);
    tcase_add_loop_test(observers, test_together_growing, 0, TYPES);
    tcase_add_loop_test(observers, test_watched, 0, TYPES);
    suite_add_tcase(suite, observers);
    TCase *small = tcase_create("small-observers");
    tcase_set_timeout(small, 300);
    tcase_add_loop_test(small, test_observe_small, 0, TYPES);
    tcase_add_loop_test(small, test_hits_overflow, 0, TYPES);
    tcase_add_loop_test(small, test_reductions_small, 0, TYPES);
    suite_add_tcase(suite, small);
    small = tcase_create("small-together");
    tcase_set_timeout(small, 300);
    tcase_add_loop_test(small, test_together_small, 0, TYPES);
    suite_add_tcase(suite, small);
    TCase *attention = tcase_create("attention");
    tcase_set_timeout(attention, 300);
    tcase_add_loop_test(attention, test_attention, 0, TYPES);
    tcase_add_loop_test(attention, test_attention_kinds, 0, TYPES);
    tcase_add_loop_test(attention, test_attention_sequences, 0, TYPES);
    suite_add_tcase(suite, attention);
    small = tcase_create("small-attention");      /* enough for racecheck */
    tcase_set_timeout(small, 300);
    tcase_add_loop_test(small, test_attention_small, 0, 1);
    suite_add_tcase(suite, small);
    small = tcase_create("small-head");
    tcase_set_timeout(small, 300);
    tcase_add_loop_test(small, test_head, 0, 1);
    suite_add_tcase(suite, small);
    TCase *models = tcase_create("models");
    tcase_set_timeout(models, 300);
    tcase_add_test(models, test_turns);
    tcase_add_test(models, test_score);
    tcase_add_loop_test(models, test_drawn, 0, TYPES);
    suite_add_tcase(suite, models);
    return run_here(suite);
}

/* Whole-tensor reductions of the CPU backend against sorting and plain sums, on ugly
 * shapes and values, bit for bit the same from every vector build and thread count. */
#include <config.h>
#include "run.h"

#include <stdlib.h>
#include <string.h>

#include "backend/cpu.h"
#include "base/alloc.h"
#include "base/half.h"
#include "near.h"

enum { MOST = 600 * 70, WIDEST = 600 };

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

/* --- matrices --------------------------------------------------------------------- */

typedef enum { PLAIN, HUGE_ONES, EQUAL, ZEROS, SPREAD, WITH_NAN, KINDS } kind;

static void fill(float *x, size_t rows, size_t width, kind what)
{
    uint64_t seed = 77 + rows * 1000 + width;
    for (size_t i = 0; i < rows * width; i++) {
        float v = random_float(&seed);
        x[i] = what == EQUAL ? (v < 0 ? -2.5f : 2.5f) : what == ZEROS ? 0.0f
             : what == SPREAD ? ldexpf(v, (int)(i * 7919 % 180) - 90) : v;
    }
    if (what == HUGE_ONES || what == WITH_NAN)
        for (size_t r = 0; r < rows; r += 3)
            x[r * width + r % width] = r % 2 ? 1234.5f : -1234.5f - (float)(r / 9);
    if (what == WITH_NAN)
        x[rows / 2 * width + width / 2] = NAN;
}

static uint32_t magnitude(float x)
{
    return osc_float_to_bits(x) & 0x7fffffffu;
}

static int rising(const void *a, const void *b)
{
    uint32_t x = magnitude(*(const float *)a), y = magnitude(*(const float *)b);
    return x < y ? -1 : x > y;
}

static float median_of(const float *x, size_t n)
{
    static float sorted[MOST];
    memcpy(sorted, x, n * sizeof *x);
    qsort(sorted, n, sizeof *x, rising);
    return fabsf(sorted[(n - 1) / 2]);
}

/* --- what they must give --------------------------------------------------------- */

static bool same(double a, double b)
{
    return a == b || (isnan(a) && isnan(b));
}

static void check_residual(const osc_residual *got, const float *x, size_t rows, size_t width)
{
    double ratio = 0;
    for (size_t r = 0; r < rows; r++) {
        float most = 0;
        for (size_t c = 0; c < width; c++)
            if (magnitude(x[r * width + c]) > magnitude(most))
                most = x[r * width + c];
        ratio += (double)fabsf(most) / (double)median_of(x + r * width, width);
    }
    ck_assert(same(got->ratio, ratio));
    ck_assert(same(got->median, median_of(x, rows * width)));
    static bool taken[MOST];
    memset(taken, 0, sizeof taken);
    ck_assert_uint_eq(got->tops, rows * width < 3 ? rows * width : 3);
    for (size_t t = 0; t < got->tops; t++) {
        size_t best = SIZE_MAX;
        for (size_t i = 0; i < rows * width; i++)
            if (!taken[i] && (best == SIZE_MAX || magnitude(x[i]) > magnitude(x[best])))
                best = i;
        taken[best] = true;
        ck_assert_uint_eq(got->top[t].position, best / width);
        ck_assert_uint_eq(got->top[t].feature, best % width);
        ck_assert(same(got->top[t].value, x[best]));
    }
}

static void check_columns(const osc_residual_stats *stats, const float *x, size_t rows,
                          size_t width, float median)
{
    for (size_t c = 0; c < width; c++) {
        double sum = 0, scale = 1;
        uint64_t massive = 0;
        for (size_t r = 0; r < rows; r++) {
            double v = x[r * width + c];
            sum += v * v;
            scale += v * v;
            massive += fabs(v) > 100 && fabs(v) >= 1000 * (double)median;
        }
        ck_assert(fabs(stats->sumsq[c] - sum - 1) <= 1e-13 * scale || isnan(sum));
        ck_assert_uint_eq(stats->massive[c], massive + 1);
    }
}

static const struct { size_t rows, width; } shapes[] = {
    { 1, 1 }, { 1, 2 }, { 2, 1 }, { 1, 17 }, { 7, 3 }, { 16, 16 }, { 33, 31 }, { 65, 64 },
    { 41, 131 }, { 70, 600 }, { 3, 257 },
};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static osc_device *open_device(const osc_cpu_vec *vec, size_t threads)
{
    osc_device *device;
    osc_limits limits = { .tokens = 70, .heads = 1, .head_size = 8, .widest = WIDEST,
                          .vocabulary = 64, .embed_width = 8 };
    ck_assert_int_eq(osc_backend_cpu.open(&device, threads), OSC_OK);
    ck_assert_int_eq(osc_backend_cpu.plan(device, &limits), OSC_OK);
    device->vec = vec;
    return device;
}

/* What the generic build gives on one thread, checked; the others must repeat it. */
typedef struct {
    osc_residual residual;
    osc_summary  summary;
    double       sumsq[WIDEST];
    uint64_t     massive[WIDEST];
} answer;

static osc_status keep_residual(const osc_residual_route *route, const osc_residual *residual)
{
    ((answer *)route->user)->residual = *residual;
    return OSC_OK;
}

static osc_status keep_summary(const osc_summary_route *route, const osc_summary *summary)
{
    ((answer *)route->user)->summary = *summary;
    return OSC_OK;
}

static void ask(answer *a, const osc_cpu_vec *vec, size_t threads, const float *x, size_t rows,
                size_t width)
{
    memset(a, 0, sizeof *a);
    osc_residual_stats stats = { width, a->sumsq, a->massive };
    for (size_t c = 0; c < width; c++) {
        a->sumsq[c] = 1;
        a->massive[c] = 1;
    }
    const osc_sequences sequence = { 1, rows };
    osc_device *device = open_device(vec, threads);
    osc_residual_route to = { .sink = keep_residual, .user = a };
    osc_summary_route of = { .sink = keep_summary, .user = a };
    ck_assert_int_eq(osc_backend_cpu.residual(device, &stats, x, sequence, width, &to), OSC_OK);
    ck_assert_int_eq(osc_backend_cpu.summarize(device, x, sequence, width, &of), OSC_OK);
    osc_backend_cpu.close(device);
}

START_TEST(test_residual)
{
    static float x[MOST];
    static answer first, other;
    for (size_t s = 0; s < SHAPES; s++) {
        size_t rows = shapes[s].rows, width = shapes[s].width;
        fill(x, rows, width, (kind)_i);
        ask(&first, &osc_cpu_vec_generic, 1, x, rows, width);
        check_residual(&first.residual, x, rows, width);
        osc_residual_stats stats = { width, first.sumsq, first.massive };
        check_columns(&stats, x, rows, width, first.residual.median);
        for (int b = 0; b < 3; b++)
            for (size_t threads = 1; builds(b) != NULL && threads <= 3; threads += 2) {
                ask(&other, builds(b), threads, x, rows, width);
                ck_assert_msg(memcmp(&first, &other, sizeof first) == 0,
                              "%s, %zu threads: %zu x %zu", builds(b)->name, threads, rows, width);
            }
    }
}
END_TEST

/* --- summaries ------------------------------------------------------------------------ */

START_TEST(test_summary)
{
    static float x[MOST];
    for (size_t s = 0; s < SHAPES; s++) {
        size_t n = shapes[s].rows * shapes[s].width;
        fill(x, shapes[s].rows, shapes[s].width, HUGE_ONES);
        static answer a;
        ask(&a, osc_cpu_vec_choose(), 2, x, shapes[s].rows, shapes[s].width);
        double power[4] = { 0 }, scale[4] = { 0 };
        float peak = 0;
        for (size_t i = 0; i < n; i++)
            for (int p = 0; p < 4; p++) {
                peak = fmaxf(peak, fabsf(x[i]));
                power[p] += pow(x[i], p + 1);
                scale[p] += pow(fabs(x[i]), p + 1);
            }
        ck_assert(a.summary.peak == peak);
        ck_assert_uint_eq(a.summary.count, n);
        for (int p = 0; p < 4; p++)
            ck_assert_double_le(fabs(a.summary.power[p] - power[p]), 1e-13 * scale[p]);
    }
}
END_TEST

START_TEST(test_kurtosis)
{
    /* 1, 2, 3, 4, 10: mean 4, squares 9 4 1 0 36, fourth powers 81 16 1 0 1296 */
    osc_summary five = { .count = 5, .power = { 20, 130, 1100, 10354 } };
    double variance = 50.0 / 4;
    ck_assert_double_eq_tol(osc_summary_kurtosis(&five), 1394.0 / 5 / (variance * variance + 1e-6),
                            1e-12);
    osc_summary flat = { .count = 4, .power = { 8, 16, 32, 64 } };
    ck_assert_double_eq(osc_summary_kurtosis(&flat), 0);
}
END_TEST

START_TEST(test_massive_from)
{
    static const struct { float median; } cases[] = {
        { 0 }, { 0.01f }, { 0.1f }, { 0.100001f }, { 0.3f }, { 1.7f }, { 1e30f },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        float median = cases[i].median, from = osc_massive_from(median);
        float under = nextafterf(from, 0);
        ck_assert(from > 100 && (double)from >= 1000 * (double)median);
        ck_assert(!(under > 100 && (double)under >= 1000 * (double)median));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("reduce");
    TCase *tc = tcase_create("reduce");
    tcase_add_loop_test(tc, test_residual, 0, KINDS);
    tcase_add_test(tc, test_summary);
    tcase_add_test(tc, test_kurtosis);
    tcase_add_test(tc, test_massive_from);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}

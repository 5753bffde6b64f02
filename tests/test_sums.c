/* Ten million tokens: what is added up over a long run loses nothing that matters.  The
 * sums are those of a recording and of a perplexity, against long double with compensation;
 * the same ten thousand tokens over and over. */
#include <config.h>
#include "run.h"

#include <math.h>

#include "backend/cpu.h"
#include "base/alloc.h"
#include "base/mix.h"
#include "engine/session.h"

enum { TOKENS = 10000000, ROWS = 10000, WIDTH = 3, SEQUENCE = 1000, REPEATS = TOKENS / ROWS };

typedef struct {
    long double sum, lost;
} exact;

static void add(exact *e, long double x)      /* Kahan */
{
    long double y = x - e->lost, t = e->sum + y;
    e->lost = (t - e->sum) - y;
    e->sum = t;
}

static double uniform(uint64_t i)
{
    return (double)(osc_random_at(3, i) >> 11) * 0x1p-53;
}

/* A column that cancels, one of one sign, one with rare outliers of magnitude 60. */
static float value(size_t token, size_t column)
{
    double u = uniform(token * WIDTH + column);
    if (column == 0)
        return (float)(u - 0.5);
    return column == 2 && token % 1000 == 7 ? 60.0f : (float)(0.1 + u);
}

static void near(double found, const exact *expected, long double scale, const char *what)
{
    ck_assert_msg(fabsl((long double)found - expected->sum) <= 1e-12L * scale,
                  "%s: %.17g, exactly %.17Lg", what, found, expected->sum);
}

START_TEST(test_statistics)
{
    static float x[ROWS * WIDTH];
    exact sum[WIDTH] = { { 0, 0 } }, square[WIDTH] = { { 0, 0 } }, fourth[WIDTH] = { { 0, 0 } };
    uint64_t outliers = 0, seen = 0;
    const osc_sequences rows = { 1, ROWS };
    osc_device *device;
    osc_limits limits = { .tokens = ROWS, .heads = 1, .head_size = 8, .widest = 8,
                          .vocabulary = 64, .embed_width = 8 };
    osc_column_stats *stats = osc_column_stats_create(1, WIDTH);
    ck_assert_int_eq(osc_backend_cpu.open(&device, 2), OSC_OK);
    ck_assert_int_eq(osc_backend_cpu.plan(device, &limits), OSC_OK);
    for (size_t i = 0; i < ROWS * WIDTH; i++) {
        size_t c = i % WIDTH;
        long double v = x[i] = value(i / WIDTH, c);
        add(&sum[c], v * REPEATS);
        add(&square[c], v * v * REPEATS);
        add(&fourth[c], v * v * v * v * REPEATS);
        outliers += c == 2 && v == 60.0L ? REPEATS : 0;
    }
    for (size_t r = 0; r < REPEATS; r++)
        ck_assert_int_eq(osc_backend_cpu.observe(device, stats, x, rows, WIDTH, 6.0f, NULL),
                         OSC_OK);
    for (size_t c = 0; c < WIDTH; c++) {
        near(stats->sum[c], &sum[c], sqrtl(square[c].sum * TOKENS), "sum");
        near(stats->sumsq[c], &square[c], square[c].sum, "sum of squares");
        near(stats->sum4[c], &fourth[c], fourth[c].sum, "sum of fourth powers");
    }
    for (size_t b = 0; b < OSC_HISTOGRAM_BINS; b++)
        seen += stats->histogram[b];
    ck_assert_uint_eq(seen, (uint64_t)TOKENS * WIDTH);
    ck_assert_uint_eq(stats->count_ge[2], outliers);
    ck_assert_uint_eq(outliers, TOKENS / 1000);
    osc_column_stats_free(stats);
    osc_backend_cpu.close(device);
}
END_TEST

START_TEST(test_perplexity)
{
    size_t count = TOKENS / SEQUENCE, *offset = osc_alloc(count + 1, sizeof *offset);
    double *nll = osc_alloc(TOKENS, sizeof *nll);
    exact sum = { 0, 0 };
    for (size_t s = 0; s <= count; s++)
        offset[s] = s * SEQUENCE;
    for (size_t t = 0; t < TOKENS; t++) {
        nll[t] = t % SEQUENCE == 0 ? 0.0 : t < ROWS ? -log(uniform(t) + 0x1p-60) : nll[t - ROWS];
        if (t < ROWS)
            add(&sum, (long double)nll[t] * REPEATS);
    }
    osc_corpus corpus = { .offset = offset, .count = count };
    osc_perplexity p = osc_perplexity_of(&corpus, count, nll);
    ck_assert_uint_eq(p.scored, TOKENS - count);
    near(p.nll, &sum, sum.sum, "nll");
    ck_assert_double_eq_tol(p.perplexity, (double)expl(sum.sum / (TOKENS - count)), 1e-11);
    osc_free(offset);
    osc_free(nll);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sums");
    TCase *tc = tcase_create("sums");
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, test_statistics);
    tcase_add_test(tc, test_perplexity);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}

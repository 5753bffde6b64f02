/* Sampling: exact small cases, known distributions, ties, seeds. */
#include <config.h>
#include "run.h"

#include <math.h>
#include <string.h>

#include "osc.h"
#include "reference.h"

/* log of 1, 2, 3, 4 of 10, so that probabilities are 0.1 ... 0.4; ids in another order. */
enum { IDS = 4 };
static const double share[IDS] = { 0.2, 0.4, 0.1, 0.3 };

static void make_logits(float *logits)
{
    for (size_t j = 0; j < IDS; j++)
        logits[j] = (float)(log(share[j]) + 3.0);
}

static osc_sampler *sampler_of(double temperature, size_t top_k, double top_p, uint64_t seed,
                               size_t vocabulary)
{
    osc_sampler *sampler;
    osc_sampling options = { .temperature = temperature, .top_k = top_k, .top_p = top_p,
                             .seed = seed };
    must(osc_sampler_create(&sampler, &options, vocabulary));
    return sampler;
}

static const struct {
    const char *what;
    double temperature;
    size_t top_k;
    double top_p;
    double expected[IDS];
} distributions[] = {
    { "plain", 1.0, 0, 1.0, { 0.2, 0.4, 0.1, 0.3 } },
    { "top-k of all", 1.0, 4, 1.0, { 0.2, 0.4, 0.1, 0.3 } },
    { "top-k", 1.0, 2, 1.0, { 0, 4.0 / 7, 0, 3.0 / 7 } },
    { "top-k of one", 1.0, 1, 1.0, { 0, 1, 0, 0 } },
    { "top-p", 1.0, 0, 0.65, { 0, 4.0 / 7, 0, 3.0 / 7 } },
    { "top-p just above a sum", 1.0, 0, 0.71, { 2.0 / 9, 4.0 / 9, 0, 3.0 / 9 } },
    { "top-p of the first", 1.0, 0, 1e-9, { 0, 1, 0, 0 } },
    /* p counts within what top-k left: 4/9, 7/9 */
    { "top-k, then top-p", 1.0, 3, 0.75, { 0, 4.0 / 7, 0, 3.0 / 7 } },
    /* squares: 4, 16, 1, 9 of 30 */
    { "temperature", 0.5, 0, 1.0, { 4.0 / 30, 16.0 / 30, 1.0 / 30, 9.0 / 30 } },
    { "temperature, then top-p", 0.5, 0, 0.53, { 0, 1, 0, 0 } },
    { "greedy", 0.0, 3, 0.5, { 0, 1, 0, 0 } },
    { "cold", 1e-300, 0, 1.0, { 0, 1, 0, 0 } },
    { "hot", 1e9, 0, 1.0, { 0.25, 0.25, 0.25, 0.25 } },
};

/* Five standard deviations of a count of DRAWS. */
START_TEST(test_distributions)
{
    enum { DRAWS = 40000 };
    float logits[IDS];
    size_t count[IDS] = { 0 };
    make_logits(logits);
    osc_sampler *sampler = sampler_of(distributions[_i].temperature, distributions[_i].top_k,
                                      distributions[_i].top_p, 7, IDS);
    for (size_t n = 0; n < DRAWS; n++) {
        int32_t id;
        must(osc_sampler_next(sampler, &id, logits));
        count[id]++;
    }
    for (size_t j = 0; j < IDS; j++) {
        double p = distributions[_i].expected[j];
        ck_assert_msg(fabs((double)count[j] / DRAWS - p) <= 5.0 * sqrt(p * (1.0 - p) / DRAWS),
                      "%s: id %zu in %g of draws, expected %g", distributions[_i].what, j,
                      (double)count[j] / DRAWS, p);
    }
    osc_sampler_free(sampler);
}
END_TEST

/* The draws are the fractions of SplitMix64, cumulated in the order of ids. */
START_TEST(test_exact)
{
    static const double before[IDS + 1] = { 0.0, 0.2, 0.6, 0.7, 1.0 };
    float logits[IDS];
    make_logits(logits);
    osc_sampler *sampler = sampler_of(1.0, 0, 1.0, 99, IDS);
    for (uint64_t sequence = 0; sequence < 3; sequence++) {
        uint64_t key = osc_random_at(99, sequence);
        osc_sampler_begin(sampler, sequence);
        for (uint64_t n = 0; n < 200; n++) {
            int32_t id;
            double u = (double)(osc_random_at(key, n) >> 11) / 9007199254740992.0;
            must(osc_sampler_next(sampler, &id, logits));
            ck_assert(u > before[id] - 1e-6 && u < before[id + 1] + 1e-6);
        }
    }
    osc_sampler_free(sampler);
}
END_TEST

START_TEST(test_ties)
{
    float logits[6] = { 1.0f, 2.0f, 2.0f, 0.0f, 2.0f, 2.0f };
    size_t count[6] = { 0 };
    int32_t id;
    osc_sampler *greedy = sampler_of(0.0, 0, 1.0, 1, 6);
    must(osc_sampler_next(greedy, &id, logits));
    ck_assert_int_eq(id, 1);
    osc_sampler_free(greedy);
    osc_sampler *two[] = { sampler_of(1.0, 2, 1.0, 1, 6), sampler_of(1.0, 0, 0.3, 1, 6) };
    for (size_t i = 0; i < 2; i++) {
        for (size_t n = 0; n < 1000; n++) {
            must(osc_sampler_next(two[i], &id, logits));
            count[id]++;
        }
        osc_sampler_free(two[i]);
    }
    ck_assert_uint_eq(count[1] + count[2], 2000);
    ck_assert_uint_gt(count[1], 800);
    ck_assert_uint_gt(count[2], 800);
}
END_TEST

/* The selections against sorting everything, on a vocabulary of thousands with many
 * equal logits: what is left is what was drawn at least once of many. */
START_TEST(test_selection)
{
    enum { V = 3000, KEPT = 20 };
    static float logits[V];
    bool expected[V] = { false };
    for (size_t j = 0; j < V; j++)
        logits[j] = (float)(osc_random_at(5, j) % 400) / 400.0f;
    for (size_t n = 0; n < KEPT; n++) {
        size_t best = V;
        for (size_t j = 0; j < V; j++)
            if (!expected[j] && (best == V || logits[j] > logits[best]))
                best = j;
        expected[best] = true;
    }
    osc_sampler *sampler = sampler_of(1.0, KEPT, 1.0, 3, V);
    bool seen[V] = { false };
    for (size_t n = 0; n < 2000; n++) {
        int32_t id;
        must(osc_sampler_next(sampler, &id, logits));
        seen[id] = true;
    }
    ck_assert_int_eq(memcmp(seen, expected, sizeof seen), 0);
    osc_sampler_free(sampler);
}
END_TEST

START_TEST(test_seeds)
{
    enum { N = 64 };
    float logits[IDS];
    int32_t got[4][N];
    static const struct { uint64_t seed, sequence; } cases[] = {
        { 1, 0 }, { 1, 0 }, { 2, 0 }, { 1, 1 },
    };
    make_logits(logits);
    for (size_t c = 0; c < 4; c++) {
        osc_sampler *sampler = sampler_of(1.0, 0, 1.0, cases[c].seed, IDS);
        int32_t id;
        if (c == 1)   /* what came before a sequence does not matter */
            must(osc_sampler_next(sampler, &id, logits));
        osc_sampler_begin(sampler, cases[c].sequence);
        for (size_t n = 0; n < N; n++)
            must(osc_sampler_next(sampler, &got[c][n], logits));
        osc_sampler_free(sampler);
    }
    ck_assert_mem_eq(got[0], got[1], sizeof got[0]);
    ck_assert_mem_ne(got[0], got[2], sizeof got[0]);
    ck_assert_mem_ne(got[0], got[3], sizeof got[0]);
}
END_TEST

START_TEST(test_refused)
{
    osc_sampler *sampler;
    static const osc_sampling wrong[] = {
        { .temperature = -1.0, .top_p = 1.0 }, { .temperature = NAN, .top_p = 1.0 },
        { .temperature = INFINITY, .top_p = 1.0 }, { .temperature = 1.0, .top_p = 0.0 },
        { .temperature = 1.0, .top_p = 1.5 }, { .temperature = 1.0, .top_p = NAN },
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        ck_assert_int_eq(osc_sampler_create(&sampler, &wrong[i], 4), OSC_EINVAL);
    sampler = sampler_of(1.0, 0, 0.9, 1, 3);
    int32_t id;
    ck_assert_int_eq(osc_sampler_next(sampler, &id, (float[]){ 0.0f, NAN, 1.0f }), OSC_EVALUE);
    ck_assert_ptr_nonnull(strstr(osc_error(), "id 1"));
    ck_assert_int_eq(osc_sampler_next(sampler, &id, (float[]){ 0.0f, INFINITY, 1.0f }),
                     OSC_EVALUE);
    const float none = -INFINITY;
    ck_assert_int_eq(osc_sampler_next(sampler, &id, (float[]){ none, none, none }), OSC_EVALUE);
    for (size_t n = 0; n < 200; n++) {   /* an id that a hook forbids */
        must(osc_sampler_next(sampler, &id, (float[]){ none, 5.0f, none }));
        ck_assert_int_eq(id, 1);
    }
    osc_sampler_free(sampler);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sample");
    TCase *tc = tcase_create("sampling");
    tcase_add_loop_test(tc, test_distributions, 0, sizeof distributions / sizeof *distributions);
    tcase_add_test(tc, test_exact);
    tcase_add_test(tc, test_ties);
    tcase_add_test(tc, test_selection);
    tcase_add_test(tc, test_seeds);
    tcase_add_test(tc, test_refused);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}

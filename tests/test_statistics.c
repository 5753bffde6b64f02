/* Rank correlations and fits: against SciPy (data/statistics/golden.py), on synthetic data
 * with known parameters, and where the data support nothing. */
#include <config.h>
#include "run.h"

#include <math.h>
#include <string.h>

#include "analyses/fit.h"
#include "analyses/published.h"
#include "analyses/ranks.h"

enum { MOST = 16 };

/* --- rank correlation ------------------------------------------------------------------ */

typedef double (*column)(const published_model *m);
static double size_of(const published_model *m)       { return log10(m->parameters); }
static double perplexity_of(const published_model *m) { return m->perplexity; }
static double count_of(const published_model *m)      { return (double)m->count; }
static double layers_of(const published_model *m)     { return m->layers; }
static double positions_of(const published_model *m)  { return m->positions; }
static double median_of(const published_model *m)     { return fabs(m->quartiles[1]); }

static const double *table4(double values[PUBLISHED_MODELS], column of)
{
    for (size_t i = 0; i < PUBLISHED_MODELS; i++)
        values[i] = of(&published_models[i]);
    return values;
}

static void check_ranks(const double *x, const double *y, size_t n, double rho, double p)
{
    ranks_result r;
    ck_assert_int_eq(ranks_spearman(&r, x, y, n, 1), OSC_OK);
    ck_assert_str_eq(r.refused, "");
    ck_assert_int_eq(r.method, RANKS_EXACT);
    ck_assert_uint_eq(r.n, n);
    ck_assert_double_eq_tol(r.rho, rho, 1e-13);
    ck_assert_double_eq_tol(r.p, p, 1e-13);
}

START_TEST(test_exact)
{
    static const struct { size_t n; double x[8], y[8], rho, p; } cases[] = {
        { 7, { 3.1, 1.2, 5.9, 4.4, 2.0, 7.7, 6.3 }, { 2.5, 1.1, 4.8, 6.0, 3.3, 5.5, 9.9 },
          0.7857142857142859, 0.04801587301587302 },
        { 5, { 1, 2, 3, 4, 5 }, { 10, 8, 7, 3, 1 }, -1, 0.01666666666666667 },
        { 4, { 2, 2, 2, 8 }, { 0, 0, 33, 75 }, 0.8164965809277261, 0.25 },
        { 8, { 1, 1, 2, 2, 3, 3, 3, 9 }, { 4, 5, 4, 6, 6, 6, 1, 9 }, 0.4968253647288701,
          0.1994047619047619 },
        { 6, { 1, 2, 3, 4, 5, 6 }, { 0, 0, 0, 0, 0, 1 }, 0.6546536707079772,
          0.3333333333333333 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_ranks(cases[i].x, cases[i].y, cases[i].n, cases[i].rho, cases[i].p);
}
END_TEST

START_TEST(test_exact_table4)
{
    static const struct { column x, y; double rho, p; } cases[] = {
        { size_of, layers_of, 0.9207488243118473, 0.0004298941798941799 },
        { perplexity_of, count_of, -0.9660917830792959, 2.645502645502646e-05 },
        { size_of, median_of, 0.6139845991168652, 0.06393959435626102 },
    };
    double x[PUBLISHED_MODELS], y[PUBLISHED_MODELS];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_ranks(table4(x, cases[i].x), table4(y, cases[i].y), PUBLISHED_MODELS,
                    cases[i].rho, cases[i].p);
}
END_TEST

START_TEST(test_permutation)
{
    double x[14];
    static const double y[14] = { 3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7 };
    ranks_result r, again, other;
    for (int i = 0; i < 14; i++)
        x[i] = i;
    ck_assert_int_eq(ranks_spearman(&r, x, y, 14, 1), OSC_OK);
    ck_assert_int_eq(ranks_spearman(&again, x, y, 14, 1), OSC_OK);
    ck_assert_int_eq(ranks_spearman(&other, x, y, 14, 2), OSC_OK);
    ck_assert_int_eq(r.method, RANKS_PERMUTATION);
    ck_assert_double_eq_tol(r.rho, 0.640107826719308, 1e-13);
    ck_assert_double_eq_tol(r.p, 0.01589, 0.0015);   /* four standard errors of ours */
    ck_assert(r.p == again.p && r.p != other.p);
    for (int i = 0; i < 14; i++)
        x[i] = y[i];
    ck_assert_int_eq(ranks_spearman(&r, x, y, 14, 1), OSC_OK);
    ck_assert_double_eq_tol(r.rho, 1, 1e-15);
    ck_assert_double_eq(r.p, 1.0 / (RANKS_DRAWS + 1));   /* never 0 */
}
END_TEST

START_TEST(test_least_p)
{
    static const struct { size_t n; double x[4], y[4], least; } cases[] = {
        { 4, { 1, 2, 3, 4 }, { 5, 6, 8, 7 }, 2.0 / 24 },
        { 4, { 2, 2, 2, 8 }, { 0, 0, 33, 75 }, 0.25 },
        { 3, { 1, 2, 3 }, { 1, 3, 2 }, 2.0 / 6 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ranks_result r;
        ck_assert_int_eq(ranks_spearman(&r, cases[i].x, cases[i].y, cases[i].n, 1), OSC_OK);
        ck_assert_double_eq_tol(r.least_p, cases[i].least, 1e-15);
        ck_assert_double_ge(r.p, r.least_p);
    }
}
END_TEST

START_TEST(test_ranks_refused)
{
    static const double x[] = { 1, 2, 3 }, flat[] = { 5, 5, 5 };
    static const struct { const double *x, *y; size_t n; const char *why; } cases[] = {
        { x, x, 0, "0 points" }, { x, x, 1, "1 point," }, { x, x, 2, "2 points" },
        { flat, x, 3, "all values of x" }, { x, flat, 3, "all values of y" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ranks_result r;
        ck_assert_int_eq(ranks_spearman(&r, cases[i].x, cases[i].y, cases[i].n, 1), OSC_OK);
        ck_assert_ptr_null(ranks_method_name(r.method));
        ck_assert_ptr_nonnull(strstr(r.refused, cases[i].why));
        ck_assert(isnan(r.rho) && isnan(r.p));
    }
}
END_TEST

/* --- fits against SciPy ----------------------------------------------------------------- */

typedef struct {
    fit_form form;
    double   value[3], half[3], residual;
} expected_fit;

static void check_fit(const expected_fit *e, const double *x, const double *y, size_t n)
{
    fit_result r;
    ck_assert_int_eq(fit_curve(&r, e->form, x, y, n), OSC_OK);
    ck_assert_str_eq(r.refused, "");
    for (size_t i = 0; i < r.parameters; i++) {
        ck_assert_double_eq_tol(r.value[i], e->value[i], 2e-5 * fabs(e->value[i]));
        ck_assert_double_eq_tol(r.high[i] - r.value[i], e->half[i], 1e-3 * e->half[i]);
        ck_assert_double_eq_tol(r.value[i] - r.low[i], e->half[i], 1e-3 * e->half[i]);
    }
    ck_assert_double_eq_tol(r.residual, e->residual, 1e-6);
}

START_TEST(test_fits_table4)
{
    static const struct { column x, y; expected_fit fit; } cases[] = {
        { size_of, layers_of, { FIT_LOGISTIC_UNIT, { 9.076932626, 1.664974847 },
                                { 0.3221874, 1.0227196 }, 0.1453525827 } },
        { size_of, positions_of, { FIT_LOGISTIC_UNIT, { 9.723605946, 1.359586088 },
                                   { 0.50648546, 1.1717463 }, 0.1634488365 } },
        { perplexity_of, layers_of, { FIT_EXPONENTIAL, { 0.09189331957, 0.8738676455 },
                                      { 0.047110007, 0.17633339 }, 0.1319037114 } },
        { perplexity_of, count_of, { FIT_EXPONENTIAL, { 0.111011727, 6.591363722 },
                                     { 0.026000135, 0.62292085 }, 0.4493406466 } },
    };
    double x[PUBLISHED_MODELS], y[PUBLISHED_MODELS];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_fit(&cases[i].fit, table4(x, cases[i].x), table4(y, cases[i].y),
                  PUBLISHED_MODELS);
    static const double a[] = { 1, 2, 3, 4, 5, 6, 7, 8 };
    static const double b[] = { .3, .2, 1.1, 2.2, 4.1, 4.9, 5.6, 5.3 };
    static const expected_fit made_up = {
        FIT_LOGISTIC, { 4.240899127, 1.261307976, 5.530873737 },
        { 0.27479245, 0.36017061, 0.42828735 }, 0.2025536304,
    };
    check_fit(&made_up, a, b, 8);
}
END_TEST

/* --- synthetic data ----------------------------------------------------------------------- */

static double uniform(uint64_t *state)   /* xorshift*; in 0..1, never 0 */
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return ((double)(*state * 2685821657736338717u >> 11) + 1) / 9007199254740993.0;
}

static double normal(uint64_t *state)
{
    double radius = sqrt(-2 * log(uniform(state)));
    return radius * cos(2 * acos(-1.0) * uniform(state));
}

typedef struct {
    fit_form form;
    double   truth[3], noise, x_low, x_high, middle;
} world;

static const world worlds[] = {
    { FIT_LOGISTIC_UNIT, { 8.5, 2.5 }, 0.05, 7, 10, 8.2 },
    { FIT_LOGISTIC, { 8.5, 4, 30 }, 1.0, 7, 10, 8.2 },
    { FIT_EXPONENTIAL, { 0.05, 7 }, 0.3, 12, 60, 30 },
    { FIT_EXPONENTIAL, { -0.02, 3 }, 0.2, 12, 60, 30 },
};

static fit_result truth_of(const world *w)
{
    fit_result truth = { .form = w->form, .parameters = fit_form_parameters(w->form) };
    truth.origin = w->form == FIT_EXPONENTIAL ? w->x_low : 0;
    memcpy(truth.value, w->truth, sizeof truth.value);
    return truth;
}

static void draw(const world *w, double *x, double *y, size_t n, double noise, uint64_t *state)
{
    fit_result truth = truth_of(w);
    for (size_t i = 0; i < n; i++) {
        x[i] = w->x_low + (w->x_high - w->x_low) * (double)i / (double)(n - 1);
        y[i] = fit_at(&truth, x[i], NULL) + noise * normal(state);
    }
}

START_TEST(test_recovery)
{
    const world *w = &worlds[_i];
    uint64_t state = 7;
    double x[MOST], y[MOST];
    fit_result r;
    for (int k = 0; k < 2; k++) {
        double noise = k == 0 ? 0 : 0.001 * w->noise;
        draw(w, x, y, MOST, noise, &state);
        ck_assert_int_eq(fit_curve(&r, w->form, x, y, MOST), OSC_OK);
        ck_assert_str_eq(r.refused, "");
        for (size_t i = 0; i < r.parameters; i++)
            ck_assert_double_eq_tol(r.value[i], w->truth[i], (k == 0 ? 1e-6 : 2e-3)
                                                             * fabs(w->truth[i]));
        ck_assert_double_le(r.residual, 2 * noise + 1e-9);
    }
}
END_TEST

/* Of 300 draws about 95 % of the intervals and of the bands hold the truth; 90.7 % and
 * 98.7 % are three standard errors away, and intervals of a curve are only asymptotically
 * exact. */
START_TEST(test_coverage)
{
    enum { DRAWS = 300, POINTS = 12 };
    const world *w = &worlds[_i];
    const fit_result truth = truth_of(w);
    uint64_t state = 2026;
    size_t inside[3] = { 0 }, band = 0;
    for (int d = 0; d < DRAWS; d++) {
        double x[MOST], y[MOST], half;
        fit_result r;
        draw(w, x, y, POINTS, w->noise, &state);
        ck_assert_int_eq(fit_curve(&r, w->form, x, y, POINTS), OSC_OK);
        ck_assert_str_eq(r.refused, "");
        for (size_t i = 0; i < r.parameters; i++)
            inside[i] += r.low[i] <= w->truth[i] && w->truth[i] <= r.high[i];
        double at = fit_at(&r, w->middle, &half);
        band += fabs(at - fit_at(&truth, w->middle, NULL)) <= half;
    }
    for (size_t i = 0; i < truth.parameters; i++) {
        ck_assert_double_ge((double)inside[i] / DRAWS, 0.907);
        ck_assert_double_le((double)inside[i] / DRAWS, 0.987);
    }
    ck_assert_double_ge((double)band / DRAWS, 0.907);
    ck_assert_double_le((double)band / DRAWS, 0.987);
}
END_TEST

/* --- what the data cannot support ---------------------------------------------------------- */

START_TEST(test_fits_refused)
{
    static const struct {
        fit_form form;
        size_t   n;
        double   x[8], y[8];
        const char *why;
    } cases[] = {
        { FIT_LOGISTIC_UNIT, 0, { 0 }, { 0 }, "0 distinct x in 0 points; 2 parameters" },
        { FIT_LOGISTIC_UNIT, 1, { 1 }, { 1 }, "1 distinct x in 1 point; 2 parameters" },
        { FIT_EXPONENTIAL, 2, { 1, 2 }, { 1, 2 }, "2 distinct x in 2 points" },
        { FIT_LOGISTIC, 3, { 1, 2, 3 }, { 1, 3, 4 }, "3 parameters need at least 4" },
        /* checkpoints of one model: many points, few sizes */
        { FIT_LOGISTIC_UNIT, 5, { 6.4, 6.4, 6.4, 6.4, 6.9 }, { 0, 0, .1, .3, .7 }, "2 distinct" },
        { FIT_LOGISTIC_UNIT, 5, { 1, 2, 3, 4, 5 }, { 0, 0, 0, 0, 0 }, "all values of y are equal" },
        { FIT_EXPONENTIAL, 4, { 1, 2, 3, 4 }, { 7, 7, 7, 7 }, "all values of y are equal" },
        /* steps: any curve that is steep enough fits */
        { FIT_LOGISTIC_UNIT, 6, { 1, 2, 3, 4, 5, 6 }, { 0, 0, 0, 1, 1, 1 }, "steepness" },
        { FIT_LOGISTIC, 6, { 1, 2, 3, 4, 5, 6 }, { 0, 0, 0, 7, 7, 7 }, "" },
        { FIT_EXPONENTIAL, 5, { 1, 2, 3, 4, 5 }, { 9, 0, 0, 0, 0 }, "" },
        /* no plateau in sight */
        { FIT_LOGISTIC, 6, { 1, 2, 3, 4, 5, 6 }, { 1, 2, 4, 8, 16, 32 }, "" },
        { FIT_LOGISTIC, 8, { 1, 2, 3, 4, 5, 6, 7, 8 }, { 1, 2.1, 2.9, 4.4, 6.7, 9.3, 14.5, 20.2 },
          "no bend within the points" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fit_result r;
        ck_assert_int_eq(fit_curve(&r, cases[i].form, cases[i].x, cases[i].y, cases[i].n),
                         OSC_OK);
        ck_assert_msg(r.refused[0] != '\0', "case %zu was fitted", i);
        ck_assert_msg(strstr(r.refused, cases[i].why) != NULL, "case %zu: %s", i, r.refused);
    }
}
END_TEST

/* Noise has a curve, but one that shows nothing. */
START_TEST(test_shows_nothing)
{
    static const double x[] = { 7, 7.5, 8, 8.5, 9, 9.5, 10, 10.5 };
    static const double noise[] = { .5, .3, .6, .4, .5, .6, .3, .5 };
    static const double rise[] = { .05, .1, .15, .4, .6, .8, .85, .95 };
    fit_result r;
    for (int form = 0; form < FIT_FORM_COUNT; form++) {
        ck_assert_int_eq(fit_curve(&r, (fit_form)form, x, rise, 8), OSC_OK);
        ck_assert(r.refused[0] == '\0' && !fit_shows_nothing(&r));
        ck_assert_int_eq(fit_curve(&r, (fit_form)form, x, noise, 8), OSC_OK);
        ck_assert(r.refused[0] != '\0' || fit_shows_nothing(&r));
    }
}
END_TEST

START_TEST(test_out_of_memory)
{
    static const double x[] = { 1, 2, 3, 4, 5 }, y[] = { .1, .2, .5, .7, .9 };
    osc_status status = OSC_ENOMEM;
    for (size_t n = 1; status != OSC_OK; n++) {
        ranks_result r;
        fit_result f;
        osc_alloc_fail_from(n);
        status = ranks_spearman(&r, x, y, 5, 1);
        if (status == OSC_OK)
            status = fit_curve(&f, FIT_LOGISTIC_UNIT, x, y, 5);
        osc_alloc_fail_from(0);
        ck_assert(status == OSC_OK || status == OSC_ENOMEM);
    }
}
END_TEST

int main(void)
{
    enum { WORLDS = sizeof worlds / sizeof *worlds };
    Suite *suite = suite_create("statistics");
    TCase *ranks = tcase_create("ranks");
    tcase_add_test(ranks, test_exact);
    tcase_add_test(ranks, test_exact_table4);
    tcase_add_test(ranks, test_permutation);
    tcase_add_test(ranks, test_least_p);
    tcase_add_test(ranks, test_ranks_refused);
    suite_add_tcase(suite, ranks);
    TCase *fits = tcase_create("fits");
    tcase_set_timeout(fits, 60);
    tcase_add_test(fits, test_fits_table4);
    tcase_add_loop_test(fits, test_recovery, 0, WORLDS);
    tcase_add_loop_test(fits, test_coverage, 0, WORLDS);
    tcase_add_test(fits, test_fits_refused);
    tcase_add_test(fits, test_shows_nothing);
    tcase_add_test(fits, test_out_of_memory);
    suite_add_tcase(suite, fits);
    return run_suite(suite);
}

/* osc_session_score against osc_session_run, which computes every row, and against the
 * logits that a hook sees. */
#include <config.h>
#include "run.h"

#include <math.h>
#include <string.h>

#include "reference.h"

enum { SEQUENCES = 5 };

typedef struct {
    osc_corpus  *corpus;
    osc_model   *model;
    osc_session *session;
    int32_t     *targets;          /* [ids] */
    double      *nll;              /* [ids] of osc_session_run */
    bool        *largest;          /* [ids] whether the next id's logit is the largest */
    osc_score    score[SEQUENCES];
} fixture;

static osc_status see_logits(const osc_event *event, void *user)
{
    fixture *f = user;
    size_t at = f->corpus->offset[event->sequence];
    for (size_t t = 0; t + 1 < event->rows; t++) {
        const float *row = event->data + t * event->width;
        bool largest = true;
        for (size_t j = 0; j < event->width; j++)
            largest = largest && row[j] <= row[f->corpus->ids[at + t + 1]];
        f->largest[at + t] = largest;
    }
    return OSC_OK;
}

static void set_up(fixture *f, const char *scheme, size_t chunk, size_t threads)
{
    must(osc_corpus_read_tokens(&f->corpus, in_tests("data/text/sampled-16x256.tokens"),
                                SEQUENCES));
    size_t ids = f->corpus->offset[SEQUENCES];
    must(osc_model_open(&f->model, in_share("opt-mini-2m")));
    osc_session_options options = { .longest = f->corpus->longest, .scheme = scheme,
                                    .chunk = chunk, .threads = threads };
    must(osc_session_open(&f->session, f->model, &options));
    f->targets = osc_alloc(ids, sizeof *f->targets);
    f->nll = osc_alloc(ids, sizeof *f->nll);
    f->largest = osc_alloc(ids, sizeof *f->largest);
}

static void tear_down(fixture *f)
{
    osc_session_close(f->session);
    osc_model_close(f->model);
    osc_free(f->targets);
    osc_free(f->nll);
    osc_free(f->largest);
    osc_corpus_free(f->corpus);
}

static void run_all(fixture *f)
{
    osc_hooks *hooks;
    must(osc_hooks_create(&hooks, osc_model_config(f->model)->layers));
    must(osc_hooks_add(hooks, "logits", OSC_READ, see_logits, f));
    for (size_t i = 0; i < SEQUENCES; i++)
        must(osc_session_run(f->session, f->corpus, i, 1, hooks, f->nll + f->corpus->offset[i]));
    osc_hooks_free(hooks);
}

/* Which rows are scored: the end of each sequence, of different lengths; all; none;
 * alternating ones; and of a single one each. */
enum { WAYS = 5 };

static bool is_scored(int way, size_t sequence, size_t row, size_t rows)
{
    if (row + 1 >= rows)
        return false;
    switch (way) {
    case 0: return row + 2 + 7 * sequence >= rows;
    case 1: return true;
    case 2: return false;
    case 3: return row % 2 == sequence % 2 && sequence != 3;
    default: return row == 250 - 60 * sequence;
    }
}

static void choose(fixture *f, int way)
{
    for (size_t i = 0; i < SEQUENCES; i++)
        for (size_t t = f->corpus->offset[i]; t < f->corpus->offset[i + 1]; t++)
            f->targets[t] = is_scored(way, i, t - f->corpus->offset[i],
                                      f->corpus->offset[i + 1] - f->corpus->offset[i])
                          ? f->corpus->ids[t + 1] : -1;
}

static void check(const fixture *f, int way)
{
    for (size_t i = 0; i < SEQUENCES; i++) {
        double nll = 0.0;
        bool greedy = true;
        for (size_t t = f->corpus->offset[i]; t < f->corpus->offset[i + 1]; t++)
            if (f->targets[t] >= 0) {
                nll += f->nll[t + 1];
                greedy = greedy && f->largest[t];
            }
        ck_assert_msg(f->score[i].nll == nll, "way %d, sequence %zu: %.17g, %.17g", way, i,
                      f->score[i].nll, nll);
        ck_assert_int_eq(f->score[i].greedy, greedy);
    }
}

static void score(fixture *f, size_t step)
{
    for (size_t i = 0; i < SEQUENCES; i += step) {
        size_t count = SEQUENCES - i < step ? SEQUENCES - i : step;
        must(osc_session_score(f->session, f->corpus, i, count,
                               f->targets + f->corpus->offset[i], f->score + i));
    }
}

START_TEST(test_scores)
{
    static const struct { const char *scheme; size_t step, threads; } cases[] = {
        { "none", 5, 1 }, { "none", 2, 3 }, { "llm-int8", 3, 2 },
    };
    fixture f = { .corpus = NULL };
    bool some = false;
    set_up(&f, cases[_i].scheme, cases[_i].step, cases[_i].threads);
    run_all(&f);
    size_t before = osc_alloc_count();
    for (int way = 0; way < WAYS; way++) {
        choose(&f, way);
        score(&f, cases[_i].step);
        check(&f, way);
        for (size_t i = 0; i < SEQUENCES; i++)
            some |= f.score[i].greedy && f.score[i].nll > 0;
    }
    ck_assert(some);   /* a likeliest id is found to be one */
    ck_assert_uint_eq(osc_alloc_count(), before);
    tear_down(&f);
}
END_TEST

/* More, shorter sequences than osc_session_run takes are one chunk; but no more ids. */
START_TEST(test_limits)
{
    fixture f = { .corpus = NULL };
    set_up(&f, "none", 2, 1);
    choose(&f, 1);
    ck_assert_int_eq(osc_session_score(f.session, f.corpus, 0, 3, f.targets, f.score), OSC_EINVAL);
    ck_assert_int_eq(osc_session_score(f.session, f.corpus, 4, 2, f.targets, f.score), OSC_EINVAL);
    for (size_t i = 0; i < SEQUENCES; i++)   /* the same ids as 5 sequences of 100 */
        f.corpus->offset[i + 1] = 100 * (i + 1);
    f.corpus->longest = 100;
    choose(&f, 0);
    run_all(&f);
    score(&f, SEQUENCES);
    check(&f, 0);
    tear_down(&f);
}
END_TEST

/* The target need not be in the sequence. */
START_TEST(test_other_target)
{
    fixture f = { .corpus = NULL };
    osc_score a, b;
    set_up(&f, "none", 0, 1);
    size_t n = f.corpus->offset[1];
    for (size_t t = 0; t < n; t++)
        f.targets[t] = -1;
    f.targets[n - 1] = 17;
    must(osc_session_score(f.session, f.corpus, 0, 1, f.targets, &a));
    int32_t *ids = osc_alloc(n + 1, sizeof *ids);   /* the sequence and 17 behind it */
    memcpy(ids, f.corpus->ids, n * sizeof *ids);
    ids[n] = 17;
    f.targets[n - 1] = 17;
    osc_session_close(f.session);
    osc_session_options options = { .longest = n + 1, .threads = 1 };
    must(osc_session_open(&f.session, f.model, &options));
    size_t offset[] = { 0, n + 1 };
    osc_corpus longer = { .ids = ids, .offset = offset, .count = 1, .longest = n + 1 };
    must(osc_session_run(f.session, &longer, 0, 1, NULL, f.nll));
    ck_assert_double_eq_tol(a.nll, f.nll[n], 1e-9 * a.nll);
    f.corpus->ids[3] ^= 1;
    must(osc_session_score(f.session, f.corpus, 0, 1, f.targets, &b));
    ck_assert_double_ne(a.nll, b.nll);
    osc_free(ids);
    tear_down(&f);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("score");
    TCase *tc = tcase_create("score");
    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, test_scores, 0, 3);
    tcase_add_test(tc, test_limits);
    tcase_add_test(tc, test_other_target);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}

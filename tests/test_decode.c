/* Token-major runs behind a cache: the same logits as the layer-major run, whatever the
 * pieces in which a sequence comes, for every architecture and scheme; hooks; and what
 * decode.h promises besides. */
#include <config.h>
#include "run.h"

#include <math.h>
#include <string.h>

#include "files.h"
#include "osc.h"
#include "reference.h"

enum { LENGTH = 40 };

static const char *const models[] = {
    "data/models/opt-preln-s1", "data/models/opt-postln-proj-s1", "data/models/gpt2-s1",
    "data/models/gptj-s1", "data/models/bloom-6heads-s1", "data/models/llama-gqa-s1",
};
enum { MODELS = sizeof models / sizeof *models };

typedef struct {
    osc_model   *model;
    osc_session *session;
    size_t       vocabulary;
    int32_t      ids[LENGTH];
    size_t       offset[2];
    osc_corpus   corpus;
    float       *logits;     /* [LENGTH, V] of the layer-major run */
} fixture;

static osc_status keep_logits(const osc_event *event, void *user)
{
    memcpy(user, event->data, event->rows * event->width * sizeof(float));
    return OSC_OK;
}

static void open_model(fixture *f, const char *path)
{
    must(osc_model_open(&f->model, path));
    f->vocabulary = osc_model_config(f->model)->vocabulary;
    for (size_t i = 0; i < LENGTH; i++)
        f->ids[i] = (int32_t)((i * i * 7919 + i * 31 + 5) % f->vocabulary);
    f->offset[0] = 0;
    f->offset[1] = LENGTH;
    f->corpus = (osc_corpus){ .ids = f->ids, .offset = f->offset, .count = 1, .longest = LENGTH };
    f->logits = osc_alloc(LENGTH * f->vocabulary, sizeof *f->logits);
}

static osc_session *open_session(const fixture *f, const char *scheme, size_t threads)
{
    osc_session *session;
    osc_session_options options = { .scheme = scheme, .threads = threads, .longest = LENGTH,
                                    .cached = true };
    must(osc_session_open(&session, f->model, &options));
    return session;
}

/* Fills f->logits by one layer-major run; `hooks` may be NULL. */
static void run_whole(fixture *f, osc_session *session, osc_hooks *hooks)
{
    osc_hooks *own = NULL;
    if (hooks == NULL)
        must(osc_hooks_create(&own, osc_model_config(f->model)->layers));
    must(osc_hooks_add(hooks == NULL ? own : hooks, "logits", OSC_READ, keep_logits, f->logits));
    must(osc_session_run(session, &f->corpus, 0, 1, hooks == NULL ? own : hooks, NULL));
    osc_hooks_free(own);
}

static void set_up(fixture *f, const char *path, const char *scheme)
{
    open_model(f, path);
    f->session = open_session(f, scheme, 2);
    run_whole(f, f->session, NULL);
}

static void tear_down(fixture *f)
{
    osc_free(f->logits);
    osc_session_close(f->session);
    osc_model_close(f->model);
}

/* Largest distance of one row of logits, in units of the largest logit. */
static double distance(const float *a, const float *b, size_t n)
{
    double most = 0.0, scale = 0.0;
    for (size_t j = 0; j < n; j++) {
        most = fmax(most, fabs((double)a[j] - (double)b[j]));
        scale = fmax(scale, fabs((double)b[j]));
        if (isnan(a[j]))
            return INFINITY;
    }
    return most / scale;
}

/* Feeds the sequence in pieces, the last length again and again; the largest distance from
 * the layer-major run. */
static double feed(fixture *f, const size_t *pieces, const osc_hooks *hooks)
{
    double most = 0.0;
    const float *logits;
    osc_decode_begin(f->session, 0);
    for (size_t t = 0, i = 0; t < LENGTH;) {
        size_t n = LENGTH - t < pieces[i] ? LENGTH - t : pieces[i];
        must(osc_decode(f->session, f->ids + t, n, hooks, &logits));
        t += n;
        ck_assert_uint_eq(osc_decode_position(f->session), t);
        most = fmax(most, distance(logits, f->logits + (t - 1) * f->vocabulary, f->vocabulary));
        i += pieces[i + 1] != 0;
    }
    return most;
}

static const size_t pieces[][6] = { { 1, 0 }, { 12, 1, 0 }, { 5, 1, 1, 13, 8, 0 }, { LENGTH, 0 } };
enum { SPLITS = sizeof pieces / sizeof *pieces };

START_TEST(test_architectures)
{
    fixture f;
    set_up(&f, in_tests(models[_i]), "none");
    for (size_t s = 0; s < SPLITS; s++) {
        double most = feed(&f, pieces[s], NULL);
        ck_assert_msg(most < 1e-5, "split %zu: logits off by %g", s, most);
    }
    tear_down(&f);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("decode");
    TCase *tc = tcase_create("cache");
    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, test_architectures, 0, MODELS);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}

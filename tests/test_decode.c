/* Token-major runs behind a cache: the same logits as the layer-major run, whatever the
 * pieces in which a sequence comes, for every architecture and scheme; hooks; and what
 * decode.h promises besides. */
#include <config.h>
#include "run.h"

#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>

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

/* Trained models, whose attention scores reach 8e6, are further apart (docs/exactness.md). */
START_TEST(test_trained)
{
    static const char *const trained[] = { "opt-mini-2m", "opt-mini-8m" };
    fixture f;
    set_up(&f, in_share(trained[_i]), "none");
    for (size_t s = 0; s < SPLITS; s++) {
        double most = feed(&f, pieces[s], NULL);
        ck_assert_msg(most < 1e-3, "split %zu: logits off by %g", s, most);
        printf("# %s, split %zu: %g\n", trained[_i], s, most);
    }
    tear_down(&f);
}
END_TEST

/* --- schemes ----------------------------------------------------------------------- */

/* Codes of a row do not depend on the others: the same but where rounding tips a code over.
 * Schemes that look at all rows of a call at once are compared, a row a call, with the
 * one that looks at rows: of one row a scale of the whole is a scale of the row, and
 * none is removed below a threshold that no value reaches. */
static const struct { const char *scheme, *whole; bool by_row; } schemes[] = {
    { "none", "none", true },
    { "absmax-row", "absmax-row", true },
    { "absmax-vector", "absmax-vector", true },
    { "zeropoint-vector", "zeropoint-vector", true },
    { "q8-0", "q8-0", true },
    { "absmax-row-decomp:columns=%s", "absmax-row-decomp:columns=%s", true },
    { "llm-int8:columns=%s", "llm-int8:columns=%s", true },
    { "llm-int8:columns=%s,weights=int8", "llm-int8:columns=%s,weights=int8", true },
    { "llm-int8-zeropoint:columns=%s", "llm-int8-zeropoint:columns=%s", true },
    { "absmax", "absmax-row", false },
    { "llm-int8:threshold=1e9", "absmax-vector", false },
    { "llm-int8-zeropoint:threshold=1e9", "zeropoint-vector", false },
};

static void write_columns(void)
{
    folder_make();
    put_text("columns", "blocks.0.qkv_in: 3 17\nblocks.1.fc1_in: 5\nblocks.1.fc2_in: 0 9\n");
}

static const char *with_columns(const char *scheme)
{
    static char text[2][256];
    static unsigned turn;
    char *to = text[turn++ % 2];
    snprintf(to, sizeof text[0], scheme, in_folder("columns"));
    return to;
}

START_TEST(test_schemes)
{
    static const char *const some[] = { "data/models/opt-preln-s1", "data/models/llama-gqa-s1" };
    const char *scheme = with_columns(schemes[_i].scheme), *whole = with_columns(schemes[_i].whole);
    for (size_t m = 0; m < 2; m++) {
        fixture f;
        open_model(&f, in_tests(some[m]));
        osc_session *reference = open_session(&f, whole, 2);
        run_whole(&f, reference, NULL);
        osc_session_close(reference);
        f.session = open_session(&f, scheme, 2);
        for (size_t s = 0; s < (schemes[_i].by_row ? SPLITS : 1); s++) {
            double most = feed(&f, pieces[s], NULL);
            ck_assert_msg(most < (_i == 0 ? 1e-5 : 0.02), "%s, split %zu: logits off by %g",
                          scheme, s, most);
        }
        tear_down(&f);
    }
}
END_TEST

/* Whatever a call has in it: near the float logits. */
static const char *const looking_at_calls[] = {
    "absmax", "zeropoint", "absmax-row-decomp", "llm-int8", "llm-int8-zeropoint",
    "llm-int8:rule=topk,threshold=3", "llm-int8:rule=ratio,threshold=3,weights=int8",
};

START_TEST(test_schemes_of_calls)
{
    fixture f;
    set_up(&f, in_tests("data/models/opt-preln-s1"), "none");
    osc_session_close(f.session);
    f.session = open_session(&f, looking_at_calls[_i], 2);
    for (size_t s = 0; s < SPLITS; s++) {
        double most = feed(&f, pieces[s], NULL);
        ck_assert_msg(most < 0.15, "split %zu: logits off by %g", s, most);
    }
    tear_down(&f);
}
END_TEST

/* --- hooks ---------------------------------------------------------------------------- */

typedef struct {
    const fixture *f;
    size_t         calls;
    float         *scores;     /* [A, LENGTH, LENGTH] of the layer-major run; of block 1 */
    size_t         heads;
    bool           whole;
} watched;

/* Rows and positions of every event, and the patterns against those of the whole run. */
static osc_status watch(const osc_event *event, void *user)
{
    watched *w = user;
    size_t position = osc_decode_position(w->f->session), last = event->point >= OSC_AT_FINAL_NORM;
    w->calls++;
    if (w->whole) {
        if (event->point == OSC_AT_PATTERN && event->layer == 1)
            memcpy(w->scores, event->data, event->rows * event->width * sizeof(float));
        return event->first == 0 ? OSC_OK : OSC_STOP;
    }
    ck_assert_uint_eq(event->sequence, 3);
    if (last)
        ck_assert_uint_eq(event->rows, 1);
    else
        ck_assert_uint_eq(event->first, position);
    if (event->point != OSC_AT_PATTERN || event->layer != 1)
        return OSC_OK;
    size_t t = event->rows / w->heads;
    ck_assert_uint_eq(event->width, position + t);
    for (size_t i = 0; i < event->rows; i++)
        for (size_t j = 0; j < event->width; j++)
            ck_assert_float_eq_tol(event->data[i * event->width + j],
                                   w->scores[(i / t * LENGTH + position + i % t) * LENGTH + j],
                                   1e-5f);
    return OSC_OK;
}

START_TEST(test_positions)
{
    fixture f;
    set_up(&f, in_tests(models[_i]), "none");
    size_t layers = osc_model_config(f.model)->layers, heads = osc_model_config(f.model)->heads;
    watched w = { .f = &f, .heads = heads, .whole = true,
                  .scores = osc_alloc(heads * LENGTH * LENGTH, sizeof(float)) };
    osc_hooks *hooks;
    const float *logits;
    must(osc_hooks_create(&hooks, layers));
    must(osc_hooks_add(hooks, "*", OSC_READ, watch, &w));
    must(osc_session_run(f.session, &f.corpus, 0, 1, hooks, NULL));
    w.whole = false;
    osc_decode_begin(f.session, 3);
    for (size_t t = 0; t < LENGTH; t += t == 0 ? 11 : t == 11 ? 3 : 1) {
        w.calls = 0;
        must(osc_decode(f.session, f.ids + t, t == 0 ? 11 : t == 11 ? 3 : 1, hooks, &logits));
        ck_assert_uint_eq(w.calls, layers * 14 + 3);
    }
    ck_assert_uint_eq(osc_decode_position(f.session), LENGTH);
    osc_hooks_free(hooks);
    osc_free(w.scores);
    tear_down(&f);
}
END_TEST

static osc_status clear_some(const osc_event *event, void *user)
{
    (void)user;
    for (size_t t = 0; t < event->rows; t++)
        event->data[t * event->width + 3] = 0.0f;
    return OSC_OK;
}

/* A change of k and v lands in the cache. */
START_TEST(test_writing)
{
    static const char *const points[] = { "blocks.*.k", "blocks.1.v", "blocks.*.fc1_in" };
    fixture f;
    open_model(&f, in_tests("data/models/opt-preln-s1"));
    f.session = open_session(&f, "none", 2);
    osc_hooks *hooks;
    must(osc_hooks_create(&hooks, osc_model_config(f.model)->layers));
    must(osc_hooks_add(hooks, points[_i], OSC_WRITE, clear_some, NULL));
    run_whole(&f, f.session, hooks);
    osc_hooks_free(hooks);
    must(osc_hooks_create(&hooks, osc_model_config(f.model)->layers));
    must(osc_hooks_add(hooks, points[_i], OSC_WRITE, clear_some, NULL));
    ck_assert_double_lt(feed(&f, pieces[2], hooks), 1e-5);
    ck_assert_double_gt(feed(&f, pieces[2], NULL), 1e-4);
    osc_hooks_free(hooks);
    tear_down(&f);
}
END_TEST

static osc_status stop_at(const osc_event *event, void *user)
{
    return event->first >= *(size_t *)user ? OSC_STOP : OSC_OK;
}

/* After a stop the same ids can be fed again. */
START_TEST(test_stopping)
{
    fixture f;
    size_t at = 12;
    const float *logits;
    set_up(&f, in_tests("data/models/opt-preln-s1"), "none");
    osc_hooks *hooks;
    must(osc_hooks_create(&hooks, osc_model_config(f.model)->layers));
    must(osc_hooks_add(hooks, "blocks.1.resid_mid", OSC_READ, stop_at, &at));
    osc_decode_begin(f.session, 0);
    must(osc_decode(f.session, f.ids, 12, hooks, &logits));
    ck_assert_int_eq(osc_decode(f.session, f.ids + 12, 2, hooks, &logits), OSC_STOP);
    ck_assert_uint_eq(osc_decode_position(f.session), 12);
    must(osc_decode(f.session, f.ids + 12, 3, NULL, &logits));
    ck_assert_double_lt(distance(logits, f.logits + 14 * f.vocabulary, f.vocabulary), 1e-5);
    osc_hooks_free(hooks);
    tear_down(&f);
}
END_TEST

/* --- promises -------------------------------------------------------------------------- */

/* Steps of the sequence in this session, all logits one after another. */
static void all_logits(const fixture *f, osc_session *session, float *into)
{
    const float *logits;
    osc_decode_begin(session, 0);
    for (size_t t = 0; t < LENGTH;) {
        size_t n = t == 0 ? 9 : 1;
        must(osc_decode(session, f->ids + t, n, NULL, &logits));
        t += n;
        memcpy(into + (t - 1) * f->vocabulary, logits, f->vocabulary * sizeof *into);
    }
}

/* The same bits from any number of threads, and from a session that ran something else
 * before. */
START_TEST(test_same_bits)
{
    static const char *const some[] = { "none", "llm-int8:threshold=2", "q8-0", "zeropoint" };
    fixture f;
    open_model(&f, in_tests("data/models/llama-gqa-s1"));
    size_t bytes = LENGTH * f.vocabulary * sizeof(float);
    float *again = osc_alloc(bytes, 1);
    f.session = open_session(&f, some[_i], 1);
    all_logits(&f, f.session, f.logits);
    for (size_t threads = 2; threads <= 3; threads++) {
        osc_session *other = open_session(&f, some[_i], threads);
        osc_decode_begin(other, 1);
        const float *logits;
        must(osc_decode(other, f.ids + 5, 17, NULL, &logits));
        all_logits(&f, other, again);
        ck_assert_int_eq(memcmp(f.logits, again, bytes), 0);
        osc_session_close(other);
    }
    osc_free(again);
    tear_down(&f);
}
END_TEST

START_TEST(test_no_allocation)
{
    fixture f;
    const float *logits;
    set_up(&f, in_tests("data/models/gpt2-s1"), _i == 0 ? "none" : "llm-int8");
    osc_decode_begin(f.session, 0);
    must(osc_decode(f.session, f.ids, 9, NULL, &logits));
    osc_alloc_fail_from(1);
    for (size_t t = 9; t < LENGTH; t++)
        must(osc_decode(f.session, f.ids + t, 1, NULL, &logits));
    osc_decode_begin(f.session, 1);
    must(osc_decode(f.session, f.ids, 20, NULL, &logits));
    osc_alloc_fail_from(0);
    tear_down(&f);
}
END_TEST

static void copy(const char *name, const char *from)
{
    static char bytes[1 << 20];
    FILE *file = fopen(path_in(from, name), "rb");
    ck_assert_ptr_nonnull(file);
    size_t size = fread(bytes, 1, sizeof bytes, file);
    ck_assert(feof(file));
    fclose(file);
    put(name, bytes, size);
}

/* A checkpoint that is written to is found out by the steps that read it and at the end. */
START_TEST(test_changed_file)
{
    static const struct timespec then[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };
    const char *from = in_tests("data/models/opt-preln-s1");
    fixture f;
    const float *logits;
    folder_make();
    copy("config.json", from);
    copy("model.safetensors", from);
    set_up(&f, folder, "none");
    osc_decode_begin(f.session, 0);
    must(osc_decode(f.session, f.ids, 5, NULL, &logits));
    must(osc_decode_end(f.session));
    ck_assert_int_eq(utimensat(AT_FDCWD, in_folder("model.safetensors"), then, 0), 0);
    ck_assert_int_eq(osc_decode(f.session, f.ids + 5, 1, NULL, &logits), OSC_EIO);
    ck_assert_ptr_nonnull(strstr(osc_error(), "changed while it was in use"));
    ck_assert_int_eq(osc_decode_end(f.session), OSC_EIO);
    tear_down(&f);
    folder_remove();
}
END_TEST

START_TEST(test_refused)
{
    fixture f;
    const float *logits;
    set_up(&f, in_tests("data/models/opt-preln-s1"), "none");
    osc_decode_begin(f.session, 0);
    int32_t wrong[] = { 1, (int32_t)f.vocabulary };
    ck_assert_int_eq(osc_decode(f.session, wrong, 2, NULL, &logits), OSC_EINVAL);
    ck_assert_ptr_nonnull(strstr(osc_error(), "vocabulary"));
    ck_assert_int_eq(osc_decode(f.session, f.ids, 0, NULL, &logits), OSC_EINVAL);
    must(osc_decode(f.session, f.ids, LENGTH - 1, NULL, &logits));
    ck_assert_int_eq(osc_decode(f.session, f.ids, 2, NULL, &logits), OSC_EINVAL);
    ck_assert_ptr_nonnull(strstr(osc_error(), "2 ids behind 39"));

    osc_session *plain;
    osc_session_options options = { .longest = LENGTH };
    must(osc_session_open(&plain, f.model, &options));
    ck_assert_int_eq(osc_decode(plain, f.ids, 1, NULL, &logits), OSC_EINVAL);
    ck_assert_ptr_nonnull(strstr(osc_error(), "without a cache"));
    osc_session_close(plain);

    size_t layers = osc_model_config(f.model)->layers;
    osc_observer_options observes = { .alpha = 6.0f, .points = 1u << OSC_AT_QKV_IN };
    osc_observer_shape shape = osc_model_shape(f.model);
    osc_observer *observer;
    osc_hooks *hooks;
    must(osc_observer_create(&observer, &shape, &observes));
    must(osc_hooks_create(&hooks, layers));
    must(osc_hooks_observe(hooks, observer));
    ck_assert_int_eq(osc_decode(f.session, f.ids, 1, hooks, &logits), OSC_EUNSUP);
    osc_hooks_free(hooks);
    osc_observer_free(observer);
    tear_down(&f);
}
END_TEST

/* Every allocation of a cached session fails once: an error, no leak, no crash. */
START_TEST(test_out_of_memory)
{
    osc_model *model;
    osc_status status = OSC_ENOMEM;
    must(osc_model_open(&model, in_tests("data/models/gpt2-s1")));
    for (size_t n = 1; status != OSC_OK; n++) {
        osc_session *session = NULL;
        osc_session_options options = { .longest = LENGTH, .threads = 1, .cached = true };
        osc_alloc_fail_from(n);
        status = osc_session_open(&session, model, &options);
        osc_alloc_fail_from(0);
        ck_assert(status == OSC_OK || status == OSC_ENOMEM);
        osc_session_close(session);
    }
    osc_model_close(model);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("decode");
    TCase *tc = tcase_create("cache");
    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, test_architectures, 0, MODELS);
    tcase_add_loop_test(tc, test_trained, 0, 2);
    suite_add_tcase(suite, tc);
    tc = tcase_create("schemes");
    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, write_columns, folder_remove);
    tcase_add_loop_test(tc, test_schemes, 0, sizeof schemes / sizeof *schemes);
    tcase_add_loop_test(tc, test_schemes_of_calls, 0,
                        sizeof looking_at_calls / sizeof *looking_at_calls);
    suite_add_tcase(suite, tc);
    tc = tcase_create("hooks");
    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, test_positions, 0, MODELS);
    tcase_add_loop_test(tc, test_writing, 0, 3);
    tcase_add_test(tc, test_stopping);
    suite_add_tcase(suite, tc);
    tc = tcase_create("promises");
    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, test_same_bits, 0, 4);
    tcase_add_loop_test(tc, test_no_allocation, 0, 2);
    tcase_add_test(tc, test_changed_file);
    tcase_add_test(tc, test_refused);
    tcase_add_test(tc, test_out_of_memory);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}

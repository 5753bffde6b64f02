/* Which sequences share a pass: the CPU backend, which takes one at a time, as one that takes
 * more, and scores as of one at a time. */
#include <config.h>
#include "run.h"

#include <math.h>
#include <string.h>

#include "engine/session_state.h"
#include "reference.h"

enum { SEQUENCES = 14, LONGEST = 12, IDS = SEQUENCES * LONGEST, PASSES = 16 };

static size_t passes[PASSES], count;      /* sequences of each pass through block 0 */
static osc_status (*really_attend)(osc_device *device, void *o, const void *q, const void *k,
                                   const void *v, const osc_attention *args);

/* As many rows as there are, where rows are coded each for itself. */
static size_t enough(const osc_device *device, const osc_coding *coding, size_t width)
{
    (void)device;
    return coding->x != OSC_SHARE_TENSOR && coding->remove == OSC_REMOVE_NONE ? width << 10 : 0;
}

/* A sequence at a time, of `sequences`. */
static osc_status attend(osc_device *device, void *o, const void *q, const void *k, const void *v,
                         const osc_attention *args)
{
    osc_attention one = *args;
    size_t step = args->tokens * args->heads * args->head_size * sizeof(float);
    one.sequences = 1;
    if (count < PASSES)
        passes[count++] = args->sequences;
    for (size_t i = 0; i < args->sequences; i++)
        OSC_TRY(really_attend(device, (char *)o + i * step, (const char *)q + i * step,
                              (const char *)k + i * step, (const char *)v + i * step, &one));
    return OSC_OK;
}

typedef struct {
    osc_model   *model;
    osc_session *session;
    osc_backend  joining;
    int32_t      ids[IDS];
    size_t       offset[SEQUENCES + 1];
    osc_corpus   corpus;
    double       nll[IDS], apart[IDS];
} fixture;

static void open_fixture(fixture *f, const char *model, const char *scheme)
{
    static const size_t lengths[SEQUENCES] = { 4, 4, 4, 4, 3, 3, 12, 12, 1, 1, 1, 5, 4, 4 };
    osc_session_options options = { .backend = "cpu", .longest = LONGEST, .chunk = SEQUENCES,
                                    .threads = 1, .scheme = scheme };
    memset(f, 0, sizeof *f);
    must(osc_model_open(&f->model, in_tests(model)));
    must(osc_session_open(&f->session, f->model, &options));
    for (size_t i = 0; i < SEQUENCES; i++)
        f->offset[i + 1] = f->offset[i] + lengths[i];
    for (size_t i = 0; i < IDS; i++)
        f->ids[i] = (int32_t)(i * 37 % osc_model_config(f->model)->vocabulary);
    f->corpus = (osc_corpus){ .ids = f->ids, .offset = f->offset, .count = SEQUENCES,
                              .longest = LONGEST };
    must(osc_session_run(f->session, &f->corpus, 0, SEQUENCES, NULL, f->apart));
    f->joining = *f->session->backend;
    really_attend = f->joining.attention;
    f->joining.attention = attend;
    f->joining.together = enough;
    f->session->together = enough(NULL, &f->session->choice.coding, 1);
    f->session->backend = f->session->pass.backend = &f->joining;
    count = 0;
}

static void close_fixture(fixture *f)
{
    osc_session_close(f->session);
    osc_model_close(f->model);
}

/* The first passes are those of the first block. */
static void check_passes(const char *scheme, const size_t *want, size_t n)
{
    ck_assert(count >= n);
    for (size_t i = 0; i < n; i++)
        ck_assert_msg(passes[i] == want[i], "%s: pass %zu of %zu sequences, expected %zu", scheme,
                      i, passes[i], want[i]);
}

/* Up to as many rows as the longest sequence has, neighbours of one length. */
static const size_t together[] = { 3, 1, 2, 1, 1, 3, 1, 2 };
static const size_t alone[] = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 };
enum { TOGETHER = sizeof together / sizeof *together };

START_TEST(test_schemes)
{
    static const struct { const char *scheme; bool joins; } cases[] = {
        { "none", true }, { "absmax-row", true }, { "absmax-vector", true },
        { "zeropoint-vector", true }, { "q8-0", true }, { "absmax", false }, { "zeropoint", false },
        { "llm-int8", false }, { "absmax-row-decomp", false },
    };
    static fixture f;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        open_fixture(&f, "data/models/opt-preln-s1", cases[c].scheme);
        must(osc_session_run(f.session, &f.corpus, 0, SEQUENCES, NULL, f.nll));
        check_passes(cases[c].scheme, cases[c].joins ? together : alone,
                     cases[c].joins ? TOGETHER : SEQUENCES);
        for (size_t i = 0; i < f.offset[SEQUENCES]; i++)
            ck_assert_msg(fabs(f.nll[i] - f.apart[i]) <= 1e-4 * (1 + f.apart[i]),
                          "%s: id %zu costs %.9g, alone %.9g", cases[c].scheme, i, f.nll[i],
                          f.apart[i]);
        close_fixture(&f);
    }
}
END_TEST

/* Positions start again in every sequence. */
START_TEST(test_rotary)
{
    static fixture f;
    open_fixture(&f, "data/models/gptj-s1", "none");
    must(osc_session_run(f.session, &f.corpus, 0, SEQUENCES, NULL, f.nll));
    check_passes("gptj", together, TOGETHER);
    for (size_t i = 0; i < f.offset[SEQUENCES]; i++)
        ck_assert_double_eq_tol(f.nll[i], f.apart[i], 1e-4 * (1 + f.apart[i]));
    close_fixture(&f);
}
END_TEST

static osc_status look(const osc_event *event, void *user)
{
    size_t *rows = user;
    ck_assert(event->rows <= LONGEST);
    *rows += event->rows;
    return OSC_OK;
}

/* Tensor hooks see one sequence at a time. */
START_TEST(test_hooks)
{
    static fixture f;
    osc_hooks *hooks;
    size_t rows = 0;
    open_fixture(&f, "data/models/opt-preln-s1", "none");
    must(osc_hooks_create(&hooks, osc_model_config(f.model)->layers));
    must(osc_session_run(f.session, &f.corpus, 0, SEQUENCES, hooks, f.nll));
    check_passes("no hook", together, TOGETHER);
    count = 0;
    must(osc_hooks_add(hooks, "blocks.1.fc1_in", OSC_READ, look, &rows));
    must(osc_session_run(f.session, &f.corpus, 0, SEQUENCES, hooks, f.nll));
    check_passes("a hook", alone, SEQUENCES);
    ck_assert_uint_eq(rows, f.offset[SEQUENCES]);
    ck_assert_int_eq(memcmp(f.nll, f.apart, f.offset[SEQUENCES] * sizeof *f.nll), 0);
    osc_hooks_free(hooks);
    close_fixture(&f);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("joined");
    TCase *tc = tcase_create("joined");
    tcase_add_test(tc, test_schemes);
    tcase_add_test(tc, test_rotary);
    tcase_add_test(tc, test_hooks);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}

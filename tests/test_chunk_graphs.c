/* When chunks of a session run as graphs: a backend that counts what it is asked for, and does
 * work at once also where a graph is made of it. */
#include <config.h>
#include "run.h"

#include <string.h>

#include "engine/session_state.h"
#include "reference.h"

enum { SEQUENCES = 3, CHUNKS = 14, LONGEST = 8, IDS = CHUNKS * SEQUENCES * LONGEST };

static size_t begun, ended, ran, plain_rows, graph_rows;
static bool fail_begin;
static osc_status (*really_embed)(osc_device *device, void *y, const osc_tensor *table,
                                  const int32_t *ids, size_t rows);

static osc_status embed(osc_device *device, void *y, const osc_tensor *table, const int32_t *ids,
                        size_t rows)
{
    plain_rows += rows;
    return really_embed(device, y, table, ids, rows);
}

static osc_status embed_there(osc_device *device, void *y, const osc_tensor *table,
                              const int32_t *ids, size_t rows)
{
    graph_rows += rows;
    return really_embed(device, y, table, ids, rows);
}

static osc_status begin(osc_device *device)
{
    (void)device;
    begun++;
    return fail_begin ? osc_fail(OSC_EDEVICE, "no graphs today") : OSC_OK;
}

static osc_status end(osc_device *device, osc_graph **graph, bool wanted)
{
    (void)device;
    ended += wanted;
    *graph = (osc_graph *)&ended;
    return OSC_OK;
}

static osc_status run_graph(osc_device *device, osc_graph *graph)
{
    (void)device;
    ck_assert_ptr_eq(graph, &ended);
    ran++;
    return OSC_OK;
}

static void free_graph(osc_device *device, osc_graph *graph)
{
    (void)device;
    (void)graph;
}

/* --- a session on it ------------------------------------------------------------------ */

typedef struct {
    osc_model   *model;
    osc_session *session;
    osc_backend  counting;
    int32_t      ids[IDS];
    size_t       offset[CHUNKS * SEQUENCES + 1];
    osc_corpus   corpus;
    double       nll[IDS];
} fixture;

static void open_fixture(fixture *f, const size_t lengths[][SEQUENCES])
{
    osc_session_options options = { .backend = "cpu", .longest = LONGEST, .chunk = SEQUENCES,
                                    .threads = 1, .scheme = "absmax-vector" };
    memset(f, 0, sizeof *f);
    must(osc_model_open(&f->model, in_tests("data/models/opt-preln-s1")));
    must(osc_session_open(&f->session, f->model, &options));
    ck_assert_ptr_nonnull(f->session->resident);      /* or there are no graphs */
    f->counting = *f->session->backend;
    really_embed = f->counting.embed;
    f->counting.embed = embed;
    f->counting.embed_there = embed_there;
    f->counting.graph_begin = begin;
    f->counting.graph_end = end;
    f->counting.graph_run = run_graph;
    f->counting.graph_free = free_graph;
    f->session->backend = f->session->pass.backend = &f->counting;
    void *ids;
    must(osc_session_own(f->session, &ids, osc_session_rows(f->session), sizeof *f->ids,
                         &f->session->buffer_bytes));
    f->session->whole.ids = ids;
    memset(ids, 0, osc_session_rows(f->session) * sizeof *f->ids);
    for (size_t i = 0; i < CHUNKS * SEQUENCES; i++)
        f->offset[i + 1] = f->offset[i] + lengths[i / SEQUENCES][i % SEQUENCES];
    for (size_t i = 0; i < IDS; i++)
        f->ids[i] = (int32_t)(i * 37 % osc_model_config(f->model)->vocabulary);
    f->corpus = (osc_corpus){ .ids = f->ids, .offset = f->offset, .count = CHUNKS * SEQUENCES,
                              .longest = LONGEST };
    begun = ended = ran = plain_rows = graph_rows = 0;
    fail_begin = false;
}

static void close_fixture(fixture *f)
{
    osc_session_close(f->session);
    osc_model_close(f->model);
}

static osc_status run_chunk(fixture *f, size_t chunk, const osc_hooks *hooks)
{
    return osc_session_run(f->session, &f->corpus, chunk * SEQUENCES, SEQUENCES, hooks,
                           f->nll + f->offset[chunk * SEQUENCES]);
}

/* What becomes of each chunk: plain, plain with a graph made of it, or the graph. */
typedef enum { PLAIN, MADE, GRAPH } fate;

static const size_t lengths[CHUNKS][SEQUENCES] = {
    { 8, 8, 8 }, { 8, 8, 8 }, { 8, 8, 8 }, { 8, 8, 8 }, { 8, 7, 8 }, { 8, 8, 8 }, { 8, 8, 7 },
    { 7, 8, 8 }, { 7, 8, 8 }, { 8, 8, 8 }, { 7, 8, 8 }, { 7, 8, 8 }, { 7, 8, 8 }, { 8, 8, 8 },
};
static const fate fates[CHUNKS] = {
    PLAIN, PLAIN, MADE, GRAPH, PLAIN, GRAPH, PLAIN, PLAIN, PLAIN, GRAPH, PLAIN, PLAIN, MADE, PLAIN,
};

START_TEST(test_shapes)
{
    static fixture f;
    open_fixture(&f, lengths);
    for (size_t c = 0; c < CHUNKS; c++) {
        size_t made = ended, replayed = ran, rows = plain_rows, there = graph_rows;
        size_t first = f.offset[c * SEQUENCES], all = f.offset[(c + 1) * SEQUENCES] - first;
        must(run_chunk(&f, c, NULL));
        ck_assert_msg(ended - made == (fates[c] == MADE) && ran - replayed == (fates[c] == GRAPH)
                      && plain_rows - rows == (fates[c] != GRAPH ? all : 0)
                      && graph_rows - there == (fates[c] == MADE ? all : 0),
                      "chunk %zu: %zu made, %zu ran, %zu and %zu rows", c, ended - made,
                      ran - replayed, plain_rows - rows, graph_rows - there);
        if (fates[c] == GRAPH)
            ck_assert_int_eq(memcmp(f.session->whole.ids, f.ids + first, all * sizeof *f.ids), 0);
    }
    close_fixture(&f);
}
END_TEST

/* With hooks, though none are bound, every chunk is a plain one; and what ran before counts
 * for nothing. */
START_TEST(test_hooks)
{
    static fixture f;
    osc_hooks *hooks;
    open_fixture(&f, lengths);
    must(osc_hooks_create(&hooks, osc_model_config(f.model)->layers));
    for (size_t c = 0; c < 4; c++)
        must(run_chunk(&f, c, hooks));
    for (size_t c = 0; c < 2; c++)
        must(run_chunk(&f, c, NULL));
    ck_assert_uint_eq(begun, 0);
    must(run_chunk(&f, 2, NULL));
    ck_assert_uint_eq(begun, 1);
    must(run_chunk(&f, 3, hooks));
    ck_assert_uint_eq(ran, 0);
    must(run_chunk(&f, 3, NULL));
    ck_assert_uint_eq(ran, 1);
    osc_hooks_free(hooks);
    close_fixture(&f);
}
END_TEST

/* A graph that cannot be made is an error; the next chunks are plain ones again. */
START_TEST(test_failure)
{
    static fixture f;
    open_fixture(&f, lengths);
    must(run_chunk(&f, 0, NULL));
    must(run_chunk(&f, 1, NULL));
    fail_begin = true;
    ck_assert_int_eq(run_chunk(&f, 2, NULL), OSC_EDEVICE);
    fail_begin = false;
    for (size_t c = 0; c < 4; c++)
        must(run_chunk(&f, c, NULL));
    ck_assert_uint_eq(begun, 2);
    ck_assert_uint_eq(ran, 1);
    ck_assert_uint_eq(plain_rows, 6 * 24);
    close_fixture(&f);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("chunk graphs");
    TCase *tc = tcase_create("policy");
    tcase_add_test(tc, test_shapes);
    tcase_add_test(tc, test_hooks);
    tcase_add_test(tc, test_failure);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}

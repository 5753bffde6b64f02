/* Schemes: their options, files of fixed columns, and whole models under every scheme
 * against an independent implementation (tests/data/README.md). */
#include <config.h>
#include "run.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "coded_layer.h"
#include "near.h"
#include "quant/columns.h"
#include "reference.h"

/* --- options --------------------------------------------------------------------- */

static osc_scheme_choice parsed(const char *text)
{
    osc_scheme_choice choice;
    must(osc_scheme_parse(&choice, text));
    ck_assert_str_eq(choice.text, text);
    return choice;
}

START_TEST(test_options)
{
    osc_coding c = parsed("llm-int8").coding;
    ck_assert(c.x == OSC_SHARE_ROW && c.w == OSC_SHARE_ROW && !c.zeropoint && c.stored);
    ck_assert(c.remove == OSC_REMOVE_ABSOLUTE && c.threshold == 6.0f);
    c = parsed("llm-int8:threshold=0.5,weights=int8").coding;
    ck_assert(c.threshold == 0.5f && !c.stored);
    c = parsed("absmax-row-decomp:rule=ratio,threshold=20,columns=dynamic").coding;
    ck_assert(c.remove == OSC_REMOVE_RATIO && c.threshold == 20.0f && c.w == OSC_SHARE_TENSOR);
    c = parsed("llm-int8-zeropoint:threshold=7,rule=topk").coding;
    ck_assert(c.remove == OSC_REMOVE_TOP && c.top == 7 && c.zeropoint);
    c = parsed("zeropoint").coding;
    ck_assert(c.x == OSC_SHARE_TENSOR && c.zeropoint && c.remove == OSC_REMOVE_NONE);
    c = parsed("none").coding;
    ck_assert(c.x == OSC_SHARE_NONE && c.w == OSC_SHARE_NONE);
    ck_assert(isinf(parsed("llm-int8:threshold=inf").coding.threshold));
}
END_TEST

static const struct { const char *text, *message; } bad_options[] = {
    { "llm-int", "did you mean 'llm-int8'" },
    { "absmax:threshold=6", "no option 'threshold'" },
    { "llm-int8:treshold=6", "did you mean 'threshold'" },
    { "llm-int8:threshold=-1", "not a number from 0" },
    { "llm-int8:threshold=nan", "not a number" },
    { "llm-int8:rule=largest", "expected absolute, ratio or topk" },
    { "llm-int8:rule=topk,threshold=2.5", "not a whole number" },
    { "llm-int8:weights=fp8", "expected fp16 (as stored) or int8" },
    { "llm-int8:columns=/nonexistent/columns.txt", "/nonexistent/columns.txt" },
    { "llm-int8:columns=x,threshold=6", "would have no effect" },
};

START_TEST(test_bad_options)
{
    osc_scheme_choice choice;
    ck_assert_int_ne(osc_scheme_parse(&choice, bad_options[_i].text), OSC_OK);
    ck_assert_msg(strstr(osc_error(), bad_options[_i].message) != NULL, "%s: %s",
                  bad_options[_i].text, osc_error());
}
END_TEST

/* Every scheme in the table parses by its name and has what commands print. */
START_TEST(test_table)
{
    size_t count = 0;
    for (; osc_schemes[count] != NULL; count++) {
        ck_assert_ptr_eq(parsed(osc_schemes[count]->name).scheme, osc_schemes[count]);
        ck_assert_uint_gt(strlen(osc_schemes[count]->summary), 10);
    }
    ck_assert_uint_eq(count, 10);
}
END_TEST

/* --- fixed columns ------------------------------------------------------------------ */

static char columns_path[] = "columns-XXXXXX";

static void write_columns(const char *text)
{
    strcpy(columns_path, "columns-XXXXXX");
    int file = mkstemp(columns_path);
    ck_assert_int_ge(file, 0);
    ck_assert_int_eq((int)write(file, text, strlen(text)), (int)strlen(text));
    close(file);
}

static const struct { const char *text, *message; } bad_columns[] = {
    { "blocks.3.fc1: 3\n", ":1: expected" },
    { "\n# comment\nblocks.x.fc1_in: 3\n", ":3: expected" },
    { "blocks.3.fc1_in 3\n", ":1: expected" },
    { "blocks.3fc1_in: 3\n", ":1: expected" },
    { "blocks.99999999999999999999.fc1_in: 3\n", ":1: expected" },
    { "blocks.\nfc1_in: 3\n", ":1: expected" },
    { "blocks.3.fc1_in: 3 x\n", ":1: 'x' is not a column number" },
    { "blocks.3.fc1_in: 3,4\n", "is not a column number" },
    { "blocks.0.qkv_in: 99999999999999999999\n", "is not a column number" },
};

START_TEST(test_bad_columns)
{
    char text[64];
    osc_scheme_choice choice;
    write_columns(bad_columns[_i].text);
    snprintf(text, sizeof text, "llm-int8:columns=%s", columns_path);
    ck_assert_int_eq(osc_scheme_parse(&choice, text), OSC_EFORMAT);
    ck_assert_msg(strstr(osc_error(), bad_columns[_i].message) != NULL, "%s", osc_error());
    unlink(columns_path);
}
END_TEST

START_TEST(test_columns_of_a_layer)
{
    static const struct { const char *text, *message; } cases[] = {
        { "blocks.3.fc1_in: 5 64\n", ":1: column 64, but blocks.3.fc1_in has 64 columns" },
        { "blocks.3.fc1_in: 5 2 5\n", "column 5 is there twice" },
        { "blocks.3.fc1_in: 5\nblocks.3.fc1_in: 6\n", ":2: a second line" },
    };
    uint32_t *columns = NULL;
    size_t count = 9;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_columns(cases[i].text);
        must(osc_columns_check(columns_path));
        ck_assert_int_eq(osc_columns_read(&columns, &count, columns_path, 3, "fc1_in", 64),
                         OSC_EFORMAT);
        ck_assert_msg(strstr(osc_error(), cases[i].message) != NULL, "%s", osc_error());
        must(osc_columns_read(&columns, &count, columns_path, 2, "fc1_in", 64));
        ck_assert_uint_eq(count, 0);
        osc_free(columns);
        unlink(columns_path);
    }
}
END_TEST

/* The columns that the dynamic rule finds, given as fixed ones: the same bits.  Other
 * rows may then change the call without changing these. */
START_TEST(test_fixed_columns)
{
    enum { ROWS = 6, N = 70, K = 50 };
    static float x[ROWS * K], w[N * K], y[ROWS * N], other[ROWS * N];
    uint64_t state = 12;
    char text[64];
    random_fill(x, ROWS * K, 1.0f, &state);
    random_fill(w, N * K, 0.1f, &state);
    x[2 * K + 7] = 8.0f;
    x[4 * K + 31] = -9.0f;
    write_columns("# two of them\r\nblocks.3.qkv_in: 1\nblocks.3.fc1_in:\t31 7 # not sorted\n"
                  "blocks.30.fc1_in: 2");
    snprintf(text, sizeof text, "llm-int8:columns=%s", columns_path);
    coded_layer dynamic, fixed, fewer;
    layer_open(&dynamic, "llm-int8", w, OSC_F32, ROWS, N, K, 2);
    layer_open(&fixed, text, w, OSC_F32, ROWS, N, K, 2);
    layer_open(&fewer, text, w, OSC_F32, 1, N, K, 2);
    layer_apply(&dynamic, y, x, OSC_ACT_NONE);
    layer_apply(&fixed, other, x, OSC_ACT_NONE);
    ck_assert_int_eq(memcmp(y, other, sizeof y), 0);
    layer_apply(&fewer, other, x, OSC_ACT_NONE);        /* row 0 alone has no outlier */
    ck_assert_int_eq(memcmp(y, other, N * sizeof *y), 0);
    layer_close(&dynamic);
    layer_close(&fixed);
    layer_close(&fewer);
    unlink(columns_path);
}
END_TEST

/* --- whole models --------------------------------------------------------------------- */

static const struct { const char *scheme, *figure; double most; } perplexities[] = {
    { "absmax", "absmax", 0.04 },
    { "zeropoint", "zeropoint", 0.04 },
    { "absmax-row", "absmax_rowwise", 0.04 },
    { "absmax-vector", "absmax_vectorwise", 0.04 },
    { "zeropoint-vector", "zeropoint_vectorwise", 0.04 },
    { "absmax-row-decomp", "absmax_rowwise_decomp", 0.015 },
    { "llm-int8", "llm_int8_absmax", 0.015 },
    { "llm-int8:weights=int8", "llm_int8_absmax_w8", 0.015 },
    { "llm-int8-zeropoint", "llm_int8_zeropoint", 0.015 },
    { "q8-0", "q8_0_weights", 0.015 },
};

static double perplexity(const osc_model *model, const osc_corpus *corpus, const char *scheme,
                         size_t threads, size_t chunk, double *nll)
{
    osc_session *session;
    osc_session_options options = { .scheme = scheme, .longest = corpus->longest,
                                    .threads = threads, .chunk = chunk };
    must(osc_session_open(&session, model, &options));
    size_t step = osc_session_chunk(session), before = osc_alloc_count();
    for (size_t i = 0; i < corpus->count; i += step) {
        size_t count = corpus->count - i < step ? corpus->count - i : step;
        must(osc_session_run(session, corpus, i, count, NULL, nll + corpus->offset[i]));
    }
    ck_assert_uint_eq(osc_alloc_count(), before);   /* a run allocates nothing */
    osc_session_close(session);
    return osc_perplexity_of(corpus, corpus->count, nll).perplexity;
}

static void check_model(const char *path, const char *tokens, const char *figures)
{
    osc_model *model;
    osc_corpus *corpus;
    json_t *reference = read_json(figures);
    must(osc_model_open(&model, path));
    must(osc_corpus_read_tokens(&corpus, tokens, 0));
    double *nll = osc_alloc(corpus->offset[corpus->count], sizeof *nll);
    for (size_t i = 0; i < sizeof perplexities / sizeof *perplexities; i++) {
        double got = perplexity(model, corpus, perplexities[i].scheme, 2, 0, nll);
        double want = number(json_object_get(reference, "ppl_int8"), perplexities[i].figure);
        printf("# %s %s: %.4f, reference %.4f, %+.2f %%\n", osc_model_name(model),
               perplexities[i].scheme, got, want, 100.0 * (got / want - 1.0));
        ck_assert_msg(fabs(got / want - 1.0) <= perplexities[i].most, "%s: %.4f, reference %.4f",
                      perplexities[i].scheme, got, want);
    }
    osc_free(nll);
    osc_corpus_free(corpus);
    osc_model_close(model);
    json_decref(reference);
}

START_TEST(test_perplexity)
{
    char model[4096], tokens[4096];
    snprintf(model, sizeof model, "%s", in_share("opt-mini-2m"));
    snprintf(tokens, sizeof tokens, "%s", in_tests("data/text/sampled-16x256.tokens"));
    check_model(model, tokens, in_tests("data/reference/opt-mini-2m.json"));
}
END_TEST

static const struct { const char *model, *tokens, *figures; } shared_cases[] = {
    { "models/opt-mini-postln-2m", "reference/sampled/sampled-16x256.tokens",
      "reference/sampled/opt-mini-postln-2m.json" },
    { "models/opt-mini-2m", "reference/heldout-16x512.tokens",
      "reference/opt-mini-2m/reference.json" },
    { "models/opt-mini-postln-2m", "reference/heldout-16x512.tokens",
      "reference/opt-mini-postln-2m/reference.json" },
};

START_TEST(test_shared)
{
    char model[4096], tokens[4096], figures[4096];
    const char *path = in_shared(shared_cases[_i].model);
    if (path == NULL)
        return;
    snprintf(model, sizeof model, "%s", path);
    snprintf(tokens, sizeof tokens, "%s", in_shared(shared_cases[_i].tokens));
    snprintf(figures, sizeof figures, "%s", in_shared(shared_cases[_i].figures));
    check_model(model, tokens, figures);
}
END_TEST

/* Threads and chunks change nothing, whatever the scheme. */
START_TEST(test_same_bits)
{
    static const struct { size_t threads, chunk; } ways[] = { { 1, 0 }, { 2, 1 }, { 3, 3 } };
    osc_model *model;
    osc_corpus *corpus;
    must(osc_model_open(&model, in_share("opt-mini-2m")));
    must(osc_corpus_read_tokens(&corpus, in_tests("data/text/sampled-16x256.tokens"), 4));
    size_t count = corpus->offset[corpus->count];
    double *first = osc_alloc(count, sizeof *first), *nll = osc_alloc(count, sizeof *nll);
    for (size_t i = 0; osc_schemes[i] != NULL; i++) {
        perplexity(model, corpus, osc_schemes[i]->name, 4, 2, first);
        for (size_t w = 0; w < sizeof ways / sizeof *ways; w++) {
            perplexity(model, corpus, osc_schemes[i]->name, ways[w].threads, ways[w].chunk, nll);
            ck_assert_msg(memcmp(first, nll, count * sizeof *nll) == 0, "%s", osc_schemes[i]->name);
        }
    }
    osc_free(first);
    osc_free(nll);
    osc_corpus_free(corpus);
    osc_model_close(model);
}
END_TEST

/* --- memory ------------------------------------------------------------------------------ */

static size_t stored_bytes(const osc_model *model)
{
    size_t bytes = 0;
    for (size_t layer = 0; layer < osc_model_config(model)->layers; layer++)
        for (size_t slot = OSC_W_Q; slot <= OSC_W_FC2; slot++) {
            const osc_stored *w = osc_model_block(model, layer, (osc_block_slot)slot);
            if (w != NULL)
                bytes += osc_tensor_count(&w->tensor) * osc_dtype_size(w->tensor.dtype);
        }
    return bytes;
}

static double share_of_stored(const char *path, const char *scheme)
{
    osc_model *model;
    osc_session *session;
    osc_session_options options = { .scheme = scheme, .longest = 16 };
    must(osc_model_open(&model, path));
    must(osc_session_open(&session, model, &options));
    double share = (double)osc_session_linear_bytes(session) / (double)stored_bytes(model);
    ck_assert_uint_le(osc_session_linear_bytes(session), osc_session_weight_bytes(session));
    osc_session_close(session);
    osc_model_close(model);
    return share;
}

/* All blocks together in int8 take half of fp16; `none` holds one block in float32. */
START_TEST(test_memory)
{
    const char *path = in_shared("models/opt-mini-42m");
    char model[4096];
    snprintf(model, sizeof model, "%s", path != NULL ? path : in_share("opt-mini-8m"));
    double layers = path != NULL ? 12.0 : 8.0, most = path != NULL ? 0.51 : 0.53;
    for (size_t i = 1; osc_schemes[i] != NULL; i++) {
        double share = share_of_stored(model, osc_schemes[i]->name);
        double limit = strcmp(osc_schemes[i]->name, "q8-0") == 0 ? 34.0 / 64.0 : most;
        printf("# %s: %.4f of the stored bytes\n", osc_schemes[i]->name, share);
        ck_assert_msg(share > 0.5 && share <= limit, "%s: %g", osc_schemes[i]->name, share);
    }
    ck_assert_double_eq(share_of_stored(model, "none"), 2.0 / layers);
}
END_TEST

/* Every allocation of opening a session with resident weights fails once. */
START_TEST(test_out_of_memory)
{
    osc_model *model;
    must(osc_model_open(&model, in_tests("data/models/opt-preln-s1")));
    osc_status status = OSC_ENOMEM;
    for (size_t n = 1; status != OSC_OK; n++) {
        osc_session *session = NULL;
        osc_session_options options = { .longest = 16, .threads = 1, .scheme = "llm-int8" };
        osc_alloc_fail_from(n);
        status = osc_session_open(&session, model, &options);
        osc_alloc_fail_from(0);
        ck_assert_msg(status == OSC_OK || status == OSC_ENOMEM, "allocation %zu: %s", n,
                      osc_error());
        osc_session_close(session);
    }
    osc_model_close(model);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("quant");
    TCase *tc = tcase_create("options");
    tcase_add_test(tc, test_options);
    tcase_add_loop_test(tc, test_bad_options, 0, sizeof bad_options / sizeof *bad_options);
    tcase_add_test(tc, test_table);
    tcase_add_loop_test(tc, test_bad_columns, 0, sizeof bad_columns / sizeof *bad_columns);
    tcase_add_test(tc, test_columns_of_a_layer);
    tcase_add_test(tc, test_fixed_columns);
    suite_add_tcase(suite, tc);
    tc = tcase_create("models");
    tcase_set_timeout(tc, 300);
    tcase_add_test(tc, test_perplexity);
    tcase_add_loop_test(tc, test_shared, 0, sizeof shared_cases / sizeof *shared_cases);
    tcase_add_test(tc, test_same_bits);
    tcase_add_test(tc, test_memory);
    tcase_add_test(tc, test_out_of_memory);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}

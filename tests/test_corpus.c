#include <config.h>
#include "run.h"
#include "text.h"

#include "base/alloc.h"
#include "text/pyrandom.h"

static const int32_t BOS = 2;

/* --- windows --------------------------------------------------------------------------- */

static osc_corpus *make_ok(const osc_documents *documents, const osc_tokenizer *tokenizer,
                           osc_window_options options)
{
    osc_corpus *corpus = NULL;
    osc_status status = osc_corpus_make(&corpus, documents, tokenizer, &options);
    ck_assert_msg(status == OSC_OK, "%s", osc_error());
    ck_assert_uint_eq(corpus->offset[0], 0);
    return corpus;
}

static osc_corpus *tokens_ok(const char *path, size_t sequences)
{
    osc_corpus *corpus = NULL;
    osc_status status = osc_corpus_read_tokens(&corpus, path, sequences);
    ck_assert_msg(status == OSC_OK, "%s", osc_error());
    return corpus;
}

/* The first `b->count` sequences of `a` are those of `b`. */
static void check_same(const osc_corpus *a, const osc_corpus *b)
{
    ck_assert_uint_ge(a->count, b->count);
    ck_assert_mem_eq(a->offset, b->offset, (b->count + 1) * sizeof *b->offset);
    ck_assert_mem_eq(a->ids, b->ids, b->offset[b->count] * sizeof *b->ids);
}

START_TEST(test_sampled)
{
    osc_tokenizer *tokenizer = open_ok(in_share("opt-mini-8m"));
    osc_documents *documents = read_ok(in_share("sampled.txt"));
    osc_corpus *stream = tokens_ok(in_tests("data/text/stream.tokens"), 0);
    osc_corpus *windows = tokens_ok(in_tests("data/text/sampled-16x256.tokens"), 0);
    ck_assert_uint_eq(osc_documents_count(documents), 16);
    ck_assert_uint_eq(windows->count, 16);

    osc_corpus *all = make_ok(documents, tokenizer, (osc_window_options){
        .protocol = OSC_STREAM, .length = 100000, .bos = BOS });
    ck_assert_uint_eq(all->count, 1);
    ck_assert_int_eq(all->ids[0], BOS);
    ck_assert_uint_eq(all->offset[1], stream->tokens + 1);
    ck_assert_mem_eq(all->ids + 1, stream->ids, stream->tokens * sizeof *stream->ids);
    ck_assert_uint_eq(all->tokens, stream->tokens);
    ck_assert_uint_eq(all->documents, 16);
    ck_assert_str_eq(all->digest, osc_documents_digest(documents));
    osc_corpus_free(all);

    all = make_ok(documents, tokenizer, (osc_window_options){
        .protocol = OSC_STREAM, .length = 256, .bos = BOS });
    check_same(all, windows);
    ck_assert_uint_eq(all->count, 33);
    ck_assert_uint_eq(all->longest, 256);
    ck_assert_uint_eq(all->offset[33] - all->offset[32], 8183 - 32 * 255 + 1);
    osc_corpus *some = make_ok(documents, tokenizer, (osc_window_options){
        .protocol = OSC_STREAM, .length = 256, .bos = BOS, .sequences = 16 });
    check_same(some, windows);
    ck_assert_uint_eq(some->count, 16);
    ck_assert_uint_lt(some->tokens, 16 * 255 + 10);   /* no more than needed was tokenized */

    osc_corpus *starts = make_ok(documents, tokenizer, (osc_window_options){
        .protocol = OSC_DOCUMENTS, .length = 8, .bos = BOS });
    ck_assert_uint_eq(starts->offset[16], 16 * 8);
    ck_assert_uint_lt(starts->tokens, 16 * 8 + 40);

    osc_corpus *freed[] = { stream, windows, all, some, starts };
    for (size_t i = 0; i < 5; i++)
        osc_corpus_free(freed[i]);
    osc_documents_free(documents);
    osc_tokenizer_close(tokenizer);
}
END_TEST

/* The reference's windows are consecutive ones from somewhere in the stream. */
START_TEST(test_heldout)
{
    const char *text = in_shared("data/heldout-gutenberg.txt");
    const char *tokens = in_shared("reference/heldout-16x512.tokens");
    if (text == NULL || tokens == NULL)
        return;
    osc_tokenizer *tokenizer = open_ok(in_share("opt-mini-8m"));
    osc_documents *documents = read_ok(text);
    osc_corpus *expected = tokens_ok(tokens, 0);
    osc_corpus *stream = make_ok(documents, tokenizer, (osc_window_options){
        .protocol = OSC_STREAM, .length = SIZE_MAX, .bos = BOS });
    enum { NEW = 511, BYTES = NEW * sizeof(int32_t) };   /* ids after the bos of a window */
    size_t at = 0, end = stream->longest - 16 * NEW;
    while (at < end && memcmp(stream->ids + at, expected->ids + 1, BYTES) != 0)
        at++;
    ck_assert_uint_lt(at, end);
    for (size_t i = 0; i < 16; i++)
        ck_assert_mem_eq(stream->ids + at + i * NEW, expected->ids + expected->offset[i] + 1,
                         BYTES);
    osc_corpus_free(stream);
    osc_corpus_free(expected);
    osc_documents_free(documents);
    osc_tokenizer_close(tokenizer);
}
END_TEST

/* Sequences as "1 2|3 4". */
static void print_corpus(char *out, size_t room, const osc_corpus *corpus)
{
    size_t at = 0;
    out[0] = '\0';
    for (size_t i = 0; i < corpus->count; i++)
        for (size_t k = corpus->offset[i]; k < corpus->offset[i + 1]; k++)
            at += (size_t)snprintf(out + at, room - at, "%s%d", k > corpus->offset[i] ? " " :
                                   i > 0 ? "|" : "", (int)corpus->ids[k]);
}

/* The documents "abc", "de", "" and "f" under a vocabulary of the 256 bytes, where
 * a character is its own id. */
START_TEST(test_protocols)
{
    static const struct {
        osc_window_options options;
        const char *sequences;
        size_t tokens, longest;
    } cases[] = {
        { { OSC_STREAM, 4, 0, 1 }, "1 1 97 98|1 99 1 100|1 101 1 1|1 102", 10, 4 },
        { { OSC_STREAM, 6, 0, 1 }, "1 1 97 98 99 1|1 100 101 1 1 102", 10, 6 },
        { { OSC_STREAM, 2, 0, 1 }, "1 1|1 97|1 98|1 99|1 1|1 100|1 101|1 1|1 1|1 102", 10, 2 },
        { { OSC_STREAM, 6, 1, 1 }, "1 1 97 98 99 1", 5, 6 },
        { { OSC_STREAM, 5, 0, -1 }, "97 98 99 100 101", 6, 5 },
        { { OSC_STREAM, 4, 0, -1 }, "97 98 99 100|101 102", 6, 4 },
        { { OSC_STREAM, 99, 0, 1 }, "1 1 97 98 99 1 100 101 1 1 102", 10, 11 },
        { { OSC_STREAM, SIZE_MAX, SIZE_MAX, 1 }, "1 1 97 98 99 1 100 101 1 1 102", 10, 11 },
        { { OSC_GPTQ, 4, 0, 1 }, "1 97 98 99|10 10 100 101|10 10 10 10", 13, 4 },
        { { OSC_GPTQ, 5, 0, -1 }, "97 98 99 10 10|100 101 10 10 10", 12, 5 },
        { { OSC_GPTQ, 4, 2, 1 }, "1 97 98 99|10 10 100 101", 13, 4 },
        { { OSC_GPTQ, 13, 0, 1 }, "1 97 98 99 10 10 100 101 10 10 10 10 102", 13, 13 },
        { { OSC_DOCUMENTS, 3, 0, 1 }, "1 97 98|1 100 101|1 102", 10, 3 },
        { { OSC_DOCUMENTS, SIZE_MAX, 0, 1 }, "1 97 98 99|1 100 101|1 102", 10, 4 },
        { { OSC_DOCUMENTS, 9, 0, -1 }, "97 98 99|100 101", 6, 3 },
        { { OSC_DOCUMENTS, 9, 1, 1 }, "1 97 98 99", 4, 4 },
        { { OSC_PIECES, 2, 0, 1 }, "1 97|98 99|1 100|1 102", 10, 2 },
        { { OSC_PIECES, 3, 0, 1 }, "1 97 98|1 100 101|1 102", 10, 3 },
        { { OSC_PIECES, 2, 3, 1 }, "1 97|98 99|1 100", 7, 2 },
        { { OSC_PIECES, 9, 0, -1 }, "97 98 99|100 101", 6, 3 },
        { { OSC_C4_NEW, 3, 0, 1 }, "1 97 98|99 32 100|101 32 32", 10, 3 },
        { { OSC_C4_NEW, 4, 0, -1 }, "97 98 99 32|100 101 32 32", 9, 4 },
    };
    put_text("vocab.json", byte_vocab(-1, ""));
    put_text("merges.txt", "");
    put_text("a.jsonl", "{\"text\":\"abc\"}\n{\"text\":\"de\"}\n"
                        "{\"text\":\"\"}\n{\"text\":\"f\"}\n");
    osc_tokenizer *tokenizer = open_ok(folder);
    osc_documents *documents = read_ok(in_folder("a.jsonl"));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[256];
        osc_corpus *corpus = make_ok(documents, tokenizer, cases[i].options);
        print_corpus(text, sizeof text, corpus);
        ck_assert_str_eq(text, cases[i].sequences);
        ck_assert_uint_eq(corpus->tokens, cases[i].tokens);
        ck_assert_uint_eq(corpus->longest, cases[i].longest);
        ck_assert_uint_eq(corpus->length, cases[i].options.length);
        ck_assert_int_eq(corpus->bos, cases[i].options.bos);
        ck_assert_uint_eq(corpus->documents, 4);
        osc_corpus_free(corpus);
    }
    osc_documents_free(documents);
    osc_tokenizer_close(tokenizer);
}
END_TEST

/* Lines of white space are empty rows, others keep their newline; two newlines between
 * rows.  Of a .raw file `gptq` is the same. */
START_TEST(test_wikitext)
{
    static const char text[] = " \n = A = \n\u3000\x1f\n\nb\n<|endoftext|>\nc";
    static const char joined[] = "\n\n = A = \n\n\n\n\n\n\nb\n\n\n<|endoftext|>\n\n\nc";
    static const struct { const char *name; osc_protocol protocol; } cases[] = {
        { "a.txt", OSC_WIKITEXT2 }, { "a.raw", OSC_WIKITEXT2 }, { "a.raw", OSC_GPTQ },
    };
    put_text("vocab.json", byte_vocab(-1, ""));
    put_text("merges.txt", "");
    osc_tokenizer *tokenizer = open_ok(folder);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        put_text(cases[i].name, text);
        osc_documents *documents = read_ok(in_folder(cases[i].name));
        osc_corpus *corpus = make_ok(documents, tokenizer, (osc_window_options){
            .protocol = cases[i].protocol, .length = sizeof joined, .bos = 7 });
        ck_assert_uint_eq(corpus->tokens, sizeof joined);
        ck_assert_int_eq(corpus->ids[0], 7);
        for (size_t k = 1; k < sizeof joined; k++)
            ck_assert_int_eq(corpus->ids[k], joined[k - 1]);
        osc_corpus_free(corpus);
        osc_documents_free(documents);
    }
    osc_tokenizer_close(tokenizer);
}
END_TEST

/* The figures of the published text: GPT-2's ids and windows of WikiText-2. */
START_TEST(test_wikitext_shared)
{
    const char *text = in_shared("data/wikitext2/wiki.test.raw");
    const char *directory = in_shared("tokenizers/gpt2");
    if (text == NULL || directory == NULL)
        return;
    osc_tokenizer *tokenizer = open_ok(directory);
    osc_documents *documents = read_ok(text);
    osc_corpus *corpus = make_ok(documents, tokenizer, (osc_window_options){
        .protocol = OSC_GPTQ, .length = 2048, .bos = -1 });
    ck_assert_uint_eq(corpus->tokens, 287644);
    ck_assert_uint_eq(corpus->count, 140);
    osc_corpus_free(corpus);
    osc_documents_free(documents);
    osc_tokenizer_close(tokenizer);
}
END_TEST

/* Figures of CPython 3.11: after random.seed(0), getrandbits(32) and randint(0, 45575). */
START_TEST(test_python_random)
{
    static const uint32_t bits[] = { 3626764237u, 1654615998u, 3255389356u };
    static const uint32_t draws[] = { 25247, 27562, 2653, 16968, 33506, 31845 };
    osc_pyrandom random;
    osc_pyrandom_seed(&random, 0);
    for (size_t i = 0; i < sizeof bits / sizeof *bits; i++)
        ck_assert_uint_eq(osc_pyrandom_next(&random), bits[i]);
    osc_pyrandom_seed(&random, 0);
    for (size_t i = 0; i < sizeof draws / sizeof *draws; i++)
        ck_assert_uint_eq(osc_pyrandom_below(&random, 45576), draws[i]);
    for (int i = 0; i < 100; i++)
        ck_assert_uint_eq(osc_pyrandom_below(&random, 1), 0);
}
END_TEST

/* Windows of "abcdefgh", "xyz" and "ijklmnopqr" as these lines of Python draw them:
 * random.seed(0); i = random.randint(0, 2), again while len(docs[i]) < 5;
 * s = random.randint(0, len(docs[i]) - 5 - 1); docs[i][s:s + 5] */
START_TEST(test_c4_draws)
{
    static const char *const windows[] = {
        "bcdef", "lmnop", "jklmn", "jklmn", "abcde", "klmno", "mnopq", "bcdef", "cdefg",
        "cdefg", "ijklm", "jklmn", "lmnop", "klmno", "cdefg", "abcde",
    };
    put_text("vocab.json", byte_vocab(-1, ""));
    put_text("merges.txt", "");
    put_text("a.jsonl", "{\"text\":\"abcdefgh\"}\n{\"text\":\"xyz\"}\n"
                        "{\"text\":\"ijklmnopqr\"}\n");
    osc_tokenizer *tokenizer = open_ok(folder);
    osc_documents *documents = read_ok(in_folder("a.jsonl"));
    osc_corpus *corpus = make_ok(documents, tokenizer, (osc_window_options){
        .protocol = OSC_C4, .length = 5, .bos = -1 });
    ck_assert_uint_eq(corpus->count, 256);
    for (size_t i = 0; i < sizeof windows / sizeof *windows; i++)
        for (size_t k = 0; k < 5; k++)
            ck_assert_int_eq(corpus->ids[corpus->offset[i] + k], windows[i][k]);
    osc_corpus_free(corpus);
    osc_documents_free(documents);
    osc_tokenizer_close(tokenizer);
}
END_TEST

START_TEST(test_refusals)
{
    static const struct {
        osc_window_options options;
        osc_status         status;
        const char        *says;
    } cases[] = {
        { { OSC_GPTQ, 500, 0, 2 }, OSC_EFORMAT,
          "too short: it gives 2 ids, one sequence of protocol 'gptq' needs 500" },
        { { OSC_STREAM, 500, 0, -1 }, OSC_EFORMAT, "too short: it gives 1 ids" },
        { { OSC_DOCUMENTS, 500, 0, -1 }, OSC_EFORMAT, "too short: it gives 1 ids" },
        { { OSC_STREAM, 1, 0, 2 }, OSC_EINVAL, "sequence length 1" },
        { { OSC_STREAM, 0, 0, 2 }, OSC_EINVAL, "sequence length 0" },
        { { OSC_STREAM, 8, 0, -2 }, OSC_EINVAL, "bos -2" },
        { { OSC_TOKENS, 8, 0, 2 }, OSC_EINVAL, "'tokens'" },
        { { OSC_PIECES, 8, 0, -1 }, OSC_EFORMAT, "too short: it gives 1 ids" },
        { { OSC_C4_NEW, 8, 0, 2 }, OSC_EFORMAT, "one sequence of protocol 'c4-new' needs 8" },
        { { OSC_C4, 8, 0, 2 }, OSC_EFORMAT, "none of the text's 1 documents has 8 ids" },
        { { OSC_C4, 2, 0, 2 }, OSC_EFORMAT, "document 1 has exactly 2 ids" },
    };
    put_text("a.txt", "a");
    osc_tokenizer *tokenizer = open_ok(in_share("opt-mini-8m"));
    osc_documents *documents = read_ok(in_folder("a.txt"));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        osc_corpus *corpus = NULL;
        ck_assert_int_eq(osc_corpus_make(&corpus, documents, tokenizer, &cases[i].options),
                         cases[i].status);
        ck_assert_msg(strstr(osc_error(), cases[i].says) != NULL, "\"%s\"", osc_error());
        ck_assert_ptr_null(corpus);
    }
    osc_documents_free(documents);
    osc_tokenizer_close(tokenizer);
}
END_TEST

START_TEST(test_protocol_names)
{
    for (int i = 0; i < OSC_PROTOCOL_COUNT; i++) {
        osc_protocol parsed = OSC_PROTOCOL_COUNT;
        ck_assert_int_eq(osc_protocol_parse(&parsed, osc_protocol_name((osc_protocol)i)), OSC_OK);
        ck_assert_int_eq(parsed, i);
        ck_assert_uint_gt(strlen(osc_protocol_summary((osc_protocol)i)), 20);
    }
    osc_protocol unchanged = OSC_GPTQ;
    ck_assert_int_eq(osc_protocol_parse(&unchanged, "steam"), OSC_EINVAL);
    ck_assert_ptr_nonnull(strstr(osc_error(), "did you mean 'stream'"));
    ck_assert_int_eq(osc_protocol_parse(&unchanged, "nonsense-entirely"), OSC_EINVAL);
    ck_assert_ptr_nonnull(strstr(osc_error(), "known are stream, gptq, wikitext2, c4, c4-new, documents, "
                                          "pieces and tokens"));
    ck_assert_int_eq(unchanged, OSC_GPTQ);
}
END_TEST

/* --- token files ------------------------------------------------------------------------ */

START_TEST(test_token_file)
{
    static const struct {
        const char *text;
        size_t      most;
        const char *sequences;
        size_t      longest;
    } cases[] = {
        { "1 2 3\n4 5\n", 0, "1 2 3|4 5", 3 }, { "1 2 3\n4 5", 1, "1 2 3", 3 },
        { "\n \n1\t2  3 \r\n\r\n4 5 6 7\n", 0, "1 2 3|4 5 6 7", 4 },
        { "0 2147483647 007\n", 9, "0 2147483647 7", 3 }, { "7\n", 0, "7", 1 },
        { "1 2\nnot read\n", 1, "1 2", 2 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[256];
        put_text("a.tokens", cases[i].text);
        osc_corpus *corpus = tokens_ok(in_folder("a.tokens"), cases[i].most);
        print_corpus(text, sizeof text, corpus);
        ck_assert_str_eq(text, cases[i].sequences);
        ck_assert_uint_eq(corpus->longest, cases[i].longest);
        ck_assert_uint_eq(corpus->length, cases[i].longest);
        ck_assert_uint_eq(corpus->documents, 0);
        ck_assert_int_eq(corpus->bos, -1);
        ck_assert_int_eq(corpus->protocol, OSC_TOKENS);
        osc_corpus_free(corpus);
    }
    static const struct { const char *text, *says; } bad[] = {
        { "", "a.tokens: has no token ids" }, { "\n \n", "a.tokens: has no token ids" },
        { "1 2\n3 x\n", "a.tokens: line 2: column 3: expected token ids" },
        { "1,2\n", "line 1: column 1" }, { "-1 2\n", "line 1: column 1" },
        { "1 2.0\n", "column 3" }, { "2147483648\n", "column 1" }, { "+1", "column 1" },
        { "1 99999999999999999999999\n", "column 3" },
    };
    osc_corpus *corpus = NULL;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        put_text("a.tokens", bad[i].text);
        ck_assert_int_eq(osc_corpus_read_tokens(&corpus, in_folder("a.tokens"), 0), OSC_EFORMAT);
        ck_assert_msg(strstr(osc_error(), bad[i].says) != NULL, "\"%s\"", osc_error());
    }
    put("a.tokens", "1 2\0003\n", 6);
    ck_assert_int_eq(osc_corpus_read_tokens(&corpus, in_folder("a.tokens"), 0), OSC_EFORMAT);
    ck_assert_int_eq(osc_corpus_read_tokens(&corpus, in_folder("absent"), 0), OSC_ENOTFOUND);
    ck_assert_ptr_null(corpus);
}
END_TEST

START_TEST(test_check)
{
    put_text("a.tokens", "1 2 3\n4 5\n");
    osc_corpus *corpus = tokens_ok(in_folder("a.tokens"), 0);
    ck_assert_int_eq(osc_corpus_check(corpus, 6, 3), OSC_OK);
    ck_assert_int_eq(osc_corpus_check(corpus, 5, 3), OSC_EVALUE);
    ck_assert_ptr_nonnull(strstr(osc_error(), "sequence 2, position 1: id 5 is outside the "
                                              "vocabulary of 5"));
    ck_assert_int_eq(osc_corpus_check(corpus, 6, 2), OSC_EVALUE);
    ck_assert_ptr_nonnull(strstr(osc_error(), "sequence 1 has 3 ids, the model takes 2 to 2"));
    corpus->ids[1] = -1;
    ck_assert_int_eq(osc_corpus_check(corpus, 6, 3), OSC_EVALUE);
    osc_corpus_free(corpus);
    put_text("a.tokens", "1 2 3\n4\n");
    corpus = tokens_ok(in_folder("a.tokens"), 0);
    ck_assert_int_eq(osc_corpus_check(corpus, 6, 3), OSC_EVALUE);
    ck_assert_ptr_nonnull(strstr(osc_error(), "sequence 2 has 1 ids"));
    osc_corpus_free(corpus);
}
END_TEST

/* --- running out of memory --------------------------------------------------------------- */

static osc_status make_one(const osc_documents *documents, const osc_tokenizer *tokenizer,
                           osc_protocol protocol)
{
    osc_corpus *corpus = NULL;
    osc_window_options options = { .protocol = protocol, .length = 4, .bos = BOS };
    osc_status status = protocol == OSC_TOKENS
        ? osc_corpus_read_tokens(&corpus, in_folder("a.tokens"), 0)
        : osc_corpus_make(&corpus, documents, tokenizer, &options);
    ck_assert_int_eq(status == OSC_OK, corpus != NULL);
    osc_corpus_free(corpus);
    return status;
}

START_TEST(test_out_of_memory)
{
    put_text("a.txt", "one two three \u00e9\n<|endoftext|>\nfour five six seven eight\n");
    put_text("a.tokens", "1 2 3\n4 5\n");
    osc_tokenizer *tokenizer = open_ok(in_share("opt-mini-8m"));
    osc_documents *documents = read_ok(in_folder("a.txt"));
    for (int protocol = 0; protocol < OSC_PROTOCOL_COUNT; protocol++) {
        size_t n = 0;
        osc_status status;
        do {
            osc_alloc_fail_from(++n);
            status = make_one(documents, tokenizer, (osc_protocol)protocol);
            osc_alloc_fail_from(0);
            ck_assert(status == OSC_OK || status == OSC_ENOMEM);
        } while (status != OSC_OK);
        ck_assert_uint_gt(n, 3);
    }
    osc_documents_free(documents);
    osc_tokenizer_close(tokenizer);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("corpus");
    TCase *tc = tcase_create("corpus");
    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, folder_make, folder_remove);
    tcase_add_test(tc, test_sampled);
    tcase_add_test(tc, test_heldout);
    tcase_add_test(tc, test_protocols);
    tcase_add_test(tc, test_wikitext);
    tcase_add_test(tc, test_wikitext_shared);
    tcase_add_test(tc, test_python_random);
    tcase_add_test(tc, test_c4_draws);
    tcase_add_test(tc, test_refusals);
    tcase_add_test(tc, test_protocol_names);
    tcase_add_test(tc, test_token_file);
    tcase_add_test(tc, test_check);
    tcase_add_test(tc, test_out_of_memory);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}

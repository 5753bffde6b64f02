#include <config.h>
#include "run.h"
#include "text.h"

#include "base/alloc.h"

/* Opening the test's folder gives `status` with a message that contains `says`. */
static void check_open(osc_status status, const char *says, const char *what)
{
    osc_tokenizer *tokenizer = NULL;
    osc_status got = osc_tokenizer_open(&tokenizer, folder);
    ck_assert_msg(got == status, "%s: %s, expected %s: %s", what, osc_status_name(got),
                  osc_status_name(status), osc_error());
    if (status == OSC_OK)
        osc_tokenizer_close(tokenizer);
    else
        ck_assert_msg(strstr(osc_error(), says) != NULL, "%s: \"%s\" lacks \"%s\"", what,
                      osc_error(), says);
}

/* --- files ------------------------------------------------------------------------------ */

START_TEST(test_vocab_files)
{
    static const struct {
        const char *more, *merges;
        osc_status  status;
        const char *says;
    } cases[] = {
        { "", "", OSC_OK, "" },
        { ",\"ab\":256", "#version: 0.2\na b\n", OSC_OK, "" },
        { ",\"ab\":256", "#version: 0.2\r\na b\r\n", OSC_OK, "" },
        { ",\"ab\":256", "a b", OSC_OK, "" },
        { ",\"ab\":256", "a b\n\n", OSC_OK, "" },
        { ",\"ab\":256", "a b\na b\n", OSC_OK, "" },
        { ",\"##\":256", "#version: 0.2\n# #\n", OSC_OK, "" },
        { ",\"ab\":1027,\"\u65e5\":300,\"\":400,\"\\u0120\\u0120\":401",
          "a b\n\u0120 \u0120\n", OSC_OK, "" },
        { ",\"ab\":255", "", OSC_EFORMAT, "have the same id 255" },
        { ",\"a\":256", "", OSC_EFORMAT, "vocab.json: not valid JSON: line 1" },
        { ",\"ab\":-1", "", OSC_EFORMAT, "vocab.json: token \"ab\": its id is not" },
        { ",\"ab\":2147483648", "", OSC_EFORMAT, "token \"ab\": its id is not" },
        { ",\"ab\":99999999999999999999", "", OSC_EFORMAT, "vocab.json" },
        { ",\"ab\":256.0", "", OSC_EFORMAT, "token \"ab\": its id is not" },
        { ",\"ab\":\"256\"", "", OSC_EFORMAT, "token \"ab\": its id is not" },
        { ",\"ab\":{}", "", OSC_EFORMAT, "token \"ab\": its id is not" },
        { ",\"ab\":2147483647", "", OSC_EFORMAT, "absurd for a vocabulary of 257" },
        { ",\"ab\":1028", "", OSC_EFORMAT, "absurd for a vocabulary of 257" },
        { ",\"a\\u0000b\":256", "", OSC_EFORMAT, "vocab.json" },
        { ",\"\xff\":256", "", OSC_EFORMAT, "vocab.json" },
        { ",\"ab\":256", "#version: 0.2\na b\na c\n", OSC_EFORMAT,
          "merges.txt: line 3: the merged token \"ac\" is not in the vocabulary" },
        { ",\"ab\":256", "a b\nzz b\n", OSC_EFORMAT, "line 2: the left token \"zz\"" },
        { ",\"ab\":256", "a zz\n", OSC_EFORMAT, "line 1: the right token \"zz\"" },
        { ",\"ab\":256", "a  b\n", OSC_EFORMAT, "line 1: expected two tokens" },
        { ",\"ab\":256", "a b c\n", OSC_EFORMAT, "line 1: expected two tokens" },
        { ",\"ab\":256", "ab\n", OSC_EFORMAT, "line 1: expected two tokens" },
        { ",\"ab\":256,\"\":257", "a b\n b\n", OSC_EFORMAT, "line 2: expected two tokens" },
        { ",\"ab\":256,\"\":257", "a b\na \n", OSC_EFORMAT, "line 2: expected two tokens" },
        { ",\"ab\":256", "a b\n\na b\n", OSC_EFORMAT, "line 2: expected two tokens" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        put_text("vocab.json", byte_vocab(-1, cases[i].more));
        put_text("merges.txt", cases[i].merges);
        check_open(cases[i].status, cases[i].says, cases[i].more);
    }
    put_text("vocab.json", byte_vocab(0xad, ""));
    check_open(OSC_EFORMAT, "for byte 0xad", "a byte is missing");
    put("merges.txt", "a b\0c\n", 6);
    check_open(OSC_EFORMAT, "", "NUL");
}
END_TEST

START_TEST(test_gaps_and_merges)
{
    size_t size;
    put_text("vocab.json", byte_vocab(-1, ",\"ab\":300,\"abc\":700,\"\u65e5\":299"));
    put_text("merges.txt", "#version: 0.2\r\na b\r\nab c\r\n");
    osc_tokenizer *tokenizer = open_ok(folder);
    ck_assert_uint_eq(osc_tokenizer_size(tokenizer), 701);
    ck_assert_ptr_null(osc_tokenizer_piece(tokenizer, 298, &size));
    ck_assert_mem_eq(osc_tokenizer_piece(tokenizer, 299, &size), "\u65e5", 3);
    ck_assert_uint_eq(size, 3);
    osc_ids ids = encode_ok(tokenizer, "abcab", 5);
    ck_assert_uint_eq(ids.count, 2);
    ck_assert_int_eq(ids.id[0], 700);
    ck_assert_int_eq(ids.id[1], 300);
    osc_ids_clear(&ids);
    osc_tokenizer_close(tokenizer);
}
END_TEST

START_TEST(test_broken_files)
{
    static const char *const broken[] = {
        "", "{", "[]", "null", "{}", "\"x\"", "{\"a\":0", "{\"a\":0} {}",
    };
    put_text("merges.txt", "");
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        put_text("vocab.json", broken[i]);
        check_open(OSC_EFORMAT, "vocab.json: ", broken[i]);
    }
    put("vocab.json", "{\"a\0\":0}", 8);
    check_open(OSC_EFORMAT, "vocab.json: ", "NUL");
    char *nested = malloc(100000);
    memset(nested, '[', 100000);
    put("vocab.json", nested, 100000);
    check_open(OSC_EFORMAT, "vocab.json: ", "nested");
    free(nested);
    const char *whole = byte_vocab(-1, "");
    for (size_t size = 0; size < strlen(whole); size += 13) {
        put("vocab.json", whole, size);
        check_open(OSC_EFORMAT, "vocab.json: ", "truncated");
    }
}
END_TEST

START_TEST(test_which_files)
{
    check_open(OSC_ENOTFOUND, "no tokenizer files", "nothing");
    put_text("vocab.json", byte_vocab(-1, ""));
    check_open(OSC_ENOTFOUND, "has vocab.json but no merges.txt", "no merges");
    put_text("tokenizer.json", "{}");
    check_open(OSC_EFORMAT, "tokenizer.json: ", "falls back");
    put_text("merges.txt", "");
    check_open(OSC_OK, "", "prefers vocab.json");
    osc_tokenizer *tokenizer = NULL;
    ck_assert_int_eq(osc_tokenizer_open(&tokenizer, in_folder("absent")), OSC_ENOTFOUND);
    ck_assert_ptr_null(tokenizer);
}
END_TEST

START_TEST(test_digest)
{
    char hex[OSC_DIGEST_HEX];
    osc_digest *digest;
    const char *vocab = byte_vocab(-1, ",\"ab\":256");
    put_text("vocab.json", vocab);
    put_text("merges.txt", "a b\n");
    ck_assert_int_eq(osc_digest_create(&digest), OSC_OK);
    ck_assert_int_eq(osc_digest_add(digest, vocab, strlen(vocab)), OSC_OK);
    ck_assert_int_eq(osc_digest_add(digest, "a b\n", 4), OSC_OK);
    ck_assert_int_eq(osc_digest_finish(digest, hex), OSC_OK);
    osc_digest_free(digest);
    osc_tokenizer *tokenizer = open_ok(folder);
    ck_assert_str_eq(osc_tokenizer_digest(tokenizer), hex);
    osc_tokenizer_close(tokenizer);
}
END_TEST

/* Each case replaces parts of a tokenizer.json that is good otherwise. */
struct json_case {
    const char *model, *merges, *pre, *rest;
    osc_status  status;
    const char *says;
};

#define BYTE_LEVEL "{\"type\":\"ByteLevel\""
#define NO_PRE BYTE_LEVEL "}"
#define SEQUENCE(list) "{\"type\":\"Sequence\",\"pretokenizers\":[" list "]}"
#define SPLIT(pattern, behavior) \
    "{\"type\":\"Split\",\"pattern\":{" pattern "},\"behavior\":\"" behavior "\"}"
#define DIGITS "{\"type\":\"Digits\"}"
#define DIGITS4 DIGITS "," DIGITS "," DIGITS "," DIGITS
#define TEMPLATE(single, ids)                                                              \
    ",\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[" single "],"          \
    "\"special_tokens\":{\"a\":{\"id\":\"a\",\"ids\":[" ids "]}}}"
#define SPECIAL_A "{\"SpecialToken\":{\"id\":\"a\",\"type_id\":0}}"
#define TEXT_A "{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}"

static const struct json_case json_good[] = {
    { "", "[\"a b\"]", NO_PRE, "", OSC_OK, "" },
    { "", "[[\"a\",\"b\"]]", NO_PRE, "", OSC_OK, "" },
    { "", "[[\"a\",\"b\"],\"ab c\"]", NO_PRE, "", OSC_OK, "" },
    { "\"type\":\"BPE\",\"dropout\":null,\"unk_token\":\"<unk>\","
      "\"continuing_subword_prefix\":\"\",\"end_of_word_suffix\":null,"
      "\"fuse_unk\":false,\"byte_fallback\":false,", "[]", NO_PRE,
      ",\"normalizer\":null,\"truncation\":{\"max_length\":5},\"padding\":null", OSC_OK, "" },
    { "", "[]", BYTE_LEVEL ",\"add_prefix_space\":false,\"use_regex\":true}", "", OSC_OK, "" },
    { "", "[]", NO_PRE, ",\"added_tokens\":[{\"id\":300,\"content\":\"<x>\"},"
      "{\"id\":97,\"content\":\"a\"}]", OSC_OK, "" },
    { "", "[]", "null", "", OSC_OK, "" },
    { "\"unk_token\":\"a\",\"byte_fallback\":true,", "[]", "null",
      ",\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[]}", OSC_OK, "" },
    { "", "[]", SEQUENCE(DIGITS4 "," BYTE_LEVEL ",\"add_prefix_space\":true,\"use_regex\":true}"),
      "", OSC_OK, "" },
    { "", "[]", NO_PRE, TEMPLATE(SPECIAL_A "," TEXT_A, "97"), OSC_OK, "" },
    { "", "[]", NO_PRE, TEMPLATE(TEXT_A, "97"), OSC_OK, "" },
    { "", "[]", NO_PRE, ",\"decoder\":{\"type\":\"WordPiece\"}", OSC_OK, "" },
};

static const struct json_case json_other_kinds[] = {
    { "\"type\":\"Unigram\",", "[]", NO_PRE, "", OSC_EUNSUP, "model.type is \"Unigram\"" },
    { "\"dropout\":0.1,", "[]", NO_PRE, "", OSC_EUNSUP, "model.dropout" },
    { "\"end_of_word_suffix\":\"</w>\",", "[]", NO_PRE, "", OSC_EUNSUP,
      "model.end_of_word_suffix is \"</w>\"" },
    { "\"continuing_subword_prefix\":\"##\",", "[]", NO_PRE, "", OSC_EUNSUP,
      "continuing_subword_prefix" },
    { "", "[]", "{\"type\":\"Whitespace\"}", "", OSC_EUNSUP,
      "pre_tokenizer: type \"Whitespace\" is not supported, only ByteLevel, Digits, Metaspace, "
      "Split, Sequence of these" },
    { "", "[]", SEQUENCE(BYTE_LEVEL "}," BYTE_LEVEL "}"), "", OSC_EUNSUP,
      "ByteLevel after ByteLevel" },
    { "", "[]", SEQUENCE(SEQUENCE(BYTE_LEVEL "}")), "", OSC_EUNSUP,
      "type \"Sequence\" is not supported" },
    { "", "[]", SPLIT("\"Regex\":\"\\\\d+\"", "Isolated"), "", OSC_EUNSUP,
      "Split: \"pattern\" is not one of those supported" },
    { "", "[]", SPLIT("\"String\":\" \"", "Isolated"), "", OSC_EUNSUP, "Split: \"pattern\"" },
    { "", "[]", SPLIT("\"Regex\":\"x\"", "Removed"), "", OSC_EUNSUP,
      "behavior \"Removed\" is not supported, only \"Isolated\"" },
    { "", "[]", "{\"type\":\"Metaspace\",\"replacement\":\"_\",\"prepend_scheme\":\"last\"}", "",
      OSC_EUNSUP, "prepend_scheme \"last\"" },
    { "", "[]", "{\"type\":\"Metaspace\",\"replacement\":\"\"}", "", OSC_EUNSUP,
      "\"replacement\" of 0 bytes" },
    { "", "[]", SEQUENCE(DIGITS4 "," DIGITS4 "," DIGITS4 "," DIGITS4 "," BYTE_LEVEL "}"), "",
      OSC_EUNSUP, "pre_tokenizer: has more than 16 steps" },
    { "", "[]", NO_PRE, ",\"normalizer\":{\"type\":\"NFC\"}", OSC_EUNSUP,
      "normalizer: type \"NFC\" is not supported, only Prepend, Replace, Sequence of these" },
    { "", "[]", NO_PRE, ",\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"Regex\":\" \"},"
      "\"content\":\"_\"}", OSC_EUNSUP, "normalizer: Replace: \"pattern\" is not a \"String\"" },
    { "", "[]", NO_PRE, ",\"normalizer\":{\"type\":\"Replace\",\"pattern\":{\"String\":\"\"},"
      "\"content\":\"_\"}", OSC_EUNSUP, "\"String\" of 0 bytes is not supported" },
    { "", "[]", NO_PRE, ",\"normalizer\":{\"type\":\"Prepend\",\"prepend\":"
      "\"0123456789012345678901234567890123456789\"}", OSC_EUNSUP, "\"prepend\" of 40 bytes" },
    { "", "[]", NO_PRE, ",\"post_processor\":{\"type\":\"RobertaProcessing\"}", OSC_EUNSUP,
      "post_processor: type \"RobertaProcessing\" is not supported" },
    { "", "[]", NO_PRE, TEMPLATE(TEXT_A "," SPECIAL_A, "97"), OSC_EUNSUP,
      "TemplateProcessing is supported only with one special token before the text" },
    { "", "[]", NO_PRE, TEMPLATE(SPECIAL_A, "97"), OSC_EUNSUP, "TemplateProcessing" },
    { "", "[]", NO_PRE, TEMPLATE("", "97"), OSC_EUNSUP, "TemplateProcessing" },
    { "", "[]", NO_PRE, TEMPLATE(SPECIAL_A "," TEXT_A, "97,98"), OSC_EUNSUP,
      "special token \"a\" is not one id" },
    { "", "[]", NO_PRE, TEMPLATE(SPECIAL_A "," TEXT_A, "-1"), OSC_EUNSUP,
      "special token \"a\" is not one id" },
};

static const struct json_case json_bad[] = {
    { "", "[]", "7", "", OSC_EFORMAT, "pre_tokenizer: is not an object" },
    { "", "[]", "{\"type\":\"Sequence\"}", "", OSC_EFORMAT, "\"pretokenizers\" is not a list" },
    { "", "[]", BYTE_LEVEL ",\"use_regex\":0}", "", OSC_EFORMAT, "\"use_regex\" is not true" },
    { "\"unk_token\":\"<unk>\",", "[]", "null", "", OSC_EFORMAT,
      "model.unk_token \"<unk>\" is not in the vocabulary" },
    { "", "[]", NO_PRE, ",\"added_tokens\":[{\"id\":300,\"content\":\"x\",\"lstrip\":1}]",
      OSC_EFORMAT, "added token \"x\" has id 300" },
    { "", "[]", NO_PRE, ",\"added_tokens\":[{\"id\":300,\"content\":\"<x>\",\"lstrip\":1}]",
      OSC_EFORMAT, "\"lstrip\" is not true or false" },
    { "\"type\":7,", "[]", NO_PRE, "", OSC_EFORMAT, "\"type\" is not a string" },
    { "\"ignore_merges\":1,", "[]", NO_PRE, "", OSC_EFORMAT,
      "\"ignore_merges\" is not true or false" },
    { "", "{}", NO_PRE, "", OSC_EFORMAT, "\"merges\" is not a list" },
    { "", "[\"a b\",\"a q\"]", NO_PRE, "", OSC_EFORMAT,
      "tokenizer.json: merge 2: the merged token \"aq\"" },
    { "", "[[\"a\"]]", NO_PRE, "", OSC_EFORMAT, "merge 1: expected a string" },
    { "", "[[\"a\",\"b\",\"c\"]]", NO_PRE, "", OSC_EFORMAT, "merge 1: expected a string" },
    { "", "[[\"a\",1]]", NO_PRE, "", OSC_EFORMAT, "merge 1: expected a string" },
    { "", "[7]", NO_PRE, "", OSC_EFORMAT, "merge 1: expected a string" },
    { "", "[]", NO_PRE, ",\"added_tokens\":[{\"id\":300}]", OSC_EFORMAT, "added_tokens: entry 1" },
    { "", "[]", NO_PRE, ",\"added_tokens\":[{\"id\":98,\"content\":\"a\"}]", OSC_EFORMAT,
      "added token \"a\" has id 98, but 97" },
    { "", "[]", NO_PRE, ",\"added_tokens\":[{\"id\":98,\"content\":\"<x>\"}]", OSC_EFORMAT,
      "same id 98" },
    { "", "[]", NO_PRE, ",\"model\":{}", OSC_EFORMAT, "tokenizer.json: not valid JSON" },
};

static void put_tokenizer_json(const struct json_case *c)
{
    char text[16384];
    snprintf(text, sizeof text, "{\"model\":{%s\"vocab\":%s,\"merges\":%s},\"pre_tokenizer\":%s%s}",
             c->model, byte_vocab(-1, ",\"ab\":256,\"abc\":257,\"cab\":258"), c->merges,
             c->pre, c->rest);
    put_text("tokenizer.json", text);
}

static void check_cases(const struct json_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        put_tokenizer_json(&cases[i]);
        check_open(cases[i].status, cases[i].says, cases[i].says);
    }
}

START_TEST(test_tokenizer_json)
{
    check_cases(json_good, sizeof json_good / sizeof *json_good);
    check_cases(json_other_kinds, sizeof json_other_kinds / sizeof *json_other_kinds);
    check_cases(json_bad, sizeof json_bad / sizeof *json_bad);
    static const char *const broken[] = {
        "", "[]", "{}", "{\"model\":[]}", "{\"model\":{}}", "{\"model\":{\"vocab\":",
        "{\"model\":{\"vocab\":[]},\"pre_tokenizer\":" NO_PRE "}",
    };
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        put_text("tokenizer.json", broken[i]);
        osc_tokenizer *tokenizer = NULL;
        ck_assert_int_ne(osc_tokenizer_open(&tokenizer, folder), OSC_OK);
        ck_assert_ptr_null(tokenizer);
    }
}
END_TEST

START_TEST(test_ignore_merges)
{
    /* "cab" is a token that no merge makes */
    static const struct { const char *model; size_t count; } cases[] = {
        { "\"ignore_merges\":true,", 1 }, { "", 2 },
    };
    for (size_t i = 0; i < 2; i++) {
        put_tokenizer_json(&(struct json_case){ .model = cases[i].model, .merges = "[\"a b\"]",
            .pre = NO_PRE,
            .rest = ",\"added_tokens\":[{\"id\":300,\"content\":\"<x>\",\"special\":true}]" });
        osc_tokenizer *tokenizer = open_ok(folder);
        ck_assert_int_eq(osc_tokenizer_find(tokenizer, "<x>"), 300);
        osc_ids ids = encode_ok(tokenizer, "cab", 3);
        ck_assert_uint_eq(ids.count, cases[i].count);
        osc_ids_clear(&ids);
        osc_tokenizer_close(tokenizer);
    }
}
END_TEST

/* --- running out of memory ---------------------------------------------------------------- */

/* Opens the folder and encodes a text that needs every kind of memory. */
static osc_status open_and_encode(size_t *count)
{
    char text[200] = "plain \u00e9t\u00e9 ";   /* and one word that is merged by the heap */
    for (size_t i = strlen(text); i < sizeof text - 1; i++)
        text[i] = "ab"[i % 2];
    osc_tokenizer *tokenizer = NULL;
    osc_ids ids = { .id = NULL };
    osc_status status = osc_tokenizer_open(&tokenizer, folder);
    ck_assert_int_eq(status == OSC_OK, tokenizer != NULL);
    if (status == OSC_OK)
        status = osc_tokenizer_encode(tokenizer, &ids, text, sizeof text - 1);
    *count = ids.count;
    osc_ids_clear(&ids);
    osc_tokenizer_close(tokenizer);
    return status;
}

START_TEST(test_out_of_memory)
{
    for (int form = 0; form < 2; form++) {
        size_t n = 0, count;
        osc_status status;
        if (form == 0) {
            put_text("vocab.json", byte_vocab(-1, ",\"ab\":256,\"abab\":257"));
            put_text("merges.txt", "a b\nab ab\n");
        } else {
            folder_empty();
            put_tokenizer_json(&(struct json_case){ .model = "\"ignore_merges\":true,",
                .merges = "[\"a b\"]", .pre = NO_PRE, .rest = "" });
        }
        do {
            osc_alloc_fail_from(++n);
            status = open_and_encode(&count);
            osc_alloc_fail_from(0);
            ck_assert(status == OSC_OK || (status == OSC_ENOMEM && count == 0));
        } while (status != OSC_OK);
        ck_assert_uint_gt(n, 12);
        ck_assert_uint_gt(count, 0);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tokenizer-files");
    TCase *tc = tcase_create("tokenizer-files");
    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, folder_make, folder_remove);
    tcase_add_test(tc, test_vocab_files);
    tcase_add_test(tc, test_gaps_and_merges);
    tcase_add_test(tc, test_broken_files);
    tcase_add_test(tc, test_which_files);
    tcase_add_test(tc, test_digest);
    tcase_add_test(tc, test_tokenizer_json);
    tcase_add_test(tc, test_ignore_merges);
    tcase_add_test(tc, test_out_of_memory);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}

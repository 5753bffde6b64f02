/* Tokenizers of each kind, from tokenizer.json, against the tokenizers package. */
#include <config.h>
#include "run.h"
#include "text.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "text/decoder.h"
#include "text/pretoken.h"

/* --- helpers -------------------------------------------------------------------- */

static const char *const kinds[] = {
    "bloom", "llama3", "llama", "llama-metaspace", "llama-added", "prefix-digits-added",
    "metaspace-split",
};
enum { KINDS = sizeof kinds / sizeof *kinds };

static json_t *load(const char *name)
{
    json_error_t error;
    json_t *root = json_load_file(in_tests(path_in("data/tokenizers", name)), 0, &error);
    ck_assert_msg(root != NULL, "%s: %s", name, error.text);
    return root;
}

static const char *named(const char *kind, const char *ending)
{
    static char name[64];
    snprintf(name, sizeof name, "%s%s", kind, ending);
    return name;
}

/* The tokenizer.json of a kind, put into the test's folder with changes of one of its
 * members (NULL: none). */
static void put_kind(const char *kind, const char *key, const char *value)
{
    json_t *root = load(named(kind, ".json"));
    if (key != NULL)
        json_object_set_new(root, key, json_loads(value, JSON_DECODE_ANY, NULL));
    char *text = json_dumps(root, JSON_COMPACT);
    put_text("tokenizer.json", text);
    free(text);
    json_decref(root);
}

static osc_tokenizer *open_kind(const char *kind)
{
    put_kind(kind, NULL, NULL);
    return open_ok(folder);
}

/* --- against the package ----------------------------------------------------------------- */

static void check_encoded(const osc_tokenizer *tokenizer, const char *text, const json_t *expected)
{
    int32_t bos = -1;
    osc_ids ids = { .id = NULL };
    if (osc_tokenizer_bos(tokenizer, &bos) && bos >= 0)
        ck_assert_int_eq(osc_ids_append(&ids, bos), OSC_OK);
    ck_assert_int_eq(osc_tokenizer_encode(tokenizer, &ids, text, strlen(text)), OSC_OK);
    ck_assert_msg(ids.count == json_array_size(expected), "\"%s\": %zu ids, expected %zu", text,
                  ids.count, json_array_size(expected));
    for (size_t i = 0; i < ids.count; i++)
        ck_assert_msg(ids.id[i] == json_integer_value(json_array_get(expected, i)),
                      "\"%s\": id %zu is %d", text, i, (int)ids.id[i]);
    osc_ids_clear(&ids);
}

static void check_decoded(osc_decoder *decoder, const json_t *ids, const char *expected)
{
    char text[1024] = "";
    const char *more;
    size_t size;
    for (size_t i = 0; i < json_array_size(ids); i++) {
        int32_t id = (int32_t)json_integer_value(json_array_get(ids, i));
        ck_assert_int_eq(osc_decoder_add(decoder, id, &more, &size), OSC_OK);
        strcat(text, more);
    }
    ck_assert_int_eq(osc_decoder_end(decoder, &more, &size), OSC_OK);
    strcat(text, more);
    ck_assert_str_eq(text, expected);
}

START_TEST(test_package)
{
    json_t *lines = load("lines.json"), *ids = load(named(kinds[_i], ".ids.json"));
    osc_tokenizer *tokenizer = open_kind(kinds[_i]);
    osc_decoder *decoder;
    size_t i;
    const json_t *line, *text;
    ck_assert_uint_gt(json_array_size(lines), 100);
    json_array_foreach(lines, i, line)
        check_encoded(tokenizer, json_string_value(line),
                      json_array_get(json_object_get(ids, "encoded"), i));
    ck_assert_int_eq(osc_decoder_create(&decoder, tokenizer, false), OSC_OK);
    json_array_foreach(json_object_get(ids, "decoded"), i, text)
        check_decoded(decoder, json_array_get(text, 0),
                      json_string_value(json_array_get(text, 1)));
    osc_decoder_free(decoder);
    osc_tokenizer_close(tokenizer);
    json_decref(lines);
    json_decref(ids);
}
END_TEST

/* Strings and ids of the real Llama 2, whose vocabulary is not at hand: what this one,
 * cut to eight merges, shares with it is the steps. */
START_TEST(test_trimmed_llama)
{
    const char *path = in_shared("formats/llama2-7b-chat/tokenizer.trimmed.json");
    if (path == NULL)
        return;
    char *text;
    size_t size;
    osc_tokenizer *tokenizer = NULL;
    ck_assert_int_eq(osc_read_file(&text, &size, path, 1 << 20), OSC_OK);
    put("tokenizer.json", text, size);
    osc_free(text);
    ck_assert_int_eq(osc_tokenizer_open(&tokenizer, folder), OSC_EFORMAT);
    ck_assert_msg(strstr(osc_error(), "merge 1: the left token") != NULL, "%s", osc_error());
}
END_TEST

/* --- splits -------------------------------------------------------------------------------- */

/* Pieces separated by '~', as the package's Split makes them of the regular expressions. */
START_TEST(test_splits)
{
    static const struct { osc_split *split; const char *pieces; } cases[] = {
        { osc_split_bloom, "a~|~b~ (~c~)~ d~.~e~,~f~!~g~?~h" },
        { osc_split_bloom, "a~\u2026~b~\u3002~c~\uff0c~d~\u3001~e~\u0964~f~\u06d4~g~\u060c~h" },
        { osc_split_bloom, " ~ x~ ~ y~\n~ z~\t\u00a0~w" },
        { osc_split_bloom, "it's~ abc123~ [x]~ don't~... ~ ok~?! " },
        { osc_split_bloom, "\u3000~a~ |~ b" },
        { osc_split_llama3, "it~'s~ IT~'S~ he~'LL~ x~'\u017f~y~ '~Tis" },
        { osc_split_llama3, "123~45~ a~1~b~22~ ~\u00b2\u00b3\u00bd~\u0663\u096a" },
        { osc_split_llama3, "a~ ~ b~\n\n~c~ \r\n \t\n~ ~ d" },
        { osc_split_llama3, "!!\n\n~x~ .~y~\r\n~z~ --~ ~\tw" },
        { osc_split_llama3, "\u00a0~\u00a0e~\u0301~ _~f~ \u00bf~g~ \u65e5\u672c~ \U0001f916~h" },
        { osc_split_llama3, "x~   " },
        { osc_split_llama3, "'" },
        { osc_split_llama3, "\n \n~ ~ y" },
    };
    osc_chars *chars;
    ck_assert_int_eq(osc_chars_create(&chars), OSC_OK);
    osc_char_reader reader = { .chars = chars };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[128], found[128];
        size_t size = 0, length = 0;
        for (const char *p = cases[i].pieces; *p != '\0'; p++)
            if (*p != '~')
                text[size++] = *p;
        osc_pretokens scan = { .text = (uint8_t *)text, .size = size, .reader = &reader };
        for (size_t at = 0, end; at < size; at = end) {
            end = cases[i].split(&scan, at);
            if (at > 0)
                found[length++] = '~';
            memcpy(found + length, text + at, end - at);
            length += end - at;
        }
        found[length] = '\0';
        ck_assert_str_eq(found, cases[i].pieces);
    }
    osc_char_reader_clear(&reader);
    osc_chars_free(chars);
}
END_TEST

/* The pieces of BLOOM's pre-tokenizer, in the order of the file. */
START_TEST(test_bloom_splits_shared)
{
    const char *path = in_shared("formats/pretoken_cases.json");
    json_t *cases = path == NULL ? NULL : json_load_file(path, JSON_ALLOW_NUL, NULL);
    osc_chars *chars;
    size_t i;
    const json_t *entry;
    ck_assert_int_eq(osc_chars_create(&chars), OSC_OK);
    osc_char_reader reader = { .chars = chars };
    json_array_foreach(cases, i, entry) {
        const json_t *text = json_object_get(entry, "text");
        const json_t *pieces = json_object_get(entry, "bloom_split");
        osc_pretokens scan = { .text = (const uint8_t *)json_string_value(text),
                               .size = json_string_length(text), .reader = &reader };
        size_t count = 0;
        for (size_t at = 0, end; at < scan.size; at = end, count++) {
            const json_t *piece = json_array_get(pieces, count);
            end = osc_split_bloom(&scan, at);
            ck_assert_uint_eq(end - at, json_string_length(piece));
            ck_assert_mem_eq(scan.text + at, json_string_value(piece), end - at);
        }
        ck_assert_uint_eq(count, json_array_size(pieces));
    }
    osc_char_reader_clear(&reader);
    osc_chars_free(chars);
    json_decref(cases);
}
END_TEST

/* Every byte string has ids whose bytes it is. */
START_TEST(test_broken_utf8)
{
    static const char *const texts[] = {
        "\xff", "a\xc3", "\xe2\x82 \xac", "caf\xc3\xa9\xe9!", "\xf0\x9f\xa4\x96\xf0\x9f",
        "\xed\xa0\x80",
    };
    osc_tokenizer *tokenizer = open_kind(kinds[_i]);
    int32_t byte = osc_tokenizer_find(tokenizer, "<0xFF>");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        osc_ids ids = encode_ok(tokenizer, texts[i], strlen(texts[i]));
        ck_assert_uint_gt(ids.count, 0);
        if (i == 0 && byte >= 0)
            ck_assert_int_eq(ids.id[ids.count - 1], byte);
        osc_ids_clear(&ids);
    }
    osc_tokenizer_close(tokenizer);
}
END_TEST

/* --- bos ------------------------------------------------------------------------------------ */

START_TEST(test_bos)
{
    static const struct { const char *kind, *post, *config; bool says; int32_t bos; } cases[] = {
        { "llama", NULL, NULL, true, 1 },
        { "bloom", NULL, NULL, false, 0 },
        { "llama", "null", NULL, false, 0 },
        { "llama", "null", "{\"add_bos_token\":true,\"bos_token\":\"<s>\"}", true, 1 },
        { "llama", "null", "{\"add_bos_token\":true,\"bos_token\":{\"content\":\"</s>\"}}", true,
          2 },
        { "llama", "null", "{\"add_bos_token\":true,\"bos_token\":\"absent\"}", false, 0 },
        { "llama", "null", "{\"add_bos_token\":false,\"bos_token\":\"<s>\"}", true, -1 },
        { "llama", NULL, "{\"add_bos_token\":false,\"bos_token\":\"<s>\"}", true, 1 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int32_t bos = 0;
        put_kind(cases[i].kind, cases[i].post == NULL ? NULL : "post_processor", cases[i].post);
        put_text("tokenizer_config.json", cases[i].config == NULL ? "{}" : cases[i].config);
        osc_tokenizer *tokenizer = open_ok(folder);
        ck_assert_int_eq(osc_tokenizer_bos(tokenizer, &bos), cases[i].says);
        ck_assert_int_eq(bos, cases[i].bos);
        osc_tokenizer_close(tokenizer);
    }
}
END_TEST

/* --- which files --------------------------------------------------------------------------- */

/* vocab.json and merges.txt stand for GPT-2's way of cutting alone. */
START_TEST(test_json_beside_pair)
{
    static const struct { const char *kind; bool json; } cases[] = {
        { "bloom", true }, { "prefix-digits-added", true }, { NULL, false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        put_text("vocab.json", byte_vocab(-1, ""));
        put_text("merges.txt", "");
        if (cases[i].kind != NULL)
            put_kind(cases[i].kind, NULL, NULL);
        else
            put_kind("bloom", "pre_tokenizer", "{\"type\":\"ByteLevel\"}");
        osc_tokenizer *tokenizer = open_ok(folder);
        ck_assert_int_eq(osc_tokenizer_size(tokenizer) > 256, cases[i].json);
        osc_tokenizer_close(tokenizer);
    }
    put_text("tokenizer.json", "{");
    osc_tokenizer *tokenizer = NULL;
    ck_assert_int_eq(osc_tokenizer_open(&tokenizer, folder), OSC_EFORMAT);
}
END_TEST

START_TEST(test_sentencepiece_alone)
{
    osc_tokenizer *tokenizer = NULL;
    put_text("tokenizer.model", "x");
    ck_assert_int_eq(osc_tokenizer_open(&tokenizer, folder), OSC_ENOTFOUND);
    ck_assert_msg(strstr(osc_error(), "only tokenizer.model") != NULL, "%s", osc_error());
}
END_TEST

/* --- hostile ------------------------------------------------------------------------------- */

/* Much of the same: quadratic time would take minutes. */
START_TEST(test_long_texts)
{
    enum { SIZE = 1 << 18 };
    static const char *const units[] = {
        "a", " ", "\n", "\xe3\x81\x82", "<", "\t", "\xff", "norm", " \t",
    };
    osc_tokenizer *tokenizer = open_kind(kinds[_i]);
    char *text = malloc(SIZE);
    for (size_t u = 0; u < sizeof units / sizeof *units; u++) {
        size_t n = strlen(units[u]);
        for (size_t i = 0; i < SIZE; i++)
            text[i] = units[u][i % n];
        osc_ids ids = encode_ok(tokenizer, text, SIZE);
        ck_assert_uint_gt(ids.count, 0);
        osc_ids_clear(&ids);
    }
    free(text);
    osc_tokenizer_close(tokenizer);
}
END_TEST

START_TEST(test_growth)
{
    char text[4096], steps[2048] = "";
    osc_tokenizer *tokenizer;
    osc_ids ids = { .id = NULL };
    for (int i = 0; i < 8; i++)
        sprintf(steps + strlen(steps), "%s{\"type\":\"Replace\",\"pattern\":{\"String\":\"a\"},"
                "\"content\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}", i == 0 ? "" : ",");
    snprintf(text, sizeof text, "{\"type\":\"Sequence\",\"normalizers\":[%s]}", steps);
    put_kind("llama", "normalizer", text);
    tokenizer = open_ok(folder);
    ck_assert_int_eq(osc_tokenizer_encode(tokenizer, &ids, "aaaaaaaaaaaaa", 13), OSC_EUNSUP);
    ck_assert_msg(strstr(osc_error(), "more than 8 times") != NULL, "%s", osc_error());
    ck_assert_uint_eq(ids.count, 0);
    osc_ids_clear(&ids);
    osc_tokenizer_close(tokenizer);
}
END_TEST

START_TEST(test_long_added_token)
{
    char *entry = malloc(4000);
    osc_tokenizer *tokenizer = NULL;
    for (int size = 1000; size <= 1001; size++) {
        sprintf(entry, "[{\"id\":480,\"content\":\"%0*d\",\"normalized\":false}]", size, 0);
        put_kind("llama", "added_tokens", entry);
        osc_status status = osc_tokenizer_open(&tokenizer, folder);
        ck_assert_int_eq(status, (size == 1000 ? OSC_OK : OSC_EUNSUP));
        if (status == OSC_OK)
            osc_tokenizer_close(tokenizer);
    }
    free(entry);
}
END_TEST

/* The files beside a tokenizer: what is no JSON is refused, what is not what it should be
 * marks nothing. */
START_TEST(test_settings)
{
    static const struct { const char *name, *text; osc_status status; bool special; } cases[] = {
        { "config.json", "{\"eos_token_id\":[3,1e300,-1,\"4\",null,{}]}", OSC_OK, true },
        { "config.json", "{\"eos_token_id\":3.5}", OSC_OK, true },
        { "config.json", "{\"eos_token_id\":[[3]],\"pad_token_id\":{\"x\":3}}", OSC_OK, false },
        { "config.json", "{\"eos_token_id\":NaN,\"bos_token_id\":-Infinity}", OSC_OK, false },
        { "config.json", "[3]", OSC_OK, false },
        { "config.json", "3", OSC_OK, false },
        { "config.json", "", OSC_EFORMAT, false },
        { "config.json", "{\"eos_token_id\":3", OSC_EFORMAT, false },
        { "tokenizer_config.json", "{\"eos_token\":{\"content\":\"<0x00>\"}}", OSC_OK, true },
        { "tokenizer_config.json", "{\"eos_token\":[\"<0x00>\"]}", OSC_OK, false },
        { "tokenizer_config.json", "{\"eos_token\":{\"content\":{}}}", OSC_OK, false },
        { "tokenizer_config.json", "\"<0x00>\"", OSC_OK, false },
        { "tokenizer_config.json", "{\"eos_token\":\"\xff\"}", OSC_EFORMAT, false },
        { "tokenizer_config.json", "{\"a\":[[[[", OSC_EFORMAT, false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        osc_tokenizer *tokenizer = NULL;
        folder_empty();
        put_kind("llama", NULL, NULL);
        put_text(cases[i].name, cases[i].text);
        osc_status status = osc_tokenizer_open(&tokenizer, folder);
        ck_assert_msg(status == cases[i].status, "%s: %s", cases[i].text, osc_error());
        if (status != OSC_OK) {
            ck_assert_msg(strstr(osc_error(), cases[i].name) != NULL, "%s", osc_error());
            continue;
        }
        ck_assert_int_eq(osc_tokenizer_find(tokenizer, "<0x00>"), 3);
        ck_assert_msg(osc_tokenizer_is_special(tokenizer, 3) == cases[i].special, "%s",
                      cases[i].text);
        osc_tokenizer_close(tokenizer);
    }
}
END_TEST

/* Decoders that are not known refuse to decode, not to encode. */
START_TEST(test_unknown_decoders)
{
    static const struct { const char *decoder, *says; } cases[] = {
        { "null", "there is none" },
        { "{\"type\":\"WordPiece\"}", "type \"WordPiece\" is not supported" },
        { "{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"CTC\"}]}",
          "type \"CTC\" in a Sequence" },
        { "{\"type\":\"Sequence\",\"decoders\":[{\"type\":\"Strip\",\"content\":\" \","
          "\"start\":1,\"stop\":0}]}", "Strip is supported only after Fuse" },
        { "{\"type\":\"ByteLevel\"}", "type \"ByteLevel\"" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        osc_decoder *decoder = NULL;
        put_kind("llama", "decoder", cases[i].decoder);
        osc_tokenizer *tokenizer = open_ok(folder);
        osc_ids ids = encode_ok(tokenizer, "a", 1);
        ck_assert_int_eq(osc_decoder_create(&decoder, tokenizer, false), OSC_EUNSUP);
        ck_assert_msg(strstr(osc_error(), cases[i].says) != NULL, "%s", osc_error());
        osc_ids_clear(&ids);
        osc_tokenizer_close(tokenizer);
    }
}
END_TEST

static osc_status use(osc_tokenizer **tokenizer, osc_ids *ids)
{
    static const char text[] = "norm a <tool> \n caf\u00e9 word 12";
    osc_decoder *decoder = NULL;
    const char *more;
    size_t size;
    osc_status status = osc_tokenizer_open(tokenizer, folder);
    if (status == OSC_OK)
        status = osc_tokenizer_encode(*tokenizer, ids, text, sizeof text - 1);
    if (status == OSC_OK)
        status = osc_decoder_create(&decoder, *tokenizer, false);
    for (size_t i = 0; i < ids->count && status == OSC_OK; i++)
        status = osc_decoder_add(decoder, ids->id[i], &more, &size);
    osc_decoder_free(decoder);
    return status;
}

START_TEST(test_out_of_memory)
{
    osc_status status = OSC_ENOMEM;
    put_kind(_i == 0 ? "llama-added" : "prefix-digits-added", NULL, NULL);
    for (size_t n = 1; status != OSC_OK; n++) {
        osc_tokenizer *tokenizer = NULL;
        osc_ids ids = { .id = NULL };
        osc_alloc_fail_from(n);
        status = use(&tokenizer, &ids);
        osc_alloc_fail_from(0);
        osc_ids_clear(&ids);
        osc_tokenizer_close(tokenizer);
        ck_assert_msg(status == OSC_OK || status == OSC_ENOMEM, "%s", osc_error());
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tokenizer-kinds");
    TCase *tc = tcase_create("tokenizer-kinds");
    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, folder_make, folder_remove);
    tcase_add_loop_test(tc, test_package, 0, KINDS);
    tcase_add_test(tc, test_trimmed_llama);
    tcase_add_test(tc, test_splits);
    tcase_add_test(tc, test_bloom_splits_shared);
    tcase_add_loop_test(tc, test_broken_utf8, 0, KINDS);
    tcase_add_test(tc, test_bos);
    tcase_add_test(tc, test_json_beside_pair);
    tcase_add_test(tc, test_sentencepiece_alone);
    tcase_add_loop_test(tc, test_long_texts, 0, KINDS);
    tcase_add_test(tc, test_growth);
    tcase_add_test(tc, test_long_added_token);
    tcase_add_test(tc, test_settings);
    tcase_add_test(tc, test_unknown_decoders);
    tcase_add_loop_test(tc, test_out_of_memory, 0, 2);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}

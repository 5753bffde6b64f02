#include <config.h>
#include "run.h"
#include "text.h"

#include "base/json.h"
#include "text/bpe.h"
#include "text/definition.h"
#include "text/pretoken.h"

/* --- helpers -------------------------------------------------------------------- */

/* JSON that may have NUL in strings; released with json_decref. */
static json_t *load_json(const char *path)
{
    json_error_t error;
    json_t *root = json_load_file(path, JSON_ALLOW_NUL, &error);
    ck_assert_msg(root != NULL, "%s: %s", path, error.text);
    return root;
}

static void check_ids(const osc_tokenizer *tokenizer, const json_t *text, const json_t *expected)
{
    const char *bytes = json_string_value(text);
    osc_ids ids = encode_ok(tokenizer, bytes, json_string_length(text));
    ck_assert_msg(ids.count == json_array_size(expected), "\"%.200s\": %zu ids, expected %zu",
                  bytes, ids.count, json_array_size(expected));
    for (size_t i = 0; i < ids.count; i++)
        ck_assert_msg(ids.id[i] == json_integer_value(json_array_get(expected, i)),
                      "\"%.200s\": id %zu is %d", bytes, i, (int)ids.id[i]);
    osc_ids_clear(&ids);
}

/* `list` has pairs of a string and its ids, in which what looks like a special token is
 * plain text; a tokenizer.json (`added`) makes one id of it. */
static void check_list(const osc_tokenizer *tokenizer, const json_t *list, bool added)
{
    size_t i;
    const json_t *entry;
    ck_assert_uint_gt(json_array_size(list), 0);
    json_array_foreach(list, i, entry) {
        const char *text = json_string_value(json_array_get(entry, 0));
        if (!added || (strstr(text, "</s>") == NULL && strstr(text, "<|endoftext|>") == NULL))
            check_ids(tokenizer, json_array_get(entry, 0), json_array_get(entry, 1));
    }
}

/* The pieces of the ids are the text.  Not an assertion for each: Check writes a
 * record for every one. */
static void check_pieces(const osc_tokenizer *tokenizer, const char *text, size_t size)
{
    osc_ids ids = encode_ok(tokenizer, text, size);
    size_t at = 0, same = 0;
    for (size_t i = 0; i < ids.count; i++) {
        size_t n;
        const char *piece = osc_tokenizer_piece(tokenizer, ids.id[i], &n);
        same += n > 0 && n <= size - at && memcmp(piece, text + at, n) == 0;
        at += n;
    }
    ck_assert_uint_eq(same, ids.count);
    ck_assert_uint_eq(at, size);
    osc_ids_clear(&ids);
}

static uint32_t draw(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    return *state ^= *state << 5;
}

/* --- ids as others compute them ---------------------------------------------------- */

START_TEST(test_reference)
{
    static const char *const directories[] = { "opt-mini-8m", "opt-mini-2m" };
    json_t *list = load_json(in_tests("data/text/opt-mini.json"));
    for (size_t i = 0; i < 2; i++) {
        osc_tokenizer *tokenizer = open_ok(in_share(directories[i]));
        ck_assert_uint_eq(osc_tokenizer_size(tokenizer), 8192);
        check_list(tokenizer, list, false);
        osc_tokenizer_close(tokenizer);
    }
    json_decref(list);
}
END_TEST

static void copy_to_folder(const char *path, const char *name)
{
    char *text;
    size_t size;
    FILE *file = fopen(path, "rb");
    ck_assert_ptr_nonnull(file);
    fseek(file, 0, SEEK_END);
    size = (size_t)ftell(file);
    rewind(file);
    text = malloc(size);
    ck_assert_uint_eq(fread(text, 1, size, file), size);
    fclose(file);
    put(name, text, size);
    free(text);
}

START_TEST(test_reference_json)
{
    copy_to_folder(in_share("opt-mini-2m/tokenizer.json"), "tokenizer.json");
    osc_tokenizer *tokenizer = open_ok(folder);
    json_t *list = load_json(in_tests("data/text/opt-mini.json"));
    check_list(tokenizer, list, true);
    json_decref(list);
    ck_assert_int_eq(osc_tokenizer_find(tokenizer, "</s>"), 2);
    osc_tokenizer_close(tokenizer);
}
END_TEST

START_TEST(test_reference_shared)
{
    static const struct { const char *key, *directory; } cases[] = {
        { "opt", "tokenizers/opt" }, { "gpt2", "tokenizers/gpt2" },
        { "opt-mini", "models/opt-mini-2m" },
    };
    const char *path = in_shared("reference/bpe_reference.json");
    json_t *root = path == NULL ? NULL : load_json(path);
    for (size_t i = 0; root != NULL && i < sizeof cases / sizeof *cases; i++) {
        const json_t *lists = json_object_get(root, cases[i].key);
        const char *directory = in_shared(cases[i].directory);
        for (int form = 0; directory != NULL && form < 2; form++) {
            if (form == 1) {
                folder_empty();
                if (access(path_in(directory, "tokenizer.json"), R_OK) != 0)
                    continue;
                copy_to_folder(path_in(directory, "tokenizer.json"), "tokenizer.json");
            }
            osc_tokenizer *tokenizer = open_ok(form == 0 ? directory : folder);
            check_list(tokenizer, json_object_get(lists, "strings"), form == 1);
            check_list(tokenizer, json_object_get(lists, "wikitext"), form == 1);
            osc_tokenizer_close(tokenizer);
        }
    }
    json_decref(root);
}
END_TEST

/* --- pre-tokens ------------------------------------------------------------------------ */

/* Pieces separated by '|'. */
static const char *const pretokens[] = {
    "Hello| | world", "Hello|  | world", "trailing|  ", "don|'t| I|'ll| we|'ve",
    "DON|'|T", "rock|'|n|'|roll| '|tis", "'s|'s", "a|\n|\n|b", "line| \n| next",
    "\n\n| =| Title| =| \n\n\n\n\n| Text", "\t|\t|x", "x|\r|\n|y",
    "3|.|14| 1|,|000| 2|nd| abc|123", "\u00b2\u00b3\u00bd| \u2167| \u2460",
    "\u65e5\u672c\u8a9e| \u30c6\u30b9\u30c8|\u3002", "e|\u0301",
    "\u0928\u092e\u0938|\u094d|\u0924|\u0947",
    "I| \u2764\ufe0f| C|++| \U0001f916\U0001f44d\U0001f3fd",
    "a|\u00a0|\u00a0|b", "zero|\u200b|width", "$|5|.|00| (|USD|)| --| ok|?!",
    "\u201c|quotes|\u201d| it|\u2019|s", "he|'re|'ve|'d|'m|'| x", "'", "'|r", "'|r|'|v|'|l", "'|S",
    "a|\u3000|b|\u2028|c|\xc2\x85|d", "a|\u180e| b", "a|\x1c\x1f|b", "\ufeff|a",
    " ", "  ", "\n", " | \xff",
    "\u00b2|!", "\u2167|-", "\u0664|?", "1\u00bd2", "a|\xff\xfe|b", " \xc3|a",
    "a| \xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80|b", "\xe2\x80", "\xf0\x9f\xa4",
};

START_TEST(test_pretokens)
{
    osc_chars *chars;
    ck_assert_int_eq(osc_chars_create(&chars), OSC_OK);
    for (size_t i = 0; i < sizeof pretokens / sizeof *pretokens; i++) {
        char text[128], found[128];
        size_t size = 0, length = 0;
        for (const char *p = pretokens[i]; *p != '\0'; p++)
            if (*p != '|')
                text[size++] = *p;
        osc_char_reader reader = { .chars = chars };
        osc_pretokens scan = { .text = (uint8_t *)text, .size = size, .reader = &reader };
        for (size_t at = 0, end; at < size; at = end) {
            end = osc_split_gpt2(&scan, at);
            ck_assert_uint_gt(end, at);
            if (at > 0)
                found[length++] = '|';
            memcpy(found + length, text + at, end - at);
            length += end - at;
        }
        found[length] = '\0';
        ck_assert_str_eq(found, pretokens[i]);
        ck_assert_int_eq(reader.status, OSC_OK);
        osc_char_reader_clear(&reader);
    }
    osc_chars_free(chars);
}
END_TEST

/* A blank and white space are two pieces before a letter, a blank and anything else
 * that is no letter are one. */
START_TEST(test_white_space)
{
    static const char *const spaces[] = {
        "\t", "\n", "\v", "\f", "\r", " ", "\xc2\x85", "\u00a0", "\u1680", "\u2000", "\u2001",
        "\u2002", "\u2003", "\u2004", "\u2005", "\u2006", "\u2007", "\u2008", "\u2009", "\u200a",
        "\u2028", "\u2029", "\u202f", "\u205f", "\u3000",
    };
    static const char *const others[] = { "\x1c", "\x1f", "\u180e", "\u200b", "\u2060", "\ufeff" };
    enum { SPACES = sizeof spaces / sizeof *spaces, OTHERS = sizeof others / sizeof *others };
    osc_chars *chars;
    ck_assert_int_eq(osc_chars_create(&chars), OSC_OK);
    for (size_t i = 0; i < SPACES + OTHERS; i++) {
        char text[8];
        size_t size = (size_t)sprintf(text, " %sb", i < SPACES ? spaces[i] : others[i - SPACES]);
        osc_char_reader reader = { .chars = chars };
        osc_pretokens scan = { .text = (uint8_t *)text, .size = size, .reader = &reader };
        ck_assert_uint_eq(osc_split_gpt2(&scan, 0), i < SPACES ? 1 : size - 1);
        osc_char_reader_clear(&reader);
    }
    osc_chars_free(chars);
}
END_TEST

static void check_split(osc_chars *chars, const json_t *text, const json_t *pieces)
{
    osc_char_reader reader = { .chars = chars };
    osc_pretokens scan = { .text = (const uint8_t *)json_string_value(text),
                           .size = json_string_length(text), .reader = &reader };
    size_t count = 0;
    for (size_t at = 0, end; at < scan.size; at = end, count++) {
        const json_t *piece = json_array_get(pieces, count);
        end = osc_split_gpt2(&scan, at);
        ck_assert_uint_eq(end - at, json_string_length(piece));
        ck_assert_mem_eq(scan.text + at, json_string_value(piece), end - at);
    }
    ck_assert_uint_eq(count, json_array_size(pieces));
    osc_char_reader_clear(&reader);
}

START_TEST(test_pretokens_shared)
{
    const char *path = in_shared("formats/pretoken_cases.json");
    const char *opt = in_shared("tokenizers/opt");
    if (path == NULL || opt == NULL)
        return;
    json_t *cases = load_json(path);
    osc_tokenizer *tokenizer = open_ok(opt);
    osc_chars *chars;
    size_t i;
    const json_t *entry;
    ck_assert_int_eq(osc_chars_create(&chars), OSC_OK);
    json_array_foreach(cases, i, entry) {
        const json_t *text = json_object_get(entry, "text");
        check_split(chars, text, json_object_get(entry, "gpt2_split"));
        check_ids(tokenizer, text, json_object_get(entry, "opt_ids_no_bos"));
    }
    osc_chars_free(chars);
    osc_tokenizer_close(tokenizer);
    json_decref(cases);
}
END_TEST

/* --- properties --------------------------------------------------------------------------- */

START_TEST(test_bytes_come_back)
{
    static const char common[] = " \n\t'etaoinsrhl.,1\xe2\x80\x99\xc3\xa9";
    osc_tokenizer *tokenizer = open_ok(in_share("opt-mini-8m"));
    uint32_t state = 1;
    char text[700];
    for (int round = 0; round < 2000; round++) {
        size_t size = draw(&state) % sizeof text;
        for (size_t i = 0; i < size; i++)
            text[i] = round % 2 ? (char)draw(&state) : common[draw(&state) % sizeof common];
        check_pieces(tokenizer, text, size);
    }
    osc_tokenizer_close(tokenizer);
}
END_TEST

/* The definition: the lowest rank, leftmost, one at a time. */
static size_t merge_naively(const osc_bpe_model *model, int32_t *id, size_t n)
{
    for (;;) {
        size_t best = 0;
        uint32_t rank = OSC_NO_MERGE;
        for (size_t i = 0; i + 1 < n; i++) {
            uint32_t found = osc_merges_find(model->merges, id[i], id[i + 1])->rank;
            best = found < rank ? i : best;
            rank = found < rank ? found : rank;
        }
        if (rank == OSC_NO_MERGE)
            return n;
        id[best] = osc_merges_find(model->merges, id[best], id[best + 1])->result;
        memmove(id + best + 1, id + best + 2, (n - best - 2) * sizeof *id);
        n--;
    }
}

START_TEST(test_merge_order)
{
    osc_definition definition;
    char digest[OSC_DIGEST_HEX];
    uint32_t state = 7;
    ck_assert_int_eq(osc_definition_read(&definition, digest, in_share("opt-mini-8m")), OSC_OK);
    const osc_bpe_model *model = &definition.model;
    osc_bpe bpe = { .model = model };
    osc_ids ids = { .id = NULL };
    for (int round = 0; round < 600; round++) {
        uint8_t word[400];
        int32_t naive[400];
        size_t size = 1 + draw(&state) % (round % 3 == 0 ? 400 : 70);
        size_t letters = 1 + draw(&state) % 20;
        for (size_t i = 0; i < size; i++) {
            word[i] = (uint8_t)"eathnisorlducmfwygpb"[draw(&state) % letters];
            naive[i] = model->vocab->byte_id[word[i]];
        }
        size_t n = merge_naively(model, naive, size);
        ids.count = 0;
        ck_assert_int_eq(osc_bpe_encode(&bpe, &ids, word, size), OSC_OK);
        ck_assert_uint_eq(ids.count, n);
        ck_assert_mem_eq(ids.id, naive, n * sizeof *naive);
    }
    osc_ids_clear(&ids);
    osc_bpe_clear(&bpe);
    osc_definition_clear(&definition);
}
END_TEST

/* Quadratic merging would take hours. */
START_TEST(test_long_word)
{
    enum { SIZE = 1 << 20 };
    osc_tokenizer *tokenizer = open_ok(in_share("opt-mini-8m"));
    char *text = malloc(SIZE);
    uint32_t state = 3;
    memset(text, 'a', SIZE);
    check_pieces(tokenizer, text, SIZE);
    for (size_t i = 0; i < SIZE; i++)
        text[i] = (char)('a' + draw(&state) % 26);
    check_pieces(tokenizer, text, SIZE);
    memset(text, ' ', SIZE);
    check_pieces(tokenizer, text, SIZE);
    memset(text, '\n', SIZE - 1);
    check_pieces(tokenizer, text, SIZE);
    free(text);
    osc_tokenizer_close(tokenizer);
}
END_TEST

START_TEST(test_tokens)
{
    osc_tokenizer *tokenizer = open_ok(in_share("opt-mini-8m"));
    size_t size;
    ck_assert_int_eq(osc_tokenizer_find(tokenizer, "</s>"), 2);
    ck_assert_int_eq(osc_tokenizer_find(tokenizer, "\u0120the"), 265);
    ck_assert_int_eq(osc_tokenizer_find(tokenizer, " the"), -1);
    ck_assert_int_eq(osc_tokenizer_find(tokenizer, ""), -1);
    ck_assert_mem_eq(osc_tokenizer_piece(tokenizer, 265, &size), " the", 4);
    ck_assert_uint_eq(size, 4);
    ck_assert_ptr_null(osc_tokenizer_piece(tokenizer, -1, &size));
    ck_assert_ptr_null(osc_tokenizer_piece(tokenizer, 8192, &size));
    ck_assert_uint_eq(size, 0);
    osc_ids ids = encode_ok(tokenizer, "</s>", 4);
    ck_assert_uint_eq(ids.count, 4);
    osc_ids_clear(&ids);
    ids = encode_ok(tokenizer, "", 0);
    ck_assert_uint_eq(ids.count, 0);
    osc_ids_clear(&ids);
    osc_tokenizer_close(tokenizer);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tokenizer");
    TCase *tc = tcase_create("tokenizer");
    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, folder_make, folder_remove);
    tcase_add_test(tc, test_reference);
    tcase_add_test(tc, test_reference_json);
    tcase_add_test(tc, test_reference_shared);
    tcase_add_test(tc, test_pretokens);
    tcase_add_test(tc, test_white_space);
    tcase_add_test(tc, test_pretokens_shared);
    tcase_add_test(tc, test_bytes_come_back);
    tcase_add_test(tc, test_merge_order);
    tcase_add_test(tc, test_long_word);
    tcase_add_test(tc, test_tokens);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}

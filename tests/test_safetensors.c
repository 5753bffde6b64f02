/* Headers of safetensors files: what must be read, and what must be refused. */
#include <config.h>
#include "run.h"

#include "checkpoint.h"
#include "store/store.h"

#define D(dtype, shape, offsets) \
    "{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"
#define T(dtype, shape, offsets) "{\"a\":" D(dtype, shape, offsets) "}"

static osc_status open_folder(osc_store **store)
{
    *store = NULL;
    return osc_store_open(store, folder);
}

/* Opens model.safetensors, written before, and compares the outcome. */
static void expect(const char *label, osc_status status, const char *message)
{
    osc_store *store;
    osc_status got = open_folder(&store);
    ck_assert_msg(got == status, "%.200s: status %d (%s), expected %d", label, got,
                  got == OSC_OK ? "" : osc_error(), status);
    ck_assert_msg((store != NULL) == (status == OSC_OK), "%.200s: output set", label);
    if (status != OSC_OK) {
        ck_assert_msg(strstr(osc_error(), message) != NULL, "%.200s: message '%s' lacks '%s'",
                      label, osc_error(), message);
        ck_assert_msg(strstr(osc_error(), "model.safetensors: ") != NULL,
                      "message '%s' does not name the file", osc_error());
    }
    osc_store_close(store);
}

static const struct {
    const char *header;
    size_t      data;
    osc_status  status;
    const char *message;
} cases[] = {
    /* accepted */
    { "{}", 0, OSC_OK, NULL },
    { "{ }     ", 0, OSC_OK, NULL },
    { "{\"__metadata__\":{}}", 0, OSC_OK, NULL },
    { "{\n\t\"a\" :\r{ \"shape\": [ 1, 2 ], \"data_offsets\" : [0 ,4], \"dtype\":\"F16\" } } ", 4,
      OSC_OK, NULL },
    { T("F32", "[]", "[0,4]"), 4, OSC_OK, NULL },
    { T("F32", "[0]", "[0,0]"), 0, OSC_OK, NULL },
    { T("F32", "[9223372036854775807,0]", "[0,0]"), 0, OSC_EFORMAT, "2^64" },
    { T("F32", "[0,9223372036854775807]", "[0,0]"), 0, OSC_EFORMAT, "2^64" },
    { T("F32", "[288230376151711743,0]", "[0,0]"), 0, OSC_OK, NULL },
    { T("F32", "[1,1,1,1,1,1,1,1]", "[0,4]"), 4, OSC_OK, NULL },
    { "{\"b\":" D("U8", "[3]", "[2,5]") ",\"a\":" D("F16", "[1]", "[0,2]") "}", 5, OSC_OK, NULL },
    { "{\"\":" D("U8", "[1]", "[0,1]") ",\"../../etc/passwd\":" D("U8", "[1]", "[1,2]") "}", 2,
      OSC_OK, NULL },
    { "{\"\\u00e9\\ud83d\\ude00\\\"\\\\}\":" D("U8", "[1]", "[0,1]") "}", 1, OSC_OK, NULL },
    { "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1],\"more\":[[\"}\"]]}}", 1,
      OSC_OK, NULL },
    { "{\"e\":" D("F32", "[0,5]", "[0,0]") ",\"a\":" D("U8", "[1]", "[0,1]")
      ",\"z\":" D("F64", "[0]", "[1,1]") "}", 1, OSC_OK, NULL },
    { T("C64", "[2]", "[0,16]"), 16, OSC_OK, NULL },
    { T("F4", "[3,2]", "[0,3]"), 3, OSC_OK, NULL },
    { T("F6_E2M3", "[4]", "[0,3]"), 3, OSC_OK, NULL },
    { T("F8_E4M3FNUZ", "[3]", "[0,3]"), 3, OSC_OK, NULL },
    { "{\"__metadata__\":{\"format\":\"pt\",\"x\":\"{\\\"y\\\":[1]}\"}}", 0, OSC_OK, NULL },
    /* numbers */
    { T("U8", "[1]", "[-1,0]"), 1, OSC_EFORMAT, "tensor 'a': \"data_offsets\" holds something" },
    { T("U8", "[-1]", "[0,1]"), 1, OSC_EFORMAT, "tensor 'a': \"shape\" holds something" },
    { T("U8", "[1.0]", "[0,1]"), 1, OSC_EFORMAT, "not a whole number" },
    { T("U8", "[1]", "[0,1e0]"), 1, OSC_EFORMAT, "not a whole number" },
    { T("U8", "[1E2]", "[0,100]"), 100, OSC_EFORMAT, "not a whole number" },
    { T("U8", "[\"1\"]", "[0,1]"), 1, OSC_EFORMAT, "not a whole number" },
    { T("U8", "[true]", "[0,1]"), 1, OSC_EFORMAT, "not a whole number" },
    { T("U8", "[null]", "[0,1]"), 1, OSC_EFORMAT, "not a whole number" },
    { T("U8", "[[1]]", "[0,1]"), 1, OSC_EFORMAT, "not a whole number" },
    { T("U8", "[01]", "[0,1]"), 1, OSC_EFORMAT, "tensor 'a': not valid JSON" },
    { T("U8", "[NaN]", "[0,1]"), 1, OSC_EFORMAT, "tensor 'a': not valid JSON" },
    { T("U8", "[1]", "[0,9223372036854775808]"), 1, OSC_EFORMAT, "too big integer" },
    { T("U8", "[1]", "[18446744073709551615,18446744073709551616]"), 1, OSC_EFORMAT, "too big" },
    { T("U8", "[1]", "[9223372036854775806,9223372036854775807]"), 1, OSC_EFORMAT, "go beyond" },
    /* ranges */
    { T("U8", "[1]", "[1,0]"), 1, OSC_EFORMAT, "end before they begin" },
    { T("U8", "[2]", "[0,2]"), 1, OSC_EFORMAT, "is the file complete?" },
    { T("U8", "[2]", "[0,2]"), 3, OSC_EFORMAT, "1 bytes of data after the last tensor's end" },
    { T("U8", "[1]", "[1,2]"), 2, OSC_EFORMAT, "tensor 'a': its data begin at 1, a hole after 0" },
    { "{\"a\":" D("U8", "[1]", "[0,1]") ",\"b\":" D("U8", "[1]", "[2,3]") "}", 3, OSC_EFORMAT,
      "tensor 'b': its data begin at 2, a hole after 1" },
    { "{\"a\":" D("U8", "[2]", "[0,2]") ",\"b\":" D("U8", "[2]", "[1,3]") "}", 3, OSC_EFORMAT,
      "tensor 'b': its data begin at 1 and overlap those of tensor 'a'" },
    { "{\"a\":" D("U8", "[2]", "[0,2]") ",\"b\":" D("U8", "[2]", "[0,2]") "}", 2, OSC_EFORMAT,
      "overlap" },
    { "{\"a\":" D("U8", "[2]", "[0,2]") ",\"b\":" D("U8", "[0]", "[1,1]") "}", 2, OSC_EFORMAT,
      "overlap" },
    { "{}", 1, OSC_EFORMAT, "1 bytes of data after" },
    { T("U8", "[1]", "[0]"), 1, OSC_EFORMAT, "exactly two" },
    { T("U8", "[1]", "[0,1,1]"), 1, OSC_EFORMAT, "exactly two" },
    { T("U8", "[1]", "{\"0\":0,\"1\":1}"), 1, OSC_EFORMAT, "exactly two" },
    /* shapes and types */
    { T("F32", "[2]", "[0,4]"), 4, OSC_EFORMAT, "make 8 bytes, but data_offsets [0, 4] hold 4" },
    { T("F32", "[4294967296,4294967296]", "[0,0]"), 0, OSC_EFORMAT, "2^64 bits" },
    { T("F32", "[4611686018427387904]", "[0,0]"), 0, OSC_EFORMAT, "2^64 bits" },
    { T("F64", "[288230376151711744]", "[0,0]"), 0, OSC_EFORMAT, "2^64 bits" },
    { T("F32", "[1,1,1,1,1,1,1,1,1]", "[0,4]"), 4, OSC_EUNSUP, "has 9 dimensions" },
    { T("F32", "1", "[0,4]"), 4, OSC_EFORMAT, "no array \"shape\"" },
    { T("Q4", "[1]", "[0,1]"), 1, OSC_EFORMAT, "tensor 'a': dtype 'Q4'" },
    { T("f32", "[1]", "[0,4]"), 4, OSC_EFORMAT, "dtype 'f32'" },
    { T("F4", "[3]", "[0,1]"), 1, OSC_EFORMAT, "whole bytes" },
    { T("F6_E3M2", "[2]", "[0,1]"), 1, OSC_EFORMAT, "whole bytes" },
    { "{\"a\":{\"shape\":[1],\"data_offsets\":[0,1]}}", 1, OSC_EFORMAT, "\"dtype\"" },
    { "{\"a\":{\"dtype\":8,\"shape\":[1],\"data_offsets\":[0,1]}}", 1, OSC_EFORMAT, "\"dtype\"" },
    { "{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,1]}}", 1, OSC_EFORMAT, "\"shape\"" },
    { "{\"a\":{\"dtype\":\"U8\",\"shape\":[1]}}", 1, OSC_EFORMAT, "\"data_offsets\"" },
    { "{\"a\":{}}", 0, OSC_EFORMAT, "\"dtype\"" },
    { "{\"a\":[]}", 0, OSC_EFORMAT, "tensor 'a': its description is not a JSON object" },
    { "{\"a\":null}", 0, OSC_EFORMAT, "not a JSON object" },
    /* names, duplicate keys, metadata */
    { "{\"a\":" D("U8", "[1]", "[0,1]") ",\"a\":" D("U8", "[1]", "[1,2]") "}", 2, OSC_EFORMAT,
      "tensor 'a' is there twice" },
    { "{\"a\":" D("U8", "[1]", "[0,1]") ",\"\\u0061\":" D("F4", "[2]", "[1,2]") "}", 2,
      OSC_EFORMAT, "tensor 'a' is there twice" },
    { "{\"a\":{\"dtype\":\"U8\",\"dtype\":\"I8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1,
      OSC_EFORMAT, "duplicate" },
    { "{\"a\\u0000b\":" D("U8", "[1]", "[0,1]") "}", 1, OSC_EFORMAT, "name at byte 1" },
    { "{\"a\xff\":" D("U8", "[1]", "[0,1]") "}", 1, OSC_EFORMAT, "name at byte 1" },
    { "{\"\xc0\xaf\":" D("U8", "[1]", "[0,1]") "}", 1, OSC_EFORMAT, "name at byte 1" },
    { "{\"\\ud800\":" D("U8", "[1]", "[0,1]") "}", 1, OSC_EFORMAT, "name at byte 1" },
    { "{\"a\nb\":" D("U8", "[1]", "[0,1]") "}", 1, OSC_EFORMAT, "name at byte 1" },
    { "{\"a\\nb\":" D("Q8", "[1]", "[0,1]") "}", 1, OSC_EFORMAT, "tensor 'a?b': dtype 'Q8'" },
    { T("\xff", "[1]", "[0,1]"), 1, OSC_EFORMAT, "not valid JSON" },
    { "{\"__metadata__\":{},\"__metadata__\":{}}", 0, OSC_EFORMAT, "duplicate key '__metadata__'" },
    { "{\"__metadata__\":{\"k\":\"1\",\"\\u006b\":\"2\"}}", 0, OSC_EFORMAT,
      "__metadata__: duplicate key 'k'" },
    { "{\"__metadata__\":{\"k\":1}}", 0, OSC_EFORMAT, "__metadata__: 'k' is not a string" },
    { "{\"__metadata__\":{\"k\":{}}}", 0, OSC_EFORMAT, "__metadata__: 'k' is not a string" },
    { "{\"__metadata__\":{\"k\":null}}", 0, OSC_EFORMAT, "__metadata__: 'k' is not a string" },
    { "{\"__metadata__\":{\"k\":\"\xff\"}}", 0, OSC_EFORMAT, "__metadata__: k: not valid JSON" },
    { "{\"__metadata__\":[]}", 0, OSC_EFORMAT, "__metadata__: byte 0" },
    { "{\"__metadata__\":\"pt\"}", 0, OSC_EFORMAT, "__metadata__: byte 0" },
    { "{\"__metadata__\":{\"k\":\"v\"]}", 0, OSC_EFORMAT, "__metadata__: byte" },
    /* syntax */
    { "", 0, OSC_EFORMAT, "ends early" },
    { " {}", 0, OSC_EFORMAT, "byte 0 of the JSON text: expected '{'" },
    { "[]", 0, OSC_EFORMAT, "expected '{'" },
    { "\"a\"", 0, OSC_EFORMAT, "expected '{'" },
    { "{", 0, OSC_EFORMAT, "ends early" },
    { "{}x", 0, OSC_EFORMAT, "byte 2 after the JSON text is not a space" },
    { "{}{}", 0, OSC_EFORMAT, "not a space" },
    { "{}\n", 0, OSC_EFORMAT, "not a space" },
    { "{,}", 0, OSC_EFORMAT, "expected a quoted name" },
    { "{\"a\":" D("U8", "[1]", "[0,1]") ",}", 1, OSC_EFORMAT, "expected a quoted name" },
    { "{\"a\" " D("U8", "[1]", "[0,1]") "}", 1, OSC_EFORMAT, "expected ':'" },
    { "{\"a\":" D("U8", "[1]", "[0,1]") " \"b\":{}}", 1, OSC_EFORMAT, "expected ',' or '}'" },
    { "{a:1}", 0, OSC_EFORMAT, "expected a quoted name" },
    { "{\"a", 0, OSC_EFORMAT, "expected the end of a string" },
    { "{\"a\\", 0, OSC_EFORMAT, "expected the end of a string" },
    { "{\"a\":", 0, OSC_EFORMAT, "expected a value" },
    { "{\"a\":}", 0, OSC_EFORMAT, "expected a value" },
    { "{\"a\":{\"dtype\":\"U8\"", 0, OSC_EFORMAT, "expected a closing bracket" },
    { "{\"a\":{\"dtype\":[1}}}", 0, OSC_EFORMAT, "tensor 'a': not valid JSON" },
    { "{\"a\":{]}", 0, OSC_EFORMAT, "tensor 'a': not valid JSON" },
    { "{\"a\":[[[[1]]]]}", 0, OSC_EFORMAT, "nested deeper than 4" },
    { "{\"a\":{\"b\":[{\"c\":1}]}}", 0, OSC_EFORMAT, "has no string \"dtype\"" },
    { "{\"a\":{\"b\":[{\"c\":[]}]}}", 0, OSC_EFORMAT, "nested deeper than 4" },
};

START_TEST(test_headers)
{
    put_text("config.json", "{}");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t size = strlen(cases[i].header);
        put_weights("model.safetensors", size, cases[i].header, size, cases[i].data);
        expect(cases[i].header, cases[i].status, cases[i].message);
    }
}
END_TEST

START_TEST(test_header_length)
{
    static const struct {
        uint64_t    length;
        osc_status  status;
        const char *message;
    } lengths[] = {
        { 4, OSC_OK, NULL },
        { 2, OSC_EFORMAT, "2 bytes of data after" },
        { 0, OSC_EFORMAT, "ends early" },
        { 1, OSC_EFORMAT, "ends early" },
        { 3, OSC_EFORMAT, "1 bytes of data after" },
        { 5, OSC_EFORMAT, "goes beyond the end of the file of 12 bytes" },
        { 100000000, OSC_EFORMAT, "goes beyond the end" },
        { 100000001, OSC_EFORMAT, "over the limit of 100000000" },
        { 1ull << 40, OSC_EFORMAT, "over the limit" },
        { UINT64_MAX, OSC_EFORMAT, "over the limit" },
        { UINT64_MAX - 7, OSC_EFORMAT, "over the limit" },
    };
    put_text("config.json", "{}");
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        put_weights("model.safetensors", lengths[i].length, "{}  ", 4, 0);
        expect("header length", lengths[i].status, lengths[i].message);
    }
    for (size_t size = 0; size < 8; size++) {
        put("model.safetensors", "\2\0\0\0\0\0\0\0", size);
        expect("short file", OSC_EFORMAT, "too short");
    }
    put("model.safetensors", "\0\0\0\0\0\0\0\0", 8);
    expect("no header", OSC_EFORMAT, "ends early");
}
END_TEST

/* `count` copies of `unit` between `before` and `after`. */
static void expect_repeated(const char *before, const char *unit, size_t count, const char *after,
                            size_t data, osc_status status, const char *message)
{
    size_t nb = strlen(before), nu = strlen(unit), na = strlen(after), size = nb + nu * count + na;
    char *text = malloc(size + 1);
    ck_assert_ptr_nonnull(text);
    memcpy(text, before, nb);
    for (size_t i = 0; i < count; i++)
        memcpy(text + nb + i * nu, unit, nu);
    memcpy(text + nb + nu * count, after, na + 1);
    put_weights("model.safetensors", size, text, size, data);
    expect(message == NULL ? before : message, status, message);
    free(text);
}

START_TEST(test_bombs)
{
    static const char entry[] = "\":" D("U8", "[1]", "[0,1]") "}";
    put_text("config.json", "{}");
    expect_repeated("{\"a\":", "[", 1000000, "", 0, OSC_EFORMAT, "nested deeper");
    expect_repeated("", "{\"a\":", 300000, "", 0, OSC_EFORMAT, "nested deeper");
    expect_repeated("{\"__metadata__\":{\"a\":", "[", 1000, "", 0, OSC_EFORMAT, "nested deeper");
    expect_repeated("{\"a\":[", "{},", 500000, "{}]}", 0, OSC_EFORMAT, "at most 65536");
    expect_repeated("{\"", "n", 4096, entry, 1, OSC_OK, NULL);
    expect_repeated("{\"", "n", 4097, entry, 1, OSC_EFORMAT, "4097 bytes, at most 4096");
    expect_repeated("{\"", "n", 5000, entry, 1, OSC_EFORMAT, "5000 bytes, at most 4096");
    expect_repeated("{\"", "\\u0101", 2048, entry, 1, OSC_OK, NULL);
    expect_repeated("{\"", "\\u0101", 2049, entry, 1, OSC_EFORMAT, "4098 bytes");
    expect_repeated("{", " ", 1000000, "}", 0, OSC_OK, NULL);
    expect_repeated("{}", " ", 1000000, "", 0, OSC_OK, NULL);
    expect_repeated("{\"__metadata__\":{\"k\":\"", "v", 1000000, "\"}}", 0, OSC_OK, NULL);
}
END_TEST

/* A long name is cut in a message, between characters. */
START_TEST(test_long_name_in_message)
{
    put_text("config.json", "{}");
    expect_repeated("{\"x", "\xc3\xa9", 200, "\":" D("Q8", "[1]", "[0,1]") "}", 1, OSC_EFORMAT,
                    "\xc3\xa9...': dtype 'Q8'");
}
END_TEST

START_TEST(test_too_many_tensors)
{
    enum { COUNT = (1 << 20) + 1, WIDTH = 80 };
    char *text = malloc((size_t)COUNT * WIDTH + 2);
    ck_assert_ptr_nonnull(text);
    size_t size = 0, before_last = 0;
    for (size_t i = 0; i < COUNT; i++) {
        before_last = size;
        size += (size_t)sprintf(text + size, "%c\"%zu\":" D("U8", "[0]", "[0,0]"),
                                i == 0 ? '{' : ',', i);
    }
    put_text("config.json", "{}");
    text[size] = '}';
    put_weights("model.safetensors", size + 1, text, size + 1, 0);
    expect("2^20 + 1 tensors", OSC_EUNSUP, "more than 1048576 tensors");
    text[before_last] = '}';
    put_weights("model.safetensors", before_last + 1, text, before_last + 1, 0);
    expect("2^20 tensors", OSC_OK, NULL);
    free(text);
}
END_TEST

START_TEST(test_foreign_types)
{
    static const char header[] =
        "{\"z\":" D("F8_E4M3", "[2]", "[0,2]") ",\"m\":" D("U8", "[1]", "[2,3]")
        ",\"c\":" D("F4", "[2]", "[3,4]") ",\"b\":" D("BOOL", "[]", "[4,5]") "}";
    put_text("config.json", "{}");
    put_weights("model.safetensors", sizeof header - 1, header, sizeof header - 1, 5);
    osc_store *store;
    ck_assert_int_eq(open_folder(&store), OSC_OK);
    ck_assert_uint_eq(osc_store_count(store), 2);
    ck_assert_str_eq(osc_store_at(store, 0)->name, "b");
    ck_assert_str_eq(osc_store_at(store, 1)->name, "m");
    ck_assert_ptr_eq(osc_store_find(store, "m"), osc_store_at(store, 1));
    ck_assert_ptr_null(osc_store_find(store, "z"));
    ck_assert_str_eq(osc_store_skipped(store, "z"), "F8_E4M3");
    ck_assert_str_eq(osc_store_skipped(store, "c"), "F4");
    ck_assert_ptr_null(osc_store_skipped(store, "m"));
    ck_assert_ptr_null(osc_store_skipped(store, "absent"));
    osc_store_close(store);
}
END_TEST

/* Reads the first and last byte of every tensor: a sanitizer or the mapping's end
 * would stop a tensor that lies outside the file. */
static size_t touch(const osc_store *store)
{
    size_t sum = 0;
    for (size_t i = 0; i < osc_store_count(store); i++) {
        const osc_tensor *tensor = &osc_store_at(store, i)->tensor;
        size_t bytes = osc_tensor_count(tensor) * osc_dtype_size(tensor->dtype);
        const uint8_t *data = tensor->data;
        ck_assert_uint_le(bytes, osc_store_bytes(store));
        sum += bytes == 0 ? 0 : (size_t)data[0] + data[bytes - 1];
    }
    return sum;
}

START_TEST(test_damage)
{
    static const char header[] =
        "{\"__metadata__\":{\"k\":\"v\"},\"a\":" D("F32", "[2,1]", "[0,8]")
        ",\"b\":" D("F16", "[3]", "[8,14]") ",\"c\":" D("I8", "[]", "[14,15]") "}";
    enum { SIZE = sizeof header - 1, DATA = 15 };
    static const char replacements[] = "\"\\{}[]:,0719-.eE \n\t\xff\x01\x80" "Fux";
    put_text("config.json", "{}");
    osc_store *store;
    size_t accepted = 0;
    for (size_t i = 0; i < SIZE; i++) {
        for (size_t r = 0; r < sizeof replacements; r++) {   /* the NUL too */
            char damaged[SIZE];
            memcpy(damaged, header, SIZE);
            damaged[i] = replacements[r];
            put_weights("model.safetensors", SIZE, damaged, SIZE, DATA);
            if (open_folder(&store) == OSC_OK) {
                touch(store);
                accepted++;
            }
            osc_store_close(store);
        }
    }
    ck_assert_uint_gt(accepted, SIZE / 20);   /* other letters in a name, the same byte */
    for (size_t cut = 0; cut < 8 + SIZE + DATA; cut++) {
        put_weights("model.safetensors", SIZE, header, SIZE, DATA);
        ck_assert_int_eq(truncate(in_folder("model.safetensors"), (off_t)cut), 0);
        expect("cut short", OSC_EFORMAT, "model.safetensors: ");
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("safetensors");
    TCase *tc = tcase_create("safetensors");
    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, folder_make, folder_remove);
    tcase_add_test(tc, test_headers);
    tcase_add_test(tc, test_header_length);
    tcase_add_test(tc, test_bombs);
    tcase_add_test(tc, test_long_name_in_message);
    tcase_add_test(tc, test_too_many_tensors);
    tcase_add_test(tc, test_foreign_types);
    tcase_add_test(tc, test_damage);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}

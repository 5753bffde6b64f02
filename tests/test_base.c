#include <config.h>
#include "run.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/half.h"
#include "base/json.h"
#include "base/digest.h"
#include "base/spec.h"
#include "base/suggest.h"
#include "tensor/tensor.h"

START_TEST(test_half_round_trip)
{
    for (uint32_t h = 0; h <= 0xffff; h++) {
        float f = osc_f16_to_float((uint16_t)h);
        if (isnan(f))
            ck_assert((osc_float_to_f16(f) & 0x7fff) > 0x7c00);
        else
            ck_assert_uint_eq(osc_float_to_f16(f), h);
    }
}
END_TEST

START_TEST(test_half_rounding)
{
    static const struct { float in; float out; } cases[] = {
        { 65519.0f, 65504.0f }, { 65520.0f, INFINITY }, { -1e30f, -INFINITY },
        { 1.0f + 0x1p-11f, 1.0f }, { 1.0f + 3 * 0x1p-11f, 1.0f + 0x1p-9f },
        { 0x1p-25f, 0.0f }, { 0x1.8p-25f, 0x1p-24f }, { 0x1.ff8p-15f, 0x1.ff8p-15f },
        { 0x1.ffcp-15f, 0x1p-14f },
        { 2049.0f, 2048.0f }, { 2051.0f, 2052.0f },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_float_eq(osc_f16_to_float(osc_float_to_f16(cases[i].in)), cases[i].out);
}
END_TEST

START_TEST(test_spec)
{
    osc_spec spec;
    ck_assert_int_eq(osc_spec_parse(&spec, "llm-int8:threshold=6.5,rule=topk"), OSC_OK);
    ck_assert_str_eq(spec.name, "llm-int8");
    ck_assert_str_eq(osc_spec_get(&spec, "rule"), "topk");
    ck_assert_ptr_null(osc_spec_get(&spec, "weights"));
    static const char *const keys[] = { "threshold", "rules" };
    ck_assert_int_eq(osc_spec_only(&spec, keys, 2), OSC_EINVAL);
    ck_assert_ptr_nonnull(strstr(osc_error(), "did you mean 'rules'"));
    static const char *const bad[] = { "", ":a=b", "x:", "x:a", "x:=b", "x:a=1,a=2", "x:a=1," };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_int_eq(osc_spec_parse(&spec, bad[i]), OSC_EINVAL);
}
END_TEST

START_TEST(test_numbers)
{
    size_t n;
    double d;
    ck_assert_int_eq(osc_parse_size(&n, "x", "17", 1, 20), OSC_OK);
    ck_assert_uint_eq(n, 17);
    static const char *const bad_sizes[] = { "", "0", "21", "-1", "+3", " 3", "3x", "1e3",
                                             "99999999999999999999999" };
    for (size_t i = 0; i < sizeof bad_sizes / sizeof *bad_sizes; i++)
        ck_assert_int_eq(osc_parse_size(&n, "x", bad_sizes[i], 1, 20), OSC_EINVAL);
    ck_assert_int_eq(osc_parse_double(&d, "x", "inf", 0, INFINITY), OSC_OK);
    ck_assert(isinf(d));
    static const char *const bad_doubles[] = { "", "nan", "6.0.0", " 6", "-1", "x" };
    for (size_t i = 0; i < sizeof bad_doubles / sizeof *bad_doubles; i++)
        ck_assert_int_eq(osc_parse_double(&d, "x", bad_doubles[i], 0, INFINITY), OSC_EINVAL);
}
END_TEST

START_TEST(test_nearest)
{
    static const char *const names[] = { "record", "outliers", "coverage" };
    ck_assert_str_eq(osc_nearest("recrod", names, 3), "record");
    ck_assert_str_eq(osc_nearest("outlier", names, 3), "outliers");
    ck_assert_ptr_null(osc_nearest("zebra", names, 3));
}
END_TEST

/* A single number, as checkpoints have them, as a matrix. */
START_TEST(test_scalar)
{
    float number = 1.5f;
    osc_tensor t = osc_tensor_make(&number, OSC_F32, 0, NULL);
    ck_assert_uint_eq(osc_tensor_count(&t), 1);
    ck_assert_uint_eq(osc_tensor_rows(&t), 1);
    ck_assert_uint_eq(osc_tensor_width(&t), 1);
    ck_assert_ptr_eq(osc_tensor_row(&t, 0), &number);
}
END_TEST

/* Texts that take much more memory than they have bytes. */
static long json_calls, json_fails;

static void *json_memory(size_t size)
{
    return ++json_calls == json_fails ? NULL : malloc(size);
}

/* The whole text or none, whichever allocation of jansson's fails. */
START_TEST(test_json_text)
{
    json_t *value = json_pack("{s{s[i,i]s:s}s:n}", "a key of some length, longer than a buffer",
                              "b", 1, 2, "another key of some length", "c", "d");
    const size_t flags = JSON_COMPACT | JSON_SORT_KEYS;
    static const char want[] = "{\"a key of some length, longer than a buffer\":{\"another key of "
                               "some length\":\"c\",\"b\":[1,2]},\"d\":null}";
    long most = 0, texts = 0;
    json_set_alloc_funcs(json_memory, free);
    for (json_fails = 0; json_fails <= most; json_fails++) {
        json_calls = 0;
        char *text = osc_json_text(value, flags);
        if (json_fails == 0)
            most = json_calls;
        ck_assert(text == NULL || strcmp(text, want) == 0);
        texts += text != NULL;
        osc_free(text);
    }
    json_set_alloc_funcs(malloc, free);
    ck_assert_int_gt(most, 0);
    ck_assert_int_eq(texts, 1);
    json_decref(value);
}
END_TEST

START_TEST(test_json_growth)
{
    static const struct { const char *item; bool refused; } cases[] = {
        { "{},", true }, { "[],", true }, { "0,", false }, { "\"a\":[\"b\",\"c\"],", false },
        { "[\"a\",\"b\"],", false }, { "\"[[[[[[[[\",", false },
    };
    enum { ROOM = 1 << 20 };
    char *text = osc_alloc(ROOM + 64, 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        bool object = strstr(cases[i].item, ":") != NULL;
        size_t length = strlen(cases[i].item), size = 0;
        text[size++] = object ? '{' : '[';
        for (; size < ROOM; size += length)
            memcpy(text + size, cases[i].item, length);
        text[size - 1] = object ? '}' : ']';
        json_t *root;
        osc_status status = osc_json_parse(&root, text, size, OSC_JSON_LENIENT);
        ck_assert_int_eq(status, cases[i].refused ? OSC_EFORMAT : OSC_OK);
        if (status == OSC_OK)
            json_decref(root);
        else
            ck_assert(strstr(osc_error(), "in earnest") != NULL);
    }
    osc_free(text);
}
END_TEST

START_TEST(test_json)
{
    static const char text[] = "{\"big\": 1000000000000000019884624838656, \"x\": NaN, "
                               "\"s\": \"NaN \\\" Infinity\", \"n\": null, \"y\": -Infinity, \"k\": 12}";
    json_t *root;
    ck_assert_int_eq(osc_json_parse(&root, text, sizeof text - 1, OSC_JSON_LENIENT), OSC_OK);
    size_t k = 5;
    ck_assert_int_eq(osc_json_get_size(&k, root, "k"), OSC_OK);
    ck_assert_uint_eq(k, 12);
    ck_assert_int_eq(osc_json_get_size(&k, root, "n"), OSC_OK);
    ck_assert_int_eq(osc_json_get_size(&k, root, "absent"), OSC_OK);
    ck_assert_uint_eq(k, 12);
    ck_assert_int_eq(osc_json_get_size(&k, root, "big"), OSC_EFORMAT);
    ck_assert_int_eq(osc_json_get_size(&k, root, "x"), OSC_EFORMAT);
    const char *s = NULL;
    ck_assert_int_eq(osc_json_get_string(&s, root, "s"), OSC_OK);
    ck_assert_str_eq(s, "NaN \" Infinity");
    json_decref(root);
    ck_assert_int_eq(osc_json_parse(&root, "{\"a\":1,\"a\":2}", 13, OSC_JSON_STRICT), OSC_EFORMAT);
    ck_assert_int_eq(osc_json_parse(&root, "{\"a\":1,\"a\":2}", 13, OSC_JSON_UNIQUE), OSC_EFORMAT);
    ck_assert_int_eq(osc_json_parse(&root, "{\"a\":1,\"a\":2}", 13, OSC_JSON_LENIENT), OSC_OK);
    json_decref(root);
    ck_assert_int_eq(osc_json_parse(&root, "{\"a\":1} x", 9, OSC_JSON_STRICT), OSC_EFORMAT);
}
END_TEST

START_TEST(test_digest)
{
    osc_digest *digest;
    char hex[OSC_DIGEST_HEX];
    ck_assert_int_eq(osc_digest_create(&digest), OSC_OK);
    ck_assert_int_eq(osc_digest_add(digest, "ab", 2), OSC_OK);
    ck_assert_int_eq(osc_digest_add(digest, "c", 1), OSC_OK);
    ck_assert_int_eq(osc_digest_finish(digest, hex), OSC_OK);
    osc_digest_free(digest);
    /* FIPS 180-2, appendix B.1 */
    ck_assert_str_eq(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}
END_TEST

START_TEST(test_alloc)
{
    ck_assert_ptr_null(osc_alloc((size_t)-1, 8));
    size_t capacity = 0;
    int *list = osc_grow(NULL, &capacity, 3, sizeof *list);
    ck_assert_ptr_nonnull(list);
    list[2] = 7;
    list = osc_grow(list, &capacity, 1000, sizeof *list);
    ck_assert_uint_ge(capacity, 1000);
    ck_assert_int_eq(list[2], 7);
    ck_assert_int_eq(list[999], 0);
    osc_free(list);
    osc_alloc_fail_from(2);
    void *first = osc_alloc(1, 1);
    ck_assert_ptr_nonnull(first);
    ck_assert_ptr_null(osc_alloc(1, 1));
    osc_alloc_fail_from(0);
    osc_free(first);
}
END_TEST

START_TEST(test_tensor)
{
    const size_t dim[] = { 3, 1, 4 };
    osc_tensor t = osc_tensor_make(NULL, OSC_F16, 3, dim);
    ck_assert_uint_eq(osc_tensor_count(&t), 12);
    ck_assert(osc_tensor_is_contiguous(&t));
    t.stride[1] = 99;   /* the stride of a dimension of 1 does not matter */
    ck_assert(osc_tensor_is_contiguous(&t));
    t.stride[0] = 5;
    ck_assert(!osc_tensor_is_contiguous(&t));
    char text[32];
    ck_assert_str_eq(osc_shape_text(text, sizeof text, 3, dim), "[3, 1, 4]");
}
END_TEST

/* Of a view that leaves out the end of every row and of every matrix. */
START_TEST(test_tensor_rows)
{
    static const float data[2 * 20];
    static const size_t first[] = { 0, 5, 10, 20, 25, 30 };
    osc_tensor t = osc_tensor_make(data, OSC_F32, 3, (size_t[]){ 2, 3, 4 });
    t.stride[0] = 20;
    t.stride[1] = 5;
    ck_assert(!osc_tensor_is_contiguous(&t));
    ck_assert_uint_eq(osc_tensor_rows(&t), 6);
    ck_assert_uint_eq(osc_tensor_width(&t), 4);
    for (size_t r = 0; r < 6; r++)
        ck_assert_ptr_eq(osc_tensor_row(&t, r), data + first[r]);
    ck_assert_uint_eq(osc_tensor_span(&t), 34 * sizeof *data);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base");
    TCase *tc = tcase_create("base");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, test_half_round_trip);
    tcase_add_test(tc, test_half_rounding);
    tcase_add_test(tc, test_spec);
    tcase_add_test(tc, test_numbers);
    tcase_add_test(tc, test_nearest);
    tcase_add_test(tc, test_json);
    tcase_add_test(tc, test_json_text);
    tcase_add_test(tc, test_json_growth);
    tcase_add_test(tc, test_scalar);
    tcase_add_test(tc, test_digest);
    tcase_add_test(tc, test_alloc);
    tcase_add_test(tc, test_tensor);
    tcase_add_test(tc, test_tensor_rows);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}

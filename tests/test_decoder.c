/* Ids to text, one at a time. */
#include <config.h>
#include "run.h"
#include "text.h"

#include "base/alloc.h"
#include "base/json.h"
#include "text/decoder.h"
#include "text/utf8.h"

/* --- helpers -------------------------------------------------------------------- */

typedef struct {
    char   bytes[4096];
    size_t size;
} output;

/* Whole characters, NUL behind them. */
static void check_whole(const char *text, size_t size)
{
    uint32_t character;
    ck_assert_int_eq(text[size], '\0');
    for (size_t at = 0, n; at < size; at += n)
        ck_assert_int_eq(osc_utf8_read(&character, &n, (const uint8_t *)text + at, size - at),
                         OSC_UTF8_WHOLE);
}

static void take(output *out, const char *text, size_t size)
{
    check_whole(text, size);
    ck_assert_uint_le(out->size + size, sizeof out->bytes);
    memcpy(out->bytes + out->size, text, size);
    out->size += size;
}

static output decode(osc_decoder *decoder, const int32_t *id, size_t count)
{
    output out = { .size = 0 };
    const char *text;
    size_t size;
    for (size_t i = 0; i < count; i++) {
        ck_assert_int_eq(osc_decoder_add(decoder, id[i], &text, &size), OSC_OK);
        take(&out, text, size);
    }
    ck_assert_int_eq(osc_decoder_end(decoder, &text, &size), OSC_OK);
    take(&out, text, size);
    return out;
}

static osc_decoder *create_ok(const osc_tokenizer *tokenizer, bool skip_special)
{
    osc_decoder *decoder;
    ck_assert_int_eq(osc_decoder_create(&decoder, tokenizer, skip_special), OSC_OK);
    return decoder;
}

static void check_output(const output *out, const char *expected, size_t size)
{
    ck_assert_msg(out->size == size && memcmp(out->bytes, expected, size) == 0,
                  "\"%.*s\", expected \"%.*s\"", (int)out->size, out->bytes, (int)size, expected);
}

/* --- bytes ---------------------------------------------------------------------- */

/* In a vocabulary whose tokens are the bytes: what each byte gives, '|' between two calls;
 * U+FFFD for each part that Unicode's recommended practice replaces by one. */
static const struct { const char *bytes, *given; } broken[] = {
    { "ab", "a|b|" },
    { "\xe2\x82\xac", "||\u20ac|" },
    { "\xf0\x9f\xa4\x96!", "|||\U0001f916|!|" },
    { "\xf0\x9f\xa4!", "|||\ufffd!|" },
    { "\xf0\x9f", "||\ufffd" },
    { "\xff\xfe", "\ufffd|\ufffd|" },
    { "\x80z", "\ufffd|z|" },
    { "\xc3\xc3\xa9", "|\ufffd|\u00e9|" },
    { "\xe0\x80\x80", "|\ufffd\ufffd|\ufffd|" },
    { "\xed\xa0\x80", "|\ufffd\ufffd|\ufffd|" },
    { "\xf4\x90\x80", "|\ufffd\ufffd|\ufffd|" },
    { "\xc0\xaf", "\ufffd|\ufffd|" },
    { "\xf0\x90\xf0\x90\x8d\x88", "||\ufffd|||\U00010348|" },
    { "\xe2\x82\xe2\x82", "||\ufffd||\ufffd" },
};

START_TEST(test_bytes)
{
    put_text("vocab.json", byte_vocab(-1, ""));
    put_text("merges.txt", "");
    osc_tokenizer *tokenizer = open_ok(folder);
    osc_decoder *decoder = create_ok(tokenizer, false);
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        char given[64];
        size_t size, at = 0;
        const char *text;
        for (const char *p = broken[i].bytes; *p != '\0'; p++) {
            ck_assert_int_eq(osc_decoder_add(decoder, (uint8_t)*p, &text, &size), OSC_OK);
            check_whole(text, size);
            at += (size_t)sprintf(given + at, "%s|", text);
        }
        ck_assert_int_eq(osc_decoder_end(decoder, &text, &size), OSC_OK);
        sprintf(given + at, "%s", text);
        ck_assert_str_eq(given, broken[i].given);
    }
    osc_decoder_free(decoder);
    osc_tokenizer_close(tokenizer);
}
END_TEST

START_TEST(test_text_comes_back)
{
    static const char text[] = "Caf\u00e9 \u65e5\u672c\u8a9e \U0001f468\u200d\U0001f469 don't\n\n"
                               "\t 3.14 \u0928\u092e\u0938\u094d\u0924\u0947";
    osc_tokenizer *tokenizer = open_ok(in_share("opt-mini-8m"));
    osc_decoder *decoder = create_ok(tokenizer, false);
    osc_ids ids = encode_ok(tokenizer, text, sizeof text - 1);
    for (int again = 0; again < 2; again++) {
        output out = decode(decoder, ids.id, ids.count);
        check_output(&out, text, sizeof text - 1);
    }
    osc_ids_clear(&ids);
    osc_decoder_free(decoder);
    osc_tokenizer_close(tokenizer);
}
END_TEST

START_TEST(test_special)
{
    static const int32_t ids[] = { 2, 265, 1, -1, 8192, INT32_MAX, 3 };
    osc_tokenizer *tokenizer = open_ok(in_share("opt-mini-8m"));
    for (int skip = 0; skip < 2; skip++) {
        osc_decoder *decoder = create_ok(tokenizer, skip);
        output out = decode(decoder, ids, sizeof ids / sizeof *ids);
        const char *expected = skip ? " the<unk>" : "</s> the<pad><unk>";
        check_output(&out, expected, strlen(expected));
        osc_decoder_free(decoder);
    }
    ck_assert(osc_tokenizer_is_special(tokenizer, 2));
    ck_assert(!osc_tokenizer_is_special(tokenizer, 265));
    ck_assert(!osc_tokenizer_is_special(tokenizer, -1));
    ck_assert(!osc_tokenizer_is_special(tokenizer, 8192));
    osc_tokenizer_close(tokenizer);
}
END_TEST

START_TEST(test_out_of_memory)
{
    osc_tokenizer *tokenizer = open_ok(in_share("opt-mini-8m"));
    osc_status status = OSC_ENOMEM;
    for (size_t n = 1; status != OSC_OK; n++) {
        osc_decoder *decoder = NULL;
        const char *text;
        size_t size;
        osc_alloc_fail_from(n);
        status = osc_decoder_create(&decoder, tokenizer, false);
        if (status == OSC_OK)
            status = osc_decoder_add(decoder, 265, &text, &size);
        osc_alloc_fail_from(0);
        osc_decoder_free(decoder);
        ck_assert(status == OSC_OK || status == OSC_ENOMEM);
        ck_assert_uint_lt(n, 100);
    }
    osc_tokenizer_close(tokenizer);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("decoder");
    TCase *tc = tcase_create("decoder");
    tcase_add_checked_fixture(tc, folder_make, folder_remove);
    tcase_add_test(tc, test_bytes);
    tcase_add_test(tc, test_text_comes_back);
    tcase_add_test(tc, test_special);
    tcase_add_test(tc, test_out_of_memory);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}

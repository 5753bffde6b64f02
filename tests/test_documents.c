#include <config.h>
#include "run.h"
#include "text.h"

#include <zlib.h>

#include "base/alloc.h"

static void check_read(const char *name, osc_status expected, const char *says)
{
    osc_documents *documents = NULL;
    osc_status status = osc_documents_read(&documents, in_folder(name));
    ck_assert_msg(status == expected, "%s: %s: %s", says, osc_status_name(status), osc_error());
    ck_assert_ptr_null(documents);
    ck_assert_msg(strstr(osc_error(), says) != NULL, "\"%s\" lacks \"%s\"", osc_error(), says);
}

/* Documents of the file, '|' between them. */
static void check_documents(const char *name, const char *expected)
{
    osc_documents *documents = read_ok(in_folder(name));
    char found[512];
    size_t length = 0;
    for (size_t i = 0; i < osc_documents_count(documents); i++) {
        osc_document document = osc_documents_at(documents, i);
        if (i > 0)
            found[length++] = '|';
        memcpy(found + length, document.text, document.size);
        length += document.size;
    }
    found[length] = '\0';
    ck_assert_str_eq(found, expected);
    osc_documents_free(documents);
}

/* --- text files ------------------------------------------------------------------------ */

#define SEP "<|endoftext|>"

START_TEST(test_plain_text)
{
    static const struct { const char *text, *documents; } cases[] = {
        { "a", "a" }, { "a\n", "a" }, { "a\n\n", "a\n" }, { " a\r\nb\xff\n", " a\r\nb\xff" },
        { "a\n" SEP "\nb\n", "a|b" }, { "a\n\n" SEP "\n\nb", "a\n|\nb" },
        { SEP "\na\n" SEP "\n", "a" }, { SEP "\na\n" SEP, "a" },
        { "a\n" SEP "\n" SEP "\nb", "a|b" }, { "a\n" SEP "\n\n" SEP "\nb", "a|b" },
        { "a\n" SEP "\n\n\n" SEP "\nb", "a|\n|b" },
        { "a " SEP "\nb", "a " SEP "\nb" }, { "a\n" SEP " \nb", "a\n" SEP " \nb" },
        { SEP SEP "\nb", SEP SEP "\nb" }, { "x" SEP SEP "\n" SEP "\nb", "x" SEP SEP "|b" },
        { "a\n<|endoftext|", "a\n<|endoftext|" }, { "a\n" SEP "\r\nb", "a\n" SEP "\r\nb" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        put_text("a.txt", cases[i].text);
        check_documents("a.txt", cases[i].documents);
    }
    put("a.txt", "a\0b\n", 4);
    osc_documents *documents = read_ok(in_folder("a.txt"));
    ck_assert_uint_eq(osc_documents_at(documents, 0).size, 3);
    osc_documents_free(documents);
}
END_TEST

START_TEST(test_json_lines)
{
    static const struct { const char *text, *documents; } cases[] = {
        { "{\"text\":\"a\"}", "a" },
        { "{\"text\":\"a\"}\n\n  \t\r\n"
          "{\"x\":[1,NaN,99999999999999999999],\"text\":\"b\\n\"}\r\n", "a|b\n" },
        { "{\"text\":\"\\u00e9\\ud83e\\udd16\\\"\"}\n{\"text\":\"\"}\n", "\u00e9\U0001f916\"|" },
        { "{\"text\":\"" SEP "\"}\n", SEP },
    };
    static const char *const names[] = { "a.jsonl", "a.json" };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        put_text(names[i % 2], cases[i].text);
        check_documents(names[i % 2], cases[i].documents);
    }
    static const struct { const char *text, *says; } bad[] = {
        { "{\"text\":\"a\"}\n{\"text\":1}\n",
          "a.jsonl: line 2: expected a JSON object with a string" },
        { "{\"text\":\"a\"}\n\n{\"Text\":\"b\"}\n", "line 3: expected" },
        { "[\"a\"]", "line 1: expected" }, { "\"text\"", "line 1: expected" },
        { "{\"text\":null}", "line 1: expected" },
        { "{\n\"text\":\"a\"}\n", "line 1: not valid JSON" },
        { "{\"text\":\"a\"}{\"text\":\"b\"}", "line 1: not valid JSON" },
        { "{\"text\":\"\xff\"}", "line 1: not valid JSON" },
        { "{\"text\":\"a", "line 1: not valid JSON" },
        { "", "has no text" }, { "\n\n", "has no text" }, { "{\"text\":\"\"}\n", "has no text" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        put_text("a.jsonl", bad[i].text);
        check_read("a.jsonl", OSC_EFORMAT, bad[i].says);
    }
}
END_TEST

START_TEST(test_long_json_line)
{
    enum { SIZE = 3 << 20 };
    static const char start[] = "{\"text\":\"";
    size_t head = sizeof start - 1;
    static char line[SIZE + 16];
    memcpy(line, start, head);
    memset(line + head, 'x', SIZE - head);
    memcpy(line + SIZE, "\"}\n", 4);
    put_text("a.jsonl", line);
    osc_documents *documents = read_ok(in_folder("a.jsonl"));
    ck_assert_uint_eq(osc_documents_count(documents), 1);
    ck_assert_uint_eq(osc_documents_at(documents, 0).size, SIZE - head);
    osc_documents_free(documents);
}
END_TEST

START_TEST(test_no_text)
{
    static const char *const empty[] = { "", "\n", SEP, SEP "\n", "\n" SEP "\n\n" };
    for (size_t i = 0; i < sizeof empty / sizeof *empty; i++) {
        put_text("a.txt", empty[i]);
        check_read("a.txt", OSC_EFORMAT, "a.txt: has no text");
    }
    put_text("a.gz", "");
    check_read("a.gz", OSC_EFORMAT, "has no text");
    check_read("absent.txt", OSC_ENOTFOUND, "absent.txt");
    check_read("", OSC_EIO, "not a regular file");
}
END_TEST

/* --- gzip -------------------------------------------------------------------------------- */

/* One gzip member of `text`; returns its size. */
static size_t compress_member(uint8_t *out, size_t room, const void *text, size_t size)
{
    z_stream stream = { .zalloc = Z_NULL };
    ck_assert_int_eq(deflateInit2(&stream, 9, Z_DEFLATED, 31, 9, Z_DEFAULT_STRATEGY), Z_OK);
    stream.next_in = (Bytef *)(uintptr_t)text;
    stream.avail_in = (uInt)size;
    stream.next_out = out;
    stream.avail_out = (uInt)room;
    ck_assert_int_eq(deflate(&stream, Z_FINISH), Z_STREAM_END);
    deflateEnd(&stream);
    return room - stream.avail_out;
}

START_TEST(test_gzip)
{
    static const char first[] = "{\"text\":\"a\"}\n{\"te", second[] = "xt\":\"b\"}\n";
    uint8_t file[512] = { 0 };
    size_t size = compress_member(file, sizeof file, first, sizeof first - 1);
    size_t one = size;
    size += compress_member(file + size, sizeof file - size, second, sizeof second - 1);
    static const char *const names[] = { "a.json.gz", "a.jsonl.gz" };
    for (size_t i = 0; i < 2; i++) {
        put(names[i], file, size + 9 * i);   /* zeros may follow */
        check_documents(names[i], "a|b");
    }
    put("a.txt.gz", file, size);
    check_documents("a.txt.gz", "{\"text\":\"a\"}\n{\"text\":\"b\"}");
    for (size_t cut = 1; cut < size; cut++) {
        put("a.gz", file, cut);
        if (cut == one)
            check_documents("a.gz", first);
        else
            check_read("a.gz", OSC_EFORMAT, "a.gz: the gzip data is");
    }
    for (size_t i = 0; i < size; i++) {   /* no damage may crash; most is found */
        file[i] ^= 0x41;
        put("a.gz", file, size);
        osc_documents *documents = NULL;
        if (osc_documents_read(&documents, in_folder("a.gz")) == OSC_OK)
            osc_documents_free(documents);
        file[i] ^= 0x41;
    }
    file[one - 8] ^= 1;
    put("a.gz", file, size);
    check_read("a.gz", OSC_EFORMAT, "the gzip data is damaged: incorrect data check");
    file[one - 8] ^= 1;
    file[size] = 'x';
    put("a.gz", file, size + 1);
    check_read("a.gz", OSC_EFORMAT, "the gzip data is");
    put_text("a.gz", "plain text");
    check_read("a.gz", OSC_EFORMAT, "the gzip data is damaged: incorrect header");
}
END_TEST

START_TEST(test_gzip_bomb)
{
    enum { PLAIN = 17 << 20, ROOM = 1 << 20 };
    char *zeros = calloc(PLAIN, 1);
    uint8_t *file = malloc(ROOM);
    size_t size = 0;
    for (int member = 0; member < 4; member++)
        size += compress_member(file + size, ROOM - size, zeros, PLAIN);
    put("a.gz", file, size);
    check_read("a.gz", OSC_EFORMAT, "expands to more than 67108864 bytes");
    put("a.gz", file, size / 4 * 3);
    osc_documents *documents = read_ok(in_folder("a.gz"));   /* 51 MiB are accepted */
    ck_assert_uint_eq(osc_documents_at(documents, 0).size, 3 * (size_t)PLAIN);
    osc_documents_free(documents);
    free(file);
    free(zeros);
}
END_TEST

START_TEST(test_c4)
{
    const char *path = in_shared("data/c4/c4_docs.json.gz");
    if (path == NULL)
        return;
    osc_documents *documents = read_ok(path);
    ck_assert_uint_eq(osc_documents_count(documents), 1480);
    osc_documents_free(documents);
}
END_TEST

/* --- running out of memory --------------------------------------------------------------- */

START_TEST(test_out_of_memory)
{
    static const char text[] = "{\"text\":\"one\"}\n{\"text\":\"two\"}\n";
    uint8_t file[256];
    put("a.jsonl.gz", file, compress_member(file, sizeof file, text, sizeof text - 1));
    put_text("a.txt", "one\n" SEP "\ntwo\n");
    static const char *const names[] = { "a.jsonl.gz", "a.txt" };
    for (size_t i = 0; i < 2; i++) {
        size_t n = 0;
        osc_status status;
        do {
            osc_documents *documents = NULL;
            osc_alloc_fail_from(++n);
            status = osc_documents_read(&documents, in_folder(names[i]));
            osc_alloc_fail_from(0);
            ck_assert(status == OSC_OK || status == OSC_ENOMEM);
            ck_assert_int_eq(status == OSC_OK, documents != NULL);
            osc_documents_free(documents);
        } while (status != OSC_OK);
        ck_assert_uint_gt(n, 4);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("documents");
    TCase *tc = tcase_create("documents");
    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, folder_make, folder_remove);
    tcase_add_test(tc, test_plain_text);
    tcase_add_test(tc, test_json_lines);
    tcase_add_test(tc, test_long_json_line);
    tcase_add_test(tc, test_no_text);
    tcase_add_test(tc, test_gzip);
    tcase_add_test(tc, test_gzip_bomb);
    tcase_add_test(tc, test_c4);
    tcase_add_test(tc, test_out_of_memory);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}

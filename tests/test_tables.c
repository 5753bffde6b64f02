/* Tables in every format, what they escape, JSON values, output files. */
#include <config.h>
#include "run.h"

#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "analyses/jsonout.h"
#include "analyses/options.h"
#include "analyses/table.h"
#include "analyses/utf8.h"
#include "cli/output.h"
#include "memory_file.h"

START_TEST(test_utf8)
{
    static const struct { const char *text; size_t width; uint32_t first; } cases[] = {
        { "abc", 3, 'a' }, { "\xc3\xa9t\xc3\xa9", 3, 0xe9 }, { "e\xcc\x81", 1, 'e' },
        { "\xe6\xbc\xa2\xe5\xad\x97", 4, 0x6f22 }, { "\xf0\x9f\x98\x80", 2, 0x1f600 },
        { "\xff", 1, UTF8_BAD }, { "\xc0\xaf", 2, UTF8_BAD }, { "\xed\xa0\x80", 3, UTF8_BAD },
        { "\xe2\x89", 2, UTF8_BAD }, { "\xf4\x90\x80\x80", 4, UTF8_BAD }, { "", 0, 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *text = cases[i].text;
        ck_assert_uint_eq(utf8_width(text), cases[i].width);
        if (*text != '\0')
            ck_assert_uint_eq(utf8_next(&text), cases[i].first);
    }
    char *clean = utf8_clean("a\xff\xe2\x89\xa5\xf0\x9f\x98\x80\xe2");
    ck_assert_str_eq(clean, "a\xef\xbf\xbd\xe2\x89\xa5\xf0\x9f\x98\x80\xef\xbf\xbd");
    osc_free(clean);
}
END_TEST

static const table_column columns[] = {
    { "name", "", TABLE_LEFT, TABLE_ALWAYS },
    { "share", "%", TABLE_RIGHT, TABLE_ALWAYS },
    { "hint", "", TABLE_LEFT, TABLE_PEOPLE },
    { "raw", "", TABLE_RIGHT, TABLE_DATA },
};

static char *render(table_format format)
{
    table *t;
    memory_file file;
    ck_assert_int_eq(table_create(&t, "Title_1", columns, 4), OSC_OK);
    table_cell(t, "%s", "\xc3\xa9t\xc3\xa9,\"a\"");
    table_number(t, format, 1, 100.0 / 3);
    table_cell(t, "a|b_c&d%%$#{}~^\\<");
    table_cell(t, "%d", 1);
    table_cell(t, "opt-2m");
    table_number(t, format, 1, NAN);
    table_cell(t, "(-1.5)\x1b[31m");
    table_cell(t, "2\n3");
    table_note(t, "All of %d.", 2);
    ck_assert_int_eq(table_write(t, format, memory_open(&file)), OSC_OK);
    table_free(t);
    return memory_close(&file);
}

START_TEST(test_formats)
{
    static const char *const expected[] = {
        [TABLE_TEXT] =
            "Title_1\n\n"
            "name     share %  hint\n"
            "----------------------------------\n"
            "\xc3\xa9t\xc3\xa9,\"a\"     33.3  a|b_c&d%$#{}~^\\<\n"
            "opt-2m         -  (-1.5) [31m\n"
            "\nAll of 2.\n",
        [TABLE_MD] =
            "**Title\\_1**\n\n"
            "| name    | share % | hint                 |\n"
            "| ------- | ------: | -------------------- |\n"
            "| \xc3\xa9t\xc3\xa9,\"a\" |    33.3 | a\\|b\\_c&d%$#{}~^\\\\\\< |\n"
            "| opt-2m  |       - | (-1.5) \\[31m         |\n"
            "\nAll of 2.\n",
        [TABLE_CSV] =
            "name,share %,raw\n"
            "\"\xc3\xa9t\xc3\xa9,\"\"a\"\"\",33.333333333333336,1\n"
            "opt-2m,,\"2\n3\"\n",
        [TABLE_HTML] =
            "<div class=\"table\">\n<table>\n<caption>Title_1</caption>\n"
            "<thead><tr><th scope=\"col\">name</th><th scope=\"col\" class=\"number\">"
            "share&#160;%</th><th scope=\"col\">hint</th></tr></thead>\n<tbody>\n"
            "<tr><th scope=\"row\">\xc3\xa9t\xc3\xa9,&quot;a&quot;</th>"
            "<td class=\"number\">33.3</td><td>a|b_c&amp;d%$#{}~^\\&lt;</td></tr>\n"
            "<tr><th scope=\"row\">opt-2m</th><td class=\"number\">-</td>"
            "<td>(-1.5) [31m</td></tr>\n</tbody>\n</table>\n</div>\n"
            "<ul class=\"notes\">\n<li>All of 2.</li>\n</ul>\n",
        [TABLE_LATEX] =
            "% Title_1\n% All of 2.\n\\begin{tabular}{lrl}\n\\hline\n"
            "name & share \\% & hint \\\\\n\\hline\n"
            "\xc3\xa9t\xc3\xa9,\\textquotedbl{}a\\textquotedbl{} & 33.3 & "
            "a\\textbar{}b\\_c\\&d\\%\\$\\#\\{\\}\\textasciitilde{}\\textasciicircum{}"
            "\\textbackslash{}\\textless{} \\\\\n"
            "opt-2m & - & ($-$1.5) [31m \\\\\n\\hline\n\\end{tabular}\n",
    };
    for (int format = TABLE_TEXT; format < TABLE_JSON; format++) {
        char *text = render((table_format)format);
        ck_assert_str_eq(text, expected[format]);
        free(text);
    }
}
END_TEST

START_TEST(test_format_names)
{
    table_format format;
    ck_assert_int_eq(table_format_parse(&format, "latex"), OSC_OK);
    ck_assert_int_eq(format, TABLE_LATEX);
    ck_assert_int_eq(table_format_parse(&format, "jsn"), OSC_EINVAL);
    ck_assert_ptr_nonnull(strstr(osc_error(), "did you mean 'json'"));
}
END_TEST

START_TEST(test_table_out_of_memory)
{
    osc_status status = OSC_ENOMEM;
    for (size_t n = 1; status != OSC_OK; n++) {
        table *t;
        memory_file file;
        memory_open(&file);
        osc_alloc_fail_from(n);
        status = table_create(&t, "title", columns, 4);
        if (status == OSC_OK) {
            for (int i = 0; i < 20; i++)
                table_cell(t, "%d", i);
            table_note(t, "note");
            status = table_write(t, TABLE_TEXT, file.stream);
            table_free(t);
        }
        osc_alloc_fail_from(0);
        ck_assert(status == OSC_OK || status == OSC_ENOMEM);
        free(memory_close(&file));
    }
}
END_TEST

START_TEST(test_json)
{
    memory_file file;
    double values[] = { 0.1, NAN, 1.0 / 3 };
    json_t *root = json_pack("{s:o, s:o, s:o}", "x", json_out_numbers(values, 3),
                             "y", json_out_number(-INFINITY), "s", json_out_text("a\xff"));
    ck_assert_int_eq(json_out_write(root, memory_open(&file)), OSC_OK);
    char *text = memory_close(&file);
    ck_assert_int_eq(osc_json_parse(&root, text, strlen(text), OSC_JSON_STRICT), OSC_OK);
    const json_t *x = json_object_get(root, "x");
    for (size_t i = 0; i < 3; i += 2)
        ck_assert(json_real_value(json_array_get(x, i)) == values[i]);
    ck_assert(json_is_null(json_array_get(x, 1)));
    ck_assert(json_is_null(json_object_get(root, "y")));
    ck_assert_str_eq(json_string_value(json_object_get(root, "s")), "a\xef\xbf\xbd");
    json_decref(root);
    free(text);
    ck_assert_int_eq(json_out_write(NULL, stdout), OSC_ENOMEM);
}
END_TEST

/* --- output files ----------------------------------------------------------------- */

static char folder[64];

static void enter_folder(void)
{
    strcpy(folder, "/tmp/osc-tables-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chdir(folder), 0);
}

static void leave_folder(void)
{
    unlink("link");
    unlink("out.txt");
    ck_assert_int_eq(chdir("/"), 0);
    ck_assert_int_eq(rmdir(folder), 0);   /* nothing else was left behind */
}

static void write_output(const char *path, const char *text, bool commit)
{
    cli_output output;
    ck_assert_int_eq(cli_output_open(&output, path), OSC_OK);
    fputs(text, output.stream);
    if (commit)
        ck_assert_int_eq(cli_output_commit(&output), OSC_OK);
    else
        cli_output_abort(&output);
}

static void check_contents(const char *path, const char *expected)
{
    char *text;
    size_t size;
    ck_assert_int_eq(osc_read_file(&text, &size, path, 1000), OSC_OK);
    ck_assert_str_eq(text, expected);
    osc_free(text);
}

START_TEST(test_output)
{
    struct stat info;
    write_output("out.txt", "one", true);
    check_contents("out.txt", "one");
    write_output("out.txt", "two", false);
    check_contents("out.txt", "one");
    ck_assert_int_eq(chmod("out.txt", 0640), 0);
    ck_assert_int_eq(symlink("out.txt", "link"), 0);
    write_output("link", "three", true);
    check_contents("out.txt", "three");
    ck_assert_int_eq(lstat("link", &info), 0);
    ck_assert(S_ISLNK(info.st_mode));
    ck_assert_int_eq(stat("out.txt", &info), 0);
    ck_assert_uint_eq(info.st_mode & 0777, 0640);
}
END_TEST

START_TEST(test_output_errors)
{
    cli_output output;
    ck_assert_int_eq(cli_output_open(&output, "absent/out.txt"), OSC_EIO);
    ck_assert_ptr_nonnull(strstr(osc_error(), "absent/out.txt: cannot write"));
    ck_assert_int_eq(cli_output_open(&output, "."), OSC_EIO);
    if (access("/dev/full", W_OK) != 0)
        return;
    ck_assert_int_eq(cli_output_open(&output, "/dev/full"), OSC_OK);
    fputs("text", output.stream);
    ck_assert_int_eq(cli_output_commit(&output), OSC_EIO);
    ck_assert_ptr_nonnull(strstr(osc_error(), "/dev/full: cannot write"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tables");
    TCase *tc = tcase_create("tables");
    tcase_add_test(tc, test_utf8);
    tcase_add_test(tc, test_formats);
    tcase_add_test(tc, test_format_names);
    tcase_add_test(tc, test_table_out_of_memory);
    tcase_add_test(tc, test_json);
    suite_add_tcase(suite, tc);
    TCase *files = tcase_create("files");
    tcase_add_checked_fixture(files, enter_folder, leave_folder);
    tcase_add_test(files, test_output);
    tcase_add_test(files, test_output_errors);
    suite_add_tcase(suite, files);
    return run_suite(suite);
}

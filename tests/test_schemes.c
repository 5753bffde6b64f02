/* Perplexities under schemes: reading them, what can be compared, their order. */
#include <config.h>
#include "run.h"

#include <math.h>
#include <string.h>

#include "analyses/schemes.h"
#include "memory_file.h"

static osc_status parse(scheme_cells *cells, const char *text)
{
    json_t *root;
    ck_assert_int_eq(osc_json_parse(&root, text, strlen(text), OSC_JSON_STRICT), OSC_OK);
    ck_assert(schemes_are(root));
    osc_status status = schemes_parse(cells, root);
    json_decref(root);
    return status;
}

#define ROW "{\"model\": \"m\", \"scheme\": \"none\", \"scored\": 10, \"nll\": 23.0, " \
            "\"perplexity\": 9.97"

START_TEST(test_recognised)
{
    static const struct { const char *text; bool schemes; } cases[] = {
        { "[" ROW "}]", true }, { "[]", false }, { "{}", false }, { "[1]", false }, { "3", false },
        { "[" ROW "}, {}]", false }, { "[{\"scheme\": 1, \"nll\": 1, \"scored\": 1, "
          "\"perplexity\": 1}]", false },
        { "[{\"scheme\": \"none\", \"scored\": 1, \"perplexity\": 1}]", false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *root;
        ck_assert_int_eq(osc_json_parse(&root, cases[i].text, strlen(cases[i].text),
                                        OSC_JSON_STRICT), OSC_OK);
        ck_assert_msg(schemes_are(root) == cases[i].schemes, "%s", cases[i].text);
        json_decref(root);
    }
}
END_TEST

START_TEST(test_parse)
{
    scheme_cells cells = { .cell = NULL };
    ck_assert_int_eq(parse(&cells,
        "[" ROW ", \"protocol\": \"stream\", \"sequences\": 3, \"sequence_length\": 64,"
        " \"bos\": -1, \"text_sha256\": \"ab\", \"backend\": \"cpu\"},"
        "{\"model\": \"m\", \"scheme\": \"llm-int8\", \"options\": \"threshold=inf\","
        " \"scored\": 10, \"nll\": null, \"perplexity\": null, \"columns_16bit\": 0.25,"
        " \"values_16bit\": 0.5, \"threshold\": null}]"), OSC_OK);
    ck_assert_uint_eq(cells.count, 2);
    const scheme_cell *c = cells.cell;
    ck_assert_str_eq(c[0].protocol, "stream");
    ck_assert_str_eq(c[0].text_sha256, "ab");
    ck_assert_int_eq(c[0].bos, -1);
    ck_assert_uint_eq(c[0].length, 64);
    ck_assert_double_eq(c[0].nll, 23);
    ck_assert_double_nan(c[0].threshold);
    ck_assert_double_nan(c[0].columns);
    ck_assert_str_eq(c[1].scheme, "llm-int8:threshold=inf");
    ck_assert_int_eq(c[1].bos, SCHEME_BOS_UNKNOWN);
    ck_assert_double_nan(c[1].perplexity);
    ck_assert_double_infinite(c[1].threshold);
    ck_assert_double_eq(c[1].columns, 0.25);
    schemes_free(&cells);
}
END_TEST

/* The row and the key are named, and nothing of the file is taken. */
START_TEST(test_refused)
{
    static const struct { const char *more, *says; } cases[] = {
        { ", \"sequences\": -1", "row 2: \"sequences\"" }, { ", \"model\": 3", "\"model\"" },
        { ", \"bos\": 1.5", "\"bos\" is not an id" }, { ", \"bos\": 3000000000", "\"bos\"" },
        { ", \"protocol\": \"0123456789012345678901234567890123456789\"", "\"protocol\" has 40" },
        { ", \"threshold\": \"6\"", "\"threshold\" is not a number" },
        { ", \"options\": {}", "\"options\"" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        scheme_cells cells = { .cell = NULL };
        char text[1024];
        snprintf(text, sizeof text, "[" ROW "}, {\"scheme\": \"none\", \"scored\": 10, "
                 "\"nll\": 23.0, \"perplexity\": 9.97%s}]", cases[i].more);
        ck_assert_int_eq(parse(&cells, text), OSC_EFORMAT);
        ck_assert_msg(strstr(osc_error(), cases[i].says) != NULL, "%s", osc_error());
        ck_assert_uint_eq(cells.count, 0);
        schemes_free(&cells);
    }
}
END_TEST

static void add(scheme_cells *cells, const char *model, const char *scheme, const char *text,
                size_t sequences, double perplexity)
{
    scheme_cell c = { .bos = 2, .sequences = sequences, .scored = 10, .perplexity = perplexity,
                      .threshold = NAN, .columns = NAN, .values = NAN };
    strcpy(c.model, model);
    strcpy(c.scheme, scheme);
    strcpy(c.text_sha256, text);
    ck_assert_int_eq(schemes_add(cells, &c), OSC_OK);
}

START_TEST(test_relate_and_sort)
{
    scheme_cells cells = { .cell = NULL };
    add(&cells, "good", "llm-int8", "t", 4, 12);
    add(&cells, "bad", "absmax:x=1", "t", 4, 60);
    add(&cells, "good", "none", "", 4, 10);      /* text not recorded: contradicts nothing */
    add(&cells, "good", "none", "t", 8, 11);     /* more sequences: not to be compared */
    add(&cells, "bad", "none", "t", 4, 30);
    add(&cells, "lone", "absmax", "t", 4, 90);   /* nothing to compare with */
    add(&cells, "good", "absmax", "u", 4, 14);   /* another text */
    schemes_sort(&cells);
    static const struct { const char *model, *scheme; size_t group; double relative; } want[] = {
        { "bad", "none", 0, 1 }, { "bad", "absmax:x=1", 0, 2 }, { "good", "none", 1, 1 },
        { "good", "none", 2, 1 }, { "good", "llm-int8", 2, 1.2 }, { "lone", "absmax", 3, NAN },
        { "good", "absmax", 4, NAN },
    };
    ck_assert_uint_eq(cells.groups, 5);
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        const scheme_cell *c = &cells.cell[i];
        ck_assert_str_eq(c->model, want[i].model);
        ck_assert_str_eq(c->scheme, want[i].scheme);
        ck_assert_uint_eq(c->group, want[i].group);
        if (isnan(want[i].relative))
            ck_assert_double_nan(c->relative);
        else
            ck_assert_double_eq_tol(c->relative, want[i].relative, 1e-15);
    }
    schemes_free(&cells);
}
END_TEST

/* Series stay together, each by its threshold, whatever the order of the rows. */
START_TEST(test_study_order)
{
    static const struct { const char *scheme; double threshold; } want[] = {
        { "none", NAN }, { "llm-int8:threshold=4", 4 }, { "llm-int8:threshold=10", 10 },
        { "llm-int8:weights=int8,threshold=4", 4 }, { "llm-int8:weights=int8,threshold=inf",
                                                       INFINITY },
    };
    static const size_t given[] = { 4, 2, 0, 3, 1 };
    scheme_cells cells = { .cell = NULL };
    for (size_t i = 0; i < 5; i++) {
        add(&cells, "m", want[given[i]].scheme, "t", 1, 20);
        cells.cell[i].threshold = want[given[i]].threshold;
        cells.cell[i].columns = 0.5;
    }
    schemes_relate(&cells);
    schemes_sort_study(&cells);
    for (size_t i = 0; i < 5; i++)
        ck_assert_str_eq(cells.cell[i].scheme, want[i].scheme);
    schemes_free(&cells);
}
END_TEST

/* Running out of memory anywhere is an error and leaks nothing. */
START_TEST(test_out_of_memory)
{
    scheme_cells cells = { .cell = NULL };
    add(&cells, "m", "none", "t", 1, 20);
    add(&cells, "m", "absmax", "t", 1, 24);
    schemes_sort(&cells);
    for (int what = 0; what < 3; what++) {
        osc_status status = OSC_ENOMEM;
        for (size_t n = 1; status != OSC_OK; n++) {
            memory_file file;
            memory_open(&file);
            osc_alloc_fail_from(n);
            status = what == 0 ? schemes_plot(&cells, file.stream)
                   : what == 1 ? schemes_plot_study(&cells, file.stream)
                   : schemes_write_matrix(&cells, TABLE_HTML, file.stream);
            osc_alloc_fail_from(0);
            ck_assert(status == OSC_OK || status == OSC_ENOMEM);
            free(memory_close(&file));
        }
    }
    schemes_free(&cells);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("schemes");
    TCase *tc = tcase_create("schemes");
    tcase_add_test(tc, test_recognised);
    tcase_add_test(tc, test_parse);
    tcase_add_test(tc, test_refused);
    tcase_add_test(tc, test_relate_and_sort);
    tcase_add_test(tc, test_study_order);
    tcase_add_test(tc, test_out_of_memory);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}

/* Accuracies: standard errors, means, JSON there and back, the table. */
#include <config.h>
#include "run.h"

#include <math.h>
#include <string.h>

#include "analyses/zeroshot.h"
#include "memory_file.h"

static zeroshot_cell cell_of(const char *model, const char *scheme, const char *task, double acc,
                             size_t items)
{
    zeroshot_cell c = { .parameters = 2370048, .bos = 2, .items = items, .acc = acc,
                        .acc_stderr = zeroshot_stderr(acc, items), .acc_norm = NAN,
                        .acc_norm_stderr = NAN, .perplexity = NAN };
    snprintf(c.model, sizeof c.model, "%s", model);
    snprintf(c.scheme, sizeof c.scheme, "%s", scheme);
    snprintf(c.task, sizeof c.task, "%s", task);
    snprintf(c.backend, sizeof c.backend, "cpu");
    return c;
}

static void add(zeroshot_cells *cells, zeroshot_cell cell)
{
    ck_assert_int_eq(zeroshot_add(cells, &cell), OSC_OK);
}

/* One model with all tasks, one without PIQA; of the second scheme HellaSwag alone. */
static zeroshot_cells some_cells(void)
{
    zeroshot_cells cells = { .cell = NULL };
    add(&cells, cell_of("a", "none", "winogrande", 0.5, 101));
    add(&cells, cell_of("a", "none", "hellaswag", 0.25, 101));
    add(&cells, cell_of("b", "none", "winogrande", 0.75, 5));
    add(&cells, cell_of("a", "none", "piqa", 0.625, 1601));
    add(&cells, cell_of("a", "none", "lambada", 0.125, 176));
    add(&cells, cell_of("a", "llm-int8:threshold=5", "hellaswag", 1.0, 4));
    cells.cell[1].acc_norm = 0.375;
    cells.cell[1].acc_norm_stderr = zeroshot_stderr(0.375, 101);
    cells.cell[4].perplexity = 31.4159;
    cells.cell[4].truncated = 3;
    return cells;
}

START_TEST(test_stderr)
{
    /* sd of 2 ones and 2 zeros with n - 1: sqrt(4 * 0.25 / 3); over sqrt(4) */
    ck_assert_double_eq_tol(zeroshot_stderr(0.5, 4), sqrt(1.0 / 3) / 2, 1e-15);
    ck_assert_double_eq(zeroshot_stderr(1.0, 9), 0.0);
    ck_assert(isnan(zeroshot_stderr(0.0, 1)));
}
END_TEST

START_TEST(test_mean)
{
    zeroshot_cells cells = some_cells();
    double variance = 0.0;
    for (size_t i = 0; i < 5; i++)
        variance += i == 2 ? 0.0 : pow(cells.cell[i].acc_stderr, 2);
    for (size_t i = 0; i < cells.count; i++) {
        bool whole = strcmp(cells.cell[i].model, "a") == 0 && i < 5;
        zeroshot_mean mean = zeroshot_mean_of(&cells, i);
        ck_assert_int_eq(isnan(mean.acc), !whole);
        if (whole) {
            ck_assert_double_eq(mean.acc, 0.375);
            ck_assert_double_eq_tol(mean.acc_stderr, sqrt(variance) / 4, 1e-15);
        }
        ck_assert_int_eq(zeroshot_is_last(&cells, i), i == 2 || i >= 4);
    }
    cells.cell[3].bos = -1;   /* another way of asking */
    ck_assert(isnan(zeroshot_mean_of(&cells, 0).acc));
    zeroshot_free(&cells);
}
END_TEST

START_TEST(test_json)
{
    zeroshot_cells cells = some_cells(), again = { .cell = NULL };
    json_t *rows = zeroshot_json(&cells);
    ck_assert(zeroshot_are(rows));
    ck_assert_uint_eq(json_array_size(rows), 7);   /* and one mean, behind LAMBADA */
    const json_t *mean = json_array_get(rows, 5);
    ck_assert_str_eq(json_string_value(json_object_get(mean, "task")), "mean");
    ck_assert_double_eq(json_number_value(json_object_get(mean, "acc")), 0.375);
    ck_assert(json_is_null(json_object_get(json_array_get(rows, 0), "acc_norm")));
    ck_assert_int_eq(zeroshot_parse(&again, rows), OSC_OK);
    ck_assert_uint_eq(again.count, cells.count);
    for (size_t i = 0; i < cells.count; i++) {
        const zeroshot_cell *a = &cells.cell[i], *b = &again.cell[i];
        ck_assert(zeroshot_same(a, b));
        ck_assert_double_eq(a->acc, b->acc);
        ck_assert(a->perplexity == b->perplexity || isnan(a->perplexity));
        ck_assert(a->acc_norm == b->acc_norm || (isnan(a->acc_norm) && isnan(b->acc_norm)));
        ck_assert_uint_eq(a->truncated, b->truncated);
        ck_assert_uint_eq(a->parameters, b->parameters);
    }
    json_decref(rows);
    zeroshot_free(&cells);
    zeroshot_free(&again);
}
END_TEST

#define ROW(more) "[{\"model\": \"a\", \"scheme\": \"none\", \"task\": \"piqa\", " \
    "\"items\": 4" more "}]"

static const struct { const char *text, *says; bool are; } bad[] = {
    { "[]", NULL, false },
    { "{}", NULL, false },
    { "[1]", NULL, false },
    { "[{\"scheme\": \"none\", \"acc\": 1}]", NULL, false },
    { "[{\"task\": \"piqa\", \"acc\": 1}]", NULL, false },
    { ROW(""), NULL, false },
    { ROW(", \"acc\": 1.5"), "row 1: \"acc\" is not a share", true },
    { ROW(", \"acc\": \"x\""), "row 1: \"acc\"", true },
    { ROW(", \"acc\": 1, \"acc_norm\": -1"), "\"acc_norm\" is not a share", true },
    { ROW(", \"acc\": 1, \"bos\": 0.5"), "\"bos\" is not an id", true },
    { ROW(", \"acc\": 1, \"parameters\": -3"), "\"parameters\"", true },
    { ROW(", \"acc\": 1, \"backend\": 3"), "\"backend\"", true },
    { ROW(", \"acc\": 1, \"backend\": \"0123456789012345678901234567890123456789\""),
      "\"backend\" has 40 bytes", true },
    { "[{\"scheme\": \"none\", \"task\": \"piqa\", \"acc\": 1}]", "without items", true },
    { "[{\"scheme\": \"none\", \"task\": \"chess\", \"acc\": 1}]", "unknown task 'chess'", true },
};

START_TEST(test_bad_json)
{
    json_t *root = json_loads(bad[_i].text, 0, NULL);
    zeroshot_cells cells = { .cell = NULL };
    ck_assert_ptr_nonnull(root);
    ck_assert_int_eq(zeroshot_are(root), bad[_i].are);
    if (bad[_i].are) {
        ck_assert_int_eq(zeroshot_parse(&cells, root), OSC_EFORMAT);
        ck_assert_msg(strstr(osc_error(), bad[_i].says) != NULL, "%s", osc_error());
    }
    ck_assert_uint_eq(cells.count, 0);
    zeroshot_free(&cells);
    json_decref(root);
}
END_TEST

/* Rows that are not finished say nothing yet. */
START_TEST(test_partial)
{
    json_t *root = json_loads(ROW(", \"partial\": true, \"scores\": {}"), 0, NULL);
    zeroshot_cells cells = { .cell = NULL };
    ck_assert(zeroshot_are(root));
    ck_assert_int_eq(zeroshot_parse(&cells, root), OSC_OK);
    ck_assert_uint_eq(cells.count, 0);
    zeroshot_free(&cells);
    json_decref(root);
}
END_TEST

/* People read titles and rounded numbers, programs names and all digits. */
START_TEST(test_table)
{
    static const struct { table_format format; const char *lines[5]; } cases[] = {
        { TABLE_CSV, { "\na,none,2,winogrande,101,50,5,,,\n", "\na,none,2,mean,,37.5,",
                       "\na,llm-int8:threshold=5,2,hellaswag,4,100,0,,,\n", "31.4159\n",
                       "b,none" } },
        { TABLE_MD, { "| WinoGrande |   101 |  50.00 |     5.00 |          - |", "| mean ",
                      "|  37.50 |", "|      31.42 |",
                      "a, LAMBADA: 3 contexts lost their beginning" } },
    };
    zeroshot_cells cells = some_cells();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        memory_file file;
        ck_assert_int_eq(zeroshot_write(&cells, cases[i].format, memory_open(&file)), OSC_OK);
        char *text = memory_close(&file);
        for (size_t l = 0; l < 5; l++) {
            const char *line = cases[i].lines[l];
            ck_assert_msg(strstr(text, line) != NULL, "no '%s' in: %s", line, text);
        }
        free(text);
    }
    zeroshot_free(&cells);
}
END_TEST

/* A panel for the mean and for each task, without the points of models of unknown size. */
START_TEST(test_figure)
{
    zeroshot_cells cells = some_cells(), none = { .cell = NULL };
    memory_file file;
    ck_assert_int_eq(zeroshot_plot(&cells, memory_open(&file)), OSC_OK);
    char *text = memory_close(&file);
    static const char *const parts[] = { "mean accuracy", ">PIQA, %<", ">2M<",
                                         ">llm-int8:threshold=5<" };
    for (size_t i = 0; i < 4; i++)
        ck_assert_ptr_nonnull(strstr(text, parts[i]));
    free(text);
    for (size_t i = 0; i < cells.count; i++)
        cells.cell[i].parameters = 0;
    ck_assert_int_eq(zeroshot_plot(&cells, memory_open(&file)), OSC_ENOTFOUND);
    free(memory_close(&file));
    ck_assert_int_eq(zeroshot_plot(&none, memory_open(&file)), OSC_ENOTFOUND);
    free(memory_close(&file));
    zeroshot_free(&cells);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("zeroshot table");
    TCase *tc = tcase_create("zeroshot table");
    tcase_add_test(tc, test_stderr);
    tcase_add_test(tc, test_mean);
    tcase_add_test(tc, test_json);
    tcase_add_loop_test(tc, test_bad_json, 0, sizeof bad / sizeof *bad);
    tcase_add_test(tc, test_partial);
    tcase_add_test(tc, test_table);
    tcase_add_test(tc, test_figure);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}

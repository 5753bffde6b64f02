/* Tables of the finished cells.  They hold nothing that differs between two runs of the
 * same sweep: no times, hosts or paths. */
#include <config.h>
#include "experiments/sweep.h"

#include <math.h>
#include <string.h>

#include "analyses/jsonout.h"
#include "analyses/zeroshot.h"

enum { CELL_MOST = 256 << 20 };

/* --- reading ---------------------------------------------------------------------------- */

static osc_status read_cell(json_t **root, const sweep *s, const sweep_cell *cell)
{
    char *path = sweep_cell_path(s, cell, ".json");
    osc_status status = path != NULL ? osc_json_read(root, path, CELL_MOST, OSC_JSON_STRICT)
                                     : OSC_ENOMEM;
    osc_free(path);
    return status;
}

static bool is_finished(const sweep_cell *cell)
{
    return cell->state == CELL_DONE || cell->state == CELL_DONE_BEFORE;
}

/* Appends `row` with the name of the section that it is of. */
static osc_status append(json_t *rows, const sweep_cell *cell, json_t *row)
{
    char section[128];
    json_t *whole = json_pack("{s:s}", "section",
                              sweep_section_text(section, sizeof section, cell->section));
    if (whole != NULL && json_object_update(whole, row) == 0
        && json_array_append_new(rows, whole) == 0)
        return OSC_OK;
    return osc_fail(OSC_EFORMAT, "%s.json: not what the command '%s' writes", cell->name,
                    cell->task->name);
}

static osc_status append_cell(json_t *rows, const sweep *s, const sweep_cell *cell)
{
    json_t *root, *row;
    size_t i;
    OSC_TRY(read_cell(&root, s, cell));
    osc_status status = OSC_OK;
    if (json_is_array(root))
        json_array_foreach(root, i, row)
            status = status == OSC_OK ? append(rows, cell, row) : status;
    else
        status = append(rows, cell, root);
    json_decref(root);
    return status;
}

/* The objects of all finished cells of two kinds, in the order of the cells; `*rows` is
 * owned by the caller. */
static osc_status gather(json_t **rows, const sweep *s, sweep_kind one, sweep_kind other)
{
    *rows = json_array();
    osc_status status = *rows != NULL ? OSC_OK : OSC_ENOMEM;
    for (size_t i = 0; i < s->count && status == OSC_OK; i++) {
        const sweep_cell *cell = &s->cell[i];
        if (is_finished(cell) && (cell->task->kind == one || cell->task->kind == other))
            status = append_cell(*rows, s, cell);
    }
    if (status != OSC_OK) {
        json_decref(*rows);
        *rows = NULL;
    }
    return status;
}

static const char *text_of(const json_t *row, const char *key)
{
    const char *text = json_string_value(json_object_get(row, key));
    return text != NULL ? text : "";
}

static long long integer_of(const json_t *row, const char *key)
{
    return (long long)json_integer_value(json_object_get(row, key));
}

/* NaN for null and for what is not there. */
static double number_of(const json_t *row, const char *key)
{
    const json_t *value = json_object_get(row, key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static bool same(const json_t *a, const json_t *b, const char *key)
{
    return json_equal(json_object_get(a, key), json_object_get(b, key)) != 0;
}

/* "llm-int8:threshold=4"; returns `text`. */
static const char *scheme_text(char *text, size_t size, const json_t *row)
{
    const char *options = text_of(row, "options");
    snprintf(text, size, "%s%s%s", text_of(row, "scheme"), options[0] != '\0' ? ":" : "", options);
    return text;
}

/* Writes a table that has rows, and releases it. */
static osc_status end_table(table *t, table_format format, FILE *out)
{
    osc_status status = table_write(t, format, out);
    table_free(t);
    return status;
}

/* --- perplexity ----------------------------------------------------------------------------- */

/* `compare` says it itself; else it is found in the row of scheme none beside it. */
static double relative_of(const json_t *rows, const json_t *row)
{
    size_t i;
    const json_t *other;
    if (json_object_get(row, "relative") != NULL)
        return number_of(row, "relative");
    json_array_foreach(rows, i, other)
        if (same(row, other, "section") && same(row, other, "model")
            && strcmp(text_of(other, "scheme"), "none") == 0)
            return number_of(row, "perplexity") / number_of(other, "perplexity");
    return NAN;
}

static osc_status relate(json_t *rows)
{
    size_t i;
    json_t *row;
    json_array_foreach(rows, i, row)
        if (json_object_set_new(row, "relative", json_out_number(relative_of(rows, row))) != 0)
            return OSC_ENOMEM;
    return OSC_OK;
}

static osc_status perplexity_table(const json_t *rows, table_format format, FILE *out)
{
    static const table_column columns[] = {
        { "section", "", TABLE_LEFT, TABLE_ALWAYS },
        { "model", "", TABLE_LEFT, TABLE_ALWAYS },
        { "scheme", "", TABLE_LEFT, TABLE_ALWAYS },
        { "protocol", "", TABLE_LEFT, TABLE_ALWAYS },
        { "sequences", "", TABLE_RIGHT, TABLE_ALWAYS },
        { "length", "", TABLE_RIGHT, TABLE_ALWAYS },
        { "bos", "", TABLE_RIGHT, TABLE_DATA },
        { "scored", "", TABLE_RIGHT, TABLE_ALWAYS },
        { "nll", "", TABLE_RIGHT, TABLE_ALWAYS },
        { "perplexity", "", TABLE_RIGHT, TABLE_ALWAYS },
        { "relative", "", TABLE_RIGHT, TABLE_ALWAYS },
    };
    table *t;
    size_t i;
    const json_t *row;
    char scheme[512];
    OSC_TRY(table_create(&t, NULL, columns, sizeof columns / sizeof *columns));
    json_array_foreach(rows, i, row) {
        table_cell(t, "%s", text_of(row, "section"));
        table_cell(t, "%s", text_of(row, "model"));
        table_cell(t, "%s", scheme_text(scheme, sizeof scheme, row));
        table_cell(t, "%s", text_of(row, "protocol"));
        table_cell(t, "%lld", integer_of(row, "sequences"));
        table_cell(t, "%lld", integer_of(row, "sequence_length"));
        table_cell(t, "%lld", integer_of(row, "bos"));
        table_cell(t, "%lld", integer_of(row, "scored"));
        table_number(t, format, 4, number_of(row, "nll"));
        table_number(t, format, 4, number_of(row, "perplexity"));
        table_number(t, format, 4, number_of(row, "relative"));
    }
    table_note(t, "Relative: to scheme none of the same model and section.");
    return end_table(t, format, out);
}

osc_status sweep_write_perplexity(size_t *count, const sweep *s, table_format format, FILE *out)
{
    json_t *rows;
    OSC_TRY(gather(&rows, s, CELL_ROWS, CELL_PARTIAL));
    *count = json_array_size(rows);
    osc_status status = relate(rows);
    if (status == OSC_OK && *count > 0)
        status = format == TABLE_JSON ? json_out_write(json_incref(rows), out)
                                      : perplexity_table(rows, format, out);
    json_decref(rows);
    return status;
}

/* --- schemes x models ------------------------------------------------------------------------ */

static bool same_scheme(const json_t *a, const json_t *b)
{
    return same(a, b, "section") && same(a, b, "scheme") && same(a, b, "options");
}

/* Whether no row before number `i` is of the same scheme in the same section. */
static bool is_first(const json_t *rows, size_t i)
{
    for (size_t j = 0; j < i; j++)
        if (same_scheme(json_array_get(rows, j), json_array_get(rows, i)))
            return false;
    return true;
}

/* The models that have rows, in their order: an array of names. */
static json_t *list_models(const json_t *rows)
{
    size_t i, j;
    json_t *row, *name, *list = json_array();
    json_array_foreach(rows, i, row) {
        bool known = false;
        json_array_foreach(list, j, name)
            known = known || json_equal(name, json_object_get(row, "model"));
        if (!known)
            json_array_append(list, json_object_get(row, "model"));
    }
    return list;
}

/* Of the scheme of `row`, another model. */
static double perplexity_at(const json_t *rows, const json_t *row, const json_t *model)
{
    size_t i;
    const json_t *other;
    json_array_foreach(rows, i, other)
        if (same_scheme(row, other) && json_equal(json_object_get(other, "model"), model))
            return number_of(other, "perplexity");
    return NAN;
}

static osc_status schemes_table(const json_t *rows, const json_t *models, table_format format,
                                FILE *out)
{
    table_column columns[2 + CLI_LIST_MOST] = {
        { "section", "", TABLE_LEFT, TABLE_ALWAYS },
        { "scheme", "", TABLE_LEFT, TABLE_ALWAYS },
    };
    table *t;
    size_t i, j, width = 2;
    const json_t *row, *model;
    char scheme[512];
    json_array_foreach(models, j, model)
        if (width < sizeof columns / sizeof *columns)
            columns[width++] = (table_column){ json_string_value(model), "", TABLE_RIGHT,
                                               TABLE_ALWAYS };
    OSC_TRY(table_create(&t, NULL, columns, width));
    json_array_foreach(rows, i, row) {
        if (!is_first(rows, i))
            continue;
        table_cell(t, "%s", text_of(row, "section"));
        table_cell(t, "%s", scheme_text(scheme, sizeof scheme, row));
        json_array_foreach(models, j, model)
            if (j + 2 < width)
                table_number(t, format, 2, perplexity_at(rows, row, model));
    }
    table_note(t, "Perplexity; protocol %s, see the table of perplexities.",
               text_of(json_array_get(rows, 0), "protocol"));
    return end_table(t, format, out);
}

static json_t *schemes_json(const json_t *rows, const json_t *models)
{
    size_t i, j;
    json_t *row, *model, *list = json_array();
    json_array_foreach(rows, i, row) {
        if (!is_first(rows, i))
            continue;
        json_t *perplexity = json_object();
        json_array_foreach(models, j, model)
            json_object_set_new(perplexity, json_string_value(model),
                                json_out_number(perplexity_at(rows, row, model)));
        json_t *object = json_pack("{s:O, s:O, s:O, s:o}",
                                   "section", json_object_get(row, "section"),
                                   "scheme", json_object_get(row, "scheme"),
                                   "options", json_object_get(row, "options"),
                                   "perplexity", perplexity);
        if (json_array_append_new(list, object) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

osc_status sweep_write_schemes(size_t *count, const sweep *s, table_format format, FILE *out)
{
    json_t *rows;
    OSC_TRY(gather(&rows, s, CELL_ROWS, CELL_PARTIAL));
    json_t *models = list_models(rows);
    osc_status status = OSC_OK;
    *count = json_array_size(rows);
    if (*count > 0)
        status = format == TABLE_JSON ? json_out_write(schemes_json(rows, models), out)
                                      : schemes_table(rows, models, format, out);
    json_decref(models);
    json_decref(rows);
    return status;
}

/* --- zero-shot tasks ------------------------------------------------------------------------- */

static osc_status gather_accuracies(zeroshot_cells *cells, const sweep *s)
{
    json_t *rows;
    *cells = (zeroshot_cells){ .cell = NULL };
    OSC_TRY(gather(&rows, s, CELL_ACCURACIES, CELL_ACCURACIES));
    osc_status status = zeroshot_parse(cells, rows);
    json_decref(rows);
    return status;
}

osc_status sweep_write_zeroshot(size_t *count, const sweep *s, table_format format, FILE *out)
{
    zeroshot_cells cells;
    OSC_TRY(gather_accuracies(&cells, s));
    osc_status status = OSC_OK;
    *count = cells.count;
    if (*count > 0)
        status = format == TABLE_JSON ? json_out_write(zeroshot_json(&cells), out)
                                      : zeroshot_write(&cells, format, out);
    zeroshot_free(&cells);
    return status;
}

osc_status sweep_plot_zeroshot(size_t *count, const sweep *s, table_format format, FILE *out)
{
    zeroshot_cells cells;
    (void)format;
    OSC_TRY(gather_accuracies(&cells, s));
    *count = cells.count;
    osc_status status = *count > 0 ? zeroshot_plot(&cells, out) : OSC_OK;
    zeroshot_free(&cells);
    return status;
}

/* --- ablation ------------------------------------------------------------------------------- */

static const json_t *inner(const json_t *row, const char *a, const char *b, const char *c)
{
    const json_t *object = json_object_get(row, a);
    object = b != NULL ? json_object_get(object, b) : object;
    return c != NULL ? json_object_get(object, c) : object;
}

/* "qkv_in, fc1_in". */
static void points_text(char *text, size_t size, const json_t *points)
{
    size_t i, used = 0;
    const json_t *point;
    text[0] = '\0';
    json_array_foreach(points, i, point)
        if (used < size)
            used += (size_t)snprintf(text + used, size - used, "%s%s", i > 0 ? ", " : "",
                                     json_string_value(point));
}

static osc_status ablation_table(const json_t *rows, table_format format, FILE *out)
{
    static const table_column columns[] = {
        { "section", "", TABLE_LEFT, TABLE_ALWAYS },
        { "model", "", TABLE_LEFT, TABLE_ALWAYS },
        { "points", "", TABLE_LEFT, TABLE_ALWAYS },
        { "features", "", TABLE_RIGHT, TABLE_ALWAYS },
        { "ppl", "", TABLE_RIGHT, TABLE_ALWAYS },
        { "without", "", TABLE_RIGHT, TABLE_ALWAYS },
        { "draws", "", TABLE_RIGHT, TABLE_ALWAYS },
        { "random", "", TABLE_RIGHT, TABLE_ALWAYS },
        { "sd", "", TABLE_RIGHT, TABLE_ALWAYS },
        { "top-1", "%", TABLE_RIGHT, TABLE_ALWAYS },
        { "top-1 without", "%", TABLE_RIGHT, TABLE_ALWAYS },
        { "top-1 random", "%", TABLE_RIGHT, TABLE_ALWAYS },
    };
    table *t;
    size_t i;
    const json_t *row;
    char points[256];
    OSC_TRY(table_create(&t, NULL, columns, sizeof columns / sizeof *columns));
    json_array_foreach(rows, i, row) {
        const json_t *baseline = inner(row, "baseline", NULL, NULL);
        const json_t *without = inner(row, "zeroed", NULL, NULL);
        const json_t *random = inner(row, "random", NULL, NULL);
        const json_t *spread = inner(random, "summary", "perplexity", NULL);
        points_text(points, sizeof points, json_object_get(row, "points"));
        table_cell(t, "%s", text_of(row, "section"));
        table_cell(t, "%s", text_of(row, "model"));
        table_cell(t, "%s", points);
        table_cell(t, "%zu", json_array_size(json_object_get(row, "features")));
        table_number(t, format, 2, number_of(baseline, "perplexity"));
        table_number(t, format, 2, number_of(without, "perplexity"));
        table_cell(t, "%lld", integer_of(random, "draws"));
        table_number(t, format, 2, number_of(spread, "mean"));
        table_number(t, format, 2, number_of(spread, "sd"));
        table_number(t, format, 1, 100 * number_of(baseline, "top1_mean"));
        table_number(t, format, 1, 100 * number_of(without, "top1_mean"));
        table_number(t, format, 1,
                     100 * number_of(inner(random, "summary", "top1", NULL), "mean"));
    }
    table_note(t, "Ppl: as it is; without: the outlier features taken out at the points; random: "
               "as many others, mean and standard deviation of the draws.");
    table_note(t, "Top-1: largest attention probability, mean over blocks, heads and queries.");
    return end_table(t, format, out);
}

/* What says where and when it was run differs between two runs. */
static json_t *without_provenance(const json_t *rows)
{
    static const char *const keys[] = { "command", "chosen_by", "host", "time" };
    json_t *copy = json_deep_copy(rows), *row;
    size_t i;
    json_array_foreach(copy, i, row)
        for (size_t k = 0; k < sizeof keys / sizeof *keys; k++)
            json_object_del(row, keys[k]);
    return copy;
}

osc_status sweep_write_ablation(size_t *count, const sweep *s, table_format format, FILE *out)
{
    json_t *rows;
    OSC_TRY(gather(&rows, s, CELL_ABLATION, CELL_ABLATION));
    *count = json_array_size(rows);
    osc_status status = OSC_OK;
    if (*count > 0)
        status = format == TABLE_JSON ? json_out_write(without_provenance(rows), out)
                                      : ablation_table(rows, format, out);
    json_decref(rows);
    return status;
}

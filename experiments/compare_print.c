/* Cells as a table or JSON. */
#include <config.h>
#include "experiments/compare.h"

#include <math.h>
#include <string.h>

#include "analyses/jsonout.h"

/* --- JSON ------------------------------------------------------------------------ */

static json_t *cell_json(const compare_cell *c)
{
    json_t *row = measure_json(&c->m);
    json_t *more = json_pack("{s:o, s:s, s:s, s:s, s:s}",
                             "relative", json_out_number(c->relative),
                             "backend", c->identity.backend,
                             "model_sha256", c->identity.model,
                             "tokenizer_sha256", c->identity.tokenizer,
                             "text_sha256", c->identity.text);
    bool failed = row == NULL || more == NULL || json_object_update(row, more) != 0;
    json_decref(more);
    if (!failed && !isnan(c->columns)) {
        more = json_pack("{s:o, s:o, s:o}", "threshold", json_out_number(c->threshold),
                         "columns_16bit", json_out_number(c->columns),
                         "values_16bit", json_out_number(c->values));
        failed = more == NULL || json_object_update(row, more) != 0;
        json_decref(more);
    }
    if (!failed)
        return row;
    json_decref(row);
    return NULL;
}

json_t *compare_json(const compare_results *r)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < r->count && rows != NULL; i++) {
        if (json_array_append_new(rows, cell_json(&r->cell[i])) != 0) {
            json_decref(rows);
            return NULL;
        }
    }
    return rows;
}

/* --- notes ------------------------------------------------------------------------ */

/* The corpora of several models may differ: each difference is told. */
static void add_notes(table *t, const compare_results *r)
{
    for (size_t i = 0; i < r->count; i++) {
        const measurement *m = &r->cell[i].m;
        const measurement *last = i > 0 ? &r->cell[i - 1].m : NULL;
        if (last == NULL || last->protocol != m->protocol || last->bos != m->bos)
            measure_note(t, m);
        if (last == NULL || r->cell[i].model != r->cell[i - 1].model)
            table_note(t, "%s: %zu sequence%s of at most %zu ids, %zu scored", m->model,
                       m->sequences, m->sequences == 1 ? "" : "s", m->length, m->result.scored);
    }
}

/* --- schemes x models: the paper's Table 1 ----------------------------------------- */

static const compare_cell *find(const compare_results *r, size_t model, size_t scheme,
                                size_t schemes)
{
    size_t i = model * schemes + scheme;
    return i < r->count ? &r->cell[i] : NULL;
}

static osc_status create_matrix(table **t, const compare_results *r, size_t schemes,
                                table_format format)
{
    size_t width = 1 + 2 * r->models;
    table_column *columns = osc_alloc(width, sizeof *columns);
    char (*names)[300] = osc_alloc(width, sizeof *names);
    osc_status status = OSC_ENOMEM;
    if (columns != NULL && names != NULL) {
        columns[0] = (table_column){ "scheme", "", TABLE_LEFT, TABLE_ALWAYS };
        for (size_t i = 1; i < width; i++) {
            const compare_cell *cell = find(r, (i - 1) / 2, 0, schemes);
            const char *model = cell != NULL ? cell->m.model : "";
            if (format == TABLE_CSV)   /* every column of its own name */
                snprintf(names[i], sizeof names[i], "%s %s", model,
                         i % 2 == 1 ? "perplexity" : "relative");
            else
                snprintf(names[i], sizeof names[i], "%s", i % 2 == 1 ? model : "relative");
            columns[i] = (table_column){ names[i], "", TABLE_RIGHT, TABLE_ALWAYS };
        }
        status = table_create(t, NULL, columns, width);
    }
    osc_free(columns);
    osc_free(names);
    return status;
}

static osc_status make_matrix(table **made, const compare_results *r, const compare_options *o)
{
    table *t;
    OSC_TRY(create_matrix(&t, r, o->list.count, o->format));
    for (size_t s = 0; s < o->list.count; s++) {
        table_cell(t, "%s", o->list.text[s]);
        for (size_t m = 0; m < r->models; m++) {
            const compare_cell *cell = find(r, m, s, o->list.count);
            table_number(t, o->format, 4, cell != NULL ? cell->m.result.perplexity : NAN);
            table_number(t, o->format, 4, cell != NULL ? cell->relative : NAN);
        }
    }
    table_note(t, "Perplexity; relative: over that of scheme none.");
    *made = t;
    return OSC_OK;
}

/* --- threshold study ----------------------------------------------------------------- */

static osc_status make_study(table **made, const compare_results *r, const compare_options *o)
{
    static const table_column columns[] = {
        { "model", "", TABLE_LEFT, TABLE_ALWAYS },
        { "scheme", "", TABLE_LEFT, TABLE_ALWAYS },
        { "threshold", "", TABLE_RIGHT, TABLE_DATA },
        { "perplexity", "", TABLE_RIGHT, TABLE_ALWAYS },
        { "relative", "", TABLE_RIGHT, TABLE_ALWAYS },
        { "columns in 16 bit", "%", TABLE_RIGHT, TABLE_ALWAYS },
        { "values in 16 bit", "%", TABLE_RIGHT, TABLE_ALWAYS },
    };
    table *t;
    OSC_TRY(table_create(&t, NULL, columns, sizeof columns / sizeof *columns));
    for (size_t i = 0; i < r->count; i++) {
        const compare_cell *c = &r->cell[i];
        table_cell(t, "%s", c->m.model);
        table_cell(t, "%s", c->m.scheme);
        if (isinf(c->threshold))
            table_cell(t, "inf");
        else
            table_number(t, o->format, 4, c->threshold);
        table_number(t, o->format, 4, c->m.result.perplexity);
        table_number(t, o->format, 4, c->relative);
        table_number(t, o->format, 3, 100 * c->columns);
        table_number(t, o->format, 3, 100 * c->values);
    }
    table_note(t, "Columns: mean over all calls of linear layers of the share of the input's "
               "columns kept out of int8; values: such values over all input values.");
    *made = t;
    return OSC_OK;
}

osc_status compare_write(const compare_results *r, const compare_options *o, FILE *out)
{
    if (o->format == TABLE_JSON)
        return json_out_write(compare_json(r), out);
    table *t;
    OSC_TRY(o->thresholds != NULL ? make_study(&t, r, o) : make_matrix(&t, r, o));
    add_notes(t, r);
    osc_status status = table_write(t, o->format, out);
    table_free(t);
    return status;
}

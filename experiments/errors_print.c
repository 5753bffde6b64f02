/* The errors of linear layers as a table or JSON. */
#include <config.h>
#include "experiments/errors.h"

#include <math.h>
#include <string.h>

#include "analyses/jsonout.h"

/* Share of the scheme's codes, NaN without codes. */
static double share(const layer_error *e, uint64_t count)
{
    return (double)count / (double)e->codes;
}

static double removed(const layer_error *e)
{
    return e->coded ? (double)e->removed / (double)e->calls : NAN;
}

/* --- JSON ------------------------------------------------------------------------ */

static json_t *layer_json(const model_errors *m, const char *scheme, const layer_error *e,
                          size_t block, size_t linear)
{
    size_t name = strcspn(scheme, ":");
    return json_pack("{s:o, s:s%, s:s, s:I, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o,"
                     " s:s, s:I, s:I, s:i}",
                     "model", json_out_text(m->model), "scheme", scheme, name,
                     "options", scheme[name] == ':' ? scheme + name + 1 : "",
                     "block", (json_int_t)block, "layer", layer_study_name(linear),
                     "sqnr_db", json_out_number(errors_sqnr(e)),
                     "signal", json_out_number(e->signal), "noise", json_out_number(e->noise),
                     "zero", json_out_number(share(e, e->zeros)),
                     "lost", json_out_number(share(e, e->lost)),
                     "clipped", json_out_number(share(e, e->clipped)),
                     "outlier_columns",
                     json_out_number((double)e->outliers / (double)e->calls),
                     "removed_columns", json_out_number(removed(e)),
                     "protocol", osc_protocol_name(m->protocol),
                     "sequences", (json_int_t)m->sequences,
                     "sequence_length", (json_int_t)m->length, "bos", (int)m->bos);
}

static osc_status write_json(const error_results *r, const compare_options *o, FILE *out)
{
    json_t *rows = json_array();
    int failed = rows == NULL;
    for (size_t i = 0; i < r->count; i++) {
        const model_errors *m = &r->model[i];
        for (size_t s = 0; s < o->list.count; s++)
            for (size_t b = 0; b < m->layers; b++)
                for (size_t l = 0; l < STUDY_LINEARS && !failed; l++)
                    if (m->has[l])
                        failed = json_array_append_new(rows, layer_json(m, o->list.text[s],
                                                                        errors_at(m, s, b, l), b,
                                                                        l));
    }
    if (failed != 0) {
        json_decref(rows);
        rows = NULL;
    }
    return json_out_write(rows, out);
}

/* --- table ------------------------------------------------------------------------- */

static void add_row(table *t, const model_errors *m, const char *scheme, const layer_error *e,
                    size_t block, size_t linear, table_format format)
{
    table_cell(t, "%s", m->model);
    table_cell(t, "%s", scheme);
    table_cell(t, "%zu", block);
    table_cell(t, "%s", layer_study_name(linear));
    table_number(t, format, 2, errors_sqnr(e));
    table_number(t, format, 2, 100 * share(e, e->zeros));
    table_number(t, format, 2, 100 * share(e, e->lost));
    table_number(t, format, 4, 100 * share(e, e->clipped));
    table_number(t, format, 1, (double)e->outliers / (double)e->calls);
    table_number(t, format, 1, removed(e));
}

/* The layer with the most noise. */
static void add_worst(table *t, const model_errors *m, size_t scheme, const char *name)
{
    size_t block = 0, linear = 0;
    for (size_t b = 0; b < m->layers; b++)
        for (size_t l = 0; l < STUDY_LINEARS; l++)
            if (m->has[l] && errors_sqnr(errors_at(m, scheme, b, l))
                < errors_sqnr(errors_at(m, scheme, block, linear))) {
                block = b;
                linear = l;
            }
    table_note(t, "%s %s: lowest SQNR %.2f dB, block %zu %s", m->model, name,
               errors_sqnr(errors_at(m, scheme, block, linear)), block, layer_study_name(linear));
}

static void add_notes(table *t, const error_results *r, const compare_options *o)
{
    table_note(t, "SQNR: energy of x w^T in float64 over that of the scheme's difference from it, "
               "x from the unquantized pass, without bias.");
    table_note(t, "Of the codes of x: zero stand for 0, lost are those of them with x not 0, "
               "clipped were clamped. Columns with any |x| >= %g, and columns removed: mean "
               "number per call.", (double)ERRORS_ALPHA);
    for (size_t i = 0; i < r->count; i++) {
        const model_errors *m = &r->model[i];
        const measurement text = { .protocol = m->protocol, .bos = m->bos };
        for (size_t s = 0; s < o->list.count; s++)
            add_worst(t, m, s, o->list.text[s]);
        measure_note(t, &text);
        table_note(t, "%s: %zu sequence%s of at most %zu ids", m->model, m->sequences,
                   m->sequences == 1 ? "" : "s", m->length);
    }
}

osc_status errors_write(const error_results *r, const compare_options *o, table_format format,
                        FILE *out)
{
    static const table_column columns[] = {
        { "model", "", TABLE_LEFT, TABLE_ALWAYS },
        { "scheme", "", TABLE_LEFT, TABLE_ALWAYS },
        { "block", "", TABLE_RIGHT, TABLE_ALWAYS },
        { "layer", "", TABLE_LEFT, TABLE_ALWAYS },
        { "SQNR", "dB", TABLE_RIGHT, TABLE_ALWAYS },
        { "zero", "%", TABLE_RIGHT, TABLE_ALWAYS },
        { "lost", "%", TABLE_RIGHT, TABLE_ALWAYS },
        { "clipped", "%", TABLE_RIGHT, TABLE_ALWAYS },
        { "outlier columns", "", TABLE_RIGHT, TABLE_ALWAYS },
        { "removed", "", TABLE_RIGHT, TABLE_ALWAYS },
    };
    table *t;
    if (format == TABLE_JSON)
        return write_json(r, o, out);
    OSC_TRY(table_create(&t, NULL, columns, sizeof columns / sizeof *columns));
    for (size_t i = 0; i < r->count; i++)
        for (size_t s = 0; s < o->list.count; s++)
            for (size_t b = 0; b < r->model[i].layers; b++)
                for (size_t l = 0; l < STUDY_LINEARS; l++)
                    if (r->model[i].has[l])
                        add_row(t, &r->model[i], o->list.text[s],
                                errors_at(&r->model[i], s, b, l), b, l, format);
    add_notes(t, r, o);
    osc_status status = table_write(t, format, out);
    table_free(t);
    return status;
}

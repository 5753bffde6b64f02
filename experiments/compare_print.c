/* Cells as JSON, a table or a figure. */
#include <config.h>
#include "experiments/compare.h"

#include <math.h>
#include <string.h>

#include "analyses/jsonout.h"
#include "analyses/schemes.h"
#include "cli/output.h"

/* --- JSON ------------------------------------------------------------------------ */

static json_t *cell_json(const compare_cell *c)
{
    json_t *row = measure_json(&c->m), *more;
    if (row != NULL && json_object_set_new(row, "relative", json_out_number(c->relative)) != 0) {
        json_decref(row);
        return NULL;
    }
    row = measure_identity_json(&c->identity, row);
    bool failed = row == NULL;
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

/* --- tables and figures -------------------------------------------------------------- */

static scheme_cell as_scheme(const compare_cell *c)
{
    scheme_cell s = {
        .bos = c->m.bos, .sequences = c->m.sequences, .length = c->m.length,
        .scored = c->m.result.scored, .nll = c->m.result.nll,
        .perplexity = c->m.result.perplexity, .threshold = c->threshold, .columns = c->columns,
        .values = c->values,
    };
    snprintf(s.model, sizeof s.model, "%s", c->m.model);
    snprintf(s.scheme, sizeof s.scheme, "%s", c->m.scheme);
    snprintf(s.protocol, sizeof s.protocol, "%s", osc_protocol_name(c->m.protocol));
    snprintf(s.backend, sizeof s.backend, "%s", c->identity.backend);
    strcpy(s.model_sha256, c->identity.model);
    strcpy(s.tokenizer_sha256, c->identity.tokenizer);
    strcpy(s.text_sha256, c->identity.text);
    return s;
}

static osc_status as_schemes(scheme_cells *cells, const compare_results *r)
{
    *cells = (scheme_cells){ .cell = NULL };
    for (size_t i = 0; i < r->count; i++) {
        scheme_cell cell = as_scheme(&r->cell[i]);
        if (schemes_add(cells, &cell) != OSC_OK) {
            schemes_free(cells);
            return OSC_ENOMEM;
        }
    }
    schemes_relate(cells);
    return OSC_OK;
}

osc_status compare_write(const compare_results *r, const compare_options *o, FILE *out)
{
    scheme_cells cells;
    if (o->format == TABLE_JSON)
        return json_out_write(compare_json(r), out);
    OSC_TRY(as_schemes(&cells, r));
    osc_status status = o->thresholds != NULL ? schemes_write_study(&cells, o->format, out)
                                              : schemes_write_matrix(&cells, o->format, out);
    schemes_free(&cells);
    return status;
}

osc_status compare_plot(const compare_results *r, const compare_options *o)
{
    scheme_cells cells;
    cli_output output;
    OSC_TRY(as_schemes(&cells, r));
    osc_status status = cli_output_open(&output, o->plot);
    if (status == OSC_OK) {
        status = o->thresholds != NULL ? schemes_plot_study(&cells, output.stream)
                                       : schemes_plot(&cells, output.stream);
        if (status == OSC_OK)
            status = cli_output_commit(&output);
        else
            cli_output_abort(&output);
    }
    schemes_free(&cells);
    return status;
}

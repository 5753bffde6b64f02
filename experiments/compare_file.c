/* The file that compare keeps its cells in, and resumes from. */
#include <config.h>
#include "experiments/compare.h"

#include <math.h>
#include <string.h>
#include <sys/stat.h>

#include "analyses/jsonout.h"
#include "cli/output.h"
#include "experiments/agree.h"

enum { FILE_MOST = 64 << 20 };

bool compare_file_keeps(const compare_options *o)
{
    struct stat info;
    return o->output != NULL && strcmp(o->output, "-") != 0
        && (stat(o->output, &info) != 0 || S_ISREG(info.st_mode));
}

osc_status compare_file_lock(int *lock, const compare_options *o)
{
    *lock = -1;
    return compare_file_keeps(o) ? osc_lock_take(lock, o->output) : OSC_OK;
}

osc_status compare_file_open(compare_results *r, const compare_options *o)
{
    if (o->output == NULL || o->force || !osc_file_exists(o->output))
        return OSC_OK;
    if (!o->resume)
        return osc_fail(OSC_EINVAL, "%s exists: --resume continues it, --force replaces it",
                        o->output);
    OSC_TRY(osc_json_read(&r->old, o->output, FILE_MOST, OSC_JSON_STRICT));
    size_t i;
    json_t *row;
    bool rows = json_is_array(r->old);
    json_array_foreach(r->old, i, row)
        rows = rows && json_is_object(row);
    return rows ? OSC_OK : osc_fail(OSC_EFORMAT, "%s: not an array of results", o->output);
}

/* --- what must agree ---------------------------------------------------------------- */

/* Sequences and what depends on the model's tokenizer and positions need only agree
 * for the same model. */
static osc_status check_row(const json_t *row, const char *path, const measure_identity *id)
{
    OSC_TRY(agree_on(row, path, "protocol", "protocol", id->protocol));
    OSC_TRY(agree_on(row, path, "text_sha256", "text (SHA-256)", id->text));
    OSC_TRY(agree_on(row, path, "backend", "backend", id->backend));
    if (!agree_text(row, "model_sha256", id->model))
        return OSC_OK;
    OSC_TRY(agree_on(row, path, "tokenizer_sha256", "tokenizer (SHA-256)", id->tokenizer));
    OSC_TRY(agree_on_number(row, path, "sequence_length", "sequence length",
                            (long long)id->length));
    OSC_TRY(agree_on_number(row, path, "sequences", "number of sequences",
                            (long long)id->sequences));
    return agree_on_number(row, path, "bos", "bos", id->bos);
}

osc_status compare_file_check(const compare_results *r, const char *path,
                              const measure_identity *identity)
{
    size_t i;
    json_t *row;
    json_array_foreach(r->old, i, row)
        OSC_TRY(check_row(row, path, identity));
    return OSC_OK;
}

/* --- rows to cells ------------------------------------------------------------------ */

static bool is_cell(const json_t *row, const measure_identity *identity, const char *scheme)
{
    return agree_text(row, "model_sha256", identity->model) && agree_scheme(row, scheme);
}

static osc_status parse(compare_cell *cell, const json_t *row, const measure_identity *identity)
{
    measurement *m = &cell->m;
    m->result.scored = SIZE_MAX;
    m->result.nll = m->result.perplexity = NAN;   /* null: they were not finite */
    OSC_TRY(osc_protocol_parse(&m->protocol, identity->protocol));
    m->sequences = identity->sequences;
    m->length = identity->length;
    m->bos = identity->bos;
    OSC_TRY(osc_json_get_size(&m->result.scored, row, "scored"));
    OSC_TRY(osc_json_get_double(&m->result.nll, row, "nll"));
    OSC_TRY(osc_json_get_double(&m->result.perplexity, row, "perplexity"));
    OSC_TRY(osc_json_get_size(&m->weight_bytes, row, "weight_bytes"));
    OSC_TRY(osc_json_get_size(&m->linear_bytes, row, "linear_bytes"));
    OSC_TRY(osc_json_get_size(&m->peak_bytes, row, "peak_bytes"));
    OSC_TRY(osc_json_get_double(&cell->columns, row, "columns_16bit"));
    OSC_TRY(osc_json_get_double(&cell->values, row, "values_16bit"));
    cell->threshold = isnan(cell->columns) ? NAN : INFINITY;   /* infinity is null in JSON */
    OSC_TRY(osc_json_get_double(&cell->threshold, row, "threshold"));
    return m->result.scored != SIZE_MAX ? OSC_OK : osc_fail(OSC_EFORMAT, "a row without 'scored'");
}

osc_status compare_file_take(compare_results *r, bool *found, compare_cell *cell,
                             const char *path, const measure_identity *identity,
                             const char *scheme, bool study)
{
    size_t i;
    json_t *row;
    json_array_foreach(r->old, i, row) {
        if (!is_cell(row, identity, scheme))
            continue;
        compare_cell read = *cell;
        if (parse(&read, row, identity) != OSC_OK)
            return osc_fail_in(OSC_EFORMAT, path);
        *found = !study || !isnan(read.columns);   /* a plain run does not count columns */
        if (*found)
            *cell = read;
        json_array_remove(r->old, i);
        return OSC_OK;
    }
    return OSC_OK;
}

/* --- writing ------------------------------------------------------------------------ */

osc_status compare_file_write(const compare_results *r, const char *path)
{
    cli_output output;
    json_t *rows = compare_json(r);
    if (rows != NULL && r->old != NULL && json_array_extend(rows, r->old) != 0) {
        json_decref(rows);
        rows = NULL;
    }
    osc_status status = cli_output_open(&output, path);
    if (status != OSC_OK) {
        json_decref(rows);
        return status;
    }
    status = json_out_write(rows, output.stream);
    if (status == OSC_OK)
        return cli_output_commit(&output);
    cli_output_abort(&output);
    return status;
}

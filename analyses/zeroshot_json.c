/* Accuracies to JSON and back. */
#include <config.h>
#include "analyses/zeroshot.h"

#include <math.h>
#include <string.h>

#include "analyses/json_row.h"
#include "analyses/jsonout.h"

/* --- writing ---------------------------------------------------------------------------- */

/* What all rows of a model and scheme share. */
static json_t *identity_json(const zeroshot_cell *c, const char *task)
{
    size_t name = strcspn(c->scheme, ":");
    return json_pack("{s:o, s:I, s:s%, s:s, s:s}", "model", json_out_text(c->model),
                     "parameters", (json_int_t)c->parameters, "scheme", c->scheme, name,
                     "options", c->scheme[name] == ':' ? c->scheme + name + 1 : "", "task", task);
}

/* `row` with the keys of `more` behind its own; releases both on failure. */
static json_t *join(json_t *row, json_t *more)
{
    bool failed = row == NULL || more == NULL || json_object_update(row, more) != 0;
    json_decref(more);
    if (!failed)
        return row;
    json_decref(row);
    return NULL;
}

json_t *zeroshot_cell_json(const zeroshot_cell *c)
{
    json_t *numbers = json_pack("{s:I, s:o, s:o, s:o, s:o, s:o, s:I, s:i, s:s, s:s, s:s, s:s}",
        "items", (json_int_t)c->items,
        "acc", json_out_number(c->acc), "acc_stderr", json_out_number(c->acc_stderr),
        "acc_norm", json_out_number(c->acc_norm),
        "acc_norm_stderr", json_out_number(c->acc_norm_stderr),
        "perplexity", json_out_number(c->perplexity),
        "truncated", (json_int_t)c->truncated, "bos", (int)c->bos, "backend", c->backend,
        "model_sha256", c->model_sha256, "tokenizer_sha256", c->tokenizer_sha256,
        "data_sha256", c->data_sha256);
    return join(identity_json(c, c->task), numbers);
}

static json_t *mean_json(const zeroshot_cell *c, zeroshot_mean mean)
{
    return join(identity_json(c, "mean"),
                json_pack("{s:o, s:o}", "acc", json_out_number(mean.acc),
                          "acc_stderr", json_out_number(mean.acc_stderr)));
}

json_t *zeroshot_json(const zeroshot_cells *cells)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < cells->count && rows != NULL; i++) {
        const zeroshot_cell *c = &cells->cell[i];
        zeroshot_mean mean = zeroshot_mean_of(cells, i);
        bool failed = json_array_append_new(rows, zeroshot_cell_json(c)) != 0;
        if (!failed && zeroshot_is_last(cells, i) && !isnan(mean.acc))
            failed = json_array_append_new(rows, mean_json(c, mean)) != 0;
        if (failed) {
            json_decref(rows);
            return NULL;
        }
    }
    return rows;
}

/* --- reading ----------------------------------------------------------------------------- */

bool zeroshot_are(const json_t *root)
{
    size_t i;
    json_t *row;
    json_array_foreach(root, i, row)
        if (!json_is_string(json_object_get(row, "task"))
            || !json_is_string(json_object_get(row, "scheme"))
            || (json_object_get(row, "acc") == NULL && json_object_get(row, "partial") == NULL))
            return false;
    return json_array_size(root) > 0;
}

static osc_status get_identity(zeroshot_cell *c, const json_t *row)
{
    size_t parameters = 0;
    double bos = -1;
    const osc_task *task;
    OSC_TRY(json_row_text(c->model, sizeof c->model, row, "model"));
    OSC_TRY(json_row_scheme(c->scheme, sizeof c->scheme, row));
    OSC_TRY(json_row_text(c->task, sizeof c->task, row, "task"));
    OSC_TRY(osc_task_find(&task, c->task));
    OSC_TRY(json_row_text(c->backend, sizeof c->backend, row, "backend"));
    OSC_TRY(json_row_text(c->model_sha256, sizeof c->model_sha256, row, "model_sha256"));
    OSC_TRY(json_row_text(c->tokenizer_sha256, sizeof c->tokenizer_sha256, row,
                          "tokenizer_sha256"));
    OSC_TRY(json_row_text(c->data_sha256, sizeof c->data_sha256, row, "data_sha256"));
    OSC_TRY(osc_json_get_size(&parameters, row, "parameters"));
    OSC_TRY(osc_json_get_double(&bos, row, "bos"));
    if (!(bos >= -1 && bos <= INT32_MAX && floor(bos) == bos))
        return osc_fail(OSC_EFORMAT, "\"bos\" is not an id");
    c->parameters = parameters;
    c->bos = (int32_t)bos;
    return OSC_OK;
}

/* Null: it was not finite, or is no number of the task. */
static osc_status get_share(double *share, const json_t *row, const char *key)
{
    OSC_TRY(osc_json_get_double(share, row, key));
    return isnan(*share) || (*share >= 0 && *share <= 1) ? OSC_OK
         : osc_fail(OSC_EFORMAT, "\"%s\" is not a share", key);
}

static osc_status parse_row(zeroshot_cell *c, const json_t *row)
{
    *c = (zeroshot_cell){ .acc = NAN, .acc_stderr = NAN, .acc_norm = NAN, .acc_norm_stderr = NAN,
                          .perplexity = NAN };
    OSC_TRY(get_identity(c, row));
    OSC_TRY(osc_json_get_size(&c->items, row, "items"));
    OSC_TRY(osc_json_get_size(&c->truncated, row, "truncated"));
    OSC_TRY(get_share(&c->acc, row, "acc"));
    OSC_TRY(get_share(&c->acc_stderr, row, "acc_stderr"));
    OSC_TRY(get_share(&c->acc_norm, row, "acc_norm"));
    OSC_TRY(get_share(&c->acc_norm_stderr, row, "acc_norm_stderr"));
    OSC_TRY(osc_json_get_double(&c->perplexity, row, "perplexity"));
    return c->items > 0 ? OSC_OK : osc_fail(OSC_EFORMAT, "a row without items");
}

static bool is_finished(const json_t *row)
{
    const char *task = json_string_value(json_object_get(row, "task"));
    return json_object_get(row, "partial") == NULL && (task == NULL || strcmp(task, "mean") != 0);
}

osc_status zeroshot_parse(zeroshot_cells *cells, const json_t *root)
{
    size_t i, before = cells->count;
    json_t *row;
    json_array_foreach(root, i, row) {
        zeroshot_cell cell;
        char where[32];
        if (!is_finished(row))
            continue;
        osc_status status = parse_row(&cell, row);
        snprintf(where, sizeof where, "row %zu", i + 1);
        status = status == OSC_OK ? zeroshot_add(cells, &cell) : osc_fail_in(OSC_EFORMAT, where);
        if (status != OSC_OK) {
            cells->count = before;
            return status;
        }
    }
    return OSC_OK;
}

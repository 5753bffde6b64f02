/* The file that zeroshot keeps its cells in, and resumes from. */
#include <config.h>
#include "experiments/zeroshot.h"

#include <math.h>
#include <string.h>

#include "analyses/jsonout.h"
#include "experiments/agree.h"

enum { FILE_MOST = 1 << 30 };

osc_status zeroshot_file_open(zeroshot_results *r, const zeroshot_options *o)
{
    if (o->output == NULL || o->force || !osc_file_exists(o->output))
        return OSC_OK;
    if (!o->resume)
        return osc_fail(OSC_EINVAL, "%s exists: --resume continues it, --force replaces it",
                        o->output);
    OSC_TRY(osc_json_read(&r->old, o->output, FILE_MOST, OSC_JSON_STRICT));
    if (!json_is_array(r->old) || (json_array_size(r->old) > 0 && !zeroshot_are(r->old)))
        return osc_fail(OSC_EFORMAT, "%s: not an array of results", o->output);
    for (size_t i = json_array_size(r->old); i-- > 0; )   /* means are made anew */
        if (agree_text(json_array_get(r->old, i), "task", "mean"))
            json_array_remove(r->old, i);
    return OSC_OK;
}

/* --- what must agree ---------------------------------------------------------------- */

static osc_status check_row(const json_t *row, const char *path, const zeroshot_cell *c)
{
    OSC_TRY(agree_on(row, path, "backend", "backend", c->backend));
    if (agree_text(row, "task", c->task)) {
        OSC_TRY(agree_on(row, path, "data_sha256", "data file (SHA-256)", c->data_sha256));
        OSC_TRY(agree_on_number(row, path, "items", "number of items", (long long)c->items));
    }
    if (!agree_text(row, "model_sha256", c->model_sha256))
        return OSC_OK;
    OSC_TRY(agree_on(row, path, "tokenizer_sha256", "tokenizer (SHA-256)", c->tokenizer_sha256));
    return agree_on_number(row, path, "bos", "bos", c->bos);
}

osc_status zeroshot_file_check(const zeroshot_results *r, const char *path,
                               const zeroshot_cell *cell)
{
    size_t i;
    json_t *row;
    json_array_foreach(r->old, i, row)
        OSC_TRY(check_row(row, path, cell));
    return OSC_OK;
}

/* --- rows to cells ------------------------------------------------------------------ */

static bool is_cell(const json_t *row, const zeroshot_cell *c)
{
    return agree_text(row, "model_sha256", c->model_sha256) && agree_text(row, "task", c->task)
        && agree_scheme(row, c->scheme);
}

/* Likelihoods that were not finite are null. */
static osc_status take_scores(osc_score *score, size_t *done, size_t count, const json_t *scores)
{
    size_t i;
    const json_t *value, *nll = json_object_get(scores, "nll");
    const char *greedy = json_string_value(json_object_get(scores, "greedy"));
    if (!json_is_array(nll) || greedy == NULL || strlen(greedy) != json_array_size(nll)
        || json_array_size(nll) > count)
        return osc_fail(OSC_EFORMAT, "\"scores\" are not those of %zu requests", count);
    json_array_foreach(nll, i, value) {
        if (!json_is_number(value) && !json_is_null(value))
            return osc_fail(OSC_EFORMAT, "\"nll\" is not numbers");
        score[i] = (osc_score){ .nll = json_is_null(value) ? NAN : json_number_value(value),
                                .greedy = greedy[i] == '1' };
    }
    *done = i;
    return OSC_OK;
}

/* The numbers of the row that is the cell's. */
static osc_status take_numbers(zeroshot_cell *cell, const json_t *row)
{
    zeroshot_cells read = { .cell = NULL };
    json_t *rows = json_pack("[O]", row);
    osc_status status = rows != NULL ? zeroshot_parse(&read, rows) : OSC_ENOMEM;
    if (status == OSC_OK && read.count == 1)
        *cell = read.cell[0];
    zeroshot_free(&read);
    json_decref(rows);
    return status;
}

static osc_status take_row(zeroshot_cell *cell, const json_t *row, bool wanted, bool *finished,
                           osc_score *score, size_t *done, size_t count)
{
    const json_t *scores = json_object_get(row, "scores");
    if (json_object_get(row, "partial") == NULL && !wanted) {
        OSC_TRY(take_numbers(cell, row));
        *finished = true;
        return OSC_OK;
    }
    return scores != NULL ? take_scores(score, done, count, scores) : OSC_OK;
}

osc_status zeroshot_file_take(zeroshot_results *r, const char *path, zeroshot_cell *cell,
                              bool scores, bool *finished, osc_score *score, size_t *done,
                              size_t count)
{
    size_t i;
    json_t *row;
    json_array_foreach(r->old, i, row) {
        if (!is_cell(row, cell))
            continue;
        osc_status status = take_row(cell, row, scores, finished, score, done, count);
        if (status != OSC_OK)
            return osc_fail_in(status, path);
        json_array_remove(r->old, i);
        return OSC_OK;
    }
    return OSC_OK;
}

/* --- cells to rows ------------------------------------------------------------------ */

static json_t *scores_json(const osc_score *score, size_t count)
{
    json_t *nll = json_array();
    char *greedy = osc_alloc(count + 1, 1);
    for (size_t i = 0; i < count && greedy != NULL; i++) {
        json_array_append_new(nll, json_out_number(score[i].nll));
        greedy[i] = score[i].greedy ? '1' : '0';
    }
    json_t *scores = greedy != NULL ? json_pack("{s:O, s:s}", "nll", nll, "greedy", greedy) : NULL;
    json_decref(nll);
    osc_free(greedy);
    return scores;
}

json_t *zeroshot_file_row(const zeroshot_cell *cell, const osc_score *score, size_t done,
                          bool partial)
{
    static const char *const numbers[] = { "acc", "acc_stderr", "acc_norm", "acc_norm_stderr",
                                           "perplexity", "truncated" };
    json_t *row = zeroshot_cell_json(cell);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers && partial; i++)
        json_object_del(row, numbers[i]);
    bool failed = row == NULL || (partial && json_object_set_new(row, "partial", json_true()) != 0)
        || (score != NULL && json_object_set_new(row, "scores", scores_json(score, done)) != 0);
    if (!failed)
        return row;
    json_decref(row);
    return NULL;
}

osc_status zeroshot_file_write(const zeroshot_results *r, const char *path, json_t *partial)
{
    cli_output output;
    json_t *rows = json_copy(r->rows);
    bool failed = rows == NULL
        || (partial != NULL && json_array_append(rows, partial) != 0)
        || (r->old != NULL && json_array_extend(rows, r->old) != 0);
    json_decref(partial);
    osc_status status = failed ? osc_fail(OSC_ENOMEM, "out of memory")
                               : cli_output_open(&output, path);
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

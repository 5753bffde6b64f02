/* The measuring of models x schemes x tasks, cell by cell. */
#include <config.h>
#include "experiments/zeroshot.h"

#include <string.h>
#include <time.h>

#include "experiments/stop.h"

/* What one cell is measured with. */
typedef struct {
    zeroshot_results       *r;
    const zeroshot_data    *data;
    const zeroshot_options *o;
    FILE                   *items;
    const zeroshot_model   *model;
    const char             *scheme;
    char                    label[640];  /* of the progress: what is being measured */
    osc_session            *session;     /* of the model and the scheme, once it is needed */
    double                  saved;       /* when the file was written last, seconds */
} bench;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static zeroshot_cell describe(const bench *b, size_t task)
{
    const zeroshot_model *m = b->model;
    const osc_items *items = b->data->items[task];
    zeroshot_cell c = { .parameters = osc_model_parameters(m->model), .bos = m->bos,
                        .items = items->count };
    snprintf(c.model, sizeof c.model, "%s", osc_model_name(m->model));
    snprintf(c.scheme, sizeof c.scheme, "%s", b->scheme);
    snprintf(c.task, sizeof c.task, "%s", items->task->name);
    snprintf(c.backend, sizeof c.backend, "%s", m->backend);
    strcpy(c.model_sha256, m->model_sha256);
    strcpy(c.tokenizer_sha256, m->tokenizer_sha256);
    strcpy(c.data_sha256, items->digest);
    return c;
}

/* --- scoring --------------------------------------------------------------------------- */

static osc_status need_session(bench *b)
{
    const run_options *run = &b->o->run;
    if (b->session != NULL)
        return OSC_OK;
    osc_session_options options = {
        .backend = run->backend, .scheme = b->scheme, .threads = run->threads,
        .longest = b->model->longest, .chunk = run->chunk,
        .allow_nonfinite = run->allow_nonfinite, .progress = cli_progress(), .label = b->label,
    };
    return osc_session_open(&b->session, b->model->model, &options);
}

/* Requests from `first` on whose ids fill a chunk, at least one. */
static size_t fill_chunk(const osc_session *session, const osc_corpus *corpus, size_t longest,
                         size_t first)
{
    size_t count = 1, room = osc_session_chunk(session) * longest;
    while (first + count < corpus->count
           && corpus->offset[first + count + 1] - corpus->offset[first] <= room)
        count++;
    return count;
}

static osc_status save(bench *b, const zeroshot_cell *cell, const osc_score *score, size_t done)
{
    if (b->o->output == NULL)
        return OSC_OK;
    json_t *row = zeroshot_file_row(cell, score, done, true);
    if (row == NULL)
        return osc_fail(OSC_ENOMEM, "out of memory");
    b->saved = now();
    return zeroshot_file_write(b->r, b->o->output, row);
}

/* Scores the requests from `done` on. */
static osc_status score_rest(bench *b, const zeroshot_cell *cell, const osc_requests *requests,
                             osc_score *score, size_t done)
{
    const osc_corpus *corpus = &requests->corpus;
    while (done < corpus->count) {
        if (stop_signal() != 0) {
            OSC_TRY(save(b, cell, score, done));
            return osc_fail(OSC_STOP, "stopped by a signal");
        }
        OSC_TRY(need_session(b));
        size_t count = fill_chunk(b->session, corpus, b->model->longest, done);
        OSC_TRY(osc_session_score(b->session, corpus, done, count,
                                  requests->targets + corpus->offset[done], score + done));
        done += count;
        if (done < corpus->count && now() - b->saved >= b->o->interval)
            OSC_TRY(save(b, cell, score, done));
    }
    return OSC_OK;
}

/* --- cells ------------------------------------------------------------------------------ */

static osc_status finish(bench *b, const zeroshot_cell *cell, const osc_score *score,
                         size_t count)
{
    json_t *row = zeroshot_file_row(cell, b->items != NULL ? score : NULL, count, false);
    if (row == NULL || json_array_append_new(b->r->rows, row) != 0)
        return osc_fail(OSC_ENOMEM, "out of memory");
    OSC_TRY(zeroshot_add(&b->r->cells, cell));
    b->saved = now();
    return b->o->output != NULL ? zeroshot_file_write(b->r, b->o->output, NULL) : OSC_OK;
}

static osc_status fill(bench *b, size_t task, osc_score *score)
{
    const osc_items *items = b->data->items[task];
    const osc_requests *requests = b->model->requests[task];
    zeroshot_cell cell = describe(b, task);
    bool finished = false;
    size_t done = 0, count = requests->corpus.count;
    snprintf(b->label, sizeof b->label, "%s %s %s", cell.model, cell.scheme, items->task->title);
    OSC_TRY(zeroshot_file_take(b->r, b->o->output, &cell, b->items != NULL, &finished, score,
                               &done, count));
    if (!finished) {
        OSC_TRY(score_rest(b, &cell, requests, score, done));
        OSC_TRY(zeroshot_judge(&cell, items, requests, score));
    }
    if (b->items != NULL)
        OSC_TRY(zeroshot_write_items(b->items, &cell, items, requests, score));
    return finish(b, &cell, score, count);
}

static osc_status add_cell(bench *b, size_t task)
{
    osc_score *score = osc_alloc(b->model->requests[task]->corpus.count, sizeof *score);
    osc_status status = score != NULL ? fill(b, task, score) : OSC_ENOMEM;
    osc_free(score);
    return status;
}

static osc_status measure_scheme(bench *b, const char *scheme)
{
    osc_status status = OSC_OK;
    b->scheme = scheme;
    for (size_t t = 0; t < b->data->count && status == OSC_OK; t++)
        status = add_cell(b, t);
    osc_session_close(b->session);
    b->session = NULL;
    return status;
}

static osc_status check_file(const bench *b)
{
    for (size_t t = 0; t < b->data->count; t++) {
        zeroshot_cell cell = describe(b, t);
        OSC_TRY(zeroshot_file_check(b->r, b->o->output, &cell));
    }
    return OSC_OK;
}

static osc_status measure_model(bench *b, const char *name)
{
    zeroshot_model model = { .model = NULL };
    char *path = run_shipped_or(name, CLI_DEFAULT_MODEL);
    osc_status status = path != NULL ? zeroshot_model_open(&model, b->data, b->o, path)
                                     : OSC_ENOTFOUND;
    b->model = &model;
    b->scheme = "";
    if (status == OSC_OK)
        status = osc_store_digest(osc_model_store(model.model), model.model_sha256,
                                  cli_progress());
    if (status == OSC_OK)
        status = check_file(b);
    for (size_t s = 0; s < b->o->list.count && status == OSC_OK; s++)
        status = measure_scheme(b, b->o->list.text[s]);
    zeroshot_model_close(&model);
    osc_free(path);
    return status;
}

osc_status zeroshot_measure(zeroshot_results *r, const zeroshot_data *data,
                            const zeroshot_options *o, FILE *items)
{
    bench b = { .r = r, .data = data, .o = o, .items = items, .saved = now() };
    OSC_TRY(zeroshot_file_open(r, o));
    r->rows = json_array();
    if (r->rows == NULL)
        return osc_fail(OSC_ENOMEM, "out of memory");
    if (o->models.count == 0)
        return measure_model(&b, NULL);
    for (size_t i = 0; i < o->models.count; i++)
        OSC_TRY(measure_model(&b, o->models.item[i]));
    return OSC_OK;
}

void zeroshot_results_free(zeroshot_results *r)
{
    zeroshot_free(&r->cells);
    json_decref(r->rows);
    json_decref(r->old);
    *r = (zeroshot_results){ .rows = NULL };
}

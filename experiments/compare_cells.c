/* The measuring of models x schemes, cell by cell. */
#include <config.h>
#include "experiments/compare.h"

#include <math.h>
#include <string.h>

#include "experiments/kept.h"

/* A cell of a threshold study: also counts what stays out of int8. */
static osc_status measure_kept(compare_cell *cell, const run_input *input, const char *scheme,
                               const run_options *run)
{
    osc_hooks *hooks = NULL;
    kept_counter *counter = NULL;
    osc_status status = osc_hooks_create(&hooks, osc_model_config(input->model)->layers);
    if (status == OSC_OK)
        status = kept_open(&counter, input, scheme, run, hooks);
    if (status == OSC_OK)
        status = measure(&cell->m, input, scheme, run, hooks);
    if (status == OSC_OK) {
        cell->columns = kept_columns(counter);
        cell->values = kept_values(counter);
    }
    kept_close(counter);
    osc_hooks_free(hooks);
    return status;
}

static osc_status fill(compare_results *r, compare_cell *cell, const compare_options *o,
                       const run_input *input, const measure_identity *identity, size_t scheme)
{
    bool found = false, study = !isnan(o->list.threshold[scheme]);
    const char *text = o->list.text[scheme];
    *cell = (compare_cell){ .threshold = o->list.threshold[scheme], .columns = NAN,
                            .values = NAN };
    OSC_TRY(compare_file_take(r, &found, cell, o->output, identity, text, study));
    if (found) {
        snprintf(cell->m.model, sizeof cell->m.model, "%s", osc_model_name(input->model));
        strcpy(cell->m.scheme, text);
        return OSC_OK;
    }
    return study ? measure_kept(cell, input, text, &o->run)
                 : measure(&cell->m, input, text, &o->run, NULL);
}

/* Scheme none comes first, so that its perplexity is there. */
static osc_status add_cell(compare_results *r, const compare_options *o, const run_input *input,
                           const measure_identity *identity, size_t scheme)
{
    compare_cell *cells = osc_grow(r->cell, &r->capacity, r->count + 1, sizeof *cells);
    if (cells == NULL)
        return OSC_ENOMEM;
    r->cell = cells;
    compare_cell *cell = &cells[r->count];
    OSC_TRY(fill(r, cell, o, input, identity, scheme));
    cell->identity = *identity;
    cell->model = r->models - 1;
    cell->relative = cell->m.result.perplexity / cell[-(ptrdiff_t)scheme].m.result.perplexity;
    r->count++;
    return compare_file_keeps(o) ? compare_file_write(r, o->output) : OSC_OK;
}

static osc_status measure_model(compare_results *r, const compare_options *o, const char *model)
{
    run_input input = { .model = NULL };
    measure_identity identity;
    char *path = run_shipped_or(model, CLI_DEFAULT_MODEL);
    osc_status status = path != NULL ? run_open(&input, path, &o->run) : OSC_ENOTFOUND;
    if (status == OSC_OK)
        status = measure_identify(&identity, &input, &o->run);
    if (status == OSC_OK)
        status = compare_file_check(r, o->output, &identity);
    r->models += status == OSC_OK;
    for (size_t s = 0; s < o->list.count && status == OSC_OK; s++)
        status = add_cell(r, o, &input, &identity, s);
    run_close(&input);
    osc_free(path);
    return status;
}

osc_status compare_measure(compare_results *r, const compare_options *o)
{
    OSC_TRY(compare_file_open(r, o));
    if (o->models.count == 0)
        OSC_TRY(measure_model(r, o, NULL));
    for (size_t i = 0; i < o->models.count; i++)
        OSC_TRY(measure_model(r, o, o->models.item[i]));
    return o->output == NULL || compare_file_keeps(o) ? OSC_OK : compare_file_write(r, o->output);
}

void compare_results_free(compare_results *r)
{
    osc_free(r->cell);
    json_decref(r->old);
    *r = (compare_results){ .cell = NULL };
}

#include <config.h>
#include "experiments/dry_run.h"

osc_status dry_run_open(dry_run *d)
{
    static const table_column columns[] = {
        { "model", "", TABLE_LEFT, TABLE_ALWAYS },
        { "scheme", "", TABLE_LEFT, TABLE_ALWAYS },
        { "ids", "", TABLE_RIGHT, TABLE_ALWAYS },
        { "GFLOP", "", TABLE_RIGHT, TABLE_ALWAYS },
        { "time", "", TABLE_RIGHT, TABLE_ALWAYS },
        { "memory", "", TABLE_RIGHT, TABLE_ALWAYS },
        { "weights", "", TABLE_RIGHT, TABLE_ALWAYS },
        { "activations", "", TABLE_RIGHT, TABLE_ALWAYS },
        { "pages", "", TABLE_RIGHT, TABLE_ALWAYS },
        { "blocks", "", TABLE_LEFT, TABLE_ALWAYS },
        { "read", "", TABLE_RIGHT, TABLE_ALWAYS },
    };
    *d = (dry_run){ .table = NULL };
    return table_create(&d->table, NULL, columns, sizeof columns / sizeof *columns);
}

osc_status dry_run_add(dry_run *d, const estimate_work *w)
{
    estimate e;
    table *t = d->table;
    OSC_TRY(estimate_make(&e, &d->estimator, w));
    table_cell(t, "%s", osc_model_name(w->input->model));
    table_cell(t, "%s", w->scheme != NULL ? w->scheme : "none");
    table_cell(t, "%.0f", e.ids);
    table_cell(t, "%.3g", w->passes * e.flops / 1e9);
    estimate_time_cell(t, e.seconds);
    estimate_memory_cell(t, e.peak);
    estimate_memory_cell(t, (double)e.needs.weights);
    estimate_memory_cell(t, (double)e.needs.activations);
    estimate_memory_cell(t, (double)e.needs.mapped);
    table_cell(t, "%s", e.needs.stays ? "stay" : "in turn");
    estimate_memory_cell(t, e.read);
    return OSC_OK;
}

osc_status dry_run_close(dry_run *d, osc_status status)
{
    if (status == OSC_OK) {
        estimate_notes(d->table, &d->estimator);
        table_note(d->table, "Pages: most of the checkpoint's that are in memory at a time. Read: "
                   "weights, once for every chunk of sequences in every pass.");
        status = table_write(d->table, TABLE_TEXT, stdout);
    }
    table_free(d->table);
    estimator_free(&d->estimator);
    return status;
}

static osc_status add_model(dry_run *d, const dry_run_plan *plan, const char *model)
{
    run_input input = { .model = NULL };
    char *path = run_shipped_or(model, CLI_DEFAULT_MODEL);
    osc_status status = path != NULL ? run_open(&input, path, plan->options) : OSC_ENOTFOUND;
    for (size_t i = 0; i < plan->scheme_count && status == OSC_OK; i++) {
        estimate_work work = { .input = &input, .corpus = input.corpus,
                               .options = plan->options, .scheme = plan->schemes[i],
                               .passes = plan->passes };
        status = dry_run_add(d, &work);
    }
    run_close(&input);
    osc_free(path);
    return status;
}

static osc_status add_models(dry_run *d, const dry_run_plan *plan)
{
    if (plan->models->count == 0)
        return add_model(d, plan, NULL);
    for (size_t i = 0; i < plan->models->count; i++)
        OSC_TRY(add_model(d, plan, plan->models->item[i]));
    return OSC_OK;
}

osc_status dry_run_print(const dry_run_plan *plan)
{
    dry_run d;
    OSC_TRY(dry_run_open(&d));
    return dry_run_close(&d, add_models(&d, plan));
}

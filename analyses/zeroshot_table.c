/* Accuracies as a table. */
#include <config.h>
#include "analyses/zeroshot.h"

#include <math.h>
#include <string.h>

static const char *title_of(const char *name)
{
    const osc_task *task;
    return osc_task_find(&task, name) == OSC_OK ? task->title : name;
}

/* What both kinds of rows begin with. */
static void add_place(table *t, table_format format, const zeroshot_cell *c)
{
    table_cell(t, "%s", c->model);
    table_cell(t, "%s", c->scheme);
    if (c->bos >= 0 || format == TABLE_CSV)
        table_cell(t, "%d", (int)c->bos);
    else
        table_cell(t, "-");
}

static void add_row(table *t, table_format format, const zeroshot_cell *c)
{
    add_place(t, format, c);
    table_cell(t, "%s", format == TABLE_CSV ? c->task : title_of(c->task));
    table_cell(t, "%zu", c->items);
    table_number(t, format, 2, 100 * c->acc);
    table_number(t, format, 2, 100 * c->acc_stderr);
    table_number(t, format, 2, 100 * c->acc_norm);
    table_number(t, format, 2, 100 * c->acc_norm_stderr);
    table_number(t, format, 2, c->perplexity);
}

static void add_mean(table *t, table_format format, const zeroshot_cell *c, zeroshot_mean mean)
{
    add_place(t, format, c);
    table_cell(t, "mean");
    table_cell(t, "%s", format == TABLE_CSV ? "" : "-");
    table_number(t, format, 2, 100 * mean.acc);
    table_number(t, format, 2, 100 * mean.acc_stderr);
    for (int i = 0; i < 3; i++)
        table_number(t, format, 2, NAN);
}

static void add_notes(table *t, const zeroshot_cells *cells)
{
    table_note(t, "Zero-shot, with the texts and rules of lm-evaluation-harness: acc by the sum of "
               "log-likelihoods, acc norm by the sum per character; +-: standard error; LAMBADA: "
               "acc by greedy decoding of the last word, perplexity per word. Bos: the id in front "
               "of every context.");
    for (size_t i = 0; i < cells->count; i++) {
        const zeroshot_cell *c = &cells->cell[i];
        if (c->truncated > 0)
            table_note(t, "%s, %s: %zu contexts lost their beginning: the model has no more "
                       "positions.", c->model, title_of(c->task), c->truncated);
    }
}

osc_status zeroshot_write(const zeroshot_cells *cells, table_format format, FILE *out)
{
    static const table_column columns[] = {
        { "model", "", TABLE_LEFT, TABLE_ALWAYS },
        { "scheme", "", TABLE_LEFT, TABLE_ALWAYS },
        { "bos", "", TABLE_RIGHT, TABLE_ALWAYS },
        { "task", "", TABLE_LEFT, TABLE_ALWAYS },
        { "items", "", TABLE_RIGHT, TABLE_ALWAYS },
        { "acc", "%", TABLE_RIGHT, TABLE_ALWAYS },
        { "acc +-", "%", TABLE_RIGHT, TABLE_ALWAYS },
        { "acc norm", "%", TABLE_RIGHT, TABLE_ALWAYS },
        { "acc norm +-", "%", TABLE_RIGHT, TABLE_ALWAYS },
        { "perplexity", "", TABLE_RIGHT, TABLE_ALWAYS },
    };
    table *t;
    OSC_TRY(table_create(&t, NULL, columns, sizeof columns / sizeof *columns));
    for (size_t i = 0; i < cells->count; i++) {
        add_row(t, format, &cells->cell[i]);
        zeroshot_mean mean = zeroshot_mean_of(cells, i);
        if (zeroshot_is_last(cells, i) && !isnan(mean.acc))
            add_mean(t, format, &cells->cell[i], mean);
    }
    add_notes(t, cells);
    osc_status status = table_write(t, format, out);
    table_free(t);
    return status;
}

/* perplexity: models x matmul schemes over one text. */
#include <config.h>
#include "cli/cli.h"

#include "analyses/jsonout.h"
#include "analyses/table.h"
#include "experiments/dry_run.h"
#include "experiments/measure.h"

extern const cli_command experiment_perplexity;

typedef struct {
    run_options  run;
    cli_list     models, schemes;
    const char  *format_name;
    table_format format;
    bool         dry;
} perplexity_options;

typedef struct {
    measurement      m;
    measure_identity identity;     /* for JSON alone */
} result;

typedef struct {
    result *row;
    size_t  count, capacity;
} results;

/* --- running --------------------------------------------------------------------- */

/* Fills the next row of `all`. */
static osc_status add_row(results *all, const run_input *input, const char *scheme,
                          const run_options *options, const measure_identity *identity)
{
    result *rows = osc_grow(all->row, &all->capacity, all->count + 1, sizeof *rows);
    if (rows == NULL)
        return OSC_ENOMEM;
    all->row = rows;
    OSC_TRY(measure(&rows[all->count].m, input, scheme, options, NULL));
    rows[all->count].identity = *identity;
    all->count++;
    return OSC_OK;
}

/* All schemes of one model. */
static osc_status run_model(results *all, const perplexity_options *o, const char *model)
{
    run_input input = { .model = NULL };
    measure_identity identity = { .backend = NULL };
    char *path = run_shipped_or(model, CLI_DEFAULT_MODEL);
    osc_status status = path != NULL ? run_open(&input, path, &o->run) : OSC_ENOTFOUND;
    if (status == OSC_OK && o->format == TABLE_JSON)
        status = measure_identify(&identity, &input, &o->run);
    for (size_t s = 0; s < o->schemes.count && status == OSC_OK; s++)
        status = add_row(all, &input, o->schemes.item[s], &o->run, &identity);
    run_close(&input);
    osc_free(path);
    return status;
}

static osc_status run_models(results *all, const perplexity_options *o)
{
    if (o->models.count == 0)
        return run_model(all, o, NULL);
    for (size_t i = 0; i < o->models.count; i++)
        OSC_TRY(run_model(all, o, o->models.item[i]));
    return OSC_OK;
}

/* --- results --------------------------------------------------------------------- */

static osc_status write_json(const results *all)
{
    json_t *rows = json_array();
    for (size_t i = 0; i < all->count && rows != NULL; i++) {
        const result *r = &all->row[i];
        json_t *row = measure_identity_json(&r->identity, measure_json(&r->m));
        if (json_array_append_new(rows, row) != 0) {
            json_decref(rows);
            rows = NULL;
        }
    }
    return json_out_write(rows, stdout);
}

/* The corpora of several models may differ: each row names its own. */
static void add_notes(table *t, const results *all)
{
    for (size_t i = 0; i < all->count; i++) {
        const measurement *m = &all->row[i].m, *last = i > 0 ? &all->row[i - 1].m : NULL;
        if (last == NULL || m->protocol != last->protocol || m->bos != last->bos)
            measure_note(t, m);
    }
}

static osc_status write_table(const results *all, table_format format)
{
    static const table_column columns[] = {
        { "model", "", TABLE_LEFT, TABLE_ALWAYS },
        { "scheme", "", TABLE_LEFT, TABLE_ALWAYS },
        { "protocol", "", TABLE_LEFT, TABLE_ALWAYS },
        { "sequences", "", TABLE_RIGHT, TABLE_ALWAYS },
        { "length", "", TABLE_RIGHT, TABLE_ALWAYS },
        { "bos", "", TABLE_RIGHT, TABLE_DATA },
        { "scored", "", TABLE_RIGHT, TABLE_ALWAYS },
        { "nll", "", TABLE_RIGHT, TABLE_ALWAYS },
        { "perplexity", "", TABLE_RIGHT, TABLE_ALWAYS },
    };
    table *t;
    OSC_TRY(table_create(&t, NULL, columns, sizeof columns / sizeof *columns));
    for (size_t i = 0; i < all->count; i++) {
        const measurement *m = &all->row[i].m;
        table_cell(t, "%s", m->model);
        table_cell(t, "%s", m->scheme);
        table_cell(t, "%s", osc_protocol_name(m->protocol));
        table_cell(t, "%zu", m->sequences);
        table_cell(t, "%zu", m->length);
        table_cell(t, "%d", (int)m->bos);
        table_cell(t, "%zu", m->result.scored);
        table_cell(t, "%.4f", m->result.nll);
        table_cell(t, "%.4f", m->result.perplexity);
    }
    add_notes(t, all);
    osc_status status = table_write(t, format, stdout);
    table_free(t);
    return status;
}

/* --- the command ------------------------------------------------------------------ */

static int check_options(perplexity_options *o)
{
    const cli_command *command = &experiment_perplexity;
    int rc = run_check_options(command, &o->run);
    if (rc != CLI_DONE)
        return rc;
    for (size_t i = 0; i < o->schemes.count; i++) {
        osc_scheme_choice scheme;
        if (osc_scheme_parse(&scheme, o->schemes.item[i]) != OSC_OK)
            return cli_usage(command, "--scheme: %s", osc_error());
    }
    if (o->schemes.count == 0)
        o->schemes.item[o->schemes.count++] = "none";
    if (table_format_parse(&o->format, o->format_name) != OSC_OK)
        return cli_usage(command, "--format: %s", osc_error());
    return CLI_DONE;
}

static int predict(const perplexity_options *o)
{
    dry_run_plan plan = { &o->models, o->schemes.item, o->schemes.count, &o->run, 1 };
    return dry_run_print(&plan) == OSC_OK ? 0 : cli_fail(&experiment_perplexity);
}

static int perplexity(int argc, char **argv)
{
    perplexity_options o = { .run = RUN_OPTIONS_DEFAULT, .format_name = "text" };
    const cli_option options[] = {
        { "model", 0, CLI_LIST, "DIR", "checkpoint directory, may be repeated "
          "(default: the shipped " CLI_DEFAULT_MODEL ")", &o.models, 0, 0 },
        { "scheme", 0, CLI_LIST, "NAME", "matmul scheme with its options, NAME:KEY=VALUE,..., "
          "may be repeated (default: none)", &o.schemes, 0, 0 },
        { "format", 0, CLI_TEXT, "NAME", "text, md, csv, latex, html or json (default: text)",
          &o.format_name, 0, 0 },
        RUN_OPTION_ROWS(o.run),
        RUN_DRY_ROW(o.dry),
        { NULL, 0, CLI_SWITCH, NULL, NULL, NULL, 0, 0 }
    };
    int rc = cli_parse(&experiment_perplexity, options, &argc, argv);
    if (rc == CLI_DONE)
        rc = check_options(&o);
    if (rc != CLI_DONE)
        return rc;
    if (o.dry)
        return predict(&o);
    results all = { .row = NULL };
    int failed = run_models(&all, &o) == OSC_OK ? 0 : cli_fail(&experiment_perplexity);
    cli_progress_end();
    if (!failed || all.count > 0)   /* what was measured before a failure is not thrown away */
        rc = (o.format == TABLE_JSON ? write_json(&all) : write_table(&all, o.format)) == OSC_OK
           ? 0 : cli_fail(&experiment_perplexity);
    osc_free(all.row);
    return failed ? failed : rc;
}

const cli_command experiment_perplexity = {
    .name = "perplexity",
    .summary = "perplexity of models over a text, for each matmul scheme",
    .operands = "",
    .details =
        "Perplexity is exp(total nll / scored ids). It depends on how the text is cut, so the\n"
        "protocol is always printed with it.\n"
        "\n"
        "Examples:\n"
        "  outlierscope perplexity\n"
        "  outlierscope perplexity --model ~/opt-125m --model ~/opt-1.3b --text wiki.txt\n"
        "  outlierscope perplexity --protocol gptq --format json\n"
        "  outlierscope perplexity --model ~/opt-125m --protocol wikitext2 --text wiki.test.raw\n"
        "  outlierscope perplexity --model ~/opt-125m --protocol c4-new \\\n"
        "      --text c4-validation.00000-of-00008.json.gz\n"
        "  outlierscope perplexity --model ~/opt-13b --memory 6 --dry-run\n",
    .run = perplexity,
};

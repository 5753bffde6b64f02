/* zeroshot: the command. */
#include <config.h>
#include "experiments/zeroshot.h"

#include <string.h>

#include "analyses/jsonout.h"
#include "experiments/stop.h"

/* --- options --------------------------------------------------------------------- */

static osc_status check_files(const zeroshot_options *o)
{
    const char *const written[] = { o->output, o->items, o->plot };
    if (o->resume && o->force)
        return osc_fail(OSC_EINVAL, "--resume and --force exclude each other");
    if (o->output == NULL && (o->resume || o->force))
        return osc_fail(OSC_EINVAL, "--%s is about the results file: add -o FILE",
                        o->resume ? "resume" : "force");
    if (o->output != NULL && strcmp(o->output, "-") == 0)
        return osc_fail(OSC_EINVAL, "-o names a file; --format json writes to standard output");
    for (size_t i = 0; i < 3; i++)
        for (size_t j = 0; j < i; j++)
            if (written[i] != NULL && written[j] != NULL && strcmp(written[i], written[j]) == 0)
                return osc_fail(OSC_EINVAL, "%s is to hold two results: --output, --items and "
                                "--plot name different files", written[i]);
    return OSC_OK;
}

osc_status zeroshot_bos_parse(zeroshot_bos *bos, const char *name)
{
    static const char *const names[] = {
        [ZEROSHOT_BOS_AUTO] = "auto", [ZEROSHOT_BOS_YES] = "yes", [ZEROSHOT_BOS_NO] = "no",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i]) == 0) {
            *bos = (zeroshot_bos)i;
            return OSC_OK;
        }
    return osc_fail(OSC_EINVAL, "bos is auto, yes or no, not '%s'", name);
}

static osc_status choose_schemes(zeroshot_options *o)
{
    bool nothing = o->names == NULL && o->schemes.count == 0;
    return scheme_list_add_options(&o->list, nothing ? "none" : o->names, &o->schemes);
}

static osc_status check_names(zeroshot_options *o)
{
    OSC_TRY(check_files(o));
    OSC_TRY(zeroshot_bos_parse(&o->bos, o->bos_name));
    OSC_TRY(choose_schemes(o));
    return zeroshot_data_check(o);
}

static int check_options(zeroshot_options *o)
{
    int rc = run_check_options(&experiment_zeroshot, &o->run);
    if (rc != CLI_DONE)
        return rc;
    osc_status status = check_names(o);
    if (status != OSC_OK)
        return cli_refuse(&experiment_zeroshot, status);
    if (table_format_parse(&o->format, o->format_name) != OSC_OK)
        return cli_usage(&experiment_zeroshot, "--format: %s", osc_error());
    return CLI_DONE;
}

static int parse(zeroshot_options *o, int *argc, char **argv)
{
    const cli_option options[] = {
        { "model", 0, CLI_LIST, "DIR", "checkpoint directory, may be repeated "
          "(default: the shipped " CLI_DEFAULT_MODEL ")", &o->models, 0, 0 },
        { "schemes", 0, CLI_TEXT, "LIST", "matmul schemes: all, or names separated by commas "
          "(default: none)", &o->names, 0, 0 },
        { "scheme", 0, CLI_LIST, "NAME", "one more, with its options, NAME:KEY=VALUE,..., "
          "may be repeated", &o->schemes, 0, 0 },
        { "data", 0, CLI_TEXT, "DIR", "folder of the tasks' files (default: the shipped samples)",
          &o->data, 0, 0 },
        { "tasks", 0, CLI_TEXT, "LIST", "winogrande, hellaswag, piqa, lambada, separated by commas "
          "(default: all)", &o->tasks, 0, 0 },
        { "file", 0, CLI_LIST, "TASK=FILE", "the file of a task, may be repeated", &o->files,
          0, 0 },
        { "labels", 0, CLI_LIST, "TASK=FILE", "the file of its right choices "
          "(default: X-labels.lst beside X.jsonl)", &o->labels, 0, 0 },
        { "limit", 0, CLI_SIZE, "N", "use the first N items of each task (default: all)",
          &o->limit, 1, INT32_MAX },
        { "bos", 0, CLI_TEXT, "WORD", "id in front of contexts: auto (as the model's tokenizer), "
          "yes or no (default: auto)", &o->bos_name, 0, 0 },
        { "output", 'o', CLI_TEXT, "FILE", "keep the results there too, as JSON, also unfinished",
          &o->output, 0, 0 },
        { "resume", 0, CLI_SWITCH, NULL, "go on from what -o FILE has already", &o->resume, 0, 0 },
        { "force", 'f', CLI_SWITCH, NULL, "replace an existing -o FILE", &o->force, 0, 0 },
        { "interval", 0, CLI_NUMBER, "SECONDS", "save what is done so often (default: 10)",
          &o->interval, 0, 1e9 },
        { "items", 0, CLI_TEXT, "FILE", "also write the log-likelihoods of every item, as JSON "
          "lines", &o->items, 0, 0 },
        { "plot", 0, CLI_TEXT, "FILE", "also draw accuracy against model size, as SVG", &o->plot,
          0, 0 },
        { "format", 0, CLI_TEXT, "NAME", "text, md, csv, latex, html or json (default: text)",
          &o->format_name, 0, 0 },
        RUN_DEVICE_ROWS(o->run),
        { NULL, 0, CLI_SWITCH, NULL, NULL, NULL, 0, 0 }
    };
    int rc = cli_parse(&experiment_zeroshot, options, argc, argv);
    return rc == CLI_DONE ? check_options(o) : rc;
}

/* --- running ------------------------------------------------------------------------ */

static int stopped(const zeroshot_options *o)
{
    fprintf(stderr, "outlierscope zeroshot: stopped%s\n",
            o->output != NULL ? "; the same command with --resume goes on" : "");
    return stop_status();
}

static osc_status probe_files(const zeroshot_options *o)
{
    OSC_TRY(cli_output_probe(o->output));
    OSC_TRY(cli_output_probe(o->items));
    return cli_output_probe(o->plot);
}

/* The file of items appears when all are there. */
static osc_status measure(zeroshot_results *r, const zeroshot_data *data,
                          const zeroshot_options *o)
{
    cli_output items;
    if (o->items == NULL)
        return zeroshot_measure(r, data, o, NULL);
    OSC_TRY(cli_output_open(&items, o->items));
    osc_status status = zeroshot_measure(r, data, o, items.stream);
    if (status == OSC_OK)
        return cli_output_commit(&items);
    cli_output_abort(&items);
    return status;
}

static osc_status plot(const zeroshot_cells *cells, const char *path)
{
    cli_output output;
    OSC_TRY(cli_output_open(&output, path));
    osc_status status = zeroshot_plot(cells, output.stream);
    if (status == OSC_OK)
        return cli_output_commit(&output);
    cli_output_abort(&output);
    return status;
}

static osc_status write(const zeroshot_cells *cells, const zeroshot_data *data,
                        table_format format)
{
    if (data->shipped && !cli_quiet())
        fputs("outlierscope zeroshot: the shipped samples are a few sentences to try the command "
              "with;\nnumbers that can be compared need --data DIR\n", stderr);
    return format == TABLE_JSON ? json_out_write(zeroshot_json(cells), stdout)
                                : zeroshot_write(cells, format, stdout);
}

/* What was measured before a failure or a signal is not thrown away. */
static int run(const zeroshot_options *o)
{
    zeroshot_results r = { .rows = NULL };
    zeroshot_data data = { .count = 0 };
    osc_status status = probe_files(o);
    if (status == OSC_OK)
        status = zeroshot_data_read(&data, o);
    if (status == OSC_OK)
        status = measure(&r, &data, o);
    cli_progress_end();
    int rc = status == OSC_OK ? 0 : status == OSC_STOP ? stopped(o)
                                                       : cli_fail(&experiment_zeroshot);
    if (r.cells.count > 0 && write(&r.cells, &data, o->format) != OSC_OK)
        rc = cli_fail(&experiment_zeroshot);
    if (rc == 0 && o->plot != NULL && plot(&r.cells, o->plot) != OSC_OK)
        rc = cli_fail(&experiment_zeroshot);
    if (rc == 0) {
        cli_wrote(&experiment_zeroshot, o->items);
        cli_wrote(&experiment_zeroshot, o->plot);
    }
    zeroshot_results_free(&r);
    zeroshot_data_free(&data);
    return rc;
}

static int zeroshot(int argc, char **argv)
{
    zeroshot_options o = { .run = RUN_OPTIONS_DEFAULT, .format_name = "text", .bos_name = "auto",
                           .interval = 10 };
    int rc = parse(&o, &argc, argv);
    if (rc == CLI_DONE) {
        stop_catch();
        rc = run(&o);
    }
    scheme_list_free(&o.list);
    return rc;
}

const cli_command experiment_zeroshot = {
    .name = "zeroshot",
    .summary = "accuracy on LAMBADA, HellaSwag, PIQA and WinoGrande, for each matmul scheme",
    .operands = "",
    .details =
        "Zero-shot accuracy with the texts and rules of lm-evaluation-harness, and the mean of\n"
        "the four tasks, which the paper's Figure 1 shows. DIR has the files as published:\n"
        "winogrande/dev.jsonl, hellaswag/hellaswag_val.jsonl, piqa/valid.jsonl with\n"
        "valid-labels.lst, lambada/lambada_test.jsonl; the last three may lie in DIR itself,\n"
        "and all be gzipped (.gz).\n"
        "\n"
        "--bos auto puts the bos in front of contexts where the model's tokenizer does, as\n"
        "the harness does now (OPT, Llama: yes); --bos no is what it did to OPT until 2025.\n"
        "\n"
        "With -o FILE what is done is kept; --resume goes on, also after kill -9, to the same\n"
        "numbers.\n"
        "\n"
        "Examples:\n"
        "  outlierscope zeroshot --data ~/eval --model ~/opt-125m\n"
        "  outlierscope zeroshot --data ~/eval --tasks lambada --schemes all --limit 500\n"
        "  outlierscope zeroshot --data ~/eval --model ~/opt-125m --model ~/opt-1.3b \\\n"
        "      --scheme none --scheme llm-int8 -o zeroshot.json --resume --plot zeroshot.svg\n",
    .run = zeroshot,
};

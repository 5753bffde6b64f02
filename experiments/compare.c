/* compare: the command. */
#include <config.h>
#include "experiments/compare.h"

#include <stdlib.h>
#include <string.h>

#include "cli/output.h"
#include "experiments/dry_run.h"
#include "experiments/errors.h"
#include "experiments/stop.h"

enum { ERRORS_SEQUENCES = 2 };

/* --- options --------------------------------------------------------------------- */

static osc_status check_modes(const compare_options *o)
{
    if (o->errors && o->thresholds != NULL)
        return osc_fail(OSC_EINVAL, "--errors and --threshold exclude each other");
    if (o->errors && o->resume)
        return osc_fail(OSC_EINVAL, "--resume has no meaning with --errors, which measures all "
                        "schemes of a model at once");
    if (o->errors && o->dry)
        return osc_fail(OSC_EINVAL, "--dry-run tells about forward passes, not about --errors");
    if (o->resume && o->force)
        return osc_fail(OSC_EINVAL, "--resume and --force exclude each other");
    if (o->output == NULL && (o->resume || o->force))
        return osc_fail(OSC_EINVAL, "--%s is about the results file: add -o FILE",
                        o->resume ? "resume" : "force");
    if (o->output != NULL && strcmp(o->output, "-") == 0)
        return osc_fail(OSC_EINVAL, "-o names a file; --format json writes to standard output");
    if (o->plot != NULL && o->output != NULL && strcmp(o->plot, o->output) == 0)
        return osc_fail(OSC_EINVAL, "--plot and --output name the same file");
    return OSC_OK;
}

static int check_options(compare_options *o)
{
    int rc = run_check_options(&experiment_compare, &o->run);
    if (rc != CLI_DONE)
        return rc;
    osc_status status = check_modes(o);
    if (status == OSC_OK)
        status = compare_choose(o);
    if (status != OSC_OK)
        return cli_refuse(&experiment_compare, status);
    if (table_format_parse(&o->format, o->format_name) != OSC_OK)
        return cli_usage(&experiment_compare, "--format: %s", osc_error());
    if (o->errors && o->run.sequences == 0)
        o->run.sequences = ERRORS_SEQUENCES;
    return CLI_DONE;
}

static int parse(compare_options *o, int *argc, char **argv)
{
    const cli_option options[] = {
        { "model", 0, CLI_LIST, "DIR", "checkpoint directory, may be repeated "
          "(default: the shipped " CLI_DEFAULT_MODEL ")", &o->models, 0, 0 },
        { "schemes", 0, CLI_TEXT, "LIST", "matmul schemes: all, or names separated by commas "
          "(default: all)", &o->names, 0, 0 },
        { "scheme", 0, CLI_LIST, "NAME", "one more, with its options, NAME:KEY=VALUE,..., "
          "may be repeated", &o->schemes, 0, 0 },
        { "errors", 0, CLI_SWITCH, NULL, "measure the error of every linear layer instead",
          &o->errors, 0, 0 },
        { "threshold", 0, CLI_TEXT, "LIST", "study outlier thresholds: FROM:TO:STEP, numbers, inf, "
          "separated by commas", &o->thresholds, 0, 0 },
        { "plot", 0, CLI_TEXT, "FILE", "also draw the results, as SVG",
          &o->plot, 0, 0 },
        { "output", 'o', CLI_TEXT, "FILE", "keep the results there too, as JSON, after every cell",
          &o->output, 0, 0 },
        { "resume", 0, CLI_SWITCH, NULL, "take the cells that -o FILE has already", &o->resume,
          0, 0 },
        { "force", 'f', CLI_SWITCH, NULL, "replace an existing -o FILE", &o->force, 0, 0 },
        { "format", 0, CLI_TEXT, "NAME", "text, md, csv, latex, html or json (default: text)",
          &o->format_name, 0, 0 },
        RUN_OPTION_ROWS(o->run),
        RUN_DRY_ROW(o->dry),
        { NULL, 0, CLI_SWITCH, NULL, NULL, NULL, 0, 0 }
    };
    int rc = cli_parse(&experiment_compare, options, argc, argv);
    return rc == CLI_DONE ? check_options(o) : rc;
}

/* --- running ------------------------------------------------------------------------ */

static int stopped(const compare_options *o)
{
    fprintf(stderr, "outlierscope compare: stopped%s\n", o->output != NULL && !o->errors
            ? "; the same command with --resume goes on" : "");
    return stop_status();
}

static osc_status probe_files(const compare_options *o)
{
    OSC_TRY(cli_output_probe(o->output));
    return cli_output_probe(o->plot);
}

/* What was measured before a failure or a signal is not thrown away. */
static int run_cells(const compare_options *o)
{
    compare_results r = { .cell = NULL };
    osc_status status = probe_files(o);
    if (status == OSC_OK)
        status = compare_measure(&r, o);
    cli_progress_end();
    int rc = status == OSC_OK ? 0 : status == OSC_STOP ? stopped(o) : cli_fail(&experiment_compare);
    if (r.count > 0 && compare_write(&r, o, stdout) != OSC_OK)
        rc = cli_fail(&experiment_compare);
    if (rc == 0 && o->plot != NULL && compare_plot(&r, o) != OSC_OK)
        rc = cli_fail(&experiment_compare);
    if (rc == 0)
        cli_wrote(&experiment_compare, o->plot);
    compare_results_free(&r);
    return rc;
}

static osc_status write_errors(const error_results *r, const compare_options *o)
{
    cli_output output;
    if (o->plot != NULL)
        OSC_TRY(errors_plot(r, o));
    if (o->output != NULL) {
        OSC_TRY(cli_output_open(&output, o->output));
        osc_status status = errors_write(r, o, TABLE_JSON, output.stream);
        if (status != OSC_OK) {
            cli_output_abort(&output);
            return status;
        }
        OSC_TRY(cli_output_commit(&output));
    }
    return errors_write(r, o, o->format, stdout);
}

static osc_status measure_errors(error_results *r, const compare_options *o)
{
    if (o->output != NULL && !o->force && osc_file_exists(o->output))
        return osc_fail(OSC_EINVAL, "%s exists: --force replaces it", o->output);
    OSC_TRY(probe_files(o));
    return errors_measure(r, o);
}

static int run_errors(const compare_options *o)
{
    error_results *r = osc_alloc(1, sizeof *r);
    osc_status status = r != NULL ? measure_errors(r, o) : OSC_ENOMEM;
    cli_progress_end();
    if (status == OSC_OK)
        status = write_errors(r, o);
    int rc = status == OSC_OK ? 0 : status == OSC_STOP ? stopped(o) : cli_fail(&experiment_compare);
    if (rc == 0)
        cli_wrote(&experiment_compare, o->plot);
    if (r != NULL)
        errors_free(r);
    osc_free(r);
    return rc;
}

static int run_dry(const compare_options *o)
{
    const char *schemes[SCHEME_LIST_MOST];
    for (size_t i = 0; i < o->list.count; i++)
        schemes[i] = o->list.text[i];
    dry_run_plan plan = { &o->models, schemes, o->list.count, &o->run, 1 };
    return dry_run_print(&plan) == OSC_OK ? 0 : cli_fail(&experiment_compare);
}

static int run_locked(const compare_options *o)
{
    int lock;
    if (compare_file_lock(&lock, o) != OSC_OK)
        return cli_fail(&experiment_compare);
    int rc = o->errors ? run_errors(o) : run_cells(o);
    osc_lock_release(lock, o->output);
    return rc;
}

static int compare(int argc, char **argv)
{
    compare_options o = { .run = RUN_OPTIONS_DEFAULT, .format_name = "text" };
    int rc = parse(&o, &argc, argv);
    if (rc == CLI_DONE) {
        stop_catch();
        rc = o.dry ? run_dry(&o) : run_locked(&o);
    }
    scheme_list_free(&o.list);
    return rc;
}

const cli_command experiment_compare = {
    .name = "compare",
    .summary = "matmul schemes x models: perplexity, errors of layers, outlier thresholds",
    .operands = "",
    .details =
        "A row per scheme, for each model its perplexity and that over scheme none's, which is\n"
        "always measured. With -o FILE every cell is kept as soon as it is there; --resume\n"
        "takes those that were measured on the same model, text and sequences.\n"
        "\n"
        "--errors: for every block and linear layer the signal-to-quantization-noise ratio\n"
        "against a float64 product on the same input, shares of codes that are zero or\n"
        "clipped, outlier columns; over 2 sequences unless --sequences says more.\n"
        "\n"
        "--threshold: perplexity and what is kept out of int8 by threshold, for schemes with\n"
        "decomposition (default: llm-int8).\n"
        "\n"
        "Examples:\n"
        "  outlierscope compare\n"
        "  outlierscope compare --model ~/opt-125m --model ~/opt-1.3b -o table1.json --resume\n"
        "  outlierscope compare --schemes absmax,llm-int8 --scheme llm-int8:weights=int8\n"
        "  outlierscope compare --errors --schemes absmax,absmax-vector,llm-int8 --plot e.svg\n"
        "  outlierscope compare --schemes llm-int8 --threshold 0.5:12:0.5,inf --plot t.svg\n",
    .run = compare,
};

/* The command `outliers`. */
#include <config.h>
#include "analyses/outliers.h"

#include "analyses/analyses.h"
#include "analyses/options.h"
#include "cli/output.h"

typedef struct {
    outlier_options options;
    table_format    format;
    outliers_order  sort;
    bool            brief, metrics;
    const char     *output;
} request;

static const char details[] =
    OUTLIER_RULE_DETAILS
    "Top-1 without: 'record --without RECORD' zeroes the outliers of that record at the input\n"
    "of each block's attention, and keeps the largest probabilities of that too.\n"
    "--metrics shows measures that need no threshold of 6: kurtosis over neurons and max/median\n"
    "ratio of the block inputs (He et al. 2024), inf-norm and kurtosis of the modules' outputs\n"
    "(Bondarenko et al. 2023), massive activations of the residual stream (Sun et al. 2024).\n"
    "A CSV file has one table: a line per record, or with --all a line per feature.\n"
    "\n"
    "Examples:\n"
    "  outlierscope outliers run.h5\n"
    "  outlierscope outliers 125m.h5 1b3.h5 6b7.h5 --sort parameters --format latex\n"
    "  outlierscope outliers 125m.h5 1b3.h5 6b7.h5 --metrics\n"
    "  outlierscope outliers run.h5 --track qkv_in,fc1_in --positions any --all\n";

static osc_status parse_choices(request *r, const char *format, const char *sort,
                                const outlier_choices *rule)
{
    static const char *const orders[OUTLIERS_ORDERS] = {
        [OUTLIERS_GIVEN] = "given", [OUTLIERS_PARAMETERS] = "parameters",
        [OUTLIERS_PERPLEXITY] = "perplexity",
    };
    size_t order;
    OSC_TRY(table_format_parse(&r->format, format));
    OSC_TRY(option_choice(&order, "--sort", sort, orders, OUTLIERS_ORDERS));
    r->sort = (outliers_order)order;
    return outliers_choose(&r->options, rule);
}

static int parse(request *r, const cli_command *command, int *argc, char **argv)
{
    const char *format = "text", *sort = "given";
    outlier_choices choices = OUTLIER_CHOICES_DEFAULT;
    const cli_option options[] = {
        OUTLIER_RULE_OPTIONS(&r->options, &choices),
        { "all", 0, CLI_SWITCH, NULL, "list every feature that reaches alpha anywhere",
          &r->options.all, 0, 0 },
        { "brief", 0, CLI_SWITCH, NULL, "one line per record, no table of features",
          &r->brief, 0, 0 },
        { "metrics", 0, CLI_SWITCH, NULL, "show kurtosis, max/median ratio, inf-norm and massive "
          "activations instead", &r->metrics, 0, 0 },
        { "sort", 0, CLI_TEXT, "ORDER", "records by parameters, perplexity or as given (given)",
          &sort, 0, 0 },
        { "format", 0, CLI_TEXT, "FORMAT", "text, md, csv, latex, html or json (text)",
          &format, 0, 0 },
        { "output", 'o', CLI_TEXT, "FILE", "write there (standard output)", &r->output, 0, 0 },
        { .name = NULL },
    };
    int status = option_parse(command, options, argc, argv);
    if (status != CLI_DONE)
        return status;
    if (parse_choices(r, format, sort, &choices) != OSC_OK)
        return cli_usage(command, "%s", osc_error());
    return CLI_DONE;
}

/* Text, markdown and LaTeX may hold two tables; a CSV file is one. */
static osc_status write_tables(const request *r, const outlier_result *results, size_t count,
                               FILE *out)
{
    bool csv = r->format == TABLE_CSV;
    if (r->metrics)
        return outliers_write_metrics(results, count, r->format, out);
    if (csv && r->options.all)
        return outliers_write_features(results, count, r->format, out);
    OSC_TRY(outliers_write(results, count, r->format, &r->options, out));
    if (csv || r->brief || count > 1 || results->features.count == 0)
        return OSC_OK;
    fputc('\n', out);
    return outliers_write_features(results, count, r->format, out);
}

static osc_status write_results(const request *r, const outlier_result *results, size_t count)
{
    cli_output output;
    OSC_TRY(cli_output_open(&output, r->output));
    osc_status status = r->format == TABLE_JSON
        ? outliers_write_json(results, count, &r->options, output.stream)
        : write_tables(r, results, count, output.stream);
    if (status == OSC_OK)
        return cli_output_commit(&output);
    cli_output_abort(&output);
    return status;
}

static osc_status read_and_write(const request *r, char *const *paths, size_t count)
{
    outlier_result *results = osc_alloc(count, sizeof *results);
    if (results == NULL)
        return OSC_ENOMEM;
    osc_status status = OSC_OK;
    for (size_t i = 0; i < count && status == OSC_OK; i++) {
        status = outliers_read(&results[i], paths[i], &r->options);
        results[i].order = i;
    }
    if (status == OSC_OK) {
        outliers_sort(results, count, r->sort);
        status = write_results(r, results, count);
    }
    for (size_t i = 0; i < count; i++)
        outliers_free(&results[i]);
    osc_free(results);
    return status;
}

static int run(int argc, char **argv)
{
    const cli_command *command = &analysis_outliers;
    request r = { .options.rule = FEATURE_RULE_DEFAULT };
    int status = parse(&r, command, &argc, argv);
    if (status != CLI_DONE)
        return status;
    return read_and_write(&r, argv + 1, (size_t)argc - 1) == OSC_OK ? 0 : cli_fail(command);
}

const cli_command analysis_outliers = {
    .name = "outliers", .summary = "Which features of a record are outliers: the paper's table.",
    .operands = "RECORD...", .details = details, .run = run,
};

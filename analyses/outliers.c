/* The command `outliers`. */
#include <config.h>
#include "analyses/outliers.h"

#include <math.h>
#include <stdlib.h>

#include "analyses/analyses.h"
#include "analyses/options.h"
#include "cli/output.h"

typedef enum { SORT_GIVEN, SORT_PARAMETERS, SORT_PERPLEXITY, SORT_COUNT } sort_order;

typedef struct {
    outlier_options options;
    table_format    format;
    sort_order      sort;
    bool            brief, metrics;
    const char     *output;
} request;

static const char details[] =
    "A feature (column index) is an outlier if |x| reaches the record's alpha in at least\n"
    "--min-layers of the layers and at at least --min-positions of the positions.\n"
    "  --layers block      blocks in which any tracked tensor reaches it\n"
    "  --layers sublayer   tracked tensors that reach it\n"
    "  --positions pairs   (block, position) pairs at which it is reached\n"
    "  --positions any     positions at which any block reaches it\n"
    "The most common outlier is the one with the largest share of positions; of equal ones\n"
    "that with more pairs, then the smaller index.\n"
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

/* The texts of options that name one of several things. */
typedef struct {
    const char *format, *layers, *positions, *sort;
} choices;

static osc_status parse_choices(request *r, const choices *text)
{
    static const char *const orders[SORT_COUNT] = {
        [SORT_GIVEN] = "given", [SORT_PARAMETERS] = "parameters", [SORT_PERPLEXITY] = "perplexity",
    };
    size_t layers, positions, sort;
    unsigned ignored;
    OSC_TRY(table_format_parse(&r->format, text->format));
    OSC_TRY(option_choice(&layers, "--layers", text->layers, layers_rule_names, LAYERS_RULE_COUNT));
    OSC_TRY(option_choice(&positions, "--positions", text->positions, positions_rule_names,
                          POSITIONS_RULE_COUNT));
    OSC_TRY(option_choice(&sort, "--sort", text->sort, orders, SORT_COUNT));
    r->options.rule.layers = (layers_rule)layers;
    r->options.rule.positions = (positions_rule)positions;
    r->sort = (sort_order)sort;
    return option_track(&ignored, r->options.track, ~0u);   /* are these points at all? */
}

static int parse(request *r, const cli_command *command, int *argc, char **argv)
{
    choices text = { "text", "block", "pairs", "given" };
    feature_rule *rule = &r->options.rule;
    const cli_option options[] = {
        { "track", 0, CLI_TEXT, "POINTS", "tracked tensors, separated by commas (all)",
          &r->options.track, 0, 0 },
        { "layers", 0, CLI_TEXT, "block|sublayer", "how layers are counted (block)",
          &text.layers, 0, 0 },
        { "positions", 0, CLI_TEXT, "pairs|any", "how positions are counted (pairs)",
          &text.positions, 0, 0 },
        { "min-layers", 0, CLI_NUMBER, "SHARE", "least share of the layers (0.25)",
          &rule->min_layers, 0, 1 },
        { "min-positions", 0, CLI_NUMBER, "SHARE", "least share of the positions (0.06)",
          &rule->min_positions, 0, 1 },
        { "all", 0, CLI_SWITCH, NULL, "list every feature that reaches alpha anywhere",
          &r->options.all, 0, 0 },
        { "brief", 0, CLI_SWITCH, NULL, "one line per record, no table of features",
          &r->brief, 0, 0 },
        { "metrics", 0, CLI_SWITCH, NULL, "show kurtosis, max/median ratio, inf-norm and massive "
          "activations instead", &r->metrics, 0, 0 },
        { "sort", 0, CLI_TEXT, "ORDER", "records by parameters, perplexity or as given (given)",
          &text.sort, 0, 0 },
        { "format", 0, CLI_TEXT, "FORMAT", "text, md, csv, latex or json (text)",
          &text.format, 0, 0 },
        { "output", 'o', CLI_TEXT, "FILE", "write there (standard output)", &r->output, 0, 0 },
        { .name = NULL },
    };
    int status = option_parse(command, options, argc, argv);
    if (status != CLI_DONE)
        return status;
    return parse_choices(r, &text) == OSC_OK ? CLI_DONE : cli_usage(command, "%s", osc_error());
}

static int by_parameters(const void *a, const void *b)
{
    const outlier_result *x = a, *y = b;
    if (x->info.parameters != y->info.parameters)
        return x->info.parameters < y->info.parameters ? -1 : 1;
    return x->order < y->order ? -1 : 1;
}

/* From the worst model to the best, as the paper's table; not a number comes last. */
static int by_perplexity(const void *a, const void *b)
{
    const outlier_result *x = a, *y = b;
    double p = x->info.perplexity, q = y->info.perplexity;
    if (isnan(p) != isnan(q))
        return isnan(p) ? 1 : -1;
    if (p != q && !isnan(p))
        return p > q ? -1 : 1;
    return x->order < y->order ? -1 : 1;
}

static void sort_results(outlier_result *results, size_t count, sort_order order)
{
    if (order == SORT_PARAMETERS)
        qsort(results, count, sizeof *results, by_parameters);
    else if (order == SORT_PERPLEXITY)
        qsort(results, count, sizeof *results, by_perplexity);
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
        sort_results(results, count, r->sort);
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

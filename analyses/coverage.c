/* The command `coverage`. */
#include <config.h>
#include "analyses/coverage.h"

#include <stdio.h>
#include <string.h>

#include "analyses/analyses.h"
#include "analyses/options.h"
#include "cli/output.h"

typedef struct {
    const char    *point_name;     /* NULL: the tracked set */
    osc_point      point;
    size_t         top;
    table_format   format;
    coverage_order order;
    bool           all_features;
    const char    *plot, *output;
} request;

static const char details[] =
    "Without --point a position counts for a block if any tensor that the record tracked\n"
    "reaches alpha there.  Features are in order of coverage, outliers (in at least\n"
    "25 % of the blocks and at 6 % of the (block, position) pairs) before others.\n"
    "The figure shows the first 60 of those that reach alpha in some block; with\n"
    "--all-features every feature, as columns of pixels.\n"
    "\n"
    "Examples:\n"
    "  outlierscope coverage run.h5 --plot coverage.svg\n"
    "  outlierscope coverage run.h5 --point fc1_in --top 0 --format csv -o fc1_in.csv\n";

static osc_status parse_choices(request *r, const char *format, const char *order)
{
    static const char *const orders[ORDER_COUNT] = {
        [ORDER_COVERAGE] = "coverage", [ORDER_INDEX] = "index",
    };
    size_t index;
    OSC_TRY(table_format_parse(&r->format, format));
    OSC_TRY(option_choice(&index, "--order", order, orders, ORDER_COUNT));
    r->order = (coverage_order)index;
    if (r->output != NULL && r->plot != NULL && strcmp(r->output, r->plot) == 0)
        return osc_fail(OSC_EINVAL, "--plot and --output name the same file");
    if (r->all_features && r->plot == NULL)
        return osc_fail(OSC_EINVAL, "--all-features is about the figure: add --plot FILE");
    return r->point_name == NULL ? OSC_OK : osc_point_parse(&r->point, r->point_name);
}

static int parse(request *r, const cli_command *command, int *argc, char **argv)
{
    const char *format = "text", *order = "coverage";
    const cli_option options[] = {
        { "point", 0, CLI_TEXT, "POINT", "one recorded point (any tensor that the record tracked)",
          &r->point_name, 0, 0 },
        { "top", 0, CLI_SIZE, "N", "features in the table, 0: all that reach alpha (20)",
          &r->top, 0, 0 },
        { "order", 0, CLI_TEXT, "coverage|index", "order of the features (coverage)",
          &order, 0, 0 },
        { "plot", 0, CLI_TEXT, "FILE", "also draw a heat map, as SVG", &r->plot, 0, 0 },
        { "all-features", 0, CLI_SWITCH, NULL, "all features in the heat map",
          &r->all_features, 0, 0 },
        { "format", 0, CLI_TEXT, "FORMAT", "text, md, csv, latex, html or json (text)",
          &format, 0, 0 },
        { "output", 'o', CLI_TEXT, "FILE", "write the table there (standard output)",
          &r->output, 0, 0 },
        { .name = NULL },
    };
    int status = option_parse(command, options, argc, argv);
    if (status != CLI_DONE)
        return status;
    if (*argc > 2)
        return cli_usage(command, "takes one record, not also '%s'", argv[2]);
    if (parse_choices(r, format, order) != OSC_OK)
        return cli_usage(command, "%s", osc_error());
    return CLI_DONE;
}

static osc_status write_plot(const request *r, const coverage *c, const osc_record_info *info)
{
    cli_output output;
    OSC_TRY(cli_output_open(&output, r->plot));
    osc_status status = coverage_write_plot(c, info, r->all_features, r->order, output.stream);
    if (status == OSC_OK)
        return cli_output_commit(&output);
    cli_output_abort(&output);
    return status;
}

static osc_status write_numbers(const request *r, const coverage *c, const osc_record_info *info)
{
    cli_output output;
    coverage_choice choice;
    OSC_TRY(coverage_choose(&choice, c, r->top, r->order));
    osc_status status = cli_output_open(&output, r->output);
    if (status == OSC_OK) {
        status = r->format == TABLE_JSON
            ? coverage_write_json(c, info, &choice, output.stream)
            : coverage_write_table(c, info, &choice, r->format, output.stream);
        if (status == OSC_OK)
            status = cli_output_commit(&output);
        else
            cli_output_abort(&output);
    }
    osc_free(choice.feature);
    return status;
}

/* Messages about the contents do not know the file; those of outputs name theirs. */
static osc_status count(coverage *c, const request *r, osc_record *record)
{
    osc_status status = r->point_name != NULL ? coverage_of_point(c, record, r->point)
                                              : coverage_of_tracked(c, record);
    const char *path = osc_record_path(record);
    if (status == OSC_OK || strncmp(osc_error(), path, strlen(path)) == 0)
        return status;
    return osc_fail_in(status, path);
}

static osc_status read_and_write(const request *r, const char *path)
{
    osc_record *record;
    coverage c;
    OSC_TRY(osc_record_open(&record, path));
    osc_status status = count(&c, r, record);
    if (status == OSC_OK) {
        const osc_record_info *info = osc_record_get_info(record);
        status = r->plot != NULL ? write_plot(r, &c, info) : OSC_OK;
        if (status == OSC_OK)
            status = write_numbers(r, &c, info);
        coverage_free(&c);
    }
    osc_record_close(record);
    return status;
}

static int run(int argc, char **argv)
{
    const cli_command *command = &analysis_coverage;
    request r = { .top = 20 };
    int status = parse(&r, command, &argc, argv);
    if (status != CLI_DONE)
        return status;
    if (read_and_write(&r, argv[1]) != OSC_OK)
        return cli_fail(command);
    cli_wrote(command, r.plot);
    return 0;
}

const cli_command analysis_coverage = {
    .name = "coverage",
    .summary = "At which share of the positions features reach alpha, block by block.",
    .operands = "RECORD", .details = details, .run = run,
};

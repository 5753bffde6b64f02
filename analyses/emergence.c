/* The command `emergence`. */
#include <config.h>
#include "analyses/emergence.h"

#include <stdio.h>
#include <string.h>

#include "analyses/analyses.h"
#include "analyses/options.h"
#include "cli/output.h"

typedef struct {
    emergence_options options;
    table_format      format;
    bool              relations;
    const char       *plot, *output;
} request;

static const char details[] =
    OUTLIER_RULE_DETAILS
    "  --shares common     layers and positions affected by the most common outlier\n"
    "  --shares mean       mean over the outliers\n"
    "Each relation gets Spearman's rank correlation with a permutation p (exact up to 10\n"
    "points) and a curve with 95 % confidence intervals: a logistic in log10 of the\n"
    "parameters, an exponential in perplexity.  Where the points cannot support a curve\n"
    "there is none, and a note says why (docs/emergence.md).\n"
    "--plot FILE.svg draws the paper's figures on one sheet.  Any other name is a prefix:\n"
    "PREFIX-3a.svg, -3b, -4a and -4b, and -metrics-size and -metrics-perplexity if the\n"
    "records have the measures of 'outliers --metrics'.\n"
    "A CSV file has one table: a line per model, or with --relations a line per relation.\n"
    "\n"
    "Examples:\n"
    "  outlierscope emergence 125m.h5 350m.h5 1b3.h5 2b7.h5 6b7.h5 13b.h5 --plot opt.svg\n"
    "  outlierscope emergence opt/*.h5 --published --plot figures/opt --format latex\n"
    "  outlierscope emergence *.h5 --relations --format csv -o relations.csv\n";

static bool ends_in_svg(const char *name)
{
    size_t length = strlen(name);
    return length >= 4 && strcmp(name + length - 4, ".svg") == 0;
}

static osc_status parse_choices(request *r, const char *format, const char *shares,
                                const outlier_choices *rule)
{
    static const char *const kinds[] = { "common", "mean" };
    size_t kind;
    OSC_TRY(table_format_parse(&r->format, format));
    OSC_TRY(option_choice(&kind, "--shares", shares, kinds, 2));
    r->options.mean = kind == 1;
    if (r->relations && r->format == TABLE_JSON)
        return osc_fail(OSC_EINVAL, "--relations has no meaning with --format json, which has "
                        "everything");
    if (r->output != NULL && r->plot != NULL && strcmp(r->output, r->plot) == 0)
        return osc_fail(OSC_EINVAL, "--plot and --output name the same file");
    return outliers_choose(&r->options.outliers, rule);
}

static int parse(request *r, const cli_command *command, int *argc, char **argv)
{
    const char *format = "text", *shares = "common";
    outlier_choices choices = OUTLIER_CHOICES_DEFAULT;
    size_t seed = 1;
    const cli_option options[] = {
        OUTLIER_RULE_OPTIONS(&r->options.outliers, &choices),
        { "shares", 0, CLI_TEXT, "common|mean", "whose layers and positions (common)",
          &shares, 0, 0 },
        { "published", 0, CLI_SWITCH, NULL, "the ten models of the paper's Table 4 as well, apart",
          &r->options.published, 0, 0 },
        { "seed", 0, CLI_SIZE, "S", "of the permutations of more than 10 points (1)",
          &seed, 0, 4294967295.0 },
        { "plot", 0, CLI_TEXT, "NAME", "also draw the figures: one FILE.svg, or a PREFIX",
          &r->plot, 0, 0 },
        { "relations", 0, CLI_SWITCH, NULL, "only the table of the relations",
          &r->relations, 0, 0 },
        { "format", 0, CLI_TEXT, "FORMAT", "text, md, csv, latex, html or json (text)",
          &format, 0, 0 },
        { "output", 'o', CLI_TEXT, "FILE", "write there (standard output)", &r->output, 0, 0 },
        { .name = NULL },
    };
    int status = option_parse(command, options, argc, argv);
    if (status != CLI_DONE)
        return status;
    r->options.seed = seed;
    if (parse_choices(r, format, shares, &choices) != OSC_OK)
        return cli_usage(command, "%s", osc_error());
    return CLI_DONE;
}

static osc_status finish(cli_output *output, osc_status status)
{
    if (status == OSC_OK)
        return cli_output_commit(output);
    cli_output_abort(output);
    return status;
}

static osc_status write_figure(const emergence_set *set, emergence_figure figure,
                               const char *path)
{
    cli_output output;
    OSC_TRY(cli_output_open(&output, path));
    OSC_TRY(finish(&output, emergence_draw(set, figure, output.stream)));
    cli_wrote(&analysis_emergence, path);
    return OSC_OK;
}

static osc_status write_figures(const emergence_set *set, const char *name)
{
    char path[4096];
    if (ends_in_svg(name))
        return write_figure(set, EMERGENCE_FIGURES, name);
    for (size_t f = 0; f < EMERGENCE_FIGURES; f++) {
        if (!emergence_has_figure(set, (emergence_figure)f))
            continue;
        int length = snprintf(path, sizeof path, "%s-%s.svg", name, emergence_figures[f].key);
        if (length < 0 || (size_t)length >= sizeof path)
            return osc_fail(OSC_EINVAL, "--plot: a name of %zu bytes is too long", strlen(name));
        OSC_TRY(write_figure(set, (emergence_figure)f, path));
    }
    return OSC_OK;
}

/* Text, markdown and LaTeX may hold two tables; a CSV file is one. */
static osc_status write_tables(const request *r, const emergence_set *set, FILE *out)
{
    if (!r->relations) {
        OSC_TRY(emergence_write_points(set, r->format, out));
        if (r->format == TABLE_CSV)
            return OSC_OK;
        fputc('\n', out);
    }
    return emergence_write_relations(set, r->format, out);
}

static osc_status write_numbers(const request *r, const emergence_set *set)
{
    cli_output output;
    OSC_TRY(cli_output_open(&output, r->output));
    return finish(&output, r->format == TABLE_JSON ? emergence_write_json(set, output.stream)
                                                   : write_tables(r, set, output.stream));
}

static osc_status read_and_write(const request *r, char *const *paths, size_t count)
{
    emergence_set set;
    OSC_TRY(emergence_read(&set, paths, count, &r->options));
    osc_status status = r->plot != NULL ? write_figures(&set, r->plot) : OSC_OK;
    if (status == OSC_OK)
        status = write_numbers(r, &set);
    emergence_free(&set);
    return status;
}

static int run(int argc, char **argv)
{
    const cli_command *command = &analysis_emergence;
    request r = { .options.outliers.rule = FEATURE_RULE_DEFAULT };
    int status = parse(&r, command, &argc, argv);
    if (status != CLI_DONE)
        return status;
    return read_and_write(&r, argv + 1, (size_t)argc - 1) == OSC_OK ? 0 : cli_fail(command);
}

const cli_command analysis_emergence = {
    .name = "emergence",
    .summary = "How outliers grow with size and falling perplexity: the paper's figures 3 and 4.",
    .operands = "RECORD...", .details = details, .run = run,
};

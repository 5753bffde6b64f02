/* ablate: the command. */
#include <config.h>
#include "experiments/ablate.h"

#include <string.h>

#include "analyses/jsonout.h"
#include "analyses/options.h"
#include "analyses/rng.h"
#include "cli/output.h"
#include "experiments/dry_run.h"
#include "experiments/point_list.h"
#include "experiments/provenance.h"
#include "experiments/stop.h"

extern const cli_command experiment_ablate;

/* --- options --------------------------------------------------------------------- */

static osc_status check_choice(const ablate_options *o)
{
    if (o->features != NULL && o->top > 0)
        return osc_fail(OSC_EINVAL, "--features and --top exclude each other");
    if (o->record != NULL && o->alpha > 0)
        return osc_fail(OSC_EINVAL, "--alpha has no meaning with --record, which has its own");
    if (o->force && o->output == NULL)
        return osc_fail(OSC_EINVAL, "--force is about the results file: add -o FILE");
    if (o->output != NULL && strcmp(o->output, "-") == 0)
        return osc_fail(OSC_EINVAL, "-o names a file; --format json writes to standard output");
    if (o->plot != NULL && o->output != NULL && strcmp(o->plot, o->output) == 0)
        return osc_fail(OSC_EINVAL, "--plot and --output name the same file");
    return OSC_OK;
}

static osc_status parse_texts(ablate_options *o)
{
    size_t mode;
    OSC_TRY(check_choice(o));
    OSC_TRY(option_choice(&mode, "--mode", o->mode_text, ablation_mode_names,
                          ABLATION_MODE_COUNT));
    o->mode = (ablation_mode)mode;
    OSC_TRY(point_list_parse(&o->points, "points", o->points_text));
    if (o->points == 0)
        return osc_fail(OSC_EINVAL, "--points: at least one point");
    osc_scheme_choice scheme;
    if (osc_scheme_parse(&scheme, o->scheme) != OSC_OK)
        return osc_fail_in(OSC_EINVAL, "--scheme");
    if (table_format_parse(&o->format, o->format_name) != OSC_OK)
        return osc_fail_in(OSC_EINVAL, "--format");
    return OSC_OK;
}

static int parse(ablate_options *o, int *argc, char **argv)
{
    const cli_option options[] = {
        { "model", 0, CLI_TEXT, "DIR", "checkpoint directory (default: the shipped "
          CLI_DEFAULT_MODEL ")", &o->model, 0, 0 },
        { "record", 0, CLI_TEXT, "FILE", "take out the outlier features of this record of the "
          "model (default: find them first, in the same text)", &o->record, 0, 0 },
        { "features", 0, CLI_TEXT, "LIST", "take out these features, 7,63, instead",
          &o->features, 0, 0 },
        { "top", 0, CLI_SIZE, "K", "take out the K features of largest magnitude instead",
          &o->top, 1, INT32_MAX },
        { "alpha", 0, CLI_NUMBER, "X", "magnitude from which a value is an outlier (default: 6, "
          "or the record's)", &o->alpha, 1e-6, 1e6 },
        { "points", 0, CLI_TEXT, "LIST", "hook points of every block at which they are taken out "
          "for the perplexity (default: qkv_in,fc1_in)", &o->points_text, 0, 0 },
        { "mode", 0, CLI_TEXT, "zero|mean", "what they become: 0, or their mean over the text, by "
          "point and block (default: zero)", &o->mode_text, 0, 0 },
        { "draws", 0, CLI_SIZE, "N", "random sets of as many features to compare with "
          "(default: 10)", &o->draws, 0, 1000000 },
        { "seed", 0, CLI_SIZE, "S", "seed of the random sets and of resampling (default: 1)",
          &o->seed, 1, RNG_SEED_MOST },
        { "cumulative", 0, CLI_SWITCH, NULL, "take out 1, 2, ... features by falling magnitude",
          &o->cumulative, 0, 0 },
        { "scheme", 0, CLI_TEXT, "NAME", "matmul scheme of the linear layers (default: none)",
          &o->scheme, 0, 0 },
        { "plot", 0, CLI_TEXT, "FILE", "also draw the figure, as SVG", &o->plot, 0, 0 },
        { "output", 'o', CLI_TEXT, "FILE", "keep the results there too, as JSON", &o->output,
          0, 0 },
        { "force", 'f', CLI_SWITCH, NULL, "replace an existing -o FILE", &o->force, 0, 0 },
        { "format", 0, CLI_TEXT, "NAME", "text, md, csv, latex, html or json (default: text)",
          &o->format_name, 0, 0 },
        RUN_OPTION_ROWS(o->run),
        RUN_DRY_ROW(o->dry),
        { NULL, 0, CLI_SWITCH, NULL, NULL, NULL, 0, 0 }
    };
    int rc = cli_parse(&experiment_ablate, options, argc, argv);
    if (rc == CLI_DONE)
        rc = run_check_options(&experiment_ablate, &o->run);
    if (rc == CLI_DONE && parse_texts(o) != OSC_OK)
        rc = cli_usage(&experiment_ablate, "%s", osc_error());
    return rc;
}

/* --- results ------------------------------------------------------------------------ */

typedef osc_status (*writer)(const ablation *a, FILE *out);

static osc_status write_json(const ablation *a, FILE *out)
{
    return ablation_write(a, TABLE_JSON, out);
}

static osc_status write_file(const ablation *a, const char *path, writer write)
{
    cli_output output;
    if (path == NULL)
        return OSC_OK;
    OSC_TRY(cli_output_open(&output, path));
    osc_status status = write(a, output.stream);
    if (status != OSC_OK) {
        cli_output_abort(&output);
        return status;
    }
    OSC_TRY(cli_output_commit(&output));
    cli_wrote(&experiment_ablate, path);
    return OSC_OK;
}

static osc_status write_all(const ablation *a, const ablate_options *o)
{
    OSC_TRY(write_file(a, o->output, write_json));
    OSC_TRY(write_file(a, o->plot, ablation_plot));
    return ablation_write(a, o->format, stdout);
}

/* Files that cannot be written are found out before anything is measured. */
static osc_status check_files(const ablate_options *o)
{
    if (o->output != NULL && !o->force && osc_file_exists(o->output))
        return osc_fail(OSC_EINVAL, "%s exists: --force replaces it", o->output);
    OSC_TRY(cli_output_probe(o->output));
    return cli_output_probe(o->plot);
}

/* --- the command -------------------------------------------------------------------- */

static int stopped(void)
{
    fputs("outlierscope ablate: stopped; nothing was written\n", stderr);
    return stop_status();
}

static int run(ablation *a, const ablate_options *o)
{
    stop_catch();
    osc_status status = check_files(o);
    if (status == OSC_OK)
        status = ablate_measure(a, o);
    cli_progress_end();
    if (status == OSC_OK)
        status = write_all(a, o);
    return status == OSC_OK ? 0 : status == OSC_STOP ? stopped() : cli_fail(&experiment_ablate);
}

/* Passes: regular, without the features, without each draw; one to find the features
 * unless they are given.  --cumulative takes more, as many as there will be features. */
static int run_dry(const ablate_options *o)
{
    cli_list models = { .item = { o->model }, .count = o->model != NULL };
    bool finds = o->record == NULL && o->features == NULL;
    dry_run_plan plan = { &models, &o->scheme, 1, &o->run, 2.0 + (double)o->draws + finds };
    return dry_run_print(&plan) == OSC_OK ? 0 : cli_fail(&experiment_ablate);
}

static int ablate(int argc, char **argv)
{
    ablate_options o = {
        .run = RUN_OPTIONS_DEFAULT, .points_text = "qkv_in,fc1_in", .mode_text = "zero",
        .scheme = "none", .format_name = "text", .draws = 10, .seed = 1, .alpha = -1,
    };
    ablation result = { .cumulative = false };
    provenance_command(result.command, sizeof result.command, argc, argv);
    int rc = parse(&o, &argc, argv);
    if (rc == CLI_DONE)
        rc = o.dry ? run_dry(&o) : run(&result, &o);
    ablation_free(&result);
    return rc;
}

const cli_command experiment_ablate = {
    .name = "ablate",
    .summary = "what a model loses without its outlier features, and without random ones",
    .operands = "",
    .details =
        "Two measures. Perplexity, cascading: the features are taken out at --points of every\n"
        "block, and what comes out goes on. Attention top-1 mass, not cascading: in each block\n"
        "alone the features are taken out at the attention's input (qkv_in); what goes on is\n"
        "the regular. Mean over heads and queries; later: without the first query, whose mass\n"
        "is always 1.\n"
        "\n"
        "The paper does not say whether the FFN's input is zeroed too: --points qkv_in leaves it\n"
        "alone, the default zeroes both.\n"
        "\n"
        "Without --record a first pass over the same text finds the outlier features by the\n"
        "default rule of 'outliers'. Random sets are drawn from the features that reach alpha\n"
        "nowhere, or if these are too few from all that are no outliers. Each is a row; below\n"
        "them their mean, standard deviation and a bootstrap confidence interval of the mean.\n"
        "\n"
        "Examples:\n"
        "  outlierscope ablate\n"
        "  outlierscope ablate --model ~/opt-6.7b --text c4.jsonl --record 6.7b.h5 -o 6.7b.json\n"
        "  outlierscope ablate --cumulative --draws 20 --plot dose.svg\n"
        "  outlierscope ablate --features 63,80 --points qkv_in --mode mean --format csv\n",
    .run = ablate,
};

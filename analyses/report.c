/* The command `report`. */
#include <config.h>
#include "analyses/report.h"

#include <string.h>

#include "analyses/analyses.h"
#include "cli/output.h"

#define DEFAULT_TITLE "Outlier features and 8-bit matrix products"
#define DEFAULT_NAME  "report.html"

static const char details[] =
    "DIR (the current folder) and its subfolder cells are searched for records (.h5) and for\n"
    "what perplexity, compare, ablate and zeroshot write with --format json; each file is\n"
    "recognised by what is in it.  The page has the outlier tables, coverage maps, the figures\n"
    "of emergence and ablations, perplexities and zero-shot accuracies by scheme, and where\n"
    "every number comes from.\n"
    "It is one file that needs neither a network nor scripts, follows the reader's light or\n"
    "dark setting, and prints.  Files that cannot be read are named at its end.  The same\n"
    "results give the same page, byte for byte.\n"
    "\n"
    "Examples:\n"
    "  outlierscope report results\n"
    "  outlierscope report results -o paper.html --title \"OPT, 125M to 6.7B\"\n";

/* The title asked for, or the sweep's, or ours. */
static const char *title_of(const report *r, const char *asked)
{
    const char *title = json_string_value(json_object_get(r->sweep, "title"));
    return asked != NULL ? asked : title != NULL ? title : DEFAULT_TITLE;
}

static osc_status read_and_write(const char *folder, const char *path, const char *title)
{
    report r;
    cli_output output;
    osc_status status = report_read(&r, folder, path);
    if (status == OSC_OK) {
        r.title = title_of(&r, title);
        status = cli_output_open(&output, path);
    }
    if (status == OSC_OK) {
        status = report_write(&r, output.stream);
        if (status == OSC_OK)
            status = cli_output_commit(&output);
        else
            cli_output_abort(&output);
    }
    report_free(&r);
    return status;
}

static int run(int argc, char **argv)
{
    const cli_command *command = &analysis_report;
    const char *output = NULL, *title = NULL;
    const cli_option options[] = {
        { "output", 'o', CLI_TEXT, "FILE", "the page (DIR/" DEFAULT_NAME ")", &output, 0, 0 },
        { "title", 0, CLI_TEXT, "TEXT", "its title (that of DIR/sweep.json, if there is one)",
          &title, 0, 0 },
        { .name = NULL },
    };
    int status = cli_parse(command, options, &argc, argv);
    if (status != CLI_DONE)
        return status;
    if (argc > 2)
        return cli_usage(command, "takes one folder, not also '%s'", argv[2]);
    const char *folder = argc > 1 ? argv[1] : ".";
    char *path = output != NULL ? osc_copy_string(output, strlen(output))
                                : osc_path_join(folder, DEFAULT_NAME);
    bool failed = path == NULL || read_and_write(folder, path, title) != OSC_OK;
    if (!failed)
        cli_wrote(command, path);
    osc_free(path);
    return failed ? cli_fail(command) : 0;
}

const cli_command analysis_report = {
    .name = "report",
    .summary = "One HTML page of tables and figures from a folder of results.",
    .operands = "[DIR]", .details = details, .run = run,
};

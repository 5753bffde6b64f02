/* merge: one record of the records of all shards. */
#include <config.h>
#include "cli/cli.h"

#include <stdio.h>

#include "experiments/provenance.h"
#include "experiments/record_report.h"
#include "experiments/stop.h"

extern const cli_command experiment_merge;

static bool stopped(void)
{
    return stop_signal() != 0;
}

static int run_merge(const osc_merge_options *options)
{
    stop_catch();
    osc_status status = osc_record_merge(options);
    cli_progress_end();
    if (status == OSC_OK)
        status = record_report(options->path, false);
    if (status == OSC_OK)
        return 0;
    cli_fail(&experiment_merge);
    return status == OSC_STOP ? stop_status() : 1;
}

static int merge(int argc, char **argv)
{
    char command[4096], host[256], time[32];
    osc_merge_options merge = { .tool = PACKAGE_STRING, .command = command, .time = time,
                                .host = host, .stop = stopped };
    const cli_option options[] = {
        { "output", 'o', CLI_TEXT, "FILE", "the record to make", &merge.path, 0, 0 },
        { "force", 'f', CLI_SWITCH, NULL, "replace an existing record", &merge.overwrite, 0, 0 },
        { NULL, 0, CLI_SWITCH, NULL, NULL, NULL, 0, 0 }
    };
    provenance_command(command, sizeof command, argc, argv);
    provenance_host(host, sizeof host);
    provenance_time(time, sizeof time);
    int rc = cli_parse(&experiment_merge, options, &argc, argv);
    if (rc != CLI_DONE)
        return rc;
    if (merge.path == NULL)
        return cli_usage(&experiment_merge, "-o FILE is needed: the record to make");
    if (argc < 2)
        return cli_usage(&experiment_merge, "no shards given (make them with 'outlierscope record "
                         "--shard I/N')");
    merge.shards = (const char *const *)(argv + 1);
    merge.count = (size_t)argc - 1;
    merge.progress = cli_progress();
    return run_merge(&merge);
}

const cli_command experiment_merge = {
    .name = "merge",
    .summary = "make one record of the records of all shards",
    .operands = "SHARD...",
    .details =
        "Each SHARD is a complete record made with 'record --shard I/N', all N of them, in any\n"
        "order. The result is the record that one run over the whole text would have made:\n"
        "extremes, counts, events, values and perplexity bit for bit, sums within rounding.\n"
        "Records of another model, text, scheme or of other options are refused, as are shards\n"
        "that are missing, incomplete or there twice.\n"
        "\n"
        "Examples:\n"
        "  outlierscope record --model ~/opt-6.7b --text wiki.txt --shard 1/2 -o a.h5   # here\n"
        "  outlierscope record --model ~/opt-6.7b --text wiki.txt --shard 2/2 -o b.h5   # there\n"
        "  outlierscope merge a.h5 b.h5 -o 6.7b.h5\n",
    .run = merge,
};

#include <config.h>
#include "experiments/record_report.h"

#include <inttypes.h>
#include <stdio.h>

#include "experiments/run.h"

static void print_results(const osc_record *record)
{
    const osc_record_info *info = osc_record_get_info(record);
    printf("%s: %zu blocks, hidden size %zu, %.3g M parameters, scheme %s on %s\n", info->model,
           info->layers, info->hidden, (double)info->parameters / 1e6, info->scheme, info->backend);
    osc_protocol protocol;
    if (osc_protocol_parse(&protocol, info->protocol) == OSC_OK)
        run_print_protocol(protocol, info->sequences, info->sequence_length, info->bos);
    if (info->shards > 1)
        printf("shard %zu of %zu: from sequence %zu of %zu on\n", info->shard, info->shards,
               info->first_sequence, info->corpus_sequences);
    if (info->scored > 0)
        printf("perplexity %.4f over %zu ids of %zu sequences\n", info->perplexity, info->scored,
               info->sequences_done);
    printf("%" PRIu64 " values of magnitude %g or more", osc_record_event_count(record),
           info->alpha);
    if (osc_record_events_dropped(record) > 0)
        printf(" kept, %" PRIu64 " more beyond --event-cap counted only",
               osc_record_events_dropped(record));
    putchar('\n');
}

static void print_next(osc_record *record, const char *path)
{
    osc_record_without without;
    const osc_record_info *info = osc_record_get_info(record);
    if (info->shards > 1) {
        printf("\nnext: the other %zu shard%s, then outlierscope merge SHARD... -o FILE\n",
               info->shards - 1, info->shards == 2 ? "" : "s");
        return;
    }
    printf("\nnext: outlierscope outliers %s\n", path);
    if (osc_record_event_count(record) > 0 && osc_record_top1_without(record, &without) != OSC_OK)
        printf("      the same command with --without %s -o FILE records the attention\n"
               "      top-1 mass without the outliers, too\n", path);
}

osc_status record_report(const char *path, bool stopped)
{
    osc_record *record;
    OSC_TRY(osc_record_open(&record, path));
    const osc_record_info *info = osc_record_get_info(record);
    print_results(record);
    printf("record %s\n", path);
    if (stopped && !info->complete)
        fprintf(stderr, "outlierscope record: stopped after %zu of %zu sequences, which are in "
                "%s; the same command with --resume goes on\n", info->sequences_done,
                info->sequences, path);
    else
        print_next(record, path);
    osc_record_close(record);
    return OSC_OK;
}

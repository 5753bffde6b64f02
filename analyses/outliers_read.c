#include <config.h>
#include "analyses/outliers.h"

#include <math.h>
#include <string.h>

#include "analyses/events.h"
#include "analyses/options.h"

static char *copy_of(const char *text)
{
    return osc_copy_string(text, strlen(text));
}

static osc_status copy_info(outlier_result *result, const osc_record_info *info, const char *path)
{
    result->info = (osc_record_info){
        .bos = info->bos, .parameters = info->parameters, .layers = info->layers,
        .hidden = info->hidden, .heads = info->heads, .sequence_length = info->sequence_length,
        .sequences = info->sequences, .sequences_done = info->sequences_done, .alpha = info->alpha,
        .positions = info->positions, .scored = info->scored, .perplexity = info->perplexity,
        .complete = info->complete, .shard = info->shard, .shards = info->shards,
        .first_sequence = info->first_sequence, .corpus_sequences = info->corpus_sequences,
    };
    result->path = copy_of(path);
    result->model = copy_of(info->model);
    result->scheme = copy_of(info->scheme);
    result->protocol = copy_of(info->protocol);
    bool copied = result->path && result->model && result->scheme && result->protocol;
    return copied ? OSC_OK : OSC_ENOMEM;
}

static osc_status read_input(feature_input *input, osc_record *record, unsigned track)
{
    const osc_record_info *info = osc_record_get_info(record);
    *input = (feature_input){
        .layers = info->layers, .width = info->hidden, .positions = info->positions,
        .alpha = (float)info->alpha,
    };
    for (unsigned p = 0; p < OSC_POINT_COUNT; p++) {
        if ((track >> p & 1u) == 0)
            continue;
        if (osc_record_width(record, (osc_point)p) != info->hidden
            || input->points == OSC_TRACK_MOST)
            return osc_fail(OSC_EFORMAT, "tracked point %s is not as wide as the model",
                            osc_point_name((osc_point)p));
        OSC_TRY(osc_record_stats(record, (osc_point)p, &input->stats[input->points++]));
    }
    return osc_record_positions(record, track, &input->any, &input->pairs);
}

/* Mean over blocks and heads. */
static double mean_of(const double *top1, const osc_record_info *info)
{
    double sum = 0;
    size_t count = info->layers * info->heads;
    for (size_t i = 0; i < count; i++)
        sum += top1[i];
    return count > 0 ? sum / (double)count : NAN;
}

static osc_status read_top1(outlier_result *result, osc_record *record)
{
    const osc_record_info *info = osc_record_get_info(record);
    const double *all;
    osc_status status = osc_record_top1(record, &all, NULL);
    if (status == OSC_OK)
        result->top1 = mean_of(all, info);
    return status == OSC_ENOTFOUND ? OSC_OK : status;
}

static osc_status read_without(outlier_result *result, osc_record *record)
{
    osc_record_without without;
    osc_status status = osc_record_top1_without(record, &without);
    if (status != OSC_OK)
        return status == OSC_ENOTFOUND ? OSC_OK : status;
    result->without = osc_alloc(without.count, sizeof *result->without);
    if (result->without == NULL)
        return OSC_ENOMEM;
    memcpy(result->without, without.features, without.count * sizeof *result->without);
    result->without_count = without.count;
    result->top1_without = mean_of(without.all, osc_record_get_info(record));
    return OSC_OK;
}

static osc_status read_all(outlier_result *result, osc_record *record,
                           const outlier_options *options)
{
    feature_input input;
    OSC_TRY(copy_info(result, osc_record_get_info(record), osc_record_path(record)));
    OSC_TRY(option_track(&result->track, options->track, osc_record_track(record)));
    OSC_TRY(read_input(&input, record, result->track));
    OSC_TRY(features_find(&result->features, &input, &options->rule));
    if (!options->all)
        features_keep_outliers(&result->features);
    OSC_TRY(events_quartiles(&result->features, record, result->track));
    result->summary = features_summarize(&result->features);
    result->dropped = osc_record_events_dropped(record);
    OSC_TRY(read_top1(result, record));
    OSC_TRY(metrics_read(&result->metrics, record));
    return read_without(result, record);
}

osc_status outliers_read(outlier_result *result, const char *path, const outlier_options *options)
{
    osc_record *record;
    OSC_TRY(osc_record_open(&record, path));
    outlier_result made = { .top1 = NAN, .top1_without = NAN };
    osc_status status = read_all(&made, record, options);
    osc_record_close(record);
    if (status != OSC_OK) {
        outliers_free(&made);
        return strncmp(osc_error(), path, strlen(path)) == 0 ? status : osc_fail_in(status, path);
    }
    *result = made;
    return OSC_OK;
}

void outliers_free(outlier_result *result)
{
    osc_free(result->path);
    osc_free(result->model);
    osc_free(result->scheme);
    osc_free(result->protocol);
    osc_free(result->without);
    features_free(&result->features);
    metrics_free(&result->metrics);
    *result = (outlier_result){ .path = NULL };
}

#include <config.h>
#include "record/record.h"

#include <string.h>

#include "base/alloc.h"
#include "base/lock.h"
#include "record/draft.h"
#include "record/recorder_state.h"

enum {
    COMMIT_SHARE = 50,               /* a commit may take one part in so many of the time */
    PENDING_EVENTS = 1 << 20,        /* more waiting for a commit force one, */
    PENDING_IDS = 1 << 22,           /* so that memory does not grow with the text, */
    PENDING_BYTES = 64 << 20,        /* nor with the number of short sequences */
};

/* --- life -------------------------------------------------------------------------------- */

/* A sequence that runs now, in the order of those since the last commit. */
static osc_status check_running(const osc_recorder *recorder, size_t sequence)
{
    size_t done = recorder->head.info.sequences_done;
    if (sequence >= done && sequence < recorder->head.info.sequences)
        return OSC_OK;
    return osc_fail(OSC_EINVAL, "%s: sequence %zu was run, number %zu of %zu is the next to "
                    "record", recorder->path, sequence, done, recorder->head.info.sequences);
}

static osc_status on_hits(void *user, osc_point point, size_t layer, size_t sequence,
                          const osc_hit *hits, size_t count)
{
    osc_recorder *recorder = user;
    OSC_TRY(check_running(recorder, sequence));
    return osc_counter_add(&recorder->counter, point, layer,
                           sequence - recorder->head.info.sequences_done, hits, count);
}

static osc_status on_summary(void *user, osc_point point, int layer, size_t sequence,
                             const osc_summary *summary)
{
    osc_recorder *recorder = user;
    OSC_TRY(check_running(recorder, sequence));
    return osc_metrics_summary(&recorder->metrics, &recorder->layout, point, layer,
                               sequence - recorder->committed, summary);
}

static osc_status on_residual(void *user, size_t state, size_t sequence,
                              const osc_residual *residual)
{
    osc_recorder *recorder = user;
    OSC_TRY(check_running(recorder, sequence));
    return osc_metrics_residual(&recorder->metrics, &recorder->layout, state,
                                sequence - recorder->committed, residual);
}

static osc_status check_points(const osc_recorder_options *options,
                               const osc_observer_shape *shape)
{
    for (unsigned p = 0; p < OSC_POINT_COUNT; p++) {
        const char *name = osc_point_name((osc_point)p);
        if ((options->raw >> p & 1u) && (shape->width[p] == 0 || !osc_point_in_block((osc_point)p)))
            return osc_fail(OSC_EINVAL, "values of %s cannot be recorded", name);
        if ((options->track >> p & 1u) && shape->width[p] != options->info.hidden)
            return osc_fail(OSC_EINVAL, "%s has width %zu, only points of the hidden width %zu can "
                            "be tracked", name, shape->width[p], options->info.hidden);
    }
    if (__builtin_popcount(options->track) > OSC_TRACK_MOST)
        return osc_fail(OSC_EINVAL, "%d points are tracked, at most %d are possible",
                        __builtin_popcount(options->track), OSC_TRACK_MOST);
    return OSC_OK;
}

static osc_status check_sizes(const osc_recorder_options *options,
                              const osc_observer_shape *shape, const osc_corpus *corpus)
{
    const osc_record_info *info = &options->info;
    if (info->layers != shape->layers || info->heads != shape->heads || info->layers == 0 ||
        info->layers > INT16_MAX || info->hidden == 0 || info->hidden > OSC_RECORD_WIDEST)
        return osc_fail(OSC_EINVAL, "a model of %zu layers of width %zu with %zu heads cannot be "
                        "recorded", info->layers, info->hidden, info->heads);
    if (options->metrics && (shape->modules == 0 || shape->hidden != info->hidden))
        return osc_fail(OSC_EINVAL, "the residual stream of width %zu cannot be measured, width "
                        "%zu was expected", shape->hidden, info->hidden);
    if (corpus->longest > info->sequence_length || info->sequence_length > OSC_RECORD_LONGEST)
        return osc_fail(OSC_EINVAL, "sequences of %zu ids cannot be recorded with length %zu",
                        corpus->longest, info->sequence_length);
    if (info->sequences == 0 || info->sequences > corpus->count
        || info->corpus_sequences > INT32_MAX || info->sequences > INT32_MAX)
        return osc_fail(OSC_EINVAL, "%zu sequences cannot be recorded: the text has %zu",
                        info->sequences, corpus->count);
    if (info->shards != 0
        && (info->shard < 1 || info->shard > info->shards
            || info->first_sequence > info->corpus_sequences
            || info->sequences > info->corpus_sequences - info->first_sequence))
        return osc_fail(OSC_EINVAL, "shard %zu of %zu, %zu sequences from number %zu of %zu, "
                        "cannot be recorded", info->shard, info->shards, info->sequences,
                        info->first_sequence, info->corpus_sequences);
    return OSC_OK;
}

static void set_up(osc_recorder *recorder, const osc_recorder_options *options,
                   const osc_observer_shape *shape)
{
    recorder->head = (osc_record_head){
        .info = options->info, .points = options->points, .track = options->track,
        .raw = options->raw, .modules = options->metrics ? shape->modules : 0,
        .event_cap = options->event_cap,
    };
    osc_record_info *info = &recorder->head.info;
    info->sequences_done = info->positions = info->scored = 0;
    info->nll = 0.0;
    osc_record_whole(info);
    info->complete = false;
    recorder->interval = options->interval;
    recorder->layout = (osc_record_layout){
        .layers = info->layers, .heads = info->heads, .hidden = info->hidden,
        .length = info->sequence_length,
        .points = options->points, .track = options->track, .raw = options->raw,
        .without = options->without_count, .modules = recorder->head.modules,
    };
    for (unsigned p = 0; p < OSC_POINT_COUNT; p++)
        if ((options->points | options->raw) >> p & 1u)
            recorder->layout.width[p] = shape->width[p];
}

static osc_status begin(osc_recorder *recorder, const osc_recorder_options *options,
                        const osc_observer_shape *shape)
{
    bool exists;
    OSC_TRY(osc_target_path(&recorder->path, options->path));
    OSC_TRY(osc_lock_take(&recorder->lock, recorder->path));
    OSC_TRY(osc_target_exists(&exists, recorder->path));
    if (exists && !options->resume && !options->overwrite)
        return osc_fail(OSC_EINVAL, "%s: exists already; resume it, overwrite it or choose another "
                        "name", recorder->path);
    osc_left_out without = { .feature = options->without, .count = options->without_count };
    osc_observer_options observed = {
        .alpha = (float)options->info.alpha, .points = options->points, .hits = options->track,
        .top1 = options->info.heads > 0, .without = &without,
        .without_sets = options->without_count > 0, .modules = recorder->layout.modules,
        .residual = recorder->layout.modules != 0, .on_hits = on_hits, .on_summary = on_summary,
        .on_residual = on_residual, .user = recorder,
    };
    OSC_TRY(osc_observer_create(&recorder->observer, shape, &observed));
    OSC_TRY(osc_counter_create(&recorder->counter, &recorder->layout, options->event_cap));
    if (options->raw != 0)
        OSC_TRY(osc_raw_open(recorder));
    if (exists && options->resume)
        return osc_recorder_load(recorder);
    return osc_recorder_commit(recorder, true);
}

osc_status osc_recorder_open(osc_recorder **recorder, const osc_recorder_options *options,
                             const osc_observer_shape *shape, const osc_corpus *corpus)
{
    OSC_TRY(check_sizes(options, shape, corpus));
    OSC_TRY(check_points(options, shape));
    osc_recorder *opened = osc_alloc(1, sizeof *opened);
    if (opened == NULL)
        return OSC_ENOMEM;
    opened->lock = opened->raw.fd = -1;
    opened->corpus = corpus;
    set_up(opened, options, shape);
    opened->committed_at = osc_recorder_now();
    osc_status status = begin(opened, options, shape);
    if (status != OSC_OK) {
        osc_recorder_free(opened);
        return status;
    }
    *recorder = opened;
    return OSC_OK;
}

size_t osc_recorder_done(const osc_recorder *recorder)
{
    return recorder->head.info.sequences_done;
}

void osc_recorder_free(osc_recorder *recorder)
{
    if (recorder == NULL)
        return;
    osc_raw_close(&recorder->raw);
    osc_counter_free(&recorder->counter);
    osc_observer_free(recorder->observer);
    osc_metrics_free(&recorder->metrics);
    osc_free(recorder->events.event);
    osc_free(recorder->nll);
    osc_lock_release(recorder->lock, recorder->path);
    osc_free(recorder->path);
    osc_free(recorder);
}

/* --- sequences --------------------------------------------------------------------------- */

/* Keeps the nll until the commit and adds it up in corpus order. */
static osc_status take_nll(osc_recorder *recorder, size_t first, size_t count, const double *nll)
{
    const size_t *offset = recorder->corpus->offset;
    size_t base = offset[recorder->committed], end = offset[first + count];
    double *grown = osc_grow(recorder->nll, &recorder->nll_room, end - base, sizeof *grown);
    if (grown == NULL)
        return OSC_ENOMEM;
    recorder->nll = grown;
    memcpy(grown + (offset[first] - base), nll, (end - offset[first]) * sizeof *nll);
    for (size_t s = first; s < first + count; s++) {
        for (size_t t = offset[s] + 1; t < offset[s + 1]; t++) {
            recorder->head.info.nll += nll[t - offset[first]];
            recorder->head.info.scored++;
        }
    }
    return OSC_OK;
}

static bool is_time(const osc_recorder *recorder)
{
    const osc_record_info *info = &recorder->head.info;
    const size_t *offset = recorder->corpus->offset;
    uint64_t waiting = (info->sequences_done - recorder->committed)
                      * osc_metrics_bytes(&recorder->layout);
    if (recorder->events.count > PENDING_EVENTS || waiting > PENDING_BYTES ||
        offset[info->sequences_done] - offset[recorder->committed] > PENDING_IDS)
        return true;
    double passed = osc_recorder_now() - recorder->committed_at;
    return passed >= (recorder->interval < 0 ? COMMIT_SHARE * recorder->commit_cost
                                             : recorder->interval);
}

osc_status osc_recorder_add(osc_recorder *recorder, size_t first, size_t count, const double *nll)
{
    osc_record_info *info = &recorder->head.info;
    if (first != info->sequences_done || count > info->sequences - first)
        return osc_fail(OSC_EINVAL, "%s: sequences %zu to %zu were added, number %zu of %zu is the "
                        "next to record", recorder->path, first, first + count,
                        info->sequences_done, info->sequences);
    osc_status status = osc_counter_end(&recorder->counter, info->first_sequence + first, count,
                                        &recorder->events, &recorder->head.events_dropped);
    if (status == OSC_OK)
        status = take_nll(recorder, first, count, nll);
    if (status != OSC_OK) {
        recorder->broken = true;
        return status;
    }
    info->sequences_done += count;
    info->positions = recorder->corpus->offset[info->sequences_done] - recorder->corpus->offset[0];
    return is_time(recorder) ? osc_recorder_commit(recorder, false) : OSC_OK;
}

osc_status osc_recorder_finish(osc_recorder *recorder)
{
    if (recorder->broken || recorder->committed != recorder->head.info.sequences_done)
        return osc_recorder_commit(recorder, false);
    return OSC_OK;
}

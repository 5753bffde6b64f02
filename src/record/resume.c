/* Takes up the state of a record. */
#include <config.h>
#include "record/reader.h"
#include "record/recorder_state.h"

#include <string.h>

static osc_status load_stats(osc_recorder *recorder, osc_record *record, osc_point point)
{
    const osc_column_stats *stored;
    OSC_TRY(osc_record_stats(record, point, &stored));
    osc_column_stats *stats = osc_observer_stats(recorder->observer, point, 0);
    size_t cells = recorder->layout.layers * recorder->layout.width[point];
    for (size_t i = 0; i < OSC_RECORD_FIELDS; i++) {
        const osc_record_field *field = &osc_record_fields[i];
        void *to = *(void **)((char *)stats + field->offset);
        const void *from = *(void *const *)((const char *)stored + field->offset);
        memcpy(to, from, cells * osc_h5_size(field->kind));
    }
    memcpy(stats->histogram, stored->histogram,
           recorder->layout.layers * OSC_HISTOGRAM_BINS * sizeof *stats->histogram);
    return OSC_OK;
}

static osc_status load_positions(osc_recorder *recorder, osc_record *record)
{
    size_t bytes = recorder->layout.hidden * sizeof(uint64_t);
    unsigned subsets = 1u << __builtin_popcount(recorder->layout.track);
    for (unsigned s = 1; s < subsets; s++) {
        const uint64_t *any, *pairs;
        OSC_TRY(osc_record_positions(record, osc_record_subset(recorder->layout.track, s),
                                     &any, &pairs));
        memcpy(recorder->counter.any[s], any, bytes);
        memcpy(recorder->counter.pairs[s], pairs, bytes);
    }
    return OSC_OK;
}

/* The lists of features left out of the attention must be the same. */
static osc_status compare_without(const osc_recorder *recorder, osc_record *record)
{
    const osc_observer_options *options = osc_observer_get_options(recorder->observer);
    const uint32_t *left_out = options->without_sets > 0 ? options->without->feature : NULL;
    size_t had = record->layout.without, has = recorder->layout.without, i = 0;
    OSC_TRY(osc_record_features_without(record));
    while (i < had && i < has && record->without[i] == left_out[i])
        i++;
    if (i == had && i == has)
        return OSC_OK;
    bool only_stored = i == has || (i < had && record->without[i] < left_out[i]);
    return osc_fail(OSC_EINVAL, "%s: cannot be resumed: its attention was also recorded without "
                    "%zu features, in this run it is %zu; feature %u is left out %s",
                    recorder->path, had, has,
                    (unsigned)(only_stored ? record->without[i] : left_out[i]),
                    only_stored ? "there only" : "here only");
}

static osc_status load_residual(osc_recorder *recorder, osc_record *record)
{
    const osc_residual_stats *stored;
    OSC_TRY(osc_record_residual(record, &stored));
    osc_residual_stats *stats = osc_observer_residual(recorder->observer, 0);
    size_t cells = (recorder->layout.layers + 1) * recorder->layout.hidden;
    memcpy(stats->sumsq, stored->sumsq, cells * sizeof *stats->sumsq);
    memcpy(stats->massive, stored->massive, cells * sizeof *stats->massive);
    return OSC_OK;
}

/* The state of a record whose identity has been checked. */
static osc_status load(osc_recorder *recorder, osc_record *record)
{
    const osc_record_info *info = osc_record_get_info(record);
    const size_t *offset = recorder->corpus->offset;
    size_t expected = offset[info->sequences_done] - offset[0];
    if (info->positions != expected)
        return osc_fail(OSC_EINVAL, "%s: cannot be resumed: its first %zu sequences have %zu ids, "
                        "those of this run %zu", recorder->path, info->sequences_done,
                        info->positions, expected);
    uint64_t events = osc_record_event_count(record);
    if (events > recorder->head.event_cap)
        return osc_fail(OSC_EFORMAT, "%s: has more events than its cap", recorder->path);
    for (unsigned p = 0; p < OSC_POINT_COUNT; p++)
        if (recorder->layout.points >> p & 1u)
            OSC_TRY(load_stats(recorder, record, (osc_point)p));
    OSC_TRY(load_positions(recorder, record));
    if (recorder->layout.modules != 0)
        OSC_TRY(load_residual(recorder, record));
    osc_top1_stats *top1 = osc_observer_top1(recorder->observer);
    if (top1 != NULL)
        OSC_TRY(osc_record_top1_sums(record, top1));
    recorder->head.info.sequences_done = info->sequences_done;
    recorder->head.info.positions = info->positions;
    recorder->head.info.scored = info->scored;
    recorder->head.info.nll = info->nll;
    recorder->head.info.perplexity = info->perplexity;
    recorder->head.info.complete = info->complete;
    recorder->head.events = events;
    recorder->head.events_dropped = osc_record_events_dropped(record);
    recorder->counter.room = recorder->head.event_cap - events;
    recorder->committed = recorder->opened_with = info->sequences_done;
    recorder->events_committed = events;
    return OSC_OK;
}

osc_status osc_recorder_load(osc_recorder *recorder)
{
    osc_record *record;
    OSC_TRY(osc_record_open(&record, recorder->path));
    osc_record_difference d;
    osc_status status = OSC_OK;
    if (osc_record_differ(&d, &record->head, &recorder->head, true))
        status = osc_fail(OSC_EINVAL, "%s: cannot be resumed: it was recorded with %s '%s', this "
                          "run has '%s'", recorder->path, d.name, d.one, d.two);
    for (size_t p = 0; status == OSC_OK && p < OSC_POINT_COUNT; p++)
        if (record->layout.width[p] != recorder->layout.width[p])
            status = osc_fail(OSC_EINVAL, "%s: cannot be resumed: %s has width %zu, %zu in "
                              "this run", recorder->path, osc_point_name((osc_point)p),
                              record->layout.width[p], recorder->layout.width[p]);
    if (status == OSC_OK)
        status = compare_without(recorder, record);
    if (status == OSC_OK)
        status = load(recorder, record);
    osc_record_close(record);
    return status;
}

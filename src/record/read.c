/* Reads the contents of an open record, whose shapes osc_record_check has checked. */
#include <config.h>
#include "record/reader.h"

#include <string.h>

#include "base/alloc.h"

/* --- statistics ------------------------------------------------------------------ */

static osc_status read_stats(osc_column_stats *stats, osc_record *record, osc_point point)
{
    char path[OSC_RECORD_PATH];
    for (size_t i = 0; i < OSC_RECORD_FIELDS; i++) {
        const osc_record_field *field = &osc_record_fields[i];
        void *array = *(void **)((char *)&stats[0] + field->offset);
        osc_record_path_of(path, "stats", osc_point_name(point), field->name);
        OSC_TRY(osc_h5_read(&record->file, path, field->kind, NULL, array));
    }
    osc_record_path_of(path, "stats", osc_point_name(point), "histogram");
    return osc_h5_read(&record->file, path, OSC_H5_U64, NULL, stats[0].histogram);
}

osc_status osc_record_stats(osc_record *record, osc_point point, const osc_column_stats **stats)
{
    if (point >= OSC_POINT_COUNT || !(record->layout.points >> point & 1u))
        return osc_fail(OSC_ENOTFOUND, "%s: has no statistics of %s", record->path,
                        point < OSC_POINT_COUNT ? osc_point_name(point) : "such a point");
    if (record->stats[point] == NULL) {
        osc_column_stats *read = osc_column_stats_create(record->layout.layers,
                                                         record->layout.width[point]);
        if (read == NULL)
            return OSC_ENOMEM;
        osc_h5_quiet quiet = osc_h5_quiet_begin();
        osc_status status = read_stats(read, record, point);
        osc_h5_quiet_end(quiet);
        if (status != OSC_OK) {
            osc_column_stats_free(read);
            return status;
        }
        record->stats[point] = read;
    }
    *stats = record->stats[point];
    return OSC_OK;
}

/* --- positions ---------------------------------------------------------------------- */

/* The subset of tracked points, by number, that has these bits. */
static unsigned subset_of(unsigned track, unsigned bits)
{
    unsigned subset = 0;
    for (unsigned s = 1; s < OSC_RECORD_SUBSETS; s++)
        if (osc_record_subset(track, s) == bits)
            subset = subset == 0 ? s : subset;
    return subset;
}

static osc_status read_positions(uint64_t *any, uint64_t *pairs, osc_record *record, unsigned bits)
{
    char path[OSC_RECORD_PATH], joined[OSC_RECORD_NAMES];
    osc_record_join(joined, bits);
    osc_record_path_of(path, "positions", joined, "any");
    OSC_TRY(osc_h5_read(&record->file, path, OSC_H5_U64, NULL, any));
    osc_record_path_of(path, "positions", joined, "pairs");
    return osc_h5_read(&record->file, path, OSC_H5_U64, NULL, pairs);
}

osc_status osc_record_positions(osc_record *record, unsigned track,
                                const uint64_t **any, const uint64_t **pairs)
{
    unsigned subset = subset_of(record->layout.track, track);
    if (track == 0 || subset == 0)
        return osc_fail(OSC_ENOTFOUND, "%s: not all of these points were tracked", record->path);
    if (record->any[subset] == NULL) {
        size_t hidden = record->layout.hidden;
        uint64_t *both = osc_alloc(2 * hidden, sizeof *both);
        if (both == NULL)
            return OSC_ENOMEM;
        osc_h5_quiet quiet = osc_h5_quiet_begin();
        osc_status status = read_positions(both, both + hidden, record, track);
        osc_h5_quiet_end(quiet);
        if (status != OSC_OK) {
            osc_free(both);
            return status;
        }
        record->any[subset] = both;
        record->pairs[subset] = both + hidden;
    }
    *any = record->any[subset];
    *pairs = record->pairs[subset];
    return OSC_OK;
}

/* --- events ------------------------------------------------------------------------------ */

enum { BATCH = 16384 };

static osc_status check_event(const osc_record *record, const osc_record_event *event)
{
    const osc_record_layout *layout = &record->layout;
    const osc_record_info *info = &record->head.info;
    if (event->sequence >= 0 && (size_t)event->sequence >= info->first_sequence &&
        (size_t)event->sequence - info->first_sequence < info->sequences_done &&
        event->position >= 0 && (size_t)event->position < layout->length &&
        event->feature >= 0 && (size_t)event->feature < layout->hidden &&
        event->layer >= 0 && (size_t)event->layer < layout->layers &&
        event->point >= 0 && event->point < OSC_POINT_COUNT &&
        (layout->track >> event->point & 1u))
        return OSC_OK;
    return osc_fail(OSC_EFORMAT, "%s: /outliers has an event out of range: sequence %d, position "
                    "%d, layer %d, point %d, feature %d", record->path, event->sequence,
                    event->position, event->layer, event->point, event->feature);
}

/* Events start .. start+count-1; `column` is room for a batch of any column. */
static osc_status read_batch(osc_record_event *events, void *column, osc_record *record,
                             hsize_t start, hsize_t count)
{
    osc_h5_block block = { &start, &count };
    for (size_t c = 0; c < OSC_RECORD_COLUMNS; c++) {
        char path[OSC_RECORD_PATH];
        const osc_record_column *of = &osc_record_columns[c];
        size_t size = osc_h5_size(of->kind);
        osc_record_path_of(path, "outliers", of->name, "");
        OSC_TRY(osc_h5_read(&record->file, path, of->kind, &block, column));
        for (size_t i = 0; i < count; i++)
            memcpy((char *)&events[i] + of->offset, (char *)column + i * size, size);
    }
    for (size_t i = 0; i < count; i++)
        OSC_TRY(check_event(record, &events[i]));
    return OSC_OK;
}

osc_status osc_record_events(osc_record *record,
                             osc_status (*fn)(void *user, const osc_record_event *events,
                                              size_t count),
                             void *user)
{
    osc_record_event *events = osc_alloc(BATCH, sizeof *events);
    void *column = osc_alloc(BATCH, sizeof(double));
    osc_status status = events == NULL || column == NULL ? OSC_ENOMEM : OSC_OK;
    uint64_t total = record->head.events;
    for (uint64_t start = 0; status == OSC_OK && start < total; start += BATCH) {
        size_t count = total - start < BATCH ? (size_t)(total - start) : BATCH;
        osc_h5_quiet quiet = osc_h5_quiet_begin();
        status = read_batch(events, column, record, start, count);
        osc_h5_quiet_end(quiet);
        if (status == OSC_OK)
            status = fn(user, events, count);
    }
    osc_free(column);
    osc_free(events);
    return status;
}

/* --- sequences ---------------------------------------------------------------------------- */

static osc_status read_sequence(osc_record *record, size_t sequence, size_t *count,
                                int32_t *ids, double *nll)
{
    int32_t length = 0;
    hsize_t start[2] = { sequence, 0 }, extent[2] = { 1, 1 };
    osc_h5_block block = { start, extent };
    OSC_TRY(osc_h5_read(&record->file, "/sequences/length", OSC_H5_I32, &block, &length));
    if (length < 1 || (size_t)length > record->layout.length)
        return osc_fail(OSC_EFORMAT, "%s: sequence %zu has %d ids, at most %zu are possible",
                        record->path, sequence, length, record->layout.length);
    extent[1] = (hsize_t)length;
    if (ids != NULL)
        OSC_TRY(osc_h5_read(&record->file, "/sequences/tokens", OSC_H5_I32, &block, ids));
    if (nll != NULL)
        OSC_TRY(osc_h5_read(&record->file, "/sequences/nll", OSC_H5_F64, &block, nll));
    *count = (size_t)length;
    return OSC_OK;
}

osc_status osc_record_sequence(osc_record *record, size_t sequence, size_t *count,
                               int32_t *ids, double *nll)
{
    if (sequence >= record->head.info.sequences_done)
        return osc_fail(OSC_EINVAL, "%s: has %zu sequences, number %zu was asked for",
                        record->path, record->head.info.sequences_done, sequence);
    osc_h5_quiet quiet = osc_h5_quiet_begin();
    osc_status status = read_sequence(record, sequence, count, ids, nll);
    osc_h5_quiet_end(quiet);
    return status;
}

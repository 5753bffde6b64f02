/* What a commit adds to an open copy of the record. */
#include <config.h>
#include "record/recorder_state.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"

enum {
    BATCH = 65536,                /* events written at once, */
    ROW_CELLS = 65536,            /* and ids, padding included */
    SLACK_BYTES = 1 << 20,        /* chunks that are rewritten longer, indices, free space */
};

/* --- events ------------------------------------------------------------------------- */

static osc_status write_column(const osc_recorder *recorder, const osc_h5_file *file,
                               const osc_record_column *column, void *buffer)
{
    char path[OSC_RECORD_PATH];
    size_t size = osc_h5_size(column->kind), total = recorder->events.count;
    osc_record_path_of(path, "outliers", column->name, "");
    OSC_TRY(osc_h5_extend(file, path, 0, recorder->events_committed + total));
    for (size_t first = 0; first < total; first += BATCH) {
        size_t count = total - first < BATCH ? total - first : BATCH;
        for (size_t i = 0; i < count; i++)
            memcpy((char *)buffer + i * size,
                   (const char *)&recorder->events.event[first + i] + column->offset, size);
        hsize_t start = recorder->events_committed + first, extent = count;
        osc_h5_block block = { &start, &extent };
        OSC_TRY(osc_h5_write(file, path, column->kind, &block, buffer));
    }
    return OSC_OK;
}

static osc_status write_events(osc_recorder *recorder, const osc_h5_file *file)
{
    if (recorder->events.count > 0) {
        void *buffer = osc_alloc(BATCH, sizeof(int32_t));
        osc_status status = buffer == NULL ? OSC_ENOMEM : OSC_OK;
        for (size_t c = 0; status == OSC_OK && c < OSC_RECORD_COLUMNS; c++)
            status = write_column(recorder, file, &osc_record_columns[c], buffer);
        osc_free(buffer);
        if (status != OSC_OK)
            return status;
    }
    return osc_record_write_dropped(file, recorder->head.events_dropped);
}

osc_status osc_record_write_dropped(const osc_h5_file *file, uint64_t dropped)
{
    hid_t group = H5Gopen2(file->id, "/outliers", H5P_DEFAULT);
    if (group < 0)
        return osc_h5_fail(OSC_EIO, file, "/outliers", "cannot open");
    osc_status status = osc_h5_put(file, group, "dropped", OSC_H5_U64, &dropped);
    H5Gclose(group);
    return status;
}

/* --- sequences ------------------------------------------------------------------------ */

/* Rows of tokens and of nll, padded to the longest sequence. */
typedef struct {
    size_t   rows;      /* room */
    int32_t *length, *ids;
    double  *nll;
} padded;

static void pad_row(const osc_recorder *recorder, padded *to, size_t row, size_t sequence)
{
    const size_t *offset = recorder->corpus->offset;
    size_t first = offset[sequence], ids = offset[sequence + 1] - first;
    size_t length = recorder->layout.length;
    const double *nll = recorder->nll + (first - offset[recorder->committed]);
    to->length[row] = (int32_t)ids;
    for (size_t t = 0; t < length; t++) {
        to->ids[row * length + t] = t < ids ? recorder->corpus->ids[first + t] : -1;
        to->nll[row * length + t] = t < ids ? nll[t] : NAN;
    }
}

/* Batches end at multiples of their size, so that a chunk is compressed once. */
static osc_status write_rows(const osc_recorder *recorder, const osc_h5_file *file, padded *rows)
{
    size_t done = recorder->head.info.sequences_done;
    for (size_t s = recorder->committed; s < done; ) {
        size_t count = rows->rows - s % rows->rows;
        if (count > done - s)
            count = done - s;
        for (size_t i = 0; i < count; i++)
            pad_row(recorder, rows, i, s + i);
        hsize_t start[2] = { s, 0 }, extent[2] = { count, recorder->layout.length };
        osc_h5_block block = { start, extent };
        OSC_TRY(osc_h5_write(file, "/sequences/length", OSC_H5_I32, &block, rows->length));
        OSC_TRY(osc_h5_write(file, "/sequences/tokens", OSC_H5_I32, &block, rows->ids));
        OSC_TRY(osc_h5_write(file, "/sequences/nll", OSC_H5_F64, &block, rows->nll));
        s += count;
    }
    return OSC_OK;
}

static osc_status write_sequences(const osc_recorder *recorder, const osc_h5_file *file)
{
    size_t done = recorder->head.info.sequences_done, length = recorder->layout.length;
    if (done == recorder->committed)
        return OSC_OK;
    OSC_TRY(osc_h5_extend(file, "/sequences/length", 0, done));
    OSC_TRY(osc_h5_extend(file, "/sequences/tokens", 0, done));
    OSC_TRY(osc_h5_extend(file, "/sequences/nll", 0, done));
    padded rows = { .rows = length < ROW_CELLS ? ROW_CELLS / length : 1 };
    rows.length = osc_alloc(rows.rows, sizeof *rows.length);
    rows.ids = osc_alloc(rows.rows * length, sizeof *rows.ids);
    rows.nll = osc_alloc(rows.rows * length, sizeof *rows.nll);
    osc_status status = rows.length == NULL || rows.ids == NULL || rows.nll == NULL
        ? OSC_ENOMEM : write_rows(recorder, file, &rows);
    osc_free(rows.length);
    osc_free(rows.ids);
    osc_free(rows.nll);
    return status;
}

/* --- raw values ------------------------------------------------------------------------ */

static osc_status write_raw(osc_recorder *recorder, const osc_h5_file *file, osc_point point)
{
    char path[OSC_RECORD_PATH];
    const size_t *offset = recorder->corpus->offset;
    size_t done = recorder->head.info.sequences_done;
    osc_record_path_of(path, "raw", osc_point_name(point), "");
    if (done > recorder->committed)
        OSC_TRY(osc_h5_extend(file, path, 1, done));
    for (size_t s = recorder->committed; s < done; s++) {
        for (size_t l = 0; l < recorder->layout.layers; l++) {
            hsize_t start[4] = { l, s, 0, 0 };
            hsize_t extent[4] = { 1, 1, offset[s + 1] - offset[s], recorder->layout.width[point] };
            osc_h5_block block = { start, extent };
            OSC_TRY(osc_raw_read(recorder, point, l, s));
            OSC_TRY(osc_h5_write(file, path, OSC_H5_F16, &block, recorder->raw.half));
        }
    }
    return OSC_OK;
}

/* --- accumulators ------------------------------------------------------------------------ */

static osc_status write_absmax(const osc_h5_file *file, const char *path,
                               const osc_column_stats *stats, size_t cells)
{
    float *absmax = osc_alloc(cells, sizeof *absmax);
    if (absmax == NULL)
        return OSC_ENOMEM;
    for (size_t i = 0; i < cells; i++)
        absmax[i] = stats->min[i] > stats->max[i] ? 0.0f
                  : fmaxf(fabsf(stats->min[i]), fabsf(stats->max[i]));
    osc_status status = osc_h5_write(file, path, OSC_H5_F32, NULL, absmax);
    osc_free(absmax);
    return status;
}

/* The arrays of block 0 are those of all blocks (osc_column_stats_create). */
static osc_status write_stats(osc_recorder *recorder, const osc_h5_file *file, osc_point point)
{
    char path[OSC_RECORD_PATH];
    const char *name = osc_point_name(point);
    const osc_column_stats *stats = osc_observer_stats(recorder->observer, point, 0);
    for (size_t i = 0; i < OSC_RECORD_FIELDS; i++) {
        const osc_record_field *field = &osc_record_fields[i];
        const void *array = *(void *const *)((const char *)stats + field->offset);
        osc_record_path_of(path, "stats", name, field->name);
        OSC_TRY(osc_h5_write(file, path, field->kind, NULL, array));
    }
    osc_record_path_of(path, "stats", name, "absmax");
    OSC_TRY(write_absmax(file, path, stats, recorder->layout.layers * stats->width));
    osc_record_path_of(path, "stats", name, "histogram");
    return osc_h5_write(file, path, OSC_H5_U64, NULL, stats->histogram);
}

static osc_status write_positions(const osc_recorder *recorder, const osc_h5_file *file)
{
    unsigned subsets = 1u << __builtin_popcount(recorder->layout.track);
    for (unsigned s = 1; s < subsets; s++) {
        char path[OSC_RECORD_PATH], joined[OSC_RECORD_NAMES];
        osc_record_join(joined, osc_record_subset(recorder->layout.track, s));
        osc_record_path_of(path, "positions", joined, "any");
        OSC_TRY(osc_h5_write(file, path, OSC_H5_U64, NULL, recorder->counter.any[s]));
        osc_record_path_of(path, "positions", joined, "pairs");
        OSC_TRY(osc_h5_write(file, path, OSC_H5_U64, NULL, recorder->counter.pairs[s]));
    }
    return OSC_OK;
}

/* The accumulators of all states follow each other. */
static osc_status write_residual(osc_recorder *recorder, const osc_h5_file *file)
{
    const osc_residual_stats *stats = osc_observer_residual(recorder->observer, 0);
    size_t done = recorder->head.info.sequences_done;
    OSC_TRY(osc_h5_write(file, "/residual/sumsq", OSC_H5_F64, NULL, stats->sumsq));
    OSC_TRY(osc_h5_write(file, "/residual/massive", OSC_H5_U64, NULL, stats->massive));
    return osc_metrics_write(&recorder->metrics, &recorder->layout, file, recorder->committed,
                              done - recorder->committed);
}

static osc_status write_mean(const osc_h5_file *file, const char *path, const double *sum,
                             uint64_t queries, size_t cells)
{
    double *mean = osc_alloc(cells, sizeof *mean);
    if (mean == NULL)
        return OSC_ENOMEM;
    for (size_t i = 0; i < cells; i++)
        mean[i] = queries == 0 ? NAN : sum[i] / (double)queries;
    osc_status status = osc_h5_write(file, path, OSC_H5_F64, NULL, mean);
    osc_free(mean);
    return status;
}

static osc_status write_top1_counts(const osc_h5_file *file, const osc_top1_stats *top1)
{
    hid_t dataset = H5Dopen2(file->id, "/attention/top1_sum", H5P_DEFAULT);
    if (dataset < 0)
        return osc_h5_fail(OSC_EIO, file, "/attention/top1_sum", "cannot open");
    osc_status status = osc_h5_put(file, dataset, "queries", OSC_H5_U64, &top1->queries);
    if (status == OSC_OK)
        status = osc_h5_put(file, dataset, "first", OSC_H5_U64, &top1->first);
    H5Dclose(dataset);
    return status;
}

osc_status osc_record_write_top1(const osc_h5_file *file, const osc_record_layout *layout,
                                 const osc_top1_stats *top1, const uint32_t *without)
{
    size_t cells = layout->layers * layout->heads;
    OSC_TRY(write_mean(file, "/attention/top1", top1->mass, top1->queries, cells));
    OSC_TRY(osc_h5_write(file, "/attention/top1_sum", OSC_H5_F64, NULL, top1->mass));
    OSC_TRY(write_top1_counts(file, top1));
    if (top1->without == NULL)
        return OSC_OK;
    OSC_TRY(write_mean(file, "/attention/top1_without", top1->without, top1->queries, cells));
    OSC_TRY(osc_h5_write(file, "/attention/top1_without_sum", OSC_H5_F64, NULL, top1->without));
    return osc_h5_write(file, "/attention/without", OSC_H5_I32, NULL, without);
}

osc_status osc_recorder_write(osc_recorder *recorder, const osc_h5_file *file)
{
    OSC_TRY(write_events(recorder, file));
    OSC_TRY(write_sequences(recorder, file));
    for (unsigned p = 0; p < OSC_POINT_COUNT; p++) {
        if (recorder->layout.raw >> p & 1u)
            OSC_TRY(write_raw(recorder, file, (osc_point)p));
        if (recorder->layout.points >> p & 1u)
            OSC_TRY(write_stats(recorder, file, (osc_point)p));
    }
    OSC_TRY(write_positions(recorder, file));
    if (recorder->layout.modules != 0)
        OSC_TRY(write_residual(recorder, file));
    const osc_observer_options *options = osc_observer_get_options(recorder->observer);
    const uint32_t *without = options->without_sets > 0 ? options->without->feature : NULL;
    if (recorder->layout.heads > 0)
        OSC_TRY(osc_record_write_top1(file, &recorder->layout,
                                      osc_observer_top1(recorder->observer), without));
    return osc_record_put_progress(file, &recorder->head);
}

uint64_t osc_recorder_write_bytes(const osc_recorder *recorder)
{
    uint64_t event = 0, sequence = sizeof(int32_t);
    for (size_t c = 0; c < OSC_RECORD_COLUMNS; c++)
        event += osc_h5_size(osc_record_columns[c].kind);
    sequence += recorder->layout.length * (sizeof(int32_t) + sizeof(double))
              + recorder->raw.tensors * recorder->raw.stride
              + osc_metrics_bytes(&recorder->layout);
    uint64_t data = event * recorder->events.count
                  + sequence * (recorder->head.info.sequences_done - recorder->committed);
    return data + data / 16 + SLACK_BYTES;
}

/* Reads /modules and /residual of an open record, whose shapes osc_record_check has checked. */
#include <config.h>
#include "record/reader.h"

#include "base/alloc.h"

static osc_status absent(const osc_record *record)
{
    return osc_fail(OSC_ENOTFOUND, "%s: has no metrics of modules and of the residual stream",
                    record->path);
}

void osc_record_module(const osc_record *record, size_t column, osc_point *point, int *layer)
{
    unsigned bits = record->layout.modules & ~(1u << OSC_AT_FINAL_NORM);
    size_t each = (size_t)__builtin_popcount(bits);
    *point = OSC_AT_FINAL_NORM;
    *layer = -1;
    if (column >= record->layout.layers * each)
        return;
    for (size_t skip = column % each; skip > 0; skip--)
        bits &= bits - 1;
    *point = (osc_point)__builtin_ctz(bits);
    *layer = (int)(column / each);
}

/* --- accumulators ---------------------------------------------------------------------- */

static osc_status read_residual(const osc_record *record, double *sumsq, uint64_t *massive)
{
    osc_h5_quiet quiet = osc_h5_quiet_begin();
    osc_status status = osc_h5_read(&record->file, "/residual/sumsq", OSC_H5_F64, NULL, sumsq);
    if (status == OSC_OK)
        status = osc_h5_read(&record->file, "/residual/massive", OSC_H5_U64, NULL, massive);
    osc_h5_quiet_end(quiet);
    return status;
}

static osc_status take_residual(osc_record *record)
{
    size_t states = record->layout.layers + 1, width = record->layout.hidden;
    osc_residual_stats *stats = osc_alloc(states, sizeof *stats);
    double *sumsq = osc_alloc(2 * states * width, sizeof *sumsq);
    uint64_t *massive = (uint64_t *)(sumsq + states * width);
    osc_status status = stats == NULL || sumsq == NULL ? OSC_ENOMEM
                                                       : read_residual(record, sumsq, massive);
    if (status != OSC_OK) {
        osc_free(sumsq);
        osc_free(stats);
        return status;
    }
    for (size_t s = 0; s < states; s++)
        stats[s] = (osc_residual_stats){ width, sumsq + s * width, massive + s * width };
    record->residual = stats;
    return OSC_OK;
}

osc_status osc_record_residual(osc_record *record, const osc_residual_stats **stats)
{
    if (record->layout.modules == 0)
        return absent(record);
    if (record->residual == NULL)
        OSC_TRY(take_residual(record));
    *stats = record->residual;
    return OSC_OK;
}

/* --- rows ------------------------------------------------------------------------------- */

enum { ROWS = 64 };      /* read at once: those of a chunk, or all if there are fewer */

typedef struct {
    void  *row[OSC_RECORD_METRICS];         /* [rows, columns] */
    size_t columns[OSC_RECORD_METRICS];
} batch;

static osc_status allocate(batch *b, const osc_record_layout *layout, size_t rows)
{
    for (size_t m = 0; m < OSC_RECORD_METRICS; m++) {
        b->columns[m] = osc_record_metric_columns(layout, (osc_metric)m);
        b->row[m] = osc_alloc(rows * b->columns[m], osc_h5_size(osc_record_metrics[m].kind));
        if (b->row[m] == NULL)
            return OSC_ENOMEM;
    }
    return OSC_OK;
}

static osc_status read_rows(batch *b, const osc_record *record, size_t first, size_t count)
{
    for (size_t m = 0; m < OSC_RECORD_METRICS; m++) {
        char path[OSC_RECORD_PATH];
        const osc_record_metric *of = &osc_record_metrics[m];
        hsize_t start[3] = { first, 0, 0 }, extent[3] = { count, b->columns[m], 1 };
        if (of->columns == OSC_OF_TOP) {
            extent[1] = record->layout.layers + 1;
            extent[2] = OSC_RESIDUAL_TOP;
        }
        osc_h5_block block = { start, extent };
        osc_record_path_of(path, of->group, of->name, "");
        OSC_TRY(osc_h5_read(&record->file, path, of->kind, &block, b->row[m]));
    }
    return OSC_OK;
}

static const void *row_of(const batch *b, osc_metric m, size_t row)
{
    return (const char *)b->row[m] + row * b->columns[m] * osc_h5_size(osc_record_metrics[m].kind);
}

static osc_record_metrics_row row_at(const batch *b, size_t sequence, size_t row)
{
    return (osc_record_metrics_row){
        .sequence = sequence,
        .inf_norm = row_of(b, OSC_INF_NORM, row), .kurtosis = row_of(b, OSC_KURTOSIS, row),
        .ratio = row_of(b, OSC_RATIO, row), .median = row_of(b, OSC_MEDIAN, row),
        .top = row_of(b, OSC_TOP_VALUE, row), .top_position = row_of(b, OSC_TOP_POSITION, row),
        .top_feature = row_of(b, OSC_TOP_FEATURE, row),
    };
}

osc_status osc_record_metrics_each(osc_record *record,
                                    osc_status (*fn)(void *user, const osc_record_metrics_row *of),
                                    void *user)
{
    if (record->layout.modules == 0)
        return absent(record);
    batch b = { .columns = { 0 } };
    size_t total = record->head.info.sequences_done;
    osc_status status = allocate(&b, &record->layout, total < ROWS ? total : ROWS);
    for (size_t first = 0; first < total && status == OSC_OK; first += ROWS) {
        size_t count = total - first < ROWS ? total - first : ROWS;
        osc_h5_quiet quiet = osc_h5_quiet_begin();
        status = read_rows(&b, record, first, count);
        osc_h5_quiet_end(quiet);
        for (size_t i = 0; i < count && status == OSC_OK; i++) {
            osc_record_metrics_row of = row_at(&b, first + i, i);
            status = fn(user, &of);
        }
    }
    for (size_t m = 0; m < OSC_RECORD_METRICS; m++)
        osc_free(b.row[m]);
    return status;
}

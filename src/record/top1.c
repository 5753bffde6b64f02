/* Reads /attention of an open record, whose shapes osc_record_check has checked. */
#include <config.h>
#include "record/reader.h"

#include "base/alloc.h"

static osc_status read_counts(osc_record *record, uint64_t *queries, uint64_t *first)
{
    static const char path[] = "/attention/top1_sum";
    hid_t dataset = H5Dopen2(record->file.id, path, H5P_DEFAULT);
    if (dataset < 0)
        return osc_h5_fail(OSC_EFORMAT, &record->file, path, "cannot open");
    osc_status status = osc_h5_get(&record->file, dataset, "queries", OSC_H5_U64, queries);
    if (status == OSC_OK)
        status = osc_h5_get(&record->file, dataset, "first", OSC_H5_U64, first);
    H5Dclose(dataset);
    if (status == OSC_OK && *first > *queries)
        status = osc_fail(OSC_EFORMAT, "%s: %s: more first queries than queries",
                          record->path, path);
    return status;
}

static osc_status read_sums(osc_record *record, osc_top1_stats *sums)
{
    OSC_TRY(read_counts(record, &sums->queries, &sums->first));
    OSC_TRY(osc_h5_read(&record->file, "/attention/top1_sum", OSC_H5_F64, NULL, sums->mass));
    if (sums->without == NULL)
        return OSC_OK;
    return osc_h5_read(&record->file, "/attention/top1_without_sum", OSC_H5_F64, NULL,
                       sums->without);
}

osc_status osc_record_top1_sums(osc_record *record, osc_top1_stats *sums)
{
    osc_h5_quiet quiet = osc_h5_quiet_begin();
    osc_status status = read_sums(record, sums);
    osc_h5_quiet_end(quiet);
    return status;
}

/* --- means ----------------------------------------------------------------------------- */

/* Means from sums, [cells]; those without the first queries follow them. */
static void divide(double *all, size_t cells, const osc_top1_stats *sums)
{
    for (size_t i = 0; i < cells; i++) {
        all[cells + i] = (all[i] - (double)sums->first) / (double)(sums->queries - sums->first);
        all[i] /= (double)sums->queries;
    }
}

/* One block: the means, and behind them those with features zeroed, if there are any. */
static osc_status read_top1(osc_record *record)
{
    size_t cells = record->layout.layers * record->layout.heads;
    bool without = record->layout.without > 0;
    double *means = osc_alloc((without ? 4 : 2) * cells, sizeof *means);
    if (means == NULL)
        return OSC_ENOMEM;
    osc_top1_stats sums = { .mass = means, .without = without ? means + 2 * cells : NULL };
    osc_status status = osc_record_top1_sums(record, &sums);
    if (status != OSC_OK) {
        osc_free(means);
        return status;
    }
    divide(sums.mass, cells, &sums);
    if (without)
        divide(sums.without, cells, &sums);
    record->top1 = means;
    return OSC_OK;
}

osc_status osc_record_top1(osc_record *record, const double **all, const double **later)
{
    if (record->layout.heads == 0)
        return osc_fail(OSC_ENOTFOUND, "%s: has no attention statistics", record->path);
    if (record->top1 == NULL)
        OSC_TRY(read_top1(record));
    if (all != NULL)
        *all = record->top1;
    if (later != NULL)
        *later = record->top1 + record->layout.layers * record->layout.heads;
    return OSC_OK;
}

/* --- with features zeroed --------------------------------------------------------------- */

/* Stored as int32: a negative number is beyond the width, too. */
static osc_status check_features(const osc_record *record, const uint32_t *features)
{
    for (size_t i = 0; i < record->layout.without; i++)
        if (features[i] >= record->layout.hidden || (i > 0 && features[i] <= features[i - 1]))
            return osc_fail(OSC_EFORMAT, "%s: /attention/without is no rising list of features "
                            "below %zu: it has %d at %zu", record->path, record->layout.hidden,
                            (int)features[i], i);
    return OSC_OK;
}

osc_status osc_record_features_without(osc_record *record)
{
    size_t count = record->layout.without;
    if (count == 0 || record->without != NULL)
        return OSC_OK;
    uint32_t *features = osc_alloc(count, sizeof *features);
    if (features == NULL)
        return OSC_ENOMEM;
    osc_h5_quiet quiet = osc_h5_quiet_begin();
    osc_status status = osc_h5_read(&record->file, "/attention/without", OSC_H5_I32, NULL,
                                    features);
    osc_h5_quiet_end(quiet);
    if (status == OSC_OK)
        status = check_features(record, features);
    if (status != OSC_OK) {
        osc_free(features);
        return status;
    }
    record->without = features;
    return OSC_OK;
}

osc_status osc_record_top1_without(osc_record *record, osc_record_without *without)
{
    size_t cells = record->layout.layers * record->layout.heads;
    if (record->layout.without == 0)
        return osc_fail(OSC_ENOTFOUND, "%s: has no attention statistics without features",
                        record->path);
    OSC_TRY(osc_record_features_without(record));
    OSC_TRY(osc_record_top1(record, NULL, NULL));
    *without = (osc_record_without){
        .all = record->top1 + 2 * cells, .later = record->top1 + 3 * cells,
        .features = record->without, .count = record->layout.without,
    };
    return OSC_OK;
}

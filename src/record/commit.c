/* Commits: the record with what has been added since the last one, as a new file. */
#include <config.h>
#include "record/recorder_state.h"

#include <math.h>
#include <time.h>

#include "record/commit.h"
#include "record/draft.h"

double osc_recorder_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Creates the draft's HDF5 file, or opens the copy. */
static osc_status open_draft(osc_h5_file *file, const osc_draft *draft, bool fresh)
{
    hid_t access = osc_h5_access(file->seal), creation = H5Pcreate(H5P_FILE_CREATE);
    /* Space freed by a rewritten chunk is remembered in the file for the next one. */
    if (H5Pset_file_space_strategy(creation, H5F_FSPACE_STRATEGY_FSM_AGGR, true, 1) >= 0)
        file->id = fresh ? H5Fcreate(draft->temporary, H5F_ACC_TRUNC, creation, access)
                         : H5Fopen(draft->temporary, H5F_ACC_RDWR, access);
    osc_status status = OSC_OK;
    if (file->id < 0)
        status = osc_h5_fail(OSC_EIO, file, draft->temporary, "cannot open");
    H5Pclose(creation);
    H5Pclose(access);
    return status;
}

static osc_status fill_draft(const osc_draft *draft, osc_seal *seal, bool fresh,
                             osc_record_fill fill, void *user)
{
    osc_h5_file file = { -1, draft->path, seal };
    OSC_TRY(open_draft(&file, draft, fresh));
    osc_status status = fill(user, &file);
    seal->doomed |= status != OSC_OK;
    if ((H5Fclose(file.id) < 0 || osc_h5_lost(&file)) && status == OSC_OK)
        status = osc_h5_fail(OSC_EIO, &file, draft->temporary, "cannot close");
    return status;
}

/* With checksums of all that it wrote. */
static osc_status fill_sealed(const osc_draft *draft, bool fresh, osc_record_fill fill, void *user)
{
    osc_seal seal;
    osc_status status = osc_seal_begin(&seal, draft->fd, draft->path, fresh);
    if (status == OSC_OK)
        status = fill_draft(draft, &seal, fresh, fill, user);
    if (status == OSC_OK)
        status = osc_seal_finish(&seal, draft->path);
    osc_seal_close(&seal);
    return status;
}

osc_status osc_record_replace(const char *path, bool copy, uint64_t bytes, osc_record_fill fill,
                              void *user)
{
    osc_draft draft;
    OSC_TRY(osc_draft_begin(&draft, path, copy, bytes));
    osc_h5_quiet quiet = osc_h5_quiet_begin();
    osc_status status = fill_sealed(&draft, !copy, fill, user);
    osc_h5_quiet_end(quiet);
    if (status != OSC_OK) {
        osc_draft_abandon(&draft);
        return status;
    }
    return osc_draft_publish(&draft);
}

/* --- of a recording ------------------------------------------------------------------- */

/* The values that were observed must be those of the sequences that were added: a
 * run that ended early has left others in the accumulators. */
static osc_status check_observed(osc_recorder *recorder)
{
    size_t sequences = recorder->head.info.sequences_done - recorder->opened_with;
    if (recorder->metrics.count != sequences * osc_metrics_of_sequence(&recorder->layout))
        return osc_fail(OSC_EINVAL, "%s: modules and the residual stream were observed %llu times, "
                        "%zu times a sequence was expected of %zu; the last committed state "
                        "stands", recorder->path, (unsigned long long)recorder->metrics.count,
                        osc_metrics_of_sequence(&recorder->layout), sequences);
    for (unsigned p = 0; p < OSC_POINT_COUNT; p++) {
        for (size_t l = 0; recorder->layout.points >> p & 1u && l < recorder->layout.layers; l++) {
            const osc_column_stats *stats = osc_observer_stats(recorder->observer, (osc_point)p, l);
            uint64_t values = 0, expected = recorder->head.info.positions * stats->width;
            for (size_t b = 0; b < OSC_HISTOGRAM_BINS; b++)
                values += stats->histogram[b];
            if (values != expected)
                return osc_fail(OSC_EINVAL, "%s: %s of block %zu was observed %llu times, the "
                                "sequences recorded have %llu values; the last committed state "
                                "stands", recorder->path, osc_point_name((osc_point)p), l,
                                (unsigned long long)values, (unsigned long long)expected);
        }
    }
    return OSC_OK;
}

static osc_status fill_fresh(void *user, const osc_h5_file *file)
{
    osc_recorder *recorder = user;
    OSC_TRY(osc_record_create(file, &recorder->layout, &recorder->head));
    return osc_recorder_write(recorder, file);
}

static osc_status fill_copy(void *user, const osc_h5_file *file)
{
    return osc_recorder_write(user, file);
}

static osc_status write_draft(osc_recorder *recorder, bool fresh)
{
    uint64_t bytes = osc_recorder_write_bytes(recorder);
    if (fresh)
        bytes += osc_record_create_bytes(&recorder->layout);
    return osc_record_replace(recorder->path, !fresh, bytes, fresh ? fill_fresh : fill_copy,
                              recorder);
}

osc_status osc_recorder_commit(osc_recorder *recorder, bool fresh)
{
    double start = osc_recorder_now();
    osc_record_info *info = &recorder->head.info;
    if (recorder->broken)
        return osc_fail(OSC_EINVAL, "%s: nothing more can be recorded after a failure; the last "
                        "committed state stands", recorder->path);
    OSC_TRY(check_observed(recorder));
    info->complete = info->sequences_done == info->sequences;
    info->perplexity = info->scored == 0 ? NAN : exp(info->nll / (double)info->scored);
    recorder->head.events = recorder->events_committed + recorder->events.count;
    OSC_TRY(write_draft(recorder, fresh));
    recorder->committed = info->sequences_done;
    recorder->events_committed = recorder->head.events;
    recorder->events.count = 0;
    recorder->committed_at = osc_recorder_now();
    recorder->commit_cost = recorder->committed_at - start;
    return osc_raw_clear(recorder);
}

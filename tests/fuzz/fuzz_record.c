/* Record files.  Where OSC_FUZZ_BARE is set, an even first byte has HDF5's own structures
 * tried: the checksums are cut off, which every damage would end at.  That finds bugs of HDF5
 * (1.10.8: H5HG_read copies as many bytes as a damaged heap says), which are not ours to mend. */
#include "fuzz.h"

#include "osc.h"

#include <stdlib.h>
#include <string.h>

static osc_status ignore_row(void *user, const osc_record_metrics_row *of)
{
    (void)user;
    (void)of;
    return OSC_OK;
}

static osc_status ignore_events(void *user, const osc_record_event *events, size_t count)
{
    (void)user;
    (void)events;
    (void)count;
    return OSC_OK;
}

static void read_all(osc_record *record)
{
    const osc_column_stats *stats;
    const osc_residual_stats *residual;
    const uint64_t *any, *pairs;
    const double *all, *later;
    osc_record_without without;
    for (unsigned p = 0; p < OSC_POINT_COUNT; p++)
        (void)osc_record_stats(record, (osc_point)p, &stats);
    (void)osc_record_positions(record, osc_record_track(record), &any, &pairs);
    (void)osc_record_top1(record, &all, &later);
    (void)osc_record_top1_without(record, &without);
    (void)osc_record_residual(record, &residual);
    (void)osc_record_metrics_each(record, ignore_row, NULL);
    (void)osc_record_events(record, ignore_events, NULL);
    size_t length = osc_record_get_info(record)->sequence_length, count;
    int32_t *ids = osc_alloc(length, sizeof *ids);
    for (size_t s = 0; ids != NULL && s < osc_record_get_info(record)->sequences_done; s++)
        if (osc_record_sequence(record, s, &count, ids, NULL) != OSC_OK)
            break;
    osc_free(ids);
}

/* HDF5's end of file, where the checksums begin; it makes the file end there. */
static size_t without_seal(const uint8_t *data, size_t size)
{
    for (size_t i = size; i >= 8; i--)
        if (memcmp(data + i - 8, "oscseal\n", 8) == 0)
            return i - 8;
    return size;
}

FUZZ_TARGET(record)
{
    osc_record *record;
    bool bare = fuzz_choice(&data, &size, 2) == 0 && getenv("OSC_FUZZ_BARE") != NULL;
    const char *path = fuzz_file("a.h5", data, bare ? without_seal(data, size) : size);
    if (osc_record_open(&record, path) != OSC_OK)
        return;
    read_all(record);
    osc_record_close(record);
}

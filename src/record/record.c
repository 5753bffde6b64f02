#include <config.h>
#include "record/record.h"

#include <string.h>

#include "base/alloc.h"
#include "record/reader.h"

static osc_status open_file(osc_record *record)
{
    OSC_TRY(osc_seal_open(&record->seal, record->path));
    hid_t access = osc_h5_access(&record->seal);
    record->file.id = H5Fopen(record->path, H5F_ACC_RDONLY, access);
    osc_status status = OSC_OK;
    if (record->file.id < 0)
        status = osc_h5_fail(OSC_EFORMAT, &record->file, "", "not a readable HDF5 file");
    H5Pclose(access);
    return status;
}

static osc_status open_checked(osc_record *record)
{
    OSC_TRY(open_file(record));
    OSC_TRY(osc_record_get_head(&record->head, &record->file));
    const osc_record_head *head = &record->head;
    record->layout = (osc_record_layout){
        .layers = head->info.layers, .heads = head->info.heads, .hidden = head->info.hidden,
        .length = head->info.sequence_length,
        .points = head->points, .track = head->track, .raw = head->raw,
        .modules = head->modules,
    };
    OSC_TRY(osc_record_widths(record));
    return osc_record_check(record);
}

osc_status osc_record_open(osc_record **record, const char *path)
{
    osc_record *opened = osc_alloc(1, sizeof *opened);
    if (opened == NULL)
        return OSC_ENOMEM;
    osc_h5_quiet quiet = osc_h5_quiet_begin();
    opened->seal.fd = -1;
    opened->file = (osc_h5_file){ .id = -1, .seal = &opened->seal };
    opened->path = osc_copy_string(path, strlen(path));
    opened->file.path = opened->path;
    osc_status status = opened->path == NULL ? OSC_ENOMEM : open_checked(opened);
    osc_h5_quiet_end(quiet);
    if (status != OSC_OK) {
        osc_record_close(opened);
        return status;
    }
    *record = opened;
    return OSC_OK;
}

void osc_record_close(osc_record *record)
{
    if (record == NULL)
        return;
    osc_h5_quiet quiet = osc_h5_quiet_begin();
    if (record->file.id >= 0)
        H5Fclose(record->file.id);
    osc_h5_quiet_end(quiet);
    osc_seal_close(&record->seal);
    for (size_t p = 0; p < OSC_POINT_COUNT; p++)
        osc_column_stats_free(record->stats[p]);
    for (size_t s = 0; s < OSC_RECORD_SUBSETS; s++)
        osc_free(record->any[s]);                   /* followed by pairs */
    osc_free(record->top1);
    osc_free(record->without);
    if (record->residual != NULL)
        osc_free(record->residual[0].sumsq);        /* followed by massive */
    osc_free(record->residual);
    osc_record_free_head(&record->head);
    osc_free(record->path);
    osc_free(record);
}

const char *osc_record_path(const osc_record *record)
{
    return record->path;
}

const osc_record_info *osc_record_get_info(const osc_record *record)
{
    return &record->head.info;
}

unsigned osc_record_points(const osc_record *record)
{
    return record->layout.points;
}

unsigned osc_record_track(const osc_record *record)
{
    return record->layout.track;
}

unsigned osc_record_raw(const osc_record *record)
{
    return record->layout.raw;
}

unsigned osc_record_module_points(const osc_record *record)
{
    return record->layout.modules;
}

size_t osc_record_module_count(const osc_record *record)
{
    return osc_record_modules(&record->layout);
}

size_t osc_record_width(const osc_record *record, osc_point point)
{
    return record->layout.width[point];
}

uint64_t osc_record_event_count(const osc_record *record)
{
    return record->head.events;
}

uint64_t osc_record_events_dropped(const osc_record *record)
{
    return record->head.events_dropped;
}

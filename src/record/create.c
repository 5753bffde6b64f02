/* Creates an empty record: every object, its attributes and scales, no data. */
#include <config.h>
#include "record/recorder_state.h"
#include "record/scales.h"

#include <math.h>

enum { OBJECT_BYTES = 8192 };    /* of a dataset without data: header, attributes, index */

typedef struct {
    const osc_h5_file *file;
    osc_scales         scales;
} creation;

/* Chunks, filters and the fill value; negative if one of them could not be set. */
static hid_t properties_of(const osc_record_dataset *want)
{
    hsize_t chunk[OSC_RECORD_DIMS];
    for (size_t d = 0; d < want->rank; d++)
        chunk[d] = want->chunk[d];
    hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
    bool filled = want->fill != 0.0 || isnan(want->fill);
    if (H5Pset_chunk(properties, (int)want->rank, chunk) >= 0
        && (!want->packed
            || (H5Pset_shuffle(properties) >= 0 && H5Pset_deflate(properties, 1) >= 0))
        && H5Pset_fletcher32(properties) >= 0
        && (!filled || H5Pset_fill_value(properties, H5T_NATIVE_DOUBLE, &want->fill) >= 0))
        return properties;
    H5Pclose(properties);
    return H5I_INVALID_HID;
}

static hid_t space_of(const osc_record_dataset *want)
{
    hsize_t dim[OSC_RECORD_DIMS], most[OSC_RECORD_DIMS];
    for (size_t d = 0; d < want->rank; d++)
        dim[d] = most[d] = want->dim[d];
    if (want->growth != OSC_GROWS_NOT)
        most[want->growing] = H5S_UNLIMITED;
    return H5Screate_simple((int)want->rank, dim, most);
}

static osc_status create_dataset(void *user, const osc_record_dataset *want)
{
    creation *c = user;
    hid_t space = space_of(want), properties = properties_of(want);
    hid_t type = osc_h5_file_type(want->kind), links = H5Pcreate(H5P_LINK_CREATE);
    H5Pset_create_intermediate_group(links, 1);
    hid_t id = H5Dcreate2(c->file->id, want->path, type, space, links, properties, H5P_DEFAULT);
    osc_status status = OSC_OK;
    if (id < 0)
        status = osc_h5_fail(OSC_EIO, c->file, want->path, "cannot create");
    H5Pclose(links);
    H5Tclose(type);
    H5Pclose(properties);
    H5Sclose(space);
    if (status != OSC_OK)
        return status;
    status = osc_h5_put(c->file, id, "description", OSC_H5_TEXT, &want->description);
    if (status == OSC_OK)
        status = osc_h5_put(c->file, id, "units", OSC_H5_TEXT, &want->units);
    if (status == OSC_OK)
        status = osc_scales_attach(&c->scales, c->file, id, want);
    H5Dclose(id);
    return status;
}

/* Attributes of /outliers that do not change. */
static osc_status describe_events(const osc_h5_file *file, const osc_record_head *head)
{
    const char *names[OSC_POINT_COUNT];
    for (int p = 0; p < OSC_POINT_COUNT; p++)
        names[p] = osc_point_name((osc_point)p);
    char joined[OSC_RECORD_NAMES];
    const char *track = joined;
    osc_record_join(joined, head->track);
    hid_t group = H5Gopen2(file->id, "/outliers", H5P_DEFAULT);
    if (group < 0)
        return osc_h5_fail(OSC_EIO, file, "/outliers", "cannot open");
    osc_status status = osc_h5_put_texts(file, group, "point_names", names, OSC_POINT_COUNT);
    if (status == OSC_OK)
        status = osc_h5_put(file, group, "track", OSC_H5_TEXT, &track);
    if (status == OSC_OK)
        status = osc_h5_put(file, group, "alpha", OSC_H5_F64, &head->info.alpha);
    if (status == OSC_OK)
        status = osc_h5_put(file, group, "cap", OSC_H5_U64, &head->event_cap);
    H5Gclose(group);
    return status;
}

osc_status osc_record_create(const osc_h5_file *file, const osc_record_layout *layout,
                             const osc_record_head *head)
{
    creation c = { .file = file };
    osc_status status = osc_record_put_head(file, head);
    if (status == OSC_OK)
        status = osc_record_each(layout, create_dataset, &c);
    if (status == OSC_OK)
        status = osc_scales_finish(&c.scales, file);
    if (status == OSC_OK)
        status = describe_events(file, head);
    osc_scales_free(&c.scales);
    return status;
}

static osc_status add_bytes(void *user, const osc_record_dataset *want)
{
    uint64_t bytes = osc_h5_size(want->kind), *total = user;
    for (size_t d = 0; d < want->rank; d++) {     /* whole chunks; nothing if it grows */
        size_t chunks = (want->dim[d] + want->chunk[d] - 1) / want->chunk[d];
        bytes *= chunks * want->chunk[d];
    }
    *total += bytes + OBJECT_BYTES;
    return OSC_OK;
}

uint64_t osc_record_create_bytes(const osc_record_layout *layout)
{
    uint64_t total = 0;
    osc_status status = osc_record_each(layout, add_bytes, &total);
    return status == OSC_OK ? total : 0;
}

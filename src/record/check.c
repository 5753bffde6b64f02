/* Checks of a record's objects before anything is read: a file may be damaged or
 * made to harm. */
#include <config.h>
#include "record/reader.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "tensor/tensor.h"

enum {
    MOST_CHUNK = 64 << 20,       /* bytes of a chunk, which HDF5 allocates whole */
    MOST_RATIO = 1100,           /* deflate shrinks by at most 1032 */
};

/* Every step of an object's path must be a hard link: others lead to other files. */
static osc_status check_links(const osc_h5_file *file, const char *path)
{
    char part[OSC_RECORD_PATH];
    for (const char *slash = path; slash != NULL; ) {
        slash = strchr(slash + 1, '/');
        size_t length = slash == NULL ? strlen(path) : (size_t)(slash - path);
        snprintf(part, sizeof part, "%.*s", (int)length, path);
        H5L_info_t link;
        if (H5Lget_info(file->id, part, &link, H5P_DEFAULT) < 0)
            return file->seal->problem[0] != '\0'
                ? osc_h5_fail(OSC_EFORMAT, file, part, "cannot look for it")
                : osc_fail(OSC_EFORMAT, "%s: %s is missing", file->path, part);
        if (link.type != H5L_TYPE_HARD)
            return osc_fail(OSC_EFORMAT, "%s: %s is a link to elsewhere", file->path, part);
    }
    return OSC_OK;
}

static osc_status open_dataset(hid_t *id, const osc_h5_file *file, const char *path)
{
    OSC_TRY(check_links(file, path));
    hid_t dataset = H5Dopen2(file->id, path, H5P_DEFAULT);
    if (dataset < 0)
        return osc_h5_fail(OSC_EFORMAT, file, path, "is not a readable dataset");
    *id = dataset;
    return OSC_OK;
}

/* The rank, or -1; dims are set only for a rank of at most OSC_RECORD_DIMS. */
static int shape_of(hid_t dataset, size_t dim[OSC_RECORD_DIMS])
{
    hsize_t extent[OSC_RECORD_DIMS] = { 0 };
    hid_t space = H5Dget_space(dataset);
    if (space < 0)
        return -1;
    int rank = H5Sget_simple_extent_ndims(space);
    if (rank >= 0 && rank <= OSC_RECORD_DIMS)
        rank = H5Sget_simple_extent_dims(space, extent, NULL);
    H5Sclose(space);
    for (size_t i = 0; i < OSC_RECORD_DIMS; i++)
        dim[i] = (size_t)extent[i];
    return rank;
}

static osc_status check_shape(hid_t dataset, const osc_record *record,
                              const osc_record_dataset *want)
{
    size_t dim[OSC_RECORD_DIMS], expected[OSC_RECORD_DIMS];
    memcpy(expected, want->dim, sizeof expected);
    if (want->growth == OSC_GROWS_BY_SEQUENCE)
        expected[want->growing] = record->head.info.sequences_done;
    if (want->growth == OSC_GROWS_BY_EVENT)
        expected[want->growing] = (size_t)record->head.events;
    int rank = shape_of(dataset, dim);
    if (rank < 0 || (size_t)rank != want->rank)
        return osc_fail(OSC_EFORMAT, "%s: %s has %d dimensions, expected %zu",
                        record->path, want->path, rank, want->rank);
    char got[80], text[80];
    if (memcmp(dim, expected, want->rank * sizeof *dim) != 0)
        return osc_fail(OSC_EFORMAT, "%s: %s has shape %s, expected %s", record->path, want->path,
                        osc_shape_text(got, sizeof got, want->rank, dim),
                        osc_shape_text(text, sizeof text, want->rank, expected));
    return OSC_OK;
}

static bool has_type(hid_t dataset, osc_h5_kind kind)
{
    hid_t stored = H5Dget_type(dataset), type = osc_h5_file_type(kind);
    bool same = stored >= 0 && H5Tequal(stored, type) > 0;
    H5Tclose(stored);
    H5Tclose(type);
    return same;
}

/* Only the filters that we write: others would be plugins loaded from disk. */
static bool known_filters(hid_t properties)
{
    int count = H5Pget_nfilters(properties);
    for (int i = 0; i < count; i++) {
        unsigned flags, config;
        size_t values = 0;
        H5Z_filter_t filter = H5Pget_filter2(properties, (unsigned)i, &flags, &values, NULL, 0,
                                             NULL, &config);
        if (filter != H5Z_FILTER_SHUFFLE && filter != H5Z_FILTER_DEFLATE &&
            filter != H5Z_FILTER_FLETCHER32)
            return false;
    }
    return count >= 0;
}

static bool small_chunks(hid_t properties, const osc_record_dataset *want)
{
    hsize_t chunk[OSC_RECORD_DIMS];
    if (H5Pget_chunk(properties, OSC_RECORD_DIMS, chunk) != (int)want->rank)
        return false;
    size_t bytes = osc_h5_size(want->kind);
    for (size_t i = 0; i < want->rank; i++)
        if (__builtin_mul_overflow(bytes, (size_t)chunk[i], &bytes) || bytes > MOST_CHUNK)
            return false;
    return true;
}

/* What the dataset holds must fit in the file: then reading it all takes memory in
 * proportion to the file's size, whatever the shape claims. */
static bool fits_in_file(hid_t dataset, const osc_record *record, const osc_record_dataset *want)
{
    struct stat info;
    if (stat(record->path, &info) != 0)
        return false;
    hsize_t stored = H5Dget_storage_size(dataset);
    size_t bytes = osc_h5_size(want->kind), dim[OSC_RECORD_DIMS];
    if (shape_of(dataset, dim) < 0)
        return false;
    for (size_t i = 0; i < want->rank; i++)
        if (__builtin_mul_overflow(bytes, dim[i], &bytes))
            return false;
    size_t ratio = want->packed ? MOST_RATIO : 1;
    return stored <= (hsize_t)info.st_size && bytes / ratio <= stored;
}

static osc_status check_storage(hid_t dataset, const osc_record *record,
                                const osc_record_dataset *want)
{
    hid_t properties = H5Dget_create_plist(dataset);
    bool good = properties >= 0 && H5Pget_layout(properties) == H5D_CHUNKED &&
                known_filters(properties) && small_chunks(properties, want);
    if (properties >= 0)
        H5Pclose(properties);
    if (!good)
        return osc_fail(OSC_EFORMAT, "%s: %s is not stored in chunks of reasonable size with the "
                        "filters shuffle, gzip and fletcher32", record->path, want->path);
    if (!fits_in_file(dataset, record, want))
        return osc_fail(OSC_EFORMAT, "%s: %s claims more data than the file holds",
                        record->path, want->path);
    return OSC_OK;
}

static osc_status check_dataset(void *user, const osc_record_dataset *want)
{
    osc_record *record = user;
    hid_t dataset;
    OSC_TRY(open_dataset(&dataset, &record->file, want->path));
    osc_status status = OSC_OK;
    if (!has_type(dataset, want->kind))
        status = osc_fail(OSC_EFORMAT, "%s: %s has the wrong type", record->path, want->path);
    if (status == OSC_OK)
        status = check_shape(dataset, record, want);
    if (status == OSC_OK)
        status = check_storage(dataset, record, want);
    H5Dclose(dataset);
    /* What HDF5 could not read has no shape either. */
    if (status != OSC_OK && record->seal.problem[0] != '\0')
        status = osc_fail(OSC_EFORMAT, "%s: %s: cannot read: %s", record->path, want->path,
                          record->seal.problem);
    return status;
}

osc_status osc_record_check(osc_record *record)
{
    return osc_record_each(&record->layout, check_dataset, record);
}

/* The last dimension of a dataset of `rank` dimensions. */
static osc_status last_dim(size_t *width, const osc_h5_file *file, const char *path, int rank)
{
    hid_t dataset;
    OSC_TRY(open_dataset(&dataset, file, path));
    size_t dim[OSC_RECORD_DIMS];
    int got = shape_of(dataset, dim);
    H5Dclose(dataset);
    if (got != rank)
        return osc_fail(OSC_EFORMAT, "%s: %s has %d dimensions, expected %d", file->path, path,
                        got, rank);
    if (dim[rank - 1] == 0 || dim[rank - 1] > OSC_RECORD_WIDEST)
        return osc_fail(OSC_EFORMAT, "%s: %s has %zu features", file->path, path, dim[rank - 1]);
    *width = dim[rank - 1];
    return OSC_OK;
}

/* Records that do not have the list are whole without it. */
static osc_status count_without(osc_record *record)
{
    static const char path[] = "/attention/without";
    if (record->layout.heads == 0)
        return OSC_OK;
    OSC_TRY(check_links(&record->file, "/attention"));   /* or the next line would follow it */
    htri_t there = H5Lexists(record->file.id, path, H5P_DEFAULT);
    if (there < 0)
        return osc_h5_fail(OSC_EFORMAT, &record->file, path, "cannot look for it");
    if (there == 0)
        return OSC_OK;
    return last_dim(&record->layout.without, &record->file, path, 1);
}

osc_status osc_record_widths(osc_record *record)
{
    char path[OSC_RECORD_PATH];
    osc_record_layout *layout = &record->layout;
    for (unsigned p = 0; p < OSC_POINT_COUNT; p++) {
        const char *name = osc_point_name((osc_point)p);
        if (layout->points >> p & 1u) {
            osc_record_path_of(path, "stats", name, "min");
            OSC_TRY(last_dim(&layout->width[p], &record->file, path, 2));
        } else if (layout->raw >> p & 1u) {
            osc_record_path_of(path, "raw", name, "");
            OSC_TRY(last_dim(&layout->width[p], &record->file, path, 4));
        }
        if ((layout->track >> p & 1u) && layout->width[p] != layout->hidden)
            return osc_fail(OSC_EFORMAT, "%s: tracked point %s has %zu features, expected %zu",
                            record->path, name, layout->width[p], layout->hidden);
    }
    return count_without(record);
}

#include <config.h>
#include "record/scales.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

/* --- the scales themselves --------------------------------------------------------- */

/* H5DS insists on fixed length here. */
static osc_status put_fixed(const osc_h5_file *file, hid_t object, const char *name,
                            const char *text)
{
    hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR);
    hid_t attribute = H5Tset_size(type, strlen(text) + 1) < 0 ? H5I_INVALID_HID
        : H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    osc_status status = OSC_OK;
    if (attribute < 0 || H5Awrite(attribute, type, text) < 0)
        status = osc_h5_fail(OSC_EIO, file, name, "cannot write the attribute");
    if (attribute >= 0)
        H5Aclose(attribute);
    H5Sclose(space);
    H5Tclose(type);
    return status;
}

static osc_status put_values(const osc_h5_file *file, const osc_scale *scale, bool bins,
                             size_t count)
{
    int32_t *index = osc_alloc(count, sizeof *index);
    double *edge = osc_alloc(count, sizeof *edge);
    osc_status status = index == NULL || edge == NULL ? OSC_ENOMEM : OSC_OK;
    for (size_t i = 0; status == OSC_OK && i < count; i++) {
        index[i] = (int32_t)i;
        edge[i] = bins ? ldexp(1.0, (int)i + OSC_HISTOGRAM_LOWEST) : 0.0;
    }
    if (status == OSC_OK)
        status = bins ? osc_h5_write(file, scale->path, OSC_H5_F64, NULL, edge)
                      : osc_h5_write(file, scale->path, OSC_H5_I32, NULL, index);
    osc_free(edge);
    osc_free(index);
    return status;
}

static osc_status fill_scale(const osc_h5_file *file, const osc_scale *scale, const char *label,
                             size_t count)
{
    bool bins = strcmp(label, "bin") == 0;
    const char *description = bins ? "lower edge of the bin, of |x|" : "number, from 0";
    const char *units = bins ? "activation" : "index";
    OSC_TRY(put_fixed(file, scale->id, "CLASS", "DIMENSION_SCALE"));
    OSC_TRY(put_fixed(file, scale->id, "NAME", label));
    OSC_TRY(osc_h5_put(file, scale->id, "description", OSC_H5_TEXT, &description));
    OSC_TRY(osc_h5_put(file, scale->id, "units", OSC_H5_TEXT, &units));
    return put_values(file, scale, bins, count);
}

static osc_status create_scale(osc_scale **scale, osc_scales *scales, const osc_h5_file *file,
                               const char *path, const char *label, size_t count)
{
    osc_scale *created = &scales->scale[scales->count];
    hsize_t dim = count;
    hid_t space = H5Screate_simple(1, &dim, NULL), links = H5Pcreate(H5P_LINK_CREATE);
    H5Pset_create_intermediate_group(links, 1);
    hid_t type = osc_h5_file_type(strcmp(label, "bin") == 0 ? OSC_H5_F64 : OSC_H5_I32);
    created->id = H5Dcreate2(file->id, path, type, space, links, H5P_DEFAULT, H5P_DEFAULT);
    osc_status status = OSC_OK;
    if (created->id < 0)
        status = osc_h5_fail(OSC_EIO, file, path, "cannot create");
    H5Tclose(type);
    H5Pclose(links);
    H5Sclose(space);
    if (status != OSC_OK)
        return status;
    snprintf(created->path, sizeof created->path, "%s", path);
    scales->count++;
    *scale = created;
    return fill_scale(file, created, label, count);
}

/* The scale of a dimension, NULL for those that grow and for plain lists. */
static osc_status get_scale(osc_scale **scale, osc_scales *scales, const osc_h5_file *file,
                            const char *label, size_t count)
{
    *scale = NULL;
    if (label == NULL || strcmp(label, "sequence") == 0 || strcmp(label, "event") == 0 ||
        strcmp(label, "zeroed") == 0)
        return OSC_OK;
    char path[OSC_RECORD_PATH];
    snprintf(path, sizeof path, "/axes/%s", label);
    if (strcmp(label, "feature") == 0)
        snprintf(path, sizeof path, "/axes/feature_%zu", count);
    for (size_t i = 0; i < scales->count; i++) {
        if (strcmp(scales->scale[i].path, path) == 0) {
            *scale = &scales->scale[i];
            return OSC_OK;
        }
    }
    return create_scale(scale, scales, file, path, label, count);
}

/* --- attaching --------------------------------------------------------------------------- */

static osc_status add_use(osc_scale *scale, hobj_ref_t dataset, size_t dimension)
{
    osc_scale_use *grown = osc_grow(scale->use, &scale->room, scale->uses + 1, sizeof *grown);
    if (grown == NULL)
        return OSC_ENOMEM;
    scale->use = grown;
    scale->use[scale->uses++] = (osc_scale_use){ dataset, (int32_t)dimension };
    return OSC_OK;
}

/* DIMENSION_LIST: per dimension a list of references to its scales. */
static osc_status put_list(const osc_h5_file *file, hid_t id, hvl_t *lists, size_t rank)
{
    hsize_t dim = rank;
    hid_t space = H5Screate_simple(1, &dim, NULL), type = H5Tvlen_create(H5T_STD_REF_OBJ);
    hid_t attribute = H5Acreate2(id, "DIMENSION_LIST", type, space, H5P_DEFAULT, H5P_DEFAULT);
    osc_status status = OSC_OK;
    if (attribute < 0 || H5Awrite(attribute, type, lists) < 0)
        status = osc_h5_fail(OSC_EIO, file, "DIMENSION_LIST", "cannot write the attribute");
    if (attribute >= 0)
        H5Aclose(attribute);
    H5Tclose(type);
    H5Sclose(space);
    return status;
}

osc_status osc_scales_attach(osc_scales *scales, const osc_h5_file *file, hid_t id,
                             const osc_record_dataset *dataset)
{
    hobj_ref_t self, axis[OSC_RECORD_DIMS];
    hvl_t lists[OSC_RECORD_DIMS] = { { 0, NULL } };
    bool any = false;
    OSC_TRY(osc_h5_put_texts(file, id, "DIMENSION_LABELS", dataset->label, dataset->rank));
    if (H5Rcreate(&self, file->id, dataset->path, H5R_OBJECT, -1) < 0)
        return osc_h5_fail(OSC_EIO, file, dataset->path, "cannot refer to it");
    for (size_t d = 0; d < dataset->rank; d++) {
        osc_scale *scale;
        OSC_TRY(get_scale(&scale, scales, file, dataset->label[d], dataset->dim[d]));
        if (scale == NULL)
            continue;
        if (H5Rcreate(&axis[d], file->id, scale->path, H5R_OBJECT, -1) < 0)
            return osc_h5_fail(OSC_EIO, file, scale->path, "cannot refer to it");
        OSC_TRY(add_use(scale, self, d));
        lists[d] = (hvl_t){ 1, &axis[d] };
        any = true;
    }
    return any ? put_list(file, id, lists, dataset->rank) : OSC_OK;
}

/* REFERENCE_LIST: (dataset, dimension) of every use. */
static osc_status put_uses(const osc_h5_file *file, const osc_scale *scale)
{
    hsize_t dim = scale->uses;
    hid_t space = H5Screate_simple(1, &dim, NULL);
    hid_t type = H5Tcreate(H5T_COMPOUND, sizeof(osc_scale_use));
    bool good = H5Tinsert(type, "dataset", HOFFSET(osc_scale_use, dataset), H5T_STD_REF_OBJ) >= 0
        && H5Tinsert(type, "dimension", HOFFSET(osc_scale_use, dimension), H5T_NATIVE_INT32) >= 0;
    hid_t attribute = !good ? H5I_INVALID_HID
        : H5Acreate2(scale->id, "REFERENCE_LIST", type, space, H5P_DEFAULT, H5P_DEFAULT);
    osc_status status = OSC_OK;
    if (attribute < 0 || H5Awrite(attribute, type, scale->use) < 0)
        status = osc_h5_fail(OSC_EIO, file, scale->path, "cannot write REFERENCE_LIST");
    if (attribute >= 0)
        H5Aclose(attribute);
    H5Tclose(type);
    H5Sclose(space);
    return status;
}

osc_status osc_scales_finish(const osc_scales *scales, const osc_h5_file *file)
{
    for (size_t i = 0; i < scales->count; i++)
        OSC_TRY(put_uses(file, &scales->scale[i]));
    return OSC_OK;
}

void osc_scales_free(osc_scales *scales)
{
    for (size_t i = 0; i < scales->count; i++) {
        H5Dclose(scales->scale[i].id);
        osc_free(scales->scale[i].use);
    }
}

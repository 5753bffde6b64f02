/* Dimension scales and labels, as the HDF5 high-level library (H5DS) writes them,
 * which we do without. */
#ifndef OSC_RECORD_SCALES_H
#define OSC_RECORD_SCALES_H

#include "record/layout.h"

/* One use of a scale, in the form of its attribute REFERENCE_LIST. */
typedef struct {
    hobj_ref_t dataset;
    int32_t    dimension;
} osc_scale_use;

typedef struct {
    char           path[OSC_RECORD_PATH];
    hid_t          id;
    osc_scale_use *use;
    size_t         uses, room;
} osc_scale;

/* The scales of a file that is being created; zeroed to begin with. */
typedef struct {
    osc_scale scale[OSC_POINT_COUNT + 7];     /* one per width, and seven others at most */
    size_t    count;
} osc_scales;

/* Labels the dimensions of `dataset`, open as `id`, and attaches their scales,
 * creating those that are not there yet. */
osc_status osc_scales_attach(osc_scales *scales, const osc_h5_file *file, hid_t id,
                             const osc_record_dataset *dataset);
/* Writes into every scale what uses it. */
osc_status osc_scales_finish(const osc_scales *scales, const osc_h5_file *file);
void osc_scales_free(osc_scales *scales);

#endif

/* Memory that generated weights appear in when they are needed; private to
 * src/store. */
#ifndef OSC_STORE_REGION_H
#define OSC_STORE_REGION_H

#include "store/generated.h"

typedef struct osc_region osc_region;

/* Reserves address space for the tensors: no memory is used before osc_region_need.
 * Element i of recipe r is at osc_region_data(region, r) + i * size of dtype. */
osc_status osc_region_create(osc_region **region, uint64_t seed, osc_dtype dtype,
                             const osc_recipe *recipe, size_t count);
void osc_region_free(osc_region *region);
const void *osc_region_data(const osc_region *region, size_t index);
/* How the elements of recipe `index` come about; NULL if some have values of their own. */
const osc_drawn *osc_region_drawn(const osc_region *region, size_t index);
/* Bytes of all tensors. */
size_t osc_region_bytes(const osc_region *region);

/* Makes the values of the tensor that `data` points into, unless they are there. */
void osc_region_need(osc_region *region, const void *data);
/* Gives back the memory of the tensor that `data` points into. */
void osc_region_forget(osc_region *region, const void *data);

#endif

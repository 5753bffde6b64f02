/* Several products of one x; private to src/quant. */
#ifndef OSC_QUANT_SEVERAL_H
#define OSC_QUANT_SEVERAL_H

#include "quant/scheme.h"

/* apply_several of a scheme, by its apply() and the backend's add(). */
osc_status osc_apply_each(const osc_output *outputs, size_t count, const osc_backend *backend,
                          osc_device *device, const void *x, size_t rows);
/* What a backend is told of them. */
void osc_products_of(osc_product *products, const osc_output *outputs, size_t count);

#endif

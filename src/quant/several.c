#include <config.h>
#include "quant/several.h"

#include <assert.h>

osc_status osc_apply_each(const osc_output *outputs, size_t count, const osc_backend *backend,
                          osc_device *device, const void *x, size_t rows)
{
    for (size_t i = 0; i < count; i++) {
        const osc_output *out = &outputs[i];
        const osc_linear *linear = out->linear;
        OSC_TRY(linear->choice->scheme->apply(linear, backend, device, out->y, x, out->act, rows));
        if (out->plus != NULL)
            OSC_TRY(backend->add(device, out->plus, out->y, rows * linear->n));
    }
    return OSC_OK;
}

void osc_products_of(osc_product *products, const osc_output *outputs, size_t count)
{
    assert(count <= OSC_PRODUCTS);
    for (size_t i = 0; i < count; i++) {
        const osc_output *out = &outputs[i];
        products[i] = (osc_product){ .y = out->y, .plus = out->plus, .w = out->linear->weight,
                                     .bias = out->linear->bias, .act = out->act,
                                     .n = out->linear->n };
    }
}

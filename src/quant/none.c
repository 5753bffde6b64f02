/* Scheme "none": weights as stored, products accumulate in fp32.  The weight is
 * kept in the backend's own element type. */
#include <config.h>
#include "quant/several.h"

static osc_status configure(osc_scheme_choice *choice, const osc_spec *spec)
{
    (void)choice;
    return osc_spec_only(spec, NULL, 0);
}

static size_t bytes(const osc_scheme_choice *choice, const osc_backend *backend,
                    size_t n, size_t k)
{
    (void)choice;
    return n * k * osc_dtype_size(backend->dtype);
}

static osc_status prepare(osc_linear *linear, const osc_backend *backend, osc_device *device,
                          const osc_tensor *weight, size_t *bad)
{
    return backend->load(device, linear->weight, weight, bad);
}

static osc_status apply(const osc_linear *linear, const osc_backend *backend, osc_device *device,
                        void *y, const void *x, osc_act act, size_t rows)
{
    if (linear->stored != NULL)
        return backend->matmul_stored(device, y, x, linear->stored, linear->bias, act, rows);
    return backend->matmul(device, y, x, linear->weight, linear->bias, act, rows,
                           linear->n, linear->k);
}

static osc_status apply_several(const osc_output *outputs, size_t count,
                                const osc_backend *backend, osc_device *device, const void *x,
                                size_t rows)
{
    osc_product products[OSC_PRODUCTS];
    bool done = false;
    if (backend->matmul_several != NULL && outputs->linear->stored == NULL) {
        osc_products_of(products, outputs, count);
        OSC_TRY(backend->matmul_several(device, &done, products, count, x, rows,
                                        outputs->linear->k));
    }
    return done ? OSC_OK : osc_apply_each(outputs, count, backend, device, x, rows);
}

const osc_scheme osc_scheme_none = {
    .name = "none",
    .summary = "weights as stored, products in float32",
    .as_stored = true,
    .configure = configure,
    .bytes = bytes,
    .prepare = prepare,
    .apply = apply,
    .apply_several = apply_several,
};

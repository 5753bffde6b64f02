#include <config.h>
#include "quant/coded.h"

#include "base/alloc.h"
#include "quant/columns.h"
#include "quant/several.h"

osc_status osc_coded_configure(osc_scheme_choice *choice, const osc_spec *spec)
{
    choice->coding = choice->scheme->coding;
    return osc_spec_only(spec, NULL, 0);
}

size_t osc_coded_bytes(const osc_scheme_choice *choice, const osc_backend *backend,
                       size_t n, size_t k)
{
    return backend->codes_bytes(&choice->coding, n, k);
}

osc_status osc_coded_prepare(osc_linear *linear, const osc_backend *backend, osc_device *device,
                             const osc_tensor *weight, size_t *bad)
{
    const osc_scheme_choice *choice = linear->choice;
    uint32_t *columns = NULL;
    osc_code_source source = { .tensor = weight };
    if (choice->coding.remove == OSC_REMOVE_FIXED)
        OSC_TRY(osc_columns_read(&columns, &source.column_count, choice->columns, linear->layer,
                                 linear->input, linear->k));
    source.columns = columns;
    osc_status status = backend->codes_load(device, linear->weight, &choice->coding, &source, bad);
    osc_free(columns);
    return status;
}

osc_status osc_coded_apply(const osc_linear *linear, const osc_backend *backend,
                           osc_device *device, void *y, const void *x, osc_act act, size_t rows)
{
    return backend->codes_matmul(device, y, x, linear->weight, &linear->choice->coding,
                                 linear->bias, act, rows, linear->n, linear->k);
}

osc_status osc_coded_apply_several(const osc_output *outputs, size_t count,
                                   const osc_backend *backend, osc_device *device, const void *x,
                                   size_t rows)
{
    const osc_linear *first = outputs->linear;
    osc_product products[OSC_PRODUCTS];
    bool done = false;
    if (backend->codes_matmul_several != NULL) {
        osc_products_of(products, outputs, count);
        OSC_TRY(backend->codes_matmul_several(device, &done, products, count, x,
                                              &first->choice->coding, rows, first->k));
    }
    return done ? OSC_OK : osc_apply_each(outputs, count, backend, device, x, rows);
}

osc_status osc_coded_view(const osc_linear *linear, const osc_backend *backend,
                          osc_device *device, osc_code_view *view, const void *x, size_t rows)
{
    return backend->codes_view(device, view, x, linear->weight, &linear->choice->coding, rows,
                               linear->n, linear->k);
}

/* What all schemes share that multiply codes; private to src/quant. */
#ifndef OSC_QUANT_CODED_H
#define OSC_QUANT_CODED_H

#include "quant/scheme.h"

/* For schemes without options. */
osc_status osc_coded_configure(osc_scheme_choice *choice, const osc_spec *spec);
size_t osc_coded_bytes(const osc_scheme_choice *choice, const osc_backend *backend,
                       size_t n, size_t k);
osc_status osc_coded_prepare(osc_linear *linear, const osc_backend *backend, osc_device *device,
                             const osc_tensor *weight, size_t *bad);
osc_status osc_coded_apply(const osc_linear *linear, const osc_backend *backend,
                           osc_device *device, void *y, const void *x, osc_act act, size_t rows);
osc_status osc_coded_apply_several(const osc_output *outputs, size_t count,
                                   const osc_backend *backend, osc_device *device, const void *x,
                                   size_t rows);
osc_status osc_coded_view(const osc_linear *linear, const osc_backend *backend,
                          osc_device *device, osc_code_view *view, const void *x, size_t rows);

#endif

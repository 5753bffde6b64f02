/* One entry of a safetensors header: {"dtype": "F16", "shape": [...],
 * "data_offsets": [begin, end]}. */
#ifndef OSC_STORE_SAFETENSORS_ENTRY_H
#define OSC_STORE_SAFETENSORS_ENTRY_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "store/format.h"

/* Checks the JSON text of an entry against a data buffer of `data_size` bytes at
 * `data`, and sets tensor, bytes and foreign of `*weight`.  OSC_EFORMAT;
 * OSC_EUNSUP for more than OSC_MAX_DIMS dimensions. */
osc_status osc_safetensors_entry(struct osc_weight *weight, const char *text, size_t size,
                                 const uint8_t *data, size_t data_size);

#endif

/* Writing safetensors files. */
#ifndef OSC_STORE_SAFETENSORS_WRITE_H
#define OSC_STORE_SAFETENSORS_WRITE_H

#include <stdio.h>

#include "store/store.h"

/* Writes tensors number first .. first+count-1 of the store, which are contiguous and
 * float32, float16 or bfloat16, as one safetensors file: the header, padded to a
 * multiple of 8 bytes, and the data in the order of the tensors.  A write error may
 * come to light only when `out` is closed.  OSC_EIO, OSC_EUNSUP, OSC_ENOMEM. */
osc_status osc_safetensors_write(FILE *out, const osc_store *store, size_t first, size_t count,
                                 const osc_progress *progress);

#endif

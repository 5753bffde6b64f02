/* Files of fixed outlier columns: text, one linear input a line,
 *   blocks.3.fc1_in: 17 204 211
 * "#" starts a comment; inputs without a line have no such columns. */
#ifndef OSC_QUANT_COLUMNS_H
#define OSC_QUANT_COLUMNS_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* Reads the file and checks its form.  OSC_EFORMAT names the line. */
osc_status osc_columns_check(const char *path);

/* The columns of input `input` ("fc1_in") of block `layer`, ascending, all below
 * `width`; owned by the caller (osc_free). */
osc_status osc_columns_read(uint32_t **columns, size_t *count, const char *path, size_t layer,
                            const char *input, size_t width);

#endif

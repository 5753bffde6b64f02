/* What rows of results have in common. */
#ifndef ANALYSES_JSON_ROW_H
#define ANALYSES_JSON_ROW_H

#include "osc.h"

/* Text that may be missing; OSC_EFORMAT if it does not fit. */
osc_status json_row_text(char *text, size_t size, const json_t *row, const char *key);
/* The scheme with its options, from "scheme" and "options"; likewise. */
osc_status json_row_scheme(char *scheme, size_t size, const json_t *row);

#endif

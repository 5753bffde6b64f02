/* Writing JSON: values that jansson refuses become null or valid text. */
#ifndef ANALYSES_JSONOUT_H
#define ANALYSES_JSONOUT_H

#include <stdio.h>

#include "osc.h"

/* A number, or null if it is not finite. */
json_t *json_out_number(double value);

/* Text; bytes that are not UTF-8 become U+FFFD.  NULL gives null. */
json_t *json_out_text(const char *text);

/* An array of numbers. */
json_t *json_out_numbers(const double *values, size_t count);

/* Writes `root`, 17 significant digits, and a line end, and releases it.  A NULL
 * root is the memory that a json_pack could not get: OSC_ENOMEM. */
osc_status json_out_write(json_t *root, FILE *out);

#endif

/* Option strings of the form "name" or "name:key=value,key=value". */
#ifndef OSC_BASE_SPEC_H
#define OSC_BASE_SPEC_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

enum { OSC_SPEC_KEYS = 16 };

typedef struct {
    char        text[512];               /* a copy, cut into the strings below */
    const char *name;
    const char *key[OSC_SPEC_KEYS];
    const char *value[OSC_SPEC_KEYS];
    size_t      count;
} osc_spec;

/* Parses `text` into `spec`, whose strings point into itself (do not copy the
 * struct).  OSC_EINVAL for an empty name or key, a missing '=', a key given
 * twice, too many keys or a text that is too long. */
osc_status osc_spec_parse(osc_spec *spec, const char *text);

/* The value of `key`, or NULL. */
const char *osc_spec_get(const osc_spec *spec, const char *key);

/* OSC_EINVAL, naming the nearest valid key, if the spec has a key that is not
 * among `keys` (`count` of them). */
osc_status osc_spec_only(const osc_spec *spec, const char *const *keys, size_t count);

/* Whole-string conversions; OSC_EINVAL says `what` was expected to be a number
 * in lowest..highest.  "inf" is a double. */
osc_status osc_parse_size(size_t *out, const char *what, const char *text,
                          size_t lowest, size_t highest);
osc_status osc_parse_double(double *out, const char *what, const char *text,
                            double lowest, double highest);

#endif

/* JSON files through jansson, with messages that name the file and the key. */
#ifndef OSC_BASE_JSON_H
#define OSC_BASE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

enum osc_json_mode {
    /* Settings written by Python: integers of any length become doubles, bare
     * NaN and Infinity become something that is not a number, of a
     * repeated key the last value counts. */
    OSC_JSON_LENIENT,
    /* The same, but a repeated key is an error: maps of names. */
    OSC_JSON_UNIQUE,
    /* Data: 64-bit integers, no NaN, a repeated key is an error. */
    OSC_JSON_STRICT
};

/* Parsing takes at most about OSC_JSON_GROWTH times the text's bytes, and 1 MiB: tokenizers,
 * the densest texts there are, take 25 times their bytes. */
enum { OSC_JSON_GROWTH = 32, OSC_JSON_ALWAYS = 1 << 15 };

/* The text of a value with jansson's JSON_COMPACT and so on, owned by the caller (osc_free);
 * NULL, with a message: no memory.  Not json_dumps, which (2.14) does not notice that a key
 * found no memory and returns another text. */
char *osc_json_text(const json_t *value, size_t flags);

/* Parses the `size` bytes of `text`; `*root` is owned by the caller
 * (json_decref).  OSC_EFORMAT with line and column, or where empty arrays and the like
 * would take more memory than that. */
osc_status osc_json_parse(json_t **root, const char *text, size_t size, enum osc_json_mode mode);

/* Reads and parses a file of at most `most` bytes; messages name `path`. */
osc_status osc_json_read(json_t **root, const char *path, size_t most, enum osc_json_mode mode);

/* Typed access to `object[key]`.  A missing key or null leaves `*out` alone
 * (the caller put the default there); another type is OSC_EFORMAT. */
osc_status osc_json_get_size(size_t *out, const json_t *object, const char *key);
osc_status osc_json_get_bool(bool *out, const json_t *object, const char *key);
osc_status osc_json_get_double(double *out, const json_t *object, const char *key);
/* Borrowed from `object`. */
osc_status osc_json_get_string(const char **out, const json_t *object, const char *key);

#endif

#include <config.h>
#include "base/json.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"

/* Overwrites Infinity and -Infinity outside strings by null, and NaN, which is too
 * short for that, by an empty string. */
static void blank_nonfinite(char *text, size_t size)
{
    static const char *const words[] = { "-Infinity", "Infinity", "NaN" };
    bool in_string = false;
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '"')
            in_string = !in_string;
        else if (in_string && text[i] == '\\')
            i++;
        for (size_t w = 0; !in_string && w < 3; w++) {
            size_t n = strlen(words[w]);
            if (size - i < n || memcmp(text + i, words[w], n) != 0)
                continue;
            memset(text + i, ' ', n);
            memcpy(text + i, n < 4 ? "\"\" " : "null", n < 4 ? n : 4);
            i += n - 1;
            break;
        }
    }
}

/* Bytes that the values of a text take at most once they are parsed, about: empty arrays
 * and objects are the most expensive for their length, 80 times that. */
static size_t parsed_bytes(const char *text, size_t size)
{
    size_t bytes = 0;
    bool in_string = false;
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '"')
            in_string = !in_string;
        else if (in_string && text[i] == '\\')
            i++;
        else if (!in_string)
            bytes += text[i] == '{' ? 224 : text[i] == '[' ? 128
                   : text[i] == ',' || text[i] == ':' ? 64 : 0;
    }
    return bytes;
}

char *osc_json_text(const json_t *value, size_t flags)
{
    size_t size = json_dumpb(value, NULL, 0, flags);
    char *text = size == 0 ? NULL : osc_alloc(size + 1, 1);
    if (text != NULL && json_dumpb(value, text, size, flags) == size)
        return text;
    osc_free(text);
    osc_fail(OSC_ENOMEM, "out of memory for a JSON text");
    return NULL;
}

osc_status osc_json_parse(json_t **root, const char *text, size_t size, enum osc_json_mode mode)
{
    json_error_t error;
    json_t *parsed;
    if (parsed_bytes(text, size) / OSC_JSON_GROWTH > size + OSC_JSON_ALWAYS)
        return osc_fail(OSC_EFORMAT, "more JSON values than a file of %zu bytes has in earnest",
                        size);
    if (mode == OSC_JSON_STRICT) {
        parsed = json_loadb(text, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    } else {
        char *copy = osc_copy_string(text, size);
        if (copy == NULL)
            return OSC_ENOMEM;
        blank_nonfinite(copy, size);
        size_t unique = mode == OSC_JSON_UNIQUE ? JSON_REJECT_DUPLICATES : 0;
        parsed = json_loadb(copy, size, JSON_DECODE_INT_AS_REAL | JSON_DECODE_ANY | unique, &error);
        osc_free(copy);
    }
    if (parsed == NULL) {
        for (char *c = error.text; *c != '\0'; c++)   /* it may quote the file */
            *c = (unsigned char)*c < 0x20 || *c == 0x7f ? '?' : *c;
        return osc_fail(OSC_EFORMAT, "not valid JSON: line %d, column %d: %s",
                        error.line, error.column, error.text);
    }
    *root = parsed;
    return OSC_OK;
}

osc_status osc_json_read(json_t **root, const char *path, size_t most, enum osc_json_mode mode)
{
    char *text;
    size_t size;
    OSC_TRY(osc_read_file(&text, &size, path, most));
    osc_status status = osc_json_parse(root, text, size, mode);
    osc_free(text);
    return status == OSC_OK ? OSC_OK : osc_fail_in(status, path);
}

static osc_status wrong_type(const char *key, const char *expected)
{
    return osc_fail(OSC_EFORMAT, "\"%s\" is not %s", key, expected);
}

osc_status osc_json_get_double(double *out, const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (value == NULL || json_is_null(value))
        return OSC_OK;
    if (!json_is_number(value))
        return wrong_type(key, "a number");
    *out = json_number_value(value);
    return OSC_OK;
}

osc_status osc_json_get_size(size_t *out, const json_t *object, const char *key)
{
    double value = -1.0;
    OSC_TRY(osc_json_get_double(&value, object, key));
    const json_t *present = json_object_get(object, key);
    if (present == NULL || json_is_null(present))
        return OSC_OK;
    if (!(value >= 0.0 && value <= 0x1p53 && floor(value) == value))
        return wrong_type(key, "a whole number from 0 to 2^53");
    *out = (size_t)value;
    return OSC_OK;
}

osc_status osc_json_get_bool(bool *out, const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (value == NULL || json_is_null(value))
        return OSC_OK;
    if (!json_is_boolean(value))
        return wrong_type(key, "true or false");
    *out = json_is_true(value);
    return OSC_OK;
}

osc_status osc_json_get_string(const char **out, const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (value == NULL || json_is_null(value))
        return OSC_OK;
    if (!json_is_string(value))
        return wrong_type(key, "a string");
    *out = json_string_value(value);
    return OSC_OK;
}

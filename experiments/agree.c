#include <config.h>
#include "experiments/agree.h"

#include <string.h>

/* "unknown" if the row has no such key. */
static void value_text(char *text, size_t size, const json_t *value)
{
    if (json_is_string(value))
        snprintf(text, size, "%s", json_string_value(value));
    else if (json_is_integer(value))
        snprintf(text, size, "%lld", (long long)json_integer_value(value));
    else
        snprintf(text, size, "unknown");
}

osc_status agree_on(const json_t *row, const char *path, const char *key, const char *what,
                    const char *expected)
{
    char found[128];
    value_text(found, sizeof found, json_object_get(row, key));
    if (strcmp(found, expected) == 0)
        return OSC_OK;
    return osc_fail(OSC_EINVAL, "%s: its numbers are of another %s: %s, this run has %s", path,
                    what, found, expected);
}

osc_status agree_on_number(const json_t *row, const char *path, const char *key, const char *what,
                           long long expected)
{
    char text[32];
    snprintf(text, sizeof text, "%lld", expected);
    return agree_on(row, path, key, what, text);
}

bool agree_text(const json_t *row, const char *key, const char *text)
{
    const char *value = json_string_value(json_object_get(row, key));
    return value != NULL && strcmp(value, text) == 0;
}

bool agree_scheme(const json_t *row, const char *scheme)
{
    const char *name = json_string_value(json_object_get(row, "scheme"));
    size_t length = strcspn(scheme, ":");
    return name != NULL && strlen(name) == length && memcmp(name, scheme, length) == 0
        && agree_text(row, "options", scheme[length] == ':' ? scheme + length + 1 : "");
}

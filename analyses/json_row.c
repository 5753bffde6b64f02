#include <config.h>
#include "analyses/json_row.h"

#include <stdio.h>
#include <string.h>

osc_status json_row_text(char *text, size_t size, const json_t *row, const char *key)
{
    const char *value = "";
    OSC_TRY(osc_json_get_string(&value, row, key));
    if (strlen(value) >= size)
        return osc_fail(OSC_EFORMAT, "\"%s\" has %zu bytes, at most %zu are possible", key,
                        strlen(value), size - 1);
    strcpy(text, value);
    return OSC_OK;
}

osc_status json_row_scheme(char *scheme, size_t size, const json_t *row)
{
    const char *name = "", *options = "";
    OSC_TRY(osc_json_get_string(&name, row, "scheme"));
    OSC_TRY(osc_json_get_string(&options, row, "options"));
    int length = snprintf(scheme, size, "%s%s%s", name, options[0] != '\0' ? ":" : "", options);
    return length >= 0 && (size_t)length < size ? OSC_OK
        : osc_fail(OSC_EFORMAT, "\"scheme\" or \"options\" are longer than any scheme's");
}

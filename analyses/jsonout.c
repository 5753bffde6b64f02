#include <config.h>
#include "analyses/jsonout.h"

#include <math.h>

#include "analyses/utf8.h"

json_t *json_out_number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

json_t *json_out_text(const char *text)
{
    if (text == NULL)
        return json_null();
    char *clean = utf8_clean(text);
    json_t *made = clean == NULL ? NULL : json_string(clean);
    osc_free(clean);
    return made;
}

json_t *json_out_numbers(const double *values, size_t count)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count && array != NULL; i++) {
        if (json_array_append_new(array, json_out_number(values[i])) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

osc_status json_out_write(json_t *root, FILE *out)
{
    if (root == NULL)
        return osc_fail(OSC_ENOMEM, "out of memory while building JSON");
    int failed = json_dumpf(root, out, JSON_INDENT(2) | JSON_REAL_PRECISION(17));
    json_decref(root);
    if (failed != 0 && !ferror(out))   /* what the stream knows is reported at its end */
        return osc_fail(OSC_ENOMEM, "cannot write JSON");
    fputc('\n', out);
    return OSC_OK;
}

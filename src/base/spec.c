#include <config.h>
#include "base/spec.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/suggest.h"

static osc_status add_pair(osc_spec *spec, char *pair)
{
    char *equals = strchr(pair, '=');
    if (equals == NULL || equals == pair)
        return osc_fail(OSC_EINVAL, "option '%s' of '%s' is not of the form key=value",
                        pair, spec->name);
    if (spec->count == OSC_SPEC_KEYS)
        return osc_fail(OSC_EINVAL, "'%s' has more than %d options", spec->name, OSC_SPEC_KEYS);
    *equals = '\0';
    if (osc_spec_get(spec, pair) != NULL)
        return osc_fail(OSC_EINVAL, "option '%s' of '%s' is given twice", pair, spec->name);
    spec->key[spec->count] = pair;
    spec->value[spec->count++] = equals + 1;
    return OSC_OK;
}

osc_status osc_spec_parse(osc_spec *spec, const char *text)
{
    *spec = (osc_spec){ .count = 0 };
    size_t length = strlen(text);
    if (length >= sizeof spec->text)
        return osc_fail(OSC_EINVAL, "option string of %zu bytes is too long", length);
    memcpy(spec->text, text, length + 1);
    spec->name = spec->text;
    char *rest = strchr(spec->text, ':');
    if (rest != NULL)
        *rest++ = '\0';
    if (spec->name[0] == '\0')
        return osc_fail(OSC_EINVAL, "option string '%s' has no name", text);
    while (rest != NULL) {
        char *pair = rest;
        rest = strchr(pair, ',');
        if (rest != NULL)
            *rest++ = '\0';
        OSC_TRY(add_pair(spec, pair));
    }
    return OSC_OK;
}

const char *osc_spec_get(const osc_spec *spec, const char *key)
{
    for (size_t i = 0; i < spec->count; i++)
        if (strcmp(spec->key[i], key) == 0)
            return spec->value[i];
    return NULL;
}

osc_status osc_spec_only(const osc_spec *spec, const char *const *keys, size_t count)
{
    for (size_t i = 0; i < spec->count; i++) {
        size_t j = 0;
        while (j < count && strcmp(spec->key[i], keys[j]) != 0)
            j++;
        if (j < count)
            continue;
        const char *near = osc_nearest(spec->key[i], keys, count);
        return osc_fail(OSC_EINVAL, "'%s' has no option '%s'%s%s%s", spec->name, spec->key[i],
                        near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
    }
    return OSC_OK;
}

osc_status osc_parse_size(size_t *out, const char *what, const char *text,
                          size_t lowest, size_t highest)
{
    char *end = NULL;
    errno = 0;
    unsigned long long value = isdigit((unsigned char)text[0]) ? strtoull(text, &end, 10) : 0;
    if (end == NULL || *end != '\0' || errno != 0 || value < lowest || value > highest)
        return osc_fail(OSC_EINVAL, "%s: '%s' is not a whole number from %zu to %zu",
                        what, text, lowest, highest);
    *out = (size_t)value;
    return OSC_OK;
}

osc_status osc_parse_double(double *out, const char *what, const char *text,
                            double lowest, double highest)
{
    char *end = NULL;
    double value = strtod(text, &end);
    if (end == text || *end != '\0' || isspace((unsigned char)text[0])
        || !(value >= lowest && value <= highest))
        return osc_fail(OSC_EINVAL, "%s: '%s' is not a number from %g to %g",
                        what, text, lowest, highest);
    *out = value;
    return OSC_OK;
}

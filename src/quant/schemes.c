#include <config.h>
#include "quant/scheme.h"

#include <string.h>

#include "base/suggest.h"

/* One line per scheme; the first is the default. */
#define SCHEMES(X) \
    X(none) \
    X(absmax) X(zeropoint) X(absmax_row) X(absmax_vector) X(zeropoint_vector) \
    X(absmax_row_decomp) X(llm_int8) X(llm_int8_zeropoint) \
    X(q8_0)

#define DECLARE(scheme) extern const osc_scheme osc_scheme_##scheme;
#define ENTRY(scheme)   &osc_scheme_##scheme,

SCHEMES(DECLARE)
const osc_scheme *const osc_schemes[] = { SCHEMES(ENTRY) NULL };

enum { SCHEMES_MOST = 32 };

static osc_status unknown_scheme(const char *name)
{
    const char *names[SCHEMES_MOST];
    size_t count = 0;
    while (osc_schemes[count] != NULL && count < SCHEMES_MOST) {
        names[count] = osc_schemes[count]->name;
        count++;
    }
    const char *near = osc_nearest(name, names, count);
    return osc_fail(OSC_EINVAL, "no scheme '%s'%s%s%s", name,
                    near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
}

osc_status osc_scheme_parse(osc_scheme_choice *choice, const char *text)
{
    osc_spec spec;
    if (text == NULL)
        text = osc_schemes[0]->name;
    OSC_TRY(osc_spec_parse(&spec, text));
    for (size_t i = 0; osc_schemes[i] != NULL; i++) {
        if (strcmp(spec.name, osc_schemes[i]->name) != 0)
            continue;
        osc_scheme_choice made = { .scheme = osc_schemes[i] };
        size_t length = strlen(text);
        if (length >= sizeof made.text)
            return osc_fail(OSC_EINVAL, "scheme '%s' has too long options", spec.name);
        memcpy(made.text, text, length + 1);
        OSC_TRY(osc_schemes[i]->configure(&made, &spec));
        *choice = made;
        return OSC_OK;
    }
    return unknown_scheme(spec.name);
}

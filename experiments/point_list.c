#include <config.h>
#include "experiments/point_list.h"

#include <string.h>

osc_status point_list_parse(unsigned *bits, const char *option, const char *text)
{
    unsigned found = 0;
    if (strcmp(text, "none") == 0)
        text = "";
    while (*text != '\0') {
        size_t length = strcspn(text, ",");
        char name[64];
        if (length >= sizeof name)
            return osc_fail(OSC_EINVAL, "--%s: a name of %zu bytes is too long", option, length);
        memcpy(name, text, length);
        name[length] = '\0';
        osc_point point;
        if (osc_point_parse(&point, name) != OSC_OK)
            return osc_fail(OSC_EINVAL, "--%s: %s", option, osc_error());
        found |= 1u << point;
        text += length + (text[length] == ',');
    }
    *bits = found;
    return OSC_OK;
}

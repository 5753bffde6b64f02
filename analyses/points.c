#include <config.h>
#include "analyses/options.h"

#include <stdio.h>
#include <string.h>

const char *option_points_text(char *text, size_t size, unsigned points)
{
    size_t used = 0;
    text[0] = '\0';
    for (unsigned p = 0; p < OSC_POINT_COUNT; p++)
        if ((points >> p & 1u) != 0 && used < size)
            used += (size_t)snprintf(text + used, size - used, "%s%s", used > 0 ? ", " : "",
                                     osc_point_name((osc_point)p));
    return text;
}

static osc_status add_point(unsigned *track, const char *name, unsigned tracked)
{
    osc_point point;
    OSC_TRY(osc_point_parse(&point, name));
    if ((tracked >> point & 1u) == 0) {
        char list[256];
        return osc_fail(OSC_EINVAL, "--track: the record did not track %s (it tracked %s)", name,
                        option_points_text(list, sizeof list, tracked));
    }
    *track |= 1u << point;
    return OSC_OK;
}

osc_status option_track(unsigned *track, const char *text, unsigned tracked)
{
    unsigned bits = text == NULL ? tracked : 0;
    while (text != NULL) {
        char name[64];
        size_t length = strcspn(text, ",");
        if (length >= sizeof name)
            return osc_fail(OSC_EINVAL, "--track: '%s' is no list of hook points", text);
        memcpy(name, text, length);
        name[length] = '\0';
        OSC_TRY(add_point(&bits, name, tracked));
        text = text[length] == ',' ? text + length + 1 : NULL;
    }
    *track = bits;
    return OSC_OK;
}

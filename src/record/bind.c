/* Binds a recorder to the hooks of a run. */
#include <config.h>
#include "record/recorder_state.h"

#include <stdio.h>

osc_status osc_recorder_bind(osc_recorder *recorder, osc_hooks *hooks)
{
    for (unsigned p = 0; p < OSC_POINT_COUNT; p++) {
        if (!(recorder->layout.raw >> p & 1u))
            continue;
        char pattern[64];
        snprintf(pattern, sizeof pattern, "blocks.*.%s", osc_point_name((osc_point)p));
        OSC_TRY(osc_hooks_add(hooks, pattern, OSC_READ, osc_raw_hook, recorder));
    }
    return osc_hooks_observe(hooks, recorder->observer);
}

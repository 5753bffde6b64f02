/* Work that is the same again but for a few arguments goes to the device in one piece,
 * where the backend keeps graphs. */
#include <config.h>
#include "engine/session_state.h"

static bool suits(const osc_session *s, const osc_hooks *hooks)
{
    return s->backend->graph_begin != NULL && s->resident != NULL && hooks == NULL;
}

static osc_status keep(osc_session *s, osc_graph **graph, osc_session_work work)
{
    OSC_TRY(s->backend->graph_begin(s->device));
    osc_status status = work(s);
    osc_status ended = s->backend->graph_end(s->device, graph, status == OSC_OK);
    return status != OSC_OK ? status : ended;
}

/* What is made at its first use is made outside of a graph: the first time is a plain one. */
osc_status osc_session_repeat(osc_session *s, osc_repeated *repeated, const osc_hooks *hooks,
                              osc_session_work work)
{
    if (!suits(s, hooks))
        return work(s);
    if (!repeated->seen) {
        OSC_TRY(work(s));
        repeated->seen = true;
        return OSC_OK;
    }
    OSC_TRY(keep(s, &repeated->graph, work));
    return s->backend->graph_run(s->device, repeated->graph);
}

/* Steps of one id behind a cache, as graphs of the backend: the graph of the next step is
 * made while the device does this one, which hides what making it costs. */
#include <config.h>
#include "engine/session_state.h"

bool osc_session_has_graphs(const osc_session *s, const osc_hooks *hooks)
{
    return s->backend->graph_begin != NULL && s->resident != NULL && hooks == NULL;
}

static osc_status make_ready(osc_session *s, size_t position, osc_session_work step)
{
    int32_t *ids = s->backend->graph_ids(s->device);
    s->step.ready = SIZE_MAX;
    OSC_TRY(s->backend->graph_begin(s->device));
    osc_status status = step(s, position, ids, 1, NULL);
    osc_status ended = s->backend->graph_end(s->device, &s->step.graph, status == OSC_OK);
    OSC_TRY(status);
    OSC_TRY(ended);
    s->step.ready = position;
    return OSC_OK;
}

/* What is made at its first use is made outside of a graph: the first step is a plain one. */
osc_status osc_session_step(osc_session *s, size_t position, int32_t id, osc_session_work step)
{
    if (!s->step.seen) {
        OSC_TRY(step(s, position, &id, 1, NULL));
        s->step.seen = true;
        s->step.ready = SIZE_MAX;
        return OSC_OK;
    }
    if (s->step.ready != position)
        OSC_TRY(make_ready(s, position, step));
    s->backend->graph_ids(s->device)[0] = id;
    OSC_TRY(s->backend->graph_run(s->device, s->step.graph));
    return position + 1 < s->longest ? make_ready(s, position + 1, step) : OSC_OK;
}

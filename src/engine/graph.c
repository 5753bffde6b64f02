/* Work that is the same again and again, as graphs of the backend.  They are made while the
 * device works, which hides what making them costs: of the next step of one id behind a cache
 * during this one; of whole chunks, from embedding to scores, once some of one shape came in a
 * row.  What is made at its first use is made outside of a graph: the first step, and the first
 * chunks of a shape, are plain ones. */
#include <config.h>
#include "engine/session_state.h"

#include "base/alloc.h"

bool osc_session_has_graphs(const osc_session *s, const osc_hooks *hooks)
{
    return s->backend->graph_begin != NULL && s->resident != NULL && hooks == NULL;
}

void osc_session_free_graphs(osc_session *s)
{
    if (s->step.graph != NULL)
        s->backend->graph_free(s->device, s->step.graph);
    if (s->whole.graph != NULL)
        s->backend->graph_free(s->device, s->whole.graph);
    osc_free(s->whole.last);
    osc_free(s->whole.shape);
}

/* --- steps ---------------------------------------------------------------------------- */

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

/* --- chunks --------------------------------------------------------------------------- */

enum {
    ENOUGH = 3,           /* a graph is made as long as two chunks are issued, or three: so many are
                             waited for to see that others follow */
    MOST_PASSES = 4096    /* of a sequence through a block, each some 15 operations that a graph
                             keeps in memory */
};

static void note_shape(size_t *shape, const osc_corpus *corpus, size_t first, size_t count)
{
    shape[0] = count;
    for (size_t i = 1; i <= count; i++)
        shape[i] = corpus->offset[first + i] - corpus->offset[first];
}

static bool has_shape(const size_t *shape, const osc_corpus *corpus, size_t first, size_t count)
{
    bool same = shape[0] == count;
    for (size_t i = 1; same && i <= count; i++)
        same = shape[i] == corpus->offset[first + i] - corpus->offset[first];
    return same;
}

static osc_status own_shapes(osc_chunk_graph *g, size_t chunk)
{
    if (g->last == NULL)
        g->last = osc_alloc(1 + chunk, sizeof *g->last);
    if (g->shape == NULL)
        g->shape = osc_alloc(1 + chunk, sizeof *g->shape);
    return g->last == NULL || g->shape == NULL ? OSC_ENOMEM : OSC_OK;
}

static osc_status make_whole(osc_session *s, const osc_corpus *corpus, size_t first,
                             size_t count, osc_chunk_work work)
{
    osc_chunk_graph *g = &s->whole;
    g->shape[0] = 0;
    g->in_a_row = 0;
    OSC_TRY(s->backend->graph_begin(s->device));
    g->making = true;
    osc_status status = work(s, corpus, first, count);
    g->making = false;
    s->pass.ids_there = NULL;
    osc_status ended = s->backend->graph_end(s->device, &g->graph, status == OSC_OK);
    OSC_TRY(status);
    OSC_TRY(ended);
    note_shape(g->shape, corpus, first, count);
    return OSC_OK;
}

osc_status osc_session_run_whole(osc_session *s, const osc_corpus *corpus, size_t first,
                                 size_t count, osc_chunk_work work)
{
    osc_chunk_graph *g = &s->whole;
    size_t rows = corpus->offset[first + count] - corpus->offset[first];
    if (count > MOST_PASSES / s->config->layers)
        return work(s, corpus, first, count);
    OSC_TRY(own_shapes(g, s->chunk));
    if (has_shape(g->shape, corpus, first, count)) {
        g->in_a_row = 0;
        OSC_TRY(s->backend->put(s->device, g->ids, corpus->ids + corpus->offset[first],
                                rows * sizeof *g->ids));
        return s->backend->graph_run(s->device, g->graph);
    }
    g->in_a_row = 1 + (has_shape(g->last, corpus, first, count) ? g->in_a_row : 0);
    note_shape(g->last, corpus, first, count);
    OSC_TRY(work(s, corpus, first, count));
    return g->in_a_row == ENOUGH ? make_whole(s, corpus, first, count, work) : OSC_OK;
}

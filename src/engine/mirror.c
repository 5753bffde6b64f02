/* Where a backend adds up what an observer keeps: the observer's own accumulators if
 * they are in memory it can reach, else copies there, which start every run from the
 * observer's values, so that sums do not depend on how a corpus is cut into runs. */
#include <config.h>
#include "engine/session_state.h"

#include "base/alloc.h"
#include "engine/observer.h"

static osc_status own_stats(osc_session *s, osc_point point, size_t width)
{
    size_t layers = s->config->layers;
    void *block;
    if (s->mirror.stats[point] == NULL)
        s->mirror.stats[point] = osc_alloc(layers, sizeof *s->mirror.stats[point]);
    if (s->mirror.stats[point] == NULL)
        return OSC_ENOMEM;
    OSC_TRY(osc_session_own(s, &block, osc_column_stats_bytes(layers, width), 1,
                            &s->buffer_bytes));
    osc_column_stats_lay_out(s->mirror.stats[point], block, layers, width);
    return OSC_OK;
}

static osc_status bring_stats(osc_session *s, const osc_column_stats *own, osc_point point)
{
    osc_column_stats **mirror = &s->mirror.stats[point];
    if (*mirror == NULL || (*mirror)->sum == NULL)
        OSC_TRY(own_stats(s, point, own->width));
    s->pass.stats[point] = *mirror;
    return s->backend->put(s->device, (*mirror)->sum, own->sum,
                           osc_column_stats_bytes(s->config->layers, own->width));
}

static osc_status bring_mass(osc_session *s, double **there, double **mirror, const double *own)
{
    size_t count = s->config->layers * s->config->heads;
    void *memory;
    if (own == NULL)
        return OSC_OK;
    if (*mirror == NULL) {
        OSC_TRY(osc_session_own(s, &memory, count, sizeof *own, &s->buffer_bytes));
        *mirror = memory;
    }
    *there = *mirror;
    return s->backend->put(s->device, *mirror, own, count * sizeof *own);
}

osc_status osc_session_bring_observer(osc_session *s, const osc_hooks *hooks)
{
    osc_observer *observer = osc_hooks_observer(hooks);
    osc_pass *pass = &s->pass;
    for (size_t p = 0; p < OSC_POINT_COUNT; p++)
        pass->stats[p] = NULL;
    pass->top1 = pass->top1_without = NULL;
    if (observer == NULL)
        return OSC_OK;
    osc_top1_stats *top1 = osc_observer_top1(observer);
    for (size_t p = 0; p < OSC_POINT_COUNT; p++) {
        osc_column_stats *own = osc_observer_stats(observer, (osc_point)p, 0);
        if (s->backend->host)
            pass->stats[p] = own;
        else if (own != NULL)
            OSC_TRY(bring_stats(s, own, (osc_point)p));
    }
    if (top1 == NULL)
        return OSC_OK;
    pass->top1 = top1->mass;
    pass->top1_without = top1->without;
    if (s->backend->host)
        return OSC_OK;
    OSC_TRY(bring_mass(s, &pass->top1, &s->mirror.top1, top1->mass));
    return bring_mass(s, &pass->top1_without, &s->mirror.top1_without, top1->without);
}

osc_status osc_session_return_observer(osc_session *s, const osc_hooks *hooks)
{
    osc_observer *observer = osc_hooks_observer(hooks);
    size_t masses = s->config->layers * s->config->heads * sizeof(double);
    if (observer == NULL || s->backend->host)
        return OSC_OK;
    osc_top1_stats *top1 = osc_observer_top1(observer);
    for (size_t p = 0; p < OSC_POINT_COUNT; p++) {
        osc_column_stats *own = osc_observer_stats(observer, (osc_point)p, 0);
        if (own != NULL)
            OSC_TRY(s->backend->get(s->device, own->sum, s->pass.stats[p]->sum,
                                    osc_column_stats_bytes(s->config->layers, own->width)));
    }
    if (s->pass.top1 != NULL)
        OSC_TRY(s->backend->get(s->device, top1->mass, s->pass.top1, masses));
    if (s->pass.top1_without != NULL)
        OSC_TRY(s->backend->get(s->device, top1->without, s->pass.top1_without, masses));
    return OSC_OK;
}

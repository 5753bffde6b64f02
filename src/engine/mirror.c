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

static osc_status own_residual(osc_session *s, size_t width)
{
    size_t states = s->config->layers + 1;
    osc_residual_stats *all = s->mirror.residual;
    void *sumsq, *massive;
    if (all == NULL)
        all = s->mirror.residual = osc_alloc(states, sizeof *all);
    if (all == NULL)
        return OSC_ENOMEM;
    OSC_TRY(osc_session_own(s, &sumsq, states * width, sizeof *all->sumsq, &s->buffer_bytes));
    OSC_TRY(osc_session_own(s, &massive, states * width, sizeof *all->massive,
                            &s->buffer_bytes));
    for (size_t i = 0; i < states; i++)
        all[i] = (osc_residual_stats){ .width = width, .sumsq = (double *)sumsq + i * width,
                                       .massive = (uint64_t *)massive + i * width };
    return OSC_OK;
}

/* Elements of one array of the residual stream's accumulators. */
static size_t residual_cells(const osc_session *s, const osc_residual_stats *own)
{
    return (s->config->layers + 1) * own->width;
}

static osc_status bring_residual(osc_session *s, const osc_residual_stats *own)
{
    if (s->mirror.residual == NULL || s->mirror.residual->sumsq == NULL)
        OSC_TRY(own_residual(s, own->width));
    s->pass.residual = s->mirror.residual;
    OSC_TRY(s->backend->put(s->device, s->pass.residual->sumsq, own->sumsq,
                            residual_cells(s, own) * sizeof *own->sumsq));
    return s->backend->put(s->device, s->pass.residual->massive, own->massive,
                           residual_cells(s, own) * sizeof *own->massive);
}

/* Doubles of one attention's mass. */
static size_t cells(const osc_session *s)
{
    return s->config->layers * s->config->heads;
}

/* Observers of one session may differ in how many sets of features they leave out. */
static osc_status bring_mass(osc_session *s, double **there, osc_mirrored_mass *mirror,
                             const double *own, size_t count)
{
    void *memory;
    if (own == NULL)
        return OSC_OK;
    if (mirror->room < count) {
        OSC_TRY(osc_session_own(s, &memory, count, sizeof *own, &s->buffer_bytes));
        *mirror = (osc_mirrored_mass){ .mass = memory, .room = count };
    }
    *there = mirror->mass;
    return s->backend->put(s->device, mirror->mass, own, count * sizeof *own);
}

osc_status osc_session_bring_observer(osc_session *s, const osc_hooks *hooks)
{
    osc_observer *observer = osc_hooks_observer(hooks);
    osc_pass *pass = &s->pass;
    for (size_t p = 0; p < OSC_POINT_COUNT; p++)
        pass->stats[p] = NULL;
    pass->top1 = pass->top1_without = NULL;
    pass->residual = NULL;
    if (observer == NULL)
        return OSC_OK;
    osc_residual_stats *residual = osc_observer_residual(observer, 0);
    if (s->backend->host)
        pass->residual = residual;
    else if (residual != NULL)
        OSC_TRY(bring_residual(s, residual));
    osc_top1_stats *top1 = osc_observer_top1(observer);
    size_t sets = osc_observer_get_options(observer)->without_sets;
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
    OSC_TRY(bring_mass(s, &pass->top1, &s->mirror.top1, top1->mass, cells(s)));
    return bring_mass(s, &pass->top1_without, &s->mirror.top1_without, top1->without,
                      sets * cells(s));
}

/* Elements [from, to) of an array that is `there` on the device. */
static osc_status get_part(const osc_session *s, void *own, const void *there, size_t size,
                           size_t from, size_t to)
{
    return s->backend->get_stats(s->device, (char *)own + from * size,
                                 (const char *)there + from * size, (to - from) * size);
}

/* Of the blocks of this device. */
static osc_status return_stats(const osc_session *s, osc_column_stats *own,
                               const osc_column_stats *there)
{
    size_t from = s->begin * own->width, to = s->end * own->width;
    if (s->before == NULL && s->next == NULL)
        return s->backend->get_stats(s->device, own->sum, there->sum,
                                     osc_column_stats_bytes(s->config->layers, own->width));
    OSC_TRY(get_part(s, own->min, there->min, sizeof *own->min, from, to));
    OSC_TRY(get_part(s, own->max, there->max, sizeof *own->max, from, to));
    OSC_TRY(get_part(s, own->sum, there->sum, sizeof *own->sum, from, to));
    OSC_TRY(get_part(s, own->sumsq, there->sumsq, sizeof *own->sumsq, from, to));
    OSC_TRY(get_part(s, own->sum4, there->sum4, sizeof *own->sum4, from, to));
    OSC_TRY(get_part(s, own->count_ge, there->count_ge, sizeof *own->count_ge, from, to));
    return get_part(s, own->histogram, there->histogram, sizeof *own->histogram,
                    s->begin * OSC_HISTOGRAM_BINS, s->end * OSC_HISTOGRAM_BINS);
}

/* The mass is added to by attention itself. */
static osc_status return_mass(const osc_session *s, double *own, const double *there, size_t sets)
{
    size_t heads = s->config->heads, from = s->begin * heads, count = s->end * heads - from;
    for (size_t set = 0; own != NULL && set < sets; set++) {
        size_t at = set * cells(s) + from;
        OSC_TRY(s->backend->get(s->device, own + at, there + at, count * sizeof *own));
    }
    return OSC_OK;
}

/* The first state is the first block's input; of the others each is a block's output. */
static osc_status return_residual(const osc_session *s, osc_residual_stats *own)
{
    size_t from = (s->begin == 0 ? 0 : s->begin + 1) * own->width;
    size_t to = (s->end + 1) * own->width;
    OSC_TRY(get_part(s, own->sumsq, s->pass.residual->sumsq, sizeof *own->sumsq, from, to));
    return get_part(s, own->massive, s->pass.residual->massive, sizeof *own->massive, from, to);
}

osc_status osc_session_return_observer(osc_session *s, const osc_hooks *hooks)
{
    osc_observer *observer = osc_hooks_observer(hooks);
    if (observer == NULL || s->backend->host)
        return OSC_OK;
    osc_top1_stats *top1 = osc_observer_top1(observer);
    if (s->pass.residual != NULL)
        OSC_TRY(return_residual(s, osc_observer_residual(observer, 0)));
    for (size_t p = 0; p < OSC_POINT_COUNT; p++) {
        osc_column_stats *own = osc_observer_stats(observer, (osc_point)p, 0);
        if (own != NULL)
            OSC_TRY(return_stats(s, own, s->pass.stats[p]));
    }
    if (top1 == NULL)
        return OSC_OK;
    OSC_TRY(return_mass(s, top1->mass, s->pass.top1, 1));
    return return_mass(s, top1->without, s->pass.top1_without,
                       osc_observer_get_options(observer)->without_sets);
}

#include <config.h>
#include "experiments/nonfinite.h"

#include <math.h>
#include <stdio.h>

#include "cli/cli.h"

typedef struct {
    osc_point point;
    int       layer;
    size_t    position, feature;
    float     value;
} place;

/* Scores that are masked are -inf. */
static osc_status look(const osc_event *event, void *user)
{
    place *at = user;
    if (event->point == OSC_AT_SCORES)
        return OSC_OK;
    for (size_t i = 0; i < event->rows * event->width; i++) {
        if (isfinite(event->data[i]))
            continue;
        *at = (place){ event->point, event->layer, i / event->width, i % event->width,
                       event->data[i] };
        return OSC_STOP;
    }
    return OSC_OK;
}

/* OSC_STOP: found. */
static osc_status find(place *at, osc_session *session, const osc_corpus *corpus, size_t sequence,
                       size_t layers)
{
    osc_hooks *hooks;
    OSC_TRY(osc_hooks_create(&hooks, layers));
    osc_status status = osc_hooks_add(hooks, "*", OSC_READ, look, at);
    if (status == OSC_OK)
        status = osc_session_run(session, corpus, sequence, 1, hooks, NULL);
    osc_hooks_free(hooks);
    return status;
}

static void tell(const place *at, size_t sequence, const char *scheme)
{
    char block[32] = "";
    if (at->layer >= 0)
        snprintf(block, sizeof block, "blocks.%d.", at->layer);
    cli_progress_end();
    fprintf(stderr, "outlierscope: warning: scheme %s: %s%s is %g at position %zu of sequence %zu, "
            "feature %zu: the first value that is not finite\n", scheme, block,
            osc_point_name(at->point), (double)at->value, at->position, sequence, at->feature);
}

osc_status nonfinite_tell(osc_session *session, const osc_corpus *corpus, size_t first,
                          size_t count, const double *nll, size_t layers)
{
    static bool told;
    size_t base = corpus->offset[first], sequence = first;
    for (; sequence < first + count && !told; sequence++) {
        bool finite = true;
        for (size_t t = corpus->offset[sequence]; t < corpus->offset[sequence + 1]; t++)
            finite = finite && isfinite(nll[t - base]);
        if (finite)
            continue;
        place at;
        osc_status status = find(&at, session, corpus, sequence, layers);
        if (status == OSC_STOP)
            tell(&at, sequence, osc_session_scheme(session));
        told = true;
        return status == OSC_STOP ? OSC_OK : status;
    }
    return OSC_OK;
}

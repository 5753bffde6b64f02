/* Models on several devices: a chain of sessions, each with a part of the blocks on its
 * device.  Sequences go through the chain in waves, so that all devices work at the same
 * time; in every block they come in their order, so that results are those of one device (to
 * the bit, but where a backend's products depend on how many sequences share them). */
#include <config.h>
#include "engine/session_state.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { WAVE_TOKENS = 2048 };    /* enough for a device to work well */

osc_status osc_session_parse_devices(size_t device[OSC_DEVICES], size_t *count,
                                     const char *text)
{
    const char *at = text != NULL ? text : "0";
    for (*count = 0; at != NULL; at = strchr(at, ',')) {
        char *end = NULL;
        at += *count > 0;
        unsigned long number = *at >= '0' && *at <= '9' ? strtoul(at, &end, 10) : ULONG_MAX;
        if (*count == OSC_DEVICES || number > INT32_MAX || (*end != ',' && *end != '\0'))
            return osc_fail(OSC_EINVAL, "devices '%s': expected numbers, %d at most, as in 0,1",
                            text, OSC_DEVICES);
        device[(*count)++] = number;
    }
    return OSC_OK;
}

osc_status osc_session_check_devices(const char *text)
{
    size_t device[OSC_DEVICES], count;
    return osc_session_parse_devices(device, &count, text);
}

osc_session *osc_session_last(osc_session *s)
{
    while (s->next != NULL)
        s = s->next;
    return s;
}

osc_status osc_session_select(const osc_session *s)
{
    return s->before == NULL && s->next == NULL ? OSC_OK : s->backend->select(s->device);
}

osc_status osc_session_report_before(const osc_session *s)
{
    if (s->before == NULL)
        return OSC_OK;
    OSC_TRY(osc_session_select(s->before));
    OSC_TRY(s->backend->settle(s->before->device, true));
    return osc_session_select(s);
}

/* Sequences that go through a device together.  Where blocks do not stay, the whole chunk:
 * their weights are brought once. */
static size_t wave_of(const osc_session *s, size_t count)
{
    size_t wave = WAVE_TOKENS / s->longest;
    if (s->next == NULL)
        return count;
    for (const osc_session *t = s; t != NULL; t = t->next)
        if (t->resident == NULL)
            return count;
    return wave > 0 ? wave : 1;
}

/* The residual stream of the wave, from the device before. */
static osc_status receive(osc_session *s, const osc_corpus *corpus, size_t first, size_t from,
                          size_t to)
{
    size_t row = s->config->hidden * osc_dtype_size(s->backend->dtype);
    size_t begin = corpus->offset[first + from] - corpus->offset[first];
    size_t end = corpus->offset[first + to] - corpus->offset[first];
    return s->backend->hand_over(s->device, (char *)s->resid + begin * row, s->before->device,
                                 (const char *)s->before->resid + begin * row,
                                 (end - begin) * row);
}

/* No device overwrites what the next still has to fetch. */
static osc_status wait_for_next(const osc_session *s)
{
    for (; s->next != NULL; s = s->next)
        OSC_TRY(s->backend->hand_over(s->device, NULL, s->next->device, NULL, 0));
    return OSC_OK;
}

osc_status osc_session_run_stages(osc_session *s, const osc_corpus *corpus, size_t first,
                                  size_t count)
{
    size_t wave = wave_of(s, count);
    OSC_TRY(wait_for_next(s));
    for (size_t from = 0; from < count; from += wave) {
        size_t to = count - from < wave ? count : from + wave;
        for (osc_session *t = s; t != NULL; t = t->next) {
            OSC_TRY(osc_session_select(t));
            if (t->before != NULL)
                OSC_TRY(receive(t, corpus, first, from, to));
            OSC_TRY(osc_session_run_part(t, corpus, first, count, from, to));
        }
    }
    return OSC_OK;
}

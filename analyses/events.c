#include <config.h>
#include "analyses/events.h"

#include <stdlib.h>

#include "analyses/stats.h"

/* The reader checks types and shapes; what an event refers to is checked here. */
static osc_status check_event(const osc_record_event *e, size_t layers, size_t width)
{
    if (e->layer >= 0 && (size_t)e->layer < layers && e->feature >= 0 && (size_t)e->feature < width
        && e->position >= 0 && e->point >= 0 && e->point < OSC_POINT_COUNT)
        return OSC_OK;
    return osc_fail(OSC_EFORMAT, "/outliers has an event outside the model: block %d, position %d, "
                    "feature %d, point %d", (int)e->layer, (int)e->position, (int)e->feature,
                    (int)e->point);
}

/* --- quartiles: count the events of each feature, then collect them ----------------- */

typedef struct {
    unsigned  track;
    size_t    layers, width;
    size_t   *slot;      /* [width] index in the list plus 1; 0: not wanted */
    size_t   *start;     /* [list->count + 1] where a feature's values begin */
    size_t   *filled;    /* [list->count] */
    float    *value;     /* NULL while counting */
} collector;

static osc_status collect(void *user, const osc_record_event *events, size_t count)
{
    collector *c = user;
    for (size_t i = 0; i < count; i++) {
        const osc_record_event *e = &events[i];
        OSC_TRY(check_event(e, c->layers, c->width));
        size_t slot = c->slot[e->feature];
        if (slot == 0 || (c->track >> e->point & 1u) == 0)
            continue;
        size_t at = c->start[slot - 1] + c->filled[slot - 1]++;
        if (c->value != NULL && at < c->start[slot])   /* else the file changed meanwhile */
            c->value[at] = e->value;
    }
    return OSC_OK;
}

static osc_status collect_all(collector *c, feature_list *list, osc_record *record)
{
    OSC_TRY(osc_record_events(record, collect, c));
    for (size_t i = 0; i < list->count; i++) {
        c->start[i + 1] = c->start[i] + c->filled[i];
        c->filled[i] = 0;
    }
    c->value = osc_alloc(c->start[list->count], sizeof *c->value);
    if (c->value == NULL)
        return OSC_ENOMEM;
    OSC_TRY(osc_record_events(record, collect, c));
    for (size_t i = 0; i < list->count; i++)
        stats_quartiles(list->row[i].quartiles, c->value + c->start[i], c->filled[i]);
    return OSC_OK;
}

osc_status events_quartiles(feature_list *list, osc_record *record, unsigned track)
{
    const osc_record_info *info = osc_record_get_info(record);
    collector c = { .track = track, .layers = info->layers, .width = info->hidden };
    osc_status status = OSC_ENOMEM;
    c.slot = osc_alloc(c.width, sizeof *c.slot);
    c.start = osc_alloc(list->count + 1, sizeof *c.start);
    c.filled = osc_alloc(list->count, sizeof *c.filled);
    if (c.slot != NULL && c.start != NULL && c.filled != NULL) {
        for (size_t i = 0; i < list->count; i++)
            c.slot[list->row[i].feature] = i + 1;
        status = collect_all(&c, list, record);
    }
    osc_free(c.slot);
    osc_free(c.start);
    osc_free(c.filled);
    osc_free(c.value);
    return status;
}

/* --- union over the tensors of a block ---------------------------------------------- */

static int compare_keys(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* Counts each (position, feature) of the group once. */
static void count_group(events_union *counter)
{
    if (counter->keys == 0)
        return;
    qsort(counter->key, counter->keys, sizeof *counter->key, compare_keys);
    uint64_t *count = counter->count + (size_t)counter->layer * counter->width;
    for (size_t i = 0; i < counter->keys; i++)
        if (i == 0 || counter->key[i] != counter->key[i - 1])
            count[counter->key[i] & 0xffffffff]++;
    counter->keys = 0;
}

osc_status events_union_add(void *user, const osc_record_event *events, size_t count)
{
    events_union *counter = user;
    for (size_t i = 0; i < count; i++) {
        const osc_record_event *e = &events[i];
        OSC_TRY(check_event(e, counter->layers, counter->width));
        if ((counter->track >> e->point & 1u) == 0)
            continue;
        if (e->layer != counter->layer || e->sequence != counter->sequence) {
            count_group(counter);
            counter->layer = e->layer;
            counter->sequence = e->sequence;
        }
        uint64_t *grown = osc_grow(counter->key, &counter->capacity, counter->keys + 1,
                                   sizeof *grown);
        if (grown == NULL)
            return OSC_ENOMEM;
        counter->key = grown;
        counter->key[counter->keys++] = (uint64_t)e->position << 32 | (uint32_t)e->feature;
    }
    return OSC_OK;
}

void events_union_finish(events_union *counter)
{
    count_group(counter);
    osc_free(counter->key);
    counter->key = NULL;
    counter->capacity = 0;
}

#include <config.h>
#include "record/counter.h"

#include <string.h>

#include "base/alloc.h"

osc_status osc_counter_create(osc_hit_counter *counter, const osc_record_layout *layout,
                              uint64_t room)
{
    *counter = (osc_hit_counter){ .hidden = layout->hidden, .length = layout->length,
                                  .track = layout->track, .room = room };
    size_t cells;
    if (__builtin_mul_overflow(layout->hidden, layout->length, &cells) || cells > UINT32_MAX)
        return osc_fail(OSC_EINVAL, "sequences of %zu positions of width %zu are too large to "
                        "count positions in", layout->length, layout->hidden);
    unsigned subsets = 1u << __builtin_popcount(layout->track);
    for (unsigned s = 1; s < subsets; s++) {
        counter->any[s] = osc_alloc(layout->hidden, sizeof(uint64_t));
        counter->pairs[s] = osc_alloc(layout->hidden, sizeof(uint64_t));
        if (counter->any[s] == NULL || counter->pairs[s] == NULL)
            return OSC_ENOMEM;
    }
    return OSC_OK;
}

void osc_counter_free(osc_hit_counter *counter)
{
    for (size_t i = 0; i < counter->slots; i++) {
        osc_free(counter->slot[i].events.event);
        osc_free(counter->slot[i].mask);
        osc_free(counter->slot[i].seen.cell);
        osc_free(counter->slot[i].marked.cell);
    }
    osc_free(counter->slot);
    for (size_t s = 0; s < OSC_RECORD_SUBSETS; s++) {
        osc_free(counter->any[s]);
        osc_free(counter->pairs[s]);
    }
}

/* --- lists --------------------------------------------------------------------------- */

static osc_status push_cell(osc_cell_list *list, uint32_t cell)
{
    uint32_t *grown = osc_grow(list->cell, &list->room, list->count + 1, sizeof *grown);
    if (grown == NULL)
        return OSC_ENOMEM;
    list->cell = grown;
    list->cell[list->count++] = cell;
    return OSC_OK;
}

static osc_status append(osc_event_list *list, const osc_record_event *events, size_t count)
{
    osc_record_event *grown = osc_grow(list->event, &list->room, list->count + count,
                                       sizeof *grown);
    if (grown == NULL)
        return OSC_ENOMEM;
    list->event = grown;
    if (count > 0)
        memcpy(list->event + list->count, events, count * sizeof *events);
    list->count += count;
    return OSC_OK;
}

/* --- one sequence -------------------------------------------------------------------- */

/* Adds one to `counts[subset][feature]` of every subset that shares a point with `mask`. */
static void count_subsets(const osc_hit_counter *counter, uint64_t *const *counts,
                          unsigned mask, size_t feature)
{
    unsigned subsets = 1u << __builtin_popcount(counter->track);
    for (unsigned s = 1; s < subsets; s++)
        if (s & mask)
            counts[s][feature]++;
}

/* A block is over for this sequence: its marks become pairs. */
static osc_status end_block(osc_hit_counter *counter, osc_hit_slot *slot)
{
    for (size_t i = 0; i < slot->marked.count; i++) {
        uint32_t cell = slot->marked.cell[i];
        unsigned mask = slot->mask[cell] >> OSC_TRACK_MOST;
        unsigned before = slot->mask[cell] & ((1u << OSC_TRACK_MOST) - 1u);
        count_subsets(counter, counter->pairs, mask, cell % counter->hidden);
        if (before == 0)
            OSC_TRY(push_cell(&slot->seen, cell));
        slot->mask[cell] = (uint8_t)(before | mask);
    }
    slot->marked.count = 0;
    return OSC_OK;
}

static osc_status end_sequence(osc_hit_counter *counter, osc_hit_slot *slot)
{
    OSC_TRY(end_block(counter, slot));
    for (size_t i = 0; i < slot->seen.count; i++) {
        uint32_t cell = slot->seen.cell[i];
        count_subsets(counter, counter->any, slot->mask[cell], cell % counter->hidden);
        slot->mask[cell] = 0;
    }
    slot->seen.count = 0;
    return OSC_OK;
}

static osc_status get_slot(osc_hit_slot **slot, osc_hit_counter *counter, size_t index)
{
    osc_hit_slot *grown = osc_grow(counter->slot, &counter->slots, index + 1, sizeof *grown);
    if (grown == NULL)
        return OSC_ENOMEM;
    counter->slot = grown;
    if (grown[index].mask == NULL) {
        grown[index].mask = osc_alloc(counter->length * counter->hidden, 1);
        if (grown[index].mask == NULL)
            return OSC_ENOMEM;
    }
    *slot = &grown[index];
    return OSC_OK;
}

static osc_status check_hit(const osc_hit_counter *counter, const osc_hit *hit)
{
    if (hit->position < counter->length && hit->feature < counter->hidden)
        return OSC_OK;
    return osc_fail(OSC_EINVAL, "hit at position %u, feature %u, outside sequences of %zu "
                    "positions of width %zu", hit->position, hit->feature, counter->length,
                    counter->hidden);
}

osc_status osc_counter_add(osc_hit_counter *counter, osc_point point, size_t layer, size_t index,
                           const osc_hit *hits, size_t count)
{
    osc_hit_slot *slot;
    OSC_TRY(get_slot(&slot, counter, index));
    if (slot->layer != layer)
        OSC_TRY(end_block(counter, slot));
    slot->layer = layer;
    unsigned number = (unsigned)__builtin_popcount(counter->track & ((1u << point) - 1u));
    uint8_t bit = (uint8_t)(1u << (number + OSC_TRACK_MOST));
    for (size_t i = 0; i < count; i++) {
        OSC_TRY(check_hit(counter, &hits[i]));
        uint32_t cell = (uint32_t)(hits[i].position * counter->hidden + hits[i].feature);
        if (slot->mask[cell] >> OSC_TRACK_MOST == 0)
            OSC_TRY(push_cell(&slot->marked, cell));
        slot->mask[cell] |= bit;
        osc_record_event event = {
            .position = (int32_t)hits[i].position, .feature = (int32_t)hits[i].feature,
            .layer = (int16_t)layer, .point = (int8_t)point, .value = hits[i].value,
        };
        if (slot->hits++ < counter->room)
            OSC_TRY(append(&slot->events, &event, 1));
    }
    return OSC_OK;
}

/* --- the chunk -------------------------------------------------------------------------- */

osc_status osc_counter_end(osc_hit_counter *counter, size_t first, size_t count,
                           osc_event_list *events, uint64_t *dropped)
{
    for (size_t i = 0; i < counter->slots; i++) {
        osc_hit_slot *slot = &counter->slot[i];
        if (i >= count && slot->hits > 0)
            return osc_fail(OSC_EINVAL, "sequence %zu was observed, but only %zu were added after "
                            "number %zu", first + i, count, first);
        OSC_TRY(end_sequence(counter, slot));
        size_t kept = slot->events.count;
        if (kept > counter->room)
            kept = (size_t)counter->room;
        for (size_t e = 0; e < kept; e++)
            slot->events.event[e].sequence = (int32_t)(first + i);
        OSC_TRY(append(events, slot->events.event, kept));
        counter->room -= kept;
        *dropped += slot->hits - kept;
        slot->events.count = 0;
        slot->hits = 0;
    }
    return OSC_OK;
}

/* What is computed from a record's outlier events.  Memory is bounded by the number
 * of events, which the record's cap bounds. */
#ifndef ANALYSES_EVENTS_H
#define ANALYSES_EVENTS_H

#include "analyses/features.h"

/* Fills the quartiles of the signed events of every feature of `list`, over the
 * points of `track`. */
osc_status events_quartiles(feature_list *list, osc_record *record, unsigned track);

/* Counts, per block and feature, the positions at which some of several tensors of
 * the block has an event.  Wants the events of one sequence in one block together,
 * as records have them. */
typedef struct {
    size_t    layers, width;
    unsigned  track;              /* points that count */
    uint64_t *count;              /* [layers * width], given by the caller, zeroed */
    int32_t   sequence;           /* of the group being collected */
    int16_t   layer;
    uint64_t *key;                /* [keys] position and feature of its events */
    size_t    keys, capacity;
} events_union;

/* An osc_record_events callback (user: events_union *).  OSC_EFORMAT for an event
 * outside the model. */
osc_status events_union_add(void *user, const osc_record_event *events, size_t count);

/* Counts the last group and releases what the counter holds (not `count`). */
void events_union_finish(events_union *counter);

#endif

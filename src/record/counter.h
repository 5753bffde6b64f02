/* Counts where tracked features reach alpha, and buckets the hits of a chunk of
 * sequences, which arrive block by block, into the order of the record: sequence,
 * then layer, point, position, feature.
 *
 * Memory is bounded by a chunk: a byte per (position, feature) of its sequences,
 * and its hits. */
#ifndef OSC_RECORD_COUNTER_H
#define OSC_RECORD_COUNTER_H

#include "record/layout.h"

/* A list of events that grows. */
typedef struct {
    osc_record_event *event;
    size_t            count, room;
} osc_event_list;

typedef struct {
    uint32_t *cell;
    size_t    count, room;
} osc_cell_list;

/* What one sequence of the chunk has hit. */
typedef struct {
    osc_event_list events;    /* the first counter->room hits */
    uint64_t       hits;
    size_t         layer;     /* block that `marked` is about */
    uint8_t       *mask;      /* [length, hidden] low 4 bits: tracked points that reach alpha
                                 in some block, high 4 bits: in block `layer` */
    osc_cell_list  seen, marked;    /* cells of mask with low, with high bits */
} osc_hit_slot;

typedef struct {
    size_t        hidden, length;
    unsigned      track;
    uint64_t      room;                       /* events that the record still takes */
    uint64_t     *any[OSC_RECORD_SUBSETS];    /* [hidden], by subset of the tracked points */
    uint64_t     *pairs[OSC_RECORD_SUBSETS];
    osc_hit_slot *slot;
    size_t        slots;
} osc_hit_counter;

osc_status osc_counter_create(osc_hit_counter *counter, const osc_record_layout *layout,
                              uint64_t room);
void osc_counter_free(osc_hit_counter *counter);

/* Hits of the sequence number `index` of the chunk. */
osc_status osc_counter_add(osc_hit_counter *counter, osc_point point, size_t layer, size_t index,
                           const osc_hit *hits, size_t count);

/* The chunk of `count` sequences, the first being number `first` of the corpus, has
 * run: counts its positions, appends its events to `events` as far as there is
 * room, and adds to `dropped` how many were not kept. */
osc_status osc_counter_end(osc_hit_counter *counter, size_t first, size_t count,
                           osc_event_list *events, uint64_t *dropped);

#endif

/* A recording in progress, for the files that make it up: recorder.c (life and
 * sequences), commit.c, create.c (an empty record), write.c (what a commit adds),
 * resume.c, raw.c (values waiting for a commit) and bind.c (the hooks). */
#ifndef OSC_RECORD_RECORDER_STATE_H
#define OSC_RECORD_RECORDER_STATE_H

#include "record/counter.h"
#include "record/info.h"
#include "record/metrics.h"

/* Values for /raw since the last commit: an unnamed file beside the record.  The
 * tensor (sequence, point, layer) starts at a multiple of `stride` bytes. */
typedef struct {
    int       fd;            /* -1 if nothing is asked for */
    uint16_t *half;          /* one tensor, [length, widest] */
    size_t    stride;
    size_t    tensors;       /* of one sequence */
} osc_raw_stage;

struct osc_recorder {
    char              *path;
    int                lock;
    osc_record_head    head;            /* numbers; its strings are gone after open */
    osc_record_layout  layout;
    const osc_corpus  *corpus;
    osc_observer      *observer;
    osc_hit_counter    counter;
    osc_raw_stage      raw;
    double             interval;
    size_t             opened_with;     /* sequences done when the recorder was opened */
    bool               broken;          /* a failure left the state half done */
    /* --- since the last commit */
    size_t             committed;       /* sequences in the file */
    uint64_t           events_committed;
    osc_event_list     events;
    osc_metrics       metrics;
    double            *nll;             /* of the ids of sequences committed .. done-1 */
    size_t             nll_room;
    double             committed_at;    /* osc_recorder_now() when the last one ended */
    double             commit_cost;     /* seconds that it took */
};

/* Writes a file with the recorder's state, the first one (`fresh`) or the next, in
 * the place of the one at recorder->path. */
osc_status osc_recorder_commit(osc_recorder *recorder, bool fresh);
/* Seconds, monotonic. */
double osc_recorder_now(void);

/* Creates all objects of an empty record in the new file. */
osc_status osc_record_create(const osc_h5_file *file, const osc_record_layout *layout,
                             const osc_record_head *head);
/* Bytes that it takes, about. */
uint64_t osc_record_create_bytes(const osc_record_layout *layout);

/* /attention of one file: means from the sums, and what they are of. */
osc_status osc_record_write_top1(const osc_h5_file *file, const osc_record_layout *layout,
                                 const osc_top1_stats *top1, const uint32_t *without);
osc_status osc_record_write_dropped(const osc_h5_file *file, uint64_t dropped);

/* Brings an open copy of the record up to the recorder's state. */
osc_status osc_recorder_write(osc_recorder *recorder, const osc_h5_file *file);
/* Bytes by which that makes the file grow, at most. */
uint64_t osc_recorder_write_bytes(const osc_recorder *recorder);

/* Takes up the state of the record at recorder->path. */
osc_status osc_recorder_load(osc_recorder *recorder);

osc_status osc_raw_open(osc_recorder *recorder);
void osc_raw_close(osc_raw_stage *raw);
/* A tensor hook; `user` is the recorder. */
osc_status osc_raw_hook(const osc_event *event, void *user);
/* The values of one tensor that the hook has seen, [its ids, width], into raw->half. */
osc_status osc_raw_read(osc_recorder *recorder, osc_point point, size_t layer, size_t sequence);
/* Forgets all values: they are in the record. */
osc_status osc_raw_clear(osc_recorder *recorder);

#endif

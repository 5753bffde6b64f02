/* The root attributes of a record. */
#ifndef OSC_RECORD_INFO_H
#define OSC_RECORD_INFO_H

#include "record/layout.h"

/* Everything in the root's attributes. */
typedef struct {
    osc_record_info info;
    unsigned        points, track, raw, modules;
    uint64_t        event_cap, events, events_dropped;
} osc_record_head;

/* Writes all attributes, or those that change from commit to commit. */
osc_status osc_record_put_head(const osc_h5_file *file, const osc_record_head *head);
osc_status osc_record_put_progress(const osc_h5_file *file, const osc_record_head *head);

/* Reads and checks them; strings are released with osc_record_free_head, also
 * after a failure. */
osc_status osc_record_get_head(osc_record_head *head, const osc_h5_file *file);
void osc_record_free_head(osc_record_head *head);

/* Where it says nothing of shards: the record is of all sequences. */
void osc_record_whole(osc_record_info *info);

/* The first attribute that two heads disagree about, of those that a recording and its
 * continuation must have in common (`shares`), or only shards of one corpus. */
typedef struct {
    const char *name;
    char        one[OSC_RECORD_NAMES], two[OSC_RECORD_NAMES];    /* values, cut */
} osc_record_difference;
bool osc_record_differ(osc_record_difference *difference, const osc_record_head *one,
                       const osc_record_head *two, bool shares);

#endif

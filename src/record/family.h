/* The shards of one corpus, as osc_record_merge is given them. */
#ifndef OSC_RECORD_FAMILY_H
#define OSC_RECORD_FAMILY_H

#include "record/info.h"

typedef struct {
    const char        *path;        /* borrowed */
    osc_record_head    head;        /* its strings are owned */
    osc_record_layout  layout;
    uint32_t          *without;     /* [layout.without], owned */
    uint64_t           bytes;       /* of the file */
} osc_shard;

/* Reads what the records say of themselves and checks that they are all the shards of one
 * corpus, complete, of one model and the same options; then [count], in the order of
 * their sequences.  OSC_EINVAL names what is different.  Released with osc_family_free. */
osc_status osc_family_read(osc_shard **family, const char *const *paths, size_t count);
void osc_family_free(osc_shard *family, size_t count);

/* Opens a shard again; OSC_EINVAL if it is no longer the record that it was. */
osc_status osc_shard_open(osc_record **record, const osc_shard *shard);

#endif

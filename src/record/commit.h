/* How a record reaches its place: a new version is written beside it as a whole, synced
 * and renamed over it. */
#ifndef OSC_RECORD_COMMIT_H
#define OSC_RECORD_COMMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "record/h5.h"

typedef osc_status (*osc_record_fill)(void *user, const osc_h5_file *file);

/* Replaces the record at `path` by what `fill` makes of a copy of it, or of a new file;
 * about `bytes` longer than that was.  After a failure `path` is what it was. */
osc_status osc_record_replace(const char *path, bool copy, uint64_t bytes, osc_record_fill fill,
                              void *user);

#endif

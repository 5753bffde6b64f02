/* Reading weights ahead: a thread that asks the system for parts of mapped files while the
 * rest of the program computes.  (madvise reads no more than about a megabyte at a call on
 * Linux, and waits where the disk is busy.)  Private to src/store. */
#ifndef OSC_STORE_AHEAD_H
#define OSC_STORE_AHEAD_H

#include <stddef.h>

#include "base/file.h"

typedef struct osc_ahead osc_ahead;

/* The thread begins with the first part.  NULL when out of memory. */
osc_ahead *osc_ahead_create(void);
/* Waits for the thread to leave what it has not read; before any file is closed. */
void osc_ahead_free(osc_ahead *ahead);

/* Has `size` bytes at `data` of the file read after those that were added before.  Only
 * advice: dropped if too many wait or there is no thread. */
void osc_ahead_add(osc_ahead *ahead, const osc_mapping *file, const void *data, size_t size);

#endif

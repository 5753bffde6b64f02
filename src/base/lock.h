/* One writer at a time: PATH.lock is locked as long as somebody writes PATH.  The system
 * gives the lock back when its owner ends, however it ends, so a lock file left behind by
 * kill -9 does no harm.  Over NFS, Linux makes flock a lock that other machines see.  On a
 * file system without locks the file itself is the lock: the user must remove one that was
 * left behind. */
#ifndef OSC_BASE_LOCK_H
#define OSC_BASE_LOCK_H

#include "base/status.h"

/* OSC_EINVAL if another process has the lock, or may have it where there are no locks, or if the
 * name is too long; OSC_EIO. */
osc_status osc_lock_take(int *lock, const char *path);
/* Removes PATH.lock, too; nothing if `lock` is -1. */
void osc_lock_release(int lock, const char *path);

#endif

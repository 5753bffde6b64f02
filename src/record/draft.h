/* Files that are replaced as a whole: the next version is written to PATH.tmp,
 * synced and renamed over PATH, so PATH is complete at any moment. */
#ifndef OSC_RECORD_DRAFT_H
#define OSC_RECORD_DRAFT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

typedef struct {
    const char *path;         /* the final name, borrowed */
    char       *temporary;    /* PATH.tmp */
    int         fd;           /* of PATH.tmp */
} osc_draft;

/* Creates PATH.tmp, with `copy` as a copy of PATH, and reserves `more` bytes of disk
 * beyond that, so that a full disk shows here.  Nothing is left after a failure. */
osc_status osc_draft_begin(osc_draft *draft, const char *path, bool copy, uint64_t more);
/* Makes the draft the file, or removes it on failure. */
osc_status osc_draft_publish(osc_draft *draft);
void osc_draft_abandon(osc_draft *draft);

/* `path` with symbolic links resolved, since a rename would replace the link; owned by
 * the caller (osc_free). */
osc_status osc_target_path(char **real, const char *path);
/* OSC_EINVAL if what is at `path` is not a regular file. */
osc_status osc_target_exists(bool *exists, const char *path);

#endif

/* Progress of a long operation, reported to the caller: the library itself
 * prints nothing. */
#ifndef OSC_BASE_PROGRESS_H
#define OSC_BASE_PROGRESS_H

#include <stddef.h>

typedef struct {
    /* `done` of `total` units of the step `what` are finished.  May be NULL. */
    void (*tick)(void *user, const char *what, size_t done, size_t total);
    void  *user;
} osc_progress;

/* Reports to `progress`, which may be NULL. */
static inline void osc_progress_tick(const osc_progress *progress, const char *what,
                                     size_t done, size_t total)
{
    if (progress != NULL && progress->tick != NULL)
        progress->tick(progress->user, what, done, total);
}

#endif

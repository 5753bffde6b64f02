/* A command of this program as a process of its own: what it allocates, leaks or crashes
 * of ends with it. */
#ifndef EXPERIMENTS_CHILD_H
#define EXPERIMENTS_CHILD_H

#include "osc.h"

/* Runs this executable with the arguments `word` (a NULL ends them; word[0] is the
 * command) in `folder`, its output going to the descriptors `out` and `err`, and waits
 * for its end.  `*status` is as from waitpid.  A signal that stop.h caught goes on to
 * the child, once; if this process is killed, so is the child.  OSC_EIO if it could
 * not be started. */
osc_status child_run(int *status, char *const *word, const char *folder, int out, int err);

/* "exit status 1", "killed by signal 9 (Killed)". */
const char *child_status_text(char *text, size_t size, int status);

#endif

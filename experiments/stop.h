/* A run that ends early, but cleanly, on Ctrl-C or a batch system's SIGTERM. */
#ifndef EXPERIMENTS_STOP_H
#define EXPERIMENTS_STOP_H

/* From now on the first SIGINT or SIGTERM only is remembered; the second ends the
 * program as usual. */
void stop_catch(void);

/* The signal that came, or 0. */
int stop_signal(void);
/* The exit status after it: 128 + its number, as shells have it. */
int stop_status(void);

#endif

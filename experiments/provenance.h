/* Where a record comes from: the attributes that do not change its numbers. */
#ifndef EXPERIMENTS_PROVENANCE_H
#define EXPERIMENTS_PROVENANCE_H

#include <stddef.h>

/* The command line, quoted so that a shell understands it, cut at `size`. */
void provenance_command(char *text, size_t size, int argc, char *const *argv);
/* The time now, ISO 8601 in UTC. */
void provenance_time(char *text, size_t size);
void provenance_host(char *text, size_t size);

#endif

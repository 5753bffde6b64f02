/* A checkpoint or a record as a JSON object whose keys are in the order in which they
 * should be read. */
#ifndef EXPERIMENTS_DESCRIBE_H
#define EXPERIMENTS_DESCRIBE_H

#include <stdbool.h>

#include "osc.h"

/* `*object` is owned by the caller (json_decref). */
osc_status describe_checkpoint(json_t **object, const char *path, const osc_progress *progress,
                               bool digest);
osc_status describe_record(json_t **object, const char *path);

#endif

/* What record says at its end. */
#ifndef EXPERIMENTS_RECORD_REPORT_H
#define EXPERIMENTS_RECORD_REPORT_H

#include <stdbool.h>

#include "osc.h"

/* Reads the record at `path` again and prints what is in it and what to do next;
 * `stopped`: the run was interrupted. */
osc_status record_report(const char *path, bool stopped);

#endif

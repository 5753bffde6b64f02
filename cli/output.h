/* Output files: written beside their place and renamed into it, so that a reader
 * never sees half a file and a failure leaves what was there before. */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include <stdio.h>

#include "osc.h"

typedef struct {
    FILE *stream;      /* write here */
    const char *name;  /* for messages: the caller's path, which must outlive this */
    char *path;        /* the file to be; NULL: written in place (stdout, a device, a pipe) */
    char *temporary;   /* the file being written, in the same folder */
} cli_output;

/* Opens `path` for writing; NULL or "-" is standard output.  An existing file keeps
 * its permissions, a symbolic link stays one and its target is replaced.  Ended
 * by exactly one of the two below.  OSC_EIO, OSC_ENOMEM. */
osc_status cli_output_open(cli_output *output, const char *path);

/* Flushes, checks for every write error so far and puts the file in its place.
 * On failure the file that was there before stays.  Releases `output`. */
osc_status cli_output_commit(cli_output *output);

/* Whether `path` (NULL: nothing) can be written: to be found out before hours are spent. */
osc_status cli_output_probe(const char *path);

/* Throws away what was written and releases `output`. */
void cli_output_abort(cli_output *output);

#endif

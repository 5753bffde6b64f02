/* What file.c and mapping.c share. */
#ifndef OSC_BASE_FILE_PRIVATE_H
#define OSC_BASE_FILE_PRIVATE_H

#include <sys/stat.h>

#include "base/file.h"

/* Opens a regular file; the caller closes `*fd`. */
osc_status osc_file_open_regular(int *fd, struct stat *info, const char *path);

#endif

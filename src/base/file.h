/* Files: whole-file mappings and bounded reads. */
#ifndef OSC_BASE_FILE_H
#define OSC_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct {
    const uint8_t *data;   /* read-only; NULL for an empty file */
    size_t         size;   /* bytes */
    char          *path;   /* as given; owned */
} osc_mapping;

/* Maps the regular file `path`; `*mapping` is set only on success and released
 * with osc_mapping_close.  OSC_ENOTFOUND, OSC_EIO (also: not a regular file). */
osc_status osc_mapping_open(osc_mapping *mapping, const char *path);
void osc_mapping_close(osc_mapping *mapping);
/* Tells the system that no page of it is needed for now; reading it goes on working. */
void osc_mapping_forget(const osc_mapping *mapping);

/* The whole file as NUL-terminated text of `*size` bytes (inner NULs are kept),
 * owned by the caller (osc_free).  OSC_EFORMAT if it has more than `most` bytes. */
osc_status osc_read_file(char **text, size_t *size, const char *path, size_t most);

bool osc_file_exists(const char *path);

/* "folder/name", owned by the caller (osc_free); NULL when out of memory. */
char *osc_path_join(const char *folder, const char *name);

#endif

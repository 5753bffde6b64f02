/* Files: whole-file mappings and bounded reads.
 *
 * A page of a mapping that the file no longer has (somebody made it shorter) cannot be
 * read: the system sends SIGBUS, which ends the program.  A program that calls
 * osc_mapping_guard once reads zeros there instead, and osc_mapping_check says so. */
#ifndef OSC_BASE_FILE_H
#define OSC_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/status.h"

typedef struct {
    const uint8_t *data;   /* read-only; NULL for an empty file */
    size_t         size;   /* bytes */
    char          *path;   /* as given; owned */
    uint64_t       device, inode;   /* of the file that was opened, */
    int64_t        changed[2];      /* and when it was changed last: seconds, nanoseconds */
} osc_mapping;

/* Maps the regular file `path`; `*mapping` is set only on success and released
 * with osc_mapping_close.  OSC_ENOTFOUND, OSC_EIO (also: not a regular file). */
osc_status osc_mapping_open(osc_mapping *mapping, const char *path);
void osc_mapping_close(osc_mapping *mapping);

/* Advice about `size` bytes at `data` in the mapping, without effect on what is read: they
 * will be needed soon, and the system may read them (or about the first megabyte) from the
 * disk now; they are not needed for now, and their pages no longer count as memory of this
 * program. */
void osc_mapping_expect(const osc_mapping *mapping, const void *data, size_t size);
void osc_mapping_forget(const osc_mapping *mapping, const void *data, size_t size);

/* OSC_EIO if the file was changed or became shorter since it was mapped, so that what
 * was read of it may be of both its states, or zeros.  (A file that took its name by
 * renaming is another one: the mapping keeps the old.) */
osc_status osc_mapping_check(const osc_mapping *mapping);

/* Installs the handler of SIGBUS for all mappings, those to come too; other causes of the
 * signal end the program as before.  For the program, not for the library, to call. */
osc_status osc_mapping_guard(void);

/* The whole file as NUL-terminated text of `*size` bytes (inner NULs are kept),
 * owned by the caller (osc_free).  OSC_EFORMAT if it has more than `most` bytes. */
osc_status osc_read_file(char **text, size_t *size, const char *path, size_t most);

bool osc_file_exists(const char *path);

/* Closes a stream of open_memstream whose text is `*text`, for the caller to free().  False if
 * the text is not whole: glibc closes a stream without an error but also without its text
 * where memory is short. */
bool osc_close_text(FILE *stream, char *const *text);

/* "folder/name", owned by the caller (osc_free); NULL when out of memory. */
char *osc_path_join(const char *folder, const char *name);

#endif

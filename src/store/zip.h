/* Members of a zip file in memory, ZIP64 included, found through its central
 * directory.  Members are stored, never compressed: their data are used where they
 * lie.  The file may come from anywhere: signatures, counts and ranges are checked
 * before they are used, and no two members share a byte. */
#ifndef OSC_STORE_ZIP_H
#define OSC_STORE_ZIP_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct osc_zip_member {
    const char    *name;        /* in the file, `name_size` bytes without a NUL */
    size_t         name_size;
    const uint8_t *data;        /* in the file, any alignment */
    size_t         size;
    size_t         header;      /* offset of its local header */
    uint32_t       crc;         /* CRC-32 that the directory states; see osc_zip_check */
};

struct osc_zip {
    struct osc_zip_member *member;   /* by name, in the order of memcmp */
    size_t                 count;
};

/* Reads the directory of the `size` bytes at `data`, which must outlive `zip`;
 * released with osc_zip_close.  Takes memory for at most 1.5 times `size`.
 * OSC_EFORMAT; OSC_EUNSUP for members that are compressed or encrypted, archives of
 * several files and more than 2^20 members; OSC_ENOMEM. */
osc_status osc_zip_open(struct osc_zip *zip, const uint8_t *data, size_t size);
void osc_zip_close(struct osc_zip *zip);

/* The member of this name, or NULL. */
const struct osc_zip_member *osc_zip_find(const struct osc_zip *zip, const char *name,
                                          size_t name_size);

/* Reads the member's data; OSC_EFORMAT unless their CRC-32 is the stated one. */
osc_status osc_zip_check(const struct osc_zip_member *member);

#endif

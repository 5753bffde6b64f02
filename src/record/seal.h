/* Checksums of all bytes of a record file, HDF5's own structures included, most of which
 * HDF5 does not check.  They stand behind the end of HDF5's data, where no other program
 * looks: a header and a CRC-32 per block.  A file without them (made by an older version,
 * or changed since by a program that writes HDF5, which cuts them off) is read as it is. */
#ifndef OSC_RECORD_SEAL_H
#define OSC_RECORD_SEAL_H

#include <hdf5.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum { OSC_SEAL_BLOCK = 1 << 12 };    /* bytes under one checksum */

typedef struct osc_seal {
    int         fd;
    bool        writing;     /* a draft, whose descriptor is borrowed */
    bool        doomed;      /* a write has failed: what HDF5 still writes goes nowhere */
    uint64_t    size;        /* bytes of data, HDF5's end of file */
    size_t      blocks;      /* that have a checksum; 0: the file has none */
    uint32_t   *sum;         /* [sums] */
    uint8_t    *state;       /* [states] of blocks, seal.c */
    size_t      sums, states;
    uint8_t    *block;       /* [OSC_SEAL_BLOCK] */
    char        problem[96]; /* of the last call that failed, and its errno or 0 */
    int         error;
    struct osc_seal **held;  /* where HDF5's open file holds this; NULL: none is open */
} osc_seal;

/* Opens the file at `path` to be read and takes up its checksums; to be closed also after
 * a failure.  OSC_EFORMAT: not an HDF5 file, cut off, or with damaged checksums;
 * OSC_EIO, OSC_ENOMEM. */
osc_status osc_seal_open(osc_seal *seal, const char *path);
/* Takes up those of an open draft, a copy of the record called `path`, or nothing if it is
 * `fresh`. */
osc_status osc_seal_begin(osc_seal *seal, int fd, const char *path, bool fresh);
/* Writes the checksums behind the data, those of blocks written made anew. */
osc_status osc_seal_finish(osc_seal *seal, const char *path);
/* What HDF5 does with a file that it could not close goes nowhere from then on. */
void osc_seal_close(osc_seal *seal);

/* Data at `offset`, zeros where the file has ended.  False, with seal->problem set, after
 * an error or where blocks do not match their checksums. */
bool osc_seal_read(osc_seal *seal, uint64_t offset, void *data, size_t size);
/* Only whole blocks are written without having been checked. */
bool osc_seal_write(osc_seal *seal, uint64_t offset, const void *data, size_t size);
bool osc_seal_truncate(osc_seal *seal, uint64_t size);

/* Makes the file access properties `access` those of files that HDF5 reads and writes
 * through `seal`, one at a time (sealed.c).  False on failure. */
bool osc_seal_use(hid_t access, osc_seal *seal);

#endif

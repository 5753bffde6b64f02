/* The few HDF5 calls that records need, with our types and messages. */
#ifndef OSC_RECORD_H5_H
#define OSC_RECORD_H5_H

#include <hdf5.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "record/seal.h"

/* Element types of datasets and numeric attributes.  Files are little-endian. */
typedef enum {
    OSC_H5_I8, OSC_H5_I16, OSC_H5_I32, OSC_H5_U64, OSC_H5_F16, OSC_H5_F32, OSC_H5_F64,
    OSC_H5_BOOL,     /* enum of int8 {FALSE, TRUE}, as h5py writes it; `bool` in memory */
    OSC_H5_TEXT,     /* UTF-8 of variable length; `char *` in memory */
    OSC_H5_KIND_COUNT
} osc_h5_kind;

/* An open file, the name to call it in messages, and its checksums. */
typedef struct {
    hid_t       id;
    const char *path;
    osc_seal   *seal;
} osc_h5_file;

/* HDF5 prints its error stack unless told not to, a setting of the process: it
 * is off from begin to end, then what it was. */
typedef struct {
    H5E_auto2_t print;
    void       *user;
} osc_h5_quiet;
osc_h5_quiet osc_h5_quiet_begin(void);
void osc_h5_quiet_end(osc_h5_quiet quiet);

/* Records "PATH: OBJECT: DOING: reason" with what is wrong with the file's bytes or what the
 * system said, else the reason that HDF5 gave last.  To be called right after the failing
 * call. */
osc_status osc_h5_fail(osc_status status, const osc_h5_file *file, const char *object,
                       const char *doing);

/* A new type, closed by the caller with H5Tclose: as stored, and as in memory.  Negative on
 * failure, which HDF5's functions refuse. */
hid_t osc_h5_file_type(osc_h5_kind kind);
hid_t osc_h5_memory_type(osc_h5_kind kind);
size_t osc_h5_size(osc_h5_kind kind);

/* Whether a write to `file` has failed, which HDF5 is not told. */
bool osc_h5_lost(const osc_h5_file *file);

/* Access properties of a file of ours, read and written through `seal`; negative on failure. */
hid_t osc_h5_access(osc_seal *seal);

/* Writes scalar attribute `name` of `object`, creating it if there is none;
 * `value` points to one element as in memory. */
osc_status osc_h5_put(const osc_h5_file *file, hid_t object, const char *name,
                      osc_h5_kind kind, const void *value);
/* The same for a list of strings. */
osc_status osc_h5_put_texts(const osc_h5_file *file, hid_t object, const char *name,
                            const char *const *texts, size_t count);
/* Whether `object` has an attribute. */
osc_status osc_h5_has(bool *has, const osc_h5_file *file, hid_t object, const char *name);
/* Reads a scalar attribute of `object`.  OSC_EFORMAT if it is missing or of
 * another type.  A text is osc_alloc'd and owned by the caller. */
osc_status osc_h5_get(const osc_h5_file *file, hid_t object, const char *name,
                      osc_h5_kind kind, void *value);

/* A block of a dataset: `start` and `count` per dimension; NULL for all of it.
 * `data` is dense. */
typedef struct {
    const hsize_t *start, *count;
} osc_h5_block;
osc_status osc_h5_read(const osc_h5_file *file, const char *name, osc_h5_kind kind,
                       const osc_h5_block *block, void *data);
osc_status osc_h5_write(const osc_h5_file *file, const char *name, osc_h5_kind kind,
                        const osc_h5_block *block, const void *data);
/* Makes dimension `axis` of a dataset `size` long. */
osc_status osc_h5_extend(const osc_h5_file *file, const char *name, size_t axis, hsize_t size);

#endif

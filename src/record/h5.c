#include <config.h>
#include "record/h5.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

enum { MOST_DIMS = 4, REASON = 160 };

osc_h5_quiet osc_h5_quiet_begin(void)
{
    osc_h5_quiet quiet = { NULL, NULL };
    H5Eget_auto2(H5E_DEFAULT, &quiet.print, &quiet.user);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    return quiet;
}

void osc_h5_quiet_end(osc_h5_quiet quiet)
{
    H5Eset_auto2(H5E_DEFAULT, quiet.print, quiet.user);
}

/* --- messages ------------------------------------------------------------------ */

static herr_t pick_reason(unsigned depth, const H5E_error2_t *error, void *user)
{
    if (depth == 0)     /* of the innermost function */
        snprintf(user, REASON, "%s", error->desc == NULL ? "" : error->desc);
    return 0;
}

osc_status osc_h5_fail(osc_status status, const osc_h5_file *file, const char *object,
                       const char *doing)
{
    char found[REASON] = "";
    const osc_seal *seal = file->seal;
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, pick_reason, found);
    const char *why = seal->error != 0 ? strerror(seal->error)
                    : seal->problem[0] != '\0' ? seal->problem : found;
    return osc_fail(seal->error == ENOMEM ? OSC_ENOMEM : status, "%s: %s%s%s%s%s", file->path,
                    object, object[0] == '\0' ? "" : ": ", doing, why[0] == '\0' ? "" : ": ", why);
}

/* --- types ---------------------------------------------------------------------- */

/* A type of which something could not be set must not be used: it would be another one. */
static hid_t whole(hid_t type, bool good)
{
    if (good)
        return type;
    H5Tclose(type);
    return H5I_INVALID_HID;
}

/* IEEE binary16, which HDF5 does not name, made of a binary32 of the same order. */
static hid_t half_of(hid_t single)
{
    hid_t type = H5Tcopy(single);
    return whole(type, H5Tset_fields(type, 15, 10, 5, 0, 10) >= 0 && H5Tset_size(type, 2) >= 0
                       && H5Tset_ebias(type, 15) >= 0);
}

static hid_t bool_of(hid_t byte)
{
    static const int8_t no = 0, yes = 1;
    hid_t type = H5Tenum_create(byte);
    return whole(type, H5Tenum_insert(type, "FALSE", &no) >= 0
                       && H5Tenum_insert(type, "TRUE", &yes) >= 0);
}

static hid_t text_type(void)
{
    hid_t type = H5Tcopy(H5T_C_S1);
    return whole(type, H5Tset_size(type, H5T_VARIABLE) >= 0
                       && H5Tset_cset(type, H5T_CSET_UTF8) >= 0);
}

hid_t osc_h5_file_type(osc_h5_kind kind)
{
    switch (kind) {
    case OSC_H5_I8:   return H5Tcopy(H5T_STD_I8LE);
    case OSC_H5_I16:  return H5Tcopy(H5T_STD_I16LE);
    case OSC_H5_I32:  return H5Tcopy(H5T_STD_I32LE);
    case OSC_H5_U64:  return H5Tcopy(H5T_STD_U64LE);
    case OSC_H5_F16:  return half_of(H5T_IEEE_F32LE);
    case OSC_H5_F32:  return H5Tcopy(H5T_IEEE_F32LE);
    case OSC_H5_F64:  return H5Tcopy(H5T_IEEE_F64LE);
    case OSC_H5_BOOL: return bool_of(H5T_STD_I8LE);
    default:          return text_type();
    }
}

hid_t osc_h5_memory_type(osc_h5_kind kind)
{
    switch (kind) {
    case OSC_H5_I8:   return H5Tcopy(H5T_NATIVE_INT8);
    case OSC_H5_I16:  return H5Tcopy(H5T_NATIVE_INT16);
    case OSC_H5_I32:  return H5Tcopy(H5T_NATIVE_INT32);
    case OSC_H5_U64:  return H5Tcopy(H5T_NATIVE_UINT64);
    case OSC_H5_F16:  return half_of(H5T_NATIVE_FLOAT);
    case OSC_H5_F32:  return H5Tcopy(H5T_NATIVE_FLOAT);
    case OSC_H5_F64:  return H5Tcopy(H5T_NATIVE_DOUBLE);
    case OSC_H5_BOOL: return bool_of(H5T_NATIVE_INT8);
    default:          return text_type();
    }
}

size_t osc_h5_size(osc_h5_kind kind)
{
    static const size_t sizes[OSC_H5_KIND_COUNT] = {
        [OSC_H5_I8] = 1, [OSC_H5_I16] = 2, [OSC_H5_I32] = 4, [OSC_H5_U64] = 8, [OSC_H5_F16] = 2,
        [OSC_H5_F32] = 4, [OSC_H5_F64] = 8, [OSC_H5_BOOL] = 1, [OSC_H5_TEXT] = sizeof(char *),
    };
    return sizes[kind];
}

hid_t osc_h5_access(osc_seal *seal)
{
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    bool good = osc_seal_use(access, seal)
             && H5Pset_fclose_degree(access, H5F_CLOSE_STRONG) >= 0;
    /* A file at its final name is never written to and the writer has its own
     * lock: HDF5's would only fail on file systems without locks. */
#if H5_VERSION_GE(1, 12, 1) || (H5_VERSION_GE(1, 10, 7) && !H5_VERSION_GE(1, 11, 0))
    good = good && H5Pset_file_locking(access, false, true) >= 0;
#endif
    if (good)
        return access;
    H5Pclose(access);
    return H5I_INVALID_HID;
}

bool osc_h5_lost(const osc_h5_file *file)
{
    return file->seal->doomed;
}

/* --- attributes ------------------------------------------------------------------ */

static osc_status put(const osc_h5_file *file, hid_t object, const char *name,
                      osc_h5_kind kind, hid_t space, const void *value)
{
    hid_t stored = osc_h5_file_type(kind), memory = osc_h5_memory_type(kind);
    hid_t attribute = H5Aexists(object, name) > 0
        ? H5Aopen(object, name, H5P_DEFAULT)
        : H5Acreate2(object, name, stored, space, H5P_DEFAULT, H5P_DEFAULT);
    osc_status status = OSC_OK;
    if (attribute < 0 || H5Awrite(attribute, memory, value) < 0 || osc_h5_lost(file))
        status = osc_h5_fail(OSC_EIO, file, name, "cannot write the attribute");
    if (attribute >= 0)
        H5Aclose(attribute);
    H5Tclose(memory);
    H5Tclose(stored);
    return status;
}

osc_status osc_h5_put(const osc_h5_file *file, hid_t object, const char *name,
                      osc_h5_kind kind, const void *value)
{
    hid_t space = H5Screate(H5S_SCALAR);
    osc_status status = put(file, object, name, kind, space, value);
    H5Sclose(space);
    return status;
}

osc_status osc_h5_put_texts(const osc_h5_file *file, hid_t object, const char *name,
                            const char *const *texts, size_t count)
{
    hsize_t dim = count;
    hid_t space = H5Screate_simple(1, &dim, NULL);
    osc_status status = put(file, object, name, OSC_H5_TEXT, space, texts);
    H5Sclose(space);
    return status;
}

/* HDF5's own string is released with its own function. */
static osc_status take_text(char **value, char *text)
{
    *value = text == NULL ? osc_copy_string("", 0) : osc_copy_string(text, strlen(text));
    H5free_memory(text);
    return *value == NULL ? OSC_ENOMEM : OSC_OK;
}

/* Reads one element; `value` is as in memory. */
static osc_status read_scalar(const osc_h5_file *file, hid_t attribute, const char *name,
                              osc_h5_kind kind, void *value)
{
    int8_t byte = 0;     /* a hostile file may hold any byte where a bool should be */
    char *text = NULL;
    void *to = kind == OSC_H5_TEXT ? (void *)&text : kind == OSC_H5_BOOL ? &byte : value;
    hid_t memory = osc_h5_memory_type(kind);
    herr_t result = H5Aread(attribute, memory, to);
    osc_status status = OSC_OK;
    if (result < 0)
        status = osc_h5_fail(OSC_EFORMAT, file, name, "cannot read the attribute");
    H5Tclose(memory);
    if (status == OSC_OK && kind == OSC_H5_TEXT)
        return take_text(value, text);
    if (status == OSC_OK && kind == OSC_H5_BOOL)
        *(bool *)value = byte != 0;
    return status;
}

/* True if the attribute is one element of `type`; any length and character set
 * will do for a text of variable length. */
static bool is_scalar_of(hid_t attribute, osc_h5_kind kind, hid_t type)
{
    hid_t space = H5Aget_space(attribute), stored = H5Aget_type(attribute);
    bool same = kind == OSC_H5_TEXT
        ? H5Tget_class(stored) == H5T_STRING && H5Tis_variable_str(stored) > 0
        : H5Tequal(stored, type) > 0;
    same = same && H5Sget_simple_extent_npoints(space) == 1;
    H5Tclose(stored);
    H5Sclose(space);
    return same;
}

osc_status osc_h5_has(bool *has, const osc_h5_file *file, hid_t object, const char *name)
{
    htri_t there = H5Aexists(object, name);
    if (there < 0)
        return osc_h5_fail(OSC_EFORMAT, file, name, "cannot look for the attribute");
    *has = there > 0;
    return OSC_OK;
}

osc_status osc_h5_get(const osc_h5_file *file, hid_t object, const char *name,
                      osc_h5_kind kind, void *value)
{
    bool there = false;
    OSC_TRY(osc_h5_has(&there, file, object, name));
    if (!there)
        return osc_fail(OSC_EFORMAT, "%s: attribute '%s' is missing", file->path, name);
    hid_t type = osc_h5_file_type(kind);
    hid_t attribute = H5Aopen(object, name, H5P_DEFAULT);
    osc_status status;
    if (attribute < 0 || !is_scalar_of(attribute, kind, type))
        status = osc_fail(OSC_EFORMAT, "%s: attribute '%s' has the wrong type",
                          file->path, name);
    else
        status = read_scalar(file, attribute, name, kind, value);
    if (attribute >= 0)
        H5Aclose(attribute);
    H5Tclose(type);
    return status;
}

/* --- datasets -------------------------------------------------------------------- */

typedef struct {
    hid_t dataset, type, file_space, memory_space;
} transfer;

static void end_transfer(transfer *t)
{
    if (t->memory_space >= 0)
        H5Sclose(t->memory_space);
    if (t->file_space >= 0)
        H5Sclose(t->file_space);
    if (t->type >= 0)
        H5Tclose(t->type);
    if (t->dataset >= 0)
        H5Dclose(t->dataset);
}

/* False, with everything released, if a call failed. */
static bool begin_transfer(transfer *t, const osc_h5_file *file, const char *name,
                           osc_h5_kind kind, const osc_h5_block *block)
{
    *t = (transfer){ -1, -1, -1, -1 };
    t->dataset = H5Dopen2(file->id, name, H5P_DEFAULT);
    if (t->dataset < 0)
        return false;
    t->type = osc_h5_memory_type(kind);
    t->file_space = H5Dget_space(t->dataset);
    int rank = H5Sget_simple_extent_ndims(t->file_space);
    bool good = rank > 0 && rank <= MOST_DIMS;
    if (good && block != NULL) {
        t->memory_space = H5Screate_simple(rank, block->count, NULL);
        good = H5Sselect_hyperslab(t->file_space, H5S_SELECT_SET, block->start, NULL,
                                   block->count, NULL) >= 0;
    } else if (good) {
        t->memory_space = H5Scopy(t->file_space);
    }
    return good;
}

osc_status osc_h5_read(const osc_h5_file *file, const char *name, osc_h5_kind kind,
                       const osc_h5_block *block, void *data)
{
    transfer t;
    osc_status status = OSC_OK;
    if (!begin_transfer(&t, file, name, kind, block) ||
        H5Dread(t.dataset, t.type, t.memory_space, t.file_space, H5P_DEFAULT, data) < 0)
        status = osc_h5_fail(OSC_EFORMAT, file, name, "cannot read");
    end_transfer(&t);
    return status;
}

/* The flush makes a full disk show here and not in H5Dclose. */
osc_status osc_h5_write(const osc_h5_file *file, const char *name, osc_h5_kind kind,
                        const osc_h5_block *block, const void *data)
{
    transfer t;
    osc_status status = OSC_OK;
    if (!begin_transfer(&t, file, name, kind, block) ||
        H5Dwrite(t.dataset, t.type, t.memory_space, t.file_space, H5P_DEFAULT, data) < 0 ||
        H5Dflush(t.dataset) < 0 || osc_h5_lost(file))
        status = osc_h5_fail(OSC_EIO, file, name, "cannot write");
    end_transfer(&t);
    return status;
}

osc_status osc_h5_extend(const osc_h5_file *file, const char *name, size_t axis, hsize_t size)
{
    hsize_t dim[MOST_DIMS];
    hid_t dataset = H5Dopen2(file->id, name, H5P_DEFAULT);
    if (dataset < 0)
        return osc_h5_fail(OSC_EIO, file, name, "cannot open");
    hid_t space = H5Dget_space(dataset);
    bool known = H5Sget_simple_extent_dims(space, dim, NULL) > (int)axis;
    H5Sclose(space);
    dim[axis] = size;
    osc_status status = OSC_OK;
    if (!known || H5Dset_extent(dataset, dim) < 0 || H5Dflush(dataset) < 0 || osc_h5_lost(file))
        status = osc_h5_fail(OSC_EIO, file, name, "cannot extend");
    H5Dclose(dataset);
    return status;
}

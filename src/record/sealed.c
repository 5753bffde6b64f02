/* HDF5's view of a sealed file: a virtual file driver whose reads are checked against the
 * file's checksums before HDF5 interprets a byte of them. */
#include <config.h>
#include "record/seal.h"

#include <hdf5.h>
#if H5_VERSION_GE(1, 13, 0)
#include <H5FDdevelop.h>
#endif
#include <stdlib.h>

typedef struct {
    H5FD_t    pub;     /* comes first */
    osc_seal *seal;    /* NULL: closed before HDF5 has closed the file */
    haddr_t   eoa, eof;
} sealed;

/* What the access properties carry. */
typedef struct {
    osc_seal *seal;
} settings;

/* For who prints HDF5's messages; ours have the reason from the seal itself. */
static herr_t push(const osc_seal *seal)
{
    H5Epush2(H5E_DEFAULT, __FILE__, __func__, __LINE__, H5E_ERR_CLS, H5E_IO, H5E_READERROR,
             "%s", seal->problem);
    return -1;
}

/* HDF5's own allocation, since HDF5 calls close() only for what open() returns. */
static H5FD_t *open_sealed(const char *name, unsigned flags, hid_t access, haddr_t most)
{
    (void)name;
    (void)flags;
    (void)most;
    const settings *from = H5Pget_driver_info(access);
    sealed *file = from == NULL ? NULL : calloc(1, sizeof *file);
    if (file == NULL)
        return NULL;
    file->seal = from->seal;
    file->seal->held = &file->seal;
    file->eof = from->seal->size;
    return &file->pub;
}

static herr_t close_sealed(H5FD_t *file)
{
    sealed *s = (sealed *)file;
    if (s->seal != NULL && s->seal->held == &s->seal)
        s->seal->held = NULL;
    free(s);
    return 0;
}

/* Two files that are open are never one to HDF5, or it would share what it knows of them. */
static int compare(const H5FD_t *one, const H5FD_t *two)
{
    uintptr_t a = (uintptr_t)((const sealed *)one)->seal;
    uintptr_t b = (uintptr_t)((const sealed *)two)->seal;
    return a < b ? -1 : a > b;
}

static herr_t query(const H5FD_t *file, unsigned long *flags)
{
    (void)file;
    *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE
           | H5FD_FEAT_AGGREGATE_SMALLDATA | H5FD_FEAT_DEFAULT_VFD_COMPATIBLE;
    return 0;
}

static haddr_t get_eoa(const H5FD_t *file, H5FD_mem_t type)
{
    (void)type;
    return ((const sealed *)file)->eoa;
}

static herr_t set_eoa(H5FD_t *file, H5FD_mem_t type, haddr_t eoa)
{
    (void)type;
    ((sealed *)file)->eoa = eoa;
    return 0;
}

static haddr_t get_eof(const H5FD_t *file, H5FD_mem_t type)
{
    (void)type;
    return ((const sealed *)file)->eof;
}

/* Beyond what HDF5 has allocated, or a sum that overflows. */
static bool outside(const sealed *file, haddr_t at, size_t size)
{
    return at > file->eoa || size > file->eoa - at;
}

static herr_t read_sealed(H5FD_t *file, H5FD_mem_t type, hid_t transfer, haddr_t at, size_t size,
                          void *data)
{
    sealed *s = (sealed *)file;
    (void)type;
    (void)transfer;
    if (s->seal == NULL || outside(s, at, size))
        return -1;
    return osc_seal_read(s->seal, at, data, size) ? 0 : push(s->seal);
}

/* HDF5 (1.10) crashes, at the latest when the process exits, if a write fails while it closes
 * something or makes room in its cache: it never hears of one (osc_h5_lost does). */
static herr_t write_sealed(H5FD_t *file, H5FD_mem_t type, hid_t transfer, haddr_t at, size_t size,
                           const void *data)
{
    sealed *s = (sealed *)file;
    (void)type;
    (void)transfer;
    if (outside(s, at, size))
        return -1;
    if (s->seal != NULL)
        s->seal->doomed |= !osc_seal_write(s->seal, at, data, size);
    if (at + size > s->eof)
        s->eof = at + size;
    return 0;
}

/* The file itself is cut at the end alone: until then it keeps the space reserved for it. */
static herr_t truncate_sealed(H5FD_t *file, hid_t transfer, hbool_t closing)
{
    sealed *s = (sealed *)file;
    (void)transfer;
    if (closing && s->seal != NULL && s->seal->writing)
        s->seal->doomed |= !osc_seal_truncate(s->seal, s->eoa);
    s->eof = s->eoa;
    return 0;
}

static const H5FD_class_t driver = {
#if H5_VERSION_GE(1, 13, 0)
    .version = H5FD_CLASS_VERSION,
    .value = (H5FD_class_value_t)600,      /* of those left to programs, 512 and above */
#endif
    .name = "outlierscope", .maxaddr = INT64_MAX, .fc_degree = H5F_CLOSE_WEAK,
    .fapl_size = sizeof(settings),
    .open = open_sealed, .close = close_sealed, .cmp = compare, .query = query,
    .get_eoa = get_eoa, .set_eoa = set_eoa, .get_eof = get_eof,
    .read = read_sealed, .write = write_sealed, .truncate = truncate_sealed,
    .fl_map = H5FD_FLMAP_DICHOTOMY,
};

bool osc_seal_use(hid_t access, osc_seal *seal)
{
    static hid_t id = H5I_INVALID_HID;
    settings with = { seal };
    if (id < 0 || H5Iis_valid(id) <= 0)
        id = H5FDregister(&driver);
    return id >= 0 && H5Pset_driver(access, id, &with) >= 0;
}

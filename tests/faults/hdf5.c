/* The program's calls of HDF5 that fail, which then do nothing and return what HDF5 returns
 * on failure.  Not here: the functions that are part of HDF5's macros or only say what went
 * wrong (H5open, H5check_version, H5E*, H5free_memory). */
#define _GNU_SOURCE
#include "fault.h"

/* Arguments and results are integers and pointers, at most eight: where calling conventions
 * pass those alike (x86-64, AArch64), one signature does for all. */
#define EIGHT(of) of a, of b, of c, of d, of e, of f, of g, of h

static bool call_fails(const void *caller)
{
    return fault_active() && fault_is("h5") && fault_own(caller) && fault_due();
}

#define FAULTY(name, failure) \
    long name(EIGHT(long)); \
    long name(EIGHT(long)) \
    { \
        return call_fails(CALLER) ? failure \
            : REAL(name)(EIGHT()); \
    }
#define MINUS(name) FAULTY(name, -1)    /* identifiers, statuses, counts and classes */
#define ZERO(name)  FAULTY(name, 0)     /* sizes and pointers */

MINUS(H5Aclose) MINUS(H5Acreate2) MINUS(H5Aexists) MINUS(H5Aget_space) MINUS(H5Aget_type)
MINUS(H5Aopen) MINUS(H5Aread) MINUS(H5Awrite)

MINUS(H5Dclose) MINUS(H5Dcreate2) MINUS(H5Dflush) MINUS(H5Dget_create_plist)
MINUS(H5Dget_space) ZERO(H5Dget_storage_size) MINUS(H5Dget_type) MINUS(H5Dopen2)
MINUS(H5Dread) MINUS(H5Dset_extent) MINUS(H5Dwrite)

MINUS(H5FDregister) MINUS(H5Fclose) MINUS(H5Fcreate) MINUS(H5Fopen) MINUS(H5Gclose)
MINUS(H5Gopen2) MINUS(H5Iis_valid) MINUS(H5Lexists)
MINUS(H5Lget_info) MINUS(H5Lget_info1) MINUS(H5Lget_info2)      /* by version */

MINUS(H5Pclose) MINUS(H5Pcreate) MINUS(H5Pget_chunk) ZERO(H5Pget_driver_info)
MINUS(H5Pget_filter2) MINUS(H5Pget_layout) MINUS(H5Pget_nfilters) MINUS(H5Pset_chunk)
MINUS(H5Pset_create_intermediate_group) MINUS(H5Pset_deflate) MINUS(H5Pset_driver)
MINUS(H5Pset_fclose_degree) MINUS(H5Pset_file_locking) MINUS(H5Pset_file_space_strategy)
MINUS(H5Pset_fill_value) MINUS(H5Pset_fletcher32) MINUS(H5Pset_shuffle)

MINUS(H5Rcreate) MINUS(H5Sclose) MINUS(H5Scopy) MINUS(H5Screate) MINUS(H5Screate_simple)
MINUS(H5Sget_simple_extent_dims) MINUS(H5Sget_simple_extent_ndims)
MINUS(H5Sget_simple_extent_npoints) MINUS(H5Sselect_hyperslab)

MINUS(H5Tclose) MINUS(H5Tconvert) MINUS(H5Tcopy) MINUS(H5Tcreate) MINUS(H5Tenum_create)
MINUS(H5Tenum_insert) MINUS(H5Tequal) MINUS(H5Tget_class) MINUS(H5Tinsert)
MINUS(H5Tis_variable_str) MINUS(H5Tset_cset) MINUS(H5Tset_ebias) MINUS(H5Tset_fields)
MINUS(H5Tset_size) MINUS(H5Tvlen_create)

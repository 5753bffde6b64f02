/* Compares two record files object by object with plain HDF5 calls. */
#include <config.h>
#include "record_sim.h"

#include <check.h>
#include <hdf5.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    hid_t       other;      /* object of the other file */
    const char *name;
    bool        merged;     /* one of them: its sums are near, its provenance is another */
} pair;

/* Element bytes of attributes of fixed size, characters of strings. */
static void same_attribute(hid_t one, hid_t two, const char *object, const char *name)
{
    hid_t type = H5Aget_type(one), space = H5Aget_space(one);
    size_t count = (size_t)H5Sget_simple_extent_npoints(space);
    ck_assert_msg(H5Tequal(type, H5Aget_type(two)) > 0, "%s: type of %s", object, name);
    ck_assert_uint_eq(count, (size_t)H5Sget_simple_extent_npoints(H5Aget_space(two)));
    size_t bytes = count * H5Tget_size(type);
    char *a = calloc(1, bytes), *b = calloc(1, bytes);
    ck_assert_int_ge(H5Aread(one, type, a), 0);
    ck_assert_int_ge(H5Aread(two, type, b), 0);
    if (H5Tis_variable_str(type) > 0) {
        for (size_t i = 0; i < count; i++)
            ck_assert_msg(strcmp(((char **)a)[i], ((char **)b)[i]) == 0, "%s: attribute %s: %s, %s",
                          object, name, ((char **)a)[i], ((char **)b)[i]);
        H5Dvlen_reclaim(type, space, H5P_DEFAULT, a);
        H5Dvlen_reclaim(type, space, H5P_DEFAULT, b);
    } else {
        ck_assert_msg(memcmp(a, b, bytes) == 0, "%s: attribute %s differs", object, name);
    }
    free(a);
    free(b);
}

static herr_t visit_attribute(hid_t object, const char *name, const H5A_info_t *info, void *user)
{
    (void)info;
    const pair *p = user;
    if (strcmp(name, "time") == 0 || strcmp(name, "threads") == 0 ||
        (p->merged && strcmp(name, "merged") == 0) ||
        strcmp(name, "DIMENSION_LIST") == 0 || strcmp(name, "REFERENCE_LIST") == 0)
        return 0;
    hid_t one = H5Aopen(object, name, H5P_DEFAULT), two = H5Aopen(p->other, name, H5P_DEFAULT);
    ck_assert_msg(two >= 0, "%s: attribute %s is missing", p->name, name);
    same_attribute(one, two, p->name, name);
    H5Aclose(one);
    H5Aclose(two);
    return 0;
}

/* Sums, which a merged record has only within rounding. */
static bool is_sum(const char *name)
{
    static const char *const sums[] = { "/sum", "/sumsq", "/sum4", "/top1", "/top1_sum",
                                        "/top1_without", "/top1_without_sum" };
    const char *last = strrchr(name, '/');
    for (size_t i = 0; last != NULL && i < sizeof sums / sizeof *sums; i++)
        if (strcmp(last, sums[i]) == 0)
            return true;
    return false;
}

static void near_data(const double *a, const double *b, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        ck_assert_msg(fabs(a[i] - b[i]) <= 1e-12 * fabs(a[i]), "%s: %.17g, %.17g", name, a[i],
                      b[i]);
}

static void same_data(hid_t one, hid_t two, const char *name, bool sums_near)
{
    hid_t type = H5Dget_type(one), space = H5Dget_space(one), other = H5Dget_space(two);
    ck_assert_msg(H5Tequal(type, H5Dget_type(two)) > 0, "%s: type", name);
    ck_assert_msg(H5Sextent_equal(space, other) > 0, "%s: shape", name);
    size_t bytes = (size_t)H5Sget_simple_extent_npoints(space) * H5Tget_size(type);
    char *a = calloc(1, bytes + 1), *b = calloc(1, bytes + 1);
    ck_assert_int_ge(H5Dread(one, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, a), 0);
    ck_assert_int_ge(H5Dread(two, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, b), 0);
    if (sums_near && is_sum(name))
        near_data((double *)a, (double *)b, bytes / sizeof(double), name);
    else
        ck_assert_msg(memcmp(a, b, bytes) == 0, "%s differs", name);
    free(a);
    free(b);
}

static herr_t visit_link(hid_t root, const char *name, const H5L_info_t *info, void *user)
{
    (void)info;
    pair *p = user;
    hid_t one = H5Oopen(root, name, H5P_DEFAULT), two = H5Oopen(p->other, name, H5P_DEFAULT);
    ck_assert_msg(two >= 0, "%s is missing", name);
    ck_assert_int_eq(H5Iget_type(one), H5Iget_type(two));
    if (H5Iget_type(one) == H5I_DATASET)
        same_data(one, two, name, p->merged);
    pair object = { two, name, p->merged };
    ck_assert_int_ge(H5Aiterate2(one, H5_INDEX_NAME, H5_ITER_INC, NULL, visit_attribute,
                                 &object), 0);
    H5Oclose(one);
    H5Oclose(two);
    return 0;
}

static void compare(const char *path, const char *other, bool merged)
{
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_fclose_degree(access, H5F_CLOSE_STRONG);
    hid_t one = H5Fopen(path, H5F_ACC_RDONLY, access), two = H5Fopen(other, H5F_ACC_RDONLY, access);
    ck_assert_int_ge(one, 0);
    ck_assert_int_ge(two, 0);
    pair to_two = { two, "/", merged }, to_one = { one, "/", merged };
    ck_assert_int_ge(H5Lvisit(one, H5_INDEX_NAME, H5_ITER_INC, visit_link, &to_two), 0);
    ck_assert_int_ge(H5Lvisit(two, H5_INDEX_NAME, H5_ITER_INC, visit_link, &to_one), 0);
    ck_assert_int_ge(H5Aiterate2(one, H5_INDEX_NAME, H5_ITER_INC, NULL, visit_attribute,
                                 &to_two), 0);
    H5Fclose(one);
    H5Fclose(two);
    H5Pclose(access);
}

void sim_same_files(const char *path, const char *other)
{
    compare(path, other, false);
}

void sim_same_merged(const char *path, const char *merged)
{
    compare(path, merged, true);
}

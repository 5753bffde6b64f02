/* Single linear layers computed independently, with exact integer arithmetic
 * (tests/data/README.md): what the file says of them, and operands compared with it. */
#ifndef GOLDEN_LAYERS_H
#define GOLDEN_LAYERS_H

#include <check.h>
#include <hdf5.h>
#include <stdio.h>
#include <string.h>

#include "backend/codes.h"
#include "base/alloc.h"

/* As ck_assert_msg, which however writes a mark to a file each time it passes. */
#define check(condition, ...) do { if (!(condition)) ck_abort_msg(__VA_ARGS__); } while (0)

static const char *const golden_schemes[] = {
    "absmax", "zeropoint", "absmax-row", "absmax-vector", "zeropoint-vector",
    "absmax-row-decomp", "llm-int8", "llm-int8-zeropoint",
};
enum { GOLDEN_SCHEMES = sizeof golden_schemes / sizeof *golden_schemes };

/* A dataset as `type`, owned by the caller; its first two dimensions. */
static inline void *dataset(hid_t file, hid_t type, hsize_t dims[2], const char *folder,
                            const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    hid_t set = H5Dopen2(file, path, H5P_DEFAULT);
    ck_assert_msg(set >= 0, "no dataset %s", path);
    hid_t space = H5Dget_space(set);
    ck_assert_int_le(H5Sget_simple_extent_ndims(space), 2);
    dims[1] = 1;
    H5Sget_simple_extent_dims(space, dims, NULL);
    void *data = osc_alloc((size_t)(dims[0] * dims[1]), H5Tget_size(type));
    if (dims[0] * dims[1] > 0)
        ck_assert_int_ge(H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data), 0);
    H5Sclose(space);
    H5Dclose(set);
    return data;
}

/* What the file says of one (case, scheme). */
typedef struct {
    int32_t *columns, *kept, *zx, *zw, *acc;
    int8_t  *qx, *qw;
    float   *sx, *sw;
    double  *y, *y_w8;
    size_t   removed, left, x_sets, w_sets;
} golden;

static inline golden golden_read(hid_t file, const char *folder)
{
    hsize_t d[2];
    golden g;
    g.columns = dataset(file, H5T_NATIVE_INT32, d, folder, "columns");
    g.removed = d[0];
    g.kept = dataset(file, H5T_NATIVE_INT32, d, folder, "kept");
    g.left = d[0];
    g.qx = dataset(file, H5T_NATIVE_INT8, d, folder, "qx");
    g.qw = dataset(file, H5T_NATIVE_INT8, d, folder, "qw");
    g.zx = dataset(file, H5T_NATIVE_INT32, d, folder, "zx");
    g.zw = dataset(file, H5T_NATIVE_INT32, d, folder, "zw");
    g.sx = dataset(file, H5T_NATIVE_FLOAT, d, folder, "sx");
    g.x_sets = d[0];
    g.sw = dataset(file, H5T_NATIVE_FLOAT, d, folder, "sw");
    g.w_sets = d[0];
    g.acc = dataset(file, H5T_NATIVE_INT32, d, folder, "acc");
    g.y = dataset(file, H5T_NATIVE_DOUBLE, d, folder, "y");
    g.y_w8 = dataset(file, H5T_NATIVE_DOUBLE, d, folder, "y_w8");
    return g;
}

static inline void golden_free(golden *g)
{
    void *all[] = { g->columns, g->kept, g->zx, g->zw, g->acc, g->qx, g->qw, g->sx, g->sw, g->y,
                    g->y_w8 };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        osc_free(all[i]);
}

static inline void check_x(const char *what, const golden *g, const osc_code_view *view,
                           size_t rows, size_t k)
{
    ck_assert_uint_eq(view->column_count, g->removed);
    for (size_t i = 0; i < g->removed; i++)
        ck_assert_int_eq((int32_t)view->columns[i], g->columns[i]);
    for (size_t t = 0; t < rows; t++) {
        size_t set = g->x_sets == 1 ? 0 : t;
        check(view->sx[t] == g->sx[set] && view->zx[t] == g->zx[set],
                      "%s: row %zu: scale %.9g zero %d, expected %.9g %d", what, t,
                      (double)view->sx[t], view->zx[t], (double)g->sx[set], g->zx[set]);
        for (size_t i = 0; i < g->left; i++)
            check(view->qx[t * k + (size_t)g->kept[i]] == g->qx[t * g->left + i],
                          "%s: code (%zu, %d) is %d, expected %d", what, t, g->kept[i],
                          view->qx[t * k + (size_t)g->kept[i]], g->qx[t * g->left + i]);
        for (size_t i = 0; i < g->removed; i++)
            check(view->qx[t * k + (size_t)g->columns[i]] == 0, "%s: code of a removed column",
                  what);
    }
}

static inline void check_w(const char *what, const golden *g, const osc_code_view *view, size_t n,
                           size_t k)
{
    for (size_t j = 0; j < n; j++) {
        size_t set = g->w_sets == 1 ? 0 : j;
        check(view->sw[j] == g->sw[set] && view->zw[j] == g->zw[set],
                      "%s: output %zu: scale %.9g zero %d", what, j, (double)view->sw[j],
                      view->zw[j]);
    }
    ck_assert_msg(memcmp(view->qw, g->qw, n * k) == 0, "%s: codes of w", what);
}

static inline void check_codes(const char *what, const golden *g, const osc_code_view *view,
                               size_t rows, size_t n, size_t k)
{
    check_x(what, g, view, rows, k);
    check_w(what, g, view, n, k);
    for (size_t i = 0; i < rows * n; i++)
        check(view->sum[i] == g->acc[i], "%s: sum %zu is %lld, expected %d", what, i,
                      (long long)view->sum[i], g->acc[i]);
}

static inline herr_t golden_add_name(hid_t group, const char *name, const H5L_info_t *info,
                                     void *user)
{
    (void)group;
    (void)info;
    char (*names)[64] = user;
    size_t i = 0;
    while (names[i][0] != '\0')
        i++;
    snprintf(names[i], sizeof *names, "%s", name);
    return 0;
}

static inline bool golden_decomposed(const char *scheme)
{
    return strstr(scheme, "decomp") != NULL || strstr(scheme, "llm") != NULL;
}

/* The scheme with where it takes outlier weights from. */
static inline void golden_text(char *text, size_t room, const char *scheme, bool stored)
{
    bool decomposed = golden_decomposed(scheme);
    snprintf(text, room, "%s%s%s", scheme, decomposed ? ":weights=" : "",
             !decomposed ? "" : stored ? "fp16" : "int8");
}

/* Calls `check_case` for each of the file's cases and schemes, with outlier weights as stored
 * and coded. */
static inline void for_golden(const char *path, void (*check_case)(hid_t file, const char *name,
                                                                   const char *scheme, bool stored))
{
    char names[32][64] = { "" };
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    ck_assert_msg(file >= 0, "%s does not open", path);
    H5Literate(file, H5_INDEX_NAME, H5_ITER_INC, NULL, golden_add_name, names);
    ck_assert_str_ne(names[9], "");   /* ten cases */
    for (size_t c = 0; names[c][0] != '\0'; c++)
        for (size_t s = 0; s < GOLDEN_SCHEMES; s++)
            for (int stored = golden_decomposed(golden_schemes[s]) ? 0 : 1; stored < 2; stored++)
                check_case(file, names[c], golden_schemes[s], stored);
    H5Fclose(file);
}

#endif

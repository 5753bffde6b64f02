/* Single linear layers against an independent implementation with exact integer
 * arithmetic (tests/data/README.md): removed columns, scales, zero points, codes and
 * sums equal exactly, outputs to 1e-6 of the largest one of their layer, for every
 * scheme, every kernel of this processor and both kinds of outlier weights. */
#include <config.h>
#include "run.h"

#include <math.h>

#include "coded_layer.h"
#include "golden_layers.h"
#include "paths.h"

static const double RELATIVE = 1e-6;

static void check_output(const char *what, const float *y, const double *want, size_t count)
{
    double largest = 0.0;
    for (size_t i = 0; i < count; i++)
        largest = fmax(largest, fabs(want[i]));
    for (size_t i = 0; i < count; i++)
        check(fabs((double)y[i] - want[i]) <= RELATIVE * largest,
                      "%s: y %zu is %.9g, expected %.9g (largest %g)", what, i, (double)y[i],
                      want[i], largest);
}

/* One (case, scheme) under the options of decomposed schemes and one kernel. */
static void check_layer(hid_t file, const char *name, const char *scheme, bool stored,
                        const osc_cpu_i8 *kernel)
{
    char folder[128], text[128];
    hsize_t dx[2], dw[2];
    snprintf(folder, sizeof folder, "%s/%s", name, scheme);
    golden_text(text, sizeof text, scheme, stored);
    float *x = dataset(file, H5T_NATIVE_FLOAT, dx, name, "x");
    float *w = dataset(file, H5T_NATIVE_FLOAT, dw, name, "w");
    size_t rows = (size_t)dx[0], n = (size_t)dw[0], k = (size_t)dw[1];
    float *y = osc_alloc(rows * n, sizeof *y);
    golden g = golden_read(file, folder);
    coded_layer l;
    layer_open(&l, text, w, OSC_F32, rows, n, k, 2);
    l.device->i8 = kernel;
    osc_code_view view = view_new(rows, n, k);
    view_of(&view, &l, x);
    check_codes(folder, &g, &view, rows, n, k);
    layer_apply(&l, y, x, OSC_ACT_NONE);
    check_output(folder, y, stored ? g.y : g.y_w8, rows * n);
    layer_close(&l);
    view_free(&view);
    golden_free(&g);
    osc_free(x);
    osc_free(w);
    osc_free(y);
}

static void check_kernels(hid_t file, const char *name, const char *scheme, bool stored)
{
    for (size_t i = 0; osc_cpu_i8_kernels[i] != NULL; i++)
        if (osc_cpu_i8_kernels[i]->available())
            check_layer(file, name, scheme, stored, osc_cpu_i8_kernels[i]);
}

START_TEST(test_committed)
{
    for_golden(in_tests("data/layers.h5"), check_kernels);
}
END_TEST

START_TEST(test_shared)
{
    const char *path = in_shared("reference/layers.h5");
    if (path != NULL)
        for_golden(path, check_kernels);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("layers");
    TCase *tc = tcase_create("golden");
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, test_committed);
    tcase_add_test(tc, test_shared);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}

/* Codes, scales and exact sums of a product, for tests and error studies. */
#include <config.h>
#include "backend/cpu_i8.h"

#include <string.h>

static void view_x(osc_code_view *view, const osc_cpu_coded *x, size_t rows, size_t k)
{
    view->column_count = x->removed_count;
    if (view->columns != NULL)
        memcpy(view->columns, x->removed, x->removed_count * sizeof *x->removed);
    for (size_t t = 0; t < rows; t++) {
        if (view->qx != NULL)
            memcpy(view->qx + t * k, x->code + t * x->stride, k);
        if (view->sx != NULL)
            view->sx[t] = x->scale[t];
        if (view->zx != NULL)
            view->zx[t] = x->zero[t];
    }
}

static void view_w(osc_code_view *view, const osc_i8_weight *w, size_t n, size_t k)
{
    for (size_t j = 0; j < n; j++) {
        const int8_t *panel = w->code + j / I8_PANEL * osc_cpu_i8_panel(k);
        for (size_t i = 0; i < k && view->qw != NULL; i++)
            view->qw[j * k + i] = osc_cpu_i8_at(panel, j % I8_PANEL, i);
        if (view->sw != NULL)
            view->sw[j] = w->scale[j];
        if (view->zw != NULL)
            view->zw[j] = w->zero != NULL ? w->zero[j] : 0;
    }
}

static void view_sums(const osc_device *device, osc_code_view *view, const osc_i8_weight *w,
                      bool zeropoint, size_t rows, size_t n, size_t k)
{
    const osc_cpu_coded *x = &device->coded;
    size_t steps = (k + I8_STEP - 1) / I8_STEP;
    for (size_t j = 0; j < n; j += I8_PANEL) {
        const int8_t *code = w->code + j / I8_PANEL * osc_cpu_i8_panel(k);
        size_t some = n - j < I8_PANEL ? n - j : I8_PANEL;
        osc_code_panel panel;
        osc_cpu_i8_open_panel(&panel, w, code, x, zeropoint, j, some);
        for (size_t t = 0; t < rows; t++) {
            int32_t sum[I8_PANEL];
            osc_code_row row = osc_cpu_i8_row(x, t, k);
            device->i8->dot(sum, x->code + t * x->stride, x->stride, code, steps, 1, x->sum + t);
            for (size_t c = 0; c < some; c++)
                view->sum[t * n + j + c] = (int64_t)osc_cpu_i8_exact(sum[c], &row, &panel, c);
        }
    }
}

osc_status osc_cpu_codes_view(osc_device *device, osc_code_view *view, const void *x,
                              const void *w, const osc_coding *coding, size_t rows, size_t n,
                              size_t k)
{
    if (coding->w == OSC_SHARE_BLOCK)
        return osc_fail(OSC_EUNSUP, "weight-only schemes have no codes of x");
    osc_i8_weight weight = osc_cpu_i8_weight(w, coding, n, k);
    osc_cpu_i8_code(device, x, w, coding, rows, n, k);
    view_x(view, &device->coded, rows, k);
    view_w(view, &weight, n, k);
    if (view->sum != NULL)
        view_sums(device, view, &weight, coding->zeropoint, rows, n, k);
    return OSC_OK;
}

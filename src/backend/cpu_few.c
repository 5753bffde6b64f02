/* Products of few rows.  They take as long as the weights need from memory: each is read
 * once, in the type it is stored in, and widened in registers. */
#include <config.h>
#include "backend/cpu.h"

#include <string.h>

enum {
    ROWS = 32,         /* outputs of one task, where a weight's rows lie together */
    COLUMNS = 512      /* outputs of one task, where its columns do */
};

typedef struct {
    const osc_device *device;
    float            *y;         /* [rows, n] */
    const float      *x;         /* [rows, k] */
    const osc_tensor *w;
    const float      *bias;
    osc_act           act;
    size_t            rows, n, k;
} product;

static float dot(const osc_cpu_vec *vec, const float *x, const void *w, osc_dtype dtype, size_t n)
{
    if (dtype == OSC_F16)
        return vec->dot_f16(x, w, n);
    return dtype == OSC_BF16 ? vec->dot_bf16(x, w, n) : vec->dot_f32(x, w, n);
}

/* y += factor * w. */
static void add_scaled(const osc_cpu_vec *vec, float *y, float factor, const void *w,
                       osc_dtype dtype, size_t n)
{
    if (dtype == OSC_F16)
        vec->add_scaled_f16(y, factor, w, n);
    else if (dtype == OSC_BF16)
        vec->add_scaled_bf16(y, factor, w, n);
    else
        vec->add_scaled_f32(y, factor, w, n);
}

static void finish(const product *p, size_t first, size_t n)
{
    if (p->bias == NULL && p->act == OSC_ACT_NONE)
        return;
    for (size_t t = 0; t < p->rows; t++)
        p->device->vec->bias_act(p->y + t * p->n + first, p->bias ? p->bias + first : NULL,
                                 p->act, n);
}

/* Output j of every row of x.  Widening a row first gives the same sums. */
static void multiply_row(const product *p, size_t j)
{
    const osc_cpu_vec *vec = p->device->vec;
    const void *w = osc_tensor_row(p->w, j);
    osc_dtype dtype = p->w->dtype;
    bool together = p->w->stride[p->w->ndim - 1] == 1;
    if (!together || (p->rows > 1 && dtype != OSC_F32)) {
        float *row = osc_cpu_scratch(p->device);
        osc_cpu_gather_row(vec, row, p->w, j);
        w = row;
        dtype = OSC_F32;
    }
    for (size_t t = 0; t < p->rows; t++)
        p->y[t * p->n + j] = dot(vec, p->x + t * p->k, w, dtype, p->k);
}

static void multiply_rows(const product *p)
{
#pragma omp parallel for num_threads(p->device->threads) schedule(dynamic)
    for (size_t j = 0; j < p->n; j += ROWS) {
        size_t n = p->n - j < ROWS ? p->n - j : ROWS;
        for (size_t i = j; i < j + n; i++)
            multiply_row(p, i);
        finish(p, j, n);
    }
}

/* Inputs one after the other, for a stripe of outputs. */
static void multiply_columns(const product *p)
{
    size_t size = osc_dtype_size(p->w->dtype);
#pragma omp parallel for num_threads(p->device->threads) schedule(dynamic)
    for (size_t j = 0; j < p->n; j += COLUMNS) {
        size_t n = p->n - j < COLUMNS ? p->n - j : COLUMNS;
        for (size_t t = 0; t < p->rows; t++)
            memset(p->y + t * p->n + j, 0, n * sizeof *p->y);
        for (size_t i = 0; i < p->k; i++) {
            const char *w = (const char *)p->w->data + (i * p->w->stride[1] + j) * size;
            for (size_t t = 0; t < p->rows; t++)
                add_scaled(p->device->vec, p->y + t * p->n + j, p->x[t * p->k + i], w,
                           p->w->dtype, n);
        }
        finish(p, j, n);
    }
}

osc_status osc_cpu_matmul_stored(osc_device *device, void *y, const void *x, const osc_tensor *w,
                                 const void *bias, osc_act act, size_t rows)
{
    const product p = { .device = device, .y = y, .x = x, .w = w, .bias = bias, .act = act,
                        .rows = rows, .n = osc_tensor_rows(w), .k = osc_tensor_width(w) };
    if (!osc_cpu_is_float(w->dtype) || w->ndim < 2)
        return osc_fail(OSC_EUNSUP, "weights of type %s cannot be multiplied",
                        osc_dtype_name(w->dtype));
    if (w->ndim == 2 && w->stride[0] == 1 && w->stride[1] != 1)
        multiply_columns(&p);
    else
        multiply_rows(&p);
    return OSC_OK;
}

osc_status osc_cpu_logits(osc_device *device, float *logits, const void *x,
                          const osc_tensor *table, const void *bias)
{
    return osc_cpu_matmul_stored(device, logits, x, table, bias, OSC_ACT_NONE, 1);
}

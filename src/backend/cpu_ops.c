/* Row operations: loading weights, embedding, layernorm, elementwise. */
#include <config.h>
#include "backend/cpu.h"

#include <string.h>

#include "base/half.h"

enum { PIECE = 4096 };   /* elements of one elementwise or conversion task */

/* y[n] from n contiguous stored floats at x; false for another dtype. */
static void widen(const osc_cpu_vec *vec, float *y, const void *x, osc_dtype dtype, size_t n)
{
    if (dtype == OSC_F16)
        vec->widen_f16(y, x, n);
    else if (dtype == OSC_BF16)
        vec->widen_bf16(y, x, n);
    else
        memcpy(y, x, n * sizeof *y);
}

bool osc_cpu_is_float(osc_dtype dtype)
{
    return dtype == OSC_F32 || dtype == OSC_F16 || dtype == OSC_BF16;
}

/* Address of the first element of row `row`, where rows run along the last
 * dimension and all others count through. */
static const unsigned char *row_start(const osc_tensor *t, size_t row)
{
    size_t offset = 0;
    for (size_t d = t->ndim - 1; d-- > 0;) {
        offset += row % t->dim[d] * t->stride[d];
        row /= t->dim[d];
    }
    return (const unsigned char *)t->data + offset * osc_dtype_size(t->dtype);
}

void osc_cpu_gather_row(const osc_cpu_vec *vec, float *y, const osc_tensor *t, size_t row)
{
    const unsigned char *x = row_start(t, row);
    size_t n = t->dim[t->ndim - 1], step = t->stride[t->ndim - 1] * osc_dtype_size(t->dtype);
    if (t->stride[t->ndim - 1] == 1) {
        widen(vec, y, x, t->dtype, n);
        return;
    }
    for (size_t i = 0; i < n; i++)
        widen(&osc_cpu_vec_generic, y + i, x + i * step, t->dtype, 1);
}

static size_t first_bad(const osc_cpu_vec *vec, const float *y, size_t n)
{
    size_t i = 0;
    while (i + PIECE <= n && vec->all_finite(y + i, PIECE))
        i += PIECE;
    while (i < n && vec->all_finite(y + i, 1))
        i++;
    return i < n ? i : SIZE_MAX;
}

osc_status osc_cpu_load(osc_device *device, void *dst, const osc_tensor *src, size_t *bad)
{
    if (!osc_cpu_is_float(src->dtype) || src->ndim == 0)
        return osc_fail(OSC_EUNSUP, "weights of type %s cannot be loaded",
                        osc_dtype_name(src->dtype));
    float *y = dst;
    size_t count = osc_tensor_count(src), broken = 0;
    if (osc_tensor_is_contiguous(src)) {
        size_t size = osc_dtype_size(src->dtype);
#pragma omp parallel for num_threads(device->threads) reduction(+ : broken)
        for (size_t i = 0; i < count; i += PIECE) {
            size_t n = count - i < PIECE ? count - i : PIECE;
            widen(device->vec, y + i, (const unsigned char *)src->data + i * size, src->dtype, n);
            broken += !device->vec->all_finite(y + i, n);
        }
    } else {
        size_t width = src->dim[src->ndim - 1], rows = count / (width == 0 ? 1 : width);
#pragma omp parallel for num_threads(device->threads) reduction(+ : broken)
        for (size_t r = 0; r < rows; r++) {
            osc_cpu_gather_row(device->vec, y + r * width, src, r);
            broken += !device->vec->all_finite(y + r * width, width);
        }
    }
    *bad = broken == 0 ? SIZE_MAX : first_bad(device->vec, y, count);
    return OSC_OK;
}

osc_status osc_cpu_embed(osc_device *device, void *y, const osc_tensor *table,
                         const int32_t *ids, size_t rows)
{
    size_t width = table->dim[1];
    for (size_t t = 0; t < rows; t++)
        osc_cpu_gather_row(device->vec, (float *)y + t * width, table, (size_t)ids[t]);
    return OSC_OK;
}

osc_status osc_cpu_add_rows(osc_device *device, void *y, const osc_tensor *table,
                            size_t first, size_t rows)
{
    size_t width = table->dim[1];
    float *row = device->scratch;
    for (size_t t = 0; t < rows; t++)
        for (size_t i = 0; i < width; i += device->per_thread) {
            size_t n = width - i < device->per_thread ? width - i : device->per_thread;
            const unsigned char *x = row_start(table, first + t) + i * osc_dtype_size(table->dtype);
            widen(device->vec, row, x, table->dtype, n);
            device->vec->add((float *)y + t * width + i, row, n);
        }
    return OSC_OK;
}

osc_status osc_cpu_layernorm(osc_device *device, void *y, const void *x, const void *weight,
                             const void *bias, float eps, size_t rows, size_t width)
{
#pragma omp parallel for num_threads(device->threads)
    for (size_t r = 0; r < rows; r++)
        device->vec->layernorm((float *)y + r * width, (const float *)x + r * width,
                               weight, bias, eps, width);
    return OSC_OK;
}

osc_status osc_cpu_activate(osc_device *device, void *x, osc_act act, size_t count)
{
#pragma omp parallel for num_threads(device->threads)
    for (size_t i = 0; i < count; i += PIECE)
        device->vec->bias_act((float *)x + i, NULL, act, count - i < PIECE ? count - i : PIECE);
    return OSC_OK;
}

osc_status osc_cpu_add(osc_device *device, void *y, const void *x, size_t count)
{
#pragma omp parallel for num_threads(device->threads)
    for (size_t i = 0; i < count; i += PIECE)
        device->vec->add((float *)y + i, (const float *)x + i,
                         count - i < PIECE ? count - i : PIECE);
    return OSC_OK;
}

osc_status osc_cpu_copy(osc_device *device, void *y, const void *x, size_t count)
{
    (void)device;
    memcpy(y, x, count * sizeof(float));
    return OSC_OK;
}

osc_status osc_cpu_clear(osc_device *device, void *x, size_t rows, size_t width,
                         const uint32_t *columns, size_t count)
{
    (void)device;
    for (size_t t = 0; t < rows; t++)
        for (size_t i = 0; i < count; i++)
            ((float *)x)[t * width + columns[i]] = 0.0f;
    return OSC_OK;
}

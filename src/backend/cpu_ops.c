/* Row operations: loading weights, embedding, layernorm, elementwise. */
#include <config.h>
#include "backend/cpu.h"

#include <string.h>

#include "base/half.h"

enum {
    PIECE = 4096,   /* elements of one elementwise or conversion task */
    STRIP = 64,     /* elements of a stored tensor gathered or transposed together */
    LINE = 16       /* floats written together when transposing: a cache line */
};

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

/* y[n] from n stored floats `step` bytes apart. */
static void collect(const osc_cpu_vec *vec, float *y, const unsigned char *x, size_t step,
                    osc_dtype dtype, size_t n)
{
    unsigned char piece[STRIP * sizeof(float)];
    size_t size = osc_dtype_size(dtype);
    for (size_t i = 0; i < n; i += STRIP) {
        size_t some = n - i < STRIP ? n - i : STRIP;
        for (size_t j = 0; j < some; j++)
            memcpy(piece + j * size, x + (i + j) * step, size);
        widen(vec, y + i, piece, dtype, some);
    }
}

void osc_cpu_gather_row(const osc_cpu_vec *vec, float *y, const osc_tensor *t, size_t row)
{
    const unsigned char *x = osc_tensor_row(t, row);
    size_t n = osc_tensor_width(t), stride = t->stride[t->ndim - 1];
    if (stride == 1)
        widen(vec, y, x, t->dtype, n);
    else
        collect(vec, y, x, stride * osc_dtype_size(t->dtype), t->dtype, n);
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

/* Whether the columns of a matrix are what lies together, not its rows. */
static bool is_transposed(const osc_tensor *t)
{
    return t->ndim == 2 && t->stride[0] == 1;
}

/* Rows first .. first+STRIP-1 of y from the columns of the matrix that `src` transposes;
 * false if one is not finite. */
static bool load_columns(const osc_cpu_vec *vec, float *y, const osc_tensor *src, size_t first)
{
    size_t n = src->dim[0] - first < STRIP ? src->dim[0] - first : STRIP, k = src->dim[1];
    size_t size = osc_dtype_size(src->dtype);
    float strip[LINE][STRIP];
    bool finite = true;
    for (size_t i = 0; i < k; i += LINE) {
        size_t some = k - i < LINE ? k - i : LINE;
        for (size_t l = 0; l < some; l++) {
            widen(vec, strip[l], (const unsigned char *)src->data
                  + (first + (i + l) * src->stride[1]) * size, src->dtype, n);
            finite = finite && vec->all_finite(strip[l], n);
        }
        for (size_t j = 0; j < n; j++)
            for (size_t l = 0; l < some; l++)
                y[(first + j) * k + i + l] = strip[l][j];
    }
    return finite;
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
    } else if (is_transposed(src)) {
#pragma omp parallel for num_threads(device->threads) reduction(+ : broken)
        for (size_t j = 0; j < src->dim[0]; j += STRIP)
            broken += !load_columns(device->vec, y, src, j);
    } else {
        size_t width = osc_tensor_width(src), rows = osc_tensor_rows(src);
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
            const unsigned char *x = (const unsigned char *)osc_tensor_row(table, first + t)
                                   + i * osc_dtype_size(table->dtype);
            widen(device->vec, row, x, table->dtype, n);
            device->vec->add((float *)y + t * width + i, row, n);
        }
    return OSC_OK;
}

osc_status osc_cpu_layernorm(osc_device *device, void *y, const void *x, const void *weight,
                             const void *bias, float eps, size_t rows, size_t width)
{
#pragma omp parallel for num_threads(device->threads) if (rows > 1)
    for (size_t r = 0; r < rows; r++)
        device->vec->layernorm((float *)y + r * width, (const float *)x + r * width,
                               weight, bias, eps, width);
    return OSC_OK;
}

osc_status osc_cpu_rmsnorm(osc_device *device, void *y, const void *x, const void *weight,
                           float eps, size_t rows, size_t width)
{
#pragma omp parallel for num_threads(device->threads) if (rows > 1)
    for (size_t r = 0; r < rows; r++)
        device->vec->rmsnorm((float *)y + r * width, (const float *)x + r * width, weight, eps,
                             width);
    return OSC_OK;
}

osc_status osc_cpu_activate(osc_device *device, void *x, osc_act act, size_t count)
{
#pragma omp parallel for num_threads(device->threads) if (count > PIECE)
    for (size_t i = 0; i < count; i += PIECE)
        device->vec->bias_act((float *)x + i, NULL, act, count - i < PIECE ? count - i : PIECE);
    return OSC_OK;
}

osc_status osc_cpu_add(osc_device *device, void *y, const void *x, size_t count)
{
#pragma omp parallel for num_threads(device->threads) if (count > PIECE)
    for (size_t i = 0; i < count; i += PIECE)
        device->vec->add((float *)y + i, (const float *)x + i,
                         count - i < PIECE ? count - i : PIECE);
    return OSC_OK;
}

osc_status osc_cpu_multiply(osc_device *device, void *y, const void *x, size_t count)
{
#pragma omp parallel for num_threads(device->threads) if (count > PIECE)
    for (size_t i = 0; i < count; i += PIECE) {
        size_t end = count - i < PIECE ? count : i + PIECE;
        for (size_t j = i; j < end; j++)
            ((float *)y)[j] *= ((const float *)x)[j];
    }
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

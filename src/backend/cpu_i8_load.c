/* Coded weights: their memory, and filling it from a stored tensor. */
#include <config.h>
#include "backend/cpu_i8.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum { PIECE = 1024 };   /* weights coded at a time, a multiple of I8_STEP */

static size_t lines(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

static size_t steps_of(size_t k)
{
    return (k + I8_STEP - 1) / I8_STEP;
}

size_t osc_cpu_i8_panel(size_t k)
{
    return steps_of(k) * I8_STEP * I8_PANEL;
}

static size_t panels_of(size_t n)
{
    return (n + I8_PANEL - 1) / I8_PANEL;
}

/* Bytes in front of the codes. */
static size_t side_bytes(const osc_coding *coding, size_t n, size_t k)
{
    size_t vectors = coding->zeropoint ? 3 : 1;
    return lines(sizeof(osc_i8_head)) + vectors * lines(n * sizeof(float))
         + (coding->remove == OSC_REMOVE_FIXED ? lines(k * sizeof(uint32_t)) : 0);
}

osc_i8_weight osc_cpu_i8_weight(const void *memory, const osc_coding *coding, size_t n, size_t k)
{
    char *at = (char *)memory;
    osc_i8_weight w = { .head = (void *)at, .code = (void *)(at + side_bytes(coding, n, k)) };
    at += lines(sizeof *w.head);
    w.scale = (void *)at;
    at += lines(n * sizeof *w.scale);
    if (coding->zeropoint) {
        w.zero = (void *)at;
        w.total = (void *)(at + lines(n * sizeof *w.zero));
        at += 2 * lines(n * sizeof *w.zero);
    }
    w.columns = coding->remove == OSC_REMOVE_FIXED ? (void *)at : NULL;
    return w;
}

size_t osc_cpu_codes_bytes(const osc_coding *coding, size_t n, size_t k)
{
    if (coding->w == OSC_SHARE_BLOCK)
        return osc_cpu_q8_bytes(n, k);
    return side_bytes(coding, n, k) + panels_of(n) * osc_cpu_i8_panel(k);
}

/* Row j of the stored weight in this thread's scratch. */
static const float *stored_row(const osc_device *device, const osc_tensor *tensor, size_t j)
{
    float *row = osc_cpu_scratch(device);
    osc_cpu_gather_row(device->vec, row, tensor, j);
    return row;
}

static size_t first_bad(const osc_device *device, const float *row, size_t k)
{
    size_t i = 0;
    while (i < k && device->vec->all_finite(row + i, 1))
        i++;
    return i;
}

/* Codes i .. i+n-1 of output j; i is a multiple of I8_STEP. */
static void pack(int8_t *code, const int8_t *q, size_t j, size_t i, size_t n, size_t k)
{
    int8_t *to = code + j / I8_PANEL * osc_cpu_i8_panel(k) + i * I8_PANEL + j % I8_PANEL * I8_STEP;
    for (size_t c = 0; c < n; c++)
        to[c / I8_STEP * I8_PANEL * I8_STEP + c % I8_STEP] = q[c];
}

/* A piece at a time: its codes lie on the stack. */
static void code_row(const osc_device *device, const osc_i8_weight *w, const float *row, size_t j,
                     osc_code_scale scale, size_t k)
{
    int8_t q[PIECE];
    int32_t total = 0;
    bool zeropoint = w->zero != NULL;
    for (size_t i = 0; i < k && !isnan(scale.scale); i += PIECE) {
        size_t n = k - i < PIECE ? k - i : PIECE;
        total += zeropoint ? device->i8->loops->zeropoint(q, row + i, scale, n)
                           : device->i8->loops->symmetric(q, row + i, scale.scale, n);
        pack(w->code, q, j, i, n, k);
    }
    w->scale[j] = scale.scale;
    if (zeropoint) {
        w->zero[j] = scale.zero;
        w->total[j] = total;
    }
}

static osc_code_scale row_scale(const osc_device *device, const float *row, size_t k,
                                bool zeropoint)
{
    int32_t low = INT32_MAX, high = INT32_MIN;
    device->i8->loops->range(&low, &high, row, k);
    return osc_cpu_code_scale(low, high, zeropoint);
}

static osc_code_scale tensor_scale(const osc_device *device, const osc_tensor *tensor,
                                   bool zeropoint)
{
    int32_t low = INT32_MAX, high = INT32_MIN;
#pragma omp parallel for num_threads(device->threads) reduction(min : low) reduction(max : high)
    for (size_t j = 0; j < osc_tensor_rows(tensor); j++)
        device->i8->loops->range(&low, &high, stored_row(device, tensor, j),
                                 osc_tensor_width(tensor));
    return osc_cpu_code_scale(low, high, zeropoint);
}

/* Index of the first element that is not finite, SIZE_MAX if all are. */
static size_t find_bad(const osc_device *device, const osc_tensor *tensor)
{
    size_t k = osc_tensor_width(tensor), bad = SIZE_MAX;
#pragma omp parallel for num_threads(device->threads) reduction(min : bad)
    for (size_t j = 0; j < osc_tensor_rows(tensor); j++) {
        const float *row = stored_row(device, tensor, j);
        if (!device->vec->all_finite(row, k)) {
            size_t at = j * k + first_bad(device, row, k);
            bad = at < bad ? at : bad;
        }
    }
    return bad;
}

static void load_codes(osc_device *device, void *dst, const osc_coding *coding,
                       const osc_tensor *tensor)
{
    size_t n = osc_tensor_rows(tensor), k = osc_tensor_width(tensor);
    osc_i8_weight w = osc_cpu_i8_weight(dst, coding, n, k);
    osc_code_scale all = { 1.0f, 0 };
    memset(w.code, 0, panels_of(n) * osc_cpu_i8_panel(k));
    if (coding->w == OSC_SHARE_TENSOR)
        all = tensor_scale(device, tensor, coding->zeropoint);
#pragma omp parallel for num_threads(device->threads)
    for (size_t j = 0; j < n; j++) {
        const float *row = stored_row(device, tensor, j);
        code_row(device, &w, row, j, coding->w == OSC_SHARE_TENSOR
                 ? all : row_scale(device, row, k, coding->zeropoint), k);
    }
}

static void load_blocks(osc_device *device, void *dst, const osc_tensor *tensor)
{
    size_t n = osc_tensor_rows(tensor), k = osc_tensor_width(tensor);
#pragma omp parallel for num_threads(device->threads)
    for (size_t j = 0; j < n; j++)
        osc_cpu_q8_code((char *)dst + osc_cpu_q8_bytes(j, k), stored_row(device, tensor, j), k);
}

static bool has_nan(const float *scale, size_t n)
{
    size_t j = 0;
    while (j < n && !isnan(scale[j]))
        j++;
    return j < n;
}

static void set_head(const osc_i8_weight *w, const osc_code_source *source)
{
    *w->head = (osc_i8_head){ .stored = *source->tensor };
    if (w->columns == NULL)
        return;
    for (size_t i = 0; i < source->column_count; i++) {
        assert(source->columns[i] < osc_tensor_width(source->tensor));
        w->columns[i] = source->columns[i];
    }
    w->head->column_count = source->column_count;
}

osc_status osc_cpu_codes_load(osc_device *device, void *dst, const osc_coding *coding,
                              const osc_code_source *source, size_t *bad)
{
    const osc_tensor *tensor = source->tensor;
    size_t n = osc_tensor_rows(tensor), k = osc_tensor_width(tensor);
    if (tensor->ndim < 2 || !osc_cpu_is_float(tensor->dtype))
        return osc_fail(OSC_EUNSUP, "weights of type %s cannot be coded",
                        osc_dtype_name(tensor->dtype));
    assert(k <= device->per_thread);
    if (coding->w == OSC_SHARE_BLOCK) {
        load_blocks(device, dst, tensor);
        *bad = find_bad(device, tensor);
    } else {
        if (k > OSC_CODES_WIDEST)
            return osc_fail(OSC_EUNSUP, "a product over %zu inputs: int8 codes are summed in "
                            "32 bits, which holds %d", k, OSC_CODES_WIDEST);
        osc_i8_weight w = osc_cpu_i8_weight(dst, coding, n, k);
        set_head(&w, source);
        load_codes(device, dst, coding, tensor);
        *bad = has_nan(w.scale, n) ? find_bad(device, tensor) : SIZE_MAX;
    }
    return OSC_OK;
}

/* The product of codes with everything around it, a tile of y to a task.  The sums
 * of I8_GROUP rows and one panel of outputs lie in the cache and leave it as floats;
 * removed columns, bias and activation are then applied to the tile. */
#include <config.h>
#include "backend/cpu_i8.h"

#include <string.h>

#include "base/half.h"

/* One call, and the panel at hand. */
typedef struct {
    osc_device    *device;
    float         *y;          /* [rows, n], rows of the call */
    const float   *x;          /* [rows, k] */
    osc_i8_weight  w;
    bool           zeropoint, stored;
    const float   *bias;
    osc_act        act;
    size_t         n, k;
} product;

osc_code_row osc_cpu_i8_row(const osc_cpu_coded *x, size_t row, size_t k)
{
    int64_t kept = (int64_t)(k - x->removed_count);
    return (osc_code_row){ .inverse = 1.0f / x->scale[row], .zero = x->zero[row],
                           .kept = x->sum[row] - kept * x->zero[row] };
}

void osc_cpu_i8_open_panel(osc_code_panel *panel, const osc_i8_weight *w, const int8_t *code,
                           const osc_cpu_coded *x, bool zeropoint, size_t first, size_t count)
{
    *panel = (osc_code_panel){ .zero = { 0 } };
    for (size_t j = 0; j < count; j++)
        panel->inverse[j] = 1.0f / w->scale[first + j];
    if (!zeropoint)
        return;
    for (size_t j = 0; j < count; j++) {
        panel->zero[j] = w->zero[first + j];
        panel->kept[j] = w->total[first + j];
        for (size_t i = 0; i < x->removed_count; i++)
            panel->kept[j] -= osc_cpu_i8_at(code, j, x->removed[i]);
    }
}

/* Sums of `rows` <= I8_GROUP rows from `first` on with one panel. */
static void sum_group(const product *p, int32_t *sum, const int8_t *code, size_t first, size_t rows)
{
    const osc_cpu_coded *x = &p->device->coded;
    size_t steps = (p->k + I8_STEP - 1) / I8_STEP;
    for (size_t s = 0; s < steps; s += I8_BLOCK / I8_STEP) {
        size_t some = steps - s < I8_BLOCK / I8_STEP ? steps - s : I8_BLOCK / I8_STEP;
        p->device->i8->dot(sum, x->code + first * x->stride + s * I8_STEP, x->stride,
                           code + s * I8_STEP * I8_PANEL, some, rows,
                           s == 0 ? x->sum + first : NULL);
    }
}

/* y = scaled sums for rows first .. first+rows-1 and outputs j .. j+n-1. */
static void multiply(const product *p, const osc_code_panel *panel, const int8_t *code,
                     size_t first, size_t rows, size_t j, size_t n)
{
    int32_t sum[I8_GROUP * I8_PANEL];
    const osc_cpu_i8_loops *loops = p->device->i8->loops;
    for (size_t r = 0; r < rows; r += I8_GROUP) {
        size_t some = rows - r < I8_GROUP ? rows - r : I8_GROUP;
        sum_group(p, sum, code, first + r, some);
        for (size_t i = 0; i < some; i++) {
            osc_code_row row = osc_cpu_i8_row(&p->device->coded, first + r + i, p->k);
            float *y = p->y + (first + r + i) * p->n + j;
            if (p->zeropoint)
                loops->scale_zero(y, sum + i * I8_PANEL, &row, panel, n);
            else
                loops->scale(y, sum + i * I8_PANEL, &row, panel, n);
        }
    }
}

static float stored_value(const osc_tensor *t, size_t j, size_t i)
{
    const unsigned char *at = (const unsigned char *)osc_tensor_row(t, j)
                            + i * t->stride[t->ndim - 1] * osc_dtype_size(t->dtype);
    uint16_t half;
    float value;
    if (t->dtype == OSC_F32) {
        memcpy(&value, at, sizeof value);
        return value;
    }
    memcpy(&half, at, sizeof half);
    return t->dtype == OSC_F16 ? osc_f16_to_float(half) : osc_bf16_to_float(half);
}

/* out[i, c] = weight of output j+c at the i-th of these removed columns. */
static void gather(const product *p, float *out, const int8_t *code, const uint32_t *columns,
                   size_t count, size_t j, size_t n)
{
    const osc_i8_weight *w = &p->w;
    for (size_t c = 0; c < n; c++) {
        for (size_t i = 0; i < count; i++) {
            int64_t zero = p->zeropoint ? w->zero[j + c] : 0;
            out[i * I8_PANEL + c] = p->stored
                ? stored_value(&w->head->stored, j + c, columns[i])
                : (float)(osc_cpu_i8_at(code, c, columns[i]) - zero) / w->scale[j + c];
        }
    }
}

/* y += x_O w_O^T for the rows and outputs of a tile. */
static void add_removed(const product *p, const int8_t *code, size_t first, size_t rows,
                        size_t j, size_t n)
{
    const osc_cpu_coded *coded = &p->device->coded;
    float w[I8_CHUNK * I8_PANEL], x[I8_CHUNK];
    for (size_t o = 0; o < coded->removed_count; o += I8_CHUNK) {
        const uint32_t *columns = coded->removed + o;
        size_t count = coded->removed_count - o < I8_CHUNK ? coded->removed_count - o : I8_CHUNK;
        memset(w, 0, count * I8_PANEL * sizeof *w);
        gather(p, w, code, columns, count, j, n);
        for (size_t t = first; t < first + rows; t++) {
            for (size_t i = 0; i < count && o > 0; i++)
                x[i] = p->x[t * p->k + columns[i]];
            p->device->i8->loops->outer(p->y + t * p->n + j, o > 0 ? x
                                        : coded->outlier + t * CPU_OUTLIERS, w, count, n);
        }
    }
}

/* Of few rows, a tile takes no longer than its memory: what add_removed will read of the
 * stored weights, scattered over a page a row, comes while the codes are multiplied. */
static void fetch_removed(const product *p, size_t rows, size_t j, size_t n)
{
    const osc_cpu_coded *coded = &p->device->coded;
    const osc_tensor *t = &p->w.head->stored;
    size_t step = t->stride[t->ndim - 1] * osc_dtype_size(t->dtype);
    size_t count = coded->removed_count < I8_CHUNK ? coded->removed_count : I8_CHUNK;
    for (size_t c = j; c < j + n && rows <= OSC_FEW_ROWS && p->stored && count > 0; c++) {
        const char *row = osc_tensor_row(t, c);
        for (size_t i = 0; i < count; i++)
            __builtin_prefetch(row + coded->removed[i] * step);
    }
}

static void do_tile(const product *p, size_t first, size_t rows, size_t j, size_t n)
{
    const int8_t *code = p->w.code + j / I8_PANEL * osc_cpu_i8_panel(p->k);
    const osc_cpu_coded *coded = &p->device->coded;
    osc_code_panel panel;
    osc_cpu_i8_open_panel(&panel, &p->w, code, coded, p->zeropoint, j, n);
    fetch_removed(p, rows, j, n);
    multiply(p, &panel, code, first, rows, j, n);
    if (coded->removed_count > 0)
        add_removed(p, code, first, rows, j, n);
    if (p->bias != NULL || p->act != OSC_ACT_NONE)
        for (size_t t = first; t < first + rows; t++)
            p->device->vec->bias_act(p->y + t * p->n + j, p->bias ? p->bias + j : NULL, p->act, n);
}

void osc_cpu_i8_product(osc_device *device, float *y, const float *x, const void *w,
                        const osc_coding *coding, const float *bias, osc_act act,
                        size_t rows, size_t n, size_t k)
{
    const product p = { .device = device, .y = y, .x = x,
                        .w = osc_cpu_i8_weight(w, coding, n, k), .zeropoint = coding->zeropoint,
                        .stored = coding->stored, .bias = bias, .act = act,
                        .n = n, .k = k };
    size_t down = (rows + I8_TASK_ROWS - 1) / I8_TASK_ROWS, across = (n + I8_PANEL - 1) / I8_PANEL;
#pragma omp parallel for num_threads(device->threads) schedule(dynamic)
    for (size_t task = 0; task < down * across; task++) {
        /* neighbours share weights */
        size_t i = task % down * I8_TASK_ROWS, j = task / down * I8_PANEL;
        do_tile(&p, i, rows - i < I8_TASK_ROWS ? rows - i : I8_TASK_ROWS,
                j, n - j < I8_PANEL ? n - j : I8_PANEL);
    }
}

osc_status osc_cpu_codes_matmul(osc_device *device, void *y, const void *x, const void *w,
                                const osc_coding *coding, const void *bias, osc_act act,
                                size_t rows, size_t n, size_t k)
{
    if (coding->w == OSC_SHARE_BLOCK) {
        osc_cpu_q8_product(device, y, x, w, bias, act, rows, n, k);
        return OSC_OK;
    }
    osc_cpu_i8_code(device, x, w, coding, rows, n, k);
    osc_cpu_i8_product(device, y, x, w, coding, bias, act, rows, n, k);
    return OSC_OK;
}

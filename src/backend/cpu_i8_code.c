/* Codes of x: which columns are removed, scales of rows, the codes. */
#include <config.h>
#include "backend/cpu_i8.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "base/half.h"

enum { FEW = 1 << 16 };   /* values that one thread codes sooner than others wake up */

/* Peaks of all columns, a stripe of columns to a task. */
static void find_peaks(osc_device *device, const float *x, size_t rows, size_t k)
{
    uint32_t *peak = device->coded.peak;
    memset(peak, 0, k * sizeof *peak);
#pragma omp parallel for num_threads(device->threads) schedule(dynamic) if (rows * k > FEW)
    for (size_t j = 0; j < k; j += CPU_TILE_COLUMNS) {
        size_t n = k - j < CPU_TILE_COLUMNS ? k - j : CPU_TILE_COLUMNS;
        device->i8->loops->peaks(peak + j, x + j, rows, k, n);
    }
}

static void remove_above(osc_cpu_coded *coded, size_t k, double limit, bool or_equal)
{
    for (size_t i = 0; i < k; i++) {
        double peak = (double)osc_bits_to_float(coded->peak[i]);
        if (peak > limit || (or_equal && peak == limit))
            coded->removed[coded->removed_count++] = (uint32_t)i;
    }
}

static double mean_peak(const osc_cpu_coded *coded, size_t k)
{
    double sum = 0.0;
    for (size_t i = 0; i < k; i++)
        sum += (double)osc_bits_to_float(coded->peak[i]);
    return sum / (double)k;
}

static size_t count_from(const osc_cpu_coded *coded, size_t k, uint32_t bits)
{
    size_t count = 0;
    for (size_t i = 0; i < k; i++)
        count += coded->peak[i] >= bits;
    return count;
}

/* The `top` largest: those above the top-th largest peak, which bisection over its
 * bits finds, and the first of those equal to it. */
static void remove_top(osc_cpu_coded *coded, size_t k, size_t top)
{
    uint32_t bits = 0;
    if (top > k)
        top = k;
    for (uint32_t bit = 1u << 30; bit > 0 && top > 0; bit >>= 1)
        if (count_from(coded, k, bits | bit) >= top)
            bits |= bit;
    size_t equal = top - (top > 0 ? count_from(coded, k, bits + 1) : 0);
    for (size_t i = 0; i < k && top > 0; i++) {
        bool tie = coded->peak[i] == bits && equal > 0;
        equal -= tie;
        if (tie || coded->peak[i] > bits)
            coded->removed[coded->removed_count++] = (uint32_t)i;
    }
}

static void find_removed(osc_device *device, const float *x, const osc_i8_weight *w,
                         const osc_coding *coding, size_t rows, size_t k)
{
    osc_cpu_coded *coded = &device->coded;
    coded->removed_count = 0;
    if (coding->remove == OSC_REMOVE_FIXED) {
        coded->removed_count = w->head->column_count;
        memcpy(coded->removed, w->columns, coded->removed_count * sizeof *w->columns);
        return;
    }
    if (coding->remove == OSC_REMOVE_NONE)
        return;
    find_peaks(device, x, rows, k);
    if (coding->remove == OSC_REMOVE_ABSOLUTE)
        remove_above(coded, k, (double)coding->threshold, true);
    else if (coding->remove == OSC_REMOVE_RATIO)
        remove_above(coded, k, (double)coding->threshold * mean_peak(coded, k), false);
    else
        remove_top(coded, k, coding->top);
}

/* Row of x with every removed value replaced by the first that stays, so that
 * extremes are those of the kept columns; x itself if nothing or all is removed. */
static const float *kept_row(const osc_device *device, const float *x, size_t k)
{
    const osc_cpu_coded *coded = &device->coded;
    size_t first = 0;
    if (coded->removed_count == 0 || coded->removed_count == k)
        return x;
    while (first < coded->removed_count && coded->removed[first] == first)
        first++;
    float *row = osc_cpu_scratch(device);
    memcpy(row, x, k * sizeof *row);
    for (size_t i = 0; i < coded->removed_count; i++)
        row[coded->removed[i]] = x[first];
    return row;
}

static osc_code_scale row_scale(const osc_device *device, const float *kept, size_t k,
                                bool zeropoint)
{
    int32_t low = INT32_MAX, high = INT32_MIN;
    if (device->coded.removed_count < k)
        device->i8->loops->range(&low, &high, kept, k);
    return osc_cpu_code_scale(low, high, zeropoint);
}

static osc_code_scale tensor_scale(osc_device *device, const float *x, size_t rows, size_t k,
                                   bool zeropoint)
{
    int32_t low = INT32_MAX, high = INT32_MIN;
    if (device->coded.removed_count < k) {
#pragma omp parallel for num_threads(device->threads) if (rows * k > FEW) \
    reduction(min : low) reduction(max : high)
        for (size_t t = 0; t < rows; t++)
            device->i8->loops->range(&low, &high, kept_row(device, x + t * k, k), k);
    }
    return osc_cpu_code_scale(low, high, zeropoint);
}

/* Side by side: later every panel of outputs reads them. */
static void take_outliers(osc_cpu_coded *coded, const float *x, size_t t)
{
    for (size_t i = 0; i < coded->removed_count && i < CPU_OUTLIERS; i++)
        coded->outlier[t * CPU_OUTLIERS + i] = x[coded->removed[i]];
}

static void code_row(osc_device *device, const float *kept, size_t t, osc_code_scale scale,
                     bool zeropoint, size_t k)
{
    osc_cpu_coded *coded = &device->coded;
    int8_t *q = coded->code + t * coded->stride;
    int32_t sum = 0;
    if (isnan(scale.scale) || coded->removed_count == k)
        memset(q, 0, k);
    else
        sum = zeropoint ? device->i8->loops->zeropoint(q, kept, scale, k)
                        : device->i8->loops->symmetric(q, kept, scale.scale, k);
    for (size_t i = 0; i < coded->removed_count; i++) {
        sum -= q[coded->removed[i]];
        q[coded->removed[i]] = 0;
    }
    memset(q + k, 0, coded->stride - k);
    coded->scale[t] = scale.scale;
    coded->zero[t] = scale.zero;
    coded->sum[t] = sum;
}

void osc_cpu_i8_code(osc_device *device, const float *x, const void *w, const osc_coding *coding,
                     size_t rows, size_t n, size_t k)
{
    osc_i8_weight weight = osc_cpu_i8_weight(w, coding, n, k);
    osc_code_scale all = { 1.0f, 0 };
    assert(device->coded.code != NULL && rows <= device->limits.tokens
           && k <= device->limits.widest);
    device->coded.stride = osc_cpu_i8_stride(k);
    find_removed(device, x, &weight, coding, rows, k);
    if (coding->x == OSC_SHARE_TENSOR)
        all = tensor_scale(device, x, rows, k, coding->zeropoint);
#pragma omp parallel for num_threads(device->threads) if (rows * k > FEW)
    for (size_t t = 0; t < rows; t++) {
        const float *kept = kept_row(device, x + t * k, k);
        osc_code_scale scale = coding->x == OSC_SHARE_TENSOR
                             ? all : row_scale(device, kept, k, coding->zeropoint);
        code_row(device, kept, t, scale, coding->zeropoint, k);
        take_outliers(&device->coded, x + t * k, t);
    }
}

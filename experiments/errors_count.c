/* What one call of a linear layer adds to its sums. */
#include <config.h>
#include "experiments/errors.h"

#include <math.h>
#include <string.h>

/* Whether the code had to be clamped.  As schemes code: the product in float32,
 * rounded to whole, the zero point added without rounding. */
static bool is_clipped(float x, float scale, int32_t zero)
{
    float scaled = x * scale;
    double about = fabs((double)scaled + (double)zero);
    return about > 126.0 && fabs(rint((double)scaled) + (double)zero) > 127.0;
}

static void count_row(uint64_t counts[4], const int8_t *q, const float *x, float scale,
                      int32_t zero, size_t width, const bool *removed)
{
    for (size_t i = 0; i < width; i++) {
        if (removed[i])
            continue;
        counts[0]++;
        counts[1] += q[i] == zero;
        counts[2] += q[i] == zero && x[i] != 0.0f;
        counts[3] += is_clipped(x[i], scale, zero);
    }
}

void errors_count_codes(layer_error *e, const osc_code_view *view, const float *x, size_t rows,
                        size_t width, bool *removed)
{
    uint64_t codes = 0, zeros = 0, lost = 0, clipped = 0;
    memset(removed, 0, width * sizeof *removed);
    for (size_t i = 0; i < view->column_count; i++)
        removed[view->columns[i]] = true;
#pragma omp parallel for reduction(+ : codes, zeros, lost, clipped)
    for (size_t t = 0; t < rows; t++) {
        uint64_t counts[4] = { 0 };
        count_row(counts, view->qx + t * width, x + t * width, view->sx[t], view->zx[t], width,
                  removed);
        codes += counts[0];
        zeros += counts[1];
        lost += counts[2];
        clipped += counts[3];
    }
    e->coded = true;
    e->codes += codes;
    e->zeros += zeros;
    e->lost += lost;
    e->clipped += clipped;
    e->removed += view->column_count;
}

size_t errors_count_outliers(const float *x, size_t rows, size_t width, bool *found)
{
    size_t count = 0;
    memset(found, 0, width * sizeof *found);
    for (size_t t = 0; t < rows; t++)
        for (size_t i = 0; i < width; i++)
            found[i] |= fabsf(x[t * width + i]) >= ERRORS_ALPHA;
    for (size_t i = 0; i < width; i++)
        count += found[i];
    return count;
}

void errors_count_noise(layer_error *e, const float *y, const double *exact, size_t count)
{
    double signal = 0.0, noise = 0.0;
    for (size_t i = 0; i < count; i++) {
        double difference = (double)y[i] - exact[i];
        signal += exact[i] * exact[i];
        noise += difference * difference;
    }
    e->signal += signal;
    e->noise += noise;
}

double errors_sqnr(const layer_error *e)
{
    return 10.0 * log10(e->signal / e->noise);
}

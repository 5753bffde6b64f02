/* Column statistics and hits.  Columns are split between threads; values that reach
 * alpha are counted and looked for only among columns whose extremes do, which are few. */
#include <config.h>
#include "backend/cpu.h"

#include <math.h>

static float magnitude(float low, float high)
{
    return -low > high ? -low : high;
}

/* One task: columns j .. j+n-1; extremes of this call go to device->low and high. */
static void reduce(osc_device *device, osc_column_stats *stats, uint64_t *bins,
                   const float *x, size_t rows, size_t width, size_t j, size_t n, float alpha)
{
    osc_cpu_columns at = { device->low + j, device->high + j, stats->sum + j,
                           stats->sumsq + j, stats->sum4 + j };
    for (size_t c = 0; c < n; c++) {
        at.min[c] = INFINITY;
        at.max[c] = -INFINITY;
    }
    device->vec->columns(&at, x + j, rows, width, n);
    device->vec->exponents(bins, x + j, rows, width, n);
    float most = 0.0f;
    for (size_t c = 0; c < n; c++) {
        stats->min[j + c] = fminf(stats->min[j + c], at.min[c]);
        stats->max[j + c] = fmaxf(stats->max[j + c], at.max[c]);
        most = fmaxf(most, magnitude(at.min[c], at.max[c]));
    }
    if (most >= alpha)
        device->vec->count_ge(stats->count_ge + j, x + j, rows, width, n, alpha);
}

static osc_status find_hits(osc_device *device, const float *x, size_t rows, size_t width,
                            size_t hot, float alpha, const osc_hits_route *route)
{
    size_t found = 0;
    for (size_t r = 0; r < rows; r++) {
        for (size_t h = 0; h < hot; h++) {
            uint32_t column = device->hot[h];
            float value = x[r * width + column];
            if (!(fabsf(value) >= alpha))
                continue;
            device->hits[found++] = (osc_hit){ (uint32_t)r, column, value };
            if (found == CPU_HITS) {
                OSC_TRY(route->sink(route, device->hits, found));
                found = 0;
            }
        }
    }
    return found == 0 ? OSC_OK : route->sink(route, device->hits, found);
}

osc_status osc_cpu_observe(osc_device *device, osc_column_stats *stats, const void *x,
                           osc_sequences rows, size_t width, float alpha,
                           const osc_hits_route *route)
{
#pragma omp parallel for num_threads(device->threads) schedule(dynamic)
    for (size_t j = 0; j < width; j += CPU_STAT_COLUMNS) {
        uint64_t bins[OSC_HISTOGRAM_BINS] = { 0 };
        size_t n = width - j < CPU_STAT_COLUMNS ? width - j : CPU_STAT_COLUMNS;
        reduce(device, stats, bins, x, rows.tokens, width, j, n, alpha);
        for (size_t b = 0; b < OSC_HISTOGRAM_BINS; b++)
            if (bins[b] != 0)
#pragma omp atomic
                stats->histogram[b] += bins[b];
    }
    if (route == NULL)
        return OSC_OK;
    size_t hot = 0;
    for (size_t j = 0; j < width; j++)
        if (magnitude(device->low[j], device->high[j]) >= alpha)
            device->hot[hot++] = (uint32_t)j;
    return find_hits(device, x, rows.tokens, width, hot, alpha, route);
}

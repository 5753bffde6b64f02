/* Column statistics and hits.  Columns are split between threads; hits are
 * looked for only in the columns whose extremes reach alpha, which are few. */
#include <config.h>
#include "backend/cpu.h"

#include <math.h>

static float magnitude(float low, float high)
{
    return -low > high ? -low : high;
}

/* Exponent bits 0..255 to the bins of stats.h: |x| in [2^(e-127), 2^(e-126)). */
static size_t bin_of(size_t exponent)
{
    long bin = (long)exponent - 127 - OSC_HISTOGRAM_LOWEST;
    if (bin < 0)
        return 0;
    return bin >= OSC_HISTOGRAM_BINS ? OSC_HISTOGRAM_BINS - 1 : (size_t)bin;
}

/* One task: columns j .. j+n-1; extremes of this call go to device->low and high. */
static void reduce(osc_device *device, osc_column_stats *stats, uint64_t *exponents,
                   const float *x, size_t rows, size_t width, size_t j, size_t n)
{
    osc_cpu_columns at = { device->low + j, device->high + j, stats->sum + j,
                           stats->sumsq + j, stats->sum4 + j };
    for (size_t c = 0; c < n; c++) {
        at.min[c] = INFINITY;
        at.max[c] = -INFINITY;
    }
    device->vec->columns(&at, x + j, rows, width, n);
    device->vec->exponents(exponents, x + j, rows, width, n);
    for (size_t c = 0; c < n; c++) {
        stats->min[j + c] = fminf(stats->min[j + c], at.min[c]);
        stats->max[j + c] = fmaxf(stats->max[j + c], at.max[c]);
    }
}

static osc_status find_hits(osc_device *device, osc_column_stats *stats, const float *x,
                            size_t rows, size_t width, size_t hot, float alpha,
                            osc_hits_sink sink, void *user)
{
    size_t found = 0;
    for (size_t r = 0; r < rows; r++) {
        for (size_t h = 0; h < hot; h++) {
            uint32_t column = device->hot[h];
            float value = x[r * width + column];
            if (!(fabsf(value) >= alpha))
                continue;
            stats->count_ge[column]++;
            if (sink == NULL)
                continue;
            device->hits[found++] = (osc_hit){ (uint32_t)r, column, value };
            if (found == CPU_HITS) {
                OSC_TRY(sink(user, device->hits, found));
                found = 0;
            }
        }
    }
    return found == 0 ? OSC_OK : sink(user, device->hits, found);
}

osc_status osc_cpu_observe(osc_device *device, osc_column_stats *stats, const void *x,
                           size_t rows, size_t width, float alpha,
                           osc_hits_sink sink, void *user)
{
#pragma omp parallel for num_threads(device->threads) schedule(dynamic)
    for (size_t j = 0; j < width; j += CPU_STAT_COLUMNS) {
        uint64_t exponents[256] = { 0 };
        size_t n = width - j < CPU_STAT_COLUMNS ? width - j : CPU_STAT_COLUMNS;
        reduce(device, stats, exponents, x, rows, width, j, n);
        for (size_t e = 0; e < 256; e++)
            if (exponents[e] != 0)
#pragma omp atomic
                stats->histogram[bin_of(e)] += exponents[e];
    }
    size_t hot = 0;
    for (size_t j = 0; j < width; j++)
        if (magnitude(device->low[j], device->high[j]) >= alpha)
            device->hot[hot++] = (uint32_t)j;
    return find_hits(device, stats, x, rows, width, hot, alpha, sink, user);
}

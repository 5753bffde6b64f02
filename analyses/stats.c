#include <config.h>
#include "analyses/stats.h"

#include <gsl/gsl_sort_float.h>
#include <gsl/gsl_statistics_float.h>
#include <math.h>

void stats_quartiles(double quartiles[3], float *values, size_t count)
{
    if (count > 0)
        gsl_sort_float(values, 1, count);
    for (int i = 0; i < 3; i++)
        quartiles[i] = count == 0 ? NAN
            : gsl_stats_float_quantile_from_sorted_data(values, 1, count, 0.25 * (i + 1));
}

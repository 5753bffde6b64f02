#include <config.h>
#include "analyses/bootstrap.h"

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_sort.h>
#include <gsl/gsl_statistics_double.h>
#include <math.h>

#include "analyses/rng.h"

/* Means of resamples, [BOOTSTRAP_RESAMPLES], rising. */
static osc_status resample(double *means, const double *values, size_t count, uint64_t seed)
{
    gsl_rng rng;
    OSC_TRY(rng_open(&rng, seed));
    for (size_t b = 0; b < BOOTSTRAP_RESAMPLES; b++) {
        double sum = 0;
        for (size_t i = 0; i < count; i++)
            sum += values[gsl_rng_uniform_int(&rng, count)];
        means[b] = sum / (double)count;
    }
    rng_close(&rng);
    gsl_sort(means, 1, BOOTSTRAP_RESAMPLES);
    return OSC_OK;
}

/* z0: where the sample's mean stands among those of the resamples, as a normal quantile. */
static double bias(const double *means, double mean)
{
    double below = 0;
    for (size_t b = 0; b < BOOTSTRAP_RESAMPLES; b++)
        below += means[b] < mean ? 1 : means[b] == mean ? 0.5 : 0;
    double least = 0.5 / BOOTSTRAP_RESAMPLES;
    return gsl_cdf_ugaussian_Pinv(fmin(fmax(below / BOOTSTRAP_RESAMPLES, least), 1 - least));
}

/* Of the mean, from the jackknife: sum d^3 / (6 (sum d^2)^1.5), d = x - mean. */
static double acceleration(const double *values, size_t count, double mean)
{
    double square = 0, cube = 0;
    for (size_t i = 0; i < count; i++) {
        double d = values[i] - mean;
        square += d * d;
        cube += d * d * d;
    }
    return square > 0 ? cube / (6 * pow(square, 1.5)) : 0;
}

/* The share of resamples below the end of the interval whose normal quantile is z. */
static double corrected(double z, double z0, double a)
{
    return gsl_cdf_ugaussian_P(z0 + (z0 + z) / (1 - a * (z0 + z)));
}

osc_status bootstrap_mean(double interval[2], const double *values, size_t count, double level,
                          uint64_t seed)
{
    double mean = gsl_stats_mean(values, 1, count);
    interval[0] = interval[1] = NAN;
    if (count < BOOTSTRAP_LEAST || !isfinite(mean))
        return OSC_OK;
    double *means = osc_alloc(BOOTSTRAP_RESAMPLES, sizeof *means);
    osc_status status = means == NULL ? OSC_ENOMEM : resample(means, values, count, seed);
    if (status == OSC_OK) {
        double z0 = bias(means, mean), a = acceleration(values, count, mean);
        for (int end = 0; end < 2; end++) {
            double z = gsl_cdf_ugaussian_Pinv(end == 0 ? (1 - level) / 2 : (1 + level) / 2);
            interval[end] = gsl_stats_quantile_from_sorted_data(means, 1, BOOTSTRAP_RESAMPLES,
                                                                corrected(z, z0, a));
        }
    }
    osc_free(means);
    return status;
}

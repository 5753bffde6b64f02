#include <config.h>
#include "backend/stats.h"

#include <math.h>

static const double MASSIVE_ABOVE = 100.0, MASSIVE_TIMES = 1000.0;

float osc_massive_from(float median)
{
    double least = MASSIVE_TIMES * (double)median;
    if (least <= MASSIVE_ABOVE)
        return nextafterf((float)MASSIVE_ABOVE, INFINITY);
    float from = (float)least;
    return (double)from < least ? nextafterf(from, INFINITY) : from;
}

double osc_summary_kurtosis(const osc_summary *summary)
{
    double n = (double)summary->count, mean = summary->power[0] / n;
    double second = summary->power[1] / n - mean * mean;
    double fourth = summary->power[3] / n - 4 * mean * summary->power[2] / n
                  + 6 * mean * mean * summary->power[1] / n - 3 * mean * mean * mean * mean;
    double variance = second * n / (n - 1);
    return fourth / (variance * variance + 1e-6);
}

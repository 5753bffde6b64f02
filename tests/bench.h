/* Timing for benches: medians, one JSON line per result. */
#ifndef BENCH_H
#define BENCH_H

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static inline double bench_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static inline int bench_order(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static inline double bench_median(double *seconds, size_t n)
{
    qsort(seconds, n, sizeof *seconds, bench_order);
    return n % 2 ? seconds[n / 2] : 0.5 * (seconds[n / 2 - 1] + seconds[n / 2]);
}

/* Seconds; ratio = baseline / time: above 1 is faster than the baseline. */
static inline void bench_print(const char *bench, const char *kernel, const char *shape,
                               double seconds, const char *baseline, double baseline_seconds)
{
    printf("{\"bench\": \"%s\", \"backend\": \"cpu\", \"kernel\": \"%s\", \"shape\": \"%s\", "
           "\"median_us\": %.1f, \"baseline\": \"%s\", \"baseline_median_us\": %.1f, "
           "\"ratio\": %.3f}\n", bench, kernel, shape, 1e6 * seconds, baseline,
           1e6 * baseline_seconds, baseline_seconds / seconds);
    fflush(stdout);
}

#endif

/* The float64 product that errors are measured against: plain loops, a tile of
 * outputs to a task, sums over K in order. */
#include <config.h>
#include "experiments/layer_study.h"

#ifdef _OPENMP
#include <omp.h>
#endif

static size_t thread_index(void)
{
#ifdef _OPENMP
    return (size_t)omp_get_thread_num();
#else
    return 0;
#endif
}

/* tile [k, PRODUCT_TILE] of outputs first .. first+count-1; the rest is 0. */
static void open_tile(double *tile, const float *w, size_t first, size_t count, size_t k)
{
    for (size_t i = 0; i < k; i++)
        for (size_t j = 0; j < PRODUCT_TILE; j++)
            tile[i * PRODUCT_TILE + j] = j < count ? (double)w[(first + j) * k + i] : 0.0;
}

static void multiply_row(double *y, const float *x, const double *tile, size_t count, size_t k)
{
    double sum[PRODUCT_TILE] = { 0.0 };
    for (size_t i = 0; i < k; i++) {
        double value = (double)x[i];
        for (size_t j = 0; j < PRODUCT_TILE; j++)
            sum[j] += value * tile[i * PRODUCT_TILE + j];
    }
    for (size_t j = 0; j < count; j++)
        y[j] = sum[j];
}

void layer_product(double *y, const float *x, const float *w, size_t rows, size_t n, size_t k,
                   double *scratch, size_t threads)
{
    (void)threads;   /* without OpenMP there is one */
#pragma omp parallel for num_threads((int)threads) schedule(dynamic)
    for (size_t j = 0; j < n; j += PRODUCT_TILE) {
        double *tile = scratch + thread_index() * PRODUCT_TILE * k;
        size_t count = n - j < PRODUCT_TILE ? n - j : PRODUCT_TILE;
        open_tile(tile, w, j, count, k);
        for (size_t t = 0; t < rows; t++)
            multiply_row(y + t * n + j, x + t * k, tile, count, k);
    }
}

/* Float products through cblas, and the language-model head on top of them. */
#include <config.h>
#include "backend/cpu.h"

#include <cblas.h>
#include <math.h>

static size_t tiles(size_t count, size_t tile)
{
    return (count + tile - 1) / tile;
}

static size_t extent(size_t count, size_t first, size_t tile)
{
    return count - first < tile ? count - first : tile;
}

/* y [m, n] = x [m, k] w [n, k]^T, single-threaded; rows of y are ldy apart. */
static void product(float *y, const float *x, const float *w, size_t m, size_t n, size_t k,
                    size_t ldy)
{
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)m, (int)n, (int)k,
                1.0f, x, (int)k, w, (int)k, 0.0f, y, (int)ldy);
}

osc_status osc_cpu_matmul(osc_device *device, void *y, const void *x, const void *w,
                          const void *bias, osc_act act, size_t rows, size_t n, size_t k)
{
    size_t down = tiles(rows, CPU_TILE_ROWS), across = tiles(n, CPU_TILE_COLUMNS);
    if (rows <= OSC_FEW_ROWS) {
        const osc_tensor stored = osc_tensor_make(w, OSC_F32, 2, (size_t[]){ n, k });
        return osc_cpu_matmul_stored(device, y, x, &stored, bias, act, rows);
    }
#pragma omp parallel for num_threads(device->threads) schedule(dynamic)
    for (size_t task = 0; task < down * across; task++) {
        /* neighbours share weights */
        size_t i = task % down * CPU_TILE_ROWS, j = task / down * CPU_TILE_COLUMNS;
        size_t m = extent(rows, i, CPU_TILE_ROWS), c = extent(n, j, CPU_TILE_COLUMNS);
        float *tile = (float *)y + i * n + j;
        product(tile, (const float *)x + i * k, (const float *)w + j * k, m, c, k, n);
        if (bias != NULL || act != OSC_ACT_NONE)
            for (size_t r = 0; r < m; r++)
                device->vec->bias_act(tile + r * n, bias ? (const float *)bias + j : NULL, act, c);
    }
    return OSC_OK;
}

/* One row of logits of the vocabulary from `first` on: log-sum-exp in the
 * streaming form, rescaled when a larger maximum turns up. */
static void update(const osc_cpu_vec *vec, osc_row_lse *lse, const float *logits, size_t n,
                   int32_t target, size_t first)
{
    float largest = vec->max(logits, n);
    if (largest > lse->max) {
        lse->sum *= exp((double)lse->max - (double)largest);
        lse->max = largest;
    }
    lse->sum += (double)vec->exp_sum(logits, lse->max, n);
    if (target >= 0 && (size_t)target >= first && (size_t)target < first + n)
        lse->target = logits[(size_t)target - first];
}

osc_status osc_cpu_head_biased(osc_device *device, osc_row_lse *lse, const void *x, const void *w,
                               const void *bias, const int32_t *targets, size_t rows, size_t first,
                               size_t n, size_t k, float *logits, size_t stride)
{
#pragma omp parallel for num_threads(device->threads) schedule(dynamic)
    for (size_t i = 0; i < rows; i += CPU_TILE_ROWS) {
        size_t m = extent(rows, i, CPU_TILE_ROWS);
        float *tile = osc_cpu_scratch(device);
        for (size_t j = 0; j < n; j += CPU_HEAD_COLUMNS) {
            size_t c = extent(n, j, CPU_HEAD_COLUMNS);
            product(tile, (const float *)x + i * k, (const float *)w + j * k, m, c, k, c);
            for (size_t r = 0; r < m; r++) {
                if (bias != NULL)
                    device->vec->add(tile + r * c, (const float *)bias + j, c);
                update(device->vec, &lse[i + r], tile + r * c, c, targets[i + r], first + j);
                if (logits != NULL)
                    cblas_scopy((int)c, tile + r * c, 1,
                                logits + (i + r) * stride + first + j, 1);
            }
        }
    }
    return OSC_OK;
}

osc_status osc_cpu_head(osc_device *device, osc_row_lse *lse, const void *x, const void *w,
                        const int32_t *targets, size_t rows, size_t first, size_t n, size_t k,
                        float *logits, size_t stride)
{
    return osc_cpu_head_biased(device, lse, x, w, NULL, targets, rows, first, n, k, logits, stride);
}

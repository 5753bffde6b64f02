/* Causal attention: a task is one head and a few queries; its scores stay in one
 * thread's scratch, no T x T matrix is stored. */
#include <config.h>
#include "backend/cpu.h"

#include <cblas.h>
#include <math.h>
#include <string.h>

/* s [m, n] = q [m, D] k [n, D]^T; rows of q and k are `width` apart. */
static void score(float *s, const float *q, const float *k, size_t m, size_t n,
                  size_t head_size, size_t width, size_t lds, float scale)
{
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)m, (int)n, (int)head_size,
                scale, q, (int)width, k, (int)width, 0.0f, s, (int)lds);
}

/* o [m, D] = p [m, n] v [n, D]; rows of o and v are `width` apart. */
static void weigh(float *o, const float *p, const float *v, size_t m, size_t n,
                  size_t head_size, size_t width, size_t ldp)
{
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)m, (int)head_size, (int)n,
                1.0f, p, (int)ldp, v, (int)width, 0.0f, o, (int)width);
}

/* Softmax of scale * row over its first `keys` of `n` entries, zeros behind;
 * returns the largest probability, which is 1 / sum since its exponent is 0. */
static double softmax(const osc_cpu_vec *vec, float *row, float scale, size_t keys, size_t n)
{
    float largest = vec->max(row, keys);
    float sum = vec->exp(row, row, scale, largest, keys);
    vec->multiply(row, 1.0f / sum, keys);
    memset(row + keys, 0, (n - keys) * sizeof *row);
    return 1.0 / (double)sum;
}

osc_status osc_cpu_attention(osc_device *device, void *o, const void *q, const void *k,
                             const void *v, const osc_attention *args)
{
    size_t per_head = (args->tokens + CPU_QUERIES - 1) / CPU_QUERIES;
    size_t width = args->heads * args->head_size;
#pragma omp parallel for num_threads(device->threads) schedule(dynamic)
    for (size_t task = 0; task < args->heads * per_head; task++) {
        /* the longest rows first, so that the last task is a short one */
        size_t i = (per_head - 1 - task / args->heads) * CPU_QUERIES;
        size_t column = task % args->heads * args->head_size;
        size_t m = args->tokens - i < CPU_QUERIES ? args->tokens - i : CPU_QUERIES;
        size_t n = i + m;
        float *s = osc_cpu_scratch(device);
        score(s, (const float *)q + i * width + column, (const float *)k + column, m, n,
              args->head_size, width, n, 1.0f);
        double mass = 0.0;
        for (size_t r = 0; r < m; r++)
            mass += softmax(device->vec, s + r * n, args->scale, i + r + 1, n);
        device->partial[task] = mass;
        weigh((float *)o + i * width + column, s, (const float *)v + column, m, n,
              args->head_size, width, n);
    }
    if (args->top1 != NULL)
        for (size_t task = 0; task < args->heads * per_head; task++)
            args->top1[task % args->heads] += device->partial[task];
    return OSC_OK;
}

osc_status osc_cpu_attend_scores(osc_device *device, const void *q, const void *k,
                                 const osc_attention *args)
{
    size_t n = args->tokens, width = args->heads * args->head_size;
#pragma omp parallel for num_threads(device->threads)
    for (size_t h = 0; h < args->heads; h++) {
        float *s = args->scores + h * n * n;
        size_t column = h * args->head_size;
        score(s, (const float *)q + column, (const float *)k + column, n, n, args->head_size,
              width, n, args->scale);
        for (size_t i = 0; i < n; i++)
            for (size_t j = i + 1; j < n; j++)
                s[i * n + j] = -INFINITY;
    }
    return OSC_OK;
}

osc_status osc_cpu_attend_softmax(osc_device *device, const osc_attention *args)
{
    size_t n = args->tokens;
#pragma omp parallel for num_threads(device->threads)
    for (size_t h = 0; h < args->heads; h++) {
        double mass = 0.0;
        for (size_t i = 0; i < n; i++)
            mass += softmax(device->vec, args->scores + (h * n + i) * n, 1.0f, n, n);
        if (args->top1 != NULL)
            args->top1[h] += mass;
    }
    return OSC_OK;
}

osc_status osc_cpu_attend_values(osc_device *device, void *o, const void *v,
                                 const osc_attention *args)
{
    size_t n = args->tokens, width = args->heads * args->head_size;
#pragma omp parallel for num_threads(device->threads)
    for (size_t h = 0; h < args->heads; h++)
        weigh((float *)o + h * args->head_size, args->scores + h * n * n,
              (const float *)v + h * args->head_size, n, n, args->head_size, width, n);
    return OSC_OK;
}

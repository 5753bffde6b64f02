/* Causal attention: a task is one head and a few queries; its scores stay in one
 * thread's scratch, no T x T matrix is stored. */
#include <config.h>
#include "backend/cpu.h"

#include <cblas.h>
#include <math.h>
#include <string.h>

#include "backend/alibi.h"

/* Where head h lies in rows of q (and o) and of k (and v). */
typedef struct {
    size_t width, column, kv_width, kv_column;
    float  slope;     /* ALiBi's, 0 without */
} head_place;

static head_place place_of(const osc_attention *args, size_t h)
{
    size_t d = args->head_size, kv_heads = args->kv_heads == 0 ? args->heads : args->kv_heads;
    return (head_place){
        .width = args->heads * d, .column = h * d, .kv_width = kv_heads * d,
        .kv_column = h / (args->heads / kv_heads) * d,
        .slope = args->alibi ? osc_alibi_slope(h, args->heads) : 0.0f,
    };
}

/* s [m, n] = scale q [m, D] k [n, D]^T + slope * key, q from row `first` on. */
static void score(float *s, const float *q, const float *k, const head_place *at, size_t first,
                  size_t m, size_t n, size_t head_size, float scale)
{
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)m, (int)n, (int)head_size,
                scale, q + first * at->width + at->column, (int)at->width, k + at->kv_column,
                (int)at->kv_width, 0.0f, s, (int)n);
    for (size_t i = 0; i < m && at->slope != 0.0f; i++)
        for (size_t j = 0; j < n; j++)
            s[i * n + j] += at->slope * (float)j;
}

/* o [m, D] = p [m, n] v [n, D], o from row `first` on. */
static void weigh(float *o, const float *p, const float *v, const head_place *at, size_t first,
                  size_t m, size_t n, size_t head_size)
{
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)m, (int)head_size, (int)n,
                1.0f, p, (int)n, v + at->kv_column, (int)at->kv_width, 0.0f,
                o + first * at->width + at->column, (int)at->width);
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

/* One query of one head; returns its largest probability. */
static double attend_one(const osc_device *device, float *o, const float *q, const float *k,
                         const float *v, const head_place *at, const osc_attention *args,
                         size_t query)
{
    const osc_cpu_vec *vec = device->vec;
    size_t d = args->head_size, keys = args->past + query + 1;
    float *s = osc_cpu_scratch(device), *to = o + query * at->width + at->column;
    for (size_t j = 0; j < keys; j++)
        s[j] = args->scale * vec->dot_f32(q + query * at->width + at->column,
                                          k + j * at->kv_width + at->kv_column, d)
             + at->slope * (float)j;
    double largest = softmax(vec, s, 1.0f, keys, keys);
    memset(to, 0, d * sizeof *to);
    for (size_t j = 0; j < keys; j++)
        vec->add_scaled_f32(to, s[j], v + j * at->kv_width + at->kv_column, d);
    return largest;
}

/* Few queries need each key and value once: no product would be faster. */
static void attend_few(osc_device *device, float *o, const float *q, const float *k,
                       const float *v, const osc_attention *args)
{
#pragma omp parallel for num_threads(device->threads) schedule(dynamic)
    for (size_t h = 0; h < args->heads; h++) {
        head_place at = place_of(args, h);
        double mass = 0.0;
        for (size_t i = 0; i < args->tokens; i++)
            mass += attend_one(device, o, q, k, v, &at, args, i);
        if (args->top1 != NULL)
            args->top1[h] += mass;
    }
}

osc_status osc_cpu_attention(osc_device *device, void *o, const void *q, const void *k,
                             const void *v, const osc_attention *args)
{
    size_t per_head = (args->tokens + CPU_QUERIES - 1) / CPU_QUERIES;
    if (args->tokens <= OSC_FEW_ROWS) {
        attend_few(device, o, q, k, v, args);
        return OSC_OK;
    }
    /* the scale waits for the softmax unless something is added to the scaled scores */
    float early = args->alibi ? args->scale : 1.0f, late = args->alibi ? 1.0f : args->scale;
#pragma omp parallel for num_threads(device->threads) schedule(dynamic)
    for (size_t task = 0; task < args->heads * per_head; task++) {
        /* the longest rows first, so that the last task is a short one */
        size_t i = (per_head - 1 - task / args->heads) * CPU_QUERIES;
        head_place at = place_of(args, task % args->heads);
        size_t m = args->tokens - i < CPU_QUERIES ? args->tokens - i : CPU_QUERIES;
        size_t n = args->past + i + m;
        float *s = osc_cpu_scratch(device);
        score(s, q, k, &at, i, m, n, args->head_size, early);
        double mass = 0.0;
        for (size_t r = 0; r < m; r++)
            mass += softmax(device->vec, s + r * n, late, args->past + i + r + 1, n);
        device->partial[task] = mass;
        weigh(o, s, v, &at, i, m, n, args->head_size);
    }
    if (args->top1 != NULL)
        for (size_t task = 0; task < args->heads * per_head; task++)
            args->top1[task % args->heads] += device->partial[task];
    return OSC_OK;
}

osc_status osc_cpu_attend_scores(osc_device *device, const void *q, const void *k,
                                 const osc_attention *args)
{
    size_t m = args->tokens, n = args->past + m;
#pragma omp parallel for num_threads(device->threads)
    for (size_t h = 0; h < args->heads; h++) {
        float *s = args->scores + h * m * n;
        head_place at = place_of(args, h);
        score(s, q, k, &at, 0, m, n, args->head_size, args->scale);
        for (size_t i = 0; i < m; i++)
            for (size_t j = args->past + i + 1; j < n; j++)
                s[i * n + j] = -INFINITY;
    }
    return OSC_OK;
}

osc_status osc_cpu_attend_softmax(osc_device *device, const osc_attention *args)
{
    size_t m = args->tokens, n = args->past + m;
#pragma omp parallel for num_threads(device->threads)
    for (size_t h = 0; h < args->heads; h++) {
        double mass = 0.0;
        for (size_t i = 0; i < m; i++)
            mass += softmax(device->vec, args->scores + (h * m + i) * n, 1.0f, n, n);
        if (args->top1 != NULL)
            args->top1[h] += mass;
    }
    return OSC_OK;
}

osc_status osc_cpu_attend_values(osc_device *device, void *o, const void *v,
                                 const osc_attention *args)
{
    size_t m = args->tokens, n = args->past + m;
#pragma omp parallel for num_threads(device->threads)
    for (size_t h = 0; h < args->heads; h++) {
        head_place at = place_of(args, h);
        weigh(o, args->scores + h * m * n, v, &at, 0, m, n, args->head_size);
    }
    return OSC_OK;
}

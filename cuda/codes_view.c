/* The operands of a product of codes, and its sums as the chosen kernel makes them. */
#include <config.h>
#include "cuda/codes.h"

#include <string.h>

#include "base/alloc.h"

/* `count` elements of `size` bytes from the device to `to`, unless that is NULL. */
static osc_status fetch(osc_device *device, void *to, const void *from, size_t count, size_t size)
{
    if (to == NULL || count == 0)
        return OSC_OK;
    OSC_CUDA_TRY(cudaMemcpyAsync(to, from, count * size, cudaMemcpyDeviceToHost, device->stream),
                 "copying codes to the host");
    return osc_cuda_wait(device, "copying codes to the host");
}

/* Rows without their padding. */
static osc_status fetch_rows(osc_device *device, int8_t *to, const int8_t *from, size_t rows,
                             size_t k, size_t stride)
{
    if (to == NULL)
        return OSC_OK;
    OSC_CUDA_TRY(cudaMemcpy2DAsync(to, k, from, stride, k, rows, cudaMemcpyDeviceToHost,
                                   device->stream), "copying codes to the host");
    return osc_cuda_wait(device, "copying codes to the host");
}

/* Codes of w in the order of outputs. */
static osc_status fetch_weight(osc_device *device, int8_t *to, const osc_cuda_layer *p)
{
    const osc_cuda_weight *w = &p->w;
    if (to == NULL)
        return OSC_OK;
    int8_t *panels = osc_alloc(w->rows, w->stride);
    if (panels == NULL)
        return OSC_ENOMEM;
    osc_status status = fetch(device, panels, w->code, w->rows, w->stride);
    for (size_t j = 0; j < p->n && status == OSC_OK; j++)
        memcpy(to + j * p->k, panels + osc_cuda_code_row((unsigned)j) * w->stride, p->k);
    osc_free(panels);
    return status;
}

/* What the expansion of zero points needs: sums over kept columns of codes of w, and of
 * (q - zero) of x. */
typedef struct {
    int32_t *sum, *kept_w, *zero_x, *zero_w;
    double  *kept_x;
} parts;

static void parts_free(parts *p)
{
    osc_free(p->sum);
    osc_free(p->kept_w);
    osc_free(p->zero_x);
    osc_free(p->zero_w);
    osc_free(p->kept_x);
}

static osc_status parts_fetch(osc_device *device, parts *s, const osc_cuda_layer *p)
{
    const osc_cuda_codes *c = device->codes;
    s->sum = osc_alloc(p->rows * p->n, sizeof *s->sum);
    s->kept_w = osc_alloc(p->n, sizeof *s->kept_w);
    s->zero_w = osc_alloc(p->n, sizeof *s->zero_w);
    s->zero_x = osc_alloc(p->rows, sizeof *s->zero_x);
    s->kept_x = osc_alloc(p->rows, sizeof *s->kept_x);
    if (s->sum == NULL || s->kept_w == NULL || s->zero_w == NULL || s->zero_x == NULL
        || s->kept_x == NULL)
        return OSC_ENOMEM;
    OSC_TRY(fetch(device, s->sum, p->sum, p->rows * p->n, sizeof *s->sum));
    if (!p->coding.zeropoint)
        return OSC_OK;
    OSC_TRY(fetch(device, s->kept_w, c->kept_w, p->n, sizeof *s->kept_w));
    OSC_TRY(fetch(device, s->zero_w, p->w.zero, p->n, sizeof *s->zero_w));
    OSC_TRY(fetch(device, s->zero_x, c->zero, p->rows, sizeof *s->zero_x));
    return fetch(device, s->kept_x, c->kept, p->rows, sizeof *s->kept_x);
}

/* Modulo 2^64. */
static int64_t expand(const parts *s, size_t t, size_t j, size_t n)
{
    uint64_t zero_x = (uint64_t)(int64_t)s->zero_x[t], zero_w = (uint64_t)(int64_t)s->zero_w[j];
    return (int64_t)((uint64_t)(int64_t)s->sum[t * n + j]
                     - zero_x * (uint64_t)(int64_t)s->kept_w[j]
                     - zero_w * (uint64_t)(int64_t)s->kept_x[t]);
}

/* The kernel writes its sums instead of y; they are expanded here. */
static osc_status fetch_sums(osc_device *device, int64_t *to, osc_cuda_layer *p)
{
    parts s = { .sum = NULL };
    if (to == NULL)
        return OSC_OK;
    OSC_CUDA_TRY(cudaMallocAsync((void **)&p->sum, p->rows * p->n * sizeof *p->sum,
                                 device->stream), "allocating sums");
    osc_status status = osc_cuda_kernel_for(device, p)->multiply(device, p);
    if (status == OSC_OK)
        status = parts_fetch(device, &s, p);
    for (size_t i = 0; i < p->rows * p->n && status == OSC_OK; i++)
        to[i] = expand(&s, i / p->n, i % p->n, p->n);
    parts_free(&s);
    cudaFreeAsync(p->sum, device->stream);
    return status;
}

osc_status osc_cuda_codes_view(osc_device *device, osc_code_view *view, const void *x,
                               const void *w, const osc_coding *coding, size_t rows, size_t n,
                               size_t k)
{
    const osc_cuda_codes *c = device->codes;
    osc_cuda_layer p = { .x = x, .coding = *coding, .rows = rows, .n = n, .k = k };
    uint32_t count = 0;
    if (coding->w == OSC_SHARE_BLOCK)
        return osc_fail(OSC_EUNSUP, "weight-only schemes have no codes of x");
    p.w = osc_cuda_code_weight(w, coding, n, k);
    OSC_TRY(osc_cuda_code_x(device, &p, true));
    OSC_TRY(fetch(device, &count, c->columns, 1, sizeof count));
    view->column_count = count;
    OSC_TRY(fetch(device, view->columns, c->columns + 1, count, sizeof count));
    OSC_TRY(fetch_rows(device, view->qx, c->code, rows, k, p.w.stride));
    OSC_TRY(fetch(device, view->sx, c->scale, rows, sizeof *view->sx));
    OSC_TRY(fetch(device, view->zx, c->zero, rows, sizeof *view->zx));
    OSC_TRY(fetch_weight(device, view->qw, &p));
    OSC_TRY(fetch(device, view->sw, p.w.scale, n, sizeof *view->sw));
    if (view->zw != NULL)
        memset(view->zw, 0, n * sizeof *view->zw);
    if (coding->zeropoint)
        OSC_TRY(fetch(device, view->zw, p.w.zero, n, sizeof *view->zw));
    return fetch_sums(device, view->sum, &p);
}

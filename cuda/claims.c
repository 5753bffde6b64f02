/* Operations that write activations first wait for observers that still read what was
 * there (watch.h). */
#include <config.h>
#include "cuda/backend.h"
#include "cuda/watch.h"

static osc_status claim(osc_device *device, const void *y, size_t count)
{
    return osc_cuda_claim(device, y, count * osc_dtype_size(device->dtype));
}

osc_status osc_cuda_claim_embed(osc_device *device, void *y, const osc_tensor *table,
                                const int32_t *ids, size_t rows)
{
    OSC_TRY(claim(device, y, rows * table->dim[1]));
    return osc_cuda_embed(device, y, table, ids, rows);
}

osc_status osc_cuda_claim_embed_there(osc_device *device, void *y, const osc_tensor *table,
                                      const int32_t *there, size_t rows)
{
    OSC_TRY(claim(device, y, rows * table->dim[1]));
    return osc_cuda_embed_there(device, y, table, there, rows);
}

osc_status osc_cuda_claim_add_rows(osc_device *device, void *y, const osc_tensor *table,
                                   size_t first, size_t rows)
{
    OSC_TRY(claim(device, y, rows * table->dim[1]));
    return osc_cuda_add_rows(device, y, table, first, rows);
}

osc_status osc_cuda_claim_layernorm(osc_device *device, void *y, const void *x,
                                    const void *weight, const void *bias, float eps, size_t rows,
                                    size_t width)
{
    OSC_TRY(claim(device, y, rows * width));
    return osc_cuda_layernorm(device, y, x, weight, bias, eps, rows, width);
}

osc_status osc_cuda_claim_rmsnorm(osc_device *device, void *y, const void *x, const void *weight,
                                  float eps, size_t rows, size_t width)
{
    OSC_TRY(claim(device, y, rows * width));
    return osc_cuda_rmsnorm(device, y, x, weight, eps, rows, width);
}

osc_status osc_cuda_claim_add_layernorm(osc_device *device, void *y, void *x, const void *more,
                                        const void *weight, const void *bias, float eps,
                                        size_t rows, size_t width)
{
    OSC_TRY(claim(device, x, rows * width));
    OSC_TRY(claim(device, y, rows * width));
    return osc_cuda_add_layernorm(device, y, x, more, weight, bias, eps, rows, width);
}

osc_status osc_cuda_claim_add_rmsnorm(osc_device *device, void *y, void *x, const void *more,
                                      const void *weight, float eps, size_t rows, size_t width)
{
    OSC_TRY(claim(device, x, rows * width));
    OSC_TRY(claim(device, y, rows * width));
    return osc_cuda_add_rmsnorm(device, y, x, more, weight, eps, rows, width);
}

osc_status osc_cuda_claim_rotate(osc_device *device, void *x, const osc_rotary *rotary,
                                 size_t rows, size_t heads, size_t head_size)
{
    OSC_TRY(claim(device, x, rows * heads * head_size));
    return osc_cuda_rotate(device, x, rotary, rows, heads, head_size);
}

osc_status osc_cuda_claim_matmul(osc_device *device, void *y, const void *x, const void *w,
                                 const void *bias, osc_act act, size_t rows, size_t n, size_t k)
{
    OSC_TRY(claim(device, y, rows * n));
    return osc_cuda_matmul(device, y, x, w, bias, act, rows, n, k);
}

osc_status osc_cuda_claim_codes_matmul(osc_device *device, void *y, const void *x, const void *w,
                                       const osc_coding *coding, const void *bias, osc_act act,
                                       size_t rows, size_t n, size_t k)
{
    OSC_TRY(claim(device, y, rows * n));
    return osc_cuda_codes_matmul(device, y, x, w, coding, bias, act, rows, n, k);
}

static osc_status claim_products(osc_device *device, const osc_product *products, size_t count,
                                 size_t rows)
{
    for (size_t i = 0; i < count; i++) {
        OSC_TRY(claim(device, products[i].y, rows * products[i].n));
        if (products[i].plus != NULL)
            OSC_TRY(claim(device, products[i].plus, rows * products[i].n));
    }
    return OSC_OK;
}

osc_status osc_cuda_claim_matmul_several(osc_device *device, bool *done,
                                         const osc_product *products, size_t count, const void *x,
                                         size_t rows, size_t k)
{
    OSC_TRY(claim_products(device, products, count, rows));
    return osc_cuda_matmul_several(device, done, products, count, x, rows, k);
}

osc_status osc_cuda_claim_codes_matmul_several(osc_device *device, bool *done,
                                               const osc_product *products, size_t count,
                                               const void *x, const osc_coding *coding,
                                               size_t rows, size_t k)
{
    OSC_TRY(claim_products(device, products, count, rows));
    return osc_cuda_codes_matmul_several(device, done, products, count, x, coding, rows, k);
}

osc_status osc_cuda_claim_activate(osc_device *device, void *x, osc_act act, size_t count)
{
    OSC_TRY(claim(device, x, count));
    return osc_cuda_activate(device, x, act, count);
}

osc_status osc_cuda_claim_add(osc_device *device, void *y, const void *x, size_t count)
{
    OSC_TRY(claim(device, y, count));
    return osc_cuda_add(device, y, x, count);
}

osc_status osc_cuda_claim_copy(osc_device *device, void *y, const void *x, size_t count)
{
    OSC_TRY(claim(device, y, count));
    return osc_cuda_copy(device, y, x, count);
}

osc_status osc_cuda_claim_clear(osc_device *device, void *x, size_t rows, size_t width,
                                const uint32_t *columns, size_t count)
{
    OSC_TRY(claim(device, x, rows * width));
    return osc_cuda_clear(device, x, rows, width, columns, count);
}

osc_status osc_cuda_claim_multiply(osc_device *device, void *y, const void *x, size_t count)
{
    OSC_TRY(claim(device, y, count));
    return osc_cuda_multiply(device, y, x, count);
}

osc_status osc_cuda_claim_attention(osc_device *device, void *o, const void *q, const void *k,
                                    const void *v, const osc_attention *args)
{
    size_t sequences = args->sequences == 0 ? 1 : args->sequences;
    OSC_TRY(claim(device, o, sequences * args->tokens * args->heads * args->head_size));
    return osc_cuda_attention(device, o, q, k, v, args);
}

osc_status osc_cuda_claim_attend_values(osc_device *device, void *o, const void *v,
                                        const osc_attention *args)
{
    OSC_TRY(claim(device, o, args->tokens * args->heads * args->head_size));
    return osc_cuda_attend_values(device, o, v, args);
}

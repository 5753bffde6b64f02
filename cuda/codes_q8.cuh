/* Weights in blocks of codes, for the kernels that multiply them. */
#ifndef OSC_CUDA_CODES_Q8_CUH
#define OSC_CUDA_CODES_Q8_CUH

#include "cuda/codes_x.cuh"

enum { BLOCK = OSC_CODE_BLOCK };

/* Codes [n, blocks * 32], then scales [n, blocks]. */
struct q8_weight {
    int8_t *code;
    __half *unit;
    size_t  blocks;
};

static __host__ __device__ q8_weight q8_at(const void *memory, size_t n, size_t k)
{
    size_t blocks = (k + BLOCK - 1) / BLOCK;
    return { (int8_t *)memory, (__half *)((char *)memory + n * blocks * BLOCK), blocks };
}

/* What the kernels that multiply blocks as they are are told. */
struct q8_call {
    void       *y;
    const void *x, *bias;
    q8_weight   w;
    unsigned    rows, n, k;
    osc_act     act;
};

static inline q8_call q8_call_of(const osc_cuda_layer *p, const void *blocks)
{
    return { p->y, p->x, p->bias, q8_at(blocks, p->n, p->k), (unsigned)p->rows, (unsigned)p->n,
             (unsigned)p->k, p->act };
}

/* y = act(x w^T + bias) for up to FEW_ROWS rows, and for more of them; rows of x are aligned
 * (rows_aligned).  *done false: not this one. */
osc_status osc_cuda_q8_few(osc_device *device, bool *done, const osc_cuda_layer *p,
                           const void *blocks);
osc_status osc_cuda_q8_many(osc_device *device, bool *done, const osc_cuda_layer *p,
                            const void *blocks);

#endif

/* The product of codes through cuBLASLt, for GPUs and activations that codes_wgmma.cu
 * does not know: sums of some outputs go to a slice of memory that stays in the L2
 * cache until codes_scale.cu has made y of it. */
#include <config.h>
#include "cuda/codes.h"

#include "base/alloc.h"

/* cuBLASLt's answer for one shape. */
typedef struct {
    size_t rows, outputs, stride;
    cublasLtMatmulDesc_t   product;
    cublasLtMatrixLayout_t w, x, sum;
    cublasLtMatmulAlgo_t   algorithm;
} plan;

struct osc_cuda_igemm {
    plan  *plans;
    size_t count, capacity;
};

static void release(plan *p)
{
    if (p->product != NULL)
        cublasLtMatmulDescDestroy(p->product);
    if (p->w != NULL)
        cublasLtMatrixLayoutDestroy(p->w);
    if (p->x != NULL)
        cublasLtMatrixLayoutDestroy(p->x);
    if (p->sum != NULL)
        cublasLtMatrixLayoutDestroy(p->sum);
}

void osc_cuda_igemm_close(osc_device *device)
{
    struct osc_cuda_igemm *igemm = device->codes->igemm;
    if (igemm == NULL)
        return;
    for (size_t i = 0; i < igemm->count; i++)
        release(&igemm->plans[i]);
    osc_free(igemm->plans);
    osc_free(igemm);
    device->codes->igemm = NULL;
}

/* In column-major terms sum [outputs, rows] = w^T x with w [stride, outputs]. */
static osc_status describe(plan *p)
{
    const cublasOperation_t transposed = CUBLAS_OP_T;
    OSC_LT_TRY(cublasLtMatmulDescCreate(&p->product, CUBLAS_COMPUTE_32I, CUDA_R_32I),
               "describing a product");
    OSC_LT_TRY(cublasLtMatmulDescSetAttribute(p->product, CUBLASLT_MATMUL_DESC_TRANSA,
                                              &transposed, sizeof transposed),
               "describing a product");
    OSC_LT_TRY(cublasLtMatrixLayoutCreate(&p->w, CUDA_R_8I, p->stride, p->outputs,
                                          (int64_t)p->stride), "describing codes");
    OSC_LT_TRY(cublasLtMatrixLayoutCreate(&p->x, CUDA_R_8I, p->stride, p->rows,
                                          (int64_t)p->stride), "describing codes");
    OSC_LT_TRY(cublasLtMatrixLayoutCreate(&p->sum, CUDA_R_32I, p->outputs, p->rows,
                                          (int64_t)p->outputs), "describing sums");
    return OSC_OK;
}

static osc_status choose(osc_device *device, plan *p)
{
    cublasLtMatmulPreference_t preference;
    cublasLtMatmulHeuristicResult_t result;
    const size_t workspace = CUDA_WORKSPACE;
    int count = 0;
    OSC_LT_TRY(cublasLtMatmulPreferenceCreate(&preference), "choosing an algorithm");
    cublasStatus_t error = cublasLtMatmulPreferenceSetAttribute(
        preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace, sizeof workspace);
    if (error == CUBLAS_STATUS_SUCCESS)
        error = cublasLtMatmulAlgoGetHeuristic(device->lt, p->product, p->w, p->x, p->sum, p->sum,
                                               preference, 1, &result, &count);
    cublasLtMatmulPreferenceDestroy(preference);
    OSC_LT_TRY(error, "choosing an algorithm");
    if (count == 0)
        return osc_fail(OSC_EUNSUP, "cuBLASLt: no product of %zu x %zu by %zu codes", p->rows,
                        p->stride, p->outputs);
    p->algorithm = result.algo;
    return OSC_OK;
}

static osc_status add_plan(osc_device *device, struct osc_cuda_igemm *igemm, plan *made)
{
    osc_status status = describe(made);
    if (status == OSC_OK)
        status = choose(device, made);
    plan *grown = status != OSC_OK ? NULL
                : osc_grow(igemm->plans, &igemm->capacity, igemm->count + 1, sizeof *grown);
    if (grown == NULL) {
        release(made);
        return status != OSC_OK ? status : OSC_ENOMEM;
    }
    igemm->plans = grown;
    igemm->plans[igemm->count++] = *made;
    return OSC_OK;
}

/* The plan for this shape, made at its first use. */
static osc_status plan_for(osc_device *device, const plan **found, size_t rows, size_t outputs,
                           size_t stride)
{
    struct osc_cuda_igemm *igemm = device->codes->igemm;
    if (igemm == NULL) {
        igemm = device->codes->igemm = osc_alloc(1, sizeof *igemm);
        if (igemm == NULL)
            return OSC_ENOMEM;
    }
    for (size_t i = 0; i < igemm->count; i++) {
        *found = &igemm->plans[i];
        if ((*found)->rows == rows && (*found)->outputs == outputs && (*found)->stride == stride)
            return OSC_OK;
    }
    plan made = { .rows = rows, .outputs = outputs, .stride = stride };
    OSC_TRY(add_plan(device, igemm, &made));
    *found = &igemm->plans[igemm->count - 1];
    return OSC_OK;
}

bool osc_cuda_igemm_fits(const osc_device *device, const osc_cuda_layer *p)
{
    (void)device;
    (void)p;
    return true;
}

osc_status osc_cuda_igemm_multiply(osc_device *device, const osc_cuda_layer *p)
{
    const osc_cuda_codes *c = device->codes;
    const int32_t one = 1, zero = 0;
    size_t most = CODES_SLICE / sizeof(int32_t) / p->rows / CODES_PANEL * CODES_PANEL;
    if (most == 0)
        return osc_fail(OSC_EUNSUP, "a product of codes with %zu rows", p->rows);
    for (size_t first = 0, count; first < p->w.rows; first += count) {
        const plan *use;
        count = p->w.rows - first < most ? p->w.rows - first : most;
        OSC_TRY(plan_for(device, &use, p->rows, count, p->w.stride));
        OSC_LT_TRY(cublasLtMatmul(device->lt, use->product, &one,
                                  p->w.code + first * p->w.stride, use->w, c->code, use->x,
                                  &zero, c->slice, use->sum, c->slice, use->sum,
                                  &use->algorithm, device->workspace, CUDA_WORKSPACE,
                                  device->stream), "multiplying codes");
        OSC_TRY(osc_cuda_scale_sums(device, p, c->slice, first, count));
    }
    return OSC_OK;
}

/* Float products through cuBLASLt.  y [T, N] = x [T, K] w [N, K]^T, row-major, is
 * the column-major product y^T = (w^T)^T x^T: A is w, transposed, B is x.  A plan
 * (descriptors and the heuristic's first algorithm) is kept per shape. */
#include <config.h>
#include "cuda/backend.h"

#include <string.h>

enum { PLANS = 512, PLAN_PROBES = 8, ALIGNED = 256 };

typedef struct {
    size_t    rows, n, k;
    osc_dtype out;
    bool      bias, relu;
    uint32_t  align_x, align_w, align_y, align_bias;   /* bytes, powers of two to ALIGNED */
} plan_key;

typedef struct {
    plan_key               key;
    bool                   used, supported;
    cublasLtMatmulDesc_t   product;
    cublasLtMatrixLayout_t a, b, c;
    cublasLtMatmulAlgo_t   algorithm;
} plan;

struct osc_cuda_products {
    plan plans[PLANS];                    /* by hash, PLAN_PROBES places each */
    size_t turn;                          /* which place of a full set is given up next */
};

osc_status osc_cuda_products_open(osc_device *device)
{
    device->products = osc_alloc(1, sizeof *device->products);
    return device->products == NULL ? OSC_ENOMEM : OSC_OK;
}

static void drop(plan *p)
{
    cublasLtMatmulDescDestroy(p->product);
    cublasLtMatrixLayoutDestroy(p->a);
    cublasLtMatrixLayoutDestroy(p->b);
    cublasLtMatrixLayoutDestroy(p->c);
    memset(p, 0, sizeof *p);
}

void osc_cuda_products_close(osc_device *device)
{
    if (device->products == NULL)
        return;
    for (size_t i = 0; i < PLANS; i++)
        drop(&device->products->plans[i]);
    osc_free(device->products);
}

/* --- making a plan ------------------------------------------------------------------------ */

static cudaDataType_t lt_type(osc_dtype dtype)
{
    return dtype == OSC_F16 ? CUDA_R_16F : dtype == OSC_BF16 ? CUDA_R_16BF : CUDA_R_32F;
}

static uint32_t alignment(const void *data)
{
    uintptr_t address = (uintptr_t)data | ALIGNED;
    return (uint32_t)(address & -address);
}

static osc_status describe(plan *p, osc_dtype in)
{
    const plan_key *key = &p->key;
    cublasOperation_t transposed = CUBLAS_OP_T;
    cublasLtEpilogue_t epilogue = key->bias ? key->relu ? CUBLASLT_EPILOGUE_RELU_BIAS
                                                        : CUBLASLT_EPILOGUE_BIAS
                                : key->relu ? CUBLASLT_EPILOGUE_RELU : CUBLASLT_EPILOGUE_DEFAULT;
    OSC_LT_TRY(cublasLtMatmulDescCreate(&p->product, CUBLAS_COMPUTE_32F, CUDA_R_32F),
               "describing a product");
    OSC_LT_TRY(cublasLtMatmulDescSetAttribute(p->product, CUBLASLT_MATMUL_DESC_TRANSA, &transposed,
                                              sizeof transposed), "describing a product");
    OSC_LT_TRY(cublasLtMatmulDescSetAttribute(p->product, CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue,
                                              sizeof epilogue), "describing a product");
    OSC_LT_TRY(cublasLtMatrixLayoutCreate(&p->a, lt_type(in), key->k, key->n, (int64_t)key->k),
               "describing a product");
    OSC_LT_TRY(cublasLtMatrixLayoutCreate(&p->b, lt_type(in), key->k, key->rows, (int64_t)key->k),
               "describing a product");
    OSC_LT_TRY(cublasLtMatrixLayoutCreate(&p->c, lt_type(key->out), key->n, key->rows,
                                          (int64_t)key->n), "describing a product");
    return OSC_OK;
}

/* Partial sums of a split K are added in float32, in a fixed order. */
static osc_status prefer(cublasLtMatmulPreference_t preference, const plan_key *key)
{
    const struct {
        cublasLtMatmulPreferenceAttributes_t name;
        uint64_t value;
        size_t   size;
    } set[] = {
        { CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, CUDA_WORKSPACE, 8 },
        { CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE, 4 },
        { CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, key->align_w, 4 },
        { CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, key->align_x, 4 },
        { CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, key->align_y, 4 },
        { CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, key->align_y, 4 },
    };
    for (size_t i = 0; i < sizeof set / sizeof *set; i++)
        OSC_LT_TRY(cublasLtMatmulPreferenceSetAttribute(preference, set[i].name, &set[i].value,
                                                        set[i].size), "choosing an algorithm");
    return OSC_OK;
}

static osc_status choose(osc_device *device, plan *p)
{
    cublasLtMatmulPreference_t preference;
    cublasLtMatmulHeuristicResult_t best;
    int found = 0;
    OSC_LT_TRY(cublasLtMatmulPreferenceCreate(&preference), "choosing an algorithm");
    osc_status status = prefer(preference, &p->key);
    if (status == OSC_OK) {
        cublasStatus_t error = cublasLtMatmulAlgoGetHeuristic(device->lt, p->product, p->a, p->b,
                                                              p->c, p->c, preference, 1, &best,
                                                              &found);
        p->supported = error == CUBLAS_STATUS_SUCCESS && found > 0;
        if (p->supported)
            p->algorithm = best.algo;
        else if (error != CUBLAS_STATUS_SUCCESS && error != CUBLAS_STATUS_NOT_SUPPORTED)
            status = osc_cuda_lt_fail(error, "choosing an algorithm");
    }
    cublasLtMatmulPreferenceDestroy(preference);
    return status;
}

static osc_status make(osc_device *device, plan *p, const plan_key *key)
{
    if (p->used)
        drop(p);
    p->key = *key;
    osc_status status = describe(p, device->dtype);
    if (status == OSC_OK)
        status = choose(device, p);
    p->used = status == OSC_OK;
    if (status != OSC_OK)
        drop(p);
    return status;
}

/* --- finding one -------------------------------------------------------------------------- */

static size_t hash(const plan_key *key)
{
    uint64_t h = key->rows * 0x9e3779b97f4a7c15u + key->n * 0xbf58476d1ce4e5b9u
               + key->k * 0x94d049bb133111ebu + key->align_y + 2u * key->bias + key->relu;
    return (size_t)((h ^ h >> 29) * 0xbf58476d1ce4e5b9u >> 32);
}

static bool same(const plan_key *a, const plan_key *b)
{
    return a->rows == b->rows && a->n == b->n && a->k == b->k && a->out == b->out
        && a->bias == b->bias && a->relu == b->relu && a->align_x == b->align_x
        && a->align_w == b->align_w && a->align_y == b->align_y
        && a->align_bias == b->align_bias;
}

static osc_status find(osc_device *device, plan **found, const plan_key *key)
{
    struct osc_cuda_products *all = device->products;
    size_t start = hash(key);
    for (size_t i = 0; i < PLAN_PROBES; i++) {
        plan *p = &all->plans[(start + i) % PLANS];
        *found = p;
        if (p->used && same(&p->key, key))
            return OSC_OK;
        if (!p->used)
            return make(device, p, key);
    }
    *found = &all->plans[(start + all->turn++ % PLAN_PROBES) % PLANS];
    return make(device, *found, key);
}

/* --- the product -------------------------------------------------------------------------- */

/* y = alpha x w^T + beta y, and the plan's epilogue. */
static osc_status run(osc_device *device, plan *p, void *y, const void *x, const void *w,
                      const void *bias, float alpha, float beta)
{
    if (bias != NULL)
        OSC_LT_TRY(cublasLtMatmulDescSetAttribute(p->product, CUBLASLT_MATMUL_DESC_BIAS_POINTER,
                                                  &bias, sizeof bias), "multiplying");
    OSC_LT_TRY(cublasLtMatmul(device->lt, p->product, &alpha, w, p->a, x, p->b, &beta, y, p->c, y,
                              p->c, &p->algorithm, device->workspace, CUDA_WORKSPACE,
                              device->stream), "multiplying");
    return OSC_OK;
}

osc_status osc_cuda_product(osc_device *device, void *y, osc_dtype out, const void *x,
                            const void *w, const void *bias, osc_act act, size_t rows, size_t n,
                            size_t k)
{
    bool relu = act == OSC_ACT_RELU;
    if (rows == 1 && osc_cuda_vector_suits(x, w, k)) {
        osc_product one = { .y = y, .w = w, .bias = bias, .act = act, .n = n };
        return osc_cuda_vector_products(device, out, &one, 1, x, k);
    }
    plan_key key = { .rows = rows, .n = n, .k = k, .out = out, .bias = bias != NULL, .relu = relu,
                     .align_x = alignment(x), .align_w = alignment(w), .align_y = alignment(y),
                     .align_bias = bias == NULL ? 0 : alignment(bias) };
    plan *p;
    OSC_TRY(find(device, &p, &key));
    if (p->supported)
        OSC_TRY(run(device, p, y, x, w, bias, 1.0f, 0.0f));
    else
        OSC_TRY(osc_cuda_product_any(device, y, out, x, w, bias, relu, rows, n, k));
    return relu || act == OSC_ACT_NONE ? OSC_OK : osc_cuda_activate(device, y, act, rows * n);
}

osc_status osc_cuda_product_sum(osc_device *device, bool *done, float *sum, const void *x,
                                const void *w, float scale, bool add, size_t rows, size_t n,
                                size_t k)
{
    plan_key key = { .rows = rows, .n = n, .k = k, .out = OSC_F32, .align_x = alignment(x),
                     .align_w = alignment(w), .align_y = alignment(sum) };
    plan *p;
    OSC_TRY(find(device, &p, &key));
    *done = p->supported;
    return *done ? run(device, p, sum, x, w, NULL, scale, add ? 1.0f : 0.0f) : OSC_OK;
}

osc_status osc_cuda_matmul(osc_device *device, void *y, const void *x, const void *w,
                           const void *bias, osc_act act, size_t rows, size_t n, size_t k)
{
    return osc_cuda_product(device, y, device->dtype, x, w, bias, act, rows, n, k);
}

osc_status osc_cuda_matmul_several(osc_device *device, bool *done, const osc_product *products,
                                   size_t count, const void *x, size_t rows, size_t k)
{
    *done = rows == 1;
    for (size_t i = 0; i < count; i++)
        *done = *done && osc_cuda_vector_suits(x, products[i].w, k);
    return *done ? osc_cuda_vector_products(device, device->dtype, products, count, x, k) : OSC_OK;
}

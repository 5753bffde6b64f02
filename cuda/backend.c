/* The CUDA backend's tables, one for each element type. */
#include <config.h>
#include "cuda/backend.h"

extern const osc_backend osc_backend_cuda_f16, osc_backend_cuda_bf16;

static osc_status open_f16(osc_device **device, size_t threads)
{
    return osc_cuda_open(device, threads, OSC_F16);
}

static osc_status open_bf16(osc_device **device, size_t threads)
{
    return osc_cuda_open(device, threads, OSC_BF16);
}

/* In the order of osc_cuda_kernels. */
static const char *const kernels[] = { CUDA_KERNELS, NULL };

#define CUDA_BACKEND(text, type, opener)         \
    {                                            \
        .name = "cuda",                          \
        .spec = text,                            \
        .dtype = type,                           \
        .kernels = kernels,                      \
        .open = opener,                          \
        .close = osc_cuda_close,                 \
        .choose = osc_cuda_codes_choose,         \
        .threads = osc_cuda_threads,             \
        .alloc = osc_cuda_alloc,                 \
        .release = osc_cuda_release,             \
        .plan = osc_cuda_plan,                   \
        .scratch_bytes = osc_cuda_scratch_bytes, \
        .keeps = osc_cuda_keeps,                 \
        .used = osc_cuda_used,                   \
        .reuse = osc_cuda_reuse,                 \
        .put = osc_cuda_put,                     \
        .get = osc_cuda_get,                     \
        .load = osc_cuda_load,                   \
        .embed = osc_cuda_embed,                 \
        .add_rows = osc_cuda_add_rows,           \
        .layernorm = osc_cuda_layernorm,         \
        .matmul = osc_cuda_matmul,               \
        .codes_kernel = osc_cuda_codes_kernel,   \
        .codes_bytes = osc_cuda_codes_bytes,     \
        .codes_load = osc_cuda_codes_load,       \
        .codes_matmul = osc_cuda_codes_matmul,   \
        .codes_view = osc_cuda_codes_view,       \
        .activate = osc_cuda_activate,           \
        .add = osc_cuda_add,                     \
        .copy = osc_cuda_copy,                   \
        .clear = osc_cuda_clear,                 \
        .attention = osc_cuda_attention,         \
        .attend_scores = osc_cuda_attend_scores, \
        .attend_softmax = osc_cuda_attend_softmax, \
        .attend_values = osc_cuda_attend_values, \
        .head = osc_cuda_head,                   \
        .observe = osc_cuda_observe,             \
        .settle = osc_cuda_settle,               \
        .host_view = osc_cuda_host_view,         \
        .host_put = osc_cuda_host_put,           \
    }

const osc_backend osc_backend_cuda_f16 = CUDA_BACKEND("cuda", OSC_F16, open_f16);
const osc_backend osc_backend_cuda_bf16 = CUDA_BACKEND("cuda:dtype=bf16", OSC_BF16, open_bf16);

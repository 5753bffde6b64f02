/* The CUDA backend's tables, one for each element type. */
#include <config.h>
#include "cuda/backend.h"

extern const osc_backend osc_backend_cuda_f16, osc_backend_cuda_bf16;

static osc_status open_f16(osc_device **device, size_t threads)
{
    return osc_cuda_open(device, threads, 0, OSC_F16);
}

static osc_status open_f16_at(osc_device **device, size_t threads, size_t index)
{
    return osc_cuda_open(device, threads, index, OSC_F16);
}

static osc_status open_bf16(osc_device **device, size_t threads)
{
    return osc_cuda_open(device, threads, 0, OSC_BF16);
}

static osc_status open_bf16_at(osc_device **device, size_t threads, size_t index)
{
    return osc_cuda_open(device, threads, index, OSC_BF16);
}

/* In the order of osc_cuda_kernels. */
static const char *const kernels[] = { CUDA_KERNELS, NULL };

#define CUDA_BACKEND(text, type, opener)         \
    {                                            \
        .name = "cuda",                          \
        .spec = text,                            \
        .dtype = type,                           \
        .draws = true,                           \
        .attends = OSC_ATTENDS_GROUPS | OSC_ATTENDS_ALIBI | OSC_ATTENDS_PAST, \
        .kernels = kernels,                      \
        .open = opener,                          \
        .open_at = opener##_at,                  \
        .select = osc_cuda_select,               \
        .hand_over = osc_cuda_hand_over,         \
        .limit = osc_cuda_limit,                 \
        .peak_bytes = osc_cuda_peak_bytes,       \
        .close = osc_cuda_close,                 \
        .choose = osc_cuda_codes_choose,         \
        .threads = osc_cuda_threads,             \
        .together = osc_cuda_together,           \
        .part = osc_cuda_part,                   \
        .alloc = osc_cuda_alloc,                 \
        .release = osc_cuda_release,             \
        .plan = osc_cuda_plan,                   \
        .scratch_bytes = osc_cuda_scratch_bytes, \
        .keeps = osc_cuda_keeps,                 \
        .used = osc_cuda_used,                   \
        .reuse = osc_cuda_reuse,                 \
        .put = osc_cuda_put,                     \
        .get = osc_cuda_get,                     \
        .get_stats = osc_cuda_get_stats,         \
        .load = osc_cuda_load,                   \
        .embed = osc_cuda_claim_embed,           \
        .embed_there = osc_cuda_claim_embed_there, \
        .add_rows = osc_cuda_claim_add_rows,     \
        .layernorm = osc_cuda_claim_layernorm,   \
        .rmsnorm = osc_cuda_claim_rmsnorm,       \
        .add_layernorm = osc_cuda_claim_add_layernorm, \
        .add_rmsnorm = osc_cuda_claim_add_rmsnorm, \
        .rotate = osc_cuda_claim_rotate,         \
        .matmul = osc_cuda_claim_matmul,         \
        .matmul_several = osc_cuda_claim_matmul_several, \
        .codes_kernel = osc_cuda_codes_kernel,   \
        .codes_bytes = osc_cuda_codes_bytes,     \
        .codes_load = osc_cuda_codes_load,       \
        .codes_matmul = osc_cuda_claim_codes_matmul, \
        .codes_matmul_several = osc_cuda_claim_codes_matmul_several, \
        .codes_view = osc_cuda_codes_view,       \
        .activate = osc_cuda_claim_activate,     \
        .add = osc_cuda_claim_add,               \
        .copy = osc_cuda_claim_copy,             \
        .clear = osc_cuda_claim_clear,           \
        .multiply = osc_cuda_claim_multiply,     \
        .attention = osc_cuda_claim_attention,   \
        .attend_scores = osc_cuda_attend_scores, \
        .attend_softmax = osc_cuda_attend_softmax, \
        .attend_values = osc_cuda_claim_attend_values, \
        .head = osc_cuda_head,                   \
        .head_biased = osc_cuda_head_biased,     \
        .logits = osc_cuda_logits,               \
        .observe = osc_cuda_observe,             \
        .summarize = osc_cuda_summarize,         \
        .residual = osc_cuda_residual,           \
        .settle = osc_cuda_settle,               \
        .graph_ids = osc_cuda_graph_ids,         \
        .graph_begin = osc_cuda_graph_begin,     \
        .graph_end = osc_cuda_graph_end,         \
        .graph_run = osc_cuda_graph_run,         \
        .graph_free = osc_cuda_graph_free,       \
        .host_view = osc_cuda_host_view,         \
        .host_put = osc_cuda_host_put,           \
    }

const osc_backend osc_backend_cuda_f16 = CUDA_BACKEND("cuda", OSC_F16, open_f16);
const osc_backend osc_backend_cuda_bf16 = CUDA_BACKEND("cuda:dtype=bf16", OSC_BF16, open_bf16);

/* GPT-2 (Radford et al. 2019).  Facts: names and defaults as in transformers'
 * configuration_gpt2.py and modeling_gpt2.py.
 *
 * All weights of the blocks are stored [inputs, outputs]; q, k and v are one tensor.
 * attn.c_attn.bias is a bias, attn.bias the causal mask. */
#include <config.h>

#include "arch/blocks.h"
#include "arch/settings.h"
#include "base/json.h"

static bool has_own_head(const osc_config *config)
{
    return !config->tied_head;
}

#define LAYER  "h.%zu."
#define FUSED  LAYER "attn.c_attn."
#define CONV1D { .transposed = true, .parts = 1 }
#define THIRD(number) { .transposed = true, .parts = 3, .part = number }
#define THIRD_OF_BIAS(number) { .parts = 3, .part = number }

static const osc_rule block_rules[] = {
    { LAYER "ln_1.weight", OSC_W_NORM1, { OSC_DIM_H }, NULL, OSC_WHOLE },
    { LAYER "ln_1.bias", OSC_B_NORM1, { OSC_DIM_H }, NULL, OSC_WHOLE },
    { LAYER "ln_2.weight", OSC_W_NORM2, { OSC_DIM_H }, NULL, OSC_WHOLE },
    { LAYER "ln_2.bias", OSC_B_NORM2, { OSC_DIM_H }, NULL, OSC_WHOLE },
    { FUSED "weight", OSC_W_Q, { OSC_DIM_Q, OSC_DIM_H }, NULL, THIRD(0) },
    { FUSED "weight", OSC_W_K, { OSC_DIM_KV, OSC_DIM_H }, NULL, THIRD(1) },
    { FUSED "weight", OSC_W_V, { OSC_DIM_KV, OSC_DIM_H }, NULL, THIRD(2) },
    { LAYER "attn.c_proj.weight", OSC_W_OUT, { OSC_DIM_H, OSC_DIM_Q }, NULL, CONV1D },
    { LAYER "mlp.c_fc.weight", OSC_W_FC1, { OSC_DIM_F, OSC_DIM_H }, NULL, CONV1D },
    { LAYER "mlp.c_proj.weight", OSC_W_FC2, { OSC_DIM_H, OSC_DIM_F }, NULL, CONV1D },
    { FUSED "bias", OSC_B_Q, { OSC_DIM_Q }, NULL, THIRD_OF_BIAS(0) },
    { FUSED "bias", OSC_B_K, { OSC_DIM_KV }, NULL, THIRD_OF_BIAS(1) },
    { FUSED "bias", OSC_B_V, { OSC_DIM_KV }, NULL, THIRD_OF_BIAS(2) },
    { LAYER "attn.c_proj.bias", OSC_B_OUT, { OSC_DIM_H }, NULL, OSC_WHOLE },
    { LAYER "mlp.c_fc.bias", OSC_B_FC1, { OSC_DIM_F }, NULL, OSC_WHOLE },
    { LAYER "mlp.c_proj.bias", OSC_B_FC2, { OSC_DIM_H }, NULL, OSC_WHOLE },
    { .name = NULL },
};

static const osc_rule model_rules[] = {
    { "wte.weight", OSC_W_EMBED, { OSC_DIM_V, OSC_DIM_P }, NULL, OSC_WHOLE },
    { "wpe.weight", OSC_W_POSITION, { OSC_DIM_POSITIONS, OSC_DIM_H }, NULL, OSC_WHOLE },
    { "ln_f.weight", OSC_W_FINAL_NORM, { OSC_DIM_H }, NULL, OSC_WHOLE },
    { "ln_f.bias", OSC_B_FINAL_NORM, { OSC_DIM_H }, NULL, OSC_WHOLE },
    { "lm_head.weight", OSC_W_HEAD, { OSC_DIM_V, OSC_DIM_P }, has_own_head, OSC_WHOLE },
    { .name = NULL },
};

static const char *const ignored[] = { "h.*.attn.bias", "h.*.attn.masked_bias", "lm_head.weight",
                                       NULL };

/* Its tokenizer puts no bos in front of a text. */
static osc_status configure(osc_config *config, const json_t *json)
{
    bool scaled = true;
    *config = (osc_config){
        .layers = 12, .hidden = 768, .heads = 12, .vocabulary = 50257, .positions = 1024,
        .norm_eps = 1e-5f, .norm_before = true, .final_norm = true, .tied_head = true,
        .linear_bias = true, .affine_norm = true, .bos = -1,
    };
    OSC_TRY(osc_json_get_size(&config->positions, json, "n_ctx"));
    OSC_TRY(osc_setting_gpt_sizes(config, json));
    OSC_TRY(osc_setting_activation(&config->activation, json, "activation_function", "gelu_new"));
    OSC_TRY(osc_setting_eps(&config->norm_eps, json, "layer_norm_epsilon"));
    OSC_TRY(osc_json_get_bool(&scaled, json, "scale_attn_weights"));
    OSC_TRY(osc_json_get_bool(&config->attention_by_block, json,
                              "scale_attn_by_inverse_layer_idx"));
    OSC_TRY(osc_json_get_bool(&config->tied_head, json, "tie_word_embeddings"));
    config->attention_unscaled = !scaled;
    return osc_setting_refuse_true(json, "add_cross_attention");
}

/* h = wte[id] + wpe[t]. */
static osc_status embed(osc_pass *p)
{
    OSC_TRY(osc_step_embed(p, p->resid));
    OSC_TRY(osc_step_add_positions(p));
    return osc_step_deliver(p, OSC_AT_EMBED, p->resid, p->rows, p->config->hidden);
}

const osc_arch osc_arch_gpt2 = {
    .model_type = "gpt2",
    .prefix = "transformer.",
    .block = block_rules,
    .once = model_rules,
    .ignored = ignored,
    .configure = configure,
    .embed = embed,
    .block_pass = osc_block_pass,
    .finish = osc_block_finish,
};

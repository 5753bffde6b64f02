/* BLOOM (BigScience 2022).  Facts: names and defaults as in transformers'
 * configuration_bloom.py and modeling_bloom.py.  q, k and v are one tensor in which each
 * head has its three parts together; positions are ALiBi alone. */
#include <config.h>

#include "arch/blocks.h"
#include "arch/settings.h"
#include "base/json.h"

static bool has_own_head(const osc_config *config)
{
    return !config->tied_head;
}

#define LAYER "h.%zu."
#define FUSED LAYER "self_attention.query_key_value."
#define THIRD(number) { .parts = 3, .part = number, .by_head = true }

static const osc_rule block_rules[] = {
    { LAYER "input_layernorm.weight", OSC_W_NORM1, { OSC_DIM_H }, NULL, OSC_WHOLE },
    { LAYER "input_layernorm.bias", OSC_B_NORM1, { OSC_DIM_H }, NULL, OSC_WHOLE },
    { LAYER "post_attention_layernorm.weight", OSC_W_NORM2, { OSC_DIM_H }, NULL, OSC_WHOLE },
    { LAYER "post_attention_layernorm.bias", OSC_B_NORM2, { OSC_DIM_H }, NULL, OSC_WHOLE },
    { FUSED "weight", OSC_W_Q, { OSC_DIM_Q, OSC_DIM_H }, NULL, THIRD(0) },
    { FUSED "weight", OSC_W_K, { OSC_DIM_KV, OSC_DIM_H }, NULL, THIRD(1) },
    { FUSED "weight", OSC_W_V, { OSC_DIM_KV, OSC_DIM_H }, NULL, THIRD(2) },
    { LAYER "self_attention.dense.weight", OSC_W_OUT, { OSC_DIM_H, OSC_DIM_Q }, NULL, OSC_WHOLE },
    { LAYER "mlp.dense_h_to_4h.weight", OSC_W_FC1, { OSC_DIM_F, OSC_DIM_H }, NULL, OSC_WHOLE },
    { LAYER "mlp.dense_4h_to_h.weight", OSC_W_FC2, { OSC_DIM_H, OSC_DIM_F }, NULL, OSC_WHOLE },
    { FUSED "bias", OSC_B_Q, { OSC_DIM_Q }, NULL, THIRD(0) },
    { FUSED "bias", OSC_B_K, { OSC_DIM_KV }, NULL, THIRD(1) },
    { FUSED "bias", OSC_B_V, { OSC_DIM_KV }, NULL, THIRD(2) },
    { LAYER "self_attention.dense.bias", OSC_B_OUT, { OSC_DIM_H }, NULL, OSC_WHOLE },
    { LAYER "mlp.dense_h_to_4h.bias", OSC_B_FC1, { OSC_DIM_F }, NULL, OSC_WHOLE },
    { LAYER "mlp.dense_4h_to_h.bias", OSC_B_FC2, { OSC_DIM_H }, NULL, OSC_WHOLE },
    { .name = NULL },
};

static const osc_rule model_rules[] = {
    { "word_embeddings.weight", OSC_W_EMBED, { OSC_DIM_V, OSC_DIM_P }, NULL, OSC_WHOLE },
    { "word_embeddings_layernorm.weight", OSC_W_EMBED_NORM, { OSC_DIM_H }, NULL, OSC_WHOLE },
    { "word_embeddings_layernorm.bias", OSC_B_EMBED_NORM, { OSC_DIM_H }, NULL, OSC_WHOLE },
    { "ln_f.weight", OSC_W_FINAL_NORM, { OSC_DIM_H }, NULL, OSC_WHOLE },
    { "ln_f.bias", OSC_B_FINAL_NORM, { OSC_DIM_H }, NULL, OSC_WHOLE },
    { "lm_head.weight", OSC_W_HEAD, { OSC_DIM_V, OSC_DIM_P }, has_own_head, OSC_WHOLE },
    { .name = NULL },
};

static const char *const ignored[] = { "h.*.self_attention.scale_mask_softmax.causal_mask",
                                       "lm_head.weight", NULL };

/* Published files and the class differ in their names; the class's default sizes are a
 * toy's. */
static osc_status read_sizes(osc_config *config, const json_t *json)
{
    OSC_TRY(osc_json_get_size(&config->vocabulary, json, "vocab_size"));
    OSC_TRY(osc_setting_required(&config->hidden, json, "n_embed", "hidden_size"));
    OSC_TRY(osc_setting_required(&config->layers, json, "n_layer", "num_hidden_layers"));
    OSC_TRY(osc_setting_required(&config->heads, json, "n_head", "num_attention_heads"));
    OSC_TRY(osc_json_get_size(&config->positions, json, "seq_length"));
    config->embed_width = config->hidden;
    config->ffn = 4 * config->hidden;
    return osc_setting_split_heads(config, "hidden size", "number of heads");
}

/* Its tokenizer puts no bos in front of a text.  2048 ids were trained; ALiBi has no
 * limit of its own. */
static osc_status configure(osc_config *config, const json_t *json)
{
    *config = (osc_config){
        .vocabulary = 250880, .positions = 2048, .norm_eps = 1e-5f,
        .activation = OSC_GELU_TANH, .norm_before = true, .final_norm = true, .tied_head = true,
        .linear_bias = true, .affine_norm = true, .alibi = true, .bos = -1,
    };
    OSC_TRY(read_sizes(config, json));
    OSC_TRY(osc_setting_eps(&config->norm_eps, json, "layer_norm_epsilon"));
    OSC_TRY(osc_json_get_bool(&config->tied_head, json, "tie_word_embeddings"));
    return osc_setting_refuse_true(json, "apply_residual_connection_post_layernorm");
}

/* h = norm(word_embeddings[id]). */
static osc_status embed(osc_pass *p)
{
    OSC_TRY(osc_step_embed(p, p->resid));
    OSC_TRY(osc_step_norm_once(p, OSC_W_EMBED_NORM, OSC_B_EMBED_NORM));
    return osc_step_deliver(p, OSC_AT_EMBED, p->resid, p->rows, p->config->hidden);
}

const osc_arch osc_arch_bloom = {
    .model_type = "bloom",
    .prefix = "transformer.",
    .block = block_rules,
    .once = model_rules,
    .ignored = ignored,
    .configure = configure,
    .embed = embed,
    .block_pass = osc_block_pass,
    .finish = osc_block_finish,
};

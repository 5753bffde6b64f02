/* Llama (Touvron et al. 2023), also with key/value heads shared by groups of query heads.
 * Facts: names and defaults as in transformers' configuration_llama.py and
 * modeling_llama.py, whose q and k have the rows that the halves of a head need to turn
 * together. */
#include <config.h>

#include <string.h>

#include "arch/blocks.h"
#include "arch/settings.h"
#include "base/json.h"

static bool has_attention_bias(const osc_config *config)
{
    return config->linear_bias;
}

static bool has_ffn_bias(const osc_config *config)
{
    return config->ffn_bias;
}

static bool has_own_head(const osc_config *config)
{
    return !config->tied_head;
}

#define LAYER "layers.%zu."

static const osc_rule block_rules[] = {
    { LAYER "input_layernorm.weight", OSC_W_NORM1, { OSC_DIM_H }, NULL, OSC_WHOLE },
    { LAYER "post_attention_layernorm.weight", OSC_W_NORM2, { OSC_DIM_H }, NULL, OSC_WHOLE },
    { LAYER "self_attn.q_proj.weight", OSC_W_Q, { OSC_DIM_Q, OSC_DIM_H }, NULL, OSC_WHOLE },
    { LAYER "self_attn.k_proj.weight", OSC_W_K, { OSC_DIM_KV, OSC_DIM_H }, NULL, OSC_WHOLE },
    { LAYER "self_attn.v_proj.weight", OSC_W_V, { OSC_DIM_KV, OSC_DIM_H }, NULL, OSC_WHOLE },
    { LAYER "self_attn.o_proj.weight", OSC_W_OUT, { OSC_DIM_H, OSC_DIM_Q }, NULL, OSC_WHOLE },
    { LAYER "mlp.up_proj.weight", OSC_W_FC1, { OSC_DIM_F, OSC_DIM_H }, NULL, OSC_WHOLE },
    { LAYER "mlp.gate_proj.weight", OSC_W_GATE, { OSC_DIM_F, OSC_DIM_H }, NULL, OSC_WHOLE },
    { LAYER "mlp.down_proj.weight", OSC_W_FC2, { OSC_DIM_H, OSC_DIM_F }, NULL, OSC_WHOLE },
    { LAYER "self_attn.q_proj.bias", OSC_B_Q, { OSC_DIM_Q }, has_attention_bias, OSC_WHOLE },
    { LAYER "self_attn.k_proj.bias", OSC_B_K, { OSC_DIM_KV }, has_attention_bias, OSC_WHOLE },
    { LAYER "self_attn.v_proj.bias", OSC_B_V, { OSC_DIM_KV }, has_attention_bias, OSC_WHOLE },
    { LAYER "self_attn.o_proj.bias", OSC_B_OUT, { OSC_DIM_H }, has_attention_bias, OSC_WHOLE },
    { LAYER "mlp.up_proj.bias", OSC_B_FC1, { OSC_DIM_F }, has_ffn_bias, OSC_WHOLE },
    { LAYER "mlp.gate_proj.bias", OSC_B_GATE, { OSC_DIM_F }, has_ffn_bias, OSC_WHOLE },
    { LAYER "mlp.down_proj.bias", OSC_B_FC2, { OSC_DIM_H }, has_ffn_bias, OSC_WHOLE },
    { .name = NULL },
};

static const osc_rule model_rules[] = {
    { "embed_tokens.weight", OSC_W_EMBED, { OSC_DIM_V, OSC_DIM_P }, NULL, OSC_WHOLE },
    { "norm.weight", OSC_W_FINAL_NORM, { OSC_DIM_H }, NULL, OSC_WHOLE },
    { "lm_head.weight", OSC_W_HEAD, { OSC_DIM_V, OSC_DIM_P }, has_own_head, OSC_WHOLE },
    { .name = NULL },
};

static const char *const ignored[] = { "layers.*.self_attn.rotary_emb.inv_freq",
                                       "rotary_emb.inv_freq", "lm_head.weight", NULL };

static osc_status read_heads(osc_config *config, const json_t *json)
{
    OSC_TRY(osc_json_get_size(&config->heads, json, "num_attention_heads"));
    config->kv_heads = config->heads;
    OSC_TRY(osc_json_get_size(&config->kv_heads, json, "num_key_value_heads"));
    if (config->heads == 0 || config->kv_heads == 0 || config->heads % config->kv_heads != 0)
        return osc_fail(OSC_EFORMAT, "num_attention_heads %zu is not a multiple of "
                        "num_key_value_heads %zu", config->heads, config->kv_heads);
    OSC_TRY(osc_json_get_size(&config->head_size, json, "head_dim"));
    if (config->head_size == 0 && config->hidden % config->heads != 0)
        return osc_fail(OSC_EFORMAT, "hidden_size %zu is not a multiple of num_attention_heads %zu",
                        config->hidden, config->heads);
    if (config->head_size == 0)
        config->head_size = config->hidden / config->heads;
    if (config->head_size % 2 != 0)
        return osc_fail(OSC_EFORMAT, "head_dim %zu is odd: rotary positions need pairs",
                        config->head_size);
    config->rotary = config->head_size;
    return OSC_OK;
}

/* Scaled or partial rotary positions, in the object that says so: refused by name. */
static osc_status read_rope(float *base, const json_t *json, const char *key)
{
    const json_t *rope = key == NULL ? json : json_object_get(json, key);
    const char *type = "default";
    double theta = (double)*base, partial = 1.0;
    if (rope == NULL || json_is_null(rope))
        return OSC_OK;
    if (!json_is_object(rope))
        return osc_fail(OSC_EFORMAT, "\"%s\" is not an object", key);
    OSC_TRY(osc_json_get_string(&type, rope, "type"));        /* the earlier name */
    OSC_TRY(osc_json_get_string(&type, rope, "rope_type"));
    OSC_TRY(osc_json_get_double(&theta, rope, "rope_theta"));
    OSC_TRY(osc_json_get_double(&partial, rope, "partial_rotary_factor"));
    if (key != NULL && strcmp(type, "default") != 0)
        return osc_fail(OSC_EUNSUP, "%s: rope_type \"%s\" is not supported", key, type);
    if (partial != 1.0)
        return osc_fail(OSC_EUNSUP, "partial_rotary_factor %g is not supported", partial);
    if (!(theta > 0.0 && theta < 1e30))
        return osc_fail(OSC_EFORMAT, "rope_theta is %g, expected a positive number", theta);
    *base = (float)theta;
    return OSC_OK;
}

/* Its tokenizer puts the bos in front of a text. */
static osc_status read_bos(osc_config *config, const json_t *json)
{
    size_t bos = 1;
    OSC_TRY(osc_json_get_size(&bos, json, "bos_token_id"));
    if (bos >= config->vocabulary)
        return osc_fail(OSC_EFORMAT, "bos_token_id %zu is not below vocab_size %zu",
                        bos, config->vocabulary);
    config->bos = (int32_t)bos;
    return OSC_OK;
}

static osc_status read_sizes(osc_config *config, const json_t *json)
{
    OSC_TRY(osc_json_get_size(&config->vocabulary, json, "vocab_size"));
    OSC_TRY(osc_json_get_size(&config->hidden, json, "hidden_size"));
    OSC_TRY(osc_json_get_size(&config->ffn, json, "intermediate_size"));
    OSC_TRY(osc_json_get_size(&config->layers, json, "num_hidden_layers"));
    OSC_TRY(osc_json_get_size(&config->positions, json, "max_position_embeddings"));
    config->embed_width = config->hidden;
    return read_heads(config, json);
}

static osc_status configure(osc_config *config, const json_t *json)
{
    *config = (osc_config){
        .layers = 32, .hidden = 4096, .heads = 32, .ffn = 11008, .vocabulary = 32000,
        .positions = 2048, .norm_eps = 1e-6f, .rms_norm = true, .gated = true,
        .norm_before = true, .final_norm = true, .affine_norm = true, .rotary_base = 10000.0f,
    };
    OSC_TRY(read_sizes(config, json));
    OSC_TRY(read_bos(config, json));
    OSC_TRY(osc_setting_activation(&config->activation, json, "hidden_act", "silu"));
    OSC_TRY(osc_setting_eps(&config->norm_eps, json, "rms_norm_eps"));
    OSC_TRY(osc_json_get_bool(&config->linear_bias, json, "attention_bias"));
    OSC_TRY(osc_json_get_bool(&config->ffn_bias, json, "mlp_bias"));
    OSC_TRY(osc_json_get_bool(&config->tied_head, json, "tie_word_embeddings"));
    OSC_TRY(read_rope(&config->rotary_base, json, NULL));
    OSC_TRY(read_rope(&config->rotary_base, json, "rope_scaling"));
    return read_rope(&config->rotary_base, json, "rope_parameters");
}

const osc_arch osc_arch_llama = {
    .model_type = "llama",
    .prefix = "model.",
    .block = block_rules,
    .once = model_rules,
    .ignored = ignored,
    .configure = configure,
    .embed = osc_block_embed,
    .block_pass = osc_block_pass,
    .finish = osc_block_finish,
};

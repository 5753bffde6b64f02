/* GPT-J (Wang and Komatsuzaki 2021).  Facts: names and defaults as in transformers'
 * configuration_gptj.py and modeling_gptj.py.  transformers adds the two branches
 * of a block before the residual stream; here the stream gets one after the other. */
#include <config.h>

#include "arch/blocks.h"
#include "arch/settings.h"
#include "base/json.h"

static bool has_own_head(const osc_config *config)
{
    return !config->tied_head;
}

#define LAYER "h.%zu."

static const osc_rule block_rules[] = {
    { LAYER "ln_1.weight", OSC_W_NORM1, { OSC_DIM_H }, NULL, OSC_WHOLE },
    { LAYER "ln_1.bias", OSC_B_NORM1, { OSC_DIM_H }, NULL, OSC_WHOLE },
    { LAYER "attn.q_proj.weight", OSC_W_Q, { OSC_DIM_Q, OSC_DIM_H }, NULL, OSC_WHOLE },
    { LAYER "attn.k_proj.weight", OSC_W_K, { OSC_DIM_KV, OSC_DIM_H }, NULL, OSC_WHOLE },
    { LAYER "attn.v_proj.weight", OSC_W_V, { OSC_DIM_KV, OSC_DIM_H }, NULL, OSC_WHOLE },
    { LAYER "attn.out_proj.weight", OSC_W_OUT, { OSC_DIM_H, OSC_DIM_Q }, NULL, OSC_WHOLE },
    { LAYER "mlp.fc_in.weight", OSC_W_FC1, { OSC_DIM_F, OSC_DIM_H }, NULL, OSC_WHOLE },
    { LAYER "mlp.fc_in.bias", OSC_B_FC1, { OSC_DIM_F }, NULL, OSC_WHOLE },
    { LAYER "mlp.fc_out.weight", OSC_W_FC2, { OSC_DIM_H, OSC_DIM_F }, NULL, OSC_WHOLE },
    { LAYER "mlp.fc_out.bias", OSC_B_FC2, { OSC_DIM_H }, NULL, OSC_WHOLE },
    { .name = NULL },
};

static const osc_rule model_rules[] = {
    { "wte.weight", OSC_W_EMBED, { OSC_DIM_V, OSC_DIM_P }, NULL, OSC_WHOLE },
    { "ln_f.weight", OSC_W_FINAL_NORM, { OSC_DIM_H }, NULL, OSC_WHOLE },
    { "ln_f.bias", OSC_B_FINAL_NORM, { OSC_DIM_H }, NULL, OSC_WHOLE },
    { "lm_head.weight", OSC_W_HEAD, { OSC_DIM_V, OSC_DIM_P }, has_own_head, OSC_WHOLE },
    { "lm_head.bias", OSC_B_HEAD, { OSC_DIM_V }, NULL, OSC_WHOLE },
    { .name = NULL },
};

static const char *const ignored[] = { "h.*.attn.bias", "h.*.attn.masked_bias",
                                       "h.*.attn.embed_positions", "lm_head.weight", NULL };

static osc_status read_rotary(osc_config *config, const json_t *json)
{
    if (json_is_null(json_object_get(json, "rotary_dim")))
        return osc_fail(OSC_EUNSUP, "rotary_dim null (angles over the whole hidden size) is not "
                        "supported");
    config->rotary = 64;
    OSC_TRY(osc_json_get_size(&config->rotary, json, "rotary_dim"));
    if (config->rotary == 0 || config->rotary % 2 != 0 || config->rotary > config->head_size)
        return osc_fail(OSC_EFORMAT, "rotary_dim %zu: expected an even number up to the head "
                        "size %zu", config->rotary, config->head_size);
    return OSC_OK;
}

/* Its tokenizer puts no bos in front of a text. */
static osc_status configure(osc_config *config, const json_t *json)
{
    *config = (osc_config){
        .layers = 28, .hidden = 4096, .heads = 16, .vocabulary = 50400, .positions = 2048,
        .norm_eps = 1e-5f, .norm_before = true, .final_norm = true, .parallel = true,
        .ffn_bias = true, .affine_norm = true, .rotary_neighbours = true,
        .rotary_base = 10000.0f, .bos = -1,
    };
    OSC_TRY(osc_setting_gpt_sizes(config, json));
    OSC_TRY(read_rotary(config, json));
    OSC_TRY(osc_setting_activation(&config->activation, json, "activation_function", "gelu_new"));
    OSC_TRY(osc_setting_eps(&config->norm_eps, json, "layer_norm_epsilon"));
    return osc_json_get_bool(&config->tied_head, json, "tie_word_embeddings");
}

const osc_arch osc_arch_gptj = {
    .model_type = "gptj",
    .prefix = "transformer.",
    .block = block_rules,
    .once = model_rules,
    .ignored = ignored,
    .configure = configure,
    .embed = osc_block_embed,
    .block_pass = osc_block_pass,
    .finish = osc_block_finish,
};

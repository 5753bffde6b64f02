/* OPT (Zhang et al. 2022), also the 350m form: post-norm blocks, token embedding
 * of another width with project_in and project_out, no final norm.  Facts: names
 * and defaults as in transformers' configuration_opt.py and modeling_opt.py;
 * layer norm eps is not in the config, it is 1e-5 everywhere.
 *
 * `layers.N.final_layer_norm` is the norm before a block's MLP;
 * `decoder.final_layer_norm` is the last norm of the model. */
#include <config.h>

#include <math.h>

#include "arch/settings.h"
#include "base/json.h"
#include "engine/arch.h"
#include "engine/steps.h"

static bool projected(const osc_config *config)
{
    return config->embed_width != config->hidden;
}

static bool has_bias(const osc_config *config)
{
    return config->linear_bias;
}

static bool has_affine_norm(const osc_config *config)
{
    return config->affine_norm;
}

static bool has_affine_final_norm(const osc_config *config)
{
    return config->final_norm && config->affine_norm;
}

static bool has_own_head(const osc_config *config)
{
    return !config->tied_head;
}

#define LAYER "decoder.layers.%zu."

static const osc_rule block_rules[] = {
    { LAYER "self_attn_layer_norm.weight", OSC_W_NORM1, { OSC_DIM_H }, has_affine_norm, OSC_WHOLE },
    { LAYER "self_attn_layer_norm.bias", OSC_B_NORM1, { OSC_DIM_H }, has_affine_norm, OSC_WHOLE },
    { LAYER "final_layer_norm.weight", OSC_W_NORM2, { OSC_DIM_H }, has_affine_norm, OSC_WHOLE },
    { LAYER "final_layer_norm.bias", OSC_B_NORM2, { OSC_DIM_H }, has_affine_norm, OSC_WHOLE },
    { LAYER "self_attn.q_proj.weight", OSC_W_Q, { OSC_DIM_Q, OSC_DIM_H }, NULL, OSC_WHOLE },
    { LAYER "self_attn.k_proj.weight", OSC_W_K, { OSC_DIM_KV, OSC_DIM_H }, NULL, OSC_WHOLE },
    { LAYER "self_attn.v_proj.weight", OSC_W_V, { OSC_DIM_KV, OSC_DIM_H }, NULL, OSC_WHOLE },
    { LAYER "self_attn.out_proj.weight", OSC_W_OUT, { OSC_DIM_H, OSC_DIM_Q }, NULL, OSC_WHOLE },
    { LAYER "fc1.weight", OSC_W_FC1, { OSC_DIM_F, OSC_DIM_H }, NULL, OSC_WHOLE },
    { LAYER "fc2.weight", OSC_W_FC2, { OSC_DIM_H, OSC_DIM_F }, NULL, OSC_WHOLE },
    { LAYER "self_attn.q_proj.bias", OSC_B_Q, { OSC_DIM_Q }, has_bias, OSC_WHOLE },
    { LAYER "self_attn.k_proj.bias", OSC_B_K, { OSC_DIM_KV }, has_bias, OSC_WHOLE },
    { LAYER "self_attn.v_proj.bias", OSC_B_V, { OSC_DIM_KV }, has_bias, OSC_WHOLE },
    { LAYER "self_attn.out_proj.bias", OSC_B_OUT, { OSC_DIM_H }, has_bias, OSC_WHOLE },
    { LAYER "fc1.bias", OSC_B_FC1, { OSC_DIM_F }, has_bias, OSC_WHOLE },
    { LAYER "fc2.bias", OSC_B_FC2, { OSC_DIM_H }, has_bias, OSC_WHOLE },
    { .name = NULL },
};

static const osc_rule model_rules[] = {
    { "decoder.embed_tokens.weight", OSC_W_EMBED, { OSC_DIM_V, OSC_DIM_P }, NULL, OSC_WHOLE },
    { "decoder.embed_positions.weight", OSC_W_POSITION, { OSC_DIM_POSITIONS, OSC_DIM_H }, NULL,
      OSC_WHOLE },
    { "decoder.project_in.weight", OSC_W_PROJECT_IN, { OSC_DIM_H, OSC_DIM_P }, projected,
      OSC_WHOLE },
    { "decoder.project_out.weight", OSC_W_PROJECT_OUT, { OSC_DIM_P, OSC_DIM_H }, projected,
      OSC_WHOLE },
    { "decoder.final_layer_norm.weight", OSC_W_FINAL_NORM, { OSC_DIM_H }, has_affine_final_norm,
      OSC_WHOLE },
    { "decoder.final_layer_norm.bias", OSC_B_FINAL_NORM, { OSC_DIM_H }, has_affine_final_norm,
      OSC_WHOLE },
    { "lm_head.weight", OSC_W_HEAD, { OSC_DIM_V, OSC_DIM_P }, has_own_head, OSC_WHOLE },
    { .name = NULL },
};

static const char *const ignored[] = { "decoder.version", "lm_head.weight", NULL };

static osc_status read_sizes(osc_config *config, const json_t *json)
{
    OSC_TRY(osc_json_get_size(&config->hidden, json, "d_model"));   /* a very early name */
    OSC_TRY(osc_json_get_size(&config->hidden, json, "hidden_size"));
    OSC_TRY(osc_json_get_size(&config->vocabulary, json, "vocab_size"));
    OSC_TRY(osc_json_get_size(&config->layers, json, "num_hidden_layers"));
    OSC_TRY(osc_json_get_size(&config->heads, json, "num_attention_heads"));
    OSC_TRY(osc_json_get_size(&config->ffn, json, "ffn_dim"));
    OSC_TRY(osc_json_get_size(&config->positions, json, "max_position_embeddings"));
    config->embed_width = config->hidden;
    OSC_TRY(osc_json_get_size(&config->embed_width, json, "word_embed_proj_dim"));
    return osc_setting_split_heads(config, "hidden_size", "num_attention_heads");
}

static osc_status configure(osc_config *config, const json_t *json)
{
    *config = (osc_config){
        .layers = 12, .hidden = 768, .heads = 12, .ffn = 3072, .vocabulary = 50272,
        .positions = 2048, .position_row = 2, .norm_eps = 1e-5f, .norm_before = true,
        .tied_head = true, .linear_bias = true, .affine_norm = true,
    };
    bool final_norm_removed = false;
    size_t bos = 2;
    OSC_TRY(read_sizes(config, json));
    OSC_TRY(osc_setting_activation(&config->activation, json, "activation_function", "relu"));
    OSC_TRY(osc_json_get_bool(&config->norm_before, json, "do_layer_norm_before"));
    OSC_TRY(osc_json_get_bool(&final_norm_removed, json, "_remove_final_layer_norm"));
    OSC_TRY(osc_json_get_bool(&config->tied_head, json, "tie_word_embeddings"));
    OSC_TRY(osc_json_get_bool(&config->linear_bias, json, "enable_bias"));
    OSC_TRY(osc_json_get_bool(&config->affine_norm, json, "layer_norm_elementwise_affine"));
    OSC_TRY(osc_json_get_size(&bos, json, "bos_token_id"));
    config->final_norm = config->norm_before && !final_norm_removed;
    if (bos >= config->vocabulary)
        return osc_fail(OSC_EFORMAT, "bos_token_id %zu is not below vocab_size %zu",
                        bos, config->vocabulary);
    config->bos = (int32_t)bos;
    return OSC_OK;
}

/* h = embed_tokens[id], projected to H before positions are added. */
static osc_status embed(osc_pass *p)
{
    OSC_TRY(osc_step_embed(p, projected(p->config) ? p->embedded : p->resid));
    if (projected(p->config))
        OSC_TRY(p->backend->matmul(p->device, p->resid, p->embedded, p->once[OSC_W_PROJECT_IN],
                                   NULL, OSC_ACT_NONE, p->rows, p->config->hidden,
                                   p->config->embed_width));
    OSC_TRY(osc_step_add_positions(p));
    return osc_step_deliver(p, OSC_AT_EMBED, p->resid, p->rows, p->config->hidden);
}

/* x = what the attention's products multiply.  A copy in post-norm blocks: a hook that
 * changes it must not change the residual stream. */
static osc_status enter(osc_pass *p)
{
    size_t hidden = p->config->hidden;
    if (p->config->norm_before)
        OSC_TRY(osc_step_norm(p, p->x, p->resid, OSC_W_NORM1, OSC_B_NORM1));
    else
        OSC_TRY(p->backend->copy(p->device, p->x, p->resid, p->rows * hidden));
    return osc_step_deliver(p, OSC_AT_QKV_IN, p->x, p->rows, hidden);
}

/* resid += branch, normed in post-norm blocks, where resid_mid is before that norm; x as
 * above for the second half. */
static osc_status turn(osc_pass *p)
{
    size_t hidden = p->config->hidden;
    OSC_TRY(osc_step_deliver(p, OSC_AT_ATTN_OUT, p->branch, p->rows, hidden));
    if (p->config->norm_before) {
        OSC_TRY(osc_step_add_norm(p, OSC_W_NORM2, OSC_B_NORM2));
    } else {
        OSC_TRY(osc_step_add(p));
        OSC_TRY(osc_step_deliver(p, OSC_AT_RESID_MID, p->resid, p->rows, hidden));
        OSC_TRY(osc_step_norm(p, p->resid, p->resid, OSC_W_NORM1, OSC_B_NORM1));
        OSC_TRY(p->backend->copy(p->device, p->x, p->resid, p->rows * hidden));
    }
    return osc_step_deliver(p, OSC_AT_FC1_IN, p->x, p->rows, hidden);
}

/* The stream behind the second half. */
static osc_status leave(osc_pass *p)
{
    size_t hidden = p->config->hidden;
    OSC_TRY(osc_step_branch(p, p->ffn, OSC_W_FC2, OSC_AT_MLP_OUT));
    if (!p->config->norm_before)
        OSC_TRY(osc_step_norm(p, p->resid, p->resid, OSC_W_NORM2, OSC_B_NORM2));
    return osc_step_deliver(p, OSC_AT_RESID_POST, p->resid, p->rows, hidden);
}

static osc_status block(osc_pass *p)
{
    float scale = 1.0f / sqrtf((float)p->config->head_size);
    OSC_TRY(enter(p));
    OSC_TRY(osc_step_top1_without(p, scale));
    OSC_TRY(osc_step_qkv(p, p->x));
    OSC_TRY(osc_step_attention(p, scale));
    OSC_TRY(osc_step_linear(p, p->branch, p->mix, OSC_W_OUT, OSC_ACT_NONE));
    OSC_TRY(turn(p));
    OSC_TRY(osc_step_expand(p, p->x));
    return leave(p);
}

static osc_status finish(osc_pass *p)
{
    const osc_config *config = p->config;
    if (config->final_norm)
        OSC_TRY(osc_step_norm_once(p, OSC_W_FINAL_NORM, OSC_B_FINAL_NORM));
    OSC_TRY(osc_step_deliver(p, OSC_AT_FINAL_NORM, p->resid, p->rows, config->hidden));
    if (!projected(config))
        return OSC_OK;   /* head_in is resid */
    return p->backend->matmul(p->device, p->head_in, p->resid, p->once[OSC_W_PROJECT_OUT], NULL,
                              OSC_ACT_NONE, p->rows, config->embed_width, config->hidden);
}

/* The published sizes (metaseq), as their config.json has them.  350m differs: its
 * blocks are post-norm and its embedding is 512 wide. */
#define PRESET(name, layers, width, heads, ffn, embed, before)                                 \
    { name, "{\"model_type\": \"opt\", \"architectures\": [\"OPTForCausalLM\"], "                 \
      "\"num_hidden_layers\": " #layers ", \"hidden_size\": " #width ", "                        \
      "\"num_attention_heads\": " #heads ", \"ffn_dim\": " #ffn ", "                             \
      "\"word_embed_proj_dim\": " #embed ", \"do_layer_norm_before\": " #before ", "             \
      "\"vocab_size\": 50272, \"max_position_embeddings\": 2048, "                             \
      "\"activation_function\": \"relu\", \"bos_token_id\": 2, \"eos_token_id\": 2, "          \
      "\"pad_token_id\": 1, \"tie_word_embeddings\": true}" }

static const osc_preset presets[] = {
    PRESET("opt-125m", 12, 768, 12, 3072, 768, true),
    PRESET("opt-350m", 24, 1024, 16, 4096, 512, false),
    PRESET("opt-1.3b", 24, 2048, 32, 8192, 2048, true),
    PRESET("opt-2.7b", 32, 2560, 32, 10240, 2560, true),
    PRESET("opt-6.7b", 32, 4096, 32, 16384, 4096, true),
    PRESET("opt-13b", 40, 5120, 40, 20480, 5120, true),
    PRESET("opt-30b", 48, 7168, 56, 28672, 7168, true),
    PRESET("opt-66b", 64, 9216, 72, 36864, 9216, true),
    PRESET("opt-175b", 96, 12288, 96, 49152, 12288, true),
    { .name = NULL },
};

const osc_arch osc_arch_opt = {
    .model_type = "opt",
    .prefix = "model.",
    .block = block_rules,
    .once = model_rules,
    .ignored = ignored,
    .presets = presets,
    .configure = configure,
    .embed = embed,
    .block_pass = block,
    .finish = finish,
};

#include <config.h>
#include "arch/settings.h"

#include <string.h>

#include "base/json.h"

osc_status osc_setting_size(size_t *out, const json_t *json, const char *key, const char *alias)
{
    OSC_TRY(osc_json_get_size(out, json, alias));
    return osc_json_get_size(out, json, key);
}

osc_status osc_setting_required(size_t *out, const json_t *json, const char *key,
                                const char *alias)
{
    size_t value = SIZE_MAX;
    OSC_TRY(osc_setting_size(&value, json, key, alias));
    if (value == SIZE_MAX)
        return osc_fail(OSC_EFORMAT, "no \"%s\" (or \"%s\")", key, alias);
    *out = value;
    return OSC_OK;
}

osc_status osc_setting_activation(osc_activation *activation, const json_t *json, const char *key,
                                  const char *otherwise)
{
    static const struct { const char *name; osc_activation activation; } known[] = {
        { "relu", OSC_RELU }, { "gelu", OSC_GELU }, { "gelu_new", OSC_GELU_TANH },
        { "gelu_pytorch_tanh", OSC_GELU_TANH }, { "gelu_fast", OSC_GELU_TANH },
        { "silu", OSC_SILU }, { "swish", OSC_SILU },
    };
    const char *name = otherwise;
    OSC_TRY(osc_json_get_string(&name, json, key));
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(name, known[i].name) == 0) {
            *activation = known[i].activation;
            return OSC_OK;
        }
    }
    return osc_fail(OSC_EUNSUP, "%s \"%s\" is not known", key, name);
}

osc_status osc_setting_eps(float *eps, const json_t *json, const char *key)
{
    double value = (double)*eps;
    OSC_TRY(osc_json_get_double(&value, json, key));
    if (!(value > 0.0 && value < 1.0))
        return osc_fail(OSC_EFORMAT, "%s is %g, expected a number between 0 and 1", key, value);
    *eps = (float)value;
    return OSC_OK;
}

osc_status osc_setting_refuse_true(const json_t *json, const char *key)
{
    bool value = false;
    OSC_TRY(osc_json_get_bool(&value, json, key));
    return value ? osc_fail(OSC_EUNSUP, "%s true is not supported", key) : OSC_OK;
}

osc_status osc_setting_split_heads(osc_config *config, const char *width, const char *heads)
{
    if (config->heads == 0 || config->hidden % config->heads != 0)
        return osc_fail(OSC_EFORMAT, "%s %zu is not a multiple of %s %zu", width, config->hidden,
                        heads, config->heads);
    config->kv_heads = config->heads;
    config->head_size = config->hidden / config->heads;
    return OSC_OK;
}

osc_status osc_setting_gpt_sizes(osc_config *config, const json_t *json)
{
    OSC_TRY(osc_json_get_size(&config->vocabulary, json, "vocab_size"));
    OSC_TRY(osc_setting_size(&config->positions, json, "n_positions", "max_position_embeddings"));
    OSC_TRY(osc_setting_size(&config->hidden, json, "n_embd", "hidden_size"));
    OSC_TRY(osc_setting_size(&config->layers, json, "n_layer", "num_hidden_layers"));
    OSC_TRY(osc_setting_size(&config->heads, json, "n_head", "num_attention_heads"));
    config->embed_width = config->hidden;
    config->ffn = 4 * config->hidden;
    OSC_TRY(osc_json_get_size(&config->ffn, json, "n_inner"));
    return osc_setting_split_heads(config, "n_embd", "n_head");
}

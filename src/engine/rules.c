#include <config.h>
#include "engine/rules.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"

/* Bounds on a config's sizes: far beyond any model, small enough that products of
 * two of them cannot overflow. */
static const size_t MOST_LAYERS = 4096, MOST_WIDTH = (size_t)1 << 20, MOST_ROWS = (size_t)1 << 24;

osc_status osc_arch_find(const osc_arch **arch, const char *model_type)
{
    char known[256] = "";
    for (size_t i = 0; osc_archs[i] != NULL; i++) {
        if (strcmp(osc_archs[i]->model_type, model_type) == 0) {
            *arch = osc_archs[i];
            return OSC_OK;
        }
        size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, "%s%s", i > 0 ? ", " : "",
                 osc_archs[i]->model_type);
    }
    return osc_fail(OSC_EUNSUP, "model_type \"%s\" is not supported (supported: %s)",
                    model_type, known);
}

static osc_status in_range(const char *what, size_t value, size_t most)
{
    if (value >= 1 && value <= most)
        return OSC_OK;
    return osc_fail(OSC_EFORMAT, "%s is %zu, expected 1 to %zu", what, value, most);
}

static osc_status check(const osc_config *c)
{
    OSC_TRY(in_range("number of blocks", c->layers, MOST_LAYERS));
    OSC_TRY(in_range("hidden size", c->hidden, MOST_WIDTH));
    OSC_TRY(in_range("number of heads", c->heads, c->hidden));
    OSC_TRY(in_range("number of key/value heads", c->kv_heads, c->heads));
    OSC_TRY(in_range("head size", c->head_size, MOST_WIDTH));
    OSC_TRY(in_range("ffn width", c->ffn, MOST_WIDTH));
    OSC_TRY(in_range("embedding width", c->embed_width, MOST_WIDTH));
    OSC_TRY(in_range("vocabulary size", c->vocabulary, MOST_ROWS));
    return in_range("number of positions", c->positions, MOST_ROWS);
}

osc_status osc_config_read(osc_config *config, const osc_arch **arch, const json_t *json)
{
    const char *type = NULL;
    OSC_TRY(osc_json_get_string(&type, json, "model_type"));
    if (type == NULL)
        return osc_fail(OSC_EFORMAT, "no \"model_type\"");
    OSC_TRY(osc_arch_find(arch, type));
    OSC_TRY((*arch)->configure(config, json));
    config->arch = (*arch)->model_type;
    return check(config);
}

static size_t extent(const osc_config *config, osc_dim dim)
{
    switch (dim) {
    case OSC_DIM_NONE: return 0;
    case OSC_DIM_H: return config->hidden;
    case OSC_DIM_F: return config->ffn;
    case OSC_DIM_Q: return config->heads * config->head_size;
    case OSC_DIM_KV: return config->kv_heads * config->head_size;
    case OSC_DIM_V: return config->vocabulary;
    case OSC_DIM_P: return config->embed_width;
    case OSC_DIM_POSITIONS: return config->positions + config->position_row;
    }
    return 0;
}

size_t osc_rule_shape(size_t dim[2], const osc_rule *rule, const osc_config *config)
{
    size_t outputs = extent(config, rule->dim[0]) * rule->layout.parts;
    size_t inputs = extent(config, rule->dim[1]);
    dim[0] = rule->layout.transposed ? inputs : outputs;
    dim[1] = rule->layout.transposed ? outputs : inputs;
    return rule->dim[1] == OSC_DIM_NONE ? 1 : 2;
}

osc_tensor osc_rule_view(const osc_rule *rule, const osc_config *config, const osc_tensor *stored)
{
    const osc_layout *layout = &rule->layout;
    size_t outputs = extent(config, rule->dim[0]), inputs = extent(config, rule->dim[1]);
    size_t out = stored->stride[layout->transposed ? 1 : 0];
    size_t in = stored->stride[layout->transposed ? 0 : 1];
    size_t d = layout->by_head ? config->head_size : outputs;
    osc_tensor view = { .data = (const char *)stored->data
                                + layout->part * d * out * osc_dtype_size(stored->dtype),
                        .dtype = stored->dtype };
    if (layout->by_head) {
        view.dim[view.ndim] = outputs / d;
        view.stride[view.ndim++] = layout->parts * d * out;
    }
    view.dim[view.ndim] = d;
    view.stride[view.ndim++] = out;
    if (rule->dim[1] != OSC_DIM_NONE) {
        view.dim[view.ndim] = inputs;
        view.stride[view.ndim++] = in;
    }
    return view;
}

bool osc_rule_holds(const osc_rule *rule, const osc_config *config)
{
    return rule->present == NULL || rule->present(config);
}

void osc_rule_name(char name[OSC_RULE_NAME], const char *prefix, const osc_rule *rule,
                   size_t layer)
{
    const char *number = strstr(rule->name, "%zu");
    if (number == NULL)
        snprintf(name, OSC_RULE_NAME, "%s%s", prefix, rule->name);
    else
        snprintf(name, OSC_RULE_NAME, "%s%.*s%zu%s", prefix, (int)(number - rule->name),
                 rule->name, layer, number + 3);
}

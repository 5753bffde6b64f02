/* Opening a model: config, then every tensor of the architecture's rules into its
 * slot, with its shape checked. */
#include <config.h>
#include "engine/model.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "engine/rules.h"
#include "engine/synth.h"

struct osc_model {
    osc_store      *store;
    const osc_arch *arch;
    osc_config      config;
    const osc_stored **block;                    /* [layers, OSC_BLOCK_SLOTS] */
    const osc_stored *once[OSC_MODEL_SLOTS];
    osc_stored     *view;                        /* parts and transposes of stored tensors */
    size_t          views;
    char           *name;
    uint64_t        parameters;
    osc_dtype       dtype;
};

/* The tensor stored as `name` with or without the architecture's prefix: NULL in
 * `*found` if there is none, OSC_EFORMAT if both are there. */
static osc_status find(const osc_stored **found, const osc_model *model, const char *name)
{
    char prefixed[2 * OSC_RULE_NAME];
    snprintf(prefixed, sizeof prefixed, "%s%s", model->arch->prefix, name);
    const osc_stored *with = osc_store_find(model->store, prefixed);
    const osc_stored *without = osc_store_find(model->store, name);
    if (with != NULL && without != NULL)
        return osc_fail(OSC_EFORMAT, "%s: both %s and %s are stored", with->file, prefixed, name);
    *found = with != NULL ? with : without;
    return OSC_OK;
}

static osc_status check_shape(const osc_model *model, const osc_rule *rule,
                              const osc_stored *stored)
{
    size_t dim[2], ndim = osc_rule_shape(dim, rule, &model->config);
    const osc_tensor *t = &stored->tensor;
    char got[128], want[128];
    if (!osc_tensor_has_shape(t, ndim, dim))
        return osc_fail(OSC_EFORMAT, "%s: tensor %s has shape %s, config.json says %s",
                        stored->file, stored->name,
                        osc_shape_text(got, sizeof got, t->ndim, t->dim),
                        osc_shape_text(want, sizeof want, ndim, dim));
    if (t->dtype != OSC_F32 && t->dtype != OSC_F16 && t->dtype != OSC_BF16)
        return osc_fail(OSC_EFORMAT, "%s: tensor %s has type %s, expected float16, "
                        "bfloat16 or float32",
                        stored->file, stored->name, osc_dtype_name(t->dtype));
    return OSC_OK;
}

static bool is_view(const osc_rule *rule)
{
    return rule->layout.transposed || rule->layout.parts > 1;
}

/* Puts the tensor of `rule` (of block `layer` in a block's rule) into `*slot`. */
static osc_status place(osc_model *model, const osc_rule *rule, size_t layer,
                        const osc_stored **slot)
{
    char name[OSC_RULE_NAME];
    if (!osc_rule_holds(rule, &model->config))
        return OSC_OK;
    osc_rule_name(name, "", rule, layer);
    const osc_stored *stored = NULL;
    OSC_TRY(find(&stored, model, name));
    /* A tied head may be stored in place of the embedding. */
    if (stored == NULL && slot == &model->once[OSC_W_EMBED] && model->config.tied_head)
        stored = osc_store_find(model->store, "lm_head.weight");
    if (stored == NULL)
        return osc_fail(OSC_EFORMAT, "tensor %s is missing", name);
    OSC_TRY(check_shape(model, rule, stored));
    if (is_view(rule)) {
        model->view[model->views] = *stored;
        model->view[model->views].tensor = osc_rule_view(rule, &model->config, &stored->tensor);
        stored = &model->view[model->views++];
    }
    *slot = stored;
    model->parameters += osc_tensor_count(&stored->tensor);
    return OSC_OK;
}

static size_t views_of(const osc_rule *rule)
{
    size_t count = 0;
    for (; rule->name != NULL; rule++)
        count += is_view(rule);
    return count;
}

static osc_status place_all(osc_model *model)
{
    model->view = osc_alloc(views_of(model->arch->once)
                            + model->config.layers * views_of(model->arch->block) + 1,
                            sizeof *model->view);
    if (model->view == NULL)
        return OSC_ENOMEM;
    for (const osc_rule *rule = model->arch->once; rule->name != NULL; rule++)
        OSC_TRY(place(model, rule, 0, &model->once[rule->slot]));
    for (size_t layer = 0; layer < model->config.layers; layer++)
        for (const osc_rule *rule = model->arch->block; rule->name != NULL; rule++)
            OSC_TRY(place(model, rule, layer,
                          &model->block[layer * OSC_BLOCK_SLOTS + (size_t)rule->slot]));
    return OSC_OK;
}

/* A view has the name of what it is a view of. */
static bool is_placed(const osc_model *model, const osc_stored *stored)
{
    for (size_t s = 0; s < OSC_MODEL_SLOTS; s++)
        if (model->once[s] != NULL && model->once[s]->name == stored->name)
            return true;
    for (size_t s = 0; s < model->config.layers * OSC_BLOCK_SLOTS; s++)
        if (model->block[s] != NULL && model->block[s]->name == stored->name)
            return true;
    return false;
}

/* A tensor that no rule wants may change what the model computes: an adapter, a
 * quantization scale.  Running without it would be silently wrong. */
static osc_status refuse_strangers(const osc_model *model)
{
    for (size_t i = 0; i < osc_store_count(model->store); i++) {
        const osc_stored *stored = osc_store_at(model->store, i);
        if (is_placed(model, stored))
            continue;
        const char *name = stored->name;
        size_t prefix = strlen(model->arch->prefix);
        if (strncmp(name, model->arch->prefix, prefix) == 0)
            name += prefix;
        size_t g = 0;
        while (model->arch->ignored[g] != NULL && fnmatch(model->arch->ignored[g], name, 0) != 0)
            g++;
        if (model->arch->ignored[g] == NULL)
            return osc_fail(OSC_EFORMAT, "%s: tensor %s does not belong to a model of type %s",
                            stored->file, stored->name, model->arch->model_type);
    }
    return OSC_OK;
}

/* The dtype of the first block's first product stands for all. */
static osc_dtype main_dtype(const osc_model *model)
{
    const osc_stored *w = model->block[OSC_W_Q] != NULL ? model->block[OSC_W_Q]
                                                         : model->once[OSC_W_EMBED];
    return w->tensor.dtype;
}

static char *last_component(const char *path)
{
    size_t end = strlen(path);
    while (end > 1 && path[end - 1] == '/')
        end--;
    size_t start = end;
    while (start > 0 && path[start - 1] != '/')
        start--;
    return osc_copy_string(path + start, end - start);
}

/* `path`: as the caller gave it. */
static osc_status fill(osc_model *model, const char *path)
{
    osc_status status = osc_config_read(&model->config, &model->arch,
                                        osc_store_config(model->store));
    if (status != OSC_OK)
        return osc_fail_in(status, "config.json");
    model->block = osc_alloc(model->config.layers * OSC_BLOCK_SLOTS, sizeof *model->block);
    model->name = last_component(path);
    if (model->block == NULL || model->name == NULL)
        return OSC_ENOMEM;
    OSC_TRY(place_all(model));
    OSC_TRY(refuse_strangers(model));
    model->dtype = main_dtype(model);
    return OSC_OK;
}

osc_status osc_model_open(osc_model **model, const char *path)
{
    osc_model *made = osc_alloc(1, sizeof *made);
    if (made == NULL)
        return OSC_ENOMEM;
    osc_status status = osc_synth_is(path) ? osc_synth_store(&made->store, path)
                                           : osc_store_open(&made->store, path);
    if (status == OSC_OK) {
        status = fill(made, path);
        if (status != OSC_OK && status != OSC_ENOMEM)
            osc_fail_in(status, path);
    }
    if (status != OSC_OK) {
        osc_model_close(made);
        return status;
    }
    *model = made;
    return OSC_OK;
}

void osc_model_close(osc_model *model)
{
    if (model == NULL)
        return;
    osc_store_close(model->store);
    osc_free(model->block);
    osc_free(model->view);
    osc_free(model->name);
    osc_free(model);
}

const char *osc_model_name(const osc_model *model)
{
    return model->name;
}

const osc_config *osc_model_config(const osc_model *model)
{
    return &model->config;
}

const osc_store *osc_model_store(const osc_model *model)
{
    return model->store;
}

uint64_t osc_model_parameters(const osc_model *model)
{
    return model->parameters;
}

osc_dtype osc_model_dtype(const osc_model *model)
{
    return model->dtype;
}

const osc_stored *osc_model_block(const osc_model *model, size_t layer, osc_block_slot slot)
{
    return model->block[layer * OSC_BLOCK_SLOTS + (size_t)slot];
}

const osc_stored *osc_model_once(const osc_model *model, osc_model_slot slot)
{
    return model->once[slot];
}

const osc_arch *osc_model_arch(const osc_model *model)
{
    return model->arch;
}

osc_observer_shape osc_model_shape(const osc_model *model)
{
    const osc_config *c = &model->config;
    size_t wide = c->heads * c->head_size, narrow = c->kv_heads * c->head_size;
    /* A post-norm block's norms give fc1_in and resid_post, a parallel block's one norm
     * is that of qkv_in. */
    unsigned modules = 1u << OSC_AT_ATTN_OUT | 1u << OSC_AT_MLP_OUT | 1u << OSC_AT_RESID_POST;
    if (!c->parallel)
        modules |= 1u << OSC_AT_FC1_IN;
    if (c->norm_before)
        modules |= 1u << OSC_AT_QKV_IN;
    if (c->final_norm)
        modules |= 1u << OSC_AT_FINAL_NORM;
    return (osc_observer_shape){
        .layers = c->layers, .heads = c->heads, .hidden = c->hidden, .modules = modules,
        .width = {
            [OSC_AT_QKV_IN] = c->hidden, [OSC_AT_Q] = wide, [OSC_AT_K] = narrow,
            [OSC_AT_V] = narrow, [OSC_AT_OUT_IN] = wide, [OSC_AT_ATTN_OUT] = c->hidden,
            [OSC_AT_RESID_MID] = c->hidden, [OSC_AT_FC1_IN] = c->hidden, [OSC_AT_FC1_OUT] = c->ffn,
            [OSC_AT_FC2_IN] = c->ffn, [OSC_AT_MLP_OUT] = c->hidden, [OSC_AT_RESID_POST] = c->hidden,
        },
    };
}

unsigned osc_model_tracked(const osc_model *model)
{
    const osc_config *c = &model->config;
    unsigned tracked = 1u << OSC_AT_QKV_IN;
    if (c->heads * c->head_size == c->hidden)
        tracked |= 1u << OSC_AT_OUT_IN;
    return c->parallel ? tracked : tracked | 1u << OSC_AT_FC1_IN;
}

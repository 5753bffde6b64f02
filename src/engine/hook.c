#include <config.h>
#include "engine/hook.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/suggest.h"

/* Names of the points; `alias` is TransformerLens's name without "blocks.N.". */
static const struct {
    const char *name;
    const char *alias;
    bool        in_block;
} points[OSC_POINT_COUNT] = {
    [OSC_AT_EMBED] = { "embed", "hook_embed", false },
    [OSC_AT_QKV_IN] = { "qkv_in", "ln1.hook_normalized", true },
    [OSC_AT_Q] = { "q", "attn.hook_q", true },
    [OSC_AT_K] = { "k", "attn.hook_k", true },
    [OSC_AT_V] = { "v", "attn.hook_v", true },
    [OSC_AT_SCORES] = { "scores", "attn.hook_attn_scores", true },
    [OSC_AT_PATTERN] = { "pattern", "attn.hook_pattern", true },
    [OSC_AT_OUT_IN] = { "out_in", "attn.hook_z", true },
    [OSC_AT_ATTN_OUT] = { "attn_out", "hook_attn_out", true },
    [OSC_AT_RESID_MID] = { "resid_mid", "hook_resid_mid", true },
    [OSC_AT_FC1_IN] = { "fc1_in", "ln2.hook_normalized", true },
    [OSC_AT_FC1_OUT] = { "fc1_out", "mlp.hook_pre", true },
    [OSC_AT_FC2_IN] = { "fc2_in", "mlp.hook_post", true },
    [OSC_AT_MLP_OUT] = { "mlp_out", "hook_mlp_out", true },
    [OSC_AT_RESID_POST] = { "resid_post", "hook_resid_post", true },
    [OSC_AT_FINAL_NORM] = { "final_norm", "ln_final.hook_normalized", false },
    [OSC_AT_LOGITS] = { "logits", "hook_logits", false },
};

typedef struct {
    osc_hook_fn fn;
    void       *user;
    osc_access  access;
    bool       *at;      /* [OSC_POINT_COUNT, layers + 1]: bound there? */
} binding;

enum { HOOKS_MOST = 64, NAME_MOST = 64 };

struct osc_hooks {
    size_t        layers;
    unsigned char *kinds;            /* [OSC_POINT_COUNT, layers + 1] of OSC_READ | OSC_WRITE */
    binding       list[HOOKS_MOST];
    size_t        count;
    osc_observer *observer;
};

const char *osc_point_name(osc_point point)
{
    return points[point].name;
}

bool osc_point_in_block(osc_point point)
{
    return points[point].in_block;
}

osc_status osc_point_parse(osc_point *point, const char *name)
{
    const char *names[OSC_POINT_COUNT];
    for (size_t p = 0; p < OSC_POINT_COUNT; p++) {
        names[p] = points[p].name;
        if (strcmp(name, points[p].name) == 0 || strcmp(name, points[p].alias) == 0) {
            *point = (osc_point)p;
            return OSC_OK;
        }
    }
    const char *near = osc_nearest(name, names, OSC_POINT_COUNT);
    return osc_fail(OSC_ENOTFOUND, "no hook point '%s'%s%s%s", name,
                    near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
}

osc_status osc_hooks_create(osc_hooks **hooks, size_t layers)
{
    osc_hooks *made = osc_alloc(1, sizeof *made);
    if (made == NULL)
        return OSC_ENOMEM;
    made->layers = layers;
    made->kinds = osc_alloc(OSC_POINT_COUNT * (layers + 1), 1);
    if (made->kinds == NULL) {
        osc_free(made);
        return OSC_ENOMEM;
    }
    *hooks = made;
    return OSC_OK;
}

void osc_hooks_free(osc_hooks *hooks)
{
    if (hooks == NULL)
        return;
    for (size_t i = 0; i < hooks->count; i++)
        osc_free(hooks->list[i].at);
    osc_free(hooks->kinds);
    osc_free(hooks);
}

/* Cell of (point, layer): row `point`, column layer, the last one for layer -1. */
static size_t cell(const osc_hooks *hooks, osc_point point, int layer)
{
    return (size_t)point * (hooks->layers + 1) + (layer < 0 ? hooks->layers : (size_t)layer);
}

static bool matches(const char *pattern, osc_point point, size_t layer)
{
    char name[NAME_MOST], alias[NAME_MOST];
    if (points[point].in_block) {
        snprintf(name, sizeof name, "blocks.%zu.%s", layer, points[point].name);
        snprintf(alias, sizeof alias, "blocks.%zu.%s", layer, points[point].alias);
    } else {
        snprintf(name, sizeof name, "%s", points[point].name);
        snprintf(alias, sizeof alias, "%s", points[point].alias);
    }
    return fnmatch(pattern, name, 0) == 0 || fnmatch(pattern, alias, 0) == 0;
}

/* Marks what matches; returns how many cells that were. */
static size_t bind(const osc_hooks *hooks, bool *at, const char *pattern)
{
    size_t found = 0;
    for (size_t p = 0; p < OSC_POINT_COUNT; p++) {
        size_t copies = points[p].in_block ? hooks->layers : 1;
        for (size_t layer = 0; layer < copies; layer++) {
            int number = points[p].in_block ? (int)layer : -1;
            if (!matches(pattern, (osc_point)p, layer))
                continue;
            at[cell(hooks, (osc_point)p, number)] = true;
            found++;
        }
    }
    return found;
}

/* The nearest point's name for the last component of a pattern that matched none. */
static osc_status no_match(const osc_hooks *hooks, const char *pattern)
{
    const char *names[OSC_POINT_COUNT];
    for (size_t p = 0; p < OSC_POINT_COUNT; p++)
        names[p] = points[p].name;
    const char *dot = strrchr(pattern, '.');
    const char *near = osc_nearest(dot != NULL ? dot + 1 : pattern, names, OSC_POINT_COUNT);
    if (near == NULL)
        return osc_fail(OSC_ENOTFOUND, "'%s' matches no hook point (points of a block are named "
                        "like blocks.0.qkv_in, this model has %zu blocks)", pattern, hooks->layers);
    osc_point point = OSC_AT_EMBED;
    osc_status found = osc_point_parse(&point, near);
    return osc_fail(found == OSC_OK ? OSC_ENOTFOUND : found,
                    "'%s' matches no hook point of this model with %zu blocks (nearest: %s%s)",
                    pattern, hooks->layers, points[point].in_block ? "blocks.*." : "", near);
}

osc_status osc_hooks_add(osc_hooks *hooks, const char *pattern, osc_access access,
                         osc_hook_fn fn, void *user)
{
    if (hooks->count == HOOKS_MOST)
        return osc_fail(OSC_EINVAL, "more than %d hooks", HOOKS_MOST);
    size_t cells = OSC_POINT_COUNT * (hooks->layers + 1);
    bool *at = osc_alloc(cells, sizeof *at);
    if (at == NULL)
        return OSC_ENOMEM;
    if (bind(hooks, at, pattern) == 0) {
        osc_free(at);
        return no_match(hooks, pattern);
    }
    for (size_t c = 0; c < cells; c++)
        if (at[c])
            hooks->kinds[c] |= (unsigned char)access;
    hooks->list[hooks->count++] = (binding){ fn, user, access, at };
    return OSC_OK;
}

osc_status osc_hooks_observe(osc_hooks *hooks, osc_observer *observer)
{
    if (hooks->observer != NULL)
        return osc_fail(OSC_EINVAL, "these hooks have an observer already");
    hooks->observer = observer;
    return OSC_OK;
}

unsigned osc_hooks_at(const osc_hooks *hooks, osc_point point, int layer)
{
    return hooks == NULL ? 0 : hooks->kinds[cell(hooks, point, layer)];
}

bool osc_hooks_any(const osc_hooks *hooks)
{
    return hooks != NULL && hooks->count > 0;
}

osc_status osc_hooks_fire(const osc_hooks *hooks, const osc_event *event)
{
    size_t c = cell(hooks, event->point, event->layer);
    for (size_t i = 0; i < hooks->count; i++)
        if (hooks->list[i].at[c])
            OSC_TRY(hooks->list[i].fn(event, hooks->list[i].user));
    return OSC_OK;
}

osc_observer *osc_hooks_observer(const osc_hooks *hooks)
{
    return hooks == NULL ? NULL : hooks->observer;
}

/* Hook points of a forward pass, and the hooks bound to them.
 *
 * Hooks are an argument of a run: there is no global state and nothing to
 * remove.  Two kinds: tensor hooks get the values in host memory and may change
 * them or stop the run; an observer is a set of reductions that the backend
 * computes where the values are (osc_observer, observer.h). */
#ifndef OSC_ENGINE_HOOK_H
#define OSC_ENGINE_HOOK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

/* In the order in which a run reaches them.  T tokens of one sequence, H hidden,
 * A heads, D head size, F ffn width, V vocabulary. */
typedef enum {
    OSC_AT_EMBED,       /* [T, H]  token + position embedding, input of block 0 */
    OSC_AT_QKV_IN,      /* [T, H]  what q, k, v multiply: norm 1 of the residual (pre-norm) */
    OSC_AT_Q,           /* [T, A*D] query with bias, before the 1/sqrt(D) scale */
    OSC_AT_K,           /* [T, A*D] */
    OSC_AT_V,           /* [T, A*D] */
    OSC_AT_SCORES,      /* [A*T, first + T] scaled scores, -inf where the mask forbids */
    OSC_AT_PATTERN,     /* [A*T, first + T] softmax of the scores */
    OSC_AT_OUT_IN,      /* [T, A*D] concatenated heads: what the output projection multiplies */
    OSC_AT_ATTN_OUT,    /* [T, H]  output projection with bias */
    OSC_AT_RESID_MID,   /* [T, H]  residual + attn_out (before the norm in post-norm blocks) */
    OSC_AT_FC1_IN,      /* [T, H]  what fc1 multiplies: norm 2; post-norm: the normed residual */
    OSC_AT_FC1_OUT,     /* [T, F]  fc1 with bias, before the activation function */
    OSC_AT_FC2_IN,      /* [T, F]  after the activation function */
    OSC_AT_MLP_OUT,     /* [T, H]  fc2 with bias */
    OSC_AT_RESID_POST,  /* [T, H]  output of the block */
    OSC_AT_FINAL_NORM,  /* [T, H]  after the last norm (the last block's output if there is none) */
    OSC_AT_LOGITS,      /* [T, V] */
    OSC_POINT_COUNT
} osc_point;

/* "qkv_in", ...  Static. */
const char *osc_point_name(osc_point point);
/* True for the points that every block has (full name "blocks.3.qkv_in"). */
bool osc_point_in_block(osc_point point);
/* OSC_ENOTFOUND names the nearest point.  Takes the short name of a point or a
 * TransformerLens one ("ln1.hook_normalized"). */
osc_status osc_point_parse(osc_point *point, const char *name);

typedef struct {
    osc_point point;
    int       layer;      /* block, from 0; -1 outside the blocks */
    size_t    sequence;   /* index in the corpus */
    size_t    first;      /* position of the first token; not 0 only behind a cache (decode.h) */
    float    *data;       /* [rows, width] row-major, host memory, valid during the call */
    size_t    rows;
    size_t    width;
} osc_event;

typedef enum { OSC_READ = 1, OSC_WRITE = 2 } osc_access;

/* Called in a fixed order whatever the number of threads, never concurrently.
 * OSC_OK to go on, OSC_STOP to end the run cleanly, anything else fails it.  Only
 * a hook added with OSC_WRITE may change event->data. */
typedef osc_status (*osc_hook_fn)(const osc_event *event, void *user);

typedef struct osc_hooks osc_hooks;
typedef struct osc_observer osc_observer;

/* For models with `layers` blocks. */
osc_status osc_hooks_create(osc_hooks **hooks, size_t layers);
void osc_hooks_free(osc_hooks *hooks);

/* Binds `fn` to every point whose full name matches the glob `pattern`
 * ("blocks.*.fc1_in", "blocks.3.*", "logits"); TransformerLens's names are
 * accepted ("blocks.*.ln2.hook_normalized").  OSC_ENOTFOUND, naming the nearest
 * points, if it can match nothing in this model. */
osc_status osc_hooks_add(osc_hooks *hooks, const char *pattern, osc_access access,
                         osc_hook_fn fn, void *user);

/* Binds an observer (at most one per hooks), which says itself what it observes.
 * It must live as long as `hooks`. */
osc_status osc_hooks_observe(osc_hooks *hooks, osc_observer *observer);

/* --- for the engine ---------------------------------------------------------- */

/* Which kinds of hook are bound at (point, layer): OSC_READ | OSC_WRITE bits. */
unsigned osc_hooks_at(const osc_hooks *hooks, osc_point point, int layer);
/* Whether any is bound. */
bool osc_hooks_any(const osc_hooks *hooks);
/* Calls the tensor hooks bound at event's point and layer. */
osc_status osc_hooks_fire(const osc_hooks *hooks, const osc_event *event);
/* The observer, or NULL. */
osc_observer *osc_hooks_observer(const osc_hooks *hooks);

#endif

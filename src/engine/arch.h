/* What an architecture is: its config keys, its tensor names and shapes, and its
 * forward pass written in steps.h.  One file per architecture in src/arch, one
 * line in archs.c. */
#ifndef OSC_ENGINE_ARCH_H
#define OSC_ENGINE_ARCH_H

#include <jansson.h>
#include <stdbool.h>

#include "base/status.h"
#include "engine/model.h"
#include "engine/pass.h"

/* A dimension of a weight, by what it is in the config. */
typedef enum {
    OSC_DIM_NONE, OSC_DIM_H, OSC_DIM_F, OSC_DIM_Q, OSC_DIM_KV, OSC_DIM_V, OSC_DIM_P,
    OSC_DIM_POSITIONS   /* positions + position_row */
} osc_dim;

/* How a slot's tensor lies in the stored one.  OSC_WHOLE: it is the stored one. */
typedef struct {
    bool   transposed;    /* stored as [inputs, outputs] */
    size_t parts;         /* outputs of so many slots lie in one tensor, */
    size_t part;          /* this one's is number `part` */
    bool   by_head;       /* each head has all parts together, [A, parts, D]: the slot's tensor
                             then is [A, D, inputs] */
} osc_layout;

#define OSC_WHOLE { .parts = 1 }

typedef struct {
    const char *name;     /* without prefix; in a block's rule %zu is the block; NULL ends */
    int         slot;     /* osc_block_slot or osc_model_slot */
    osc_dim     dim[2];   /* of the slot: outputs, inputs; the second OSC_DIM_NONE for a vector */
    /* Whether this model has the tensor; NULL: always. */
    bool      (*present)(const osc_config *config);
    osc_layout  layout;
} osc_rule;

/* A published model of the architecture, for synth.h. */
typedef struct {
    const char *name;     /* "opt-125m"; NULL ends */
    const char *config;   /* the text of its config.json */
} osc_preset;

struct osc_arch {
    const char        *model_type;   /* in config.json */
    const char        *prefix;       /* stripped once from stored names: "model." */
    const osc_rule    *block;        /* tensors of every block */
    const osc_rule    *once;
    const char *const *ignored;      /* globs of stored names that are not needed; ends with NULL */
    const osc_preset  *presets;      /* may be NULL */
    /* Fills the config; sizes are checked against each other. */
    osc_status (*configure)(osc_config *config, const json_t *json);
    /* The forward pass of the sequence in `pass`, in three parts: */
    osc_status (*embed)(osc_pass *pass);    /* ids -> pass->resid */
    osc_status (*block_pass)(osc_pass *pass);   /* resid -> resid */
    osc_status (*finish)(osc_pass *pass);   /* resid -> pass->head_in [T, P] */
};

/* The table of architectures, in src/arch/archs.c; ends with NULL. */
extern const osc_arch *const osc_archs[];

#endif

/* A model: a checkpoint whose architecture is known and whose tensors are
 * checked and in their places.  Read-only once open; sessions share it. */
#ifndef OSC_ENGINE_MODEL_H
#define OSC_ENGINE_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backend/backend.h"
#include "base/status.h"
#include "engine/observer.h"
#include "store/store.h"

typedef struct osc_model osc_model;
typedef struct osc_arch osc_arch;

typedef enum { OSC_RELU, OSC_GELU, OSC_GELU_TANH, OSC_SILU, OSC_ACTIVATION_COUNT } osc_activation;

/* What a config.json says, in one vocabulary for all architectures. */
typedef struct {
    const char    *arch;          /* "opt": config.json's model_type */
    size_t         layers;        /* blocks */
    size_t         hidden;        /* H */
    size_t         heads;         /* A; head_size * heads = width of q and out_in */
    size_t         kv_heads;      /* heads of k and v */
    size_t         head_size;     /* D */
    size_t         ffn;           /* F */
    size_t         vocabulary;    /* V, rows of the embedding */
    size_t         embed_width;   /* P: width of the embedding, H unless projected */
    size_t         positions;     /* longest sequence */
    size_t         position_row;  /* row of the position table for position 0 (OPT: 2) */
    float          norm_eps;
    osc_activation activation;
    bool           rms_norm;      /* norms are RMSNorm: no mean, no bias */
    bool           gated;         /* fc2 multiplies act(gate x) * (fc1 x) */
    bool           parallel;      /* fc1 multiplies what q, k, v multiply (GPT-J) */
    size_t         rotary;        /* components of a head of q and k that turn with the position */
    bool           rotary_neighbours;   /* pairs are (2i, 2i+1); false: (i, i + rotary/2) */
    float          rotary_base;
    bool           alibi;         /* scores grow with the key's position (alibi.h) */
    bool           attention_unscaled;  /* scores are not divided by sqrt(D) (GPT-2) */
    bool           attention_by_block;  /* they are divided by the block's number, from 1 (GPT-2) */
    bool           norm_before;   /* pre-norm blocks; false: post-norm */
    bool           final_norm;
    bool           tied_head;     /* logits multiply the embedding */
    bool           linear_bias;   /* linear layers of the blocks have biases; Llama: those of */
    bool           ffn_bias;      /* the attention, and those of the feed-forward layer */
    bool           affine_norm;   /* norms have weights and biases */
    int32_t        bos;           /* id put in front of texts, -1: none */
} osc_config;

/* Weights of a model by role; no model has all of them.  Per block: */
typedef enum {
    OSC_W_NORM1, OSC_B_NORM1, OSC_W_NORM2, OSC_B_NORM2,
    OSC_W_Q, OSC_W_K, OSC_W_V, OSC_W_OUT, OSC_W_FC1, OSC_W_GATE, OSC_W_FC2,
    OSC_B_Q, OSC_B_K, OSC_B_V, OSC_B_OUT, OSC_B_FC1, OSC_B_GATE, OSC_B_FC2,
    OSC_BLOCK_SLOTS
} osc_block_slot;

/* ... and once per model. */
typedef enum {
    OSC_W_EMBED, OSC_W_POSITION, OSC_W_PROJECT_IN, OSC_W_PROJECT_OUT,
    OSC_W_EMBED_NORM, OSC_B_EMBED_NORM, OSC_W_FINAL_NORM, OSC_B_FINAL_NORM,
    OSC_W_HEAD, OSC_B_HEAD,
    OSC_MODEL_SLOTS
} osc_model_slot;

/* Opens the checkpoint directory `path` (store.h) or, if it begins with "synth:", a
 * model with random weights (synth.h), finds the architecture named by its model_type
 * in the table of architectures (archs.c), checks every tensor's presence, type and
 * shape against the config.  OSC_EUNSUP for an unknown model_type, OSC_EFORMAT naming
 * the tensor otherwise. */
osc_status osc_model_open(osc_model **model, const char *path);
void osc_model_close(osc_model *model);

/* Last component of the path as given: "opt-mini-8m". */
const char *osc_model_name(const osc_model *model);
const osc_config *osc_model_config(const osc_model *model);
const osc_store *osc_model_store(const osc_model *model);
/* Parameters, a tied head counted once. */
uint64_t osc_model_parameters(const osc_model *model);
/* The stored dtype of most parameters. */
osc_dtype osc_model_dtype(const osc_model *model);
/* The widths of the hook points, for an observer. */
osc_observer_shape osc_model_shape(const osc_model *model);

/* Bits of the points that the outlier criterion follows: qkv_in, out_in if it has the
 * hidden width, and fc1_in unless it has the same values as qkv_in (parallel blocks). */
unsigned osc_model_tracked(const osc_model *model);

/* OSC_EUNSUP, naming it, if the backend lacks something that the forward pass needs. */
osc_status osc_model_suits(const osc_model *model, const osc_backend *backend);

/* The stored tensor of a slot, or NULL if this model has none.  A weight is N rows of K
 * (osc_tensor_rows), whatever its dimensions and strides: it may be a part of a stored
 * tensor, or its transpose. */
const osc_stored *osc_model_block(const osc_model *model, size_t layer, osc_block_slot slot);
const osc_stored *osc_model_once(const osc_model *model, osc_model_slot slot);
const osc_arch *osc_model_arch(const osc_model *model);

#endif

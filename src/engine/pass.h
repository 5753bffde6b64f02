/* The state of a forward pass while a sequence, or some of one length, is in one block: what
 * the steps work on.  Letters as in hook.h. */
#ifndef OSC_ENGINE_PASS_H
#define OSC_ENGINE_PASS_H

#include <stddef.h>
#include <stdint.h>

#include "backend/backend.h"
#include "engine/hook.h"
#include "engine/model.h"
#include "quant/scheme.h"

typedef struct osc_session osc_session;

/* The linear layers of a block, in the order of OSC_W_Q ... OSC_W_FC2. */
enum { OSC_LINEARS = OSC_W_FC2 - OSC_W_Q + 1 };

typedef struct {
    const osc_model   *model;
    const osc_config  *config;
    const osc_backend *backend;
    osc_device        *device;
    osc_session       *session;      /* whose pass this is */
    const osc_hooks   *hooks;        /* may be NULL */

    /* the sequences, one behind the other */
    const int32_t *ids;              /* [rows] */
    const int32_t *ids_there;        /* these in the backend's memory, NULL if not brought */
    size_t         sequences;        /* at least 1 */
    size_t         tokens;           /* of each */
    size_t         rows;             /* T, of all */
    size_t         first;            /* position of their first rows: rows of earlier passes */
    size_t         sequence;         /* index in the corpus, of the first */
    int            layer;            /* -1 outside the blocks */

    /* weights of the current block, and those used once, in the backend's dtype;
     * NULL where the model has none */
    osc_linear     linear[OSC_LINEARS];
    void          *vector[OSC_BLOCK_SLOTS];      /* norms and biases */
    void          *once[OSC_MODEL_SLOTS];        /* norms, projections, the head's bias */
    osc_tensor     table[OSC_MODEL_SLOTS];       /* embedding, positions, head: for the
                                                    backend's embed and add_rows */

    /* the observer's accumulators where the backend adds to them, NULL if not wanted */
    osc_column_stats *stats[OSC_POINT_COUNT];    /* [layers] each */
    osc_residual_stats *residual;                /* [layers + 1] */
    double *top1, *top1_without;                 /* [layers, A]; [sets, layers, A] */

    /* activations; of several sequences the rows of the first come first */
    void *resid;                     /* [T, H] residual stream */
    void *x;                         /* [T, H] input of a linear layer */
    void *q, *k, *v;                 /* [T, A*D], [T, KV*D] */
    void *keys, *values;             /* [first + T, KV*D] of all positions so far; k and v are
                                        their last T rows */
    void *mix;                       /* [T, A*D] concatenated heads */
    void *branch;                    /* [T, H] what a half-block adds to the residual */
    void *ffn;                       /* [T, F] */
    void *gate;                      /* [T, F] of gated blocks */
    void *embedded;                  /* [T, P] token embedding where P != H */
    void *head_in;                   /* [T, P] what multiplies the head; resid where P = H */
    float *scores;                   /* [A, T, first + T], only with hooks at scores or pattern */
} osc_pass;

/* The activations are those of so many sequences of `tokens` rows each, from now on. */
static inline void osc_pass_take(osc_pass *pass, size_t sequences, size_t tokens)
{
    pass->sequences = sequences;
    pass->tokens = tokens;
    pass->rows = sequences * tokens;
    if (pass->backend->part != NULL)
        pass->backend->part(pass->device, tokens);
}

#endif

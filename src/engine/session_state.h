/* The inside of a session, shared by session.c (opening) and run.c. */
#ifndef OSC_ENGINE_SESSION_STATE_H
#define OSC_ENGINE_SESSION_STATE_H

#include "engine/pass.h"
#include "engine/session.h"

enum {
    OSC_HEAD_TILE = 2048            /* rows of the head converted at a time */
};

/* Weights of one block, in the scheme's form and the backend's dtype. */
typedef struct {
    osc_linear linear[OSC_LINEARS];
    void      *vector[OSC_BLOCK_SLOTS];
} osc_block_weights;

typedef struct {
    double *mass;      /* [room] */
    size_t  room;
} osc_mirrored_mass;

/* An observer's accumulators in the memory of a backend that is not the host's;
 * each is one block, laid out as the observer's own (mirror.c). */
typedef struct {
    osc_column_stats *stats[OSC_POINT_COUNT];   /* [layers] */
    osc_residual_stats *residual;               /* [layers + 1] */
    osc_mirrored_mass top1, top1_without;       /* [layers, A]; [sets, layers, A] */
} osc_mirror;

/* Keys and values of the sequence at hand (decode.c). */
typedef struct {
    void  *rows;           /* [layers, 2, longest, KV*D]: keys, values; NULL without a cache */
    size_t position;       /* ids so far */
    size_t sequence;
    float *logits, *host_logits;   /* [V], where the backend works and here */
} osc_cache;

/* Steps of one id as graphs (graph.c). */
typedef struct {
    bool       seen;       /* one was done */
    osc_graph *graph;      /* NULL until another was */
    size_t     ready;      /* the position for which it is made; SIZE_MAX: none */
} osc_step_graph;

struct osc_session {
    const osc_model   *model;
    const osc_config  *config;
    const osc_backend *backend;
    osc_device        *device;
    osc_scheme_choice  choice;
    bool               cached, allow_nonfinite;
    const osc_progress *progress;
    const char        *label;
    size_t             longest;     /* tokens of a sequence */
    size_t             chunk;       /* sequences of a chunk */

    osc_pass     pass;              /* buffers of one sequence, weights of one block */
    void        *resid;             /* [chunk, longest, H] */
    void        *k, *v;             /* [longest, KV*D] of a sequence that runs without a cache */
    void        *head_in;           /* [chunk, longest, P]; resid itself where P = H */
    void        *head_tile;         /* [OSC_HEAD_TILE, P], for tables in host memory */
    float       *logits;            /* [longest, V], only with a hook at the logits */
    osc_row_lse *lse, *host_lse;    /* [chunk * longest], where the backend works and here */
    int32_t     *targets, *host_targets;   /* [chunk * longest] id that follows, -1 at an end */

    osc_block_weights *resident;    /* [layers] ready for the whole session, or NULL: */
    osc_block_weights  moving[OSC_TURNS];  /* block b takes turn b % turns */
    unsigned           turns;       /* how many of these there are */
    osc_block_weights *as_stored;   /* [layers] that point at the stored weights, for few rows of
                                       a cached session; NULL if the scheme cannot */
    bool               checked;     /* these are known to be finite */
    size_t             ready;       /* the block whose turn is filled ahead; SIZE_MAX: none */
    osc_mirror         mirror;
    osc_cache          cache;
    osc_step_graph     step;

    void **owned;                   /* every device buffer above, for release */
    size_t owned_count, owned_capacity;
    size_t weight_bytes, linear_bytes, buffer_bytes;
};

/* `count` elements of `size` bytes of device memory that live as long as the session;
 * adds their bytes to `*total`. */
osc_status osc_session_own(osc_session *s, void **data, size_t count, size_t size,
                           size_t *total);

/* Buffers of the blocks' weights (weights.c).  They are all made ready now if the
 * backend keeps so many or the scheme's are smaller than the stored ones, else one or
 * two blocks' buffers are filled again and again. */
osc_status osc_session_own_weights(osc_session *s);
/* Makes the weights of a block those of the pass, for products of up to `rows` rows; to be
 * followed, once the block's work is issued, by leave, which may fill the next block's
 * meanwhile. */
osc_status osc_session_enter_block(osc_session *s, size_t layer, size_t rows);
osc_status osc_session_leave_block(osc_session *s, size_t layer);

/* Gives the pass the accumulators of the observer bound to `hooks`, and brings back
 * what a run added (mirror.c). */
osc_status osc_session_bring_observer(osc_session *s, const osc_hooks *hooks);
osc_status osc_session_return_observer(osc_session *s, const osc_hooks *hooks);

/* Memory for hooks at scores and patterns, the first time they are bound (run.c). */
osc_status osc_session_own_scores(osc_session *s, const osc_hooks *hooks);
/* Before a table is read that the backend takes as it is stored. */
void osc_session_need_table(const osc_session *s, osc_model_slot slot);
/* Work of `count` ids from `position` on. */
typedef osc_status (*osc_session_work)(osc_session *s, size_t position, const int32_t *ids,
                                       size_t count, const osc_hooks *hooks);
/* Whether the backend keeps graphs and the host is not needed inside a step. */
bool osc_session_has_graphs(const osc_session *s, const osc_hooks *hooks);
/* `step` of one id, as a graph. */
osc_status osc_session_step(osc_session *s, size_t position, int32_t id, osc_session_work step);
/* Keys, values and logits (decode.c). */
osc_status osc_session_own_cache(osc_session *s);

/* Loads a stored tensor into device memory and refuses NaN and infinity. */
osc_status osc_session_load(const osc_session *s, void *dst, const osc_stored *stored);

/* OSC_EVALUE, naming the tensor, if `bad` is the index of an element of it. */
osc_status osc_session_finite(const osc_session *s, const osc_stored *stored, size_t bad);

#endif

/* The inside of a session, shared by session.c (opening) and run.c. */
#ifndef OSC_ENGINE_SESSION_STATE_H
#define OSC_ENGINE_SESSION_STATE_H

#include "engine/pass.h"
#include "engine/session.h"

enum {
    OSC_HEAD_TILE = 2048,           /* rows of the head converted at a time */
    OSC_HEAD_GROUP = 64,            /* scored rows go through the head in groups: how many there
                                       are decides which loops multiply them, and their last
                                       bits, which must not depend on the chunk */
    OSC_AHEAD = 2                   /* blocks whose weights are read ahead of the one that runs */
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

/* Runs of whole chunks as a graph (graph.c).  A shape is how many sequences there are and
 * where each ends, [1 + chunk]. */
typedef struct {
    int32_t   *ids;        /* [rows] of the chunk at hand, where the backend works */
    size_t    *last;       /* shape of the last chunk that ran without a graph */
    size_t     in_a_row;   /* how many had it */
    size_t    *shape;      /* ... of the graph's; its count is 0 if there is none */
    osc_graph *graph;      /* NULL until a first was made */
    bool       making;     /* its work is being issued */
} osc_chunk_graph;

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
    size_t             together;    /* rows of several sequences that should share a pass; 0: a
                                       sequence at a time */
    size_t             pass_rows;   /* of the pass's buffers: of one sequence at least */
    bool               joins;       /* sequences of one length share passes, in this run */

    size_t       begin, end;        /* the blocks of this session's device: all, or if there are
                                       several devices a part */
    osc_session *next;              /* whose blocks come behind these, owned, or NULL (stages.c) */
    osc_session *before;            /* whose next this is, or NULL */
    size_t       done;              /* of the chunk: blocks times sequences */

    osc_pass     pass;              /* buffers of some sequences, weights of one block */
    void        *resid;             /* [rows, H], rows as osc_session_rows says */
    void        *k, *v;             /* [pass_rows, KV*D] where there is no cache */
    void        *head_in;           /* [rows, P]; resid itself where P = H */
    void        *head_tile;         /* [OSC_HEAD_TILE, P], for tables in host memory */
    float       *logits;            /* [longest, V], only with a hook at the logits */
    osc_row_lse *lse, *host_lse;    /* [rows], where the backend works and here */
    int32_t     *targets, *host_targets;   /* [rows] id that follows, -1 at an end */

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
    osc_chunk_graph    whole;

    void **owned;                   /* every device buffer above, for release */
    size_t owned_count, owned_capacity;
    size_t weight_bytes, linear_bytes, buffer_bytes;

    bool   predicting;              /* sizes are counted, nothing is allocated or loaded */
    bool   stays;                   /* weights of all blocks stay */
    bool   ran;                     /* every block was run before */
    bool   window;                  /* pages of the checkpoint go once they were read */
    size_t limit;                   /* bytes for the whole program; 0: none was given */
    size_t in_use, room;            /* bytes it had at the start; bytes for the session */
    size_t mapped_bytes;            /* of the checkpoint, in memory at a time */
};

/* Rows of a chunk's buffers: its ids, up to a whole group. */
static inline size_t osc_session_rows(const osc_session *s)
{
    return (s->chunk * s->longest + OSC_HEAD_GROUP - 1) / OSC_HEAD_GROUP * OSC_HEAD_GROUP;
}

/* `count` elements of `size` bytes of device memory that live as long as the session;
 * adds their bytes to `*total`. */
osc_status osc_session_own(osc_session *s, void **data, size_t count, size_t size,
                           size_t *total);

/* Notes what memory there is before anything is allocated; `limit` as in the options
 * (budget.c). */
void osc_session_count_room(osc_session *s, size_t limit);
/* Sets `stays`, `window` and `mapped_bytes` when all but the blocks' weights is counted;
 * `block` and `stored` are bytes of a block's linear layers in the scheme's form and as
 * stored.  OSC_ENOMEM if the limit that was given is too low. */
osc_status osc_session_budget(osc_session *s, size_t block, size_t stored);

/* Buffers of the blocks' weights (weights.c).  They are all made ready now if they stay,
 * else one or two blocks' buffers are filled again and again. */
osc_status osc_session_own_weights(osc_session *s);
/* Has the stored weights that a block will need read ahead; behind the last block those of
 * the head. */
void osc_session_expect(const osc_session *s, size_t layer);
/* Whether products read the weights as stored besides their codes. */
bool osc_session_reads_stored(const osc_session *s);
/* The table that logits multiply. */
osc_model_slot osc_session_head_slot(const osc_session *s);
/* Makes the weights of a block those of the pass, for products of up to `rows` rows; to be
 * followed, once the block's work is issued, by leave, which may fill the next block's
 * meanwhile. */
osc_status osc_session_enter_block(osc_session *s, size_t layer, size_t rows);
osc_status osc_session_leave_block(osc_session *s, size_t layer);

/* Bytes of a block's weights in the form in which few rows multiply them. */
size_t osc_session_block_bytes(const osc_session *s);
/* Row `row` of a [*, width] activation buffer. */
static inline void *row_of(const osc_session *s, void *buffer, size_t row, size_t width)
{
    return (char *)buffer + row * width * osc_dtype_size(s->backend->dtype);
}

/* Parts of a run (run.c).  Binds the hooks on every device of a chain (below) ... */
osc_status osc_session_bring_hooks(osc_session *s, const osc_hooks *hooks);
/* ... has sequences first + from .. first + to - 1 of the chunk that starts at `first` go
 * through the blocks of this session's device, with the embedding before the first block and
 * what comes behind the last, after which head_in has their rows ... */
osc_status osc_session_run_part(osc_session *s, const osc_corpus *corpus, size_t first,
                                size_t count, size_t from, size_t to);
/* ... of which first_row .. first_row+rows-1 go through the whole head with their lse and
 * targets; `logits` [rows, V] may be NULL. */
osc_status osc_session_run_head(osc_session *s, size_t first_row, size_t rows, float *logits);
/* -log softmax(logits)[target] = max + log(sum of exp(logit - max)) - logit. */
double osc_session_nll(const osc_row_lse *row);
/* After a failure: what is on its way to observers is not reported. */
void osc_session_drop_reports(osc_session *s);
/* Of the blocks of this device times the sequences of the chunk, `steps` are done. */
void osc_session_tell(const osc_session *s, const osc_corpus *corpus, size_t first, size_t count,
                      size_t steps);

/* Devices of "0,1" in their order; of NULL, device 0. */
enum { OSC_DEVICES = 16 };
osc_status osc_session_parse_devices(size_t device[OSC_DEVICES], size_t *count,
                                     const char *text);

/* A session on several devices is a chain of sessions, one for each (stages.c). */
/* The one of the last blocks, which computes the logits. */
osc_session *osc_session_last(osc_session *s);
/* Has the devices of earlier blocks report what observers are still to get: of a sequence,
 * hits come block by block. */
osc_status osc_session_report_before(const osc_session *s);
/* The next calls are for the device of `s`. */
osc_status osc_session_select(const osc_session *s);
/* The chunk through the blocks of the whole chain: while a device is at some sequences,
 * the one before it is at the next. */
osc_status osc_session_run_stages(osc_session *s, const osc_corpus *corpus, size_t first,
                                  size_t count);

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
/* What a chunk's ids go through on the device, from embedding to scores. */
typedef osc_status (*osc_chunk_work)(osc_session *s, const osc_corpus *corpus, size_t first,
                                     size_t count);
/* `work` of a chunk, as a graph once some of its shape came in a row. */
osc_status osc_session_run_whole(osc_session *s, const osc_corpus *corpus, size_t first,
                                 size_t count, osc_chunk_work work);
void osc_session_free_graphs(osc_session *s);
/* Keys, values and logits (decode.c). */
osc_status osc_session_own_cache(osc_session *s);

/* Before a stored tensor is loaded: makes the values of a generated one, unless the backend
 * draws them itself. */
void osc_session_need(const osc_session *s, const osc_stored *stored);
/* Loads a stored tensor into device memory and refuses NaN and infinity. */
osc_status osc_session_load(const osc_session *s, void *dst, const osc_stored *stored);

/* Gives back pages of a stored tensor, or NULL, unless they stay. */
void osc_session_forget(const osc_session *s, const osc_stored *stored);

/* OSC_EVALUE, naming the tensor, if `bad` is the index of an element of it. */
osc_status osc_session_finite(const osc_session *s, const osc_stored *stored, size_t bad);

#endif

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
    osc_mirrored_mass top1, top1_without;       /* [layers, A]; [sets, layers, A] */
} osc_mirror;

struct osc_session {
    const osc_model   *model;
    const osc_config  *config;
    const osc_backend *backend;
    osc_device        *device;
    osc_scheme_choice  choice;
    bool               allow_nonfinite;
    const osc_progress *progress;
    const char        *label;
    size_t             longest;     /* tokens of a sequence */
    size_t             chunk;       /* sequences of a chunk */

    size_t       begin, end;        /* the blocks of this session's device: all, or if there are
                                       several devices a part */
    osc_session *next;              /* whose blocks come behind these, owned, or NULL (stages.c) */
    osc_session *before;            /* whose next this is, or NULL */
    size_t       done;              /* of the chunk: blocks times sequences */

    osc_pass     pass;              /* buffers of one sequence, weights of one block */
    void        *resid;             /* [chunk, longest, H] */
    void        *head_in;           /* [chunk, longest, P]; resid itself where P = H */
    void        *head_tile;         /* [OSC_HEAD_TILE, P], for tables in host memory */
    float       *logits;            /* [longest, V], only with a hook at the logits */
    osc_row_lse *lse, *host_lse;    /* [chunk * longest], where the backend works and here */
    int32_t     *targets, *host_targets;   /* [chunk * longest] id that follows, -1 at an end */

    osc_block_weights *resident;    /* [layers] ready for the whole session, or NULL: */
    osc_block_weights  moving[OSC_TURNS];  /* block b takes turn b % turns */
    unsigned           turns;       /* how many of these there are */
    size_t             ready;       /* the block whose turn is filled ahead; SIZE_MAX: none */
    osc_mirror         mirror;

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
/* Makes the weights of a block those of the pass; to be followed, once the block's
 * work is issued, by leave, which may fill the next block's meanwhile. */
osc_status osc_session_enter_block(osc_session *s, size_t layer);
osc_status osc_session_leave_block(osc_session *s, size_t layer);

/* Memory that only some hooks need, the first time they are bound (run.c). */
osc_status osc_session_own_for_hooks(osc_session *s, const osc_hooks *hooks);
/* Sequences first + from .. first + to - 1 of the chunk that starts at `first` through the
 * blocks of this session's device, with the embedding before the first block and what
 * comes behind the last (run.c). */
osc_status osc_session_run_part(osc_session *s, const osc_corpus *corpus, size_t first,
                                size_t count, size_t from, size_t to);

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

/* Before a stored tensor is loaded: makes the values of a generated one, unless the backend
 * draws them itself. */
void osc_session_need(const osc_session *s, const osc_stored *stored);
/* Loads a stored tensor into device memory and refuses NaN and infinity. */
osc_status osc_session_load(const osc_session *s, void *dst, const osc_stored *stored);

/* OSC_EVALUE, naming the tensor, if `bad` is the index of an element of it. */
osc_status osc_session_finite(const osc_session *s, const osc_stored *stored, size_t bad);

#endif

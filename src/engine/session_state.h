/* The inside of a session, shared by session.c (opening) and run.c. */
#ifndef OSC_ENGINE_SESSION_STATE_H
#define OSC_ENGINE_SESSION_STATE_H

#include "engine/pass.h"
#include "engine/session.h"

enum {
    OSC_HEAD_TILE = 2048            /* rows of the head converted at a time */
};

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

    osc_pass     pass;              /* buffers of one sequence, weights of one block */
    void        *resid;             /* [chunk, longest, H] */
    void        *head_in;           /* [chunk, longest, P]; resid itself where P = H */
    void        *head_tile;         /* [OSC_HEAD_TILE, P] */
    void        *logits;            /* [longest, V], only with a hook at the logits */
    osc_row_lse *lse;               /* [chunk * longest] */
    int32_t     *targets;           /* [chunk * longest] id that follows, -1 at an end */

    osc_linear *resident;           /* [layers, OSC_LINEARS] ready for the whole session, or NULL */

    void **owned;                   /* every device buffer above, for release */
    size_t owned_count, owned_capacity;
    size_t weight_bytes, linear_bytes, buffer_bytes;
};

/* `count` elements of device memory that live as long as the session; adds their
 * bytes to `*total`. */
osc_status osc_session_own(osc_session *s, void **data, size_t count, size_t *total);

/* Buffers of the blocks' weights (weights.c).  A scheme whose weights are smaller than
 * the stored ones has them all made ready now, else one block's buffers are filled
 * again and again. */
osc_status osc_session_own_weights(osc_session *s);
/* Makes the weights of a block those of the pass. */
osc_status osc_session_enter_block(osc_session *s, size_t layer);

/* Loads a stored tensor into device memory and refuses NaN and infinity. */
osc_status osc_session_load(const osc_session *s, void *dst, const osc_stored *stored);

/* OSC_EVALUE, naming the tensor, if `bad` is the index of an element of it. */
osc_status osc_session_finite(const osc_session *s, const osc_stored *stored, size_t bad);

#endif

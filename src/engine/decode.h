/* Token-major runs with a cache: a sequence goes through the whole model some ids at a
 * time, keys and values of all positions so far are kept, and the logits of its last id
 * come back.  For sessions opened with `cached`, which hold the weights of all blocks
 * ready: a step of one id reads each of them once and converts none. */
#ifndef OSC_ENGINE_DECODE_H
#define OSC_ENGINE_DECODE_H

#include "engine/session.h"

/* Begins a sequence, the first after opening included; `sequence` is its index for hooks. */
void osc_decode_begin(osc_session *session, size_t sequence);

/* Ids of the sequence so far. */
size_t osc_decode_position(const osc_session *session);

/* Runs ids[count] as the next ones of the sequence, one call of every linear layer.
 * *logits receives those of the last id, [vocabulary] in host memory, until the next
 * call.  `hooks` may be NULL and must have no observer; they get `count` rows from
 * position event->first on, at final_norm and logits the last row alone.  Allocates
 * nothing but, the first time, the scores for hooks at them.  OSC_EINVAL for an id
 * beyond the vocabulary or a sequence beyond the session's longest, else as
 * osc_session_run; after an error or OSC_STOP the sequence is as it was before. */
osc_status osc_decode(osc_session *session, const int32_t *ids, size_t count,
                      const osc_hooks *hooks, const float **logits);

/* Says of a sequence that will get no more ids whether the checkpoint's files stayed what they
 * were, as osc_decode does for those that it reads: OSC_EIO if not. */
osc_status osc_decode_end(const osc_session *session);

/* Bytes of weights that a step of one id reads: those of the blocks in the form in which they
 * are multiplied, the head's, and vectors.  What a step takes at least is the time to
 * read them from memory. */
size_t osc_decode_step_bytes(const osc_session *session);
/* Bytes of the keys and values of the longest sequence. */
size_t osc_decode_cache_bytes(const osc_session *session);

#endif

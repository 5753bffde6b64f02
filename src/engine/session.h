/* A session: one device, one scheme, buffers sized once; runs a model over
 * sequences, layer-major: a chunk of sequences goes through one block before the
 * next block's weights are touched, so each weight is read once per chunk. */
#ifndef OSC_ENGINE_SESSION_H
#define OSC_ENGINE_SESSION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/progress.h"
#include "base/status.h"
#include "engine/hook.h"
#include "engine/model.h"
#include "text/corpus.h"

typedef struct osc_session osc_session;

typedef struct {
    const char *backend;          /* NULL: "cpu" */
    const char *scheme;           /* NULL: "none"; "llm-int8:threshold=6" */
    size_t      threads;          /* 0: all processors */
    size_t      longest;          /* ids of the longest sequence of any run */
    size_t      chunk;            /* sequences per chunk; 0: about 8192 ids, at most 64 MiB;
                                     32768 and 1 GiB where the backend is not the host's */
    const char *devices;          /* NULL or one: a session on it (default "0"); several, "0,1":
                                     each gets its part of the blocks */
    size_t      memory;           /* bytes to use on a device at most; 0: what is free */
    bool        allow_nonfinite;  /* go on although a weight is NaN or infinite */
    const osc_progress *progress; /* told of ids done, of all ids of the corpus; may be NULL */
    const char *label;            /* what the progress is called; NULL: "forward pass" */
} osc_session_options;

/* OSC_EINVAL if `text` is no list of devices.  One may be there twice, to try things out. */
osc_status osc_session_check_devices(const char *text);

/* `model` must outlive the session.  If the scheme's weights are smaller than the
 * stored ones, they are all made here and stay; otherwise a run converts them block
 * by block.  OSC_EINVAL (unknown backend or scheme, or longest beyond the model's
 * positions), OSC_ENOMEM, OSC_EDEVICE, OSC_EVALUE (a weight is not finite), OSC_EUNSUP
 * (the scheme cannot do a layer), OSC_EFORMAT (a file that the scheme names). */
osc_status osc_session_open(osc_session **session, const osc_model *model,
                            const osc_session_options *options);
void osc_session_close(osc_session *session);

/* Sequences that one call of osc_session_run takes at most. */
size_t osc_session_chunk(const osc_session *session);
/* "cpu", "cuda:dtype=bf16". */
const char *osc_session_backend(const osc_session *session);
const char *osc_session_scheme(const osc_session *session);
/* Whether the backend can summarize activations and the residual stream for an observer. */
bool osc_session_summarizes(const osc_session *session);
size_t osc_session_threads(const osc_session *session);
/* Bytes of weights held in converted or quantized form (not the mapping). */
size_t osc_session_weight_bytes(const osc_session *session);
/* Of these, bytes of the weights of linear layers in the scheme's form: of all blocks
 * if they stay, of one if a run converts them block by block. */
size_t osc_session_linear_bytes(const osc_session *session);
/* Bytes of activations and scratch. */
size_t osc_session_buffer_bytes(const osc_session *session);
/* The most bytes in use on a device so far: of several, on the one with most. */
size_t osc_session_peak_bytes(const osc_session *session);

/* Runs sequences first .. first+count-1 of the corpus (count at most
 * osc_session_chunk) as one chunk.  Each sequence is one call of every linear
 * layer.  `hooks` may be NULL.  `nll`, unless NULL, receives for every id of
 * these sequences its negative log-likelihood in nats given the ids before it
 * ([offset[first+count] - offset[first]] values; 0 for a sequence's first id).
 * Without it the head is only computed if a hook is bound at the logits.
 * Allocates nothing.  OSC_STOP if a hook stopped the run; OSC_EVALUE names a
 * weight tensor that is not finite; else a hook's or the device's error. */
osc_status osc_session_run(osc_session *session, const osc_corpus *corpus,
                           size_t first, size_t count, const osc_hooks *hooks, double *nll);

/* Exponential of the mean over the scored ids of sequences 0..count-1; `nll` is
 * for all of them, as filled by osc_session_run.  Sums in corpus order. */
typedef struct {
    double nll;          /* total, nats */
    size_t scored;       /* ids */
    double perplexity;
} osc_perplexity;
osc_perplexity osc_perplexity_of(const osc_corpus *corpus, size_t count, const double *nll);

#endif

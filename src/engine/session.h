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
    size_t      memory;           /* bytes at most: that this program may have in all, or of a
                                     device's memory where the backend is not the host's; 0: what
                                     is available now, as far as possible */
    size_t      chunk;            /* sequences per chunk; 0: about 8192 ids, at most 64 MiB;
                                     32768 and 1 GiB where the backend is not the host's */
    bool        cached;           /* for osc_decode (decode.h): keep keys, values and the weights
                                     of all blocks; `chunk` then is 1 by default */
    const char *devices;          /* NULL or one: a session on it (default "0"); several, "0,1":
                                     each gets its part of the blocks */
    bool        allow_nonfinite;  /* go on although a weight is NaN or infinite */
    const osc_progress *progress; /* told of ids done, of all ids of the corpus; may be NULL */
    const char *label;            /* what the progress is called; NULL: "forward pass" */
} osc_session_options;

/* OSC_EINVAL if `text` is no list of devices.  One may be there twice, to try things out. */
osc_status osc_session_check_devices(const char *text);

/* `model` must outlive the session.  If the scheme's weights are smaller than the
 * stored ones and there is memory for them (and, where the scheme multiplies by stored
 * weights too, for these beside them), they are all made here and stay; otherwise a run
 * converts them block by block.  Pages of a checkpoint of more than 1 GiB, or more than
 * there is memory for, are given back as soon as they were read.  Results do not depend
 * on it.  OSC_EINVAL (unknown backend or scheme, longest beyond the model's positions, or
 * more devices than blocks), OSC_ENOTFOUND (no such device), OSC_ENOMEM (also if
 * options->memory is too little block by block), OSC_EDEVICE, OSC_EVALUE (a weight is not
 * finite), OSC_EUNSUP (the scheme cannot do a layer; a cache on several devices), OSC_EFORMAT
 * (a file that the scheme names), OSC_EIO (a weight file was changed meanwhile). */
osc_status osc_session_open(osc_session **session, const osc_model *model,
                            const osc_session_options *options);
void osc_session_close(osc_session *session);

/* What a session would hold, in bytes. */
typedef struct {
    size_t chunk;            /* sequences */
    size_t weights;          /* in converted form; of these */
    size_t linear;           /* linear layers' in the scheme's form */
    size_t activations;      /* and scratch, but for what some hooks need */
    size_t mapped;           /* most pages of the checkpoint that are in memory at a time */
    bool   stays;            /* weights of all blocks stay, else they come block by block */
    bool   reads_again;      /* every chunk reads stored weights of the blocks */
} osc_session_needs;

/* The same decisions and errors as osc_session_open, without allocating (but for the
 * backend's scratch) or reading a weight. */
osc_status osc_session_predict(osc_session_needs *needs, const osc_model *model,
                               const osc_session_options *options);

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
 * weight tensor that is not finite; OSC_EIO a weight file that was changed since the
 * model was opened; else a hook's or the device's error. */
osc_status osc_session_run(osc_session *session, const osc_corpus *corpus,
                           size_t first, size_t count, const osc_hooks *hooks, double *nll);

/* What a sequence's scored ids sum up to. */
typedef struct {
    double nll;          /* nats; NaN if a logit is */
    bool   greedy;       /* each of them had the largest logit of its row; equals count */
} osc_score;

/* Runs sequences first .. first+count-1 of the corpus, as osc_session_run does but without
 * hooks, and scores ids that need not be in them: targets[t] is scored given the sequence's
 * ids up to and with the one at t, and -1 scores nothing there
 * ([offset[first+count] - offset[first]] values).  Rows that score nothing do not go
 * through the head.  `score` is [count].  Any number of sequences, as long as their ids are
 * no more than osc_session_chunk times the longest. */
osc_status osc_session_score(osc_session *session, const osc_corpus *corpus, size_t first,
                             size_t count, const int32_t *targets, osc_score *score);

/* Exponential of the mean over the scored ids of sequences 0..count-1; `nll` is
 * for all of them, as filled by osc_session_run.  Sums in corpus order. */
typedef struct {
    double nll;          /* total, nats */
    size_t scored;       /* ids */
    double perplexity;
} osc_perplexity;
osc_perplexity osc_perplexity_of(const osc_corpus *corpus, size_t count, const double *nll);

#endif

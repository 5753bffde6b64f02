/* outlierscope: the library's one public header.
 *
 *     osc_model_open      a Hugging Face checkpoint directory
 *     osc_corpus_make     a text cut into sequences of token ids
 *     osc_session_open    a device, a matmul scheme, buffers
 *     osc_hooks_add       functions called with any activation of the pass
 *     osc_session_run     the forward pass
 *     osc_decode          the same id by id, for generation
 *     osc_recorder_open   magnitudes, outlier events, perplexity into an HDF5 file
 *     osc_record_open     and out of it again
 *
 * Every function that can fail returns an osc_status and leaves a message in
 * osc_error().  Outputs are set on success only.  The library prints nothing. */
#ifndef OSC_H
#define OSC_H

#include "base/alloc.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/half.h"
#include "base/json.h"
#include "base/progress.h"
#include "base/spec.h"
#include "base/status.h"
#include "base/suggest.h"
#include "engine/decode.h"
#include "engine/hook.h"
#include "engine/model.h"
#include "engine/observer.h"
#include "engine/session.h"
#include "engine/synth.h"
#include "quant/scheme.h"
#include "record/record.h"
#include "store/safetensors_write.h"
#include "store/store.h"
#include "tensor/tensor.h"
#include "text/corpus.h"
#include "text/tokenizer.h"

#endif

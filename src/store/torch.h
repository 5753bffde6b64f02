/* Files of torch.save that hold a state dict: private to src/store. */
#ifndef OSC_STORE_TORCH_H
#define OSC_STORE_TORCH_H

#include "store/format.h"
#include "store/pickle.h"

enum { OSC_TORCH_PICKLE_MOST = 100000000 };   /* bytes of a pickle, as of a safetensors header */

/* Append the tensors of a zip file (since PyTorch 1.6) or of a stream (before). */
osc_status osc_torch_zip(struct osc_weights *weights, const osc_mapping *file);
osc_status osc_torch_stream(struct osc_weights *weights, const osc_mapping *file);

/* Every mention of a storage, in the order of their keys; OSC_EFORMAT if two mentions of
 * one key differ.  `*sorted` is owned by the caller (osc_free). */
osc_status osc_torch_storages(struct osc_storage ***sorted, const struct osc_pickle *pickle);
/* Order of `const struct osc_value *` texts, and of `struct osc_storage *` by key. */
int osc_torch_by_text(const void *a, const void *b);
int osc_torch_by_key(const void *a, const void *b);

/* Appends the tensors of the state dict `result`, whose storages have all been found.  Tensors
 * that are not contiguous are copied; all copies together have at most twice the
 * file's size. */
osc_status osc_torch_tensors(struct osc_weights *weights, const struct osc_value *result,
                             const osc_mapping *file);

#endif

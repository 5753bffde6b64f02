/* Checkpoints in Hugging Face layout: a directory with config.json and weights.
 *
 * Weights are mapped and not copied (but for views in PyTorch files that are not
 * contiguous): a tensor's `data` points into the mapping, has any alignment and lives
 * until osc_store_close.  Two tensors of a PyTorch file may share their data.  Names
 * are as stored; the prefix rule ("model.", "transformer.") belongs to the architecture. */
#ifndef OSC_STORE_STORE_H
#define OSC_STORE_STORE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/digest.h"
#include "base/progress.h"
#include "base/status.h"
#include "tensor/tensor.h"

typedef struct osc_store osc_store;

/* One weight tensor of a checkpoint; strings and data are owned by the store. */
typedef struct {
    const char *name;
    const char *file;     /* base name of the file that holds it, for messages */
    osc_tensor  tensor;
} osc_stored;

/* Opens the checkpoint in directory `path`: reads config.json, finds the weights
 * through the table of formats (stores.c) and makes every check of the format.
 * OSC_ENOTFOUND (no such directory, config or weights), OSC_EFORMAT, OSC_EIO,
 * OSC_EUNSUP (what a format allows and is not supported: a Git LFS pointer, more
 * than OSC_MAX_DIMS dimensions, compressed members of a zip file), OSC_ENOMEM.
 * Nothing in a file can name a path outside the directory. */
osc_status osc_store_open(osc_store **store, const char *path);
void osc_store_close(osc_store *store);

const char *osc_store_path(const osc_store *store);      /* the directory, as given */
const char *osc_store_format(const osc_store *store);    /* "safetensors", "PyTorch zip", ... */
const json_t *osc_store_config(const osc_store *store);  /* config.json: an object, borrowed */

/* Tensors in the order of their names (strcmp). */
size_t osc_store_count(const osc_store *store);
const osc_stored *osc_store_at(const osc_store *store, size_t index);
/* The tensor of exactly this name, or NULL. */
const osc_stored *osc_store_find(const osc_store *store, const char *name);
/* Tensors whose element type osc_dtype lacks (8-bit floats and the like) are
 * checked but not listed.  For the message where such a tensor is wanted: the
 * file's name of its type ("F8_E4M3"), or NULL if no such tensor was left out. */
const char *osc_store_skipped(const osc_store *store, const char *name);

/* Whether the weights are generated (generated.h) and not read from files. */
bool osc_store_is_generated(const osc_store *store);

/* Of a tensor of the store or a part of one: */
/* Before its elements are read: the values of a generated one are made now, if they are
 * not there. */
void osc_store_need(const osc_store *store, const osc_tensor *tensor);
/* It will be needed soon: the system begins to read it from its file, without waiting. */
void osc_store_expect(const osc_store *store, const osc_tensor *tensor);
/* It was converted, or will not be needed for long: gives back its memory (of a generated
 * tensor, of the whole).  Whoever needs it again has it read, or made, again. */
void osc_store_forget(const osc_store *store, const osc_tensor *tensor);

/* OSC_EIO if a weight file was changed or became shorter since the store was opened
 * (osc_mapping_check): what was read may be wrong. */
osc_status osc_store_check(const osc_store *store);

/* Bytes of all weight files, or of all generated weights. */
size_t osc_store_bytes(const osc_store *store);

/* SHA-256 of the weight files' bytes, files in the order of their names: for one
 * file the same as sha256sum prints.  Of generated weights: of what they are
 * generated from (their store's path). */
osc_status osc_store_digest(const osc_store *store, char hex[OSC_DIGEST_HEX],
                            const osc_progress *progress);

#endif

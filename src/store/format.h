/* What stores.c and the checkpoint formats share; private to src/store.
 *
 * A format is one file with its `struct osc_format`s and a line for each in the table
 * of stores.c.  Its `read` maps a weight file and appends tensors; the index of sharded
 * weights, sorting, duplicate names, look-up, release and the digest are common to all. */
#ifndef OSC_STORE_FORMAT_H
#define OSC_STORE_FORMAT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/file.h"
#include "base/status.h"
#include "store/generated.h"
#include "store/region.h"
#include "store/store.h"

enum {
    OSC_MAX_WEIGHTS = 1 << 20,      /* tensors of a checkpoint */
    OSC_MAX_WEIGHT_NAME = 4096,     /* bytes of a name */
    OSC_QUOTED = 112                /* bytes that osc_weight_quote may write */
};

/* A tensor as a format found it. */
struct osc_weight {
    osc_stored  stored;
    size_t      bytes;     /* of data in the file */
    const char *foreign;   /* the file's name of an element type that osc_dtype lacks, or NULL;
                              then stored.tensor.dtype means nothing and nobody gets to see it */
};

struct osc_weights {
    const char        *folder;    /* borrowed */
    osc_mapping       *file;
    size_t             file_count, file_capacity;
    void             **memory;    /* names, copies of tensors */
    size_t             memory_count, memory_capacity;
    const char        *form;      /* what the file turned out to be, if a format has several */
    struct osc_weight *weight;
    size_t             count, capacity;
    size_t             usable;    /* those without `foreign`, first in osc_weights_finish's order */
    osc_region        *region;    /* of generated weights, or NULL */
};

struct osc_format {
    const char *name;
    const char *file;    /* its presence in the folder selects the format */
    bool        index;   /* `file` lists the weight files and holds no weights */
    /* Appends the tensors of the weight file `name` of the folder through the
     * functions below; what it had added when it failed is released by the caller. */
    osc_status (*read)(struct osc_weights *weights, const char *name);
};

extern const struct osc_format osc_format_safetensors, osc_format_safetensors_shards,
                               osc_format_torch, osc_format_torch_shards;

/* Reads every weight file that the index format->file lists. */
osc_status osc_shards_read(struct osc_weights *weights, const struct osc_format *format);

/* Makes up the tensors (generated.h) in place of reading files. */
osc_status osc_weights_generate(struct osc_weights *weights, uint64_t seed, osc_dtype dtype,
                                const osc_recipe *recipe, size_t count);

/* Maps the file `name` of the folder.  `*file` is a borrowed copy that lives as
 * long as `weights`.  `name` may come from a file: OSC_EFORMAT unless it is a plain
 * name.  OSC_EUNSUP for a Git LFS pointer in place of the file. */
osc_status osc_weights_map(osc_mapping *file, struct osc_weights *weights, const char *name);

/* `size` zeroed bytes that live as long as `weights`; NULL when out of memory. */
void *osc_weights_memory(struct osc_weights *weights, size_t size);

/* Appends a tensor; its strings and data must live as long as `weights`. */
osc_status osc_weights_add(struct osc_weights *weights, const struct osc_weight *weight);

/* Sorts tensors and files by name; OSC_EFORMAT if a name occurs twice. */
osc_status osc_weights_finish(struct osc_weights *weights);

/* The tensor of this name among those with (or without) an osc_dtype, or NULL;
 * only after osc_weights_finish. */
const struct osc_weight *osc_weights_find(const struct osc_weights *weights, const char *name,
                                          bool foreign);

void osc_weights_release(struct osc_weights *weights);

/* For qsort and bsearch: `struct osc_weight`s by name; `const char *`s by text. */
int osc_weight_by_name(const void *a, const void *b);
int osc_weight_by_text(const void *a, const void *b);

/* `name` fit for a message: cut, control characters replaced; returns `text`. */
char *osc_weight_quote(char text[OSC_QUOTED], const char *name);
/* The same of `size` bytes of any kind: what is not printable ASCII becomes '?'. */
char *osc_weight_quote_bytes(char text[OSC_QUOTED], const char *name, size_t size);

/* The part of `path` after the last slash. */
const char *osc_weight_file_name(const char *path);

#endif

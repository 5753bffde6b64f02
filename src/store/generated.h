/* Weights that are computed and not read: every element is a function of the seed,
 * its tensor's name and its index alone, the same on every machine, so that a model
 * of any size needs neither a file nor more memory than what is in use. */
#ifndef OSC_STORE_GENERATED_H
#define OSC_STORE_GENERATED_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "store/store.h"

/* An element with a value of its own. */
typedef struct {
    size_t index;
    float  value;
} osc_planted;

/* How the elements of one tensor come about: all equal to `constant`, or drawn with
 * mean 0 and this standard deviation from the sum of four uniform numbers, which
 * resembles a normal distribution cut at 3.5 standard deviations. */
typedef struct {
    const char        *name;
    size_t             ndim, dim[2];
    float              constant;
    float              deviation;       /* 0: constant */
    const osc_planted *planted;         /* [planted_count], on top of it */
    size_t             planted_count;
} osc_recipe;

/* A checkpoint that consists of `count` such tensors of type `dtype` (float16,
 * bfloat16 or float32), with the config.json `config`, of which it takes a reference.
 * `title` stands where a folder's path would; its SHA-256 is the digest of the
 * weights, so it must say all that the recipes depend on.  The recipes are
 * copied.  OSC_EINVAL for a type that is none of the three or a size
 * that overflows, OSC_EFORMAT if a name occurs twice, OSC_ENOMEM. */
osc_status osc_store_generate(osc_store **store, const char *title, json_t *config,
                              uint64_t seed, osc_dtype dtype, const osc_recipe *recipe,
                              size_t count);

#endif

/* What the host knows of activations from the work it has issued: columns in which some
 * value reaches the threshold of the products of codes, and whose codes lie in scratch.
 *
 * A kernel that makes an activation sets a bit for each such column (flags.cuh); the
 * product that comes next then codes it in one pass, without CTAs that tell each other
 * what they found.  Products with one x, as of queries, keys and values, share its codes.
 * Whatever else writes to memory of activations says so to osc_cuda_known_forget. */
#ifndef OSC_CUDA_KNOWN_H
#define OSC_CUDA_KNOWN_H

#include "cuda/device.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a kernel that makes an activation does besides; bits NULL: nothing. */
typedef struct {
    uint32_t *bits;        /* it sets those of columns with |value| >= threshold, `words` for
                              each sequence of `rows` rows ... */
    uint32_t *clear;       /* [cleared] ... and clears these words, for the next such kernel */
    unsigned  words, rows, cleared, width;
    float     threshold;
} osc_cuda_flags;

/* Removed columns of x, each sequence's own: `words` words of bits for each, behind one
 * another; bits NULL: not known. */
typedef struct {
    const uint32_t *bits;
    unsigned        words, rows, count;      /* rows of a sequence; sequences */
} osc_cuda_removed;

struct osc_cuda_layer;

osc_status osc_cuda_known_plan(osc_device *device, const osc_limits *limits);
void osc_cuda_known_close(osc_device *device);

/* The kernel that is launched next makes y [rows, width] and heeds *flags. */
osc_status osc_cuda_flags_for(osc_device *device, osc_cuda_flags *flags, const void *y,
                              size_t rows, size_t width);
/* The same for y of `count` values that the last product of codes has made and that are
 * changed in place. */
osc_status osc_cuda_flags_again(osc_device *device, osc_cuda_flags *flags, const void *y,
                                size_t count);
void osc_cuda_flags_shape(osc_device *device, const struct osc_cuda_layer *p);
/* Products with this coding occur: kernels are to set flags if it has a use for them. */
void osc_cuda_flags_want(osc_device *device, const osc_coding *coding);
/* The removed columns of this product's x, in device memory. */
osc_cuda_removed osc_cuda_flags_of(const osc_device *device, const struct osc_cuda_layer *p);
/* Sequences of an activation of so many rows, see osc_backend.part. */
size_t osc_cuda_sequences(const osc_device *device, size_t rows);
/* Whether a row of y depends on its row of x alone. */
bool osc_cuda_coding_by_row(const osc_coding *coding);
/* Whether products with this coding gain by several sequences in one: rows of x are coded
 * each for itself, and which columns are removed can be known. */
bool osc_cuda_coding_joins(const osc_coding *coding);

/* Whether scratch has the codes of this product's x, and that it has them now. */
bool osc_cuda_codes_known(const osc_device *device, const struct osc_cuda_layer *p);
void osc_cuda_codes_made(osc_device *device, const struct osc_cuda_layer *p);

/* Work issued from now on may write `bytes` at y; with y NULL: anywhere. */
void osc_cuda_known_forget(osc_device *device, const void *y, size_t bytes);
/* Work issued so far may run later, and again: at both ends of a graph, and where it runs. */
void osc_cuda_known_reset(osc_device *device);

#ifdef __cplusplus
}
#endif

#endif

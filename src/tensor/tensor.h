/* Element types and tensor views. */
#ifndef OSC_TENSOR_TENSOR_H
#define OSC_TENSOR_TENSOR_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "tensor/drawn.h"

typedef enum {
    OSC_F32, OSC_F16, OSC_BF16,             /* what engines compute with or store */
    OSC_F64, OSC_I64, OSC_U64, OSC_I32, OSC_U32, OSC_I16, OSC_U16, OSC_I8, OSC_U8, OSC_BOOL,
    OSC_DTYPE_COUNT
} osc_dtype;

/* Bytes of one element. */
size_t osc_dtype_size(osc_dtype dtype);
/* "float32", "float16", "bfloat16", ... as in config.json and the record. */
const char *osc_dtype_name(osc_dtype dtype);

enum { OSC_MAX_DIMS = 8 };

/* A view of elements somewhere else: it never owns `data`.  `data` of a tensor
 * in a mapped checkpoint may have any alignment: read it through
 * osc_backend.load or memcpy, never through a cast pointer. */
typedef struct {
    const void *data;
    osc_dtype   dtype;
    size_t      ndim;
    size_t      dim[OSC_MAX_DIMS];
    size_t      stride[OSC_MAX_DIMS];   /* in elements; row-major when contiguous */
    const osc_drawn *drawn;             /* of a generated tensor that needs no reading, else NULL */
} osc_tensor;

/* A contiguous row-major view. */
osc_tensor osc_tensor_make(const void *data, osc_dtype dtype, size_t ndim, const size_t *dim);

size_t osc_tensor_count(const osc_tensor *tensor);
bool osc_tensor_is_contiguous(const osc_tensor *tensor);
/* Bytes from `data` to the end of the element that lies farthest from it. */
size_t osc_tensor_span(const osc_tensor *tensor);
/* A tensor as a matrix: rows run along its last dimension, all others count through; a
 * single number is a row of one. */
size_t osc_tensor_width(const osc_tensor *tensor);                  /* of a row */
size_t osc_tensor_rows(const osc_tensor *tensor);
const void *osc_tensor_row(const osc_tensor *tensor, size_t row);   /* its first element */
bool osc_tensor_has_shape(const osc_tensor *tensor, size_t ndim, const size_t *dim);

/* "[3, 4]" into `text`, cut to `size` bytes; returns `text`. */
char *osc_shape_text(char *text, size_t size, size_t ndim, const size_t *dim);

#endif

#include <config.h>
#include "tensor/tensor.h"

#include <stdio.h>

static const struct {
    const char *name;
    size_t      size;
} dtypes[OSC_DTYPE_COUNT] = {
    [OSC_F32] = { "float32", 4 },   [OSC_F16] = { "float16", 2 }, [OSC_BF16] = { "bfloat16", 2 },
    [OSC_F64] = { "float64", 8 },   [OSC_I64] = { "int64", 8 },   [OSC_U64] = { "uint64", 8 },
    [OSC_I32] = { "int32", 4 },     [OSC_U32] = { "uint32", 4 },  [OSC_I16] = { "int16", 2 },
    [OSC_U16] = { "uint16", 2 },    [OSC_I8] = { "int8", 1 },     [OSC_U8] = { "uint8", 1 },
    [OSC_BOOL] = { "bool", 1 },
};

size_t osc_dtype_size(osc_dtype dtype)
{
    return dtypes[dtype].size;
}

const char *osc_dtype_name(osc_dtype dtype)
{
    return dtypes[dtype].name;
}

osc_tensor osc_tensor_make(const void *data, osc_dtype dtype, size_t ndim, const size_t *dim)
{
    osc_tensor tensor = { .data = data, .dtype = dtype, .ndim = ndim };
    size_t stride = 1;
    for (size_t i = ndim; i-- > 0;) {
        tensor.dim[i] = dim[i];
        tensor.stride[i] = stride;
        stride *= dim[i];
    }
    return tensor;
}

size_t osc_tensor_count(const osc_tensor *tensor)
{
    size_t count = 1;
    for (size_t i = 0; i < tensor->ndim; i++)
        count *= tensor->dim[i];
    return count;
}

bool osc_tensor_is_contiguous(const osc_tensor *tensor)
{
    size_t stride = 1;
    for (size_t i = tensor->ndim; i-- > 0;) {
        if (tensor->dim[i] > 1 && tensor->stride[i] != stride)
            return false;
        stride *= tensor->dim[i];
    }
    return true;
}

size_t osc_tensor_span(const osc_tensor *tensor)
{
    size_t last = 0;
    for (size_t i = 0; i < tensor->ndim; i++) {
        if (tensor->dim[i] == 0)
            return 0;
        last += (tensor->dim[i] - 1) * tensor->stride[i];
    }
    return (last + 1) * osc_dtype_size(tensor->dtype);
}

size_t osc_tensor_width(const osc_tensor *tensor)
{
    return tensor->ndim == 0 ? 1 : tensor->dim[tensor->ndim - 1];
}

size_t osc_tensor_rows(const osc_tensor *tensor)
{
    size_t rows = 1;
    for (size_t i = 0; i + 1 < tensor->ndim; i++)
        rows *= tensor->dim[i];
    return rows;
}

const void *osc_tensor_row(const osc_tensor *tensor, size_t row)
{
    size_t offset = 0;
    for (size_t d = tensor->ndim == 0 ? 0 : tensor->ndim - 1; d-- > 0;) {
        offset += row % tensor->dim[d] * tensor->stride[d];
        row /= tensor->dim[d];
    }
    return (const char *)tensor->data + offset * osc_dtype_size(tensor->dtype);
}

bool osc_tensor_has_shape(const osc_tensor *tensor, size_t ndim, const size_t *dim)
{
    if (tensor->ndim != ndim)
        return false;
    for (size_t i = 0; i < ndim; i++)
        if (tensor->dim[i] != dim[i])
            return false;
    return true;
}

char *osc_shape_text(char *text, size_t size, size_t ndim, const size_t *dim)
{
    size_t used = (size_t)snprintf(text, size, "[");
    for (size_t i = 0; i < ndim && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, i == 0 ? "%zu" : ", %zu", dim[i]);
    if (used < size)
        snprintf(text + used, size - used, "]");
    return text;
}

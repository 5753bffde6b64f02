/* From a state dict to weights: a tensor is a view (offset, sizes, strides) of a
 * storage.  One whose elements lie one after another is used in place; any other
 * (a transposed view) is copied into rows. */
#include <config.h>
#include "store/torch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

enum { COPIES_MOST = 2 };   /* times the size of the file: a tied tensor is there twice */

struct reader {
    struct osc_weights *weights;
    const char         *file_name;
    char               *names;       /* room for those of all tensors */
    size_t              room;        /* bytes that copies may still take */
};

/* Elements of a tensor.  A dimension of 0 counts as 1 in the overflow check, because
 * row-major strides are products over the other dimensions. */
static osc_status count_elements(size_t *count, const struct osc_view *v)
{
    size_t product = 1;
    bool empty = false;
    for (size_t i = 0; i < v->ndim; i++) {
        empty = empty || v->dim[i] == 0;
        if (__builtin_mul_overflow(product, v->dim[i] == 0 ? 1 : v->dim[i], &product))
            return osc_fail(OSC_EFORMAT, "has more than 2^64 elements");
    }
    *count = empty ? 0 : product;
    return OSC_OK;
}

/* The dimensions of more than one element, by stride; returns their number. */
static size_t by_stride(size_t order[OSC_MAX_DIMS], const struct osc_view *v)
{
    const size_t *stride = v->dim + v->ndim;
    size_t count = 0;
    for (size_t i = 0; i < v->ndim; i++) {
        if (v->dim[i] == 1)
            continue;
        size_t place = count++;
        for (; place > 0 && stride[order[place - 1]] > stride[i]; place--)
            order[place] = order[place - 1];
        order[place] = i;
    }
    return count;
}

/* How far the last element lies behind the first.  Each stride must go beyond all that
 * the smaller ones reach: what slicing and permuting make, and no element twice. */
static osc_status measure(size_t *reach, const struct osc_view *v)
{
    size_t order[OSC_MAX_DIMS], count = by_stride(order, v);
    *reach = 0;
    for (size_t k = 0; k < count; k++) {
        size_t i = order[k], stride = v->dim[v->ndim + i], step;
        if (stride <= *reach)
            return osc_fail(OSC_EFORMAT, "stride %zu of dimension %zu: an element is there twice",
                            stride, i);
        if (__builtin_mul_overflow(v->dim[i] - 1, stride, &step) ||
            __builtin_add_overflow(*reach, step, reach))
            return osc_fail(OSC_EFORMAT, "its strides reach beyond 2^64 elements");
    }
    return OSC_OK;
}

/* Counts the elements; OSC_EFORMAT unless each is a different one of the storage. */
static osc_status check_view(size_t *count, const struct osc_view *v)
{
    size_t reach, room = v->storage->view_count;
    OSC_TRY(count_elements(count, v));
    if (*count == 0)
        return OSC_OK;
    OSC_TRY(measure(&reach, v));
    if (v->offset >= room || reach >= room - v->offset)
        return osc_fail(OSC_EFORMAT, "offset %zu and a reach of %zu go beyond its storage of %zu "
                        "elements", v->offset, reach, room);
    return OSC_OK;
}

static bool is_contiguous(const struct osc_view *v, size_t count)
{
    size_t expected = 1;
    for (size_t i = v->ndim; count > 0 && i-- > 0;) {
        if (v->dim[i] != 1 && v->dim[v->ndim + i] != expected)
            return false;
        expected *= v->dim[i];
    }
    return true;
}

static inline void copy_run(uint8_t *to, const uint8_t *from, size_t count, size_t step,
                            size_t size)
{
    for (size_t i = 0; i < count; i++)
        memcpy(to + i * size, from + i * step, size);
}

/* With the element's size known to the compiler, elements are moved without calls. */
static void gather_run(uint8_t *to, const uint8_t *from, size_t count, size_t step, size_t size)
{
    switch (size) {
    case 1: copy_run(to, from, count, step, 1); break;
    case 2: copy_run(to, from, count, step, 2); break;
    case 4: copy_run(to, from, count, step, 4); break;
    default: copy_run(to, from, count, step, 8); break;
    }
}

/* Copies the `count` > 0 elements of `size` bytes each, last dimension innermost. */
static void gather(uint8_t *to, const uint8_t *from, const struct osc_view *v, size_t count,
                   size_t size)
{
    size_t inner = v->ndim - 1, index[OSC_MAX_DIMS] = { 0 }, at = 0;   /* bytes, modulo 2^64 */
    const size_t *dim = v->dim, *stride = v->dim + v->ndim;
    for (size_t rows = count / dim[inner]; rows > 0; rows--) {
        gather_run(to, from + at, dim[inner], stride[inner] * size, size);
        to += dim[inner] * size;
        for (size_t i = inner; i-- > 0;) {
            at += stride[i] * size;
            if (++index[i] < dim[i])
                break;
            at -= dim[i] * stride[i] * size;
            index[i] = 0;
        }
    }
}

/* Sets `*data` to the view's elements in row-major order. */
static osc_status find_elements(const uint8_t **data, struct reader *r, const struct osc_view *v,
                                size_t count)
{
    const struct osc_storage *s = v->storage;
    size_t size = osc_dtype_size(s->dtype), bytes = count * size;
    const uint8_t *from = s->data + (count == 0 ? 0 : (s->view_offset + v->offset) * size);
    *data = from;
    if (is_contiguous(v, count))
        return OSC_OK;
    if (bytes > r->room)
        return osc_fail(OSC_EUNSUP, "is not contiguous, and copies of such tensors would take "
                        "more than %d times the size of the file", COPIES_MOST);
    uint8_t *copy = osc_weights_memory(r->weights, bytes);
    if (copy == NULL)
        return OSC_ENOMEM;
    r->room -= bytes;
    gather(copy, from, v, count, size);
    *data = copy;
    return OSC_OK;
}

static osc_status add_tensor(struct reader *r, const struct osc_value *key,
                             const struct osc_view *v)
{
    const uint8_t *data;
    size_t count = 0;
    osc_status status = check_view(&count, v);
    if (status != OSC_OK) {
        char shape[256], where[272];
        osc_shape_text(shape, sizeof shape, v->ndim, v->dim);
        snprintf(where, sizeof where, "shape %s", shape);
        return osc_fail_in(status, where);
    }
    OSC_TRY(find_elements(&data, r, v, count));
    struct osc_weight weight = {
        .stored = { .name = r->names, .file = r->file_name,
                    .tensor = osc_tensor_make(data, v->storage->dtype, v->ndim, v->dim) },
        .bytes = count * osc_dtype_size(v->storage->dtype),
    };
    memcpy(r->names, key->as.text, key->size);
    r->names += key->size + 1;
    return osc_weights_add(r->weights, &weight);
}

static osc_status check_key(const struct osc_value *key)
{
    char quoted[OSC_QUOTED];
    if (key->size <= OSC_MAX_WEIGHT_NAME && memchr(key->as.text, '\0', key->size) == NULL)
        return OSC_OK;
    return osc_fail(OSC_EFORMAT, "name '%s' has %u bytes or a zero byte; at most %d bytes are "
                    "accepted", osc_weight_quote_bytes(quoted, key->as.text, key->size), key->size,
                    OSC_MAX_WEIGHT_NAME);
}

/* Beside tensors a state dict may hold plain values, which are passed over. */
static osc_status check_value(const struct osc_value *key, const struct osc_value *value)
{
    char quoted[OSC_QUOTED];
    switch (value->kind) {
    case OSC_VALUE_TENSOR: case OSC_VALUE_NONE: case OSC_VALUE_BOOL: case OSC_VALUE_INT:
    case OSC_VALUE_FLOAT: case OSC_VALUE_TEXT:
        return OSC_OK;
    default:
        return osc_fail(OSC_EFORMAT, "'%s' is %s, expected a tensor: is this a training "
                        "checkpoint? Save the model's state_dict() alone",
                        osc_weight_quote_bytes(quoted, key->as.text, key->size),
                        osc_value_name(value));
    }
}

static osc_status check_unique(const struct osc_items *items)
{
    char quoted[OSC_QUOTED];
    size_t count = items->count / 2;
    const struct osc_value **key = osc_alloc(count, sizeof *key);
    osc_status status = OSC_OK;
    if (key == NULL)
        return OSC_ENOMEM;
    for (size_t i = 0; i < count; i++)
        key[i] = &items->item[2 * i];
    qsort(key, count, sizeof *key, osc_torch_by_text);
    for (size_t i = 1; i < count && status == OSC_OK; i++)
        if (osc_torch_by_text(&key[i - 1], &key[i]) == 0)
            status = osc_fail(OSC_EFORMAT, "'%s' is there twice",
                              osc_weight_quote_bytes(quoted, key[i]->as.text, key[i]->size));
    osc_free(key);
    return status;
}

static osc_status check_items(const struct osc_items *items, size_t *names)
{
    *names = 0;
    for (size_t i = 0; i < items->count; i += 2) {
        OSC_TRY(check_key(&items->item[i]));
        OSC_TRY(check_value(&items->item[i], &items->item[i + 1]));
        *names += items->item[i].size + 1;
    }
    return check_unique(items);
}

osc_status osc_torch_tensors(struct osc_weights *weights, const struct osc_value *result,
                             const osc_mapping *file)
{
    size_t names = 0;
    if (result->kind != OSC_VALUE_DICT)
        return osc_fail(OSC_EFORMAT, "holds %s, expected a state dict", osc_value_name(result));
    const struct osc_items *items = result->as.items;
    OSC_TRY(check_items(items, &names));
    struct reader reader = { .weights = weights, .file_name = osc_weight_file_name(file->path),
                             .names = osc_weights_memory(weights, names),
                             .room = COPIES_MOST * file->size };
    if (reader.names == NULL)
        return OSC_ENOMEM;
    for (size_t i = 0; i < items->count; i += 2) {
        const struct osc_value *key = &items->item[i], *value = key + 1;
        if (value->kind != OSC_VALUE_TENSOR)
            continue;
        osc_status status = add_tensor(&reader, key, value->as.view);
        if (status != OSC_OK && status != OSC_ENOMEM) {
            char quoted[OSC_QUOTED], where[OSC_QUOTED + 16];
            snprintf(where, sizeof where, "tensor '%s'",
                     osc_weight_quote_bytes(quoted, key->as.text, key->size));
            return osc_fail_in(status, where);
        }
        OSC_TRY(status);
    }
    return OSC_OK;
}

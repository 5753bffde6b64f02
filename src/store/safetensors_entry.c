#include <config.h>
#include "store/safetensors_entry.h"

#include <jansson.h>
#include <stdbool.h>
#include <string.h>

#include "base/json.h"

enum { ENTRY_MOST = 1 << 16 };   /* bytes of an entry's text; written ones have about 100 */

struct dtype {
    const char *name;
    size_t      bits;
    osc_dtype   dtype;   /* OSC_DTYPE_COUNT: known by size only */
};

static const struct dtype dtypes[] = {
    { "F16", 16, OSC_F16 },     { "BF16", 16, OSC_BF16 },   { "F32", 32, OSC_F32 },
    { "F64", 64, OSC_F64 },     { "I64", 64, OSC_I64 },     { "U64", 64, OSC_U64 },
    { "I32", 32, OSC_I32 },     { "U32", 32, OSC_U32 },     { "I16", 16, OSC_I16 },
    { "U16", 16, OSC_U16 },     { "I8", 8, OSC_I8 },        { "U8", 8, OSC_U8 },
    { "BOOL", 8, OSC_BOOL },
    { "C64", 64, OSC_DTYPE_COUNT },
    { "F8_E4M3", 8, OSC_DTYPE_COUNT },     { "F8_E5M2", 8, OSC_DTYPE_COUNT },
    { "F8_E8M0", 8, OSC_DTYPE_COUNT },     { "F8_E4M3FNUZ", 8, OSC_DTYPE_COUNT },
    { "F8_E5M2FNUZ", 8, OSC_DTYPE_COUNT },
    { "F6_E2M3", 6, OSC_DTYPE_COUNT },     { "F6_E3M2", 6, OSC_DTYPE_COUNT },
    { "F4", 4, OSC_DTYPE_COUNT },
};

static osc_status get_dtype(const struct dtype **dtype, const json_t *entry)
{
    const char *name = json_string_value(json_object_get(entry, "dtype"));
    char quoted[OSC_QUOTED];
    if (name == NULL)
        return osc_fail(OSC_EFORMAT, "has no string \"dtype\"");
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++) {
        if (strcmp(dtypes[i].name, name) == 0) {
            *dtype = &dtypes[i];
            return OSC_OK;
        }
    }
    return osc_fail(OSC_EFORMAT, "dtype '%s' is none of the format's (F32, F16, BF16, ...)",
                    osc_weight_quote(quoted, name));
}

/* The elements of `array` as sizes: nothing goes through a double, which would
 * round offsets beyond 2^53. */
static osc_status get_sizes(size_t *out, const json_t *array, const char *key)
{
    for (size_t i = 0; i < json_array_size(array); i++) {
        const json_t *value = json_array_get(array, i);
        json_int_t number = json_integer_value(value);
        if (!json_is_integer(value) || number < 0)
            return osc_fail(OSC_EFORMAT, "\"%s\" holds something that is not a whole number >= 0",
                            key);
        out[i] = (size_t)number;
    }
    return OSC_OK;
}

static osc_status get_shape(size_t dim[OSC_MAX_DIMS], size_t *ndim, const json_t *entry)
{
    const json_t *array = json_object_get(entry, "shape");
    size_t n = json_array_size(array);
    if (!json_is_array(array))
        return osc_fail(OSC_EFORMAT, "has no array \"shape\"");
    if (n > OSC_MAX_DIMS)
        return osc_fail(OSC_EUNSUP, "has %zu dimensions, at most %d are supported", n,
                        OSC_MAX_DIMS);
    OSC_TRY(get_sizes(dim, array, "shape"));
    *ndim = n;
    return OSC_OK;
}

static osc_status get_range(size_t range[2], const json_t *entry, size_t data_size)
{
    const json_t *array = json_object_get(entry, "data_offsets");
    if (!json_is_array(array) || json_array_size(array) != 2)
        return osc_fail(OSC_EFORMAT, "has no \"data_offsets\" of exactly two numbers");
    OSC_TRY(get_sizes(range, array, "data_offsets"));
    if (range[0] > range[1])
        return osc_fail(OSC_EFORMAT, "data_offsets [%zu, %zu] end before they begin",
                        range[0], range[1]);
    if (range[1] > data_size)
        return osc_fail(OSC_EFORMAT, "data_offsets [%zu, %zu] go beyond the %zu bytes of data "
                        "in the file: is the file complete?", range[0], range[1], data_size);
    return OSC_OK;
}

/* Bytes of a tensor.  A dimension of 0 counts as 1 in the overflow check, because
 * strides are products over the other dimensions. */
static osc_status shape_bytes(size_t *bytes, const size_t *dim, size_t ndim, size_t bits)
{
    size_t total = bits;
    bool empty = false, overflow = false;
    for (size_t i = 0; i < ndim; i++) {
        empty = empty || dim[i] == 0;
        overflow = overflow || __builtin_mul_overflow(total, dim[i] == 0 ? 1 : dim[i], &total);
    }
    char text[256];
    osc_shape_text(text, sizeof text, ndim, dim);
    if (overflow)
        return osc_fail(OSC_EFORMAT, "shape %s has more than 2^64 bits", text);
    total = empty ? 0 : total;
    if (total % 8 != 0)
        return osc_fail(OSC_EFORMAT, "shape %s of %zu-bit elements is not a number of whole bytes",
                        text, bits);
    *bytes = total / 8;
    return OSC_OK;
}

static osc_status check_entry(struct osc_weight *weight, const json_t *entry,
                              const uint8_t *data, size_t data_size)
{
    const struct dtype *dtype = NULL;
    size_t dim[OSC_MAX_DIMS], ndim = 0, range[2], bytes = 0;
    if (!json_is_object(entry))
        return osc_fail(OSC_EFORMAT, "its description is not a JSON object");
    OSC_TRY(get_dtype(&dtype, entry));
    OSC_TRY(get_shape(dim, &ndim, entry));
    OSC_TRY(get_range(range, entry, data_size));
    OSC_TRY(shape_bytes(&bytes, dim, ndim, dtype->bits));
    if (bytes != range[1] - range[0]) {
        char text[256];
        return osc_fail(OSC_EFORMAT, "dtype %s and shape %s make %zu bytes, but data_offsets "
                        "[%zu, %zu] hold %zu", dtype->name,
                        osc_shape_text(text, sizeof text, ndim, dim), bytes, range[0], range[1],
                        range[1] - range[0]);
    }
    weight->stored.tensor = osc_tensor_make(data + range[0], dtype->dtype, ndim, dim);
    weight->bytes = bytes;
    weight->foreign = dtype->dtype == OSC_DTYPE_COUNT ? dtype->name : NULL;
    return OSC_OK;
}

osc_status osc_safetensors_entry(struct osc_weight *weight, const char *text, size_t size,
                                 const uint8_t *data, size_t data_size)
{
    if (size > ENTRY_MOST)
        return osc_fail(OSC_EFORMAT, "its description has %zu bytes, at most %d are accepted",
                        size, ENTRY_MOST);
    json_t *entry;
    OSC_TRY(osc_json_parse(&entry, text, size, OSC_JSON_STRICT));
    osc_status status = check_entry(weight, entry, data, data_size);
    json_decref(entry);
    return status;
}

#include <config.h>
#include "store/safetensors_write.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"

static size_t bytes_of(const osc_tensor *tensor)
{
    return osc_tensor_count(tensor) * osc_dtype_size(tensor->dtype);
}

static const char *type_name(osc_dtype dtype)
{
    switch (dtype) {
    case OSC_F32: return "F32";
    case OSC_F16: return "F16";
    case OSC_BF16: return "BF16";
    default: return NULL;
    }
}

/* {"dtype", "shape", "data_offsets"}; NULL when out of memory. */
static json_t *entry(const osc_tensor *tensor, size_t at)
{
    json_t *shape = json_array();
    for (size_t i = 0; shape != NULL && i < tensor->ndim; i++)
        json_array_append_new(shape, json_integer((json_int_t)tensor->dim[i]));
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", type_name(tensor->dtype), "shape", shape,
                     "data_offsets", (json_int_t)at, (json_int_t)(at + bytes_of(tensor)));
}

static osc_status make_header(json_t **header, const osc_store *store, size_t first, size_t count)
{
    size_t at = 0;
    *header = json_pack("{s:{s:s}}", "__metadata__", "format", "pt");
    for (size_t i = 0; *header != NULL && i < count; i++) {
        const osc_stored *stored = osc_store_at(store, first + i);
        if (type_name(stored->tensor.dtype) == NULL || !osc_tensor_is_contiguous(&stored->tensor)) {
            json_decref(*header);
            return osc_fail(OSC_EUNSUP, "tensor %s: only contiguous float tensors are written",
                            stored->name);
        }
        if (json_object_set_new(*header, stored->name, entry(&stored->tensor, at)) != 0) {
            json_decref(*header);
            *header = NULL;
        }
        at += bytes_of(&stored->tensor);
    }
    return *header != NULL ? OSC_OK : osc_fail(OSC_ENOMEM, "out of memory");
}

static osc_status put(FILE *out, const void *data, size_t size)
{
    if (fwrite(data, 1, size, out) != size)
        return osc_fail(OSC_EIO, "cannot write: %s", strerror(errno));
    return OSC_OK;
}

static osc_status write_header(FILE *out, const json_t *header)
{
    char *text = osc_json_text(header, JSON_COMPACT);
    if (text == NULL)
        return osc_fail(OSC_ENOMEM, "out of memory");
    static const char spaces[8] = "        ";
    size_t size = strlen(text), padding = (8 - size % 8) % 8;
    uint8_t length[8];
    for (size_t i = 0; i < sizeof length; i++)
        length[i] = (uint8_t)((uint64_t)(size + padding) >> 8 * i);
    osc_status status = put(out, length, sizeof length);
    if (status == OSC_OK)
        status = put(out, text, size);
    if (status == OSC_OK)
        status = put(out, spaces, padding);
    osc_free(text);
    return status;
}

osc_status osc_safetensors_write(FILE *out, const osc_store *store, size_t first, size_t count,
                                 const osc_progress *progress)
{
    json_t *header;
    OSC_TRY(make_header(&header, store, first, count));
    osc_status status = write_header(out, header);
    for (size_t i = first; status == OSC_OK && i < first + count; i++) {
        const osc_tensor *tensor = &osc_store_at(store, i)->tensor;
        osc_store_need(store, tensor);
        status = put(out, tensor->data, bytes_of(tensor));
        osc_store_forget(store, tensor);
        osc_progress_tick(progress, "writing weights", i + 1, osc_store_count(store));
    }
    json_decref(header);
    return status;
}

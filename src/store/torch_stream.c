/* torch.save before 1.6: five pickles one after another (magic number, version,
 * system, state dict, storage keys), then for each key the number of elements (8
 * bytes) and the elements, packed without alignment. */
#include <config.h>
#include "store/torch.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

enum { MAGIC_BYTES = 15, COUNT_BYTES = 8, STREAM_VERSION = 1001 };

struct stream {
    const osc_mapping *file;
    size_t             at;
    struct osc_pickle  pickle;
};

static osc_status read_pickle(struct osc_value *result, struct stream *s, const char *what)
{
    size_t left = s->file->size - s->at, used = 0;
    size_t most = left < OSC_TORCH_PICKLE_MOST ? left : OSC_TORCH_PICKLE_MOST;
    osc_status status = osc_pickle_run(&s->pickle, result, &used, s->file->data + s->at, most);
    s->at += used;
    return status == OSC_OK || status == OSC_ENOMEM ? status : osc_fail_in(status, what);
}

static osc_status read_version(struct stream *s)
{
    struct osc_value value;
    OSC_TRY(read_pickle(&value, s, "version"));
    if (value.kind != OSC_VALUE_INT)
        return osc_fail(OSC_EFORMAT, "the version is %s, expected %d", osc_value_name(&value),
                        STREAM_VERSION);
    if (value.as.number != STREAM_VERSION)
        return osc_fail(OSC_EUNSUP, "version %lld of the stream, expected %d",
                        (long long)value.as.number, STREAM_VERSION);
    return OSC_OK;
}

/* A dict: protocol_version, little_endian, type_sizes. */
static osc_status read_system(struct stream *s)
{
    struct osc_value value;
    OSC_TRY(read_pickle(&value, s, "system"));
    const struct osc_value *item = value.kind == OSC_VALUE_DICT ? value.as.items->item : NULL;
    for (size_t i = 0; item != NULL && i < value.as.items->count; i += 2) {
        if (!osc_value_is_text(&item[i], "little_endian") || item[i + 1].kind != OSC_VALUE_BOOL)
            continue;
        if (item[i + 1].as.number == 0)
            return osc_fail(OSC_EUNSUP, "written on a big-endian machine");
        return OSC_OK;
    }
    return osc_fail(OSC_EFORMAT, "the third pickle does not say \"little_endian\"");
}

/* Finds the elements of the next storage of the stream, that of `key`. */
static osc_status read_storage(struct stream *s, struct osc_storage **storage,
                               const struct osc_value *key)
{
    char quoted[OSC_QUOTED];
    struct osc_storage wanted = { .key = *key }, *pointer = &wanted;
    size_t mentions = s->pickle.mentions, bytes;
    osc_weight_quote_bytes(quoted, key->as.text, key->size);
    struct osc_storage **found = bsearch(&pointer, storage, mentions, sizeof *storage,
                                         osc_torch_by_key);
    if (found == NULL)
        return osc_fail(OSC_EFORMAT, "storage '%s' belongs to no tensor", quoted);
    if ((*found)->data != NULL)
        return osc_fail(OSC_EFORMAT, "storage '%s' is there twice", quoted);
    size_t left = s->file->size - s->at, count = 0;
    const uint8_t *data = s->file->data + s->at;
    for (size_t i = COUNT_BYTES; left >= COUNT_BYTES && i-- > 0;)
        count = count << 8 | data[i];
    bytes = (*found)->count * osc_dtype_size((*found)->dtype);
    if (left < COUNT_BYTES || (count == (*found)->count && bytes > left - COUNT_BYTES))
        return osc_fail(OSC_EFORMAT, "storage '%s' of %zu bytes goes beyond the end of the file: "
                        "is the file complete?", quoted, bytes);
    if (count != (*found)->count)
        return osc_fail(OSC_EFORMAT, "storage '%s' has %zu elements, its tensors say %zu", quoted,
                        count, (*found)->count);
    while (found > storage && osc_torch_by_key(found - 1, &pointer) == 0)
        found--;
    for (; found < storage + mentions && osc_torch_by_key(found, &pointer) == 0; found++)
        (*found)->data = data + COUNT_BYTES;
    s->at += COUNT_BYTES + bytes;
    return OSC_OK;
}

static osc_status read_data(struct stream *s, struct osc_storage **storage,
                            const struct osc_items *keys)
{
    char quoted[OSC_QUOTED];
    for (size_t i = 0; i < keys->count; i++) {
        if (keys->item[i].kind != OSC_VALUE_TEXT)
            return osc_fail(OSC_EFORMAT, "the key of a storage is %s, expected a string",
                            osc_value_name(&keys->item[i]));
        OSC_TRY(read_storage(s, storage, &keys->item[i]));
    }
    for (size_t i = 0; i < s->pickle.mentions; i++)
        if (storage[i]->data == NULL)
            return osc_fail(OSC_EFORMAT, "storage '%s' is not in the file",
                            osc_weight_quote_bytes(quoted, storage[i]->key.as.text,
                                                   storage[i]->key.size));
    if (s->at != s->file->size)
        return osc_fail(OSC_EFORMAT, "%zu bytes after the last storage's end at %zu",
                        s->file->size - s->at, s->at);
    return OSC_OK;
}

static osc_status read_stream(struct osc_weights *weights, struct stream *s)
{
    struct osc_value result, keys;
    struct osc_storage **storage;
    OSC_TRY(read_version(s));
    OSC_TRY(read_system(s));
    s->pickle.views = true;
    OSC_TRY(read_pickle(&result, s, "state dict"));
    OSC_TRY(read_pickle(&keys, s, "storage keys"));
    if (keys.kind != OSC_VALUE_LIST)
        return osc_fail(OSC_EFORMAT, "the storage keys are %s, expected a list",
                        osc_value_name(&keys));
    OSC_TRY(osc_torch_storages(&storage, &s->pickle));
    osc_status status = read_data(s, storage, keys.as.items);
    osc_free(storage);
    return status == OSC_OK ? osc_torch_tensors(weights, &result, s->file) : status;
}

osc_status osc_torch_stream(struct osc_weights *weights, const osc_mapping *file)
{
    struct stream stream = { .file = file, .at = MAGIC_BYTES };
    weights->form = "PyTorch stream";
    osc_status status = read_stream(weights, &stream);
    osc_pickle_release(&stream.pickle);
    return status;
}

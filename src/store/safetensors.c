/* model.safetensors: 8 bytes of header length N, a JSON header of N bytes, data.
 *
 * The file may come from anywhere: every statement of its header is checked before
 * it is used, and all tensors together must cover the data exactly.  Data has no
 * alignment (files of 2022 begin it at odd addresses). */
#include <config.h>
#include "store/format.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "store/members.h"
#include "store/safetensors_entry.h"

enum {
    LENGTH_BYTES = 8,
    HEADER_MOST = 100000000   /* the cap of the format's own library */
};

struct header {
    const char    *text;
    size_t         size;
    const uint8_t *data;
    size_t         data_size;
    const char    *file_name;
    char          *names;        /* room for all decoded names of the header, NUL-terminated */
    size_t         names_used;
    bool           has_metadata;
};

static osc_status find_header(struct header *header, const osc_mapping *file)
{
    if (file->size < LENGTH_BYTES)
        return osc_fail(OSC_EFORMAT, "the file of %zu bytes is too short for a safetensors file",
                        file->size);
    uint64_t length = 0;
    for (size_t i = LENGTH_BYTES; i-- > 0;)
        length = length << 8 | file->data[i];
    if (length > HEADER_MOST)
        return osc_fail(OSC_EFORMAT, "header length %llu is over the limit of %d bytes: "
                        "not a safetensors file, or damaged", (unsigned long long)length,
                        HEADER_MOST);
    if (length > file->size - LENGTH_BYTES)
        return osc_fail(OSC_EFORMAT, "header length %llu goes beyond the end of the file of %zu "
                        "bytes: is the file complete?", (unsigned long long)length, file->size);
    *header = (struct header){
        .text = (const char *)file->data + LENGTH_BYTES,
        .size = (size_t)length,
        .data = file->data + LENGTH_BYTES + length,
        .data_size = file->size - LENGTH_BYTES - (size_t)length,
        .file_name = osc_weight_file_name(file->path),
    };
    return OSC_OK;
}

/* Decodes a key into the header's block of names: decoded text is never longer
 * than its quoted form, whose two quotes pay for the NUL. */
static osc_status decode_name(const char **name, struct header *header,
                              const struct osc_member *member)
{
    json_t *string;
    osc_status status = osc_json_parse(&string, member->key, member->key_size, OSC_JSON_STRICT);
    if (status != OSC_OK) {
        char where[64];
        snprintf(where, sizeof where, "name at byte %zu", (size_t)(member->key - header->text));
        return osc_fail_in(status, where);
    }
    size_t length = json_string_length(string);
    if (length <= OSC_MAX_WEIGHT_NAME) {
        char *place = header->names + header->names_used;
        memcpy(place, json_string_value(string), length + 1);
        header->names_used += length + 1;
        *name = place;
    }
    json_decref(string);
    if (length > OSC_MAX_WEIGHT_NAME)
        return osc_fail(OSC_EFORMAT, "name at byte %zu has %zu bytes, at most %d are accepted",
                        (size_t)(member->key - header->text), length, OSC_MAX_WEIGHT_NAME);
    return OSC_OK;
}

static osc_status check_string(const struct osc_member *member, const char *name)
{
    json_t *value = NULL;
    char quoted[OSC_QUOTED];
    if (member->value[0] != '"')
        return osc_fail(OSC_EFORMAT, "'%s' is not a string", osc_weight_quote(quoted, name));
    osc_status status = osc_json_parse(&value, member->value, member->value_size, OSC_JSON_STRICT);
    json_decref(value);
    return status == OSC_OK ? OSC_OK : osc_fail_in(status, osc_weight_quote(quoted, name));
}

static osc_status check_unique(const char **names, size_t count)
{
    char quoted[OSC_QUOTED];
    if (count > 0)
        qsort(names, count, sizeof *names, osc_weight_by_text);
    for (size_t i = 1; i < count; i++)
        if (strcmp(names[i - 1], names[i]) == 0)
            return osc_fail(OSC_EFORMAT, "duplicate key '%s'", osc_weight_quote(quoted, names[i]));
    return OSC_OK;
}

/* The keys of "__metadata__", which must map strings to strings; nothing in it is
 * used.  `*names` is the caller's to free, also after an error. */
static osc_status read_metadata(const char ***names, size_t *count, struct header *header,
                                const struct osc_member *metadata)
{
    struct osc_members members;
    struct osc_member member;
    size_t capacity = 0;
    bool found = true;
    OSC_TRY(osc_members_start(&members, metadata->value, metadata->value_size));
    for (;;) {
        OSC_TRY(osc_members_next(&members, &member, &found));
        if (!found)
            return OSC_OK;
        const char **grown = osc_grow(*names, &capacity, *count + 1, sizeof *grown);
        if (grown == NULL)
            return OSC_ENOMEM;
        *names = grown;
        OSC_TRY(decode_name(&grown[*count], header, &member));
        OSC_TRY(check_string(&member, grown[(*count)++]));
    }
}

static osc_status check_metadata(struct header *header, const struct osc_member *metadata)
{
    const char **names = NULL;
    size_t count = 0;
    osc_status status = read_metadata(&names, &count, header, metadata);
    if (status == OSC_OK)
        status = check_unique(names, count);
    osc_free(names);
    return status == OSC_OK ? OSC_OK : osc_fail_in(status, "__metadata__");
}

static osc_status read_member(struct osc_weights *weights, struct header *header,
                              const struct osc_member *member)
{
    struct osc_weight weight = { .stored = { .file = header->file_name } };
    OSC_TRY(decode_name(&weight.stored.name, header, member));
    if (strcmp(weight.stored.name, "__metadata__") == 0) {
        if (header->has_metadata)
            return osc_fail(OSC_EFORMAT, "duplicate key '__metadata__'");
        header->has_metadata = true;
        return check_metadata(header, member);
    }
    osc_status status = osc_safetensors_entry(&weight, member->value, member->value_size,
                                              header->data, header->data_size);
    if (status != OSC_OK) {
        char quoted[OSC_QUOTED], where[OSC_QUOTED + 16];
        snprintf(where, sizeof where, "tensor '%s'",
                 osc_weight_quote(quoted, weight.stored.name));
        return osc_fail_in(status, where);
    }
    return osc_weights_add(weights, &weight);
}

static osc_status read_header(struct osc_weights *weights, struct header *header)
{
    struct osc_members members;
    struct osc_member member;
    bool found = true;
    OSC_TRY(osc_members_start(&members, header->text, header->size));
    header->names = osc_weights_memory(weights, header->size);
    if (header->names == NULL)
        return OSC_ENOMEM;
    for (;;) {
        OSC_TRY(osc_members_next(&members, &member, &found));
        if (!found)
            break;
        OSC_TRY(read_member(weights, header, &member));
    }
    for (size_t i = members.at; i < header->size; i++)
        if (header->text[i] != ' ')
            return osc_fail(OSC_EFORMAT, "byte %zu after the JSON text is not a space", i);
    return OSC_OK;
}

static int by_place(const void *a, const void *b)
{
    const struct osc_weight *x = a, *y = b;
    const uint8_t *p = x->stored.tensor.data, *q = y->stored.tensor.data;
    if (p != q)
        return p < q ? -1 : 1;
    return (x->bytes > y->bytes) - (x->bytes < y->bytes);
}

/* No hole, no overlap, nothing left over: what the tensors do not describe could
 * be anything, and two tensors that share bytes are a crafted file. */
static osc_status check_layout(struct osc_weights *weights, size_t first,
                               const struct header *header)
{
    size_t expected = 0, count = weights->count - first;
    struct osc_weight *weight = count > 0 ? weights->weight + first : NULL;
    char quoted[OSC_QUOTED], before[OSC_QUOTED];
    if (count > 0)
        qsort(weight, count, sizeof *weight, by_place);
    for (size_t i = 0; i < count; i++) {
        size_t begin = (size_t)((const uint8_t *)weight[i].stored.tensor.data - header->data);
        osc_weight_quote(quoted, weight[i].stored.name);
        if (begin > expected)
            return osc_fail(OSC_EFORMAT, "tensor '%s': its data begin at %zu, a hole after %zu",
                            quoted, begin, expected);
        if (begin < expected)
            return osc_fail(OSC_EFORMAT, "tensor '%s': its data begin at %zu and overlap those of "
                            "tensor '%s', which end at %zu", quoted, begin,
                            osc_weight_quote(before, weight[i - 1].stored.name), expected);
        expected += weight[i].bytes;
    }
    if (expected != header->data_size)
        return osc_fail(OSC_EFORMAT, "%zu bytes of data after the last tensor's end at %zu",
                        header->data_size - expected, expected);
    return OSC_OK;
}

static osc_status read_file(struct osc_weights *weights, const char *name)
{
    osc_mapping file;
    struct header header = { .text = NULL };
    size_t first = weights->count;
    OSC_TRY(osc_weights_map(&file, weights, name));
    osc_status status = find_header(&header, &file);
    if (status == OSC_OK)
        status = read_header(weights, &header);
    if (status == OSC_OK)
        status = check_layout(weights, first, &header);
    return status == OSC_OK ? OSC_OK : osc_fail_in(status, file.path);
}

const struct osc_format osc_format_safetensors = {
    .name = "safetensors", .file = "model.safetensors", .read = read_file,
};

const struct osc_format osc_format_safetensors_shards = {
    .name = "sharded safetensors", .file = "model.safetensors.index.json", .read = read_file,
    .index = true,
};

/* Files as torch.save writes them, built byte by byte: a zip file of stored members
 * whose records can be damaged afterwards, and the pickle of a state dict. */
#ifndef TORCH_FILE_H
#define TORCH_FILE_H

#include <check.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "store/store.h"

struct bytes {
    uint8_t *data;
    size_t   size, capacity;
};

static inline void add(struct bytes *b, const void *data, size_t size)
{
    if (b->size + size > b->capacity) {
        b->capacity = 2 * (b->size + size);
        b->data = realloc(b->data, b->capacity);
        ck_assert_ptr_nonnull(b->data);
    }
    if (size > 0)
        memcpy(b->data + b->size, data, size);
    b->size += size;
}

static inline void add_text(struct bytes *b, const char *text)
{
    add(b, text, strlen(text));
}

/* The `size` low bytes of `value`, the lowest first. */
static inline void add_number(struct bytes *b, uint64_t value, size_t size)
{
    for (; size > 0; size--, value >>= 8)
        add(b, &(uint8_t){ (uint8_t)value }, 1);
}

static inline void patch(struct bytes *b, size_t at, uint64_t value, size_t size)
{
    for (; size > 0; size--, value >>= 8)
        b->data[at++] = (uint8_t)value;
}

/* --- zip ------------------------------------------------------------------------------ */

enum { ZIP_MOST = 4096 };

struct zip_file {
    struct bytes bytes;
    size_t       count, local[ZIP_MOST], start[ZIP_MOST], entry[ZIP_MOST];   /* offsets */
    size_t       size[ZIP_MOST], directory, end64, locator, end;
    uint32_t     crc[ZIP_MOST];
    char         name[ZIP_MOST][96];
};

/* As PyTorch does it: bit 3, no sizes in the local header, data at multiples of 64. */
static inline void zip_add(struct zip_file *z, const char *name, const void *data, size_t size)
{
    struct bytes *b = &z->bytes;
    size_t i = z->count++, length = strlen(name), before = b->size + 30 + length + 4;
    size_t padding = (64 - before % 64) % 64;
    ck_assert_uint_lt(i, ZIP_MOST);
    strcpy(z->name[i], name);
    z->local[i] = b->size;
    z->size[i] = size;
    z->crc[i] = (uint32_t)crc32(0, size == 0 ? NULL : data, (uInt)size);
    add_number(b, 0x04034b50, 4);
    add_number(b, 0, 2);
    add_number(b, 0x0808, 2);
    add_number(b, 0, 18);
    add_number(b, length, 2);
    add_number(b, 4 + padding, 2);
    add_text(b, name);
    add_text(b, "FB");
    add_number(b, padding, 2);
    for (size_t k = 0; k < padding; k++)
        add_text(b, "Z");
    z->start[i] = b->size;
    add(b, data, size);
    add_number(b, 0x08074b50, 4);
    add_number(b, z->crc[i], 4);
    add_number(b, size, 4);
    add_number(b, size, 4);
}

static inline void zip_entry(struct zip_file *z, size_t i)
{
    struct bytes *b = &z->bytes;
    z->entry[i] = b->size;
    add_number(b, 0x02014b50, 4);
    add_number(b, 0, 4);
    add_number(b, 0x0808, 2);
    add_number(b, 0, 6);
    add_number(b, z->crc[i], 4);
    add_number(b, z->size[i], 4);
    add_number(b, z->size[i], 4);
    add_number(b, strlen(z->name[i]), 2);
    add_number(b, 0, 12);
    add_number(b, z->local[i], 4);
    add_text(b, z->name[i]);
}

static inline void zip_finish(struct zip_file *z)
{
    struct bytes *b = &z->bytes;
    z->directory = b->size;
    for (size_t i = 0; i < z->count; i++)
        zip_entry(z, i);
    size_t size = b->size - z->directory;
    z->end64 = b->size;
    add_number(b, 0x06064b50, 4);
    add_number(b, 44, 8);
    add_number(b, 0, 12);
    add_number(b, z->count, 8);
    add_number(b, z->count, 8);
    add_number(b, size, 8);
    add_number(b, z->directory, 8);
    z->locator = b->size;
    add_number(b, 0x07064b50, 4);
    add_number(b, 0, 4);
    add_number(b, z->end64, 8);
    add_number(b, 1, 4);
    z->end = b->size;
    add_number(b, 0x06054b50, 4);
    add_number(b, 0, 4);
    add_number(b, z->count, 2);
    add_number(b, z->count, 2);
    add_number(b, size, 4);
    add_number(b, z->directory, 4);
    add_number(b, 0, 2);
}

/* --- pickles -------------------------------------------------------------------------- */

static inline void pickle_text(struct bytes *b, const char *text)
{
    add_text(b, "X");
    add_number(b, strlen(text), 4);
    add_text(b, text);
}

static inline void pickle_number(struct bytes *b, uint64_t value)
{
    add(b, "\x8a\x08", 2);
    add_number(b, value, 8);
}

static inline void pickle_numbers(struct bytes *b, const size_t *number, size_t count)
{
    add_text(b, "(");
    for (size_t i = 0; i < count; i++)
        pickle_number(b, number[i]);
    add_text(b, "t");
}

/* `_rebuild_tensor_v2(storage `key`, 0, sizes, strides, False, OrderedDict())`. */
static inline void pickle_tensor(struct bytes *b, const osc_tensor *t, const char *key, bool stream)
{
    static const char *const classes[OSC_DTYPE_COUNT] = {
        [OSC_F32] = "ctorch\nFloatStorage\n", [OSC_F16] = "ctorch\nHalfStorage\n",
        [OSC_BF16] = "ctorch\nBFloat16Storage\n",
    };
    ck_assert_ptr_nonnull(classes[t->dtype]);
    add_text(b, "ctorch._utils\n_rebuild_tensor_v2\n((");
    pickle_text(b, "storage");
    add_text(b, classes[t->dtype]);
    pickle_text(b, key);
    pickle_text(b, "cpu");
    pickle_number(b, osc_tensor_count(t));
    add_text(b, stream ? "NtQ" : "tQ");
    pickle_number(b, 0);
    pickle_numbers(b, t->dim, t->ndim);
    pickle_numbers(b, t->stride, t->ndim);
    add_text(b, "\x89" "ccollections\nOrderedDict\n)RtR");
}

/* The pickle of tensors [from, to) of the store; storage keys are their numbers. */
static inline void pickle_state(struct bytes *b, const osc_store *store, size_t from, size_t to,
                                bool stream)
{
    add(b, "\x80\x02}(", 4);
    for (size_t i = from; i < to; i++) {
        char key[32];
        snprintf(key, sizeof key, "%zu", i);
        pickle_text(b, osc_store_at(store, i)->name);
        pickle_tensor(b, &osc_store_at(store, i)->tensor, key, stream);
    }
    add_text(b, "u.");
}

static inline size_t tensor_bytes(const osc_tensor *t)
{
    return osc_tensor_count(t) * osc_dtype_size(t->dtype);
}

/* Tensors [from, to) of the store as a zip file. */
static inline void torch_zip(struct bytes *out, const osc_store *store, size_t from, size_t to)
{
    struct zip_file *z = calloc(1, sizeof *z);
    struct bytes pickle = { NULL, 0, 0 };
    ck_assert_ptr_nonnull(z);
    pickle_state(&pickle, store, from, to, false);
    zip_add(z, "archive/data.pkl", pickle.data, pickle.size);
    zip_add(z, "archive/byteorder", "little", 6);
    for (size_t i = from; i < to; i++) {
        char name[64];
        const osc_tensor *t = &osc_store_at(store, i)->tensor;
        snprintf(name, sizeof name, "archive/data/%zu", i);
        zip_add(z, name, t->data, tensor_bytes(t));
    }
    zip_add(z, "archive/version", "3\n", 2);
    zip_finish(z);
    *out = z->bytes;
    free(pickle.data);
    free(z);
}

static const char torch_magic[] = "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";

/* The pickles before the state dict. */
static inline void stream_start(struct bytes *b)
{
    add(b, torch_magic, sizeof torch_magic - 1);
    add(b, "\x80\x02M\xe9\x03.", 6);
    add(b, "\x80\x02}(", 4);
    pickle_text(b, "protocol_version");
    pickle_number(b, 1001);
    pickle_text(b, "little_endian");
    add_text(b, "\x88u.");
}

/* All tensors of the store as a stream. */
static inline void torch_stream(struct bytes *b, const osc_store *store)
{
    size_t count = osc_store_count(store);
    stream_start(b);
    pickle_state(b, store, 0, count, true);
    add(b, "\x80\x02](", 4);
    for (size_t i = 0; i < count; i++) {
        char key[32];
        snprintf(key, sizeof key, "%zu", i);
        pickle_text(b, key);
    }
    add_text(b, "e.");
    for (size_t i = 0; i < count; i++) {
        const osc_tensor *t = &osc_store_at(store, i)->tensor;
        add_number(b, osc_tensor_count(t), 8);
        add(b, t->data, tensor_bytes(t));
    }
}

#endif

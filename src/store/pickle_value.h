/* What a pickle of a state dict is made of: plain values, containers, and the two
 * objects that torch adds.  Everything lies in one arena and is freed at once;
 * texts point into the pickle.  Containers may hold each other in circles: nothing
 * walks them but the loops that look for tensors, one level deep. */
#ifndef OSC_STORE_PICKLE_VALUE_H
#define OSC_STORE_PICKLE_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "tensor/tensor.h"

enum osc_value_kind {
    OSC_VALUE_UNSET,     /* a memo slot that was never written */
    OSC_VALUE_NONE, OSC_VALUE_BOOL, OSC_VALUE_INT, OSC_VALUE_FLOAT,
    OSC_VALUE_TEXT,      /* UTF-8, may hold NUL */
    OSC_VALUE_TUPLE, OSC_VALUE_LIST, OSC_VALUE_DICT,
    OSC_VALUE_GLOBAL, OSC_VALUE_STORAGE, OSC_VALUE_TENSOR
};

struct osc_value {
    enum osc_value_kind kind;
    uint32_t            size;     /* bytes of a text, items of a tuple */
    union {
        int64_t                     number;   /* also of a bool */
        const char                 *text;
        const struct osc_value     *item;     /* of a tuple */
        struct osc_items           *items;    /* of a list or dict */
        const struct osc_global    *global;
        struct osc_storage         *storage;
        const struct osc_view      *view;     /* of a tensor */
    } as;
};

/* A list; or a dict, whose items are key, value, key, value, ... in the order of
 * their arrival, repeated keys included. */
struct osc_items {
    struct osc_value *item;
    size_t            count, capacity;
    bool              ordered;    /* a collections.OrderedDict */
};

/* A run of elements that tensors are views of.  Its `data` are found once the pickle
 * is read. */
struct osc_storage {
    struct osc_value    key;      /* text */
    osc_dtype           dtype;
    size_t              count;    /* elements */
    size_t              view_offset, view_count;   /* the part that tensors see; all of it but in
                                                      old streams */
    const uint8_t      *data;     /* NULL: not found yet */
    struct osc_storage *next;
};

/* A tensor as the pickle describes it, unchecked against its storage. */
struct osc_view {
    struct osc_storage *storage;
    size_t offset, ndim;          /* offset in elements from the storage's view_offset */
    size_t dim[];                 /* [2, ndim]: sizes, then strides in elements */
};

struct osc_arena {
    char  *block;                 /* begins with a pointer to the block before it */
    size_t used, size;            /* of the last block */
    size_t taken, most;           /* bytes handed out, and the limit that its user moves */
};

/* What the pickles of one file have made so far; zeroed to begin with. */
struct osc_pickle {
    struct osc_arena    arena;
    struct osc_storage *storages;   /* every mention of one, the last first */
    size_t              mentions;
    bool                views;      /* the file is a stream: a storage's persistent id has a
                                       sixth item, its view */
};

/* `size` zeroed bytes, 8-byte aligned; NULL with the message set (OSC_EFORMAT when
 * beyond `most`, OSC_ENOMEM). */
void *osc_arena_take(osc_status *status, struct osc_arena *arena, size_t size);
void osc_arena_release(struct osc_arena *arena);

/* Appends `count` values. */
osc_status osc_items_add(struct osc_items *items, struct osc_arena *arena,
                         const struct osc_value *value, size_t count);

/* "a dict", "a tuple", ... for messages. */
const char *osc_value_name(const struct osc_value *value);

bool osc_value_is_text(const struct osc_value *value, const char *text);

#endif

#include <config.h>
#include "store/pickle_value.h"

#include <string.h>

#include "base/alloc.h"

enum { ARENA_BLOCK = 64 << 10 };

static osc_status add_block(struct osc_arena *arena, size_t size)
{
    size_t bytes = sizeof(char *) + size;
    bytes = bytes > ARENA_BLOCK ? bytes : ARENA_BLOCK;
    char *block = osc_alloc(bytes, 1);
    if (block == NULL)
        return OSC_ENOMEM;
    memcpy(block, &arena->block, sizeof arena->block);
    arena->block = block;
    arena->used = sizeof arena->block;
    arena->size = bytes;
    return OSC_OK;
}

void *osc_arena_take(osc_status *status, struct osc_arena *arena, size_t size)
{
    size_t rounded = (size + 7) / 8 * 8;
    if (rounded > arena->most - arena->taken) {
        *status = osc_fail(OSC_EFORMAT, "its values take more than %zu bytes of memory: "
                           "not a state dict", arena->most);
        return NULL;
    }
    if (arena->block == NULL || rounded > arena->size - arena->used) {
        *status = add_block(arena, rounded);
        if (*status != OSC_OK)
            return NULL;
    }
    void *place = arena->block + arena->used;
    arena->used += rounded;
    arena->taken += rounded;
    *status = OSC_OK;
    return place;
}

void osc_arena_release(struct osc_arena *arena)
{
    while (arena->block != NULL) {
        char *block = arena->block;
        memcpy(&arena->block, block, sizeof arena->block);
        osc_free(block);
    }
    *arena = (struct osc_arena){ .block = NULL };
}

osc_status osc_items_add(struct osc_items *items, struct osc_arena *arena,
                         const struct osc_value *value, size_t count)
{
    if (items->count + count > items->capacity) {
        osc_status status;
        size_t capacity = items->count + count;
        capacity = items->capacity == 0 ? capacity : 2 * capacity;
        struct osc_value *grown = osc_arena_take(&status, arena, capacity * sizeof *grown);
        if (grown == NULL)
            return status;
        if (items->count > 0)
            memcpy(grown, items->item, items->count * sizeof *grown);
        items->item = grown;
        items->capacity = capacity;
    }
    if (count > 0)
        memcpy(items->item + items->count, value, count * sizeof *value);
    items->count += count;
    return OSC_OK;
}

const char *osc_value_name(const struct osc_value *value)
{
    static const char *const names[] = {
        [OSC_VALUE_NONE] = "None", [OSC_VALUE_BOOL] = "a bool", [OSC_VALUE_INT] = "an integer",
        [OSC_VALUE_FLOAT] = "a float", [OSC_VALUE_TEXT] = "a string",
        [OSC_VALUE_TUPLE] = "a tuple", [OSC_VALUE_LIST] = "a list", [OSC_VALUE_DICT] = "a dict",
        [OSC_VALUE_GLOBAL] = "a class or function", [OSC_VALUE_STORAGE] = "a storage",
        [OSC_VALUE_TENSOR] = "a tensor", [OSC_VALUE_UNSET] = "nothing",
    };
    return names[value->kind];
}

bool osc_value_is_text(const struct osc_value *value, const char *text)
{
    return value->kind == OSC_VALUE_TEXT && value->size == strlen(text) &&
           memcmp(value->as.text, text, value->size) == 0;
}

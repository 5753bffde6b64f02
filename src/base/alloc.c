#include <config.h>
#include "base/alloc.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"

static atomic_size_t allocations;
static atomic_size_t failing_from;   /* 0: never; otherwise an allocation number, from 1 */

void *osc_alloc(size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX / 2) {
        osc_fail(OSC_ENOMEM, "out of memory: %zu elements of %zu bytes", count, size);
        return NULL;
    }
    size_t number = atomic_fetch_add(&allocations, 1) + 1;
    size_t from = atomic_load(&failing_from);
    size_t rounded = bytes == 0 ? 64 : (bytes + 63) / 64 * 64;
    void *memory = from != 0 && number >= from ? NULL : aligned_alloc(64, rounded);
    if (memory == NULL) {
        osc_fail(OSC_ENOMEM, "out of memory: %zu bytes", bytes);
        return NULL;
    }
    return memset(memory, 0, rounded);
}

void osc_free(void *memory)
{
    free(memory);
}

void *osc_grow(void *memory, size_t *capacity, size_t need, size_t size)
{
    if (need <= *capacity && memory != NULL)
        return memory;
    size_t grown = *capacity < 8 ? 16 : *capacity * 2;
    if (grown < need)
        grown = need;
    void *larger = osc_alloc(grown, size);
    if (larger == NULL)
        return NULL;
    if (memory != NULL)
        memcpy(larger, memory, *capacity * size);
    osc_free(memory);
    *capacity = grown;
    return larger;
}

char *osc_copy_string(const char *text, size_t length)
{
    char *copy = osc_alloc(length + 1, 1);
    if (copy != NULL && length > 0)
        memcpy(copy, text, length);
    return copy;
}

size_t osc_alloc_count(void)
{
    return atomic_load(&allocations);
}

void osc_alloc_fail_from(size_t n)
{
    atomic_store(&failing_from, n == 0 ? 0 : atomic_load(&allocations) + n);
}

/* Host memory: 64-byte aligned, zeroed, overflow-checked, counted. */
#ifndef OSC_BASE_ALLOC_H
#define OSC_BASE_ALLOC_H

#include <stddef.h>

/* `count` zeroed elements of `size` bytes, 64-byte aligned; never NULL for a
 * count of 0.  NULL with the message set (OSC_ENOMEM) on failure or overflow. */
void *osc_alloc(size_t count, size_t size);

/* Releases memory of osc_alloc, osc_grow or osc_copy_string; NULL is allowed. */
void osc_free(void *memory);

/* Returns `memory` enlarged so that it holds at least `need` elements, at least
 * doubling `*capacity`; new elements are zeroed.  On failure NULL, the message
 * set, and the old memory untouched and still owned by the caller. */
void *osc_grow(void *memory, size_t *capacity, size_t need, size_t size);

/* A copy of the first `length` bytes of `text`, NUL-terminated; NULL on failure. */
char *osc_copy_string(const char *text, size_t length);

/* Successful allocations so far in this process: tests prove with it that a
 * forward pass allocates nothing. */
size_t osc_alloc_count(void);

/* For tests: the n-th allocation from now on fails, and all after it, until
 * called again; n = 0 turns failing off. */
void osc_alloc_fail_from(size_t n);

#endif

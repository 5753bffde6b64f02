/* Counts the bytes that a test program and its libraries hold, by standing in front of the C
 * library's allocator: define it in one file.  COUNTED is 0 where it cannot (sanitizers have
 * an allocator of their own). */
#ifndef COUNTED_H
#define COUNTED_H

#include <errno.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define COUNTED 0
#endif
#endif
#if !defined(COUNTED) && (defined(__SANITIZE_ADDRESS__) || !defined(__GLIBC__))
#define COUNTED 0
#endif
#ifndef COUNTED
#define COUNTED 1
#endif

static atomic_size_t counted_live, counted_peak;

/* Forgets the peak so far; what is held now is returned, for counted_since. */
static inline size_t counted_start(void)
{
    size_t live = atomic_load(&counted_live);
    atomic_store(&counted_peak, live);
    return live;
}

/* The most that was held at once beyond `start`. */
static inline size_t counted_since(size_t start)
{
    return atomic_load(&counted_peak) - start;
}

#if COUNTED
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
void __libc_free(void *memory);

static void *counted_add(void *memory)
{
    size_t bytes = memory == NULL ? 0 : malloc_usable_size(memory);
    size_t live = atomic_fetch_add(&counted_live, bytes) + bytes;
    size_t peak = atomic_load(&counted_peak);
    while (live > peak && !atomic_compare_exchange_weak(&counted_peak, &peak, live))
        ;
    return memory;
}

static void counted_take(void *memory)
{
    if (memory != NULL)
        atomic_fetch_sub(&counted_live, malloc_usable_size(memory));
}

void *malloc(size_t size)
{
    return counted_add(__libc_malloc(size));
}

void *calloc(size_t count, size_t size)
{
    return counted_add(__libc_calloc(count, size));
}

void *realloc(void *memory, size_t size)
{
    counted_take(memory);
    void *larger = __libc_realloc(memory, size);
    counted_add(larger != NULL || size == 0 ? larger : memory);
    return larger;
}

void *memalign(size_t alignment, size_t size)
{
    return counted_add(__libc_memalign(alignment, size));
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return memalign(alignment, size);
}

int posix_memalign(void **memory, size_t alignment, size_t size)
{
    *memory = memalign(alignment, size);
    return *memory == NULL ? ENOMEM : 0;
}

void free(void *memory)
{
    counted_take(memory);
    __libc_free(memory);
}
#endif

#endif

/* Allocations that fail, and those that are alive. */
#define _GNU_SOURCE
#include "fault.h"

#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

enum { MOST_LIVE = 1 << 20 };

static void *live[MOST_LIVE];                 /* open addressing; DELETED where one was */
static char deleted;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

#define DELETED ((void *)&deleted)

static size_t place_of(const void *memory)
{
    return ((uintptr_t)memory >> 4) * 0x9e3779b97f4a7c15u >> 44;     /* 20 bits */
}

static void *keep(void *memory, const void *caller)
{
    if (memory == NULL || !fault_active() || !fault_own(caller))
        return memory;
    pthread_mutex_lock(&mutex);
    size_t i = place_of(memory);
    while (live[i] != NULL && live[i] != DELETED)
        i = (i + 1) % MOST_LIVE;
    live[i] = memory;
    pthread_mutex_unlock(&mutex);
    return memory;
}

static void forget(const void *memory)
{
    if (memory == NULL || !fault_active())
        return;
    pthread_mutex_lock(&mutex);
    for (size_t i = place_of(memory); live[i] != NULL; i = (i + 1) % MOST_LIVE)
        if (live[i] == memory) {
            live[i] = DELETED;
            break;
        }
    pthread_mutex_unlock(&mutex);
}

unsigned long fault_alive(void)
{
    unsigned long left = 0;
    for (size_t i = 0; i < MOST_LIVE; i++)
        left += live[i] != NULL && live[i] != DELETED;
    return left;
}

/* --- the C library's functions ------------------------------------------------------------- */

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);
extern void __libc_free(void *memory);

static bool no_memory(const void *caller)
{
    if (!fault_active()
        || !(fault_is("any") || (fault_is("own") && fault_own(caller))
             || (fault_is("lib") && fault_firm(caller)))
        || !fault_due())
        return false;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size)
{
    return no_memory(CALLER) ? NULL : keep(__libc_malloc(size), CALLER);
}

void *calloc(size_t count, size_t size)
{
    return no_memory(CALLER) ? NULL : keep(__libc_calloc(count, size), CALLER);
}

void *realloc(void *memory, size_t size)
{
    if (no_memory(CALLER))
        return NULL;
    forget(memory);
    return keep(__libc_realloc(memory, size), CALLER);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return no_memory(CALLER) ? NULL : keep(__libc_memalign(alignment, size), CALLER);
}

void free(void *memory)
{
    forget(memory);
    __libc_free(memory);
}

/* Preloaded into the program: one call fails, the n-th of a kind since main began.
 *
 *   OSC_FAULT=KIND:N   KIND: own (allocations of the program itself), lib (of libraries that
 *                      are known to survive it), any (of all), write, sync, rename, open;
 *                      N = 0: none, only count
 *   OSC_FAULT_COUNT=F  at the end: calls of the kind, and allocations of the program's own
 *                      that were not released
 *
 * A failing allocation gives ENOMEM, another call EIO. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

enum { MOST_LIVE = 1 << 20 };

static bool active;
static char kind[16];
static unsigned long wanted, calls;
static uintptr_t program_start, program_end;
static struct { uintptr_t start, end; } firm[8];      /* libraries of kind lib */
static size_t firms;
static void *live[MOST_LIVE];                 /* open addressing; DELETED where one was */
static char deleted;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

#define DELETED ((void *)&deleted)
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static bool is_firm(const char *name)
{
    static const char *const names[] = { "libjansson", "libpcre2", "libz.", "libgsl." };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strstr(name, names[i]) != NULL)
            return firms < sizeof firm / sizeof *firm;
    return false;
}

/* The first one is the program. */
static int find_code(struct dl_phdr_info *info, size_t size, void *user)
{
    (void)size;
    (void)user;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        if (p->p_type != PT_LOAD || !(p->p_flags & PF_X))
            continue;
        uintptr_t start = info->dlpi_addr + p->p_vaddr, end = start + p->p_memsz;
        if (program_end == 0) {
            program_start = start;
            program_end = end;
        } else if (is_firm(info->dlpi_name)) {
            firm[firms].start = start;
            firm[firms++].end = end;
        }
    }
    return 0;
}

static bool of_firm(const void *caller)
{
    for (size_t i = 0; i < firms; i++)
        if ((uintptr_t)caller >= firm[i].start && (uintptr_t)caller < firm[i].end)
            return true;
    return false;
}

static bool own(const void *caller)
{
    return (uintptr_t)caller >= program_start && (uintptr_t)caller < program_end;
}

static bool is(const char *name)
{
    return strcmp(kind, name) == 0;
}

static bool due(void)
{
    return __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED) == wanted;
}

static bool fails(const char *name)
{
    return active && is(name) && due();
}

static bool memory_fails(const void *caller)
{
    return active
        && (is("any") || (is("own") && own(caller)) || (is("lib") && of_firm(caller))) && due();
}

/* --- what is alive ---------------------------------------------------------------------- */

static size_t place_of(const void *memory)
{
    return ((uintptr_t)memory >> 4) * 0x9e3779b97f4a7c15u >> 44;     /* 20 bits */
}

static void *keep(void *memory, const void *caller)
{
    if (memory == NULL || !active || !own(caller))
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
    if (memory == NULL || !active)
        return;
    pthread_mutex_lock(&mutex);
    for (size_t i = place_of(memory); live[i] != NULL; i = (i + 1) % MOST_LIVE)
        if (live[i] == memory) {
            live[i] = DELETED;
            break;
        }
    pthread_mutex_unlock(&mutex);
}

static void report(void)
{
    const char *path = getenv("OSC_FAULT_COUNT");
    unsigned long left = 0;
    active = false;
    for (size_t i = 0; i < MOST_LIVE; i++)
        left += live[i] != NULL && live[i] != DELETED;
    FILE *out = path == NULL ? NULL : fopen(path, "w");
    if (out == NULL)
        return;
    fprintf(out, "%lu %lu\n", calls, left);
    fclose(out);
}

static int (*program_main)(int, char **, char **);

static int counted_main(int argc, char **argv, char **environment)
{
    const char *text = getenv("OSC_FAULT");
    dl_iterate_phdr(find_code, NULL);
    if (text != NULL && sscanf(text, "%15[a-z]:%lu", kind, &wanted) == 2) {
        atexit(report);
        active = true;
    }
    return program_main(argc, argv, environment);
}

int __libc_start_main(int (*main)(int, char **, char **), int argc, char **argv,
                      void (*init)(void), void (*fini)(void), void (*rtld_fini)(void), void *stack);
int __libc_start_main(int (*main)(int, char **, char **), int argc, char **argv,
                      void (*init)(void), void (*fini)(void), void (*rtld_fini)(void), void *stack)
{
    program_main = main;
    return REAL(__libc_start_main)(counted_main, argc, argv, init, fini, rtld_fini, stack);
}

/* --- memory ---------------------------------------------------------------------------------- */

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);
extern void __libc_free(void *memory);

#define CALLER __builtin_return_address(0)

static void *no_memory(void)
{
    errno = ENOMEM;
    return NULL;
}

void *malloc(size_t size)
{
    return memory_fails(CALLER) ? no_memory() : keep(__libc_malloc(size), CALLER);
}

void *calloc(size_t count, size_t size)
{
    return memory_fails(CALLER) ? no_memory() : keep(__libc_calloc(count, size), CALLER);
}

void *realloc(void *memory, size_t size)
{
    if (memory_fails(CALLER))
        return no_memory();
    forget(memory);
    return keep(__libc_realloc(memory, size), CALLER);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return memory_fails(CALLER) ? no_memory() : keep(__libc_memalign(alignment, size), CALLER);
}

void free(void *memory)
{
    forget(memory);
    __libc_free(memory);
}

/* --- files ----------------------------------------------------------------------------------- */

static int no_file(void)
{
    errno = EIO;
    return -1;
}

/* Messages must still come out. */
static bool write_fails(int fd)
{
    return fd != 2 && fails("write");
}

ssize_t write(int fd, const void *data, size_t size)
{
    return write_fails(fd) ? no_file() : REAL(write)(fd, data, size);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
    return write_fails(fd) ? no_file() : REAL(pwrite)(fd, data, size, offset);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset)
{
    return write_fails(fd) ? no_file() : REAL(pwrite64)(fd, data, size, offset);
}

int ftruncate64(int fd, off64_t size)
{
    return write_fails(fd) ? no_file() : REAL(ftruncate64)(fd, size);
}

int ftruncate(int fd, off_t size)
{
    return write_fails(fd) ? no_file() : REAL(ftruncate)(fd, size);
}

/* Streams of the C library write through its own calls: they fail as a whole. */
int fflush(FILE *stream)
{
    return stream != stderr && fails("write") ? no_file() : REAL(fflush)(stream);
}

int fsync(int fd)
{
    return fails("sync") ? no_file() : REAL(fsync)(fd);
}

int rename(const char *from, const char *to)
{
    return fails("rename") ? no_file() : REAL(rename)(from, to);
}

static int open_mode(int flags, va_list more)
{
    return flags & (O_CREAT | O_TMPFILE) ? va_arg(more, int) : 0;
}

int open64(const char *path, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    int mode = open_mode(flags, more);
    va_end(more);
    return fails("open") ? no_file() : REAL(open64)(path, flags, mode);
}

int open(const char *path, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    int mode = open_mode(flags, more);
    va_end(more);
    return fails("open") ? no_file() : REAL(open)(path, flags, mode);
}

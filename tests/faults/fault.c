/* A library preloaded into the program: one call fails, the n-th of a kind since main began.
 *
 *   OSC_FAULT=KIND:N[+][:ERROR]
 *       KIND: own (allocations of the program itself), lib (of libraries that are known to
 *       survive it), any (of all), h5 (the program's calls of HDF5), read, write, sync, rename,
 *       open, close, lock; N = 0: none, only count; N+: that one and all later ones; ERROR: the errno of
 *       files' kinds, by name (EIO)
 *   OSC_FAULT_COUNT=F  at the end: calls of the kind, and allocations of the program's own
 *       that were not released
 *   OSC_FAULT_CLOCK=S  every clock shows S seconds more than when it was asked last (clock.c)
 *
 * A failing allocation gives ENOMEM, one of HDF5's functions what it returns on failure. */
#define _GNU_SOURCE
#include "fault.h"

#include <errno.h>
#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool active, lasting;
static char kind[16];
static int problem = EIO;
static unsigned long wanted, calls;
static uintptr_t program_start, program_end;
static struct { uintptr_t start, end; } firm[8];      /* libraries of kind lib */
static size_t firms;

/* --- whose call it is -------------------------------------------------------------------- */

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

bool fault_firm(const void *caller)
{
    for (size_t i = 0; i < firms; i++)
        if ((uintptr_t)caller >= firm[i].start && (uintptr_t)caller < firm[i].end)
            return true;
    return false;
}

bool fault_own(const void *caller)
{
    return (uintptr_t)caller >= program_start && (uintptr_t)caller < program_end;
}

/* --- whether it fails -------------------------------------------------------------------- */

bool fault_active(void)
{
    return active;
}

bool fault_is(const char *name)
{
    return strcmp(kind, name) == 0;
}

bool fault_due(void)
{
    unsigned long n = __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED);
    return n == wanted || (lasting && n > wanted);
}

int fault_error(void)
{
    errno = problem;
    return -1;
}

bool fault_fails(const char *name)
{
    return active && fault_is(name) && fault_due() && fault_error() != 0;
}

/* --- beginning and end ------------------------------------------------------------------- */

static void report(void)
{
    const char *path = getenv("OSC_FAULT_COUNT");
    active = false;
    FILE *out = path == NULL ? NULL : fopen(path, "w");
    if (out == NULL)
        return;
    fprintf(out, "%lu %lu\n", calls, fault_alive());
    fclose(out);
}

static int errno_of(const char *name)
{
    static const struct { const char *name; int number; } known[] = {
        { "EIO", EIO }, { "ENOSPC", ENOSPC }, { "EDQUOT", EDQUOT }, { "ESTALE", ESTALE },
        { "ENOLCK", ENOLCK }, { "EROFS", EROFS }, { "EOPNOTSUPP", EOPNOTSUPP }, { "EINTR", EINTR },
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i].name, name) == 0)
            return known[i].number;
    fprintf(stderr, "OSC_FAULT: unknown error %s\n", name);
    exit(99);
}

static void parse(const char *text)
{
    char plus = '\0';
    const char *error = strchr(text, ':');
    if (error == NULL || sscanf(text, "%15[a-z0-9]:%lu%c", kind, &wanted, &plus) < 2) {
        fprintf(stderr, "OSC_FAULT: KIND:N[+][:ERROR] expected, got %s\n", text);
        exit(99);
    }
    lasting = plus == '+';
    error = strchr(error + 1, ':');
    if (error != NULL)
        problem = errno_of(error + 1);
}

static int (*program_main)(int, char **, char **);

static int counted_main(int argc, char **argv, char **environment)
{
    const char *text = getenv("OSC_FAULT");
    dl_iterate_phdr(find_code, NULL);
    if (text != NULL) {
        parse(text);
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

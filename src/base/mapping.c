/* Mappings of files, and what keeps a file that shrinks from ending the program. */
#include <config.h>
#include "base/file.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file_private.h"

/* Where the mappings are, for the signal handler, which may only read memory.  `end` is set
 * last and cleared first, so that a place is only seen when it is whole.  Mappings beyond
 * these many are not guarded. */
enum { PLACES = 1024 };
static struct {
    atomic_uintptr_t start, end;      /* end 0: the place is free or being filled */
    atomic_bool      taken, lost;     /* lost: a page was not there */
} place[PLACES];
static uintptr_t page_mask;           /* page size - 1 */

/* --- the guard ------------------------------------------------------------------- */

static void take_place(const osc_mapping *mapping)
{
    uintptr_t start = (uintptr_t)mapping->data;
    for (size_t i = 0; i < PLACES; i++) {
        bool taken = false;
        if (!atomic_compare_exchange_strong(&place[i].taken, &taken, true))
            continue;
        atomic_store(&place[i].lost, false);
        atomic_store(&place[i].start, start);
        atomic_store(&place[i].end, start + mapping->size);
        return;
    }
}

/* PLACES if there is none. */
static size_t find_place(uintptr_t address)
{
    size_t i = 0;
    while (i < PLACES) {
        uintptr_t end = atomic_load(&place[i].end);   /* 0 of a place that is free */
        if (address < end && address >= atomic_load(&place[i].start))
            break;
        i++;
    }
    return i;
}

static void free_place(const osc_mapping *mapping)
{
    size_t i = find_place((uintptr_t)mapping->data);
    if (i == PLACES)
        return;
    atomic_store(&place[i].end, 0);
    atomic_store(&place[i].taken, false);
}

/* Puts zeros in place of the page that is missing and of the mapping's rest behind it:
 * the instruction that wanted them then goes on. */
static void put_zeros(int number, siginfo_t *info, void *context)
{
    (void)context;
    int before = errno;
    uintptr_t address = (uintptr_t)info->si_addr & ~page_mask;
    size_t i = find_place((uintptr_t)info->si_addr);
    if (i == PLACES
        || mmap((void *)address, atomic_load(&place[i].end) - address, PROT_READ,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
        signal(number, SIG_DFL);   /* and back to the instruction, which ends the program */
    else
        atomic_store(&place[i].lost, true);
    errno = before;
}

osc_status osc_mapping_guard(void)
{
    struct sigaction action = { .sa_sigaction = put_zeros, .sa_flags = SA_SIGINFO };
    page_mask = (uintptr_t)sysconf(_SC_PAGESIZE) - 1;
    sigemptyset(&action.sa_mask);
    if (sigaction(SIGBUS, &action, NULL) != 0)
        return osc_fail(OSC_EIO, "cannot handle SIGBUS: %s", strerror(errno));
    return OSC_OK;
}

osc_status osc_mapping_check(const osc_mapping *mapping)
{
    struct stat now;
    size_t i = mapping->data != NULL ? find_place((uintptr_t)mapping->data) : PLACES;
    if (i < PLACES && atomic_load(&place[i].lost))
        return osc_fail(OSC_EIO, "%s: the file became shorter while it was in use", mapping->path);
    if (stat(mapping->path, &now) != 0 || now.st_dev != mapping->device
        || now.st_ino != mapping->inode)
        return OSC_OK;   /* removed or replaced: the mapping is of the old file */
    if ((size_t)now.st_size < mapping->size)
        return osc_fail(OSC_EIO, "%s: the file became shorter while it was in use", mapping->path);
    if (now.st_mtim.tv_sec != mapping->changed[0] || now.st_mtim.tv_nsec != mapping->changed[1])
        return osc_fail(OSC_EIO, "%s: the file was changed while it was in use", mapping->path);
    return OSC_OK;
}

/* --- mappings -------------------------------------------------------------------- */

static osc_status map(void **data, size_t *size, struct stat *info, const char *path)
{
    int fd;
    OSC_TRY(osc_file_open_regular(&fd, info, path));
    *size = (size_t)info->st_size;
    *data = *size == 0 ? NULL : mmap(NULL, *size, PROT_READ, MAP_PRIVATE, fd, 0);
    int problem = errno;
    close(fd);
    return *data != MAP_FAILED ? OSC_OK
         : osc_fail(OSC_EIO, "%s: cannot map: %s", path, strerror(problem));
}

osc_status osc_mapping_open(osc_mapping *mapping, const char *path)
{
    void *data;
    size_t size;
    struct stat info;
    OSC_TRY(map(&data, &size, &info, path));
    char *copy = osc_copy_string(path, strlen(path));
    if (copy == NULL) {
        if (data != NULL)
            munmap(data, size);
        return OSC_ENOMEM;
    }
    *mapping = (osc_mapping){
        .data = data, .size = size, .path = copy, .device = info.st_dev, .inode = info.st_ino,
        .changed = { info.st_mtim.tv_sec, info.st_mtim.tv_nsec },
    };
    if (data != NULL)
        take_place(mapping);
    return OSC_OK;
}

void osc_mapping_close(osc_mapping *mapping)
{
    if (mapping->data != NULL) {
        free_place(mapping);
        munmap((void *)(uintptr_t)mapping->data, mapping->size);
    }
    osc_free(mapping->path);
    *mapping = (osc_mapping){ .data = NULL };
}

/* In whole pages.  Only advice: its failure changes nothing. */
static void advise(const osc_mapping *mapping, const void *data, size_t size, int advice)
{
    uintptr_t mask = (uintptr_t)sysconf(_SC_PAGESIZE) - 1, start = (uintptr_t)data & ~mask;
    uintptr_t end = (uintptr_t)data + size, last = (uintptr_t)mapping->data + mapping->size;
    if (mapping->data != NULL && start < end && end <= last)
        (void)madvise((void *)start, end - start, advice);
}

void osc_mapping_expect(const osc_mapping *mapping, const void *data, size_t size)
{
    advise(mapping, data, size, MADV_WILLNEED);
}

void osc_mapping_forget(const osc_mapping *mapping, const void *data, size_t size)
{
    advise(mapping, data, size, MADV_DONTNEED);
}

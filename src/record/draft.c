#include <config.h>
#include "record/draft.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"

static char *with_suffix(const char *path, const char *suffix)
{
    size_t length = strlen(path);
    char *name = osc_alloc(length + strlen(suffix) + 1, 1);
    if (name != NULL) {
        memcpy(name, path, length);
        strcpy(name + length, suffix);
    }
    return name;
}

/* --- copying --------------------------------------------------------------------------- */

static int write_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, data, size);
        if (n < 0 && errno != EINTR)
            return -1;
        data += n > 0 ? n : 0;
        size -= n > 0 ? (size_t)n : 0;
    }
    return 0;
}

static int copy_by_hand(int to, int from)
{
    char buffer[1 << 16];
    for (;;) {
        ssize_t n = read(from, buffer, sizeof buffer);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return (int)n;
        if (write_all(to, buffer, (size_t)n) != 0)
            return -1;
    }
}

/* Shares the blocks where the file system can, else copies in the kernel, else here
 * (both descriptors have moved on together, so that continues where it stopped). */
static int copy_data(int to, int from)
{
    if (ioctl(to, FICLONE, from) == 0)
        return 0;
    ssize_t n;
    do
        n = copy_file_range(from, NULL, to, NULL, (size_t)1 << 30, 0);
    while (n > 0 || (n < 0 && errno == EINTR));
    if (n < 0 && (errno == ENOSPC || errno == EDQUOT || errno == EFBIG || errno == EIO))
        return -1;
    return copy_by_hand(to, from);
}

/* --- drafts ------------------------------------------------------------------------------ */

static osc_status cannot_write(const osc_draft *draft, const char *doing)
{
    int problem = errno;
    return osc_fail(OSC_EIO, "%s: cannot %s %s: %s", draft->path, doing, draft->temporary,
                    strerror(problem));
}

static osc_status copy_file(const osc_draft *draft)
{
    int from = open(draft->path, O_RDONLY | O_CLOEXEC);
    if (from < 0)
        return osc_fail(OSC_EIO, "%s: %s", draft->path, strerror(errno));
    struct stat info;
    osc_status status = OSC_OK;
    if (fstat(from, &info) != 0 || copy_data(draft->fd, from) != 0)
        status = cannot_write(draft, "write");
    else
        (void)!fchmod(draft->fd, info.st_mode & 0777);    /* as good as it gets */
    close(from);
    return status;
}

static osc_status reserve(const osc_draft *draft, uint64_t more)
{
    struct stat info;
    if (fstat(draft->fd, &info) != 0)
        return cannot_write(draft, "examine");
    while (fallocate(draft->fd, 0, info.st_size, (off_t)more) != 0) {
        if (errno == EOPNOTSUPP || errno == ENOSYS)
            return OSC_OK;
        if (errno != EINTR)
            return cannot_write(draft, "reserve space for");
    }
    return OSC_OK;
}

osc_status osc_draft_begin(osc_draft *draft, const char *path, bool copy, uint64_t more)
{
    *draft = (osc_draft){ .path = path, .temporary = with_suffix(path, ".tmp"), .fd = -1 };
    if (draft->temporary == NULL)
        return OSC_ENOMEM;
    unlink(draft->temporary);      /* of a run that was killed */
    draft->fd = open(draft->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    osc_status status = draft->fd < 0 ? cannot_write(draft, "create") : OSC_OK;
    if (status == OSC_OK && copy)
        status = copy_file(draft);
    if (status == OSC_OK)
        status = reserve(draft, more);
    if (status != OSC_OK)
        osc_draft_abandon(draft);
    return status;
}

void osc_draft_abandon(osc_draft *draft)
{
    if (draft->fd >= 0) {
        unlink(draft->temporary);
        close(draft->fd);
    }
    osc_free(draft->temporary);
    *draft = (osc_draft){ .fd = -1 };
}

/* So that the new name is on disk too; some file systems cannot sync folders. */
static void sync_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t length = slash == NULL ? 0 : slash == path ? 1 : (size_t)(slash - path);
    char *folder = osc_copy_string(length == 0 ? "." : path, length == 0 ? 1 : length);
    int fd = folder == NULL ? -1 : open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
    osc_free(folder);
}

osc_status osc_draft_publish(osc_draft *draft)
{
    osc_status status = OSC_OK;
    if (fsync(draft->fd) != 0)
        status = cannot_write(draft, "sync");
    else if (rename(draft->temporary, draft->path) != 0)
        status = cannot_write(draft, "rename");
    if (status != OSC_OK) {
        osc_draft_abandon(draft);
        return status;
    }
    sync_folder(draft->path);
    close(draft->fd);
    osc_free(draft->temporary);
    *draft = (osc_draft){ .fd = -1 };
    return OSC_OK;
}

/* --- targets ------------------------------------------------------------------------------- */

osc_status osc_target_path(char **real, const char *path)
{
    char *resolved = realpath(path, NULL);
    const char *found = resolved == NULL ? path : resolved;
    char *copy = osc_copy_string(found, strlen(found));
    free(resolved);
    if (copy == NULL)
        return OSC_ENOMEM;
    *real = copy;
    return OSC_OK;
}

osc_status osc_target_exists(bool *exists, const char *path)
{
    struct stat info;
    if (stat(path, &info) != 0) {
        if (errno != ENOENT)
            return osc_fail(OSC_EIO, "%s: %s", path, strerror(errno));
        *exists = false;
        return OSC_OK;
    }
    if (!S_ISREG(info.st_mode))
        return osc_fail(OSC_EINVAL, "%s: is not a regular file", path);
    *exists = true;
    return OSC_OK;
}

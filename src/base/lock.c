#include <config.h>
#include "base/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"

static char *lock_name(const char *path)
{
    static const char suffix[] = ".lock";
    char *name = osc_alloc(strlen(path) + sizeof suffix, 1);
    if (name != NULL)
        snprintf(name, strlen(path) + sizeof suffix, "%s%s", path, suffix);
    return name;
}

/* Whether `fd` is still the file called `name`: its owner removes it when done. */
static bool is_named(int fd, const char *name)
{
    struct stat of_fd, of_name;
    return fstat(fd, &of_fd) == 0 && stat(name, &of_name) == 0 &&
           of_fd.st_dev == of_name.st_dev && of_fd.st_ino == of_name.st_ino;
}

/* Where there are no locks, the file alone says that somebody writes. */
static osc_status lock_file(int fd, bool created, const char *name, const char *path)
{
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return OSC_OK;
    if (errno == EWOULDBLOCK)
        return osc_fail(OSC_EINVAL, "%s: another process is writing it (%s is locked)",
                        path, name);
    if (created)
        return OSC_OK;
    return osc_fail(OSC_EINVAL, "%s: %s is there and cannot be locked (%s): remove it if no other "
                    "process is writing the file", path, name, strerror(errno));
}

static osc_status try_lock(int *lock, const char *name, const char *path)
{
    int fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    bool created = fd >= 0;
    if (!created && errno == EEXIST)
        fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0)
        return osc_fail(OSC_EIO, "%s: cannot create %s: %s", path, name, strerror(errno));
    osc_status status = lock_file(fd, created, name, path);
    if (status != OSC_OK) {
        close(fd);
        return status;
    }
    *lock = fd;
    return OSC_OK;
}

osc_status osc_lock_take(int *lock, const char *path)
{
    char *name = lock_name(path);
    if (name == NULL)
        return OSC_ENOMEM;
    int fd = -1;
    osc_status status = try_lock(&fd, name, path);
    while (status == OSC_OK && !is_named(fd, name)) {
        close(fd);
        status = try_lock(&fd, name, path);
    }
    osc_free(name);
    if (status == OSC_OK)
        *lock = fd;
    return status;
}

void osc_lock_release(int lock, const char *path)
{
    if (lock < 0)
        return;
    char *name = lock_name(path);
    if (name != NULL)
        unlink(name);
    osc_free(name);
    close(lock);
}

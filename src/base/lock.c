#include <config.h>
#include "base/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Not allocated: a lock must be released when memory is short, too. */
typedef struct {
    char text[PATH_MAX];
} lock_name;

static osc_status name_lock(lock_name *name, const char *path)
{
    int length = snprintf(name->text, sizeof name->text, "%s.lock", path);
    if (length < 0 || (size_t)length >= sizeof name->text)
        return osc_fail(OSC_EINVAL, "%s: this name is too long for a lock beside it", path);
    return OSC_OK;
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
    lock_name name;
    int fd = -1;
    OSC_TRY(name_lock(&name, path));
    osc_status status = try_lock(&fd, name.text, path);
    while (status == OSC_OK && !is_named(fd, name.text)) {
        close(fd);
        status = try_lock(&fd, name.text, path);
    }
    if (status == OSC_OK)
        *lock = fd;
    return status;
}

void osc_lock_release(int lock, const char *path)
{
    if (lock < 0)
        return;
    lock_name name;
    if (name_lock(&name, path) == OSC_OK)
        unlink(name.text);
    close(lock);
}

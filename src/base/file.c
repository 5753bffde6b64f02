#include <config.h>
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file_private.h"

osc_status osc_file_open_regular(int *fd, struct stat *info, const char *path)
{
    /* O_NONBLOCK: opening a FIFO must not wait for its writer. */
    int opened = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (opened < 0)
        return osc_fail(errno == ENOENT || errno == ENOTDIR ? OSC_ENOTFOUND : OSC_EIO,
                        "%s: %s", path, strerror(errno));
    if (fstat(opened, info) != 0 || !S_ISREG(info->st_mode)) {
        close(opened);
        return osc_fail(OSC_EIO, "%s: not a regular file", path);
    }
    *fd = opened;
    return OSC_OK;
}

static osc_status read_all(int fd, char *text, size_t size, const char *path)
{
    size_t done = 0;
    while (done < size) {
        ssize_t n = read(fd, text + done, size - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return osc_fail(OSC_EIO, "%s: cannot read: %s", path,
                            n == 0 ? "the file shrank" : strerror(errno));
        done += (size_t)n;
    }
    return OSC_OK;
}

osc_status osc_read_file(char **text, size_t *size, const char *path, size_t most)
{
    int fd;
    struct stat info;
    OSC_TRY(osc_file_open_regular(&fd, &info, path));
    size_t bytes = (size_t)info.st_size;
    if (bytes > most) {
        close(fd);
        return osc_fail(OSC_EFORMAT, "%s: has %zu bytes, at most %zu are accepted",
                        path, bytes, most);
    }
    char *buffer = osc_alloc(bytes + 1, 1);
    osc_status status = buffer == NULL ? OSC_ENOMEM : read_all(fd, buffer, bytes, path);
    close(fd);
    if (status != OSC_OK) {
        osc_free(buffer);
        return status;
    }
    *text = buffer;
    *size = bytes;
    return OSC_OK;
}

bool osc_file_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

bool osc_close_text(FILE *stream, char *const *text)
{
    bool whole = ferror(stream) == 0;
    return fclose(stream) == 0 && whole && *text != NULL;
}

char *osc_path_join(const char *folder, const char *name)
{
    size_t nf = strlen(folder), nn = strlen(name);
    while (nf > 1 && folder[nf - 1] == '/')
        nf--;
    char *path = osc_alloc(nf + nn + 2, 1);
    if (path == NULL)
        return NULL;
    memcpy(path, folder, nf);
    path[nf] = '/';
    memcpy(path + nf + 1, name, nn);
    return path;
}

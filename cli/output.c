#include <config.h>
#include "cli/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MODE_NEW = 0666, MODE_BITS = 0777 };

static void release(cli_output *output)
{
    osc_free(output->path);
    osc_free(output->temporary);
    *output = (cli_output){ .stream = NULL };
}

/* The path with symbolic links resolved, or as given if nothing is there yet. */
static char *resolve(const char *path)
{
    char *real = realpath(path, NULL);
    const char *use = real != NULL ? real : path;
    char *copy = osc_copy_string(use, strlen(use));
    free(real);
    return copy;
}

static char *temporary_name(const char *path)
{
    size_t size = strlen(path) + 32;
    char *name = osc_alloc(size, 1);
    if (name != NULL)
        snprintf(name, size, "%s.%ld.tmp", path, (long)getpid());
    return name;
}

static osc_status open_temporary(cli_output *output, const struct stat *existing)
{
    int fd = open(output->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, MODE_NEW);
    if (fd < 0)
        return osc_fail(OSC_EIO, "%s: cannot write: %s", output->name, strerror(errno));
    if (existing != NULL)
        (void)fchmod(fd, existing->st_mode & MODE_BITS);   /* best effort: a new file is ours */
    output->stream = fdopen(fd, "w");
    if (output->stream == NULL) {
        osc_status status = osc_fail(OSC_EIO, "%s: cannot write: %s", output->name,
                                     strerror(errno));
        close(fd);
        unlink(output->temporary);
        return status;
    }
    return OSC_OK;
}

osc_status cli_output_open(cli_output *output, const char *path)
{
    *output = (cli_output){ .stream = stdout, .name = "standard output" };
    if (path == NULL || strcmp(path, "-") == 0)
        return OSC_OK;
    output->name = path;
    struct stat info;
    bool exists = stat(path, &info) == 0;
    if (exists && S_ISDIR(info.st_mode))
        return osc_fail(OSC_EIO, "%s: cannot write: is a folder", path);
    if (exists && access(path, W_OK) != 0)   /* renaming would ignore the file's permissions */
        return osc_fail(OSC_EIO, "%s: cannot write: %s", path, strerror(errno));
    if (exists && !S_ISREG(info.st_mode)) {
        output->stream = fopen(path, "we");
        return output->stream != NULL ? OSC_OK
            : osc_fail(OSC_EIO, "%s: cannot write: %s", path, strerror(errno));
    }
    output->path = resolve(path);
    output->temporary = output->path == NULL ? NULL : temporary_name(output->path);
    osc_status status = output->temporary == NULL ? OSC_ENOMEM
                                                  : open_temporary(output, exists ? &info : NULL);
    if (status != OSC_OK)
        release(output);
    return status;
}

static osc_status flush(const cli_output *output)
{
    errno = 0;
    bool bad = ferror(output->stream) != 0;   /* an earlier write failed; its errno is gone */
    if (fflush(output->stream) != 0 || bad
        || (output->path != NULL && fsync(fileno(output->stream)) != 0))
        return osc_fail(OSC_EIO, "%s: cannot write: %s", output->name,
                        errno != 0 ? strerror(errno) : "the device is full or gone");
    return OSC_OK;
}

osc_status cli_output_commit(cli_output *output)
{
    osc_status status = flush(output);
    if (output->stream != stdout && fclose(output->stream) != 0 && status == OSC_OK)
        status = osc_fail(OSC_EIO, "%s: cannot write: %s", output->name, strerror(errno));
    if (output->path != NULL && status == OSC_OK && rename(output->temporary, output->path) != 0)
        status = osc_fail(OSC_EIO, "%s: cannot replace: %s", output->name, strerror(errno));
    if (output->path != NULL && status != OSC_OK)
        unlink(output->temporary);
    release(output);
    return status;
}

osc_status cli_output_probe(const char *path)
{
    cli_output output;
    struct stat info;
    if (path == NULL)
        return OSC_OK;
    if (stat(path, &info) == 0 && S_ISFIFO(info.st_mode))     /* its reader would see the end */
        return access(path, W_OK) == 0 ? OSC_OK
            : osc_fail(OSC_EIO, "%s: cannot write: %s", path, strerror(errno));
    OSC_TRY(cli_output_open(&output, path));
    cli_output_abort(&output);
    return OSC_OK;
}

void cli_output_abort(cli_output *output)
{
    if (output->stream != NULL && output->stream != stdout)
        fclose(output->stream);
    if (output->path != NULL)
        unlink(output->temporary);
    release(output);
}

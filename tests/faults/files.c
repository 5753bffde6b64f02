/* Calls for files that fail. */
#define _GNU_SOURCE
#include "fault.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <sys/file.h>
#include <unistd.h>

/* Messages must still come out. */
static bool write_fails(int fd)
{
    return fd != 2 && fault_fails("write");
}

ssize_t write(int fd, const void *data, size_t size)
{
    return write_fails(fd) ? -1 : REAL(write)(fd, data, size);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
    return write_fails(fd) ? -1 : REAL(pwrite)(fd, data, size, offset);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset)
{
    return write_fails(fd) ? -1 : REAL(pwrite64)(fd, data, size, offset);
}

int ftruncate64(int fd, off64_t size)
{
    return write_fails(fd) ? -1 : REAL(ftruncate64)(fd, size);
}

int ftruncate(int fd, off_t size)
{
    return write_fails(fd) ? -1 : REAL(ftruncate)(fd, size);
}

/* The space that is reserved and the copy of a record are writes as well. */
int fallocate(int fd, int mode, off_t offset, off_t size)
{
    return write_fails(fd) ? -1 : REAL(fallocate)(fd, mode, offset, size);
}

int fallocate64(int fd, int mode, off64_t offset, off64_t size)
{
    return write_fails(fd) ? -1 : REAL(fallocate64)(fd, mode, offset, size);
}

ssize_t copy_file_range(int from, off64_t *from_offset, int to, off64_t *to_offset, size_t size,
                        unsigned flags)
{
    return write_fails(to) ? -1
        : REAL(copy_file_range)(from, from_offset, to, to_offset, size, flags);
}

/* Streams of the C library write through its own calls: they fail as a whole. */
int fflush(FILE *stream)
{
    bool writes = stream != NULL && stream != stderr && __fpending(stream) > 0;
    return writes && fault_fails("write") ? -1 : REAL(fflush)(stream);
}

ssize_t read(int fd, void *data, size_t size)
{
    return fault_fails("read") ? -1 : REAL(read)(fd, data, size);
}

ssize_t pread(int fd, void *data, size_t size, off_t offset)
{
    return fault_fails("read") ? -1 : REAL(pread)(fd, data, size, offset);
}

ssize_t pread64(int fd, void *data, size_t size, off64_t offset)
{
    return fault_fails("read") ? -1 : REAL(pread64)(fd, data, size, offset);
}

int fsync(int fd)
{
    return fault_fails("sync") ? -1 : REAL(fsync)(fd);
}

int rename(const char *from, const char *to)
{
    return fault_fails("rename") ? -1 : REAL(rename)(from, to);
}

/* As on network file systems the file is closed all the same, what was written may be lost. */
int close(int fd)
{
    bool fails = fault_fails("close");
    int result = REAL(close)(fd);
    return fails ? fault_error() : result;
}

int fclose(FILE *stream)
{
    bool fails = stream != stderr && fault_fails("close");
    int result = REAL(fclose)(stream);
    return fails ? fault_error() : result;
}

int flock(int fd, int operation)
{
    return fault_fails("lock") ? -1 : REAL(flock)(fd, operation);
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
    return fault_fails("open") ? -1 : REAL(open64)(path, flags, mode);
}

int open(const char *path, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    int mode = open_mode(flags, more);
    va_end(more);
    return fault_fails("open") ? -1 : REAL(open)(path, flags, mode);
}

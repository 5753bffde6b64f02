#include <config.h>
#include "record/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/alloc.h"

/* At HDF5's end of file: MAGIC, size of the data (8 bytes), bytes of a block (4), CRC-32
 * of the sums (4), CRC-32 of the header so far (4); then the sums, 4 bytes each.  All
 * little-endian. */
enum { HEADER = 28, SUM = 4, SUPERBLOCK = 64 };
static const char magic[8] = { 'o', 's', 'c', 's', 'e', 'a', 'l', '\n' };

/* States of a block. */
enum { KNOWN = 1, DIRTY = 2 };    /* matched or was written; needs a new checksum */

static void put_le(uint8_t *to, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        to[i] = (uint8_t)(value >> 8 * i);
}

static uint64_t get_le(const uint8_t *from, size_t bytes)
{
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++)
        value |= (uint64_t)from[i] << 8 * i;
    return value;
}

static uint32_t crc(const uint8_t *data, size_t size)
{
    return (uint32_t)crc32_z(0, data, size);
}

static size_t blocks_of(uint64_t size)
{
    return (size_t)(size / OSC_SEAL_BLOCK + (size % OSC_SEAL_BLOCK != 0));
}

/* --- bytes ------------------------------------------------------------------------------ */

/* Of a system's call. */
static bool system_failed(osc_seal *seal, const char *doing)
{
    seal->error = errno;
    snprintf(seal->problem, sizeof seal->problem, "cannot %s", doing);
    return false;
}

/* Zeros after the file's end. */
static bool read_at(osc_seal *seal, uint64_t offset, uint8_t *data, size_t size)
{
    while (size > 0) {
        ssize_t n = pread(seal->fd, data, size, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return system_failed(seal, "read");
        if (n == 0) {
            memset(data, 0, size);
            return true;
        }
        data += n;
        offset += (uint64_t)n;
        size -= (size_t)n;
    }
    return true;
}

static bool write_at(osc_seal *seal, uint64_t offset, const uint8_t *data, size_t size)
{
    while (size > 0) {
        ssize_t n = pwrite(seal->fd, data, size, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return system_failed(seal, "write");
        data += n;
        offset += (uint64_t)n;
        size -= (size_t)n;
    }
    return true;
}

/* --- blocks ------------------------------------------------------------------------------- */

static bool state_room(osc_seal *seal, size_t blocks)
{
    uint8_t *grown = osc_grow(seal->state, &seal->states, blocks, sizeof *grown);
    if (grown == NULL) {
        errno = ENOMEM;
        return system_failed(seal, "keep its checksums");
    }
    seal->state = grown;
    return true;
}

/* The checksum of what block `b` of a file with `size` bytes of data holds. */
static bool sum_block(uint32_t *sum, osc_seal *seal, size_t b, uint64_t size)
{
    uint64_t start = (uint64_t)b * OSC_SEAL_BLOCK;
    size_t length = size - start < OSC_SEAL_BLOCK ? (size_t)(size - start) : OSC_SEAL_BLOCK;
    if (!read_at(seal, start, seal->block, length))
        return false;
    *sum = crc(seal->block, length);
    return true;
}

static bool check_block(osc_seal *seal, size_t b)
{
    if (b >= seal->blocks || (seal->state[b] & KNOWN))
        return true;
    uint32_t sum;
    if (!sum_block(&sum, seal, b, seal->size))
        return false;
    if (sum != seal->sum[b]) {
        unsigned long long start = (unsigned long long)b * OSC_SEAL_BLOCK;
        snprintf(seal->problem, sizeof seal->problem,
                 "damaged: bytes %llu to %llu do not match their checksum", start,
                 start + OSC_SEAL_BLOCK - 1);
        return false;
    }
    seal->state[b] |= KNOWN;
    return true;
}

bool osc_seal_read(osc_seal *seal, uint64_t offset, void *data, size_t size)
{
    size_t end = size == 0 || seal->doomed ? 0 : blocks_of(offset + size);
    for (size_t b = (size_t)(offset / OSC_SEAL_BLOCK); b < end && b < seal->blocks; b++)
        if (!check_block(seal, b))
            return false;
    return read_at(seal, offset, data, size);
}

bool osc_seal_write(osc_seal *seal, uint64_t offset, const void *data, size_t size)
{
    if (seal->doomed || size == 0)
        return true;
    size_t first = (size_t)(offset / OSC_SEAL_BLOCK), end = blocks_of(offset + size);
    if (!state_room(seal, end))
        return false;
    if (offset % OSC_SEAL_BLOCK != 0 && !check_block(seal, first))
        return false;
    if ((offset + size) % OSC_SEAL_BLOCK != 0 && !check_block(seal, end - 1))
        return false;
    memset(seal->state + first, KNOWN | DIRTY, end - first);
    return write_at(seal, offset, data, size);
}

bool osc_seal_truncate(osc_seal *seal, uint64_t size)
{
    if (seal->doomed)
        return true;
    size_t last = (size_t)(size / OSC_SEAL_BLOCK);
    if (size < seal->size && last < seal->blocks) {
        if (!check_block(seal, last))
            return false;
        seal->state[last] |= DIRTY;
    }
    return ftruncate(seal->fd, (off_t)size) == 0 || system_failed(seal, "truncate");
}

/* --- taking up -------------------------------------------------------------------------- */

/* HDF5's end of file as its superblock says (HDF5 File Format Specification, II.A). */
static bool data_end(uint64_t *end, const uint8_t superblock[SUPERBLOCK])
{
    static const uint8_t signature[] = { 0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n' };
    static const struct { uint8_t widths, base, end; } place[] = {
        { 13, 24, 40 }, { 13, 28, 44 }, { 9, 12, 28 }, { 9, 12, 28 },
    };
    uint8_t version = superblock[sizeof signature];
    if (memcmp(superblock, signature, sizeof signature) != 0
        || version >= sizeof place / sizeof *place
        || superblock[place[version].widths] != sizeof(uint64_t)
        || get_le(superblock + place[version].base, 8) != 0)
        return false;
    *end = get_le(superblock + place[version].end, 8);
    return true;
}

static osc_status failed(const osc_seal *seal, const char *path)
{
    osc_status status = seal->error == ENOMEM ? OSC_ENOMEM : OSC_EIO;
    if (seal->error != 0)
        return osc_fail(status, "%s: %s: %s", path, seal->problem, strerror(seal->error));
    return osc_fail(OSC_EFORMAT, "%s: %s", path, seal->problem);
}

static osc_status load_sums(osc_seal *seal, const uint8_t header[HEADER], const char *path)
{
    size_t blocks = blocks_of(seal->size);
    seal->sum = osc_grow(NULL, &seal->sums, blocks + 1, sizeof *seal->sum);
    if (seal->sum == NULL)
        return OSC_ENOMEM;
    if (!state_room(seal, blocks))
        return failed(seal, path);
    uint8_t *stored = (uint8_t *)seal->sum;
    if (!read_at(seal, seal->size + HEADER, stored, blocks * SUM))
        return failed(seal, path);
    if (crc(stored, blocks * SUM) != get_le(header + 20, 4))
        return osc_fail(OSC_EFORMAT, "%s: its list of checksums is damaged", path);
    for (size_t b = 0; b < blocks; b++)
        seal->sum[b] = (uint32_t)get_le(stored + b * SUM, SUM);
    seal->blocks = blocks;
    return OSC_OK;
}

/* The file has `size` bytes, of which HDF5 uses seal->size. */
static osc_status load(osc_seal *seal, uint64_t size, const char *path)
{
    static const uint8_t reserved[HEADER];
    uint8_t header[HEADER];
    uint64_t sealed = seal->size + HEADER + (uint64_t)blocks_of(seal->size) * SUM;
    if (size == seal->size)
        return OSC_OK;
    if (size < seal->size)
        return osc_fail(OSC_EFORMAT, "%s: truncated: has %llu bytes, %llu were written", path,
                        (unsigned long long)size, (unsigned long long)seal->size);
    if (!read_at(seal, seal->size, header, HEADER))
        return failed(seal, path);
    if (seal->writing && memcmp(header, reserved, HEADER) == 0)
        return OSC_OK;
    if (memcmp(header, magic, sizeof magic) != 0 || get_le(header + 8, 8) != seal->size
        || get_le(header + 16, 4) != OSC_SEAL_BLOCK || crc(header, 24) != get_le(header + 24, 4)
        || (seal->writing ? size < sealed : size != sealed))
        return osc_fail(OSC_EFORMAT, "%s: damaged: the %llu bytes after its data are not its "
                        "checksums", path, (unsigned long long)(size - seal->size));
    return load_sums(seal, header, path);
}

static osc_status take_up(osc_seal *seal, const char *path)
{
    struct stat info;
    uint8_t superblock[SUPERBLOCK];
    if (fstat(seal->fd, &info) != 0)
        return osc_fail(OSC_EIO, "%s: %s", path, strerror(errno));
    if (!S_ISREG(info.st_mode))
        return osc_fail(OSC_EFORMAT, "%s: not a readable HDF5 file: not a regular file", path);
    if (!read_at(seal, 0, superblock, sizeof superblock))
        return failed(seal, path);
    if (!data_end(&seal->size, superblock))
        return osc_fail(OSC_EFORMAT, "%s: not a readable HDF5 file: it does not begin like one",
                        path);
    return load(seal, (uint64_t)info.st_size, path);
}

osc_status osc_seal_open(osc_seal *seal, const char *path)
{
    *seal = (osc_seal){ .fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) };
    if (seal->fd < 0)
        return osc_fail(errno == ENOENT ? OSC_ENOTFOUND : OSC_EIO, "%s: %s", path,
                        errno == ENOENT ? "no such file" : strerror(errno));
    seal->block = osc_alloc(OSC_SEAL_BLOCK, 1);
    return seal->block == NULL ? OSC_ENOMEM : take_up(seal, path);
}

/* HDF5 finds the old checksums' place empty, and the last block may grow. */
static osc_status clear(osc_seal *seal, const char *path)
{
    static const uint8_t zeros[1024];
    uint64_t end = seal->size + HEADER + (uint64_t)seal->blocks * SUM;
    if (seal->blocks == 0)
        return OSC_OK;
    if (!check_block(seal, seal->blocks - 1))
        return failed(seal, path);
    seal->state[seal->blocks - 1] |= DIRTY;
    for (uint64_t at = seal->size; at < end; at += sizeof zeros)
        if (!write_at(seal, at, zeros, end - at < sizeof zeros ? end - at : sizeof zeros))
            return failed(seal, path);
    return OSC_OK;
}

osc_status osc_seal_begin(osc_seal *seal, int fd, const char *path, bool fresh)
{
    *seal = (osc_seal){ .fd = fd, .writing = true };
    seal->block = osc_alloc(OSC_SEAL_BLOCK, 1);
    if (seal->block == NULL)
        return OSC_ENOMEM;
    if (fresh)
        return OSC_OK;
    OSC_TRY(take_up(seal, path));
    return clear(seal, path);
}

void osc_seal_close(osc_seal *seal)
{
    if (seal->held != NULL)
        *seal->held = NULL;
    if (!seal->writing && seal->fd >= 0)
        close(seal->fd);
    osc_free(seal->block);
    osc_free(seal->sum);
    osc_free(seal->state);
    *seal = (osc_seal){ .fd = -1 };
}

/* --- writing ------------------------------------------------------------------------------ */

static bool write_sums(osc_seal *seal, uint64_t size, size_t blocks)
{
    uint8_t header[HEADER] = { 0 }, *stored = (uint8_t *)seal->sum;
    for (size_t b = 0; b < blocks; b++)
        put_le(stored + b * SUM, seal->sum[b], SUM);
    memcpy(header, magic, sizeof magic);
    put_le(header + 8, size, 8);
    put_le(header + 16, OSC_SEAL_BLOCK, 4);
    put_le(header + 20, crc(stored, blocks * SUM), 4);
    put_le(header + 24, crc(header, 24), 4);
    return write_at(seal, size, header, HEADER)
        && write_at(seal, size + HEADER, stored, blocks * SUM);
}

osc_status osc_seal_finish(osc_seal *seal, const char *path)
{
    struct stat info;
    if (fstat(seal->fd, &info) != 0)
        return osc_fail(OSC_EIO, "%s: %s", path, strerror(errno));
    uint64_t size = (uint64_t)info.st_size;
    size_t blocks = blocks_of(size);
    uint32_t *grown = osc_grow(seal->sum, &seal->sums, blocks + 1, sizeof *grown);
    if (grown == NULL)
        return OSC_ENOMEM;
    seal->sum = grown;
    if (!state_room(seal, blocks))
        return failed(seal, path);
    bool good = true;
    for (size_t b = 0; good && b < blocks; b++)
        if (b >= seal->blocks || (seal->state[b] & DIRTY))
            good = sum_block(&seal->sum[b], seal, b, size);
    return good && write_sums(seal, size, blocks) ? OSC_OK : failed(seal, path);
}

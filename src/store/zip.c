#include <config.h>
#include "store/zip.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/alloc.h"
#include "store/format.h"

enum {
    END_BYTES = 22, END_SIGNATURE = 0x06054b50,           /* end of the central directory */
    LOCATOR_BYTES = 20, LOCATOR_SIGNATURE = 0x07064b50,   /* where the ZIP64 end is */
    END64_BYTES = 56, END64_SIGNATURE = 0x06064b50,
    ENTRY_BYTES = 46, ENTRY_SIGNATURE = 0x02014b50,       /* of the central directory */
    LOCAL_BYTES = 30, LOCAL_SIGNATURE = 0x04034b50,       /* before a member's data */
    COMMENT_MOST = 65535,
    MEMBERS_MOST = 1 << 20,
    CRC_PIECE = 1 << 30                                   /* zlib counts in 32 bits */
};

static uint64_t little(const uint8_t *bytes, size_t count)
{
    uint64_t value = 0;
    for (size_t i = count; i-- > 0;)
        value = value << 8 | bytes[i];
    return value;
}

static uint16_t u16(const uint8_t *bytes) { return (uint16_t)little(bytes, 2); }
static uint32_t u32(const uint8_t *bytes) { return (uint32_t)little(bytes, 4); }
static uint64_t u64(const uint8_t *bytes) { return little(bytes, 8); }

struct directory {
    uint64_t count, size, offset;
    size_t   end;      /* it must be over before this offset */
};

/* The end record: the last one whose comment reaches exactly to the end of the file. */
static osc_status find_end(size_t *at, const uint8_t *data, size_t size)
{
    for (size_t comment = 0; comment <= COMMENT_MOST && size >= END_BYTES + comment; comment++) {
        size_t place = size - END_BYTES - comment;
        if (u32(data + place) == END_SIGNATURE && u16(data + place + 20) == comment) {
            *at = place;
            return OSC_OK;
        }
    }
    return osc_fail(OSC_EFORMAT, "a zip file without its end record: is the file complete?");
}

/* Takes over the ZIP64 values; a 32-bit field is all ones or says the same. */
static osc_status read_end64(struct directory *d, const uint8_t *data, size_t end)
{
    const uint8_t *locator = data + end - LOCATOR_BYTES, *short_form = data + end;
    uint64_t at = u64(locator + 8);
    if (end < LOCATOR_BYTES + END64_BYTES || at > end - LOCATOR_BYTES - END64_BYTES ||
        u32(data + at) != END64_SIGNATURE)
        return osc_fail(OSC_EFORMAT, "the ZIP64 locator points to no ZIP64 end record");
    const uint8_t *record = data + at;
    if (u32(record + 16) != 0 || u32(record + 20) != 0 || u64(record + 24) != u64(record + 32))
        return osc_fail(OSC_EUNSUP, "a zip archive of several files");
    struct directory wide = { .count = u64(record + 32), .size = u64(record + 40),
                              .offset = u64(record + 48), .end = (size_t)at };
    if ((d->count != UINT16_MAX && d->count != wide.count) ||
        (d->size != UINT32_MAX && d->size != wide.size) ||
        (d->offset != UINT32_MAX && d->offset != wide.offset))
        return osc_fail(OSC_EFORMAT, "the zip end record (%u members) and its ZIP64 form (%llu "
                        "members) differ", u16(short_form + 10), (unsigned long long)wide.count);
    *d = wide;
    return OSC_OK;
}

static osc_status find_directory(struct directory *d, const uint8_t *data, size_t size)
{
    size_t end = 0;
    OSC_TRY(find_end(&end, data, size));
    const uint8_t *record = data + end;
    if (u16(record + 4) != 0 || u16(record + 6) != 0 || u16(record + 8) != u16(record + 10))
        return osc_fail(OSC_EUNSUP, "a zip archive of several files");
    *d = (struct directory){ .count = u16(record + 10), .size = u32(record + 12),
                             .offset = u32(record + 16), .end = end };
    if (end >= LOCATOR_BYTES && u32(record - LOCATOR_BYTES) == LOCATOR_SIGNATURE)
        OSC_TRY(read_end64(d, data, end));
    if (d->offset > d->end || d->size > d->end - d->offset)
        return osc_fail(OSC_EFORMAT, "the zip directory of %llu bytes at %llu goes beyond its end "
                        "record at %zu", (unsigned long long)d->size,
                        (unsigned long long)d->offset, d->end);
    if (d->count > MEMBERS_MOST)
        return osc_fail(OSC_EUNSUP, "a zip file of %llu members, at most %d are supported",
                        (unsigned long long)d->count, MEMBERS_MOST);
    if (d->count > d->size / ENTRY_BYTES)
        return osc_fail(OSC_EFORMAT, "a zip directory of %llu bytes cannot have %llu members",
                        (unsigned long long)d->size, (unsigned long long)d->count);
    return OSC_OK;
}

static osc_status fail_member(osc_status status, const struct osc_zip_member *member)
{
    char quoted[OSC_QUOTED], where[OSC_QUOTED + 16];
    osc_weight_quote_bytes(quoted, member->name, member->name_size);
    snprintf(where, sizeof where, "member '%s'", quoted);
    return osc_fail_in(status, where);
}

/* Names are never used as paths; one that would be dangerous as a path is the mark of
 * a crafted file. */
static osc_status check_name(const char *name, size_t size)
{
    size_t start = 0;
    if (size == 0 || size > OSC_MAX_WEIGHT_NAME)
        return osc_fail(OSC_EFORMAT, "its name has %zu bytes, expected 1 to %d", size,
                        OSC_MAX_WEIGHT_NAME);
    for (size_t i = 0; i <= size; i++) {
        if (i < size && name[i] != '/' && name[i] != '\\' && name[i] != '\0')
            continue;
        size_t part = i - start;
        bool dots = (part == 1 && name[start] == '.') ||
                    (part == 2 && name[start] == '.' && name[start + 1] == '.');
        if (dots || (part == 0 && i < size) || (i < size && name[i] != '/'))
            return osc_fail(OSC_EFORMAT, "its name is not a plain path inside the archive");
        start = i + 1;
    }
    return OSC_OK;
}

/* The fields of a directory entry that may be too large for 32 bits. */
struct extent {
    uint64_t size, packed, header;
};

/* Fields of all ones are in the ZIP64 extra field, in this order. */
static osc_status widen(struct extent *extent, const uint8_t *extra, size_t size)
{
    uint64_t *field[] = { &extent->size, &extent->packed, &extent->header };
    size_t at = 0, used = 4;
    while (size - at >= 4 && u16(extra + at) != 1) {
        size_t step = 4 + (size_t)u16(extra + at + 2);
        at += step <= size - at ? step : size - at;
    }
    size_t length = size - at >= 4 ? 4 + (size_t)u16(extra + at + 2) : 0;
    for (size_t i = 0; i < sizeof field / sizeof *field; i++) {
        if (*field[i] != UINT32_MAX)
            continue;
        if (length > size - at || used + 8 > length)
            return osc_fail(OSC_EFORMAT, "its sizes are not in a ZIP64 extra field");
        *field[i] = u64(extra + at + used);
        used += 8;
    }
    return OSC_OK;
}

/* Data begin after the local header, whose lengths may differ from the directory's;
 * its sizes and CRC may be missing there and are not looked at. */
static osc_status find_data(struct osc_zip_member *member, const struct extent *extent,
                            const uint8_t *data, size_t limit)
{
    if (extent->header > limit || limit - extent->header < LOCAL_BYTES ||
        u32(data + extent->header) != LOCAL_SIGNATURE)
        return osc_fail(OSC_EFORMAT, "there is no local header at its offset %llu",
                        (unsigned long long)extent->header);
    const uint8_t *local = data + extent->header;
    size_t left = limit - (size_t)extent->header - LOCAL_BYTES;
    size_t name = u16(local + 26), extra = u16(local + 28);
    if (name != member->name_size || name > left || memcmp(local + LOCAL_BYTES, member->name,
                                                           name) != 0)
        return osc_fail(OSC_EFORMAT, "its local header has another name");
    if ((u16(local + 6) & 1) != 0 || u16(local + 8) != 0)
        return osc_fail(OSC_EFORMAT, "its local header says that it is compressed or encrypted");
    if (extra > left - name || extent->size > left - name - extra)
        return osc_fail(OSC_EFORMAT, "its %llu bytes go beyond the zip directory at %zu: is the "
                        "file complete?", (unsigned long long)extent->size, limit);
    member->header = (size_t)extent->header;
    member->size = (size_t)extent->size;
    member->data = local + LOCAL_BYTES + name + extra;
    return OSC_OK;
}

static osc_status read_member(struct osc_zip_member *member, const uint8_t *entry,
                              const uint8_t *extra, size_t extra_size, const uint8_t *data,
                              size_t limit)
{
    struct extent extent = { .size = u32(entry + 24), .packed = u32(entry + 20),
                             .header = u32(entry + 42) };
    OSC_TRY(check_name(member->name, member->name_size));
    OSC_TRY(widen(&extent, extra, extra_size));
    if ((u16(entry + 8) & 1) != 0)
        return osc_fail(OSC_EUNSUP, "is encrypted");
    if (u16(entry + 10) != 0)
        return osc_fail(OSC_EUNSUP, "is compressed (method %u): weights are read where they lie "
                        "and must be stored, as torch.save does", u16(entry + 10));
    if (extent.size != extent.packed)
        return osc_fail(OSC_EFORMAT, "is stored, but its sizes %llu and %llu differ",
                        (unsigned long long)extent.size, (unsigned long long)extent.packed);
    return find_data(member, &extent, data, limit);
}

static osc_status read_directory(struct osc_zip *zip, const struct directory *d,
                                 const uint8_t *data)
{
    size_t at = (size_t)d->offset, end = at + (size_t)d->size;
    for (size_t i = 0; i < d->count; i++) {
        const uint8_t *entry = data + at;
        if (end - at < ENTRY_BYTES || u32(entry) != ENTRY_SIGNATURE)
            return osc_fail(OSC_EFORMAT, "entry %zu of the zip directory is missing", i);
        size_t name = u16(entry + 28), extra = u16(entry + 30), comment = u16(entry + 32);
        if (name + extra + comment > end - at - ENTRY_BYTES)
            return osc_fail(OSC_EFORMAT, "entry %zu goes beyond the zip directory", i);
        struct osc_zip_member *member = &zip->member[zip->count++];
        *member = (struct osc_zip_member){ .name = (const char *)entry + ENTRY_BYTES,
                                           .name_size = name, .crc = u32(entry + 16) };
        osc_status status = read_member(member, entry, entry + ENTRY_BYTES + name, extra, data,
                                        (size_t)d->offset);
        if (status != OSC_OK)
            return fail_member(status, member);
        at += ENTRY_BYTES + name + extra + comment;
    }
    if (at != end)
        return osc_fail(OSC_EFORMAT, "the zip directory has %zu bytes more than its %zu entries",
                        end - at, zip->count);
    return OSC_OK;
}

static int by_place(const void *a, const void *b)
{
    const struct osc_zip_member *x = a, *y = b;
    return (x->header > y->header) - (x->header < y->header);
}

static int by_name(const void *a, const void *b)
{
    const struct osc_zip_member *x = a, *y = b;
    size_t common = x->name_size < y->name_size ? x->name_size : y->name_size;
    int order = memcmp(x->name, y->name, common);
    return order != 0 ? order : (x->name_size > y->name_size) - (x->name_size < y->name_size);
}

static osc_status check_overlap(struct osc_zip *zip, const uint8_t *data)
{
    struct osc_zip_member *member = zip->member;
    qsort(member, zip->count, sizeof *member, by_place);
    for (size_t i = 1; i < zip->count; i++)
        if (data + member[i].header < member[i - 1].data + member[i - 1].size)
            return fail_member(osc_fail(OSC_EFORMAT, "overlaps the member before it"), &member[i]);
    return OSC_OK;
}

static osc_status check_names(struct osc_zip *zip)
{
    struct osc_zip_member *member = zip->member;
    qsort(member, zip->count, sizeof *member, by_name);
    for (size_t i = 1; i < zip->count; i++)
        if (by_name(&member[i - 1], &member[i]) == 0)
            return fail_member(osc_fail(OSC_EFORMAT, "is there twice"), &member[i]);
    return OSC_OK;
}

osc_status osc_zip_open(struct osc_zip *zip, const uint8_t *data, size_t size)
{
    struct directory directory = { .count = 0 };
    OSC_TRY(find_directory(&directory, data, size));
    struct osc_zip made = { .member = osc_alloc((size_t)directory.count, sizeof *made.member) };
    if (made.member == NULL)
        return OSC_ENOMEM;
    osc_status status = read_directory(&made, &directory, data);
    if (status == OSC_OK)
        status = check_overlap(&made, data);
    if (status == OSC_OK)
        status = check_names(&made);
    if (status != OSC_OK) {
        osc_zip_close(&made);
        return status;
    }
    *zip = made;
    return OSC_OK;
}

void osc_zip_close(struct osc_zip *zip)
{
    osc_free(zip->member);
    *zip = (struct osc_zip){ .member = NULL };
}

const struct osc_zip_member *osc_zip_find(const struct osc_zip *zip, const char *name,
                                          size_t name_size)
{
    struct osc_zip_member wanted = { .name = name, .name_size = name_size };
    return bsearch(&wanted, zip->member, zip->count, sizeof wanted, by_name);
}

osc_status osc_zip_check(const struct osc_zip_member *member)
{
    uLong crc = crc32(0, NULL, 0);
    for (size_t at = 0; at < member->size; at += CRC_PIECE) {
        size_t left = member->size - at;
        crc = crc32(crc, member->data + at, (uInt)(left < CRC_PIECE ? left : CRC_PIECE));
    }
    if (crc == member->crc)
        return OSC_OK;
    osc_fail(OSC_EFORMAT, "its CRC-32 is %08lx, the zip directory says %08lx: damaged, or saved "
             "without checksums", crc, (unsigned long)member->crc);
    return fail_member(OSC_EFORMAT, member);
}

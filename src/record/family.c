#include <config.h>
#include "record/family.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "record/reader.h"

/* --- reading ---------------------------------------------------------------------------- */

static osc_status read_shard(osc_shard *shard, const char *path)
{
    osc_record *record;
    struct stat info;
    OSC_TRY(osc_record_open(&record, path));
    osc_status status = osc_record_features_without(record);
    if (status == OSC_OK) {
        *shard = (osc_shard){ .path = path, .head = record->head, .layout = record->layout,
                              .without = record->without };
        shard->bytes = stat(path, &info) == 0 ? (uint64_t)info.st_size : 0;
        record->head = (osc_record_head){ .points = 0 };    /* the shard's now */
        record->without = NULL;
    }
    osc_record_close(record);
    return status;
}

void osc_family_free(osc_shard *family, size_t count)
{
    for (size_t i = 0; family != NULL && i < count; i++) {
        osc_record_free_head(&family[i].head);
        osc_free(family[i].without);
    }
    osc_free(family);
}

osc_status osc_shard_open(osc_record **record, const osc_shard *shard)
{
    osc_record *opened;
    osc_record_difference d;
    OSC_TRY(osc_record_open(&opened, shard->path));
    const osc_record_head *head = &opened->head;
    if (osc_record_differ(&d, &shard->head, head, true)
        || head->info.sequences_done != shard->head.info.sequences_done
        || head->events != shard->head.events
        || memcmp(opened->layout.width, shard->layout.width, sizeof opened->layout.width) != 0) {
        osc_record_close(opened);
        return osc_fail(OSC_EINVAL, "%s: has been replaced while it was merged", shard->path);
    }
    *record = opened;
    return OSC_OK;
}

/* --- do they belong together? ------------------------------------------------------------- */

static osc_status check_widths(const osc_shard *first, const osc_shard *other)
{
    for (size_t p = 0; p < OSC_POINT_COUNT; p++)
        if (first->layout.width[p] != other->layout.width[p])
            return osc_fail(OSC_EINVAL, "%s does not belong to %s: width of %s is %zu here, %zu "
                            "there", other->path, first->path, osc_point_name((osc_point)p),
                            other->layout.width[p], first->layout.width[p]);
    return OSC_OK;
}

static osc_status check_without(const osc_shard *first, const osc_shard *other)
{
    size_t one = first->layout.without, two = other->layout.without, i = 0;
    while (i < one && i < two && first->without[i] == other->without[i])
        i++;
    if (i == one && i == two)
        return OSC_OK;
    if (one != two)
        return osc_fail(OSC_EINVAL, "%s does not belong to %s: features in /attention/without are "
                        "%zu here, %zu there", other->path, first->path, two, one);
    return osc_fail(OSC_EINVAL, "%s does not belong to %s: feature number %zu in "
                    "/attention/without is %u here, %u there", other->path, first->path, i,
                    (unsigned)other->without[i], (unsigned)first->without[i]);
}

static osc_status check_same(const osc_shard *first, const osc_shard *other)
{
    osc_record_difference d;
    if (osc_record_differ(&d, &first->head, &other->head, false))
        return osc_fail(OSC_EINVAL, "%s does not belong to %s: %s is '%s' here, '%s' there",
                        other->path, first->path, d.name, d.two, d.one);
    OSC_TRY(check_widths(first, other));
    return check_without(first, other);
}

static osc_status check_complete(const osc_shard *shard)
{
    const osc_record_info *info = &shard->head.info;
    if (info->complete && info->sequences_done == info->sequences)
        return OSC_OK;
    return osc_fail(OSC_EINVAL, "%s: shard %zu of %zu is incomplete: %zu of %zu sequences are "
                    "done; 'record --resume' goes on", shard->path, info->shard, info->shards,
                    info->sequences_done, info->sequences);
}

static int by_shard(const void *a, const void *b)
{
    size_t x = ((const osc_shard *)a)->head.info.shard, y = ((const osc_shard *)b)->head.info.shard;
    return x < y ? -1 : x > y;
}

/* Sorted by shard: number `i` must be shard i + 1 and begin where the one before ended. */
static osc_status check_place(const osc_shard *family, size_t count, size_t i)
{
    const osc_record_info *info = &family[i].head.info;
    if (i > 0 && info->shard == family[i - 1].head.info.shard)
        return osc_fail(OSC_EINVAL, "%s and %s are both shard %zu of %zu", family[i - 1].path,
                        family[i].path, info->shard, info->shards);
    if (info->shard != i + 1)
        return osc_fail(OSC_EINVAL, "shard %zu of %zu is missing: %zu record%s given, one of them "
                        "%s, shard %zu", i + 1, info->shards, count, count == 1 ? " is" : "s are",
                        family[i].path, info->shard);
    size_t next = i == 0 ? 0 : family[i - 1].head.info.first_sequence
                             + family[i - 1].head.info.sequences;
    if (info->first_sequence != next)
        return osc_fail(OSC_EINVAL, "%s: shard %zu begins at sequence %zu, expected %zu, where the "
                        "shards before it end", family[i].path, info->shard, info->first_sequence,
                        next);
    return OSC_OK;
}

static osc_status check_family(osc_shard *family, size_t count)
{
    for (size_t i = 1; i < count; i++)
        OSC_TRY(check_same(&family[0], &family[i]));
    qsort(family, count, sizeof *family, by_shard);
    for (size_t i = 0; i < count; i++)
        OSC_TRY(check_place(family, count, i));
    const osc_record_info *last = &family[count - 1].head.info;
    if (count < last->shards)
        return osc_fail(OSC_EINVAL, "shard %zu of %zu is missing: %zu record%s given", count + 1,
                        last->shards, count, count == 1 ? " is" : "s are");
    if (last->first_sequence + last->sequences != last->corpus_sequences)
        return osc_fail(OSC_EINVAL, "%s: the last shard ends at sequence %zu of %zu",
                        family[count - 1].path, last->first_sequence + last->sequences,
                        last->corpus_sequences);
    for (size_t i = 0; i < count; i++)
        OSC_TRY(check_complete(&family[i]));
    return OSC_OK;
}

osc_status osc_family_read(osc_shard **family, const char *const *paths, size_t count)
{
    if (count == 0)
        return osc_fail(OSC_EINVAL, "no records to merge");
    osc_shard *read = osc_alloc(count, sizeof *read);
    osc_status status = read == NULL ? OSC_ENOMEM : OSC_OK;
    for (size_t i = 0; i < count && status == OSC_OK; i++)
        status = read_shard(&read[i], paths[i]);
    if (status == OSC_OK)
        status = check_family(read, count);
    if (status != OSC_OK) {
        osc_family_free(read, count);
        return status;
    }
    *family = read;
    return OSC_OK;
}

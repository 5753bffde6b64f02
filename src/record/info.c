#include <config.h>
#include "record/info.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

typedef enum { TEXT, SIZE, NUMBER, ID, REAL, FLAG } form;

/* FIXED attributes are written once.  SAME ones must also agree when a recording is
 * resumed or merged with others, SHARE ones only when it is resumed.  PROGRESS is
 * rewritten by every commit. */
typedef enum { FIXED, SAME, SHARE, PROGRESS } role;

typedef struct {
    const char *name;
    form        form;
    role        role;
    size_t      offset;     /* in osc_record_head */
    uint64_t    most;       /* of a SIZE */
    bool        later;      /* older records do not have it */
} attribute;

#define INFO(name, form, role, most) \
    { #name, form, role, offsetof(osc_record_head, info) + offsetof(osc_record_info, name), \
      most, false }
#define LATER(name, form, role, most) \
    { #name, form, role, offsetof(osc_record_head, info) + offsetof(osc_record_info, name), \
      most, true }
#define HEAD(name, role) { #name, NUMBER, role, offsetof(osc_record_head, name), 0, false }

/* The limits keep a damaged file from asking for memory without bound. */
enum { MOST_LAYERS = INT16_MAX, MOST_WIDTH = OSC_RECORD_WIDEST, MOST_LENGTH = OSC_RECORD_LONGEST };

static const attribute attributes[] = {
    INFO(tool, TEXT, FIXED, 0),
    INFO(command, TEXT, FIXED, 0),
    INFO(time, TEXT, FIXED, 0),
    INFO(host, TEXT, FIXED, 0),
    INFO(threads, SIZE, FIXED, UINT32_MAX),
    INFO(model, TEXT, SAME, 0),
    INFO(arch, TEXT, SAME, 0),
    INFO(parameters, NUMBER, SAME, 0),
    INFO(layers, SIZE, SAME, MOST_LAYERS),
    INFO(hidden, SIZE, SAME, MOST_WIDTH),
    INFO(heads, SIZE, SAME, MOST_WIDTH),
    INFO(ffn, SIZE, SAME, MOST_WIDTH),
    INFO(weights_sha256, TEXT, SAME, 0),
    INFO(tokenizer_sha256, TEXT, SAME, 0),
    INFO(text_sha256, TEXT, SAME, 0),
    INFO(dtype, TEXT, SAME, 0),
    INFO(backend, TEXT, SAME, 0),
    INFO(scheme, TEXT, SAME, 0),
    INFO(protocol, TEXT, SAME, 0),
    INFO(bos, ID, SAME, 0),
    INFO(sequence_length, SIZE, SAME, MOST_LENGTH),
    INFO(sequences, SIZE, SHARE, INT32_MAX),
    LATER(shard, SIZE, SHARE, INT32_MAX),
    LATER(shards, SIZE, SAME, INT32_MAX),
    LATER(first_sequence, SIZE, SHARE, INT32_MAX),
    LATER(corpus_sequences, SIZE, SAME, INT32_MAX),
    LATER(merged, TEXT, FIXED, 0),
    INFO(alpha, REAL, SAME, 0),
    HEAD(event_cap, SAME),
    INFO(sequences_done, SIZE, PROGRESS, INT32_MAX),
    INFO(positions, SIZE, PROGRESS, INT64_MAX),
    INFO(scored, SIZE, PROGRESS, INT64_MAX),
    INFO(nll, REAL, PROGRESS, 0),
    INFO(perplexity, REAL, PROGRESS, 0),
    INFO(complete, FLAG, PROGRESS, 0),
    HEAD(events, PROGRESS),
    HEAD(events_dropped, PROGRESS),
};
enum { ATTRIBUTES = sizeof attributes / sizeof *attributes };

/* Sets of points are stored as their names joined by '+'. */
static const struct { const char *name; size_t offset; bool later; unsigned more; } sets[] = {
    { "points", offsetof(osc_record_head, points), false, 0 },
    { "track", offsetof(osc_record_head, track), false, 0 },
    { "raw", offsetof(osc_record_head, raw), false, 0 },
    { "modules", offsetof(osc_record_head, modules), true, 1u << OSC_AT_FINAL_NORM },
};
enum { SETS = sizeof sets / sizeof *sets };

static const void *at(const osc_record_head *head, size_t offset)
{
    return (const char *)head + offset;
}

static const char *text_at(const osc_record_head *head, size_t offset)
{
    const char *text = *(const char *const *)at(head, offset);
    return text == NULL ? "" : text;
}

static uint64_t size_at(const osc_record_head *head, const attribute *a)
{
    return a->form == SIZE ? *(const size_t *)at(head, a->offset)
                           : *(const uint64_t *)at(head, a->offset);
}

/* --- writing --------------------------------------------------------------------- */

static osc_status put_one(const osc_h5_file *file, const osc_record_head *head,
                          const attribute *a)
{
    const void *value = at(head, a->offset);
    switch (a->form) {
    case TEXT: {
        const char *text = text_at(head, a->offset);
        return osc_h5_put(file, file->id, a->name, OSC_H5_TEXT, &text);
    }
    case ID:
        return osc_h5_put(file, file->id, a->name, OSC_H5_I32, value);
    case REAL:
        return osc_h5_put(file, file->id, a->name, OSC_H5_F64, value);
    case FLAG:
        return osc_h5_put(file, file->id, a->name, OSC_H5_BOOL, value);
    default: {
        uint64_t number = size_at(head, a);
        return osc_h5_put(file, file->id, a->name, OSC_H5_U64, &number);
    }
    }
}

osc_status osc_record_put_progress(const osc_h5_file *file, const osc_record_head *head)
{
    for (size_t i = 0; i < ATTRIBUTES; i++)
        if (attributes[i].role == PROGRESS)
            OSC_TRY(put_one(file, head, &attributes[i]));
    return OSC_OK;
}

osc_status osc_record_put_head(const osc_h5_file *file, const osc_record_head *head)
{
    const char *schema = OSC_RECORD_SCHEMA;
    OSC_TRY(osc_h5_put(file, file->id, "schema", OSC_H5_TEXT, &schema));
    for (size_t i = 0; i < SETS; i++) {
        char joined[OSC_RECORD_NAMES];
        osc_record_join(joined, *(const unsigned *)at(head, sets[i].offset));
        const char *text = joined;
        OSC_TRY(osc_h5_put(file, file->id, sets[i].name, OSC_H5_TEXT, &text));
    }
    for (size_t i = 0; i < ATTRIBUTES; i++)
        OSC_TRY(put_one(file, head, &attributes[i]));
    return OSC_OK;
}

/* --- reading ------------------------------------------------------------------------ */

static osc_status get_size(size_t *value, const osc_h5_file *file, const attribute *a)
{
    uint64_t number;
    OSC_TRY(osc_h5_get(file, file->id, a->name, OSC_H5_U64, &number));
    if (number > a->most)
        return osc_fail(OSC_EFORMAT, "%s: attribute '%s' is %llu, at most %llu is possible",
                        file->path, a->name, (unsigned long long)number,
                        (unsigned long long)a->most);
    *value = (size_t)number;
    return OSC_OK;
}

static osc_status get_one(osc_record_head *head, const osc_h5_file *file, const attribute *a)
{
    void *value = (char *)head + a->offset;
    bool there = true;
    if (a->later)
        OSC_TRY(osc_h5_has(&there, file, file->id, a->name));
    if (!there)
        return OSC_OK;
    switch (a->form) {
    case TEXT: return osc_h5_get(file, file->id, a->name, OSC_H5_TEXT, value);
    case ID:   return osc_h5_get(file, file->id, a->name, OSC_H5_I32, value);
    case REAL: return osc_h5_get(file, file->id, a->name, OSC_H5_F64, value);
    case FLAG: return osc_h5_get(file, file->id, a->name, OSC_H5_BOOL, value);
    case SIZE: return get_size(value, file, a);
    default:   return osc_h5_get(file, file->id, a->name, OSC_H5_U64, value);
    }
}

static osc_status get_set(osc_record_head *head, const osc_h5_file *file, size_t i)
{
    char *text = NULL;
    bool there = true;
    if (sets[i].later)
        OSC_TRY(osc_h5_has(&there, file, file->id, sets[i].name));
    if (!there)
        return OSC_OK;
    OSC_TRY(osc_h5_get(file, file->id, sets[i].name, OSC_H5_TEXT, &text));
    osc_status status = osc_record_split((unsigned *)((char *)head + sets[i].offset), text,
                                         osc_record_in_blocks() | sets[i].more);
    osc_free(text);
    return status == OSC_OK ? status : osc_fail(status, "%s: attribute '%s': %s",
                                                file->path, sets[i].name, osc_error());
}

static osc_status check_schema(const osc_h5_file *file)
{
    char *schema = NULL;
    OSC_TRY(osc_h5_get(file, file->id, "schema", OSC_H5_TEXT, &schema));
    osc_status status = strcmp(schema, OSC_RECORD_SCHEMA) == 0 ? OSC_OK
        : osc_fail(OSC_EFORMAT, "%s: has schema '%.80s', this program reads '%s'",
                   file->path, schema, OSC_RECORD_SCHEMA);
    osc_free(schema);
    return status;
}

static osc_status check_head(const osc_record_head *head, const char *path)
{
    const osc_record_info *info = &head->info;
    if (info->layers == 0 || info->hidden == 0 || info->sequence_length == 0)
        return osc_fail(OSC_EFORMAT, "%s: %zu layers of width %zu, sequences of %zu ids: "
                        "none of these can be 0", path, info->layers, info->hidden,
                        info->sequence_length);
    if (info->sequences_done > info->sequences)
        return osc_fail(OSC_EFORMAT, "%s: %zu sequences done of %zu", path,
                        info->sequences_done, info->sequences);
    if (info->shard < 1 || info->shard > info->shards || info->sequences > info->corpus_sequences
        || info->first_sequence > info->corpus_sequences - info->sequences)
        return osc_fail(OSC_EFORMAT, "%s: shard %zu of %zu: %zu sequences from number %zu of %zu",
                        path, info->shard, info->shards, info->sequences, info->first_sequence,
                        info->corpus_sequences);
    if (__builtin_popcount(head->track) > OSC_TRACK_MOST)
        return osc_fail(OSC_EFORMAT, "%s: tracks more than %d points", path, OSC_TRACK_MOST);
    if ((head->track & ~head->points) != 0)
        return osc_fail(OSC_EFORMAT, "%s: tracks points without statistics", path);
    return OSC_OK;
}

void osc_record_whole(osc_record_info *info)
{
    if (info->shards != 0)
        return;
    info->shard = info->shards = 1;
    info->first_sequence = 0;
    info->corpus_sequences = info->sequences;
}

osc_status osc_record_get_head(osc_record_head *head, const osc_h5_file *file)
{
    OSC_TRY(check_schema(file));
    for (size_t i = 0; i < ATTRIBUTES; i++)
        OSC_TRY(get_one(head, file, &attributes[i]));
    for (size_t i = 0; i < SETS; i++)
        OSC_TRY(get_set(head, file, i));
    osc_record_whole(&head->info);
    if (head->info.merged == NULL)
        head->info.merged = osc_copy_string("", 0);
    return head->info.merged == NULL ? OSC_ENOMEM : check_head(head, file->path);
}

void osc_record_free_head(osc_record_head *head)
{
    for (size_t i = 0; i < ATTRIBUTES; i++) {
        if (attributes[i].form != TEXT)
            continue;
        char **text = (char **)((char *)head + attributes[i].offset);
        osc_free(*text);
        *text = NULL;
    }
}

/* --- comparing ----------------------------------------------------------------------- */

static void value_text(char text[OSC_RECORD_NAMES], const osc_record_head *head, const attribute *a)
{
    switch (a->form) {
    case TEXT: snprintf(text, OSC_RECORD_NAMES, "%s", text_at(head, a->offset)); break;
    case ID:   snprintf(text, OSC_RECORD_NAMES, "%d", *(const int32_t *)at(head, a->offset)); break;
    case REAL:
        snprintf(text, OSC_RECORD_NAMES, "%.17g", *(const double *)at(head, a->offset));
        break;
    default:
        snprintf(text, OSC_RECORD_NAMES, "%llu", (unsigned long long)size_at(head, a));
    }
}

static bool same(const osc_record_head *x, const osc_record_head *y, const attribute *a)
{
    switch (a->form) {
    case TEXT: return strcmp(text_at(x, a->offset), text_at(y, a->offset)) == 0;
    case ID:   return memcmp(at(x, a->offset), at(y, a->offset), sizeof(int32_t)) == 0;
    case REAL: return memcmp(at(x, a->offset), at(y, a->offset), sizeof(double)) == 0;
    default:   return size_at(x, a) == size_at(y, a);
    }
}

/* A set of points counts as an attribute. */
static bool sets_differ(osc_record_difference *d, const osc_record_head *one,
                        const osc_record_head *two)
{
    for (size_t i = 0; i < SETS; i++) {
        unsigned in_one = *(const unsigned *)at(one, sets[i].offset);
        unsigned in_two = *(const unsigned *)at(two, sets[i].offset);
        if (in_one == in_two)
            continue;
        d->name = sets[i].name;
        osc_record_join(d->one, in_one);
        osc_record_join(d->two, in_two);
        return true;
    }
    return false;
}

bool osc_record_differ(osc_record_difference *d, const osc_record_head *one,
                       const osc_record_head *two, bool shares)
{
    for (size_t i = 0; i < ATTRIBUTES; i++) {
        const attribute *a = &attributes[i];
        if ((a->role != SAME && !(shares && a->role == SHARE)) || same(one, two, a))
            continue;
        d->name = a->name;
        value_text(d->one, one, a);
        value_text(d->two, two, a);
        return true;
    }
    return sets_differ(d, one, two);
}

/* Why the points of a family may not belong together. */
#include <config.h>
#include "analyses/emergence.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "analyses/options.h"
#include "analyses/record_text.h"

/* Appends as far as there is room. */
__attribute__((format(printf, 3, 4)))
static void append(char *text, size_t size, const char *format, ...)
{
    size_t used = strlen(text);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text + used, size - used, format, arguments);
    va_end(arguments);
}

/* What has to be alike for the points to be comparable. */
static const char *scheme_of(char *text, size_t size, const outlier_result *r)
{
    snprintf(text, size, "%s", r->scheme);
    return text;
}

static const char *protocol_of(char *text, size_t size, const outlier_result *r)
{
    snprintf(text, size, "%s, bos %d, length %zu", r->protocol, (int)r->info.bos,
             r->info.sequence_length);
    return text;
}

static const char *text_of(char *text, size_t size, const outlier_result *r)
{
    snprintf(text, size, "%.12s", r->text_sha256);
    return text;
}

static const char *tokenizer_of(char *text, size_t size, const outlier_result *r)
{
    snprintf(text, size, "%.12s", r->tokenizer_sha256);
    return text;
}

static const char *sequences_of(char *text, size_t size, const outlier_result *r)
{
    snprintf(text, size, "%zu", r->info.sequences_done);
    return text;
}

static const char *alpha_of(char *text, size_t size, const outlier_result *r)
{
    snprintf(text, size, "%g", r->info.alpha);
    return text;
}

static const char *track_of(char *text, size_t size, const outlier_result *r)
{
    return option_points_text(text, size, r->track);
}

static const struct {
    const char *what;
    const char *(*of)(char *text, size_t size, const outlier_result *r);
} alike[] = {
    { "scheme", scheme_of }, { "protocol", protocol_of }, { "text (SHA-256)", text_of },
    { "tokenizer (SHA-256)", tokenizer_of }, { "number of sequences", sequences_of },
    { "alpha", alpha_of }, { "tracked tensors", track_of },
};

/* "a in x.h5, y.h5; b in z.h5": every value, each with its records. */
static void list_values(char *list, size_t size, const emergence_set *set, size_t aspect)
{
    char value[128], other[128];
    list[0] = '\0';
    for (size_t i = 0; i < set->records.count; i++) {
        bool seen = false;
        alike[aspect].of(value, sizeof value, &set->result[i]);
        for (size_t j = 0; j < i; j++)
            seen |= strcmp(alike[aspect].of(other, sizeof other, &set->result[j]), value) == 0;
        if (seen)
            continue;
        append(list, size, "%s%s in %s", i > 0 ? "; " : "", value, set->result[i].path);
        for (size_t j = i + 1; j < set->records.count; j++)
            if (strcmp(alike[aspect].of(other, sizeof other, &set->result[j]), value) == 0)
                append(list, size, ", %s", set->result[j].path);
    }
}

static bool differs(const emergence_set *set, size_t aspect)
{
    char first[128], other[128];
    alike[aspect].of(first, sizeof first, &set->result[0]);
    for (size_t i = 1; i < set->records.count; i++)
        if (strcmp(alike[aspect].of(other, sizeof other, &set->result[i]), first) != 0)
            return true;
    return false;
}

bool emergence_alike(const emergence_set *set)
{
    for (size_t a = 0; a < sizeof alike / sizeof *alike; a++)
        if (differs(set, a))
            return false;
    return true;
}

static void note_record(const outlier_result *r, void (*say)(void *user, const char *text),
                        void *user)
{
    char text[600], shard[160];
    if (!r->info.complete) {
        snprintf(text, sizeof text, "%s is incomplete: %zu of %zu sequences.", r->path,
                 r->info.sequences_done, r->info.sequences);
        say(user, text);
    }
    if (record_shard_text(shard, sizeof shard, &r->info)[0] != '\0') {
        snprintf(text, sizeof text, "%s is %s.", r->path, shard);
        say(user, text);
    }
    if (r->dropped > 0) {
        snprintf(text, sizeof text, "%s: its cap dropped %llu events; the median is of those kept.",
                 r->path, (unsigned long long)r->dropped);
        say(user, text);
    }
}

void emergence_cautions(const emergence_set *set, void (*say)(void *user, const char *text),
                        void *user)
{
    char text[1200], list[1000];
    for (size_t a = 0; a < sizeof alike / sizeof *alike; a++) {
        if (!differs(set, a))
            continue;
        list_values(list, sizeof list, set, a);
        snprintf(text, sizeof text, "Not comparable, the records differ in %s: %s.",
                 alike[a].what, list);
        say(user, text);
    }
    for (size_t i = 0; i < set->records.count; i++) {
        const outlier_result *r = &set->result[i];
        note_record(r, say, user);
        for (size_t j = 0; j < i; j++) {
            if (strcmp(r->weights_sha256, set->result[j].weights_sha256) != 0)
                continue;
            snprintf(text, sizeof text, "%s and %s are of the same weights and count twice.",
                     set->result[j].path, r->path);
            say(user, text);
        }
    }
}

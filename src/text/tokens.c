/* Token files, and what every corpus has in common. */
#include <config.h>
#include "text/corpus.h"

#include <stdbool.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "text/lines.h"

void osc_corpus_free(osc_corpus *corpus)
{
    if (corpus == NULL)
        return;
    osc_free(corpus->ids);
    osc_free(corpus->offset);
    osc_free(corpus);
}

osc_status osc_corpus_share(osc_corpus *share, const osc_corpus *corpus, size_t shard,
                            size_t shards)
{
    if (shard < 1 || shard > shards || shards > corpus->count)
        return osc_fail(OSC_EINVAL, "shard %zu of %zu: the text has %zu sequences, of which every "
                        "shard needs one", shard, shards, corpus->count);
    size_t each = corpus->count / shards, more = corpus->count % shards;   /* the first `more` */
    size_t before = shard - 1, first = before * each + (before < more ? before : more);
    *share = *corpus;
    share->offset += first;
    share->count = each + (before < more);
    return OSC_OK;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* Appends the ids of one line. */
static osc_status read_ids(osc_ids *ids, const char *line, size_t size)
{
    for (size_t i = 0; i < size;) {
        if (is_blank(line[i])) {
            i++;
            continue;
        }
        size_t start = i;
        int64_t id = 0;
        while (i < size && line[i] >= '0' && line[i] <= '9' && id <= INT32_MAX)
            id = id * 10 + (line[i++] - '0');
        if (i == start || id > INT32_MAX || (i < size && !is_blank(line[i])))
            return osc_fail(OSC_EFORMAT, "column %zu: expected token ids (0 to 2147483647) "
                            "separated by spaces", start + 1);
        OSC_TRY(osc_ids_append(ids, (int32_t)id));
    }
    return OSC_OK;
}

/* Ends a sequence at the ids so far, unless the line was empty. */
static osc_status end_sequence(osc_corpus *corpus, size_t *room, size_t ids)
{
    size_t *offset = osc_grow(corpus->offset, room, corpus->count + 2, sizeof *offset);
    if (offset == NULL)
        return OSC_ENOMEM;
    corpus->offset = offset;
    size_t n = ids - offset[corpus->count];
    if (n > 0)
        offset[++corpus->count] = ids;
    corpus->longest = n > corpus->longest ? n : corpus->longest;
    return OSC_OK;
}

static osc_status read_lines(osc_corpus *corpus, osc_ids *ids, osc_lines lines, size_t sequences)
{
    size_t room = 0;
    while ((sequences == 0 || corpus->count < sequences) && osc_lines_next(&lines)) {
        osc_status status = read_ids(ids, lines.text, lines.size);
        if (status == OSC_OK)
            status = end_sequence(corpus, &room, ids->count);
        if (status != OSC_OK)
            return osc_lines_fail(&lines, status);
    }
    return corpus->count > 0 ? OSC_OK : osc_fail(OSC_EFORMAT, "has no token ids");
}

static osc_status digest_of(char hex[OSC_DIGEST_HEX], const osc_mapping *file)
{
    osc_digest *digest;
    OSC_TRY(osc_digest_create(&digest));
    osc_status status = osc_digest_add(digest, file->data, file->size);
    if (status == OSC_OK)
        status = osc_digest_finish(digest, hex);
    osc_digest_free(digest);
    return status;
}

static osc_status read_file(osc_corpus *corpus, const osc_mapping *file, size_t sequences)
{
    osc_ids ids = { .id = NULL };
    OSC_TRY(digest_of(corpus->digest, file));
    const char *text = file->data == NULL ? "" : (const char *)file->data;
    osc_lines lines = { .rest = text, .end = text + file->size };
    osc_status status = read_lines(corpus, &ids, lines, sequences);
    corpus->ids = ids.id;
    corpus->tokens = ids.count;
    corpus->length = corpus->longest;
    return status == OSC_OK ? OSC_OK : osc_fail_in(status, file->path);
}

osc_status osc_corpus_read_tokens(osc_corpus **corpus, const char *path, size_t sequences)
{
    osc_mapping file;
    OSC_TRY(osc_mapping_open(&file, path));
    osc_corpus *made = osc_alloc(1, sizeof *made);
    osc_status status = OSC_ENOMEM;
    if (made != NULL) {
        made->protocol = OSC_TOKENS;
        made->bos = -1;
        status = read_file(made, &file, sequences);
        if (status == OSC_OK)
            status = osc_mapping_check(&file);
    }
    osc_mapping_close(&file);
    if (status != OSC_OK) {
        osc_corpus_free(made);
        return status;
    }
    *corpus = made;
    return OSC_OK;
}

osc_status osc_corpus_check(const osc_corpus *corpus, size_t vocabulary, size_t positions)
{
    for (size_t i = 0; i < corpus->count; i++) {
        const int32_t *id = corpus->ids + corpus->offset[i];
        size_t n = corpus->offset[i + 1] - corpus->offset[i];
        if (n < 2 || n > positions)
            return osc_fail(OSC_EVALUE, "sequence %zu has %zu ids, the model takes 2 to %zu",
                            i + 1, n, positions);
        for (size_t k = 0; k < n; k++)
            if (id[k] < 0 || (size_t)id[k] >= vocabulary)
                return osc_fail(OSC_EVALUE, "sequence %zu, position %zu: id %d is outside the "
                                "vocabulary of %zu tokens", i + 1, k, (int)id[k], vocabulary);
    }
    return OSC_OK;
}

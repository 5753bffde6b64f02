/* The texts and windows of GPTQ's evaluation, which most later papers use. */
#include <config.h>
#include "text/windows.h"

#include <string.h>

#include "base/alloc.h"
#include "text/chars.h"
#include "text/encode.h"
#include "text/lines.h"
#include "text/pyrandom.h"
#include "text/utf8.h"

/* --- one text ---------------------------------------------------------------------------- */

typedef struct {
    char  *text;
    size_t size;
} joined;

static void append(joined *out, const char *text, size_t size)
{
    memcpy(out->text + out->size, text, size);
    out->size += size;
}

/* The first `most` documents with `between` between each two; text released with osc_free. */
static osc_status join_documents(joined *out, const osc_documents *documents, const char *between,
                                 size_t most)
{
    size_t count = osc_documents_count(documents), total = 0;
    count = most < count ? most : count;
    for (size_t i = 0; i < count; i++)
        total += osc_documents_at(documents, i).size + strlen(between);
    *out = (joined){ .text = osc_alloc(total, 1) };
    if (out->text == NULL)
        return OSC_ENOMEM;
    for (size_t i = 0; i < count; i++) {
        osc_document document = osc_documents_at(documents, i);
        append(out, between, i == 0 ? 0 : strlen(between));
        append(out, document.text, document.size);
    }
    return OSC_OK;
}

/* Whether Python's str.strip leaves nothing of the line. */
static bool is_blank(const osc_lines *lines)
{
    uint32_t c;
    for (size_t at = 0, n; at < lines->size; at += n)
        if (osc_utf8_read(&c, &n, (const uint8_t *)lines->text + at, lines->size - at) !=
            OSC_UTF8_WHOLE || !(osc_char_is_space(c) || (c >= 0x1c && c <= 0x1f)))
            return false;
    return true;
}

/* The rows that the datasets library makes of WikiText's lines, joined by two newlines: a
 * line of white space is an empty row, any other keeps its newline. */
static osc_status join_rows(joined *out, const osc_documents *documents)
{
    osc_document whole;
    if (!osc_documents_whole(&whole, documents))
        return osc_fail(OSC_EINVAL, "protocol 'wikitext2' takes a plain text, not JSON lines");
    *out = (joined){ .text = osc_alloc(whole.size, 3) };   /* "\n" gives at most "\n\n" */
    if (out->text == NULL)
        return OSC_ENOMEM;
    osc_lines lines = { .rest = whole.text, .end = whole.text + whole.size };
    while (osc_lines_next(&lines)) {
        append(out, "\n\n", lines.number == 1 ? 0 : 2);
        if (!is_blank(&lines))
            append(out, lines.text, (size_t)(lines.rest - lines.text));
    }
    return OSC_OK;
}

/* Encodes a text, one bos in front, until `enough` ids, and cuts them; releases it. */
static osc_status make_of(osc_corpus *corpus, const osc_window_job *job, const joined *text,
                          size_t enough)
{
    size_t length = job->options->length;
    osc_ids ids = { .id = NULL };
    osc_status status = osc_append_bos(&ids, job->options->bos);
    if (status == OSC_OK)
        status = osc_encode_until(job->tokenizer, &ids, text->text, text->size, enough);
    osc_free(text->text);
    ids.count = ids.count < enough ? ids.count : enough;
    if (status == OSC_OK)
        status = osc_cut_windows(corpus, &ids, length, -1, length, job->options->sequences);
    osc_ids_clear(&ids);
    return status;
}

osc_status osc_make_wikitext2(osc_corpus *corpus, const osc_window_job *job)
{
    joined text;
    OSC_TRY(join_rows(&text, job->documents));
    return make_of(corpus, job, &text, SIZE_MAX);
}

osc_status osc_make_gptq(osc_corpus *corpus, const osc_window_job *job)
{
    joined text;
    if (osc_documents_are_wikitext(job->documents))
        return osc_make_wikitext2(corpus, job);
    OSC_TRY(join_documents(&text, job->documents, "\n\n", SIZE_MAX));
    return make_of(corpus, job, &text, SIZE_MAX);
}

/* --- C4 -------------------------------------------------------------------------------------- */

enum { C4_WINDOWS = 256, C4_NEW_DOCUMENTS = 1100 };

osc_status osc_make_c4_new(osc_corpus *corpus, const osc_window_job *job)
{
    joined text;
    size_t length = job->options->length;
    OSC_TRY(join_documents(&text, job->documents, " ", C4_NEW_DOCUMENTS));
    return make_of(corpus, job, &text,
                   length < SIZE_MAX / C4_WINDOWS ? C4_WINDOWS * length : SIZE_MAX);
}

/* Documents that were drawn, each encoded once. */
typedef struct {
    osc_ids *ids;      /* [documents] of those that are long enough */
    size_t  *length;   /* [documents] in ids, bos included; 0: not yet known */
    size_t   known, long_enough;
} drawn;

static osc_status know(drawn *all, const osc_window_job *job, uint32_t index)
{
    osc_document document = osc_documents_at(job->documents, index);
    osc_ids *ids = &all->ids[index];
    OSC_TRY(osc_append_bos(ids, job->options->bos));
    OSC_TRY(osc_tokenizer_encode(job->tokenizer, ids, document.text, document.size));
    all->length[index] = ids->count > 0 ? ids->count : 1;
    all->known++;
    if (ids->count < job->options->length)
        osc_ids_clear(ids);
    else
        all->long_enough++;
    return OSC_OK;
}

/* Draws until a document has `length` ids. */
static osc_status draw(drawn *all, uint32_t *index, osc_pyrandom *random,
                       const osc_window_job *job)
{
    size_t count = osc_documents_count(job->documents), length = job->options->length;
    do {
        *index = osc_pyrandom_below(random, (uint32_t)count);
        if (all->length[*index] == 0)
            OSC_TRY(know(all, job, *index));
        if (all->known == count && all->long_enough == 0)
            return osc_fail(OSC_EFORMAT, "none of the text's %zu documents has %zu ids, which "
                            "protocol 'c4' needs", count, length);
    } while (all->length[*index] < length);
    if (all->length[*index] == length)
        return osc_fail(OSC_EFORMAT, "document %u has exactly %zu ids, for which protocol 'c4' "
                        "has no window as published", *index + 1, length);
    return OSC_OK;
}

/* GPTQ's default "c4": windows of documents, both drawn by one generator. */
static osc_status draw_windows(osc_corpus *corpus, drawn *all, const osc_window_job *job)
{
    size_t length = job->options->length, most = job->options->sequences;
    osc_ids ids = { .id = NULL };
    osc_pyrandom random;
    osc_status status = OSC_OK;
    osc_pyrandom_seed(&random, 0);
    most = most > 0 && most < C4_WINDOWS ? most : C4_WINDOWS;
    for (size_t i = 0; i < most && status == OSC_OK; i++) {
        uint32_t index, start = 0;
        status = draw(all, &index, &random, job);
        if (status == OSC_OK)
            start = osc_pyrandom_below(&random, (uint32_t)(all->length[index] - length));
        for (size_t k = 0; k < length && status == OSC_OK; k++)
            status = osc_ids_append(&ids, all->ids[index].id[start + k]);
    }
    if (status == OSC_OK)
        status = osc_cut_windows(corpus, &ids, length, -1, length, 0);
    osc_ids_clear(&ids);
    return status;
}

osc_status osc_make_c4(osc_corpus *corpus, const osc_window_job *job)
{
    size_t count = osc_documents_count(job->documents);
    if (count > UINT32_MAX)
        return osc_fail(OSC_EUNSUP, "protocol 'c4': %zu documents are too many", count);
    drawn all = { .ids = osc_alloc(count, sizeof *all.ids) };
    osc_status status = OSC_ENOMEM;
    if (all.ids != NULL)
        all.length = osc_alloc(count, sizeof *all.length);
    if (all.length != NULL)
        status = draw_windows(corpus, &all, job);
    for (size_t i = 0; i < count && all.ids != NULL; i++)
        osc_ids_clear(&all.ids[i]);
    osc_free(all.ids);
    osc_free(all.length);
    return status;
}

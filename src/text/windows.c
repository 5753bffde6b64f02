/* Documents to sequences of ids, by protocol. */
#include <config.h>
#include "text/windows.h"

#include <string.h>

#include "base/alloc.h"
#include "text/encode.h"

osc_status osc_append_bos(osc_ids *ids, int32_t bos)
{
    return bos < 0 ? OSC_OK : osc_ids_append(ids, bos);
}

static size_t saturating_product(size_t a, size_t b)
{
    size_t product;
    return __builtin_mul_overflow(a, b, &product) ? SIZE_MAX : product;
}

osc_status osc_cut_windows(osc_corpus *corpus, const osc_ids *ids, size_t step, int32_t bos,
                           size_t least, size_t most)
{
    size_t prefix = bos >= 0;
    size_t count = ids->count / step + (ids->count % step >= least);
    if (most > 0 && count > most)
        count = most;
    size_t total = saturating_product(count, step);
    total = (total < ids->count ? total : ids->count) + count * prefix;
    corpus->ids = osc_alloc(total, sizeof *corpus->ids);
    corpus->offset = osc_alloc(count + 1, sizeof *corpus->offset);
    if (corpus->ids == NULL || corpus->offset == NULL)
        return OSC_ENOMEM;
    int32_t *out = corpus->ids;
    for (size_t i = 0; i < count; i++) {
        size_t left = ids->count - i * step, n = left < step ? left : step;
        if (bos >= 0)
            *out++ = bos;
        memcpy(out, ids->id + i * step, n * sizeof *out);
        out += n;
        corpus->offset[i + 1] = (size_t)(out - corpus->ids);
    }
    corpus->count = count;
    corpus->longest = count > 0 ? corpus->offset[1] : 0;
    corpus->tokens = ids->count;
    return OSC_OK;
}

static osc_status make_stream(osc_corpus *corpus, const osc_window_job *job)
{
    const osc_window_options *options = job->options;
    size_t step = options->length - (options->bos >= 0), most = options->sequences;
    size_t enough = most == 0 ? SIZE_MAX : saturating_product(most, step);
    osc_ids ids = { .id = NULL };
    osc_status status = OSC_OK;
    for (size_t i = 0; i < corpus->documents && ids.count < enough && status == OSC_OK; i++) {
        osc_document document = osc_documents_at(job->documents, i);
        status = osc_append_bos(&ids, options->bos);
        if (status == OSC_OK)
            status = osc_encode_until(job->tokenizer, &ids, document.text, document.size, enough);
    }
    if (status == OSC_OK)
        status = osc_cut_windows(corpus, &ids, step, options->bos, options->bos >= 0 ? 1 : 2, most);
    osc_ids_clear(&ids);
    return status;
}

/* Appends the first `options->length` ids of a document as a sequence. */
static osc_status add_document(osc_corpus *corpus, osc_ids *ids, const osc_window_job *job,
                               size_t index)
{
    size_t start = ids->count, length = job->options->length;
    osc_document document = osc_documents_at(job->documents, index);
    OSC_TRY(osc_append_bos(ids, job->options->bos));
    OSC_TRY(osc_encode_until(job->tokenizer, ids, document.text, document.size,
                             length < SIZE_MAX - start ? start + length : SIZE_MAX));
    size_t n = ids->count - start;
    corpus->tokens += n;
    n = n < length ? n : length;
    n = n < 2 ? 0 : n;   /* nothing to predict */
    ids->count = start + n;
    if (n > 0)
        corpus->offset[++corpus->count] = ids->count;
    corpus->longest = n > corpus->longest ? n : corpus->longest;
    return OSC_OK;
}

static osc_status make_documents(osc_corpus *corpus, const osc_window_job *job)
{
    size_t most = job->options->sequences;
    osc_ids ids = { .id = NULL };
    osc_status status = OSC_OK;
    corpus->offset = osc_alloc(corpus->documents + 1, sizeof *corpus->offset);
    if (corpus->offset == NULL)
        return OSC_ENOMEM;
    for (size_t i = 0; i < corpus->documents && status == OSC_OK; i++) {
        if (most > 0 && corpus->count == most)
            break;
        status = add_document(corpus, &ids, job, i);
    }
    corpus->ids = ids.id;
    return status;
}

/* Cuts the ids from the last sequence's end on into sequences, `*room` their capacity; a
 * last one of a single id, which has nothing to predict, is taken away. */
static osc_status cut_pieces(osc_corpus *corpus, osc_ids *ids, size_t *room, size_t length,
                             size_t most)
{
    while (ids->count > corpus->offset[corpus->count] && (most == 0 || corpus->count < most)) {
        size_t start = corpus->offset[corpus->count], n = ids->count - start;
        n = n < length ? n : length;
        if (n < 2)
            break;
        size_t *offset = osc_grow(corpus->offset, room, corpus->count + 2, sizeof *offset);
        if (offset == NULL)
            return OSC_ENOMEM;
        corpus->offset = offset;
        offset[++corpus->count] = start + n;
        corpus->longest = n > corpus->longest ? n : corpus->longest;
    }
    ids->count = corpus->offset[corpus->count];
    return OSC_OK;
}

/* All of a document, or as much as `most` sequences need. */
static osc_status add_pieces(osc_corpus *corpus, osc_ids *ids, size_t *room,
                             const osc_window_job *job, size_t index)
{
    const osc_window_options *options = job->options;
    size_t start = ids->count, most = options->sequences;
    size_t left = most == 0 ? SIZE_MAX : saturating_product(most - corpus->count, options->length);
    osc_document document = osc_documents_at(job->documents, index);
    OSC_TRY(osc_append_bos(ids, options->bos));
    OSC_TRY(osc_encode_until(job->tokenizer, ids, document.text, document.size,
                             left < SIZE_MAX - start ? start + left : SIZE_MAX));
    corpus->tokens += ids->count - start;
    return cut_pieces(corpus, ids, room, options->length, most);
}

static osc_status make_pieces(osc_corpus *corpus, const osc_window_job *job)
{
    size_t most = job->options->sequences, room = 0;
    osc_ids ids = { .id = NULL };
    corpus->offset = osc_grow(NULL, &room, 1, sizeof *corpus->offset);
    osc_status status = corpus->offset == NULL ? OSC_ENOMEM : OSC_OK;
    for (size_t i = 0; i < corpus->documents && status == OSC_OK; i++) {
        if (most > 0 && corpus->count == most)
            break;
        status = add_pieces(corpus, &ids, &room, job, i);
    }
    corpus->ids = ids.id;
    return status;
}

static osc_status check(const osc_window_options *options)
{
    if (options->protocol == OSC_TOKENS || options->protocol >= OSC_PROTOCOL_COUNT)
        return osc_fail(OSC_EINVAL, "text cannot be cut by protocol 'tokens': it takes a token "
                        "file");
    if (options->length < 2)
        return osc_fail(OSC_EINVAL, "sequence length %zu: at least 2 ids are needed",
                        options->length);
    if (options->bos < -1)
        return osc_fail(OSC_EINVAL, "bos %d: expected an id, or -1 for none", (int)options->bos);
    return OSC_OK;
}

osc_status osc_corpus_make(osc_corpus **corpus, const osc_documents *documents,
                           const osc_tokenizer *tokenizer, const osc_window_options *options)
{
    static const struct { osc_corpus_maker *make; bool whole; } protocols[] = {
        [OSC_STREAM] = { make_stream, false }, [OSC_GPTQ] = { osc_make_gptq, true },
        [OSC_WIKITEXT2] = { osc_make_wikitext2, true }, [OSC_C4] = { osc_make_c4, true },
        [OSC_C4_NEW] = { osc_make_c4_new, true }, [OSC_DOCUMENTS] = { make_documents, false },
        [OSC_PIECES] = { make_pieces, false },
    };
    OSC_TRY(check(options));
    osc_corpus *made = osc_alloc(1, sizeof *made);
    if (made == NULL)
        return OSC_ENOMEM;
    made->protocol = options->protocol;
    made->length = options->length;
    made->bos = options->bos;
    made->documents = osc_documents_count(documents);
    memcpy(made->digest, osc_documents_digest(documents), sizeof made->digest);
    osc_window_job job = { .documents = documents, .tokenizer = tokenizer, .options = options };
    osc_status status = protocols[options->protocol].make(made, &job);
    if (status == OSC_OK && made->count == 0)
        status = osc_fail(OSC_EFORMAT, "the text is too short: it gives %zu ids, one sequence of "
                          "protocol '%s' needs %zu", made->tokens,
                          osc_protocol_name(options->protocol),
                          protocols[options->protocol].whole ? options->length : 2);
    if (status == OSC_OK)
        status = osc_documents_check(documents);
    if (status != OSC_OK) {
        osc_corpus_free(made);
        return status;
    }
    *corpus = made;
    return OSC_OK;
}

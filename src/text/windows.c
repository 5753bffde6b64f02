/* Documents to sequences of ids, by protocol. */
#include <config.h>
#include "text/corpus.h"

#include <string.h>

#include "base/alloc.h"
#include "text/encode.h"

struct job {
    const osc_documents      *documents;
    const osc_tokenizer      *tokenizer;
    const osc_window_options *options;
};

static osc_status append_bos(osc_ids *ids, int32_t bos)
{
    return bos < 0 ? OSC_OK : osc_ids_append(ids, bos);
}

static size_t saturating_product(size_t a, size_t b)
{
    size_t product;
    return __builtin_mul_overflow(a, b, &product) ? SIZE_MAX : product;
}

/* Cuts the ids into windows of `step`, `bos` (unless -1) in front of each; a last
 * one that is shorter counts from `least` ids (at least 1). */
static osc_status cut(osc_corpus *corpus, const osc_ids *ids, size_t step, int32_t bos,
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

static osc_status make_stream(osc_corpus *corpus, const struct job *job)
{
    const osc_window_options *options = job->options;
    size_t step = options->length - (options->bos >= 0), most = options->sequences;
    size_t enough = most == 0 ? SIZE_MAX : saturating_product(most, step);
    osc_ids ids = { .id = NULL };
    osc_status status = OSC_OK;
    for (size_t i = 0; i < corpus->documents && ids.count < enough && status == OSC_OK; i++) {
        osc_document document = osc_documents_at(job->documents, i);
        status = append_bos(&ids, options->bos);
        if (status == OSC_OK)
            status = osc_encode_until(job->tokenizer, &ids, document.text, document.size, enough);
    }
    if (status == OSC_OK)
        status = cut(corpus, &ids, step, options->bos, options->bos >= 0 ? 1 : 2, most);
    osc_ids_clear(&ids);
    return status;
}

/* All documents with a blank line between each two; released with osc_free. */
static char *join(size_t *size, const osc_documents *documents)
{
    size_t count = osc_documents_count(documents), total = 0;
    for (size_t i = 0; i < count; i++)
        total += osc_documents_at(documents, i).size + 2;
    char *text = osc_alloc(total, 1);
    if (text == NULL)
        return NULL;
    char *at = text;
    for (size_t i = 0; i < count; i++) {
        osc_document document = osc_documents_at(documents, i);
        memcpy(at, i == 0 ? "" : "\n\n", i == 0 ? 0 : 2);
        at += i == 0 ? 0 : 2;
        memcpy(at, document.text, document.size);
        at += document.size;
    }
    *size = (size_t)(at - text);
    return text;
}

static osc_status make_gptq(osc_corpus *corpus, const struct job *job)
{
    size_t size, length = job->options->length;
    osc_ids ids = { .id = NULL };
    char *text = join(&size, job->documents);
    if (text == NULL)
        return OSC_ENOMEM;
    osc_status status = append_bos(&ids, job->options->bos);
    if (status == OSC_OK)
        status = osc_tokenizer_encode(job->tokenizer, &ids, text, size);
    osc_free(text);
    if (status == OSC_OK)
        status = cut(corpus, &ids, length, -1, length, job->options->sequences);
    osc_ids_clear(&ids);
    return status;
}

/* Appends the first `options->length` ids of a document as a sequence. */
static osc_status add_document(osc_corpus *corpus, osc_ids *ids, const struct job *job,
                               size_t index)
{
    size_t start = ids->count, length = job->options->length;
    osc_document document = osc_documents_at(job->documents, index);
    OSC_TRY(append_bos(ids, job->options->bos));
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

static osc_status make_documents(osc_corpus *corpus, const struct job *job)
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

static osc_status check(const osc_window_options *options)
{
    if (options->protocol != OSC_STREAM && options->protocol != OSC_GPTQ &&
        options->protocol != OSC_DOCUMENTS)
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
    static osc_status (*const makers[])(osc_corpus *, const struct job *) = {
        [OSC_STREAM] = make_stream, [OSC_GPTQ] = make_gptq, [OSC_DOCUMENTS] = make_documents,
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
    struct job job = { .documents = documents, .tokenizer = tokenizer, .options = options };
    osc_status status = makers[options->protocol](made, &job);
    if (status == OSC_OK && made->count == 0)
        status = osc_fail(OSC_EFORMAT, "the text is too short: it gives %zu ids, one sequence of "
                          "protocol '%s' needs %zu", made->tokens,
                          osc_protocol_name(options->protocol),
                          options->protocol == OSC_GPTQ ? options->length : 2);
    if (status == OSC_OK)
        status = osc_documents_check(documents);
    if (status != OSC_OK) {
        osc_corpus_free(made);
        return status;
    }
    *corpus = made;
    return OSC_OK;
}

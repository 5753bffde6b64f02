#include <config.h>
#include "text/requests.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "text/task_build.h"

/* The ids of a pair among all: the input, and then its last target. */
typedef struct {
    size_t pair, start, count;     /* ids[start .. start+count-1], at least 2 */
    size_t scored;                 /* the last so many are the continuation */
} request;

struct job {
    const osc_items           *items;
    const osc_tokenizer       *tokenizer;
    const osc_request_options *options;
    osc_ids  ids;                  /* of all pairs */
    request *request;              /* [items->pairs] */
    osc_ids  context;              /* of the last context encoded */
    size_t   context_at;           /* where it began; SIZE_MAX: none yet */
    size_t   truncated;
    char    *text;                 /* [room] context and continuation */
    size_t   room;
};

/* --- encoding ---------------------------------------------------------------------------- */

/* Choices often share their context, which then is encoded once. */
static osc_status encode_context(struct job *job, size_t at, osc_span text)
{
    if (at == job->context_at)
        return OSC_OK;
    job->context.count = 0;
    job->context_at = SIZE_MAX;
    OSC_TRY(osc_tokenizer_encode(job->tokenizer, &job->context, text.text, text.size));
    job->context_at = at;
    return OSC_OK;
}

static osc_status encode_whole(struct job *job, osc_span context, osc_span target)
{
    char *text = osc_grow(job->text, &job->room, context.size + target.size, 1);
    if (text == NULL)
        return OSC_ENOMEM;
    job->text = text;
    memcpy(text, context.text, context.size);
    memcpy(text + context.size, target.text, target.size);
    return osc_tokenizer_encode(job->tokenizer, &job->ids, text, context.size + target.size);
}

/* Cuts the context from the left so that the input has `longest` ids. */
static osc_status shorten(struct job *job, request *r)
{
    size_t most = job->options->longest;
    if (r->count - 1 <= most)
        return OSC_OK;
    if (r->scored > most)
        return osc_fail(OSC_EVALUE, "a continuation of %zu ids, the model takes %zu", r->scored,
                        most);
    job->truncated++;
    int32_t *ids = job->ids.id + r->start;
    memmove(ids, ids + r->count - 1 - most, (most + 1) * sizeof *ids);
    r->count = most + 1;
    job->ids.count = r->start + r->count;
    return OSC_OK;
}

static osc_status check_ids(const struct job *job, const request *r)
{
    for (size_t i = r->start; i < r->start + r->count; i++)
        if (job->ids.id[i] < 0 || (size_t)job->ids.id[i] >= job->options->vocabulary)
            return osc_fail(OSC_EVALUE, "id %d is outside the vocabulary of %zu tokens",
                            (int)job->ids.id[i], job->options->vocabulary);
    return OSC_OK;
}

/* White space at the end of the context belongs to the continuation. */
static osc_status add_request(struct job *job, request *r)
{
    const osc_pair *pair = &job->items->pair[r->pair];
    const char *text = job->items->text;
    osc_span context = osc_span_strip_end((osc_span){ text + pair->context, pair->context_size });
    int32_t front = context.size > 0 || job->options->bos >= 0 ? job->options->bos
                                                               : job->options->prefix;
    if (context.size == 0 && front < 0)
        return osc_fail(OSC_EVALUE, "an empty context, and the model has no bos to put there");
    if (front >= 0)
        OSC_TRY(osc_ids_append(&job->ids, front));
    size_t first = job->ids.count;
    OSC_TRY(encode_context(job, pair->context, context));
    OSC_TRY(encode_whole(job, (osc_span){ text + pair->context, pair->context_size },
                         (osc_span){ text + pair->target, pair->target_size }));
    r->count = job->ids.count - r->start;
    if (job->ids.count - first <= job->context.count)
        return osc_fail(OSC_EFORMAT, "the continuation has no ids of its own");
    r->scored = job->ids.count - first - job->context.count;
    OSC_TRY(shorten(job, r));
    return check_ids(job, r);
}

static osc_status encode_all(struct job *job)
{
    for (size_t i = 0; i < job->items->pairs; i++) {
        job->request[i] = (request){ .pair = i, .start = job->ids.count };
        osc_status status = add_request(job, &job->request[i]);
        if (status != OSC_OK) {
            char where[48];
            snprintf(where, sizeof where, "item %zu", i / job->items->task->choices + 1);
            return osc_fail_in(status, where);
        }
    }
    return OSC_OK;
}

/* --- order ------------------------------------------------------------------------------- */

static int longest_first(const void *a, const void *b)
{
    const request *x = a, *y = b;
    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    return x->pair < y->pair ? -1 : 1;
}

static void place(osc_requests *made, size_t i, const request *r, const int32_t *ids)
{
    osc_corpus *corpus = &made->corpus;
    size_t at = corpus->offset[i], inputs = r->count - 1, first = inputs - r->scored;
    memcpy(corpus->ids + at, ids + r->start, inputs * sizeof *ids);
    for (size_t t = 0; t < inputs; t++)
        made->targets[at + t] = t >= first ? ids[r->start + t + 1] : -1;
    corpus->offset[i + 1] = at + inputs;
    made->pair[i] = r->pair;
    made->scored[i] = r->scored;
}

static osc_status arrange(osc_requests *made, struct job *job)
{
    size_t count = job->items->pairs, inputs = job->ids.count - count;
    qsort(job->request, count, sizeof *job->request, longest_first);
    made->corpus = (osc_corpus){
        .ids = osc_alloc(inputs, sizeof(int32_t)), .offset = osc_alloc(count + 1, sizeof(size_t)),
        .count = count, .longest = job->request[0].count - 1, .protocol = OSC_TOKENS,
        .length = job->request[0].count - 1, .bos = job->options->bos, .tokens = inputs,
    };
    memcpy(made->corpus.digest, job->items->digest, sizeof made->corpus.digest);
    made->targets = osc_alloc(inputs, sizeof *made->targets);
    made->pair = osc_alloc(count, sizeof *made->pair);
    made->scored = osc_alloc(count, sizeof *made->scored);
    made->truncated = job->truncated;
    if (made->corpus.ids == NULL || made->corpus.offset == NULL || made->targets == NULL
        || made->pair == NULL || made->scored == NULL)
        return OSC_ENOMEM;
    for (size_t i = 0; i < count; i++)
        place(made, i, &job->request[i], job->ids.id);
    return OSC_OK;
}

osc_status osc_requests_make(osc_requests **requests, const osc_items *items,
                             const osc_tokenizer *tokenizer, const osc_request_options *options)
{
    struct job job = { .items = items, .tokenizer = tokenizer, .options = options,
                       .context_at = SIZE_MAX };
    osc_requests *made = osc_alloc(1, sizeof *made);
    job.request = osc_alloc(items->pairs, sizeof *job.request);
    osc_status status = made != NULL && job.request != NULL ? encode_all(&job) : OSC_ENOMEM;
    if (status == OSC_OK)
        status = arrange(made, &job);
    osc_ids_clear(&job.ids);
    osc_ids_clear(&job.context);
    osc_free(job.request);
    osc_free(job.text);
    if (status != OSC_OK) {
        osc_requests_free(made);
        return status;
    }
    *requests = made;
    return OSC_OK;
}

void osc_requests_free(osc_requests *requests)
{
    if (requests == NULL)
        return;
    osc_free(requests->corpus.ids);
    osc_free(requests->corpus.offset);
    osc_free(requests->targets);
    osc_free(requests->pair);
    osc_free(requests->scored);
    osc_free(requests);
}

/* Items of a task as sequences of ids to score. */
#ifndef OSC_TEXT_REQUESTS_H
#define OSC_TEXT_REQUESTS_H

#include "text/corpus.h"
#include "text/task.h"

typedef struct {
    int32_t bos;           /* in front of every context, -1: none */
    int32_t prefix;        /* in place of an empty context without bos, -1: there is none */
    size_t  longest;       /* ids of an input; longer contexts lose their beginning */
    size_t  vocabulary;    /* ids are below */
} osc_request_options;

/* One sequence for each pair, the longest first, which is its ids but for the last. */
typedef struct {
    osc_corpus corpus;     /* protocol OSC_TOKENS */
    int32_t   *targets;    /* [offset[count]] the continuation's ids at the inputs that predict
                              them, elsewhere -1 (session.h) */
    size_t    *pair;       /* [count] the pair that the sequence is */
    size_t    *scored;     /* [count] ids of its continuation */
    size_t     truncated;  /* pairs whose context was cut */
} osc_requests;

/* Context and continuation are encoded together; the continuation's ids are those beyond
 * the number that the context alone has.  White space at the end of a context goes over to
 * the continuation first.  OSC_EFORMAT, OSC_EVALUE name the item. */
osc_status osc_requests_make(osc_requests **requests, const osc_items *items,
                             const osc_tokenizer *tokenizer, const osc_request_options *options);
void osc_requests_free(osc_requests *requests);

#endif

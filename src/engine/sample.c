#include <config.h>
#include "engine/sample.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/mix.h"

typedef struct {
    float   logit;
    int32_t id;
    double  weight;     /* its probability times a constant */
} candidate;

struct osc_sampler {
    osc_sampling options;
    size_t       vocabulary;
    candidate   *list;       /* [vocabulary] */
    uint64_t     key, draws;
};

static osc_status check(const osc_sampling *o, size_t vocabulary)
{
    if (!(o->temperature >= 0.0 && isfinite(o->temperature)))
        return osc_fail(OSC_EINVAL, "temperature %g: expected 0 or a positive number",
                        o->temperature);
    if (!(o->top_p > 0.0 && o->top_p <= 1.0))
        return osc_fail(OSC_EINVAL, "top-p %g: expected a share above 0 and up to 1", o->top_p);
    if (vocabulary == 0 || vocabulary > INT32_MAX)
        return osc_fail(OSC_EINVAL, "a vocabulary of %zu ids cannot be sampled", vocabulary);
    return OSC_OK;
}

osc_status osc_sampler_create(osc_sampler **sampler, const osc_sampling *sampling,
                              size_t vocabulary)
{
    OSC_TRY(check(sampling, vocabulary));
    osc_sampler *made = osc_alloc(1, sizeof *made);
    if (made == NULL)
        return OSC_ENOMEM;
    *made = (osc_sampler){ .options = *sampling, .vocabulary = vocabulary };
    made->list = osc_alloc(vocabulary, sizeof *made->list);
    if (made->list == NULL) {
        osc_sampler_free(made);
        return OSC_ENOMEM;
    }
    osc_sampler_begin(made, 0);
    *sampler = made;
    return OSC_OK;
}

void osc_sampler_free(osc_sampler *sampler)
{
    if (sampler == NULL)
        return;
    osc_free(sampler->list);
    osc_free(sampler);
}

void osc_sampler_begin(osc_sampler *sampler, uint64_t sequence)
{
    sampler->key = osc_random_at(sampler->options.seed, sequence);
    sampler->draws = 0;
}

/* --- candidates -------------------------------------------------------------------- */

static bool ranks_before(const candidate *a, const candidate *b)
{
    return a->logit > b->logit || (a->logit == b->logit && a->id < b->id);
}

static int by_rank(const void *a, const void *b)
{
    return ranks_before(a, b) ? -1 : ranks_before(b, a);
}

static int by_id(const void *a, const void *b)
{
    int32_t left = ((const candidate *)a)->id, right = ((const candidate *)b)->id;
    return (left > right) - (left < right);
}

/* Restores the heap below `at`: every parent ranks behind its children. */
static void sift(candidate *heap, size_t count, size_t at)
{
    candidate moved = heap[at];
    for (size_t child = 2 * at + 1; child < count; child = 2 * at + 1) {
        if (child + 1 < count && ranks_before(&heap[child], &heap[child + 1]))
            child++;
        if (!ranks_before(&moved, &heap[child]))
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = moved;
}

/* The `count` first in rank, in no order, from a heap of the best so far whose root is
 * the last of them. */
static void take_first(candidate *heap, const float *logits, size_t vocabulary, size_t count)
{
    for (size_t j = 0; j < count; j++)
        heap[j] = (candidate){ .logit = logits[j], .id = (int32_t)j };
    for (size_t at = count / 2; at-- > 0;)
        sift(heap, count, at);
    for (size_t j = count; j < vocabulary; j++) {
        if (!(logits[j] > heap[0].logit))   /* of equal ones the lower id is there */
            continue;
        heap[0] = (candidate){ .logit = logits[j], .id = (int32_t)j };
        sift(heap, count, 0);
    }
}

static size_t top_k(osc_sampler *s, const float *logits)
{
    size_t wanted = s->options.top_k, count = s->vocabulary;
    if (wanted > 0 && wanted < count) {
        take_first(s->list, logits, count, wanted);
        qsort(s->list, wanted, sizeof *s->list, by_id);
        return wanted;
    }
    for (size_t j = 0; j < count; j++)
        s->list[j] = (candidate){ .logit = logits[j], .id = (int32_t)j };
    return count;
}

/* Sets the weights; returns their sum. */
static double weigh(osc_sampler *s, size_t count, float largest)
{
    double total = 0.0;
    for (size_t i = 0; i < count; i++) {
        candidate *c = &s->list[i];
        c->weight = exp(((double)c->logit - (double)largest) / s->options.temperature);
        total += c->weight;
    }
    return total;
}

/* What is left of the candidates, in the order of ids; *total becomes its sum.  A weight
 * below (1 - p) / count of the total cannot be among the fewest: all from there on would
 * not add up to 1 - p. */
static size_t top_p(osc_sampler *s, size_t count, double *total)
{
    double least = (1.0 - s->options.top_p) / (double)count * *total, sum = 0.0;
    size_t some = 0, kept = 0;
    for (size_t i = 0; i < count; i++)
        if (s->list[i].weight >= least)
            s->list[some++] = s->list[i];
    qsort(s->list, some, sizeof *s->list, by_rank);
    while (kept < some && sum < s->options.top_p * *total)
        sum += s->list[kept++].weight;
    qsort(s->list, kept, sizeof *s->list, by_id);
    *total = 0.0;
    for (size_t i = 0; i < kept; i++)
        *total += s->list[i].weight;
    return kept;
}

/* --- the draw ---------------------------------------------------------------------- */

static osc_status find_largest(size_t *largest, const float *logits, size_t count)
{
    *largest = 0;
    for (size_t j = 0; j < count; j++) {
        if (isnan(logits[j]) || logits[j] == INFINITY)
            return osc_fail(OSC_EVALUE, "the logit of id %zu is %g", j, (double)logits[j]);
        if (logits[j] > logits[*largest])
            *largest = j;
    }
    if (isinf(logits[*largest]))
        return osc_fail(OSC_EVALUE, "all logits are minus infinity");
    return OSC_OK;
}

/* 0 <= u < 1, a multiple of 2^-53. */
static double draw(osc_sampler *s)
{
    return (double)(osc_random_at(s->key, s->draws++) >> 11) * 0x1p-53;
}

osc_status osc_sampler_next(osc_sampler *sampler, int32_t *id, const float *logits)
{
    osc_sampler *s = sampler;
    size_t largest;
    OSC_TRY(find_largest(&largest, logits, s->vocabulary));
    *id = (int32_t)largest;
    if (s->options.temperature == 0.0)
        return OSC_OK;
    size_t count = top_k(s, logits);
    double total = weigh(s, count, logits[largest]), sum = 0.0;
    if (s->options.top_p < 1.0)
        count = top_p(s, count, &total);
    double mark = draw(s) * total;
    for (size_t i = 0; i < count; i++) {
        sum += s->list[i].weight;
        if (s->list[i].weight > 0.0)   /* rounding may leave the mark at the sum's end */
            *id = s->list[i].id;
        if (sum > mark)
            break;
    }
    return OSC_OK;
}

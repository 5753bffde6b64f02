/* The next id, drawn from the logits of the last. */
#ifndef OSC_ENGINE_SAMPLE_H
#define OSC_ENGINE_SAMPLE_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* In this order: logits are divided by the temperature; the top_k largest stay; of
 * these, the fewest that together have at least the share top_p of their probability; one
 * of those is drawn.  Equal logits rank by id, the lower first.  All in double. */
typedef struct {
    double   temperature;   /* 0: the largest logit, nothing is drawn */
    size_t   top_k;         /* 0: all */
    double   top_p;         /* 0 < top_p <= 1; 1: all */
    uint64_t seed;
} osc_sampling;

typedef struct osc_sampler osc_sampler;

/* For logits of `vocabulary` ids.  OSC_EINVAL names the setting that is out of range. */
osc_status osc_sampler_create(osc_sampler **sampler, const osc_sampling *sampling,
                              size_t vocabulary);
void osc_sampler_free(osc_sampler *sampler);

/* Begins a sequence; its draws depend on the seed and `sequence` alone. */
void osc_sampler_begin(osc_sampler *sampler, uint64_t sequence);

/* The next id of the sequence.  Allocates nothing.  OSC_EVALUE if a logit is NaN or plus
 * infinity, or all are minus infinity. */
osc_status osc_sampler_next(osc_sampler *sampler, int32_t *id, const float *logits);

#endif

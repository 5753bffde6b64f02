/* Reading figures computed independently (tests/data/README.md). */
#ifndef REFERENCE_H
#define REFERENCE_H

#include <check.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "osc.h"
#include "paths.h"

#define must(call) ck_assert_msg((call) == OSC_OK, "%s: %s", #call, osc_error())

static inline json_t *read_json(const char *path)
{
    json_error_t error;
    json_t *root = json_load_file(path, 0, &error);
    ck_assert_msg(root != NULL, "%s: %s", path, error.text);
    return root;
}

static inline double number(const json_t *object, const char *key)
{
    json_t *value = json_object_get(object, key);
    ck_assert_msg(json_is_number(value), "%s is not a number", key);
    return json_number_value(value);
}

/* A perplexity is within 1e-4 of the reference in float32 or in float64, or between
 * them: for the post-norm model they differ by more, and where in between a float32
 * result lies depends on the BLAS's kernels. */
static inline void check_perplexity_near(double got, const json_t *single, const json_t *exact)
{
    double a = number(single, "ppl_fp32"), b = number(exact, "ppl");
    ck_assert_msg(got > fmin(a, b) * (1.0 - 1e-4) && got < fmax(a, b) * (1.0 + 1e-4),
                  "perplexity %.8g, reference %.8g, in float64 %.8g", got, a, b);
}

/* A corpus of the sequences [[id, ...], ...]. */
static inline osc_corpus *corpus_of(const json_t *sequences)
{
    osc_corpus *corpus = osc_alloc(1, sizeof *corpus);
    size_t total = 0, i;
    json_t *sequence;
    json_array_foreach(sequences, i, sequence)
        total += json_array_size(sequence);
    corpus->count = json_array_size(sequences);
    corpus->ids = osc_alloc(total, sizeof *corpus->ids);
    corpus->offset = osc_alloc(corpus->count + 1, sizeof *corpus->offset);
    corpus->protocol = OSC_TOKENS;
    json_array_foreach(sequences, i, sequence) {
        size_t n = json_array_size(sequence), at = corpus->offset[i];
        for (size_t t = 0; t < n; t++)
            corpus->ids[at + t] = (int32_t)json_integer_value(json_array_get(sequence, t));
        corpus->offset[i + 1] = at + n;
        corpus->longest = n > corpus->longest ? n : corpus->longest;
    }
    return corpus;
}

#endif

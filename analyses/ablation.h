/* Ablation (docs/ablation.md): what a model loses without some features.
 *
 * Two measures.  Cascading: the features are taken out at the chosen points of every
 * block and the perplexity is taken of what comes out at the end.  Not cascading: in
 * each block alone they are taken out at the attention's input, and the attention's
 * largest probability is averaged; what goes on to the next block is the regular.
 * Beside the chosen features stand draws: random sets of as many other features. */
#ifndef ANALYSES_ABLATION_H
#define ANALYSES_ABLATION_H

#include <stdio.h>

#include "analyses/table.h"
#include "osc.h"

typedef enum {
    ABLATION_ZERO,     /* the features become 0 */
    ABLATION_MEAN,     /* each becomes its mean over all positions of the regular run, by
                          point and block */
    ABLATION_MODE_COUNT
} ablation_mode;

/* Where random sets come from. */
typedef enum {
    ABLATION_NEVER,    /* features that reach alpha nowhere */
    ABLATION_OTHERS,   /* no outliers: the above are too few */
    ABLATION_POOL_COUNT
} ablation_pool;

/* One set of features, measured. */
typedef struct {
    double  nll, perplexity;   /* total over the scored ids, in nats; cascading */
    double *top1, *later;      /* [layers] mean over heads and queries; without the queries at
                                  position 0, whose mass is 1.  Not cascading */
} ablation_cell;

typedef struct {
    /* what was measured on what */
    char         tool[64], command[4096], model[256], scheme[256], backend[16];
    char         weights[OSC_DIGEST_HEX], tokenizer[OSC_DIGEST_HEX], text[OSC_DIGEST_HEX];
    char         chosen_by[512];      /* how the features were chosen, a phrase */
    osc_protocol protocol;
    int32_t      bos;
    size_t       sequences, length, scored, layers;
    double       alpha;

    ablation_mode mode;
    unsigned      points;             /* bits (1u << point) of the cascading measure */
    uint64_t      seed;               /* of draws and resampling (rng.h) */
    bool          cumulative;         /* 1, 2, ... features, else all at once */

    size_t        features;           /* K, may be 0: then there are no draws */
    uint32_t     *feature;            /* [K] by falling magnitude */
    float        *magnitude;          /* [K] largest |x| at the points, in any block */
    ablation_pool pool;
    size_t        pool_size;          /* features to draw from */
    size_t        draws;              /* N */
    uint32_t     *drawn;              /* [N, K] in the order drawn */

    size_t        steps;              /* cumulative: K, else 1; at least 1 */
    ablation_cell *cell;              /* see below */
    double       *masses;             /* what the cells' top1 and later point into */
} ablation;

/* How many features step `s` of 0..steps-1 takes out: the first so many of `feature`, or
 * of a draw. */
static inline size_t ablation_size(const ablation *a, size_t step)
{
    return a->cumulative && a->features > 0 ? step + 1 : a->features;
}

/* The model as it is; the chosen features; draw number d.  The last step has them all. */
static inline ablation_cell *ablation_baseline(const ablation *a)
{
    return &a->cell[0];
}

static inline ablation_cell *ablation_chosen(const ablation *a, size_t step)
{
    return &a->cell[1 + step];
}

static inline ablation_cell *ablation_draw(const ablation *a, size_t draw, size_t step)
{
    return &a->cell[1 + (1 + draw) * a->steps + step];
}

/* Makes room for a->layers, features and draws; sets a->steps.  OSC_ENOMEM. */
osc_status ablation_allocate(ablation *a);
void ablation_free(ablation *a);

/* "zero", "mean"; "never at alpha", "no outliers". */
extern const char *const ablation_mode_names[ABLATION_MODE_COUNT];
extern const char *const ablation_pool_names[ABLATION_POOL_COUNT];

/* "qkv_in+fc1_in": the label of the cascading measure; returns `text`. */
const char *ablation_points_text(char *text, size_t size, unsigned points);

/* --- ablation_sets.c: which features ------------------------------------------------ */

/* What is known of each feature, [width]. */
typedef struct {
    size_t width;
    bool  *outlier;      /* by the rule */
    bool  *reaches;      /* alpha, somewhere in some tracked tensor */
    float *magnitude;    /* largest |x| at the points */
} ablation_candidates;

osc_status ablation_candidates_allocate(ablation_candidates *c, size_t width);
void ablation_candidates_free(ablation_candidates *c);

/* The outliers, or the `count` features of largest magnitude, or those given (a repeated
 * one counts once), by falling magnitude.  Each sets a->features and makes room
 * (ablation_allocate) for a->layers, draws and cumulative, which come before; without
 * features there are no draws.  OSC_EVALUE for features that there are not. */
osc_status ablation_take_outliers(ablation *a, const ablation_candidates *c);
osc_status ablation_take_largest(ablation *a, const ablation_candidates *c, size_t count);
osc_status ablation_take_given(ablation *a, const ablation_candidates *c, const uint32_t *feature,
                               size_t count);

/* a->drawn for a->draws and a->seed, from features that are not in a->feature.  A draw
 * does not depend on how many follow it.  OSC_EVALUE if the pool is too small. */
osc_status ablation_draw_sets(ablation *a, const ablation_candidates *c);

/* --- ablation_stats.c: numbers from cells ------------------------------------------- */

typedef enum {
    ABLATION_PERPLEXITY, ABLATION_TOP1, ABLATION_LATER, ABLATION_QUANTITY_COUNT
} ablation_quantity;

enum { ABLATION_ALL_BLOCKS = -1 };

/* Top-1 masses of one block, or their mean over the blocks. */
double ablation_value(const ablation *a, const ablation_cell *cell, ablation_quantity quantity,
                      int block);

/* Of the draws' values: NaN where there are too few (mean 1, all else 2). */
typedef struct {
    double mean, sd;      /* sd: of the sample (n - 1) */
    double low, high;     /* bootstrap confidence interval of the mean (bootstrap.h) */
} ablation_summary;

#define ABLATION_LEVEL 0.95

osc_status ablation_summarize(ablation_summary *summary, const ablation *a, size_t step,
                              ablation_quantity quantity, int block);

/* --- files --------------------------------------------------------------------------- */

/* DESIGN.md, section 9; owned by the caller; NULL when out of memory. */
json_t *ablation_json(const ablation *a);
/* Reads it back.  OSC_EFORMAT names the key at fault.  Released with ablation_free. */
osc_status ablation_parse(ablation *a, const json_t *root);

/* Tables: the sets with their measures, then (cumulative) those of every step, then the
 * top-1 mass of each block.  CSV has one table, all sets of all steps. */
osc_status ablation_write(const ablation *a, table_format format, FILE *out);

/* Perplexity and top-1 mass against the number of features, top-1 mass by block, SVG. */
osc_status ablation_plot(const ablation *a, FILE *out);

#endif

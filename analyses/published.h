/* What the paper printed of its models, as data. */
#ifndef ANALYSES_PUBLISHED_H
#define ANALYSES_PUBLISHED_H

#include <stddef.h>

typedef struct {
    const char *model;
    double      perplexity;            /* C4 validation */
    double      parameters;            /* as printed, rounded to two or three digits */
    size_t      count, one_sided;      /* outlier features */
    double      layers, positions;     /* shares affected */
    double      quartiles[3];          /* of the most common outlier */
    double      top1, top1_without;    /* largest attention probability, with and without them */
} published_model;

enum { PUBLISHED_MODELS = 10 };

/* From the worst perplexity to the best, as printed. */
extern const published_model published_models[PUBLISHED_MODELS];

/* "LLM.int8() (arXiv 2208.07339), Table 4" */
extern const char published_source[];

#endif

/* The parts of the command `coverage`: at which share of the positions each feature
 * reaches alpha in each block. */
#ifndef ANALYSES_COVERAGE_H
#define ANALYSES_COVERAGE_H

#include "analyses/table.h"

typedef enum {
    COVERAGE_POINT,    /* one point: the record's own counts */
    COVERAGE_UNION,    /* any tracked tensor of the block: counted from the events */
    COVERAGE_MOST      /* the largest over the tracked tensors, a lower bound of the union */
} coverage_source;

typedef enum { ORDER_COVERAGE, ORDER_INDEX, ORDER_COUNT } coverage_order;

typedef struct {
    size_t          layers, width;
    uint64_t        positions;
    uint64_t       *count;       /* [layers * width], owned */
    bool           *outlier;     /* [width], owned: by DESIGN.md, section 4, defaults */
    coverage_source source;
    unsigned        points;      /* the point, or those of the union */
} coverage;

/* Of one recorded point. */
osc_status coverage_of_point(coverage *made, osc_record *record, osc_point point);
/* Of the record's tracked set: the union, or if its events are not all there the
 * largest. */
osc_status coverage_of_tracked(coverage *made, osc_record *record);
void coverage_free(coverage *c);

typedef struct {
    size_t *feature;    /* [count] */
    size_t  count;
    size_t  reaching;   /* features that reach alpha in some block, chosen or not */
} coverage_choice;

/* The features that reach alpha in some block, outliers before others, each the most
 * covered first; the first `most` (0: all) of them, put in order.  Released with
 * osc_free(choice->feature). */
osc_status coverage_choose(coverage_choice *choice, const coverage *c, size_t most,
                           coverage_order order);

/* Positions summed over the blocks. */
uint64_t coverage_total(const coverage *c, size_t feature);
/* Share of the positions of one block. */
double coverage_share(const coverage *c, size_t layer, size_t feature);

/* "Share of the 4096 positions at which |x| >= 6 in qkv_in, out_in or fc1_in"; the
 * sign is that of a picture or of ASCII (">="). */
void coverage_caption(char *text, size_t size, const coverage *c, double alpha, const char *sign);

osc_status coverage_write_table(const coverage *c, const osc_record_info *info,
                                const coverage_choice *choice, table_format format, FILE *out);
osc_status coverage_write_json(const coverage *c, const osc_record_info *info,
                               const coverage_choice *choice, FILE *out);

/* The heat map: all features on an axis, or the most covered ones in that order. */
osc_status coverage_write_plot(const coverage *c, const osc_record_info *info, bool all,
                               coverage_order order, FILE *out);

#endif

/* The block x feature heat map, as SVG. */
#ifndef ANALYSES_HEATMAP_H
#define ANALYSES_HEATMAP_H

#include <stdio.h>

#include "osc.h"

typedef struct {
    const char   *title;
    const char   *subtitle;      /* a sentence or two: what was counted; wrapped */
    const char   *value_label;   /* what the colours mean: "share of positions ..." */
    const char   *mark_label;    /* what a mark means: "outlier feature: ..." */
    size_t        rows, columns;
    const double *value;         /* [rows * columns], shares 0..1 */
    const size_t *feature;       /* [columns], index of each column's feature */
    const bool   *marked;        /* [columns] */
    bool          axis;          /* columns are the features 0, 1, ...: an axis with ticks; adjacent
                                    columns share a pixel if they must, the largest value shows.
                                    Otherwise each column is labelled with its feature */
} heatmap;

/* At most so many columns fit when each is labelled. */
enum { HEATMAP_LABELLED_MOST = 60 };

/* Errors of `out` are left to whoever closes it. */
osc_status heatmap_write(const heatmap *map, FILE *out);

/* The smallest of 1, 2, 5, 10, 20, 50, ... percent (as a share) that is not below
 * `most`, at most 1: the top of the colour scale. */
double heatmap_scale(double most);

/* Moves `place` [count], ascending, as little as possible (least squares) so that
 * neighbours are at least `gap` apart and all lie in lowest..highest, where they
 * must fit. */
void heatmap_spread(double *place, size_t count, double gap, double lowest, double highest);

/* The smallest of 1, 2, 5, 10, ... for which ticks every so many units of `unit`
 * pixels are at least `least` pixels apart. */
size_t heatmap_tick_step(double unit, double least);

#endif

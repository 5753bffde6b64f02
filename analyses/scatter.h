/* Panels of labelled points with fitted curves, as SVG. */
#ifndef ANALYSES_SCATTER_H
#define ANALYSES_SCATTER_H

#include <stdio.h>

#include "analyses/labels.h"
#include "analyses/lineplot.h"

typedef struct {
    double      x, y;          /* points that are not finite are left out */
    const char *label;
} scatter_point;

typedef struct {
    double x, y;
    double low, high;          /* the band about it; NaN: none */
} scatter_node;

/* Marks differ in shape and in filling, so that they can be told apart without colour. */
typedef enum { SCATTER_DISC, SCATTER_RING, SCATTER_DIAMOND } scatter_mark;

typedef struct {
    const char          *name;
    scatter_mark         mark;
    const scatter_point *point;        /* [count] */
    size_t               count;
    const scatter_node  *curve;        /* [nodes], x in order; under the marks */
    size_t               nodes;
} scatter_series;

enum { SCATTER_CAPTIONS = 4 };

typedef struct {
    const char *label;
    bool        log, reversed;
    bool        log_if_wide;           /* log where the points span more than a decade */
    bool        amounts;               /* ticks "2M", "10B" */
    bool        whole;                 /* no ticks between whole numbers */
    bool        from_zero;
    double      high;                  /* the axis reaches at least here; 0: follows the data */
} scatter_axis;

typedef struct {
    const char           *heading;
    const char           *caption[SCATTER_CAPTIONS];   /* below it, each begins a line; or NULL */
    scatter_axis          x, y;
    const scatter_series *series;
    size_t                count;
} scatter_panel;

typedef struct {
    const char          *title, *subtitle;
    const scatter_panel *panel;
    size_t               panels, columns;   /* at least 1; the legend is that of the first */
} scatter;

/* OSC_ENOMEM.  Errors of `out` are left to whoever closes it. */
osc_status scatter_write(const scatter *plot, FILE *out);

#endif

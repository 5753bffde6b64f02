/* Line plots, two side by side, as SVG. */
#ifndef ANALYSES_LINEPLOT_H
#define ANALYSES_LINEPLOT_H

#include <stdio.h>

#include "osc.h"

typedef struct {
    const char   *name;
    const double *x, *y;      /* [count], x ascending; +inf has a place of its own at the right;
                                 points that are not finite otherwise are left out */
    size_t        count;
    size_t        color;      /* series of one number have one colour and mark in all panels */
    bool          reference;  /* a dashed line without marks */
    bool          scatter;    /* marks without a line; then x need not ascend */
    const double *low, *high; /* [count] ends of a whisker at each point; NULL: none */
} lineplot_series;

typedef struct {
    const char            *y_label;
    const lineplot_series *series;
    size_t                 count;
    bool                   from_zero;   /* the y axis begins at 0; otherwise it follows the data
                                           and is logarithmic where they span more than a decade */
    const char            *x_label;     /* NULL: that of the plot */
    bool                   whole;       /* x counts something: ticks at whole numbers */
    bool                   amounts;     /* x is logarithmic, ticks "2M", "10B" */
} lineplot_panel;

typedef struct {
    const char           *title, *subtitle, *x_label;
    const lineplot_panel *panel;
    size_t                panels;   /* at least 1; the legend is that of the first */
} lineplot;

/* Errors of `out` are left to whoever closes it. */
void lineplot_write(const lineplot *plot, FILE *out);

/* --- lineplot_axis.c ------------------------------------------------------------ */

enum { LINEPLOT_TICKS_MOST = 24 };

typedef struct {
    double low, high;                     /* ends of the axis */
    bool   log;
    double tick[LINEPLOT_TICKS_MOST];     /* ascending, in low..high */
    size_t ticks;
} lineplot_axis;

/* An axis for values low..high with steps of 1, 2 or 5 times a power of ten, about
 * `about` of them. */
lineplot_axis lineplot_axis_make(double low, double high, bool log, size_t about);
/* The same, logarithmic and widened as long as it has fewer than three ticks. */
lineplot_axis lineplot_axis_log(double low, double high, size_t about);
/* "2M", "500K", "10B". */
void lineplot_amount_text(char *text, size_t size, double value);
/* Where a value is on the axis, 0..1. */
double lineplot_axis_at(const lineplot_axis *axis, double value);

#endif

/* Named rows with a mark per series on a common scale of percent, as SVG. */
#ifndef ANALYSES_DOTPLOT_H
#define ANALYSES_DOTPLOT_H

#include <stdio.h>

#include "osc.h"

typedef struct {
    const char        *title, *subtitle;
    const char        *x_label;      /* what the percentages are */
    const char *const *row;          /* [rows] names */
    size_t             rows;
    const char *const *series;       /* [count] names */
    size_t             count;
    const double      *value;        /* [rows, count] percent; NaN: none; +inf has a place of its
                                        own at the right */
} dotplot;

/* Errors of `out` are left to whoever closes it. */
void dotplot_write(const dotplot *plot, FILE *out);

/* The scale: linear about 0, logarithmic beyond DOTPLOT_LINEAR percent either way, so that
 * losses of a hundredth and of a thousand percent have a place in one figure.  Its unit
 * is about a decade. */
#define DOTPLOT_LINEAR 0.1
double dotplot_place(double percent);

#endif

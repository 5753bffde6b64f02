/* Between the files of the scatter plots. */
#ifndef ANALYSES_SCATTER_PARTS_H
#define ANALYSES_SCATTER_PARTS_H

#include "analyses/scatter.h"
#include "analyses/svg.h"

#define SCATTER_INK   "#222222"
#define SCATTER_FAINT "#ececec"
#define SCATTER_FRAME "#8a8a8a"

enum { SCATTER_WIDTH = 410, SCATTER_HEIGHT = 290 };   /* of a panel's frame, pixels */

typedef struct {
    const scatter_panel *panel;
    FILE                *out;
    double               left, top;      /* of the panel's frame */
    lineplot_axis        x, y;
} scatter_frame;

/* --- scatter_axis.c: sets the axes of f; draws frame, ticks and their labels. ---------- */
void scatter_make_axes(scatter_frame *f);
void scatter_draw_axes(const scatter_frame *f);

/* Pixels of a value.  What is above or below the axis is put on the frame: bands may
 * leave it. */
double scatter_x(const scatter_frame *f, double x);
double scatter_y(const scatter_frame *f, double y);

/* --- scatter_points.c: curves, bands, marks and their labels. -------------------------- */
osc_status scatter_draw_points(const scatter_frame *f);
void scatter_draw_mark(FILE *out, double x, double y, const scatter_series *s);

#endif

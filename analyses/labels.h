/* Places for the labels of marks in a figure: none on another, on a mark or outside. */
#ifndef ANALYSES_LABELS_H
#define ANALYSES_LABELS_H

#include <stdbool.h>
#include <stddef.h>

typedef struct {
    double left, top, width, height;
} labels_box;

typedef struct {
    double     x, y, radius;     /* a mark, which no label may cover */
    labels_box box;              /* its label: width and height given (0: it has none), */
    bool       placed;           /* left and top found; false if there is no room */
    bool       leader;           /* so far from its mark that a line should join them, */
    double     tip_x, tip_y;     /* from here at the label to the mark's edge: */
    double     mark_x, mark_y;
} labels_mark;

/* A piece of a curve, which labels avoid where they can. */
typedef struct {
    double x1, y1, x2, y2;
} labels_line;

/* Places all labels within `area`; returns how many found no room.  Pixels, y down.
 * The same input gives the same places. */
size_t labels_place(labels_mark *mark, size_t count, const labels_box *area,
                    const labels_line *line, size_t lines);

/* Do the boxes have an area in common? */
bool labels_overlap(const labels_box *a, const labels_box *b);

#endif

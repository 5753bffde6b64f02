/* Marks of series in figures: a colour and a shape each, so that they differ in grey and
 * for every kind of colour blindness. */
#ifndef ANALYSES_MARK_H
#define ANALYSES_MARK_H

#include <stdio.h>

#include "osc.h"

enum { MARK_SHAPES = 5 };   /* with the colours of palette.h 35 pairs */

/* Draws the mark of series number `index` around (x, y), about `size` wide. */
void mark_draw(FILE *out, double x, double y, double size, size_t index);

#endif

/* Marks of series in figures: a colour and a shape each, so that they differ in grey and
 * for every kind of colour blindness. */
#ifndef ANALYSES_MARK_H
#define ANALYSES_MARK_H

#include <stdio.h>

#include "osc.h"

enum { MARK_COLORS = 7, MARK_SHAPES = 5 };   /* pairs repeat after 35 series */

/* "#rrggbb" of series number `index`. */
const char *mark_color(size_t index);

/* Draws its mark around (x, y), about `size` wide. */
void mark_draw(FILE *out, double x, double y, double size, size_t index);

#endif

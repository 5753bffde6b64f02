/* The colours of all figures: one sequential scale, one list for series. */
#ifndef ANALYSES_PALETTE_H
#define ANALYSES_PALETTE_H

#include <stddef.h>

enum { PALETTE_TEXT = 8 };   /* "#rrggbb" and its end */

/* The colour of `share`, cut to 0..1: from pale yellow over teal to dark blue.
 * Lightness falls in a straight line, so the order survives in grey and for every
 * kind of colour blindness. */
void palette_color(char color[PALETTE_TEXT], double share);

enum { PALETTE_SERIES = 7 };

/* Of a series, by its number: Okabe and Ito's colours, which all kinds of colour
 * blindness can tell apart, without the yellow, which is too pale on white.  They repeat
 * after PALETTE_SERIES. */
const char *palette_series(size_t series);

/* Perceived lightness of what palette_color gives, 0..1 (OKLab). */
double palette_lightness(double share);

#endif

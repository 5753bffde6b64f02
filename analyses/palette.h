/* One sequential colour scale for all figures. */
#ifndef ANALYSES_PALETTE_H
#define ANALYSES_PALETTE_H

enum { PALETTE_TEXT = 8 };   /* "#rrggbb" and its end */

/* The colour of `share`, cut to 0..1: from pale yellow over teal to dark blue.
 * Lightness falls in a straight line, so the order survives in grey and for every
 * kind of colour blindness. */
void palette_color(char color[PALETTE_TEXT], double share);

/* Perceived lightness of what palette_color gives, 0..1 (OKLab). */
double palette_lightness(double share);

#endif

/* A small SVG writer.  Lengths are in pixels, y goes down, colours are "#rrggbb".
 * Errors of the stream are left to whoever closes it. */
#ifndef ANALYSES_SVG_H
#define ANALYSES_SVG_H

#include <stdio.h>

#include "osc.h"

typedef enum { SVG_START, SVG_MIDDLE, SVG_END } svg_anchor;

typedef struct {
    double      size;      /* of the font */
    svg_anchor  anchor;
    const char *color;
    bool        bold;
    double      rotate;    /* degrees, clockwise, about the anchor point */
} svg_font;

/* Opens a picture on a light background; title and description are for screen
 * readers. */
void svg_begin(FILE *out, double width, double height, const char *title, const char *description);
void svg_end(FILE *out);

/* Shapes up to svg_group_end get crisp edges: cells that touch leave no seam. */
void svg_group_begin(FILE *out);
void svg_group_end(FILE *out);

/* `tip` (may be NULL) is shown by a browser under the mouse. */
void svg_rect(FILE *out, double x, double y, double width, double height, const char *fill,
              const char *tip);
void svg_frame(FILE *out, double x, double y, double width, double height, const char *stroke);
void svg_line(FILE *out, double x1, double y1, double x2, double y2, const char *stroke);
/* A line of any width, dashed if wanted, with round ends. */
void svg_stroke(FILE *out, double x1, double y1, double x2, double y2, const char *stroke,
                double width, bool dashed);
void svg_disc(FILE *out, double x, double y, double radius, const char *fill);
/* A filled polygon; `corners` [2 * count] are x, y, x, y, ... */
void svg_polygon(FILE *out, const double *corners, size_t count, const char *fill);
/* A triangle that points down to (x, y). */
void svg_pointer(FILE *out, double x, double y, double size, const char *fill);
/* Open marks, white inside. */
void svg_ring(FILE *out, double x, double y, double radius, const char *stroke);
void svg_diamond(FILE *out, double x, double y, double radius, const char *stroke);
/* A line through `count` points x0, y0, x1, y1, ...; the area within such a line. */
void svg_path(FILE *out, const double *xy, size_t count, const char *stroke, double width,
              bool dashed);
void svg_area(FILE *out, const double *xy, size_t count, const char *fill, double opacity);
/* (x, y): the anchor on the text's base line. */
void svg_text(FILE *out, double x, double y, const svg_font *font, const char *text);

/* Upper estimate of a text's width for a sans-serif font of that size. */
double svg_text_width(const char *text, const svg_font *font);

/* Sets a text in lines of at most `width`, broken at spaces, and returns the number
 * of lines.  `out` may be NULL: then it only counts. */
size_t svg_paragraph(FILE *out, double x, double y, double width, double leading,
                     const svg_font *font, const char *text);

#endif

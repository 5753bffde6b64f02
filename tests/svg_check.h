/* What a figure must be: well-formed, readable text within the page and not on other
 * text, and, drawn by an independent program, a picture with something on it. */
#ifndef SVG_CHECK_H
#define SVG_CHECK_H

#include <stdbool.h>
#include <stddef.h>

enum { SVG_WHY = 512 };

/* Each returns whether all is well, and if not, why, in `why` [SVG_WHY]. */

/* Texts by the writer's own estimate of their widths.  `svg` is as svg.c writes it, alone
 * or in a page of several. */
bool svg_check_texts(const char *svg, char *why);

/* By xmllint, of the file. */
bool svg_check_xml(const char *path, char *why);

/* By rsvg-convert: more than background, and something in every third of the picture. */
bool svg_check_picture(const char *path, char *why);

/* Is the program that a check needs there? */
bool svg_check_has(const char *program);

#endif

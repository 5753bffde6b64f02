/* Block x layer heat maps, one per model and scheme, with one colour scale, as SVG. */
#ifndef ANALYSES_BLOCKMAP_H
#define ANALYSES_BLOCKMAP_H

#include <stdio.h>

#include "osc.h"

typedef struct {
    const char   *title;
    size_t        rows;      /* blocks; block 0 is at the bottom */
    const double *value;     /* [rows, columns]; NaN: none, +inf: beyond the scale */
} blockmap_panel;

typedef struct {
    const char           *title, *subtitle;
    const char           *value_label;    /* what the colours mean; dark is low */
    const char           *unit;           /* "dB" */
    const char *const    *column;         /* [columns] names below the maps */
    size_t                columns;
    const blockmap_panel *panel;
    size_t                panels;
} blockmap;

/* Errors of `out` are left to whoever closes it. */
void blockmap_write(const blockmap *map, FILE *out);

#endif

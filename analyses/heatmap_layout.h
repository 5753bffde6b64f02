/* Where the parts of a heat map go: what heatmap.c draws and heatmap_layout.c plans. */
#ifndef ANALYSES_HEATMAP_LAYOUT_H
#define ANALYSES_HEATMAP_LAYOUT_H

#include "analyses/heatmap.h"
#include "analyses/svg.h"

enum {
    MARGIN = 20, LEFT = 72, WIDTH_LEAST = 640, MAP_WIDTH_MOST = 1024, LEADING = 16,
    LABEL_GAP = 13
};

typedef struct {
    const heatmap *map;
    FILE          *out;
    double         cell_width, cell_height;
    size_t         group;                      /* columns to a pixel column */
    size_t         cells;                      /* pixel columns */
    double         left, top, width, height;   /* of the map */
    double         page_width, page_height;
    double         axis_top, legend_top;       /* below the map */
    double         scale;                      /* share of the darkest colour */
    size_t        *label;                      /* marked columns with a label above, ascending */
    size_t         labels, marks;
    bool           rotated;                    /* labels of columns stand upright */
} heatmap_layout;

extern const svg_font heatmap_title_font, heatmap_text_font;

/* Plans `map`; `layout->label` is released by the caller (osc_free), also after a failure. */
osc_status heatmap_plan(heatmap_layout *layout, const heatmap *map, FILE *out);

#endif

/* Layout from top to bottom: title, subtitle, marks and the labels that have one,
 * the map with its axes, the legend. */
#include <config.h>
#include "analyses/heatmap_layout.h"

#include <math.h>
#include <stdlib.h>

const svg_font heatmap_title_font = { 17, SVG_START, "#222222", true, 0 };
const svg_font heatmap_text_font = { 12, SVG_START, "#222222", false, 0 };

static void place_columns(heatmap_layout *l)
{
    size_t columns = l->map->columns;
    l->group = l->map->axis ? (columns + MAP_WIDTH_MOST - 1) / MAP_WIDTH_MOST : 1;
    l->cells = (columns + l->group - 1) / l->group;
    double widest = l->map->axis ? 8 : 44, narrowest = l->map->axis ? 1 : 16;
    l->cell_width = floor(MAP_WIDTH_MOST / (double)l->cells);
    l->cell_width = fmin(fmax(l->cell_width, narrowest), widest);
    l->width = l->cell_width * (double)l->cells;
    l->rotated = l->cell_width < 40;
    l->cell_height = floor(fmin(fmax(380 / (double)l->map->rows, 4), 28));
    l->height = l->cell_height * (double)l->map->rows;
}

static double largest(const heatmap *map)
{
    double most = 0;
    for (size_t i = 0; i < map->rows * map->columns; i++)
        most = fmax(most, map->value[i]);
    return most;
}

static void place_rows(heatmap_layout *l)
{
    const heatmap *map = l->map;
    double text_width = l->page_width - 2 * MARGIN;
    size_t lines = svg_paragraph(NULL, 0, 0, text_width, LEADING,
                                 &heatmap_text_font, map->subtitle);
    l->top = 44 + LEADING * (double)lines + 14;
    if (l->marks > 0)
        l->top += map->axis ? 62 : 12;
    l->axis_top = l->top + l->height;
    l->legend_top = l->axis_top + (!map->axis && l->rotated ? 54 : 30) + 34;
    double explained = l->marks == 0 ? 0 : LEADING * (double)
        svg_paragraph(NULL, 0, 0, text_width - 20, LEADING, &heatmap_text_font, map->mark_label);
    l->page_height = l->legend_top + 62 + explained + MARGIN / 2;
}

typedef struct { size_t column; double share; } ranked;

static int by_share(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->share != y->share)
        return x->share < y->share ? 1 : -1;
    return x->column < y->column ? -1 : 1;
}

static int ascending(const void *a, const void *b)
{
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    return x < y ? -1 : x > y;
}

/* On an axis, as many marked columns get a label as have room, the darkest first. */
static osc_status choose_labels(heatmap_layout *l)
{
    const heatmap *map = l->map;
    ranked *candidates = osc_alloc(map->columns, sizeof *candidates);
    l->label = osc_alloc(map->columns, sizeof *l->label);
    if (candidates == NULL || l->label == NULL) {
        osc_free(candidates);
        return OSC_ENOMEM;
    }
    for (size_t c = 0; c < map->columns; c++) {
        if (!map->marked[c])
            continue;
        ranked *r = &candidates[l->marks++];
        r->column = c;
        for (size_t row = 0; row < map->rows; row++)
            r->share += map->value[row * map->columns + c];
    }
    qsort(candidates, l->marks, sizeof *candidates, by_share);
    size_t room = (size_t)(l->width / LABEL_GAP);
    l->labels = !map->axis ? 0 : l->marks < room ? l->marks : room;
    for (size_t i = 0; i < l->labels; i++)
        l->label[i] = candidates[i].column;
    qsort(l->label, l->labels, sizeof *l->label, ascending);
    osc_free(candidates);
    return OSC_OK;
}

osc_status heatmap_plan(heatmap_layout *l, const heatmap *map, FILE *out)
{
    *l = (heatmap_layout){ .map = map, .out = out };
    place_columns(l);
    OSC_TRY(choose_labels(l));
    l->left = LEFT;
    l->page_width = fmax(l->left + l->width + MARGIN, WIDTH_LEAST);
    l->page_width = fmax(l->page_width,
                         svg_text_width(l->map->title, &heatmap_title_font) + 2 * MARGIN);
    l->scale = heatmap_scale(largest(l->map));
    place_rows(l);
    return OSC_OK;
}


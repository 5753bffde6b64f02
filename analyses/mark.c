#include <config.h>
#include "analyses/mark.h"

#include "analyses/svg.h"

/* Okabe and Ito's colours without the yellow, which is too pale on white. */
static const char *const colors[MARK_COLORS] = {
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000",
};

const char *mark_color(size_t index)
{
    return colors[index % MARK_COLORS];
}

static void draw_diamond(FILE *out, double x, double y, double size, const char *fill)
{
    double r = 0.58 * size;
    const double corners[] = { x, y - r, x + r, y, x, y + r, x - r, y };
    svg_polygon(out, corners, 4, fill);
}

static void draw_triangle(FILE *out, double x, double y, double size, const char *fill)
{
    double r = 0.56 * size;
    const double corners[] = { x, y - r, x + r, y + r, x - r, y + r };
    svg_polygon(out, corners, 3, fill);
}

void mark_draw(FILE *out, double x, double y, double size, size_t index)
{
    const char *fill = mark_color(index);
    switch (index % MARK_SHAPES) {
    case 0: svg_disc(out, x, y, size / 2, fill); break;
    case 1: svg_rect(out, x - 0.46 * size, y - 0.46 * size, 0.92 * size, 0.92 * size, fill, NULL);
            break;
    case 2: draw_triangle(out, x, y, size, fill); break;
    case 3: draw_diamond(out, x, y, size, fill); break;
    default: svg_pointer(out, x, y + size / 2, 1.12 * size, fill);
    }
}

#include <config.h>
#include "analyses/mark.h"

#include "analyses/palette.h"
#include "analyses/svg.h"

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
    const char *fill = palette_series(index);
    switch (index % MARK_SHAPES) {
    case 0: svg_disc(out, x, y, size / 2, fill); break;
    case 1: svg_rect(out, x - 0.46 * size, y - 0.46 * size, 0.92 * size, 0.92 * size, fill, NULL);
            break;
    case 2: draw_triangle(out, x, y, size, fill); break;
    case 3: draw_diamond(out, x, y, size, fill); break;
    default: svg_pointer(out, x, y + size / 2, 1.12 * size, fill);
    }
}

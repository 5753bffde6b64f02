#include <config.h>
#include "analyses/scatter.h"

#include <math.h>

#include "analyses/scatter_parts.h"

enum { MARGIN = 20, LEADING = 15, LEFT = 66, GAP = 34, BELOW = 62 };

static const svg_font title_font = { 17, SVG_START, SCATTER_INK, true, 0 };
static const svg_font heading_font = { 13, SVG_START, SCATTER_INK, true, 0 };
static const svg_font text_font = { 12, SVG_START, SCATTER_INK, false, 0 };
static const svg_font small = { 11, SVG_START, SCATTER_INK, false, 0 };

/* Writes the heading and the captions, or (out NULL) only counts their lines. */
static size_t write_captions(const scatter_panel *p, double left, double top, FILE *out)
{
    size_t lines = 0;
    if (out != NULL)
        svg_text(out, left, top + 12, &heading_font, p->heading);
    for (size_t i = 0; i < SCATTER_CAPTIONS; i++)
        if (p->caption[i] != NULL)
            lines += svg_paragraph(out, left, top + 30 + LEADING * (double)lines,
                                   LEFT + SCATTER_WIDTH, LEADING, &small, p->caption[i]);
    return lines;
}

/* Lines of captions above the panels of a row. */
static size_t caption_lines(const scatter *plot, size_t first)
{
    size_t most = 0;
    for (size_t i = first; i < plot->panels && i < first + plot->columns; i++) {
        size_t lines = write_captions(&plot->panel[i], 0, 0, NULL);
        most = lines > most ? lines : most;
    }
    return most;
}

static double captions_height(size_t lines)
{
    return 24 + LEADING * (double)lines;
}

static osc_status draw_panel(const scatter_panel *panel, double left, double top, size_t lines,
                             FILE *out)
{
    scatter_frame f = { .panel = panel, .out = out, .left = left + LEFT,
                .top = top + captions_height(lines) };
    write_captions(panel, left, top, out);
    scatter_make_axes(&f);
    scatter_draw_axes(&f);
    return scatter_draw_points(&f);
}

static void draw_legend(const scatter_panel *panel, double top, FILE *out)
{
    for (size_t s = 0; s < panel->count; s++) {
        const scatter_series *series = &panel->series[s];
        double y = top + (double)s * (LEADING + 3);
        scatter_draw_mark(out, MARGIN + 8, y, series);
        svg_text(out, MARGIN + 24, y + 4, &text_font, series->name);
    }
}

static double width_of(const scatter *plot)
{
    double width = (double)plot->columns * (LEFT + SCATTER_WIDTH + GAP) - GAP + 2 * MARGIN;
    width = fmax(width, svg_text_width(plot->title, &title_font) + 2 * MARGIN);
    for (size_t s = 0; s < plot->panel[0].count; s++)
        width = fmax(width, svg_text_width(plot->panel[0].series[s].name, &text_font)
                            + 2 * MARGIN + 24);
    return width;
}

osc_status scatter_write(const scatter *plot, FILE *out)
{
    double width = width_of(plot);
    size_t lines = svg_paragraph(NULL, 0, 0, width - 2 * MARGIN, LEADING, &text_font,
                                 plot->subtitle);
    double first = 44 + LEADING * (double)lines + 12, top = first;
    for (size_t i = 0; i < plot->panels; i += plot->columns)
        top += captions_height(caption_lines(plot, i)) + SCATTER_HEIGHT + BELOW;
    double height = top + (double)plot->panel[0].count * (LEADING + 3) + MARGIN / 2.0;
    svg_begin(out, width, height, plot->title, plot->subtitle);
    svg_text(out, MARGIN, 32, &title_font, plot->title);
    svg_paragraph(out, MARGIN, 54, width - 2 * MARGIN, LEADING, &text_font, plot->subtitle);
    draw_legend(&plot->panel[0], top, out);
    top = first;
    for (size_t i = 0; i < plot->panels; i++) {
        size_t column = i % plot->columns, above = caption_lines(plot, i - column);
        OSC_TRY(draw_panel(&plot->panel[i], MARGIN + (double)column * (LEFT + SCATTER_WIDTH + GAP),
                           top, above, out));
        if (column + 1 == plot->columns)
            top += captions_height(above) + SCATTER_HEIGHT + BELOW;
    }
    svg_end(out);
    return OSC_OK;
}

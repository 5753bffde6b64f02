#include <config.h>
#include "analyses/svg.h"

#include <string.h>

#include "analyses/markup.h"
#include "analyses/utf8.h"

void svg_begin(FILE *out, double width, double height, const char *title, const char *description)
{
    fprintf(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%g\" height=\"%g\""
            " viewBox=\"0 0 %g %g\" font-family=\"sans-serif\" role=\"img\">\n",
            width, height, width, height);
    markup_element(out, "title", title);
    markup_element(out, "desc", description);
    fputc('\n', out);
    svg_rect(out, 0, 0, width, height, "#ffffff", NULL);
}

void svg_end(FILE *out)
{
    fputs("</svg>\n", out);
}

void svg_group_begin(FILE *out)
{
    fputs("<g shape-rendering=\"crispEdges\">\n", out);
}

void svg_group_end(FILE *out)
{
    fputs("</g>\n", out);
}

void svg_rect(FILE *out, double x, double y, double width, double height, const char *fill,
              const char *tip)
{
    fprintf(out, "<rect x=\"%g\" y=\"%g\" width=\"%g\" height=\"%g\" fill=\"%s\"",
            x, y, width, height, fill);
    if (tip == NULL) {
        fputs("/>\n", out);
        return;
    }
    fputc('>', out);
    markup_element(out, "title", tip);
    fputs("</rect>\n", out);
}

void svg_frame(FILE *out, double x, double y, double width, double height, const char *stroke)
{
    fprintf(out, "<rect x=\"%g\" y=\"%g\" width=\"%g\" height=\"%g\" fill=\"none\""
            " stroke=\"%s\"/>\n", x, y, width, height, stroke);
}

void svg_line(FILE *out, double x1, double y1, double x2, double y2, const char *stroke)
{
    fprintf(out, "<line x1=\"%g\" y1=\"%g\" x2=\"%g\" y2=\"%g\" stroke=\"%s\"/>\n",
            x1, y1, x2, y2, stroke);
}

void svg_stroke(FILE *out, double x1, double y1, double x2, double y2, const char *stroke,
                double width, bool dashed)
{
    fprintf(out, "<line x1=\"%g\" y1=\"%g\" x2=\"%g\" y2=\"%g\" stroke=\"%s\""
            " stroke-width=\"%g\" stroke-linecap=\"round\"%s/>\n", x1, y1, x2, y2, stroke, width,
            dashed ? " stroke-dasharray=\"5 4\"" : "");
}

void svg_disc(FILE *out, double x, double y, double radius, const char *fill)
{
    fprintf(out, "<circle cx=\"%g\" cy=\"%g\" r=\"%g\" fill=\"%s\"/>\n", x, y, radius, fill);
}

void svg_polygon(FILE *out, const double *corners, size_t count, const char *fill)
{
    fputs("<polygon points=\"", out);
    for (size_t i = 0; i < count; i++)
        fprintf(out, "%s%g,%g", i > 0 ? " " : "", corners[2 * i], corners[2 * i + 1]);
    fprintf(out, "\" fill=\"%s\"/>\n", fill);
}

void svg_pointer(FILE *out, double x, double y, double size, const char *fill)
{
    const double corners[] = { x, y, x - size / 2, y - size, x + size / 2, y - size };
    svg_polygon(out, corners, 3, fill);
}

void svg_ring(FILE *out, double x, double y, double radius, const char *stroke)
{
    fprintf(out, "<circle cx=\"%g\" cy=\"%g\" r=\"%g\" fill=\"#ffffff\" stroke=\"%s\""
            " stroke-width=\"1.8\"/>\n", x, y, radius, stroke);
}

void svg_diamond(FILE *out, double x, double y, double radius, const char *stroke)
{
    fprintf(out, "<polygon points=\"%g,%g %g,%g %g,%g %g,%g\" fill=\"#ffffff\" stroke=\"%s\""
            " stroke-width=\"1.6\"/>\n", x, y - radius, x + radius, y, x, y + radius,
            x - radius, y, stroke);
}

static void put_points(FILE *out, const double *xy, size_t count)
{
    fputs(" points=\"", out);
    for (size_t i = 0; i < count; i++)
        fprintf(out, "%s%.2f,%.2f", i > 0 ? " " : "", xy[2 * i], xy[2 * i + 1]);
    fputc('"', out);
}

void svg_path(FILE *out, const double *xy, size_t count, const char *stroke, double width,
              bool dashed)
{
    fputs("<polyline", out);
    put_points(out, xy, count);
    fprintf(out, " fill=\"none\" stroke=\"%s\" stroke-width=\"%g\" stroke-linejoin=\"round\"%s/>\n",
            stroke, width, dashed ? " stroke-dasharray=\"6 4\"" : "");
}

void svg_area(FILE *out, const double *xy, size_t count, const char *fill, double opacity)
{
    fputs("<polygon", out);
    put_points(out, xy, count);
    fprintf(out, " fill=\"%s\" fill-opacity=\"%g\"/>\n", fill, opacity);
}

static void put_line(FILE *out, double x, double y, const svg_font *font, const char *text,
                     size_t bytes)
{
    static const char *const anchors[] = {
        [SVG_START] = "start", [SVG_MIDDLE] = "middle", [SVG_END] = "end",
    };
    fprintf(out, "<text x=\"%g\" y=\"%g\" font-size=\"%g\" text-anchor=\"%s\" fill=\"%s\"",
            x, y, font->size, anchors[font->anchor], font->color);
    if (font->bold)
        fputs(" font-weight=\"bold\"", out);
    if (font->rotate != 0)
        fprintf(out, " transform=\"rotate(%g %g %g)\"", font->rotate, x, y);
    fputc('>', out);
    markup_put(out, text, bytes);
    fputs("</text>\n", out);
}

void svg_text(FILE *out, double x, double y, const svg_font *font, const char *text)
{
    put_line(out, x, y, font, text, strlen(text));
}

/* Of the first `bytes` bytes: 0.58 em a column is more than the mean advance of
 * the usual sans-serif fonts. */
static double width_of(const char *text, size_t bytes, const svg_font *font)
{
    const char *end = text + bytes;
    size_t columns = 0;
    while (text < end)
        columns += utf8_columns(utf8_next(&text));
    return (double)columns * font->size * (font->bold ? 0.63 : 0.58);
}

double svg_text_width(const char *text, const svg_font *font)
{
    return width_of(text, strlen(text), font);
}

/* Bytes of the longest start of `text`, cut at a space, that fits; a word that is
 * too long stands alone. */
static size_t fitting(const char *text, double width, const svg_font *font)
{
    size_t fits = strcspn(text, " ");
    for (size_t end = fits; ; end += 1 + strcspn(text + end + 1, " ")) {
        if (width_of(text, end, font) > width)
            return fits;
        fits = end;
        if (text[end] == '\0')
            return fits;
    }
}

size_t svg_paragraph(FILE *out, double x, double y, double width, double leading,
                     const svg_font *font, const char *text)
{
    size_t lines = 0;
    while (*(text += strspn(text, " ")) != '\0') {
        size_t bytes = fitting(text, width, font);
        if (out != NULL)
            put_line(out, x, y + leading * (double)lines, font, text, bytes);
        text += bytes;
        lines++;
    }
    return lines;
}

#include <config.h>
#include "svg_check.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "analyses/svg.h"

/* --- texts --------------------------------------------------------------------------- */

enum { TEXTS_MOST = 8192, TEXT_MOST = 512 };

/* Ascent and descent of letters, and what boxes may share, in parts of the font's size and
 * in pixels. */
#define ASCENT  0.74
#define DESCENT 0.2
#define SLACK   1.0

typedef struct {
    double left, top, right, bottom;
    char   text[TEXT_MOST];
} text_box;

typedef struct {
    text_box *box;
    size_t    count;
    double    width, height;     /* of the page */
} page;

static double attribute(const char *element, const char *name)
{
    char key[32];
    snprintf(key, sizeof key, " %s=\"", name);
    const char *at = strstr(element, key), *end = strchr(element, '>');
    return at == NULL || at > end ? NAN : strtod(at + strlen(key), NULL);
}

/* The characters of an element, with entities as what they stand for. */
static void read_text(char *text, const char *from)
{
    static const char *const entities[][2] = {
        { "&amp;", "&" }, { "&lt;", "<" }, { "&gt;", ">" }, { "&quot;", "\"" }, { "&#39;", "'" },
    };
    size_t used = 0;
    while (*from != '<' && used + 1 < TEXT_MOST) {
        size_t i = 0;
        while (i < 5 && strncmp(from, entities[i][0], strlen(entities[i][0])) != 0)
            i++;
        text[used++] = i < 5 ? entities[i][1][0] : *from;
        from += i < 5 ? strlen(entities[i][0]) : 1;
    }
    text[used] = '\0';
}

/* A box about the anchor point: along the text from `from` to `to`. */
static void turn(text_box *box, double x, double y, double from, double to, double size,
                 double degrees)
{
    if (isnan(degrees)) {
        *box = (text_box){ x + from, y - ASCENT * size, x + to, y + DESCENT * size, "" };
        return;
    }
    double c = cos(degrees * acos(-1.0) / 180), s = sin(degrees * acos(-1.0) / 180);
    *box = (text_box){ INFINITY, INFINITY, -INFINITY, -INFINITY, "" };
    for (int corner = 0; corner < 4; corner++) {
        double u = corner % 2 == 0 ? from : to, v = size * (corner < 2 ? -ASCENT : DESCENT);
        box->left = fmin(box->left, x + c * u - s * v);
        box->right = fmax(box->right, x + c * u - s * v);
        box->top = fmin(box->top, y + s * u + c * v);
        box->bottom = fmax(box->bottom, y + s * u + c * v);
    }
}

static void read_box(text_box *box, const char *element)
{
    char text[TEXT_MOST];
    const char *end = strchr(element, '>'), *rotate = strstr(element, "rotate(");
    const char *bold = strstr(element, "font-weight"), *anchor = strstr(element, "text-anchor=\"");
    svg_font font = { .size = attribute(element, "font-size"), .bold = bold && bold < end };
    read_text(text, end + 1);
    double width = svg_text_width(text, &font);
    double from = anchor[13] == 's' ? 0 : anchor[13] == 'm' ? -width / 2 : -width;
    turn(box, attribute(element, "x"), attribute(element, "y"), from, from + width, font.size,
         rotate != NULL && rotate < end ? strtod(rotate + 7, NULL) : NAN);
    memcpy(box->text, text, sizeof text);
}

static bool overlap(const text_box *a, const text_box *b)
{
    return a->left < b->right - SLACK && b->left < a->right - SLACK
        && a->top < b->bottom - SLACK && b->top < a->bottom - SLACK;
}

static bool within(const page *p, const text_box *b)
{
    return b->left > -SLACK && b->top > -SLACK && b->right < p->width + SLACK
        && b->bottom < p->height + SLACK;
}

static bool check_page(const page *p, char *why)
{
    for (size_t i = 0; i < p->count; i++) {
        if (!within(p, &p->box[i])) {
            snprintf(why, SVG_WHY, "'%.200s' leaves the page", p->box[i].text);
            return false;
        }
        for (size_t j = 0; j < i; j++)
            if (overlap(&p->box[i], &p->box[j])) {
                snprintf(why, SVG_WHY, "'%.200s' is on '%.200s'", p->box[i].text, p->box[j].text);
                return false;
            }
    }
    if (p->count == 0)
        snprintf(why, SVG_WHY, "no text");
    return p->count > 0;
}

/* The figure that begins at `svg`. */
static bool check_figure(const char *svg, text_box *boxes, char *why)
{
    page p = { .box = boxes, .width = attribute(svg, "width"),
               .height = attribute(svg, "height") };
    const char *end = strstr(svg, "</svg>");
    for (const char *s = svg; (s = strstr(s, "<text ")) != NULL && s < end; s++) {
        if (p.count == TEXTS_MOST) {
            snprintf(why, SVG_WHY, "more than %d texts", TEXTS_MOST);
            return false;
        }
        read_box(&p.box[p.count++], s);
    }
    return check_page(&p, why);
}

bool svg_check_texts(const char *svg, char *why)
{
    text_box *boxes = malloc(TEXTS_MOST * sizeof *boxes);
    size_t figures = 0;
    bool fine = boxes != NULL;
    snprintf(why, SVG_WHY, "no figure");
    for (const char *s = svg; fine && (s = strstr(s, "<svg ")) != NULL; s++, figures++)
        fine = check_figure(s, boxes, why);
    free(boxes);
    return fine && figures > 0;
}

/* --- other programs -------------------------------------------------------------------- */

bool svg_check_has(const char *program)
{
    char command[256];
    snprintf(command, sizeof command, "command -v %s >/dev/null", program);
    return system(command) == 0;
}

bool svg_check_xml(const char *path, char *why)
{
    char command[4352];
    snprintf(command, sizeof command, "xmllint --noout '%s'", path);
    bool fine = system(command) == 0;
    if (!fine)
        snprintf(why, SVG_WHY, "xmllint refuses it");
    return fine;
}

/* --- pictures -------------------------------------------------------------------------- */

typedef struct {
    size_t         width, height, bytes;     /* of a pixel: 3, or 4 with alpha */
    unsigned char *pixel;                    /* [height, width, bytes], malloc'd */
} picture;

static uint32_t big_endian(const unsigned char *b)
{
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static unsigned char paeth(int a, int b, int c)
{
    int p = a + b - c, pa = abs(p - a), pb = abs(p - b), pc = abs(p - c);
    return (unsigned char)(pa <= pb && pa <= pc ? a : pb <= pc ? b : c);
}

/* Undoes the filters of PNG (its specification, section 9) on rows of 1 + row bytes. */
static void unfilter(const picture *p, const unsigned char *data)
{
    size_t row = p->bytes * p->width, step = p->bytes;
    for (size_t y = 0; y < p->height; y++, data += row + 1) {
        unsigned char *to = p->pixel + y * row;
        for (size_t i = 0; i < row; i++) {
            int left = i >= step ? to[i - step] : 0, up = y > 0 ? to[i - row] : 0;
            int corner = i >= step && y > 0 ? to[i - row - step] : 0;
            const int add[5] = { 0, left, up, (left + up) / 2, paeth(left, up, corner) };
            to[i] = (unsigned char)(data[1 + i] + add[data[0] % 5]);
        }
    }
}

/* RGB or RGBA of 8 bits without interlace, which is what rsvg-convert writes. */
static bool decode(picture *p, const unsigned char *png, size_t size)
{
    if (size < 33 || memcmp(png, "\x89PNG\r\n\x1a\n", 8) != 0 || png[24] != 8
        || (png[25] != 2 && png[25] != 6) || png[28] != 0)
        return false;
    p->bytes = png[25] == 2 ? 3 : 4;
    p->width = big_endian(png + 16);
    p->height = big_endian(png + 20);
    size_t packed = 0, whole = p->height * (p->bytes * p->width + 1);
    unsigned char *stream = malloc(size), *data = malloc(whole);
    p->pixel = malloc(whole);
    for (size_t at = 8; at + 12 <= size; at += 12 + big_endian(png + at)) {
        size_t length = big_endian(png + at);
        if (length > size - at - 12)
            break;
        if (memcmp(png + at + 4, "IDAT", 4) == 0) {
            memcpy(stream + packed, png + at + 8, length);
            packed += length;
        }
    }
    uLongf got = whole;
    bool fine = uncompress(data, &got, stream, packed) == Z_OK && got == whole;
    if (fine)
        unfilter(p, data);
    free(stream);
    free(data);
    return fine;
}

static bool draw(picture *p, const char *path)
{
    char command[4352];
    unsigned char *png = NULL;
    size_t size = 0, room = 0, got = 1;
    snprintf(command, sizeof command, "rsvg-convert -b white '%s'", path);
    FILE *pipe = popen(command, "r");
    while (pipe != NULL && got > 0) {
        if (size == room)
            png = realloc(png, room = 2 * room + 65536);
        got = fread(png + size, 1, room - size, pipe);
        size += got;
    }
    bool fine = pipe != NULL && pclose(pipe) == 0 && decode(p, png, size);
    free(png);
    return fine;
}

/* Share of the pixels of rows first..last-1 that are not white. */
static double inked(const picture *p, size_t first, size_t last)
{
    size_t count = 0;
    for (size_t i = first * p->width; i < last * p->width; i++)
        count += memcmp(p->pixel + p->bytes * i, "\xff\xff\xff", 3) != 0;
    return (double)count / (double)((last - first) * p->width);
}

bool svg_check_picture(const char *path, char *why)
{
    picture p = { .pixel = NULL };
    bool fine = draw(&p, path);
    if (!fine)
        snprintf(why, SVG_WHY, "rsvg-convert cannot draw it");
    for (size_t third = 0; third < 3 && fine; third++) {
        double ink = inked(&p, third * p.height / 3, (third + 1) * p.height / 3);
        fine = ink > 0.002 && ink < 0.98;
        if (!fine)
            snprintf(why, SVG_WHY, "%.2f %% of its third number %zu is drawn on", 100 * ink,
                     third + 1);
    }
    free(p.pixel);
    return fine;
}

/* Figures as text: are they XML, and does any text lie on another? */
#ifndef XML_H
#define XML_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyses/labels.h"
#include "analyses/svg.h"

/* Elements nest, names of start and end tags agree, every '&' starts a known entity. */
static inline void xml_check(const char *text)
{
    char open[16][16];
    size_t depth = 0;
    for (const char *s = text; *s != '\0'; s++) {
        ck_assert((unsigned char)*s >= 0x20 || *s == '\n');
        if (*s == '&')
            ck_assert(strncmp(s, "&lt;", 4) == 0 || strncmp(s, "&gt;", 4) == 0
                      || strncmp(s, "&amp;", 5) == 0 || strncmp(s, "&quot;", 6) == 0);
        if (*s != '<' || s[1] == '?')
            continue;
        const char *end = strchr(s, '>');
        ck_assert_ptr_nonnull(end);
        char name[16] = "";
        sscanf(s + 1 + (s[1] == '/'), "%15[a-z]", name);
        ck_assert_uint_gt(strlen(name), 0);
        if (s[1] == '/')
            ck_assert(depth > 0 && strcmp(open[--depth], name) == 0);
        else if (end[-1] != '/')
            strcpy(open[depth++], name);
        ck_assert_uint_lt(depth, 16);
        s = end;
    }
    ck_assert_uint_eq(depth, 0);
}

/* The same by a real parser, where there is one. */
static inline void xml_check_parser(const char *text)
{
    FILE *parser = popen("if command -v xmllint >/dev/null; then exec xmllint --noout -; fi; "
                         "cat >/dev/null", "w");
    ck_assert_ptr_nonnull(parser);
    fputs(text, parser);
    ck_assert_int_eq(pclose(parser), 0);
}

/* How often `part` is in the text. */
static inline size_t xml_count(const char *text, const char *part)
{
    size_t found = 0;
    for (const char *s = text; (s = strstr(s, part)) != NULL; s++)
        found++;
    return found;
}

enum { XML_TEXTS_MOST = 512 };

typedef struct {
    labels_box box;
    char       text[256];
} xml_text;

/* The value of an attribute within the tag at `tag`. */
static inline double xml_number(const char *tag, const char *name)
{
    const char *end = strchr(tag, '>'), *at = strstr(tag, name);
    ck_assert(end != NULL && at != NULL && at < end);
    return strtod(at + strlen(name), NULL);
}

static inline bool xml_has(const char *tag, const char *part)
{
    const char *end = strchr(tag, '>'), *at = strstr(tag, part);
    return at != NULL && at < end;
}

/* Up to `end`, with entities replaced by a character each. */
static inline void xml_plain(char *plain, size_t size, const char *from, const char *end)
{
    size_t used = 0;
    for (; from < end && used + 1 < size; from++) {
        plain[used++] = *from;
        if (*from == '&')
            from = strchr(from, ';');
    }
    plain[used] = '\0';
}

/* The box of a text as wide as svg_text_width thinks at most; text that is turned runs
 * upwards. */
static inline xml_text xml_read_text(const char *tag)
{
    xml_text t = { .text = "" };
    const char *from = strchr(tag, '>') + 1;
    xml_plain(t.text, sizeof t.text, from, strstr(from, "</text>"));
    svg_font font = { .size = xml_number(tag, " font-size=\""),
                      .bold = xml_has(tag, "font-weight=\"bold\"") };
    double x = xml_number(tag, " x=\""), y = xml_number(tag, " y=\"");
    double width = svg_text_width(t.text, &font), up = 0.75 * font.size, down = 0.2 * font.size;
    double before = xml_has(tag, "\"middle\"") ? width / 2 : xml_has(tag, "\"end\"") ? width : 0;
    t.box = xml_has(tag, "rotate(-90")
          ? (labels_box){ x - up, y - (width - before), up + down, width }
          : (labels_box){ x - before, y - up, width, up + down };
    return t;
}

/* No two texts overlap, none leaves the picture; returns how many there are. */
static inline size_t xml_check_texts(const char *svg)
{
    static xml_text text[XML_TEXTS_MOST];
    size_t count = 0;
    const char *root = strstr(svg, "<svg");
    double width = xml_number(root, " width=\""), height = xml_number(root, " height=\"");
    for (const char *s = svg; (s = strstr(s, "<text ")) != NULL; s++) {
        ck_assert_uint_lt(count, XML_TEXTS_MOST);
        text[count++] = xml_read_text(s);
    }
    for (size_t i = 0; i < count; i++) {
        const labels_box *b = &text[i].box;
        ck_assert_msg(b->left >= 0 && b->top >= 0 && b->left + b->width <= width
                      && b->top + b->height <= height, "'%s' leaves the picture", text[i].text);
        for (size_t j = 0; j < i; j++)
            ck_assert_msg(!labels_overlap(b, &text[j].box), "'%s' lies on '%s'", text[i].text,
                          text[j].text);
    }
    return count;
}

#endif

#include <config.h>
#include "analyses/markup.h"

#include <string.h>

#include "analyses/utf8.h"

void markup_put(FILE *out, const char *text, size_t bytes)
{
    const char *end = text + bytes;
    while (text < end) {
        uint32_t c = utf8_next(&text);
        switch (c) {
        case '&': fputs("&amp;", out); break;
        case '<': fputs("&lt;", out); break;
        case '>': fputs("&gt;", out); break;
        case '"': fputs("&quot;", out); break;
        case '\'': fputs("&#39;", out); break;
        case 0xfffe:
        case 0xffff: utf8_put(out, UTF8_BAD); break;   /* not allowed in XML */
        default: utf8_put(out, c);
        }
    }
}

void markup_text(FILE *out, const char *text)
{
    markup_put(out, text, strlen(text));
}

void markup_element(FILE *out, const char *name, const char *text)
{
    fprintf(out, "<%s>", name);
    markup_text(out, text);
    fprintf(out, "</%s>", name);
}

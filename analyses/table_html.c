/* The table as HTML that is also well-formed XML. */
#include <config.h>
#include "analyses/markup.h"
#include "analyses/table_parts.h"

static const char *class_of(const table_column *column)
{
    return column->align == TABLE_RIGHT ? " class=\"number\"" : "";
}

static void put_head(const table *t, FILE *out)
{
    fputs("<thead><tr>", out);
    for (size_t i = 0; i < t->width; i++) {
        const table_column *column = &t->columns[i];
        if (column->shown == TABLE_DATA)
            continue;
        fprintf(out, "<th scope=\"col\"%s>", class_of(column));
        markup_text(out, column->header);
        if (column->unit[0] != '\0') {
            fputs("&#160;", out);
            markup_text(out, column->unit);
        }
        fputs("</th>", out);
    }
    fputs("</tr></thead>\n", out);
}

static void put_row(const table *t, size_t row, FILE *out)
{
    bool first = true;
    fputs("<tr>", out);
    for (size_t i = 0; i < t->width; i++) {
        if (t->columns[i].shown == TABLE_DATA)
            continue;
        fprintf(out, first ? "<th scope=\"row\"%s>" : "<td%s>", class_of(&t->columns[i]));
        markup_text(out, table_at(t, row, i));
        fputs(first ? "</th>" : "</td>", out);
        first = false;
    }
    fputs("</tr>\n", out);
}

void table_write_html(const table *t, FILE *out)
{
    fputs("<div class=\"table\">\n<table>\n", out);
    if (t->title != NULL) {
        markup_element(out, "caption", t->title);
        fputc('\n', out);
    }
    put_head(t, out);
    fputs("<tbody>\n", out);
    for (size_t row = 0; row < table_rows(t); row++)
        put_row(t, row, out);
    fputs("</tbody>\n</table>\n</div>\n", out);
    if (t->notes.count == 0)
        return;
    fputs("<ul class=\"notes\">\n", out);
    for (size_t i = 0; i < t->notes.count; i++) {
        markup_element(out, "li", t->notes.text[i]);
        fputc('\n', out);
    }
    fputs("</ul>\n", out);
}

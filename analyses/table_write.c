/* The formats of a table: for each, how text is escaped and what frames a row. */
#include <config.h>
#include "analyses/table.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>

#include "analyses/table_parts.h"
#include "analyses/utf8.h"

typedef struct {
    uint32_t    character;
    const char *escaped;
} escape;

static const escape markdown_escapes[] = {
    { '|', "\\|" }, { '\\', "\\\\" }, { '*', "\\*" }, { '_', "\\_" }, { '`', "\\`" },
    { '<', "\\<" }, { '[', "\\[" }, { ']', "\\]" }, { 0, NULL },
};

static const escape latex_escapes[] = {
    { '\\', "\\textbackslash{}" }, { '&', "\\&" }, { '%', "\\%" }, { '$', "\\$" },
    { '#', "\\#" }, { '_', "\\_" }, { '{', "\\{" }, { '}', "\\}" },
    { '~', "\\textasciitilde{}" }, { '^', "\\textasciicircum{}" },
    { '<', "\\textless{}" }, { '>', "\\textgreater{}" }, { '|', "\\textbar{}" },
    { '"', "\\textquotedbl{}" }, { 0x2265, "$\\ge$" }, { 0x2264, "$\\le$" },
    { 0xd7, "$\\times$" }, { 0, NULL },
};

static const escape no_escapes[] = { { 0, NULL } };

/* How a row looks. */
typedef struct {
    const char   *before, *between, *after;
    const escape *escapes;
    bool          padded;      /* cells are filled up to the width of their column */
} row_style;

static const row_style styles[TABLE_FORMAT_COUNT] = {
    [TABLE_TEXT] = { "", "  ", "\n", no_escapes, true },
    [TABLE_MD] = { "| ", " | ", " |\n", markdown_escapes, true },
    [TABLE_LATEX] = { "", " & ", " \\\\\n", latex_escapes, false },
};

static const char *escaped(const escape *escapes, uint32_t character)
{
    while (escapes->escaped != NULL && escapes->character != character)
        escapes++;
    return escapes->escaped;
}

/* Writes `text`, unless `out` is NULL, and returns the columns it takes. */
static size_t put(FILE *out, const char *text, const escape *escapes)
{
    size_t width = 0;
    uint32_t last = 0;
    while (*text != '\0') {
        uint32_t c = utf8_next(&text);
        const char *instead = escaped(escapes, c);
        /* LaTeX sets a bare '-' as a hyphen; one before a number is a minus. */
        if (escapes == latex_escapes && c == '-' && isdigit((unsigned char)*text)
            && !(last < 0x80 && isalnum((int)last)))
            instead = "$-$";
        if (out != NULL && instead != NULL)
            fputs(instead, out);
        else if (out != NULL)
            utf8_put(out, c);
        width += instead != NULL ? strlen(instead) : utf8_columns(c);
        last = c;
    }
    return width;
}

static void fill(FILE *out, char character, size_t count)
{
    while (count-- > 0)
        fputc(character, out);
}

/* "layers %"; returns the columns it takes. */
static size_t put_header(FILE *out, const table_column *column, const escape *escapes)
{
    size_t width = put(out, column->header, escapes);
    if (column->unit[0] == '\0')
        return width;
    width += put(out, " ", escapes);
    return width + put(out, column->unit, escapes);
}

size_t table_rows(const table *t)
{
    return (t->cells.count + t->width - 1) / t->width;
}

const char *table_at(const table *t, size_t row, size_t column)
{
    size_t index = row * t->width + column;
    return index < t->cells.count ? t->cells.text[index] : "";
}

/* Row 0 is the header; row i + 1 is row i of the table. */
static size_t put_cell(FILE *out, const table *t, size_t row, size_t column, const escape *escapes)
{
    return row == 0 ? put_header(out, &t->columns[column], escapes)
                    : put(out, table_at(t, row - 1, column), escapes);
}

static void put_row(FILE *out, const table *t, size_t row, const row_style *style,
                    const size_t *widths)
{
    size_t blanks = 0;     /* owed: not written at the end of a line of text */
    bool first = true;
    fputs(style->before, out);
    for (size_t i = 0; i < t->width; i++) {
        if (t->columns[i].shown == TABLE_DATA)
            continue;
        fill(out, ' ', blanks);
        fputs(first ? "" : style->between, out);
        first = false;
        size_t taken = style->padded ? put_cell(NULL, t, row, i, style->escapes) : widths[i];
        blanks = widths[i] - taken;
        if (t->columns[i].align == TABLE_RIGHT) {
            fill(out, ' ', blanks);
            blanks = 0;
        }
        put_cell(out, t, row, i, style->escapes);
    }
    fill(out, ' ', style->before[0] != '\0' ? blanks : 0);
    fputs(style->after, out);
}

static void measure(size_t *widths, const table *t, const row_style *style)
{
    for (size_t i = 0; i < t->width; i++) {
        widths[i] = 3;     /* markdown wants "---" at least */
        for (size_t row = 0; row <= table_rows(t); row++) {
            size_t width = put_cell(NULL, t, row, i, style->escapes);
            widths[i] = width > widths[i] ? width : widths[i];
        }
    }
}

static void put_notes(FILE *out, const table *t, const char *before, const char *after,
                      const escape *escapes)
{
    for (size_t i = 0; i < t->notes.count; i++) {
        fputs(before, out);
        put(out, t->notes.text[i], escapes);
        fputs(after, out);
    }
}

static void put_title(FILE *out, const table *t, const char *before, const char *after,
                      const escape *escapes)
{
    if (t->title == NULL)
        return;
    fputs(before, out);
    put(out, t->title, escapes);
    fputs(after, out);
}

static void write_text(FILE *out, const table *t, const size_t *widths)
{
    put_title(out, t, "", "\n\n", no_escapes);
    put_row(out, t, 0, &styles[TABLE_TEXT], widths);
    size_t total = 0;
    for (size_t i = 0; i < t->width; i++)
        if (t->columns[i].shown != TABLE_DATA)
            total += widths[i] + (total > 0 ? 2 : 0);
    fill(out, '-', total);
    fputc('\n', out);
    for (size_t row = 1; row <= table_rows(t); row++)
        put_row(out, t, row, &styles[TABLE_TEXT], widths);
    if (t->notes.count > 0)
        fputc('\n', out);
    put_notes(out, t, "", "\n", no_escapes);
}

static void write_markdown(FILE *out, const table *t, const size_t *widths)
{
    put_title(out, t, "**", "**\n\n", markdown_escapes);
    put_row(out, t, 0, &styles[TABLE_MD], widths);
    for (size_t i = 0; i < t->width; i++) {
        if (t->columns[i].shown == TABLE_DATA)
            continue;
        fputs("| ", out);
        fill(out, '-', widths[i] - 1);
        fputs(t->columns[i].align == TABLE_RIGHT ? ": " : "- ", out);
    }
    fputs("|\n", out);
    for (size_t row = 1; row <= table_rows(t); row++)
        put_row(out, t, row, &styles[TABLE_MD], widths);
    put_notes(out, t, "\n", "\n", markdown_escapes);
}

static void write_latex(FILE *out, const table *t, const size_t *widths)
{
    put_title(out, t, "% ", "\n", no_escapes);
    put_notes(out, t, "% ", "\n", no_escapes);
    fputs("\\begin{tabular}{", out);
    for (size_t i = 0; i < t->width; i++)
        if (t->columns[i].shown != TABLE_DATA)
            fputc(t->columns[i].align == TABLE_RIGHT ? 'r' : 'l', out);
    fputs("}\n\\hline\n", out);
    put_row(out, t, 0, &styles[TABLE_LATEX], widths);
    fputs("\\hline\n", out);
    for (size_t row = 1; row <= table_rows(t); row++)
        put_row(out, t, row, &styles[TABLE_LATEX], widths);
    fputs("\\hline\n\\end{tabular}\n", out);
}

/* RFC 4180: quotes around a field with a comma, a quote or a line end; quotes
 * inside doubled.  Lines end in LF, which every reader takes. */
static void put_field(FILE *out, const char *text, const char *unit)
{
    bool quoted = strpbrk(text, ",\"\r\n") != NULL;
    fputs(quoted ? "\"" : "", out);
    for (; *text != '\0'; text++) {
        if (*text == '"')
            fputc('"', out);
        fputc(*text, out);
    }
    if (unit[0] != '\0')
        fprintf(out, " %s", unit);
    fputs(quoted ? "\"" : "", out);
}

static void write_csv(const table *t, FILE *out)
{
    for (size_t row = 0; row <= table_rows(t); row++) {
        const char *between = "";
        for (size_t i = 0; i < t->width; i++) {
            if (t->columns[i].shown == TABLE_PEOPLE)
                continue;
            fputs(between, out);
            between = ",";
            if (row == 0)
                put_field(out, t->columns[i].header, t->columns[i].unit);
            else
                put_field(out, table_at(t, row - 1, i), "");
        }
        fputc('\n', out);
    }
}

osc_status table_write(const table *t, table_format format, FILE *out)
{
    assert(format != TABLE_JSON && format < TABLE_FORMAT_COUNT);
    if (t->failed)
        return osc_fail(OSC_ENOMEM, "out of memory while building a table");
    if (format == TABLE_CSV || format == TABLE_HTML) {
        (format == TABLE_CSV ? write_csv : table_write_html)(t, out);
        return OSC_OK;
    }
    size_t *widths = osc_alloc(t->width, sizeof *widths);
    if (widths == NULL)
        return OSC_ENOMEM;
    measure(widths, t, &styles[format]);
    if (format == TABLE_TEXT)
        write_text(out, t, widths);
    else if (format == TABLE_MD)
        write_markdown(out, t, widths);
    else
        write_latex(out, t, widths);
    osc_free(widths);
    return OSC_OK;
}

/* Tables for people and programs: columns with a header, a unit and an alignment,
 * rows of text cells, notes below. */
#ifndef ANALYSES_TABLE_H
#define ANALYSES_TABLE_H

#include <stdio.h>

#include "osc.h"

typedef enum {
    TABLE_TEXT, TABLE_MD, TABLE_CSV, TABLE_LATEX, TABLE_HTML, TABLE_JSON, TABLE_FORMAT_COUNT
} table_format;

/* "text|md|csv|latex|html|json".  OSC_EINVAL names the nearest. */
osc_status table_format_parse(table_format *format, const char *name);

typedef enum { TABLE_LEFT, TABLE_RIGHT } table_align;

/* Where a column is shown: data that people read in a note has a column in CSV. */
typedef enum { TABLE_ALWAYS, TABLE_PEOPLE, TABLE_DATA } table_shown;

typedef struct {
    const char *header;
    const char *unit;      /* "%", shown behind the header; "" if there is none */
    table_align align;
    table_shown shown;
} table_column;

typedef struct table table;

/* An empty table; copies the columns.  `title` may be NULL. */
osc_status table_create(table **made, const char *title, const table_column *columns, size_t count);
void table_free(table *t);

/* Appends a cell (printf style); cells fill rows from left to right.  Running out
 * of memory is remembered and reported by table_write. */
__attribute__((format(printf, 2, 3)))
void table_cell(table *t, const char *format, ...);

/* Appends a number as a cell: `decimals` digits for people, every digit that it takes
 * to read the same number again for CSV; "-" or an empty field if it is not finite. */
void table_number(table *t, table_format format, int decimals, double value);

/* Appends a line below the table: a paragraph in markdown, a comment in LaTeX,
 * a line of a list in HTML, left out of CSV, which has no place for it. */
__attribute__((format(printf, 2, 3)))
void table_note(table *t, const char *format, ...);

/* Writes the table in any format but TABLE_JSON, whose keys are the commands' own.
 * Errors of `out` are left to whoever closes it. */
osc_status table_write(const table *t, table_format format, FILE *out);

#endif

/* What table.c, table_write.c and table_html.c share. */
#ifndef ANALYSES_TABLE_PARTS_H
#define ANALYSES_TABLE_PARTS_H

#include "analyses/table.h"

typedef struct {
    char **text;           /* [count], owned */
    size_t count, capacity;
} table_strings;

struct table {
    char          *title;      /* may be NULL */
    table_column  *columns;    /* [width]; strings owned */
    size_t         width;
    table_strings  cells;      /* row-major; the last row may be incomplete */
    table_strings  notes;
    bool           failed;     /* out of memory while filling */
};

/* Rows begun; the text of a cell, "" beyond the last. */
size_t table_rows(const table *t);
const char *table_at(const table *t, size_t row, size_t column);

/* --- table_html.c --- */

/* The table in a <div class="table">, its notes in a list below: for a page of ours or of
 * anybody.  The first column heads its rows. */
void table_write_html(const table *t, FILE *out);

#endif

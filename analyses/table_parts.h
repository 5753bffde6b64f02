/* What table.c and table_write.c share. */
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

#endif

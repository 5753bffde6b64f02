/* Perplexities of models under matmul schemes: the numbers of `perplexity` and `compare`,
 * from a run or from their JSON, as tables and figures. */
#ifndef ANALYSES_SCHEMES_H
#define ANALYSES_SCHEMES_H

#include "analyses/table.h"

enum { SCHEME_NAME = 256, SCHEME_PROTOCOL = 32, SCHEME_BOS_UNKNOWN = INT32_MIN };

typedef struct {
    char     model[SCHEME_NAME], scheme[SCHEME_NAME];   /* scheme with its options */
    char     protocol[SCHEME_PROTOCOL], backend[SCHEME_PROTOCOL];
    char     model_sha256[OSC_DIGEST_HEX], tokenizer_sha256[OSC_DIGEST_HEX],
             text_sha256[OSC_DIGEST_HEX];               /* "" if not known */
    int32_t  bos;                       /* -1: none */
    size_t   sequences, length, scored;
    double   nll, perplexity;           /* NaN: was not finite */
    double   threshold;                 /* of a threshold study, NaN elsewhere, as are: */
    double   columns, values;           /* shares kept in 16 bit */
    size_t   group;                     /* schemes_relate: of comparable cells */
    double   base;                      /* perplexity of scheme none of the group, NaN if there */
    double   relative;                  /* is none; and that of the cell over it */
} scheme_cell;

typedef struct {
    scheme_cell *cell;
    size_t       count, capacity;
    size_t       groups;
} scheme_cells;

/* Appends a copy.  Released with schemes_free. */
osc_status schemes_add(scheme_cells *cells, const scheme_cell *cell);
void schemes_free(scheme_cells *cells);

/* Is `root` what the two commands write as JSON?  (An empty array is not.) */
bool schemes_are(const json_t *root);
/* Appends its rows.  OSC_EFORMAT names the row and the key at fault. */
osc_status schemes_parse(scheme_cells *cells, const json_t *root);

/* Are these numbers of one model over the same sequences? */
bool schemes_comparable(const scheme_cell *a, const scheme_cell *b);
/* Numbers the groups of comparable cells in the order in which they
 * appear, and sets every cell's base and relative perplexity. */
void schemes_relate(scheme_cells *cells);

/* Relates the cells and orders groups by the perplexity of scheme none, falling, as the
 * paper's tables, and the cells of each as the table of schemes. */
void schemes_sort(scheme_cells *cells);

/* --- schemes_table.c ------------------------------------------------------------- */

/* A row per scheme, for each group its perplexity and that over scheme none: the paper's
 * Table 1.  Cells must be related. */
osc_status schemes_write_matrix(const scheme_cells *cells, table_format format, FILE *out);
/* A row per cell, with what its threshold keeps out of int8. */
osc_status schemes_write_study(const scheme_cells *cells, table_format format, FILE *out);
/* A note that says how the text was cut. */
void schemes_note_protocol(table *t, const char *protocol, int32_t bos);

/* --- schemes_plot.c, schemes_study.c ----------------------------------------------- */

/* For each scheme by how much each group's perplexity exceeds that of scheme none, as
 * SVG. */
osc_status schemes_plot(const scheme_cells *cells, FILE *out);
/* Perplexity and share of columns against the threshold, as SVG.  Wants the order of
 * schemes_sort_study: the cells of a group together, scheme none first, and those of one
 * scheme together. */
void schemes_sort_study(scheme_cells *cells);
osc_status schemes_plot_study(const scheme_cells *cells, FILE *out);

#endif

/* Accuracies of models on zero-shot tasks: the numbers of `zeroshot`, from a run or from
 * its JSON, as tables and figures. */
#ifndef ANALYSES_ZEROSHOT_H
#define ANALYSES_ZEROSHOT_H

#include "analyses/table.h"

enum { ZEROSHOT_NAME = 256, ZEROSHOT_TASK = 32 };

/* A model under a scheme on a task. */
typedef struct {
    char     model[ZEROSHOT_NAME], scheme[ZEROSHOT_NAME];   /* scheme with its options */
    char     task[ZEROSHOT_TASK], backend[ZEROSHOT_TASK];
    char     model_sha256[OSC_DIGEST_HEX], tokenizer_sha256[OSC_DIGEST_HEX],
             data_sha256[OSC_DIGEST_HEX];
    uint64_t parameters;
    int32_t  bos;                       /* -1: none */
    size_t   items, truncated;          /* truncated: pairs whose context was cut */
    double   acc, acc_stderr;
    double   acc_norm, acc_norm_stderr; /* NaN: not of this task; likewise: */
    double   perplexity;                /* of LAMBADA, per word */
} zeroshot_cell;

typedef struct {
    zeroshot_cell *cell;
    size_t         count, capacity;
} zeroshot_cells;

/* Sample standard deviation of the 0 and 1 that have this mean, over sqrt(count); NaN for
 * one. */
double zeroshot_stderr(double mean, size_t count);

/* Appends a copy.  Released with zeroshot_free. */
osc_status zeroshot_add(zeroshot_cells *cells, const zeroshot_cell *cell);
void zeroshot_free(zeroshot_cells *cells);

/* Are these numbers of one model under one scheme on the same items? */
bool zeroshot_same(const zeroshot_cell *a, const zeroshot_cell *b);

/* Plain mean of the accuracies of all tasks for the model and scheme of cell number `index`,
 * and its standard error; NaN if a task is missing. */
typedef struct { double acc, acc_stderr; } zeroshot_mean;
zeroshot_mean zeroshot_mean_of(const zeroshot_cells *cells, size_t index);
/* Is it the last cell of its model and scheme? */
bool zeroshot_is_last(const zeroshot_cells *cells, size_t index);

/* --- zeroshot_json.c --------------------------------------------------------------- */

/* A row; NULL when out of memory.  Owned by the caller. */
json_t *zeroshot_cell_json(const zeroshot_cell *cell);
/* All rows, and one of task "mean" behind each model and scheme that has them all. */
json_t *zeroshot_json(const zeroshot_cells *cells);
/* Is `root` what the command writes?  (An empty array is not.) */
bool zeroshot_are(const json_t *root);
/* Appends its rows but for means and unfinished ones.  OSC_EFORMAT names the row and the key
 * at fault. */
osc_status zeroshot_parse(zeroshot_cells *cells, const json_t *root);

/* --- zeroshot_table.c, zeroshot_plot.c --------------------------------------------- */

/* A row per model, scheme and task, and their mean. */
osc_status zeroshot_write(const zeroshot_cells *cells, table_format format, FILE *out);
/* Accuracy against the size of the model, a line per scheme: the paper's Figure 1 and each
 * task, as SVG. */
osc_status zeroshot_plot(const zeroshot_cells *cells, FILE *out);

#endif

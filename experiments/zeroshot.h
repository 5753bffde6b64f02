/* zeroshot: models x schemes x tasks; what its files share. */
#ifndef EXPERIMENTS_ZEROSHOT_H
#define EXPERIMENTS_ZEROSHOT_H

#include "analyses/zeroshot.h"
#include "cli/output.h"
#include "experiments/run.h"
#include "experiments/scheme_list.h"

extern const cli_command experiment_zeroshot;

enum { ZEROSHOT_TASKS = 16 };

typedef enum { ZEROSHOT_BOS_AUTO, ZEROSHOT_BOS_YES, ZEROSHOT_BOS_NO } zeroshot_bos;

typedef struct {
    run_options  run;                    /* of these: tokenizer and device */
    cli_list     models, schemes;        /* --scheme */
    const char  *names;                  /* --schemes a,b,c */
    const char  *tasks, *data;
    cli_list     files, labels;          /* TASK=FILE */
    size_t       limit;                  /* items of a task; 0: all */
    const char  *bos_name;
    zeroshot_bos bos;
    double       interval;               /* seconds between two savings */
    const char  *output, *items, *plot, *format_name;
    bool         resume, force;
    table_format format;
    scheme_list  list;
} zeroshot_options;

/* --- zeroshot_data.c ------------------------------------------------------------------ */

/* The tasks of a run, their items read. */
typedef struct {
    osc_items *items[ZEROSHOT_TASKS];    /* [count] */
    size_t     count;
    bool       shipped;                  /* the samples that ship with the program */
} zeroshot_data;

/* ZEROSHOT_BOS_... of "auto", "yes" or "no".  OSC_EINVAL. */
osc_status zeroshot_bos_parse(zeroshot_bos *bos, const char *name);

/* Are the names in --tasks, --file and --labels tasks?  OSC_EINVAL. */
osc_status zeroshot_data_check(const zeroshot_options *o);
/* Reads the files of all tasks.  OSC_ENOTFOUND says where a task's file was looked for. */
osc_status zeroshot_data_read(zeroshot_data *data, const zeroshot_options *o);
void zeroshot_data_free(zeroshot_data *data);

/* --- zeroshot_model.c ------------------------------------------------------------------- */

/* A model and the items as it reads them. */
typedef struct {
    osc_model    *model;
    osc_requests *requests[ZEROSHOT_TASKS];   /* [tasks of the data] */
    size_t        longest;                    /* ids of an input */
    int32_t       bos;
    const char   *backend;
    char          model_sha256[OSC_DIGEST_HEX];   /* "" until somebody sets it */
    char          tokenizer_sha256[OSC_DIGEST_HEX];
} zeroshot_model;

osc_status zeroshot_model_open(zeroshot_model *m, const zeroshot_data *data,
                               const zeroshot_options *o, const char *path);
void zeroshot_model_close(zeroshot_model *m);

/* --- zeroshot_score.c --------------------------------------------------------------------- */

/* What the scores of a task's pairs, in the order of the requests, come to; fills the
 * numbers of `cell`. */
osc_status zeroshot_judge(zeroshot_cell *cell, const osc_items *items,
                          const osc_requests *requests, const osc_score *score);
/* Writes an item a line as JSON: log-likelihoods, what was chosen, what is right. */
osc_status zeroshot_write_items(FILE *out, const zeroshot_cell *cell, const osc_items *items,
                                const osc_requests *requests, const osc_score *score);

/* --- zeroshot_run.c ----------------------------------------------------------------------- */

typedef struct {
    zeroshot_cells cells;                /* finished */
    json_t        *rows;                 /* the same for the file */
    json_t        *old;                  /* rows of the resumed file not yet used, or NULL */
} zeroshot_results;

/* Measures all cells; the file o->output is written after each and every o->interval seconds
 * meanwhile.  `items` may be NULL.  After an error or a signal (OSC_STOP) the finished cells
 * stay. */
osc_status zeroshot_measure(zeroshot_results *r, const zeroshot_data *data,
                            const zeroshot_options *o, FILE *items);
void zeroshot_results_free(zeroshot_results *r);

/* --- zeroshot_file.c ------------------------------------------------------------------------ */

/* Reads the rows of o->output into r->old if the run resumes; refuses an existing file
 * that is neither resumed nor replaced. */
osc_status zeroshot_file_open(zeroshot_results *r, const zeroshot_options *o);
/* Refuses rows whose numbers cannot stand beside those of `cell`, of which what it was
 * measured on is set. */
osc_status zeroshot_file_check(const zeroshot_results *r, const char *path,
                               const zeroshot_cell *cell);
/* Takes the row of the cell out of r->old: its scores into score[0 .. *done-1], those of
 * `count` requests at most; or, if it is finished and `scores` are not wanted, its numbers
 * into the cell (*finished). */
osc_status zeroshot_file_take(zeroshot_results *r, const char *path, zeroshot_cell *cell,
                              bool scores, bool *finished, osc_score *score, size_t *done,
                              size_t count);
/* The cell's row: its scores, if not NULL, up to `done`; `partial`: it has no numbers yet. */
json_t *zeroshot_file_row(const zeroshot_cell *cell, const osc_score *score, size_t done,
                          bool partial);
/* Writes the finished rows, then `partial` (may be NULL), which is released, then the rows
 * of the old file that none has replaced. */
osc_status zeroshot_file_write(const zeroshot_results *r, const char *path, json_t *partial);

#endif

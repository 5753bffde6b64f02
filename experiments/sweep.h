/* sweep: models x schemes x tasks from one file; what its files share.
 *
 * The normalised configuration is JSON (docs/sweep.md), the same that DIR/sweep.json
 * holds: what to compare when a sweep goes on, and what the cells are made of. */
#ifndef EXPERIMENTS_SWEEP_H
#define EXPERIMENTS_SWEEP_H

#include "analyses/table.h"
#include "cli/cli.h"
#include "experiments/run.h"
#include "osc.h"

extern const cli_command experiment_sweep;

#define SWEEP_SCHEMA "outlierscope-sweep/1"

/* --- sweep_tasks.c: what can be run ------------------------------------------------- */

/* A key of a configuration: an option of the task's command. */
typedef struct {
    const char *name;               /* "length" for --length; NULL ends a table */
    cli_type    type;               /* CLI_SIZE and CLI_NUMBER are checked */
    double      lowest, highest;
    osc_status (*check)(const char *value);   /* of CLI_TEXT; NULL: anything */
} sweep_key;

typedef enum {
    SCHEMES_EACH,     /* a cell per model and scheme */
    SCHEMES_ALL       /* a cell per model, which runs all schemes */
} sweep_schemes;

typedef enum {
    CELL_RECORD,      /* CELL.h5, which the command writes and resumes itself */
    CELL_ROWS,        /* CELL.json, an array of results from standard output */
    CELL_PARTIAL,     /* the same; the command keeps what is done in a file meanwhile */
    CELL_ACCURACIES,  /* likewise, rows of accuracies and not of perplexities */
    CELL_ABLATION     /* CELL.json, one object; from the record of the same model, if any */
} sweep_kind;

/* A task: the command of that name. */
typedef struct sweep_task {
    const char      *name;
    sweep_schemes    schemes;
    sweep_kind       kind;
    bool             text;          /* it runs over a text, and has the keys that say how */
    const sweep_key *keys;          /* its own, besides those of every task */
    /* Forward passes over the sequences in one cell, for each scheme. */
    double         (*passes)(const json_t *options);
} sweep_task;

/* OSC_EINVAL names the nearest task. */
osc_status sweep_task_find(const sweep_task **task, const char *name);
/* A key of `task`, or a general one, which not every task has, if that is NULL; OSC_EINVAL
 * names the nearest. */
osc_status sweep_key_find(const sweep_key **key, const sweep_task *task, const char *name);
/* Whether the task has this general key. */
bool sweep_key_is_of(const sweep_task *task, const char *name);

/* --- sweep_conf.c: the file ---------------------------------------------------------- */

typedef struct {
    char   *path, *folder;          /* of the file; relative paths in it start at the folder */
    json_t *json;                   /* the normalised configuration */
} sweep_conf;

/* Reads and checks the file; OSC_EINVAL names file and line.  Released by
 * sweep_conf_free, also after a failure. */
osc_status sweep_conf_read(sweep_conf *conf, const char *path);
void sweep_conf_free(sweep_conf *conf);
/* A path of the file, owned by the caller; NULL stays NULL, which also is what comes when out
 * of memory. */
char *sweep_conf_path(const sweep_conf *conf, const char *path);
/* The name of the sweep: of the file, without ".conf". */
const char *sweep_conf_name(const sweep_conf *conf);

/* --- sweep_cells.c: the jobs ----------------------------------------------------------- */

typedef enum {
    CELL_TO_DO, CELL_DONE_BEFORE, CELL_DONE, CELL_FAILED,
    CELL_ELSEWHERE,                 /* another process runs it */
    CELL_STATES
} cell_state;

typedef struct {
    char             *name;         /* "opt-mini-8m.perplexity.llm-int8" */
    const sweep_task *task;
    json_t           *section;      /* of the configuration, borrowed */
    const char       *model;        /* as the file has it */
    const char       *scheme;       /* NULL unless the task has a cell per scheme */
    size_t            needs;        /* index of the record that must be there; SIZE_MAX: none */
    size_t            unit;         /* cells of one unit stay in one shard */
    cell_state        state;
    char              error[1024];
} sweep_cell;

typedef struct {
    sweep_conf  conf;
    char       *folder;             /* the sweep's; absolute */
    char       *model_root;         /* absolute, or NULL */
    sweep_cell *cell;               /* [count] */
    size_t      count, capacity, units;
} sweep;

/* Makes the cells of s->conf and lists them in s->conf.json.  OSC_EINVAL if two would
 * have one name. */
osc_status sweep_cells_make(sweep *s);
void sweep_cells_free(sweep *s);

/* "DIR/cells/NAME.EXT", owned by the caller; NULL when out of memory. */
char *sweep_cell_path(const sweep *s, const sweep_cell *cell, const char *extension);
/* ".h5" or ".json". */
const char *sweep_cell_extension(const sweep_cell *cell);
/* Whether the cell's result is there and complete. */
bool sweep_cell_done(const sweep *s, const sweep_cell *cell);
/* The label of a cell's section: "compare", "compare threshold"; cut at `size`. */
const char *sweep_section_text(char *text, size_t size, const json_t *section);
/* Where the model is, absolute, owned by the caller.  OSC_ENOTFOUND says where it was
 * looked for. */
osc_status sweep_model_find(char **path, const sweep *s, const char *model);
/* Path of DIR/NAME, owned by the caller. */
char *sweep_path(const sweep *s, const char *name);

/* --- sweep_file.c: DIR and DIR/sweep.json ------------------------------------------------ */

/* Makes the folders and sweep.json, or, with `resume`, checks what is there: OSC_EINVAL
 * names the first difference. */
osc_status sweep_file_open(const sweep *s, bool resume);
/* Waits for the lock of the whole sweep; released by closing `*lock`. */
osc_status sweep_lock(int *lock, const sweep *s);

/* Removes what killed processes left half-written: files PREFIX...tmp in a folder of DIR.
 * The caller holds the lock that covers them. */
void sweep_remove_stale(const sweep *s, const char *folder, const char *prefix);

/* --- sweep_argv.c, sweep_run.c: one cell -------------------------------------------------- */

typedef struct {
    char  **word;                   /* [count] and a NULL, owned; word[0] is the command */
    size_t  count, capacity;
} sweep_argv;

/* The command line of a cell whose model is at `model`. */
osc_status sweep_argv_make(sweep_argv *argv, const sweep *s, const sweep_cell *cell,
                           const char *model);
void sweep_argv_free(sweep_argv *argv);

/* Runs the cell unless it is done or another process is at it; sets state and error. */
void sweep_run(const sweep *s, sweep_cell *cell);

/* --- sweep_zeroshot.c: the data of a section of zeroshot -------------------------------------- */

/* SHA-256 of the digests of its tasks' files; reads them all. */
osc_status sweep_zeroshot_digest(char hex[OSC_DIGEST_HEX], const sweep_conf *conf,
                                 const json_t *section);
/* The model of a cell, and a corpus that has the lengths of all that is to be scored, but no
 * ids. */
osc_status sweep_zeroshot_input(run_input *input, const sweep *s, const sweep_cell *cell,
                                const char *model);

/* --- sweep_plan.c: --dry-run --------------------------------------------------------------- */

/* Prints the cells of a shard (i of n, from 1) with estimates; `rate` in FLOP/s, 0 to
 * measure it. */
osc_status sweep_plan(sweep *s, size_t shard, size_t shards, double rate);

/* --- sweep_summaries.c, sweep_tables.c: what is made of the cells --------------------------- */

/* Writes tables and figures from the finished cells. */
osc_status sweep_summarize(const sweep *s);

/* perplexity, schemes, ablation, zeroshot: a table of the finished cells in `format`; *rows counts
 * what there was to show, and nothing is written for none. */
osc_status sweep_write_perplexity(size_t *rows, const sweep *s, table_format format, FILE *out);
osc_status sweep_write_schemes(size_t *rows, const sweep *s, table_format format, FILE *out);
osc_status sweep_write_ablation(size_t *rows, const sweep *s, table_format format, FILE *out);
osc_status sweep_write_zeroshot(size_t *rows, const sweep *s, table_format format, FILE *out);
/* The figure of it, as SVG; `format` is not looked at. */
osc_status sweep_plot_zeroshot(size_t *rows, const sweep *s, table_format format, FILE *out);

#endif

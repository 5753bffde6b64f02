/* compare: models x schemes; what its files share. */
#ifndef EXPERIMENTS_COMPARE_H
#define EXPERIMENTS_COMPARE_H

#include "analyses/table.h"
#include "experiments/measure.h"
#include "experiments/scheme_list.h"

extern const cli_command experiment_compare;

typedef struct {
    run_options  run;
    cli_list     models, schemes;        /* --scheme */
    const char  *names;                  /* --schemes a,b,c */
    const char  *thresholds;             /* --threshold */
    const char  *format_name, *output, *plot;
    bool         errors, resume, force, dry;
    table_format format;
    scheme_list  list;
} compare_options;

/* --- compare_choice.c ------------------------------------------------------------ */

/* Fills o->list from the options, scheme none first; OSC_EINVAL names the option at fault. */
osc_status compare_choose(compare_options *o);

/* --- compare_cells.c ------------------------------------------------------------- */

typedef struct {
    measurement      m;
    measure_identity identity;
    size_t           model;              /* position among the models compared */
    double           relative;           /* to scheme none of the same model */
    double           threshold;          /* NaN outside of a threshold study, as are: */
    double           columns, values;    /* shares kept in 16 bit (kept.h) */
} compare_cell;

typedef struct {
    compare_cell *cell;                  /* model by model, schemes in the order of the list */
    size_t        count, capacity;
    size_t        models;                /* so many were begun */
    json_t       *old;                   /* rows of the resumed file not yet used, or NULL */
} compare_results;

/* Measures all cells; after each the file o->output is written, if there is one.
 * After an error or a signal (OSC_STOP) the cells that are there stay. */
osc_status compare_measure(compare_results *r, const compare_options *o);
void compare_results_free(compare_results *r);

/* --- compare_file.c -------------------------------------------------------------- */

/* Whether o->output is a file to keep cells in, and no pipe or device, nor absent. */
bool compare_file_keeps(const compare_options *o);

/* Locks o->output, if it keeps cells, against other processes; osc_lock_release. */
osc_status compare_file_lock(int *lock, const compare_options *o);

/* Reads the rows of o->output into r->old if the run resumes; refuses an existing file
 * that is neither resumed nor replaced. */
osc_status compare_file_open(compare_results *r, const compare_options *o);
/* Refuses rows whose numbers cannot stand beside those of `identity`. */
osc_status compare_file_check(const compare_results *r, const char *path,
                              const measure_identity *identity);
/* Takes the row of (identity, scheme) out of r->old into `cell`; *found tells. */
osc_status compare_file_take(compare_results *r, bool *found, compare_cell *cell,
                             const char *path, const measure_identity *identity,
                             const char *scheme, bool study);
/* Writes all cells, then the rows of the old file that no cell has replaced. */
osc_status compare_file_write(const compare_results *r, const char *path);

/* --- compare_print.c ------------------------------------------------------------- */

/* An array of all cells, owned by the caller; NULL when out of memory. */
json_t *compare_json(const compare_results *r);
osc_status compare_write(const compare_results *r, const compare_options *o, FILE *out);
/* The figure, to o->plot: what each scheme costs, or what each threshold. */
osc_status compare_plot(const compare_results *r, const compare_options *o);

#endif

/* What a sweep makes of its cells: tables and figures. */
#include <config.h>
#include "experiments/sweep.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/output.h"
#include "experiments/child.h"
#include "experiments/stop.h"

enum { EXTRA_WORDS = 16, WORD = 1200 };

/* What a summary is made of, and by whom. */
typedef enum {
    FROM_CELLS,       /* a function, tables/NAME.FORMAT */
    PLOT_OF_CELLS,    /* a function, figures/NAME.svg */
    FROM_RECORDS,     /* a command over all finished records, tables/NAME.FORMAT */
    PLOT_OF_RECORDS,  /* the same with --plot, figures/NAME.svg */
    PLOT_OF_EACH,     /* a command over each record with --plot, figures/CELL.NAME.svg */
    FROM_FOLDER       /* a command over the sweep's folder, NAME.html */
} summary_source;

typedef struct {
    const char    *name;
    summary_source source;
    osc_status   (*write)(size_t *rows, const sweep *s, table_format format, FILE *out);
    const char    *words[EXTRA_WORDS];   /* of the command line; a NULL ends them */
} summary;

/* One line a summary. */
static const summary summaries[] = {
    { "outliers", FROM_RECORDS, NULL, { "outliers", "--sort", "parameters", "--brief" } },
    { "perplexity", FROM_CELLS, sweep_write_perplexity, { NULL } },
    { "schemes", FROM_CELLS, sweep_write_schemes, { NULL } },
    { "ablation", FROM_CELLS, sweep_write_ablation, { NULL } },
    { "zeroshot", FROM_CELLS, sweep_write_zeroshot, { NULL } },
    { "zeroshot", PLOT_OF_CELLS, sweep_plot_zeroshot, { NULL } },
    { "metrics", FROM_RECORDS, NULL, { "outliers", "--sort", "parameters", "--metrics" } },
    { "emergence", FROM_RECORDS, NULL, { "emergence" } },
    { "emergence", PLOT_OF_RECORDS, NULL, { "emergence" } },
    { "coverage", PLOT_OF_EACH, NULL, { "coverage" } },
    { "report", FROM_FOLDER, NULL, { "report", "." } },
};

static const struct { table_format format; const char *name; } formats[] = {
    { TABLE_MD, "md" }, { TABLE_CSV, "csv" }, { TABLE_JSON, "json" },
};
enum { SUMMARIES = sizeof summaries / sizeof *summaries,
       FORMATS = sizeof formats / sizeof *formats };

/* --- by a function ---------------------------------------------------------------------- */

/* Writes the file `name` of the sweep's folder unless there is nothing to show. */
static osc_status write_file(size_t *rows, const sweep *s, const summary *m, const char *name,
                             table_format format)
{
    cli_output output;
    char *path = sweep_path(s, name);
    osc_status status = path != NULL ? cli_output_open(&output, path) : OSC_ENOMEM;
    if (status == OSC_OK) {
        status = m->write(rows, s, format, output.stream);
        if (status == OSC_OK && *rows > 0)
            status = cli_output_commit(&output);
        else
            cli_output_abort(&output);
    }
    osc_free(path);
    return status;
}

static osc_status write_tables(const sweep *s, const summary *m)
{
    char name[WORD];
    size_t rows = 1;
    for (size_t f = 0; f < FORMATS && rows > 0; f++) {
        snprintf(name, sizeof name, "tables/%s.%s", m->name, formats[f].name);
        OSC_TRY(write_file(&rows, s, m, name, formats[f].format));
    }
    return OSC_OK;
}

static osc_status write_figure(const sweep *s, const summary *m)
{
    char name[WORD];
    size_t rows;
    snprintf(name, sizeof name, "figures/%s.svg", m->name);
    return write_file(&rows, s, m, name, TABLE_TEXT);
}

/* --- by a command ------------------------------------------------------------------------- */

static bool is_record(const sweep_cell *cell)
{
    return cell->task->kind == CELL_RECORD
        && (cell->state == CELL_DONE || cell->state == CELL_DONE_BEFORE);
}

/* Runs `word` in the sweep's folder, so that what it writes has no paths but those inside.
 * Its messages go to sweep.log. */
static osc_status run_command(const sweep *s, char *const *word)
{
    int status = 0;
    char how[128], *path = sweep_path(s, "sweep.log");
    int log = path == NULL ? -1 : open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    osc_status result = log >= 0 && null >= 0
        ? child_run(&status, word, s->folder, null, log)
        : osc_fail(OSC_EIO, "%s/sweep.log: cannot write: %s", s->folder, strerror(errno));
    if (log >= 0)
        close(log);
    if (null >= 0)
        close(null);
    osc_free(path);
    if (result == OSC_OK && !(WIFEXITED(status) && WEXITSTATUS(status) == 0))
        result = stop_signal() != 0 ? osc_fail(OSC_STOP, "stopped by a signal")
               : osc_fail(OSC_EIO, "outlierscope %s: %s (%s/sweep.log)", word[0],
                          child_status_text(how, sizeof how, status), s->folder);
    return result;
}

/* The command line that begins as the summary says and goes on with `extra` and the
 * records from `first` to `last`. */
static osc_status run_over(const sweep *s, const summary *m, char *const *extra, size_t first,
                           size_t last)
{
    size_t count = 0, used = 0;
    char **word = osc_alloc(2 * EXTRA_WORDS + s->count + 1, sizeof *word);
    char (*text)[WORD] = osc_alloc(s->count, sizeof *text);
    osc_status status = word != NULL && text != NULL ? OSC_OK : OSC_ENOMEM;
    if (status == OSC_OK) {
        for (size_t i = 0; i < EXTRA_WORDS && m->words[i] != NULL; i++)
            word[count++] = (char *)m->words[i];
        for (; *extra != NULL; extra++)
            word[count++] = *extra;
        for (size_t i = first; i <= last; i++)
            if (is_record(&s->cell[i])) {
                snprintf(text[used], WORD, "cells/%s.h5", s->cell[i].name);
                word[count++] = text[used++];
            }
        if (used > 0)
            status = run_command(s, word);
    }
    osc_free(word);
    osc_free(text);
    return status;
}

static osc_status run_over_all(const sweep *s, const summary *m)
{
    for (size_t f = 0; f < FORMATS && s->count > 0; f++) {
        char file[WORD], output[] = "-o", option[] = "--format", format[8];
        snprintf(file, sizeof file, "tables/%s.%s", m->name, formats[f].name);
        snprintf(format, sizeof format, "%s", formats[f].name);
        OSC_TRY(run_over(s, m, (char *[]){ option, format, output, file, NULL }, 0,
                         s->count - 1));
    }
    return OSC_OK;
}

static osc_status plot_all(const sweep *s, const summary *m)
{
    char file[WORD], plot[] = "--plot";
    snprintf(file, sizeof file, "figures/%s.svg", m->name);
    if (s->count == 0)
        return OSC_OK;
    return run_over(s, m, (char *[]){ plot, file, NULL }, 0, s->count - 1);
}

static osc_status plot_each(const sweep *s, const summary *m)
{
    for (size_t i = 0; i < s->count; i++) {
        char file[WORD], plot[] = "--plot";
        snprintf(file, sizeof file, "figures/%s.%s.svg", s->cell[i].name, m->name);
        OSC_TRY(run_over(s, m, (char *[]){ plot, file, NULL }, i, i));
    }
    return OSC_OK;
}

static osc_status run_over_folder(const sweep *s, const summary *m)
{
    char file[WORD], output[] = "-o", *word[EXTRA_WORDS + 3] = { NULL };
    size_t count = 0;
    snprintf(file, sizeof file, "%s.html", m->name);
    for (; m->words[count] != NULL; count++)
        word[count] = (char *)m->words[count];
    word[count] = output;
    word[count + 1] = file;
    return run_command(s, word);
}

/* --- all ------------------------------------------------------------------------------------ */

static osc_status make(const sweep *s, const summary *m)
{
    switch (m->source) {
    case FROM_CELLS: return write_tables(s, m);
    case PLOT_OF_CELLS: return write_figure(s, m);
    case FROM_RECORDS: return run_over_all(s, m);
    case PLOT_OF_RECORDS: return plot_all(s, m);
    case PLOT_OF_EACH: return plot_each(s, m);
    case FROM_FOLDER: return run_over_folder(s, m);
    }
    return OSC_OK;
}

osc_status sweep_summarize(const sweep *s)
{
    int lock;
    OSC_TRY(sweep_lock(&lock, s));   /* two shards may both find that all is there */
    sweep_remove_stale(s, "tables", "");
    sweep_remove_stale(s, "figures", "");
    sweep_remove_stale(s, ".", "report.html.");
    osc_status status = OSC_OK;
    for (size_t i = 0; i < SUMMARIES && status == OSC_OK; i++)
        status = stop_signal() == 0 ? make(s, &summaries[i])
                                    : osc_fail(OSC_STOP, "stopped by a signal");
    close(lock);
    return status;
}

/* Running one cell: its lock, its log, its process, its result. */
#include <config.h>
#include "experiments/sweep.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/output.h"
#include "experiments/child.h"
#include "experiments/provenance.h"
#include "experiments/stop.h"

enum { TRIES = 20, TAIL = 4096 };

/* --- the log, which is the lock too --------------------------------------------------- */

/* A killed sweep's cell may take a moment to be gone. */
static bool take_lock(int fd)
{
    const struct timespec moment = { .tv_nsec = 50000000 };
    for (int i = 0; i < TRIES && stop_signal() == 0; i++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return true;
        nanosleep(&moment, NULL);
    }
    return false;
}

/* The cell's process has the log open as standard error, and with it the lock: it is held
 * until both are gone.  *log is -1 if another process runs the cell. */
static osc_status open_log(int *log, const sweep *s, const sweep_cell *cell)
{
    char *path = sweep_cell_path(s, cell, ".log");
    if (path == NULL)
        return OSC_ENOMEM;
    int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    osc_status status = fd >= 0 ? OSC_OK
                      : osc_fail(OSC_EIO, "%s: cannot write: %s", path, strerror(errno));
    osc_free(path);
    if (fd >= 0 && !take_lock(fd)) {
        close(fd);
        fd = -1;
    }
    *log = fd;
    return status;
}

/* The last line that was written behind `start`, "" if there is none. */
static void last_line(char *text, size_t size, int log, off_t start)
{
    char tail[TAIL + 1];
    off_t end = lseek(log, 0, SEEK_END), from = end - TAIL > start ? end - TAIL : start;
    ssize_t got = pread(log, tail, TAIL, from);
    text[0] = '\0';
    while (got > 0 && strchr("\n\r ", tail[got - 1]) != NULL)
        got--;
    if (got <= 0)
        return;
    tail[got] = '\0';
    char *line = strrchr(tail, '\n');
    line = line != NULL ? line + 1 : tail;
    if (strncmp(line, "$ ", 2) != 0)   /* the command, which said nothing */
        snprintf(text, size, "%.700s", line);
}

/* --- the process ------------------------------------------------------------------------ */

/* The result is standard output, kept if the command ends well. */
static osc_status run_to_file(int *status, const sweep *s, const sweep_cell *cell,
                              const sweep_argv *argv, int log)
{
    cli_output output;
    char *path = sweep_cell_path(s, cell, ".json"), *part = sweep_cell_path(s, cell, ".part");
    osc_status result = path != NULL && part != NULL ? OSC_OK : OSC_ENOMEM;
    char name[1100];
    if (result == OSC_OK) {
        snprintf(name, sizeof name, "%s.json.", cell->name);
        sweep_remove_stale(s, "cells", name);   /* the lock is held */
        result = cli_output_open(&output, path);
    }
    if (result == OSC_OK) {
        result = child_run(status, argv->word, s->conf.folder, fileno(output.stream), log);
        if (result == OSC_OK && WIFEXITED(*status) && WEXITSTATUS(*status) == 0)
            result = cli_output_commit(&output);
        else
            cli_output_abort(&output);
        if (result == OSC_OK && osc_file_exists(path))
            unlink(part);   /* what the command kept meanwhile is in the result */
    }
    osc_free(path);
    osc_free(part);
    return result;
}

static osc_status run_process(int *status, const sweep *s, const sweep_cell *cell, int log)
{
    sweep_argv argv = { .word = NULL };
    char *model = NULL, command[8192];
    osc_status result = sweep_model_find(&model, s, cell->model);
    if (result == OSC_OK)
        result = sweep_argv_make(&argv, s, cell, model);
    if (result == OSC_OK) {
        provenance_command(command, sizeof command, (int)argv.count, argv.word);
        dprintf(log, "$ %s\n", command);
        result = cell->task->kind == CELL_RECORD
               ? child_run(status, argv.word, s->conf.folder, log, log)
               : run_to_file(status, s, cell, &argv, log);
    }
    sweep_argv_free(&argv);
    osc_free(model);
    return result;
}

static void fail(sweep_cell *cell, const char *message)
{
    cell->state = CELL_FAILED;
    snprintf(cell->error, sizeof cell->error, "%s", message);
}

/* After a signal the command ended early, as asked: the cell stays to be done. */
static void run_locked(const sweep *s, sweep_cell *cell, int log)
{
    int status = 0;
    char line[768], how[128];
    off_t start = lseek(log, 0, SEEK_END);
    osc_status result = run_process(&status, s, cell, log);
    if (result != OSC_OK)
        dprintf(log, "outlierscope sweep: %s\n", osc_error());
    if (result != OSC_OK)
        fail(cell, osc_error());
    else if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        cell->state = CELL_DONE;
    else if (stop_signal() == 0) {
        last_line(line, sizeof line, log, start);
        snprintf(cell->error, sizeof cell->error, "%s%s%s",
                 child_status_text(how, sizeof how, status), line[0] != '\0' ? ": " : "", line);
        cell->state = CELL_FAILED;
    }
}

/* --- the cell ----------------------------------------------------------------------------- */

/* Whether the record it needs is there; else its state says why not. */
static bool is_ready(const sweep *s, sweep_cell *cell)
{
    char message[1024];
    const sweep_cell *record = cell->needs != SIZE_MAX ? &s->cell[cell->needs] : NULL;
    if (record == NULL || record->state == CELL_DONE || record->state == CELL_DONE_BEFORE)
        return true;
    cell->state = record->state;
    if (record->state == CELL_FAILED) {
        snprintf(message, sizeof message, "its record %s failed", record->name);
        fail(cell, message);
    }
    return false;
}

void sweep_run(const sweep *s, sweep_cell *cell)
{
    int log;
    if (sweep_cell_done(s, cell)) {
        cell->state = CELL_DONE_BEFORE;
        return;
    }
    if (!is_ready(s, cell))
        return;
    if (open_log(&log, s, cell) != OSC_OK) {
        fail(cell, osc_error());
        return;
    }
    if (log < 0) {
        cell->state = CELL_ELSEWHERE;
        return;
    }
    if (sweep_cell_done(s, cell))   /* since we looked first */
        cell->state = CELL_DONE_BEFORE;
    else
        run_locked(s, cell, log);
    close(log);
}

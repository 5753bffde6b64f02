/* What every subcommand shares: the option table and its parser, --help, error
 * output, progress on stderr, output files. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "osc.h"

typedef enum {
    CLI_SWITCH,   /* target: bool *, set to true */
    CLI_TEXT,     /* target: const char **, points into argv */
    CLI_SIZE,     /* target: size_t *, checked against lowest and highest */
    CLI_NUMBER,   /* target: double *, likewise */
    CLI_LIST      /* target: cli_list *, the option may be repeated */
} cli_type;

enum { CLI_LIST_MOST = 256 };

typedef struct {
    const char *item[CLI_LIST_MOST];   /* point into argv */
    size_t      count;
} cli_list;

typedef struct {
    const char *name;       /* "model" for --model; NULL ends a table */
    char        letter;     /* 'o' for -o, or 0 */
    cli_type    type;
    const char *argument;   /* "DIR" in --help; NULL for a switch */
    const char *help;       /* one line; says the default */
    void       *target;
    double      lowest, highest;   /* both 0: no bounds beyond the type's */
} cli_option;

typedef struct {
    const char *name;       /* "record" */
    const char *summary;    /* one line for the list of commands */
    const char *operands;   /* "RECORD..." in the usage line, or "" */
    const char *details;    /* paragraphs and examples after the options, or NULL */
    int       (*run)(int argc, char **argv);   /* argv[0]: the command's name; an exit status */
} cli_command;

enum { CLI_DONE = -1 };   /* cli_parse: go on with the command */

/* Parses the options of `command` (GNU style: --name VALUE, --name=VALUE, -o VALUE,
 * "--" ends them); every table also has -h/--help and -q/--quiet.  Operands are
 * moved to the front of argv (argv[1]...) and *argc counts them plus one.
 * Returns CLI_DONE to go on, or the exit status: 0 after --help, 2 after bad
 * usage, for which it has printed one line with the nearest valid name. */
int cli_parse(const cli_command *command, const cli_option *options, int *argc, char **argv);

/* Prints "outlierscope COMMAND: " and osc_error() to stderr; returns 1. */
int cli_fail(const cli_command *command);
/* The same with a message of its own for bad usage; returns 2. */
__attribute__((format(printf, 2, 3)))
int cli_usage(const cli_command *command, const char *format, ...);
/* One of both, with osc_error(), for options that gave `status`: memory that was short is no bad
 * usage. */
int cli_refuse(const cli_command *command, osc_status status);
/* Prints "outlierscope COMMAND: wrote PATH" to stderr, nothing when quiet or without a path. */
void cli_wrote(const cli_command *command, const char *path);

/* True after -q. */
bool cli_quiet(void);

/* Progress on stderr: a bar with ETA when it is a terminal, a line per step when
 * not, nothing when quiet. */
const osc_progress *cli_progress(void);
/* Ends the bar's line; call before printing results. */
void cli_progress_end(void);

/* What commands take when no model or record is named. */
#define CLI_DEFAULT_MODEL "opt-mini-8m"

/* After cli_parse, for commands that read records: without operands takes the record
 * that `outlierscope record` writes by default, if it is in the current folder. */
void cli_default_record(int *argc, char **argv);

/* A path of something shipped: share/NAME of the source tree when run from a build
 * there, else of the installed package; NULL when neither exists.  Static buffer
 * per call site is not used: the result is owned by the caller (osc_free). */
char *cli_shipped(const char *name);

#endif

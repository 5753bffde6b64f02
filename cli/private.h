/* Between the files of cli/. */
#ifndef CLI_PRIVATE_H
#define CLI_PRIVATE_H

#include "cli/cli.h"

/* Prints the help of `command` to stdout: usage, summary, `options` and the two
 * that every command has, details. */
void cli_print_help(const cli_command *command, const cli_option *options);

/* The options of every command, -h and -q; ends like any table. */
extern const cli_option cli_common_options[];

#endif

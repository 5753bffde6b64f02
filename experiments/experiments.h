/* The subcommands that run models. */
#ifndef EXPERIMENTS_EXPERIMENTS_H
#define EXPERIMENTS_EXPERIMENTS_H

#include "cli/cli.h"

/* In the order of the list of commands; ends with NULL. */
extern const cli_command *const experiments_commands[];

#endif

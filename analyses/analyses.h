/* The commands that read records.  To add one: a file that defines
 * `const cli_command analysis_NAME` and its line in ANALYSES. */
#ifndef ANALYSES_ANALYSES_H
#define ANALYSES_ANALYSES_H

#include "cli/cli.h"

#define ANALYSES(X) \
    X(outliers)     \
    X(coverage)     \
    X(emergence)    \
    X(report)

#define ANALYSES_DECLARE(name) extern const cli_command analysis_##name;
ANALYSES(ANALYSES_DECLARE)
#undef ANALYSES_DECLARE

/* Ends with NULL. */
extern const cli_command *const analyses_commands[];

#endif

#include <config.h>
#include "analyses/analyses.h"

#define ENTRY(name) &analysis_##name,
const cli_command *const analyses_commands[] = { ANALYSES(ENTRY) NULL };

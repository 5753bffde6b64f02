#include <config.h>
#include "experiments/experiments.h"

/* One line per command NAME: NAME.c defines `const cli_command experiment_NAME`. */
#define COMMANDS(X) \
    X(record)       \
    X(merge)        \
    X(perplexity)   \
    X(compare)      \
    X(zeroshot)     \
    X(ablate)       \
    X(generate)     \
    X(sweep)        \
    X(tokenize)     \
    X(synth)        \
    X(info)

#define DECLARE(name) extern const cli_command experiment_##name;
#define ENTRY(name)   &experiment_##name,

COMMANDS(DECLARE)

const cli_command *const experiments_commands[] = { COMMANDS(ENTRY) NULL };

#include <config.h>
#include "analyses/options.h"

#include <stdio.h>
#include <string.h>

int option_parse(const cli_command *command, const cli_option *options, int *argc, char **argv)
{
    int status = cli_parse(command, options, argc, argv);
    if (status != CLI_DONE)
        return status;
    cli_default_record(argc, argv);
    if (*argc < 2)
        return cli_usage(command, "no record given (make one with 'outlierscope record')");
    return CLI_DONE;
}

osc_status option_choice(size_t *index, const char *option, const char *text,
                         const char *const *names, size_t count)
{
    char list[256] = "";
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(text, names[i]) == 0) {
            *index = i;
            return OSC_OK;
        }
        if (used < sizeof list)
            used += (size_t)snprintf(list + used, sizeof list - used, "%s%s",
                                     i > 0 ? ", " : "", names[i]);
    }
    const char *near = osc_nearest(text, names, count);
    return osc_fail(OSC_EINVAL, "%s: '%s' is none of %s%s%s%s", option, text, list,
                    near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
}

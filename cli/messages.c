/* Lines on stderr: "outlierscope COMMAND: what is wrong", or what was written. */
#include <config.h>
#include "cli/cli.h"

#include <stdarg.h>
#include <string.h>

static void begin(const cli_command *command)
{
    cli_progress_end();
    fflush(stdout);   /* what was printed before the error comes before it */
    fprintf(stderr, "outlierscope %s: ", command->name);
}

int cli_fail(const cli_command *command)
{
    begin(command);
    fprintf(stderr, "%s\n", osc_error());
    return 1;
}

int cli_usage(const cli_command *command, const char *format, ...)
{
    begin(command);
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return 2;
}

int cli_refuse(const cli_command *command, osc_status status)
{
    return status == OSC_ENOMEM ? cli_fail(command) : cli_usage(command, "%s", osc_error());
}

void cli_wrote(const cli_command *command, const char *path)
{
    if (path != NULL && !cli_quiet())
        fprintf(stderr, "outlierscope %s: wrote %s\n", command->name,
                strcmp(path, "-") == 0 ? "standard output" : path);
}

/* outlierscope: finds the command and runs it. */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "analyses/analyses.h"
#include "cli/cli.h"
#include "experiments/blas.h"
#include "experiments/experiments.h"

enum { MOST_COMMANDS = 64 };

static const cli_command *const *const tables[] = { experiments_commands, analyses_commands };
enum { TABLES = sizeof tables / sizeof *tables };

static const cli_command *find(const char *name)
{
    for (size_t t = 0; t < TABLES; t++)
        for (const cli_command *const *c = tables[t]; *c != NULL; c++)
            if (strcmp((*c)->name, name) == 0)
                return *c;
    return NULL;
}

static int unknown(const char *name)
{
    const char *names[MOST_COMMANDS];
    size_t count = 0;
    for (size_t t = 0; t < TABLES; t++)
        for (const cli_command *const *c = tables[t]; *c != NULL && count < MOST_COMMANDS; c++)
            names[count++] = (*c)->name;
    const char *near = osc_nearest(name, names, count);
    const char *what = name[0] == '-' ? "option" : "command";
    if (near != NULL)
        fprintf(stderr, "outlierscope: unknown %s '%s'; did you mean '%s'?\n", what, name, near);
    else
        fprintf(stderr, "outlierscope: unknown %s '%s' (outlierscope --help lists the commands)\n",
                what, name);
    return 2;
}

static void print_commands(const cli_command *const *commands)
{
    for (; *commands != NULL; commands++)
        printf("  %-12s %s\n", (*commands)->name, (*commands)->summary);
}

static void print_help(void)
{
    puts("usage: outlierscope COMMAND [OPTION]... [FILE]...\n\n"
         "Studies outlier features in transformer language models and what they do to 8-bit\n"
         "matrix multiplication.\n\n"
         "Commands that run a model:");
    print_commands(experiments_commands);
    puts("\nCommands that read records:");
    print_commands(analyses_commands);
    puts("\noutlierscope COMMAND --help describes a command; every command runs without options\n"
         "on the model and text that ship with the program.");
}

static int run_command(const char *name, int argc, char **argv)
{
    const cli_command *command = find(name);
    return command != NULL ? command->run(argc, argv) : unknown(name);
}

static int dispatch(int argc, char **argv)
{
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_help();
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts(PACKAGE_STRING "\nLicence GPL-3.0-or-later; no warranty.");
        return 0;
    }
    if (strcmp(argv[1], "help") != 0)
        return run_command(argv[1], argc - 1, argv + 1);
    if (argc == 2) {
        print_help();
        return 0;
    }
    char help[] = "--help";
    char *ask[] = { argv[2], help, NULL };
    return run_command(argv[2], 2, ask);
}

/* Without this a file that is opened could become descriptor 1 or 2 and receive
 * what is printed. */
static void open_standard_files(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) == -1 && errno == EBADF
            && open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) < 0)
            _exit(1);
}

int main(int argc, char **argv)
{
    blas_correct_kernels(argv);
    open_standard_files();
    signal(SIGPIPE, SIG_IGN);   /* a closed pipe is a write error like any other, */
    signal(SIGXFSZ, SIG_IGN);   /* and so is a limit on the size of files */
    (void)osc_mapping_guard();  /* a weight file that shrinks is an error of the run, too */
    int rc = dispatch(argc, argv);
    bool failed = ferror(stdout) != 0;
    errno = 0;
    if (fflush(stdout) == 0 && !failed)
        return rc;
    fprintf(stderr, "outlierscope: cannot write to standard output%s%s\n",
            errno != 0 ? ": " : "", errno != 0 ? strerror(errno) : "");
    return rc != 0 ? rc : 1;
}

/* peak FILE COMMAND ARGUMENT...: runs the command and writes the most bytes of memory that
 * it had at a time to FILE; ends with its exit status, 128 + N after signal N. */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    struct rusage usage;
    int status;
    if (argc < 3)
        return 99;
    pid_t child = fork();
    if (child == 0) {
        execv(argv[2], argv + 2);
        _exit(99);
    }
    if (child < 0 || wait4(child, &status, 0, &usage) != child)
        return 99;
    FILE *file = fopen(argv[1], "w");
    if (file == NULL || fprintf(file, "%ld\n", usage.ru_maxrss * 1024) < 0 || fclose(file) != 0)
        return 99;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

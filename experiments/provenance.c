#include <config.h>
#include "experiments/provenance.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                            "-_./:,=+@%";

static void append(char *text, size_t size, const char *more, size_t length)
{
    size_t used = strlen(text), room = size - 1 - used;
    if (length > room)
        length = room;
    memcpy(text + used, more, length);
    text[used + length] = '\0';
}

static void append_quoted(char *text, size_t size, const char *word)
{
    append(text, size, "'", 1);
    for (; *word != '\0'; word++)
        if (*word == '\'')
            append(text, size, "'\\''", 4);
        else
            append(text, size, word, 1);
    append(text, size, "'", 1);
}

void provenance_command(char *text, size_t size, int argc, char *const *argv)
{
    text[0] = '\0';
    append(text, size, "outlierscope", 12);
    for (int i = 0; i < argc; i++) {
        append(text, size, " ", 1);
        if (argv[i][0] != '\0' && argv[i][strspn(argv[i], plain)] == '\0')
            append(text, size, argv[i], strlen(argv[i]));
        else
            append_quoted(text, size, argv[i]);
    }
}

void provenance_time(char *text, size_t size)
{
    time_t seconds = time(NULL);
    struct tm utc;
    if (gmtime_r(&seconds, &utc) == NULL || strftime(text, size, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0)
        text[0] = '\0';
}

void provenance_host(char *text, size_t size)
{
    if (gethostname(text, size) != 0)
        text[0] = '\0';
    text[size - 1] = '\0';
}

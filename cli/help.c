/* --help of a command. */
#include <config.h>
#include "cli/private.h"

#include <string.h>

enum { WIDTH = 79, WIDEST_NAME = 26 };

/* "  -o, --output FILE" */
static int name_text(char *text, size_t size, const cli_option *o)
{
    char letter[8] = "    ";
    if (o->letter != 0)
        snprintf(letter, sizeof letter, "-%c, ", o->letter);
    return snprintf(text, size, "  %s--%s%s%s", letter, o->name,
                    o->argument != NULL ? " " : "", o->argument != NULL ? o->argument : "");
}

static int name_width(const cli_option *options)
{
    int widest = 0;
    for (const cli_option *o = options; o->name != NULL; o++) {
        char text[80];
        int width = name_text(text, sizeof text, o);
        if (width > widest && width <= WIDEST_NAME)
            widest = width;
    }
    return widest;
}

/* Prints words from column `column` on, indenting the lines that follow likewise. */
static void print_wrapped(const char *text, int column)
{
    int at = column;
    while (*text != '\0') {
        int word = (int)strcspn(text, " ");
        if (at > column && at + 1 + word > WIDTH) {
            printf("\n%*s", column, "");
            at = column;
        }
        at += printf("%s%.*s", at > column ? " " : "", word, text);
        text += word;
        text += strspn(text, " ");
    }
    putchar('\n');
}

static void print_options(const cli_option *options, int width)
{
    for (const cli_option *o = options; o->name != NULL; o++) {
        char text[80];
        int used = name_text(text, sizeof text, o);
        fputs(text, stdout);
        if (used > width)
            printf("\n%*s", width + 2, "");
        else
            printf("%*s", width + 2 - used, "");
        print_wrapped(o->help, width + 2);
    }
}

void cli_print_help(const cli_command *command, const cli_option *options)
{
    printf("usage: outlierscope %s [OPTION]...%s%s\n\n", command->name,
           command->operands[0] != '\0' ? " " : "", command->operands);
    print_wrapped(command->summary, 0);
    int width = name_width(options), common = name_width(cli_common_options);
    if (width < common)
        width = common;
    puts("\nOptions:");
    print_options(options, width);
    print_options(cli_common_options, width);
    if (command->details != NULL)
        printf("\n%s%s", command->details,
               command->details[strlen(command->details) - 1] == '\n' ? "" : "\n");
}

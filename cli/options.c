/* The option parser.  Names are matched whole: an abbreviation that works today
 * could become ambiguous tomorrow. */
#include <config.h>
#include "cli/cli.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "cli/private.h"

static bool quiet, help;

const cli_option cli_common_options[] = {
    { "quiet", 'q', CLI_SWITCH, NULL, "print no progress", &quiet, 0, 0 },
    { "help", 'h', CLI_SWITCH, NULL, "print this help", &help, 0, 0 },
    { NULL, 0, CLI_SWITCH, NULL, NULL, NULL, 0, 0 }
};

enum { MOST_NAMES = 64 };

typedef struct {
    const cli_command *command;
    const cli_option  *tables[2];   /* the command's, the common ones */
    int                argc, next;  /* next: first argument not yet looked at */
    char             **argv;
    int                operands;    /* so many were moved to argv[1]... */
} parser;

bool cli_quiet(void)
{
    return quiet;
}

static const cli_option *find_long(const parser *p, const char *name, size_t length)
{
    for (size_t t = 0; t < 2; t++)
        for (const cli_option *o = p->tables[t]; o->name != NULL; o++)
            if (strlen(o->name) == length && memcmp(o->name, name, length) == 0)
                return o;
    return NULL;
}

static const cli_option *find_letter(const parser *p, char letter)
{
    for (size_t t = 0; t < 2; t++)
        for (const cli_option *o = p->tables[t]; o->name != NULL; o++)
            if (o->letter == letter)
                return o;
    return NULL;
}

static int unknown_long(const parser *p, const char *name, size_t length)
{
    const char *names[MOST_NAMES];
    size_t count = 0;
    for (size_t t = 0; t < 2; t++)
        for (const cli_option *o = p->tables[t]; o->name != NULL && count < MOST_NAMES; o++)
            names[count++] = o->name;
    char word[64];
    size_t kept = length < sizeof word ? length : sizeof word - 1;
    memcpy(word, name, kept);
    word[kept] = '\0';
    const char *near = osc_nearest(word, names, count);
    if (near != NULL)
        return cli_usage(p->command, "unknown option --%s; did you mean --%s?", word, near);
    return cli_usage(p->command, "unknown option --%s (%s --help lists them)", word,
                     p->command->name);
}

static osc_status set_size(const cli_option *o, const char *what, const char *value)
{
    bool bounded = o->lowest != 0 || o->highest != 0;
    size_t highest = bounded && o->highest < 0x1p63 ? (size_t)o->highest : SIZE_MAX;
    return osc_parse_size(o->target, what, value, bounded ? (size_t)o->lowest : 0, highest);
}

static osc_status set_number(const cli_option *o, const char *what, const char *value)
{
    bool bounded = o->lowest != 0 || o->highest != 0;
    return osc_parse_double(o->target, what, value, bounded ? o->lowest : -INFINITY,
                            bounded ? o->highest : INFINITY);
}

static osc_status set_list(const cli_option *o, const char *what, const char *value)
{
    cli_list *list = o->target;
    if (list->count == CLI_LIST_MOST)
        return osc_fail(OSC_EINVAL, "%s is given more than %d times", what, CLI_LIST_MOST);
    list->item[list->count++] = value;
    return OSC_OK;
}

/* Stores `value` (NULL for a switch); CLI_DONE or an exit status. */
static int set(const parser *p, const cli_option *o, const char *value)
{
    char what[64];
    snprintf(what, sizeof what, "--%s", o->name);
    osc_status status = OSC_OK;
    switch (o->type) {
    case CLI_SWITCH: *(bool *)o->target = true; break;
    case CLI_TEXT:   *(const char **)o->target = value; break;
    case CLI_SIZE:   status = set_size(o, what, value); break;
    case CLI_NUMBER: status = set_number(o, what, value); break;
    case CLI_LIST:   status = set_list(o, what, value); break;
    }
    return status == OSC_OK ? CLI_DONE : cli_usage(p->command, "%s", osc_error());
}

/* The value is what follows, unless it came with the option itself. */
static int take(parser *p, const cli_option *o, const char *attached)
{
    if (o->type != CLI_SWITCH && attached == NULL) {
        if (p->next == p->argc)
            return cli_usage(p->command, "option --%s needs a value: --%s %s",
                             o->name, o->name, o->argument);
        attached = p->argv[p->next++];
    }
    return set(p, o, attached);
}

static int parse_long(parser *p, const char *text)
{
    const char *equals = strchr(text, '=');
    size_t length = equals != NULL ? (size_t)(equals - text) : strlen(text);
    const cli_option *o = find_long(p, text, length);
    if (o == NULL)
        return unknown_long(p, text, length);
    if (o->type == CLI_SWITCH && equals != NULL)
        return cli_usage(p->command, "option --%s takes no value", o->name);
    return take(p, o, equals != NULL ? equals + 1 : NULL);
}

/* "-q", "-oFILE", or several switches in one word. */
static int parse_letters(parser *p, const char *text)
{
    for (; *text != '\0'; text++) {
        const cli_option *o = find_letter(p, *text);
        if (o == NULL)
            return cli_usage(p->command, "unknown option -%c (%s --help lists them)", *text,
                             p->command->name);
        if (o->type != CLI_SWITCH)
            return take(p, o, text[1] != '\0' ? text + 1 : NULL);
        int rc = take(p, o, NULL);
        if (rc != CLI_DONE)
            return rc;
    }
    return CLI_DONE;
}

static int parse_all(parser *p)
{
    bool options_ended = false;
    while (p->next < p->argc) {
        char *text = p->argv[p->next++];
        int rc = CLI_DONE;
        if (options_ended || text[0] != '-' || text[1] == '\0')
            p->argv[++p->operands] = text;
        else if (strcmp(text, "--") == 0)
            options_ended = true;
        else
            rc = text[1] == '-' ? parse_long(p, text + 2) : parse_letters(p, text + 1);
        if (rc != CLI_DONE || help)
            return rc;
    }
    return CLI_DONE;
}

int cli_parse(const cli_command *command, const cli_option *options, int *argc, char **argv)
{
    parser p = { .command = command, .tables = { options, cli_common_options },
                 .argc = *argc, .next = 1, .argv = argv };
    int rc = parse_all(&p);
    if (rc != CLI_DONE)
        return rc;
    if (help) {
        cli_print_help(command, options);
        return 0;
    }
    if (p.operands > 0 && command->operands[0] == '\0')
        return cli_usage(command, "unexpected argument '%s'", argv[1]);
    *argc = p.operands + 1;
    return CLI_DONE;
}

void cli_default_record(int *argc, char **argv)
{
    static char name[] = CLI_DEFAULT_MODEL ".h5";
    if (*argc == 1 && osc_file_exists(name)) {
        argv[1] = name;   /* the place of the NULL that ends argv, at the latest */
        *argc = 2;
    }
}

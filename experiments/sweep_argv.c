/* The command line of a cell. */
#include <config.h>
#include "experiments/sweep.h"

#include <stdio.h>
#include <string.h>

static osc_status add(sweep_argv *a, const char *word)
{
    char **words = osc_grow(a->word, &a->capacity, a->count + 2, sizeof *words);
    if (words == NULL)
        return OSC_ENOMEM;
    a->word = words;
    words[a->count] = osc_copy_string(word, strlen(word));
    if (words[a->count] == NULL)
        return OSC_ENOMEM;
    words[++a->count] = NULL;
    return OSC_OK;
}

static osc_status add_option(sweep_argv *a, const char *name, const char *value)
{
    char text[80];
    snprintf(text, sizeof text, "--%s", name);
    OSC_TRY(add(a, text));
    return value != NULL ? add(a, value) : OSC_OK;
}

static osc_status add_path(sweep_argv *a, const char *name, char *path)
{
    osc_status status = path != NULL ? add_option(a, name, path) : OSC_ENOMEM;
    osc_free(path);
    return status;
}

static osc_status add_schemes(sweep_argv *a, const sweep_cell *cell)
{
    size_t i;
    const json_t *scheme;
    if (cell->task->schemes == SCHEMES_EACH)
        return add_option(a, "scheme", cell->scheme);
    json_array_foreach(json_object_get(cell->section, "schemes"), i, scheme)
        OSC_TRY(add_option(a, "scheme", json_string_value(scheme)));
    return OSC_OK;
}

static osc_status add_settings(sweep_argv *a, const sweep_cell *cell)
{
    const char *key;
    json_t *value;
    json_object_foreach(json_object_get(cell->section, "options"), key, value)
        if (!json_is_false(value))
            OSC_TRY(add_option(a, key, json_string_value(value)));
    return OSC_OK;
}

/* Where the result goes; standard output unless the command writes it. */
static osc_status add_output(sweep_argv *a, const sweep *s, const sweep_cell *cell)
{
    switch (cell->task->kind) {
    case CELL_RECORD:
        OSC_TRY(add_path(a, "output", sweep_cell_path(s, cell, ".h5")));
        return add_option(a, "resume", NULL);
    case CELL_PARTIAL:
    case CELL_ACCURACIES:
        OSC_TRY(add_path(a, "output", sweep_cell_path(s, cell, ".part")));
        OSC_TRY(add_option(a, "resume", NULL));
        break;
    case CELL_ABLATION:
        if (cell->needs != SIZE_MAX)
            OSC_TRY(add_path(a, "record", sweep_cell_path(s, &s->cell[cell->needs], ".h5")));
        break;
    case CELL_ROWS:
        break;
    }
    return add_option(a, "format", "json");
}

osc_status sweep_argv_make(sweep_argv *a, const sweep *s, const sweep_cell *cell,
                           const char *model)
{
    *a = (sweep_argv){ .word = NULL };
    OSC_TRY(add(a, cell->task->name));
    OSC_TRY(add_option(a, "model", model));
    OSC_TRY(add_schemes(a, cell));
    OSC_TRY(add_settings(a, cell));
    return add_output(a, s, cell);
}

void sweep_argv_free(sweep_argv *a)
{
    for (size_t i = 0; i < a->count; i++)
        osc_free(a->word[i]);
    osc_free(a->word);
    *a = (sweep_argv){ .word = NULL };
}

/* The cells of a sweep: which there are, their names, where things are. */
#include <config.h>
#include "experiments/sweep.h"

#include <ctype.h>
#include <string.h>

/* --- names ---------------------------------------------------------------------------- */

/* The last component of a path, without slashes at its end. */
static const char *last_component(size_t *length, const char *path)
{
    size_t end = strlen(path), start;
    while (end > 1 && path[end - 1] == '/')
        end--;
    for (start = end; start > 0 && path[start - 1] != '/'; start--)
        ;
    *length = end - start;
    return path + start;
}

/* "MODEL.TASK[-LABEL][.SCHEME]", in characters that every shell and file system takes as
 * they are. */
static char *cell_name(const sweep_cell *cell)
{
    size_t length;
    const char *label = json_string_value(json_object_get(cell->section, "label"));
    const char *model = last_component(&length, cell->model);
    char text[1024];
    snprintf(text, sizeof text, "%.*s.%s%s%s%s%s", (int)length, model, cell->task->name,
             label[0] != '\0' ? "-" : "", label, cell->scheme != NULL ? "." : "",
             cell->scheme != NULL ? cell->scheme : "");
    for (char *c = text; *c != '\0'; c++)
        if (!isalnum((unsigned char)*c) && strchr(".-_=+", *c) == NULL)
            *c = '_';
    if (text[0] == '.')
        text[0] = '_';
    return osc_copy_string(text, strlen(text));
}

const char *sweep_section_text(char *text, size_t size, const json_t *section)
{
    const char *label = json_string_value(json_object_get(section, "label"));
    snprintf(text, size, "%s%s%s", json_string_value(json_object_get(section, "task")),
             label[0] != '\0' ? " " : "", label);
    return text;
}

char *sweep_path(const sweep *s, const char *name)
{
    return osc_path_join(s->folder, name);
}

const char *sweep_cell_extension(const sweep_cell *cell)
{
    return cell->task->kind == CELL_RECORD ? ".h5" : ".json";
}

char *sweep_cell_path(const sweep *s, const sweep_cell *cell, const char *extension)
{
    char name[1100];
    snprintf(name, sizeof name, "cells/%s%s", cell->name, extension);
    return sweep_path(s, name);
}

/* --- models ---------------------------------------------------------------------------- */

/* A name alone is looked for in the model root, beside the configuration and among what
 * ships; a path starts at the configuration's folder. */
osc_status sweep_model_find(char **path, const sweep *s, const char *model)
{
    const char *folders[] = { s->model_root, s->conf.folder };
    bool name = strchr(model, '/') == NULL;
    if (model[0] == '/') {
        *path = osc_copy_string(model, strlen(model));
        return *path != NULL ? OSC_OK : OSC_ENOMEM;
    }
    for (size_t i = name ? 0 : 1; i < 2; i++) {
        if (folders[i] == NULL)
            continue;
        char *place = osc_path_join(folders[i], model);
        if (place == NULL)
            return OSC_ENOMEM;
        if (osc_file_exists(place) || !name) {
            *path = place;
            return OSC_OK;
        }
        osc_free(place);
    }
    *path = cli_shipped(model);
    if (*path != NULL)
        return OSC_OK;
    if (s->model_root == NULL)
        return osc_fail(OSC_ENOTFOUND, "no model '%s' beside the configuration or among the "
                        "shipped ones; --model-root DIR or OUTLIERSCOPE_MODELS names where "
                        "models are", model);
    return osc_fail(OSC_ENOTFOUND, "no model '%s' in %s, beside the configuration or among the "
                    "shipped ones", model, s->model_root);
}

/* --- states ---------------------------------------------------------------------------- */

static bool record_complete(const char *path)
{
    osc_record *record;
    if (osc_record_open(&record, path) != OSC_OK)
        return false;
    bool complete = osc_record_get_info(record)->complete;
    osc_record_close(record);
    return complete;
}

bool sweep_cell_done(const sweep *s, const sweep_cell *cell)
{
    char *path = sweep_cell_path(s, cell, sweep_cell_extension(cell));
    bool done = path != NULL && osc_file_exists(path)
        && (cell->task->kind != CELL_RECORD || record_complete(path));
    osc_free(path);
    return done;
}

/* --- making ------------------------------------------------------------------------------ */

static osc_status add_cell(sweep *s, json_t *section, const char *model, const char *scheme)
{
    sweep_cell *cells = osc_grow(s->cell, &s->capacity, s->count + 1, sizeof *cells);
    if (cells == NULL)
        return OSC_ENOMEM;
    s->cell = cells;
    sweep_cell *cell = &cells[s->count];
    *cell = (sweep_cell){ .section = section, .model = model, .scheme = scheme };
    OSC_TRY(sweep_task_find(&cell->task, json_string_value(json_object_get(section, "task"))));
    cell->name = cell_name(cell);
    if (cell->name == NULL)
        return OSC_ENOMEM;
    s->count++;
    return OSC_OK;
}

static osc_status add_model(sweep *s, const sweep_task *task, json_t *section, const char *model)
{
    size_t i;
    const json_t *scheme;
    if (task->schemes != SCHEMES_EACH)
        return add_cell(s, section, model, NULL);
    json_array_foreach(json_object_get(section, "schemes"), i, scheme)
        OSC_TRY(add_cell(s, section, model, json_string_value(scheme)));
    return OSC_OK;
}

/* Cells that need a record come after all that do not. */
static osc_status add_all(sweep *s)
{
    size_t i, j;
    json_t *section, *model;
    const sweep_task *task;
    for (int needs = 0; needs < 2; needs++)
        json_array_foreach(json_object_get(s->conf.json, "tasks"), i, section) {
            OSC_TRY(sweep_task_find(&task, json_string_value(json_object_get(section, "task"))));
            if ((task->kind == CELL_ABLATION) != (needs == 1))
                continue;
            json_array_foreach(json_object_get(s->conf.json, "models"), j, model)
                OSC_TRY(add_model(s, task, section, json_string_value(model)));
        }
    return OSC_OK;
}

static osc_status check_names(const sweep *s)
{
    for (size_t i = 0; i < s->count; i++)
        for (size_t j = 0; j < i; j++)
            if (strcmp(s->cell[i].name, s->cell[j].name) == 0)
                return osc_fail(OSC_EINVAL, "%s: two cells are called %s: of models '%s' and '%s' "
                                "with scheme %s and %s (a symbolic link gives a model another "
                                "name)", s->conf.path, s->cell[i].name, s->cell[j].model,
                                s->cell[i].model, s->cell[j].scheme ? s->cell[j].scheme : "-",
                                s->cell[i].scheme ? s->cell[i].scheme : "-");
    return OSC_OK;
}

/* Of the same model, and if there is one of the same scheme; else `ablate` finds the
 * outliers itself, unless it is told which features to take. */
static size_t find_record(const sweep *s, const sweep_cell *cell)
{
    const json_t *options = json_object_get(cell->section, "options");
    size_t found = SIZE_MAX;
    if (cell->task->kind != CELL_ABLATION || json_object_get(options, "features") != NULL
        || json_object_get(options, "top") != NULL)
        return SIZE_MAX;
    for (size_t i = 0; i < s->count; i++) {
        const sweep_cell *record = &s->cell[i];
        if (record->task->kind != CELL_RECORD || strcmp(record->model, cell->model) != 0)
            continue;
        if (strcmp(record->scheme, cell->scheme) == 0)
            return i;
        found = found == SIZE_MAX ? i : found;
    }
    return found;
}

/* A cell that needs another belongs to its unit. */
static void link_cells(sweep *s)
{
    for (size_t i = 0; i < s->count; i++)
        s->cell[i].needs = find_record(s, &s->cell[i]);
    for (size_t i = 0; i < s->count; i++)
        if (s->cell[i].needs == SIZE_MAX)
            s->cell[i].unit = s->units++;
    for (size_t i = 0; i < s->count; i++)
        if (s->cell[i].needs != SIZE_MAX)
            s->cell[i].unit = s->cell[s->cell[i].needs].unit;
}

static json_t *text_or_null(const char *text)
{
    return text != NULL ? json_string(text) : json_null();
}

static osc_status list_cells(sweep *s)
{
    json_t *list = json_array();
    for (size_t i = 0; i < s->count; i++) {
        const sweep_cell *c = &s->cell[i];
        char output[1100], needs[1100];
        snprintf(output, sizeof output, "cells/%s%s", c->name, sweep_cell_extension(c));
        if (c->needs != SIZE_MAX)
            snprintf(needs, sizeof needs, "cells/%s.h5", s->cell[c->needs].name);
        json_t *row = json_pack("{s:s, s:s, s:O, s:s, s:o, s:s, s:o}", "name", c->name,
                                "task", c->task->name,
                                "label", json_object_get(c->section, "label"), "model", c->model,
                                "scheme", text_or_null(c->scheme), "output", output,
                                "needs", text_or_null(c->needs != SIZE_MAX ? needs : NULL));
        if (json_array_append_new(list, row) != 0) {
            json_decref(list);
            return OSC_ENOMEM;
        }
    }
    return json_object_set_new(s->conf.json, "cells", list) == 0 ? OSC_OK : OSC_ENOMEM;
}

osc_status sweep_cells_make(sweep *s)
{
    OSC_TRY(add_all(s));
    OSC_TRY(check_names(s));
    link_cells(s);
    return list_cells(s);
}

void sweep_cells_free(sweep *s)
{
    for (size_t i = 0; i < s->count; i++)
        osc_free(s->cell[i].name);
    osc_free(s->cell);
    s->cell = NULL;
    s->count = s->capacity = 0;
}

/* The tasks of a sweep and the keys that each understands. */
#include <config.h>
#include "experiments/sweep.h"

#include <string.h>

#include "experiments/zeroshot.h"

/* --- checks --------------------------------------------------------------------------- */

static osc_status check_protocol(const char *value)
{
    osc_protocol protocol;
    OSC_TRY(osc_protocol_parse(&protocol, value));
    return protocol != OSC_TOKENS ? OSC_OK
         : osc_fail(OSC_EINVAL, "protocol tokens is what the key tokens does");
}

static osc_status check_backend(const char *value)
{
    const osc_backend *backend;
    return osc_backend_find(&backend, value);
}

static osc_status check_scheme(const char *value)
{
    osc_scheme_choice choice;
    return osc_scheme_parse(&choice, value);
}

/* Of zeroshot. */
static osc_status check_bos(const char *value)
{
    zeroshot_bos bos;
    return zeroshot_bos_parse(&bos, value);
}

/* --- keys ------------------------------------------------------------------------------ */

/* General ones, which stand in front of the sections too: of every task, but for the first
 * RUN_DEVICE_ROWS of run.h ... */
static const sweep_key common_keys[] = {
    { "schemes", CLI_LIST, 0, 0, check_scheme },
    { "tokenizer", CLI_TEXT, 0, 0, NULL },
    { "backend", CLI_TEXT, 0, 0, check_backend },
    { "devices", CLI_TEXT, 0, 0, osc_session_check_devices },
    { "threads", CLI_SIZE, 1, 4096, NULL },
    { "chunk", CLI_SIZE, 1, INT32_MAX, NULL },
    { "memory", CLI_NUMBER, 1e-3, 1e6, NULL },
    { "allow-nonfinite", CLI_SWITCH, 0, 0, NULL },
    { .name = NULL },
};

/* ... and of those that run over a text, RUN_TEXT_ROWS. */
static const sweep_key text_keys[] = {
    { "text", CLI_TEXT, 0, 0, NULL },
    { "tokens", CLI_TEXT, 0, 0, NULL },
    { "protocol", CLI_TEXT, 0, 0, check_protocol },
    { "length", CLI_SIZE, 2, 1 << 24, NULL },
    { "sequences", CLI_SIZE, 1, INT32_MAX, NULL },
    { "bos", CLI_SIZE, 0, INT32_MAX, NULL },
    { "no-bos", CLI_SWITCH, 0, 0, NULL },
    { .name = NULL },
};

static const sweep_key record_keys[] = {
    { "points", CLI_TEXT, 0, 0, NULL },
    { "track", CLI_TEXT, 0, 0, NULL },
    { "raw", CLI_TEXT, 0, 0, NULL },
    { "alpha", CLI_NUMBER, 1e-6, 1e6, NULL },
    { "event-cap", CLI_SIZE, 0, 0x1p53, NULL },
    { "interval", CLI_NUMBER, 0, 1e9, NULL },
    { .name = NULL },
};

static const sweep_key no_keys[] = { { .name = NULL } };

static const sweep_key compare_keys[] = {
    { "threshold", CLI_TEXT, 0, 0, NULL },
    { .name = NULL },
};

static const sweep_key ablate_keys[] = {
    { "features", CLI_TEXT, 0, 0, NULL },
    { "top", CLI_SIZE, 1, INT32_MAX, NULL },
    { "alpha", CLI_NUMBER, 1e-6, 1e6, NULL },
    { "points", CLI_TEXT, 0, 0, NULL },
    { "mode", CLI_TEXT, 0, 0, NULL },
    { "draws", CLI_SIZE, 0, 1000000, NULL },
    { "seed", CLI_SIZE, 1, INT32_MAX, NULL },
    { "cumulative", CLI_SWITCH, 0, 0, NULL },
    { .name = NULL },
};

static const sweep_key zeroshot_keys[] = {
    { "data", CLI_TEXT, 0, 0, NULL },
    { "tasks", CLI_TEXT, 0, 0, NULL },
    { "limit", CLI_SIZE, 1, INT32_MAX, NULL },
    { "bos", CLI_TEXT, 0, 0, check_bos },
    { .name = NULL },
};

/* --- passes ----------------------------------------------------------------------------- */

static double one_pass(const json_t *options)
{
    (void)options;
    return 1;
}

/* Undisturbed, zeroed, and each draw; a dose-response curve takes more, as many as the
 * record has outlier features. */
static double pass_per_draw(const json_t *options)
{
    size_t draws = 10;
    const char *text = json_string_value(json_object_get(options, "draws"));
    if (text != NULL)
        (void)osc_parse_size(&draws, "draws", text, 0, SIZE_MAX);   /* was checked when read */
    return 2.0 + (double)draws;
}

/* --- tasks ------------------------------------------------------------------------------ */

/* One line a task; its name is the command's. */
static const sweep_task tasks[] = {
    { "record", SCHEMES_EACH, CELL_RECORD, true, record_keys, one_pass },
    { "perplexity", SCHEMES_EACH, CELL_ROWS, true, no_keys, one_pass },
    { "compare", SCHEMES_ALL, CELL_PARTIAL, true, compare_keys, one_pass },
    { "ablate", SCHEMES_EACH, CELL_ABLATION, true, ablate_keys, pass_per_draw },
    { "zeroshot", SCHEMES_EACH, CELL_ACCURACIES, false, zeroshot_keys, one_pass },
};
enum { TASKS = sizeof tasks / sizeof *tasks, NAMES_MOST = 64 };

osc_status sweep_task_find(const sweep_task **task, const char *name)
{
    const char *names[TASKS];
    for (size_t i = 0; i < TASKS; i++) {
        names[i] = tasks[i].name;
        if (strcmp(name, tasks[i].name) == 0) {
            *task = &tasks[i];
            return OSC_OK;
        }
    }
    const char *near = osc_nearest(name, names, TASKS);
    return near != NULL ? osc_fail(OSC_EINVAL, "unknown task '%s'; did you mean '%s'?", name, near)
         : osc_fail(OSC_EINVAL, "unknown task '%s' (docs/sweep.md lists them)", name);
}

static const sweep_key *find_in(const sweep_key *keys, const char *name, const char **names,
                                size_t *count)
{
    for (; keys->name != NULL; keys++) {
        if (strcmp(name, keys->name) == 0)
            return keys;
        names[(*count)++] = keys->name;
    }
    return NULL;
}

bool sweep_key_is_of(const sweep_task *task, const char *name)
{
    const char *names[NAMES_MOST];
    size_t count = 0;
    return task->text || find_in(text_keys, name, names, &count) == NULL;
}

osc_status sweep_key_find(const sweep_key **key, const sweep_task *task, const char *name)
{
    const char *names[NAMES_MOST];
    size_t count = 0;
    const sweep_key *found = find_in(common_keys, name, names, &count);
    if (found == NULL && (task == NULL || task->text))
        found = find_in(text_keys, name, names, &count);
    if (found == NULL && task != NULL)
        found = find_in(task->keys, name, names, &count);
    if (found != NULL) {
        *key = found;
        return OSC_OK;
    }
    if (task == NULL) {   /* keys that are no options (sweep_conf.c) */
        names[count++] = "models";
        names[count++] = "title";
    }
    const char *near = osc_nearest(name, names, count);
    const char *where = task != NULL ? task->name : "every task";
    return near != NULL
        ? osc_fail(OSC_EINVAL, "%s has no key '%s'; did you mean '%s'?", where, name, near)
        : osc_fail(OSC_EINVAL, "%s has no key '%s' (docs/sweep.md lists them)", where, name);
}

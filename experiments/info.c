/* info: what is in a checkpoint or a record.  A description is one JSON object, which
 * --format text prints as lines. */
#include <config.h>
#include "cli/cli.h"

#include <string.h>
#include <sys/stat.h>

#include "analyses/jsonout.h"
#include "experiments/describe.h"
#include "experiments/run.h"

extern const cli_command experiment_info;

/* A directory is a checkpoint, anything else must be a record. */
static osc_status describe(json_t **object, const char *path, bool digest)
{
    struct stat status;
    if (osc_synth_is(path) || (stat(path, &status) == 0 && S_ISDIR(status.st_mode)))
        return describe_checkpoint(object, path, digest ? cli_progress() : NULL, digest);
    return describe_record(object, path);
}

/* --- text ---------------------------------------------------------------------------- */

static void print_value(const json_t *value);

static void print_list(const json_t *list, const char *separator)
{
    size_t i;
    const json_t *item;
    json_array_foreach(list, i, item) {
        if (i > 0)
            fputs(separator, stdout);
        print_value(item);
    }
}

static void print_value(const json_t *value)
{
    if (json_is_array(value) && json_array_size(value) == 0)
        fputs("none", stdout);
    else if (json_is_string(value))
        fputs(json_string_value(value), stdout);
    else if (json_is_integer(value))
        printf("%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else if (json_is_real(value))
        printf("%.10g", json_real_value(value));
    else if (json_is_array(value))
        print_list(value, json_is_array(json_array_get(value, 0)) ? ", " : " ");
    else
        fputs(json_is_true(value) ? "yes" : json_is_false(value) ? "no" : "none", stdout);
}

/* An array of objects: a line each, indented. */
static void print_rows(const json_t *rows)
{
    size_t i;
    const json_t *row;
    json_array_foreach(rows, i, row) {
        printf("%*s", i == 0 ? 0 : 20, "");
        const char *key;
        json_t *value;
        bool first = true;
        json_object_foreach((json_t *)(uintptr_t)row, key, value) {
            if (!first)
                printf("  %s ", key);
            print_value(value);
            first = false;
        }
        if (i + 1 < json_array_size(rows))
            putchar('\n');
    }
}

static void print_object(json_t *object)
{
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value) {
        char label[32];
        snprintf(label, sizeof label, "%s", key);
        for (char *c = label; *c != '\0'; c++)
            if (*c == '_')
                *c = ' ';
        printf("%-19s ", label);
        if (json_is_object(json_array_get(value, 0)))
            print_rows(value);
        else
            print_value(value);
        putchar('\n');
    }
}

/* --- the command ----------------------------------------------------------------------- */

/* Describes all paths before anything is printed. */
static osc_status describe_all(json_t *all, int count, char **paths, bool digest)
{
    for (int i = 0; i < count; i++) {
        json_t *object;
        OSC_TRY(describe(&object, paths[i], digest));
        if (json_array_append_new(all, object) != 0)
            return osc_fail(OSC_ENOMEM, "out of memory");
    }
    return OSC_OK;
}

static osc_status print_all(json_t *all, bool json)
{
    if (json)
        return json_out_write(json_incref(all), stdout);
    size_t i;
    json_t *object;
    json_array_foreach(all, i, object) {
        if (i > 0)
            putchar('\n');
        print_object(object);
    }
    return OSC_OK;
}

static osc_status run_info(int count, char **paths, bool digest, bool json)
{
    char *shipped[1] = { NULL };
    if (count == 0) {
        shipped[0] = cli_shipped(CLI_DEFAULT_MODEL);
        if (shipped[0] == NULL)
            return OSC_ENOTFOUND;
        paths = shipped;
        count = 1;
    }
    json_t *all = json_array();
    osc_status status = all != NULL ? OSC_OK : osc_fail(OSC_ENOMEM, "out of memory");
    if (status == OSC_OK)
        status = describe_all(all, count, paths, digest);
    cli_progress_end();
    if (status == OSC_OK)
        status = print_all(all, json);
    json_decref(all);
    osc_free(shipped[0]);
    return status;
}

static int info(int argc, char **argv)
{
    bool digest = false;
    const char *format = "text";
    const cli_option options[] = {
        { "digest", 0, CLI_SWITCH, NULL, "also the SHA-256 of a checkpoint's weights", &digest,
          0, 0 },
        { "format", 0, CLI_TEXT, "NAME", "text or json (default: text)", &format, 0, 0 },
        { NULL, 0, CLI_SWITCH, NULL, NULL, NULL, 0, 0 }
    };
    int rc = cli_parse(&experiment_info, options, &argc, argv);
    if (rc != CLI_DONE)
        return rc;
    bool json = strcmp(format, "json") == 0;
    if (!json && strcmp(format, "text") != 0)
        return cli_usage(&experiment_info, "--format: '%s' is neither text nor json", format);
    return run_info(argc - 1, argv + 1, digest, json) == OSC_OK ? 0 : cli_fail(&experiment_info);
}

const cli_command experiment_info = {
    .name = "info",
    .summary = "say what is in a checkpoint or a record",
    .operands = "[PATH]...",
    .details =
        "PATH is a checkpoint directory or a record file (default: the shipped " CLI_DEFAULT_MODEL
        ").\n"
        "Checkpoints of OPT, GPT-2, GPT-J, BLOOM and Llama (model_type opt, gpt2, gptj, bloom,\n"
        "llama in config.json); docs/architectures.md says what is refused.\n"
        "\n"
        "Examples:\n"
        "  outlierscope info ~/opt-6.7b\n"
        "  outlierscope info --format json run.h5\n",
    .run = info,
};

/* synth: writes a checkpoint with random weights and planted outlier features. */
#include <config.h>
#include "cli/cli.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/output.h"

extern const cli_command experiment_synth;

enum { FILE_NAME = 64 };
static const double SHARD_MB = 5000.0;

typedef struct {
    const char *folder;
    size_t      shard;       /* bytes of a file's tensors, about, at most */
    bool        overwrite;
} synth_options;

/* Which tensors share a file: those up to end[i], not from end[i - 1] on. */
typedef struct {
    size_t *end;
    size_t  count;
} shards;

/* --- files ------------------------------------------------------------------------- */

static size_t bytes_of(const osc_store *store, size_t i)
{
    const osc_tensor *tensor = &osc_store_at(store, i)->tensor;
    return osc_tensor_count(tensor) * osc_dtype_size(tensor->dtype);
}

static osc_status cut(shards *s, const osc_store *store, size_t most)
{
    size_t tensors = osc_store_count(store), bytes = 0;
    s->end = osc_alloc(tensors, sizeof *s->end);
    if (s->end == NULL)
        return OSC_ENOMEM;
    for (size_t i = 0; i < tensors; i++) {
        if (i > 0 && bytes + bytes_of(store, i) > most) {
            s->end[s->count++] = i;
            bytes = 0;
        }
        bytes += bytes_of(store, i);
    }
    s->end[s->count++] = tensors;
    return OSC_OK;
}

static void shard_name(char name[FILE_NAME], const shards *s, size_t i)
{
    if (s->count == 1)
        snprintf(name, FILE_NAME, "model.safetensors");
    else
        snprintf(name, FILE_NAME, "model-%05zu-of-%05zu.safetensors", i + 1, s->count);
}

/* Opens DIR/NAME; `*path` is to be freed after the output has ended. */
static osc_status open_file(cli_output *output, char **path, const char *folder, const char *name)
{
    *path = osc_path_join(folder, name);
    if (*path == NULL)
        return OSC_ENOMEM;
    osc_status status = cli_output_open(output, *path);
    if (status != OSC_OK)
        osc_free(*path);
    return status;
}

static osc_status close_file(cli_output *output, char *path, osc_status status)
{
    if (status == OSC_OK)
        status = cli_output_commit(output);
    else
        cli_output_abort(output);
    osc_free(path);
    return status;
}

static osc_status write_shard(const synth_options *o, const osc_store *store, const shards *s,
                              size_t i)
{
    char name[FILE_NAME], *path;
    cli_output output;
    size_t first = i > 0 ? s->end[i - 1] : 0;
    shard_name(name, s, i);
    OSC_TRY(open_file(&output, &path, o->folder, name));
    osc_status status = osc_safetensors_write(output.stream, store, first, s->end[i] - first,
                                              cli_progress());
    if (status != OSC_OK)
        osc_fail_in(status, path);
    return close_file(&output, path, status);
}

static osc_status write_json(const synth_options *o, const char *name, const json_t *json)
{
    char *path;
    cli_output output;
    OSC_TRY(open_file(&output, &path, o->folder, name));
    osc_status status = OSC_OK;
    if (json_dumpf(json, output.stream, JSON_INDENT(2)) != 0)
        status = osc_fail(OSC_EIO, "%s: cannot write: %s", path, strerror(errno));
    else
        fputc('\n', output.stream);
    return close_file(&output, path, status);
}

static osc_status write_index(const synth_options *o, const osc_store *store, const shards *s)
{
    json_t *map = json_object();
    for (size_t i = 0, tensor = 0; i < s->count; i++) {
        char name[FILE_NAME];
        shard_name(name, s, i);
        for (; map != NULL && tensor < s->end[i]; tensor++)
            json_object_set_new(map, osc_store_at(store, tensor)->name, json_string(name));
    }
    json_t *index = json_pack("{s:{s:I}, s:o}", "metadata", "total_size",
                              (json_int_t)osc_store_bytes(store), "weight_map", map);
    osc_status status = index == NULL ? osc_fail(OSC_ENOMEM, "out of memory")
                                      : write_json(o, "model.safetensors.index.json", index);
    json_decref(index);
    return status;
}

/* config.json comes last: without it the folder is no checkpoint. */
static osc_status write_checkpoint(const synth_options *o, const osc_store *store)
{
    shards s = { .end = NULL };
    osc_status status = cut(&s, store, o->shard);
    for (size_t i = 0; status == OSC_OK && i < s.count; i++)
        status = write_shard(o, store, &s, i);
    if (status == OSC_OK && s.count > 1)
        status = write_index(o, store, &s);
    if (status == OSC_OK)
        status = write_json(o, "config.json", osc_store_config(store));
    osc_free(s.end);
    return status;
}

/* --- the command ---------------------------------------------------------------------- */

static osc_status make_folder(const synth_options *o)
{
    char *path = osc_path_join(o->folder, "config.json");
    if (path == NULL)
        return OSC_ENOMEM;
    osc_status status = OSC_OK;
    if (osc_file_exists(path) && !o->overwrite)
        status = osc_fail(OSC_EINVAL, "%s: there is a checkpoint already; --force replaces it",
                          o->folder);
    else if (osc_file_exists(path) && remove(path) != 0)
        status = osc_fail(OSC_EIO, "%s: cannot remove: %s", path, strerror(errno));
    else if (mkdir(o->folder, 0777) != 0 && errno != EEXIST)
        status = osc_fail(OSC_EIO, "%s: cannot create: %s", o->folder, strerror(errno));
    osc_free(path);
    return status;
}

static void print_model(const osc_model *model)
{
    uint32_t feature[OSC_SYNTH_OUTLIERS];
    size_t count = osc_synth_planted(feature, model);
    printf("%s\n%llu parameters, %zu bytes\n", osc_store_path(osc_model_store(model)),
           (unsigned long long)osc_model_parameters(model),
           osc_store_bytes(osc_model_store(model)));
    printf("outlier features:");
    for (size_t i = 0; i < count; i++)
        printf(" %u", (unsigned)feature[i]);
    puts(count == 0 ? " none" : "");
}

static osc_status run_synth(const synth_options *o, const char *text)
{
    osc_model *model;
    OSC_TRY(osc_model_open(&model, text));
    osc_status status = OSC_OK;
    if (o->folder != NULL)
        status = make_folder(o);
    if (o->folder != NULL && status == OSC_OK)
        status = write_checkpoint(o, osc_model_store(model));
    cli_progress_end();
    if (status == OSC_OK)
        print_model(model);
    osc_model_close(model);
    return status;
}

static int synth(int argc, char **argv)
{
    synth_options o = { .folder = NULL };
    double megabytes = SHARD_MB;
    const cli_option options[] = {
        { "output", 'o', CLI_TEXT, "DIR", "folder to write (default: none, only say what the "
          "model is)", &o.folder, 0, 0 },
        { "shard-size", 0, CLI_NUMBER, "MB", "weights of a file, at most, in 10^6 bytes "
          "(default: 5000)", &megabytes, 0.001, 1e9 },
        { "force", 'f', CLI_SWITCH, NULL, "replace a checkpoint that is there", &o.overwrite,
          0, 0 },
        { NULL, 0, CLI_SWITCH, NULL, NULL, NULL, 0, 0 }
    };
    int rc = cli_parse(&experiment_synth, options, &argc, argv);
    if (rc != CLI_DONE)
        return rc;
    if (argc > 2)
        return cli_usage(&experiment_synth, "one model at a time, not '%s' too", argv[2]);
    o.shard = (size_t)(megabytes * 1e6);
    const char *given = argc > 1 ? argv[1] : "opt-125m";
    char text[1024];
    snprintf(text, sizeof text, "%s%s", osc_synth_is(given) ? "" : "synth:", given);
    return run_synth(&o, text) == OSC_OK ? 0 : cli_fail(&experiment_synth);
}

const cli_command experiment_synth = {
    .name = "synth",
    .summary = "make a checkpoint with random weights and planted outlier features",
    .operands = "[MODEL[,SETTING=VALUE]...]",
    .details =
        "MODEL is the size to imitate: opt-125m (default), opt-350m, opt-1.3b, opt-2.7b,\n"
        "opt-6.7b, opt-13b, opt-30b, opt-66b or opt-175b.  Settings: seed=N (0), outliers=N (0)\n"
        "features planted in the inputs of q, k, v and fc1 of all blocks, magnitude=X (20) of\n"
        "their values (in post-norm models, opt-350m, they reach other features too),\n"
        "dtype=float16|bfloat16|float32, and any number of config.json by its name\n"
        "(num_hidden_layers=4; hidden_size usually goes with word_embed_proj_dim and ffn_dim).\n"
        "The weights are a function of the seed alone, the same on every machine.\n"
        "\n"
        "Other commands take such a model without its being written: --model synth:MODEL,...;\n"
        "its text is then tokenized with the shipped tokenizer.\n"
        "\n"
        "Examples:\n"
        "  outlierscope synth opt-1.3b,outliers=4,seed=1 -o opt-1.3b-random\n"
        "  outlierscope record --model synth:opt-125m,outliers=2 --length 512 --sequences 4\n",
    .run = synth,
};

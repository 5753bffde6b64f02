/* tokenize: the ids of each document, a line a document. */
#include <config.h>
#include "cli/cli.h"

#include <stdint.h>
#include <string.h>

#include "experiments/run.h"

extern const cli_command experiment_tokenize;

enum { CONFIG_MOST = 16 << 20, OPT_BOS = 2, LLAMA_BOS = 1 };

typedef struct {
    const char *tokenizer, *text;
    size_t      bos;      /* SIZE_MAX: as the folder says */
    bool        no_bos;
} tokenize_options;

/* --- bos -------------------------------------------------------------------------- */

/* Reads the folder's config.json; *root stays NULL if there is none. */
static osc_status read_config(json_t **root, const char *folder)
{
    char *path = osc_path_join(folder, "config.json");
    if (path == NULL)
        return OSC_ENOMEM;
    osc_status status = osc_file_exists(path)
                      ? osc_json_read(root, path, CONFIG_MOST, OSC_JSON_LENIENT) : OSC_OK;
    osc_free(path);
    return status;
}

/* OPT and Llama put their bos in front of every text. */
static osc_status bos_of_model(int32_t *bos, const json_t *config)
{
    const char *type = json_string_value(json_object_get(config, "model_type"));
    bool opt = type != NULL && strcmp(type, "opt") == 0;
    if (!opt && (type == NULL || strcmp(type, "llama") != 0))
        return OSC_OK;
    size_t id = opt ? OPT_BOS : LLAMA_BOS;
    OSC_TRY(osc_json_get_size(&id, config, "bos_token_id"));
    if (id > INT32_MAX)
        return osc_fail(OSC_EFORMAT, "config.json: bos_token_id %zu is no token id", id);
    *bos = (int32_t)id;
    return OSC_OK;
}

static osc_status find_bos(int32_t *bos, const char *folder, const osc_tokenizer *tokenizer)
{
    json_t *model = NULL;
    *bos = -1;
    if (osc_tokenizer_bos(tokenizer, bos))
        return OSC_OK;
    osc_status status = read_config(&model, folder);
    if (status == OSC_OK)
        status = bos_of_model(bos, model);
    json_decref(model);
    return status;
}

/* --- output ------------------------------------------------------------------------- */

static void print_ids(const osc_ids *ids)
{
    for (size_t i = 0; i < ids->count; i++)
        printf(i == 0 ? "%d" : " %d", (int)ids->id[i]);
    putchar('\n');
}

static osc_status print_documents(const osc_documents *documents, const osc_tokenizer *tokenizer,
                                  int32_t bos)
{
    osc_ids ids = { .id = NULL };
    osc_status status = OSC_OK;
    for (size_t i = 0; i < osc_documents_count(documents) && status == OSC_OK; i++) {
        osc_document document = osc_documents_at(documents, i);
        ids.count = 0;
        if (bos >= 0)
            status = osc_ids_append(&ids, bos);
        if (status == OSC_OK)
            status = osc_tokenizer_encode(tokenizer, &ids, document.text, document.size);
        if (status == OSC_OK)
            print_ids(&ids);
    }
    osc_ids_clear(&ids);
    return status == OSC_OK ? osc_documents_check(documents) : status;
}

/* --- the command ---------------------------------------------------------------------- */

static osc_status run_tokenize(const tokenize_options *o, const char *folder, const char *text)
{
    osc_tokenizer *tokenizer = NULL;
    osc_documents *documents = NULL;
    int32_t bos = o->no_bos ? -1 : (int32_t)o->bos;
    osc_status status = osc_tokenizer_open(&tokenizer, folder);
    if (status == OSC_OK && !o->no_bos && o->bos == SIZE_MAX)
        status = find_bos(&bos, folder, tokenizer);
    if (status == OSC_OK)
        status = osc_documents_read(&documents, text);
    if (status == OSC_OK)
        status = print_documents(documents, tokenizer, bos);
    osc_documents_free(documents);
    osc_tokenizer_close(tokenizer);
    return status;
}

static int tokenize(int argc, char **argv)
{
    tokenize_options o = { .bos = SIZE_MAX };
    const cli_option options[] = {
        { "tokenizer", 0, CLI_TEXT, "DIR", "folder with vocab.json and merges.txt or "
          "tokenizer.json, for example a model's (default: the shipped " CLI_DEFAULT_MODEL ")",
          &o.tokenizer, 0, 0 },
        { "text", 0, CLI_TEXT, "FILE", "text to tokenize: plain, .jsonl, .json.gz "
          "(default: the shipped sampled.txt)", &o.text, 0, 0 },
        { "bos", 0, CLI_SIZE, "ID", "id in front of each document (default: what tokenizer.json, "
          "tokenizer_config.json or config.json says, none without them)", &o.bos, 0, INT32_MAX },
        { "no-bos", 0, CLI_SWITCH, NULL, "put no id in front", &o.no_bos, 0, 0 },
        { NULL, 0, CLI_SWITCH, NULL, NULL, NULL, 0, 0 }
    };
    int rc = cli_parse(&experiment_tokenize, options, &argc, argv);
    if (rc != CLI_DONE)
        return rc;
    if (o.no_bos && o.bos != SIZE_MAX)
        return cli_usage(&experiment_tokenize, "--bos and --no-bos exclude each other");
    char *folder = run_shipped_or(o.tokenizer, CLI_DEFAULT_MODEL);
    char *text = folder != NULL ? run_shipped_or(o.text, RUN_DEFAULT_TEXT) : NULL;
    osc_status status = text != NULL ? run_tokenize(&o, folder, text) : OSC_ENOTFOUND;
    osc_free(text);
    osc_free(folder);
    return status == OSC_OK ? 0 : cli_fail(&experiment_tokenize);
}

const cli_command experiment_tokenize = {
    .name = "tokenize",
    .summary = "print the token ids of a text, one line per document",
    .operands = "",
    .details =
        "The output is what --tokens FILE of the other commands reads.\n"
        "\n"
        "Examples:\n"
        "  outlierscope tokenize\n"
        "  outlierscope tokenize --tokenizer ~/opt-6.7b --text wiki.txt --no-bos >wiki.tokens\n",
    .run = tokenize,
};

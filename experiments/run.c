#include <config.h>
#include "experiments/run.h"

#include <string.h>

enum { LONGEST_BY_DEFAULT = 2048 };

/* The first option given that means nothing together with --tokens, or NULL. */
static const char *useless_with_tokens(const run_options *o)
{
    if (o->text != NULL)
        return "text";
    if (o->tokenizer != NULL)
        return "tokenizer";
    if (o->protocol != NULL)
        return "protocol";
    if (o->length != 0)
        return "length";
    if (o->bos != SIZE_MAX)
        return "bos";
    return o->no_bos ? "no-bos" : NULL;
}

int run_check_options(const cli_command *command, const run_options *o)
{
    const char *useless = useless_with_tokens(o);
    if (o->tokens != NULL && useless != NULL)
        return cli_usage(command, "--%s has no meaning with --tokens, whose sequences are taken "
                         "as they are", useless);
    if (o->no_bos && o->bos != SIZE_MAX)
        return cli_usage(command, "--bos and --no-bos exclude each other");
    osc_protocol protocol;
    if (o->protocol != NULL && osc_protocol_parse(&protocol, o->protocol) != OSC_OK)
        return cli_usage(command, "--protocol: %s", osc_error());
    if (o->protocol != NULL && protocol == OSC_TOKENS)
        return cli_usage(command, "--protocol tokens is what --tokens FILE does");
    const osc_backend *backend;
    if (o->backend != NULL && osc_backend_find(&backend, o->backend) != OSC_OK)
        return cli_usage(command, "--backend: %s", osc_error());
    if (o->devices != NULL && osc_session_check_devices(o->devices) != OSC_OK)
        return cli_usage(command, "--devices: %s", osc_error());
    return CLI_DONE;
}

char *run_shipped_or(const char *path, const char *name)
{
    return path != NULL ? osc_copy_string(path, strlen(path)) : cli_shipped(name);
}

/* --- corpus ------------------------------------------------------------------ */

int32_t run_usual_bos(const osc_config *config, const osc_tokenizer *tokenizer)
{
    int32_t bos = config->bos;
    osc_tokenizer_bos(tokenizer, &bos);
    return bos;
}

int32_t run_bos(const osc_config *config, const osc_tokenizer *tokenizer, const run_options *o)
{
    if (o->no_bos)
        return -1;
    return o->bos != SIZE_MAX ? (int32_t)o->bos : run_usual_bos(config, tokenizer);
}

static osc_status window_options(osc_window_options *window, const osc_config *config,
                                 const run_options *o)
{
    size_t most = config->positions;
    if (o->length > most)
        return osc_fail(OSC_EVALUE, "--length %zu: the model has %zu positions", o->length, most);
    size_t usual = most < LONGEST_BY_DEFAULT ? most : LONGEST_BY_DEFAULT;
    *window = (osc_window_options){
        .protocol = OSC_STREAM,
        .length = o->length != 0 ? o->length : usual,
        .sequences = o->sequences,
    };
    return o->protocol != NULL ? osc_protocol_parse(&window->protocol, o->protocol) : OSC_OK;
}

/* A generated model has no tokenizer; any ids below its vocabulary will do. */
static osc_status open_shipped_tokenizer(osc_tokenizer **tokenizer)
{
    char *folder = cli_shipped(CLI_DEFAULT_MODEL);
    osc_status status = folder != NULL ? osc_tokenizer_open(tokenizer, folder) : OSC_ENOTFOUND;
    osc_free(folder);
    return status;
}

osc_status run_open_tokenizer(osc_tokenizer **tokenizer, const osc_model *model,
                              const char *folder)
{
    if (folder == NULL && osc_store_is_generated(osc_model_store(model)))
        return open_shipped_tokenizer(tokenizer);
    osc_status status = osc_tokenizer_open(tokenizer, folder != NULL ? folder
                                           : osc_store_path(osc_model_store(model)));
    if (status == OSC_ENOTFOUND && folder == NULL)
        osc_fail(status, "%s; name a folder that has one with --tokenizer DIR, or give ids "
                 "with --tokens FILE", osc_error());
    return status;
}

osc_status run_text(osc_documents **documents, const char *path)
{
    char *chosen = run_shipped_or(path, RUN_DEFAULT_TEXT);
    osc_status status = chosen != NULL ? osc_documents_read(documents, chosen) : OSC_ENOTFOUND;
    osc_free(chosen);
    return status;
}

static osc_status make_corpus(run_input *input, const run_options *o)
{
    if (o->tokens != NULL)
        return osc_corpus_read_tokens(&input->corpus, o->tokens, o->sequences);

    osc_window_options window;
    osc_tokenizer *tokenizer = NULL;
    osc_documents *documents = NULL;
    const osc_config *config = osc_model_config(input->model);
    osc_status status = window_options(&window, config, o);
    if (status == OSC_OK)
        status = run_open_tokenizer(&tokenizer, input->model, o->tokenizer);
    if (status == OSC_OK) {
        window.bos = run_bos(config, tokenizer, o);
        status = run_text(&documents, o->text);
    }
    if (status == OSC_OK)
        status = osc_corpus_make(&input->corpus, documents, tokenizer, &window);
    if (status == OSC_OK)
        snprintf(input->tokenizer_digest, sizeof input->tokenizer_digest, "%s",
                 osc_tokenizer_digest(tokenizer));
    osc_documents_free(documents);
    osc_tokenizer_close(tokenizer);
    return status;
}

/* --- model, session ----------------------------------------------------------- */

osc_status run_open(run_input *input, const char *model_path, const run_options *o)
{
    run_input opened = { .model = NULL };
    OSC_TRY(osc_model_open(&opened.model, model_path));
    const osc_config *config = osc_model_config(opened.model);
    osc_status status = make_corpus(&opened, o);
    if (status == OSC_OK)
        status = osc_corpus_check(opened.corpus, config->vocabulary, config->positions);
    if (status != OSC_OK) {
        run_close(&opened);
        return status;
    }
    *input = opened;
    return OSC_OK;
}

void run_close(run_input *input)
{
    osc_corpus_free(input->corpus);
    osc_model_close(input->model);
    *input = (run_input){ .model = NULL };
}

osc_session_options run_session_options(const run_input *input, const char *scheme,
                                        const char *label, const run_options *o)
{
    return (osc_session_options){
        .backend = o->backend,
        .scheme = scheme,
        .threads = o->threads,
        .longest = input->corpus->longest,
        .chunk = o->chunk,
        .devices = o->devices,
        .memory = (size_t)(o->memory * 1e9),
        .allow_nonfinite = o->allow_nonfinite,
        .progress = cli_progress(),
        .label = label,
    };
}

osc_status run_session(osc_session **session, const run_input *input, const char *scheme,
                       const char *label, const run_options *o)
{
    osc_session_options options = run_session_options(input, scheme, label, o);
    return osc_session_open(session, input->model, &options);
}

void run_print_protocol(osc_protocol protocol, size_t sequences, size_t length, int32_t bos)
{
    printf("protocol %s: %s\n", osc_protocol_name(protocol), osc_protocol_summary(protocol));
    printf("%zu sequence%s of at most %zu ids, ", sequences, sequences == 1 ? "" : "s", length);
    if (protocol == OSC_TOKENS)
        puts("taken as they are");
    else if (bos < 0)
        puts("no bos");
    else
        printf("bos %d\n", (int)bos);
}

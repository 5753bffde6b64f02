/* A model, and what it reads of each item. */
#include <config.h>
#include "experiments/zeroshot.h"

/* The bos that config.json names, or the end of text, which GPT-2 has in its place; -1: none.
 * It stands for an empty context even if nothing is put in front of the others. */
static int32_t prefix_of(const osc_model *model)
{
    static const char *const keys[] = { "bos_token_id", "eos_token_id" };
    const osc_config *config = osc_model_config(model);
    if (config->bos >= 0)
        return config->bos;
    for (size_t i = 0; i < 2; i++) {
        const json_t *id = json_object_get(osc_store_config(osc_model_store(model)), keys[i]);
        if (json_is_number(id) && json_number_value(id) >= 0
            && json_number_value(id) < (double)config->vocabulary)
            return (int32_t)json_number_value(id);
    }
    return -1;
}

static osc_status choose_bos(osc_request_options *options, const osc_model *model,
                             const osc_tokenizer *tokenizer, zeroshot_bos bos)
{
    const osc_config *config = osc_model_config(model);
    *options = (osc_request_options){
        .bos = run_usual_bos(config, tokenizer), .prefix = prefix_of(model),
        .longest = config->positions, .vocabulary = config->vocabulary,
    };
    if (bos == ZEROSHOT_BOS_NO)
        options->bos = -1;
    if (bos != ZEROSHOT_BOS_YES)
        return OSC_OK;
    options->bos = options->prefix;
    return options->bos >= 0 ? OSC_OK
         : osc_fail(OSC_EVALUE, "--bos yes: the config.json of %s names no bos_token_id",
                    osc_model_name(model));
}

static osc_status make_requests(zeroshot_model *m, const zeroshot_data *data,
                                const osc_tokenizer *tokenizer, const osc_request_options *options)
{
    for (size_t i = 0; i < data->count; i++) {
        osc_status status = osc_requests_make(&m->requests[i], data->items[i], tokenizer, options);
        if (status != OSC_OK)
            return osc_fail_in(status, data->items[i]->task->title);
        if (m->requests[i]->corpus.longest > m->longest)
            m->longest = m->requests[i]->corpus.longest;
    }
    return OSC_OK;
}

static osc_status read_items(zeroshot_model *m, const zeroshot_data *data,
                             const zeroshot_options *o)
{
    osc_tokenizer *tokenizer;
    osc_request_options options;
    OSC_TRY(run_open_tokenizer(&tokenizer, m->model, o->run.tokenizer));
    osc_status status = choose_bos(&options, m->model, tokenizer, o->bos);
    if (status == OSC_OK)
        status = make_requests(m, data, tokenizer, &options);
    m->bos = options.bos;
    snprintf(m->tokenizer_sha256, sizeof m->tokenizer_sha256, "%s",
             osc_tokenizer_digest(tokenizer));
    osc_tokenizer_close(tokenizer);
    return status;
}

osc_status zeroshot_model_open(zeroshot_model *m, const zeroshot_data *data,
                               const zeroshot_options *o, const char *path)
{
    const osc_backend *backend;
    *m = (zeroshot_model){ .model = NULL };
    OSC_TRY(osc_backend_find(&backend, o->run.backend));
    m->backend = backend->spec;
    osc_status status = osc_model_open(&m->model, path);
    if (status == OSC_OK)
        status = read_items(m, data, o);
    if (status != OSC_OK)
        zeroshot_model_close(m);
    return status;
}

void zeroshot_model_close(zeroshot_model *m)
{
    for (size_t i = 0; i < ZEROSHOT_TASKS; i++)
        osc_requests_free(m->requests[i]);
    osc_model_close(m->model);
    *m = (zeroshot_model){ .model = NULL };
}

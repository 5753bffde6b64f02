#include <config.h>
#include "experiments/generate.h"

#include <math.h>
#include <string.h>

enum { CONFIG_MOST = 1 << 20, USUAL_LENGTH = 16 };

/* --- prompts ------------------------------------------------------------------------ */

static size_t count_of(const generate_prompts *p, size_t i)
{
    return p->offset[i + 1] - p->offset[i];
}

/* The ids since the last prompt are the next one, cut to `most`. */
static osc_status end_prompt(generate_prompts *p, size_t most, size_t positions)
{
    size_t *grown = osc_grow(p->offset, &p->capacity, p->count + 2, sizeof *grown);
    if (grown == NULL)
        return OSC_ENOMEM;
    p->offset = grown;
    if (p->count == 0)
        p->offset[0] = 0;
    if (most > 0 && p->ids.count > p->offset[p->count] + most)
        p->ids.count = p->offset[p->count] + most;
    p->offset[++p->count] = p->ids.count;
    size_t ids = count_of(p, p->count - 1);
    if (ids == 0)
        return osc_fail(OSC_EVALUE, "prompt %zu has no ids", p->count);
    if (ids > positions)
        return osc_fail(OSC_EVALUE, "prompt %zu has %zu ids, but the model has %zu positions",
                        p->count, ids, positions);
    p->longest = ids > p->longest ? ids : p->longest;
    return OSC_OK;
}

/* The model, its tokenizer and the options that all prompts share. */
typedef struct {
    const osc_config       *config;
    const osc_tokenizer    *tokenizer;
    const generate_options *options;
} source;

static osc_status add_text(generate_prompts *p, const source *s, const char *text, size_t size,
                           size_t most)
{
    int32_t bos = run_bos(s->config, s->tokenizer, &s->options->run);
    if (bos >= 0)
        OSC_TRY(osc_ids_append(&p->ids, bos));
    OSC_TRY(osc_tokenizer_encode(s->tokenizer, &p->ids, text, size));
    return end_prompt(p, most, s->config->positions);
}

static osc_status add_documents(generate_prompts *p, const source *s)
{
    const generate_options *o = s->options;
    osc_documents *documents = NULL;
    osc_status status = run_text(&documents, o->run.text);
    size_t count = status == OSC_OK ? osc_documents_count(documents) : 0;
    if (o->run.text == NULL && count > 1)
        count = 1;
    size_t usual = o->run.text == NULL ? USUAL_LENGTH : 0;
    for (size_t i = 0; i < count && status == OSC_OK; i++) {
        osc_document d = osc_documents_at(documents, i);
        status = add_text(p, s, d.text, d.size, o->length > 0 ? o->length : usual);
    }
    osc_documents_free(documents);
    return status;
}

static osc_status add_tokens(generate_prompts *p, const source *s)
{
    osc_corpus *corpus;
    OSC_TRY(osc_corpus_read_tokens(&corpus, s->options->run.tokens, 0));
    osc_status status = OSC_OK;
    for (size_t i = 0; i < corpus->count && status == OSC_OK; i++) {
        for (size_t t = corpus->offset[i]; t < corpus->offset[i + 1] && status == OSC_OK; t++)
            status = osc_ids_append(&p->ids, corpus->ids[t]);
        if (status == OSC_OK)
            status = end_prompt(p, s->options->length, s->config->positions);
    }
    osc_corpus_free(corpus);
    return status;
}

static osc_status check_ids(const generate_prompts *p, size_t vocabulary)
{
    for (size_t i = 0; i < p->count; i++)
        for (size_t t = p->offset[i]; t < p->offset[i + 1]; t++)
            if (p->ids.id[t] < 0 || (size_t)p->ids.id[t] >= vocabulary)
                return osc_fail(OSC_EVALUE, "prompt %zu: id %d is not below the model's vocabulary "
                                "of %zu", i + 1, (int)p->ids.id[t], vocabulary);
    return OSC_OK;
}

osc_status generate_read_prompts(generate_prompts *prompts, const osc_model *model,
                                 const osc_tokenizer *tokenizer, const generate_options *o)
{
    const source s = { .config = osc_model_config(model), .tokenizer = tokenizer, .options = o };
    for (size_t i = 0; i < o->prompts.count; i++)
        OSC_TRY(add_text(prompts, &s, o->prompts.item[i], strlen(o->prompts.item[i]), o->length));
    if (o->run.tokens != NULL)
        OSC_TRY(add_tokens(prompts, &s));
    else if (o->prompts.count == 0)
        OSC_TRY(add_documents(prompts, &s));
    return check_ids(prompts, s.config->vocabulary);
}

void generate_free_prompts(generate_prompts *prompts)
{
    osc_ids_clear(&prompts->ids);
    osc_free(prompts->offset);
    *prompts = (generate_prompts){ .count = 0 };
}

/* --- ends --------------------------------------------------------------------------- */

static osc_status add_end(generate_ends *ends, const json_t *value)
{
    double id = json_number_value(value);   /* lenient reading makes integers doubles */
    if (!json_is_number(value) || !(id >= 0.0 && id <= INT32_MAX) || id != floor(id))
        return osc_fail(OSC_EFORMAT, "eos_token_id is neither an id nor a list of ids");
    if (ends->count == GENERATE_ENDS)
        return osc_fail(OSC_EUNSUP, "eos_token_id lists more than %d ids", GENERATE_ENDS);
    ends->id[ends->count++] = (int32_t)id;
    return OSC_OK;
}

static osc_status add_ends(generate_ends *ends, const json_t *config)
{
    const json_t *value = json_object_get(config, "eos_token_id"), *item;
    size_t i;
    if (value == NULL || json_is_null(value))
        return OSC_OK;
    if (!json_is_array(value))
        return add_end(ends, value);
    json_array_foreach(value, i, item)
        OSC_TRY(add_end(ends, item));
    return OSC_OK;
}

static osc_status read_generation_config(generate_ends *ends, const char *folder)
{
    json_t *root = NULL;
    char *path = osc_path_join(folder, "generation_config.json");
    if (path == NULL)
        return OSC_ENOMEM;
    osc_status status = osc_file_exists(path)
                      ? osc_json_read(&root, path, CONFIG_MOST, OSC_JSON_LENIENT) : OSC_OK;
    if (status == OSC_OK)
        status = add_ends(ends, root);
    json_decref(root);
    osc_free(path);
    return status;
}

osc_status generate_read_ends(generate_ends *ends, const osc_model *model)
{
    const osc_store *store = osc_model_store(model);
    ends->count = 0;
    if (!osc_store_is_generated(store))
        OSC_TRY(read_generation_config(ends, osc_store_path(store)));
    return ends->count > 0 ? OSC_OK : add_ends(ends, osc_store_config(store));
}

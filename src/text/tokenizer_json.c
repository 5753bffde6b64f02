/* tokenizer.json, the one-file form of Hugging Face's tokenizers library: byte-pair
 * encoding of bytes or of characters with byte fallback, as GPT-2, OPT, GPT-J, BLOOM and
 * Llama have it. */
#include <config.h>
#include "text/definition.h"

#include <string.h>

/* --- model ------------------------------------------------------------------------------ */

/* Older files leave the type out. */
static osc_status check_model(const json_t *model)
{
    static const char *const affixes[] = { "continuing_subword_prefix", "end_of_word_suffix" };
    const char *type = "BPE", *affix;
    double dropout = 0.0;
    if (!json_is_object(model))
        return osc_fail(OSC_EFORMAT, "\"model\" is not an object");
    OSC_TRY(osc_json_get_string(&type, model, "type"));
    if (strcmp(type, "BPE") != 0)
        return osc_fail(OSC_EUNSUP, "model.type is \"%.80s\", only \"BPE\" is supported", type);
    OSC_TRY(osc_json_get_double(&dropout, model, "dropout"));
    if (dropout != 0.0)
        return osc_fail(OSC_EUNSUP, "model.dropout is not 0, which alone is supported");
    for (size_t i = 0; i < 2; i++) {
        affix = "";
        OSC_TRY(osc_json_get_string(&affix, model, affixes[i]));
        if (*affix != '\0')
            return osc_fail(OSC_EUNSUP, "model.%s is \"%.80s\", only \"\" is supported",
                            affixes[i], affix);
    }
    return OSC_OK;
}

static osc_status read_unknown(osc_bpe_model *made, const json_t *model)
{
    const char *unknown = NULL;
    made->unknown = OSC_NO_TOKEN;
    OSC_TRY(osc_json_get_string(&unknown, model, "unk_token"));
    OSC_TRY(osc_json_get_bool(&made->fuse_unknown, model, "fuse_unk"));
    OSC_TRY(osc_json_get_bool(&made->byte_fallback, model, "byte_fallback"));
    if (unknown == NULL || made->alphabet == OSC_ALPHABET_BYTES)   /* every byte has a token */
        return OSC_OK;
    made->unknown = osc_vocab_find(made->vocab, unknown, strlen(unknown), "", 0);
    if (made->unknown == OSC_NO_TOKEN)
        return osc_fail(OSC_EFORMAT, "model.unk_token \"%.80s\" is not in the vocabulary",
                        unknown);
    return OSC_OK;
}

static osc_status read_model(osc_bpe_model *made, const json_t *model, json_t *outside)
{
    OSC_TRY(osc_json_get_bool(&made->ignore_merges, model, "ignore_merges"));
    OSC_TRY(osc_vocab_create(&made->vocab, json_object_get(model, "vocab"), outside,
                             made->alphabet));
    OSC_TRY(read_unknown(made, model));
    return osc_merges_from_json(&made->merges, made->vocab, json_object_get(model, "merges"));
}

/* --- added tokens ------------------------------------------------------------------------- */

/* Puts the added tokens that `vocab` lacks into `outside`. */
static osc_status find_outside(json_t *outside, const json_t *vocab, const json_t *added)
{
    size_t i;
    const json_t *entry;
    json_array_foreach(added, i, entry) {
        const char *content = json_string_value(json_object_get(entry, "content"));
        json_t *id = json_object_get(entry, "id");
        if (content == NULL || !json_is_integer(id))
            return osc_fail(OSC_EFORMAT, "added_tokens: entry %zu has no content or id", i + 1);
        const json_t *known = json_object_get(vocab, content);
        known = known != NULL ? known : json_object_get(outside, content);
        if (known != NULL && json_integer_value(known) != json_integer_value(id))
            return osc_fail(OSC_EFORMAT, "added token \"%.80s\" has id %lld, but %lld in the "
                            "vocabulary", content, (long long)json_integer_value(id),
                            (long long)json_integer_value(known));
        if (known == NULL && json_object_set(outside, content, id) != 0)
            return osc_fail(OSC_ENOMEM, "out of memory: added tokens");
    }
    return OSC_OK;
}

static osc_status put(osc_added **added, const uint8_t *spelling, size_t size,
                      const osc_added_token *token)
{
    if (*added == NULL)
        OSC_TRY(osc_added_create(added));
    return osc_added_put(*added, (const char *)spelling, size, token);
}

/* One that is looked for in normalized text is normalized itself, and is that text. */
static osc_status put_normal(osc_definition *made, osc_pipeline *normalizer,
                             const uint8_t *spelling, size_t size, const osc_added_token *token)
{
    OSC_TRY(osc_pipeline_rewrite(normalizer, &spelling, &size, spelling, size));
    if (made->normalizer.count > 0)
        OSC_TRY(osc_vocab_set_bytes(made->model.vocab, token->id, spelling, size));
    return put(&made->added_normal, spelling, size, token);
}

static osc_status put_added(osc_definition *made, osc_pipeline *normalizer, const json_t *entry)
{
    const json_t *content = json_object_get(entry, "content");
    const uint8_t *spelling = (const uint8_t *)json_string_value(content);
    size_t size = json_string_length(content);
    osc_added_token token = { .id = (int32_t)json_integer_value(json_object_get(entry, "id")) };
    bool special = false;
    OSC_TRY(osc_json_get_bool(&special, entry, "special"));
    bool normalized = !special;
    OSC_TRY(osc_json_get_bool(&normalized, entry, "normalized"));
    OSC_TRY(osc_json_get_bool(&token.single_word, entry, "single_word"));
    OSC_TRY(osc_json_get_bool(&token.lstrip, entry, "lstrip"));
    OSC_TRY(osc_json_get_bool(&token.rstrip, entry, "rstrip"));
    made->model.vocab->token[token.id].special |= special;
    return normalized ? put_normal(made, normalizer, spelling, size, &token)
                      : put(&made->added_raw, spelling, size, &token);
}

static osc_status read_added(osc_definition *made, const json_t *added)
{
    osc_pipeline normalizer = { .steps = &made->normalizer };
    osc_status status = OSC_OK;
    for (size_t i = 0; i < json_array_size(added) && status == OSC_OK; i++)
        status = put_added(made, &normalizer, json_array_get(added, i));
    osc_pipeline_clear(&normalizer);
    return status;
}

/* --- the file -------------------------------------------------------------------------- */

static osc_status read_vocabulary(osc_definition *made, const json_t *root)
{
    const json_t *model = json_object_get(root, "model");
    const json_t *added = json_object_get(root, "added_tokens");
    json_t *outside = json_object();
    osc_status status = outside != NULL ? OSC_OK
                                        : osc_fail(OSC_ENOMEM, "out of memory: added tokens");
    if (status == OSC_OK)
        status = find_outside(outside, json_object_get(model, "vocab"), added);
    if (status == OSC_OK)
        status = read_model(&made->model, model, outside);
    if (status == OSC_OK)
        status = read_added(made, added);
    json_decref(outside);
    return status;
}

osc_status osc_definition_from_json(osc_definition *made, const json_t *root)
{
    OSC_TRY(check_model(json_object_get(root, "model")));
    OSC_TRY(osc_normalizer_from_json(&made->normalizer, json_object_get(root, "normalizer")));
    OSC_TRY(osc_pre_tokenizer_from_json(&made->pre, &made->model.alphabet,
                                        json_object_get(root, "pre_tokenizer")));
    OSC_TRY(osc_template_from_json(&made->says_bos, &made->bos,
                                   json_object_get(root, "post_processor")));
    osc_decoding_from_json(&made->decoding, json_object_get(root, "decoder"),
                           made->model.alphabet);
    return read_vocabulary(made, root);
}

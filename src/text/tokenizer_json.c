/* tokenizer.json, the one-file form of Hugging Face's tokenizers library: only
 * what means byte-level BPE as GPT-2 has it is accepted. */
#include <config.h>
#include "text/model.h"

#include <string.h>

static osc_status refuse(const char *what)
{
    return osc_fail(OSC_EUNSUP, "%s; only byte-level BPE as in GPT-2 and OPT is supported", what);
}

static bool is_absent(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return value == NULL || json_is_null(value);
}

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
        return refuse("model.dropout is not 0");
    for (size_t i = 0; i < 2; i++) {
        affix = "";
        OSC_TRY(osc_json_get_string(&affix, model, affixes[i]));
        if (*affix != '\0')
            return osc_fail(OSC_EUNSUP, "model.%s is \"%.80s\", only \"\" is supported",
                            affixes[i], affix);
    }
    return OSC_OK;
}

static osc_status check_pre_tokenizer(const json_t *pre)
{
    const char *type = "";
    bool regex = true, prefix = false;
    if (!json_is_object(pre))
        return refuse("there is no pre_tokenizer");
    OSC_TRY(osc_json_get_string(&type, pre, "type"));
    if (strcmp(type, "ByteLevel") != 0)
        return osc_fail(OSC_EUNSUP, "pre_tokenizer.type is \"%.80s\", only \"ByteLevel\" is "
                        "supported", type);
    OSC_TRY(osc_json_get_bool(&regex, pre, "use_regex"));
    OSC_TRY(osc_json_get_bool(&prefix, pre, "add_prefix_space"));
    if (!regex)
        return refuse("pre_tokenizer.use_regex is false");
    return prefix ? refuse("pre_tokenizer.add_prefix_space is true") : OSC_OK;
}

/* Puts the added tokens, which model.vocab may lack, into it. */
static osc_status add_added(json_t *vocab, const json_t *added)
{
    size_t i;
    const json_t *entry;
    json_array_foreach(added, i, entry) {
        const char *content = json_string_value(json_object_get(entry, "content"));
        json_t *id = json_object_get(entry, "id");
        if (content == NULL || !json_is_integer(id))
            return osc_fail(OSC_EFORMAT, "added_tokens: entry %zu has no content or id", i + 1);
        const json_t *known = json_object_get(vocab, content);
        if (known != NULL && json_integer_value(known) != json_integer_value(id))
            return osc_fail(OSC_EFORMAT, "added token \"%.80s\" has id %lld, but %lld in the "
                            "vocabulary", content, (long long)json_integer_value(id),
                            (long long)json_integer_value(known));
        if (known == NULL && json_object_set(vocab, content, id) != 0)
            return osc_fail(OSC_ENOMEM, "out of memory: added tokens");
    }
    return OSC_OK;
}

/* The vocabulary has all of them. */
static void mark_special(osc_vocab *vocab, const json_t *added)
{
    size_t i;
    const json_t *entry;
    json_array_foreach(added, i, entry)
        if (json_is_true(json_object_get(entry, "special")))
            vocab->token[json_integer_value(json_object_get(entry, "id"))].special = true;
}

static osc_status build(osc_bpe_model *made, const json_t *root)
{
    const json_t *model = json_object_get(root, "model");
    json_t *vocab = json_object_get(model, "vocab");
    OSC_TRY(check_model(model));
    if (!is_absent(root, "normalizer"))
        return refuse("there is a normalizer");
    OSC_TRY(check_pre_tokenizer(json_object_get(root, "pre_tokenizer")));
    OSC_TRY(osc_json_get_bool(&made->ignore_merges, model, "ignore_merges"));
    if (json_is_object(vocab))
        OSC_TRY(add_added(vocab, json_object_get(root, "added_tokens")));
    OSC_TRY(osc_vocab_create(&made->vocab, vocab));
    mark_special(made->vocab, json_object_get(root, "added_tokens"));
    return osc_merges_from_json(&made->merges, made->vocab, json_object_get(model, "merges"));
}

osc_status osc_bpe_model_from_json(osc_bpe_model *model, const char *text, size_t size)
{
    json_t *root;
    osc_bpe_model made = { .vocab = NULL };
    OSC_TRY(osc_json_parse(&root, text, size, OSC_JSON_STRICT));
    osc_status status = build(&made, root);
    json_decref(root);
    if (status != OSC_OK) {
        osc_bpe_model_clear(&made);
        return status;
    }
    *model = made;
    return OSC_OK;
}

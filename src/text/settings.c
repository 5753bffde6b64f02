/* What the small files beside a tokenizer's say about its tokens. */
#include <config.h>
#include "text/definition.h"

#include <string.h>

#include "base/alloc.h"
#include "base/file.h"

enum { MOST_BYTES = 16 << 20 };

/* Reads DIR/NAME; *root stays NULL if there is no such file. */
static osc_status read_file(json_t **root, const char *directory, const char *name)
{
    char *path = osc_path_join(directory, name);
    if (path == NULL)
        return OSC_ENOMEM;
    osc_status status = osc_file_exists(path)
                      ? osc_json_read(root, path, MOST_BYTES, OSC_JSON_LENIENT) : OSC_OK;
    osc_free(path);
    return status;
}

/* --- special tokens ------------------------------------------------------------------ */

static void mark(osc_vocab *vocab, double id)
{
    if (id >= 0.0 && id < (double)vocab->size)
        vocab->token[(size_t)id].special = true;
}

/* An id or a list of ids. */
static void mark_ids(osc_vocab *vocab, const json_t *value)
{
    size_t i;
    const json_t *id;
    if (json_is_number(value))
        mark(vocab, json_number_value(value));
    json_array_foreach(value, i, id)
        mark(vocab, json_is_number(id) ? json_number_value(id) : -1.0);
}

/* The id of "</s>" or { "content": "</s>" }; OSC_NO_TOKEN for anything else. */
static int32_t find_token(const osc_vocab *vocab, const json_t *value)
{
    const char *text = json_string_value(json_is_object(value) ? json_object_get(value, "content")
                                                               : value);
    return text == NULL ? OSC_NO_TOKEN : osc_vocab_find(vocab, text, strlen(text), "", 0);
}

static void mark_special(osc_vocab *vocab, const json_t *model, const json_t *tokenizer)
{
    static const char *const ids[] = { "bos_token_id", "eos_token_id", "pad_token_id" };
    static const char *const texts[] = { "bos_token", "eos_token", "pad_token", "unk_token" };
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
        mark_ids(vocab, json_object_get(model, ids[i]));
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        mark(vocab, find_token(vocab, json_object_get(tokenizer, texts[i])));
}

/* --- bos ----------------------------------------------------------------------------- */

/* Where tokenizer.json has no template, tokenizer_config.json may say whether there is one. */
static void find_bos(osc_definition *made, const json_t *tokenizer)
{
    const json_t *add = json_object_get(tokenizer, "add_bos_token");
    int32_t bos = find_token(made->model.vocab, json_object_get(tokenizer, "bos_token"));
    if (made->says_bos || !json_is_boolean(add) || (json_is_true(add) && bos == OSC_NO_TOKEN))
        return;
    made->says_bos = true;
    made->bos = json_is_true(add) ? bos : -1;
}

osc_status osc_settings_read(osc_definition *made, const char *directory)
{
    json_t *model = NULL, *tokenizer = NULL;
    osc_status status = read_file(&model, directory, "config.json");
    if (status == OSC_OK)
        status = read_file(&tokenizer, directory, "tokenizer_config.json");
    if (status == OSC_OK) {
        mark_special(made->model.vocab, model, tokenizer);
        find_bos(made, tokenizer);
    }
    json_decref(model);
    json_decref(tokenizer);
    return status;
}

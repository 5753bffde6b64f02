#include <config.h>
#include "text/settings.h"

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

/* "</s>" or { "content": "</s>" }. */
static void mark_text(osc_vocab *vocab, const json_t *value)
{
    const char *text = json_string_value(json_is_object(value) ? json_object_get(value, "content")
                                                               : value);
    if (text != NULL)
        mark(vocab, osc_vocab_find(vocab, text, strlen(text), "", 0));
}

osc_status osc_settings_mark_special(osc_vocab *vocab, const char *directory)
{
    static const char *const ids[] = { "bos_token_id", "eos_token_id", "pad_token_id" };
    static const char *const texts[] = { "bos_token", "eos_token", "pad_token", "unk_token" };
    json_t *model = NULL, *tokenizer = NULL;
    osc_status status = read_file(&model, directory, "config.json");
    if (status == OSC_OK)
        status = read_file(&tokenizer, directory, "tokenizer_config.json");
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
        mark_ids(vocab, json_object_get(model, ids[i]));
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        mark_text(vocab, json_object_get(tokenizer, texts[i]));
    json_decref(model);
    json_decref(tokenizer);
    return status;
}

#include <config.h>
#include "text/definition.h"

#include <string.h>

#include "base/alloc.h"
#include "base/file.h"

enum { MOST_BYTES = 64 << 20 };   /* of one tokenizer file; the largest known ones have 17 MB */

void osc_definition_clear(osc_definition *definition)
{
    osc_vocab_free(definition->model.vocab);
    osc_merges_free(definition->model.merges);
    osc_added_free(definition->added_raw);
    osc_added_free(definition->added_normal);
    *definition = (osc_definition){ .model = { .vocab = NULL } };
}

/* --- files --------------------------------------------------------------------------------- */

static osc_status vocab_from_text(osc_definition *made, const char *text, size_t size)
{
    json_t *root;
    OSC_TRY(osc_json_parse(&root, text, size, OSC_JSON_STRICT));
    osc_status status = osc_vocab_create(&made->model.vocab, root, NULL, OSC_ALPHABET_BYTES);
    json_decref(root);
    return status;
}

static osc_status merges_from_text(osc_definition *made, const char *text, size_t size)
{
    return osc_merges_from_text(&made->model.merges, made->model.vocab, text, size);
}

static osc_status all_from_text(osc_definition *made, const char *text, size_t size)
{
    json_t *root;
    OSC_TRY(osc_json_parse(&root, text, size, OSC_JSON_STRICT));
    osc_status status = osc_definition_from_json(made, root);
    json_decref(root);
    return status;
}

/* Reads one file into the digest and, by `use`, into the definition. */
static osc_status read_part(osc_definition *made, osc_digest *digest, const char *path,
                            osc_status (*use)(osc_definition *, const char *, size_t))
{
    char *text;
    size_t size;
    OSC_TRY(osc_read_file(&text, &size, path, MOST_BYTES));
    osc_status status = osc_digest_add(digest, text, size);
    if (status == OSC_OK)
        status = use(made, text, size);
    osc_free(text);
    return status == OSC_OK ? OSC_OK : osc_fail_in(status, path);
}

/* GPT-2's steps, which vocab.json and merges.txt do not name. */
static osc_status read_pair(osc_definition *made, osc_digest *digest, const char *vocab,
                            const char *merges)
{
    made->pre.step[0] = (osc_step){ .kind = OSC_STEP_SPLIT, .split = osc_split_gpt2 };
    made->pre.count = 1;
    made->decoding.bytes = true;
    made->model.unknown = OSC_NO_TOKEN;
    OSC_TRY(read_part(made, digest, vocab, vocab_from_text));
    return read_part(made, digest, merges, merges_from_text);
}

/* --- which of them ---------------------------------------------------------------------------- */

/* Whether a tokenizer.json beside vocab.json and merges.txt cuts texts as GPT-2 does, so
 * that those two say the same. */
static osc_status find_gpt2(bool *gpt2, const char *path)
{
    json_t *root;
    osc_steps normalizer = { .count = 0 }, pre = { .count = 0 };
    osc_alphabet alphabet;
    *gpt2 = true;
    if (!osc_file_exists(path))
        return OSC_OK;
    OSC_TRY(osc_json_read(&root, path, MOST_BYTES, OSC_JSON_STRICT));
    if (json_is_object(json_object_get(root, "model")))
        *gpt2 = osc_normalizer_from_json(&normalizer, json_object_get(root, "normalizer")) ==
                    OSC_OK &&
                osc_pre_tokenizer_from_json(&pre, &alphabet,
                                            json_object_get(root, "pre_tokenizer")) == OSC_OK &&
                osc_steps_are_gpt2(&normalizer, &pre);
    json_decref(root);
    return OSC_OK;
}

static osc_status missing(const char *directory, bool vocab, bool merges, const char *model)
{
    if (vocab || merges)
        return osc_fail(OSC_ENOTFOUND, "%s: has %s but no %s", directory,
                        vocab ? "vocab.json" : "merges.txt", vocab ? "merges.txt" : "vocab.json");
    if (osc_file_exists(model))
        return osc_fail(OSC_ENOTFOUND, "%s: of the tokenizer there is only tokenizer.model, which "
                        "is not read; transformers writes the tokenizer.json that is", directory);
    return osc_fail(OSC_ENOTFOUND, "%s: no tokenizer files: neither vocab.json with merges.txt "
                    "nor tokenizer.json", directory);
}

enum { VOCAB, MERGES, JSON, MODEL, FILES };

static osc_status read_files(osc_definition *made, osc_digest *digest, char *const path[FILES],
                             const char *directory)
{
    bool vocab = osc_file_exists(path[VOCAB]), merges = osc_file_exists(path[MERGES]);
    bool gpt2 = vocab && merges;
    if (gpt2)
        OSC_TRY(find_gpt2(&gpt2, path[JSON]));
    if (gpt2)
        return read_pair(made, digest, path[VOCAB], path[MERGES]);
    if (osc_file_exists(path[JSON]))
        return read_part(made, digest, path[JSON], all_from_text);
    return missing(directory, vocab, merges, path[MODEL]);
}

osc_status osc_definition_read(osc_definition *definition, char digest[OSC_DIGEST_HEX],
                               const char *directory)
{
    static const char *const names[FILES] = {
        "vocab.json", "merges.txt", "tokenizer.json", "tokenizer.model",
    };
    osc_definition made = { .bos = -1 };
    osc_digest *sum = NULL;
    char *path[FILES] = { NULL };
    osc_status status = osc_digest_create(&sum);
    for (size_t i = 0; i < FILES && status == OSC_OK; i++) {
        path[i] = osc_path_join(directory, names[i]);
        status = path[i] == NULL ? OSC_ENOMEM : OSC_OK;
    }
    if (status == OSC_OK)
        status = read_files(&made, sum, path, directory);
    if (status == OSC_OK)
        status = osc_settings_read(&made, directory);
    if (status == OSC_OK)
        status = osc_digest_finish(sum, digest);
    for (size_t i = 0; i < FILES; i++)
        osc_free(path[i]);
    osc_digest_free(sum);
    if (status != OSC_OK) {
        osc_definition_clear(&made);
        return status;
    }
    *definition = made;
    return OSC_OK;
}

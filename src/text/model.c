#include <config.h>
#include "text/model.h"

#include <string.h>

#include "base/alloc.h"
#include "base/file.h"

enum { MOST_BYTES = 64 << 20 };   /* of one tokenizer file; the largest known ones have 17 MB */

void osc_bpe_model_clear(osc_bpe_model *model)
{
    osc_vocab_free(model->vocab);
    osc_merges_free(model->merges);
    *model = (osc_bpe_model){ .vocab = NULL };
}

static osc_status vocab_from_text(osc_bpe_model *model, const char *text, size_t size)
{
    json_t *root;
    OSC_TRY(osc_json_parse(&root, text, size, OSC_JSON_STRICT));
    osc_status status = osc_vocab_create(&model->vocab, root);
    json_decref(root);
    return status;
}

static osc_status merges_from_text(osc_bpe_model *model, const char *text, size_t size)
{
    return osc_merges_from_text(&model->merges, model->vocab, text, size);
}

/* Reads one file into the digest and, by `use`, into the model. */
static osc_status read_part(osc_bpe_model *model, osc_digest *digest, const char *path,
                            osc_status (*use)(osc_bpe_model *, const char *, size_t))
{
    char *text;
    size_t size;
    OSC_TRY(osc_read_file(&text, &size, path, MOST_BYTES));
    osc_status status = osc_digest_add(digest, text, size);
    if (status == OSC_OK)
        status = use(model, text, size);
    osc_free(text);
    return status == OSC_OK ? OSC_OK : osc_fail_in(status, path);
}

/* Reads whichever form is there; `path` are those of vocab.json, merges.txt and
 * tokenizer.json. */
static osc_status read_parts(osc_bpe_model *model, osc_digest *digest, char *const path[3],
                             const char *directory)
{
    bool vocab = osc_file_exists(path[0]), merges = osc_file_exists(path[1]);
    if (vocab && merges) {
        OSC_TRY(read_part(model, digest, path[0], vocab_from_text));
        return read_part(model, digest, path[1], merges_from_text);
    }
    if (osc_file_exists(path[2]))
        return read_part(model, digest, path[2], osc_bpe_model_from_json);
    if (vocab || merges)
        return osc_fail(OSC_ENOTFOUND, "%s: has %s but no %s", directory,
                        vocab ? "vocab.json" : "merges.txt", vocab ? "merges.txt" : "vocab.json");
    return osc_fail(OSC_ENOTFOUND, "%s: no tokenizer files: neither vocab.json with merges.txt "
                    "nor tokenizer.json", directory);
}

osc_status osc_bpe_model_read(osc_bpe_model *model, char digest[OSC_DIGEST_HEX],
                              const char *directory)
{
    static const char *const names[3] = { "vocab.json", "merges.txt", "tokenizer.json" };
    osc_bpe_model made = { .vocab = NULL };
    osc_digest *sum = NULL;
    char *path[3] = { NULL };
    osc_status status = osc_digest_create(&sum);
    for (size_t i = 0; i < 3 && status == OSC_OK; i++) {
        path[i] = osc_path_join(directory, names[i]);
        status = path[i] == NULL ? OSC_ENOMEM : OSC_OK;
    }
    if (status == OSC_OK)
        status = read_parts(&made, sum, path, directory);
    if (status == OSC_OK)
        status = osc_digest_finish(sum, digest);
    for (size_t i = 0; i < 3; i++)
        osc_free(path[i]);
    osc_digest_free(sum);
    if (status != OSC_OK) {
        osc_bpe_model_clear(&made);
        return status;
    }
    *model = made;
    return OSC_OK;
}

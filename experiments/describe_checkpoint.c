#include <config.h>
#include "experiments/describe.h"

#include <math.h>
#include <string.h>

#include "analyses/jsonout.h"

static const char *activation_name(osc_activation activation)
{
    static const char *const names[OSC_ACTIVATION_COUNT] = {
        [OSC_RELU] = "relu", [OSC_GELU] = "gelu", [OSC_GELU_TANH] = "gelu_tanh",
        [OSC_SILU] = "silu",
    };
    return names[activation];
}

/* Names of the weight files, each once; NULL when out of memory. */
static json_t *weight_files(const osc_store *store)
{
    json_t *files = json_array(), *seen = json_object();
    bool ok = files != NULL && seen != NULL;
    for (size_t i = 0; i < osc_store_count(store) && ok; i++) {
        const char *file = osc_store_at(store, i)->file;
        if (json_object_get(seen, file) == NULL)
            ok = json_object_set_new_nocheck(seen, file, json_true()) == 0
              && json_array_append_new(files, json_out_text(file)) == 0;
    }
    json_decref(seen);
    if (!ok) {
        json_decref(files);
        return NULL;
    }
    return files;
}

/* The directory's tokenizer; null without one. */
static osc_status describe_tokenizer(json_t *object, const char *path)
{
    osc_tokenizer *tokenizer = NULL;
    osc_status status = osc_tokenizer_open(&tokenizer, path);
    if (status != OSC_OK && status != OSC_ENOTFOUND)
        return status;
    json_t *facts = status == OSC_ENOTFOUND
        ? json_pack("{s:n}", "tokenizer")
        : json_pack("{s:s, s:I, s:s}", "tokenizer", "byte-level BPE",
                    "tokenizer_size", (json_int_t)osc_tokenizer_size(tokenizer),
                    "tokenizer_sha256", osc_tokenizer_digest(tokenizer));
    int failed = facts == NULL || json_object_update(object, facts) != 0;
    json_decref(facts);
    osc_tokenizer_close(tokenizer);
    return failed ? osc_fail(OSC_ENOMEM, "out of memory") : OSC_OK;
}

/* Bytes of the weights of all quantizable linear layers in a scheme's form on the
 * default backend; as stored for the schemes that multiply them as they are. */
static size_t scheme_bytes(const osc_model *model, const osc_scheme_choice *choice, size_t stored)
{
    size_t total = 0;
    for (size_t layer = 0; layer < osc_model_config(model)->layers; layer++) {
        for (int slot = OSC_W_Q; slot <= OSC_W_FC2; slot++) {
            const osc_stored *w = osc_model_block(model, layer, (osc_block_slot)slot);
            if (w != NULL)
                total += choice->scheme->bytes(choice, osc_backends[0], osc_tensor_rows(&w->tensor),
                                               osc_tensor_width(&w->tensor));
        }
    }
    return total < stored ? total : stored;
}

static size_t stored_bytes(const osc_model *model)
{
    size_t total = 0;
    for (size_t layer = 0; layer < osc_model_config(model)->layers; layer++) {
        for (int slot = OSC_W_Q; slot <= OSC_W_FC2; slot++) {
            const osc_stored *w = osc_model_block(model, layer, (osc_block_slot)slot);
            if (w != NULL)
                total += osc_tensor_count(&w->tensor) * osc_dtype_size(w->tensor.dtype);
        }
    }
    return total;
}

/* What the linear layers take under each scheme; NULL when out of memory. */
static json_t *linear_bytes(const osc_model *model)
{
    json_t *rows = json_array();
    size_t stored = stored_bytes(model);
    for (size_t i = 0; osc_schemes[i] != NULL && rows != NULL; i++) {
        osc_scheme_choice choice;
        size_t bytes = osc_scheme_parse(&choice, osc_schemes[i]->name) == OSC_OK
                     ? scheme_bytes(model, &choice, stored) : 0;
        json_t *row = json_pack("{s:s, s:I, s:f}", "scheme", osc_schemes[i]->name,
                                "bytes", (json_int_t)bytes,
                                "of_stored", round(1e4 * (double)bytes / (double)stored) / 1e4);
        if (json_array_append_new(rows, row) != 0) {
            json_decref(rows);
            rows = NULL;
        }
    }
    return rows;
}

static json_t *describe_model(const osc_model *model)
{
    const osc_config *c = osc_model_config(model);
    const osc_store *store = osc_model_store(model);
    return json_pack(
        "{s:s, s:o, s:s, s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:i, s:I, s:s,"
        " s:s, s:o, s:I, s:I, s:o}",
        "kind", "checkpoint",
        "model", json_out_text(osc_model_name(model)),
        "architecture", c->arch,
        "activation", activation_name(c->activation),
        "norm_before", (int)c->norm_before,
        "blocks", (json_int_t)c->layers,
        "hidden", (json_int_t)c->hidden,
        "heads", (json_int_t)c->heads,
        "kv_heads", (json_int_t)c->kv_heads,
        "head_size", (json_int_t)c->head_size,
        "ffn", (json_int_t)c->ffn,
        "embedding_width", (json_int_t)c->embed_width,
        "vocabulary", (json_int_t)c->vocabulary,
        "positions", (json_int_t)c->positions,
        "tied_head", (int)c->tied_head,
        "bos", (int)c->bos,
        "parameters", (json_int_t)osc_model_parameters(model),
        "dtype", osc_dtype_name(osc_model_dtype(model)),
        "format", osc_store_format(store),
        "files", weight_files(store),
        "bytes", (json_int_t)osc_store_bytes(store),
        "tensors", (json_int_t)osc_store_count(store),
        "linear_bytes", linear_bytes(model));
}

osc_status describe_checkpoint(json_t **object, const char *path, const osc_progress *progress,
                               bool digest)
{
    osc_model *model;
    OSC_TRY(osc_model_open(&model, path));
    char hex[OSC_DIGEST_HEX];
    json_t *made = describe_model(model);
    osc_status status = made != NULL ? describe_tokenizer(made, path)
                                     : osc_fail(OSC_ENOMEM, "out of memory");
    if (status == OSC_OK && digest)
        status = osc_store_digest(osc_model_store(model), hex, progress);
    if (status == OSC_OK && digest && json_object_set_new(made, "sha256", json_string(hex)) != 0)
        status = osc_fail(OSC_ENOMEM, "out of memory");
    osc_model_close(model);
    if (status == OSC_OK)
        *object = made;
    else
        json_decref(made);
    return status;
}

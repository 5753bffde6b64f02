#include <config.h>
#include "text/tokenizer.h"

#include <string.h>

#include "base/alloc.h"
#include "text/bpe.h"
#include "text/encode.h"
#include "text/pretoken.h"
#include "text/settings.h"

struct osc_tokenizer {
    osc_bpe_model model;
    osc_chars    *chars;
    char          digest[OSC_DIGEST_HEX];
};

void osc_ids_clear(osc_ids *ids)
{
    osc_free(ids->id);
    *ids = (osc_ids){ .id = NULL };
}

osc_status osc_ids_append(osc_ids *ids, int32_t id)
{
    if (ids->count == ids->capacity) {
        int32_t *larger = osc_grow(ids->id, &ids->capacity, ids->count + 1, sizeof *larger);
        if (larger == NULL)
            return OSC_ENOMEM;
        ids->id = larger;
    }
    ids->id[ids->count++] = id;
    return OSC_OK;
}

osc_status osc_tokenizer_open(osc_tokenizer **tokenizer, const char *directory)
{
    osc_tokenizer *made = osc_alloc(1, sizeof *made);
    if (made == NULL)
        return OSC_ENOMEM;
    osc_status status = osc_chars_create(&made->chars);
    if (status == OSC_OK)
        status = osc_bpe_model_read(&made->model, made->digest, directory);
    if (status == OSC_OK)
        status = osc_settings_mark_special(made->model.vocab, directory);
    if (status != OSC_OK) {
        osc_tokenizer_close(made);
        return status;
    }
    *tokenizer = made;
    return OSC_OK;
}

void osc_tokenizer_close(osc_tokenizer *tokenizer)
{
    if (tokenizer == NULL)
        return;
    osc_chars_free(tokenizer->chars);
    osc_bpe_model_clear(&tokenizer->model);
    osc_free(tokenizer);
}

osc_status osc_encode_until(const osc_tokenizer *tokenizer, osc_ids *ids,
                            const char *text, size_t size, size_t enough)
{
    osc_status status = OSC_OK;
    size_t before = ids->count;
    osc_bpe bpe = { .model = &tokenizer->model };
    osc_pretokens scan = { .text = (const uint8_t *)text, .size = size,
                           .reader = { .chars = tokenizer->chars } };
    for (size_t at = 0, end; at < size && ids->count < enough && status == OSC_OK; at = end) {
        end = osc_pretoken_end(&scan, at);
        status = scan.reader.status;
        if (status == OSC_OK)
            status = osc_bpe_encode(&bpe, ids, scan.text + at, end - at);
    }
    osc_bpe_clear(&bpe);
    osc_char_reader_clear(&scan.reader);
    if (status != OSC_OK)
        ids->count = before;
    return status;
}

osc_status osc_tokenizer_encode(const osc_tokenizer *tokenizer, osc_ids *ids,
                                const char *text, size_t size)
{
    return osc_encode_until(tokenizer, ids, text, size, SIZE_MAX);
}

size_t osc_tokenizer_size(const osc_tokenizer *tokenizer)
{
    return tokenizer->model.vocab->size;
}

int32_t osc_tokenizer_find(const osc_tokenizer *tokenizer, const char *token)
{
    return osc_vocab_find(tokenizer->model.vocab, token, strlen(token), "", 0);
}

const char *osc_tokenizer_piece(const osc_tokenizer *tokenizer, int32_t id, size_t *size)
{
    const osc_vocab *vocab = tokenizer->model.vocab;
    if (id < 0 || (size_t)id >= vocab->size) {
        *size = 0;
        return NULL;
    }
    *size = vocab->token[id].size;
    return vocab->token[id].bytes;
}

bool osc_tokenizer_is_special(const osc_tokenizer *tokenizer, int32_t id)
{
    const osc_vocab *vocab = tokenizer->model.vocab;
    return id >= 0 && (size_t)id < vocab->size && vocab->token[id].special;
}

const char *osc_tokenizer_digest(const osc_tokenizer *tokenizer)
{
    return tokenizer->digest;
}

#include <config.h>
#include "text/tokenizer.h"

#include <string.h>

#include "base/alloc.h"
#include "text/encode.h"

struct osc_tokenizer {
    osc_definition definition;
    osc_chars     *chars;
    char           digest[OSC_DIGEST_HEX];
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
        status = osc_definition_read(&made->definition, made->digest, directory);
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
    osc_definition_clear(&tokenizer->definition);
    osc_free(tokenizer);
}

const osc_definition *osc_tokenizer_definition(const osc_tokenizer *tokenizer)
{
    return &tokenizer->definition;
}

const osc_chars *osc_tokenizer_chars(const osc_tokenizer *tokenizer)
{
    return tokenizer->chars;
}

size_t osc_tokenizer_size(const osc_tokenizer *tokenizer)
{
    return tokenizer->definition.model.vocab->size;
}

int32_t osc_tokenizer_find(const osc_tokenizer *tokenizer, const char *token)
{
    return osc_vocab_find(tokenizer->definition.model.vocab, token, strlen(token), "", 0);
}

const char *osc_tokenizer_piece(const osc_tokenizer *tokenizer, int32_t id, size_t *size)
{
    const osc_vocab *vocab = tokenizer->definition.model.vocab;
    if (id < 0 || (size_t)id >= vocab->size) {
        *size = 0;
        return NULL;
    }
    *size = vocab->token[id].size;
    return vocab->token[id].bytes;
}

bool osc_tokenizer_is_special(const osc_tokenizer *tokenizer, int32_t id)
{
    const osc_vocab *vocab = tokenizer->definition.model.vocab;
    return id >= 0 && (size_t)id < vocab->size && vocab->token[id].special;
}

bool osc_tokenizer_bos(const osc_tokenizer *tokenizer, int32_t *bos)
{
    if (tokenizer->definition.says_bos)
        *bos = tokenizer->definition.bos;
    return tokenizer->definition.says_bos;
}

const char *osc_tokenizer_digest(const osc_tokenizer *tokenizer)
{
    return tokenizer->digest;
}

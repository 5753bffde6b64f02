/* Opening and encoding that must work, and a vocabulary made up for a test. */
#ifndef TEXT_H
#define TEXT_H

#include "files.h"

#include <stdint.h>

#include "text/corpus.h"
#include "text/tokenizer.h"
#include "text/vocab.h"

static inline osc_tokenizer *open_ok(const char *directory)
{
    osc_tokenizer *tokenizer = NULL;
    osc_status status = osc_tokenizer_open(&tokenizer, directory);
    ck_assert_msg(status == OSC_OK, "%s", osc_error());
    return tokenizer;
}

static inline osc_ids encode_ok(const osc_tokenizer *tokenizer, const char *text, size_t size)
{
    osc_ids ids = { .id = NULL };
    ck_assert_int_eq(osc_tokenizer_encode(tokenizer, &ids, text, size), OSC_OK);
    return ids;
}

static inline osc_documents *read_ok(const char *path)
{
    osc_documents *documents = NULL;
    osc_status status = osc_documents_read(&documents, path);
    ck_assert_msg(status == OSC_OK, "%s", osc_error());
    return documents;
}

/* A vocabulary of the 256 bytes with ids 0 to 255, less the byte `without` (-1:
 * none), and `more`; valid until the next call. */
static inline const char *byte_vocab(int without, const char *more)
{
    static char text[8192];
    size_t at = 0;
    for (int byte = 0; byte < 256; byte++) {
        char symbol[2];
        size_t n = osc_byte_spell(symbol, (uint8_t)byte);
        if (byte != without)
            at += (size_t)snprintf(text + at, sizeof text - at, "%s\"%s%.*s\":%d",
                                   at == 0 ? "{" : ",", byte == '"' || byte == '\\' ? "\\" : "",
                                   (int)n, symbol, byte);
    }
    snprintf(text + at, sizeof text - at, "%s}", more);
    return text;
}

#endif

#include <config.h>
#include "text/decoder.h"

#include <string.h>

#include "base/alloc.h"
#include "text/utf8.h"

struct osc_decoder {
    const osc_tokenizer *tokenizer;
    bool     skip_special;
    uint8_t  held[4];     /* the beginning of a character */
    size_t   held_size;
    char    *text;        /* what the call gives */
    size_t   size, room;
};

osc_status osc_decoder_create(osc_decoder **decoder, const osc_tokenizer *tokenizer,
                              bool skip_special)
{
    osc_decoder *made = osc_alloc(1, sizeof *made);
    if (made == NULL)
        return OSC_ENOMEM;
    made->tokenizer = tokenizer;
    made->skip_special = skip_special;
    *decoder = made;
    return OSC_OK;
}

void osc_decoder_free(osc_decoder *decoder)
{
    if (decoder != NULL)
        osc_free(decoder->text);
    osc_free(decoder);
}

/* Appends to the text; keeps it NUL-terminated. */
static osc_status give(osc_decoder *decoder, const char *text, size_t size)
{
    char *larger = osc_grow(decoder->text, &decoder->room, decoder->size + size + 1, 1);
    if (larger == NULL)
        return OSC_ENOMEM;
    decoder->text = larger;
    memcpy(larger + decoder->size, text, size);
    decoder->size += size;
    larger[decoder->size] = '\0';
    return OSC_OK;
}

static osc_status give_broken(osc_decoder *decoder)
{
    return give(decoder, "\xef\xbf\xbd", 3);
}

/* Adds one byte to those held and gives what they are, if that is certain. */
static osc_status add_byte(osc_decoder *decoder, uint8_t byte)
{
    uint32_t character;
    size_t n;
    decoder->held[decoder->held_size++] = byte;
    while (decoder->held_size > 0) {
        enum osc_utf8 found = osc_utf8_read(&character, &n, decoder->held, decoder->held_size);
        if (found == OSC_UTF8_CUT)
            break;
        OSC_TRY(found == OSC_UTF8_WHOLE ? give(decoder, (const char *)decoder->held, n)
                                        : give_broken(decoder));
        decoder->held_size -= n;
        memmove(decoder->held, decoder->held + n, decoder->held_size);
    }
    return OSC_OK;
}

osc_status osc_decoder_add(osc_decoder *decoder, int32_t id, const char **text, size_t *size)
{
    size_t n;
    const char *piece = osc_tokenizer_piece(decoder->tokenizer, id, &n);
    bool skip = decoder->skip_special && osc_tokenizer_is_special(decoder->tokenizer, id);
    decoder->size = 0;
    OSC_TRY(give(decoder, "", 0));
    for (size_t i = 0; i < n && !skip; i++)
        OSC_TRY(add_byte(decoder, (uint8_t)piece[i]));
    *text = decoder->text;
    *size = decoder->size;
    return OSC_OK;
}

osc_status osc_decoder_end(osc_decoder *decoder, const char **text, size_t *size)
{
    decoder->size = 0;
    OSC_TRY(decoder->held_size > 0 ? give_broken(decoder) : give(decoder, "", 0));
    decoder->held_size = 0;
    *text = decoder->text;
    *size = decoder->size;
    return OSC_OK;
}

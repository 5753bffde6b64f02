#include <config.h>
#include "text/decoder.h"

#include <string.h>

#include "base/alloc.h"
#include "text/encode.h"
#include "text/utf8.h"

typedef struct {
    char  *text;
    size_t size, room;
} buffer;

struct osc_decoder {
    const osc_tokenizer *tokenizer;
    const osc_decoding  *rule;
    bool   skip_special;
    bool   begun;      /* a token of the text has been seen */
    size_t strip;      /* blanks to leave out if the text begins with them */
    buffer held;       /* bytes of which it is not certain what they are */
    buffer token, rewritten;
    buffer out;        /* what the call gives */
};

static osc_status append(buffer *out, const char *text, size_t size)
{
    char *larger = osc_grow(out->text, &out->room, out->size + size + 1, 1);
    if (larger == NULL)
        return OSC_ENOMEM;
    out->text = larger;
    memcpy(larger + out->size, text, size);
    out->size += size;
    larger[out->size] = '\0';
    return OSC_OK;
}

static void begin(osc_decoder *decoder)
{
    decoder->begun = false;
    decoder->strip = decoder->rule->strip;
    decoder->held.size = 0;
}

osc_status osc_decoder_create(osc_decoder **decoder, const osc_tokenizer *tokenizer,
                              bool skip_special)
{
    const osc_decoding *rule = &osc_tokenizer_definition(tokenizer)->decoding;
    if (rule->unsupported[0] != '\0')
        return osc_fail(OSC_EUNSUP, "the tokenizer cannot turn ids into text: decoder: %s",
                        rule->unsupported);
    osc_decoder *made = osc_alloc(1, sizeof *made);
    if (made == NULL)
        return OSC_ENOMEM;
    made->tokenizer = tokenizer;
    made->rule = rule;
    made->skip_special = skip_special;
    begin(made);
    *decoder = made;
    return OSC_OK;
}

void osc_decoder_free(osc_decoder *decoder)
{
    if (decoder == NULL)
        return;
    osc_free(decoder->held.text);
    osc_free(decoder->token.text);
    osc_free(decoder->rewritten.text);
    osc_free(decoder->out.text);
    osc_free(decoder);
}

/* --- what is certain ----------------------------------------------------------------- */

static bool begins_with(const char *text, size_t size, const char *what)
{
    size_t n = strlen(what);
    return size >= n && memcmp(text, what, n) == 0;
}

/* Gives text, less the blanks that are left out at its beginning. */
static osc_status give(osc_decoder *decoder, const char *text, size_t size)
{
    const char *blank = decoder->rule->blank;
    size_t n = strlen(blank);
    for (; decoder->strip > 0 && begins_with(text, size, blank); decoder->strip--) {
        text += n;
        size -= n;
    }
    if (size > 0)
        decoder->strip = 0;
    return append(&decoder->out, text, size);
}

static osc_status give_broken(osc_decoder *decoder, size_t times)
{
    for (; times > 0; times--)
        OSC_TRY(give(decoder, "\xef\xbf\xbd", 3));
    return OSC_OK;
}

/* --- bytes of all tokens ------------------------------------------------------------- */

/* Gives the whole characters of the held bytes; a broken one is U+FFFD. */
static osc_status give_characters(osc_decoder *decoder)
{
    const buffer *held = &decoder->held;
    uint32_t character;
    size_t at = 0, n;
    for (; at < held->size; at += n) {
        enum osc_utf8 found = osc_utf8_read(&character, &n, (const uint8_t *)held->text + at,
                                            held->size - at);
        if (found == OSC_UTF8_CUT)
            break;
        OSC_TRY(found == OSC_UTF8_WHOLE ? give(decoder, held->text + at, n)
                                        : give_broken(decoder, 1));
    }
    memmove(held->text, held->text + at, held->size - at);
    decoder->held.size -= at;
    return OSC_OK;
}

static osc_status add_bytes(osc_decoder *decoder, const osc_token *token)
{
    OSC_TRY(append(&decoder->held, token->bytes, token->size));
    return give_characters(decoder);
}

/* --- spellings ----------------------------------------------------------------------- */

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10
         : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte that "<0x0A>" spells, or -1. */
static int spelled_byte(const char *text, size_t size)
{
    if (size != 6 || memcmp(text, "<0x", 3) != 0 || text[5] != '>')
        return -1;
    int high = hex_digit(text[3]), low = hex_digit(text[4]);
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

/* Gives a row of spelled bytes that has ended: as they are, or if any of them is broken
 * U+FFFD for each, as the tokenizers package does. */
static osc_status give_spelled(osc_decoder *decoder)
{
    const buffer *held = &decoder->held;
    uint32_t character;
    bool whole = true;
    if (held->size == 0)
        return OSC_OK;
    for (size_t at = 0, n; at < held->size && whole; at += n)
        whole = osc_utf8_read(&character, &n, (const uint8_t *)held->text + at,
                              held->size - at) == OSC_UTF8_WHOLE;
    OSC_TRY(whole ? give(decoder, held->text, held->size) : give_broken(decoder, held->size));
    decoder->held.size = 0;
    return OSC_OK;
}

/* Replaces in the token under way. */
static osc_status replace(osc_decoder *decoder, const char *from, const char *to)
{
    buffer *token = &decoder->token, *out = &decoder->rewritten;
    const char *at = token->text, *end = at + token->size;
    size_t n = strlen(from);
    out->size = 0;
    for (const char *found; (found = memmem(at, (size_t)(end - at), from, n)) != NULL;
         at = found + n) {
        OSC_TRY(append(out, at, (size_t)(found - at)));
        OSC_TRY(append(out, to, strlen(to)));
    }
    OSC_TRY(append(out, at, (size_t)(end - at)));
    buffer swapped = *token;
    *token = *out;
    *out = swapped;
    return OSC_OK;
}

static osc_status add_spelling(osc_decoder *decoder, const osc_token *spelled)
{
    const osc_decoding *rule = decoder->rule;
    buffer *token = &decoder->token;
    token->size = 0;
    OSC_TRY(append(token, spelled->bytes, spelled->size));
    if (rule->strip_token && !decoder->begun)
        OSC_TRY(replace(decoder, rule->blank, ""));
    for (size_t i = 0; i < rule->replaces; i++)
        OSC_TRY(replace(decoder, rule->replace[i].from, rule->replace[i].to));
    int byte = rule->byte_fallback ? spelled_byte(token->text, token->size) : -1;
    if (byte >= 0)
        return append(&decoder->held, &(char){ (char)byte }, 1);
    OSC_TRY(give_spelled(decoder));
    return give(decoder, token->text, token->size);
}

/* --- calls --------------------------------------------------------------------------- */

osc_status osc_decoder_add(osc_decoder *decoder, int32_t id, const char **text, size_t *size)
{
    const osc_vocab *vocab = osc_tokenizer_definition(decoder->tokenizer)->model.vocab;
    const osc_token *token = id < 0 || (size_t)id >= vocab->size ? NULL : &vocab->token[id];
    decoder->out.size = 0;
    OSC_TRY(append(&decoder->out, "", 0));
    if (token != NULL && token->spelling != NULL && !(decoder->skip_special && token->special)) {
        OSC_TRY((decoder->rule->bytes ? add_bytes : add_spelling)(decoder, token));
        decoder->begun = true;
    }
    *text = decoder->out.text;
    *size = decoder->out.size;
    return OSC_OK;
}

osc_status osc_decoder_end(osc_decoder *decoder, const char **text, size_t *size)
{
    decoder->out.size = 0;
    OSC_TRY(append(&decoder->out, "", 0));
    if (decoder->rule->bytes && decoder->held.size > 0)
        OSC_TRY(give_broken(decoder, 1));
    else if (!decoder->rule->bytes)
        OSC_TRY(give_spelled(decoder));
    begin(decoder);
    *text = decoder->out.text;
    *size = decoder->out.size;
    return OSC_OK;
}

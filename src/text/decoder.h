/* Token ids to text, one id at a time: for a text that is shown while it grows. */
#ifndef OSC_TEXT_DECODER_H
#define OSC_TEXT_DECODER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "text/tokenizer.h"

typedef struct osc_decoder osc_decoder;

/* A decoder at the beginning of a text.  With `skip_special` special tokens
 * (osc_tokenizer_is_special) give no text, otherwise their spelling.  The tokenizer must
 * live as long.  OSC_EUNSUP if its tokenizer.json decodes in a way that is not known. */
osc_status osc_decoder_create(osc_decoder **decoder, const osc_tokenizer *tokenizer,
                              bool skip_special);
void osc_decoder_free(osc_decoder *decoder);

/* Adds the next id.  `*text` is what has become certain by it, `*size` bytes of whole UTF-8
 * characters, often none (a token may be a part of a character); it is NUL-terminated,
 * owned by the decoder and valid until the next call.  All that the calls give, one after
 * another and osc_decoder_end last, is the text of the ids; bytes that are not UTF-8 are
 * U+FFFD in it.  An id without a token (a padding row of the embedding) gives nothing. */
osc_status osc_decoder_add(osc_decoder *decoder, int32_t id, const char **text, size_t *size);

/* Ends the text: what was held back, U+FFFD for a character that was never whole.  The
 * decoder is then at the beginning of another text. */
osc_status osc_decoder_end(osc_decoder *decoder, const char **text, size_t *size);

#endif

/* Texts to ids, for callers inside src/text. */
#ifndef OSC_TEXT_ENCODE_H
#define OSC_TEXT_ENCODE_H

#include "text/definition.h"
#include "text/tokenizer.h"

/* As osc_tokenizer_encode, but stops at the first pre-token boundary where `ids`
 * holds `enough` ids or more. */
osc_status osc_encode_until(const osc_tokenizer *tokenizer, osc_ids *ids,
                            const char *text, size_t size, size_t enough);

const osc_definition *osc_tokenizer_definition(const osc_tokenizer *tokenizer);
const osc_chars *osc_tokenizer_chars(const osc_tokenizer *tokenizer);

#endif

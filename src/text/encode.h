/* Encoding the beginning of a text, for callers inside src/text. */
#ifndef OSC_TEXT_ENCODE_H
#define OSC_TEXT_ENCODE_H

#include "text/tokenizer.h"

/* As osc_tokenizer_encode, but stops at the first pre-token boundary where `ids`
 * holds `enough` ids or more. */
osc_status osc_encode_until(const osc_tokenizer *tokenizer, osc_ids *ids,
                            const char *text, size_t size, size_t enough);

#endif

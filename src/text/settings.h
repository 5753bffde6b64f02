/* What the small files beside a tokenizer's say about its tokens. */
#ifndef OSC_TEXT_SETTINGS_H
#define OSC_TEXT_SETTINGS_H

#include "base/status.h"
#include "text/vocab.h"

/* Marks the tokens that config.json (bos_token_id, eos_token_id, pad_token_id) and
 * tokenizer_config.json (bos_token, eos_token, pad_token, unk_token) name as special.
 * Neither file need be there. */
osc_status osc_settings_mark_special(osc_vocab *vocab, const char *directory);

#endif

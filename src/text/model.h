/* The tables that define a byte-level BPE tokenizer, and the files they come from. */
#ifndef OSC_TEXT_MODEL_H
#define OSC_TEXT_MODEL_H

#include <stdbool.h>

#include "base/digest.h"
#include "text/merges.h"
#include "text/vocab.h"

typedef struct {
    osc_vocab  *vocab;
    osc_merges *merges;
    bool        ignore_merges;   /* a piece that is a token as a whole is not merged */
} osc_bpe_model;

/* Reads the files of `directory`, `digest` their SHA-256 in the order read; see
 * osc_tokenizer_open.  Set only on success. */
osc_status osc_bpe_model_read(osc_bpe_model *model, char digest[OSC_DIGEST_HEX],
                              const char *directory);
void osc_bpe_model_clear(osc_bpe_model *model);

/* From the text of a tokenizer.json.  OSC_EUNSUP if it asks for anything but
 * byte-level BPE behind GPT-2's pre-tokenizer. */
osc_status osc_bpe_model_from_json(osc_bpe_model *model, const char *text, size_t size);

#endif

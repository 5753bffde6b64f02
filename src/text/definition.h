/* All that a tokenizer's files define. */
#ifndef OSC_TEXT_DEFINITION_H
#define OSC_TEXT_DEFINITION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/json.h"
#include "text/added.h"
#include "text/model.h"
#include "text/pipeline.h"

/* How ids become text.  Either the bytes of all tokens one after another, or their
 * spellings, rewritten. */
typedef struct {
    bool     bytes;
    osc_step replace[4];           /* OSC_STEP_REPLACE, in the spelling of each token */
    size_t   replaces;
    bool     byte_fallback;        /* "<0x0A>" is a byte */
    char     blank[OSC_STEP_TEXT]; /* left out at the beginning of a text ... */
    size_t   strip;                /* ... so many times; */
    bool     strip_token;          /* or wherever it is in a text's first token */
    char     unsupported[128];     /* why this tokenizer cannot decode; "": it can */
} osc_decoding;

typedef struct {
    osc_bpe_model model;
    osc_steps     normalizer, pre;
    osc_added    *added_raw;        /* looked for in the text, ... */
    osc_added    *added_normal;     /* ... and in what the normalizer made of it; NULL: none */
    osc_decoding  decoding;
    bool          says_bos;         /* whether a bos is put in front of texts is known */
    int32_t       bos;              /* -1: none */
} osc_definition;

/* Reads the files of `directory`, `digest` their SHA-256 in the order read; see
 * osc_tokenizer_open.  Set only on success. */
osc_status osc_definition_read(osc_definition *definition, char digest[OSC_DIGEST_HEX],
                               const char *directory);
void osc_definition_clear(osc_definition *definition);

/* From a parsed tokenizer.json; `definition` starts as zeros and is the caller's to clear
 * also on failure.  OSC_EUNSUP naming what is not supported. */
osc_status osc_definition_from_json(osc_definition *definition, const json_t *root);

/* Reads what config.json (bos_token_id, eos_token_id, pad_token_id) and
 * tokenizer_config.json (bos_token, ..., add_bos_token) of `directory` say: which tokens
 * are special and, unless it is known, whether a bos is put in front of texts.  Neither
 * file need be there. */
osc_status osc_settings_read(osc_definition *definition, const char *directory);

/* --- parts of tokenizer.json -------------------------------------------------------- */

/* The steps of "normalizer" and of "pre_tokenizer" (null: none), and the alphabet that the
 * latter's end with. */
osc_status osc_normalizer_from_json(osc_steps *steps, const json_t *normalizer);
osc_status osc_pre_tokenizer_from_json(osc_steps *steps, osc_alphabet *alphabet,
                                       const json_t *pre);
/* A "Replace" of a string by another, in a normalizer or decoder. */
osc_status osc_replace_from_json(osc_step *step, const json_t *object);

/* Whether the steps are GPT-2's, which vocab.json and merges.txt alone stand for. */
bool osc_steps_are_gpt2(const osc_steps *normalizer, const osc_steps *pre);

/* "decoder"; what is not supported is said in `decoding`: texts can be encoded anyway. */
void osc_decoding_from_json(osc_decoding *decoding, const json_t *decoder, osc_alphabet alphabet);

/* "post_processor" (null: none): the bos that it puts in front, if it says so. */
osc_status osc_template_from_json(bool *says_bos, int32_t *bos, const json_t *post);

#endif

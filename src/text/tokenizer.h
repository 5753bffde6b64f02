/* BPE tokenizers (GPT-2, OPT, BLOOM, Llama) from a checkpoint directory. */
#ifndef OSC_TEXT_TOKENIZER_H
#define OSC_TEXT_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/status.h"

typedef struct osc_tokenizer osc_tokenizer;

/* A growing array of token ids; start from { 0 }, release with osc_ids_clear. */
typedef struct {
    int32_t *id;
    size_t   count;
    size_t   capacity;
} osc_ids;

void osc_ids_clear(osc_ids *ids);
osc_status osc_ids_append(osc_ids *ids, int32_t id);

/* Opens the tokenizer of `directory`: vocab.json + merges.txt, unless a tokenizer.json
 * beside them cuts texts otherwise than GPT-2 does, or else tokenizer.json.  OSC_ENOTFOUND
 * if there is neither, OSC_EFORMAT, OSC_EUNSUP (a tokenizer.json with something that is
 * not supported, which the message names), OSC_ENOMEM. */
osc_status osc_tokenizer_open(osc_tokenizer **tokenizer, const char *directory);
void osc_tokenizer_close(osc_tokenizer *tokenizer);

/* Appends the ids of `size` bytes of text, without bos.  Every byte string can be
 * encoded: a byte that is not UTF-8 counts as a character that is no letter, number or
 * white space.  Added tokens of a tokenizer.json ("</s>") are looked for in the text as the
 * tokenizers package does; with vocab.json and merges.txt all text is plain text. */
osc_status osc_tokenizer_encode(const osc_tokenizer *tokenizer, osc_ids *ids,
                                const char *text, size_t size);

/* Largest id + 1. */
size_t osc_tokenizer_size(const osc_tokenizer *tokenizer);

/* The id of the token spelled `token` in the vocabulary ("</s>"), or -1. */
int32_t osc_tokenizer_find(const osc_tokenizer *tokenizer, const char *token);

/* The bytes that `id` stands for (owned by the tokenizer, not NUL-terminated),
 * NULL with *size 0 if it has no token. */
const char *osc_tokenizer_piece(const osc_tokenizer *tokenizer, int32_t id, size_t *size);

/* Whether `id` is a special token: one that tokenizer.json calls so, or that config.json
 * or tokenizer_config.json name as bos, eos, padding or unknown. */
bool osc_tokenizer_is_special(const osc_tokenizer *tokenizer, int32_t id);

/* Whether the tokenizer's files say which id, if any, is put in front of a text; then
 * `*bos` is it, or -1 for none.  Otherwise the model's architecture decides (osc_config). */
bool osc_tokenizer_bos(const osc_tokenizer *tokenizer, int32_t *bos);

/* SHA-256 of the files that define the tokenizer, in the order opened. */
const char *osc_tokenizer_digest(const osc_tokenizer *tokenizer);

#endif

/* Cuts text into the pieces that byte-pair encoding works on, as the regular
 * expressions of pre-tokenizers do.  A byte that is not UTF-8 is a character that is
 * neither letter, number nor white space. */
#ifndef OSC_TEXT_PRETOKEN_H
#define OSC_TEXT_PRETOKEN_H

#include <stddef.h>
#include <stdint.h>

#include "text/chars.h"

typedef struct {
    const uint8_t   *text;
    size_t           size;
    osc_char_reader *reader;   /* look at its status before using what was found */
} osc_pretokens;

/* The end of the piece that starts at `at` (< size). */
typedef size_t osc_split(osc_pretokens *scan, size_t at);

/* GPT-2, OPT, GPT-J: 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|
 * \s+(?!\S)|\s+, first alternative that matches. */
osc_split osc_split_gpt2;
/* BLOOM: matches of " ?[^(\s|[.,!?E])]+", E being U+2026, U+3002, U+FF0C, U+3001, U+0964,
 * U+06D4 and U+060C, and what is between two.  The class in the class is one with it, as
 * Oniguruma reads it. */
osc_split osc_split_bloom;
/* Llama 3: (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|
 *  ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+ */
osc_split osc_split_llama3;
/* Each number (\p{N}) by itself, or in runs, and what is between. */
osc_split osc_split_digits;
osc_split osc_split_numbers;

/* The function that cuts as a regular expression of a tokenizer.json, spelled as above,
 * or NULL. */
osc_split *osc_split_find(const char *pattern);

#endif

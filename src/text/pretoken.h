/* Cuts text into the pieces that byte-level BPE works on, as GPT-2's regular
 * expression does: 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|
 * \s+(?!\S)|\s+, first alternative that matches. */
#ifndef OSC_TEXT_PRETOKEN_H
#define OSC_TEXT_PRETOKEN_H

#include <stddef.h>
#include <stdint.h>

#include "text/chars.h"

typedef struct {
    const uint8_t  *text;
    size_t          size;
    osc_char_reader reader;   /* look at reader.status before using what was found */
} osc_pretokens;

/* The end of the piece that starts at `at` (< size). */
size_t osc_pretoken_end(osc_pretokens *scan, size_t at);

#endif

/* Characters of possibly broken UTF-8 and the classes that pre-tokenizers tell apart. */
#ifndef OSC_TEXT_CHARS_H
#define OSC_TEXT_CHARS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum osc_char_class {
    OSC_CHAR_OTHER,     /* also marks, controls, unassigned, bytes that are not UTF-8 */
    OSC_CHAR_LETTER,    /* \p{L} */
    OSC_CHAR_NUMBER,    /* \p{N} */
    OSC_CHAR_SPACE      /* Unicode White_Space */
};

/* Class of each byte below 0x80; 0x80 and above are OSC_CHAR_OTHER here. */
extern const uint8_t osc_ascii_class[256];

/* The compiled Unicode properties: immutable, shared by all threads. */
typedef struct osc_chars osc_chars;

osc_status osc_chars_create(osc_chars **chars);
void osc_chars_free(osc_chars *chars);

/* One caller's use of them; start from { .chars = chars }. */
typedef struct {
    const osc_chars *chars;
    void            *match;    /* PCRE2's scratch memory, made at the first need */
    osc_status       status;   /* the first failure: classes were wrong from there on */
} osc_char_reader;

void osc_char_reader_clear(osc_char_reader *reader);

/* Bytes of the character at `p` (`left` bytes are there, at least 1), its class
 * in `*class`.  A byte that does not start a valid character is one by itself. */
size_t osc_char_read(osc_char_reader *reader, const uint8_t *p, size_t left,
                     enum osc_char_class *class);

/* Unicode's White_Space. */
bool osc_char_is_space(uint32_t character);

/* Whether the character at `p` is one of a word, \w as Unicode defines it: alphabetic,
 * mark, decimal number, connector or joiner. */
bool osc_char_is_word(osc_char_reader *reader, const uint8_t *p, size_t left);

#endif

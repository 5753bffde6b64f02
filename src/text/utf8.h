/* UTF-8 that may be broken or cut off. */
#ifndef OSC_TEXT_UTF8_H
#define OSC_TEXT_UTF8_H

#include <stddef.h>
#include <stdint.h>

enum osc_utf8 {
    OSC_UTF8_WHOLE,    /* a character */
    OSC_UTF8_BROKEN,   /* bytes that begin none: one U+FFFD when shown, as Unicode advises */
    OSC_UTF8_CUT       /* the beginning of one, and no more bytes */
};

/* What the `left` (at least 1) bytes at `p` begin with: no overlong forms, surrogates
 * or values over U+10FFFF are characters.  `*size` is its number of bytes (1 to 4),
 * `*character` is set if it is whole. */
enum osc_utf8 osc_utf8_read(uint32_t *character, size_t *size, const uint8_t *p, size_t left);

#endif

#include <config.h>
#include "text/utf8.h"

enum osc_utf8 osc_utf8_read(uint32_t *character, size_t *size, const uint8_t *p, size_t left)
{
    uint8_t first = p[0];
    *size = 1;
    *character = first;
    if (first < 0x80)
        return OSC_UTF8_WHOLE;
    if (first < 0xc2 || first > 0xf4)
        return OSC_UTF8_BROKEN;
    size_t n = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    uint32_t value = first & (0x7fu >> n);
    /* of the second byte: narrower where a character would be overlong, a surrogate, or
     * over U+10FFFF */
    uint8_t least = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    uint8_t most = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    for (*size = 1; *size < n; ++*size) {
        if (*size == left)
            return OSC_UTF8_CUT;
        if (p[*size] < least || p[*size] > most)
            return OSC_UTF8_BROKEN;
        value = value << 6 | (p[*size] & 0x3fu);
        least = 0x80;
        most = 0xbf;
    }
    *character = value;
    return OSC_UTF8_WHOLE;
}

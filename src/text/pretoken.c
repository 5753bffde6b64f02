#include <config.h>
#include "text/pretoken.h"

#include <string.h>

/* Bytes of 's 't 'm 'd 're 've 'll at `p`, 0 if there is none. */
static size_t contraction(const uint8_t *p, size_t left)
{
    if (left >= 2 && memchr("stmd", p[1], 4) != NULL)
        return 2;
    if (left >= 3 && (memcmp(p + 1, "re", 2) == 0 || memcmp(p + 1, "ve", 2) == 0 ||
                      memcmp(p + 1, "ll", 2) == 0))
        return 3;
    return 0;
}

/* The end of the run of characters of one class, not white space, that goes on at `at`. */
static size_t run_end(osc_pretokens *scan, size_t at, enum osc_char_class class)
{
    while (at < scan->size) {
        uint8_t byte = scan->text[at];
        size_t n = 1;
        enum osc_char_class found = (enum osc_char_class)osc_ascii_class[byte];
        if (byte >= 0x80)
            n = osc_char_read(&scan->reader, scan->text + at, scan->size - at, &found);
        if (found != class)
            break;
        at += n;
    }
    return at;
}

/* White space from `at`: all of it at the end of the text, otherwise all but the
 * last character, which the next piece may take; a single one is a piece. */
static size_t space_end(osc_pretokens *scan, size_t at)
{
    size_t last = at, end = at;
    while (end < scan->size) {
        enum osc_char_class class;
        size_t n = osc_char_read(&scan->reader, scan->text + end, scan->size - end, &class);
        if (class != OSC_CHAR_SPACE)
            break;
        last = end;
        end += n;
    }
    return end < scan->size && last > at ? last : end;
}

size_t osc_pretoken_end(osc_pretokens *scan, size_t at)
{
    if (scan->text[at] == '\'') {
        size_t n = contraction(scan->text + at, scan->size - at);
        if (n != 0)
            return at + n;
    }
    size_t word = at + (scan->text[at] == ' ');
    if (word < scan->size) {
        enum osc_char_class class;
        size_t n = osc_char_read(&scan->reader, scan->text + word, scan->size - word, &class);
        if (class != OSC_CHAR_SPACE)
            return run_end(scan, word + n, class);
    }
    return space_end(scan, at);
}

#include <config.h>
#include "text/pretoken.h"

#include <stdbool.h>
#include <string.h>

#include "text/utf8.h"

/* --- GPT-2 --------------------------------------------------------------------- */

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
            n = osc_char_read(scan->reader, scan->text + at, scan->size - at, &found);
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
        size_t n = osc_char_read(scan->reader, scan->text + end, scan->size - end, &class);
        if (class != OSC_CHAR_SPACE)
            break;
        last = end;
        end += n;
    }
    return end < scan->size && last > at ? last : end;
}

size_t osc_split_gpt2(osc_pretokens *scan, size_t at)
{
    if (scan->text[at] == '\'') {
        size_t n = contraction(scan->text + at, scan->size - at);
        if (n != 0)
            return at + n;
    }
    size_t word = at + (scan->text[at] == ' ');
    if (word < scan->size) {
        enum osc_char_class class;
        size_t n = osc_char_read(scan->reader, scan->text + word, scan->size - word, &class);
        if (class != OSC_CHAR_SPACE)
            return run_end(scan, word + n, class);
    }
    return space_end(scan, at);
}

/* --- BLOOM ---------------------------------------------------------------------- */

/* Whether the character at `at` ends a word; its bytes in `*size`. */
static bool bloom_ends(const osc_pretokens *scan, size_t at, size_t *size)
{
    static const uint32_t marks[] = {
        '(', ')', '|', '.', ',', '!', '?', 0x2026, 0x3002, 0xff0c, 0x3001, 0x964, 0x6d4, 0x60c,
    };
    uint32_t character;
    enum osc_utf8 found = osc_utf8_read(&character, size, scan->text + at, scan->size - at);
    if (found != OSC_UTF8_WHOLE) {
        *size = 1;
        return false;
    }
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (character == marks[i])
            return true;
    return osc_char_is_space(character);
}

/* Whether a word begins at `at`, with or without a blank before it. */
static bool bloom_begins(const osc_pretokens *scan, size_t at)
{
    size_t n;
    at += scan->text[at] == ' ';
    return at < scan->size && !bloom_ends(scan, at, &n);
}

size_t osc_split_bloom(osc_pretokens *scan, size_t at)
{
    size_t n;
    if (bloom_begins(scan, at)) {
        at += scan->text[at] == ' ';
        while (at < scan->size && !bloom_ends(scan, at, &n))
            at += n;
        return at;
    }
    while (at < scan->size && !bloom_begins(scan, at)) {
        bloom_ends(scan, at, &n);
        at += n;
    }
    return at;
}

/* --- Llama 3 ---------------------------------------------------------------------- */

/* Bytes of a contraction in either case at `p`.  A long s is an s in another case. */
static size_t any_contraction(const uint8_t *p, size_t left)
{
    uint8_t lower[3] = { p[0] };
    for (size_t i = 1; i < 3 && i < left; i++)
        lower[i] = p[i] >= 'A' && p[i] <= 'Z' ? (uint8_t)(p[i] + ('a' - 'A')) : p[i];
    if (left >= 3 && p[1] == 0xc5 && p[2] == 0xbf)
        return 3;
    return contraction(lower, left);
}

static enum osc_char_class class_at(osc_pretokens *scan, size_t at, size_t *size)
{
    enum osc_char_class class;
    *size = osc_char_read(scan->reader, scan->text + at, scan->size - at, &class);
    return class;
}

static bool is_newline(uint8_t byte)
{
    return byte == '\r' || byte == '\n';
}

/* The end of at most three numbers. */
static size_t three_numbers(osc_pretokens *scan, size_t at)
{
    size_t n;
    for (int i = 0; i < 3 && at < scan->size; i++, at += n)
        if (class_at(scan, at, &n) != OSC_CHAR_NUMBER)
            break;
    return at;
}

/* White space from `at`: through the last newline in it, or as GPT-2 has it. */
static size_t newline_end(osc_pretokens *scan, size_t at)
{
    size_t end = at;
    for (size_t i = at, n; i < scan->size && class_at(scan, i, &n) == OSC_CHAR_SPACE; i += n)
        end = is_newline(scan->text[i]) ? i + 1 : end;
    return end > at ? end : space_end(scan, at);
}

size_t osc_split_llama3(osc_pretokens *scan, size_t at)
{
    const uint8_t *text = scan->text;
    size_t n, next;
    if (text[at] == '\'') {
        n = any_contraction(text + at, scan->size - at);
        if (n != 0)
            return at + n;
    }
    enum osc_char_class class = class_at(scan, at, &n);
    if (class == OSC_CHAR_LETTER)
        return run_end(scan, at + n, class);
    if (class == OSC_CHAR_NUMBER)
        return three_numbers(scan, at);
    if (!is_newline(text[at]) && at + n < scan->size &&
        class_at(scan, at + n, &next) == OSC_CHAR_LETTER)
        return run_end(scan, at + n + next, OSC_CHAR_LETTER);
    size_t other = at + (text[at] == ' ');
    if (other == scan->size || class_at(scan, other, &next) != OSC_CHAR_OTHER)
        return newline_end(scan, at);
    at = run_end(scan, other + next, OSC_CHAR_OTHER);
    while (at < scan->size && is_newline(text[at]))
        at++;
    return at;
}

/* --- numbers ------------------------------------------------------------------------ */

/* The end of the run of numbers, or of anything else, from `at`. */
static size_t numbers_end(osc_pretokens *scan, size_t at, bool numbers)
{
    size_t n;
    while (at < scan->size && (class_at(scan, at, &n) == OSC_CHAR_NUMBER) == numbers)
        at += n;
    return at;
}

size_t osc_split_numbers(osc_pretokens *scan, size_t at)
{
    size_t n;
    return numbers_end(scan, at, class_at(scan, at, &n) == OSC_CHAR_NUMBER);
}

size_t osc_split_digits(osc_pretokens *scan, size_t at)
{
    size_t n;
    if (class_at(scan, at, &n) == OSC_CHAR_NUMBER)
        return at + n;
    return numbers_end(scan, at, false);
}

/* --- by regular expression ------------------------------------------------------------- */

osc_split *osc_split_find(const char *pattern)
{
    static const struct { const char *pattern; osc_split *split; } known[] = {
        { "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
          osc_split_gpt2 },
        { " ?[^(\\s|[.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c])]+", osc_split_bloom },
        { "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}|"
          " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+", osc_split_llama3 },
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(pattern, known[i].pattern) == 0)
            return known[i].split;
    return NULL;
}

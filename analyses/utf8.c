#include <config.h>
#include "analyses/utf8.h"

#include <stdbool.h>
#include <string.h>

#include "osc.h"

typedef struct { uint32_t first, last; } range;

static const range combining[] = {
    { 0x0300, 0x036f }, { 0x0483, 0x0489 }, { 0x0591, 0x05bd }, { 0x064b, 0x065f },
    { 0x1ab0, 0x1aff }, { 0x1dc0, 0x1dff }, { 0x200b, 0x200f }, { 0x202a, 0x202e },
    { 0x2060, 0x2064 }, { 0x20d0, 0x20ff }, { 0xfe00, 0xfe0f }, { 0xfe20, 0xfe2f },
    { 0xfeff, 0xfeff },
};

static const range wide[] = {
    { 0x1100, 0x115f }, { 0x2e80, 0x303e }, { 0x3041, 0xa4cf }, { 0xac00, 0xd7a3 },
    { 0xf900, 0xfaff }, { 0xfe30, 0xfe6f }, { 0xff00, 0xff60 }, { 0xffe0, 0xffe6 },
    { 0x1f300, 0x1f64f }, { 0x1f900, 0x1faff }, { 0x20000, 0x3fffd },
};

static bool within(const range *ranges, size_t count, uint32_t character)
{
    for (size_t i = 0; i < count; i++)
        if (character >= ranges[i].first && character <= ranges[i].last)
            return true;
    return false;
}

uint32_t utf8_next(const char **text)
{
    const unsigned char *s = (const unsigned char *)*text;
    static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };
    size_t more = s[0] < 0x80 ? 0 : (s[0] & 0xe0) == 0xc0 ? 1 : (s[0] & 0xf0) == 0xe0 ? 2
                : (s[0] & 0xf8) == 0xf0 ? 3 : 4;
    *text += 1;
    if (more == 0)
        return s[0];
    if (more == 4)
        return UTF8_BAD;
    uint32_t value = s[0] & (0x3fu >> more);
    for (size_t i = 1; i <= more; i++) {
        if ((s[i] & 0xc0) != 0x80)   /* also stops at the end of the text */
            return UTF8_BAD;
        value = value << 6 | (s[i] & 0x3fu);
    }
    if (value < least[more] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
        return UTF8_BAD;
    *text += more;
    return value;
}

size_t utf8_columns(uint32_t character)
{
    if (within(combining, sizeof combining / sizeof *combining, character))
        return 0;
    return within(wide, sizeof wide / sizeof *wide, character) ? 2 : 1;
}

size_t utf8_width(const char *text)
{
    size_t width = 0;
    while (*text != '\0')
        width += utf8_columns(utf8_next(&text));
    return width;
}

/* Returns the number of bytes written to `bytes`. */
static size_t encode(char bytes[4], uint32_t c)
{
    if (c < 0x80) {
        bytes[0] = (char)c;
        return 1;
    }
    size_t more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    for (size_t i = more; i > 0; i--, c >>= 6)
        bytes[i] = (char)(0x80 | (c & 0x3f));
    bytes[0] = (char)((0xff00u >> (more + 1) & 0xff) | c);
    return more + 1;
}

void utf8_put(FILE *out, uint32_t character)
{
    char bytes[4];
    bool control = character < 0x20 || (character >= 0x7f && character < 0xa0);
    fwrite(bytes, 1, encode(bytes, control ? ' ' : character), out);
}

char *utf8_clean(const char *text)
{
    size_t length = strlen(text), n = 0;
    char *copy = length > SIZE_MAX / 3 - 1 ? NULL : osc_alloc(3 * length + 1, 1);
    if (copy == NULL)
        return NULL;
    while (*text != '\0')   /* a bad byte becomes three */
        n += encode(copy + n, utf8_next(&text));
    copy[n] = '\0';
    return copy;
}

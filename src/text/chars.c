#include <config.h>
#include "text/chars.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/alloc.h"
#include "text/utf8.h"

const uint8_t osc_ascii_class[256] = {
    ['\t' ... '\r'] = OSC_CHAR_SPACE, [' '] = OSC_CHAR_SPACE,
    ['0' ... '9'] = OSC_CHAR_NUMBER,
    ['A' ... 'Z'] = OSC_CHAR_LETTER, ['a' ... 'z'] = OSC_CHAR_LETTER,
};

/* One character beyond ASCII is classified by the number of the group that
 * matched.  A table of all code points would cost 10 ms at every start; this costs
 * 30 ns for each of the few characters that need it. */
static const char pattern[] =
    "(\\p{L})|([\\p{Nd}\\p{Nl}])|(\\p{No})|([\\p{M}\\p{Pc}\\x{200c}\\x{200d}"
    "\\x{24b6}-\\x{24e9}\\x{1f130}-\\x{1f149}\\x{1f150}-\\x{1f169}\\x{1f170}-\\x{1f189}])|.";
static const struct { enum osc_char_class class; bool word; } groups[] = {
    { OSC_CHAR_OTHER, false },
    { OSC_CHAR_LETTER, true }, { OSC_CHAR_NUMBER, true }, { OSC_CHAR_NUMBER, false },
    { OSC_CHAR_OTHER, true },   /* marks, connectors, joiners, letters in a circle or square */
};
enum { GROUPS = sizeof groups / sizeof *groups - 1 };

struct osc_chars {
    pcre2_general_context *context;
    pcre2_code            *code;
};

static void *allocate(PCRE2_SIZE size, void *unused)
{
    (void)unused;
    return osc_alloc(size, 1);
}

static void release(void *memory, void *unused)
{
    (void)unused;
    osc_free(memory);
}

static osc_status compile(osc_chars *chars)
{
    chars->context = pcre2_general_context_create(allocate, release, NULL);
    if (chars->context == NULL)
        return OSC_ENOMEM;
    pcre2_compile_context *options = pcre2_compile_context_create(chars->context);
    if (options == NULL)
        return OSC_ENOMEM;
    int error;
    size_t where;
    chars->code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
                                PCRE2_UTF | PCRE2_ANCHORED | PCRE2_DOTALL, &error, &where, options);
    pcre2_compile_context_free(options);
    if (chars->code == NULL) {
        char message[128] = "";
        pcre2_get_error_message(error, (PCRE2_UCHAR *)message, sizeof message);
        return osc_fail(error == PCRE2_ERROR_HEAP_FAILED ? OSC_ENOMEM : OSC_EUNSUP,
                        "PCRE2 cannot tell letters from numbers: %s", message);
    }
    pcre2_jit_compile(chars->code, PCRE2_JIT_COMPLETE);   /* where refused, slower but the same */
    return OSC_OK;
}

osc_status osc_chars_create(osc_chars **chars)
{
    osc_chars *made = osc_alloc(1, sizeof *made);
    if (made == NULL)
        return OSC_ENOMEM;
    osc_status status = compile(made);
    if (status != OSC_OK) {
        osc_chars_free(made);
        return status;
    }
    *chars = made;
    return OSC_OK;
}

void osc_chars_free(osc_chars *chars)
{
    if (chars == NULL)
        return;
    pcre2_code_free(chars->code);
    pcre2_general_context_free(chars->context);
    osc_free(chars);
}

void osc_char_reader_clear(osc_char_reader *reader)
{
    pcre2_match_data_free(reader->match);
    reader->match = NULL;
}

/* Not PCRE2's \s, which counts U+180E in. */
bool osc_char_is_space(uint32_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r') || c == 0x85 || c == 0xa0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f ||
           c == 0x205f || c == 0x3000;
}

/* The number of the group that matches a character, 0 if none does. */
static size_t find_group(osc_char_reader *reader, const uint8_t *p, size_t n)
{
    if (reader->match == NULL)
        reader->match = pcre2_match_data_create(GROUPS + 1, reader->chars->context);
    int group = PCRE2_ERROR_NOMEMORY;
    if (reader->match != NULL)
        group = pcre2_match(reader->chars->code, p, n, 0, PCRE2_NO_UTF_CHECK, reader->match, NULL);
    if (group > 0)   /* one more than the number of the group that matched */
        return (size_t)group - 1;
    if (reader->status == OSC_OK)
        reader->status = osc_fail(OSC_ENOMEM, "out of memory while classifying characters");
    return 0;
}

size_t osc_char_read(osc_char_reader *reader, const uint8_t *p, size_t left,
                     enum osc_char_class *class)
{
    uint32_t character;
    *class = (enum osc_char_class)osc_ascii_class[*p];
    if (*p < 0x80)
        return 1;
    size_t n;
    if (osc_utf8_read(&character, &n, p, left) != OSC_UTF8_WHOLE)
        return 1;
    *class = osc_char_is_space(character) ? OSC_CHAR_SPACE : groups[find_group(reader, p, n)].class;
    return n;
}

bool osc_char_is_word(osc_char_reader *reader, const uint8_t *p, size_t left)
{
    uint32_t character;
    size_t n;
    if (osc_utf8_read(&character, &n, p, left) != OSC_UTF8_WHOLE)
        return false;
    return groups[find_group(reader, p, n)].word;   /* '_' is a connector */
}

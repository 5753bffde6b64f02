#include <config.h>
#include "text/task_build.h"

#include <string.h>

#include "base/alloc.h"

/* --- spans --------------------------------------------------------------------------- */

osc_span osc_span_of(const char *text)
{
    return (osc_span){ text, strlen(text) };
}

/* Bytes of the white space that begins at `p`, 0 if none does: Unicode White_Space and
 * U+001C to U+001F, which Python's str.isspace() has too. */
static size_t space_at(const char *p, size_t left)
{
    static const char *const longer[] = {
        "\xc2\x85", "\xc2\xa0", "\xe1\x9a\x80", "\xe2\x80\xa8", "\xe2\x80\xa9", "\xe2\x80\xaf",
        "\xe2\x81\x9f", "\xe3\x80\x80",
    };
    unsigned char first = (unsigned char)p[0];
    if (first == ' ' || (first >= '\t' && first <= '\r') || (first >= 0x1c && first <= 0x1f))
        return 1;
    if (left >= 3 && memcmp(p, "\xe2\x80", 2) == 0   /* U+2000 to U+200A */
        && (unsigned char)p[2] >= 0x80 && (unsigned char)p[2] <= 0x8a)
        return 3;
    for (size_t i = 0; i < sizeof longer / sizeof *longer; i++)
        if (left >= strlen(longer[i]) && memcmp(p, longer[i], strlen(longer[i])) == 0)
            return strlen(longer[i]);
    return 0;
}

osc_span osc_span_strip_end(osc_span s)
{
    for (;;) {
        size_t last = s.size;
        while (last > 0 && ((unsigned char)s.text[--last] & 0xc0) == 0x80)
            ;
        if (s.size == 0 || space_at(s.text + last, s.size - last) != s.size - last)
            return s;
        s.size = last;
    }
}

osc_span osc_span_strip(osc_span s)
{
    size_t n;
    while (s.size > 0 && (n = space_at(s.text, s.size)) > 0) {
        s.text += n;
        s.size -= n;
    }
    return osc_span_strip_end(s);
}

static size_t characters(osc_span s)
{
    size_t count = 0;
    for (size_t i = 0; i < s.size; i++)
        count += ((unsigned char)s.text[i] & 0xc0) != 0x80;
    return count;
}

/* --- fields -------------------------------------------------------------------------- */

osc_status osc_record_text(osc_span *span, const json_t *record, const char *key)
{
    const json_t *value = json_object_get(record, key);
    if (!json_is_string(value))
        return osc_fail(OSC_EFORMAT, "expected a JSON object with a string \"%s\"", key);
    *span = (osc_span){ json_string_value(value), json_string_length(value) };
    return OSC_OK;
}

osc_status osc_record_number(int *number, const json_t *record, const char *key)
{
    const json_t *value = json_object_get(record, key);
    const char *text = json_string_value(value);
    *number = -1;
    if (value == NULL || (text != NULL && text[0] == '\0'))   /* test sets keep theirs secret */
        return OSC_OK;
    double found = text == NULL ? json_number_value(value)
                 : text[1] == '\0' ? (double)(text[0] - '0') : -1.0;
    if ((text == NULL && !json_is_number(value))
        || !(found >= 0.0 && found <= 9.0 && found == (double)(int)found))
        return osc_fail(OSC_EFORMAT, "\"%s\" is not the number of a choice", key);
    *number = (int)found;
    return OSC_OK;
}

/* --- items --------------------------------------------------------------------------- */

osc_status osc_items_put(osc_items *items, size_t *start, osc_span span)
{
    char *text = osc_grow(items->text, &items->text_room, items->text_size + span.size, 1);
    if (text == NULL)
        return OSC_ENOMEM;
    items->text = text;
    if (start != NULL)
        *start = items->text_size;
    memcpy(text + items->text_size, span.text, span.size);
    items->text_size += span.size;
    return OSC_OK;
}

osc_status osc_items_add_choice(osc_items *items, size_t context, size_t context_size,
                                osc_span choice)
{
    osc_pair *pair = osc_grow(items->pair, &items->pair_room, items->pairs + 1, sizeof *pair);
    if (pair == NULL)
        return OSC_ENOMEM;
    items->pair = pair;
    pair[items->pairs] = (osc_pair){
        .context = context, .context_size = context_size, .target_size = 1 + choice.size,
        .characters = characters(choice),
    };
    OSC_TRY(osc_items_put(items, &pair[items->pairs].target, osc_span_of(" ")));
    items->pairs++;
    return osc_items_put(items, NULL, choice);
}

osc_status osc_items_end(osc_items *items, int gold)
{
    int *golds = osc_grow(items->gold, &items->gold_room, items->count + 1, sizeof *golds);
    if (golds == NULL)
        return OSC_ENOMEM;
    items->gold = golds;
    golds[items->count++] = gold;
    return OSC_OK;
}

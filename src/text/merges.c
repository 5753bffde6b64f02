#include <config.h>
#include "text/merges.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "text/lines.h"

/* An empty table for at most `most` merges. */
static osc_status create(osc_merges **merges, size_t most)
{
    unsigned bits = 4;
    while (bits < 40 && (size_t)1 << bits < 2 * most)
        bits++;
    if (most >= OSC_NO_MERGE / 2)
        return osc_fail(OSC_EFORMAT, "%zu merges are too many", most);
    osc_merges *made = osc_alloc(1, sizeof *made);
    if (made == NULL)
        return OSC_ENOMEM;
    made->shift = 64 - bits;
    made->mask = ((size_t)1 << bits) - 1;
    made->slot = osc_alloc(made->mask + 1, sizeof *made->slot);
    if (made->slot == NULL) {
        osc_free(made);
        return OSC_ENOMEM;
    }
    for (size_t i = 0; i <= made->mask; i++)
        made->slot[i] = (osc_merge){ .pair = UINT64_MAX, .rank = OSC_NO_MERGE };
    *merges = made;
    return OSC_OK;
}

void osc_merges_free(osc_merges *merges)
{
    if (merges != NULL)
        osc_free(merges->slot);
    osc_free(merges);
}

static osc_status unknown(const char *what, const char *token, size_t length)
{
    return osc_fail(OSC_EFORMAT, "the %s token \"%.*s\" is not in the vocabulary", what,
                    length > 80 ? 80 : (int)length, token);
}

/* Adds the merge of next rank.  The message lacks the place. */
static osc_status add(osc_merges *merges, const osc_vocab *vocab, const char *left, size_t nl,
                      const char *right, size_t nr)
{
    if (nl == 0 || nr == 0)
        return osc_fail(OSC_EFORMAT, "expected two tokens separated by one space");
    int32_t a = osc_vocab_find(vocab, left, nl, "", 0);
    int32_t b = osc_vocab_find(vocab, right, nr, "", 0);
    int32_t result = osc_vocab_find(vocab, left, nl, right, nr);
    if (a == OSC_NO_TOKEN)
        return unknown("left", left, nl);
    if (b == OSC_NO_TOKEN)
        return unknown("right", right, nr);
    if (result == OSC_NO_TOKEN)
        return osc_fail(OSC_EFORMAT, "the merged token \"%.*s%.*s\" is not in the vocabulary",
                        nl > 80 ? 80 : (int)nl, left, nr > 80 ? 80 : (int)nr, right);
    osc_merge *slot = merges->slot + (osc_merges_find(merges, a, b) - merges->slot);
    size_t first = osc_merges_slot(merges, osc_merges_pair(a, b));
    if ((((size_t)(slot - merges->slot) - first) & merges->mask) > OSC_MOST_PROBES)
        return osc_fail(OSC_EFORMAT, "more pairs share a hash than chance allows");
    slot->pair = osc_merges_pair(a, b);
    slot->rank = merges->count++;
    slot->result = result;
    return OSC_OK;
}

/* Adds a merge written "left right". */
static osc_status add_line(osc_merges *merges, const osc_vocab *vocab, const char *line, size_t n)
{
    const char *space = memchr(line, ' ', n);
    size_t nl = space == NULL ? n : (size_t)(space - line);
    size_t nr = space == NULL ? 0 : n - nl - 1;
    if (nr > 0 && memchr(space + 1, ' ', nr) != NULL)
        nr = 0;
    return add(merges, vocab, line, nl, line + nl + (nr > 0), nr);
}

/* --- merges.txt --------------------------------------------------------------- */

/* At least as many as there are merges; the shortest takes 4 bytes, "a b\n". */
static size_t count_lines(const char *text, size_t size)
{
    size_t lines = 1;
    const char *end = text + size;
    for (const char *p = text; (p = memchr(p, '\n', (size_t)(end - p))) != NULL; p++)
        lines++;
    return lines < size / 4 + 1 ? lines : size / 4 + 1;
}

static osc_status add_lines(osc_merges *merges, const osc_vocab *vocab,
                            const char *text, size_t size)
{
    static const char header[] = "#version";
    osc_lines lines = { .rest = text, .end = text + size };
    while (osc_lines_next(&lines)) {
        size_t n = lines.size;
        n -= n > 0 && lines.text[n - 1] == '\r';
        if (lines.number == 1 && n >= strlen(header) &&
            memcmp(lines.text, header, strlen(header)) == 0)
            continue;
        if (n == 0 && lines.rest == lines.end)
            continue;
        osc_status status = add_line(merges, vocab, lines.text, n);
        if (status != OSC_OK)
            return osc_lines_fail(&lines, status);
    }
    return OSC_OK;
}

osc_status osc_merges_from_text(osc_merges **merges, const osc_vocab *vocab,
                                const char *text, size_t size)
{
    osc_merges *made;
    OSC_TRY(create(&made, count_lines(text, size)));
    osc_status status = add_lines(made, vocab, text, size);
    if (status != OSC_OK) {
        osc_merges_free(made);
        return status;
    }
    *merges = made;
    return OSC_OK;
}

/* --- tokenizer.json ----------------------------------------------------------- */

static osc_status add_entry(osc_merges *merges, const osc_vocab *vocab, const json_t *entry)
{
    if (json_is_string(entry))
        return add_line(merges, vocab, json_string_value(entry), json_string_length(entry));
    const json_t *left = json_array_get(entry, 0), *right = json_array_get(entry, 1);
    if (json_array_size(entry) != 2 || !json_is_string(left) || !json_is_string(right))
        return osc_fail(OSC_EFORMAT, "expected a string \"a b\" or a pair [\"a\", \"b\"]");
    return add(merges, vocab, json_string_value(left), json_string_length(left),
               json_string_value(right), json_string_length(right));
}

osc_status osc_merges_from_json(osc_merges **merges, const osc_vocab *vocab, const json_t *list)
{
    osc_merges *made;
    size_t i;
    const json_t *entry;
    if (!json_is_array(list))
        return osc_fail(OSC_EFORMAT, "\"merges\" is not a list");
    OSC_TRY(create(&made, json_array_size(list)));
    json_array_foreach(list, i, entry) {
        osc_status status = add_entry(made, vocab, entry);
        if (status != OSC_OK) {
            char place[48];
            snprintf(place, sizeof place, "merge %zu", i + 1);
            osc_merges_free(made);
            return osc_fail_in(status, place);
        }
    }
    *merges = made;
    return OSC_OK;
}

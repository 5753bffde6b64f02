/* HellaSwag: which of four endings.  {"activity_label", "ctx_a", "ctx_b", "endings",
 * "label"}, or with "ctx" alone in place of the two, which then is taken as it stands: it
 * has lost where ctx_b begins, which the rule capitalizes. */
#include <config.h>
#include "text/task_build.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <string.h>

#include "base/alloc.h"

enum { ENDINGS = 4 };

/* --- capitals ------------------------------------------------------------------------ */

/* The first character becomes upper case, all others lower case, as Python's capitalize();
 * but for the few characters whose other case is two characters, which stay. */
static osc_status capitalize(char *out, size_t *size, osc_span text)
{
    int error;
    size_t where;
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)"^(.)(.*)", PCRE2_ZERO_TERMINATED,
                                     PCRE2_UTF | PCRE2_UCP | PCRE2_DOTALL, &error, &where, NULL);
    if (code == NULL)
        return osc_fail(OSC_ENOMEM, "out of memory while capitalizing");
    int found = pcre2_substitute(code, (PCRE2_SPTR)text.text, text.size, 0,
                                 PCRE2_SUBSTITUTE_EXTENDED | PCRE2_NO_UTF_CHECK, NULL, NULL,
                                 (PCRE2_SPTR)"\\u$1\\L$2", PCRE2_ZERO_TERMINATED,
                                 (PCRE2_UCHAR *)out, size);
    pcre2_code_free(code);
    return found >= 0 ? OSC_OK : osc_fail(OSC_ENOMEM, "out of memory while capitalizing");
}

/* --- clean-up: traces of the WikiHow part ------------------------------------------------ */

/* The next ']' or, if there is none in the line, its end. */
static const char *bracket_end(const char *at, const char *end)
{
    while (at < end && *at != '\n' && *at != ']')
        at++;
    return at;
}

/* " [title]" to ". ", in a buffer of at least the text's size. */
static size_t replace_titles(char *out, osc_span text)
{
    static const char title[] = " [title]";
    const char *at = text.text, *end = text.text + text.size;
    size_t n = 0;
    while (at < end) {
        if ((size_t)(end - at) >= strlen(title) && memcmp(at, title, strlen(title)) == 0) {
            out[n++] = '.';
            out[n++] = ' ';
            at += strlen(title);
        } else {
            out[n++] = *at++;
        }
    }
    return n;
}

/* [...] in one line to nothing, in place. */
static size_t delete_brackets(char *text, size_t size)
{
    const char *at = text, *end = text + size, *looked = text;   /* no ']' before `looked` */
    size_t n = 0;
    while (at < end) {
        if (*at == '[' && at >= looked)
            looked = bracket_end(at, end);
        if (*at == '[' && looked < end && *looked == ']') {
            at = looked + 1;
            looked = at;
        } else {
            text[n++] = *at++;
        }
    }
    return n;
}

/* Two blanks to one, from left to right: of three, two stay. */
static size_t merge_blanks(char *text, size_t size)
{
    size_t n = 0;
    for (size_t i = 0; i < size; i++) {
        text[n++] = text[i];
        i += text[i] == ' ' && i + 1 < size && text[i + 1] == ' ';
    }
    return n;
}

/* `out` has room for the text. */
static osc_span clean(char *out, osc_span text)
{
    size_t size = replace_titles(out, osc_span_strip(text));
    size = delete_brackets(out, size);
    return (osc_span){ out, merge_blanks(out, size) };
}

/* --- records --------------------------------------------------------------------------- */

static void append(char *out, size_t *size, osc_span span)
{
    memcpy(out + *size, span.text, span.size);
    *size += span.size;
}

/* "LABEL: CONTEXT" as it is before the clean-up.  `*room` is the memory of it, where the
 * caller cleans too. */
static osc_status join_query(char **room, size_t *size, const json_t *record)
{
    osc_span label, a, b = { "", 0 };
    bool split = json_object_get(record, "ctx_a") != NULL;
    OSC_TRY(osc_record_text(&label, record, "activity_label"));
    OSC_TRY(osc_record_text(&a, record, split ? "ctx_a" : "ctx"));
    if (split)
        OSC_TRY(osc_record_text(&b, record, "ctx_b"));
    size_t most = label.size + a.size + 3 * b.size + 4;   /* another case may be longer */
    char *text = osc_alloc(2, most);
    if (text == NULL)
        return OSC_ENOMEM;
    *room = text;
    *size = 0;
    append(text, size, label);
    append(text, size, osc_span_of(": "));
    append(text, size, a);
    if (!split)
        return OSC_OK;
    append(text, size, osc_span_of(" "));
    size_t left = most - *size;
    OSC_TRY(capitalize(text + *size, &left, b));
    *size += left;
    return OSC_OK;
}

static osc_status add_query(osc_items *items, size_t *context, const json_t *record)
{
    char *room = NULL;
    size_t size;
    osc_status status = join_query(&room, &size, record);
    if (status == OSC_OK)
        status = osc_items_put(items, context, clean(room + size, (osc_span){ room, size }));
    osc_free(room);
    return status;
}

static osc_status add_ending(osc_items *items, size_t context, size_t size, const json_t *ending)
{
    if (!json_is_string(ending))
        return osc_fail(OSC_EFORMAT, "\"endings\" are not %d strings", ENDINGS);
    osc_span text = { json_string_value(ending), json_string_length(ending) };
    char *room = osc_alloc(text.size, 1);
    if (room == NULL)
        return OSC_ENOMEM;
    osc_status status = osc_items_add_choice(items, context, size, clean(room, text));
    osc_free(room);
    return status;
}

static osc_status read(osc_items *items, const json_t *record)
{
    size_t context, i;
    int label;
    const json_t *ending, *endings = json_object_get(record, "endings");
    if (json_array_size(endings) != ENDINGS)
        return osc_fail(OSC_EFORMAT, "\"endings\" are not %d strings", ENDINGS);
    OSC_TRY(osc_record_number(&label, record, "label"));
    OSC_TRY(add_query(items, &context, record));
    size_t size = items->text_size - context;
    json_array_foreach(endings, i, ending)
        OSC_TRY(add_ending(items, context, size, ending));
    return osc_items_end(items, label);
}

static const char *const files[] = { "hellaswag_val.jsonl", "hellaswag/hellaswag_val.jsonl",
                                     "hellaswag/hellaswag_val_derived.jsonl",
                                     "hellaswag_val_derived.jsonl", NULL };

const osc_task osc_task_hellaswag = {
    .name = "hellaswag", .title = "HellaSwag", .choices = ENDINGS, .normed = true, .files = files,
    .read = read,
};

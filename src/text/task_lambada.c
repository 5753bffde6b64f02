/* LAMBADA, OpenAI's variant: the last word of a passage.  {"text"}; what follows the last
 * U+0020 is the word, line breaks stay. */
#include <config.h>
#include "text/task_build.h"

#include <string.h>

static osc_status read(osc_items *items, const json_t *record)
{
    osc_span text;
    size_t context;
    OSC_TRY(osc_record_text(&text, record, "text"));
    const char *blank = memrchr(text.text, ' ', text.size);
    size_t before = blank != NULL ? (size_t)(blank - text.text) : 0;
    size_t after = blank != NULL ? before + 1 : 0;
    if (text.size == 0)
        return osc_fail(OSC_EFORMAT, "\"text\" is empty");
    OSC_TRY(osc_items_put(items, &context, (osc_span){ text.text, before }));
    OSC_TRY(osc_items_add_choice(items, context, before,
                                 (osc_span){ text.text + after, text.size - after }));
    return osc_items_end(items, 0);
}

static const char *const files[] = { "lambada_test.jsonl", "lambada/lambada_test.jsonl", NULL };

const osc_task osc_task_lambada = {
    .name = "lambada", .title = "LAMBADA", .choices = 1, .greedy = true, .files = files,
    .read = read,
};

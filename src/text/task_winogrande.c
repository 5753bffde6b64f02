/* WinoGrande, partial evaluation: which of two options stands at the blank, by the
 * likelihood of what follows it.  {"sentence", "option1", "option2", "answer"}; the
 * contexts differ, the continuation is one. */
#include <config.h>
#include "text/task_build.h"

#include <string.h>

static osc_status add_option(osc_items *items, osc_span before, osc_span option, osc_span after)
{
    size_t context;
    OSC_TRY(osc_items_put(items, &context, before));
    OSC_TRY(osc_items_put(items, NULL, option));
    return osc_items_add_choice(items, context, before.size + option.size, after);
}

static osc_status read(osc_items *items, const json_t *record)
{
    static const char *const keys[] = { "option1", "option2" };
    osc_span sentence, option;
    int answer;
    OSC_TRY(osc_record_text(&sentence, record, "sentence"));
    OSC_TRY(osc_record_number(&answer, record, "answer"));
    const char *blank = memchr(sentence.text, '_', sentence.size);
    if (blank == NULL)
        return osc_fail(OSC_EFORMAT, "\"sentence\" has no blank '_'");
    size_t before = (size_t)(blank - sentence.text);
    osc_span after = osc_span_strip((osc_span){ blank + 1, sentence.size - before - 1 });
    for (size_t k = 0; k < 2; k++) {
        OSC_TRY(osc_record_text(&option, record, keys[k]));
        OSC_TRY(add_option(items, (osc_span){ sentence.text, before }, option, after));
    }
    return osc_items_end(items, answer - 1);
}

static const char *const files[] = { "winogrande/dev.jsonl", "winogrande_1.1/dev.jsonl",
                                     "winogrande_dev.jsonl", NULL };

const osc_task osc_task_winogrande = {
    .name = "winogrande", .title = "WinoGrande", .choices = 2, .files = files, .read = read,
};

/* PIQA: which of two solutions.  {"goal", "sol1", "sol2"}; labels 0 or 1 stand in a file of
 * their own, or in the record as "label". */
#include <config.h>
#include "text/task_build.h"

static osc_status read(osc_items *items, const json_t *record)
{
    static const char *const keys[] = { "sol1", "sol2" };
    osc_span goal, solution;
    size_t context;
    int gold;
    OSC_TRY(osc_record_text(&goal, record, "goal"));
    OSC_TRY(osc_record_number(&gold, record, "label"));
    OSC_TRY(osc_items_put(items, &context, osc_span_of("Question: ")));
    OSC_TRY(osc_items_put(items, NULL, goal));
    OSC_TRY(osc_items_put(items, NULL, osc_span_of("\nAnswer:")));
    size_t size = items->text_size - context;
    for (size_t k = 0; k < 2; k++) {
        OSC_TRY(osc_record_text(&solution, record, keys[k]));
        OSC_TRY(osc_items_add_choice(items, context, size, solution));
    }
    return osc_items_end(items, gold);
}

static const char *const files[] = { "valid.jsonl", "piqa/valid.jsonl", "dev.jsonl",
                                     "piqa/dev.jsonl", NULL };

const osc_task osc_task_piqa = {
    .name = "piqa", .title = "PIQA", .choices = 2, .normed = true, .files = files, .read = read,
};

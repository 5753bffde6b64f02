/* What the files of tasks share: reading fields, building texts. */
#ifndef OSC_TEXT_TASK_BUILD_H
#define OSC_TEXT_TASK_BUILD_H

#include "text/task.h"

extern const osc_task osc_task_winogrande, osc_task_hellaswag, osc_task_piqa, osc_task_lambada;

/* A part of a text that somebody else owns. */
typedef struct {
    const char *text;
    size_t      size;
} osc_span;

osc_span osc_span_of(const char *text);
/* Without white space at both ends, as Python's strip(). */
osc_span osc_span_strip(osc_span span);
/* Without white space at the end, as Python's rstrip(). */
osc_span osc_span_strip_end(osc_span span);

/* The string `key` of a record; OSC_EFORMAT if there is none. */
osc_status osc_record_text(osc_span *span, const json_t *record, const char *key);
/* The whole number `key`, which may be a number or its digits; -1 if there is none. */
osc_status osc_record_number(int *number, const json_t *record, const char *key);

/* Appends to the items' text and returns where it begins in `*start`, which may be NULL. */
osc_status osc_items_put(osc_items *items, size_t *start, osc_span span);
/* Appends " " and the choice as a target for the context given. */
osc_status osc_items_add_choice(osc_items *items, size_t context, size_t context_size,
                                osc_span choice);
/* Ends the item; `gold` is -1 if the record does not tell. */
osc_status osc_items_end(osc_items *items, int gold);

#endif

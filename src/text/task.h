/* Zero-shot evaluation sets: from their files to pairs of a context and a continuation,
 * whose likelihoods decide, by the rules of lm-evaluation-harness. */
#ifndef OSC_TEXT_TASK_H
#define OSC_TEXT_TASK_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/status.h"

enum { OSC_TASK_CHOICES = 8 };

/* Offsets in osc_items' text, UTF-8. */
typedef struct {
    size_t context, context_size;
    size_t target, target_size;     /* with the blank between the two at its beginning */
    size_t characters;              /* code points of the choice without that blank */
} osc_pair;

typedef struct osc_items osc_items;

typedef struct {
    const char *name;               /* "hellaswag" */
    const char *title;              /* "HellaSwag" */
    size_t      choices;            /* pairs of an item, at most OSC_TASK_CHOICES */
    bool        greedy;             /* right: every id of the continuation is the likeliest; else
                                       the gold choice is the likeliest */
    bool        normed;             /* acc_norm is usual: likelihoods per character */
    const char *const *files;       /* names in a folder of data; the first there counts */
    /* Appends the pairs of a record (a JSON object) and its gold choice. */
    osc_status (*read)(osc_items *items, const json_t *record);
} osc_task;

/* The table of tasks, in the order of the paper's mean; ends with NULL. */
extern const osc_task *const osc_tasks[];
/* OSC_EINVAL names the nearest task. */
osc_status osc_task_find(const osc_task **task, const char *name);

struct osc_items {
    const osc_task *task;
    char    *text;                  /* what the pairs point into */
    osc_pair *pair;                 /* [count * task->choices] */
    int     *gold;                  /* [count] index of the right choice */
    size_t   count, pairs;          /* items; count * task->choices */
    size_t   text_size, text_room, pair_room, gold_room;
    char     digest[OSC_DIGEST_HEX];   /* SHA-256 of the file, then its labels' bytes, if any */
};

/* Reads the first `most` records (0: all) of a task's file, JSON lines, also gzipped
 * (.gz).  `labels` is the file of gold choices, one a line, for records that do not have
 * theirs; NULL: the file's name with -labels.lst in place of .jsonl, if it is there.
 * OSC_EFORMAT names file and line. */
osc_status osc_items_read(osc_items **items, const osc_task *task, const char *path,
                          const char *labels, size_t most);
void osc_items_free(osc_items *items);

#endif

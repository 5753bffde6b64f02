/* The table of tasks, and reading their files. */
#include <config.h>
#include "text/task.h"

#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "base/suggest.h"
#include "text/gunzip.h"
#include "text/lines.h"
#include "text/task_build.h"

const osc_task *const osc_tasks[] = {
    &osc_task_winogrande, &osc_task_hellaswag, &osc_task_piqa, &osc_task_lambada, NULL
};

osc_status osc_task_find(const osc_task **task, const char *name)
{
    const char *names[sizeof osc_tasks / sizeof *osc_tasks];
    size_t count = 0;
    for (; osc_tasks[count] != NULL; count++) {
        names[count] = osc_tasks[count]->name;
        if (strcmp(name, names[count]) == 0) {
            *task = osc_tasks[count];
            return OSC_OK;
        }
    }
    const char *near = osc_nearest(name, names, count);
    return near != NULL ? osc_fail(OSC_EINVAL, "unknown task '%s'; did you mean '%s'?", name, near)
         : osc_fail(OSC_EINVAL, "unknown task '%s', known are winogrande, hellaswag, piqa and "
                    "lambada", name);
}

/* --- files ------------------------------------------------------------------------------- */

/* A file's text, decompressed if it is gzipped. */
typedef struct {
    osc_mapping file;
    char       *unzipped;      /* owned, or NULL */
    const char *text;
    size_t      size;
} source;

static bool has_ending(const char *name, const char *ending)
{
    size_t length = strlen(name), n = strlen(ending);
    return length >= n && strcmp(name + length - n, ending) == 0;
}

static void close_source(source *s)
{
    osc_free(s->unzipped);
    osc_mapping_close(&s->file);
}

static osc_status open_source(source *s, osc_digest *digest, const char *path)
{
    *s = (source){ .unzipped = NULL };
    OSC_TRY(osc_mapping_open(&s->file, path));
    s->text = s->file.data == NULL ? "" : (const char *)s->file.data;
    s->size = s->file.size;
    osc_status status = osc_digest_add(digest, s->file.data, s->file.size);
    if (status == OSC_OK && s->size > 0 && has_ending(path, ".gz")) {
        status = osc_gunzip(&s->unzipped, &s->size, s->file.data, s->file.size);
        s->text = s->unzipped;
        if (status != OSC_OK)
            osc_fail_in(status, path);
    }
    if (status != OSC_OK)
        close_source(s);
    return status;
}

/* --- records ------------------------------------------------------------------------------ */

static osc_status read_record(osc_items *items, const char *line, size_t size)
{
    json_t *record;
    OSC_TRY(osc_json_parse(&record, line, size, OSC_JSON_STRICT));
    osc_status status = items->task->read(items, record);
    json_decref(record);
    return status;
}

static osc_status read_records(osc_items *items, const source *s, size_t most)
{
    osc_lines lines = { .rest = s->text, .end = s->text + s->size };
    while ((most == 0 || items->count < most) && osc_lines_next(&lines)) {
        if (osc_lines_blank(&lines))
            continue;
        osc_status status = read_record(items, lines.text, lines.size);
        if (status != OSC_OK)
            return osc_lines_fail(&lines, status);
    }
    return items->count > 0 ? OSC_OK : osc_fail(OSC_EFORMAT, "has no items");
}

static osc_status read_file(osc_items *items, osc_digest *digest, const char *path, size_t most)
{
    source s;
    OSC_TRY(open_source(&s, digest, path));
    osc_status status = read_records(items, &s, most);
    close_source(&s);
    return status == OSC_OK ? OSC_OK : osc_fail_in(status, path);
}

/* --- labels ------------------------------------------------------------------------------- */

static osc_status read_label(int *gold, const osc_lines *lines)
{
    size_t size = lines->size;
    while (size > 0 && memchr(" \t\r", lines->text[size - 1], 3) != NULL)
        size--;
    if (size != 1 || lines->text[0] < '0' || lines->text[0] > '9')
        return osc_fail(OSC_EFORMAT, "expected the number of a choice");
    *gold = lines->text[0] - '0';
    return OSC_OK;
}

/* One a line, in the order of the items; a file of more is that of more items. */
static osc_status read_labels(osc_items *items, const source *s, bool all)
{
    osc_lines lines = { .rest = s->text, .end = s->text + s->size };
    size_t count = 0;
    while (osc_lines_next(&lines)) {
        int gold = -1;
        if (osc_lines_blank(&lines))
            continue;
        osc_status status = read_label(&gold, &lines);
        if (status != OSC_OK)
            return osc_lines_fail(&lines, status);
        if (count < items->count)
            items->gold[count] = gold;
        count++;
    }
    if (count == items->count || (count > items->count && !all))
        return OSC_OK;
    return osc_fail(OSC_EFORMAT, "has %zu labels for %zu items", count, items->count);
}

static osc_status read_labels_file(osc_items *items, osc_digest *digest, const char *path,
                                   bool all)
{
    source s;
    OSC_TRY(open_source(&s, digest, path));
    osc_status status = read_labels(items, &s, all);
    close_source(&s);
    return status == OSC_OK ? OSC_OK : osc_fail_in(status, path);
}

/* "valid-labels.lst" for "valid.jsonl"; NULL when out of memory. */
static char *labels_path(const char *path)
{
    static const char ending[] = "-labels.lst";
    size_t length = strlen(path);
    for (int i = 0; i < 2; i++)
        if (has_ending(path, i == 0 ? ".jsonl" : ".jsonl.gz"))
            length -= strlen(i == 0 ? ".jsonl" : ".jsonl.gz");
    char *made = osc_alloc(length + sizeof ending, 1);
    if (made == NULL)
        return NULL;
    memcpy(made, path, length);
    memcpy(made + length, ending, sizeof ending);
    return made;
}

static osc_status add_labels(osc_items *items, osc_digest *digest, const char *path,
                             const char *labels, bool all)
{
    bool wanted = false;
    for (size_t i = 0; i < items->count; i++)
        wanted |= items->gold[i] < 0;
    if (labels != NULL)
        return read_labels_file(items, digest, labels, all);
    if (!wanted)
        return OSC_OK;
    char *beside = labels_path(path);
    if (beside == NULL)
        return OSC_ENOMEM;
    osc_status status = OSC_OK;
    if (osc_file_exists(beside))
        status = read_labels_file(items, digest, beside, all);
    osc_free(beside);
    return status;
}

static osc_status check_gold(const osc_items *items, const char *path)
{
    for (size_t i = 0; i < items->count; i++) {
        if (items->gold[i] < 0)
            return osc_fail(OSC_EFORMAT, "%s: item %zu does not tell the right choice", path,
                            i + 1);
        if ((size_t)items->gold[i] >= items->task->choices)
            return osc_fail(OSC_EFORMAT, "%s: item %zu: choice %d of %zu is the right one", path,
                            i + 1, items->gold[i], items->task->choices);
    }
    return OSC_OK;
}

/* --- items --------------------------------------------------------------------------------- */

static osc_status fill(osc_items *items, const char *path, const char *labels, size_t most)
{
    osc_digest *digest;
    OSC_TRY(osc_digest_create(&digest));
    osc_status status = read_file(items, digest, path, most);
    if (status == OSC_OK)
        status = add_labels(items, digest, path, labels, most == 0);
    if (status == OSC_OK)
        status = check_gold(items, path);
    if (status == OSC_OK)
        status = osc_digest_finish(digest, items->digest);
    osc_digest_free(digest);
    return status;
}

osc_status osc_items_read(osc_items **items, const osc_task *task, const char *path,
                          const char *labels, size_t most)
{
    osc_items *made = osc_alloc(1, sizeof *made);
    if (made == NULL)
        return OSC_ENOMEM;
    made->task = task;
    osc_status status = fill(made, path, labels, most);
    if (status != OSC_OK) {
        osc_items_free(made);
        return status;
    }
    *items = made;
    return OSC_OK;
}

void osc_items_free(osc_items *items)
{
    if (items == NULL)
        return;
    osc_free(items->text);
    osc_free(items->pair);
    osc_free(items->gold);
    osc_free(items);
}

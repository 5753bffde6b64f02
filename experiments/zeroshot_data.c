/* Which tasks, and where their files are. */
#include <config.h>
#include "experiments/zeroshot.h"

#include <string.h>

/* The folder of samples that ships. */
static const char SHIPPED[] = "zeroshot";

typedef struct {
    zeroshot_data          *data;        /* NULL: only check the names */
    const zeroshot_options *o;
    char                   *folder;
} reader;

/* --- TASK=FILE ------------------------------------------------------------------------ */

static osc_status check_pairs(const cli_list *list, const char *option)
{
    for (size_t i = 0; i < list->count; i++) {
        char name[64];
        const osc_task *task;
        size_t length = strcspn(list->item[i], "=");
        if (list->item[i][length] != '=' || length >= sizeof name)
            return osc_fail(OSC_EINVAL, "--%s '%s' is not TASK=FILE", option, list->item[i]);
        memcpy(name, list->item[i], length);
        name[length] = '\0';
        if (osc_task_find(&task, name) != OSC_OK)
            return osc_fail(OSC_EINVAL, "--%s: %s", option, osc_error());
    }
    return OSC_OK;
}

/* The FILE of a task, or NULL; the last one counts. */
static const char *find_pair(const cli_list *list, const char *task)
{
    size_t length = strlen(task);
    for (size_t i = list->count; i-- > 0; )
        if (strncmp(list->item[i], task, length) == 0 && list->item[i][length] == '=')
            return list->item[i] + length + 1;
    return NULL;
}

/* --- folders --------------------------------------------------------------------------- */

/* The first of the task's names that is in the folder. */
static osc_status find_file(char **path, const char *folder, const osc_task *task)
{
    static const char *const endings[] = { "", ".gz" };
    for (const char *const *name = task->files; *name != NULL; name++)
        for (size_t e = 0; e < 2; e++) {
            char file[128];
            snprintf(file, sizeof file, "%s%s", *name, endings[e]);
            char *place = osc_path_join(folder, file);
            if (place == NULL)
                return OSC_ENOMEM;
            if (osc_file_exists(place)) {
                *path = place;
                return OSC_OK;
            }
            osc_free(place);
        }
    return osc_fail(OSC_ENOTFOUND, "%s: no file of %s, such as %s; --file %s=FILE names it, "
                    "--tasks leaves it out", folder, task->title, task->files[0], task->name);
}

static osc_status read_task(const reader *r, const osc_task *task)
{
    char *found = NULL;
    const char *path = find_pair(&r->o->files, task->name);
    for (size_t i = 0; i < r->data->count; i++)   /* the same task twice is one */
        if (r->data->items[i]->task == task)
            return OSC_OK;
    if (path == NULL) {
        OSC_TRY(find_file(&found, r->folder, task));
        path = found;
        r->data->shipped = r->data->shipped || r->o->data == NULL;
    }
    osc_status status = osc_items_read(&r->data->items[r->data->count], task, path,
                                       find_pair(&r->o->labels, task->name), r->o->limit);
    r->data->count += status == OSC_OK;
    osc_free(found);
    return status;
}

static osc_status add_task(void *user, const char *name)
{
    const reader *r = user;
    const osc_task *task;
    OSC_TRY(osc_task_find(&task, name));
    return r->data != NULL ? read_task(r, task) : OSC_OK;
}

/* --- all ---------------------------------------------------------------------------------- */

osc_status zeroshot_data_check(const zeroshot_options *o)
{
    reader r = { .o = o };
    OSC_TRY(check_pairs(&o->files, "file"));
    OSC_TRY(check_pairs(&o->labels, "labels"));
    return o->tasks != NULL ? scheme_list_each("tasks", o->tasks, add_task, &r) : OSC_OK;
}

static osc_status read_all(reader *r)
{
    if (r->o->tasks != NULL)
        return scheme_list_each("tasks", r->o->tasks, add_task, r);
    for (size_t i = 0; osc_tasks[i] != NULL; i++)
        OSC_TRY(read_task(r, osc_tasks[i]));
    return OSC_OK;
}

osc_status zeroshot_data_read(zeroshot_data *data, const zeroshot_options *o)
{
    *data = (zeroshot_data){ .count = 0 };
    reader r = { .data = data, .o = o, .folder = run_shipped_or(o->data, SHIPPED) };
    osc_status status = r.folder != NULL ? read_all(&r) : OSC_ENOTFOUND;
    osc_free(r.folder);
    if (status != OSC_OK)
        zeroshot_data_free(data);
    return status;
}

void zeroshot_data_free(zeroshot_data *data)
{
    for (size_t i = 0; i < data->count; i++)
        osc_items_free(data->items[i]);
    *data = (zeroshot_data){ .count = 0 };
}

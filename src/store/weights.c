#include <config.h>
#include "store/format.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

const char *osc_weight_file_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

char *osc_weight_quote(char text[OSC_QUOTED], const char *name)
{
    static const char ellipsis[] = "...";
    size_t room = OSC_QUOTED - sizeof ellipsis, n = strlen(name);
    size_t kept = n <= room ? n : room;
    while (kept < n && kept > 0 && ((unsigned char)name[kept] & 0xc0) == 0x80)
        kept--;   /* cut between characters */
    for (size_t i = 0; i < kept; i++)
        text[i] = (unsigned char)name[i] < 0x20 || name[i] == 0x7f ? '?' : name[i];
    strcpy(text + kept, kept < n ? ellipsis : "");
    return text;
}

char *osc_weight_quote_bytes(char text[OSC_QUOTED], const char *name, size_t size)
{
    char copy[OSC_QUOTED];
    size_t kept = size < OSC_QUOTED - 1 ? size : OSC_QUOTED - 1;
    for (size_t i = 0; i < kept; i++)
        copy[i] = name[i] < 0x20 || name[i] > 0x7e ? '?' : name[i];
    copy[kept] = '\0';
    return osc_weight_quote(text, copy);
}

/* File names come from indexes too: they must never lead out of the folder. */
static bool is_plain_name(const char *name)
{
    return name[0] != '\0' && strpbrk(name, "/\\") == NULL && strcmp(name, ".") != 0 &&
           strcmp(name, "..") != 0;
}

static bool is_lfs_pointer(const osc_mapping *file)
{
    static const char start[] = "version https://git-lfs";
    size_t n = sizeof start - 1;
    return file->size >= n && memcmp(file->data, start, n) == 0;
}

osc_status osc_weights_map(osc_mapping *file, struct osc_weights *weights, const char *name)
{
    char quoted[OSC_QUOTED];
    if (!is_plain_name(name))
        return osc_fail(OSC_EFORMAT, "%s: weight file name '%s' is not a plain file name",
                        weights->folder, osc_weight_quote(quoted, name));
    osc_mapping *grown = osc_grow(weights->file, &weights->file_capacity,
                                  weights->file_count + 1, sizeof *grown);
    if (grown == NULL)
        return OSC_ENOMEM;
    weights->file = grown;
    char *path = osc_path_join(weights->folder, name);
    if (path == NULL)
        return OSC_ENOMEM;
    osc_mapping opened;
    osc_status status = osc_mapping_open(&opened, path);
    osc_free(path);
    if (status != OSC_OK)
        return status;
    weights->file[weights->file_count++] = opened;
    if (is_lfs_pointer(&opened))
        return osc_fail(OSC_EUNSUP, "%s: is a Git LFS pointer, not the weights: "
                        "fetch the file itself with 'git lfs pull'", opened.path);
    *file = opened;
    return OSC_OK;
}

void *osc_weights_memory(struct osc_weights *weights, size_t size)
{
    void **grown = osc_grow(weights->memory, &weights->memory_capacity, weights->memory_count + 1,
                            sizeof *grown);
    if (grown == NULL)
        return NULL;
    weights->memory = grown;
    void *memory = osc_alloc(size, 1);
    if (memory != NULL)
        weights->memory[weights->memory_count++] = memory;
    return memory;
}

osc_status osc_weights_add(struct osc_weights *weights, const struct osc_weight *weight)
{
    if (weights->count == OSC_MAX_WEIGHTS)
        return osc_fail(OSC_EUNSUP, "more than %d tensors", OSC_MAX_WEIGHTS);
    struct osc_weight *grown = osc_grow(weights->weight, &weights->capacity, weights->count + 1,
                                        sizeof *grown);
    if (grown == NULL)
        return OSC_ENOMEM;
    weights->weight = grown;
    weights->weight[weights->count++] = *weight;
    return OSC_OK;
}

int osc_weight_by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int osc_weight_by_name(const void *a, const void *b)
{
    const struct osc_weight *x = a, *y = b;
    return strcmp(x->stored.name, y->stored.name);
}

static int by_use_and_name(const void *a, const void *b)
{
    const struct osc_weight *x = a, *y = b;
    int use = (x->foreign != NULL) - (y->foreign != NULL);
    return use != 0 ? use : osc_weight_by_name(a, b);
}

static int by_path(const void *a, const void *b)
{
    const osc_mapping *x = a, *y = b;
    return strcmp(x->path, y->path);
}

static osc_status fail_duplicate(const char *folder, const osc_stored *a, const osc_stored *b)
{
    char quoted[OSC_QUOTED];
    osc_weight_quote(quoted, a->name);
    if (strcmp(a->file, b->file) == 0)
        return osc_fail(OSC_EFORMAT, "%s/%s: tensor '%s' is there twice", folder, a->file, quoted);
    return osc_fail(OSC_EFORMAT, "%s: tensor '%s' is both in %s and in %s", folder, quoted,
                    a->file, b->file);
}

osc_status osc_weights_finish(struct osc_weights *weights)
{
    struct osc_weight *weight = weights->weight;
    if (weights->count > 0)
        qsort(weight, weights->count, sizeof *weight, osc_weight_by_name);
    for (size_t i = 1; i < weights->count; i++)
        if (osc_weight_by_name(&weight[i - 1], &weight[i]) == 0)
            return fail_duplicate(weights->folder, &weight[i - 1].stored, &weight[i].stored);
    if (weights->count > 0)
        qsort(weight, weights->count, sizeof *weight, by_use_and_name);
    weights->usable = 0;
    while (weights->usable < weights->count && weight[weights->usable].foreign == NULL)
        weights->usable++;
    if (weights->file_count > 0)
        qsort(weights->file, weights->file_count, sizeof *weights->file, by_path);
    return OSC_OK;
}

const struct osc_weight *osc_weights_find(const struct osc_weights *weights, const char *name,
                                          bool foreign)
{
    size_t from = foreign ? weights->usable : 0;
    size_t to = foreign ? weights->count : weights->usable;
    struct osc_weight key = { .stored = { .name = name } };
    if (from == to)
        return NULL;
    return bsearch(&key, weights->weight + from, to - from, sizeof key, osc_weight_by_name);
}

void osc_weights_release(struct osc_weights *weights)
{
    for (size_t i = 0; i < weights->file_count; i++)
        osc_mapping_close(&weights->file[i]);
    for (size_t i = 0; i < weights->memory_count; i++)
        osc_free(weights->memory[i]);
    osc_region_free(weights->region);
    osc_free(weights->file);
    osc_free(weights->memory);
    osc_free(weights->weight);
    *weights = (struct osc_weights){ .folder = NULL };
}

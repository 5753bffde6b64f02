/* torch.save since 1.6: a zip file of stored members in one folder: data.pkl, and
 * data/KEY for each storage.  The CRC-32 of the small members is checked; that of the
 * weights is not, because it would read every weight before the first is needed. */
#include <config.h>
#include "store/torch.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "store/zip.h"

struct archive {
    struct osc_zip zip;
    const char    *top;        /* the folder's name, without slash */
    size_t         top_size;
};

static osc_status find_top(struct archive *a)
{
    char quoted[OSC_QUOTED];
    const struct osc_zip_member *member = a->zip.member;
    const char *slash = a->zip.count == 0 ? NULL : memchr(member->name, '/', member->name_size);
    if (slash == NULL)
        return osc_fail(OSC_EFORMAT, "the zip file has no folder: not a file of torch.save");
    a->top = member->name;
    a->top_size = (size_t)(slash - member->name);
    for (size_t i = 1; i < a->zip.count; i++)
        if (member[i].name_size <= a->top_size ||
            memcmp(member[i].name, a->top, a->top_size + 1) != 0)
            return osc_fail(OSC_EFORMAT, "member '%s' of the zip file is outside its folder",
                            osc_weight_quote_bytes(quoted, member[i].name, member[i].name_size));
    return OSC_OK;
}

/* The member "top/folder/name", or NULL. */
static const struct osc_zip_member *find(const struct archive *a, const char *in,
                                         const char *name, size_t size)
{
    char path[3 * OSC_MAX_WEIGHT_NAME];   /* the folder's name and `name` have at most one each */
    int start = snprintf(path, sizeof path, "%.*s/%s", (int)a->top_size, a->top, in);
    memcpy(path + start, name, size);
    return osc_zip_find(&a->zip, path, (size_t)start + size);
}

/* A small member as text: `*size` 0 if it is not there. */
static osc_status read_text(char *text, size_t room, size_t *size, const struct archive *a,
                            const char *name)
{
    const struct osc_zip_member *member = find(a, "", name, strlen(name));
    *size = 0;
    if (member == NULL)
        return OSC_OK;
    if (member->size == 0 || member->size >= room)
        return osc_fail(OSC_EFORMAT, "%s has %zu bytes, expected 1 to %zu", name, member->size,
                        room - 1);
    OSC_TRY(osc_zip_check(member));
    *size = member->size;
    memcpy(text, member->data, member->size);
    text[member->size] = '\0';
    return OSC_OK;
}

static osc_status check_kind(const struct archive *a)
{
    char text[16], quoted[OSC_QUOTED];
    size_t size;
    if (find(a, "", "constants.pkl", strlen("constants.pkl")) != NULL)
        return osc_fail(OSC_EUNSUP, "a TorchScript program, not a state dict");
    OSC_TRY(read_text(text, sizeof text, &size, a, "byteorder"));
    if (size > 0 && strcmp(text, "big") == 0)
        return osc_fail(OSC_EUNSUP, "written on a big-endian machine");
    if (size > 0 && strcmp(text, "little") != 0)
        return osc_fail(OSC_EFORMAT, "byteorder is '%s', expected 'little'",
                        osc_weight_quote_bytes(quoted, text, size));
    OSC_TRY(read_text(text, sizeof text, &size, a, "version"));
    if (size > 0 && strspn(text, "0123456789\n") != size)
        return osc_fail(OSC_EFORMAT, "version is '%s', expected a number",
                        osc_weight_quote_bytes(quoted, text, size));
    return OSC_OK;
}

static osc_status read_pickle(struct osc_pickle *pickle, struct osc_value *result,
                              const struct archive *a)
{
    size_t used = 0;
    const struct osc_zip_member *member = find(a, "", "data.pkl", strlen("data.pkl"));
    if (member == NULL)
        return osc_fail(OSC_EFORMAT, "the zip file has no data.pkl: not a file of torch.save");
    if (member->size > OSC_TORCH_PICKLE_MOST)
        return osc_fail(OSC_EFORMAT, "data.pkl has %zu bytes, at most %d are accepted",
                        member->size, OSC_TORCH_PICKLE_MOST);
    OSC_TRY(osc_zip_check(member));
    OSC_TRY(osc_pickle_run(pickle, result, &used, member->data, member->size));
    if (used != member->size)
        return osc_fail(OSC_EFORMAT, "data.pkl goes on for %zu bytes after the pickle's end",
                        member->size - used);
    return OSC_OK;
}

static osc_status find_storage(struct osc_storage *storage, const struct archive *a)
{
    char quoted[OSC_QUOTED];
    const struct osc_zip_member *member = find(a, "data/", storage->key.as.text, storage->key.size);
    size_t bytes = storage->count * osc_dtype_size(storage->dtype);
    osc_weight_quote_bytes(quoted, storage->key.as.text, storage->key.size);
    if (member == NULL)
        return osc_fail(OSC_EFORMAT, "there is no data/%s in the zip file", quoted);
    if (bytes > member->size)
        return osc_fail(OSC_EFORMAT, "data/%s has %zu bytes, its %zu elements of %s take %zu",
                        quoted, member->size, storage->count, osc_dtype_name(storage->dtype),
                        bytes);
    storage->data = member->data;
    return OSC_OK;
}

static osc_status find_storages(const struct osc_pickle *pickle, const struct archive *a)
{
    struct osc_storage **storage;
    OSC_TRY(osc_torch_storages(&storage, pickle));
    osc_status status = OSC_OK;
    for (size_t i = 0; i < pickle->mentions && status == OSC_OK; i++) {
        if (i > 0 && osc_torch_by_key(&storage[i - 1], &storage[i]) == 0)
            storage[i]->data = storage[i - 1]->data;
        else
            status = find_storage(storage[i], a);
    }
    osc_free(storage);
    return status;
}

static osc_status read_archive(struct osc_weights *weights, struct archive *a,
                               const osc_mapping *file)
{
    struct osc_pickle pickle = { .views = false };
    struct osc_value result;
    OSC_TRY(find_top(a));
    OSC_TRY(check_kind(a));
    osc_status status = read_pickle(&pickle, &result, a);
    if (status == OSC_OK)
        status = find_storages(&pickle, a);
    if (status == OSC_OK)
        status = osc_torch_tensors(weights, &result, file);
    osc_pickle_release(&pickle);
    return status;
}

osc_status osc_torch_zip(struct osc_weights *weights, const osc_mapping *file)
{
    struct archive archive = { .top = NULL };
    OSC_TRY(osc_zip_open(&archive.zip, file->data, file->size));
    weights->form = "PyTorch zip";
    osc_status status = read_archive(weights, &archive, file);
    osc_zip_close(&archive.zip);
    return status;
}

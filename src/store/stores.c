#include <config.h>
#include "store/store.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/json.h"
#include "store/ahead.h"
#include "store/format.h"

enum {
    CONFIG_MOST = 1 << 20,     /* bytes of config.json */
    DIGEST_PIECE = 4 << 20,     /* bytes between two progress reports */
    DIGEST_AHEAD = 64 << 20     /* bytes read ahead of the digest */
};

struct osc_store {
    char                    *path;
    json_t                  *config;
    const struct osc_format *format;
    struct osc_weights       weights;
    osc_ahead               *ahead;
};

static const struct osc_format generated = { .name = "generated" };

/* In the order in which they are looked for. */
static const struct osc_format *const formats[] = {
    &osc_format_safetensors, &osc_format_safetensors_shards,
    &osc_format_torch, &osc_format_torch_shards,
};

static osc_status file_is_there(bool *there, const char *folder, const char *name)
{
    char *path = osc_path_join(folder, name);
    if (path == NULL)
        return OSC_ENOMEM;
    *there = osc_file_exists(path);
    osc_free(path);
    return OSC_OK;
}

/* The first format present. */
static osc_status find_format(const struct osc_format **format, const char *folder)
{
    char wanted[256] = "";
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        bool there;
        OSC_TRY(file_is_there(&there, folder, formats[i]->file));
        if (there) {
            *format = formats[i];
            return OSC_OK;
        }
        size_t used = strlen(wanted);
        snprintf(wanted + used, sizeof wanted - used, "%s%s", i > 0 ? ", " : "", formats[i]->file);
    }
    return osc_fail(OSC_ENOTFOUND, "%s: no weights: there is none of %s", folder, wanted);
}

static osc_status open_weights(osc_store *store)
{
    OSC_TRY(find_format(&store->format, store->path));
    store->weights.folder = store->path;
    OSC_TRY(store->format->index ? osc_shards_read(&store->weights, store->format)
                                 : store->format->read(&store->weights, store->format->file));
    return osc_weights_finish(&store->weights);
}

static osc_status open_config(osc_store *store)
{
    char *path = osc_path_join(store->path, "config.json");
    if (path == NULL)
        return OSC_ENOMEM;
    osc_status status = osc_json_read(&store->config, path, CONFIG_MOST, OSC_JSON_LENIENT);
    if (status == OSC_OK && !json_is_object(store->config))
        status = osc_fail(OSC_EFORMAT, "%s: not a JSON object", path);
    osc_free(path);
    return status;
}

static osc_status check_folder(const char *path)
{
    struct stat info;
    if (stat(path, &info) != 0)
        return osc_fail(errno == ENOENT || errno == ENOTDIR ? OSC_ENOTFOUND : OSC_EIO, "%s: %s",
                        path, strerror(errno));
    if (!S_ISDIR(info.st_mode))
        return osc_fail(OSC_ENOTFOUND, "%s: not a directory: give the one that holds config.json "
                        "and the weights", path);
    return OSC_OK;
}

/* A store with nothing but its path; NULL when out of memory. */
static osc_store *create(const char *path)
{
    osc_store *made = osc_alloc(1, sizeof *made);
    if (made == NULL)
        return NULL;
    made->path = osc_copy_string(path, strlen(path));
    made->ahead = osc_ahead_create();
    if (made->path == NULL || made->ahead == NULL) {
        osc_store_close(made);
        return NULL;
    }
    return made;
}

/* Hands over the store, or closes it if making it had failed. */
static osc_status finish(osc_store **store, osc_store *made, osc_status status)
{
    if (status == OSC_OK)
        *store = made;
    else
        osc_store_close(made);
    return status;
}

osc_status osc_store_open(osc_store **store, const char *path)
{
    OSC_TRY(check_folder(path));
    osc_store *made = create(path);
    if (made == NULL)
        return OSC_ENOMEM;
    osc_status status = open_config(made);
    if (status == OSC_OK)
        status = open_weights(made);
    return finish(store, made, status);
}

osc_status osc_store_generate(osc_store **store, const char *title, json_t *config,
                              uint64_t seed, osc_dtype dtype, const osc_recipe *recipe,
                              size_t count)
{
    osc_store *made = create(title);
    if (made == NULL)
        return OSC_ENOMEM;
    made->config = json_incref(config);
    made->format = &generated;
    made->weights.folder = made->path;
    return finish(store, made,
                  osc_weights_generate(&made->weights, seed, dtype, recipe, count));
}

void osc_store_close(osc_store *store)
{
    if (store == NULL)
        return;
    osc_ahead_free(store->ahead);
    osc_weights_release(&store->weights);
    json_decref(store->config);
    osc_free(store->path);
    osc_free(store);
}

const char *osc_store_path(const osc_store *store)
{
    return store->path;
}

const char *osc_store_format(const osc_store *store)
{
    const char *form = store->weights.form;
    return form == NULL || store->format->index ? store->format->name : form;
}

const json_t *osc_store_config(const osc_store *store)
{
    return store->config;
}

size_t osc_store_count(const osc_store *store)
{
    return store->weights.usable;
}

const osc_stored *osc_store_at(const osc_store *store, size_t index)
{
    assert(index < store->weights.usable);
    return &store->weights.weight[index].stored;
}

const osc_stored *osc_store_find(const osc_store *store, const char *name)
{
    const struct osc_weight *weight = osc_weights_find(&store->weights, name, false);
    return weight == NULL ? NULL : &weight->stored;
}

const char *osc_store_skipped(const osc_store *store, const char *name)
{
    const struct osc_weight *weight = osc_weights_find(&store->weights, name, true);
    return weight == NULL ? NULL : weight->foreign;
}

bool osc_store_is_generated(const osc_store *store)
{
    return store->weights.region != NULL;
}

void osc_store_need(const osc_store *store, const osc_tensor *tensor)
{
    if (store->weights.region != NULL)
        osc_region_need(store->weights.region, tensor->data);
}

/* The file that a tensor lies in; NULL for one in memory. */
static const osc_mapping *file_of(const osc_store *store, const osc_tensor *tensor)
{
    const uint8_t *at = tensor->data;
    for (size_t i = 0; i < store->weights.file_count; i++) {
        const osc_mapping *file = &store->weights.file[i];
        if (file->data != NULL && at >= file->data && at < file->data + file->size)
            return file;
    }
    return NULL;
}

void osc_store_expect(const osc_store *store, const osc_tensor *tensor)
{
    const osc_mapping *file = file_of(store, tensor);
    if (file != NULL)
        osc_ahead_add(store->ahead, file, tensor->data, osc_tensor_span(tensor));
}

void osc_store_forget(const osc_store *store, const osc_tensor *tensor)
{
    const osc_mapping *file = file_of(store, tensor);
    if (store->weights.region != NULL)
        osc_region_forget(store->weights.region, tensor->data);
    else if (file != NULL)
        osc_mapping_forget(file, tensor->data, osc_tensor_span(tensor));
}

osc_status osc_store_check(const osc_store *store)
{
    for (size_t i = 0; i < store->weights.file_count; i++)
        OSC_TRY(osc_mapping_check(&store->weights.file[i]));
    return OSC_OK;
}

size_t osc_store_bytes(const osc_store *store)
{
    if (store->weights.region != NULL)
        return osc_region_bytes(store->weights.region);
    size_t bytes = 0;
    for (size_t i = 0; i < store->weights.file_count; i++)
        bytes += store->weights.file[i].size;
    return bytes;
}

/* Adds a file; its pages are read ahead and go again. */
static osc_status digest_file(osc_digest *digest, const osc_store *store, const osc_mapping *file,
                              size_t before, const osc_progress *progress)
{
    size_t ahead = 0;
    for (size_t at = 0; at < file->size; at += DIGEST_PIECE) {
        size_t left = file->size - at, n = left < DIGEST_PIECE ? left : DIGEST_PIECE;
        for (; ahead < file->size && ahead <= at + DIGEST_AHEAD; ahead += DIGEST_PIECE)
            osc_ahead_add(store->ahead, file, file->data + ahead,
                          file->size - ahead < DIGEST_PIECE ? file->size - ahead : DIGEST_PIECE);
        OSC_TRY(osc_digest_add(digest, file->data + at, n));
        osc_mapping_forget(file, file->data + at, n);
        osc_progress_tick(progress, "digest of the weights", before + at + n,
                          osc_store_bytes(store));
    }
    return OSC_OK;
}

osc_status osc_store_digest(const osc_store *store, char hex[OSC_DIGEST_HEX],
                            const osc_progress *progress)
{
    osc_digest *digest;
    size_t done = 0;
    OSC_TRY(osc_digest_create(&digest));
    osc_status status = OSC_OK;
    if (store->weights.region != NULL)
        status = osc_digest_add(digest, store->path, strlen(store->path));
    for (size_t i = 0; status == OSC_OK && i < store->weights.file_count; i++) {
        status = digest_file(digest, store, &store->weights.file[i], done, progress);
        done += store->weights.file[i].size;
    }
    if (status == OSC_OK)
        status = osc_store_check(store);
    if (status == OSC_OK)
        status = osc_digest_finish(digest, hex);
    osc_digest_free(digest);
    return status;
}

/* model.safetensors.index.json and pytorch_model.bin.index.json:
 * {"metadata": {...}, "weight_map": {tensor: file}}.
 *
 * File names are taken from the map, never made up.  Every tensor of the map must
 * be in its file; what a file holds beyond the map is kept, as the format's own
 * library does.  "metadata" is informative and not read. */
#include <config.h>
#include "store/format.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"

enum { INDEX_MOST = 256 << 20 };   /* bytes of the index */

static osc_status check_index(json_t *map)
{
    char quoted[OSC_QUOTED];
    if (!json_is_object(map))
        return osc_fail(OSC_EFORMAT, "\"weight_map\" is not an object");
    if (json_object_size(map) == 0 || json_object_size(map) > OSC_MAX_WEIGHTS)
        return osc_fail(OSC_EFORMAT, "\"weight_map\" has %zu tensors, expected 1 to %d",
                        json_object_size(map), OSC_MAX_WEIGHTS);
    const char *key;
    json_t *value;
    json_object_foreach(map, key, value)
        if (!json_is_string(value))
            return osc_fail(OSC_EFORMAT, "weight_map: the file of tensor '%s' is not a string",
                            osc_weight_quote(quoted, key));
    return OSC_OK;
}

/* Reads each file of the map once, in the order of their names. */
static osc_status read_files(struct osc_weights *weights, const struct osc_format *format,
                             json_t *map)
{
    const char *key, **name = osc_alloc(json_object_size(map), sizeof *name);
    json_t *value;
    size_t count = 0;
    if (name == NULL)
        return OSC_ENOMEM;
    json_object_foreach(map, key, value)
        name[count++] = json_string_value(value);
    qsort(name, count, sizeof *name, osc_weight_by_text);
    osc_status status = OSC_OK;
    for (size_t i = 0; status == OSC_OK && i < count; i++)
        if (i == 0 || strcmp(name[i - 1], name[i]) != 0)
            status = format->read(weights, name[i]);
    osc_free(name);
    return status;
}

/* Every tensor of the map is in the file that the map says. */
static osc_status check_map(const struct osc_weights *weights, json_t *map)
{
    if (weights->count > 0)
        qsort(weights->weight, weights->count, sizeof *weights->weight, osc_weight_by_name);
    const char *key;
    json_t *value;
    char tensor[OSC_QUOTED], file[OSC_QUOTED];
    json_object_foreach(map, key, value) {
        struct osc_weight wanted = { .stored = { .name = key } };
        const struct osc_weight *found = weights->count == 0 ? NULL
            : bsearch(&wanted, weights->weight, weights->count, sizeof wanted, osc_weight_by_name);
        if (found == NULL || strcmp(found->stored.file, json_string_value(value)) != 0)
            return osc_fail(OSC_EFORMAT, "weight_map: tensor '%s' is not in %s",
                            osc_weight_quote(tensor, key),
                            osc_weight_quote(file, json_string_value(value)));
    }
    return OSC_OK;
}

osc_status osc_shards_read(struct osc_weights *weights, const struct osc_format *format)
{
    json_t *root = NULL;
    char *path = osc_path_join(weights->folder, format->file);
    if (path == NULL)
        return OSC_ENOMEM;
    osc_status status = osc_json_read(&root, path, INDEX_MOST, OSC_JSON_UNIQUE);
    json_t *map = json_object_get(root, "weight_map");
    if (status == OSC_OK && (status = check_index(map)) != OSC_OK)
        osc_fail_in(status, path);
    if (status == OSC_OK)
        status = read_files(weights, format, map);
    if (status == OSC_OK && (status = check_map(weights, map)) != OSC_OK)
        osc_fail_in(status, path);
    json_decref(root);
    osc_free(path);
    return status;
}

#include <config.h>
#include "store/torch_objects.h"

#include <string.h>

#include "store/format.h"

enum role { ORDERED_DICT, REBUILD_TENSOR, REBUILD_PARAMETER, SIZE, STORAGE };

struct osc_global {
    const char *module, *name;
    enum role   role;
    osc_dtype   dtype;    /* of a storage */
};

#define OF_CPU_AND_CUDA(name, dtype) \
    { "torch", name, STORAGE, dtype }, { "torch.cuda", name, STORAGE, dtype }

static const struct osc_global globals[] = {
    { "collections", "OrderedDict", ORDERED_DICT, 0 },
    { "torch._utils", "_rebuild_tensor_v2", REBUILD_TENSOR, 0 },
    { "torch._utils", "_rebuild_parameter", REBUILD_PARAMETER, 0 },
    { "torch", "Size", SIZE, 0 },
    OF_CPU_AND_CUDA("HalfStorage", OSC_F16),
    OF_CPU_AND_CUDA("BFloat16Storage", OSC_BF16),
    OF_CPU_AND_CUDA("FloatStorage", OSC_F32),
    OF_CPU_AND_CUDA("DoubleStorage", OSC_F64),
    OF_CPU_AND_CUDA("LongStorage", OSC_I64),
    OF_CPU_AND_CUDA("IntStorage", OSC_I32),
    OF_CPU_AND_CUDA("ShortStorage", OSC_I16),
    OF_CPU_AND_CUDA("CharStorage", OSC_I8),
    OF_CPU_AND_CUDA("ByteStorage", OSC_U8),
    OF_CPU_AND_CUDA("BoolStorage", OSC_BOOL),
};

static bool is(const char *known, const char *text, size_t size)
{
    return strlen(known) == size && memcmp(known, text, size) == 0;
}

const struct osc_global *osc_torch_global(const char *module, size_t module_size,
                                          const char *name, size_t name_size)
{
    for (size_t i = 0; i < sizeof globals / sizeof *globals; i++)
        if (is(globals[i].module, module, module_size) && is(globals[i].name, name, name_size))
            return &globals[i];
    return NULL;
}

/* `value` as a count of elements. */
static osc_status get_count(size_t *count, const struct osc_value *value, const char *what)
{
    if (value->kind != OSC_VALUE_INT)
        return osc_fail(OSC_EFORMAT, "the %s is %s, expected an integer", what,
                        osc_value_name(value));
    if (value->as.number < 0)
        return osc_fail(OSC_EFORMAT, "the %s is %lld, expected 0 or more", what,
                        (long long)value->as.number);
    *count = (size_t)value->as.number;
    return OSC_OK;
}

static osc_status new_dict(struct osc_value *result, struct osc_pickle *pickle,
                           const struct osc_value *arguments)
{
    osc_status status;
    if (arguments->size != 0)
        return osc_fail(OSC_EFORMAT, "OrderedDict with %u arguments, expected none",
                        arguments->size);
    struct osc_items *items = osc_arena_take(&status, &pickle->arena, sizeof *items);
    if (items == NULL)
        return status;
    items->ordered = true;
    *result = (struct osc_value){ .kind = OSC_VALUE_DICT, .as.items = items };
    return OSC_OK;
}

static bool is_empty(const struct osc_value *value)
{
    return value->kind == OSC_VALUE_NONE ||
           (value->kind == OSC_VALUE_DICT && value->as.items->count == 0);
}

/* (storage, offset, sizes, strides, requires_grad, hooks[, metadata]) */
static osc_status check_arguments(const struct osc_value *arguments)
{
    const struct osc_value *item = arguments->as.item;
    if (arguments->size != 6 && arguments->size != 7)
        return osc_fail(OSC_EFORMAT, "_rebuild_tensor_v2 with %u arguments, expected 6 or 7",
                        arguments->size);
    if (item[0].kind != OSC_VALUE_STORAGE)
        return osc_fail(OSC_EFORMAT, "a tensor of %s, expected a storage",
                        osc_value_name(&item[0]));
    if (item[2].kind != OSC_VALUE_TUPLE || item[3].kind != OSC_VALUE_TUPLE)
        return osc_fail(OSC_EFORMAT, "a tensor's sizes are %s and its strides %s, expected tuples",
                        osc_value_name(&item[2]), osc_value_name(&item[3]));
    if (item[2].size != item[3].size)
        return osc_fail(OSC_EFORMAT, "a tensor has %u sizes, but %u strides", item[2].size,
                        item[3].size);
    if (item[2].size > OSC_MAX_DIMS)
        return osc_fail(OSC_EUNSUP, "a tensor has %u dimensions, at most %d are supported",
                        item[2].size, OSC_MAX_DIMS);
    if (arguments->size == 7 && !is_empty(&item[6]))
        return osc_fail(OSC_EUNSUP, "a tensor has metadata, which would change its meaning");
    return OSC_OK;
}

static osc_status rebuild_tensor(struct osc_value *result, struct osc_pickle *pickle,
                                 const struct osc_value *arguments)
{
    osc_status status;
    OSC_TRY(check_arguments(arguments));
    const struct osc_value *item = arguments->as.item;
    size_t ndim = item[2].size;
    struct osc_view *view = osc_arena_take(&status, &pickle->arena,
                                           sizeof *view + 2 * ndim * sizeof *view->dim);
    if (view == NULL)
        return status;
    view->storage = item[0].as.storage;
    view->ndim = ndim;
    OSC_TRY(get_count(&view->offset, &item[1], "offset of a tensor"));
    for (size_t i = 0; i < ndim; i++) {
        OSC_TRY(get_count(&view->dim[i], &item[2].as.item[i], "size of a tensor"));
        OSC_TRY(get_count(&view->dim[ndim + i], &item[3].as.item[i], "stride of a tensor"));
    }
    *result = (struct osc_value){ .kind = OSC_VALUE_TENSOR, .as.view = view };
    return OSC_OK;
}

/* (tensor, requires_grad, hooks): the tensor itself. */
static osc_status rebuild_parameter(struct osc_value *result, const struct osc_value *arguments)
{
    if (arguments->size != 3 || arguments->as.item[0].kind != OSC_VALUE_TENSOR)
        return osc_fail(OSC_EFORMAT, "_rebuild_parameter with other arguments than a tensor, "
                        "requires_grad and hooks");
    *result = arguments->as.item[0];
    return OSC_OK;
}

static osc_status make_size(struct osc_value *result, const struct osc_value *arguments)
{
    if (arguments->size != 1 || arguments->as.item[0].kind != OSC_VALUE_TUPLE)
        return osc_fail(OSC_EFORMAT, "torch.Size of something else than a tuple");
    *result = arguments->as.item[0];
    return OSC_OK;
}

osc_status osc_torch_call(struct osc_value *result, struct osc_pickle *pickle,
                          const struct osc_value *callable, const struct osc_value *arguments)
{
    if (callable->kind != OSC_VALUE_GLOBAL || arguments->kind != OSC_VALUE_TUPLE)
        return osc_fail(OSC_EFORMAT, "a call of %s with %s", osc_value_name(callable),
                        osc_value_name(arguments));
    switch (callable->as.global->role) {
    case ORDERED_DICT: return new_dict(result, pickle, arguments);
    case REBUILD_TENSOR: return rebuild_tensor(result, pickle, arguments);
    case REBUILD_PARAMETER: return rebuild_parameter(result, arguments);
    case SIZE: return make_size(result, arguments);
    case STORAGE: break;
    }
    return osc_fail(OSC_EFORMAT, "a call of %s.%s, which only names a type of elements",
                    callable->as.global->module, callable->as.global->name);
}

/* (key, offset, count): only in streams of before 2019. */
static osc_status read_view(struct osc_storage *storage, const struct osc_value *view)
{
    if (view->kind == OSC_VALUE_NONE)
        return OSC_OK;
    if (view->kind != OSC_VALUE_TUPLE || view->size != 3)
        return osc_fail(OSC_EFORMAT, "the view of a storage is not a tuple of three");
    OSC_TRY(get_count(&storage->view_offset, &view->as.item[1], "offset of a storage's view"));
    OSC_TRY(get_count(&storage->view_count, &view->as.item[2], "size of a storage's view"));
    if (storage->view_offset > storage->count ||
        storage->view_count > storage->count - storage->view_offset)
        return osc_fail(OSC_EFORMAT, "a view of %zu elements at %zu goes beyond its storage of %zu",
                        storage->view_count, storage->view_offset, storage->count);
    return OSC_OK;
}

static osc_status read_id(struct osc_storage *storage, const struct osc_value *id, bool views)
{
    const struct osc_value *item = id->as.item;
    if (id->kind != OSC_VALUE_TUPLE || id->size != (views ? 6 : 5) ||
        !osc_value_is_text(&item[0], "storage"))
        return osc_fail(OSC_EFORMAT, "a persistent id is not a tuple ('storage', ...) of %d",
                        views ? 6 : 5);
    if (item[1].kind != OSC_VALUE_GLOBAL || item[1].as.global->role != STORAGE)
        return osc_fail(OSC_EFORMAT, "the class of a storage is %s, expected torch.FloatStorage "
                        "or the like", osc_value_name(&item[1]));
    if (item[2].kind != OSC_VALUE_TEXT || item[2].size > OSC_MAX_WEIGHT_NAME)
        return osc_fail(OSC_EFORMAT, "the key of a storage is not a string of at most %d bytes",
                        OSC_MAX_WEIGHT_NAME);
    storage->key = item[2];
    storage->dtype = item[1].as.global->dtype;
    OSC_TRY(get_count(&storage->count, &item[4], "size of a storage"));
    if (storage->count > SIZE_MAX / osc_dtype_size(storage->dtype))
        return osc_fail(OSC_EFORMAT, "a storage of %zu elements has more than 2^64 bytes",
                        storage->count);
    storage->view_count = storage->count;
    return views ? read_view(storage, &item[5]) : OSC_OK;
}

osc_status osc_torch_storage(struct osc_value *result, struct osc_pickle *pickle,
                             const struct osc_value *id)
{
    osc_status status;
    struct osc_storage *storage = osc_arena_take(&status, &pickle->arena, sizeof *storage);
    if (storage == NULL)
        return status;
    OSC_TRY(read_id(storage, id, pickle->views));
    storage->next = pickle->storages;
    pickle->storages = storage;
    pickle->mentions++;
    *result = (struct osc_value){ .kind = OSC_VALUE_STORAGE, .as.storage = storage };
    return OSC_OK;
}

#include <config.h>
#include "store/format.h"

#include <string.h>

#include "store/region.h"

static osc_status add(struct osc_weights *weights, const osc_recipe *recipe, osc_dtype dtype,
                      const osc_region *region, size_t index)
{
    size_t length = strlen(recipe->name) + 1;
    char *name = osc_weights_memory(weights, length);
    if (name == NULL)
        return OSC_ENOMEM;
    memcpy(name, recipe->name, length);
    struct osc_weight weight = { .stored = {
        .name = name, .file = "generated",
        .tensor = osc_tensor_make(osc_region_data(region, index), dtype, recipe->ndim,
                                  recipe->dim),
    } };
    weight.stored.tensor.drawn = osc_region_drawn(region, index);
    weight.bytes = osc_tensor_count(&weight.stored.tensor) * osc_dtype_size(dtype);
    return osc_weights_add(weights, &weight);
}

osc_status osc_weights_generate(struct osc_weights *weights, uint64_t seed, osc_dtype dtype,
                                const osc_recipe *recipe, size_t count)
{
    if (dtype != OSC_F32 && dtype != OSC_F16 && dtype != OSC_BF16)
        return osc_fail(OSC_EINVAL, "weights of type %s cannot be generated",
                        osc_dtype_name(dtype));
    OSC_TRY(osc_region_create(&weights->region, seed, dtype, recipe, count));
    for (size_t i = 0; i < count; i++)
        OSC_TRY(add(weights, &recipe[i], dtype, weights->region, i));
    return osc_weights_finish(weights);
}

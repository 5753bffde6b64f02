#include <config.h>
#include "store/region.h"

#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

#include "base/alloc.h"
#include "base/half.h"
#include "base/mix.h"

static const size_t PAGE = 4096;                        /* tensors begin at multiples of it */
static const float UNIT = 0x1.bb67aep-16f;              /* sqrt(3) / 2^16: drawn.h */

struct part {
    osc_drawn    drawn;
    osc_planted *planted;       /* [planted_count] on top of it */
    size_t       planted_count;
    size_t       at, count;     /* byte offset; elements */
    bool         made;
};

struct osc_region {
    osc_dtype    dtype;
    char        *data;
    size_t       reserved, bytes;
    struct part *part;    /* [count], by offset */
    size_t       count;
};

/* FNV-1a of the name, mixed with the seed. */
static uint64_t key_of(uint64_t seed, const char *name)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (const char *c = name; *c != '\0'; c++)
        hash = (hash ^ (unsigned char)*c) * 0x100000001b3u;
    return osc_mix64(seed ^ hash);
}

static void put(const osc_region *region, void *to, size_t i, float value)
{
    switch (region->dtype) {
    case OSC_F16: ((uint16_t *)to)[i] = osc_float_to_f16(value); break;
    case OSC_BF16: ((uint16_t *)to)[i] = osc_float_to_bf16(value); break;
    default: ((float *)to)[i] = value; break;
    }
}

static void make(const osc_region *region, const struct part *part)
{
    const osc_drawn *d = &part->drawn;
    void *to = region->data + part->at;
    #pragma omp parallel for schedule(static)
    for (size_t i = 0; i < part->count; i++)
        put(region, to, i, d->unit > 0.0f ? (float)osc_draw(d->key, i) * d->unit : d->constant);
    for (size_t i = 0; i < part->planted_count; i++)
        put(region, to, part->planted[i].index, part->planted[i].value);
}

static osc_status copy_planted(struct part *part, const osc_recipe *recipe)
{
    if (recipe->planted_count == 0)
        return OSC_OK;
    part->planted = osc_alloc(recipe->planted_count, sizeof *part->planted);
    if (part->planted == NULL)
        return OSC_ENOMEM;
    memcpy(part->planted, recipe->planted, recipe->planted_count * sizeof *part->planted);
    part->planted_count = recipe->planted_count;
    return OSC_OK;
}

static osc_status lay_out(osc_region *region, uint64_t seed, const osc_recipe *recipe)
{
    size_t size = osc_dtype_size(region->dtype);
    for (size_t i = 0; i < region->count; i++) {
        struct part *part = &region->part[i];
        size_t count = recipe[i].dim[0], bytes, end;
        if ((recipe[i].ndim == 2 && __builtin_mul_overflow(count, recipe[i].dim[1], &count))
            || __builtin_mul_overflow(count, size, &bytes)
            || __builtin_add_overflow(region->reserved, bytes + PAGE, &end))
            return osc_fail(OSC_EINVAL, "tensor %s is too large", recipe[i].name);
        part->drawn = (osc_drawn){ .key = key_of(seed, recipe[i].name),
                                   .constant = recipe[i].constant,
                                   .unit = recipe[i].deviation * UNIT };
        part->at = region->reserved;
        part->count = count;
        OSC_TRY(copy_planted(part, &recipe[i]));
        region->bytes += bytes;
        region->reserved = end / PAGE * PAGE;
    }
    return OSC_OK;
}

static osc_status reserve(osc_region *region)
{
    void *data = mmap(NULL, region->reserved, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (data == MAP_FAILED)
        return osc_fail(OSC_ENOMEM, "out of memory: address space for %zu bytes of weights",
                        region->reserved);
    region->data = data;
    for (size_t i = 0; i < region->count; i++)
        region->part[i].drawn.first = region->data + region->part[i].at;
    return OSC_OK;
}

osc_status osc_region_create(osc_region **region, uint64_t seed, osc_dtype dtype,
                             const osc_recipe *recipe, size_t count)
{
    osc_region *made = osc_alloc(1, sizeof *made);
    if (made == NULL)
        return OSC_ENOMEM;
    *made = (osc_region){ .dtype = dtype, .count = count };
    made->part = osc_alloc(count, sizeof *made->part);
    osc_status status = made->part == NULL ? OSC_ENOMEM : lay_out(made, seed, recipe);
    if (status == OSC_OK)
        status = reserve(made);
    if (status != OSC_OK) {
        osc_region_free(made);
        return status;
    }
    *region = made;
    return OSC_OK;
}

void osc_region_free(osc_region *region)
{
    if (region == NULL)
        return;
    if (region->data != NULL)
        munmap(region->data, region->reserved);
    for (size_t i = 0; region->part != NULL && i < region->count; i++)
        osc_free(region->part[i].planted);
    osc_free(region->part);
    osc_free(region);
}

const void *osc_region_data(const osc_region *region, size_t index)
{
    return region->data + region->part[index].at;
}

const osc_drawn *osc_region_drawn(const osc_region *region, size_t index)
{
    const struct part *part = &region->part[index];
    return part->planted_count == 0 ? &part->drawn : NULL;
}

size_t osc_region_bytes(const osc_region *region)
{
    return region->bytes;
}

/* The part that begins last at or before `data`. */
static struct part *part_of(const osc_region *region, const void *data)
{
    size_t at = (size_t)((const char *)data - region->data), low = 0, high = region->count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (region->part[middle].at <= at)
            low = middle;
        else
            high = middle;
    }
    return &region->part[low];
}

void osc_region_need(osc_region *region, const void *data)
{
    struct part *part = part_of(region, data);
    if (!part->made)
        make(region, part);
    part->made = true;
}

void osc_region_forget(osc_region *region, const void *data)
{
    struct part *part = part_of(region, data);
    if (part->made)
        madvise(region->data + part->at, part->count * osc_dtype_size(region->dtype),
                MADV_DONTNEED);
    part->made = false;
}

#include <config.h>
#include "backend/backend.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/spec.h"

extern const osc_backend osc_backend_cpu;
#ifdef HAVE_CUDA
extern const osc_backend osc_backend_cuda_f16, osc_backend_cuda_bf16;
#endif

/* Entries of one name are a backend's element types, its default first. */
const osc_backend *const osc_backends[] = {
    &osc_backend_cpu,
#ifdef HAVE_CUDA
    &osc_backend_cuda_f16, &osc_backend_cuda_bf16,
#endif
    NULL
};

static osc_status parse_dtype(osc_dtype *dtype, const char *text)
{
    static const struct { const char *name; osc_dtype dtype; } known[] = {
        { "fp32", OSC_F32 }, { "fp16", OSC_F16 }, { "bf16", OSC_BF16 },
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(text, known[i].name) == 0) {
            *dtype = known[i].dtype;
            return OSC_OK;
        }
    }
    return osc_fail(OSC_EINVAL, "dtype is '%s', expected fp32, fp16 or bf16", text);
}

static osc_status unknown(const char *name)
{
    char known[128] = "";
    for (size_t i = 0; osc_backends[i] != NULL; i++) {
        size_t used = strlen(known);
        if (i == 0 || strcmp(osc_backends[i]->name, osc_backends[i - 1]->name) != 0)
            snprintf(known + used, sizeof known - used, "%s%s", i > 0 ? ", " : "",
                     osc_backends[i]->name);
    }
    return osc_fail(OSC_EINVAL, "no backend '%s' in this build (there is: %s)", name, known);
}

/* The number of the kernel that the spec asks for, SIZE_MAX if it asks for none. */
static osc_status find_kernel(size_t *found, const osc_backend *backend, const osc_spec *spec)
{
    const char *name = osc_spec_get(spec, "kernel");
    char known[128] = "";
    *found = SIZE_MAX;
    if (name == NULL)
        return OSC_OK;
    if (backend->kernels == NULL)
        return osc_fail(OSC_EINVAL, "backend '%s' has no choice of kernels", backend->name);
    for (size_t i = 0; backend->kernels[i] != NULL; i++) {
        size_t used = strlen(known);
        if (strcmp(name, backend->kernels[i]) == 0) {
            *found = i;
            return OSC_OK;
        }
        snprintf(known + used, sizeof known - used, "%s%s", i > 0 ? ", " : "",
                 backend->kernels[i]);
    }
    return osc_fail(OSC_EINVAL, "no kernel '%s' for products of codes (there is: %s)", name, known);
}

static osc_status parse_spec(osc_spec *spec, const char *name)
{
    static const char *const keys[] = { "dtype", "kernel" };
    OSC_TRY(osc_spec_parse(spec, name != NULL ? name : osc_backends[0]->name));
    return osc_spec_only(spec, keys, sizeof keys / sizeof *keys);
}

osc_status osc_backend_open(const osc_backend *backend, const char *name, osc_device **device,
                            size_t threads, size_t index)
{
    osc_spec spec;
    size_t kernel;
    OSC_TRY(parse_spec(&spec, name));
    OSC_TRY(find_kernel(&kernel, backend, &spec));
    OSC_TRY(backend->open_at(device, threads, index));
    if (kernel != SIZE_MAX)
        backend->choose(*device, kernel);
    return OSC_OK;
}

osc_status osc_backend_find(const osc_backend **backend, const char *name)
{
    osc_spec spec;
    osc_dtype dtype = OSC_F32;
    size_t kernel;
    bool named = false;
    OSC_TRY(parse_spec(&spec, name));
    const char *type = osc_spec_get(&spec, "dtype");
    if (type != NULL)
        OSC_TRY(parse_dtype(&dtype, type));
    for (size_t i = 0; osc_backends[i] != NULL; i++) {
        if (strcmp(spec.name, osc_backends[i]->name) != 0)
            continue;
        named = true;
        if (type == NULL || dtype == osc_backends[i]->dtype) {
            *backend = osc_backends[i];
            return find_kernel(&kernel, *backend, &spec);
        }
    }
    return named ? osc_fail(OSC_EINVAL, "backend '%s' does not compute in %s", spec.name, type)
                 : unknown(spec.name);
}

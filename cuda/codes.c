/* Products of codes on the device. */
#include <config.h>
#include "cuda/device.h"

static osc_status missing(void)
{
    return osc_fail(OSC_EUNSUP, "the CUDA backend does not multiply codes yet: use scheme none");
}

osc_status osc_cuda_codes_plan(osc_device *device, const osc_limits *limits)
{
    (void)device;
    (void)limits;
    return missing();
}

void osc_cuda_codes_close(osc_device *device)
{
    (void)device;
}

const char *osc_cuda_codes_kernel(const osc_device *device)
{
    (void)device;
    return "none";
}

size_t osc_cuda_codes_bytes(const osc_coding *coding, size_t n, size_t k)
{
    (void)coding;
    return n * k;
}

osc_status osc_cuda_codes_load(osc_device *device, void *dst, const osc_coding *coding,
                               const osc_code_source *source, size_t *bad)
{
    (void)device;
    (void)dst;
    (void)coding;
    (void)source;
    (void)bad;
    return missing();
}

osc_status osc_cuda_codes_matmul(osc_device *device, void *y, const void *x, const void *w,
                                 const osc_coding *coding, const void *bias, osc_act act,
                                 size_t rows, size_t n, size_t k)
{
    (void)device;
    (void)y;
    (void)x;
    (void)w;
    (void)coding;
    (void)bias;
    (void)act;
    (void)rows;
    (void)n;
    (void)k;
    return missing();
}

osc_status osc_cuda_codes_view(osc_device *device, osc_code_view *view, const void *x,
                               const void *w, const osc_coding *coding, size_t rows, size_t n,
                               size_t k)
{
    (void)device;
    (void)view;
    (void)x;
    (void)w;
    (void)coding;
    (void)rows;
    (void)n;
    (void)k;
    return missing();
}

#include <config.h>
#include "cuda_side.h"

#include "cuda/codes.h"

bool cuda_present(void)
{
    int count = 0;
    return cudaGetDeviceCount(&count) == cudaSuccess && count > 0;
}

const char *cuda_kernel(size_t i)
{
    return osc_cuda_kernels[i] != NULL ? osc_cuda_kernels[i]->name : NULL;
}

void cuda_choose(osc_device *device, size_t kernel)
{
    osc_cuda_codes_choose(device, kernel);
}

static osc_cuda_layer layer_of(const void *x, const osc_coding *coding, size_t rows, size_t k)
{
    return (osc_cuda_layer){ .x = x, .coding = *coding, .rows = rows, .k = k };
}

bool cuda_knows_columns(const osc_device *device, const void *x, const osc_coding *coding,
                        size_t rows, size_t k)
{
    osc_cuda_layer p = layer_of(x, coding, rows, k);
    return osc_cuda_flags_of(device, &p).bits != NULL;
}

bool cuda_knows_codes(const osc_device *device, const void *x, const osc_coding *coding,
                      size_t rows, size_t k)
{
    osc_cuda_layer p = layer_of(x, coding, rows, k);
    return osc_cuda_codes_known(device, &p);
}

void cuda_forget(osc_device *device)
{
    osc_cuda_known_forget(device, NULL, 0);
}

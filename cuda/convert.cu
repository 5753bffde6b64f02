/* Conversions between element types. */
#include <config.h>
#include "cuda/backend.h"
#include "cuda/element.cuh"

enum { THREADS = 256 };

static unsigned blocks_for(size_t count)
{
    size_t blocks = (count + THREADS - 1) / THREADS;
    return (unsigned)(blocks < 8192 ? blocks : 8192);
}

/* y = x; *bad = index of the first y that is not finite, counted from `base`. */
template <typename Y, typename X>
static __global__ void convert_checked(Y *y, const X *x, size_t n, unsigned long long base,
                                       unsigned long long *bad)
{
    size_t step = (size_t)gridDim.x * THREADS;
    for (size_t i = blockIdx.x * (size_t)THREADS + threadIdx.x; i < n; i += step) {
        y[i] = from_float<Y>(to_float(x[i]));
        if (!isfinite(to_float(y[i])))
            atomicMin(bad, base + i);
    }
}

template <typename Y, typename X>
static __global__ void convert(Y *y, const X *x, size_t n)
{
    size_t step = (size_t)gridDim.x * THREADS;
    for (size_t i = blockIdx.x * (size_t)THREADS + threadIdx.x; i < n; i += step)
        y[i] = from_float<Y>(to_float(x[i]));
}

template <typename T>
static osc_status launch_checked(osc_device *device, void *dst, const void *raw, osc_dtype dtype,
                                 size_t n, size_t base)
{
    T *y = (T *)dst;
    if (dtype == OSC_F32)
        convert_checked<<<blocks_for(n), THREADS, 0, device->loads>>>(y, (const float *)raw, n,
                                                                      base, device->bad);
    else if (dtype == OSC_F16)
        convert_checked<<<blocks_for(n), THREADS, 0, device->loads>>>(y, (const __half *)raw, n,
                                                                      base, device->bad);
    else
        convert_checked<<<blocks_for(n), THREADS, 0, device->loads>>>(
            y, (const __nv_bfloat16 *)raw, n, base, device->bad);
    return osc_cuda_launched("conversion of weights");
}

osc_status osc_cuda_convert(osc_device *device, void *dst, const void *raw, osc_dtype dtype,
                            size_t n, size_t base)
{
    return OSC_CUDA_BY_DTYPE(device, launch_checked, device, dst, raw, dtype, n, base);
}

template <typename T>
static osc_status launch_widen(osc_device *device, float *y, const void *x, size_t n)
{
    convert<<<blocks_for(n), THREADS, 0, device->stream>>>(y, (const T *)x, n);
    return osc_cuda_launched("widening");
}

osc_status osc_cuda_widen(osc_device *device, float *y, const void *x, size_t n)
{
    return OSC_CUDA_BY_DTYPE(device, launch_widen, device, y, x, n);
}

template <typename T>
static osc_status launch_narrow(osc_device *device, void *y, const float *x, size_t n)
{
    convert<<<blocks_for(n), THREADS, 0, device->stream>>>((T *)y, x, n);
    return osc_cuda_launched("narrowing");
}

osc_status osc_cuda_narrow(osc_device *device, void *y, const float *x, size_t n)
{
    return OSC_CUDA_BY_DTYPE(device, launch_narrow, device, y, x, n);
}

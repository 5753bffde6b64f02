/* Element types of activations in kernels: __half or __nv_bfloat16, with float for
 * every sum. */
#ifndef OSC_CUDA_ELEMENT_CUH
#define OSC_CUDA_ELEMENT_CUH

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <stdint.h>

#include "cuda/device.h"

/* Calls `launch<T>(...)` with the device's element type. */
#define OSC_CUDA_BY_DTYPE(device, launch, ...)                                           \
    ((device)->dtype == OSC_F16 ? launch<__half>(__VA_ARGS__) : launch<__nv_bfloat16>(__VA_ARGS__))

static __device__ __forceinline__ float to_float(__half x)
{
    return __half2float(x);
}

static __device__ __forceinline__ float to_float(__nv_bfloat16 x)
{
    return __bfloat162float(x);
}

static __device__ __forceinline__ float to_float(float x)
{
    return x;
}

/* Round to nearest even; beyond the type's range is infinity. */
template <typename T> __device__ __forceinline__ T from_float(float x);
template <> __device__ __forceinline__ __half from_float<__half>(float x)
{
    return __float2half_rn(x);
}
template <> __device__ __forceinline__ __nv_bfloat16 from_float<__nv_bfloat16>(float x)
{
    return __float2bfloat16_rn(x);
}
template <> __device__ __forceinline__ float from_float<float>(float x)
{
    return x;
}

/* Two neighbours, for instructions that do both at once. */
template <typename T> struct pair_of;
template <> struct pair_of<__half> { typedef __half2 type; };
template <> struct pair_of<__nv_bfloat16> { typedef __nv_bfloat162 type; };

/* A vector of 16 bytes of elements. */
template <typename T> union packed {
    enum { COUNT = 16 / sizeof(T) };
    uint4 bits;
    T     at[COUNT];
    __device__ packed() {}
};

static __host__ __device__ inline bool is_aligned16(const void *data)
{
    return ((uintptr_t)data & 15) == 0;
}

#endif

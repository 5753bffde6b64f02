/* Activation functions in float, as the CPU backend has them. */
#ifndef OSC_CUDA_ACTIVATE_CUH
#define OSC_CUDA_ACTIVATE_CUH

#include "cuda/device.h"

template <osc_act ACT> static __device__ __forceinline__ float activate(float x)
{
    if (ACT == OSC_ACT_RELU)
        return x < 0.0f ? 0.0f : x;   /* NaN stays */
    if (ACT == OSC_ACT_GELU)
        return 0.5f * x * (1.0f + erff(x * 0.70710678118654752f));
    if (ACT == OSC_ACT_GELU_TANH)
        return 0.5f * x * (1.0f + tanhf(0.79788456080286536f * (x + 0.044715f * x * x * x)));
    if (ACT == OSC_ACT_SILU)
        return x / (1.0f + expf(-x));
    return x;
}

static __device__ __forceinline__ float activated(float x, osc_act act)
{
    switch (act) {
    case OSC_ACT_RELU: return activate<OSC_ACT_RELU>(x);
    case OSC_ACT_GELU: return activate<OSC_ACT_GELU>(x);
    case OSC_ACT_GELU_TANH: return activate<OSC_ACT_GELU_TANH>(x);
    case OSC_ACT_SILU: return activate<OSC_ACT_SILU>(x);
    default: return x;
    }
}

#endif

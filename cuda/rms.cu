/* RMS norm: y = x / sqrt(mean(x^2) + eps) * weight, also with x += more before. */
#include <config.h>
#include "cuda/backend.h"
#include "cuda/flags.cuh"
#include "cuda/launch.cuh"
#include "cuda/norm.cuh"

/* One row a block, COUNT elements a time; the second reading finds the row in the cache. */
template <typename T, int COUNT>
static __global__ void rms_rows(T *y, T *x, const T *more, const T *weight, float eps,
                                size_t width, const __grid_constant__ osc_cuda_flags f)
{
    typedef piece<T, COUNT> some;
    __shared__ block_parts parts;
    some *in = (some *)(x + blockIdx.x * width), *out = (some *)(y + blockIdx.x * width);
    const some *plus = (const some *)(more + blockIdx.x * width), *w = (const some *)weight;
    size_t pieces = width / COUNT;
    float square = 0.0f;
    let_next_kernel();
    after_last_kernel();
    clear_next(f);
    for (size_t i = threadIdx.x; i < pieces; i += blockDim.x) {
        some p = in[i];
        if (more != NULL)
            in[i] = p = added(p, plus[i]);
#pragma unroll
        for (int j = 0; j < COUNT; j++)
            square += to_float(p.at[j]) * to_float(p.at[j]);
    }
    osc_cuda_flags own = of_row(f, blockIdx.x);
    float inverse = 1.0f / sqrtf(block_sum(square, &parts) / (float)width + eps);
    for (size_t i = threadIdx.x; i < pieces; i += blockDim.x) {
        some p = in[i], scale = w[i];
#pragma unroll
        for (int j = 0; j < COUNT; j++)
            p.at[j] = from_float<T>(to_float(p.at[j]) * inverse * to_float(scale.at[j]));
        out[i] = p;
        flag_piece<T, COUNT>(own, i, p.at);
    }
}

/* Two pieces a thread, in whole warps. */
static unsigned threads_for(size_t pieces)
{
    size_t threads = ((pieces + 1) / 2 + WARP - 1) / WARP * WARP;
    return (unsigned)(threads < MOST_THREADS ? threads : MOST_THREADS);
}

template <typename T>
static osc_status launch(osc_device *device, void *y, void *x, const void *more,
                         const void *weight, float eps, size_t rows, size_t width)
{
    const int COUNT = packed<T>::COUNT;
    bool vectors = width % COUNT == 0 && is_aligned16(x) && is_aligned16(y) && is_aligned16(more)
                && is_aligned16(weight);
    osc_cuda_flags flags;
    OSC_TRY(osc_cuda_flags_for(device, &flags, y, rows, width));
    return launch_after(device, "RMS norm", vectors ? rms_rows<T, COUNT> : rms_rows<T, 1>,
                        dim3((unsigned)rows), threads_for(vectors ? width / COUNT : width), 0,
                        (T *)y, (T *)x, (const T *)more, (const T *)weight, eps, width, flags);
}

osc_status osc_cuda_rmsnorm(osc_device *device, void *y, const void *x, const void *weight,
                            float eps, size_t rows, size_t width)
{
    return OSC_CUDA_BY_DTYPE(device, launch, device, y, (void *)x, NULL, weight, eps, rows,
                             width);
}

osc_status osc_cuda_add_rmsnorm(osc_device *device, void *y, void *x, const void *more,
                                const void *weight, float eps, size_t rows, size_t width)
{
    return OSC_CUDA_BY_DTYPE(device, launch, device, y, x, more, weight, eps, rows, width);
}

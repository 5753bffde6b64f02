/* Elementwise operations: addition, products, activation functions, cleared columns. */
#include <config.h>
#include "cuda/backend.h"
#include "cuda/activate.cuh"
#include "cuda/flags.cuh"
#include "cuda/launch.cuh"

constexpr size_t THREADS = 256, CLEARED = 64;

/* Flags of the i-th value and those behind it, which may be of two rows. */
template <typename T>
static __device__ __forceinline__ void flag_some(const osc_cuda_flags &f, size_t i,
                                                 const packed<T> &v)
{
    if (f.bits == NULL)
        return;
    unsigned most = larger2(larger2(larger2(larger2(0, v.bits.x, T()), v.bits.y, T()), v.bits.z,
                                    T()), v.bits.w, T());
    if (!reaches<T>(most, f.threshold))
        return;
    for (unsigned j = 0; j < packed<T>::COUNT; j++)
        flag1<T>(of_row(f, (unsigned)((i + j) / f.width)), (unsigned)((i + j) % f.width),
                 v.at[j]);
}

/* y[i] = f(y[i], x[i]) for i < count, in vectors of 16 bytes if `vectors`. */
template <typename T, typename F>
static __global__ void combine(T *y, const T *x, size_t count, bool vectors, F f,
                               const __grid_constant__ osc_cuda_flags flags)
{
    const int PER = packed<T>::COUNT;
    size_t id = blockIdx.x * (size_t)THREADS + threadIdx.x, step = (size_t)gridDim.x * THREADS;
    size_t whole = vectors ? count / PER : 0;
    let_next_kernel();
    after_last_kernel();
    clear_next(flags);
    for (size_t i = id; i < whole; i += step) {
        packed<T> a, b;
        a.bits = ((const uint4 *)y)[i];
        if (x != NULL)
            b.bits = ((const uint4 *)x)[i];
#pragma unroll
        for (int j = 0; j < PER; j++)
            a.at[j] = from_float<T>(f(to_float(a.at[j]), x == NULL ? 0.0f : to_float(b.at[j])));
        ((uint4 *)y)[i] = a.bits;
        flag_some<T>(flags, i * PER, a);
    }
    for (size_t i = whole * PER + id; i < count; i += step) {
        y[i] = from_float<T>(f(to_float(y[i]), x == NULL ? 0.0f : to_float(x[i])));
        if (flags.bits != NULL)
            flag1<T>(of_row(flags, (unsigned)(i / flags.width)), (unsigned)(i % flags.width),
                     y[i]);
    }
}

template <typename T, typename F>
static osc_status launch(osc_device *device, void *y, const void *x, size_t count, F f,
                         const osc_cuda_flags &flags, const char *what)
{
    bool vectors = is_aligned16(y) && is_aligned16(x);
    size_t items = vectors ? count / packed<T>::COUNT + 1 : count;
    size_t blocks = (items + THREADS - 1) / THREADS, most = (size_t)device->processors * 32;
    return launch_after(device, what, combine<T, F>,
                        dim3((unsigned)(blocks < most ? blocks : most)), THREADS, 0, (T *)y,
                        (const T *)x, count, vectors, f, flags);
}

struct plus {
    __device__ float operator()(float y, float x) const { return y + x; }
};

osc_status osc_cuda_add(osc_device *device, void *y, const void *x, size_t count)
{
    return OSC_CUDA_BY_DTYPE(device, launch, device, y, x, count, plus(), osc_cuda_flags(),
                             "addition");
}

struct times {
    __device__ float operator()(float y, float x) const { return y * x; }
};

osc_status osc_cuda_multiply(osc_device *device, void *y, const void *x, size_t count)
{
    osc_cuda_flags flags;
    OSC_TRY(osc_cuda_flags_again(device, &flags, y, count));
    return OSC_CUDA_BY_DTYPE(device, launch, device, y, x, count, times(), flags,
                             "product of values");
}

template <osc_act ACT> struct applied {
    __device__ float operator()(float y, float) const { return activate<ACT>(y); }
};

template <osc_act ACT>
static osc_status launch_act(osc_device *device, void *x, size_t count)
{
    osc_cuda_flags flags;
    OSC_TRY(osc_cuda_flags_again(device, &flags, x, count));
    return OSC_CUDA_BY_DTYPE(device, launch, device, x, NULL, count, applied<ACT>(), flags,
                             "activation function");
}

osc_status osc_cuda_activate(osc_device *device, void *x, osc_act act, size_t count)
{
    switch (act) {
    case OSC_ACT_NONE: return OSC_OK;
    case OSC_ACT_RELU: return launch_act<OSC_ACT_RELU>(device, x, count);
    case OSC_ACT_GELU: return launch_act<OSC_ACT_GELU>(device, x, count);
    case OSC_ACT_GELU_TANH: return launch_act<OSC_ACT_GELU_TANH>(device, x, count);
    case OSC_ACT_SILU: return launch_act<OSC_ACT_SILU>(device, x, count);
    }
    return OSC_OK;
}

osc_status osc_cuda_copy(osc_device *device, void *y, const void *x, size_t count)
{
    OSC_CUDA_TRY(cudaMemcpyAsync(y, x, count * osc_dtype_size(device->dtype),
                                 cudaMemcpyDeviceToDevice, device->stream), "copying");
    return OSC_OK;
}

/* --- cleared columns ---------------------------------------------------------------------- */

struct some_columns {
    uint32_t at[CLEARED];
};

static __global__ void clear_columns(uint16_t *x, size_t rows, size_t width,
                                     const __grid_constant__ some_columns columns, unsigned count)
{
    size_t step = (size_t)gridDim.x * THREADS;
    for (size_t i = blockIdx.x * (size_t)THREADS + threadIdx.x; i < rows * count; i += step)
        x[i / count * width + columns.at[i % count]] = 0;
}

osc_status osc_cuda_clear(osc_device *device, void *x, size_t rows, size_t width,
                          const uint32_t *columns, size_t count)
{
    for (size_t i = 0; i < count; i += CLEARED) {
        some_columns some;
        unsigned n = (unsigned)(count - i < CLEARED ? count - i : CLEARED);
        for (unsigned c = 0; c < n; c++)
            some.at[c] = columns[i + c];
        unsigned blocks = (unsigned)((rows * n + THREADS - 1) / THREADS);
        clear_columns<<<blocks, THREADS, 0, device->stream>>>((uint16_t *)x, rows, width, some, n);
        OSC_TRY(osc_cuda_launched("clearing of columns"));
    }
    return OSC_OK;
}

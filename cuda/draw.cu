/* Elements of generated tensors, made where they are needed: the host's values bit for
 * bit (tensor/drawn.h). */
#include <config.h>
#include "cuda/backend.h"
#include "cuda/element.cuh"

enum { THREADS = 256 };

/* Where the elements of a tensor lie in the generated one, in elements. */
typedef struct {
    size_t ndim, dim[OSC_MAX_DIMS], stride[OSC_MAX_DIMS];
    size_t start;
    bool   contiguous;
} layout;

static layout layout_of(const osc_tensor *t)
{
    const char *first = (const char *)t->drawn->first;
    layout l = {};
    l.ndim = t->ndim;
    l.start = (size_t)((const char *)t->data - first) / osc_dtype_size(t->dtype);
    l.contiguous = osc_tensor_is_contiguous(t);
    for (size_t d = 0; d < t->ndim; d++) {
        l.dim[d] = t->dim[d];
        l.stride[d] = t->stride[d];
    }
    return l;
}

/* Element i, counted row-major. */
static __device__ size_t place_of(const layout &l, size_t i)
{
    size_t at = l.start;
    if (l.contiguous)
        return at + i;
    for (size_t d = l.ndim; d-- > 0;) {
        at += i % l.dim[d] * l.stride[d];
        i /= l.dim[d];
    }
    return at;
}

template <typename T>
static __global__ void __launch_bounds__(THREADS)
draw_kernel(T *dst, const __grid_constant__ layout l, osc_drawn drawn, size_t first, size_t n)
{
    size_t step = (size_t)gridDim.x * THREADS;
    for (size_t i = blockIdx.x * (size_t)THREADS + threadIdx.x; i < n; i += step) {
        float value = drawn.constant;
        if (drawn.unit > 0.0f)
            value = (float)osc_draw(drawn.key, place_of(l, first + i)) * drawn.unit;
        dst[i] = from_float<T>(value);
    }
}

osc_status osc_cuda_draw(osc_device *device, void *dst, const osc_tensor *src, size_t first,
                         size_t n)
{
    layout l = layout_of(src);
    size_t blocks = (n + THREADS - 1) / THREADS, most = 16 * (size_t)device->processors;
    unsigned grid = (unsigned)(blocks < most ? blocks : most);
    if (src->dtype == OSC_F32)
        draw_kernel<<<grid, THREADS, 0, device->loads>>>((float *)dst, l, *src->drawn, first, n);
    else if (src->dtype == OSC_F16)
        draw_kernel<<<grid, THREADS, 0, device->loads>>>((__half *)dst, l, *src->drawn, first, n);
    else
        draw_kernel<<<grid, THREADS, 0, device->loads>>>((__nv_bfloat16 *)dst, l, *src->drawn,
                                                         first, n);
    return osc_cuda_launched("drawing weights");
}

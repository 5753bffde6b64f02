/* Rotary position embedding.  Angles are float32 as in the CPU backend: the frequency
 * rounded, times the position, rounded. */
#include <config.h>
#include "cuda/backend.h"
#include "cuda/element.cuh"
#include "cuda/launch.cuh"

constexpr unsigned THREADS = 256;

/* One row a block; its angles, the same for every head, wait in shared memory. */
template <typename T>
static __global__ void turn_rows(T *x, const __grid_constant__ osc_rotary rotary, size_t heads,
                                 size_t head_size)
{
    extern __shared__ float2 turns[];       /* [dim / 2] cosine and sine */
    unsigned pairs = (unsigned)(rotary.dim / 2);
    unsigned step = rotary.neighbours ? 2 : 1, apart = rotary.neighbours ? 1 : pairs;
    float position = (float)(rotary.first + blockIdx.x % rotary.tokens);
    let_next_kernel();
    for (unsigned i = threadIdx.x; i < pairs; i += THREADS) {
        double power = -2.0 * (double)i / (double)rotary.dim;
        float angle = position * (float)pow((double)rotary.base, power);
        turns[i] = make_float2(cosf(angle), sinf(angle));
    }
    __syncthreads();
    after_last_kernel();
    T *row = x + blockIdx.x * heads * head_size;
    for (unsigned i = threadIdx.x; i < heads * pairs; i += THREADS) {
        unsigned pair = i % pairs;
        T *first = row + i / pairs * head_size + pair * step, *second = first + apart;
        float a = to_float(*first), b = to_float(*second);
        float2 t = turns[pair];
        *first = from_float<T>(a * t.x - b * t.y);
        *second = from_float<T>(b * t.x + a * t.y);
    }
}

template <typename T>
static osc_status launch(osc_device *device, void *x, const osc_rotary *rotary, size_t rows,
                         size_t heads, size_t head_size)
{
    size_t bytes = rotary->dim / 2 * sizeof(float2);
    osc_rotary turn = *rotary;
    if (turn.tokens == 0)
        turn.tokens = rows;
    return launch_after(device, "rotary positions", turn_rows<T>, dim3((unsigned)rows), THREADS,
                        bytes, (T *)x, turn, heads, head_size);
}

osc_status osc_cuda_rotate(osc_device *device, void *x, const osc_rotary *rotary, size_t rows,
                           size_t heads, size_t head_size)
{
    return OSC_CUDA_BY_DTYPE(device, launch, device, x, rotary, rows, heads, head_size);
}

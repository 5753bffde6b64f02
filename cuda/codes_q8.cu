/* Weights in blocks of 32 along K, llama.cpp's Q8_0: an fp16 scale max|w|/127 and 32
 * codes.  x stays float.  Codes are exact as 16-bit floats: the matrix units sum a block
 * in float32, and its scale is applied to that sum.  Here the product of any shape; those
 * with whole vectors in a row go to codes_q8_few.cu and codes_q8_many.cu. */
#include <config.h>
#include "cuda/codes_q8.cuh"
#include "cuda/mma.cuh"

enum {
    THREADS = 128,
    ROWS = 64, OUTPUTS = 64,      /* of a tile */
    PITCH = BLOCK + 8             /* elements of a row in shared memory: no bank conflicts */
};

size_t osc_cuda_q8_bytes(size_t n, size_t k)
{
    return n * ((k + BLOCK - 1) / BLOCK) * (BLOCK + sizeof(uint16_t));
}

/* --- coding: a warp makes a block -------------------------------------------------------- */

template <typename V>
static __global__ void code_kernel(q8_weight w, const V *values, size_t first, size_t rows,
                                   size_t k, unsigned long long *bad)
{
    size_t index = (blockIdx.x * (size_t)blockDim.x + threadIdx.x) / 32;
    unsigned lane = threadIdx.x % 32;
    if (index >= rows * w.blocks)
        return;
    size_t row = index / w.blocks, block = index % w.blocks, i = block * BLOCK + lane;
    float value = i < k ? to_float(values[row * k + i]) : 0.0f;
    if (!isfinite(value))
        atomicMin(bad, (unsigned long long)((first + row) * k + i));
    bool finite = __all_sync(~0u, isfinite(value));
    float most = __uint_as_float(__reduce_max_sync(~0u, __float_as_uint(fabsf(value))));
    float unit = __fdiv_rn(most, 127.0f), inverse = unit > 0.0f ? __fdiv_rn(1.0f, unit) : 0.0f;
    float q = rintf(__fmul_rn(value, inverse));
    q = q > 127.0f ? 127.0f : q < -127.0f ? -127.0f : q;
    size_t at = (first + row) * w.blocks + block;
    w.code[at * BLOCK + lane] = finite && isfinite(inverse) ? (int8_t)q : 0;
    if (lane == 0)
        w.unit[at] = __float2half_rn(finite ? unit : __int_as_float(0x7fc00000));
}

template <typename V>
static osc_status load(osc_device *device, q8_weight w, const void *values, size_t first,
                       size_t rows, size_t k, unsigned long long *bad)
{
    size_t warps = THREADS / 32, blocks = (rows * w.blocks + warps - 1) / warps;
    code_kernel<V><<<(unsigned)blocks, THREADS, 0, device->loads>>>(w, (const V *)values, first,
                                                                     rows, k, bad);
    return osc_cuda_launched("coding blocks of weights");
}

osc_status osc_cuda_q8_load(osc_device *device, void *dst, const void *values, osc_dtype dtype,
                            size_t first, size_t rows, size_t n, size_t k,
                            unsigned long long *bad)
{
    q8_weight w = q8_at(dst, n, k);
    if (dtype == OSC_F32)
        return load<float>(device, w, values, first, rows, k, bad);
    return dtype == OSC_F16 ? load<__half>(device, w, values, first, rows, k, bad)
                            : load<__nv_bfloat16>(device, w, values, first, rows, k, bad);
}

/* --- multiplying --------------------------------------------------------------------------- */

template <typename T> struct tiles {
    T     x[ROWS][PITCH], w[OUTPUTS][PITCH];
    float unit[OUTPUTS];
};

/* One block of K of the tile. */
template <typename T>
static __device__ void load_tiles(tiles<T> *s, const q8_call &a, unsigned row, unsigned output,
                                  unsigned block)
{
    const T *x = reinterpret_cast<const T *>(a.x);
    for (unsigned i = threadIdx.x; i < ROWS * BLOCK; i += THREADS) {
        unsigned t = i / BLOCK, c = i % BLOCK, column = block * BLOCK + c;
        bool in = row + t < a.rows && column < a.k;
        s->x[t][c] = in ? x[(size_t)(row + t) * a.k + column] : from_float<T>(0.0f);
    }
    for (unsigned i = threadIdx.x; i < OUTPUTS * BLOCK; i += THREADS) {
        unsigned j = i / BLOCK, c = i % BLOCK;
        size_t at = (size_t)(output + j) * a.w.blocks + block;
        s->w[j][c] = from_float<T>(output + j < a.n ? (float)a.w.code[at * BLOCK + c] : 0.0f);
    }
    for (unsigned j = threadIdx.x; j < OUTPUTS; j += THREADS)
        s->unit[j] = output + j < a.n
                   ? to_float(a.w.unit[(size_t)(output + j) * a.w.blocks + block]) : 0.0f;
}

template <typename T> static __device__ __forceinline__ unsigned pair(const T *at)
{
    return *reinterpret_cast<const unsigned *>(at);
}

/* y[i][.] += unit * (x w^T over the block) for 16 rows and eight outputs each i. */
template <typename T>
static __device__ void multiply_block(float (&y)[OUTPUTS / 8][4], const tiles<T> &s)
{
    unsigned warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    unsigned row = warp * 16 + lane / 4, column = lane % 4 * 2;
    for (unsigned i = 0; i < OUTPUTS / 8; i++) {
        float sum[4] = { 0.0f, 0.0f, 0.0f, 0.0f };
        for (unsigned c = column; c < BLOCK; c += 16) {
            const unsigned a[4] = { pair(&s.x[row][c]), pair(&s.x[row + 8][c]),
                                    pair(&s.x[row][c + 8]), pair(&s.x[row + 8][c + 8]) };
            mma<T>(sum, a, pair(&s.w[i * 8 + lane / 4][c]), pair(&s.w[i * 8 + lane / 4][c + 8]));
        }
        for (unsigned j = 0; j < 4; j++)
            y[i][j] = fmaf(sum[j], s.unit[i * 8 + column + j % 2], y[i][j]);
    }
}

template <typename T>
static __global__ void __launch_bounds__(THREADS) multiply_kernel(const __grid_constant__ q8_call a)
{
    __shared__ tiles<T> s;
    unsigned output = blockIdx.x * OUTPUTS, row = blockIdx.y * ROWS;
    unsigned warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    float y[OUTPUTS / 8][4] = { { 0.0f } };
    for (unsigned block = 0; block < a.w.blocks; block++) {
        load_tiles(&s, a, row, output, block);
        __syncthreads();
        multiply_block(y, s);
        __syncthreads();
    }
    for (unsigned i = 0; i < OUTPUTS / 8; i++) {
        for (unsigned j = 0; j < 4; j++) {
            unsigned t = row + warp * 16 + lane / 4 + j / 2 * 8;
            unsigned at = output + i * 8 + lane % 4 * 2 + j % 2;
            if (t >= a.rows || at >= a.n)
                continue;
            float bias = a.bias != NULL ? to_float(reinterpret_cast<const T *>(a.bias)[at]) : 0.0f;
            reinterpret_cast<T *>(a.y)[(size_t)t * a.n + at]
                = from_float<T>(activated(y[i][j] + bias, a.act));
        }
    }
}

template <typename T>
static osc_status multiply(osc_device *device, const osc_cuda_layer *p, const void *blocks)
{
    dim3 grid((unsigned)((p->n + OUTPUTS - 1) / OUTPUTS), (unsigned)((p->rows + ROWS - 1) / ROWS));
    multiply_kernel<T><<<grid, THREADS, 0, device->stream>>>(q8_call_of(p, blocks));
    return osc_cuda_launched("multiplying blocks of codes");
}

osc_status osc_cuda_q8_multiply(osc_device *device, const osc_cuda_layer *p, const void *blocks)
{
    bool done = false;
    if (rows_aligned(p->x, p->k))
        OSC_TRY(p->rows <= FEW_ROWS ? osc_cuda_q8_few(device, &done, p, blocks)
                                    : osc_cuda_q8_many(device, &done, p, blocks));
    return done ? OSC_OK : OSC_CUDA_BY_DTYPE(device, multiply, device, p, blocks);
}

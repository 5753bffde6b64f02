/* Columns of an activation whose values reach a threshold: one bit each, set by the kernel
 * that makes the activation (known.h).  Values reach it rarely, so that looking for one
 * among many values is all it costs as a rule. */
#ifndef OSC_CUDA_FLAGS_CUH
#define OSC_CUDA_FLAGS_CUH

#include "cuda/codes.cuh"

/* Larger of the sizes of 16-bit floats, two in a word; NaN is passed over. */
static __device__ __forceinline__ unsigned larger2(unsigned most, unsigned word, __half)
{
    __half2 a = *reinterpret_cast<__half2 *>(&most), b = *reinterpret_cast<__half2 *>(&word);
    a = __hmax2(a, __habs2(b));
    return *reinterpret_cast<unsigned *>(&a);
}

static __device__ __forceinline__ unsigned larger2(unsigned most, unsigned word, __nv_bfloat16)
{
    __nv_bfloat162 a = *reinterpret_cast<__nv_bfloat162 *>(&most);
    __nv_bfloat162 b = *reinterpret_cast<__nv_bfloat162 *>(&word);
    a = __hmax2(a, __habs2(b));
    return *reinterpret_cast<unsigned *>(&a);
}

template <typename T>
static __device__ __forceinline__ void larger8(uint4 *most, uint4 v)
{
    most->x = larger2(most->x, v.x, T());
    most->y = larger2(most->y, v.y, T());
    most->z = larger2(most->z, v.z, T());
    most->w = larger2(most->w, v.w, T());
}

/* Bit j is set if the j-th of eight sizes reaches the threshold. */
template <typename T>
static __device__ __forceinline__ unsigned reach8(uint4 most, float threshold)
{
    const unsigned word[4] = { most.x, most.y, most.z, most.w };
    unsigned bits = 0;
#pragma unroll
    for (unsigned j = 0; j < 8; j++)
        bits |= bits16<T>::value(word[j / 2] >> j % 2 * 16 & 0xffff) >= threshold ? 1u << j : 0;
    return bits;
}

/* --- setting bits ------------------------------------------------------------------------- */

/* To be called by all threads of the grid, after earlier kernels. */
static __device__ __forceinline__ void clear_next(const osc_cuda_flags &f)
{
    if (f.bits == NULL)
        return;
    unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
    unsigned step = gridDim.x * gridDim.y * gridDim.z * blockDim.x;
    for (unsigned i = block * blockDim.x + threadIdx.x; i < f.cleared; i += step)
        f.clear[i] = 0;
}

/* Those of the sequence that row is of. */
static __device__ __forceinline__ osc_cuda_flags of_row(const osc_cuda_flags &f, unsigned row)
{
    osc_cuda_flags own = f;
    if (f.bits != NULL)
        own.bits += row / f.rows * f.words;
    return own;
}

/* Whether one of the sizes in a word does. */
template <typename T>
static __device__ __forceinline__ bool reaches(unsigned sizes, float threshold)
{
    return !(bits16<T>::value(sizes & 0xffff) < threshold
             && bits16<T>::value(sizes >> 16) < threshold);
}

/* Bits `reached` of eight columns from i on, a multiple of 8.  Most were set before. */
static __device__ __forceinline__ void set_flags(const osc_cuda_flags &f, unsigned i,
                                                 unsigned reached)
{
    unsigned before;
    if (i >= f.width)
        return;
    reached &= f.width - i < 8 ? (1u << (f.width - i)) - 1 : 0xffu;
    reached <<= i % 32;
    asm volatile("ld.relaxed.gpu.global.u32 %0, [%1];" : "=r"(before) : "l"(f.bits + i / 32));
    if (reached & ~before)
        atomicOr(f.bits + i / 32, reached);
}

/* Eight values of columns from i on, a multiple of 8. */
template <typename T>
static __device__ __forceinline__ void flag8(const osc_cuda_flags &f, unsigned i, uint4 v)
{
    if (f.bits == NULL)
        return;
    unsigned most = larger2(larger2(larger2(larger2(0, v.x, T()), v.y, T()), v.z, T()), v.w, T());
    if (!reaches<T>(most, f.threshold))
        return;
    uint4 size = make_uint4(0, 0, 0, 0);
    larger8<T>(&size, v);
    set_flags(f, i, reach8<T>(size, f.threshold));
}

/* One value of column i; as a size, NaN counts as 0. */
template <typename T>
static __device__ __forceinline__ void flag1(const osc_cuda_flags &f, unsigned i, T v)
{
    if (f.bits != NULL && fmaxf(fabsf(to_float(v)), 0.0f) >= f.threshold)
        set_flags(f, i / 8 * 8, 1u << i % 8);
}

/* The i-th piece of a row, of COUNT values: one or eight, these aligned to 16 bytes. */
template <typename T, int COUNT>
static __device__ __forceinline__ void flag_piece(const osc_cuda_flags &f, size_t i, const T *at)
{
    if constexpr (COUNT == 8)
        flag8<T>(f, (unsigned)i * 8, *reinterpret_cast<const uint4 *>(at));
    else
        flag1<T>(f, (unsigned)i, at[0]);
}

#endif

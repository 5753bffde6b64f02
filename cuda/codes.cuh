/* Coding of values in kernels: the arithmetic of backend/codes.h, value for value
 * that of the CPU backend. */
#ifndef OSC_CUDA_CODES_CUH
#define OSC_CUDA_CODES_CUH

#include "cuda/activate.cuh"
#include "cuda/codes.h"
#include "cuda/element.cuh"
#include "cuda/launch.cuh"

/* --- copies and messages --------------------------------------------------------------------- */

/* From memory to shared memory, without registers; copies_arrived() waits for a
 * thread's own. */
static __device__ __forceinline__ void copy16(void *shared, const void *from)
{
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;"
                 :: "r"((unsigned)__cvta_generic_to_shared(shared)), "l"(from) : "memory");
}

static __device__ __forceinline__ void copy4(void *shared, const void *from)
{
    asm volatile("cp.async.ca.shared.global [%0], [%1], 4;"
                 :: "r"((unsigned)__cvta_generic_to_shared(shared)), "l"(from) : "memory");
}

static __device__ __forceinline__ void copies_arrived()
{
    asm volatile("cp.async.wait_all;" ::: "memory");
}

/* 16 bytes that other CTAs see at once or not at all. */
static __device__ __forceinline__ void store_whole(uint4 *to, uint4 v)
{
    asm volatile("{ .reg .b128 v;\n.reg .b64 low, high;\nmov.b64 low, {%1, %2};\n"
                 "mov.b64 high, {%3, %4};\nmov.b128 v, {low, high};\n"
                 "st.relaxed.gpu.global.b128 [%0], v; }"
                 :: "l"(to), "r"(v.x), "r"(v.y), "r"(v.z), "r"(v.w) : "memory");
}

static __device__ __forceinline__ uint4 load_whole(const uint4 *from)
{
    uint4 v;
    asm volatile("{ .reg .b128 v;\n.reg .b64 low, high;\n"
                 "ld.relaxed.gpu.global.b128 v, [%4];\nmov.b128 {low, high}, v;\n"
                 "mov.b64 {%0, %1}, low;\nmov.b64 {%2, %3}, high; }"
                 : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w) : "l"(from) : "memory");
    return v;
}

/* --- 16-bit values as ordered integers -------------------------------------------------- */

template <typename T> struct bits16;
template <> struct bits16<__half> {
    enum { INFINITE = 0x7c00 };
    static __device__ __forceinline__ float value(unsigned bits)
    {
        return __half2float(__ushort_as_half((unsigned short)bits));
    }
};
template <> struct bits16<__nv_bfloat16> {
    enum { INFINITE = 0x7f80 };
    static __device__ __forceinline__ float value(unsigned bits)
    {
        return __uint_as_float(bits << 16);
    }
};

/* Two 16-bit floats in a word to two signed integers of the same order; its own inverse. */
static __device__ __forceinline__ unsigned keys16(unsigned word)
{
    return word ^ (__vcmplts2(word, 0u) & 0x7fff7fffu);
}

/* The same for one float. */
static __device__ __forceinline__ int32_t key32(float x)
{
    int32_t bits = __float_as_int(x);
    return bits ^ (bits >> 31 & 0x7fffffff);
}

static __device__ __forceinline__ float value_of_key(int32_t key)
{
    return __int_as_float(key ^ (key >> 31 & 0x7fffffff));
}

/* --- scales ------------------------------------------------------------------------------ */

typedef struct {
    float scale;
    int   zero;
} code_scale;

/* Of a set whose extremes are these keys; an empty set has low > high. */
static __device__ __forceinline__ code_scale scale_of(int32_t low, int32_t high, bool zeropoint)
{
    float least = value_of_key(low), most = value_of_key(high);
    if (low > high)
        return { 1.0f, 0 };
    if (!isfinite(least) || !isfinite(most))
        return { __int_as_float(0x7fc00000), 0 };
    if (!zeropoint) {
        float size = -least > most ? -least : most;
        float scale = size > 0.0f ? __fdiv_rn(127.0f, size) : 1.0f;
        return { isinf(scale) ? 1.0f : scale, 0 };
    }
    float width = __fsub_rn(most, least);
    float scale = __fdiv_rn(254.0f, width > 0.0f ? width : 1.0f);
    if (isinf(scale))
        scale = 254.0f;
    double zero = -(double)rintf(__fmul_rn(scale, least)) - 127.0;
    if (isinf(width) || !(fabs(zero) <= 2147483647.0))
        return { __int_as_float(0x7fc00000), 0 };
    return { scale, (int)zero };
}

/* The code of a finite value that belongs to the set, in the low byte: adding
 * 1.5 * 2^23 rounds to an integer, half to even, as |x scale| < 2^22. */
static __device__ __forceinline__ int symmetric_code(float x, float scale)
{
    return __float_as_int(__fadd_rn(__fmul_rn(x, scale), 12582912.0f));
}

static __device__ __forceinline__ int zeropoint_code(float x, code_scale s)
{
    long long v = __float2ll_rn(__fmul_rn(x, s.scale)) + s.zero;
    return v > 127 ? 127 : v < -127 ? -127 : (int)v;
}

template <bool ZERO> static __device__ __forceinline__ int code_of(float x, code_scale s)
{
    return ZERO ? zeropoint_code(x, s) : symmetric_code(x, s.scale);
}

/* --- products ---------------------------------------------------------------------------- */

/* What every kernel of them is told, see osc_cuda_layer. */
struct product_call {
    void           *y;
    const void     *x, *bias;
    osc_cuda_weight w;
    osc_cuda_codes  c;
    int32_t        *sum;
    unsigned        rows, n, k;
    osc_act         act;
    osc_cuda_flags  flags;
    osc_cuda_removed removed;     /* where sequences differ in them; bits NULL: they do not */
};

/* Whether a listed column is one of those of the row's sequence. */
static __device__ __forceinline__ bool is_removed(const product_call &a, unsigned row,
                                                  size_t column)
{
    const osc_cuda_removed &r = a.removed;
    return row < a.rows
        && (r.bits == NULL
            || (r.bits[row / r.rows * r.words + column / 32] >> column % 32 & 1) != 0);
}

static inline void fill_call(product_call *a, const osc_device *device, const osc_cuda_layer *p)
{
    a->y = p->y;
    a->x = p->x;
    a->bias = p->bias;
    a->w = p->w;
    a->c = *device->codes;
    a->sum = p->sum;
    a->rows = (unsigned)p->rows;
    a->n = (unsigned)p->n;
    a->k = (unsigned)p->k;
    a->act = p->act;
    a->flags = p->flags;
    a->removed = p->removed;
}

/* --- outputs ----------------------------------------------------------------------------- */

/* Of a row of x, as in osc_cuda_codes; without zero points only `inverse` counts. */
struct row_scale {
    float  inverse, outliers;
    double zero, kept;
};

/* Of an output of w; without zero points `zero` and `kept`, the sum of its codes over kept
 * columns, do not count. */
struct output_scale {
    float   inverse;
    int32_t zero, kept;
    bool    stored;              /* removed columns are multiplied as stored, not as codes */
};

/* (sum - z_x kept_w - z_w kept_x) / s_x of a sum of codes. */
template <bool ZERO>
static __device__ __forceinline__ float half_scaled(int sum, const row_scale &x, int32_t zero_w,
                                                    int32_t kept_w)
{
    float value = (float)sum;
    if (ZERO) {
        double exact = (double)sum - x.zero * (double)kept_w;
        value = (float)(exact - (double)zero_w * x.kept);
    }
    return value * x.inverse;
}

/* An output before bias and activation; `side` is the removed columns' part. */
template <bool ZERO>
static __device__ __forceinline__ float scaled(int sum, float side, const row_scale &x,
                                               const output_scale &w)
{
    float value = half_scaled<ZERO>(sum, x, w.zero, w.kept);
    if (w.stored)
        return value * w.inverse + side;
    if (ZERO)
        side -= (float)w.zero * x.outliers;
    return (value + side) * w.inverse;
}

#endif

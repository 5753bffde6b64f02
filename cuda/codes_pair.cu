/* Products of codes with few rows: each code of w is read once, and reading them is what it
 * costs (stream.cuh).  Every CTA codes x itself. */
#include <config.h>
#include "cuda/codes_x.cuh"
#include "cuda/stream.cuh"

enum {
    THREADS = 256,
    WARPS = THREADS / 32,
    RESIDENT = 2,             /* CTAs of a multiprocessor */
    AHEAD = 8,                /* removed columns of w that are loaded before a product */
    MOST_ROWS = 4,            /* beyond them multiplying costs more than reading ... */
    SHORT = 1024,             /* ... but for rows of so few codes */
    X_BYTES = 96 << 10        /* of codes of x in shared memory */
};

/* One of several products of the same x. */
struct part {
    void        *y, *plus;
    const void  *bias;
    osc_cuda_weight w;
    unsigned     n;
    osc_act      act;
};

struct call {
    const void  *x;
    part         parts[OSC_PRODUCTS];
    streams      codes;
    unsigned     rows, k;
    osc_remove   remove;
    float        threshold;
};

struct facts : few_rows {
    /* read 16 bytes at a time, none of which another thread may be writing */
    __align__(16) extremes part[FEW_ROWS][WARPS];
    code_scale scale[FEW_ROWS];
    int      sum[FEW_ROWS][WARPS];            /* of codes and of removed values */
    float    gone[FEW_ROWS][WARPS];
};

/* --- the product of codes --------------------------------------------------------------- */

static __device__ __forceinline__ int dot16(uint4 w, uint4 x, int sum)
{
    sum = __dp4a((int)w.x, (int)x.x, sum);
    sum = __dp4a((int)w.y, (int)x.y, sum);
    sum = __dp4a((int)w.z, (int)x.z, sum);
    return __dp4a((int)w.w, (int)x.w, sum);
}

/* Adds the products of a batch with up to MOST rows of x to this lane's sums. */
template <int MOST>
static __device__ __forceinline__ void multiply(int (&sum)[STREAM_ROWS][MOST], const batch &b,
                                                const call &a, const int8_t *code_x,
                                                unsigned base)
{
#pragma unroll
    for (unsigned j = 0; j < STREAM_STEPS; j++) {
        unsigned i = base + (j * 32 + threadIdx.x % 32) * 16;
        if (i >= a.codes.bytes)
            continue;
#pragma unroll
        for (unsigned t = 0; t < MOST; t++) {
            if (MOST > 1 && t >= a.rows)
                continue;
            uint4 x = *reinterpret_cast<const uint4 *>(code_x + t * a.codes.bytes + i);
#pragma unroll
            for (unsigned r = 0; r < STREAM_ROWS; r++)
                sum[r][t] = dot16(b.at[r][j], x, sum[r][t]);
        }
    }
}

/* --- coding x, every CTA for itself --------------------------------------------------- */

static __device__ __forceinline__ unsigned padding8(unsigned i, unsigned k)
{
    return i + 8 <= k ? 0 : i >= k ? 0xffu : 0xffu << (k - i) & 0xffu;
}

/* Bits of removed columns among eight. */
template <typename T, int MOST>
static __device__ __forceinline__ unsigned removed_of(const call &a, const uint4 (&x)[MOST],
                                                      const uint32_t *bits, unsigned i)
{
    if (a.remove == OSC_REMOVE_FIXED)
        return removed8(bits, i);
    if (a.remove != OSC_REMOVE_ABSOLUTE)
        return 0;
    uint4 most = make_uint4(0, 0, 0, 0);
#pragma unroll
    for (unsigned t = 0; t < MOST; t++)
        larger8<T>(&most, x[t]);
    return reach8<T>(most, a.threshold) & ~padding8(i, a.k);
}

/* Rows of x from column i on; rows that are not there are zeros. */
template <typename T, int MOST>
static __device__ __forceinline__ void load_rows(uint4 (&x)[MOST], const call &a, unsigned i)
{
#pragma unroll
    for (unsigned t = 0; t < MOST; t++)
        x[t] = t < a.rows ? load8<true>((const T *)a.x + (size_t)t * a.k, i, a.k)
                          : make_uint4(0, 0, 0, 0);
}

/* Removed columns and extremes of rows in one pass: a thread has all rows of its
 * columns.  Sets all bits; leaves the extremes of each warp in f->part. */
template <typename T, bool ZERO, int MOST>
static __device__ void look_at_x(const call &a, facts *f, uint32_t *bits)
{
    enum { AT_ONCE = MOST <= 2 ? 4 : 8 / MOST };      /* times eight columns of a thread */
    unsigned columns = bit_words(a.k) * 32;
    extremes e[MOST];
#pragma unroll
    for (unsigned t = 0; t < MOST; t++)
        e[t] = no_extremes<ZERO>();
    for (unsigned first = threadIdx.x * 8; first < columns; first += THREADS * 8 * AT_ONCE) {
        uint4 x[AT_ONCE][MOST];
#pragma unroll
        for (unsigned j = 0; j < AT_ONCE; j++)
            load_rows<T, MOST>(x[j], a, first + j * THREADS * 8);
#pragma unroll
        for (unsigned j = 0; j < AT_ONCE; j++) {
            unsigned i = first + j * THREADS * 8;
            if (i >= columns)
                break;
            unsigned removed = removed_of<T, MOST>(a, x[j], bits, i);
            reinterpret_cast<uint8_t *>(bits)[i / 8] = (uint8_t)removed;
#pragma unroll
            for (unsigned t = 0; t < MOST; t++)
                extend<ZERO>(&e[t], without<ZERO>(x[j][t], removed), removed | padding8(i, a.k));
        }
    }
#pragma unroll
    for (unsigned t = 0; t < MOST; t++) {
        e[t] = warp_extremes<ZERO>(e[t]);
        if (threadIdx.x % 32 == 0)
            f->part[t][threadIdx.x / 32] = e[t];
    }
}

template <typename T, bool ZERO>
static __device__ code_scale scale_from(const extremes *part)
{
    int32_t low, high;
    extremes e = part[0];
    for (unsigned i = 1; i < WARPS; i++) {
        if (ZERO)
            e.low = (unsigned)min((int)e.low, (int)part[i].low);
        e.high = ZERO ? (unsigned)max((int)e.high, (int)part[i].high) : max(e.high, part[i].high);
    }
    float_keys<T, ZERO>(&low, &high, e);
    return scale_of(low, high, ZERO);
}

/* What warp 0 does meanwhile: the list of removed columns, and x in them. */
template <typename T>
static __device__ void list_removed(const call &a, facts *f, const uint32_t *bits)
{
    unsigned all = list_columns(f->list, CODES_SIDE, NULL, bits, bit_words(a.k));
    if (threadIdx.x == 0)
        f->removed = all;
    __syncwarp();
    f->take_side(reinterpret_cast<const T *>(a.x), a.rows, a.k, 32);
}

/* The warps but the first code a row. */
template <typename T, bool ZERO>
static __device__ void code_row(const call &a, facts *f, int8_t *code, unsigned t,
                                const uint32_t *bits, code_scale s)
{
    int sum = 0;
    float gone = 0.0f;
    for (unsigned i = (threadIdx.x - 32) * 8; i < a.codes.bytes; i += (THREADS - 32) * 8) {
        uint4 x = load8<true>((const T *)a.x + (size_t)t * a.k, i, a.k);
        unsigned removed = removed8(bits, i) | padding8(i, a.k);
        uint2 q = code8<T, ZERO>(without<ZERO>(x, removed), removed, s, &sum, &gone);
        *reinterpret_cast<uint2 *>(code + t * a.codes.bytes + i) = isnan(s.scale)
                                                                 ? make_uint2(0, 0) : q;
    }
    if (threadIdx.x == 32) {
        f->inverse[t] = __fdiv_rn(1.0f, s.scale);
        f->zero[t] = (double)s.zero;
    }
    if (!ZERO)
        return;
    sum = __reduce_add_sync(~0u, sum);
    for (unsigned d = 16; d > 0; d /= 2)
        gone += __shfl_xor_sync(~0u, gone, d);
    if (threadIdx.x % 32 == 0) {
        f->sum[t][threadIdx.x / 32] = isnan(s.scale) ? 0 : sum;
        f->gone[t][threadIdx.x / 32] = gone;
    }
}

/* Sums of codes and of removed values of row t. */
static __device__ void add_up(const call &a, facts *f, unsigned t)
{
    int sum = 0;
    float gone = 0.0f;
    for (unsigned i = 1; i < WARPS; i++) {
        sum += f->sum[t][i];
        gone += f->gone[t][i];
    }
    f->kept[t] = (double)sum - (double)(a.k - f->removed) * f->zero[t];
    f->outliers[t] = gone;
}

static __device__ void set_fixed(const call &a, uint32_t *bits)
{
    const uint32_t *columns = a.parts[0].w.columns;
    for (unsigned w = threadIdx.x; w < bit_words(a.k); w += THREADS)
        bits[w] = 0;
    __syncthreads();
    for (unsigned i = threadIdx.x; i < columns[0]; i += THREADS)
        atomicOr(&bits[columns[1 + i] / 32], 1u << columns[1 + i] % 32);
    __syncthreads();
}

/* One or two scales every thread finds for itself, more are found once. */
template <typename T, bool ZERO, int MOST>
static __device__ void code_x(const call &a, facts *f, int8_t *code, uint32_t *bits)
{
    look_at_x<T, ZERO, MOST>(a, f, bits);
    __syncthreads();
    if (MOST > 2) {
        if (threadIdx.x < a.rows)
            f->scale[threadIdx.x] = scale_from<T, ZERO>(f->part[threadIdx.x]);
        __syncthreads();
    }
    if (threadIdx.x < 32)
        list_removed<T>(a, f, bits);
    else
        for (unsigned t = 0; t < a.rows; t++)
            code_row<T, ZERO>(a, f, code, t, bits,
                              MOST > 2 ? f->scale[t] : scale_from<T, ZERO>(f->part[t]));
    __syncthreads();
    if (!ZERO)
        return;
    if (threadIdx.x < a.rows)
        add_up(a, f, threadIdx.x);
    __syncthreads();
}

/* --- the outputs ---------------------------------------------------------------------- */

/* An element of a removed column as it lies in memory: 16 bits as stored, or a code. */
static __device__ __forceinline__ uint16_t removed_bits(const osc_cuda_weight &w, unsigned row,
                                                        unsigned column)
{
    if (w.stored != NULL)
        return w.stored[(size_t)column * w.rows + row];
    return (uint16_t)(int16_t)w.code[(size_t)row * w.stride + column];
}

template <typename T>
static __device__ __forceinline__ float removed_weight(const osc_cuda_weight &w, uint16_t bits)
{
    return w.stored != NULL ? bits16<T>::value(bits) : (float)(int16_t)bits;
}

/* What a thread needs to finish its output; loaded before the product, used after. */
struct ending {
    float    inverse;
    uint16_t bias, plus, removed[AHEAD];
};

/* A warp's sums wait for each other, so that its lanes finish them at the same time: lane
 * (u * STREAM_ROWS + r) * MOST + t that of row t of x and output r of the u-th of so many units. */
template <int MOST> struct group {
    enum { SUMS = STREAM_ROWS * MOST, UNITS = 32 / SUMS };
};

/* Which output this lane finishes. */
struct output {
    unsigned number, row, n, t;      /* product, row of codes, output, row of x */
    bool     in;
};

/* Units `unit`, unit + step ... */
template <int MOST>
static __device__ __forceinline__ output output_of(const call &a, unsigned unit, unsigned step)
{
    unsigned lane = threadIdx.x % 32;
    output o = {};
    unit += lane / group<MOST>::SUMS * step;
    if (unit >= a.codes.units)
        return o;
    stream_rows rows = rows_of(a.codes, unit);
    o.number = rows.number;
    o.row = rows.first + lane / MOST % STREAM_ROWS;
    o.n = osc_cuda_code_row(o.row);
    o.t = lane % MOST;
    o.in = o.t < a.rows && o.n < a.parts[o.number].n;
    return o;
}

/* What belongs to w alone. */
static __device__ __forceinline__ void load_ending(ending *e, const call &a, const output &o)
{
    const part &p = a.parts[o.number];
    e->inverse = o.in ? p.w.inverse[o.n] : 0.0f;
    e->bias = o.in && p.bias != NULL ? reinterpret_cast<const uint16_t *>(p.bias)[o.n] : 0;
}

/* The rest, once the kernel before has ended and the removed columns are known. */
static __device__ __forceinline__ void load_removed(ending *e, const call &a, const facts *f,
                                                    const output &o)
{
    const part &p = a.parts[o.number];
#pragma unroll
    for (unsigned i = 0; i < AHEAD; i++)
        e->removed[i] = o.in && i < f->removed ? removed_bits(p.w, o.row, f->list[i]) : 0;
    e->plus = o.in && p.plus != NULL
            ? reinterpret_cast<const uint16_t *>(p.plus)[(size_t)o.t * p.n + o.n] : 0;
}

/* The next removed column after the listed ones. */
static __device__ unsigned later_column(const uint32_t *bits, unsigned before)
{
    unsigned column = before + 1;
    while ((bits[column / 32] >> column % 32 & 1) == 0)
        column++;
    return column;
}

/* x_O w_O^T for a row of x and a row of codes of w; *gone: sum of codes of w there. */
template <typename T, bool ZERO>
static __device__ float removed_part(const call &a, const facts *f, const uint32_t *bits,
                                     const ending &e, const output &o, int *gone)
{
    const osc_cuda_weight &w = a.parts[o.number].w;
    const int8_t *code = w.code + (size_t)o.row * w.stride;
    float sum = 0.0f;
    unsigned count = min(f->removed, (unsigned)CODES_SIDE), column = 0;
#pragma unroll
    for (unsigned i = 0; i < AHEAD; i++)
        if (i < count)
            sum = fmaf(f->side[o.t][i], removed_weight<T>(w, e.removed[i]), sum);
#pragma unroll 8
    for (unsigned i = AHEAD; i < count; i++)
        sum = fmaf(f->side[o.t][i], removed_weight<T>(w, removed_bits(w, o.row, f->list[i])), sum);
    for (unsigned i = 0; ZERO && i < count; i++)
        *gone += code[f->list[i]];
    if (f->removed > count)
        column = f->list[count - 1];
    for (unsigned i = count; i < f->removed; i++) {
        column = later_column(bits, column);
        sum = fmaf(to_float(reinterpret_cast<const T *>(a.x)[(size_t)o.t * a.k + column]),
                   removed_weight<T>(w, removed_bits(w, o.row, column)), sum);
        if (ZERO)
            *gone += code[column];
    }
    return sum;
}

template <typename T, bool ZERO>
static __device__ void finish(const call &a, const facts *f, const uint32_t *bits, const ending &e,
                              const output &o, int sum)
{
    int gone = 0;
    const part &p = a.parts[o.number];
    float side = removed_part<T, ZERO>(a, f, bits, e, o, &gone);
    output_scale w = { e.inverse, ZERO ? p.w.zero[o.n] : 0, ZERO ? p.w.total[o.n] - gone : 0,
                       p.w.stored != NULL };
    float value = scaled<ZERO>(sum, side, f->of_row(o.t), w);
    if (p.bias != NULL)
        value += bits16<T>::value(e.bias);
    T y = from_float<T>(activated(value, p.act));
    size_t at = (size_t)o.t * p.n + o.n;
    if (p.plus == NULL)
        reinterpret_cast<T *>(p.y)[at] = y;
    else
        reinterpret_cast<T *>(p.plus)[at] = from_float<T>(bits16<T>::value(e.plus) + to_float(y));
}

/* All units of this warp from `unit` on; two batches are on their way, and what belongs to w
 * of the first group is in `e`. */
template <typename T, bool ZERO, int MOST>
static __device__ __forceinline__ void do_units(const call &a, const facts *f,
                                                batch (&first)[2], stream_place ahead,
                                                unsigned unit, ending e, const int8_t *code_x,
                                                const uint32_t *bits)
{
    enum { SUMS = group<MOST>::SUMS, UNITS = group<MOST>::UNITS };
    unsigned step = gridDim.x * WARPS, done = 0;
    int sum[STREAM_ROWS][MOST] = {}, mine = 0;
    output o = output_of<MOST>(a, unit, step);
    load_removed(&e, a, f, o);
    for_batches(a.codes, first, ahead, unit, step, [&](const batch &b, unsigned base) {
        multiply<MOST>(sum, b, a, code_x, base);
    }, [&](unsigned) {
#pragma unroll
        for (unsigned i = 0; i < SUMS; i++) {
            int all = __reduce_add_sync(~0u, sum[i / MOST][i % MOST]);
            mine = threadIdx.x % 32 == done * SUMS + i ? all : mine;
            sum[i / MOST][i % MOST] = 0;
        }
        done++;
    }, [&](unsigned next) {
        if (done + 2 <= UNITS && next < a.codes.units)
            return;
        if (o.in && threadIdx.x % 32 < done * SUMS)
            finish<T, ZERO>(a, f, bits, e, o, mine);
        done = 0;
        o = output_of<MOST>(a, next, step);
        load_ending(&e, a, o);
        load_removed(&e, a, f, o);
    });
}

/* Up to MOST rows. */
template <typename T, bool ZERO, int MOST>
static __global__ void __launch_bounds__(THREADS, RESIDENT)
pair_kernel(const __grid_constant__ call a)
{
    extern __shared__ uint4 memory[];
    __shared__ facts f;
    int8_t *code = reinterpret_cast<int8_t *>(memory);
    uint32_t *bits = reinterpret_cast<uint32_t *>(code + a.rows * a.codes.bytes);
    unsigned unit = blockIdx.x * WARPS + threadIdx.x / 32, step = gridDim.x * WARPS;
    batch first[2];
    ending e;
    let_next_kernel();
    stream_place ahead = begin_stream(first, a.codes, unit, step);
    load_ending(&e, a, output_of<MOST>(a, unit, step));
    if (a.remove == OSC_REMOVE_FIXED)
        set_fixed(a, bits);
    after_last_kernel();
    code_x<T, ZERO, MOST>(a, &f, code, bits);
    do_units<T, ZERO, MOST>(a, &f, first, ahead, unit, e, code, bits);
}

/* --- launching ------------------------------------------------------------------------ */

template <typename T, bool ZERO, int MOST>
static osc_status launch_kernel(osc_device *device, const call &a)
{
    unsigned most = (unsigned)(RESIDENT * device->processors);
    size_t shared = (size_t)a.rows * a.codes.bytes + bit_words(a.k) * sizeof(uint32_t);
    OSC_CUDA_TRY(cudaFuncSetAttribute(pair_kernel<T, ZERO, MOST>,
                                      cudaFuncAttributeMaxDynamicSharedMemorySize, (int)shared),
                 "taking shared memory");
    return launch_after(device, "multiplying codes of few rows", pair_kernel<T, ZERO, MOST>,
                        stream_blocks(a.codes, WARPS, most), THREADS, shared, a);
}

template <typename T, bool ZERO>
static osc_status launch_rows(osc_device *device, const call &a)
{
    return a.rows == 1 ? launch_kernel<T, ZERO, 1>(device, a)
         : a.rows == 2 ? launch_kernel<T, ZERO, 2>(device, a)
         : a.rows <= MOST_ROWS ? launch_kernel<T, ZERO, MOST_ROWS>(device, a)
                       : launch_kernel<T, ZERO, FEW_ROWS>(device, a);
}

template <typename T>
static osc_status launch(osc_device *device, const osc_cuda_layer *layers, size_t count)
{
    call a = {};
    a.x = layers->x;
    a.rows = (unsigned)layers->rows;
    a.k = (unsigned)layers->k;
    a.codes.bytes = (unsigned)layers->w.stride;
    a.remove = layers->coding.remove;
    a.threshold = layers->coding.threshold;
    for (size_t i = 0; i < count; i++) {
        const osc_cuda_layer *p = &layers[i];
        a.parts[i] = { p->y, p->plus, p->bias, p->w, (unsigned)p->n, p->act };
        add_stream(&a.codes, i, p->w.code, p->w.rows);
    }
    return layers->coding.zeropoint ? launch_rows<T, true>(device, a)
                                    : launch_rows<T, false>(device, a);
}

bool osc_cuda_pair_fits(const osc_device *device, const osc_cuda_layer *p)
{
    size_t most = p->w.stride <= (size_t)SHORT ? (size_t)FEW_ROWS : (size_t)MOST_ROWS;
    (void)device;
    return p->rows <= most && p->rows * p->w.stride <= X_BYTES && p->sum == NULL
        && rows_aligned(p->x, p->k)
        && p->coding.x == OSC_SHARE_ROW && p->coding.remove != OSC_REMOVE_RATIO
        && p->coding.remove != OSC_REMOVE_TOP;
}

osc_status osc_cuda_pair_multiply(osc_device *device, const osc_cuda_layer *p)
{
    return osc_cuda_pair_multiply_several(device, p, 1);
}

osc_status osc_cuda_pair_multiply_several(osc_device *device, const osc_cuda_layer *layers,
                                          size_t count)
{
    return OSC_CUDA_BY_DTYPE(device, launch, device, layers, count);
}

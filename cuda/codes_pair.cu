/* The product of codes with one or two rows: each code of w is read once, and reading
 * them is what it costs.  A warp takes two outputs at a time, whose rows of codes it
 * reads from end to end; the next codes are under way while it multiplies, from before
 * the kernel before has ended up to the last outputs.  Every CTA codes x itself. */
#include <config.h>
#include "cuda/codes_x.cuh"

enum {
    THREADS = 256,
    WARPS = THREADS / 32,
    RESIDENT = 2,             /* CTAs of a multiprocessor */
    OUTPUTS = 2,              /* of a warp at a time */
    STEPS = 4,                /* times 512 codes of each: a batch */
    BATCH = STEPS * 512,
    AHEAD = 8,                /* removed columns of w that are loaded before a product */
    X_BYTES = 64 << 10        /* of codes of x in shared memory */
};

struct call {
    void        *y;
    const void  *x, *bias;
    osc_cuda_weight w;
    unsigned     rows, n, k, units;      /* units: of OUTPUTS outputs */
    osc_act      act;
    osc_remove   remove;
    float        threshold;
};

/* What a CTA knows of x. */
struct facts {
    float    inverse[PAIR_ROWS], outliers[PAIR_ROWS];
    double   zero[PAIR_ROWS], kept[PAIR_ROWS];
    uint32_t list[CODES_SIDE];
    float    side[PAIR_ROWS][CODES_SIDE];      /* x in these columns */
    unsigned removed;
};

/* --- codes of w on their way ------------------------------------------------------------ */

struct batch {
    uint4 code[OUTPUTS][STEPS];
};

static __device__ __forceinline__ uint4 stream16(const int8_t *at)
{
    uint4 v;
    asm volatile("ld.global.nc.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w) : "l"(at));
    return v;
}

/* Codes from column `base` on of the rows of a unit. */
static __device__ __forceinline__ void load_batch(batch *b, const call &a, unsigned unit,
                                                  unsigned base)
{
    const int8_t *from = a.w.code + (size_t)unit * OUTPUTS * a.w.stride;
#pragma unroll
    for (unsigned j = 0; j < STEPS; j++) {
        unsigned i = base + (j * 32 + threadIdx.x % 32) * 16;
        bool in = unit < a.units && i < a.w.stride;
#pragma unroll
        for (unsigned r = 0; r < OUTPUTS; r++)
            b->code[r][j] = in ? stream16(from + r * a.w.stride + i) : make_uint4(0, 0, 0, 0);
    }
}

static __device__ __forceinline__ int dot16(uint4 w, uint4 x, int sum)
{
    sum = __dp4a((int)w.x, (int)x.x, sum);
    sum = __dp4a((int)w.y, (int)x.y, sum);
    sum = __dp4a((int)w.z, (int)x.z, sum);
    return __dp4a((int)w.w, (int)x.w, sum);
}

/* Adds the products of a batch with up to MOST rows of x to this lane's sums. */
template <int MOST>
static __device__ __forceinline__ void multiply(int (&sum)[OUTPUTS][MOST], const batch &b,
                                                const call &a, const int8_t *code_x,
                                                unsigned base)
{
#pragma unroll
    for (unsigned j = 0; j < STEPS; j++) {
        unsigned i = base + (j * 32 + threadIdx.x % 32) * 16;
        if (i >= a.w.stride)
            continue;
#pragma unroll
        for (unsigned t = 0; t < MOST; t++) {
            if (MOST > 1 && t >= a.rows)
                continue;
            uint4 x = *reinterpret_cast<const uint4 *>(code_x + t * a.w.stride + i);
#pragma unroll
            for (unsigned r = 0; r < OUTPUTS; r++)
                sum[r][t] = dot16(b.code[r][j], x, sum[r][t]);
        }
    }
}

/* --- coding x, every CTA for itself --------------------------------------------------- */

static __device__ __forceinline__ unsigned padding8(unsigned i, unsigned k)
{
    return i + 8 <= k ? 0 : i >= k ? 0xffu : 0xffu << (k - i) & 0xffu;
}

/* Bits of removed columns among eight. */
template <typename T>
static __device__ __forceinline__ unsigned removed_of(const call &a, const uint4 (&x)[PAIR_ROWS],
                                                      const uint32_t *bits, unsigned i)
{
    if (a.remove == OSC_REMOVE_FIXED)
        return removed8(bits, i);
    if (a.remove != OSC_REMOVE_ABSOLUTE)
        return 0;
    uint4 most = make_uint4(0, 0, 0, 0);
#pragma unroll
    for (unsigned t = 0; t < PAIR_ROWS; t++)
        larger8<T>(&most, x[t]);
    return reach8<T>(most, a.threshold) & ~padding8(i, a.k);
}

/* Rows of x from column i on; rows that are not there are zeros. */
template <typename T>
static __device__ __forceinline__ void load_rows(uint4 (&x)[PAIR_ROWS], const call &a, unsigned i)
{
#pragma unroll
    for (unsigned t = 0; t < PAIR_ROWS; t++)
        x[t] = t < a.rows ? load8<true>((const T *)a.x + (size_t)t * a.k, i, a.k)
                          : make_uint4(0, 0, 0, 0);
}

/* Removed columns and extremes of rows in one pass: a thread has all rows of its
 * columns.  Leaves the extremes of each warp in `part`. */
template <typename T, bool ZERO>
static __device__ void look_at_x(const call &a, uint32_t *bits, extremes (*part)[WARPS])
{
    extremes e[PAIR_ROWS];
#pragma unroll
    for (unsigned t = 0; t < PAIR_ROWS; t++)
        e[t] = no_extremes<ZERO>();
    for (unsigned i = threadIdx.x * 8; i < a.w.stride; i += THREADS * 8) {
        uint4 x[PAIR_ROWS];
        load_rows<T>(x, a, i);
        unsigned removed = removed_of<T>(a, x, bits, i);
        reinterpret_cast<uint8_t *>(bits)[i / 8] = (uint8_t)removed;
#pragma unroll
        for (unsigned t = 0; t < PAIR_ROWS; t++)
            extend<ZERO>(&e[t], without<ZERO>(x[t], removed), removed | padding8(i, a.k));
    }
#pragma unroll
    for (unsigned t = 0; t < PAIR_ROWS; t++) {
        e[t] = warp_extremes<ZERO>(e[t]);
        if (threadIdx.x % 32 == 0)
            part[t][threadIdx.x / 32] = e[t];
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

/* Sums of codes and of removed values of the row over the block. */
static __device__ void add_up(facts *f, unsigned t, int sum, float gone, code_scale s,
                              unsigned kept)
{
    __shared__ int sums[WARPS];
    __shared__ float values[WARPS];
    sum = __reduce_add_sync(~0u, sum);
    for (unsigned d = 16; d > 0; d /= 2)
        gone += __shfl_xor_sync(~0u, gone, d);
    __syncthreads();
    if (threadIdx.x % 32 == 0) {
        sums[threadIdx.x / 32] = sum;
        values[threadIdx.x / 32] = gone;
    }
    __syncthreads();
    if (threadIdx.x != 0)
        return;
    for (unsigned i = 1; i < WARPS; i++) {
        sum += sums[i];
        gone += values[i];
    }
    f->kept[t] = (double)(isnan(s.scale) ? 0 : sum) - (double)kept * s.zero;
    f->outliers[t] = gone;
}

template <typename T, bool ZERO>
static __device__ void code_row(const call &a, facts *f, int8_t *code, unsigned t,
                                const uint32_t *bits, code_scale s)
{
    int sum = 0;
    float gone = 0.0f;
    for (unsigned i = threadIdx.x * 8; i < a.w.stride; i += THREADS * 8) {
        uint4 x = load8<true>((const T *)a.x + (size_t)t * a.k, i, a.k);
        unsigned removed = removed8(bits, i) | padding8(i, a.k);
        uint2 q = code8<T, ZERO>(without<ZERO>(x, removed), removed, s, &sum, &gone);
        *reinterpret_cast<uint2 *>(code + t * a.w.stride + i) = isnan(s.scale) ? make_uint2(0, 0)
                                                                               : q;
    }
    if (threadIdx.x == 0) {
        f->inverse[t] = __fdiv_rn(1.0f, s.scale);
        f->zero[t] = (double)s.zero;
    }
    if (ZERO)
        add_up(f, t, sum, gone, s, a.k - f->removed);
}

template <typename T, bool ZERO>
static __device__ void code_x(const call &a, facts *f, int8_t *code, uint32_t *bits)
{
    __shared__ extremes part[PAIR_ROWS][WARPS];
    unsigned words = bit_words(a.k);
    for (unsigned w = threadIdx.x; w < words; w += THREADS)
        bits[w] = 0;
    __syncthreads();
    if (a.remove == OSC_REMOVE_FIXED) {
        for (unsigned i = threadIdx.x; i < a.w.columns[0]; i += THREADS)
            atomicOr(&bits[a.w.columns[1 + i] / 32], 1u << a.w.columns[1 + i] % 32);
        __syncthreads();
    }
    look_at_x<T, ZERO>(a, bits, part);
    __syncthreads();
    if (threadIdx.x < 32) {
        unsigned count = list_columns(f->list, CODES_SIDE, NULL, bits, words);
        if (threadIdx.x == 0)
            f->removed = count;
    }
    if (ZERO)
        __syncthreads();       /* f->removed */
    for (unsigned t = 0; t < a.rows; t++)
        code_row<T, ZERO>(a, f, code, t, bits, scale_from<T, ZERO>(part[t]));
}

template <typename T> static __device__ void take_side(const call &a, facts *f)
{
    unsigned count = min(f->removed, (unsigned)CODES_SIDE);
    for (unsigned i = threadIdx.x; i < count * a.rows; i += THREADS)
        f->side[i / count][i % count] =
            to_float(reinterpret_cast<const T *>(a.x)[(size_t)(i / count) * a.k
                                                      + f->list[i % count]]);
    __syncthreads();
}

/* --- the outputs ---------------------------------------------------------------------- */

/* An element of a removed column as it lies in memory: 16 bits as stored, or a code. */
static __device__ __forceinline__ uint16_t removed_bits(const call &a, unsigned row,
                                                        unsigned column)
{
    if (a.w.stored != NULL)
        return a.w.stored[(size_t)column * a.w.rows + row];
    return (uint16_t)(int16_t)a.w.code[(size_t)row * a.w.stride + column];
}

template <typename T>
static __device__ __forceinline__ float removed_weight(const call &a, uint16_t bits)
{
    return a.w.stored != NULL ? bits16<T>::value(bits) : (float)(int16_t)bits;
}

/* What a thread needs to finish its output; loaded before the product, used after. */
struct ending {
    float    inverse;
    uint16_t bias, removed[AHEAD];
};

/* Lane r * MOST + t ends row t of the r-th output of its warp's unit. */
template <int MOST>
static __device__ __forceinline__ bool my_output(const call &a, unsigned unit, unsigned *row,
                                                 unsigned *output)
{
    unsigned lane = threadIdx.x % 32;
    *row = unit * OUTPUTS + lane / MOST;
    *output = osc_cuda_code_row(*row);
    return lane < OUTPUTS * MOST && lane % MOST < a.rows && unit < a.units && *output < a.n;
}

template <int MOST>
static __device__ __forceinline__ void load_ending(ending *e, const call &a, unsigned unit)
{
    unsigned row, output;
    e->inverse = 0.0f;
    e->bias = 0;
    if (!my_output<MOST>(a, unit, &row, &output))
        return;
    e->inverse = a.w.inverse[output];
    if (a.bias != NULL)
        e->bias = reinterpret_cast<const uint16_t *>(a.bias)[output];
}

/* The same for the removed columns, once they are known. */
template <int MOST>
static __device__ __forceinline__ void load_removed(ending *e, const call &a, const facts *f,
                                                    unsigned unit)
{
    unsigned row, output;
    bool in = my_output<MOST>(a, unit, &row, &output);
#pragma unroll
    for (unsigned i = 0; i < AHEAD; i++)
        e->removed[i] = in && i < f->removed ? removed_bits(a, row, f->list[i]) : 0;
}

/* The next removed column after the listed ones. */
static __device__ unsigned later_column(const uint32_t *bits, unsigned before)
{
    unsigned column = before + 1;
    while ((bits[column / 32] >> column % 32 & 1) == 0)
        column++;
    return column;
}

/* x_O w_O^T for row t of x and a row of codes of w; *gone: sum of codes of w there. */
template <typename T, bool ZERO>
static __device__ float removed_part(const call &a, const facts *f, const uint32_t *bits,
                                     const ending &e, unsigned row, unsigned t, int *gone)
{
    const int8_t *code = a.w.code + (size_t)row * a.w.stride;
    float sum = 0.0f;
    unsigned count = min(f->removed, (unsigned)CODES_SIDE), column = 0;
#pragma unroll
    for (unsigned i = 0; i < AHEAD; i++)
        if (i < count)
            sum = fmaf(f->side[t][i], removed_weight<T>(a, e.removed[i]), sum);
#pragma unroll 8
    for (unsigned i = AHEAD; i < count; i++)
        sum = fmaf(f->side[t][i], removed_weight<T>(a, removed_bits(a, row, f->list[i])), sum);
    for (unsigned i = 0; ZERO && i < count; i++)
        *gone += code[f->list[i]];
    if (f->removed > count)
        column = f->list[count - 1];
    for (unsigned i = count; i < f->removed; i++) {
        column = later_column(bits, column);
        sum = fmaf(to_float(reinterpret_cast<const T *>(a.x)[(size_t)t * a.k + column]),
                   removed_weight<T>(a, removed_bits(a, row, column)), sum);
        if (ZERO)
            *gone += code[column];
    }
    return sum;
}

template <typename T, bool ZERO>
static __device__ void finish(const call &a, const facts *f, const uint32_t *bits, const ending &e,
                              unsigned row, unsigned output, unsigned t, int sum)
{
    int gone = 0;
    float side = removed_part<T, ZERO>(a, f, bits, e, row, t, &gone), value = (float)sum;
    if (ZERO) {
        double exact = (double)sum - f->zero[t] * (double)(a.w.total[output] - gone);
        value = (float)(exact - (double)a.w.zero[output] * f->kept[t]);
    }
    value *= f->inverse[t];
    if (a.w.stored != NULL)
        value = value * e.inverse + side;
    else if (ZERO)
        value = (value + (side - (float)a.w.zero[output] * f->outliers[t])) * e.inverse;
    else
        value = (value + side) * e.inverse;
    if (a.bias != NULL)
        value += bits16<T>::value(e.bias);
    reinterpret_cast<T *>(a.y)[(size_t)t * a.n + output] = from_float<T>(activated(value, a.act));
}

/* The sum of this lane's output over the warp, and y of it. */
template <typename T, bool ZERO, int MOST>
static __device__ __forceinline__ void end_unit(const call &a, const facts *f,
                                                const uint32_t *bits, const ending &e,
                                                unsigned unit, const int (&sum)[OUTPUTS][MOST])
{
    unsigned row, output, lane = threadIdx.x % 32, t = lane % MOST;
    int mine = 0;
#pragma unroll
    for (unsigned i = 0; i < OUTPUTS * MOST; i++) {
        int all = __reduce_add_sync(~0u, sum[i / MOST][i % MOST]);
        mine = lane == i ? all : mine;
    }
    if (!my_output<MOST>(a, unit, &row, &output))
        return;
    finish<T, ZERO>(a, f, bits, e, row, output, t, mine);
}

/* All units of this warp; the first batch is on its way. */
template <typename T, bool ZERO, int MOST>
static __device__ __forceinline__ void do_units(const call &a, const facts *f, batch now, ending e,
                                                const int8_t *code_x, const uint32_t *bits)
{
    unsigned step = gridDim.x * WARPS;
    for (unsigned unit = blockIdx.x * WARPS + threadIdx.x / 32; unit < a.units; unit += step) {
        int sum[OUTPUTS][MOST] = {};
        ending after;
        load_removed<MOST>(&e, a, f, unit);
        load_ending<MOST>(&after, a, unit + step);
        for (unsigned base = 0; base < a.w.stride; base += BATCH) {
            bool last = base + BATCH >= a.w.stride;
            batch next;
            load_batch(&next, a, last ? unit + step : unit, last ? 0 : base + BATCH);
            multiply<MOST>(sum, now, a, code_x, base);
            now = next;
        }
        end_unit<T, ZERO, MOST>(a, f, bits, e, unit, sum);
        e.inverse = after.inverse;
        e.bias = after.bias;
    }
}

/* Up to MOST rows.  What belongs to w alone needs nothing of the kernel before. */
template <typename T, bool ZERO, int MOST>
static __global__ void __launch_bounds__(THREADS, RESIDENT)
pair_kernel(const __grid_constant__ call a)
{
    extern __shared__ uint4 memory[];
    __shared__ facts f;
    int8_t *code = reinterpret_cast<int8_t *>(memory);
    uint32_t *bits = reinterpret_cast<uint32_t *>(code + a.rows * a.w.stride);
    unsigned unit = blockIdx.x * WARPS + threadIdx.x / 32;
    batch first;
    ending e;
    let_next_kernel();
    load_batch(&first, a, unit, 0);
    load_ending<MOST>(&e, a, unit);
    after_last_kernel();
    code_x<T, ZERO>(a, &f, code, bits);
    __syncthreads();
    take_side<T>(a, &f);
    do_units<T, ZERO, MOST>(a, &f, first, e, code, bits);
}

/* --- launching ------------------------------------------------------------------------ */

template <typename T, bool ZERO, int MOST>
static osc_status launch_kernel(osc_device *device, const call &a)
{
    unsigned most = (unsigned)(RESIDENT * device->processors);
    unsigned blocks = (a.units + WARPS - 1) / WARPS;
    size_t shared = (size_t)a.rows * a.w.stride + bit_words(a.k) * sizeof(uint32_t);
    OSC_CUDA_TRY(cudaFuncSetAttribute(pair_kernel<T, ZERO, MOST>,
                                      cudaFuncAttributeMaxDynamicSharedMemorySize, (int)shared),
                 "taking shared memory");
    return launch_after(device, "multiplying codes of a pair of rows", pair_kernel<T, ZERO, MOST>,
                        blocks < most ? blocks : most, THREADS, shared, a);
}

template <typename T>
static osc_status launch(osc_device *device, const osc_cuda_layer *p)
{
    call a = {};
    a.y = p->y;
    a.x = p->x;
    a.bias = p->bias;
    a.w = p->w;
    a.rows = (unsigned)p->rows;
    a.n = (unsigned)p->n;
    a.k = (unsigned)p->k;
    a.units = (unsigned)(p->w.rows / OUTPUTS);
    a.act = p->act;
    a.remove = p->coding.remove;
    a.threshold = p->coding.threshold;
    if (p->rows == 1)
        return p->coding.zeropoint ? launch_kernel<T, true, 1>(device, a)
                                   : launch_kernel<T, false, 1>(device, a);
    return p->coding.zeropoint ? launch_kernel<T, true, PAIR_ROWS>(device, a)
                               : launch_kernel<T, false, PAIR_ROWS>(device, a);
}

bool osc_cuda_pair_fits(const osc_device *device, const osc_cuda_layer *p)
{
    (void)device;
    return p->rows <= PAIR_ROWS && rows_aligned(p->x, p->k) && p->sum == NULL
        && p->rows * p->w.stride <= X_BYTES
        && p->coding.x == OSC_SHARE_ROW && p->coding.remove != OSC_REMOVE_RATIO
        && p->coding.remove != OSC_REMOVE_TOP;
}

osc_status osc_cuda_pair_multiply(osc_device *device, const osc_cuda_layer *p)
{
    return OSC_CUDA_BY_DTYPE(device, launch, device, p);
}

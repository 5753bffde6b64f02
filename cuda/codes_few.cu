/* The product of codes with few rows: each code of w is read once, and reading them is
 * what it costs.  A CTA takes 16 outputs at a time, its warps share K.  In the matrix
 * instruction m16n8k32 codes of w are the 16 rows and those of x the 8 columns; the
 * order of K is free as long as both have the same, so every lane reads 16 neighbouring
 * codes. */
#include <config.h>
#include "cuda/codes_x.cuh"
#include "cuda/stream.cuh"

enum {
    THREADS = 256,
    WARPS = THREADS / 32,
    RESIDENT = 4,             /* CTAs of a multiprocessor */
    OUTPUTS = 16,             /* of one CTA at a time */
    BLOCK = 64,               /* codes of a row in two matrix instructions */
    STEPS = 4                 /* blocks whose codes a warp has asked for at once */
};

struct call : product_call {
    unsigned groups;
    unsigned run;             /* blocks of a step, up to STEPS */
};

struct facts : few_rows {
    int32_t  part[WARPS][OUTPUTS * FEW_ROWS];
};

/* --- codes of w, as a lane reads them ------------------------------------------------- */

struct step {
    uint4 low[STEPS], high[STEPS];            /* rows lane / 4 and 8 more */
};

/* Neighbouring blocks of the group's codes, so that loads share cache lines. */
static __device__ __forceinline__ void load_step(step *s, const call &a, unsigned group,
                                                 unsigned block)
{
    unsigned lane = threadIdx.x % 32;
    const int8_t *low = a.w.code + (size_t)(group * OUTPUTS + lane / 4) * a.w.stride;
    const int8_t *high = low + 8 * a.w.stride;
#pragma unroll
    for (unsigned j = 0; j < STEPS; j++) {
        unsigned i = (block + j) * BLOCK + lane % 4 * 16;
        bool in = j < a.run && i < a.w.stride;
        s->low[j] = in ? stream16(low + i) : make_uint4(0, 0, 0, 0);
        s->high[j] = in ? stream16(high + i) : make_uint4(0, 0, 0, 0);
    }
}

static __device__ __forceinline__ void mma(int (&d)[4], unsigned a0, unsigned a1, unsigned a2,
                                           unsigned a3, unsigned b0, unsigned b1)
{
    asm volatile("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0, %1, %2, %3}, "
                 "{%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3])
                 : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
}

static __device__ __forceinline__ void multiply_step(int (&d)[4], const step &s, const call &a,
                                                     const int8_t *code_x, unsigned block)
{
    unsigned lane = threadIdx.x % 32, row = lane / 4;
#pragma unroll
    for (unsigned j = 0; j < STEPS; j++) {
        unsigned i = (block + j) * BLOCK + lane % 4 * 16;
        uint4 x = make_uint4(0, 0, 0, 0);
        if (j < a.run && row < a.rows && i < a.w.stride)
            x = *reinterpret_cast<const uint4 *>(code_x + row * a.w.stride + i);
        mma(d, s.low[j].x, s.high[j].x, s.low[j].y, s.high[j].y, x.x, x.y);
        mma(d, s.low[j].z, s.high[j].z, s.low[j].w, s.high[j].w, x.z, x.w);
    }
}

/* --- what is known of x --------------------------------------------------------------- */

/* What codes_x.cu found. */
static __device__ void take_facts(const call &a, facts *f)
{
    unsigned t = threadIdx.x;
    if (t == 0)
        f->removed = a.c.columns[0];
    for (unsigned i = t; i < CODES_SIDE && i < a.c.columns[0]; i += THREADS)
        f->list[i] = a.c.columns[1 + i];
    if (t < a.rows) {
        f->inverse[t] = a.c.inverse[t];
        f->zero[t] = (double)a.c.zero[t];
        f->kept[t] = a.c.kept[t];
        f->outliers[t] = a.c.outliers[t];
    }
    __syncthreads();
}

/* --- the outputs ---------------------------------------------------------------------- */

template <typename T>
static __device__ __forceinline__ float removed_weight(const call &a, unsigned row, unsigned column)
{
    if (a.w.stored != NULL)
        return to_float(reinterpret_cast<const T *>(a.w.stored)[(size_t)column * a.w.rows + row]);
    return (float)a.w.code[(size_t)row * a.w.stride + column];
}

/* x_O w_O^T for row t of x and a row of codes of w; *gone: sum of codes of w there. */
template <typename T, bool ZERO>
static __device__ float removed_part(const call &a, const facts *f, unsigned row, unsigned t,
                                     int *gone)
{
    const int8_t *code = a.w.code + (size_t)row * a.w.stride;
    float sum = 0.0f;
    unsigned count = min(f->removed, (unsigned)CODES_SIDE);
#pragma unroll 8
    for (unsigned i = 0; i < count; i++) {
        sum = fmaf(f->side[t][i], removed_weight<T>(a, row, f->list[i]), sum);
        if (ZERO)
            *gone += code[f->list[i]];
    }
    for (unsigned i = count; i < f->removed; i++) {
        unsigned column = a.c.columns[1 + i];
        sum = fmaf(to_float(reinterpret_cast<const T *>(a.x)[(size_t)t * a.k + column]),
                   removed_weight<T>(a, row, column), sum);
        if (ZERO)
            *gone += code[column];
    }
    return sum;
}

template <typename T, bool ZERO>
static __device__ void finish(const call &a, const facts *f, unsigned output, unsigned t,
                              int sum, float side, int gone)
{
    if (a.sum != NULL) {
        a.sum[(size_t)t * a.n + output] = sum;
        return;
    }
    output_scale w = { a.w.inverse[output], ZERO ? a.w.zero[output] : 0,
                       ZERO ? a.w.total[output] - gone : 0, a.w.stored != NULL };
    float value = scaled<ZERO>(sum, side, f->of_row(t), w);
    if (a.bias != NULL)
        value += to_float(reinterpret_cast<const T *>(a.bias)[output]);
    T y = from_float<T>(activated(value, a.act));
    reinterpret_cast<T *>(a.y)[(size_t)t * a.n + output] = y;
    flag1<T>(of_row(a.flags, t), output, y);
}

/* One group of outputs; the first step of its codes is in `s`. */
template <typename T, bool ZERO>
static __device__ void do_group(const call &a, facts *f, unsigned group, step &s)
{
    unsigned warp = threadIdx.x / 32, lane = threadIdx.x % 32, blocks;
    unsigned mine = threadIdx.x / FEW_ROWS, t = threadIdx.x % FEW_ROWS;
    unsigned row = group * OUTPUTS + mine, output = osc_cuda_code_row(row);
    bool in = mine < OUTPUTS && t < a.rows && output < a.n;
    int d[4] = { 0, 0, 0, 0 }, gone = 0;
    float side = in && a.sum == NULL ? removed_part<T, ZERO>(a, f, row, t, &gone) : 0.0f;
    blocks = (unsigned)(a.w.stride + BLOCK - 1) / BLOCK;
    for (unsigned block = warp * a.run; block < blocks; block += a.run * WARPS) {
        if (block != warp * a.run)
            load_step(&s, a, group, block);
        multiply_step(d, s, a, a.c.code, block);
    }
    int32_t *part = f->part[warp] + lane / 4 * FEW_ROWS + lane % 4 * 2;
    part[0] = d[0];
    part[1] = d[1];
    part[8 * FEW_ROWS] = d[2];
    part[8 * FEW_ROWS + 1] = d[3];
    if (group + gridDim.x < a.groups)
        load_step(&s, a, group + gridDim.x, warp * a.run);
    __syncthreads();
    int sum = 0;
    for (unsigned i = 0; i < WARPS && in; i++)
        sum += f->part[i][mine * FEW_ROWS + t];
    if (in)
        finish<T, ZERO>(a, f, output, t, sum, side, gone);
    __syncthreads();
}

template <typename T, bool ZERO>
static __global__ void __launch_bounds__(THREADS, RESIDENT)
few_kernel(const __grid_constant__ call a)
{
    __shared__ facts f;
    step s;
    load_step(&s, a, blockIdx.x, threadIdx.x / 32 * a.run);   /* needs nothing before */
    after_last_kernel();
    let_next_kernel();
    clear_next(a.flags);
    take_facts(a, &f);
    f.take_side(reinterpret_cast<const T *>(a.x), a.rows, a.k, THREADS);
    __syncthreads();
    for (unsigned group = blockIdx.x; group < a.groups; group += gridDim.x)
        do_group<T, ZERO>(a, &f, group, s);
}

/* --- launching ------------------------------------------------------------------------ */

template <typename T, bool ZERO>
static osc_status launch_kernel(osc_device *device, const call &a)
{
    unsigned most = (unsigned)(RESIDENT * device->processors);
    return launch_after(device, "multiplying codes of few rows", few_kernel<T, ZERO>,
                        a.groups < most ? a.groups : most, THREADS, 0, a);
}

template <typename T>
static osc_status launch(osc_device *device, const osc_cuda_layer *p)
{
    call a = {};
    fill_call(&a, device, p);
    a.groups = (unsigned)(p->w.rows / OUTPUTS);
    a.run = (unsigned)((p->w.stride + BLOCK * WARPS - 1) / (BLOCK * WARPS));
    a.run = a.run < (unsigned)STEPS ? a.run : (unsigned)STEPS;
    if (p->sum == NULL)
        OSC_TRY(osc_cuda_code_x(device, p, false));
    return p->coding.zeropoint ? launch_kernel<T, true>(device, a)
                               : launch_kernel<T, false>(device, a);
}

bool osc_cuda_few_fits(const osc_device *device, const osc_cuda_layer *p)
{
    (void)device;
    return p->rows <= FEW_ROWS;
}

osc_status osc_cuda_few_multiply(osc_device *device, const osc_cuda_layer *p)
{
    return OSC_CUDA_BY_DTYPE(device, launch, device, p);
}

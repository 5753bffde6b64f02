/* The product of codes on Hopper's matrix units, y written once: scales, outlier
 * columns, bias and activation are applied to the sums in registers.
 *
 * A CTA is a producer warp, which copies tiles of codes into a ring of stages in shared
 * memory, and two warpgroups that multiply 64 rows of x each by BN outputs.  CTAs go
 * from tile to tile, neighbours in x first, so that codes of w come from device memory
 * once; CLUSTER CTAs with neighbouring rows of x share their copies of w.  After the
 * codes of a tile come chunks of removed columns as 16-bit floats: by then the sums
 * have become floats, and the matrix units add x_O w_O^T to them in place. */
#include <config.h>
#include "cuda/codes.cuh"
#include "cuda/wgmma.cuh"

#include <cudaTypedefs.h>

enum {
    THREADS = 384,
    GROUP = 128,                   /* threads of a warpgroup */
    BM = 128,
    DEPTH = 128,                   /* codes of a row in one stage */
    CHUNK_BYTES = 2 * CODES_CHUNK,
    BAND = 16,                     /* tiles of rows that are done before the next ones */
    SHARED = 232448                /* bytes that a CTA can have */
};

struct call {
    void        *y;
    const void  *x, *bias;
    const float *inverse_w, *inverse_x, *outliers;
    const int32_t *zero_w, *kept_w, *zero_x;
    const double *kept_x;
    const uint32_t *columns;
    const uint16_t *stored;
    const int8_t *code_w;
    int32_t     *sum;
    unsigned     rows, n, k, stride, panel_rows, act;
    unsigned     row_tiles, output_tiles;      /* row_tiles: of a whole cluster */
    bool         wide;                         /* rows of y are aligned to 16 bytes */
};

struct maps {
    CUtensorMap x, w, side_x, side_w;
};

template <int BN> struct shape {
    enum {
        A_BYTES = BM * DEPTH, B_BYTES = BN * DEPTH, BYTES = A_BYTES + B_BYTES,
        STAGES = BN == 256 ? 4 : BN == 192 ? 5 : 6,
        SIDE_BYTES = (BM + BN) * CHUNK_BYTES,
        COLUMN_BYTES = 5 * 4 * BN,             /* of one warpgroup */
        SHARED_BYTES = STAGES * BYTES + 2 * COLUMN_BYTES + 2 * STAGES * 8
    };
    static_assert((int)SHARED_BYTES <= (int)SHARED, "stages must fit");
};

#if defined(__CUDA_ARCH_FEAT_SM90_ALL)

/* Where a warpgroup finds what belongs to the outputs of its tile: 1 / scale is applied
 * before the removed columns are added if these are as stored, after if they are codes;
 * the other factor is 1. */
template <int BN> struct columns {
    float   before[BN], after[BN], bias[BN];
    int32_t zero[BN], kept[BN];
};

/* The same on its way: a thread loads every GROUP-th output. */
template <int BN> struct column_part {
    enum { COUNT = (BN + GROUP - 1) / GROUP };
    float   inverse[COUNT], bias[COUNT];
    int32_t zero[COUNT], kept[COUNT];
};

/* A position in the ring of stages, and the parity of its current use. */
template <int STAGES> struct cursor {
    unsigned stage, parity;
    __device__ __forceinline__ void next()
    {
        if (++stage == STAGES) {
            stage = 0;
            parity ^= 1;
        }
    }
};

struct tile {
    unsigned row, output;          /* first of each */
};

/* Bands of rows; in a band rows change first. */
template <int BN, int CLUSTER>
static __device__ __forceinline__ tile tile_at(const call &a, unsigned index, unsigned rank)
{
    const unsigned band = BAND / CLUSTER;
    unsigned whole = band * a.output_tiles, first = index / whole * band;
    unsigned high = min(band, a.row_tiles - first), at = index % whole;
    return { ((first + at % high) * CLUSTER + rank) * BM, at / high * BN };
}

static __device__ __forceinline__ unsigned chunk_count(const call &a)
{
    return min((a.columns[0] + CODES_CHUNK - 1) / CODES_CHUNK, (unsigned)CODES_CHUNKS);
}

/* --- the producer --------------------------------------------------------------------- */

template <int BN, int CLUSTER>
static __device__ void produce(const call &a, const maps &m, char *stages, uint64_t *full,
                               uint64_t *empty, unsigned rank, unsigned first, unsigned step)
{
    typedef shape<BN> S;
    const uint16_t all = (1 << CLUSTER) - 1;
    const unsigned share = BN / CLUSTER;
    cursor<S::STAGES> at = { 0, 1 };
    unsigned blocks = (a.stride + DEPTH - 1) / DEPTH;
    after_last_kernel();
    unsigned chunks = a.sum != NULL ? 0 : chunk_count(a);
    for (unsigned i = first; i < a.row_tiles * a.output_tiles; i += step) {
        tile t = tile_at<BN, CLUSTER>(a, i, rank);
        int mine = (int)(t.output + rank * share);
        for (unsigned b = 0; b < blocks; b++, at.next()) {
            char *stage = stages + at.stage * S::BYTES;
            barrier_wait(&empty[at.stage], at.parity);
            barrier_expect(&full[at.stage], S::BYTES);
            copy_2d(stage, &m.x, &full[at.stage], (int)(b * DEPTH), (int)t.row);
            char *to = stage + S::A_BYTES + rank * share * DEPTH;
            if (CLUSTER == 1)
                copy_2d(to, &m.w, &full[at.stage], (int)(b * DEPTH), mine);
            else
                copy_2d_to(to, &m.w, &full[at.stage], (int)(b * DEPTH), mine, all);
        }
        for (unsigned c = 0; c < chunks; c++, at.next()) {
            char *stage = stages + at.stage * S::BYTES;
            barrier_wait(&empty[at.stage], at.parity);
            barrier_expect(&full[at.stage], S::SIDE_BYTES);
            copy_3d(stage, &m.side_x, &full[at.stage], 0, (int)t.row, (int)c);
            char *to = stage + S::A_BYTES + rank * share * CHUNK_BYTES;
            if (CLUSTER == 1)
                copy_3d(to, &m.side_w, &full[at.stage], 0, mine, (int)c);
            else
                copy_3d_to(to, &m.side_w, &full[at.stage], 0, mine, (int)c, all);
        }
    }
}

/* --- the warpgroups that multiply ----------------------------------------------------- */

static __device__ __forceinline__ void group_sync(unsigned group)
{
    asm volatile("bar.sync %0, 128;" :: "r"(group + 1) : "memory");
}

/* This warp has read the stage: tells every producer that fills it. */
template <int CLUSTER>
static __device__ __forceinline__ void release(uint64_t *empty)
{
    unsigned lane = threadIdx.x % 32;
    if (CLUSTER == 1) {
        if (lane == 0)
            barrier_arrive(empty);
    } else if (lane < CLUSTER) {
        barrier_arrive_at(empty, lane);
    }
}

template <bool BRAIN>
static __device__ __forceinline__ float element(const void *at, size_t i)
{
    return BRAIN ? to_float(reinterpret_cast<const __nv_bfloat16 *>(at)[i])
                 : to_float(reinterpret_cast<const __half *>(at)[i]);
}

/* The loads are issued before a tile's product and their values used after it. */
template <int BN, bool ZERO, bool BRAIN>
static __device__ __forceinline__ void load_columns(column_part<BN> &c, const call &a,
                                                    unsigned first)
{
#pragma unroll
    for (unsigned i = 0; i < column_part<BN>::COUNT; i++) {
        unsigned j = min(first + i * GROUP + threadIdx.x % GROUP, a.n - 1);
        c.inverse[i] = a.inverse_w[j];
        c.bias[i] = a.bias != NULL ? element<BRAIN>(a.bias, j) : 0.0f;
        c.zero[i] = ZERO ? a.zero_w[j] : 0;
        c.kept[i] = ZERO ? a.kept_w[j] : 0;
    }
}

template <int BN, bool ZERO>
static __device__ __forceinline__ void put_columns(columns<BN> *to, const column_part<BN> &c,
                                                   bool scaled)
{
#pragma unroll
    for (unsigned i = 0; i < column_part<BN>::COUNT; i++) {
        unsigned at = i * GROUP + threadIdx.x % GROUP;
        if (at >= BN)
            continue;
        to->before[at] = scaled ? c.inverse[i] : 1.0f;
        to->after[at] = scaled ? 1.0f : c.inverse[i];
        to->bias[at] = c.bias[i];
        if (ZERO) {
            to->zero[at] = c.zero[i];
            to->kept[at] = c.kept[i];
        }
    }
}

/* Sums of codes of one tile: all stages of it, each given back one later. */
template <int BN, int CLUSTER>
static __device__ __forceinline__ void multiply(int (&sum)[BN / 2], const call &a,
                                                const char *stages, uint64_t *full,
                                                uint64_t *empty, cursor<shape<BN>::STAGES> *at,
                                                unsigned group)
{
    typedef shape<BN> S;
    unsigned blocks = (a.stride + DEPTH - 1) / DEPTH, last = 0;
#pragma unroll
    for (unsigned i = 0; i < BN / 2; i++)
        sum[i] = 0;
    for (unsigned b = 0; b < blocks; b++) {
        const char *stage = stages + at->stage * S::BYTES;
        uint64_t left = tile_descriptor(stage + group * (BM / 2 * DEPTH), DEPTH);
        uint64_t right = tile_descriptor(stage + S::A_BYTES, DEPTH);
        barrier_wait(&full[at->stage], at->parity);
        wgmma_fence();
#pragma unroll
        for (unsigned i = 0; i < DEPTH / 32; i++)
            wgmma<BN>::codes(sum, left + 2 * i, right + 2 * i);
        wgmma_commit();
        if (b > 0) {
            wgmma_wait<1>();
            release<CLUSTER>(&empty[last]);
        }
        last = at->stage;
        at->next();
    }
    wgmma_wait<0>();
    release<CLUSTER>(&empty[last]);
}

/* Adds the removed columns that lie side by side. */
template <int BN, int CLUSTER, bool BRAIN>
static __device__ __forceinline__ void add_side(float (&y)[BN / 2], const call &a,
                                                const char *stages, uint64_t *full,
                                                uint64_t *empty, cursor<shape<BN>::STAGES> *at,
                                                unsigned group, unsigned chunks)
{
    typedef shape<BN> S;
    for (unsigned c = 0; c < chunks; c++, at->next()) {
        const char *stage = stages + at->stage * S::BYTES;
        uint64_t left = tile_descriptor(stage + group * (BM / 2 * CHUNK_BYTES), CHUNK_BYTES);
        uint64_t right = tile_descriptor(stage + S::A_BYTES, CHUNK_BYTES);
        barrier_wait(&full[at->stage], at->parity);
        wgmma_fence();
        if (BRAIN)
            wgmma<BN>::brains(y, left, right);
        else
            wgmma<BN>::halves(y, left, right);
        wgmma_commit();
        wgmma_wait<0>();
        release<CLUSTER>(&empty[at->stage]);
    }
}

/* The removed columns beyond those, one by one. */
template <int BN, bool BRAIN>
static __device__ void add_rest(float (&y)[BN / 2], const call &a, unsigned row, unsigned output)
{
    unsigned lane = threadIdx.x % 4;
    for (unsigned i = CODES_SIDE; i < a.columns[0]; i++) {
        size_t column = a.columns[1 + i];
        float x0 = row < a.rows ? element<BRAIN>(a.x, (size_t)row * a.k + column) : 0.0f;
        float x1 = row + 8 < a.rows ? element<BRAIN>(a.x, (size_t)(row + 8) * a.k + column) : 0.0f;
#pragma unroll
        for (unsigned j = 0; j < BN / 4; j++) {
            size_t at = output + j / 2 * 8 + lane * 2 + j % 2;
            float w = at >= a.panel_rows ? 0.0f
                    : a.stored != NULL ? element<BRAIN>(a.stored, column * a.panel_rows + at)
                    : (float)a.code_w[at * a.stride + column];
            y[j / 2 * 4 + j % 2] += x0 * w;
            y[j / 2 * 4 + j % 2 + 2] += x1 * w;
        }
    }
}

/* What a thread knows of one of its two rows. */
struct row_facts {
    float inverse, outliers;
    double zero, kept;
};

template <bool ZERO>
static __device__ __forceinline__ row_facts facts_of(const call &a, unsigned row)
{
    row_facts f = { 0.0f, 0.0f, 0.0, 0.0 };
    if (row >= a.rows)
        return f;
    f.inverse = a.inverse_x[row];
    if (ZERO) {
        f.outliers = a.outliers[row];
        f.zero = (double)a.zero_x[row];
        f.kept = a.kept_x[row];
    }
    return f;
}

/* The eight neighbouring outputs in registers 4 (4 g + j) + half * 2 + e. */
#define AT(g, half, i) (4 * (4 * (g) + (i) / 2) + (half) * 2 + (i) % 2)

/* Sums to floats. */
template <int BN, bool ZERO>
static __device__ __forceinline__ void scale_sums(float (&y)[BN / 2], const int (&sum)[BN / 2],
                                                  const row_facts (&f)[2], const columns<BN> &c)
{
    unsigned lane = threadIdx.x % 4;
#pragma unroll
    for (unsigned g = 0; g < BN / 32; g++) {
        float w[8];
        const float4 *from = reinterpret_cast<const float4 *>(c.before + g * 32 + lane * 8);
        *reinterpret_cast<float4 *>(w) = from[0];
        *reinterpret_cast<float4 *>(w + 4) = from[1];
#pragma unroll
        for (unsigned half = 0; half < 2; half++)
#pragma unroll
            for (unsigned i = 0; i < 8; i++) {
                float value = (float)sum[AT(g, half, i)];
                if (ZERO) {
                    unsigned at = g * 32 + lane * 8 + i;
                    double exact = (double)sum[AT(g, half, i)] - f[half].zero * (double)c.kept[at];
                    value = (float)(exact - (double)c.zero[at] * f[half].kept);
                }
                y[AT(g, half, i)] = value * f[half].inverse * w[i];
            }
    }
}

/* Two values rounded, and not below `least`, a pair of them; NaN stays. */
template <bool BRAIN>
static __device__ __forceinline__ unsigned pack2(float low, float high, unsigned least)
{
    unsigned word;
    if (BRAIN)
        asm("{ .reg .b32 both;\ncvt.rn.bf16x2.f32 both, %1, %2;\n"
            "max.NaN.bf16x2 %0, both, %3; }" : "=r"(word) : "f"(high), "f"(low), "r"(least));
    else
        asm("{ .reg .b32 both;\ncvt.rn.f16x2.f32 both, %1, %2;\n"
            "max.NaN.f16x2 %0, both, %3; }" : "=r"(word) : "f"(high), "f"(low), "r"(least));
    return word;
}

/* y = act(y * after + bias), rounded and stored. */
template <int BN, bool ZERO, bool BRAIN, bool WIDE>
static __device__ __forceinline__ void store_tile(const float (&y)[BN / 2], const call &a,
                                                  const row_facts (&f)[2], const columns<BN> &c,
                                                  unsigned row, unsigned output, bool scaled)
{
    const unsigned infinite = BRAIN ? 0xff80ff80u : 0xfc00fc00u;
    unsigned lane = threadIdx.x % 4, least = a.act == OSC_ACT_RELU ? 0 : infinite;
    uint16_t *line = reinterpret_cast<uint16_t *>(a.y) + (size_t)row * a.n + output + lane * 8;
#pragma unroll
    for (unsigned g = 0; g < BN / 32; g++) {
        float w[8], b[8];
        unsigned at = g * 32 + lane * 8;
        *reinterpret_cast<float4 *>(w) = *reinterpret_cast<const float4 *>(c.after + at);
        *reinterpret_cast<float4 *>(w + 4) = *reinterpret_cast<const float4 *>(c.after + at + 4);
        *reinterpret_cast<float4 *>(b) = *reinterpret_cast<const float4 *>(c.bias + at);
        *reinterpret_cast<float4 *>(b + 4) = *reinterpret_cast<const float4 *>(c.bias + at + 4);
#pragma unroll
        for (unsigned half = 0; half < 2; half++) {
            unsigned word[4];
            float v[8];
#pragma unroll
            for (unsigned i = 0; i < 8; i++) {
                float value = y[AT(g, half, i)];
                if (ZERO && !scaled)
                    value -= (float)c.zero[at + i] * f[half].outliers;
                v[i] = fmaf(value, w[i], b[i]);
            }
#pragma unroll
            for (unsigned i = 0; i < 4; i++)
                word[i] = pack2<BRAIN>(v[2 * i], v[2 * i + 1], least);
            uint16_t *to = line + (size_t)half * 8 * a.n + g * 32;
            if (row + half * 8 >= a.rows || output + at >= a.n)
                continue;
            if (WIDE) {
                *reinterpret_cast<uint4 *>(to) = make_uint4(word[0], word[1], word[2], word[3]);
            } else {
#pragma unroll
                for (unsigned i = 0; i < 8; i++)
                    if (output + at + i < a.n)
                        to[i] = (uint16_t)(word[i / 2] >> i % 2 * 16);
            }
        }
    }
}

template <int BN>
static __device__ void store_sums(const int (&sum)[BN / 2], const call &a, unsigned row,
                                  unsigned output)
{
    unsigned lane = threadIdx.x % 4;
#pragma unroll
    for (unsigned g = 0; g < BN / 32; g++)
#pragma unroll
        for (unsigned half = 0; half < 2; half++)
#pragma unroll
            for (unsigned i = 0; i < 8; i++) {
                unsigned at = output + g * 32 + lane * 8 + i;
                if (row + half * 8 < a.rows && at < a.n)
                    a.sum[(size_t)(row + half * 8) * a.n + at] = sum[AT(g, half, i)];
            }
}

template <int BN, int CLUSTER, bool ZERO, bool BRAIN>
static __device__ void consume(const call &a, const char *stages, columns<BN> *c, uint64_t *full,
                               uint64_t *empty, unsigned group, unsigned rank, unsigned first,
                               unsigned step)
{
    cursor<shape<BN>::STAGES> at = { 0, 0 };
    unsigned thread = threadIdx.x % GROUP;
    after_last_kernel();
    unsigned removed = a.columns[0], chunks = chunk_count(a);
    bool scaled = a.stored != NULL || removed == 0;
    for (unsigned i = first; i < a.row_tiles * a.output_tiles; i += step) {
        tile t = tile_at<BN, CLUSTER>(a, i, rank);
        unsigned row = t.row + group * (BM / 2) + thread / 32 * 16 + thread % 32 / 4;
        int sum[BN / 2];
        float y[BN / 2];
        column_part<BN> part;
        load_columns<BN, ZERO, BRAIN>(part, a, t.output);
        const row_facts f[2] = { facts_of<ZERO>(a, row), facts_of<ZERO>(a, row + 8) };
        multiply<BN, CLUSTER>(sum, a, stages, full, empty, &at, group);
        group_sync(group);    /* all have read the columns of the last tile */
        put_columns<BN, ZERO>(c, part, scaled);
        group_sync(group);
        if (a.sum != NULL) {
            store_sums<BN>(sum, a, row, t.output);
        } else {
            scale_sums<BN, ZERO>(y, sum, f, *c);
            add_side<BN, CLUSTER, BRAIN>(y, a, stages, full, empty, &at, group, chunks);
            if (removed > CODES_SIDE)
                add_rest<BN, BRAIN>(y, a, row, t.output);
            if (a.wide)
                store_tile<BN, ZERO, BRAIN, true>(y, a, f, *c, row, t.output, scaled);
            else
                store_tile<BN, ZERO, BRAIN, false>(y, a, f, *c, row, t.output, scaled);
        }
    }
}

#endif

template <int BN, int CLUSTER, bool ZERO, bool BRAIN>
static __global__ void __launch_bounds__(THREADS, 1)
product_kernel(const __grid_constant__ call a, const __grid_constant__ maps m)
{
#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
    typedef shape<BN> S;
    extern __shared__ __align__(1024) char shared[];
    columns<BN> *c = reinterpret_cast<columns<BN> *>(shared + S::STAGES * S::BYTES);
    uint64_t *full = reinterpret_cast<uint64_t *>(c + 2), *empty = full + S::STAGES;
    unsigned role = threadIdx.x / GROUP, rank = CLUSTER == 1 ? 0 : cluster_rank();
    unsigned first = blockIdx.x / CLUSTER, step = gridDim.x / CLUSTER;
    if (threadIdx.x == 0) {
        for (unsigned i = 0; i < S::STAGES; i++) {
            barrier_init(&full[i], 1);
            barrier_init(&empty[i], CLUSTER * 2 * (GROUP / 32));
        }
        asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
        map_prefetch(&m.x);
        map_prefetch(&m.w);
    }
    if (CLUSTER == 1)
        __syncthreads();
    else
        cluster_sync();
    let_next_kernel();
    if (role == 0) {
        asm volatile("setmaxnreg.dec.sync.aligned.u32 40;");
        if (threadIdx.x == 0)
            produce<BN, CLUSTER>(a, m, shared, full, empty, rank, first, step);
    } else {
        asm volatile("setmaxnreg.inc.sync.aligned.u32 232;");
        consume<BN, CLUSTER, ZERO, BRAIN>(a, shared, c + (role - 1), full, empty, role - 1, rank,
                                          first, step);
    }
    if (CLUSTER > 1)
        cluster_sync();    /* copies and arrivals of the other CTA end up here */
#endif
}

/* --- launching ------------------------------------------------------------------------ */

typedef PFN_cuTensorMapEncodeTiled_v12000 encode_function;

/* Rows of `bytes` bytes in `count` rows and `planes` planes; boxes of `box` rows. */
static osc_status make_map(const osc_device *device, CUtensorMap *map, const void *data,
                           bool halves, size_t width, size_t count, size_t planes, unsigned inner,
                           unsigned box)
{
    size_t size = halves ? 2 : 1;
    const cuuint64_t dim[3] = { width, count, planes };
    const cuuint64_t stride[2] = { width * size, width * size * count };
    const cuuint32_t boxes[3] = { inner, box, 1 }, step[3] = { 1, 1, 1 };
    CUresult result = ((encode_function)device->codes->encode)(
        map, halves ? CU_TENSOR_MAP_DATA_TYPE_UINT16 : CU_TENSOR_MAP_DATA_TYPE_UINT8,
        planes > 1 ? 3 : 2, (void *)data, dim, stride, boxes, step, CU_TENSOR_MAP_INTERLEAVE_NONE,
        halves ? CU_TENSOR_MAP_SWIZZLE_32B : CU_TENSOR_MAP_SWIZZLE_128B,
        CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
    if (result != CUDA_SUCCESS)
        return osc_fail(OSC_EDEVICE, "CUDA: describing %zu x %zu codes for copies: error %d",
                        count, width, (int)result);
    return OSC_OK;
}

static call call_of(const osc_device *device, const osc_cuda_layer *p)
{
    const osc_cuda_codes *c = device->codes;
    call a = {};
    a.y = p->y;
    a.x = p->x;
    a.bias = p->bias;
    a.inverse_w = p->w.inverse;
    a.zero_w = p->w.zero;
    a.kept_w = c->kept_w;
    a.inverse_x = c->inverse;
    a.outliers = c->outliers;
    a.zero_x = c->zero;
    a.kept_x = c->kept;
    a.columns = c->columns;
    a.stored = p->w.stored;
    a.code_w = p->w.code;
    a.sum = p->sum;
    a.rows = (unsigned)p->rows;
    a.n = (unsigned)p->n;
    a.k = (unsigned)p->k;
    a.stride = (unsigned)p->w.stride;
    a.panel_rows = (unsigned)p->w.rows;
    a.act = p->act;
    a.wide = p->n % 8 == 0 && is_aligned16(p->y);
    return a;
}

template <int BN, int CLUSTER, bool ZERO, bool BRAIN>
static osc_status launch(osc_device *device, const osc_cuda_layer *p)
{
    const osc_cuda_codes *c = device->codes;
    const osc_cuda_weight *w = &p->w;
    call a = call_of(device, p);
    maps m;
    a.row_tiles = (unsigned)((p->rows + BM * CLUSTER - 1) / (BM * CLUSTER));
    a.output_tiles = (unsigned)((p->n + BN - 1) / BN);
    OSC_TRY(make_map(device, &m.x, c->code, false, w->stride, p->rows, 1, DEPTH, BM));
    OSC_TRY(make_map(device, &m.w, w->code, false, w->stride, w->rows, 1, DEPTH, BN / CLUSTER));
    OSC_TRY(make_map(device, &m.side_x, c->side_x, true, CODES_CHUNK, p->rows, CODES_CHUNKS,
                     CODES_CHUNK, BM));
    OSC_TRY(make_map(device, &m.side_w, c->side_w, true, CODES_CHUNK, w->rows, CODES_CHUNKS,
                     CODES_CHUNK, BN / CLUSTER));

    const size_t shared = shape<BN>::SHARED_BYTES;
    OSC_CUDA_TRY(cudaFuncSetAttribute(product_kernel<BN, CLUSTER, ZERO, BRAIN>,
                                      cudaFuncAttributeMaxDynamicSharedMemorySize, (int)shared),
                 "taking shared memory");
    cudaLaunchAttribute attribute[2] = {};
    attribute[0].id = cudaLaunchAttributeProgrammaticStreamSerialization;
    attribute[0].val.programmaticStreamSerializationAllowed = 1;
    attribute[1].id = cudaLaunchAttributeClusterDimension;
    attribute[1].val.clusterDim.x = CLUSTER;
    attribute[1].val.clusterDim.y = attribute[1].val.clusterDim.z = 1;
    unsigned tiles = a.row_tiles * a.output_tiles, most = (unsigned)device->processors / CLUSTER;
    cudaLaunchConfig_t config = {};
    config.gridDim = dim3((tiles < most ? tiles : most) * CLUSTER);
    config.blockDim = dim3(THREADS);
    config.dynamicSmemBytes = shared;
    config.stream = device->stream;
    config.attrs = attribute;
    config.numAttrs = 2;
    OSC_CUDA_TRY(cudaLaunchKernelEx(&config, product_kernel<BN, CLUSTER, ZERO, BRAIN>, a, m),
                 "multiplying codes");
    return OSC_OK;
}

bool osc_cuda_wgmma_fits(const osc_device *device, const osc_cuda_layer *p)
{
    return device->hopper && device->codes->encode != NULL
        && (p->act == OSC_ACT_NONE || p->act == OSC_ACT_RELU);
}

/* Outputs of a tile: those that leave the fewest multiprocessors waiting at the end. */
static unsigned choose_outputs(const osc_device *device, const osc_cuda_layer *p)
{
    static const unsigned widths[] = { 256, 192, 128 };
    size_t pairs = (p->rows + 2 * BM - 1) / (2 * BM), slots = (size_t)device->processors / 2;
    size_t best = 128;
    double least = 1e300;
    for (size_t i = 0; i < 3; i++) {
        size_t tiles = pairs * ((p->n + widths[i] - 1) / widths[i]);
        /* narrower tiles copy more codes for a product */
        double cost = (double)((tiles + slots - 1) / slots) * (widths[i] + 16);
        if (cost < least) {
            least = cost;
            best = widths[i];
        }
    }
    return (unsigned)best;
}

template <bool ZERO, bool BRAIN>
static osc_status launch_best(osc_device *device, const osc_cuda_layer *p)
{
    if (p->rows <= BM)
        return launch<128, 1, ZERO, BRAIN>(device, p);
    unsigned outputs = choose_outputs(device, p);
    if constexpr (!ZERO)         /* with zero points too few registers */
        if (outputs == 256)
            return launch<256, 2, ZERO, BRAIN>(device, p);
    return outputs >= 192 ? launch<192, 2, ZERO, BRAIN>(device, p)
                          : launch<128, 2, ZERO, BRAIN>(device, p);
}

osc_status osc_cuda_wgmma_multiply(osc_device *device, const osc_cuda_layer *p)
{
    if (device->dtype == OSC_BF16)
        return p->coding.zeropoint ? launch_best<true, true>(device, p)
                                   : launch_best<false, true>(device, p);
    return p->coding.zeropoint ? launch_best<true, false>(device, p)
                               : launch_best<false, false>(device, p);
}

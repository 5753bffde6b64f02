/* The product of codes on Hopper's matrix units, y written once: scales, outlier
 * columns, bias and activation are applied to the sums in registers.
 *
 * A CTA is a producer warp, which copies tiles of codes into a ring of stages in shared
 * memory, and two warpgroups that multiply 64 rows of x each by BN outputs.  CTAs go
 * from tile to tile, neighbours in x first, so that codes of w come from device memory
 * once; CLUSTER CTAs with neighbouring rows of x share their copies of w.
 *
 * The end of a tile keeps a warpgroup from multiplying for as short as possible: its
 * sums become 16-bit outputs in registers, half as many as the sums, and these are
 * stored between the products of the next tile. */
#include <config.h>
#include "cuda/flags.cuh"
#include "cuda/wgmma.cuh"

#include <cudaTypedefs.h>
#include <type_traits>

enum {
    THREADS = 384,
    GROUP = 128,                   /* threads of a warpgroup */
    BM = 128,
    DEPTH = 128,                   /* codes of a row in one stage */
    BAND = 16,                     /* tiles of rows that are done before the next ones */
    SHARED = 232448                /* bytes that a CTA can have */
};

struct call : product_call {
    unsigned stride, panel_rows;               /* of w */
    unsigned row_tiles, output_tiles;          /* row_tiles: of a whole cluster */
    bool     wide;                             /* rows of y are aligned to 16 bytes */
};

struct maps {
    CUtensorMap x, w;
};

/* What a warpgroup needs at the end of its tile. */
template <int BN> struct columns {
    uint16_t side_w[BN][CODES_CHUNK], side_x[BM / 2][CODES_CHUNK];   /* the first chunk */
    float    inverse[BN], bias[BN];
    int32_t  zero[BN], kept[BN];
};

template <int BN> struct shape {
    enum {
        A_BYTES = BM * DEPTH, B_BYTES = BN * DEPTH, BYTES = A_BYTES + B_BYTES,
        STAGES = BN == 256 ? 4 : BN == 192 ? 5 : 6,
        PIECES = BN / 32,                      /* of a row of outputs, each of 32 */
        SHARED_BYTES = STAGES * BYTES + 2 * (int)sizeof(columns<BN>) + 2 * STAGES * 8
    };
    static_assert((int)SHARED_BYTES <= (int)SHARED, "stages must fit");
};

#if defined(__CUDA_ARCH_FEAT_SM90_ALL)

/* Outputs of a tile that have still to be stored: of two rows, eight neighbours in
 * every piece. */
template <int BN> struct outputs {
    uint16_t *line;                /* the first, in the upper row */
    unsigned  output;              /* its index */
    unsigned  rows;                /* bit 0: the upper row is there, bit 1: the lower */
    unsigned  word[shape<BN>::PIECES][2][4];
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
    return min((a.c.columns[0] + CODES_CHUNK - 1) / CODES_CHUNK, (unsigned)CODES_CHUNKS);
}

/* --- the producer --------------------------------------------------------------------- */

/* Codes of w of one stage: this CTA's share of them, for all of the cluster. */
template <int BN, int CLUSTER>
static __device__ __forceinline__ void fetch_w(const maps &m, char *stage, uint64_t *full,
                                               unsigned block, unsigned output, unsigned rank)
{
    const uint16_t all = (1 << CLUSTER) - 1;
    const unsigned share = BN / CLUSTER;
    char *to = stage + shape<BN>::A_BYTES + rank * share * DEPTH;
    barrier_expect(full, shape<BN>::BYTES);
    if (CLUSTER == 1)
        copy_2d(to, &m.w, full, (int)(block * DEPTH), (int)output);
    else
        copy_2d_to(to, &m.w, full, (int)(block * DEPTH), (int)(output + rank * share), all);
}

/* The first stages' codes of w do not wait for the kernel before. */
template <int BN, int CLUSTER>
static __device__ void produce(const call &a, const maps &m, char *stages, uint64_t *full,
                               uint64_t *empty, unsigned rank, unsigned first, unsigned step)
{
    typedef shape<BN> S;
    cursor<S::STAGES> at = { 0, 1 };
    unsigned blocks = (a.stride + DEPTH - 1) / DEPTH, early = min(blocks, (unsigned)S::STAGES);
    unsigned output = tile_at<BN, CLUSTER>(a, first, rank).output;
    for (unsigned b = 0; b < early; b++)
        fetch_w<BN, CLUSTER>(m, stages + b * S::BYTES, &full[b], b, output, rank);
    after_last_kernel();
    for (unsigned i = first; i < a.row_tiles * a.output_tiles; i += step) {
        tile t = tile_at<BN, CLUSTER>(a, i, rank);
        for (unsigned b = 0; b < blocks; b++, at.next()) {
            char *stage = stages + at.stage * S::BYTES;
            if (i != first || b >= early) {
                barrier_wait(&empty[at.stage], at.parity);
                fetch_w<BN, CLUSTER>(m, stage, &full[at.stage], b, t.output, rank);
            }
            copy_2d(stage, &m.x, &full[at.stage], (int)(b * DEPTH), (int)t.row);
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

/* Starts copies of what the tile's end needs; they arrive during its product. */
template <int BN, bool ZERO>
static __device__ __forceinline__ void copy_columns(columns<BN> *to, const call &a, unsigned row,
                                                    unsigned output, bool side)
{
    const uint4 *w = reinterpret_cast<const uint4 *>(a.c.side_w) + (size_t)output * 2;
    const uint4 *x = reinterpret_cast<const uint4 *>(a.c.side_x) + (size_t)row * 2;
    unsigned thread = threadIdx.x % GROUP;
#pragma unroll
    for (unsigned i = thread; i < BN; i += GROUP) {
        unsigned j = min(output + i, a.n - 1);
        copy4(&to->inverse[i], &a.w.inverse[j]);
        if (ZERO) {
            copy4(&to->zero[i], &a.w.zero[j]);
            copy4(&to->kept[i], &a.c.kept_w[j]);
        }
    }
    if (!side)
        return;
#pragma unroll
    for (unsigned i = thread; i < 2 * BN; i += GROUP)
        copy16(&to->side_w[i / 2][i % 2 * 8], w + min(i, (a.panel_rows - output) * 2 - 1));
    if (row < a.rows)
        copy16(&to->side_x[thread / 2][thread % 2 * 8], x + min(thread, (a.rows - row) * 2 - 1));
}

/* The bias is loaded before a tile's product and put in place after it. */
template <int BN, bool BRAIN>
static __device__ __forceinline__ void load_bias(float (&b)[BN / GROUP + 1], const call &a,
                                                 unsigned output)
{
#pragma unroll
    for (unsigned i = 0; i * GROUP < BN; i++) {
        unsigned j = min(output + i * GROUP + threadIdx.x % GROUP, a.n - 1);
        b[i] = a.bias != NULL ? element<BRAIN>(a.bias, j) : 0.0f;
    }
}

template <int BN>
static __device__ __forceinline__ void put_bias(columns<BN> *to, const float (&b)[BN / GROUP + 1])
{
#pragma unroll
    for (unsigned i = 0; i * GROUP < BN; i++)
        if (i * GROUP + threadIdx.x % GROUP < BN)
            to->bias[i * GROUP + threadIdx.x % GROUP] = b[i];
}

/* Stores one piece; `piece` is a constant where this is inlined. */
template <int BN>
static __device__ __forceinline__ void store_piece(const outputs<BN> &y, const call &a,
                                                   unsigned piece)
{
    uint16_t *to = y.line + piece * 32;
    const unsigned (*word)[4] = y.word[piece];
    if (y.output + piece * 32 >= a.n)
        return;
    if (y.rows & 1)
        *reinterpret_cast<uint4 *>(to) = make_uint4(word[0][0], word[0][1], word[0][2],
                                                    word[0][3]);
    if (y.rows & 2)
        *reinterpret_cast<uint4 *>(to + (size_t)8 * a.n) = make_uint4(word[1][0], word[1][1],
                                                                      word[1][2], word[1][3]);
}

/* The same with a piece that is known when the kernel runs: registers have no index. */
template <int BN>
static __device__ __forceinline__ void store_next(const outputs<BN> &y, const call &a,
                                                  unsigned piece)
{
#pragma unroll
    for (unsigned i = 0; i < shape<BN>::PIECES; i++)
        if (piece == i)
            store_piece<BN>(y, a, i);
}

/* Sums of codes of one tile: all stages of it, each given back one later.  Stores the
 * outputs of the tile before meanwhile. */
template <int BN, int CLUSTER>
static __device__ __forceinline__ void multiply(int (&sum)[BN / 2], const outputs<BN> &before,
                                                const call &a, const char *stages,
                                                uint64_t *full, uint64_t *empty,
                                                cursor<shape<BN>::STAGES> *at, unsigned group)
{
    typedef shape<BN> S;
    unsigned blocks = (a.stride + DEPTH - 1) / DEPTH, last = 0;
    for (unsigned b = 0; b < blocks; b++) {
        const char *stage = stages + at->stage * S::BYTES;
        uint64_t left = tile_descriptor(stage + group * (BM / 2 * DEPTH), DEPTH);
        uint64_t right = tile_descriptor(stage + S::A_BYTES, DEPTH);
        barrier_wait(&full[at->stage], at->parity);
        wgmma_fence();
#pragma unroll
        for (unsigned i = 0; i < DEPTH / 32; i++)
            wgmma<BN>::codes(sum, left + 2 * i, right + 2 * i, b + i > 0);
        wgmma_commit();
        if (b < S::PIECES)
            store_next<BN>(before, a, b);
        if (b > 0) {
            wgmma_wait<1>();
            release<CLUSTER>(&empty[last]);
        }
        last = at->stage;
        at->next();
    }
    for (unsigned b = blocks; b < S::PIECES; b++)
        store_next<BN>(before, a, b);
    wgmma_wait<0>();
    release<CLUSTER>(&empty[last]);
}

/* Of one of a thread's two rows. */
template <bool ZERO>
static __device__ __forceinline__ row_scale scale_of_row(const call &a, unsigned row)
{
    row_scale f = { 0.0f, 0.0f, 0.0, 0.0 };
    if (row >= a.rows)
        return f;
    f.inverse = a.c.inverse[row];
    if (ZERO) {
        f.outliers = a.c.outliers[row];
        f.zero = (double)a.c.zero[row];
        f.kept = a.c.kept[row];
    }
    return f;
}

/* Four neighbouring removed columns, 4 (lane % 4) .., of both rows: the order of
 * columns is free as long as w has the same. */
struct side_rows {
    uint2 upper, lower;
};

static __device__ __forceinline__ side_rows load_side(const call &a, unsigned row, unsigned chunk)
{
    const uint16_t *from = a.c.side_x + ((size_t)chunk * a.rows + row) * CODES_CHUNK
                         + threadIdx.x % 4 * 4;
    side_rows x = { make_uint2(0, 0), make_uint2(0, 0) };
    if (row < a.rows)
        x.upper = *reinterpret_cast<const uint2 *>(from);
    if (row + 8 < a.rows)
        x.lower = *reinterpret_cast<const uint2 *>(from + 8 * CODES_CHUNK);
    return x;
}

/* d += x w^T over a chunk, for 16 rows and 8 outputs. */
template <bool BRAIN>
static __device__ __forceinline__ void add_chunk(float (&d)[4], const side_rows &x, uint2 w)
{
    if (BRAIN)
        asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, "
            "{%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
            : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
            : "r"(x.upper.x), "r"(x.lower.x), "r"(x.upper.y), "r"(x.lower.y), "r"(w.x), "r"(w.y));
    else
        asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, "
            "{%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
            : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
            : "r"(x.upper.x), "r"(x.lower.x), "r"(x.upper.y), "r"(x.lower.y), "r"(w.x), "r"(w.y));
}

/* Adds the later chunks of removed columns to a piece of outputs. */
template <bool BRAIN>
static __device__ __noinline__ void add_chunks(float (&d)[4][4], const call &a, unsigned row,
                                               unsigned output, unsigned chunks)
{
    unsigned lane = threadIdx.x % 32;
    for (unsigned c = 1; c < chunks; c++) {
        side_rows x = load_side(a, row, c);
#pragma unroll
        for (unsigned j = 0; j < 4; j++) {
            unsigned at = output + j * 8 + lane / 4;
            uint2 w = make_uint2(0, 0);
            if (at < a.panel_rows)
                w = *reinterpret_cast<const uint2 *>(
                    a.c.side_w + ((size_t)c * a.panel_rows + at) * CODES_CHUNK + lane % 4 * 4);
            add_chunk<BRAIN>(d[j], x, w);
        }
    }
}

/* The removed columns beyond all chunks, one by one. */
template <bool BRAIN>
static __device__ __noinline__ void add_rest(float (&d)[4][4], const call &a, unsigned row,
                                             unsigned output)
{
    unsigned lane = threadIdx.x % 4;
    for (unsigned i = CODES_SIDE; i < a.c.columns[0]; i++) {
        size_t column = a.c.columns[1 + i];
        float x0 = is_removed(a, row, column)
                 ? element<BRAIN>(a.x, (size_t)row * a.k + column) : 0.0f;
        float x1 = is_removed(a, row + 8, column)
                 ? element<BRAIN>(a.x, (size_t)(row + 8) * a.k + column) : 0.0f;
#pragma unroll
        for (unsigned j = 0; j < 8; j++) {
            size_t at = output + j / 2 * 8 + lane * 2 + j % 2;
            float w = at >= a.panel_rows ? 0.0f
                    : a.w.stored != NULL ? element<BRAIN>(a.w.stored, column * a.panel_rows + at)
                    : (float)a.w.code[at * a.stride + column];
            d[j / 2][j % 2] += x0 * w;
            d[j / 2][j % 2 + 2] += x1 * w;
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

/* The eight neighbouring outputs of a piece are in registers 4 (4 piece + j) + half * 2 + e. */
#define AT(piece, half, i) (4 * (4 * (piece) + (i) / 2) + (half) * 2 + (i) % 2)

/* What a tile's sums become outputs with. */
struct tile_facts {
    row_scale row[2];
    unsigned  at_row, output, removed, chunks;
};

/* x_O w_O^T of a piece, added to `d`. */
template <int BN, bool BRAIN>
static __device__ __forceinline__ void add_side(float (&d)[4][4], const call &a,
                                                const tile_facts &t, const columns<BN> &c,
                                                unsigned piece)
{
    unsigned lane = threadIdx.x % 32, k = lane % 4 * 4;
    unsigned row = threadIdx.x % GROUP / 32 * 16 + lane / 4;
    if (t.chunks == 0)
        return;
    side_rows x = { *reinterpret_cast<const uint2 *>(&c.side_x[row][k]),
                    *reinterpret_cast<const uint2 *>(&c.side_x[row + 8][k]) };
#pragma unroll
    for (unsigned j = 0; j < 4; j++)
        add_chunk<BRAIN>(d[j], x, *reinterpret_cast<const uint2 *>(
                             &c.side_w[piece * 32 + j * 8 + lane / 4][k]));
    if (t.chunks == 1)
        return;
    float more[4][4] = {};         /* in memory, unlike d */
    add_chunks<BRAIN>(more, a, t.at_row, t.output + piece * 32, t.chunks);
    if (t.removed > CODES_SIDE)
        add_rest<BRAIN>(more, a, t.at_row, t.output + piece * 32);
#pragma unroll
    for (unsigned i = 0; i < 16; i++)
        d[i / 4][i % 4] += more[i / 4][i % 4];
}

/* One output from its sum.  `side` is the removed columns' part; where these are as
 * stored (SCALED) it has the bias in it. */
template <int BN, bool ZERO, bool SCALED>
static __device__ __forceinline__ float output_of(int sum, float side, const row_scale &f,
                                                  const columns<BN> &c, unsigned at, float w,
                                                  float bias)
{
    float value = half_scaled<ZERO>(sum, f, ZERO ? c.zero[at] : 0, ZERO ? c.kept[at] : 0);
    if (SCALED)
        return fmaf(value, w, side);
    if (ZERO)
        side -= (float)c.zero[at] * f.outliers;
    return fmaf(value + side, w, bias);
}

/* y = act((sums + x_O w_O^T) * scales + bias), rounded. */
template <int BN, bool ZERO, bool BRAIN, bool SCALED>
static __device__ __forceinline__ void make_outputs(outputs<BN> *y, const int (&sum)[BN / 2],
                                                    const call &a, const tile_facts &t,
                                                    const columns<BN> &c)
{
    const unsigned infinite = BRAIN ? 0xff80ff80u : 0xfc00fc00u;
    unsigned lane = threadIdx.x % 4, least = a.act == OSC_ACT_RELU ? 0 : infinite;
#pragma unroll
    for (unsigned g = 0; g < shape<BN>::PIECES; g++) {
        float w[8], b[8], side[4][4];
        unsigned at = g * 32 + lane * 8;
        *reinterpret_cast<float4 *>(w) = *reinterpret_cast<const float4 *>(c.inverse + at);
        *reinterpret_cast<float4 *>(w + 4) = *reinterpret_cast<const float4 *>(c.inverse + at + 4);
        *reinterpret_cast<float4 *>(b) = *reinterpret_cast<const float4 *>(c.bias + at);
        *reinterpret_cast<float4 *>(b + 4) = *reinterpret_cast<const float4 *>(c.bias + at + 4);
#pragma unroll
        for (unsigned i = 0; i < 16; i++)
            side[i / 4][i % 4] = SCALED ? b[i / 4 * 2 + i % 2] : 0.0f;
        add_side<BN, BRAIN>(side, a, t, c, g);
#pragma unroll
        for (unsigned half = 0; half < 2; half++) {
            float v[8];
#pragma unroll
            for (unsigned i = 0; i < 8; i++)
                v[i] = output_of<BN, ZERO, SCALED>(sum[AT(g, half, i)],
                                                   side[i / 2][half * 2 + i % 2], t.row[half], c,
                                                   at + i, w[i], b[i]);
#pragma unroll
            for (unsigned i = 0; i < 4; i++)
                y->word[g][half][i] = pack2<BRAIN>(v[2 * i], v[2 * i + 1], least);
        }
    }
}

/* Flags of the tile's outputs: a thread has eight neighbours of two rows in every piece. */
template <int BN, bool BRAIN>
static __device__ __forceinline__ void flag_outputs(const outputs<BN> &y, const call &a,
                                                    unsigned row)
{
    typedef std::conditional_t<BRAIN, __nv_bfloat16, __half> T;
    if (a.flags.bits == NULL || (y.rows & 1) == 0)
        return;
    osc_cuda_flags upper = of_row(a.flags, row);
    osc_cuda_flags lower = y.rows & 2 ? of_row(a.flags, row + 8) : upper;
#pragma unroll
    for (unsigned g = 0; g < shape<BN>::PIECES; g++) {
        const unsigned (*word)[4] = y.word[g];
        uint4 size = make_uint4(0, 0, 0, 0);
        larger8<T>(&size, make_uint4(word[0][0], word[0][1], word[0][2], word[0][3]));
        if (upper.bits != lower.bits) {      /* another sequence */
            flag8<T>(upper, y.output + g * 32, size);
            size = make_uint4(0, 0, 0, 0);
        }
        if (y.rows & 2)
            larger8<T>(&size, make_uint4(word[1][0], word[1][1], word[1][2], word[1][3]));
        flag8<T>(lower, y.output + g * 32, size);
    }
}

/* Stores a tile whose rows of y are not aligned. */
template <int BN>
static __device__ void store_narrow(const outputs<BN> &y, const call &a)
{
#pragma unroll
    for (unsigned g = 0; g < shape<BN>::PIECES; g++)
#pragma unroll
        for (unsigned half = 0; half < 2; half++)
#pragma unroll
            for (unsigned i = 0; i < 8; i++)
                if ((y.rows >> half & 1) && y.output + g * 32 + i < a.n)
                    y.line[(size_t)half * 8 * a.n + g * 32 + i] =
                        (uint16_t)(y.word[g][half][i / 2] >> i % 2 * 16);
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

/* The tile's outputs, from its sums. */
template <int BN, bool ZERO, bool BRAIN>
static __device__ __forceinline__ void finish_tile(outputs<BN> *y, const int (&sum)[BN / 2],
                                                   const call &a, const tile_facts &t,
                                                   const columns<BN> &c)
{
    y->output = t.output + threadIdx.x % 4 * 8;
    y->line = reinterpret_cast<uint16_t *>(a.y) + (size_t)t.at_row * a.n + y->output;
    y->rows = (t.at_row < a.rows ? 1 : 0) | (t.at_row + 8 < a.rows ? 2 : 0);
    if (a.w.stored != NULL || t.removed == 0)
        make_outputs<BN, ZERO, BRAIN, true>(y, sum, a, t, c);
    else
        make_outputs<BN, ZERO, BRAIN, false>(y, sum, a, t, c);
    flag_outputs<BN, BRAIN>(*y, a, t.at_row);
    if (a.wide)
        return;
    store_narrow<BN>(*y, a);
    y->rows = 0;
}

template <int BN, int CLUSTER, bool ZERO, bool BRAIN>
static __device__ void consume(const call &a, const char *stages, columns<BN> *c, uint64_t *full,
                               uint64_t *empty, unsigned group, unsigned rank, unsigned first,
                               unsigned step)
{
    cursor<shape<BN>::STAGES> at = { 0, 0 };
    unsigned thread = threadIdx.x % GROUP;
    int sum[BN / 2] = { 0 };
    outputs<BN> y = {};
    tile_facts t;
    after_last_kernel();
    if (group == 0 && a.flags.bits != NULL)
        for (unsigned i = blockIdx.x * GROUP + thread; i < a.flags.cleared; i += gridDim.x * GROUP)
            a.flags.clear[i] = 0;
    t.removed = a.c.columns[0];
    t.chunks = chunk_count(a);
    for (unsigned i = first; i < a.row_tiles * a.output_tiles; i += step) {
        tile now = tile_at<BN, CLUSTER>(a, i, rank);
        float bias[BN / GROUP + 1];
        unsigned row = now.row + group * (BM / 2);
        t.at_row = row + thread / 32 * 16 + thread % 32 / 4;
        t.output = now.output;
        copy_columns<BN, ZERO>(c, a, row, t.output, t.chunks > 0);
        load_bias<BN, BRAIN>(bias, a, t.output);
        t.row[0] = scale_of_row<ZERO>(a, t.at_row);
        t.row[1] = scale_of_row<ZERO>(a, t.at_row + 8);
        multiply<BN, CLUSTER>(sum, y, a, stages, full, empty, &at, group);
        put_bias<BN>(c, bias);
        copies_arrived();
        group_sync(group);
        if (a.sum != NULL)
            store_sums<BN>(sum, a, t.at_row, t.output);
        else
            finish_tile<BN, ZERO, BRAIN>(&y, sum, a, t, *c);
        group_sync(group);    /* all have read the columns */
    }
#pragma unroll
    for (unsigned g = 0; g < shape<BN>::PIECES; g++)
        store_piece<BN>(y, a, g);
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
        asm volatile("setmaxnreg.dec.sync.aligned.u32 24;");
        if (threadIdx.x == 0)
            produce<BN, CLUSTER>(a, m, shared, full, empty, rank, first, step);
    } else {
        asm volatile("setmaxnreg.inc.sync.aligned.u32 240;");
        consume<BN, CLUSTER, ZERO, BRAIN>(a, shared, c + (role - 1), full, empty, role - 1, rank,
                                          first, step);
    }
    if (CLUSTER > 1)
        cluster_sync();    /* copies and arrivals of the other CTA end up here */
#endif
}

/* --- launching ------------------------------------------------------------------------ */

typedef PFN_cuTensorMapEncodeTiled_v12000 encode_function;

/* Codes in `count` rows of `width`; boxes of `box` rows. */
static osc_status make_map(const osc_device *device, CUtensorMap *map, const void *codes,
                           size_t width, size_t count, unsigned box)
{
    const cuuint64_t dim[2] = { width, count }, stride[1] = { width };
    const cuuint32_t boxes[2] = { DEPTH, box }, step[2] = { 1, 1 };
    CUresult result = ((encode_function)device->encode)(
        map, CU_TENSOR_MAP_DATA_TYPE_UINT8, 2, (void *)codes, dim, stride, boxes, step,
        CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
        CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
    if (result != CUDA_SUCCESS)
        return osc_fail(OSC_EDEVICE, "CUDA: describing %zu x %zu codes for copies: error %d",
                        count, width, (int)result);
    return OSC_OK;
}

static call call_of(const osc_device *device, const osc_cuda_layer *p)
{
    call a = {};
    fill_call(&a, device, p);
    a.stride = (unsigned)p->w.stride;
    a.panel_rows = (unsigned)p->w.rows;
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
    OSC_TRY(make_map(device, &m.x, c->code, w->stride, p->rows, BM));
    OSC_TRY(make_map(device, &m.w, w->code, w->stride, w->rows, BN / CLUSTER));

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
    return device->hopper && device->encode != NULL
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

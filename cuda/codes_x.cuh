/* Parts of coding x that kernels share: reading rows, sets of removed columns. */
#ifndef OSC_CUDA_CODES_X_CUH
#define OSC_CUDA_CODES_X_CUH

#include "cuda/flags.cuh"

/* Eight values of a row from column i on, a multiple of 8; zeros beyond k. */
template <bool ALIGNED, typename T>
static __device__ __forceinline__ uint4 load8(const T *row, unsigned i, unsigned k)
{
    if (ALIGNED)
        return i < k ? *reinterpret_cast<const uint4 *>(row + i) : make_uint4(0, 0, 0, 0);
    const unsigned short *at = reinterpret_cast<const unsigned short *>(row);
    unsigned v[8];
#pragma unroll
    for (unsigned j = 0; j < 8; j++)
        v[j] = i + j < k ? at[i + j] : 0;
    return make_uint4(v[0] | v[1] << 16, v[2] | v[3] << 16, v[4] | v[5] << 16, v[6] | v[7] << 16);
}

static inline bool rows_aligned(const void *x, size_t k)
{
    return is_aligned16(x) && k % 8 == 0;
}

/* Two removed bits to a mask over two 16-bit values. */
static __device__ __forceinline__ unsigned mask2(unsigned removed, unsigned pair)
{
    return (removed >> 2 * pair & 1 ? 0xffffu : 0) | (removed >> 2 * pair & 2 ? 0xffff0000u : 0);
}

/* Extremes of the kept values of a row as 16-bit keys, two in a word: for symmetric
 * coding `high` alone, the bits of the largest size. */
struct extremes {
    unsigned low, high;
};

template <bool ZERO> static __device__ __forceinline__ extremes no_extremes()
{
    return ZERO ? extremes{ 0x7fff7fffu, 0x80008000u } : extremes{ 0, 0 };
}

template <bool ZERO>
static __device__ __forceinline__ void extend(extremes *e, uint4 v, unsigned removed)
{
    const unsigned word[4] = { v.x, v.y, v.z, v.w };
#pragma unroll
    for (unsigned j = 0; j < 4; j++) {
        if (ZERO) {
            unsigned key = keys16(word[j]), gone = mask2(removed, j);
            e->low = __vmins2(e->low, (key & ~gone) | (gone & 0x7fff7fffu));
            e->high = __vmaxs2(e->high, (key & ~gone) | (gone & 0x80008000u));
        } else {
            e->high = __vmaxu2(e->high, word[j] & 0x7fff7fffu);
        }
    }
}

/* Symmetric coding takes removed values for zeros, which are in every range and whose
 * code is 0; with zero points they are told apart everywhere. */
template <bool ZERO>
static __device__ __forceinline__ uint4 without(uint4 v, unsigned removed)
{
    if (ZERO || removed == 0)
        return v;
    return make_uint4(v.x & ~mask2(removed, 0), v.y & ~mask2(removed, 1),
                      v.z & ~mask2(removed, 2), v.w & ~mask2(removed, 3));
}

/* Both values of each word, over the warp. */
template <bool ZERO> static __device__ __forceinline__ extremes warp_extremes(extremes e)
{
    extremes all = e;
    if (ZERO) {
        int low = min((int)(short)e.low, (int)(short)(e.low >> 16));
        int high = max((int)(short)e.high, (int)(short)(e.high >> 16));
        all.low = (unsigned)__reduce_min_sync(~0u, low);
        all.high = (unsigned)__reduce_max_sync(~0u, high);
    } else {
        all.high = __reduce_max_sync(~0u, max(e.high & 0xffff, e.high >> 16));
    }
    return all;
}

/* Keys of floats from reduced extremes. */
template <typename T, bool ZERO>
static __device__ __forceinline__ void float_keys(int32_t *low, int32_t *high, extremes e)
{
    if (!ZERO) {
        *low = *high = key32(bits16<T>::value(e.high));
        return;
    }
    bool empty = (int)e.low > (int)e.high;
    *low = empty ? INT32_MAX : key32(bits16<T>::value(keys16(e.low & 0xffff) & 0xffff));
    *high = empty ? INT32_MIN : key32(bits16<T>::value(keys16(e.high & 0xffff) & 0xffff));
}

/* Codes of eight values of without(), 0 where removed; with zero points their sum is
 * added to *sum and removed values to *gone. */
template <typename T, bool ZERO>
static __device__ __forceinline__ uint2 code8(uint4 v, unsigned removed, code_scale s, int *sum,
                                              float *gone)
{
    const unsigned word[4] = { v.x, v.y, v.z, v.w };
    unsigned q[8];
#pragma unroll
    for (unsigned j = 0; j < 8; j++) {
        float x = bits16<T>::value(word[j / 2] >> j % 2 * 16 & 0xffff);
        int code = code_of<ZERO>(x, s);
        if (ZERO) {
            bool out = removed >> j & 1;
            code = out ? 0 : code;
            *sum += code;
            *gone += out ? x : 0.0f;
        }
        q[j] = (unsigned)code;
    }
    uint2 both;
    both.x = __byte_perm(__byte_perm(q[0], q[1], 0x0040), __byte_perm(q[2], q[3], 0x0040), 0x5410);
    both.y = __byte_perm(__byte_perm(q[4], q[5], 0x0040), __byte_perm(q[6], q[7], 0x0040), 0x5410);
    return both;
}

/* --- rows of codes -------------------------------------------------------------------------- */

/* The warps of one row: its lanes take vectors lane, lane + lanes, ... */
struct team {
    unsigned lane, lanes, index, count, warps;
};

/* Teams of so many warps in a CTA of `threads`. */
static __device__ __forceinline__ team my_team(unsigned warps, unsigned threads)
{
    unsigned lanes = warps * 32;
    return { threadIdx.x % lanes, lanes, threadIdx.x / lanes, threads / lanes, warps };
}

/* What belongs to a row's codes: `kept` is the sum of (q - zero) over kept columns, `gone`
 * that of x over removed ones; both are 0 without zero points. */
static __device__ __forceinline__ void store_scale(const osc_cuda_codes &c, unsigned row,
                                                   code_scale s, double kept, float gone)
{
    c.scale[row] = s.scale;
    c.inverse[row] = __fdiv_rn(1.0f, s.scale);
    c.zero[row] = s.zero;
    c.kept[row] = kept;
    c.outliers[row] = gone;
}

/* The first CODES_SIDE removed columns of a row x of `rows`, zeros up to a whole chunk; with
 * `own` bits, of the row's sequence, zeros in listed columns that are not among these. */
template <typename T>
static __device__ __forceinline__ void store_side(uint16_t *side_x, const T *x, unsigned row,
                                                  unsigned rows, const team &t,
                                                  const uint32_t *list, unsigned removed,
                                                  const uint32_t *own = NULL)
{
    unsigned count = min(removed, (unsigned)CODES_SIDE);
    unsigned whole = (count + CODES_CHUNK - 1) / CODES_CHUNK * CODES_CHUNK;
    for (unsigned i = t.lane; i < whole; i += t.lanes)
        reinterpret_cast<T *>(side_x)[((size_t)(i / CODES_CHUNK) * rows + row) * CODES_CHUNK
                                      + i % CODES_CHUNK] =
            i < count && (own == NULL || (own[list[i] / 32] >> list[i] % 32 & 1) != 0)
            ? x[list[i]] : from_float<T>(0.0f);
}

/* What a CTA knows of few rows of x. */
struct few_rows {
    float    inverse[FEW_ROWS], outliers[FEW_ROWS];
    double   zero[FEW_ROWS], kept[FEW_ROWS];
    uint32_t list[CODES_SIDE];
    float    side[FEW_ROWS][CODES_SIDE];      /* x in these columns */
    unsigned removed;

    __device__ __forceinline__ row_scale of_row(unsigned t) const
    {
        return { inverse[t], outliers[t], zero[t], kept[t] };
    }

    /* By `threads` threads, once the list is there. */
    template <typename T>
    __device__ __forceinline__ void take_side(const T *x, unsigned rows, unsigned k,
                                              unsigned threads)
    {
        unsigned count = min(removed, (unsigned)CODES_SIDE);
        for (unsigned i = threadIdx.x; i < count * rows; i += threads)
            side[i / count][i % count] = to_float(x[(size_t)(i / count) * k + list[i % count]]);
    }
};

/* --- sets of columns: a bit each in shared memory ------------------------------------------ */

/* Warp 0 writes the columns whose bits are set, ascending: the first `room` to list,
 * and all to `all` unless it is NULL.  Returns their count, to warp 0 alone. */
static __device__ unsigned list_columns(uint32_t *list, unsigned room, uint32_t *all,
                                        const uint32_t *bits, unsigned words)
{
    unsigned lane = threadIdx.x % 32, count = 0;
    for (unsigned base = 0; base < words; base += 32) {
        unsigned w = base + lane, word = w < words ? bits[w] : 0;
        if (!__any_sync(~0u, word != 0))
            continue;
        unsigned mine = __popc(word), upto = mine;
#pragma unroll
        for (unsigned d = 1; d < 32; d *= 2) {
            unsigned other = __shfl_up_sync(~0u, upto, d);
            upto += lane >= d ? other : 0;
        }
        unsigned at = count + upto - mine;
        for (; word != 0; word &= word - 1, at++) {
            unsigned column = w * 32 + (unsigned)__ffs((int)word) - 1;
            if (at < room)
                list[at] = column;
            if (all != NULL)
                all[at] = column;
        }
        count += __shfl_sync(~0u, upto, 31);
    }
    return count;
}

/* Columns k .. of the last words count as removed from here on, so that they are in
 * no range and their codes are 0. */
static __device__ void remove_padding(uint32_t *bits, unsigned k, unsigned words)
{
    for (unsigned w = k / 32 + threadIdx.x; w < words; w += blockDim.x)
        bits[w] |= w * 32 >= k ? ~0u : ~0u << k % 32;
}

static __device__ __forceinline__ unsigned removed8(const uint32_t *bits, unsigned i)
{
    return reinterpret_cast<const uint8_t *>(bits)[i / 8];
}

/* --- the removed columns of w -------------------------------------------------------------- */

/* Those of a chunk for one row of codes of w: as stored, or the codes.  Items are rows of
 * a chunk, chunk after chunk; all loads of one are under way together. */
template <typename T> struct side_weights {
    packed<T> part[2];

    __device__ __forceinline__ void load(const osc_cuda_weight &w, unsigned item,
                                         const uint32_t *list, unsigned count)
    {
        unsigned rows = (unsigned)w.rows, row = item % rows;
        unsigned first = item / rows * CODES_CHUNK;
        if (w.stored != NULL) {
            const T *from = reinterpret_cast<const T *>(w.stored) + row;
#pragma unroll
            for (unsigned j = 0; j < CODES_CHUNK; j++)
                part[j / 8].at[j % 8] = first + j < count ? from[(size_t)list[first + j] * rows]
                                                          : from_float<T>(0.0f);
            return;
        }
        const int8_t *from = w.code + (size_t)row * w.stride;
        int code[CODES_CHUNK];
#pragma unroll
        for (unsigned j = 0; j < CODES_CHUNK; j++)
            code[j] = first + j < count ? from[list[first + j]] : 0;
#pragma unroll
        for (unsigned j = 0; j < CODES_CHUNK; j++)
            part[j / 8].at[j % 8] = from_float<T>((float)code[j]);
    }

    __device__ __forceinline__ void store(uint16_t *side_w, unsigned item) const
    {
        uint4 *to = reinterpret_cast<uint4 *>(side_w) + (size_t)item * (CODES_CHUNK / 8);
        to[0] = part[0].bits;
        to[1] = part[1].bits;
    }
};

/* Sum of the codes of an output's row of w without the listed columns. */
static __device__ __forceinline__ int kept_without(const osc_cuda_weight &w, unsigned output,
                                                   const uint32_t *list, unsigned removed)
{
    const int8_t *code = w.code + (size_t)osc_cuda_code_row(output) * w.stride;
    int kept = w.total[output];
    for (unsigned i = 0; i < removed; i++)
        kept -= code[list[i]];
    return kept;
}

/* Words of bits for k columns and the padding of their codes. */
static __host__ __device__ inline unsigned bit_words(unsigned k)
{
    return (k + CODES_ALIGN + 31) / 32;
}

#endif

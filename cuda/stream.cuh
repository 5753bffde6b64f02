/* Products of few rows read each weight once, and reading is what they cost.  A warp takes
 * a unit of STREAM_ROWS outputs at a time, whose rows it reads from end to end, a batch at
 * a time; two batches are in registers or on their way there.  Since weights are constants,
 * the first two need not wait for the kernel before. */
#ifndef OSC_CUDA_STREAM_CUH
#define OSC_CUDA_STREAM_CUH

#include "cuda/launch.cuh"

enum {
    STREAM_ROWS = 2,
    STREAM_STEPS = 4,                      /* times 512 bytes of each row: a batch */
    STREAM_BATCH = STREAM_STEPS * 512
};

/* Up to OSC_PRODUCTS weights one behind the other; units are counted through all. */
struct streams {
    const void *row[OSC_PRODUCTS];         /* [count, bytes] */
    unsigned    count[OSC_PRODUCTS], end[OSC_PRODUCTS];   /* end: the unit behind the last */
    unsigned    units;                     /* of all */
    unsigned    bytes;                     /* of a row, a multiple of 16 */
};

struct batch {
    uint4 at[STREAM_ROWS][STREAM_STEPS];
};

/* Of a unit: the weight, and its first row there. */
struct stream_rows {
    unsigned number, first;
};

/* What a warp reads next: bytes base .. of a unit's rows; the second row lies `second` bytes
 * behind the first, or is the first where there is none. */
struct stream_place {
    const char *row;
    unsigned    second, unit, base;
};

static __device__ __forceinline__ uint4 stream16(const void *at)
{
    uint4 v;
    asm volatile("ld.global.nc.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w) : "l"(at));
    return v;
}

static __device__ __forceinline__ stream_rows rows_of(const streams &s, unsigned unit)
{
    unsigned number = 0;
#pragma unroll
    for (unsigned i = 1; i < OSC_PRODUCTS; i++)
        number += unit >= s.end[i - 1];
    return { number, (unit - (number == 0 ? 0 : s.end[number - 1])) * STREAM_ROWS };
}

static __device__ __forceinline__ stream_place place_of(const streams &s, unsigned unit)
{
    stream_rows rows = rows_of(s, unit < s.units ? unit : 0);
    const char *row = (const char *)s.row[rows.number] + (size_t)rows.first * s.bytes;
    return { row, rows.first + 1 < s.count[rows.number] ? s.bytes : 0, unit, 0 };
}

/* Zeros beyond the last unit or byte. */
static __device__ __forceinline__ void load_batch(batch *b, const streams &s,
                                                  const stream_place &at)
{
#pragma unroll
    for (unsigned j = 0; j < STREAM_STEPS; j++) {
        unsigned i = at.base + (j * 32 + threadIdx.x % 32) * 16;
        bool in = at.unit < s.units && i < s.bytes;
        b->at[0][j] = in ? stream16(at.row + i) : make_uint4(0, 0, 0, 0);
        b->at[1][j] = in ? stream16(at.row + at.second + i) : make_uint4(0, 0, 0, 0);
    }
}

/* To the warp's next batch, `step` units on if this was the unit's last. */
static __device__ __forceinline__ void move_on(stream_place *at, const streams &s, unsigned step)
{
    at->base += STREAM_BATCH;
    if (at->base >= s.bytes)
        *at = place_of(s, at->unit + step);
}

/* CTAs of `warps` warps for all units, up to `most`. */
static inline unsigned stream_blocks(const streams &s, unsigned warps, unsigned most)
{
    unsigned blocks = (s.units + warps - 1) / warps;
    return blocks < most ? blocks : most;
}

/* Adds a weight of `count` rows. */
static inline void add_stream(streams *s, size_t number, const void *row, size_t count)
{
    s->row[number] = row;
    s->count[number] = (unsigned)count;
    s->units += (unsigned)((count + STREAM_ROWS - 1) / STREAM_ROWS);
    for (size_t i = number; i < OSC_PRODUCTS; i++)
        s->end[i] = s->units;
}

/* The first two batches; returns the place behind them. */
static __device__ __forceinline__ stream_place begin_stream(batch (&first)[2], const streams &s,
                                                            unsigned unit, unsigned step)
{
    stream_place at = place_of(s, unit);
#pragma unroll
    for (unsigned i = 0; i < 2; i++) {
        load_batch(&first[i], s, at);
        move_on(&at, s, step);
    }
    return at;
}

/* Calls multiply(batch, base) for every batch of units unit, unit + step ..., end(unit) behind
 * the last of each, and after up to two of these pause(the unit to come).  `first` holds two
 * batches, `ahead` is the place behind them. */
template <typename M, typename E, typename P>
static __device__ __forceinline__ void for_batches(const streams &s, batch (&first)[2],
                                                   stream_place ahead, unsigned unit,
                                                   unsigned step, M multiply, E end, P pause)
{
    unsigned base = 0;
    while (unit < s.units) {
#pragma unroll
        for (unsigned i = 0; i < 2; i++) {
            if (unit >= s.units)
                break;
            multiply(first[i], base);
            load_batch(&first[i], s, ahead);
            move_on(&ahead, s, step);
            base += STREAM_BATCH;
            if (base >= s.bytes) {
                end(unit);
                base = 0;
                unit += step;
            }
        }
        pause(unit);
    }
}

#endif

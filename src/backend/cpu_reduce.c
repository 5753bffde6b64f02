/* Reductions of a whole activation: summaries, and the residual stream's medians and
 * largest values.  All but the sums are exact; sums are split at fixed places. */
#include <config.h>
#include "backend/cpu.h"

#include "base/alloc.h"
#include "base/half.h"

enum {
    PIECE = 16384,        /* values of one task of a summary */
    ROWS = 16,            /* rows of one task */
    OCTAVES = 16,         /* a row's median is seldom so far below its largest value */
    SHARE = 256,          /* one value in so many is few enough to look at one by one */
    SHARE_LEAST = 1024,
};

static size_t pieces(const osc_limits *limits)
{
    return (limits->tokens * limits->widest + PIECE - 1) / PIECE;
}

osc_status osc_cpu_reduction_plan(osc_cpu_reduction *reduction, const osc_limits *limits)
{
    reduction->room = limits->tokens * limits->widest / SHARE + SHARE_LEAST;
    reduction->part = osc_alloc(pieces(limits), sizeof *reduction->part);
    reduction->peak = osc_alloc(limits->tokens, sizeof *reduction->peak);
    reduction->median = osc_alloc(limits->tokens, sizeof *reduction->median);
    reduction->near = osc_alloc(reduction->room, sizeof *reduction->near);
    reduction->bytes = pieces(limits) * sizeof *reduction->part
                     + limits->tokens * 2 * sizeof *reduction->peak
                     + reduction->room * sizeof *reduction->near;
    if (reduction->part == NULL || reduction->peak == NULL || reduction->median == NULL
        || reduction->near == NULL)
        return OSC_ENOMEM;
    return OSC_OK;
}

void osc_cpu_reduction_free(osc_cpu_reduction *reduction)
{
    osc_free(reduction->part);
    osc_free(reduction->peak);
    osc_free(reduction->median);
    osc_free(reduction->near);
}

osc_status osc_cpu_summarize(osc_device *device, osc_summary *summary, const void *x, size_t count)
{
    const osc_cpu_reduce_vec *reduce = device->vec->reduce;
    osc_cpu_part *part = device->reduction.part;
    size_t tasks = (count + PIECE - 1) / PIECE;
#pragma omp parallel for num_threads(device->threads) schedule(dynamic)
    for (size_t t = 0; t < tasks; t++) {
        const float *values = (const float *)x + t * PIECE;
        size_t n = count - t * PIECE < PIECE ? count - t * PIECE : PIECE;
        part[t].peak = reduce->peak(values, n);
        reduce->powers(part[t].power, values, n);
    }
    uint32_t peak = 0;
    *summary = (osc_summary){ .count = count };
    for (size_t t = 0; t < tasks; t++) {
        peak = part[t].peak > peak ? part[t].peak : peak;
        for (size_t p = 0; p < 4; p++)
            summary->power[p] += part[t].power[p];
    }
    summary->peak = osc_bits_to_float(peak);
    return OSC_OK;
}

/* --- medians ------------------------------------------------------------------------- */

/* Where a value of known rank is: `rank` values or fewer are below `low`, more than
 * `rank` are below `high`, of which there are `upto`. */
typedef struct {
    uint32_t low, high;
    size_t   upto;
} bracket;

static void narrow(bracket *b, size_t rank, uint32_t pivot, size_t below_pivot)
{
    if (below_pivot > rank) {
        b->high = pivot;
        b->upto = below_pivot;
    } else {
        b->low = pivot;
    }
}

static uint32_t middle_of(const bracket *b)
{
    return b->low + (b->high - b->low) / 2;
}

/* Magnitude number `rank`, from 0, of x[n] in rising order. */
static uint32_t select_in(const osc_cpu_reduce_vec *reduce, const float *x, size_t n, size_t rank,
                          bracket b)
{
    while (b.upto - 1 != rank && b.high - b.low > 1) {
        uint32_t pivot = middle_of(&b);
        narrow(&b, rank, pivot, reduce->count_below(x, n, pivot));
    }
    return b.upto - 1 == rank ? reduce->largest_below(x, n, b.high) : b.low;
}

static uint32_t row_median(const osc_cpu_reduce_vec *reduce, const float *x, size_t n,
                           uint32_t peak)
{
    size_t rank = (n - 1) / 2;
    bracket b = { 0, peak + 1, n };
    if (peak > (uint32_t)OCTAVES << 23) {
        uint32_t guess = peak - ((uint32_t)OCTAVES << 23);
        narrow(&b, rank, guess, reduce->count_below(x, n, guess));
    }
    return select_in(reduce, x, n, rank, b);
}

static void measure_rows(osc_device *device, const float *x, size_t rows, size_t width)
{
    const osc_cpu_reduce_vec *reduce = device->vec->reduce;
    osc_cpu_reduction *to = &device->reduction;
#pragma omp parallel for num_threads(device->threads) schedule(dynamic, ROWS)
    for (size_t r = 0; r < rows; r++) {
        to->peak[r] = reduce->peak(x + r * width, width);
        to->median[r] = row_median(reduce, x + r * width, width, to->peak[r]);
    }
}

static size_t count_all(const osc_device *device, const float *x, size_t rows, size_t width,
                        uint32_t limit)
{
    size_t below = 0;
#pragma omp parallel for num_threads(device->threads) schedule(static) reduction(+ : below)
    for (size_t r = 0; r < rows; r++)
        below += device->vec->reduce->count_below(x + r * width, width, limit);
    return below;
}

/* The values of [low, high) into `near`, in any order. */
static size_t gather_all(osc_device *device, const float *x, size_t rows, size_t width,
                         const bracket *b)
{
    float *near = device->reduction.near;
    size_t found = 0;
#pragma omp parallel for num_threads(device->threads) schedule(dynamic, ROWS)
    for (size_t r = 0; r < rows; r++) {
        float *here = osc_cpu_scratch(device);
        size_t n = device->vec->reduce->gather(here, x + r * width, width, b->low, b->high), at;
#pragma omp atomic capture
        { at = found; found += n; }
        for (size_t i = 0; i < n; i++)
            near[at + i] = here[i];
    }
    return found;
}

/* The median of all lies between the least and the greatest of the rows' medians, since
 * in every row as many values are on either side of its own. */
static uint32_t median_of_rows(osc_device *device, const float *x, size_t rows, size_t width)
{
    const osc_cpu_reduction *of = &device->reduction;
    size_t count = rows * width, rank = (count - 1) / 2;
    bracket b = { of->median[0], of->median[0], count };
    for (size_t r = 1; r < rows; r++) {
        b.low = of->median[r] < b.low ? of->median[r] : b.low;
        b.high = of->median[r] > b.high ? of->median[r] : b.high;
    }
    b.high++;
    size_t below = count_all(device, x, rows, width, b.low);
    while (b.upto - below > of->room && b.high - b.low > 1) {
        uint32_t pivot = middle_of(&b);
        size_t under = count_all(device, x, rows, width, pivot);
        narrow(&b, rank, pivot, under);
        below = under > rank ? below : under;
    }
    if (b.high - b.low == 1)
        return b.low;
    size_t found = gather_all(device, x, rows, width, &b);
    b.upto = found;
    return select_in(device->vec->reduce, of->near, found, rank - below, b);
}

/* --- the residual stream ---------------------------------------------------------------- */

static uint32_t magnitude_of(float x)
{
    return osc_float_to_bits(x) & 0x7fffffffu;
}

/* Keeps `hit` if it is among the largest; of equals the first stays in front. */
static void place_top(osc_residual *residual, osc_hit hit)
{
    size_t i = residual->tops;
    if (i < OSC_RESIDUAL_TOP)
        residual->tops++;
    else if (magnitude_of(hit.value) <= magnitude_of(residual->top[--i].value))
        return;
    for (; i > 0 && magnitude_of(hit.value) > magnitude_of(residual->top[i - 1].value); i--)
        residual->top[i] = residual->top[i - 1];
    residual->top[i] = hit;
}

/* Only rows whose largest value is larger than the third so far have any to offer. */
static void find_top(const osc_device *device, osc_residual *residual, const float *x, size_t rows,
                     size_t width)
{
    residual->tops = 0;
    for (size_t r = 0; r < rows; r++) {
        if (residual->tops == OSC_RESIDUAL_TOP
            && device->reduction.peak[r] <= magnitude_of(residual->top[OSC_RESIDUAL_TOP - 1].value))
            continue;
        for (size_t c = 0; c < width; c++)
            place_top(residual, (osc_hit){ (uint32_t)r, (uint32_t)c, x[r * width + c] });
    }
}

static void add_columns(osc_device *device, const osc_residual_stats *stats, const float *x,
                        size_t rows, size_t width, float from, uint32_t peak)
{
#pragma omp parallel for num_threads(device->threads) schedule(dynamic)
    for (size_t j = 0; j < width; j += CPU_STAT_COLUMNS) {
        size_t n = width - j < CPU_STAT_COLUMNS ? width - j : CPU_STAT_COLUMNS;
        device->vec->reduce->squares(stats->sumsq + j, x + j, rows, width, n);
        if (peak >= osc_float_to_bits(from))
            device->vec->count_ge(stats->massive + j, x + j, rows, width, n, from);
    }
}

osc_status osc_cpu_residual(osc_device *device, osc_residual *residual,
                            const osc_residual_stats *stats, const void *data, size_t rows,
                            size_t width)
{
    const float *x = data;
    const osc_cpu_reduction *of = &device->reduction;
    measure_rows(device, x, rows, width);
    residual->median = osc_bits_to_float(median_of_rows(device, x, rows, width));
    residual->ratio = 0.0;
    for (size_t r = 0; r < rows; r++)
        residual->ratio += (double)osc_bits_to_float(of->peak[r])
                         / (double)osc_bits_to_float(of->median[r]);
    find_top(device, residual, x, rows, width);
    add_columns(device, stats, x, rows, width, osc_massive_from(residual->median),
                magnitude_of(residual->top[0].value));
    return OSC_OK;
}

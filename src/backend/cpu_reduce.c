/* Reductions of a whole activation: summaries, and the residual stream's medians and
 * largest values.  All but the sums are exact; sums are split at fixed places. */
#include <config.h>
#include "backend/cpu.h"

#include "base/alloc.h"
#include "base/half.h"

enum {
    PIECE = 16384,        /* values of one task of a summary */
    ROWS = 16,            /* rows of one task */
};
static const double MARGIN = 1.0 / 32;

static size_t pieces(const osc_limits *limits)
{
    return (limits->tokens * limits->widest + PIECE - 1) / PIECE;
}

osc_status osc_cpu_reduction_plan(osc_cpu_reduction *reduction, const osc_limits *limits)
{
    reduction->part = osc_alloc(pieces(limits), sizeof *reduction->part);
    reduction->peak = osc_alloc(limits->tokens, sizeof *reduction->peak);
    reduction->median = osc_alloc(limits->tokens, sizeof *reduction->median);
    reduction->bytes = pieces(limits) * sizeof *reduction->part
                     + limits->tokens * 2 * sizeof *reduction->peak;
    if (reduction->part == NULL || reduction->peak == NULL || reduction->median == NULL)
        return OSC_ENOMEM;
    return OSC_OK;
}

void osc_cpu_reduction_free(osc_cpu_reduction *reduction)
{
    osc_free(reduction->part);
    osc_free(reduction->peak);
    osc_free(reduction->median);
}

osc_status osc_cpu_summarize(osc_device *device, const void *x, osc_sequences rows, size_t width,
                             const osc_summary_route *route)
{
    const osc_cpu_reduce_vec *reduce = device->vec->reduce;
    osc_cpu_part *part = device->reduction.part;
    size_t count = rows.tokens * width, tasks = (count + PIECE - 1) / PIECE;
#pragma omp parallel for num_threads(device->threads) schedule(dynamic)
    for (size_t t = 0; t < tasks; t++) {
        const float *values = (const float *)x + t * PIECE;
        size_t n = count - t * PIECE < PIECE ? count - t * PIECE : PIECE;
        part[t].peak = reduce->peak(values, n);
        reduce->powers(part[t].power, values, n);
    }
    uint32_t peak = 0;
    osc_summary summary = { .count = count };
    for (size_t t = 0; t < tasks; t++) {
        peak = part[t].peak > peak ? part[t].peak : peak;
        for (size_t p = 0; p < 4; p++)
            summary.power[p] += part[t].power[p];
    }
    summary.peak = osc_bits_to_float(peak);
    return route->sink(route, &summary);
}

/* --- medians ------------------------------------------------------------------------- */

/* Values to select from: one row, counted by the thread that asks, or all, by all threads. */
typedef struct {
    const osc_device *device;
    const float      *x;
    size_t            rows, width;
} sample;

static size_t count_below(const sample *s, uint32_t limit)
{
    const osc_cpu_reduce_vec *reduce = s->device->vec->reduce;
    size_t below = 0;
    if (s->rows == 1)
        return reduce->count_below(s->x, s->width, limit);
#pragma omp parallel for num_threads(s->device->threads) schedule(static) reduction(+ : below)
    for (size_t r = 0; r < s->rows; r++)
        below += reduce->count_below(s->x + r * s->width, s->width, limit);
    return below;
}

static uint32_t largest_below(const sample *s, uint32_t limit)
{
    const osc_cpu_reduce_vec *reduce = s->device->vec->reduce;
    uint32_t best = 0;
    if (s->rows == 1)
        return reduce->largest_below(s->x, s->width, limit);
#pragma omp parallel for num_threads(s->device->threads) schedule(static) reduction(max : best)
    for (size_t r = 0; r < s->rows; r++) {
        uint32_t of_row = reduce->largest_below(s->x + r * s->width, s->width, limit);
        best = of_row > best ? of_row : best;
    }
    return best;
}

/* Where the value of a known rank is: `below` values, `rank` at most, are below `low`, and
 * `upto`, more than `rank`, are below `high`. */
typedef struct {
    size_t   rank;
    uint32_t low, high;
    size_t   below, upto;
} bracket;

/* True if the value is below the pivot. */
static bool narrow(bracket *b, const sample *s, uint32_t pivot)
{
    size_t below = count_below(s, pivot);
    if (below > b->rank) {
        b->high = pivot;
        b->upto = below;
    } else {
        b->low = pivot;
        b->below = below;
    }
    return below > b->rank;
}

/* A little to one side of where the value would be if they lay evenly, then to the
 * other: two turns leave a sixteenth of the bracket if they nearly do. */
static uint32_t pivot_of(const bracket *b, bool above)
{
    double share = ((double)(b->rank - b->below) + 0.5) / (double)(b->upto - b->below);
    double span = (double)(b->high - b->low), at = span * (share + (above ? MARGIN : -MARGIN));
    return b->low + (at < 1 ? 1 : at > span - 1 ? (uint32_t)span - 1 : (uint32_t)at);
}

/* The magnitude of that rank. */
static uint32_t select_in(bracket *b, const sample *s)
{
    for (bool above = true; b->upto - 1 != b->rank && b->high - b->low > 1; above = !above)
        narrow(b, s, pivot_of(b, above));
    return b->upto - 1 == b->rank ? largest_below(s, b->high) : b->low;
}

static uint32_t row_median(const osc_device *device, const float *x, size_t width, uint32_t peak)
{
    /* Octaves below the row's largest value, first without outliers, then with. */
    static const uint32_t octaves[] = { 4, 8, 16 };
    sample s = { device, x, 1, width };
    bracket b = { .rank = (width - 1) / 2, .high = peak + 1, .upto = width };
    for (size_t i = 0; i < sizeof octaves / sizeof *octaves && peak > octaves[i] << 23; i++)
        if (!narrow(&b, &s, peak - (octaves[i] << 23)))
            break;
    return select_in(&b, &s);
}

static void measure_rows(osc_device *device, const float *x, size_t rows, size_t width)
{
    osc_cpu_reduction *to = &device->reduction;
#pragma omp parallel for num_threads(device->threads) schedule(dynamic, ROWS)
    for (size_t r = 0; r < rows; r++) {
        to->peak[r] = device->vec->reduce->peak(x + r * width, width);
        to->median[r] = row_median(device, x + r * width, width, to->peak[r]);
    }
}

/* The median of all lies between the least and the greatest of the rows' medians, since
 * in every row as many values are on either side of its own. */
static uint32_t median_of_rows(const osc_device *device, const float *x, size_t rows, size_t width)
{
    const osc_cpu_reduction *of = &device->reduction;
    uint32_t low = of->median[0], high = of->median[0];
    for (size_t r = 1; r < rows; r++) {
        low = of->median[r] < low ? of->median[r] : low;
        high = of->median[r] > high ? of->median[r] : high;
    }
    sample s = { device, x, rows, width };
    bracket b = { .rank = (rows * width - 1) / 2, .low = low, .high = high + 1 };
    b.below = count_below(&s, b.low);
    b.upto = count_below(&s, b.high);
    return select_in(&b, &s);
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

osc_status osc_cpu_residual(osc_device *device, const osc_residual_stats *stats, const void *data,
                            osc_sequences sequences, size_t width,
                            const osc_residual_route *route)
{
    const float *x = data;
    size_t rows = sequences.tokens;
    const osc_cpu_reduction *of = &device->reduction;
    osc_residual residual = { .ratio = 0.0 };
    measure_rows(device, x, rows, width);
    residual.median = osc_bits_to_float(median_of_rows(device, x, rows, width));
    for (size_t r = 0; r < rows; r++)
        residual.ratio += (double)osc_bits_to_float(of->peak[r])
                         / (double)osc_bits_to_float(of->median[r]);
    find_top(device, &residual, x, rows, width);
    add_columns(device, stats, x, rows, width, osc_massive_from(residual.median),
                magnitude_of(residual.top[0].value));
    return route->sink(route, &residual);
}

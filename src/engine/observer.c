#include <config.h>
#include "engine/observer.h"

#include <math.h>

#include "base/alloc.h"

struct osc_observer {
    osc_observer_options options;
    size_t               layers;
    osc_column_stats    *stats[OSC_POINT_COUNT];   /* [layers], NULL if not observed */
    osc_top1_stats       top1;
};

/* --- accumulators ------------------------------------------------------------------- */

size_t osc_column_stats_bytes(size_t layers, size_t width)
{
    return layers * (width * 5 + OSC_HISTOGRAM_BINS) * sizeof(double);
}

void osc_column_stats_lay_out(osc_column_stats *stats, void *block, size_t layers, size_t width)
{
    size_t cells = layers * width;
    double *sum = block, *sumsq = sum + cells, *sum4 = sumsq + cells;
    uint64_t *count_ge = (uint64_t *)(sum4 + cells), *histogram = count_ge + cells;
    float *min = (float *)(histogram + layers * OSC_HISTOGRAM_BINS), *max = min + cells;
    for (size_t l = 0; l < layers; l++)
        stats[l] = (osc_column_stats){
            .width = width, .min = min + l * width, .max = max + l * width,
            .sum = sum + l * width, .sumsq = sumsq + l * width, .sum4 = sum4 + l * width,
            .count_ge = count_ge + l * width, .histogram = histogram + l * OSC_HISTOGRAM_BINS,
        };
}

osc_column_stats *osc_column_stats_create(size_t layers, size_t width)
{
    /* Per cell three sums and a count, and two floats that make up the fifth word. */
    size_t words, bins;
    if (layers == 0 || __builtin_mul_overflow(layers, width, &words) ||
        __builtin_mul_overflow(words, 5, &words) ||
        __builtin_mul_overflow(layers, OSC_HISTOGRAM_BINS, &bins) ||
        __builtin_add_overflow(words, bins, &words)) {
        osc_fail(OSC_ENOMEM, "out of memory: statistics of %zu layers of width %zu", layers, width);
        return NULL;
    }
    osc_column_stats *stats = osc_alloc(layers, sizeof *stats);
    double *block = osc_alloc(words, sizeof *block);
    if (stats == NULL || block == NULL) {
        osc_free(block);
        osc_free(stats);
        return NULL;
    }
    osc_column_stats_lay_out(stats, block, layers, width);
    for (size_t i = 0; i < layers * width; i++) {
        stats->min[i] = INFINITY;
        stats->max[i] = -INFINITY;
    }
    return stats;
}

void osc_column_stats_free(osc_column_stats *stats)
{
    if (stats != NULL)
        osc_free(stats[0].sum);     /* the start of the block */
    osc_free(stats);
}

/* --- observers ------------------------------------------------------------------------ */

static osc_status check_without(const osc_observer_options *options, size_t width)
{
    if (options->without_count > 0 && !options->top1)
        return osc_fail(OSC_EINVAL, "features are left out of the attention top-1 mass, which is "
                        "not kept");
    for (size_t i = 0; i < options->without_count; i++) {
        if (options->without[i] >= width)
            return osc_fail(OSC_EINVAL, "feature %u cannot be left out: %s has %zu features",
                            (unsigned)options->without[i], osc_point_name(OSC_AT_QKV_IN), width);
        if (i > 0 && options->without[i] <= options->without[i - 1])
            return osc_fail(OSC_EINVAL, "features to leave out are not in rising order: %u comes "
                            "after %u", (unsigned)options->without[i],
                            (unsigned)options->without[i - 1]);
    }
    return OSC_OK;
}

static osc_status check_options(const osc_observer_options *options,
                                const osc_observer_shape *shape)
{
    if (!(options->alpha > 0))
        return osc_fail(OSC_EINVAL, "alpha is %g, it must be greater than 0",
                        (double)options->alpha);
    if ((options->hits & ~options->points) != 0)
        return osc_fail(OSC_EINVAL, "points without statistics cannot be tracked");
    for (unsigned p = 0; p < OSC_POINT_COUNT; p++)
        if ((options->points >> p & 1u) &&
            (!osc_point_in_block((osc_point)p) || shape->width[p] == 0))
            return osc_fail(OSC_EINVAL, "%s cannot be observed", osc_point_name((osc_point)p));
    return check_without(options, shape->width[OSC_AT_QKV_IN]);
}

static osc_status allocate(osc_observer *observer, const osc_observer_shape *shape)
{
    for (unsigned p = 0; p < OSC_POINT_COUNT; p++) {
        if (!(observer->options.points >> p & 1u))
            continue;
        observer->stats[p] = osc_column_stats_create(shape->layers, shape->width[p]);
        if (observer->stats[p] == NULL)
            return OSC_ENOMEM;
    }
    if (!observer->options.top1)
        return OSC_OK;
    observer->top1.mass = osc_alloc(shape->layers * shape->heads, sizeof(double));
    if (observer->top1.mass == NULL || observer->options.without_count == 0)
        return observer->top1.mass == NULL ? OSC_ENOMEM : OSC_OK;
    observer->top1.without = osc_alloc(shape->layers * shape->heads, sizeof(double));
    return observer->top1.without == NULL ? OSC_ENOMEM : OSC_OK;
}

osc_status osc_observer_create(osc_observer **observer, const osc_observer_shape *shape,
                               const osc_observer_options *options)
{
    OSC_TRY(check_options(options, shape));
    osc_observer *created = osc_alloc(1, sizeof *created);
    if (created == NULL)
        return OSC_ENOMEM;
    created->options = *options;
    created->layers = shape->layers;
    osc_status status = allocate(created, shape);
    if (status != OSC_OK) {
        osc_observer_free(created);
        return status;
    }
    *observer = created;
    return OSC_OK;
}

void osc_observer_free(osc_observer *observer)
{
    if (observer == NULL)
        return;
    for (size_t p = 0; p < OSC_POINT_COUNT; p++)
        osc_column_stats_free(observer->stats[p]);
    osc_free(observer->top1.mass);
    osc_free(observer->top1.without);
    osc_free(observer);
}

const osc_observer_options *osc_observer_get_options(const osc_observer *observer)
{
    return &observer->options;
}

osc_column_stats *osc_observer_stats(osc_observer *observer, osc_point point, size_t layer)
{
    osc_column_stats *stats = observer->stats[point];
    return stats == NULL || layer >= observer->layers ? NULL : &stats[layer];
}

osc_top1_stats *osc_observer_top1(osc_observer *observer)
{
    return observer->top1.mass == NULL ? NULL : &observer->top1;
}

#include <config.h>
#include "analyses/coverage.h"

#include <stdlib.h>

#include "analyses/events.h"

static osc_status begin(coverage *c, osc_record *record, size_t width)
{
    const osc_record_info *info = osc_record_get_info(record);
    if (info->positions == 0 || info->layers == 0)
        return osc_fail(OSC_EVALUE, "nothing has been recorded yet");
    *c = (coverage){ .layers = info->layers, .width = width, .positions = info->positions };
    if (width > SIZE_MAX / info->layers)
        return osc_fail(OSC_EFORMAT, "%zu blocks of %zu features are too many",
                        info->layers, width);
    c->count = osc_alloc(info->layers * width, sizeof *c->count);
    c->outlier = osc_alloc(width, sizeof *c->outlier);
    return c->count != NULL && c->outlier != NULL ? OSC_OK : OSC_ENOMEM;
}

void coverage_free(coverage *c)
{
    osc_free(c->count);
    osc_free(c->outlier);
    *c = (coverage){ .count = NULL };
}

uint64_t coverage_total(const coverage *c, size_t feature)
{
    uint64_t total = 0;
    for (size_t layer = 0; layer < c->layers; layer++)
        total += c->count[layer * c->width + feature];
    return total;
}

double coverage_share(const coverage *c, size_t layer, size_t feature)
{
    return (double)c->count[layer * c->width + feature] / (double)c->positions;
}

/* Section 4 with its default shares.  `pairs` is [width], or NULL where the counts
 * are themselves those of the pairs. */
static void mark_outliers(coverage *c, const uint64_t *pairs)
{
    for (size_t f = 0; f < c->width; f++) {
        size_t blocks = 0;
        for (size_t layer = 0; layer < c->layers; layer++)
            blocks += c->count[layer * c->width + f] > 0;
        uint64_t reached = pairs != NULL ? pairs[f] : coverage_total(c, f);
        c->outlier[f] = share_reaches(blocks, c->layers, 0.25)
                        && share_reaches(reached, c->layers * c->positions, 0.06);
    }
}

/* Raises the counts to those of `point`. */
static osc_status raise_to(coverage *c, osc_record *record, osc_point point)
{
    const osc_column_stats *stats;
    OSC_TRY(osc_record_stats(record, point, &stats));
    for (size_t layer = 0; layer < c->layers; layer++)
        for (size_t f = 0; f < c->width; f++)
            if (stats[layer].count_ge[f] > c->count[layer * c->width + f])
                c->count[layer * c->width + f] = stats[layer].count_ge[f];
    return OSC_OK;
}

osc_status coverage_of_point(coverage *made, osc_record *record, osc_point point)
{
    coverage c = { .count = NULL };
    osc_status status = begin(&c, record, osc_record_width(record, point));
    if (status == OSC_OK)
        status = raise_to(&c, record, point);
    if (status != OSC_OK) {
        coverage_free(&c);
        return status;
    }
    c.source = COVERAGE_POINT;
    c.points = 1u << point;
    mark_outliers(&c, NULL);
    *made = c;
    return OSC_OK;
}

/* The union from the events; `*whole` says whether it agrees with the record's pairs. */
static osc_status count_union(coverage *c, osc_record *record, const uint64_t *pairs, bool *whole)
{
    events_union counter = {
        .layers = c->layers, .width = c->width, .track = c->points, .count = c->count,
    };
    osc_status status = osc_record_events(record, events_union_add, &counter);
    events_union_finish(&counter);
    *whole = status == OSC_OK;
    for (size_t f = 0; f < c->width && *whole; f++)
        *whole = coverage_total(c, f) == pairs[f];
    return status;
}

static osc_status count_most(coverage *c, osc_record *record)
{
    for (size_t i = 0; i < c->layers * c->width; i++)
        c->count[i] = 0;
    for (unsigned p = 0; p < OSC_POINT_COUNT; p++)
        if ((c->points >> p & 1u) != 0)
            OSC_TRY(raise_to(c, record, (osc_point)p));
    return OSC_OK;
}

static osc_status count_tracked(coverage *c, osc_record *record)
{
    const uint64_t *any, *pairs;
    bool whole = false;
    for (unsigned p = 0; p < OSC_POINT_COUNT; p++)
        if ((c->points >> p & 1u) != 0 && osc_record_width(record, (osc_point)p) != c->width)
            return osc_fail(OSC_EFORMAT, "tracked point %u is not as wide as the model", p);
    OSC_TRY(osc_record_positions(record, c->points, &any, &pairs));
    if (osc_record_events_dropped(record) == 0)
        OSC_TRY(count_union(c, record, pairs, &whole));
    if (!whole)
        OSC_TRY(count_most(c, record));
    c->source = whole ? COVERAGE_UNION : COVERAGE_MOST;
    mark_outliers(c, pairs);
    return OSC_OK;
}

osc_status coverage_of_tracked(coverage *made, osc_record *record)
{
    coverage c = { .count = NULL };
    osc_status status = begin(&c, record, osc_record_get_info(record)->hidden);
    c.points = osc_record_track(record);
    if (status == OSC_OK)
        status = c.points != 0 ? count_tracked(&c, record)
            : osc_fail(OSC_EVALUE, "the record tracked nothing: choose a point with --point");
    if (status != OSC_OK) {
        coverage_free(&c);
        return status;
    }
    *made = c;
    return OSC_OK;
}

/* --- choosing features ---------------------------------------------------------------- */

typedef struct { bool outlier; uint64_t total; size_t feature; } ranked;

static int outliers_first(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->outlier != y->outlier)
        return x->outlier ? -1 : 1;
    if (x->total != y->total)
        return x->total < y->total ? 1 : -1;
    return x->feature < y->feature ? -1 : 1;
}

static int by_feature(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    return x->feature < y->feature ? -1 : x->feature > y->feature;
}

osc_status coverage_choose(coverage_choice *choice, const coverage *c, size_t most,
                           coverage_order order)
{
    coverage_choice made = { .feature = osc_alloc(c->width, sizeof *made.feature) };
    ranked *rank = osc_alloc(c->width, sizeof *rank);
    if (rank == NULL || made.feature == NULL) {
        osc_free(rank);
        osc_free(made.feature);
        return OSC_ENOMEM;
    }
    for (size_t f = 0; f < c->width; f++) {
        uint64_t total = coverage_total(c, f);
        if (total > 0)
            rank[made.reaching++] = (ranked){ c->outlier[f], total, f };
    }
    qsort(rank, made.reaching, sizeof *rank, outliers_first);
    made.count = most == 0 || made.reaching < most ? made.reaching : most;
    if (order == ORDER_INDEX)
        qsort(rank, made.count, sizeof *rank, by_feature);
    for (size_t i = 0; i < made.count; i++)
        made.feature[i] = rank[i].feature;
    osc_free(rank);
    *choice = made;
    return OSC_OK;
}

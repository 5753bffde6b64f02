/* Observers: reductions over activations, accumulated over a whole run.
 *
 * Statistics are per (point, block, feature) over all positions of all sequences.
 * Sums are accumulated in double, a sequence at a time in corpus order, so they
 * depend neither on threads nor on how sequences are grouped into chunks. */
#ifndef OSC_ENGINE_OBSERVER_H
#define OSC_ENGINE_OBSERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backend/stats.h"
#include "base/status.h"
#include "engine/hook.h"

/* Values |x| >= alpha of one tensor, in order of (position, feature).  Called block by
 * block for a chunk of sequences; within a block for each sequence in the order in which
 * the run reaches its tensors, and for each tensor in the order of the sequences.  May be
 * called several times for one tensor. */
typedef osc_status (*osc_hits_fn)(void *user, osc_point point, size_t layer, size_t sequence,
                                  const osc_hit *hits, size_t count);

/* Features of qkv_in that an attention does without: only its probabilities count, and
 * what goes on to the next step is the regular.  The arrays are borrowed. */
typedef struct {
    const uint32_t *feature;   /* [count], rising */
    size_t          count;     /* at least 1 */
    const float    *value;     /* [layers, count] what stands in their place; NULL: zeros */
} osc_left_out;

/* The summary of one module's output, of block `layer` or -1 outside the blocks; the
 * residual stream as it enters block `state`, or leaves the last one (state: layers).  In
 * the order in which the run reaches them, once a sequence. */
typedef osc_status (*osc_summary_fn)(void *user, osc_point point, int layer, size_t sequence,
                                     const osc_summary *summary);
typedef osc_status (*osc_residual_fn)(void *user, size_t state, size_t sequence,
                                      const osc_residual *residual);

typedef struct {
    float       alpha;     /* threshold of count_ge and hits; 0 < alpha */
    unsigned    points;    /* bit (1u << point): keep column statistics there */
    unsigned    hits;      /* bit (1u << point): report hits there; a subset of points */
    bool        top1;      /* keep the attention top-1 mass */
    /* With top1, the mass is also kept of an attention without these features, for each
     * set and in each block alone.  The array is copied, what it points to must outlive
     * the observer. */
    const osc_left_out *without;   /* [without_sets] */
    size_t      without_sets;      /* 0: not wanted */
    unsigned    modules;   /* bit (1u << point): report summaries there; also of final_norm */
    bool        residual;  /* report the residual stream and keep its accumulators */
    osc_hits_fn on_hits;   /* may be NULL if hits is 0 */
    osc_summary_fn  on_summary;    /* may be NULL if modules is 0, */
    osc_residual_fn on_residual;   /* without residual */
    void       *user;
} osc_observer_options;

/* The widths of a model's points: what an observer must know to size itself. */
typedef struct {
    size_t layers, heads;
    size_t width[OSC_POINT_COUNT];   /* 0 for points that cannot be observed */
    size_t hidden;                   /* width of the residual stream */
    unsigned modules;                /* bits of the points that are outputs of modules: of the
                                        attention, the feed-forward layer, norms and blocks */
} osc_observer_shape;

/* OSC_EINVAL for a point that cannot be observed, modules outside the shape's, hits
 * outside `points`, an alpha that is not positive, a feature in `without` that qkv_in
 * does not have or that is not above the one before it, an empty set, `without` and no
 * top1; OSC_ENOMEM. */
osc_status osc_observer_create(osc_observer **observer, const osc_observer_shape *shape,
                               const osc_observer_options *options);
void osc_observer_free(osc_observer *observer);

const osc_observer_options *osc_observer_get_options(const osc_observer *observer);

/* Fresh accumulators of `layers` blocks, [layers].  The arrays of all blocks
 * follow each other: the first block's pointers are those of arrays [layers,
 * width] (histogram: [layers, bins]).  NULL when out of memory. */
osc_column_stats *osc_column_stats_create(size_t layers, size_t width);
void osc_column_stats_free(osc_column_stats *stats);
/* Bytes of the block that holds these arrays, which starts at stats[0].sum; and the
 * same arrays in a block elsewhere. */
size_t osc_column_stats_bytes(size_t layers, size_t width);
void osc_column_stats_lay_out(osc_column_stats *stats, void *block, size_t layers, size_t width);

/* Accumulators of (point, layer), as from osc_column_stats_create; NULL if not
 * observed; may be changed between runs (a resumed recording puts the committed values there). */
osc_column_stats *osc_observer_stats(osc_observer *observer, osc_point point, size_t layer);

/* Accumulators of the residual stream at `state`, 0 .. layers: the arrays of all states
 * follow each other as those of column statistics do.  NULL if not kept. */
osc_residual_stats *osc_observer_residual(osc_observer *observer, size_t state);

/* Whether the observer has to see the values at (point, layer); layer -1 outside blocks. */
bool osc_observer_wants(const osc_observer *observer, osc_point point, int layer);

/* Sum over queries of the largest softmax probability, [heads], of one block; and
 * of the queries at position 0 alone, whose mass is 1 by construction. */
typedef struct {
    double  *mass;      /* [layers * heads] */
    double  *without;   /* [without_sets, layers * heads] the same without features; NULL if not
                           wanted */
    uint64_t queries;   /* per head and block */
    uint64_t first;     /* how many of them were at position 0 */
} osc_top1_stats;

/* NULL if not kept. */
osc_top1_stats *osc_observer_top1(osc_observer *observer);

#endif

/* The pass that finds the outliers where there is no record of them. */
#include <config.h>
#include "experiments/ablate.h"

#include "analyses/features.h"

/* Counts (block, position) pairs at which some tracked tensor reaches alpha.  All
 * tensors of a block and sequence come one after another, so it is enough to know for
 * each cell in which such turn it was counted last. */
typedef struct {
    size_t    width, layer, sequence;
    uint32_t  turn;
    uint32_t *counted;    /* [longest, width] */
    uint64_t *pairs;      /* [width] */
} pair_counter;

static osc_status count_pairs(void *user, osc_point point, size_t layer, size_t sequence,
                              const osc_hit *hits, size_t count)
{
    pair_counter *c = user;
    (void)point;
    if (c->turn == 0 || layer != c->layer || sequence != c->sequence)
        c->turn++;
    c->layer = layer;
    c->sequence = sequence;
    for (size_t i = 0; i < count; i++) {
        uint32_t *cell = &c->counted[hits[i].position * c->width + hits[i].feature];
        c->pairs[hits[i].feature] += *cell != c->turn;
        *cell = c->turn;
    }
    return OSC_OK;
}

static osc_status counter_open(pair_counter *c, const run_input *input)
{
    *c = (pair_counter){ .width = osc_model_config(input->model)->hidden };
    c->counted = osc_alloc(input->corpus->longest, c->width * sizeof *c->counted);
    c->pairs = osc_alloc(c->width, sizeof *c->pairs);
    return c->counted == NULL || c->pairs == NULL ? OSC_ENOMEM : OSC_OK;
}

static osc_status judge_features(ablate_run *r, const pair_counter *c, unsigned tracked,
                                 float alpha)
{
    const feature_rule rule = FEATURE_RULE_DEFAULT;
    const osc_corpus *corpus = r->input.corpus;
    feature_input input = {
        .layers = osc_model_config(r->input.model)->layers, .width = c->width, .alpha = alpha,
        .positions = corpus->offset[corpus->count], .pairs = c->pairs,
    };
    for (unsigned p = 0; p < OSC_POINT_COUNT; p++)
        if (tracked >> p & 1u)
            input.stats[input.points++] = osc_observer_stats(r->observed, (osc_point)p, 0);
    feature_list found;
    OSC_TRY(features_find(&found, &input, &rule));
    for (size_t i = 0; i < found.count; i++) {
        r->candidates.reaches[found.row[i].feature] = true;
        r->candidates.outlier[found.row[i].feature] = found.row[i].outlier;
    }
    features_free(&found);
    return OSC_OK;
}

static osc_status run(ablate_run *r, const osc_observer_options *options, pair_counter *c)
{
    osc_hooks *hooks = NULL;
    osc_observer_shape shape = osc_model_shape(r->input.model);
    osc_status status = counter_open(c, &r->input);
    if (status == OSC_OK)
        status = osc_observer_create(&r->observed, &shape, options);
    if (status == OSC_OK)
        status = osc_hooks_create(&hooks, shape.layers);
    if (status == OSC_OK)
        status = osc_hooks_observe(hooks, r->observed);
    if (status == OSC_OK)
        status = ablate_pass(r, &r->regular, hooks, "observing");
    osc_hooks_free(hooks);
    return status;
}

osc_status ablate_observe(ablate_run *r, unsigned points, float alpha, bool judge)
{
    pair_counter counter;
    unsigned tracked = osc_model_tracked(r->input.model);
    osc_observer_options options = {
        .alpha = alpha, .points = judge ? points | tracked : points,
        .hits = judge ? tracked : 0, .top1 = true, .on_hits = count_pairs, .user = &counter,
    };
    osc_status status = run(r, &options, &counter);
    if (status == OSC_OK && judge)
        status = judge_features(r, &counter, tracked, alpha);
    osc_free(counter.counted);
    osc_free(counter.pairs);
    return status;
}

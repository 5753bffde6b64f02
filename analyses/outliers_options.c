/* The options of the outlier rule, and the order of results. */
#include <config.h>
#include "analyses/outliers.h"

#include <math.h>
#include <stdlib.h>

#include "analyses/options.h"

osc_status outliers_choose(outlier_options *options, const outlier_choices *choices)
{
    size_t layers, positions;
    unsigned ignored;
    OSC_TRY(option_choice(&layers, "--layers", choices->layers, layers_rule_names,
                          LAYERS_RULE_COUNT));
    OSC_TRY(option_choice(&positions, "--positions", choices->positions, positions_rule_names,
                          POSITIONS_RULE_COUNT));
    options->rule.layers = (layers_rule)layers;
    options->rule.positions = (positions_rule)positions;
    return option_track(&ignored, options->track, ~0u);   /* are these points at all? */
}

static int by_parameters(const void *a, const void *b)
{
    const outlier_result *x = a, *y = b;
    if (x->info.parameters != y->info.parameters)
        return x->info.parameters < y->info.parameters ? -1 : 1;
    return x->order < y->order ? -1 : 1;
}

static int by_perplexity(const void *a, const void *b)
{
    const outlier_result *x = a, *y = b;
    double p = x->info.perplexity, q = y->info.perplexity;
    if (isnan(p) != isnan(q))
        return isnan(p) ? 1 : -1;
    if (p != q && !isnan(p))
        return p > q ? -1 : 1;
    return x->order < y->order ? -1 : 1;
}

static int as_given(const void *a, const void *b)
{
    const outlier_result *x = a, *y = b;
    return (x->order > y->order) - (x->order < y->order);
}

void outliers_sort(outlier_result *results, size_t count, outliers_order order)
{
    static int (*const compare[OUTLIERS_ORDERS])(const void *, const void *) = {
        [OUTLIERS_GIVEN] = as_given, [OUTLIERS_PARAMETERS] = by_parameters,
        [OUTLIERS_PERPLEXITY] = by_perplexity,
    };
    qsort(results, count, sizeof *results, compare[order]);
}

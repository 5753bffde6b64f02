#include <config.h>
#include "analyses/ablation.h"

#include <gsl/gsl_statistics_double.h>
#include <math.h>

#include "analyses/bootstrap.h"

double ablation_value(const ablation *a, const ablation_cell *cell, ablation_quantity quantity,
                      int block)
{
    if (quantity == ABLATION_PERPLEXITY)
        return cell->perplexity;
    const double *mass = quantity == ABLATION_TOP1 ? cell->top1 : cell->later;
    return block == ABLATION_ALL_BLOCKS ? gsl_stats_mean(mass, 1, a->layers) : mass[block];
}

osc_status ablation_summarize(ablation_summary *summary, const ablation *a, size_t step,
                              ablation_quantity quantity, int block)
{
    *summary = (ablation_summary){ NAN, NAN, NAN, NAN };
    if (a->draws == 0)
        return OSC_OK;
    double interval[2], *value = osc_alloc(a->draws, sizeof *value);
    if (value == NULL)
        return OSC_ENOMEM;
    for (size_t d = 0; d < a->draws; d++)
        value[d] = ablation_value(a, ablation_draw(a, d, step), quantity, block);
    summary->mean = gsl_stats_mean(value, 1, a->draws);
    if (a->draws > 1)
        summary->sd = gsl_stats_sd(value, 1, a->draws);
    osc_status status = bootstrap_mean(interval, value, a->draws, ABLATION_LEVEL, a->seed);
    if (status == OSC_OK) {
        summary->low = interval[0];
        summary->high = interval[1];
    }
    osc_free(value);
    return status;
}

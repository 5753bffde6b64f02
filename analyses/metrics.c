#include <config.h>
#include "analyses/metrics.h"

#include <math.h>
#include <stdlib.h>

/* Sums over the sequences of a record. */
typedef struct {
    double *inf_norm, *kurtosis;         /* [modules] */
    double *ratio, *median, *top;        /* [states], [states], [states * OSC_RESIDUAL_TOP] */
    size_t  modules, states;
} totals;

static osc_status add_sequence(void *user, const osc_record_metrics_row *of)
{
    totals *t = user;
    for (size_t m = 0; m < t->modules; m++) {
        t->inf_norm[m] += of->inf_norm[m];
        t->kurtosis[m] += of->kurtosis[m];
    }
    for (size_t s = 0; s < t->states; s++) {
        t->ratio[s] += of->ratio[s];
        t->median[s] += of->median[s];
    }
    for (size_t i = 0; i < t->states * OSC_RESIDUAL_TOP; i++)
        t->top[i] += fabs(of->top[i]);
    return OSC_OK;
}

static osc_status read_totals(totals *t, osc_record *record)
{
    size_t modules = t->modules, states = t->states;
    double *block = osc_alloc(2 * modules + (2 + OSC_RESIDUAL_TOP) * states, sizeof *block);
    if (block == NULL)
        return OSC_ENOMEM;
    t->inf_norm = block;
    t->kurtosis = t->inf_norm + modules;
    t->ratio = t->kurtosis + modules;
    t->median = t->ratio + states;
    t->top = t->median + states;
    return osc_record_metrics_each(record, add_sequence, t);
}

/* --- He et al. --------------------------------------------------------------------------- */

/* mean_j s_j^4 / (mean_j s_j^2)^2: the number of positions cancels. */
static double neuron_kurtosis(const osc_residual_stats *stats)
{
    double sum = 0, square = 0, n = (double)stats->width;
    for (size_t j = 0; j < stats->width; j++) {
        sum += stats->sumsq[j];
        square += stats->sumsq[j] * stats->sumsq[j];
    }
    return square / n / (sum / n * (sum / n));
}

static void mean_and_max(double *mean, double *most, const double *values, size_t count)
{
    double sum = 0;
    *most = values[0];
    for (size_t i = 0; i < count; i++) {
        sum += values[i];
        *most = values[i] > *most ? values[i] : *most;
    }
    *mean = sum / (double)count;
}

static void measure_inputs(record_metrics *m, const osc_residual_stats *stats, const totals *t,
                           size_t positions)
{
    for (size_t l = 0; l < m->layers; l++) {
        m->he_kurtosis[l] = neuron_kurtosis(&stats[l]);
        m->mmr[l] = t->ratio[l] / (double)positions;
    }
    mean_and_max(&m->he_kurtosis_mean, &m->he_kurtosis_max, m->he_kurtosis, m->layers);
    mean_and_max(&m->mmr_mean, &m->mmr_max, m->mmr, m->layers);
}

/* --- Bondarenko et al. --------------------------------------------------------------------- */

static void measure_modules(record_metrics *m, osc_record *record, const totals *t, size_t sequences)
{
    size_t worst = 0;
    for (size_t i = 0; i < t->modules; i++) {
        t->inf_norm[i] /= (double)sequences;
        t->kurtosis[i] /= (double)sequences;
        worst = t->inf_norm[i] > t->inf_norm[worst] ? i : worst;
    }
    m->modules = t->modules;
    m->inf_norm = t->inf_norm[worst];
    osc_record_module(record, worst, &m->inf_norm_point, &m->inf_norm_layer);
    mean_and_max(&m->kurtosis_mean, &m->kurtosis_max, t->kurtosis, t->modules);
}

/* --- massive activations ------------------------------------------------------------------- */

typedef struct {
    uint64_t scalars;
    uint32_t feature;
} feature_count;

static int most_first(const void *a, const void *b)
{
    const feature_count *x = a, *y = b;
    if (x->scalars != y->scalars)
        return x->scalars > y->scalars ? -1 : 1;
    return x->feature < y->feature ? -1 : 1;
}

/* Over the block outputs, states 1 .. layers. */
static void count_massive(record_metrics *m, feature_count *counts, const osc_residual_stats *stats)
{
    size_t width = stats[0].width;
    for (uint32_t j = 0; j < width; j++)
        counts[j].feature = j;
    for (size_t l = 0; l < m->layers; l++)
        for (size_t j = 0; j < width; j++) {
            uint64_t scalars = stats[l + 1].massive[j];
            m->massive_layer[l] += scalars;
            m->massive_count += scalars;
            m->massive_features += scalars > 0 && counts[j].scalars == 0;
            counts[j].scalars += scalars;
        }
    qsort(counts, width, sizeof *counts, most_first);
}

static osc_status measure_massive(record_metrics *m, const osc_residual_stats *stats,
                                  const totals *t, size_t sequences)
{
    feature_count *counts = osc_alloc(stats[0].width, sizeof *counts);
    if (counts == NULL)
        return OSC_ENOMEM;
    count_massive(m, counts, stats);
    m->massive_feature = osc_alloc(m->massive_features, sizeof *m->massive_feature);
    m->massive_scalars = osc_alloc(m->massive_features, sizeof *m->massive_scalars);
    bool allocated = m->massive_feature != NULL && m->massive_scalars != NULL;
    for (size_t i = 0; i < m->massive_features && allocated; i++) {
        m->massive_feature[i] = counts[i].feature;
        m->massive_scalars[i] = counts[i].scalars;
    }
    for (size_t l = 0; l < m->layers; l++) {
        m->median[l] = t->median[l + 1] / (double)sequences;
        for (size_t i = 0; i < OSC_RESIDUAL_TOP; i++)
            m->top[l * OSC_RESIDUAL_TOP + i] =
                t->top[(l + 1) * OSC_RESIDUAL_TOP + i] / (double)sequences;
    }
    osc_free(counts);
    return allocated ? OSC_OK : OSC_ENOMEM;
}

/* --- the whole ---------------------------------------------------------------------------- */

static osc_status allocate(record_metrics *m)
{
    m->he_kurtosis = osc_alloc(m->layers, sizeof *m->he_kurtosis);
    m->mmr = osc_alloc(m->layers, sizeof *m->mmr);
    m->massive_layer = osc_alloc(m->layers, sizeof *m->massive_layer);
    m->top = osc_alloc(m->layers * OSC_RESIDUAL_TOP, sizeof *m->top);
    m->median = osc_alloc(m->layers, sizeof *m->median);
    bool allocated = m->he_kurtosis && m->mmr && m->massive_layer && m->top && m->median;
    return allocated ? OSC_OK : OSC_ENOMEM;
}

static osc_status measure(record_metrics *m, osc_record *record)
{
    const osc_record_info *info = osc_record_get_info(record);
    const osc_residual_stats *stats;
    totals t = { .modules = osc_record_module_count(record), .states = info->layers + 1 };
    OSC_TRY(allocate(m));
    OSC_TRY(osc_record_residual(record, &stats));
    osc_status status = read_totals(&t, record);
    if (status == OSC_OK) {
        measure_inputs(m, stats, &t, info->positions);
        measure_modules(m, record, &t, info->sequences_done);
        status = measure_massive(m, stats, &t, info->sequences_done);
    }
    osc_free(t.inf_norm);
    return status;
}

osc_status metrics_read(record_metrics *metrics, osc_record *record)
{
    record_metrics made = {
        .layers = osc_record_get_info(record)->layers, .inf_norm_layer = -1,
        .he_kurtosis_mean = NAN, .he_kurtosis_max = NAN, .mmr_mean = NAN, .mmr_max = NAN,
        .inf_norm = NAN, .kurtosis_mean = NAN, .kurtosis_max = NAN,
    };
    made.recorded = osc_record_module_points(record) != 0
                 && osc_record_get_info(record)->sequences_done > 0;
    osc_status status = made.recorded ? measure(&made, record) : OSC_OK;
    if (status != OSC_OK) {
        metrics_free(&made);
        return status;
    }
    *metrics = made;
    return OSC_OK;
}

void metrics_free(record_metrics *metrics)
{
    osc_free(metrics->he_kurtosis);
    osc_free(metrics->mmr);
    osc_free(metrics->massive_feature);
    osc_free(metrics->massive_scalars);
    osc_free(metrics->massive_layer);
    osc_free(metrics->top);
    osc_free(metrics->median);
    *metrics = (record_metrics){ .recorded = false };
}

/* Measures of outliers that need no threshold of magnitude 6, of one record:
 * He et al. 2024 (2405.19279) and massive activations (Sun et al. 2024, 2402.17762) on
 * the residual stream, Bondarenko et al. 2023 (2306.12929) on the modules' outputs. */
#ifndef ANALYSES_METRICS_H
#define ANALYSES_METRICS_H

#include "osc.h"

/* Everything is NaN, 0 or NULL in a record that was made without (`recorded` false). */
typedef struct {
    bool    recorded;
    size_t  layers;
    /* Block inputs, [layers].  Kurtosis: mean_j s_j^4 / (mean_j s_j^2)^2, s_j^2 the mean
     * over all tokens of x_j^2; between 1 and the width.  MMR: mean over the tokens of
     * max|x| / median|x|. */
    double *he_kurtosis, *mmr;
    double  he_kurtosis_mean, he_kurtosis_max, mmr_mean, mmr_max;    /* over blocks */
    /* Modules: outputs of attention, fc2, both norms, blocks, final norm.  Per sequence
     * max|x| and kurtosis, averaged over the sequences; then over modules. */
    size_t    modules;
    double    inf_norm;                       /* the largest module's */
    osc_point inf_norm_point;                 /* and which it is; layer -1: final norm */
    int       inf_norm_layer;
    double    kurtosis_mean, kurtosis_max;
    /* Massive: |h| > 100 and |h| >= 1000 median|h| of the sequence's state.  Block
     * outputs; arrays are [layers], [layers * OSC_RESIDUAL_TOP], [massive_features]. */
    uint64_t  massive_count;                  /* scalars, over all sequences and blocks */
    size_t    massive_features;
    uint32_t *massive_feature;                /* most scalars first */
    uint64_t *massive_scalars;                /* of each of them */
    uint64_t *massive_layer;                  /* scalars of each block */
    double   *top, *median;                   /* of |h|, averaged over the sequences */
} record_metrics;

/* Released with metrics_free.  A record without these measures is no error. */
osc_status metrics_read(record_metrics *metrics, osc_record *record);
void metrics_free(record_metrics *metrics);

#endif

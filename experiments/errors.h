/* compare --errors: where quantization error comes from, block by block and layer by
 * layer (docs/schemes.md has the formulas). */
#ifndef EXPERIMENTS_ERRORS_H
#define EXPERIMENTS_ERRORS_H

#include "experiments/compare.h"
#include "experiments/layer_study.h"

/* A column with any |x| of at least this counts as an outlier column, whatever the
 * scheme removes. */
#define ERRORS_ALPHA 6.0f

/* Sums over all sequences, of one linear layer under one scheme. */
typedef struct {
    double   signal, noise;            /* energies: y^2 and (y' - y)^2 */
    bool     coded;                    /* the scheme codes x; else the next five are 0 */
    uint64_t codes;                    /* codes of columns that were not removed */
    uint64_t zeros, lost, clipped;     /* of them */
    uint64_t removed;                  /* columns */
    uint64_t outliers;                 /* columns */
    uint64_t calls;
} layer_error;

/* Of one model. */
typedef struct {
    char         model[256];
    osc_protocol protocol;
    int32_t      bos;
    size_t       sequences, length, layers;
    bool         has[STUDY_LINEARS];   /* the layers that its blocks have; others stay zero */
    layer_error *layer;                /* [schemes, layers, STUDY_LINEARS] */
} model_errors;

typedef struct {
    model_errors model[CLI_LIST_MOST];
    size_t       count;
} error_results;

osc_status errors_measure(error_results *r, const compare_options *o);
void errors_free(error_results *r);

static inline const layer_error *errors_at(const model_errors *m, size_t scheme, size_t layer,
                                           size_t linear)
{
    return &m->layer[(scheme * m->layers + layer) * STUDY_LINEARS + linear];
}

/* Signal-to-quantization-noise ratio in dB; +inf without noise. */
double errors_sqnr(const layer_error *e);

/* errors_count.c: adds what the codes of one call tell.  `view` has columns, qx, sx
 * and zx of x [rows, width]; `removed` is scratch [width]. */
void errors_count_codes(layer_error *e, const osc_code_view *view, const float *x, size_t rows,
                        size_t width, bool *removed);
/* Columns of x with any |x| >= ERRORS_ALPHA; `found` is scratch [width]. */
size_t errors_count_outliers(const float *x, size_t rows, size_t width, bool *found);
/* Adds the energies of `exact` and of y - exact. */
void errors_count_noise(layer_error *e, const float *y, const double *exact, size_t count);

osc_status errors_write(const error_results *r, const compare_options *o, table_format format,
                        FILE *out);
osc_status errors_plot(const error_results *r, const compare_options *o);

#endif

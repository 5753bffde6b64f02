/* Linear layers outside of a forward pass: the layers of one block at a time, under
 * several schemes, applied to any input; and their products in float64. */
#ifndef EXPERIMENTS_LAYER_STUDY_H
#define EXPERIMENTS_LAYER_STUDY_H

#include "experiments/run.h"

/* Index of a linear layer in its block, in the order of OSC_W_Q ... OSC_W_FC2. */
enum { STUDY_LINEARS = OSC_W_FC2 - OSC_W_Q + 1 };

typedef struct layer_study layer_study;

/* For inputs of at most `rows` rows.  `model` must outlive the study. */
osc_status layer_study_open(layer_study **study, const osc_model *model,
                            const char *const *schemes, size_t count, size_t rows,
                            const run_options *options);
void layer_study_close(layer_study *study);

/* "q", "k", "v", "out", "fc1", "gate", "fc2". */
const char *layer_study_name(size_t linear);
/* Whether this model's blocks have the layer. */
bool layer_study_has(const osc_model *model, size_t linear);
/* The hook point that a layer's input has. */
osc_point layer_study_input(size_t linear);
/* Outputs N of a layer. */
size_t layer_study_outputs(const layer_study *study, size_t linear);

/* Sets the input of the calls below: x [rows, K] of block `layer`. */
osc_status layer_study_put(layer_study *study, size_t layer, const float *x, size_t rows,
                           size_t width);

/* x w^T under scheme number `scheme`, without bias: [rows, N], valid until the next call. */
osc_status layer_study_apply(layer_study *study, float **y, size_t scheme, size_t linear);

/* x w^T of the stored weights, multiplied and summed in double, without bias; [rows, N],
 * valid until the next call. */
osc_status layer_study_exact(layer_study *study, const double **y, size_t linear);

/* The codes of x, where the caller's view has arrays for them.  *coded is false, and the
 * view untouched, for a scheme that does not code x. */
osc_status layer_study_view(layer_study *study, bool *coded, osc_code_view *view, size_t scheme,
                            size_t linear);

/* --- layer_product.c ----------------------------------------------------------- */

enum { PRODUCT_TILE = 16 };   /* outputs computed together */

/* y [rows, n] = x [rows, k] w [n, k]^T in double.  `scratch` holds PRODUCT_TILE * k
 * doubles per thread. */
void layer_product(double *y, const float *x, const float *w, size_t rows, size_t n, size_t k,
                   double *scratch, size_t threads);

#endif

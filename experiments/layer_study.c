#include <config.h>
#include "experiments/layer_study.h"

#include <stdint.h>
#include <string.h>

/* One scheme and its weights of the current block. */
typedef struct {
    osc_scheme_choice choice;
    osc_linear        linear[STUDY_LINEARS];
    size_t            prepared[STUDY_LINEARS];   /* block of the weight, SIZE_MAX: none yet */
} subject;

struct layer_study {
    const osc_model   *model;
    const osc_backend *backend, *host;   /* host: the CPU, which decodes stored weights */
    osc_device        *device, *host_device;
    subject           *subjects;
    size_t             count, rows_most, widest;
    void             **owned;            /* device memory of weights, for release */
    size_t             owned_count;
    void              *x, *y;            /* [rows_most, widest] on the device */
    const float       *host_x;           /* the caller's */
    size_t             layer, rows, width;
    float             *stored;           /* a weight decoded, on the host */
    double            *exact, *scratch;
};

const char *layer_study_name(size_t linear)
{
    static const char *const names[STUDY_LINEARS] = { "q", "k", "v", "out", "fc1", "gate",
                                                      "fc2" };
    return names[linear];
}

osc_point layer_study_input(size_t linear)
{
    static const osc_point points[STUDY_LINEARS] = { OSC_AT_QKV_IN, OSC_AT_QKV_IN, OSC_AT_QKV_IN,
                                                     OSC_AT_OUT_IN, OSC_AT_FC1_IN, OSC_AT_FC1_IN,
                                                     OSC_AT_FC2_IN };
    return points[linear];
}

bool layer_study_has(const osc_model *model, size_t linear)
{
    return osc_model_block(model, 0, (osc_block_slot)(OSC_W_Q + linear)) != NULL;
}

static const osc_tensor *tensor_of(const layer_study *s, size_t layer, size_t linear)
{
    return &osc_model_block(s->model, layer, (osc_block_slot)(OSC_W_Q + linear))->tensor;
}

size_t layer_study_outputs(const layer_study *s, size_t linear)
{
    return osc_tensor_rows(tensor_of(s, 0, linear));
}

/* --- opening ------------------------------------------------------------------- */

static osc_status open_devices(layer_study *s, const run_options *options)
{
    const osc_config *config = osc_model_config(s->model);
    s->widest = config->ffn > config->hidden ? config->ffn : config->hidden;
    if (config->heads * config->head_size > s->widest)
        s->widest = config->heads * config->head_size;
    osc_limits limits = { .tokens = s->rows_most, .heads = 1, .head_size = config->head_size,
                          .widest = s->widest, .codes = true, .vocabulary = 1, .embed_width = 1 };
    OSC_TRY(osc_backend_find(&s->backend, options->backend));
    OSC_TRY(osc_backend_find(&s->host, "cpu"));
    OSC_TRY(osc_backend_open(s->backend, options->backend, &s->device, options->threads, 0));
    OSC_TRY(s->backend->plan(s->device, &limits));
    return s->host->open(&s->host_device, options->threads);
}

static osc_status own_weights(layer_study *s, subject *it)
{
    for (size_t l = 0; l < STUDY_LINEARS; l++) {
        if (!layer_study_has(s->model, l))
            continue;
        const osc_tensor *w = tensor_of(s, 0, l);
        osc_linear *linear = &it->linear[l];
        *linear = (osc_linear){ .choice = &it->choice, .n = osc_tensor_rows(w),
                                .k = osc_tensor_width(w),
                                .input = osc_point_name(layer_study_input(l)) };
        it->prepared[l] = SIZE_MAX;
        OSC_TRY(s->backend->alloc(s->device, &linear->weight,
                                  it->choice.scheme->bytes(&it->choice, s->backend, linear->n,
                                                           linear->k)));
        s->owned[s->owned_count++] = linear->weight;
    }
    return OSC_OK;
}

static osc_status own_activations(layer_study *s)
{
    size_t count = s->rows_most * s->widest, bytes = count * osc_dtype_size(s->backend->dtype);
    OSC_TRY(s->backend->alloc(s->device, &s->x, bytes));
    OSC_TRY(s->backend->alloc(s->device, &s->y, bytes));
    const osc_config *config = osc_model_config(s->model);
    size_t largest = config->hidden * s->widest, threads = s->host->threads(s->host_device);
    s->stored = osc_alloc(largest, sizeof *s->stored);
    s->exact = osc_alloc(count, sizeof *s->exact);
    s->scratch = osc_alloc(threads * PRODUCT_TILE, s->widest * sizeof *s->scratch);
    return s->stored == NULL || s->exact == NULL || s->scratch == NULL ? OSC_ENOMEM : OSC_OK;
}

static osc_status set_up(layer_study *s, const char *const *schemes, size_t count,
                         const run_options *options)
{
    OSC_TRY(open_devices(s, options));
    s->subjects = osc_alloc(count, sizeof *s->subjects);
    s->owned = osc_alloc(count * STUDY_LINEARS, sizeof *s->owned);
    if (s->subjects == NULL || s->owned == NULL)
        return OSC_ENOMEM;
    for (s->count = 0; s->count < count; s->count++) {
        OSC_TRY(osc_scheme_parse(&s->subjects[s->count].choice, schemes[s->count]));
        OSC_TRY(own_weights(s, &s->subjects[s->count]));
    }
    return own_activations(s);
}

osc_status layer_study_open(layer_study **study, const osc_model *model,
                            const char *const *schemes, size_t count, size_t rows,
                            const run_options *options)
{
    layer_study *made = osc_alloc(1, sizeof *made);
    if (made == NULL)
        return OSC_ENOMEM;
    made->model = model;
    made->rows_most = rows;
    osc_status status = set_up(made, schemes, count, options);
    if (status != OSC_OK) {
        layer_study_close(made);
        return status;
    }
    *study = made;
    return OSC_OK;
}

void layer_study_close(layer_study *s)
{
    if (s == NULL)
        return;
    for (size_t i = 0; i < s->owned_count; i++)
        s->backend->release(s->device, s->owned[i]);
    if (s->x != NULL)
        s->backend->release(s->device, s->x);
    if (s->y != NULL)
        s->backend->release(s->device, s->y);
    if (s->device != NULL)
        s->backend->close(s->device);
    if (s->host_device != NULL)
        s->host->close(s->host_device);
    osc_free(s->owned);
    osc_free(s->subjects);
    osc_free(s->stored);
    osc_free(s->exact);
    osc_free(s->scratch);
    osc_free(s);
}

/* --- products ------------------------------------------------------------------ */

osc_status layer_study_put(layer_study *s, size_t layer, const float *x, size_t rows, size_t width)
{
    float *view;
    OSC_TRY(s->backend->host_view(s->device, &view, s->x, s->backend->dtype, rows * width));
    memcpy(view, x, rows * width * sizeof *view);
    OSC_TRY(s->backend->host_put(s->device, s->x, s->backend->dtype, view, rows * width));
    s->host_x = x;
    s->layer = layer;
    s->rows = rows;
    s->width = width;
    return OSC_OK;
}

/* Weights are made when first asked for in a block.  Whether they are finite is the
 * business of the pass that delivers x. */
static osc_status prepare(layer_study *s, const osc_linear **linear, size_t scheme, size_t l)
{
    subject *it = &s->subjects[scheme];
    size_t bad;
    if (it->prepared[l] != s->layer) {
        it->linear[l].layer = s->layer;
        OSC_TRY(it->choice.scheme->prepare(&it->linear[l], s->backend, s->device,
                                           tensor_of(s, s->layer, l), &bad));
        it->prepared[l] = s->layer;
    }
    *linear = &it->linear[l];
    return OSC_OK;
}

osc_status layer_study_apply(layer_study *s, float **y, size_t scheme, size_t l)
{
    const osc_linear *linear;
    OSC_TRY(prepare(s, &linear, scheme, l));
    OSC_TRY(linear->choice->scheme->apply(linear, s->backend, s->device, s->y, s->x, OSC_ACT_NONE,
                                          s->rows));
    return s->backend->host_view(s->device, y, s->y, s->backend->dtype, s->rows * linear->n);
}

osc_status layer_study_exact(layer_study *s, const double **y, size_t l)
{
    const osc_tensor *w = tensor_of(s, s->layer, l);
    size_t bad;
    OSC_TRY(s->host->load(s->host_device, s->stored, w, &bad));
    layer_product(s->exact, s->host_x, s->stored, s->rows, osc_tensor_rows(w),
                  osc_tensor_width(w), s->scratch, s->host->threads(s->host_device));
    *y = s->exact;
    return OSC_OK;
}

osc_status layer_study_view(layer_study *s, bool *coded, osc_code_view *view, size_t scheme,
                            size_t l)
{
    const osc_linear *linear;
    const osc_scheme *kind = s->subjects[scheme].choice.scheme;
    *coded = kind->view != NULL;
    if (kind->view == NULL)
        return OSC_OK;
    OSC_TRY(prepare(s, &linear, scheme, l));
    return kind->view(linear, s->backend, s->device, view, s->x, s->rows);
}

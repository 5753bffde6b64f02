/* Operations, memory and time of a run (docs/memory.md has the formulas). */
#include <config.h>
#include "experiments/estimate.h"

#include <math.h>
#include <string.h>
#include <time.h>

/* Whole forward passes reach about so much of the rate of one large product (measured
 * for scheme none: 0.72 to 0.83 of it). */
static const double PASS_SHARE = 0.75;
/* Stacks of threads, buffers of the BLAS; events and HDF5 of a recorder (measured:
 * docs/memory.md). */
static const double AROUND = 3e6, RECORDER_AROUND = 9e6;

enum { PROBE_ROWS = 512, PROBE_WIDTH = 2048, PROBES = 3, PROBE_OUTLIERS = 4 };

/* --- operations ---------------------------------------------------------------------- */

static double block_weights(const osc_model *model)
{
    double count = 0;
    for (int slot = OSC_W_Q; slot <= OSC_W_FC2; slot++) {
        const osc_stored *w = osc_model_block(model, 0, (osc_block_slot)slot);
        count += w == NULL ? 0 : (double)osc_tensor_count(&w->tensor);
    }
    return count;
}

static double linear_weights(const osc_model *model)
{
    return block_weights(model) * (double)osc_model_config(model)->layers;
}

static double ids_of(const osc_corpus *corpus)
{
    return (double)(corpus->offset[corpus->count] - corpus->offset[0]);
}

/* Two operations per weight and id. */
static double linear_flops(const estimate_work *w)
{
    return 2 * linear_weights(w->input->model) * ids_of(w->corpus);
}

/* The head, and in attention four operations per head dimension for each pair of an id and
 * one before it: in floating point whatever the scheme. */
static double other_flops(const estimate_work *w)
{
    const osc_config *c = osc_model_config(w->input->model);
    const osc_corpus *corpus = w->corpus;
    double pairs = 0;
    for (size_t i = 0; i < corpus->count; i++) {
        double t = (double)(corpus->offset[i + 1] - corpus->offset[i]);
        pairs += t * (t + 1) / 2;
    }
    return 2 * (double)c->vocabulary * (double)c->embed_width * ids_of(corpus)
         + 4 * (double)c->layers * (double)(c->heads * c->head_size) * pairs;
}

/* --- rates --------------------------------------------------------------------------- */

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* One linear layer of PROBE_WIDTH inputs and outputs. */
typedef struct {
    const osc_backend *backend;
    osc_device        *device;
    osc_scheme_choice  choice;
    osc_linear         linear;
    uint16_t          *stored;    /* [PROBE_WIDTH, PROBE_WIDTH], float16 */
    osc_tensor         tensor;
    void              *x, *y;     /* [PROBE_ROWS, PROBE_WIDTH] */
} probe;

/* Values of about -1 to 1; a few inputs are outliers, as in a model that has some. */
static void fill(uint16_t *values)
{
    uint32_t state = 1;
    for (size_t i = 0; i < (size_t)PROBE_WIDTH * PROBE_WIDTH; i++) {
        state = state * 1664525u + 1013904223u;   /* Numerical Recipes' generator */
        float value = (float)(state >> 8) * 0x1p-23f - 1.0f;
        values[i] = osc_float_to_f16(i % PROBE_WIDTH < PROBE_OUTLIERS ? 8.0f * value : value);
    }
}

/* Columns fixed by a file are those of a model: the scheme's own rule stands for them. */
static osc_status parse(osc_scheme_choice *choice, const char *scheme)
{
    OSC_TRY(osc_scheme_parse(choice, scheme));
    return choice->columns[0] != '\0' ? osc_scheme_parse(choice, choice->scheme->name) : OSC_OK;
}

static osc_status probe_open(probe *p, const char *scheme, const run_options *o)
{
    size_t wide = PROBE_WIDTH, bad, dim[2] = { wide, wide }, few[2] = { PROBE_ROWS, wide };
    OSC_TRY(parse(&p->choice, scheme));
    OSC_TRY(osc_backend_find(&p->backend, o->backend));
    osc_limits limits = { .tokens = PROBE_ROWS, .heads = 1, .head_size = 64, .widest = wide,
                          .codes = p->choice.coding.w != OSC_SHARE_NONE, .vocabulary = 1,
                          .embed_width = 1 };
    p->linear = (osc_linear){ .choice = &p->choice, .n = wide, .k = wide, .input = "qkv_in" };
    p->stored = osc_alloc(wide * wide, sizeof *p->stored);
    if (p->stored == NULL)
        return OSC_ENOMEM;
    fill(p->stored);
    p->tensor = osc_tensor_make(p->stored, OSC_F16, 2, dim);
    osc_tensor x = osc_tensor_make(p->stored, OSC_F16, 2, few);
    size_t bytes = PROBE_ROWS * wide * osc_dtype_size(p->backend->dtype);
    OSC_TRY(p->backend->open(&p->device, o->threads));
    OSC_TRY(p->backend->plan(p->device, &limits));
    OSC_TRY(p->backend->alloc(p->device, &p->x, bytes));
    OSC_TRY(p->backend->alloc(p->device, &p->y, bytes));
    OSC_TRY(p->backend->alloc(p->device, &p->linear.weight,
                              p->choice.scheme->bytes(&p->choice, p->backend, wide, wide)));
    return p->backend->load(p->device, p->x, &x, &bad);
}

static void probe_close(probe *p)
{
    if (p->device != NULL) {
        p->backend->release(p->device, p->x);
        p->backend->release(p->device, p->y);
        p->backend->release(p->device, p->linear.weight);
        p->backend->close(p->device);
    }
    osc_free(p->stored);
}

/* The best of a few: others may use the machine.  The first warms up. */
static osc_status probe_time(probe *p, estimate_rate *rate)
{
    size_t bad;
    double weights = (double)PROBE_WIDTH * PROBE_WIDTH, prepare = INFINITY, product = INFINITY;
    for (int i = 0; i <= PROBES; i++) {
        double begin = seconds();
        OSC_TRY(p->choice.scheme->prepare(&p->linear, p->backend, p->device, &p->tensor, &bad));
        OSC_TRY(p->backend->settle(p->device, true));
        double between = seconds();
        OSC_TRY(p->choice.scheme->apply(&p->linear, p->backend, p->device, p->y, p->x,
                                        OSC_ACT_NONE, PROBE_ROWS));
        OSC_TRY(p->backend->settle(p->device, true));
        prepare = i > 0 ? fmin(prepare, between - begin) : prepare;
        product = i > 0 ? fmin(product, seconds() - between) : product;
    }
    rate->flops = 2 * PROBE_ROWS * weights / product;
    rate->weights = weights / prepare;
    return OSC_OK;
}

static osc_status measure(estimate_rate *rate, const char *scheme, const run_options *o)
{
    probe p = { .device = NULL };
    snprintf(rate->scheme, sizeof rate->scheme, "%s", scheme);
    osc_status status = probe_open(&p, scheme, o);
    if (status == OSC_OK)
        status = probe_time(&p, rate);
    probe_close(&p);
    return status;
}

static osc_status rate_of(estimate_rate *rate, estimator *all, const char *scheme,
                          const run_options *o)
{
    for (size_t i = 0; i < all->count; i++) {
        if (strcmp(all->rate[i].scheme, scheme) == 0) {
            *rate = all->rate[i];
            return OSC_OK;
        }
    }
    estimate_rate *grown = osc_grow(all->rate, &all->capacity, all->count + 1, sizeof *grown);
    if (grown == NULL)
        return OSC_ENOMEM;
    all->rate = grown;
    OSC_TRY(measure(&grown[all->count], scheme, o));
    *rate = grown[all->count++];
    return OSC_OK;
}

void estimator_free(estimator *all)
{
    osc_free(all->rate);
    *all = (estimator){ .rate = NULL };
}

/* --- all together --------------------------------------------------------------------- */

/* A stated rate is that of scheme none; the others are as much faster or slower as here. */
static osc_status count_time(estimate *e, estimator *all, const estimate_work *w)
{
    estimate_rate own, plain;
    OSC_TRY(rate_of(&plain, all, "none", w->options));
    OSC_TRY(rate_of(&own, all, w->scheme != NULL ? w->scheme : "none", w->options));
    double share = all->stated > 0 ? all->stated / plain.flops : 1;
    double chunks = ceil((double)w->corpus->count / (double)e->needs.chunk) * w->passes;
    double work = linear_flops(w) / own.flops + other_flops(w) / plain.flops;
    double prepared = linear_weights(w->input->model) * (e->needs.stays ? 1 : chunks);
    e->seconds = (w->passes * work / PASS_SHARE + prepared / own.weights) / share;
    e->read = (e->needs.reads_again ? chunks : 1)
            * (double)osc_store_bytes(osc_model_store(w->input->model));
    return OSC_OK;
}

osc_status estimate_make(estimate *e, estimator *all, const estimate_work *w)
{
    const osc_backend *backend;
    osc_session_options options = run_session_options(w->input, w->scheme, NULL, w->options);
    if (all->in_use == 0)
        all->in_use = (double)osc_memory_resident();
    *e = (estimate){ .ids = ids_of(w->corpus), .flops = linear_flops(w) + other_flops(w) };
    OSC_TRY(osc_backend_find(&backend, w->options->backend));
    OSC_TRY(osc_session_predict(&e->needs, w->input->model, &options));
    e->peak = all->in_use + AROUND + w->beside + (double)e->needs.mapped
            + (backend->host ? (double)(e->needs.weights + e->needs.activations) : 0);
    return count_time(e, all, w);
}

double estimate_recorder(const osc_model *model, unsigned points, bool metrics)
{
    osc_observer_shape shape = osc_model_shape(model);
    double bytes = 0;
    for (unsigned p = 0; p < OSC_POINT_COUNT; p++)
        if (points >> p & 1u)
            bytes += (double)osc_column_stats_bytes(shape.layers, shape.width[p]);
    if (metrics)
        bytes += (double)((shape.layers + 1) * shape.hidden)
               * (sizeof(double) + sizeof(uint64_t));   /* osc_residual_stats */
    return 2 * bytes + RECORDER_AROUND;
}

/* --- tables ----------------------------------------------------------------------------- */

void estimate_memory_cell(table *t, double bytes)
{
    if (bytes < 999.5e6)
        table_cell(t, "%.0f MB", bytes / 1e6);
    else
        table_cell(t, "%.1f GB", bytes / 1e9);
}

void estimate_time_cell(table *t, double s)
{
    if (s < 60)
        table_cell(t, "%.1f s", s);
    else if (s < 6000)
        table_cell(t, "%.1f min", s / 60);
    else
        table_cell(t, "%.1f h", s / 3600);
}

void estimate_notes(table *t, const estimator *all)
{
    size_t available = osc_memory_available();
    for (size_t i = 0; i < all->count; i++)
        if (strcmp(all->rate[i].scheme, "none") == 0)
            table_note(t, "Time: at %.2f of the rate of a large product under the scheme, which "
                       "is measured here%s (none: %.3g GFLOP/s); without waiting for the disk.",
                       PASS_SHARE, all->stated > 0 ? " relative to the rate given" : "",
                       (all->stated > 0 ? all->stated : all->rate[i].flops) / 1e9);
    table_note(t, "Memory: most that the process has at a time, pages of the checkpoint "
               "included.");
    if (available != SIZE_MAX)
        table_note(t, "Available now: %.1f GB.", (double)available / 1e9);
}

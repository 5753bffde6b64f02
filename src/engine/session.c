/* Sessions: what is allocated and loaded once. */
#include <config.h>
#include "engine/session_state.h"

#include "base/alloc.h"

/* A chunk is large enough that reading and converting a block's weights costs
 * little beside using them, and small enough for memory and progress. */
static const size_t CHUNK_TOKENS = 8192, CHUNK_BYTES = (size_t)64 << 20, CHUNK_MOST = 65536;
/* Where weights and accumulators travel to a device, they do so once per chunk. */
static const size_t DEVICE_TOKENS = 32768, DEVICE_BYTES = (size_t)1 << 30;

osc_status osc_session_own(osc_session *s, void **data, size_t count, size_t size,
                           size_t *total)
{
    size_t bytes;
    void **grown = osc_grow(s->owned, &s->owned_capacity, s->owned_count + 1, sizeof *grown);
    if (grown == NULL)
        return OSC_ENOMEM;
    s->owned = grown;
    if (__builtin_mul_overflow(count, size, &bytes))
        return osc_fail(OSC_ENOMEM, "out of memory: %zu values of %zu bytes", count, size);
    OSC_TRY(s->backend->alloc(s->device, data, bytes));
    s->owned[s->owned_count++] = *data;
    *total += bytes;
    return OSC_OK;
}

osc_status osc_session_finite(const osc_session *s, const osc_stored *stored, size_t bad)
{
    if (bad == SIZE_MAX || s->allow_nonfinite)
        return OSC_OK;
    return osc_fail(OSC_EVALUE, "%s/%s: tensor %s is not finite (first at element %zu)",
                    osc_store_path(osc_model_store(s->model)), stored->file,
                    stored->name, bad);
}

osc_status osc_session_load(const osc_session *s, void *dst, const osc_stored *stored)
{
    size_t bad;
    osc_store_need(osc_model_store(s->model), &stored->tensor);
    OSC_TRY(s->backend->load(s->device, dst, &stored->tensor, &bad));
    return osc_session_finite(s, stored, bad);
}

/* Rows that are looked up: as stored where the backend reads host memory. */
static osc_status load_tables(osc_session *s)
{
    static const osc_model_slot slots[] = { OSC_W_EMBED, OSC_W_POSITION, OSC_W_HEAD };
    size_t size = osc_dtype_size(s->backend->dtype);
    for (size_t i = 0; i < sizeof slots / sizeof *slots; i++) {
        const osc_stored *stored = osc_model_once(s->model, slots[i]);
        if (stored == NULL)
            continue;
        s->pass.table[slots[i]] = stored->tensor;
        if (s->backend->host)
            continue;
        void *loaded;
        OSC_TRY(osc_session_own(s, &loaded, osc_tensor_count(&stored->tensor), size,
                                &s->weight_bytes));
        OSC_TRY(osc_session_load(s, loaded, stored));
        s->pass.table[slots[i]] = osc_tensor_make(loaded, s->backend->dtype, stored->tensor.ndim,
                                                  stored->tensor.dim);
    }
    if (!s->backend->host)
        return OSC_OK;
    return osc_session_own(s, &s->head_tile, (size_t)OSC_HEAD_TILE * s->config->embed_width, size,
                           &s->weight_bytes);
}

static osc_status load_once(osc_session *s)
{
    static const osc_model_slot slots[] = { OSC_W_PROJECT_IN, OSC_W_PROJECT_OUT,
                                            OSC_W_EMBED_NORM, OSC_B_EMBED_NORM,
                                            OSC_W_FINAL_NORM, OSC_B_FINAL_NORM, OSC_B_HEAD };
    for (size_t i = 0; i < sizeof slots / sizeof *slots; i++) {
        const osc_stored *stored = osc_model_once(s->model, slots[i]);
        if (stored == NULL)
            continue;
        OSC_TRY(osc_session_own(s, &s->pass.once[slots[i]], osc_tensor_count(&stored->tensor),
                                osc_dtype_size(s->backend->dtype), &s->weight_bytes));
        OSC_TRY(osc_session_load(s, s->pass.once[slots[i]], stored));
    }
    return load_tables(s);
}

/* The rows' running log-sum-exp and targets, there and here. */
static osc_status own_rows(osc_session *s)
{
    size_t rows = s->chunk * s->longest;
    void *lse, *targets;
    OSC_TRY(osc_session_own(s, &lse, rows, sizeof *s->lse, &s->buffer_bytes));
    OSC_TRY(osc_session_own(s, &targets, rows, sizeof *s->targets, &s->buffer_bytes));
    s->lse = lse;
    s->targets = targets;
    s->host_lse = osc_alloc(rows, sizeof *s->host_lse);
    s->host_targets = osc_alloc(rows, sizeof *s->host_targets);
    if (s->host_lse == NULL || s->host_targets == NULL)
        return OSC_ENOMEM;
    s->buffer_bytes += rows * (sizeof *s->host_lse + sizeof *s->host_targets);
    return OSC_OK;
}

static osc_status own_activations(osc_session *s)
{
    const osc_config *c = s->config;
    size_t t = s->longest, wide = c->heads * c->head_size, narrow = c->kv_heads * c->head_size;
    const struct { void **data; size_t count; } table[] = {
        { &s->resid, s->chunk * t * c->hidden },
        { &s->head_in, c->embed_width == c->hidden ? 0 : s->chunk * t * c->embed_width },
        { &s->pass.x, t * c->hidden },
        { &s->pass.q, t * wide },
        { &s->pass.k, t * narrow },
        { &s->pass.v, t * narrow },
        { &s->pass.mix, t * wide },
        { &s->pass.branch, t * c->hidden },
        { &s->pass.ffn, t * c->ffn },
        { &s->pass.gate, c->gated ? t * c->ffn : 0 },
        { &s->pass.embedded, c->embed_width == c->hidden ? 0 : t * c->embed_width },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].count > 0)
            OSC_TRY(osc_session_own(s, table[i].data, table[i].count,
                                    osc_dtype_size(s->backend->dtype), &s->buffer_bytes));
    if (s->head_in == NULL)
        s->head_in = s->resid;
    return own_rows(s);
}

static osc_status plan(osc_session *s)
{
    const osc_config *c = s->config;
    size_t widest = c->ffn > c->hidden ? c->ffn : c->hidden;
    if (c->heads * c->head_size > widest)
        widest = c->heads * c->head_size;
    osc_limits limits = { .tokens = s->longest, .heads = c->heads, .head_size = c->head_size,
                          .widest = widest, .codes = s->choice.coding.w != OSC_SHARE_NONE,
                          .vocabulary = c->vocabulary, .embed_width = c->embed_width };
    OSC_TRY(s->backend->plan(s->device, &limits));
    s->buffer_bytes += s->backend->scratch_bytes(s->device);
    return OSC_OK;
}

static size_t usual_chunk(const osc_session *s)
{
    size_t bytes = s->longest * s->config->hidden * osc_dtype_size(s->backend->dtype);
    size_t fit = (s->backend->host ? CHUNK_TOKENS : DEVICE_TOKENS) / s->longest;
    size_t most = s->backend->host ? CHUNK_BYTES : DEVICE_BYTES;
    if (most / bytes < fit)
        fit = most / bytes;
    return fit > 0 ? fit : 1;
}

static osc_status set_up(osc_session *s, const osc_session_options *options)
{
    if (options->longest < 1 || options->longest > s->config->positions)
        return osc_fail(OSC_EINVAL, "sequences of %zu ids, but %s has %zu positions",
                        options->longest, osc_model_name(s->model), s->config->positions);
    if (options->chunk > CHUNK_MOST)
        return osc_fail(OSC_EINVAL, "chunks of %zu sequences: at most %zu", options->chunk,
                        CHUNK_MOST);
    OSC_TRY(osc_backend_find(&s->backend, options->backend));
    OSC_TRY(osc_model_suits(s->model, s->backend));
    OSC_TRY(osc_scheme_parse(&s->choice, options->scheme));
    OSC_TRY(osc_backend_open(s->backend, options->backend, &s->device, options->threads));
    s->longest = options->longest;
    s->chunk = options->chunk > 0 ? options->chunk : usual_chunk(s);
    s->allow_nonfinite = options->allow_nonfinite;
    s->progress = options->progress;
    s->label = options->label != NULL ? options->label : "forward pass";
    s->pass.model = s->model;
    s->pass.config = s->config;
    s->pass.backend = s->backend;
    s->pass.device = s->device;
    OSC_TRY(plan(s));
    OSC_TRY(load_once(s));
    OSC_TRY(own_activations(s));
    return osc_session_own_weights(s);   /* last: in what memory is left */
}

osc_status osc_session_open(osc_session **session, const osc_model *model,
                            const osc_session_options *options)
{
    osc_session *made = osc_alloc(1, sizeof *made);
    if (made == NULL)
        return OSC_ENOMEM;
    made->model = model;
    made->config = osc_model_config(model);
    osc_status status = set_up(made, options);
    if (status != OSC_OK) {
        osc_session_close(made);
        return status;
    }
    *session = made;
    return OSC_OK;
}

void osc_session_close(osc_session *session)
{
    if (session == NULL)
        return;
    for (size_t i = 0; i < session->owned_count; i++)
        session->backend->release(session->device, session->owned[i]);
    osc_free(session->owned);
    osc_free(session->resident);
    for (size_t p = 0; p < OSC_POINT_COUNT; p++)
        osc_free(session->mirror.stats[p]);
    osc_free(session->host_lse);
    osc_free(session->host_targets);
    if (session->device != NULL)
        session->backend->close(session->device);
    osc_free(session);
}

size_t osc_session_chunk(const osc_session *session)
{
    return session->chunk;
}

const char *osc_session_backend(const osc_session *session)
{
    return session->backend->spec;
}

const char *osc_session_scheme(const osc_session *session)
{
    return session->choice.text;
}

bool osc_session_summarizes(const osc_session *session)
{
    return session->backend->summarize != NULL && session->backend->residual != NULL;
}

size_t osc_session_threads(const osc_session *session)
{
    return session->backend->threads(session->device);
}

size_t osc_session_weight_bytes(const osc_session *session)
{
    return session->weight_bytes;
}

size_t osc_session_linear_bytes(const osc_session *session)
{
    return session->linear_bytes;
}

size_t osc_session_buffer_bytes(const osc_session *session)
{
    return session->buffer_bytes;
}

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
    *total += bytes;
    if (s->predicting)
        return OSC_OK;
    OSC_TRY(s->backend->alloc(s->device, data, bytes));
    s->owned[s->owned_count++] = *data;
    return OSC_OK;
}

/* Element `index` of a view (a part of a tensor, or one transposed) as the stored tensor
 * counts. */
static size_t element_of(const osc_stored *whole, const osc_tensor *view, size_t index)
{
    size_t bytes = (size_t)((const char *)view->data - (const char *)whole->tensor.data);
    size_t element = bytes / osc_dtype_size(view->dtype);
    for (size_t i = view->ndim; i-- > 0; index /= view->dim[i])
        element += index % view->dim[i] * view->stride[i];
    return element;
}

osc_status osc_session_finite(const osc_session *s, const osc_stored *stored, size_t bad)
{
    if (bad == SIZE_MAX || s->allow_nonfinite)
        return OSC_OK;
    const osc_store *store = osc_model_store(s->model);
    const osc_stored *whole = osc_store_find(store, stored->name);
    return osc_fail(OSC_EVALUE, "%s/%s: tensor %s is not finite (first at element %zu)",
                    osc_store_path(store), stored->file, stored->name,
                    whole != NULL ? element_of(whole, &stored->tensor, bad) : bad);
}

void osc_session_need(const osc_session *s, const osc_stored *stored)
{
    if (stored->tensor.drawn == NULL || !s->backend->draws)
        osc_store_need(osc_model_store(s->model), &stored->tensor);
}

osc_status osc_session_load(const osc_session *s, void *dst, const osc_stored *stored)
{
    size_t bad;
    if (s->predicting)
        return OSC_OK;
    osc_session_need(s, stored);
    OSC_TRY(s->backend->load(s->device, dst, &stored->tensor, &bad));
    return osc_session_finite(s, stored, bad);
}

void osc_session_forget(const osc_session *s, const osc_stored *stored)
{
    if (s->window && stored != NULL)
        osc_store_forget(osc_model_store(s->model), &stored->tensor);
}

/* What this session's device uses: the embedding comes before the first block, the head
 * behind the last. */
static const osc_stored *used_once(const osc_session *s, osc_model_slot slot)
{
    bool first = s->begin == 0, last = s->end == s->config->layers, used = last;
    if (slot == OSC_W_POSITION || slot == OSC_W_PROJECT_IN || slot == OSC_W_EMBED_NORM
        || slot == OSC_B_EMBED_NORM)
        used = first;
    if (slot == OSC_W_EMBED)
        used = first || (last && s->config->tied_head);
    return used ? osc_model_once(s->model, slot) : NULL;
}

/* Rows that are looked up: as stored where the backend reads host memory. */
static osc_status load_tables(osc_session *s)
{
    static const osc_model_slot slots[] = { OSC_W_EMBED, OSC_W_POSITION, OSC_W_HEAD };
    size_t size = osc_dtype_size(s->backend->dtype);
    for (size_t i = 0; i < sizeof slots / sizeof *slots; i++) {
        const osc_stored *stored = used_once(s, slots[i]);
        if (stored == NULL)
            continue;
        s->pass.table[slots[i]] = stored->tensor;
        if (s->backend->host)
            continue;
        void *loaded = NULL;
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
        const osc_stored *stored = used_once(s, slots[i]);
        if (stored == NULL)
            continue;
        OSC_TRY(osc_session_own(s, &s->pass.once[slots[i]], osc_tensor_count(&stored->tensor),
                                osc_dtype_size(s->backend->dtype), &s->weight_bytes));
        OSC_TRY(osc_session_load(s, s->pass.once[slots[i]], stored));
    }
    return load_tables(s);
}

/* The rows' running log-sum-exp and targets, there and here, and their ids where graphs read
 * them. */
static osc_status own_rows(osc_session *s)
{
    size_t rows = osc_session_rows(s);
    void *lse = NULL, *targets = NULL, *ids = NULL;
    OSC_TRY(osc_session_own(s, &lse, rows, sizeof *s->lse, &s->buffer_bytes));
    OSC_TRY(osc_session_own(s, &targets, rows, sizeof *s->targets, &s->buffer_bytes));
    if (s->backend->graph_begin != NULL)
        OSC_TRY(osc_session_own(s, &ids, rows, sizeof *s->whole.ids, &s->buffer_bytes));
    s->lse = lse;
    s->targets = targets;
    s->whole.ids = ids;
    s->buffer_bytes += rows * (sizeof *s->host_lse + sizeof *s->host_targets);
    if (s->predicting)
        return OSC_OK;
    s->host_lse = osc_alloc(rows, sizeof *s->host_lse);
    s->host_targets = osc_alloc(rows, sizeof *s->host_targets);
    return s->host_lse == NULL || s->host_targets == NULL ? OSC_ENOMEM : OSC_OK;
}

static osc_status own_activations(osc_session *s)
{
    const osc_config *c = s->config;
    size_t t = s->pass_rows, wide = c->heads * c->head_size, narrow = c->kv_heads * c->head_size;
    const struct { void **data; size_t count; } table[] = {
        { &s->resid, osc_session_rows(s) * c->hidden },
        { &s->head_in, c->embed_width == c->hidden ? 0
                       : osc_session_rows(s) * c->embed_width },
        { &s->pass.x, t * c->hidden },
        { &s->pass.q, t * wide },
        { &s->k, t * narrow },
        { &s->v, t * narrow },
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
    osc_limits limits = { .tokens = s->longest, .rows = s->pass_rows, .heads = c->heads,
                          .head_size = c->head_size, .widest = widest,
                          .codes = s->choice.coding.w != OSC_SHARE_NONE,
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

/* Sequences that a pass takes at once. */
static size_t usual_rows(const osc_session *s)
{
    size_t fit = s->together / s->longest;
    if (fit > s->chunk)
        fit = s->chunk;
    return (fit > 0 ? fit : 1) * s->longest;
}

static osc_status choose(osc_session *s, const osc_session_options *options)
{
    if (options->longest < 1 || options->longest > s->config->positions)
        return osc_fail(OSC_EINVAL, "sequences of %zu ids, but %s has %zu positions",
                        options->longest, osc_model_name(s->model), s->config->positions);
    if (options->chunk > CHUNK_MOST)
        return osc_fail(OSC_EINVAL, "chunks of %zu sequences: at most %zu", options->chunk,
                        CHUNK_MOST);
    OSC_TRY(osc_backend_find(&s->backend, options->backend));
    OSC_TRY(osc_model_suits(s->model, s->backend));
    return osc_scheme_parse(&s->choice, options->scheme);
}

static osc_status set_up(osc_session *s, const osc_session_options *options, size_t device)
{
    OSC_TRY(choose(s, options));
    OSC_TRY(osc_backend_open(s->backend, options->backend, &s->device, options->threads,
                             device));
    osc_session_count_room(s, s->backend->host ? options->memory : 0);
    if (options->memory > 0 && s->backend->limit != NULL)
        s->backend->limit(s->device, options->memory);
    s->longest = options->longest;
    s->cached = options->cached;
    s->chunk = options->chunk > 0 ? options->chunk : s->cached ? 1 : usual_chunk(s);
    if (s->backend->together != NULL && !s->cached)
        s->together = s->backend->together(s->device, &s->choice.coding, s->config->hidden);
    s->pass_rows = usual_rows(s);
    s->allow_nonfinite = options->allow_nonfinite;
    s->progress = options->progress;
    s->label = options->label != NULL ? options->label : "forward pass";
    s->pass.model = s->model;
    s->pass.config = s->config;
    s->pass.backend = s->backend;
    s->pass.device = s->device;
    s->pass.session = s;
    OSC_TRY(plan(s));
    OSC_TRY(load_once(s));
    OSC_TRY(own_activations(s));
    if (s->cached)
        OSC_TRY(osc_session_own_cache(s));
    return osc_session_own_weights(s);   /* last: in what memory is left */
}

/* Blocks begin .. end-1 on a device, behind those of `before`. */
static osc_status open_part(osc_session **session, const osc_model *model,
                            const osc_session_options *options, osc_session *before,
                            size_t device, size_t begin, size_t end, bool predicting)
{
    osc_session *made = osc_alloc(1, sizeof *made);
    if (made == NULL)
        return OSC_ENOMEM;
    made->model = model;
    made->config = osc_model_config(model);
    made->before = before;
    made->begin = begin;
    made->end = end;
    made->predicting = predicting;
    osc_status status = set_up(made, options, device);
    if (status == OSC_OK)
        status = osc_store_check(osc_model_store(model));
    if (status != OSC_OK) {
        osc_session_close(made);
        return status;
    }
    *session = made;
    return OSC_OK;
}

/* The blocks in equal shares, in the order of the devices. */
static osc_status open_chain(osc_session **session, const osc_model *model,
                             const osc_session_options *options, bool predicting)
{
    osc_session *first = NULL, *before = NULL, **place = &first;
    size_t device[OSC_DEVICES], count, layers = osc_model_config(model)->layers;
    OSC_TRY(osc_session_parse_devices(device, &count, options->devices));
    if (count > layers)
        return osc_fail(OSC_EINVAL, "%zu devices for %zu blocks", count, layers);
    if (count > 1 && options->cached)
        return osc_fail(OSC_EUNSUP, "a cache of keys and values lives on one device, not on %zu",
                        count);
    for (size_t i = 0; i < count; i++) {
        osc_status status = open_part(place, model, options, before, device[i],
                                      layers * i / count, layers * (i + 1) / count, predicting);
        if (status != OSC_OK) {
            osc_session_close(first);
            return status;
        }
        before = *place;
        place = &before->next;
    }
    *session = first;
    return OSC_OK;
}

osc_status osc_session_open(osc_session **session, const osc_model *model,
                            const osc_session_options *options)
{
    return open_chain(session, model, options, false);
}

osc_status osc_session_predict(osc_session_needs *needs, const osc_model *model,
                               const osc_session_options *options)
{
    osc_session *first;
    OSC_TRY(open_chain(&first, model, options, true));
    *needs = (osc_session_needs){
        .chunk = first->chunk, .weights = osc_session_weight_bytes(first),
        .linear = osc_session_linear_bytes(first), .activations = osc_session_buffer_bytes(first),
        .stays = true, .reads_again = osc_session_reads_stored(first),
    };
    for (const osc_session *s = first; s != NULL; s = s->next) {
        needs->mapped = s->mapped_bytes > needs->mapped ? s->mapped_bytes : needs->mapped;
        needs->stays = needs->stays && s->stays;
    }
    needs->reads_again = needs->reads_again || !needs->stays;
    osc_session_close(first);
    return OSC_OK;
}

static void close_part(osc_session *session)
{
    if (session->device != NULL)
        session->backend->select(session->device);
    osc_session_free_graphs(session);
    for (size_t i = 0; i < session->owned_count; i++)
        session->backend->release(session->device, session->owned[i]);
    osc_free(session->owned);
    osc_free(session->resident);
    osc_free(session->as_stored);
    osc_free(session->cache.host_logits);
    for (size_t p = 0; p < OSC_POINT_COUNT; p++)
        osc_free(session->mirror.stats[p]);
    osc_free(session->mirror.residual);
    osc_free(session->host_lse);
    osc_free(session->host_targets);
    if (session->device != NULL)
        session->backend->close(session->device);
    osc_free(session);
}

void osc_session_close(osc_session *session)
{
    while (session != NULL) {
        osc_session *next = session->next;
        close_part(session);
        session = next;
    }
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
    size_t bytes = 0;
    for (const osc_session *s = session; s != NULL; s = s->next)
        bytes += s->weight_bytes;
    return bytes;
}

size_t osc_session_linear_bytes(const osc_session *session)
{
    size_t bytes = 0;
    for (const osc_session *s = session; s != NULL; s = s->next)
        bytes += s->linear_bytes;
    return bytes;
}

size_t osc_session_buffer_bytes(const osc_session *session)
{
    size_t bytes = 0;
    for (const osc_session *s = session; s != NULL; s = s->next)
        bytes += s->buffer_bytes;
    return bytes;
}

size_t osc_session_peak_bytes(const osc_session *session)
{
    size_t most = 0;
    for (const osc_session *s = session; s != NULL; s = s->next) {
        size_t bytes = s->backend->peak_bytes != NULL ? s->backend->peak_bytes(s->device)
                                                      : s->weight_bytes + s->buffer_bytes;
        most = bytes > most ? bytes : most;
    }
    return most;
}

/* A sequence through the whole model behind a cache of keys and values. */
#include <config.h>
#include "engine/decode.h"

#include "base/alloc.h"
#include "engine/arch.h"
#include "engine/session_state.h"
#include "engine/steps.h"

/* Ids between looks at the checkpoint's files, where steps do not read them: looking asks
 * the system about every file. */
enum { CHECKED_EVERY = 64 };

/* Bytes of the keys, or of the values, of one position in one block. */
static size_t row_bytes(const osc_session *s)
{
    return s->config->kv_heads * s->config->head_size * osc_dtype_size(s->backend->dtype);
}

osc_status osc_session_own_cache(osc_session *s)
{
    void *logits;
    if ((s->backend->attends & OSC_ATTENDS_PAST) == 0)
        return osc_fail(OSC_EUNSUP, "backend %s cannot generate: its attention does not take keys "
                        "of earlier calls", s->backend->name);
    OSC_TRY(osc_session_own(s, &s->cache.rows, s->config->layers * 2 * s->longest, row_bytes(s),
                            &s->buffer_bytes));
    OSC_TRY(osc_session_own(s, &logits, s->config->vocabulary, sizeof *s->cache.logits,
                            &s->buffer_bytes));
    s->cache.logits = logits;
    s->cache.host_logits = osc_alloc(s->config->vocabulary, sizeof *s->cache.host_logits);
    return s->cache.host_logits == NULL ? OSC_ENOMEM : OSC_OK;
}

size_t osc_decode_cache_bytes(const osc_session *session)
{
    return session->config->layers * 2 * session->longest * row_bytes(session);
}

static size_t stored_bytes(const osc_stored *stored)
{
    return stored == NULL ? 0
         : osc_tensor_count(&stored->tensor) * osc_dtype_size(stored->tensor.dtype);
}

size_t osc_decode_step_bytes(const osc_session *session)
{
    const osc_session *s = session;
    size_t bytes = osc_session_block_bytes(s) * s->config->layers;
    bytes += stored_bytes(osc_model_once(s->model, osc_session_head_slot(s)));
    return bytes + stored_bytes(osc_model_once(s->model, OSC_W_PROJECT_IN))
         + stored_bytes(osc_model_once(s->model, OSC_W_PROJECT_OUT));
}

void osc_decode_begin(osc_session *session, size_t sequence)
{
    session->cache.position = 0;
    session->cache.sequence = sequence;
}

size_t osc_decode_position(const osc_session *session)
{
    return session->cache.position;
}

static osc_status check(const osc_session *s, const int32_t *ids, size_t count,
                        const osc_hooks *hooks)
{
    if (s->cache.rows == NULL)
        return osc_fail(OSC_EINVAL, "this session was opened without a cache");
    if (count == 0 || count > s->longest - s->cache.position)
        return osc_fail(OSC_EINVAL, "%zu ids behind %zu: this session takes sequences of up to %zu",
                        count, s->cache.position, s->longest);
    for (size_t i = 0; i < count; i++)
        if (ids[i] < 0 || (size_t)ids[i] >= s->config->vocabulary)
            return osc_fail(OSC_EINVAL, "id %d is not below the vocabulary's %zu", (int)ids[i],
                            s->config->vocabulary);
    if (osc_hooks_observer(hooks) != NULL)
        return osc_fail(OSC_EUNSUP, "observers reduce over whole sequences: behind a cache there "
                        "are tensor hooks alone");
    return OSC_OK;
}

static void select_ids(osc_session *s, size_t position, const int32_t *ids, size_t count,
                       const osc_hooks *hooks)
{
    osc_pass *pass = &s->pass;
    pass->hooks = hooks;
    pass->ids = ids;
    osc_pass_take(pass, 1, count);
    pass->sequence = s->cache.sequence;
    pass->first = position;
    pass->resid = s->resid;
    pass->head_in = s->head_in;
}

/* The block's rows of the cache; the new ones go right behind the old. */
static void select_rows(osc_session *s, size_t layer)
{
    size_t row = row_bytes(s);
    char *keys = (char *)s->cache.rows + 2 * layer * s->longest * row;
    char *values = keys + s->longest * row;
    s->pass.keys = keys;
    s->pass.values = values;
    s->pass.k = keys + s->pass.first * row;
    s->pass.v = values + s->pass.first * row;
}

static osc_status run_blocks(osc_session *s)
{
    const osc_arch *arch = osc_model_arch(s->model);
    osc_session_need_table(s, OSC_W_EMBED);
    osc_session_need_table(s, OSC_W_POSITION);
    s->pass.layer = -1;
    OSC_TRY(arch->embed(&s->pass));
    for (size_t layer = 0; layer < s->config->layers; layer++) {
        OSC_TRY(osc_session_enter_block(s, layer, s->pass.tokens));
        select_rows(s, layer);
        s->pass.layer = (int)layer;
        OSC_TRY(arch->block_pass(&s->pass));
        OSC_TRY(osc_session_leave_block(s, layer));
    }
    return OSC_OK;
}

/* The last row goes on alone, as the first. */
static osc_status keep_last_row(osc_session *s)
{
    osc_pass *pass = &s->pass;
    size_t width = s->config->hidden, before = pass->tokens - 1;
    const char *last = (char *)pass->resid + before * width * osc_dtype_size(s->backend->dtype);
    if (before == 0)
        return OSC_OK;
    pass->first += before;
    osc_pass_take(pass, 1, 1);
    return s->backend->copy(s->device, pass->resid, last, width);
}

static osc_status run_head(osc_session *s)
{
    osc_pass *pass = &s->pass;
    osc_model_slot slot = s->config->tied_head ? OSC_W_EMBED : OSC_W_HEAD;
    pass->layer = -1;
    OSC_TRY(keep_last_row(s));
    OSC_TRY(osc_model_arch(s->model)->finish(pass));
    osc_session_need_table(s, slot);
    OSC_TRY(s->backend->logits(s->device, s->cache.logits, pass->head_in, &pass->table[slot],
                               pass->once[OSC_B_HEAD]));
    return osc_step_deliver(pass, OSC_AT_LOGITS, s->cache.logits, 1, s->config->vocabulary);
}

static osc_status run_ids(osc_session *s, size_t position, const int32_t *ids, size_t count,
                          const osc_hooks *hooks)
{
    select_ids(s, position, ids, count, hooks);
    OSC_TRY(run_blocks(s));
    return run_head(s);
}

static bool check_is_due(const osc_session *s, size_t count)
{
    size_t position = s->cache.position;
    return s->backend->host
        || (position + count) / CHECKED_EVERY != position / CHECKED_EVERY;
}

osc_status osc_decode_end(const osc_session *session)
{
    return osc_store_check(osc_model_store(session->model));
}

osc_status osc_decode(osc_session *session, const int32_t *ids, size_t count,
                      const osc_hooks *hooks, const float **logits)
{
    osc_session *s = session;
    OSC_TRY(check(s, ids, count, hooks));
    OSC_TRY(osc_session_own_scores(s, hooks));
    OSC_TRY(count == 1 && osc_session_has_graphs(s, hooks)
            ? osc_session_step(s, s->cache.position, ids[0], run_ids)
            : run_ids(s, s->cache.position, ids, count, hooks));
    OSC_TRY(s->backend->get(s->device, s->cache.host_logits, s->cache.logits,
                            s->config->vocabulary * sizeof *s->cache.logits));
    if (check_is_due(s, count))
        OSC_TRY(osc_decode_end(s));
    s->cache.position += count;
    *logits = s->cache.host_logits;
    return OSC_OK;
}

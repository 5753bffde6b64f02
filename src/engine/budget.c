/* How a session's weights live with the memory there is: all of them in the scheme's form
 * or block by block, and whether pages of the checkpoint stay once they were read. */
#include <config.h>
#include "engine/session_state.h"

#include "base/memory.h"

/* A checkpoint of at most so many bytes stays mapped in memory between its uses. */
static const size_t KEPT_MOST = (size_t)1 << 30;
/* Reading one row of a table brings in the pages around it (Linux: 16 of them). */
static const size_t AROUND = 64 << 10;

static size_t bytes_of(const osc_stored *stored)
{
    return stored == NULL ? 0
         : osc_tensor_count(&stored->tensor) * osc_dtype_size(stored->tensor.dtype);
}

/* As stored; the first block stands for all. */
static size_t stored_block(const osc_session *s)
{
    size_t bytes = 0;
    for (size_t slot = 0; slot < OSC_BLOCK_SLOTS; slot++)
        bytes += bytes_of(osc_model_block(s->model, 0, (osc_block_slot)slot));
    return bytes;
}

/* Pages of tables that the embedding of a chunk reads. */
static size_t table_pages(const osc_session *s)
{
    const osc_stored *table = osc_model_once(s->model, OSC_W_EMBED);
    size_t all = bytes_of(table), rows = s->chunk * s->longest;
    size_t each = osc_tensor_width(&table->tensor) * osc_dtype_size(table->tensor.dtype) + AROUND;
    bool whole = osc_store_is_generated(osc_model_store(s->model)) || all / each < rows;
    return (whole ? all : rows * each) + bytes_of(osc_model_once(s->model, OSC_W_POSITION));
}

/* Pages of the checkpoint that are in memory at a time if they go once they were read. */
static size_t window_bytes(const osc_session *s)
{
    size_t block = stored_block(s), tables = s->backend->host ? table_pages(s) : 0;
    return block > tables ? block : tables;
}

void osc_session_count_room(osc_session *s, size_t limit)
{
    size_t resident = osc_memory_resident(), available = osc_memory_available();
    s->limit = limit;
    s->in_use = resident;
    if (limit > 0)
        s->room = limit > resident ? limit - resident : 0;
    else
        s->room = available == SIZE_MAX ? SIZE_MAX : available / 10 * 9;
}

static osc_status fail_room(const osc_session *s, size_t weights)
{
    double mb = 1e6;
    return osc_fail(OSC_ENOMEM, "%s with scheme %s needs %.0f MB (%.0f in use, %.0f for weights, "
                    "%.0f for activations of %zu sequences of %zu ids, %.0f for pages of the "
                    "checkpoint), more than the %.0f MB allowed", osc_model_name(s->model),
                    s->choice.text,
                    (double)(s->in_use + weights + s->buffer_bytes + s->mapped_bytes) / mb,
                    (double)s->in_use / mb, (double)weights / mb, (double)s->buffer_bytes / mb,
                    s->chunk, s->longest, (double)s->mapped_bytes / mb, (double)s->limit / mb);
}

/* `block`, `stored`: bytes of a block's linear layers in the scheme's form and as stored.
 * Where products read the stored weights too, keeping the form pays only if these can stay
 * in memory beside it: else every chunk reads them from the disk anyway.  Behind a cache
 * every id takes all weights: they stay in the form that few rows multiply. */
static bool stays(const osc_session *s, size_t block, size_t stored, size_t room)
{
    size_t layers = s->end - s->begin;
    size_t beside = s->choice.coding.stored ? stored * layers : window_bytes(s);
    if (!s->backend->host)
        return s->backend->keeps(s->device, block * layers);
    if (s->cached)
        return s->as_stored == NULL;
    return block < stored && block * layers < room && beside <= room - block * layers;
}

osc_status osc_session_budget(osc_session *s, size_t block, size_t stored)
{
    size_t used = s->weight_bytes + s->buffer_bytes, room = s->room > used ? s->room - used : 0;
    size_t store = osc_store_bytes(osc_model_store(s->model));
    s->stays = stays(s, block, stored, room);
    size_t form = s->stays ? block * (s->end - s->begin) : block;
    size_t left = room > form ? room - form : 0;
    s->window = (store > KEPT_MOST && !s->cached) || store > left;
    s->mapped_bytes = s->window ? window_bytes(s) : store;
    if (s->limit > 0 && s->backend->host && (room < form || left < s->mapped_bytes))
        return fail_room(s, s->weight_bytes + form);
    return OSC_OK;
}

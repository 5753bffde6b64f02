/* The layer-major run of a chunk of sequences. */
#include <config.h>
#include "engine/session_state.h"

#include <math.h>

#include "engine/arch.h"
#include "engine/steps.h"

static osc_status own_floats(osc_session *s, float **data, size_t count)
{
    void *memory;
    OSC_TRY(osc_session_own(s, &memory, count, sizeof(float), &s->buffer_bytes));
    *data = memory;
    return OSC_OK;
}

osc_status osc_session_own_scores(osc_session *s, const osc_hooks *hooks)
{
    bool attention = false;
    for (size_t layer = 0; layer < s->config->layers; layer++)
        attention = attention || osc_hooks_at(hooks, OSC_AT_SCORES, (int)layer) != 0
                 || osc_hooks_at(hooks, OSC_AT_PATTERN, (int)layer) != 0;
    if (attention && s->pass.scores == NULL)
        return own_floats(s, &s->pass.scores, s->config->heads * s->longest * s->longest);
    return OSC_OK;
}

/* Memory that only some hooks need, the first time they are bound. */
static osc_status own_for_hooks(osc_session *s, const osc_hooks *hooks)
{
    OSC_TRY(osc_session_own_scores(s, hooks));
    if (osc_hooks_at(hooks, OSC_AT_LOGITS, -1) != 0 && s->logits == NULL)
        OSC_TRY(own_floats(s, &s->logits, s->longest * s->config->vocabulary));
    return OSC_OK;
}

static size_t length_of(const osc_corpus *corpus, size_t i)
{
    return corpus->offset[i + 1] - corpus->offset[i];
}

/* Points the pass at sequences first + i .. first + i + count-1, all as long as the first of
 * them, of the chunk that starts at `first`. */
static void select_sequences(osc_session *s, const osc_corpus *corpus, size_t first, size_t i,
                             size_t count)
{
    osc_pass *pass = &s->pass;
    size_t row = corpus->offset[first + i] - corpus->offset[first];
    osc_pass_take(pass, count, length_of(corpus, first + i));
    pass->sequence = first + i;
    pass->ids = corpus->ids + corpus->offset[first + i];
    pass->ids_there = s->whole.making ? s->whole.ids + row : NULL;
    pass->resid = row_of(s, s->resid, row, s->config->hidden);
    pass->head_in = row_of(s, s->head_in, row, s->config->embed_width);
}

void osc_session_tell(const osc_session *s, const osc_corpus *corpus, size_t first, size_t count,
                      size_t steps)
{
    size_t ids = corpus->offset[first + count] - corpus->offset[first];
    size_t all = (s->end - s->begin + 1) * count;   /* the head counts like a block */
    size_t done = (size_t)((double)ids * (double)steps / (double)all);
    osc_progress_tick(s->progress, s->label, corpus->offset[first] - corpus->offset[0] + done,
                      corpus->offset[corpus->count] - corpus->offset[0]);
}

typedef osc_status (*part)(osc_pass *pass);

/* Sequences of a chunk, counted from its first, that go through a part together. */
typedef struct {
    const osc_corpus *corpus;
    size_t first, count;        /* the chunk's */
    size_t from, to;
} wave;

/* How many sequences from i on share a pass: as many of one length as its buffers hold. */
static size_t joined(const osc_session *s, const wave *w, size_t i)
{
    size_t count = 1, length = length_of(w->corpus, w->first + i);
    while (s->joins && count < OSC_JOINED && i + count < w->to
           && (count + 1) * length <= s->pass_rows
           && length_of(w->corpus, w->first + i + count) == length)
        count++;
    return count;
}

static osc_status run_part(osc_session *s, const wave *w, int layer, part run)
{
    s->pass.layer = layer;
    for (size_t count, i = w->from; i < w->to; i += count) {
        count = joined(s, w, i);
        select_sequences(s, w->corpus, w->first, i, count);
        OSC_TRY(run(&s->pass));
        if (layer >= 0 && s->before == NULL && !s->whole.making)
            osc_session_tell(s, w->corpus, w->first, w->count, s->done += count);
    }
    return OSC_OK;
}

void osc_session_need_table(const osc_session *s, osc_model_slot slot)
{
    const osc_stored *stored = osc_model_once(s->model, slot);
    if (s->backend->host && stored != NULL)
        osc_store_need(osc_model_store(s->model), &stored->tensor);
}

static void forget_table(const osc_session *s, osc_model_slot slot)
{
    if (s->backend->host)
        osc_session_forget(s, osc_model_once(s->model, slot));
}

static osc_status run_embed(osc_session *s, const wave *w)
{
    osc_session_need_table(s, OSC_W_EMBED);
    osc_session_need_table(s, OSC_W_POSITION);
    for (size_t layer = 0; layer < OSC_AHEAD; layer++)
        osc_session_expect(s, s->begin + layer);
    OSC_TRY(run_part(s, w, -1, osc_model_arch(s->model)->embed));
    forget_table(s, OSC_W_EMBED);
    forget_table(s, OSC_W_POSITION);
    return OSC_OK;
}

osc_status osc_session_run_part(osc_session *s, const osc_corpus *corpus, size_t first,
                                size_t count, size_t from, size_t to)
{
    const osc_arch *arch = osc_model_arch(s->model);
    wave w = { corpus, first, count, from, to };
    if (s->before == NULL)
        OSC_TRY(run_embed(s, &w));
    for (size_t layer = s->begin; layer < s->end; layer++) {
        OSC_TRY(osc_session_enter_block(s, layer, s->pass_rows));
        OSC_TRY(run_part(s, &w, (int)layer, arch->block_pass));
        OSC_TRY(osc_session_leave_block(s, layer));
    }
    return s->next == NULL ? run_part(s, &w, -1, arch->finish) : OSC_OK;
}

osc_model_slot osc_session_head_slot(const osc_session *s)
{
    return s->config->tied_head ? OSC_W_EMBED : OSC_W_HEAD;
}

/* Rows i .. i+n-1 of the head, ready to multiply.  A generated head was made as a whole
 * and stays until its last row is done (run_head). */
static osc_status head_rows(osc_session *s, const void **rows, osc_model_slot slot, size_t i,
                            size_t n)
{
    osc_tensor *table = &s->pass.table[slot];
    osc_stored tile = *osc_model_once(s->model, slot);
    const char *start = (const char *)table->data
                      + i * table->stride[0] * osc_dtype_size(table->dtype);
    *rows = start;
    if (!s->backend->host)
        return OSC_OK;
    tile.tensor.dim[0] = n;
    tile.tensor.data = start;
    *rows = s->head_tile;
    OSC_TRY(osc_session_load(s, s->head_tile, &tile));
    if (!osc_store_is_generated(osc_model_store(s->model)))
        osc_session_forget(s, &tile);
    return OSC_OK;
}

/* A tile of the vocabulary at a time. */
osc_status osc_session_run_head(osc_session *s, size_t first_row, size_t rows, float *logits)
{
    osc_model_slot slot = osc_session_head_slot(s);
    size_t width = s->config->embed_width, vocabulary = s->config->vocabulary;
    for (size_t i = 0; i < vocabulary; i += OSC_HEAD_TILE) {
        size_t n = vocabulary - i < OSC_HEAD_TILE ? vocabulary - i : OSC_HEAD_TILE;
        void *x = row_of(s, s->head_in, first_row, width), *bias = s->pass.once[OSC_B_HEAD];
        const void *w;
        OSC_TRY(head_rows(s, &w, slot, i, n));
        if (bias == NULL)
            OSC_TRY(s->backend->head(s->device, s->lse + first_row, x, w, s->targets + first_row,
                                     rows, i, n, width, logits, vocabulary));
        else
            OSC_TRY(s->backend->head_biased(s->device, s->lse + first_row, x, w,
                                            row_of(s, bias, i, 1), s->targets + first_row, rows,
                                            i, n, width, logits, vocabulary));
    }
    forget_table(s, slot);
    return OSC_OK;
}

/* The whole chunk at once, or a sequence at a time where a hook wants its logits. */
static osc_status run_heads(osc_session *s, const osc_corpus *corpus, size_t first, size_t count)
{
    size_t rows = corpus->offset[first + count] - corpus->offset[first];
    if (osc_hooks_at(s->pass.hooks, OSC_AT_LOGITS, -1) == 0)
        return osc_session_run_head(s, 0, rows, NULL);
    s->pass.layer = -1;
    for (size_t i = 0; i < count; i++) {
        select_sequences(s, corpus, first, i, 1);
        size_t row = corpus->offset[first + i] - corpus->offset[first];
        OSC_TRY(osc_session_run_head(s, row, s->pass.tokens, s->logits));
        OSC_TRY(osc_step_deliver(&s->pass, OSC_AT_LOGITS, s->logits, s->pass.tokens,
                                 s->config->vocabulary));
    }
    return OSC_OK;
}

static osc_status start_rows(osc_session *s, const osc_corpus *corpus, size_t first,
                             size_t count)
{
    size_t base = corpus->offset[first], rows = corpus->offset[first + count] - base;
    for (size_t i = first; i < first + count; i++) {
        for (size_t t = corpus->offset[i]; t < corpus->offset[i + 1]; t++) {
            s->host_lse[t - base] = (osc_row_lse){ .max = -INFINITY };
            s->host_targets[t - base] = t + 1 < corpus->offset[i + 1] ? corpus->ids[t + 1] : -1;
        }
    }
    OSC_TRY(s->backend->put(s->device, s->lse, s->host_lse, rows * sizeof *s->lse));
    return s->backend->put(s->device, s->targets, s->host_targets, rows * sizeof *s->targets);
}

double osc_session_nll(const osc_row_lse *row)
{
    return (double)row->max + log(row->sum) - (double)row->target;
}

static osc_status collect_nll(const osc_session *s, const osc_corpus *corpus, size_t first,
                              size_t count, double *nll)
{
    size_t base = corpus->offset[first], rows = corpus->offset[first + count] - base;
    OSC_TRY(s->backend->get(s->device, s->host_lse, s->lse, rows * sizeof *s->lse));
    for (size_t i = first; i < first + count; i++) {
        nll[corpus->offset[i] - base] = 0.0;
        for (size_t t = corpus->offset[i] + 1; t < corpus->offset[i + 1]; t++)
            nll[t - base] = osc_session_nll(&s->host_lse[t - 1 - base]);
    }
    return OSC_OK;
}

osc_status osc_session_bring_hooks(osc_session *s, const osc_hooks *hooks)
{
    for (; s != NULL; s = s->next) {
        OSC_TRY(osc_session_select(s));
        s->pass.hooks = hooks;
        s->pass.first = 0;
        s->joins = s->together > 0 && !osc_hooks_any(hooks);
        s->pass.keys = s->pass.k = s->k;
        s->pass.values = s->pass.v = s->v;
        s->done = 0;
        OSC_TRY(own_for_hooks(s, hooks));
        OSC_TRY(osc_session_bring_observer(s, hooks));
    }
    return OSC_OK;
}

/* In the order of the blocks. */
static osc_status return_observers(osc_session *s, const osc_hooks *hooks)
{
    for (; s != NULL; s = s->next) {
        OSC_TRY(osc_session_select(s));
        OSC_TRY(s->backend->settle(s->device, true));
        OSC_TRY(osc_session_return_observer(s, hooks));
    }
    return OSC_OK;
}

static osc_status run_with_head(osc_session *s, const osc_corpus *corpus, size_t first,
                                size_t count)
{
    osc_session *last = osc_session_last(s);
    OSC_TRY(osc_session_run_stages(s, corpus, first, count));
    OSC_TRY(osc_session_select(last));
    return run_heads(last, corpus, first, count);
}

static osc_status run_scored(osc_session *s, const osc_corpus *corpus, size_t first,
                             size_t count, const osc_hooks *hooks)
{
    osc_session *last = osc_session_last(s);
    OSC_TRY(osc_session_select(last));
    OSC_TRY(start_rows(last, corpus, first, count));
    if (s == last && osc_session_has_graphs(s, hooks))
        return osc_session_run_whole(s, corpus, first, count, run_with_head);
    return run_with_head(s, corpus, first, count);
}

static osc_status run_chunk(osc_session *s, const osc_corpus *corpus, size_t first, size_t count,
                            const osc_hooks *hooks, double *nll)
{
    osc_session *last = osc_session_last(s);
    OSC_TRY(osc_session_bring_hooks(s, hooks));
    if (nll != NULL || osc_hooks_at(hooks, OSC_AT_LOGITS, -1) != 0)
        OSC_TRY(run_scored(s, corpus, first, count, hooks));
    else
        OSC_TRY(osc_session_run_stages(s, corpus, first, count));
    OSC_TRY(return_observers(s, hooks));
    OSC_TRY(osc_store_check(osc_model_store(s->model)));
    OSC_TRY(osc_session_select(last));
    return nll == NULL ? OSC_OK : collect_nll(last, corpus, first, count, nll);
}

void osc_session_drop_reports(osc_session *s)
{
    for (; s != NULL; s = s->next) {
        osc_session_select(s);
        s->backend->settle(s->device, false);
    }
}

osc_status osc_session_run(osc_session *session, const osc_corpus *corpus,
                           size_t first, size_t count, const osc_hooks *hooks, double *nll)
{
    if (count > session->chunk || first + count > corpus->count
        || corpus->longest > session->longest)
        return osc_fail(OSC_EINVAL, "run of sequences %zu to %zu of up to %zu ids: this session "
                        "takes %zu of up to %zu ids at once", first, first + count,
                        corpus->longest, session->chunk, session->longest);
    osc_status status = run_chunk(session, corpus, first, count, hooks, nll);
    if (status != OSC_OK) {
        osc_session_drop_reports(session);
        return status;
    }
    osc_session_tell(session, corpus, first, count, (session->end - session->begin + 1) * count);
    return OSC_OK;
}

osc_perplexity osc_perplexity_of(const osc_corpus *corpus, size_t count, const double *nll)
{
    osc_perplexity result = { 0.0, 0, 0.0 };
    for (size_t i = 0; i < count; i++) {
        for (size_t t = corpus->offset[i] + 1; t < corpus->offset[i + 1]; t++) {
            result.nll += nll[t - corpus->offset[0]];
            result.scored++;
        }
    }
    result.perplexity = exp(result.nll / (double)result.scored);
    return result;
}

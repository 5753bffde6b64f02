/* The layer-major run of a chunk of sequences. */
#include <config.h>
#include "engine/session_state.h"

#include <math.h>

#include "engine/arch.h"
#include "engine/steps.h"

/* Memory that only some hooks need, the first time they are bound. */
static osc_status own_for_hooks(osc_session *s, const osc_hooks *hooks)
{
    bool attention = false;
    for (size_t layer = 0; layer < s->config->layers; layer++)
        attention = attention || osc_hooks_at(hooks, OSC_AT_SCORES, (int)layer) != 0
                 || osc_hooks_at(hooks, OSC_AT_PATTERN, (int)layer) != 0;
    if (attention && s->pass.scores == NULL)
        OSC_TRY(osc_session_own(s, &s->pass.scores, s->config->heads * s->longest * s->longest,
                                &s->buffer_bytes));
    if (osc_hooks_at(hooks, OSC_AT_LOGITS, -1) != 0 && s->logits == NULL)
        OSC_TRY(osc_session_own(s, &s->logits, s->longest * s->config->vocabulary,
                                &s->buffer_bytes));
    return OSC_OK;
}

/* Row `row` of a [*, width] activation buffer. */
static void *row_of(const osc_session *s, void *buffer, size_t row, size_t width)
{
    return (char *)buffer + row * width * osc_dtype_size(s->backend->dtype);
}

/* Points the pass at sequence first + i of the chunk that starts at `first`. */
static void select_sequence(osc_session *s, const osc_corpus *corpus, size_t first, size_t i)
{
    osc_pass *pass = &s->pass;
    size_t row = corpus->offset[first + i] - corpus->offset[first];
    pass->sequence = first + i;
    pass->ids = corpus->ids + corpus->offset[first + i];
    pass->tokens = corpus->offset[first + i + 1] - corpus->offset[first + i];
    pass->resid = row_of(s, s->resid, row, s->config->hidden);
    pass->head_in = row_of(s, s->head_in, row, s->config->embed_width);
}

/* `steps` of the chunk's steps (a sequence through a block) are done. */
static void tell_progress(const osc_session *s, const osc_corpus *corpus, size_t first,
                          size_t count, size_t steps)
{
    size_t ids = corpus->offset[first + count] - corpus->offset[first];
    size_t all = (s->config->layers + 1) * count;   /* the head counts like a block */
    size_t done = (size_t)((double)ids * (double)steps / (double)all);
    osc_progress_tick(s->progress, s->label, corpus->offset[first] - corpus->offset[0] + done,
                      corpus->offset[corpus->count] - corpus->offset[0]);
}

typedef osc_status (*part)(osc_pass *pass);

static osc_status run_part(osc_session *s, const osc_corpus *corpus, size_t first, size_t count,
                           int layer, part run)
{
    s->pass.layer = layer;
    for (size_t i = 0; i < count; i++) {
        select_sequence(s, corpus, first, i);
        OSC_TRY(run(&s->pass));
        if (layer >= 0)
            tell_progress(s, corpus, first, count, (size_t)layer * count + i + 1);
    }
    return OSC_OK;
}

static void need_once(const osc_session *s, osc_model_slot slot)
{
    const osc_stored *stored = osc_model_once(s->model, slot);
    if (stored != NULL)
        osc_store_need(osc_model_store(s->model), &stored->tensor);
}

static osc_status run_blocks(osc_session *s, const osc_corpus *corpus, size_t first, size_t count)
{
    const osc_arch *arch = osc_model_arch(s->model);
    need_once(s, OSC_W_EMBED);
    need_once(s, OSC_W_POSITION);
    OSC_TRY(run_part(s, corpus, first, count, -1, arch->embed));
    for (size_t layer = 0; layer < s->config->layers; layer++) {
        OSC_TRY(osc_session_enter_block(s, layer));
        OSC_TRY(run_part(s, corpus, first, count, (int)layer, arch->block_pass));
    }
    return run_part(s, corpus, first, count, -1, arch->finish);
}

/* Rows first_row .. first_row+rows-1 of head_in through the whole head, a tile of
 * the vocabulary at a time. */
static osc_status run_head(osc_session *s, size_t first_row, size_t rows, void *logits)
{
    const osc_stored *head = osc_model_once(s->model, s->config->tied_head ? OSC_W_EMBED
                                                                           : OSC_W_HEAD);
    size_t width = s->config->embed_width, vocabulary = s->config->vocabulary;
    for (size_t i = 0; i < vocabulary; i += OSC_HEAD_TILE) {
        osc_stored tile = *head;
        tile.tensor.dim[0] = vocabulary - i < OSC_HEAD_TILE ? vocabulary - i : OSC_HEAD_TILE;
        tile.tensor.data = (const char *)head->tensor.data
                         + i * head->tensor.stride[0] * osc_dtype_size(head->tensor.dtype);
        OSC_TRY(osc_session_load(s, s->head_tile, &tile));
        void *x = row_of(s, s->head_in, first_row, width), *bias = s->pass.once[OSC_B_HEAD];
        if (bias == NULL)
            OSC_TRY(s->backend->head(s->device, s->lse + first_row, x, s->head_tile,
                                     s->targets + first_row, rows, i, tile.tensor.dim[0], width,
                                     logits, vocabulary));
        else
            OSC_TRY(s->backend->head_biased(s->device, s->lse + first_row, x, s->head_tile,
                                            row_of(s, bias, i, 1), s->targets + first_row, rows, i,
                                            tile.tensor.dim[0], width, logits, vocabulary));
    }
    return OSC_OK;
}

/* The whole chunk at once, or a sequence at a time where a hook wants its logits. */
static osc_status run_heads(osc_session *s, const osc_corpus *corpus, size_t first, size_t count)
{
    size_t rows = corpus->offset[first + count] - corpus->offset[first];
    if (osc_hooks_at(s->pass.hooks, OSC_AT_LOGITS, -1) == 0)
        return run_head(s, 0, rows, NULL);
    s->pass.layer = -1;
    for (size_t i = 0; i < count; i++) {
        select_sequence(s, corpus, first, i);
        size_t row = corpus->offset[first + i] - corpus->offset[first];
        OSC_TRY(run_head(s, row, s->pass.tokens, s->logits));
        OSC_TRY(osc_step_deliver(&s->pass, OSC_AT_LOGITS, s->logits, s->pass.tokens,
                                 s->config->vocabulary));
    }
    return OSC_OK;
}

static void start_rows(osc_session *s, const osc_corpus *corpus, size_t first, size_t count)
{
    size_t base = corpus->offset[first];
    for (size_t i = first; i < first + count; i++) {
        for (size_t t = corpus->offset[i]; t < corpus->offset[i + 1]; t++) {
            s->lse[t - base] = (osc_row_lse){ .max = -INFINITY };
            s->targets[t - base] = t + 1 < corpus->offset[i + 1] ? corpus->ids[t + 1] : -1;
        }
    }
}

/* -log softmax(logits)[target] = max + log(sum of exp(logit - max)) - logit. */
static void collect_nll(const osc_session *s, const osc_corpus *corpus, size_t first,
                        size_t count, double *nll)
{
    size_t base = corpus->offset[first];
    for (size_t i = first; i < first + count; i++) {
        nll[corpus->offset[i] - base] = 0.0;
        for (size_t t = corpus->offset[i] + 1; t < corpus->offset[i + 1]; t++) {
            const osc_row_lse *row = &s->lse[t - 1 - base];
            nll[t - base] = (double)row->max + log(row->sum) - (double)row->target;
        }
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
    session->pass.hooks = hooks;
    OSC_TRY(own_for_hooks(session, hooks));
    OSC_TRY(run_blocks(session, corpus, first, count));
    if (nll != NULL || osc_hooks_at(hooks, OSC_AT_LOGITS, -1) != 0) {
        start_rows(session, corpus, first, count);
        OSC_TRY(run_heads(session, corpus, first, count));
    }
    if (nll != NULL)
        collect_nll(session, corpus, first, count, nll);
    tell_progress(session, corpus, first, count, (session->config->layers + 1) * count);
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

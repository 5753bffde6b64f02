/* Scoring continuations: a chunk's run in which few rows go through the head. */
#include <config.h>
#include "engine/session_state.h"

#include <math.h>

/* Moves rows of head_in down to `to`, in pieces that do not overlap where they come from. */
static osc_status move_rows(osc_session *s, size_t to, size_t from, size_t rows)
{
    size_t width = s->config->embed_width, gap = from - to;
    for (size_t i = 0, n; i < rows && gap > 0; i += n) {
        n = rows - i < gap ? rows - i : gap;
        OSC_TRY(s->backend->copy(s->device, row_of(s, s->head_in, to + i, width),
                                 row_of(s, s->head_in, from + i, width), n * width));
    }
    return OSC_OK;
}

/* Fills the last group with rows that score nothing. */
static size_t pad_rows(osc_session *s, size_t rows)
{
    for (; rows % OSC_HEAD_GROUP != 0; rows++) {
        s->host_lse[rows] = (osc_row_lse){ .max = -INFINITY };
        s->host_targets[rows] = -1;
    }
    return rows;
}

/* The rows of head_in that have a target, `*rows` of them, become its first. */
static osc_status pack_rows(osc_session *s, size_t *rows, const int32_t *targets, size_t all)
{
    size_t packed = 0;
    for (size_t end, from = 0; from < all; from = end) {
        for (end = from; end < all && targets[end] >= 0; end++) {
            s->host_lse[packed + end - from] = (osc_row_lse){ .max = -INFINITY };
            s->host_targets[packed + end - from] = targets[end];
        }
        OSC_TRY(move_rows(s, packed, from, end - from));
        packed += end - from;
        end += end == from;
    }
    *rows = packed;
    return OSC_OK;
}

static osc_status run_rows(osc_session *s, size_t rows)
{
    OSC_TRY(s->backend->put(s->device, s->lse, s->host_lse, rows * sizeof *s->lse));
    OSC_TRY(s->backend->put(s->device, s->targets, s->host_targets, rows * sizeof *s->targets));
    OSC_TRY(osc_session_run_head(s, 0, rows, NULL));
    OSC_TRY(s->backend->settle(s->device, true));
    return s->backend->get(s->device, s->host_lse, s->lse, rows * sizeof *s->lse);
}

static osc_status run_chunk(osc_session *s, const osc_corpus *corpus, size_t first, size_t count,
                            const int32_t *targets)
{
    size_t rows;
    osc_session *last = osc_session_last(s);
    OSC_TRY(osc_session_bring_hooks(s, NULL));
    OSC_TRY(osc_session_run_stages(s, corpus, first, count));
    OSC_TRY(osc_session_select(last));
    OSC_TRY(pack_rows(last, &rows, targets, corpus->offset[first + count] - corpus->offset[first]));
    return rows > 0 ? run_rows(last, pad_rows(last, rows))
                    : last->backend->settle(last->device, true);
}

/* A NaN among the logits makes their sum NaN. */
static void add_row(osc_score *score, const osc_row_lse *row)
{
    score->nll += osc_session_nll(row);
    score->greedy = score->greedy && row->target >= row->max && !isnan(row->sum);
}

static void collect(const osc_session *s, const osc_corpus *corpus, size_t first, size_t count,
                    const int32_t *targets, osc_score *score)
{
    size_t base = corpus->offset[first], row = 0;
    for (size_t i = 0; i < count; i++) {
        score[i] = (osc_score){ .nll = 0.0, .greedy = true };
        for (size_t t = corpus->offset[first + i]; t < corpus->offset[first + i + 1]; t++)
            if (targets[t - base] >= 0)
                add_row(&score[i], &s->host_lse[row++]);
    }
}

osc_status osc_session_score(osc_session *s, const osc_corpus *corpus, size_t first, size_t count,
                             const int32_t *targets, osc_score *score)
{
    if (first + count > corpus->count || corpus->longest > s->longest
        || corpus->offset[first + count] - corpus->offset[first] > s->chunk * s->longest)
        return osc_fail(OSC_EINVAL, "sequences %zu to %zu of up to %zu ids: this session takes "
                        "%zu of up to %zu ids at once", first, first + count, corpus->longest,
                        s->chunk, s->longest);
    osc_status status = run_chunk(s, corpus, first, count, targets);
    if (status != OSC_OK) {
        osc_session_drop_reports(s);
        return status;
    }
    collect(osc_session_last(s), corpus, first, count, targets, score);
    osc_session_tell(s, corpus, first, count, (s->end - s->begin + 1) * count);
    return OSC_OK;
}

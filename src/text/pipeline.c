#include <config.h>
#include "text/pipeline.h"

#include <string.h>

#include "base/alloc.h"

/* How much longer steps may make a piece, so that memory follows the text's size
 * whatever they are: U+2581 for a blank is 3 times. */
enum { MOST_GROWTH = 8, ALWAYS = 4096 };

static size_t most_bytes(size_t size)
{
    return size < (SIZE_MAX - ALWAYS) / MOST_GROWTH ? size * MOST_GROWTH + ALWAYS : SIZE_MAX;
}

/* --- steps that rewrite ------------------------------------------------------------- */

static osc_status append(osc_rewritten *out, const void *text, size_t size)
{
    uint8_t *larger = osc_grow(out->text, &out->room, out->size + size, 1);
    if (larger == NULL)
        return OSC_ENOMEM;
    out->text = larger;
    memcpy(larger + out->size, text, size);
    out->size += size;
    return OSC_OK;
}

static osc_status replace(osc_rewritten *out, const osc_step *step, const uint8_t *piece,
                          size_t size, size_t most)
{
    size_t n = strlen(step->from), m = strlen(step->to);
    const uint8_t *end = piece + size;
    for (const uint8_t *found; (found = memmem(piece, (size_t)(end - piece), step->from, n)) !=
                               NULL; piece = found + n) {
        OSC_TRY(append(out, piece, (size_t)(found - piece)));
        OSC_TRY(append(out, step->to, m));
        if (out->size > most)
            return osc_fail(OSC_EUNSUP, "the tokenizer makes the text more than %d times as long",
                            MOST_GROWTH);
    }
    return append(out, piece, (size_t)(end - piece));
}

static bool begins_with(const uint8_t *piece, size_t size, const char *text)
{
    size_t n = strlen(text);
    return size >= n && memcmp(piece, text, n) == 0;
}

static osc_status rewrite(osc_rewritten *out, const osc_step *step, const uint8_t *piece,
                          size_t size, bool first, size_t most)
{
    bool prefix = step->kind == OSC_STEP_PREPEND;
    out->size = 0;
    if (step->kind == OSC_STEP_REPLACE)
        return replace(out, step, piece, size, most);
    if (step->kind == OSC_STEP_PREFIX || (step->kind == OSC_STEP_PREFIX_FIRST && first))
        prefix = !begins_with(piece, size, step->to);
    if (prefix)
        OSC_TRY(append(out, step->to, strlen(step->to)));
    return append(out, piece, size);
}

osc_status osc_pipeline_rewrite(osc_pipeline *pipeline, const uint8_t **rewritten,
                                size_t *rewritten_size, const uint8_t *piece, size_t size)
{
    size_t most = most_bytes(size);
    for (size_t i = 0; i < pipeline->steps->count && size > 0; i++) {
        osc_rewritten *out = &pipeline->rewritten[i];
        OSC_TRY(rewrite(out, &pipeline->steps->step[i], piece, size, false, most));
        piece = out->text;
        size = out->size;
    }
    *rewritten = piece;
    *rewritten_size = size;
    return OSC_OK;
}

/* --- all steps ---------------------------------------------------------------------- */

static osc_status run(osc_pipeline *pipeline, size_t index, const uint8_t *piece, size_t size,
                      bool first);

static osc_status run_split(osc_pipeline *pipeline, size_t index, const uint8_t *piece, size_t size,
                            bool first)
{
    osc_split *split = pipeline->steps->step[index].split;
    osc_pretokens scan = { .text = piece, .size = size, .reader = pipeline->reader };
    for (size_t at = 0, end; at < size && !*pipeline->stop; at = end) {
        end = split(&scan, at);
        OSC_TRY(scan.reader->status);
        OSC_TRY(run(pipeline, index + 1, piece + at, end - at, first && at == 0));
    }
    return OSC_OK;
}

static osc_status run_split_before(osc_pipeline *pipeline, size_t index, const uint8_t *piece,
                                   size_t size, bool first)
{
    const char *mark = pipeline->steps->step[index].from;
    size_t n = strlen(mark);
    for (size_t at = 0, end; at < size && !*pipeline->stop; at = end) {
        size_t from = at + (begins_with(piece + at, size - at, mark) ? n : 1);
        const uint8_t *next = memmem(piece + from, size - from, mark, n);
        end = next == NULL ? size : (size_t)(next - piece);
        OSC_TRY(run(pipeline, index + 1, piece + at, end - at, first && at == 0));
    }
    return OSC_OK;
}

/* Steps from `index` on.  As deep as there are steps. */
static osc_status run(osc_pipeline *pipeline, size_t index, const uint8_t *piece, size_t size,
                      bool first)
{
    if (size == 0 || *pipeline->stop)
        return OSC_OK;
    if (index == pipeline->steps->count)
        return pipeline->take(pipeline->taker, piece, size);
    const osc_step *step = &pipeline->steps->step[index];
    if (step->kind == OSC_STEP_SPLIT)
        return run_split(pipeline, index, piece, size, first);
    if (step->kind == OSC_STEP_SPLIT_BEFORE)
        return run_split_before(pipeline, index, piece, size, first);
    osc_rewritten *out = &pipeline->rewritten[index];
    OSC_TRY(rewrite(out, step, piece, size, first, pipeline->most));
    return run(pipeline, index + 1, out->text, out->size, first);
}

osc_status osc_pipeline_run(osc_pipeline *pipeline, const uint8_t *piece, size_t size, bool first)
{
    pipeline->most = most_bytes(size);
    return run(pipeline, 0, piece, size, first);
}

void osc_pipeline_clear(osc_pipeline *pipeline)
{
    for (size_t i = 0; i < OSC_MOST_STEPS; i++)
        osc_free(pipeline->rewritten[i].text);
    memset(pipeline->rewritten, 0, sizeof pipeline->rewritten);
}

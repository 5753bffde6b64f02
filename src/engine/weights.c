/* Weights of the blocks in a session: all of them ready for its whole life, or one
 * block's buffers filled again for every block of every chunk, while the system reads the
 * next block's from the disk, or for few rows of a cached session the stored weights
 * themselves. */
#include <config.h>
#include "engine/session_state.h"

#include <string.h>

#include "base/alloc.h"

static size_t slot_size(const osc_session *s, osc_block_slot slot)
{
    const osc_stored *stored = osc_model_block(s->model, 0, slot);
    return stored == NULL ? 0 : osc_tensor_count(&stored->tensor);
}

/* NULL if this model's blocks have no such layer. */
static const osc_stored *stored_linear(const osc_session *s, size_t layer, size_t l)
{
    return osc_model_block(s->model, layer, (osc_block_slot)(OSC_W_Q + l));
}

static const char *input_of(size_t l)
{
    static const osc_point inputs[OSC_LINEARS] = { OSC_AT_QKV_IN, OSC_AT_QKV_IN, OSC_AT_QKV_IN,
                                                   OSC_AT_OUT_IN, OSC_AT_FC1_IN, OSC_AT_FC1_IN,
                                                   OSC_AT_FC2_IN };
    return osc_point_name(inputs[l]);
}

static osc_linear describe(const osc_session *s, size_t layer, size_t l)
{
    const osc_tensor *w = &stored_linear(s, layer, l)->tensor;
    return (osc_linear){ .choice = &s->choice, .n = osc_tensor_rows(w),
                         .k = osc_tensor_width(w), .layer = layer, .input = input_of(l) };
}

/* Bytes of a linear layer's weight in the scheme's form, in whole cache lines. */
static size_t form_bytes(const osc_session *s, const osc_linear *linear)
{
    size_t bytes = s->choice.scheme->bytes(&s->choice, s->backend, linear->n, linear->k);
    return (bytes + 63) / 64 * 64;
}

/* Norms and biases. */
static osc_status own_vectors(osc_session *s, osc_block_weights *block)
{
    for (size_t slot = 0; slot < OSC_BLOCK_SLOTS; slot++) {
        bool product = slot >= OSC_W_Q && slot <= OSC_W_FC2;
        size_t count = slot_size(s, (osc_block_slot)slot);
        if (!product && count > 0)
            OSC_TRY(osc_session_own(s, &block->vector[slot], count,
                                    osc_dtype_size(s->backend->dtype), &s->weight_bytes));
    }
    return OSC_OK;
}

/* One buffer for the linear layers of a block, whose weights are made to point into it. */
static osc_status own_linears(osc_session *s, osc_block_weights *block, size_t layer)
{
    size_t total = 0;
    void *memory = NULL;
    for (size_t l = 0; l < OSC_LINEARS; l++) {
        if (stored_linear(s, layer, l) == NULL)
            continue;
        block->linear[l] = describe(s, layer, l);
        block->linear[l].bias = block->vector[OSC_B_Q + l];
        total += form_bytes(s, &block->linear[l]);
    }
    OSC_TRY(osc_session_own(s, &memory, total, 1, &s->weight_bytes));
    s->linear_bytes += total;
    if (s->predicting)
        return OSC_OK;
    for (size_t l = 0; l < OSC_LINEARS; l++) {
        if (stored_linear(s, layer, l) == NULL)
            continue;
        block->linear[l].weight = memory;
        memory = (char *)memory + form_bytes(s, &block->linear[l]);
    }
    return OSC_OK;
}

static osc_status own_block(osc_session *s, osc_block_weights *block, size_t layer)
{
    OSC_TRY(own_vectors(s, block));
    return own_linears(s, block, layer);
}

static osc_status fill_vectors(osc_session *s, osc_block_weights *block, size_t layer)
{
    for (size_t slot = 0; slot < OSC_BLOCK_SLOTS; slot++)
        if (block->vector[slot] != NULL)
            OSC_TRY(osc_session_load(s, block->vector[slot],
                                     osc_model_block(s->model, layer, (osc_block_slot)slot)));
    return OSC_OK;
}

static osc_status fill(osc_session *s, osc_block_weights *block, size_t layer)
{
    OSC_TRY(fill_vectors(s, block, layer));
    for (size_t l = 0; l < OSC_LINEARS; l++) {
        const osc_stored *stored = stored_linear(s, layer, l);
        size_t bad;
        if (stored == NULL)
            continue;
        block->linear[l].layer = layer;
        osc_session_need(s, stored);
        OSC_TRY(s->choice.scheme->prepare(&block->linear[l], s->backend, s->device,
                                          &stored->tensor, &bad));
        OSC_TRY(osc_session_finite(s, stored, bad));
    }
    return OSC_OK;
}

static void forget_block(const osc_session *s, size_t layer)
{
    for (size_t slot = 0; slot < OSC_BLOCK_SLOTS; slot++)
        osc_session_forget(s, osc_model_block(s->model, layer, (osc_block_slot)slot));
}

static void expect(const osc_session *s, const osc_stored *stored)
{
    if (stored != NULL)
        osc_store_expect(osc_model_store(s->model), &stored->tensor);
}

static void expect_block(const osc_session *s, size_t layer)
{
    for (size_t slot = 0; slot < OSC_BLOCK_SLOTS; slot++)
        expect(s, osc_model_block(s->model, layer, (osc_block_slot)slot));
}

bool osc_session_reads_stored(const osc_session *s)
{
    return (s->choice.coding.stored || s->as_stored != NULL) && s->backend->host;
}

void osc_session_expect(const osc_session *s, size_t layer)
{
    if (s->ran && !s->window)
        return;
    if (layer < s->end && (s->resident == NULL || osc_session_reads_stored(s)))
        expect_block(s, layer);
    if (layer == s->config->layers && s->backend->host)
        expect(s, osc_model_once(s->model, osc_session_head_slot(s)));
}

/* Bytes of a block's linear layers, in the scheme's form and as stored. */
static void block_bytes(const osc_session *s, size_t *form, size_t *stored)
{
    *form = *stored = 0;
    for (size_t l = 0; l < OSC_LINEARS; l++) {
        if (stored_linear(s, 0, l) == NULL)
            continue;
        const osc_tensor *w = &stored_linear(s, 0, l)->tensor;
        osc_linear linear = describe(s, 0, l);
        *form += form_bytes(s, &linear);
        *stored += osc_tensor_count(w) * osc_dtype_size(w->dtype);
    }
}

/* Block by block: besides what stays, no more than the mapped pages of one block are
 * in memory. */
static osc_status make_resident(osc_session *s)
{
    s->resident = osc_alloc(s->config->layers, sizeof *s->resident);
    if (s->resident == NULL)
        return OSC_ENOMEM;
    for (size_t layer = s->begin; layer < s->end; layer++) {
        OSC_TRY(own_block(s, &s->resident[layer], layer));
        if (s->predicting)
            continue;
        if (layer + 1 < s->end)
            expect_block(s, layer + 1);
        OSC_TRY(fill(s, &s->resident[layer], layer));
        forget_block(s, layer);
    }
    return OSC_OK;
}

/* Norms and biases of all blocks, and where their products' weights are stored. */
static osc_status point_at_stored(osc_session *s)
{
    s->as_stored = osc_alloc(s->config->layers, sizeof *s->as_stored);
    if (s->as_stored == NULL)
        return OSC_ENOMEM;
    for (size_t layer = 0; layer < s->config->layers; layer++) {
        osc_block_weights *block = &s->as_stored[layer];
        OSC_TRY(own_vectors(s, block));
        if (!s->predicting)
            OSC_TRY(fill_vectors(s, block, layer));
        for (size_t l = 0; l < OSC_LINEARS; l++) {
            if (stored_linear(s, layer, l) == NULL)
                continue;
            block->linear[l] = describe(s, layer, l);
            block->linear[l].bias = block->vector[OSC_B_Q + l];
            block->linear[l].stored = &stored_linear(s, layer, l)->tensor;
        }
    }
    return OSC_OK;
}

size_t osc_session_block_bytes(const osc_session *s)
{
    size_t bytes = 0;
    for (size_t l = 0; l < OSC_LINEARS; l++) {
        if (stored_linear(s, 0, l) == NULL)
            continue;
        const osc_tensor *w = &stored_linear(s, 0, l)->tensor;
        osc_linear linear = describe(s, 0, l);
        bytes += s->as_stored != NULL ? osc_tensor_count(w) * osc_dtype_size(w->dtype)
                                      : form_bytes(s, &linear);
    }
    return bytes;
}

osc_status osc_session_own_weights(osc_session *s)
{
    size_t form, stored;
    s->ready = SIZE_MAX;
    if (s->cached && s->backend->matmul_stored != NULL && s->choice.scheme->as_stored)
        OSC_TRY(point_at_stored(s));
    block_bytes(s, &form, &stored);
    OSC_TRY(osc_session_budget(s, form, stored));
    if (s->stays)
        return make_resident(s);
    s->turns = s->backend->host ? 1 : OSC_TURNS;
    for (unsigned turn = 0; turn < s->turns; turn++)
        OSC_TRY(own_block(s, &s->moving[turn], 0));
    return OSC_OK;
}

static osc_status fill_turn(osc_session *s, size_t layer)
{
    unsigned turn = (unsigned)(layer % s->turns);
    s->ready = SIZE_MAX;
    OSC_TRY(s->backend->reuse(s->device, turn));
    OSC_TRY(fill(s, &s->moving[turn], layer));
    if (!osc_session_reads_stored(s))
        forget_block(s, layer);
    s->ready = layer;
    return OSC_OK;
}

/* Before the block's products read weights as stored, alone or besides their codes. */
static void need_stored(const osc_session *s, size_t layer)
{
    for (size_t l = 0; l < OSC_LINEARS; l++)
        if (stored_linear(s, layer, l) != NULL)
            osc_store_need(osc_model_store(s->model), &stored_linear(s, layer, l)->tensor);
}

osc_status osc_session_enter_block(osc_session *s, size_t layer, size_t rows)
{
    bool few = s->as_stored != NULL && rows <= OSC_FEW_ROWS;
    if (s->resident == NULL && s->ready != layer && !(few && s->checked))
        OSC_TRY(fill_turn(s, layer));   /* which also checks that all are finite */
    s->checked = s->checked || layer + 1 == s->end;
    if (few || (s->choice.coding.stored && s->backend->host))
        need_stored(s, layer);
    const osc_block_weights *block = few ? &s->as_stored[layer]
                                   : s->resident != NULL ? &s->resident[layer]
                                                         : &s->moving[layer % s->turns];
    memcpy(s->pass.linear, block->linear, sizeof s->pass.linear);
    memcpy(s->pass.vector, block->vector, sizeof s->pass.vector);
    osc_session_expect(s, layer + OSC_AHEAD);
    return OSC_OK;
}

osc_status osc_session_leave_block(osc_session *s, size_t layer)
{
    if (osc_session_reads_stored(s))
        forget_block(s, layer);
    s->ran = s->ran || layer + 1 == s->end;
    if (s->resident != NULL || s->turns == 1)
        return OSC_OK;
    OSC_TRY(s->backend->used(s->device, (unsigned)(layer % s->turns)));
    return layer + 1 < s->end ? fill_turn(s, layer + 1) : OSC_OK;
}

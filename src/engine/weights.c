/* Weights of the blocks in a session: all of them ready for its whole life, or one
 * block's buffers filled again for every block of every chunk. */
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
                         .k = osc_tensor_width(w), .layer = layer,
                         .input = input_of(l), .bias = s->pass.vector[OSC_B_Q + l] };
}

/* Bytes of a linear layer's weight in the scheme's form, in whole cache lines. */
static size_t form_bytes(const osc_session *s, const osc_linear *linear)
{
    size_t bytes = s->choice.scheme->bytes(&s->choice, s->backend, linear->n, linear->k);
    return (bytes + 63) / 64 * 64;
}

/* One buffer for the linear layers of a block, whose weights are made to point into it. */
static osc_status own_linears(osc_session *s, osc_linear *linears, size_t layer)
{
    size_t total = 0, size = osc_dtype_size(s->backend->dtype);
    void *memory;
    for (size_t l = 0; l < OSC_LINEARS; l++) {
        if (stored_linear(s, layer, l) == NULL)
            continue;
        linears[l] = describe(s, layer, l);
        total += form_bytes(s, &linears[l]);
    }
    OSC_TRY(osc_session_own(s, &memory, total / size, &s->weight_bytes));
    s->linear_bytes += total;
    for (size_t l = 0; l < OSC_LINEARS; l++) {
        if (stored_linear(s, layer, l) == NULL)
            continue;
        linears[l].weight = memory;
        memory = (char *)memory + form_bytes(s, &linears[l]);
    }
    return OSC_OK;
}

static osc_status prepare(osc_session *s, osc_linear *linears, size_t layer)
{
    for (size_t l = 0; l < OSC_LINEARS; l++) {
        const osc_stored *stored = stored_linear(s, layer, l);
        size_t bad;
        if (stored == NULL)
            continue;
        linears[l].layer = layer;
        osc_store_need(osc_model_store(s->model), &stored->tensor);
        OSC_TRY(s->choice.scheme->prepare(&linears[l], s->backend, s->device, &stored->tensor,
                                          &bad));
        OSC_TRY(osc_session_finite(s, stored, bad));
    }
    return OSC_OK;
}

/* Whether the scheme's form of a block is smaller than the stored one. */
static bool shrinks(const osc_session *s)
{
    size_t form = 0, stored = 0;
    for (size_t l = 0; l < OSC_LINEARS; l++) {
        if (stored_linear(s, 0, l) == NULL)
            continue;
        const osc_tensor *w = &stored_linear(s, 0, l)->tensor;
        osc_linear linear = describe(s, 0, l);
        form += form_bytes(s, &linear);
        stored += osc_tensor_count(w) * osc_dtype_size(w->dtype);
    }
    return form < stored;
}

/* Block by block: besides what stays, no more than the mapped pages of one block are
 * in memory. */
static osc_status make_resident(osc_session *s)
{
    s->resident = osc_alloc(s->config->layers * OSC_LINEARS, sizeof *s->resident);
    if (s->resident == NULL)
        return OSC_ENOMEM;
    for (size_t layer = 0; layer < s->config->layers; layer++) {
        osc_linear *linears = s->resident + layer * OSC_LINEARS;
        OSC_TRY(own_linears(s, linears, layer));
        OSC_TRY(prepare(s, linears, layer));
        osc_store_forget(osc_model_store(s->model));
    }
    return OSC_OK;
}

osc_status osc_session_own_weights(osc_session *s)
{
    for (size_t slot = 0; slot < OSC_BLOCK_SLOTS; slot++) {
        bool product = slot >= OSC_W_Q && slot <= OSC_W_FC2;
        size_t count = slot_size(s, (osc_block_slot)slot);
        if (!product && count > 0)
            OSC_TRY(osc_session_own(s, &s->pass.vector[slot], count, &s->weight_bytes));
    }
    return shrinks(s) ? make_resident(s) : own_linears(s, s->pass.linear, 0);
}

/* Weights as stored that the block's products will read besides their codes. */
static void need_stored(const osc_session *s, size_t layer)
{
    for (size_t l = 0; s->choice.coding.stored && l < OSC_LINEARS; l++)
        if (stored_linear(s, layer, l) != NULL)
            osc_store_need(osc_model_store(s->model), &stored_linear(s, layer, l)->tensor);
}

osc_status osc_session_enter_block(osc_session *s, size_t layer)
{
    osc_store_forget(osc_model_store(s->model));
    for (size_t slot = 0; slot < OSC_BLOCK_SLOTS; slot++) {
        const osc_stored *stored = osc_model_block(s->model, layer, (osc_block_slot)slot);
        if (s->pass.vector[slot] != NULL)
            OSC_TRY(osc_session_load(s, s->pass.vector[slot], stored));
    }
    if (s->resident == NULL)
        return prepare(s, s->pass.linear, layer);
    need_stored(s, layer);
    memcpy(s->pass.linear, s->resident + layer * OSC_LINEARS, sizeof s->pass.linear);
    return OSC_OK;
}

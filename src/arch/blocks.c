#include <config.h>
#include "arch/blocks.h"

#include <math.h>

static float scale_of(const osc_pass *p)
{
    const osc_config *c = p->config;
    float scale = c->attention_unscaled ? 1.0f : 1.0f / sqrtf((float)c->head_size);
    return c->attention_by_block ? scale / (float)(p->layer + 1) : scale;
}

static osc_status attend(osc_pass *p)
{
    float scale = scale_of(p);
    size_t hidden = p->config->hidden;
    OSC_TRY(osc_step_norm(p, p->x, p->resid, OSC_W_NORM1, OSC_B_NORM1));
    OSC_TRY(osc_step_deliver(p, OSC_AT_QKV_IN, p->x, p->rows, hidden));
    OSC_TRY(osc_step_top1_without(p, scale));
    OSC_TRY(osc_step_qkv(p, p->x));
    OSC_TRY(osc_step_attention(p, scale));
    OSC_TRY(osc_step_linear(p, p->branch, p->mix, OSC_W_OUT, OSC_ACT_NONE));
    OSC_TRY(osc_step_deliver(p, OSC_AT_ATTN_OUT, p->branch, p->rows, hidden));
    if (!p->config->parallel)
        return osc_step_add_norm(p, OSC_W_NORM2, OSC_B_NORM2);
    /* before the stream changes: the other branch reads the same */
    OSC_TRY(osc_step_norm(p, p->x, p->resid, OSC_W_NORM1, OSC_B_NORM1));
    OSC_TRY(osc_step_add(p));
    return osc_step_deliver(p, OSC_AT_RESID_MID, p->resid, p->rows, hidden);
}

static osc_status expand(osc_pass *p)
{
    size_t hidden = p->config->hidden;
    OSC_TRY(osc_step_deliver(p, OSC_AT_FC1_IN, p->x, p->rows, hidden));
    OSC_TRY(osc_step_expand(p, p->x));
    OSC_TRY(osc_step_branch(p, p->ffn, OSC_W_FC2, OSC_AT_MLP_OUT));
    return osc_step_deliver(p, OSC_AT_RESID_POST, p->resid, p->rows, hidden);
}

osc_status osc_block_pass(osc_pass *p)
{
    OSC_TRY(attend(p));
    return expand(p);
}

osc_status osc_block_embed(osc_pass *p)
{
    OSC_TRY(osc_step_embed(p, p->resid));
    return osc_step_deliver(p, OSC_AT_EMBED, p->resid, p->rows, p->config->hidden);
}

osc_status osc_block_finish(osc_pass *p)
{
    OSC_TRY(osc_step_norm_once(p, OSC_W_FINAL_NORM, OSC_B_FINAL_NORM));
    return osc_step_deliver(p, OSC_AT_FINAL_NORM, p->resid, p->rows, p->config->hidden);
}

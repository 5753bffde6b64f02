/* The steps that architectures compose their forward pass of.  Each computes on
 * the sequence in `pass` and delivers hook points. */
#ifndef OSC_ENGINE_STEPS_H
#define OSC_ENGINE_STEPS_H

#include "engine/pass.h"

/* The values [rows, width] are at `point` now: tensor hooks, then the observer. */
osc_status osc_step_deliver(const osc_pass *pass, osc_point point, void *values,
                            size_t rows, size_t width);

/* y = token embedding of the ids, [T, P]. */
osc_status osc_step_embed(const osc_pass *pass, void *y);
/* resid += rows of the position table. */
osc_status osc_step_add_positions(const osc_pass *pass);

/* y = norm(x), layernorm or rmsnorm, with the block's vectors of these slots; y may be x. */
osc_status osc_step_norm(const osc_pass *pass, void *y, const void *x,
                         osc_block_slot weight, osc_block_slot bias);
/* resid = norm(resid) with the model's vectors of these slots. */
osc_status osc_step_norm_once(const osc_pass *pass, osc_model_slot weight, osc_model_slot bias);
/* y = act(x w^T + b), the linear layer of slot OSC_W_Q ... OSC_W_FC2. */
osc_status osc_step_linear(const osc_pass *pass, void *y, const void *x, osc_block_slot slot,
                           osc_act act);
/* q, k, v = x w^T + b, each with its own layer. */
osc_status osc_step_qkv(const osc_pass *pass, const void *x);
/* branch = x w^T + b with the layer of `slot`, delivered at `point`; resid += branch.  Where
 * nobody wants the branch, it need not be there for a moment; the bits are the same. */
osc_status osc_step_branch(const osc_pass *pass, const void *x, osc_block_slot slot,
                           osc_point point);
/* Adds up the attention top-1 mass without features of x, if the observer wants it.
 * To be called before q, k and v are computed: overwrites q, k, mix, branch. */
osc_status osc_step_top1_without(const osc_pass *pass, float scale);
/* mix = attention(q, k, v) with scores times `scale`; delivers q, k, v (before rotary
 * positions), scores, pattern, out_in and the top-1 mass. */
osc_status osc_step_attention(const osc_pass *pass, float scale);
/* ffn = act(x w1^T + b1), in gated blocks act(x wg^T + bg) * (x w1^T + b1); delivers
 * fc1_out, which is the argument of act, and fc2_in. */
osc_status osc_step_expand(const osc_pass *pass, const void *x);
/* resid += branch. */
osc_status osc_step_add(const osc_pass *pass);
/* The same, delivers resid_mid, then x = norm(resid) with the block's vectors of these
 * slots. */
osc_status osc_step_add_norm(const osc_pass *pass, osc_block_slot weight, osc_block_slot bias);

#endif

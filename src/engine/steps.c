#include <config.h>
#include "engine/steps.h"

#include "engine/observer.h"
#include "engine/session_state.h"

static osc_status pass_hits_on(const osc_hits_route *route, const osc_hit *hits, size_t count)
{
    const osc_session *s = route->user;
    const osc_observer_options *options =
        osc_observer_get_options(osc_hooks_observer(s->pass.hooks));
    OSC_TRY(osc_session_report_before(s));
    return options->on_hits(options->user, (osc_point)route->point, route->layer,
                            route->sequence, hits, count);
}

static osc_status observe(const osc_pass *pass, osc_observer *observer, osc_point point,
                          const void *values, osc_sequences rows, size_t width)
{
    const osc_observer_options *options = osc_observer_get_options(observer);
    osc_hits_route route = { .sink = pass_hits_on, .user = pass->session, .point = point,
                             .layer = (size_t)pass->layer, .sequence = pass->sequence };
    bool hits = (options->hits >> point & 1u) && options->on_hits != NULL;
    return pass->backend->observe(pass->device, &pass->stats[point][pass->layer], values, rows,
                                  width, options->alpha, hits ? &route : NULL);
}

static osc_dtype dtype_at(const osc_pass *pass, osc_point point)
{
    bool wide = point == OSC_AT_SCORES || point == OSC_AT_PATTERN || point == OSC_AT_LOGITS;
    return wide ? OSC_F32 : pass->backend->dtype;
}

static osc_status unsupported(const osc_pass *pass)
{
    return osc_fail(OSC_EUNSUP, "backend %s has no summaries of activations", pass->backend->name);
}

static osc_status pass_summary_on(const osc_summary_route *route, const osc_summary *summary)
{
    const osc_observer_options *options = osc_observer_get_options(route->user);
    return options->on_summary(options->user, (osc_point)route->point, route->layer,
                               route->sequence, summary);
}

static osc_status pass_residual_on(const osc_residual_route *route, const osc_residual *residual)
{
    const osc_observer_options *options = osc_observer_get_options(route->user);
    return options->on_residual(options->user, route->state, route->sequence, residual);
}

static osc_status summarize(const osc_pass *pass, osc_observer *observer, osc_point point,
                            const void *values, osc_sequences rows, size_t width)
{
    osc_summary_route route = { .sink = pass_summary_on, .user = observer, .point = point,
                                .layer = pass->layer, .sequence = pass->sequence };
    if (pass->backend->summarize == NULL)
        return unsupported(pass);
    return pass->backend->summarize(pass->device, values, rows, width, &route);
}

static osc_status follow_residual(const osc_pass *pass, osc_observer *observer, osc_point point,
                                  const void *values, osc_sequences rows, size_t width)
{
    size_t state = point == OSC_AT_EMBED ? 0 : (size_t)pass->layer + 1;
    osc_residual_route route = { .sink = pass_residual_on, .user = observer, .state = state,
                                 .sequence = pass->sequence };
    if (pass->backend->residual == NULL)
        return unsupported(pass);
    return pass->backend->residual(pass->device, &pass->residual[state], values, rows, width,
                                   &route);
}

/* What the observer wants at this point, each from the values as they are now. */
static osc_status reduce(const osc_pass *pass, osc_observer *observer, osc_point point,
                         const void *values, osc_sequences rows, size_t width)
{
    const osc_observer_options *options = osc_observer_get_options(observer);
    if (options->modules >> point & 1u)
        OSC_TRY(summarize(pass, observer, point, values, rows, width));
    if (options->residual && (point == OSC_AT_EMBED || point == OSC_AT_RESID_POST))
        OSC_TRY(follow_residual(pass, observer, point, values, rows, width));
    if (pass->layer < 0 || osc_observer_stats(observer, point, (size_t)pass->layer) == NULL)
        return OSC_OK;
    return observe(pass, observer, point, values, rows, width);
}

static osc_status fire(const osc_pass *pass, unsigned kinds, osc_point point, void *values,
                       size_t rows, size_t width)
{
    float *view;
    osc_dtype dtype = dtype_at(pass, point);
    OSC_TRY(pass->backend->host_view(pass->device, &view, values, dtype, rows * width));
    osc_event event = { .point = point, .layer = pass->layer, .sequence = pass->sequence,
                        .first = pass->first, .data = view, .rows = rows, .width = width };
    OSC_TRY(osc_hooks_fire(pass->hooks, &event));
    if (kinds & OSC_WRITE)
        return pass->backend->host_put(pass->device, values, dtype, view, rows * width);
    return OSC_OK;
}

/* Tensor hooks come first: the observer sees what the next product sees. */
osc_status osc_step_deliver(const osc_pass *pass, osc_point point, void *values,
                            size_t rows, size_t width)
{
    unsigned kinds = osc_hooks_at(pass->hooks, point, pass->layer);
    if (kinds != 0)
        OSC_TRY(fire(pass, kinds, point, values, rows, width));
    osc_observer *observer = osc_hooks_observer(pass->hooks);
    if (observer == NULL || !osc_observer_wants(observer, point, pass->layer))
        return OSC_OK;
    osc_sequences sequences = { .count = pass->sequences, .tokens = rows / pass->sequences };
    return reduce(pass, observer, point, values, sequences, width);
}

osc_status osc_step_embed(const osc_pass *pass, void *y)
{
    const osc_tensor *table = &pass->table[OSC_W_EMBED];
    if (pass->ids_there != NULL)
        return pass->backend->embed_there(pass->device, y, table, pass->ids_there, pass->rows);
    return pass->backend->embed(pass->device, y, table, pass->ids, pass->rows);
}

/* Row `row` of a [rows, width] activation. */
static void *at_row(const osc_pass *pass, void *values, size_t row, size_t width)
{
    return (char *)values + row * width * osc_dtype_size(pass->backend->dtype);
}

osc_status osc_step_add_positions(const osc_pass *pass)
{
    size_t first = pass->config->position_row + pass->first;
    for (size_t row = 0; row < pass->rows; row += pass->tokens)
        OSC_TRY(pass->backend->add_rows(pass->device, at_row(pass, pass->resid, row,
                                                             pass->config->hidden),
                                        &pass->table[OSC_W_POSITION], first, pass->tokens));
    return OSC_OK;
}

static osc_status norm(const osc_pass *pass, void *y, const void *x, const void *weight,
                       const void *bias)
{
    const osc_config *config = pass->config;
    if (config->rms_norm)
        return pass->backend->rmsnorm(pass->device, y, x, weight, config->norm_eps, pass->rows,
                                      config->hidden);
    return pass->backend->layernorm(pass->device, y, x, weight, bias, config->norm_eps,
                                    pass->rows, config->hidden);
}

osc_status osc_step_norm(const osc_pass *pass, void *y, const void *x,
                         osc_block_slot weight, osc_block_slot bias)
{
    return norm(pass, y, x, pass->vector[weight], pass->vector[bias]);
}

osc_status osc_step_norm_once(const osc_pass *pass, osc_model_slot weight, osc_model_slot bias)
{
    return norm(pass, pass->resid, pass->resid, pass->once[weight], pass->once[bias]);
}

osc_status osc_step_linear(const osc_pass *pass, void *y, const void *x, osc_block_slot slot,
                           osc_act act)
{
    const osc_linear *linear = &pass->linear[slot - OSC_W_Q];
    return linear->choice->scheme->apply(linear, pass->backend, pass->device, y, x, act,
                                         pass->rows);
}

static osc_output output_of(const osc_pass *pass, void *y, osc_block_slot slot)
{
    return (osc_output){ .linear = &pass->linear[slot - OSC_W_Q], .y = y };
}

static osc_status apply(const osc_pass *pass, const osc_output *outputs, size_t count,
                        const void *x)
{
    return outputs->linear->choice->scheme->apply_several(outputs, count, pass->backend,
                                                          pass->device, x, pass->rows);
}

osc_status osc_step_qkv(const osc_pass *pass, const void *x)
{
    const osc_output outputs[] = { output_of(pass, pass->q, OSC_W_Q),
                                   output_of(pass, pass->k, OSC_W_K),
                                   output_of(pass, pass->v, OSC_W_V) };
    return apply(pass, outputs, 3, x);
}

static bool wanted(const osc_pass *pass, osc_point point)
{
    osc_observer *observer = osc_hooks_observer(pass->hooks);
    return osc_hooks_at(pass->hooks, point, pass->layer) != 0
        || (observer != NULL && osc_observer_wants(observer, point, pass->layer));
}

osc_status osc_step_branch(const osc_pass *pass, const void *x, osc_block_slot slot,
                           osc_point point)
{
    osc_output out = output_of(pass, pass->branch, slot);
    if (!wanted(pass, point)) {
        out.plus = pass->resid;
        return apply(pass, &out, 1, x);
    }
    OSC_TRY(osc_step_linear(pass, pass->branch, x, slot, OSC_ACT_NONE));
    OSC_TRY(osc_step_deliver(pass, point, pass->branch, pass->rows, pass->config->hidden));
    return osc_step_add(pass);
}

static osc_attention attention_of(const osc_pass *pass, float scale, double *top1)
{
    const osc_config *config = pass->config;
    return (osc_attention){
        .sequences = pass->sequences, .tokens = pass->tokens, .past = pass->first,
        .heads = config->heads, .head_size = config->head_size,
        .kv_heads = config->kv_heads, .alibi = config->alibi, .scale = scale,
        .top1 = top1 == NULL ? NULL : top1 + (size_t)pass->layer * config->heads,
    };
}

/* Puts the positions into q and k where they belong there. */
static osc_status rotate(const osc_pass *pass)
{
    const osc_config *c = pass->config;
    osc_rotary rotary = { .dim = c->rotary, .neighbours = c->rotary_neighbours,
                          .base = c->rotary_base, .first = pass->first,
                          .tokens = pass->tokens };
    if (c->rotary == 0)
        return OSC_OK;
    OSC_TRY(pass->backend->rotate(pass->device, pass->q, &rotary, pass->rows, c->heads,
                                  c->head_size));
    return pass->backend->rotate(pass->device, pass->k, &rotary, pass->rows, c->kv_heads,
                                 c->head_size);
}

/* branch = x without the features of `set`. */
static osc_status leave_out(const osc_pass *pass, const osc_left_out *set)
{
    size_t width = pass->config->hidden, count = pass->rows * width;
    float *view;
    OSC_TRY(pass->backend->copy(pass->device, pass->branch, pass->x, count));
    if (set->value == NULL)
        return pass->backend->clear(pass->device, pass->branch, pass->rows, width,
                                    set->feature, set->count);
    const float *value = set->value + (size_t)pass->layer * set->count;
    osc_dtype dtype = pass->backend->dtype;
    OSC_TRY(pass->backend->host_view(pass->device, &view, pass->branch, dtype, count));
    for (size_t t = 0; t < pass->rows; t++)
        for (size_t i = 0; i < set->count; i++)
            view[t * width + set->feature[i]] = value[i];
    return pass->backend->host_put(pass->device, pass->branch, dtype, view, count);
}

/* Only the probabilities matter: k stands in for v, and mix is computed anew. */
static osc_status top1_without(const osc_pass *pass, const osc_left_out *set, double *mass,
                               float scale)
{
    osc_attention args = attention_of(pass, scale, mass);
    OSC_TRY(leave_out(pass, set));
    const osc_output outputs[] = { output_of(pass, pass->q, OSC_W_Q),
                                   output_of(pass, pass->k, OSC_W_K) };
    OSC_TRY(apply(pass, outputs, 2, pass->branch));
    OSC_TRY(rotate(pass));
    return pass->backend->attention(pass->device, pass->mix, pass->q, pass->k, pass->k, &args);
}

osc_status osc_step_top1_without(const osc_pass *pass, float scale)
{
    if (pass->top1_without == NULL)
        return OSC_OK;
    const osc_observer_options *options =
        osc_observer_get_options(osc_hooks_observer(pass->hooks));
    size_t cells = pass->config->layers * pass->config->heads;
    for (size_t s = 0; s < options->without_sets; s++)
        OSC_TRY(top1_without(pass, &options->without[s], pass->top1_without + s * cells, scale));
    return OSC_OK;
}

static osc_status attend_in_steps(const osc_pass *pass, osc_attention *args)
{
    size_t rows = args->heads * args->tokens, keys = args->past + args->tokens;
    args->scores = pass->scores;
    OSC_TRY(pass->backend->attend_scores(pass->device, pass->q, pass->keys, args));
    OSC_TRY(osc_step_deliver(pass, OSC_AT_SCORES, pass->scores, rows, keys));
    OSC_TRY(pass->backend->attend_softmax(pass->device, args));
    OSC_TRY(osc_step_deliver(pass, OSC_AT_PATTERN, pass->scores, rows, keys));
    return pass->backend->attend_values(pass->device, pass->mix, pass->values, args);
}

osc_status osc_step_attention(const osc_pass *pass, float scale)
{
    const osc_config *config = pass->config;
    size_t wide = config->heads * config->head_size, narrow = config->kv_heads * config->head_size;
    osc_observer *observer = osc_hooks_observer(pass->hooks);
    osc_top1_stats *top1 = observer == NULL ? NULL : osc_observer_top1(observer);
    osc_attention args = attention_of(pass, scale, pass->top1);
    OSC_TRY(osc_step_deliver(pass, OSC_AT_Q, pass->q, pass->rows, wide));
    OSC_TRY(osc_step_deliver(pass, OSC_AT_K, pass->k, pass->rows, narrow));
    OSC_TRY(osc_step_deliver(pass, OSC_AT_V, pass->v, pass->rows, narrow));
    OSC_TRY(rotate(pass));
    if (osc_hooks_at(pass->hooks, OSC_AT_SCORES, pass->layer) != 0
        || osc_hooks_at(pass->hooks, OSC_AT_PATTERN, pass->layer) != 0)
        OSC_TRY(attend_in_steps(pass, &args));
    else
        OSC_TRY(pass->backend->attention(pass->device, pass->mix, pass->q, pass->keys,
                                         pass->values, &args));
    if (top1 != NULL && pass->layer == 0) {   /* every block sees the same queries */
        top1->queries += pass->rows;
        top1->first += pass->sequences;
    }
    return osc_step_deliver(pass, OSC_AT_OUT_IN, pass->mix, pass->rows, wide);
}

static osc_act act_of(osc_activation activation)
{
    static const osc_act acts[OSC_ACTIVATION_COUNT] = {
        [OSC_RELU] = OSC_ACT_RELU, [OSC_GELU] = OSC_ACT_GELU,
        [OSC_GELU_TANH] = OSC_ACT_GELU_TANH, [OSC_SILU] = OSC_ACT_SILU,
    };
    return acts[activation];
}

/* y = act(x w^T + b), the layer whose output goes through the activation function;
 * delivers fc1_out. */
static osc_status activated(const osc_pass *pass, void *y, const void *x, osc_block_slot slot)
{
    size_t width = pass->config->ffn;
    osc_act act = act_of(pass->config->activation);
    bool apart = wanted(pass, OSC_AT_FC1_OUT);
    OSC_TRY(osc_step_linear(pass, y, x, slot, apart ? OSC_ACT_NONE : act));
    if (!apart)
        return OSC_OK;
    OSC_TRY(osc_step_deliver(pass, OSC_AT_FC1_OUT, y, pass->rows, width));
    return pass->backend->activate(pass->device, y, act, pass->rows * width);
}

/* ffn = act(x wg^T + bg) * (x w1^T + b1). */
static osc_status expand_gated(const osc_pass *pass, const void *x)
{
    osc_output outputs[] = { output_of(pass, pass->gate, OSC_W_GATE),
                             output_of(pass, pass->ffn, OSC_W_FC1) };
    outputs[0].act = act_of(pass->config->activation);
    if (wanted(pass, OSC_AT_FC1_OUT)) {
        OSC_TRY(activated(pass, pass->gate, x, OSC_W_GATE));
        OSC_TRY(osc_step_linear(pass, pass->ffn, x, OSC_W_FC1, OSC_ACT_NONE));
    } else {
        OSC_TRY(apply(pass, outputs, 2, x));
    }
    return pass->backend->multiply(pass->device, pass->ffn, pass->gate,
                                   pass->rows * pass->config->ffn);
}

osc_status osc_step_expand(const osc_pass *pass, const void *x)
{
    OSC_TRY(pass->config->gated ? expand_gated(pass, x)
                                : activated(pass, pass->ffn, x, OSC_W_FC1));
    return osc_step_deliver(pass, OSC_AT_FC2_IN, pass->ffn, pass->rows, pass->config->ffn);
}

osc_status osc_step_add(const osc_pass *pass)
{
    return pass->backend->add(pass->device, pass->resid, pass->branch,
                              pass->rows * pass->config->hidden);
}

/* One pass over the stream where the backend has it; observers may read resid after it. */
static bool adds_and_norms(const osc_pass *pass)
{
    const osc_backend *backend = pass->backend;
    bool can = pass->config->rms_norm ? backend->add_rmsnorm != NULL
                                      : backend->add_layernorm != NULL;
    return can && osc_hooks_at(pass->hooks, OSC_AT_RESID_MID, pass->layer) == 0;
}

static osc_status add_norm(const osc_pass *pass, const void *weight, const void *bias)
{
    const osc_config *config = pass->config;
    if (config->rms_norm)
        return pass->backend->add_rmsnorm(pass->device, pass->x, pass->resid, pass->branch, weight,
                                          config->norm_eps, pass->rows, config->hidden);
    return pass->backend->add_layernorm(pass->device, pass->x, pass->resid, pass->branch, weight,
                                        bias, config->norm_eps, pass->rows, config->hidden);
}

osc_status osc_step_add_norm(const osc_pass *pass, osc_block_slot weight, osc_block_slot bias)
{
    size_t width = pass->config->hidden;
    bool together = adds_and_norms(pass);
    if (together)
        OSC_TRY(add_norm(pass, pass->vector[weight], pass->vector[bias]));
    else
        OSC_TRY(osc_step_add(pass));
    OSC_TRY(osc_step_deliver(pass, OSC_AT_RESID_MID, pass->resid, pass->rows, width));
    return together ? OSC_OK : osc_step_norm(pass, pass->x, pass->resid, weight, bias);
}

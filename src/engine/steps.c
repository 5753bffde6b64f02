#include <config.h>
#include "engine/steps.h"

#include "engine/observer.h"

static osc_status pass_hits_on(const osc_hits_route *route, const osc_hit *hits, size_t count)
{
    const osc_observer_options *options = osc_observer_get_options(route->user);
    return options->on_hits(options->user, (osc_point)route->point, route->layer,
                            route->sequence, hits, count);
}

static osc_status observe(const osc_pass *pass, osc_observer *observer, osc_point point,
                          const void *values, size_t rows, size_t width)
{
    const osc_observer_options *options = osc_observer_get_options(observer);
    osc_hits_route route = { .sink = pass_hits_on, .user = observer, .point = point,
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

static osc_status fire(const osc_pass *pass, unsigned kinds, osc_point point, void *values,
                       size_t rows, size_t width)
{
    float *view;
    osc_dtype dtype = dtype_at(pass, point);
    OSC_TRY(pass->backend->host_view(pass->device, &view, values, dtype, rows * width));
    osc_event event = { .point = point, .layer = pass->layer, .sequence = pass->sequence,
                        .data = view, .rows = rows, .width = width };
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
    if (observer == NULL || pass->layer < 0 || pass->stats[point] == NULL)
        return OSC_OK;
    return observe(pass, observer, point, values, rows, width);
}

osc_status osc_step_norm(const osc_pass *pass, void *y, const void *x,
                         osc_block_slot weight, osc_block_slot bias)
{
    return pass->backend->layernorm(pass->device, y, x, pass->vector[weight], pass->vector[bias],
                                    pass->config->norm_eps, pass->tokens, pass->config->hidden);
}

osc_status osc_step_linear(const osc_pass *pass, void *y, const void *x, osc_block_slot slot,
                           osc_act act)
{
    const osc_linear *linear = &pass->linear[slot - OSC_W_Q];
    return linear->choice->scheme->apply(linear, pass->backend, pass->device, y, x, act,
                                         pass->tokens);
}

static osc_attention attention_of(const osc_pass *pass, float scale, double *top1)
{
    const osc_config *config = pass->config;
    return (osc_attention){
        .tokens = pass->tokens, .heads = config->heads, .head_size = config->head_size,
        .scale = scale,
        .top1 = top1 == NULL ? NULL : top1 + (size_t)pass->layer * config->heads,
    };
}

/* branch = x with the columns `without` zeroed. */
static osc_status leave_out(const osc_pass *pass, const osc_observer_options *options)
{
    size_t width = pass->config->hidden;
    OSC_TRY(pass->backend->copy(pass->device, pass->branch, pass->x, pass->tokens * width));
    return pass->backend->clear(pass->device, pass->branch, pass->tokens, width,
                                options->without, options->without_count);
}

/* Only the probabilities matter: k stands in for v, and mix is computed anew. */
osc_status osc_step_top1_without(const osc_pass *pass, float scale)
{
    if (pass->top1_without == NULL)
        return OSC_OK;
    osc_attention args = attention_of(pass, scale, pass->top1_without);
    OSC_TRY(leave_out(pass, osc_observer_get_options(osc_hooks_observer(pass->hooks))));
    OSC_TRY(osc_step_linear(pass, pass->q, pass->branch, OSC_W_Q, OSC_ACT_NONE));
    OSC_TRY(osc_step_linear(pass, pass->k, pass->branch, OSC_W_K, OSC_ACT_NONE));
    return pass->backend->attention(pass->device, pass->mix, pass->q, pass->k, pass->k, &args);
}

static osc_status attend_in_steps(const osc_pass *pass, osc_attention *args)
{
    size_t rows = args->heads * args->tokens;
    args->scores = pass->scores;
    OSC_TRY(pass->backend->attend_scores(pass->device, pass->q, pass->k, args));
    OSC_TRY(osc_step_deliver(pass, OSC_AT_SCORES, pass->scores, rows, args->tokens));
    OSC_TRY(pass->backend->attend_softmax(pass->device, args));
    OSC_TRY(osc_step_deliver(pass, OSC_AT_PATTERN, pass->scores, rows, args->tokens));
    return pass->backend->attend_values(pass->device, pass->mix, pass->v, args);
}

osc_status osc_step_attention(const osc_pass *pass, float scale)
{
    const osc_config *config = pass->config;
    size_t wide = config->heads * config->head_size, narrow = config->kv_heads * config->head_size;
    osc_observer *observer = osc_hooks_observer(pass->hooks);
    osc_top1_stats *top1 = observer == NULL ? NULL : osc_observer_top1(observer);
    osc_attention args = attention_of(pass, scale, pass->top1);
    OSC_TRY(osc_step_deliver(pass, OSC_AT_Q, pass->q, pass->tokens, wide));
    OSC_TRY(osc_step_deliver(pass, OSC_AT_K, pass->k, pass->tokens, narrow));
    OSC_TRY(osc_step_deliver(pass, OSC_AT_V, pass->v, pass->tokens, narrow));
    if (osc_hooks_at(pass->hooks, OSC_AT_SCORES, pass->layer) != 0
        || osc_hooks_at(pass->hooks, OSC_AT_PATTERN, pass->layer) != 0)
        OSC_TRY(attend_in_steps(pass, &args));
    else
        OSC_TRY(pass->backend->attention(pass->device, pass->mix, pass->q, pass->k, pass->v,
                                         &args));
    if (top1 != NULL && pass->layer == 0) {   /* every block sees the same queries */
        top1->queries += pass->tokens;
        top1->first++;
    }
    return osc_step_deliver(pass, OSC_AT_OUT_IN, pass->mix, pass->tokens, wide);
}

static osc_act act_of(osc_activation activation)
{
    static const osc_act acts[OSC_ACTIVATION_COUNT] = {
        [OSC_RELU] = OSC_ACT_RELU, [OSC_GELU] = OSC_ACT_GELU,
        [OSC_GELU_TANH] = OSC_ACT_GELU_TANH, [OSC_SILU] = OSC_ACT_SILU,
    };
    return acts[activation];
}

osc_status osc_step_expand(const osc_pass *pass, const void *x)
{
    size_t width = pass->config->ffn;
    osc_act act = act_of(pass->config->activation);
    bool wanted = osc_hooks_at(pass->hooks, OSC_AT_FC1_OUT, pass->layer) != 0
               || pass->stats[OSC_AT_FC1_OUT] != NULL;
    OSC_TRY(osc_step_linear(pass, pass->ffn, x, OSC_W_FC1, wanted ? OSC_ACT_NONE : act));
    if (wanted) {
        OSC_TRY(osc_step_deliver(pass, OSC_AT_FC1_OUT, pass->ffn, pass->tokens, width));
        OSC_TRY(pass->backend->activate(pass->device, pass->ffn, act, pass->tokens * width));
    }
    return osc_step_deliver(pass, OSC_AT_FC2_IN, pass->ffn, pass->tokens, width);
}

osc_status osc_step_add(const osc_pass *pass)
{
    return pass->backend->add(pass->device, pass->resid, pass->branch,
                              pass->tokens * pass->config->hidden);
}

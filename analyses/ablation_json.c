/* The results of an ablation as JSON.  All functions: NULL when out of memory. */
#include <config.h>
#include "analyses/ablation.h"

#include <string.h>

#include "analyses/jsonout.h"

static json_t *feature_array(const uint32_t *feature, size_t count)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count && array != NULL; i++) {
        if (json_array_append_new(array, json_integer((json_int_t)feature[i])) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

static json_t *point_array(unsigned points)
{
    json_t *array = json_array();
    for (unsigned p = 0; p < OSC_POINT_COUNT && array != NULL; p++)
        if ((points >> p & 1u) != 0)
            json_array_append_new(array, json_string(osc_point_name((osc_point)p)));
    return array;
}

static json_t *magnitude_array(const ablation *a)
{
    json_t *array = json_array();
    for (size_t i = 0; i < a->features && array != NULL; i++)
        json_array_append_new(array, json_out_number((double)a->magnitude[i]));
    return array;
}

/* --- sets ---------------------------------------------------------------------------- */

static json_t *cell_object(const ablation *a, const ablation_cell *cell)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
        "perplexity", json_out_number(cell->perplexity),
        "relative", json_out_number(cell->perplexity / ablation_baseline(a)->perplexity),
        "nll", json_out_number(cell->nll),
        "top1", json_out_numbers(cell->top1, a->layers),
        "top1_later", json_out_numbers(cell->later, a->layers),
        "top1_mean", json_out_number(ablation_value(a, cell, ABLATION_TOP1, ABLATION_ALL_BLOCKS)),
        "top1_later_mean",
        json_out_number(ablation_value(a, cell, ABLATION_LATER, ABLATION_ALL_BLOCKS)));
}

static json_t *summary_object(const ablation *a, size_t step, ablation_quantity quantity)
{
    ablation_summary s;
    if (ablation_summarize(&s, a, step, quantity, ABLATION_ALL_BLOCKS) != OSC_OK)
        return NULL;
    return json_pack("{s:o, s:o, s:[o, o]}", "mean", json_out_number(s.mean),
                     "sd", json_out_number(s.sd), "interval", json_out_number(s.low),
                     json_out_number(s.high));
}

/* Appends the values of one draw to the arrays of all draws. */
static bool append_draw(const ablation *a, size_t draw, size_t step, json_t *features,
                        json_t *perplexity, json_t *nll, json_t *top1, json_t *later)
{
    const ablation_cell *cell = ablation_draw(a, draw, step);
    const uint32_t *drawn = a->drawn + draw * a->features;
    return json_array_append_new(features, feature_array(drawn, ablation_size(a, step))) == 0
        && json_array_append_new(perplexity, json_out_number(cell->perplexity)) == 0
        && json_array_append_new(nll, json_out_number(cell->nll)) == 0
        && json_array_append_new(top1, json_out_numbers(cell->top1, a->layers)) == 0
        && json_array_append_new(later, json_out_numbers(cell->later, a->layers)) == 0;
}

static json_t *random_object(const ablation *a, size_t step)
{
    json_t *features = json_array(), *perplexity = json_array(), *nll = json_array();
    json_t *top1 = json_array(), *later = json_array();
    bool good = true;
    for (size_t d = 0; d < a->draws && good; d++)
        good = append_draw(a, d, step, features, perplexity, nll, top1, later);
    json_t *object = json_pack("{s:I, s:o, s:o, s:o, s:o, s:o, s:{s:o, s:o, s:o}}",
        "draws", (json_int_t)a->draws, "features", features, "perplexity", perplexity,
        "nll", nll, "top1", top1, "top1_later", later, "summary",
        "perplexity", summary_object(a, step, ABLATION_PERPLEXITY),
        "top1", summary_object(a, step, ABLATION_TOP1),
        "top1_later", summary_object(a, step, ABLATION_LATER));
    if (!good) {
        json_decref(object);
        return NULL;
    }
    return object;
}

/* --- steps --------------------------------------------------------------------------- */

static json_t *step_object(const ablation *a, size_t step)
{
    json_t *object = cell_object(a, ablation_chosen(a, step));
    if (object == NULL
        || json_object_set_new(object, "count", json_integer((json_int_t)ablation_size(a, step)))
        || json_object_set_new(object, "random", random_object(a, step))) {
        json_decref(object);
        return NULL;
    }
    return object;
}

/* null unless cumulative. */
static json_t *step_array(const ablation *a)
{
    json_t *array = a->cumulative ? json_array() : json_null();
    for (size_t s = 0; s < a->steps && a->cumulative && array != NULL; s++) {
        if (json_array_append_new(array, step_object(a, s)) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

/* --- the whole ----------------------------------------------------------------------- */

static json_t *provenance(const ablation *a)
{
    size_t name = strcspn(a->scheme, ":");
    return json_pack("{s:o, s:s%, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:s, s:s, s:s, s:s, s:o}",
        "model", json_out_text(a->model),
        "scheme", a->scheme, name, "options", a->scheme[name] == ':' ? a->scheme + name + 1 : "",
        "backend", a->backend,
        "protocol", osc_protocol_name(a->protocol), "bos", (json_int_t)a->bos,
        "sequences", (json_int_t)a->sequences, "sequence_length", (json_int_t)a->length,
        "scored", (json_int_t)a->scored,
        "weights_sha256", a->weights, "tokenizer_sha256", a->tokenizer, "text_sha256", a->text,
        "tool", a->tool, "command", json_out_text(a->command));
}

static json_t *choice(const ablation *a)
{
    return json_pack("{s:o, s:o, s:o, s:s, s:s, s:o, s:I, s:s, s:I, s:o}",
        "features", feature_array(a->feature, a->features), "magnitudes", magnitude_array(a),
        "chosen_by", json_out_text(a->chosen_by),
        "mode", ablation_mode_names[a->mode], "pool", ablation_pool_names[a->pool],
        "points", point_array(a->points), "seed", (json_int_t)a->seed,
        "measures", "perplexity: cascading, taken out at the points of every block; top1: not "
        "cascading, taken out at each block's attention input alone",
        "pool_size", (json_int_t)a->pool_size, "alpha", json_out_number(a->alpha));
}

static json_t *results(const ablation *a)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:f}",
        "baseline", cell_object(a, ablation_baseline(a)),
        "zeroed", cell_object(a, ablation_chosen(a, a->steps - 1)),
        "random", random_object(a, a->steps - 1), "cumulative", step_array(a),
        "confidence", ABLATION_LEVEL);
}

json_t *ablation_json(const ablation *a)
{
    json_t *object = provenance(a), *chosen = choice(a), *measured = results(a);
    if (object == NULL || chosen == NULL || measured == NULL
        || json_object_update(object, chosen) != 0 || json_object_update(object, measured) != 0) {
        json_decref(object);
        object = NULL;
    }
    json_decref(chosen);
    json_decref(measured);
    return object;
}

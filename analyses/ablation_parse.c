/* An ablation's JSON read back. */
#include <config.h>
#include "analyses/ablation.h"

#include <math.h>
#include <string.h>

/* --- values -------------------------------------------------------------------------- */

static osc_status get_text(char *text, size_t size, const json_t *object, const char *key)
{
    const char *found = "";
    OSC_TRY(osc_json_get_string(&found, object, key));
    snprintf(text, size, "%s", found);
    return OSC_OK;
}

static osc_status get_name(size_t *index, const json_t *object, const char *key,
                           const char *const *names, size_t count)
{
    const char *found = "";
    OSC_TRY(osc_json_get_string(&found, object, key));
    for (size_t i = 0; i < count; i++) {
        if (strcmp(found, names[i]) == 0) {
            *index = i;
            return OSC_OK;
        }
    }
    return osc_fail(OSC_EFORMAT, "'%s' is '%s'", key, found);
}

static osc_status get_object(const json_t **value, const json_t *object, const char *key)
{
    *value = json_object_get(object, key);
    return json_is_object(*value) ? OSC_OK : osc_fail(OSC_EFORMAT, "'%s' is no object", key);
}

/* An array of `count` values; SIZE_MAX: of any number. */
static osc_status get_array(const json_t **value, const json_t *object, const char *key,
                            size_t count)
{
    *value = json_object_get(object, key);
    if (!json_is_array(*value))
        return osc_fail(OSC_EFORMAT, "'%s' is no array", key);
    size_t found = json_array_size(*value);
    if (count != SIZE_MAX && found != count)
        return osc_fail(OSC_EFORMAT, "'%s' has %zu values, expected %zu", key, found, count);
    return OSC_OK;
}

/* null: what was not finite. */
static osc_status read_number(double *number, const json_t *value, const char *key)
{
    if (!json_is_number(value) && !json_is_null(value))
        return osc_fail(OSC_EFORMAT, "'%s' is no number", key);
    *number = json_is_null(value) ? NAN : json_number_value(value);
    return OSC_OK;
}

static osc_status read_numbers(double *numbers, const json_t *array, const char *key)
{
    for (size_t i = 0; i < json_array_size(array); i++)
        OSC_TRY(read_number(&numbers[i], json_array_get(array, i), key));
    return OSC_OK;
}

static osc_status read_features(uint32_t *feature, const json_t *array, const char *key)
{
    for (size_t i = 0; i < json_array_size(array); i++) {
        const json_t *value = json_array_get(array, i);
        json_int_t number = json_integer_value(value);
        if (!json_is_integer(value) || number < 0 || number > UINT32_MAX)
            return osc_fail(OSC_EFORMAT, "'%s' has something that is no feature at %zu", key, i);
        feature[i] = (uint32_t)number;
    }
    return OSC_OK;
}

/* --- shapes: checked before room is made for them ------------------------------------ */

/* [rows, columns] */
static osc_status check_matrix(const json_t *object, const char *key, size_t rows, size_t columns)
{
    const json_t *matrix;
    OSC_TRY(get_array(&matrix, object, key, rows));
    for (size_t i = 0; i < rows; i++) {
        const json_t *row = json_array_get(matrix, i);
        if (!json_is_array(row) || json_array_size(row) != columns)
            return osc_fail(OSC_EFORMAT, "'%s' is not of %zu times %zu values", key, rows, columns);
    }
    return OSC_OK;
}

static osc_status check_random(const json_t *random, size_t draws, size_t size, size_t layers)
{
    const json_t *array;
    OSC_TRY(get_array(&array, random, "perplexity", draws));
    OSC_TRY(get_array(&array, random, "nll", draws));
    OSC_TRY(check_matrix(random, "features", draws, size));
    OSC_TRY(check_matrix(random, "top1", draws, layers));
    return check_matrix(random, "top1_later", draws, layers);
}

static osc_status check_cell(const json_t *cell, size_t layers)
{
    const json_t *array;
    OSC_TRY(get_array(&array, cell, "top1", layers));
    return get_array(&array, cell, "top1_later", layers);
}

static osc_status check_steps(const ablation *a, const json_t *steps)
{
    size_t count = a->features > 0 ? a->features : 1;
    if (json_array_size(steps) != count)
        return osc_fail(OSC_EFORMAT, "'cumulative' has %zu steps for %zu features",
                        json_array_size(steps), a->features);
    for (size_t s = 0; s < count; s++) {
        const json_t *random, *step = json_array_get(steps, s);
        OSC_TRY(get_object(&random, step, "random"));
        OSC_TRY(check_cell(step, a->layers));
        OSC_TRY(check_random(random, a->draws, a->features > 0 ? s + 1 : 0, a->layers));
    }
    return OSC_OK;
}

static osc_status find_shapes(ablation *a, const json_t *root)
{
    const json_t *baseline, *chosen, *random, *array, *steps = json_object_get(root, "cumulative");
    OSC_TRY(get_array(&array, root, "features", SIZE_MAX));
    a->features = json_array_size(array);
    OSC_TRY(get_array(&array, root, "magnitudes", a->features));
    OSC_TRY(get_object(&baseline, root, "baseline"));
    OSC_TRY(get_object(&chosen, root, "zeroed"));
    OSC_TRY(get_object(&random, root, "random"));
    OSC_TRY(get_array(&array, baseline, "top1", SIZE_MAX));
    a->layers = json_array_size(array);
    OSC_TRY(get_array(&array, random, "perplexity", SIZE_MAX));
    a->draws = json_array_size(array);
    if (a->layers == 0)
        return osc_fail(OSC_EFORMAT, "'top1' is empty");
    OSC_TRY(check_cell(baseline, a->layers));
    OSC_TRY(check_cell(chosen, a->layers));
    OSC_TRY(check_random(random, a->draws, a->features, a->layers));
    a->cumulative = json_is_array(steps);
    return a->cumulative ? check_steps(a, steps) : OSC_OK;
}

/* --- cells --------------------------------------------------------------------------- */

static osc_status read_cell(ablation_cell *cell, const json_t *object)
{
    OSC_TRY(read_number(&cell->perplexity, json_object_get(object, "perplexity"), "perplexity"));
    OSC_TRY(read_number(&cell->nll, json_object_get(object, "nll"), "nll"));
    OSC_TRY(read_numbers(cell->top1, json_object_get(object, "top1"), "top1"));
    return read_numbers(cell->later, json_object_get(object, "top1_later"), "top1_later");
}

static const json_t *item(const json_t *object, const char *key, size_t index)
{
    return json_array_get(json_object_get(object, key), index);
}

static osc_status read_random(ablation *a, const json_t *random, size_t step)
{
    for (size_t d = 0; d < a->draws; d++) {
        ablation_cell *cell = ablation_draw(a, d, step);
        OSC_TRY(read_number(&cell->perplexity, item(random, "perplexity", d), "perplexity"));
        OSC_TRY(read_number(&cell->nll, item(random, "nll", d), "nll"));
        OSC_TRY(read_numbers(cell->top1, item(random, "top1", d), "top1"));
        OSC_TRY(read_numbers(cell->later, item(random, "top1_later", d), "top1_later"));
    }
    return OSC_OK;
}

static osc_status read_sets(ablation *a, const json_t *root)
{
    const json_t *random = json_object_get(root, "random");
    const json_t *magnitudes = json_object_get(root, "magnitudes");
    OSC_TRY(read_features(a->feature, json_object_get(root, "features"), "features"));
    for (size_t i = 0; i < a->features; i++) {
        double magnitude = NAN;
        OSC_TRY(read_number(&magnitude, json_array_get(magnitudes, i), "magnitudes"));
        a->magnitude[i] = (float)magnitude;
    }
    for (size_t d = 0; d < a->draws; d++)
        OSC_TRY(read_features(a->drawn + d * a->features, item(random, "features", d),
                              "features"));
    return OSC_OK;
}

static osc_status read_cells(ablation *a, const json_t *root)
{
    OSC_TRY(read_cell(ablation_baseline(a), json_object_get(root, "baseline")));
    if (!a->cumulative) {
        OSC_TRY(read_cell(ablation_chosen(a, 0), json_object_get(root, "zeroed")));
        return read_random(a, json_object_get(root, "random"), 0);
    }
    for (size_t s = 0; s < a->steps; s++) {
        const json_t *step = item(root, "cumulative", s);
        OSC_TRY(read_cell(ablation_chosen(a, s), step));
        OSC_TRY(read_random(a, json_object_get(step, "random"), s));
    }
    return OSC_OK;
}

/* --- the rest ------------------------------------------------------------------------ */

static osc_status read_provenance(ablation *a, const json_t *root)
{
    char options[sizeof a->scheme];
    OSC_TRY(get_text(a->tool, sizeof a->tool, root, "tool"));
    OSC_TRY(get_text(a->command, sizeof a->command, root, "command"));
    OSC_TRY(get_text(a->model, sizeof a->model, root, "model"));
    OSC_TRY(get_text(a->backend, sizeof a->backend, root, "backend"));
    OSC_TRY(get_text(a->weights, sizeof a->weights, root, "weights_sha256"));
    OSC_TRY(get_text(a->tokenizer, sizeof a->tokenizer, root, "tokenizer_sha256"));
    OSC_TRY(get_text(a->text, sizeof a->text, root, "text_sha256"));
    OSC_TRY(get_text(a->chosen_by, sizeof a->chosen_by, root, "chosen_by"));
    OSC_TRY(get_text(a->scheme, sizeof a->scheme, root, "scheme"));
    OSC_TRY(get_text(options, sizeof options, root, "options"));
    size_t used = strlen(a->scheme);
    if (options[0] != '\0')
        snprintf(a->scheme + used, sizeof a->scheme - used, ":%s", options);
    return OSC_OK;
}

static osc_status read_points(ablation *a, const json_t *root)
{
    const json_t *points;
    OSC_TRY(get_array(&points, root, "points", SIZE_MAX));
    for (size_t i = 0; i < json_array_size(points); i++) {
        const char *name = json_string_value(json_array_get(points, i));
        osc_point point;
        if (name == NULL || osc_point_parse(&point, name) != OSC_OK)
            return osc_fail(OSC_EFORMAT, "'points' has something that is no hook point");
        a->points |= 1u << point;
    }
    return OSC_OK;
}

static osc_status read_choices(ablation *a, const json_t *root)
{
    static const char *protocols[OSC_PROTOCOL_COUNT];
    size_t mode = 0, pool = 0, protocol = 0, seed = 0;
    for (size_t p = 0; p < OSC_PROTOCOL_COUNT; p++)
        protocols[p] = osc_protocol_name((osc_protocol)p);
    OSC_TRY(get_name(&mode, root, "mode", ablation_mode_names, ABLATION_MODE_COUNT));
    OSC_TRY(get_name(&pool, root, "pool", ablation_pool_names, ABLATION_POOL_COUNT));
    OSC_TRY(get_name(&protocol, root, "protocol", protocols, OSC_PROTOCOL_COUNT));
    a->mode = (ablation_mode)mode;
    a->pool = (ablation_pool)pool;
    a->protocol = (osc_protocol)protocol;
    a->bos = (int32_t)json_integer_value(json_object_get(root, "bos"));
    OSC_TRY(osc_json_get_size(&seed, root, "seed"));
    a->seed = seed;
    OSC_TRY(osc_json_get_size(&a->sequences, root, "sequences"));
    OSC_TRY(osc_json_get_size(&a->length, root, "sequence_length"));
    OSC_TRY(osc_json_get_size(&a->scored, root, "scored"));
    OSC_TRY(osc_json_get_size(&a->pool_size, root, "pool_size"));
    return osc_json_get_double(&a->alpha, root, "alpha");
}

static osc_status parse(ablation *a, const json_t *root)
{
    OSC_TRY(read_provenance(a, root));
    OSC_TRY(read_choices(a, root));
    OSC_TRY(read_points(a, root));
    OSC_TRY(find_shapes(a, root));
    OSC_TRY(ablation_allocate(a));
    OSC_TRY(read_sets(a, root));
    return read_cells(a, root);
}

osc_status ablation_parse(ablation *a, const json_t *root)
{
    ablation read = { .cumulative = false };
    if (!json_is_object(root))
        return osc_fail(OSC_EFORMAT, "not the result of an ablation");
    osc_status status = parse(&read, root);
    if (status != OSC_OK) {
        ablation_free(&read);
        return status;
    }
    *a = read;
    return OSC_OK;
}

/* Section 9 of DESIGN.md has no keys for `emergence`; these are described in
 * docs/emergence.md. */
#include <config.h>
#include "analyses/emergence.h"

#include <math.h>

#include "analyses/jsonout.h"
#include "analyses/published.h"

/* Takes `value` over, also when it fails; NULL is memory that could not be had. */
static bool put(json_t *object, const char *key, json_t *value)
{
    return value != NULL && json_object_set_new(object, key, value) == 0;
}

/* Appends what `make` makes for 0 .. count-1; NULL when out of memory. */
static json_t *array_of(json_t *(*make)(const emergence_set *set, const emergence_family *family,
                                        size_t i),
                        const emergence_set *set, const emergence_family *family, size_t count)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count && array != NULL; i++) {
        if (json_array_append_new(array, make(set, family, i)) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

/* --- points ------------------------------------------------------------------------------ */

static json_t *quantity(emergence_quantity q, double value)
{
    bool whole = q == EMERGENCE_PARAMETERS || emergence_quantities[q].whole;
    return whole && isfinite(value) ? json_integer((json_int_t)value) : json_out_number(value);
}

static json_t *point_object(const emergence_set *set, const emergence_family *family, size_t i)
{
    const emergence_point *p = &family->point[i];
    bool record = family == &set->records, good = true;
    json_t *object = json_object();
    good = object != NULL && put(object, "model", json_out_text(record ? set->result[i].model
                                                                       : p->name));
    for (size_t q = 0; q < EMERGENCE_QUANTITIES && good; q++)
        good = put(object, emergence_quantities[q].key, quantity((emergence_quantity)q,
                                                                 p->value[q]));
    if (good && record)
        good = put(object, "label", json_out_text(p->name))
            && put(object, "alpha", json_out_number(set->result[i].info.alpha))
            && put(object, "complete", json_boolean(!p->incomplete))
            && put(object, "record", json_out_text(set->result[i].path));
    if (good && !record)
        good = put(object, "source", json_string(published_source));
    if (!good) {
        json_decref(object);
        return NULL;
    }
    return object;
}

/* --- relations ----------------------------------------------------------------------------- */

static json_t *parameter_objects(const fit_result *fit)
{
    json_t *object = json_object();
    for (size_t i = 0; i < fit->parameters && object != NULL; i++) {
        json_t *interval = json_pack("{s:o, s:o, s:o}", "value", json_out_number(fit->value[i]),
                                     "low", json_out_number(fit->low[i]),
                                     "high", json_out_number(fit->high[i]));
        if (!put(object, fit_parameter_name(fit->form, i), interval)) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

static json_t *fit_object(const emergence_relation *r, const fit_result *fit)
{
    if (fit->refused[0] != '\0')
        return json_pack("{s:s, s:s}", "form", fit_form_name(fit->form), "refused", fit->refused);
    return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:[o, o]}",
                     "form", fit_form_name(fit->form),
                     "of", emergence_quantities[r->x].log ? "log10" : "value",
                     "confidence", json_out_number(0.95), "origin", json_out_number(fit->origin),
                     "parameters", parameter_objects(fit),
                     "residual", json_out_number(fit->residual),
                     "range", json_out_number(fit->x_low), json_out_number(fit->x_high));
}

static json_t *relation_object(const emergence_set *set, const emergence_family *family,
                               size_t i)
{
    (void)set;
    const emergence_relation *r = &emergence_relations[i];
    const emergence_outcome *o = &family->outcome[i];
    const char *method = ranks_method_name(o->ranks.method);
    const char *refused = o->ranks.refused[0] != '\0' ? o->ranks.refused : NULL;
    return json_pack("{s:s, s:s, s:o, s:I, s:o, s:o, s:o, s:o, s:o, s:o}",
                     "x", emergence_quantities[r->x].key, "y", emergence_quantities[r->y].key,
                     "figure", json_out_text(r->figure < 0 ? NULL
                                                           : emergence_figures[r->figure].key),
                     "n", (json_int_t)o->ranks.n,
                     "spearman", json_out_number(o->ranks.rho), "p", json_out_number(o->ranks.p),
                     "p_method", json_out_text(method),
                     "least_p", json_out_number(o->ranks.least_p),
                     "refused", json_out_text(refused), "fit", fit_object(r, &o->fit));
}

/* --- all of it ----------------------------------------------------------------------------- */

static void add_note(void *user, const char *text)
{
    json_array_append_new(user, json_out_text(text));
}

static json_t *note_array(const emergence_set *set)
{
    json_t *array = json_array();
    if (array != NULL)
        emergence_cautions(set, add_note, array);
    return array;
}

static json_t *rule_object(const emergence_set *set)
{
    const feature_rule *rule = &set->options.outliers.rule;
    return json_pack("{s:s, s:s, s:o, s:o, s:s, s:I}",
                     "layers_rule", layers_rule_names[rule->layers],
                     "positions_rule", positions_rule_names[rule->positions],
                     "min_layers", json_out_number(rule->min_layers),
                     "min_positions", json_out_number(rule->min_positions),
                     "shares", set->options.mean ? "mean" : "common",
                     "seed", (json_int_t)set->options.seed);
}

osc_status emergence_write_json(const emergence_set *set, FILE *out)
{
    const emergence_family *own = &set->records, *paper = &set->published;
    json_t *root = json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:o}",
        "points", array_of(point_object, set, own, own->count),
        "relations", array_of(relation_object, set, own, EMERGENCE_RELATIONS),
        "published", array_of(point_object, set, paper, paper->count),
        "published_relations", array_of(relation_object, set, paper,
                                        paper->count > 0 ? EMERGENCE_RELATIONS : 0),
        "rule", rule_object(set), "notes", note_array(set));
    return json_out_write(root, out);
}

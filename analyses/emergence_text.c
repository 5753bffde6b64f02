/* Sentences of the command `emergence`. */
#include <config.h>
#include "analyses/emergence.h"

#include <math.h>
#include <string.h>

#include "analyses/record_text.h"

const char emergence_measures[] =
    "He kurtosis over neurons and max/median ratio (MMR; He et al. 2024): of block inputs, the "
    "block with the largest. Inf-norm, that of the largest module, and kurtosis, mean over "
    "modules: of module outputs (Bondarenko et al. 2023). Massive features: with activations "
    "|x| > 100 and 1000 times the median (Sun et al. 2024).";

/* --- relations ---------------------------------------------------------------------------- */

const char *emergence_relation_text(char *text, size_t size, const emergence_relation *r)
{
    snprintf(text, size, "%s by %s", emergence_quantities[r->y].header,
             emergence_quantities[r->x].key);
    return text;
}

const char *emergence_ranks_text(char *text, size_t size, const ranks_result *ranks)
{
    const char *method = ranks_method_name(ranks->method);
    if (method == NULL)
        snprintf(text, size, "no rank correlation: %s", ranks->refused);
    else
        snprintf(text, size, "rho = %.3f, p = %.2g (%s, n = %zu)", ranks->rho, ranks->p, method,
                 ranks->n);
    return text;
}

static bool is_named(const fit_result *fit, size_t i, const char *name)
{
    return strcmp(fit_parameter_name(fit->form, i), name) == 0;
}

/* A value of a parameter, in the units of the tables. */
static void value_text(char *text, size_t size, double value, bool is_size, double scale)
{
    if (is_size && value < 18)
        record_parameters_text(text, size, (uint64_t)pow(10, value));
    else
        snprintf(text, size, "%.3g", scale * value);
}

/* "midpoint 1.2B [570M, 2.5B]"; returns what snprintf does. */
static size_t parameter_text(char *text, size_t size, const emergence_relation *r,
                             const fit_result *fit, size_t i)
{
    const char *unit = emergence_quantities[r->y].unit;
    bool is_size = emergence_quantities[r->x].log && is_named(fit, i, "midpoint");
    bool is_level = is_named(fit, i, "ceiling") || is_named(fit, i, "amplitude");
    const double value[3] = { fit->value[i], fit->low[i], fit->high[i] };
    char part[3][32];
    if (!is_level)
        unit = NULL;
    for (int j = 0; j < 3; j++)
        value_text(part[j], sizeof part[j], value[j], is_size, unit != NULL ? 100 : 1);
    return (size_t)snprintf(text, size, "%s %s [%s, %s]%s%s", fit_parameter_name(fit->form, i),
                            part[0], part[1], part[2], unit != NULL ? " " : "",
                            unit != NULL ? unit : "");
}

const char *emergence_parameters_text(char *text, size_t size, const emergence_relation *r,
                                      const fit_result *fit)
{
    size_t used = 0;
    snprintf(text, size, "-");
    for (size_t i = 0; i < (fit->refused[0] == '\0' ? fit->parameters : 0) && used < size; i++) {
        if (i > 0)
            used += (size_t)snprintf(text + used, size - used, ", ");
        if (used < size)
            used += parameter_text(text + used, size - used, r, fit, i);
    }
    return text;
}

const char *emergence_fit_text(char *text, size_t size, const emergence_relation *r,
                               const fit_result *fit)
{
    char parameters[384];
    if (fit->refused[0] != '\0')
        snprintf(text, size, "no curve: %s", fit->refused);
    else
        snprintf(text, size, "%s, %s", fit_form_name(fit->form),
                 emergence_parameters_text(parameters, sizeof parameters, r, fit));
    return text;
}

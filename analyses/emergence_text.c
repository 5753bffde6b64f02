/* Sentences of the command `emergence`. */
#include <config.h>
#include "analyses/emergence.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "analyses/record_text.h"

/* Appends as far as there is room. */
__attribute__((format(printf, 3, 4)))
static void append(char *text, size_t size, const char *format, ...)
{
    size_t used = strlen(text);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text + used, size - used, format, arguments);
    va_end(arguments);
}

/* --- relations ---------------------------------------------------------------------------- */

const char *emergence_relation_text(char *text, size_t size, const emergence_relation *r)
{
    snprintf(text, size, "%s by %s", emergence_quantities[r->y].key,
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

const char *emergence_parameter_text(char *text, size_t size, const emergence_relation *r,
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
    snprintf(text, size, "%s %s [%s, %s]%s%s", fit_parameter_name(fit->form, i), part[0], part[1],
             part[2], unit != NULL ? " " : "", unit != NULL ? unit : "");
    return text;
}

const char *emergence_fit_text(char *text, size_t size, const emergence_relation *r,
                               const fit_result *fit)
{
    char part[128];
    if (fit->refused[0] != '\0') {
        snprintf(text, size, "no curve: %s", fit->refused);
        return text;
    }
    snprintf(text, size, "%s", fit_form_name(fit->form));
    for (size_t i = 0; i < fit->parameters; i++)
        append(text, size, ", %s", emergence_parameter_text(part, sizeof part, r, fit, i));
    return text;
}

#include <config.h>
#include "analyses/fit_forms.h"

#include <math.h>
#include <stdio.h>

enum { MIDPOINT, SLOPE, CEILING };
enum { RATE, AMPLITUDE };

/* --- forms --------------------------------------------------------------------------- */

static double logistic_unit(const double *p, double x)
{
    return 1 / (1 + exp(-p[SLOPE] * (x - p[MIDPOINT])));
}

static void logistic_unit_gradient(const double *p, double x, double *out)
{
    double share = logistic_unit(p, x), steep = share * (1 - share);
    out[MIDPOINT] = -p[SLOPE] * steep;
    out[SLOPE] = (x - p[MIDPOINT]) * steep;
}

static double logistic(const double *p, double x)
{
    return p[CEILING] * logistic_unit(p, x);
}

static void logistic_gradient(const double *p, double x, double *out)
{
    logistic_unit_gradient(p, x, out);
    out[MIDPOINT] *= p[CEILING];
    out[SLOPE] *= p[CEILING];
    out[CEILING] = logistic_unit(p, x);
}

static double exponential(const double *p, double x)
{
    return p[AMPLITUDE] * exp(-p[RATE] * x);
}

static void exponential_gradient(const double *p, double x, double *out)
{
    out[AMPLITUDE] = exp(-p[RATE] * x);
    out[RATE] = -x * exponential(p, x);
}

const fit_model fit_models[FIT_FORM_COUNT] = {
    [FIT_LOGISTIC_UNIT] = { "logistic", 2, { "midpoint", "slope" }, false,
                            logistic_unit, logistic_unit_gradient },
    [FIT_LOGISTIC]      = { "logistic", 3, { "midpoint", "slope", "ceiling" }, false,
                            logistic, logistic_gradient },
    [FIT_EXPONENTIAL]   = { "exponential", 2, { "rate", "amplitude" }, true,
                            exponential, exponential_gradient },
};

/* --- where to start -------------------------------------------------------------------- */

/* Solves for the linear parameter, if there is one; returns the sum of squares. */
static double complete(const fit_result *fit, double *trial, const double *x, const double *y)
{
    const fit_model *model = &fit_models[fit->form];
    double *linear = fit->form == FIT_LOGISTIC_UNIT ? NULL : &trial[model->parameters - 1];
    double across = 0, along = 0, squares = 0;
    if (linear != NULL) {
        *linear = 1;
        for (size_t i = 0; i < fit->n; i++) {
            double shape = model->value(trial, x[i] - fit->origin);
            across += shape * y[i];
            along += shape * shape;
        }
        *linear = across / along;
    }
    for (size_t i = 0; i < fit->n; i++)
        squares += pow(model->value(trial, x[i] - fit->origin) - y[i], 2);
    return squares;
}

/* Takes the trial if it is the best so far. */
static void consider(fit_result *fit, double *best, double first, double second, const double *x,
                     const double *y)
{
    double trial[FIT_PARAMETERS_MOST] = { first, second };
    double squares = complete(fit, trial, x, y);
    if (!(squares < *best))
        return;
    *best = squares;
    for (size_t i = 0; i < fit->parameters; i++)
        fit->value[i] = trial[i];
}

void fit_start(fit_result *fit, const double *x, const double *y)
{
    double width = fit->x_high - fit->x_low, best = INFINITY;
    for (int i = 0; i < 32; i++) {
        double steep = 0.1 / width * pow(1.25, i);   /* 0.1 to 100 over the whole range */
        if (fit->form == FIT_EXPONENTIAL) {
            consider(fit, &best, steep, 0, x, y);
            consider(fit, &best, -steep, 0, x, y);
            continue;
        }
        for (int j = -20; j <= 60; j++) {            /* half a width beyond either end */
            double midpoint = fit->x_low + width * j / 40.0;
            consider(fit, &best, midpoint, steep, x, y);
            consider(fit, &best, midpoint, -steep, x, y);
        }
    }
}

/* --- what the points cannot tell --------------------------------------------------------- */

/* Is the curve within 1 % of a level that it approaches? */
static bool flat(const fit_result *fit, double x)
{
    if (fit->form == FIT_EXPONENTIAL) {
        double top = fit->value[RATE] > 0 ? fit->x_low : fit->x_high;
        return exp(-fit->value[RATE] * (x - top)) < 0.01;
    }
    double share = logistic_unit(fit->value, x);
    return share < 0.01 || share > 0.99;
}

/* Where a curve is flat its steepness leaves no trace, and at one place alone it
 * cannot be told from a shift. */
static bool steepness_shows(const fit_result *fit, const double *x)
{
    double seen = NAN;
    for (size_t i = 0; i < fit->n; i++) {
        if (flat(fit, x[i]))
            continue;
        if (!isnan(seen) && x[i] != seen)
            return true;
        seen = x[i];
    }
    return false;
}

bool fit_shows_nothing(const fit_result *fit)
{
    size_t steepness = fit->form == FIT_EXPONENTIAL ? RATE : SLOPE;
    return fit->refused[0] == '\0' && fit->low[steepness] <= 0 && fit->high[steepness] >= 0;
}

void fit_doubt(fit_result *fit, const double *x)
{
    const char *why = "";
    if (!steepness_shows(fit, x))
        why = "the rise lies between two x: the steepness is not determined";
    else if (fit->form == FIT_LOGISTIC && (fit->value[MIDPOINT] < fit->x_low
                                           || fit->value[MIDPOINT] > fit->x_high))
        why = "no bend within the points: the ceiling is not determined";
    snprintf(fit->refused, sizeof fit->refused, "%s", why);
}

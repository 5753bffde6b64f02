/* Least squares with GSL's Levenberg-Marquardt.  The start is found on a grid over the
 * parameters that enter nonlinearly; the linear one (ceiling, amplitude) is solved for
 * at each place of the grid, so no guess about the data is needed. */
#include <config.h>
#include "analyses/fit.h"

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_errno.h>
#include <gsl/gsl_multifit_nlinear.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyses/fit_forms.h"

enum { ITERATIONS = 500 };
static const double confidence = 0.95;

typedef struct {
    const fit_model *model;
    const double    *x, *y;
    size_t           n;
    double           origin;
} problem;

const char *fit_form_name(fit_form form)
{
    return fit_models[form].name;
}

size_t fit_form_parameters(fit_form form)
{
    return fit_models[form].parameters;
}

const char *fit_parameter_name(fit_form form, size_t parameter)
{
    return fit_models[form].parameter[parameter];
}

static void refuse(fit_result *r, const char *why)
{
    snprintf(r->refused, sizeof r->refused, "%s", why);
}

/* --- what can be said before fitting --------------------------------------------- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* SIZE_MAX when out of memory. */
static size_t distinct(const double *value, size_t n)
{
    double *sorted = osc_alloc(n, sizeof *sorted);
    if (sorted == NULL)
        return SIZE_MAX;
    size_t count = n > 0;
    if (n > 0)
        memcpy(sorted, value, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, by_value);
    for (size_t i = 1; i < n; i++)
        count += sorted[i] != sorted[i - 1];
    osc_free(sorted);
    return count;
}

/* One distinct x more than parameters: fewer leave nothing to tell a good curve from
 * a bad one. */
static osc_status check(fit_result *r, const problem *p)
{
    size_t places = distinct(p->x, p->n), levels = distinct(p->y, p->n);
    if (places == SIZE_MAX || levels == SIZE_MAX)
        return OSC_ENOMEM;
    if (places <= r->parameters)
        snprintf(r->refused, sizeof r->refused,
                 "%zu distinct x in %zu point%s; %zu parameters need at least %zu", places, p->n,
                 p->n == 1 ? "" : "s", r->parameters, r->parameters + 1);
    else if (levels == 1)
        refuse(r, "all values of y are equal");
    return OSC_OK;
}

/* --- fitting ----------------------------------------------------------------------- */

static int residuals(const gsl_vector *parameters, void *user, gsl_vector *out)
{
    const problem *p = user;
    for (size_t i = 0; i < p->n; i++)
        gsl_vector_set(out, i, p->model->value(parameters->data, p->x[i] - p->origin) - p->y[i]);
    return GSL_SUCCESS;
}

static int jacobian(const gsl_vector *parameters, void *user, gsl_matrix *out)
{
    const problem *p = user;
    for (size_t i = 0; i < p->n; i++)
        p->model->gradient(parameters->data, p->x[i] - p->origin, gsl_matrix_ptr(out, i, 0));
    return GSL_SUCCESS;
}

/* Parameters and the covariance of unit errors from a workspace that has converged. */
static void take(fit_result *r, const gsl_multifit_nlinear_workspace *work)
{
    gsl_matrix_view covariance = gsl_matrix_view_array_with_tda(
        &r->covariance[0][0], r->parameters, r->parameters, FIT_PARAMETERS_MOST);
    double rcond = 0;
    memcpy(r->value, work->x->data, r->parameters * sizeof *r->value);
    if (gsl_multifit_nlinear_rcond(&rcond, work) != GSL_SUCCESS || !(rcond > 1e-10)
        || gsl_multifit_nlinear_covar(gsl_multifit_nlinear_jac(work), 0, &covariance.matrix)
           != GSL_SUCCESS)
        refuse(r, "the points do not determine all parameters (singular)");
}

static void descend(fit_result *r, gsl_multifit_nlinear_workspace *work, problem *p)
{
    gsl_multifit_nlinear_fdf fdf = {
        .f = residuals, .df = jacobian, .n = p->n, .p = r->parameters, .params = p,
    };
    gsl_vector_view start = gsl_vector_view_array(r->value, r->parameters);
    int info = 0;
    if (gsl_multifit_nlinear_init(&start.vector, &fdf, work) != GSL_SUCCESS
        || gsl_multifit_nlinear_driver(ITERATIONS, 1e-10, 1e-10, 0, NULL, NULL, &info, work)
           != GSL_SUCCESS)
        refuse(r, "the iteration did not converge");
    else
        take(r, work);
}

static osc_status solve(fit_result *r, problem *p)
{
    gsl_multifit_nlinear_parameters options = gsl_multifit_nlinear_default_parameters();
    gsl_multifit_nlinear_workspace *work =
        gsl_multifit_nlinear_alloc(gsl_multifit_nlinear_trust, &options, p->n, r->parameters);
    if (work == NULL)
        return osc_fail(OSC_ENOMEM, "out of memory for a fit of %zu points", p->n);
    descend(r, work, p);
    gsl_multifit_nlinear_free(work);
    return OSC_OK;
}

/* --- what the fit says ------------------------------------------------------------- */

/* Turns the covariance of unit errors into that of the residuals'. */
static void judge(fit_result *r, const problem *p)
{
    double squares = 0, freedom = (double)(p->n - r->parameters);
    for (size_t i = 0; i < p->n; i++)
        squares += pow(fit_at(r, p->x[i], NULL) - p->y[i], 2);
    r->residual = sqrt(squares / freedom);
    r->t = gsl_cdf_tdist_Pinv(0.5 + confidence / 2, freedom);
    for (size_t i = 0; i < r->parameters; i++)
        for (size_t j = 0; j < r->parameters; j++)
            r->covariance[i][j] *= squares / freedom;
    for (size_t i = 0; i < r->parameters; i++) {
        double half = r->t * sqrt(r->covariance[i][i]);
        r->low[i] = r->value[i] - half;
        r->high[i] = r->value[i] + half;
        if (!isfinite(r->value[i]) || !isfinite(half))
            refuse(r, "the points do not determine all parameters (singular)");
    }
    if (r->refused[0] == '\0')
        fit_doubt(r, p->x);
}

static void find_range(fit_result *r, problem *p)
{
    r->x_low = INFINITY;
    r->x_high = -INFINITY;
    for (size_t i = 0; i < p->n; i++) {
        r->x_low = fmin(r->x_low, p->x[i]);
        r->x_high = fmax(r->x_high, p->x[i]);
    }
    r->origin = p->origin = p->model->from_lowest ? r->x_low : 0;
}

osc_status fit_curve(fit_result *result, fit_form form, const double *x, const double *y,
                     size_t n)
{
    problem p = { .model = &fit_models[form], .x = x, .y = y, .n = n };
    fit_result r = { .form = form, .n = n, .parameters = p.model->parameters };
    OSC_TRY(check(&r, &p));
    if (r.refused[0] == '\0') {
        find_range(&r, &p);
        fit_start(&r, x, y);
        gsl_error_handler_t *handler = gsl_set_error_handler_off();
        osc_status status = solve(&r, &p);
        gsl_set_error_handler(handler);
        OSC_TRY(status);
    }
    if (r.refused[0] == '\0')
        judge(&r, &p);
    *result = r;
    return OSC_OK;
}

double fit_at(const fit_result *fit, double x, double *half)
{
    const fit_model *model = &fit_models[fit->form];
    if (half != NULL) {
        double gradient[FIT_PARAMETERS_MOST], variance = 0;
        model->gradient(fit->value, x - fit->origin, gradient);
        for (size_t i = 0; i < fit->parameters; i++)
            for (size_t j = 0; j < fit->parameters; j++)
                variance += gradient[i] * fit->covariance[i][j] * gradient[j];
        *half = fit->t * sqrt(fmax(variance, 0));
    }
    return model->value(fit->value, x - fit->origin);
}

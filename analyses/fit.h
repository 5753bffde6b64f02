/* Curves of known form through points, by nonlinear least squares, with confidence
 * intervals; a curve that the points cannot support is refused with the reason. */
#ifndef ANALYSES_FIT_H
#define ANALYSES_FIT_H

#include "osc.h"

typedef enum {
    FIT_LOGISTIC_UNIT,   /* 1 / (1 + exp(-slope (x - midpoint))): shares, whose ceiling is 1 */
    FIT_LOGISTIC,        /* ceiling / (1 + exp(-slope (x - midpoint))) */
    FIT_EXPONENTIAL,     /* amplitude exp(-rate (x - origin)); origin: the lowest x */
    FIT_FORM_COUNT
} fit_form;

enum { FIT_PARAMETERS_MOST = 3 };

typedef struct {
    fit_form form;
    size_t   n, parameters;                          /* points, parameters of the form */
    double   value[FIT_PARAMETERS_MOST];
    double   low[FIT_PARAMETERS_MOST], high[FIT_PARAMETERS_MOST];   /* 95 % confidence */
    double   covariance[FIT_PARAMETERS_MOST][FIT_PARAMETERS_MOST];
    double   t;                 /* quantile of Student's t for 95 %, n - parameters degrees */
    double   residual;          /* standard deviation about the curve, same degrees */
    double   origin;            /* 0 for the logistic forms */
    double   x_low, x_high;     /* the range of the points: the curve says nothing outside */
    char     refused[160];      /* why there is no curve; "" if there is one */
} fit_result;

/* "logistic", "exponential". */
const char *fit_form_name(fit_form form);
/* "midpoint", "slope", ...: of parameter 0 .. fit_form_parameters(form) - 1. */
const char *fit_parameter_name(fit_form form, size_t parameter);
size_t fit_form_parameters(fit_form form);

/* Fits `n` points of finite numbers.  A refused fit is no error.  OSC_ENOMEM. */
osc_status fit_curve(fit_result *result, fit_form form, const double *x, const double *y,
                     size_t n);

/* Is there a curve, but the interval of its slope or rate holds 0? */
bool fit_shows_nothing(const fit_result *fit);

/* The curve at x and the half width of its pointwise 95 % band (delta method; may be
 * NULL).  Only for results that were not refused. */
double fit_at(const fit_result *fit, double x, double *half);

#endif

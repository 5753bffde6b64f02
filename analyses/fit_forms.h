/* The forms of curves: for fit.c alone. */
#ifndef ANALYSES_FIT_FORMS_H
#define ANALYSES_FIT_FORMS_H

#include "analyses/fit.h"

/* x is counted from fit->origin. */
typedef struct {
    const char *name;
    size_t      parameters;
    const char *parameter[FIT_PARAMETERS_MOST];   /* a linear one, if any, is the last */
    bool        from_lowest;                      /* origin: the lowest x of the points, else 0 */
    double    (*value)(const double *parameter, double x);
    void      (*gradient)(const double *parameter, double x, double *out);   /* d value / d p */
} fit_model;

extern const fit_model fit_models[FIT_FORM_COUNT];

/* Sets fit->value to where the iteration starts; x_low and x_high are known. */
void fit_start(fit_result *fit, const double *x, const double *y);

/* Refuses a fit that has converged to something that the points cannot tell. */
void fit_doubt(fit_result *fit, const double *x);

#endif

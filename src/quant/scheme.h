/* Matmul schemes: how a linear layer multiplies.  One file per scheme, one line in
 * schemes.c.  A scheme owns its code type and the form of its weights; nothing
 * outside this folder and a backend's kernels knows that codes are int8. */
#ifndef OSC_QUANT_SCHEME_H
#define OSC_QUANT_SCHEME_H

#include <stddef.h>

#include "backend/backend.h"
#include "base/spec.h"
#include "base/status.h"
#include "tensor/tensor.h"

typedef struct osc_scheme osc_scheme;

/* A scheme with its options: what "--scheme llm-int8:threshold=6" means. */
typedef struct {
    const osc_scheme *scheme;
    char              text[256];     /* name and options as given, for records */
    osc_coding        coding;        /* of schemes that multiply codes; else all zero */
    char              columns[256];  /* OSC_REMOVE_FIXED: the file of columns (columns.h) */
} osc_scheme_choice;

/* One linear layer ready to multiply: y = act(x w^T + bias). */
typedef struct {
    const osc_scheme_choice *choice;
    size_t n, k;                     /* outputs, inputs */
    size_t layer;                    /* block */
    const char *input;               /* hook point of x: "fc1_in"; static */
    void  *weight;                   /* bytes(n, k) of device memory, the scheme's own form */
    void  *bias;                     /* [n] in the backend's dtype, or NULL */
    const osc_tensor *stored;        /* not NULL: the stored weight, to be multiplied as it is */
} osc_linear;

/* One of several products of the same x: y = act(x w^T + bias); if `plus` is not NULL then
 * plus += y, and y is scratch. */
typedef struct {
    const osc_linear *linear;
    void   *y, *plus;
    osc_act act;
} osc_output;

struct osc_scheme {
    const char *name;                /* "none", "absmax-row", ... */
    const char *summary;             /* one line for --help and tables */
    osc_coding  coding;              /* what the scheme's name says; options may change it */
    bool        as_stored;           /* apply() heeds linear->stored, for OSC_FEW_ROWS rows at most
                                        and a backend with matmul_stored */
    /* Checks options (unknown keys: osc_spec_only); choice->scheme is set. */
    osc_status (*configure)(osc_scheme_choice *choice, const osc_spec *spec);
    /* Device bytes of one weight [n, k]. */
    size_t     (*bytes)(const osc_scheme_choice *choice, const osc_backend *backend,
                        size_t n, size_t k);
    /* Fills linear->weight from the stored [n, k] tensor, which must outlive it; *bad
     * as for backend load.  May allocate: not for the inside of a forward pass unless
     * the weight's form is the backend's own. */
    osc_status (*prepare)(osc_linear *linear, const osc_backend *backend, osc_device *device,
                          const osc_tensor *weight, size_t *bad);
    /* y [rows, n] from x [rows, k]. */
    osc_status (*apply)(const osc_linear *linear, const osc_backend *backend, osc_device *device,
                        void *y, const void *x, osc_act act, size_t rows);
    /* Up to OSC_PRODUCTS outputs of x by layers that have the same choice and input, in one call
     * where the backend can: to the bit what apply() and add() of each would give. */
    osc_status (*apply_several)(const osc_output *outputs, size_t count,
                                const osc_backend *backend, osc_device *device, const void *x,
                                size_t rows);
    /* (optional) The codes that apply() multiplies for this x; NULL: there are none. */
    osc_status (*view)(const osc_linear *linear, const osc_backend *backend, osc_device *device,
                       osc_code_view *view, const void *x, size_t rows);
};

/* The table of schemes; ends with NULL.  The first is the default. */
extern const osc_scheme *const osc_schemes[];

/* Parses "name:key=value,..."; NULL means the default.  OSC_EINVAL names the
 * nearest scheme or option. */
osc_status osc_scheme_parse(osc_scheme_choice *choice, const char *text);

#endif

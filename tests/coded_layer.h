/* One linear layer under a scheme, for tests: a device, a weight, what it multiplies. */
#ifndef CODED_LAYER_H
#define CODED_LAYER_H

#include <check.h>
#include <string.h>

#include "backend/cpu_i8.h"
#include "base/alloc.h"
#include "quant/scheme.h"

#define done(call) ck_assert_msg((call) == OSC_OK, "%s: %s", #call, osc_error())

typedef struct {
    osc_device       *device;
    osc_scheme_choice choice;
    osc_linear        linear;
    osc_tensor        stored;
    size_t            rows, bad;
} coded_layer;

/* w is [n, k] of this dtype and must outlive the layer. */
static inline void layer_open(coded_layer *l, const char *scheme, const void *w, osc_dtype dtype,
                              size_t rows, size_t n, size_t k, size_t threads)
{
    const osc_backend *cpu = &osc_backend_cpu;
    osc_limits limits = { .tokens = rows, .heads = 1, .head_size = 8, .widest = k > n ? k : n,
                          .codes = true, .vocabulary = 8, .embed_width = 8 };
    memset(l, 0, sizeof *l);
    l->rows = rows;
    l->stored = osc_tensor_make(w, dtype, 2, (size_t[]){ n, k });
    done(cpu->open(&l->device, threads));
    done(cpu->plan(l->device, &limits));
    done(osc_scheme_parse(&l->choice, scheme));
    l->linear = (osc_linear){ .choice = &l->choice, .n = n, .k = k, .layer = 3,
                              .input = "fc1_in" };
    done(cpu->alloc(l->device, &l->linear.weight, l->choice.scheme->bytes(&l->choice, cpu, n, k)));
    done(l->choice.scheme->prepare(&l->linear, cpu, l->device, &l->stored, &l->bad));
}

static inline void layer_apply(const coded_layer *l, float *y, const float *x, osc_act act)
{
    done(l->choice.scheme->apply(&l->linear, &osc_backend_cpu, l->device, y, x, act, l->rows));
}

static inline void layer_close(coded_layer *l)
{
    osc_backend_cpu.release(l->device, l->linear.weight);
    osc_backend_cpu.close(l->device);
}

/* A view with every array. */
static inline osc_code_view view_new(size_t rows, size_t n, size_t k)
{
    return (osc_code_view){
        .columns = osc_alloc(k, 4), .qx = osc_alloc(rows * k, 1), .sx = osc_alloc(rows, 4),
        .zx = osc_alloc(rows, 4), .qw = osc_alloc(n * k, 1), .sw = osc_alloc(n, 4),
        .zw = osc_alloc(n, 4), .sum = osc_alloc(rows * n, 8),
    };
}

static inline void view_of(osc_code_view *view, const coded_layer *l, const float *x)
{
    done(l->choice.scheme->view(&l->linear, &osc_backend_cpu, l->device, view, x, l->rows));
}

static inline void view_free(osc_code_view *view)
{
    osc_free(view->columns);
    osc_free(view->qx);
    osc_free(view->sx);
    osc_free(view->zx);
    osc_free(view->qw);
    osc_free(view->sw);
    osc_free(view->zw);
    osc_free(view->sum);
}

#endif

/* What a backend is: device memory and the operations of a forward pass.
 *
 * Letters: T rows (tokens of a sequence, or of some of one length), H, N, K widths, A heads,
 * D head size, V vocabulary.  Activations are row-major [rows, width] in the backend's own
 * element type, in memory of its alloc(); attention scores and logits are float32;
 * weights are what its load() made.  Outputs come first, as in memcpy().  Nothing
 * but alloc and plan allocates, except for host_view the first time.
 *
 * Operations take effect in the order of the calls, but may still be on their way
 * when a call returns: an error may be reported by a later call.  Only load,
 * codes_load, codes_view, get and host_view wait. */
#ifndef OSC_BACKEND_BACKEND_H
#define OSC_BACKEND_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backend/codes.h"
#include "backend/stats.h"
#include "base/status.h"
#include "tensor/tensor.h"

enum {
    OSC_TURNS = 2,
    OSC_GRAPH_IDS = 64,
    OSC_PRODUCTS = 3,   /* at most, of one x in one call */
    OSC_JOINED = 256,   /* sequences at most that go through a block together */
    OSC_FEW_ROWS = 8    /* up to so many, a product takes as long as reading its weights */
};

typedef struct osc_device osc_device;           /* one open device, opaque */
typedef struct osc_backend osc_backend;
typedef struct osc_graph osc_graph;             /* work kept by a backend, opaque */

typedef enum { OSC_ACT_NONE, OSC_ACT_RELU, OSC_ACT_GELU, OSC_ACT_GELU_TANH, OSC_ACT_SILU } osc_act;

/* The largest sizes that will occur, for planning scratch memory once. */
typedef struct {
    size_t tokens;      /* of one sequence, those of earlier calls included */
    size_t rows;        /* of an activation, of several sequences; at least `tokens`, which is
                           what 0 stands for */
    size_t heads, head_size;
    size_t widest;      /* widest activation */
    bool   codes;       /* products of codes will occur */
    size_t vocabulary, embed_width;
} osc_limits;

/* Rows of a matrix: count sequences of tokens rows each, one behind the other; count is 1 where
 * osc_backend.together is NULL. */
typedef struct { size_t count, tokens; } osc_sequences;

/* One of several products of the same x [T, K]: y[T, N] = act(x w[N, K]^T + bias[N]); if
 * `plus` is not NULL then plus[T, N] += y, and y is scratch whose values mean nothing. */
typedef struct {
    void       *y, *plus;
    const void *w;      /* of load or codes_load */
    const void *bias;   /* may be NULL */
    osc_act     act;
    size_t      n;
} osc_product;

/* What an attention may do besides (osc_backend.attends). */
enum { OSC_ATTENDS_GROUPS = 1, OSC_ATTENDS_ALIBI = 2, OSC_ATTENDS_PAST = 4 };

/* Causal attention, of each sequence for itself.  o[t, a*D..] = sum over j <= past + t of
 * softmax_j(scale * q_t . k_j) v_j for every head a.  q and o have `tokens` rows, k and v
 * past + tokens: those of the positions before the first query come first. */
typedef struct {
    size_t tokens, heads, head_size;
    size_t sequences;   /* of `tokens` rows each, one behind the other; 0 or 1: one.  More only
                           without past, in `attention`, and where osc_backend.together is not
                           NULL; with the bits of one call each */
    size_t past;        /* keys before the first query's own, from earlier calls; not 0 only
                           with OSC_ATTENDS_PAST */
    size_t kv_heads;    /* heads of k and v, each for heads / kv_heads of q; 0: as many as of q */
    bool   alibi;       /* scaled scores get osc_alibi_slope(a) * j more (alibi.h), j from
                           the first of k's rows on */
    float  scale;
    double *top1;       /* [heads] of alloc() memory or NULL: += sum over queries of the
                           largest probability */
    float  *scores;     /* [heads, T, past + T] of alloc() memory or NULL; see attend_scores */
} osc_attention;

/* Rotary position embedding: component pairs of every head turn by the angle p * f_i,
 * f_i = base^(-2i/dim), p the position of the row.  Pair i is (2i, 2i+1) if neighbours,
 * else (i, i + dim/2); components from dim on stay. */
typedef struct {
    size_t dim;         /* even */
    bool   neighbours;
    float  base;
    size_t first;       /* position of row 0 */
    size_t tokens;      /* rows of a sequence: row `tokens` is at position `first` again; 0: all
                           rows are of one */
} osc_rotary;

/* Running log-sum-exp of one row of logits over tiles of the vocabulary. */
typedef struct {
    float  max;         /* largest logit so far; start at -inf */
    double sum;         /* of exp(logit - max) */
    float  target;      /* the logit of the id to score, once its tile was seen */
} osc_row_lse;

/* Where hits go, and whose they are. */
typedef struct osc_hits_route osc_hits_route;
typedef osc_status (*osc_hits_sink)(const osc_hits_route *route, const osc_hit *hits, size_t count);
struct osc_hits_route {
    osc_hits_sink sink;
    void         *user;
    unsigned      point;            /* the caller's */
    size_t        layer, sequence;
};

/* Where the summary of an activation goes, or what was found in the residual stream. */
typedef struct osc_summary_route osc_summary_route;
struct osc_summary_route {
    osc_status (*sink)(const osc_summary_route *route, const osc_summary *summary);
    void      *user;
    unsigned   point;               /* the caller's */
    int        layer;
    size_t     sequence;
};
typedef struct osc_residual_route osc_residual_route;
struct osc_residual_route {
    osc_status (*sink)(const osc_residual_route *route, const osc_residual *residual);
    void      *user;
    size_t     state, sequence;     /* the caller's */
};

struct osc_backend {
    const char *name;                            /* "cpu", "cuda" */
    const char *spec;                            /* with what sets it apart from others of that
                                                    name: "cuda:dtype=bf16" */
    osc_dtype   dtype;                           /* of activations and loaded weights */
    const char *const *kernels;                  /* for products of codes, ends with NULL;
                                                    NULL: there is no choice */
    bool        host;    /* alloc() gives host memory: the host may read and write it */
    bool        draws;   /* load and codes_load make generated tensors (osc_tensor.drawn)
                            themselves: their values need not be in memory */
    unsigned    attends;                         /* OSC_ATTENDS_... bits */

    osc_status (*open)(osc_device **device, size_t threads);
    /* The device of this number from 0, where there are several; the host as often as it is
     * wanted.  OSC_ENOTFOUND if there are not so many. */
    osc_status (*open_at)(osc_device **device, size_t threads, size_t index);
    /* To be called before calls for another device than the last that was opened or selected. */
    osc_status (*select)(osc_device *device);
    /* Copies `bytes` from what the work of `from` issued so far leaves at `src` to `dst` of the
     * device `to`, for the work that it gets from now on.  `from` may only write to `src`
     * again after a call in the other direction, which may be of 0 bytes. */
    osc_status (*hand_over)(osc_device *to, void *dst, osc_device *from, const void *src,
                            size_t bytes);
    void       (*close)(osc_device *device);
    /* Products of codes use the kernel of this number in `kernels` where it fits.  NULL
     * if there is no choice. */
    void       (*choose)(osc_device *device, size_t kernel);
    size_t     (*threads)(const osc_device *device);
    /* Rows of activations [rows, width], of several sequences, that should go through a block
     * together, where its products are of this coding (all zero: of values); 0, or NULL: a
     * sequence at a time. */
    size_t     (*together)(const osc_device *device, const osc_coding *coding, size_t width);
    /* From now on activations hold sequences of so many rows, one behind the other: products
     * that look for columns of x do so in each sequence alone.  0, as at first: all rows are
     * of one.  NULL where together is. */
    void       (*part)(osc_device *device, size_t rows);

    osc_status (*alloc)(osc_device *device, void **data, size_t bytes);
    void       (*release)(osc_device *device, void *data);
    /* From now on `alloc` fails with OSC_ENOMEM where more than `bytes` would be in use, and
     * `keeps` reckons with no more.  NULL: this backend cannot be limited. */
    void       (*limit)(osc_device *device, size_t bytes);
    /* The most bytes of alloc and plan that were in use at a time.  NULL: not counted. */
    size_t     (*peak_bytes)(const osc_device *device);
    osc_status (*plan)(osc_device *device, const osc_limits *limits);
    size_t     (*scratch_bytes)(const osc_device *device);
    /* Whether a session should keep `bytes` of ready weights there for its whole life,
     * though it could convert them again for every chunk. */
    bool       (*keeps)(osc_device *device, size_t bytes);
    /* Weights that take turns in OSC_TURNS buffers: `used` says that the work issued so far
     * reads buffer `turn`, `reuse` that the next loads write it.  Loads then overlap
     * with work on the other buffer. */
    osc_status (*used)(osc_device *device, unsigned turn);
    osc_status (*reuse)(osc_device *device, unsigned turn);
    /* Copies `bytes` from host memory, which may change once it returns, and to it. */
    osc_status (*put)(osc_device *device, void *dst, const void *host, size_t bytes);
    osc_status (*get)(osc_device *device, void *host, const void *src, size_t bytes);
    /* As get, of what observe and residual add to: waits for them, not for all that was issued. */
    osc_status (*get_stats)(osc_device *device, void *host, const void *src, size_t bytes);

    /* Converts a stored tensor (any float type, strides and alignment) into
     * contiguous `dst`.  *bad becomes the index of the first element that is not
     * finite, SIZE_MAX if all are. */
    osc_status (*load)(osc_device *device, void *dst, const osc_tensor *src, size_t *bad);

    /* y[t] = table[ids[t]], rows of a tensor [V, width]: the stored one if the backend
     * is a host's, else one made by load. */
    osc_status (*embed)(osc_device *device, void *y, const osc_tensor *table,
                        const int32_t *ids, size_t rows);
    /* The same with ids that put brought to alloc() memory.  NULL where graph_begin is. */
    osc_status (*embed_there)(osc_device *device, void *y, const osc_tensor *table,
                              const int32_t *ids, size_t rows);
    /* y[t] += table[first + t]. */
    osc_status (*add_rows)(osc_device *device, void *y, const osc_tensor *table,
                           size_t first, size_t rows);
    /* y = (x - mean) / sqrt(var + eps) * weight + bias, per row; weight, bias may be NULL. */
    osc_status (*layernorm)(osc_device *device, void *y, const void *x, const void *weight,
                            const void *bias, float eps, size_t rows, size_t width);
    /* y = x / sqrt(mean(x^2) + eps) * weight, per row.  NULL: this backend does not do it. */
    osc_status (*rmsnorm)(osc_device *device, void *y, const void *x, const void *weight,
                          float eps, size_t rows, size_t width);
    /* x += more, then y = the norm of x; the same bits as by add and layernorm or rmsnorm.
     * NULL: this backend does not do it. */
    osc_status (*add_layernorm)(osc_device *device, void *y, void *x, const void *more,
                                const void *weight, const void *bias, float eps, size_t rows,
                                size_t width);
    osc_status (*add_rmsnorm)(osc_device *device, void *y, void *x, const void *more,
                              const void *weight, float eps, size_t rows, size_t width);
    /* Turns x [rows, heads * D] in place.  NULL: this backend does not do it. */
    osc_status (*rotate)(osc_device *device, void *x, const osc_rotary *rotary, size_t rows,
                         size_t heads, size_t head_size);
    /* y[T, N] = act(x[T, K] w[N, K]^T + bias[N]); bias may be NULL. */
    osc_status (*matmul)(osc_device *device, void *y, const void *x, const void *w,
                         const void *bias, osc_act act, size_t rows, size_t n, size_t k);

    /* Up to OSC_PRODUCTS products of the same x together: to the bit what matmul and add of
     * each would give.  *done false: it gains nothing by that with these, and has not begun.
     * NULL: it never gains anything. */
    osc_status (*matmul_several)(osc_device *device, bool *done, const osc_product *products,
                                 size_t count, const void *x, size_t rows, size_t k);

    /* matmul with a weight as it is stored, N rows of K of any float type and strides, for
     * OSC_FEW_ROWS rows at most: reads each weight once.  NULL: this backend, whose memory
     * is not the host's, needs weights that load made. */
    osc_status (*matmul_stored)(osc_device *device, void *y, const void *x, const osc_tensor *w,
                                const void *bias, osc_act act, size_t rows);

    /* Products of codes (codes.h).  One call does a whole linear layer: it finds the
     * removed columns, codes x, multiplies, and applies scales, x_O w_O^T, bias and
     * activation before the only rounding; the list of columns never has to leave
     * the device.  Sums of codes are exact, results the same for every kernel. */
    const char *(*codes_kernel)(const osc_device *device);   /* "avx512-vnni", static */
    /* Device bytes of a coded weight [N, K]. */
    size_t     (*codes_bytes)(const osc_coding *coding, size_t n, size_t k);
    /* Codes a stored weight into `dst`; *bad as in load.  OSC_EUNSUP for K beyond
     * OSC_CODES_WIDEST, where sums would not fit. */
    osc_status (*codes_load)(osc_device *device, void *dst, const osc_coding *coding,
                             const osc_code_source *source, size_t *bad);
    /* y[T, N] = act(x[T, K] w[N, K]^T + bias[N]), w from codes_load with this coding. */
    osc_status (*codes_matmul)(osc_device *device, void *y, const void *x, const void *w,
                               const osc_coding *coding, const void *bias, osc_act act,
                               size_t rows, size_t n, size_t k);
    /* As matmul_several is to matmul; all weights were coded with this coding and the same
     * fixed columns, if any. */
    osc_status (*codes_matmul_several)(osc_device *device, bool *done,
                                       const osc_product *products, size_t count, const void *x,
                                       const osc_coding *coding, size_t rows, size_t k);
    /* The operands of that product, in host memory.  Not for OSC_SHARE_BLOCK. */
    osc_status (*codes_view)(osc_device *device, osc_code_view *view, const void *x,
                             const void *w, const osc_coding *coding, size_t rows, size_t n,
                             size_t k);

    /* x = act(x) in place. */
    osc_status (*activate)(osc_device *device, void *x, osc_act act, size_t count);
    /* y += x. */
    osc_status (*add)(osc_device *device, void *y, const void *x, size_t count);
    osc_status (*copy)(osc_device *device, void *y, const void *x, size_t count);
    /* x[:, columns] = 0 of x [rows, width]; `columns` is in host memory. */
    osc_status (*clear)(osc_device *device, void *x, size_t rows, size_t width,
                        const uint32_t *columns, size_t count);
    /* y *= x.  NULL: this backend does not do it. */
    osc_status (*multiply)(osc_device *device, void *y, const void *x, size_t count);

    osc_status (*attention)(osc_device *device, void *o, const void *q, const void *k,
                            const void *v, const osc_attention *args);
    /* The same in steps, for hooks between them; args->scores holds
     * [A, T, past + T]. */
    osc_status (*attend_scores)(osc_device *device, const void *q, const void *k,
                                const osc_attention *args);
    osc_status (*attend_softmax)(osc_device *device, const osc_attention *args);
    osc_status (*attend_values)(osc_device *device, void *o, const void *v,
                                const osc_attention *args);

    /* Logits of `rows` rows of x [rows, P] against rows first..first+n-1 of the
     * loaded head tile w [n, P]: updates lse[rows] (targets[rows] may be -1), and
     * writes logits[row * stride + first + j] unless `logits` is NULL.  lse, targets
     * and logits are alloc() memory. */
    osc_status (*head)(osc_device *device, osc_row_lse *lse, const void *x, const void *w,
                       const int32_t *targets, size_t rows, size_t first, size_t n, size_t k,
                       float *logits, size_t stride);
    /* The same with bias[n] added to the logits.  NULL: this backend does not do it. */
    osc_status (*head_biased)(osc_device *device, osc_row_lse *lse, const void *x, const void *w,
                              const void *bias, const int32_t *targets, size_t rows, size_t first,
                              size_t n, size_t k, float *logits, size_t stride);

    /* logits[V] = x[P] table[V, P]^T + bias[V] of one row; the table as for embed, bias may
     * be NULL.  NULL only without OSC_ATTENDS_PAST. */
    osc_status (*logits)(osc_device *device, float *logits, const void *x,
                         const osc_tensor *table, const void *bias);

    /* Adds the statistics of x [count * tokens, width] to `stats`, whose arrays are alloc()
     * memory; if `route`, that of the first sequence, is not NULL, also reports the hits
     * |x| >= alpha to it in order of (sequence, row, column), now or until settle returns,
     * calls in their order; a sink gets a route with the number of the hits' own sequence.  A
     * sink's error comes out of whichever call reports to it.  Bits are those of one call a
     * sequence, in their order; so of summarize and residual. */
    osc_status (*observe)(osc_device *device, osc_column_stats *stats, const void *x,
                          osc_sequences rows, size_t width, float alpha,
                          const osc_hits_route *route);
    /* Reports the summary of each sequence of x [count * tokens, width] to `route`, as observe
     * does hits; sums are double, of any order that is the same in every run.  NULL: this
     * backend does not do it. */
    osc_status (*summarize)(osc_device *device, const void *x, osc_sequences rows, size_t width,
                            const osc_summary_route *route);
    /* Reports what is in the residual stream x [count * tokens, width] of each sequence to
     * `route`, as observe does hits, and adds to `stats`, whose arrays are alloc() memory;
     * medians and the largest values are exact.  NULL: this backend does not do it. */
    osc_status (*residual)(osc_device *device, const osc_residual_stats *stats, const void *x,
                           osc_sequences rows, size_t width, const osc_residual_route *route);
    /* Reports what is still on its way, or forgets it. */
    osc_status (*settle)(osc_device *device, bool report);

    /* Operations issued between begin and end go into a graph instead of to the device;
     * *graph is NULL or one kept before, which a graph that differs in nothing but arguments
     * takes over.  Not `wanted`: what was issued is forgotten, *graph stays.  Only
     * operations that do not wait, and that were issued at the same sizes before: what they
     * make at their first use is not made in a graph.  embed must be given graph_ids(),
     * [OSC_GRAPH_IDS] in host memory, and like embed_there reads them whenever run does the
     * work.  All NULL: no graphs. */
    int32_t   *(*graph_ids)(osc_device *device);
    osc_status (*graph_begin)(osc_device *device);
    osc_status (*graph_end)(osc_device *device, osc_graph **graph, bool wanted);
    osc_status (*graph_run)(osc_device *device, osc_graph *graph);
    void       (*graph_free)(osc_device *device, osc_graph *graph);

    /* Host memory for a hook to see `count` values of x, of dtype OSC_F32 or the
     * backend's: the values themselves on the CPU, a staging copy elsewhere, until the
     * next view.  host_put writes them back. */
    osc_status (*host_view)(osc_device *device, float **view, void *x, osc_dtype dtype,
                            size_t count);
    osc_status (*host_put)(osc_device *device, void *x, osc_dtype dtype, const float *view,
                           size_t count);
};

/* The table of backends; ends with NULL.  The first is the default. */
extern const osc_backend *const osc_backends[];
/* By name, NULL for the default, and where a backend computes in several types by
 * "name:dtype=TYPE", TYPE one of fp16, bf16 and fp32: "cuda:dtype=bf16".  With
 * "kernel=NAME" osc_backend_open takes that kernel for products of codes where it fits, in place
 * of the fastest.  OSC_EINVAL names the valid ones. */
osc_status osc_backend_find(const osc_backend **backend, const char *name);
/* Opens device `index` (open_at) of a backend that was found by this name. */
osc_status osc_backend_open(const osc_backend *backend, const char *name, osc_device **device,
                            size_t threads, size_t index);

#endif

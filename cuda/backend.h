/* The members of the CUDA backend, as in backend/backend.h, and what its files need of
 * each other. */
#ifndef OSC_CUDA_BACKEND_H
#define OSC_CUDA_BACKEND_H

#include "cuda/device.h"

#ifdef __cplusplus
extern "C" {
#endif

#include "base/alloc.h"

/* device.c */
osc_status osc_cuda_open(osc_device **device, size_t threads, size_t index, osc_dtype dtype);
void osc_cuda_close(osc_device *device);
size_t osc_cuda_threads(const osc_device *device);
osc_status osc_cuda_plan(osc_device *device, const osc_limits *limits);
size_t osc_cuda_scratch_bytes(const osc_device *device);

/* allocate.c */
osc_status osc_cuda_alloc(osc_device *device, void **data, size_t bytes);
void osc_cuda_release(osc_device *device, void *data);
bool osc_cuda_keeps(osc_device *device, size_t bytes);
void osc_cuda_limit(osc_device *device, size_t bytes);
size_t osc_cuda_together(const osc_device *device, const osc_coding *coding, size_t width);
void osc_cuda_part(osc_device *device, size_t rows);
size_t osc_cuda_peak_bytes(const osc_device *device);

/* memory.c */
osc_status osc_cuda_get(osc_device *device, void *host, const void *src, size_t bytes);
osc_status osc_cuda_get_stats(osc_device *device, void *host, const void *src, size_t bytes);
osc_status osc_cuda_used(osc_device *device, unsigned turn);
osc_status osc_cuda_reuse(osc_device *device, unsigned turn);
osc_status osc_cuda_host_view(osc_device *device, float **view, void *x, osc_dtype dtype,
                              size_t count);
osc_status osc_cuda_host_put(osc_device *device, void *x, osc_dtype dtype, const float *view,
                             size_t count);

/* several.c */
void osc_cuda_make_way(const osc_device *device);
osc_status osc_cuda_select(osc_device *device);
osc_status osc_cuda_hand_over(osc_device *to, void *dst, osc_device *from, const void *src,
                              size_t bytes);

/* load.c, convert.cu, draw.cu */
osc_status osc_cuda_put(osc_device *device, void *dst, const void *host, size_t bytes);
osc_status osc_cuda_load(osc_device *device, void *dst, const osc_tensor *src, size_t *bad);
/* dst[i] = raw[i] on device->loads; *device->bad becomes base + i if dst[i] is not
 * finite and that is less. */
osc_status osc_cuda_convert(osc_device *device, void *dst, const void *raw, osc_dtype dtype,
                            size_t n, size_t base);
/* dst[i] = element first + i of a generated tensor, of its own type; on device->loads. */
osc_status osc_cuda_draw(osc_device *device, void *dst, const osc_tensor *src, size_t first,
                         size_t n);
/* Between float32 and the device's type, on device->stream. */
osc_status osc_cuda_widen(osc_device *device, float *y, const void *x, size_t n);
osc_status osc_cuda_narrow(osc_device *device, void *y, const float *x, size_t n);

/* rows.cu */
osc_status osc_cuda_embed(osc_device *device, void *y, const osc_tensor *table,
                          const int32_t *ids, size_t rows);
osc_status osc_cuda_embed_there(osc_device *device, void *y, const osc_tensor *table,
                                const int32_t *there, size_t rows);
osc_status osc_cuda_add_rows(osc_device *device, void *y, const osc_tensor *table, size_t first,
                             size_t rows);
osc_status osc_cuda_layernorm(osc_device *device, void *y, const void *x, const void *weight,
                              const void *bias, float eps, size_t rows, size_t width);
osc_status osc_cuda_add_layernorm(osc_device *device, void *y, void *x, const void *more,
                                  const void *weight, const void *bias, float eps, size_t rows,
                                  size_t width);

/* rms.cu, rotate.cu */
osc_status osc_cuda_rmsnorm(osc_device *device, void *y, const void *x, const void *weight,
                            float eps, size_t rows, size_t width);
osc_status osc_cuda_add_rmsnorm(osc_device *device, void *y, void *x, const void *more,
                                const void *weight, float eps, size_t rows, size_t width);
osc_status osc_cuda_rotate(osc_device *device, void *x, const osc_rotary *rotary, size_t rows,
                           size_t heads, size_t head_size);

/* elementwise.cu */
osc_status osc_cuda_activate(osc_device *device, void *x, osc_act act, size_t count);
osc_status osc_cuda_add(osc_device *device, void *y, const void *x, size_t count);
osc_status osc_cuda_multiply(osc_device *device, void *y, const void *x, size_t count);
osc_status osc_cuda_copy(osc_device *device, void *y, const void *x, size_t count);
osc_status osc_cuda_clear(osc_device *device, void *x, size_t rows, size_t width,
                          const uint32_t *columns, size_t count);

/* matmul.c, product_any.cu */
osc_status osc_cuda_products_open(osc_device *device);
void osc_cuda_products_close(osc_device *device);
osc_status osc_cuda_matmul(osc_device *device, void *y, const void *x, const void *w,
                           const void *bias, osc_act act, size_t rows, size_t n, size_t k);
osc_status osc_cuda_matmul_several(osc_device *device, bool *done, const osc_product *products,
                                   size_t count, const void *x, size_t rows, size_t k);
/* matmul with y of type `out`, the device's or OSC_F32; float32 without a bias. */
osc_status osc_cuda_product(osc_device *device, void *y, osc_dtype out, const void *x,
                            const void *w, const void *bias, osc_act act, size_t rows, size_t n,
                            size_t k);
/* sum = scale x w^T, or with `add` sum += that.  *done false: cuBLASLt declines the shape. */
osc_status osc_cuda_product_sum(osc_device *device, bool *done, float *sum, const void *x,
                                const void *w, float scale, bool add, size_t rows, size_t n,
                                size_t k);
osc_status osc_cuda_product_any(osc_device *device, void *y, osc_dtype out, const void *x,
                                const void *w, const void *bias, bool relu, size_t rows, size_t n,
                                size_t k);

/* vector.cu: products of one row, for any activation; y of type `out`, the device's or
 * OSC_F32, which is not added to anything. */
bool osc_cuda_vector_suits(const void *x, const void *w, size_t k);
osc_status osc_cuda_vector_products(osc_device *device, osc_dtype out, const osc_product *products,
                                    size_t count, const void *x, size_t k);
osc_status osc_cuda_logits(osc_device *device, float *logits, const void *x,
                           const osc_tensor *table, const void *bias);

/* graph.c */
int32_t *osc_cuda_graph_ids(osc_device *device);
osc_status osc_cuda_graph_begin(osc_device *device);
osc_status osc_cuda_graph_end(osc_device *device, osc_graph **graph, bool wanted);
osc_status osc_cuda_graph_run(osc_device *device, osc_graph *graph);
void osc_cuda_graph_free(osc_device *device, osc_graph *graph);

/* attention.cu, attend_steps.cu */
osc_status osc_cuda_attention(osc_device *device, void *o, const void *q, const void *k,
                              const void *v, const osc_attention *args);
osc_status osc_cuda_attend_scores(osc_device *device, const void *q, const void *k,
                                  const osc_attention *args);
osc_status osc_cuda_attend_softmax(osc_device *device, const osc_attention *args);
osc_status osc_cuda_attend_values(osc_device *device, void *o, const void *v,
                                  const osc_attention *args);
/* top1[heads] += the sum of each sequence of device->mass [heads, sequences, parts], in order. */
osc_status osc_cuda_add_masses(osc_device *device, double *top1, size_t heads, size_t sequences,
                               size_t parts);

/* head.cu */
osc_status osc_cuda_head(osc_device *device, osc_row_lse *lse, const void *x, const void *w,
                         const int32_t *targets, size_t rows, size_t first, size_t n, size_t k,
                         float *logits, size_t stride);

osc_status osc_cuda_head_biased(osc_device *device, osc_row_lse *lse, const void *x,
                                const void *w, const void *bias, const int32_t *targets,
                                size_t rows, size_t first, size_t n, size_t k, float *logits,
                                size_t stride);

/* observe.cu, hits.c */
osc_status osc_cuda_observe_plan(osc_device *device, const osc_limits *limits);
osc_status osc_cuda_observe(osc_device *device, osc_column_stats *stats, const void *x,
                            osc_sequences rows, size_t width, float alpha,
                            const osc_hits_route *route);
/* reports.c, summary.cu, residual.cu */
osc_status osc_cuda_settle(osc_device *device, bool report);
osc_status osc_cuda_summarize(osc_device *device, const void *x, osc_sequences rows, size_t width,
                              const osc_summary_route *route);
osc_status osc_cuda_residual_plan(osc_device *device, const osc_limits *limits);
osc_status osc_cuda_residual(osc_device *device, const osc_residual_stats *stats, const void *x,
                             osc_sequences rows, size_t width, const osc_residual_route *route);

/* claims.c: the operations of these names, once observers are done with what they write */
osc_status osc_cuda_claim_embed(osc_device *device, void *y, const osc_tensor *table,
                                const int32_t *ids, size_t rows);
osc_status osc_cuda_claim_embed_there(osc_device *device, void *y, const osc_tensor *table,
                                      const int32_t *there, size_t rows);
osc_status osc_cuda_claim_add_rows(osc_device *device, void *y, const osc_tensor *table,
                                   size_t first, size_t rows);
osc_status osc_cuda_claim_layernorm(osc_device *device, void *y, const void *x,
                                    const void *weight, const void *bias, float eps, size_t rows,
                                    size_t width);
osc_status osc_cuda_claim_rmsnorm(osc_device *device, void *y, const void *x, const void *weight,
                                  float eps, size_t rows, size_t width);
osc_status osc_cuda_claim_add_layernorm(osc_device *device, void *y, void *x, const void *more,
                                        const void *weight, const void *bias, float eps,
                                        size_t rows, size_t width);
osc_status osc_cuda_claim_add_rmsnorm(osc_device *device, void *y, void *x, const void *more,
                                      const void *weight, float eps, size_t rows, size_t width);
osc_status osc_cuda_claim_rotate(osc_device *device, void *x, const osc_rotary *rotary,
                                 size_t rows, size_t heads, size_t head_size);
osc_status osc_cuda_claim_matmul(osc_device *device, void *y, const void *x, const void *w,
                                 const void *bias, osc_act act, size_t rows, size_t n, size_t k);
osc_status osc_cuda_claim_codes_matmul(osc_device *device, void *y, const void *x, const void *w,
                                       const osc_coding *coding, const void *bias, osc_act act,
                                       size_t rows, size_t n, size_t k);
osc_status osc_cuda_claim_matmul_several(osc_device *device, bool *done,
                                         const osc_product *products, size_t count, const void *x,
                                         size_t rows, size_t k);
osc_status osc_cuda_claim_codes_matmul_several(osc_device *device, bool *done,
                                               const osc_product *products, size_t count,
                                               const void *x, const osc_coding *coding,
                                               size_t rows, size_t k);
osc_status osc_cuda_claim_activate(osc_device *device, void *x, osc_act act, size_t count);
osc_status osc_cuda_claim_add(osc_device *device, void *y, const void *x, size_t count);
osc_status osc_cuda_claim_copy(osc_device *device, void *y, const void *x, size_t count);
osc_status osc_cuda_claim_clear(osc_device *device, void *x, size_t rows, size_t width,
                                const uint32_t *columns, size_t count);
osc_status osc_cuda_claim_multiply(osc_device *device, void *y, const void *x, size_t count);
osc_status osc_cuda_claim_attention(osc_device *device, void *o, const void *q, const void *k,
                                    const void *v, const osc_attention *args);
osc_status osc_cuda_claim_attend_values(osc_device *device, void *o, const void *v,
                                        const osc_attention *args);

#ifdef __cplusplus
}
#endif

#endif

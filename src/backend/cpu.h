/* The CPU backend's device, shared by its files.  Activations are float.
 *
 * Work is split into tasks of a fixed size (rows, columns, heads), each done by one
 * thread with single-threaded BLAS calls, never along a sum: results do not depend
 * on the number of threads. */
#ifndef OSC_BACKEND_CPU_H
#define OSC_BACKEND_CPU_H

#ifdef _OPENMP
#include <omp.h>
#endif

#include "backend/backend.h"
#include "backend/cpu_vec.h"

enum {
    CPU_TILE_ROWS = 128,      /* of a product y = x w^T: one BLAS call each */
    CPU_TILE_COLUMNS = 256,
    CPU_HEAD_COLUMNS = 512,   /* logits of one BLAS call */
    CPU_QUERIES = 64,         /* query rows of one attention task */
    CPU_STAT_COLUMNS = 64,    /* columns of one statistics task */
    CPU_HITS = 1024,          /* hits reported at once */
    CPU_OUTLIERS = 128        /* removed columns multiplied at once (cpu_i8_matmul.c) */
};

/* Codes of x of one product (cpu_i8.h), planned for the longest and widest. */
typedef struct {
    int8_t   *code;           /* [rows, stride]; 0 in removed columns and beyond K */
    size_t    stride;
    float    *scale;          /* [rows] */
    int32_t  *zero, *sum;     /* [rows] zero points, sums of codes */
    uint32_t *peak;           /* [K] bits of max|x| of every column */
    uint32_t *removed;        /* [K], ascending; the first removed_count are set */
    size_t    removed_count;
    float    *outlier;        /* [rows, CPU_OUTLIERS] values in the first removed columns */
    size_t    bytes;          /* of all of these */
} osc_cpu_coded;

/* One piece of a summary. */
typedef struct {
    uint32_t peak;            /* bits of max|x| */
    double   power[4];
} osc_cpu_part;

/* Memory of cpu_reduce.c. */
typedef struct {
    osc_cpu_part *part;
    uint32_t *peak, *median;  /* [tokens] bits of max|x| and of the median of |x| of each row */
    size_t    bytes;
} osc_cpu_reduction;

struct osc_cpu_i8;

struct osc_device {
    const osc_cpu_vec *vec;
    const struct osc_cpu_i8 *i8;
    int      threads;
    osc_limits limits;
    float   *scratch;         /* [threads, per_thread] */
    size_t   per_thread;      /* floats */
    double  *partial;         /* [heads * query tasks] sums of one attention call */
    uint32_t *hot;            /* [widest] columns that reach alpha in one observe call */
    float   *low, *high;      /* [widest] extremes of one observe call */
    osc_hit *hits;            /* [CPU_HITS] */
    osc_cpu_coded coded;
    osc_cpu_reduction reduction;
};

extern const osc_backend osc_backend_cpu;

/* This thread's part of the scratch: per_thread floats. */
static inline float *osc_cpu_scratch(const osc_device *device)
{
#ifdef _OPENMP
    return device->scratch + (size_t)omp_get_thread_num() * device->per_thread;
#else
    return device->scratch;
#endif
}

bool osc_cpu_is_float(osc_dtype dtype);

/* y[width] = row `row` of a stored float tensor: rows run along its last dimension. */
void osc_cpu_gather_row(const osc_cpu_vec *vec, float *y, const osc_tensor *t, size_t row);

osc_status osc_cpu_load(osc_device *device, void *dst, const osc_tensor *src, size_t *bad);
osc_status osc_cpu_embed(osc_device *device, void *y, const osc_tensor *table,
                         const int32_t *ids, size_t rows);
osc_status osc_cpu_add_rows(osc_device *device, void *y, const osc_tensor *table,
                            size_t first, size_t rows);
osc_status osc_cpu_layernorm(osc_device *device, void *y, const void *x, const void *weight,
                             const void *bias, float eps, size_t rows, size_t width);
osc_status osc_cpu_rmsnorm(osc_device *device, void *y, const void *x, const void *weight,
                           float eps, size_t rows, size_t width);
osc_status osc_cpu_rotate(osc_device *device, void *x, const osc_rotary *rotary, size_t rows,
                          size_t heads, size_t head_size);
osc_status osc_cpu_activate(osc_device *device, void *x, osc_act act, size_t count);
osc_status osc_cpu_add(osc_device *device, void *y, const void *x, size_t count);
osc_status osc_cpu_copy(osc_device *device, void *y, const void *x, size_t count);
osc_status osc_cpu_clear(osc_device *device, void *x, size_t rows, size_t width,
                         const uint32_t *columns, size_t count);
osc_status osc_cpu_multiply(osc_device *device, void *y, const void *x, size_t count);

osc_status osc_cpu_matmul(osc_device *device, void *y, const void *x, const void *w,
                          const void *bias, osc_act act, size_t rows, size_t n, size_t k);
osc_status osc_cpu_head(osc_device *device, osc_row_lse *lse, const void *x, const void *w,
                        const int32_t *targets, size_t rows, size_t first, size_t n, size_t k,
                        float *logits, size_t stride);
osc_status osc_cpu_head_biased(osc_device *device, osc_row_lse *lse, const void *x, const void *w,
                               const void *bias, const int32_t *targets, size_t rows, size_t first,
                               size_t n, size_t k, float *logits, size_t stride);

osc_status osc_cpu_matmul_stored(osc_device *device, void *y, const void *x, const osc_tensor *w,
                                 const void *bias, osc_act act, size_t rows);
osc_status osc_cpu_logits(osc_device *device, float *logits, const void *x,
                          const osc_tensor *table, const void *bias);

osc_status osc_cpu_attention(osc_device *device, void *o, const void *q, const void *k,
                             const void *v, const osc_attention *args);
osc_status osc_cpu_attend_scores(osc_device *device, const void *q, const void *k,
                                 const osc_attention *args);
osc_status osc_cpu_attend_softmax(osc_device *device, const osc_attention *args);
osc_status osc_cpu_attend_values(osc_device *device, void *o, const void *v,
                                 const osc_attention *args);

osc_status osc_cpu_observe(osc_device *device, osc_column_stats *stats, const void *x,
                           osc_sequences rows, size_t width, float alpha,
                           const osc_hits_route *route);

osc_status osc_cpu_reduction_plan(osc_cpu_reduction *reduction, const osc_limits *limits);
void osc_cpu_reduction_free(osc_cpu_reduction *reduction);
osc_status osc_cpu_summarize(osc_device *device, const void *x, osc_sequences rows, size_t width,
                             const osc_summary_route *route);
osc_status osc_cpu_residual(osc_device *device, const osc_residual_stats *stats, const void *x,
                            osc_sequences rows, size_t width, const osc_residual_route *route);

#endif

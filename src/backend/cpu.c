/* The CPU device: threads, memory, scratch, and the backend's table. */
#include <config.h>
#include "backend/cpu.h"

#include <cblas.h>
#include <string.h>

#include "backend/cpu_i8.h"
#include "base/alloc.h"

const osc_cpu_vec *osc_cpu_vec_choose(void)
{
#ifdef HAVE_X86_64
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq")
        && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
        return &osc_cpu_vec_avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return &osc_cpu_vec_avx2;
#endif
    return &osc_cpu_vec_generic;
}

static void cpu_close(osc_device *device)
{
    if (device == NULL)
        return;
    osc_free(device->scratch);
    osc_free(device->partial);
    osc_free(device->hot);
    osc_free(device->low);
    osc_free(device->high);
    osc_free(device->hits);
    osc_free(device->coded.code);
    osc_free(device->coded.scale);
    osc_free(device->coded.zero);
    osc_free(device->coded.sum);
    osc_free(device->coded.peak);
    osc_free(device->coded.removed);
    osc_free(device->coded.outlier);
    osc_cpu_reduction_free(&device->reduction);
    osc_free(device);
}

static osc_status cpu_open(osc_device **device, size_t threads)
{
    osc_device *made = osc_alloc(1, sizeof *made);
    if (made == NULL)
        return OSC_ENOMEM;
    made->vec = osc_cpu_vec_choose();
    made->i8 = osc_cpu_i8_choose();
    made->threads = 1;
#ifdef _OPENMP
    made->threads = threads == 0 ? omp_get_num_procs() : (int)threads;
#else
    (void)threads;
#endif
#ifdef HAVE_OPENBLAS_SET_NUM_THREADS
    openblas_set_num_threads(1);   /* we split the work ourselves */
#endif
    *device = made;
    return OSC_OK;
}

/* All are the same processors and memory. */
static osc_status cpu_open_at(osc_device **device, size_t threads, size_t index)
{
    (void)index;
    return cpu_open(device, threads);
}

static osc_status cpu_select(osc_device *device)
{
    (void)device;
    return OSC_OK;
}

static osc_status cpu_hand_over(osc_device *to, void *dst, osc_device *from, const void *src,
                                size_t bytes)
{
    (void)to;
    (void)from;
    if (bytes > 0)
        memcpy(dst, src, bytes);
    return OSC_OK;
}

static size_t cpu_threads(const osc_device *device)
{
    return (size_t)device->threads;
}

static osc_status cpu_alloc(osc_device *device, void **data, size_t bytes)
{
    (void)device;
    void *memory = osc_alloc(bytes, 1);
    if (memory == NULL)
        return OSC_ENOMEM;
    *data = memory;
    return OSC_OK;
}

static void cpu_release(osc_device *device, void *data)
{
    (void)device;
    osc_free(data);
}

static size_t query_tasks(const osc_limits *limits)
{
    return limits->heads * ((limits->tokens + CPU_QUERIES - 1) / CPU_QUERIES);
}

static osc_status plan_codes(osc_cpu_coded *coded, const osc_limits *limits)
{
    size_t rows = limits->tokens, width = limits->widest, stride = osc_cpu_i8_stride(width);
    if (!limits->codes)
        return OSC_OK;
    coded->code = osc_alloc(rows, stride);
    coded->scale = osc_alloc(rows, sizeof *coded->scale);
    coded->zero = osc_alloc(rows, sizeof *coded->zero);
    coded->sum = osc_alloc(rows, sizeof *coded->sum);
    coded->peak = osc_alloc(width, sizeof *coded->peak);
    coded->removed = osc_alloc(width, sizeof *coded->removed);
    coded->outlier = osc_alloc(rows * CPU_OUTLIERS, sizeof *coded->outlier);
    coded->bytes = rows * (stride + 12 + CPU_OUTLIERS * 4) + width * 8;
    if (coded->code == NULL || coded->scale == NULL || coded->zero == NULL || coded->sum == NULL
        || coded->peak == NULL || coded->removed == NULL || coded->outlier == NULL)
        return OSC_ENOMEM;
    return OSC_OK;
}

static osc_status cpu_plan(osc_device *device, const osc_limits *limits)
{
    size_t attention = CPU_QUERIES * limits->tokens;
    size_t head = (size_t)CPU_TILE_ROWS * CPU_HEAD_COLUMNS;
    device->limits = *limits;
    device->per_thread = attention > head ? attention : head;
    if (device->per_thread < limits->widest)
        device->per_thread = limits->widest;   /* a row of a weight or of x */
    device->scratch = osc_alloc(device->per_thread * (size_t)device->threads, sizeof(float));
    device->partial = osc_alloc(query_tasks(limits), sizeof(double));
    device->hot = osc_alloc(limits->widest, sizeof(uint32_t));
    device->low = osc_alloc(limits->widest, sizeof(float));
    device->high = osc_alloc(limits->widest, sizeof(float));
    device->hits = osc_alloc(CPU_HITS, sizeof(osc_hit));
    if (device->scratch == NULL || device->partial == NULL || device->hot == NULL
        || device->low == NULL || device->high == NULL || device->hits == NULL)
        return OSC_ENOMEM;   /* cpu_close releases what there is */
    OSC_TRY(osc_cpu_reduction_plan(&device->reduction, limits));
    return plan_codes(&device->coded, limits);
}

static size_t cpu_scratch_bytes(const osc_device *device)
{
    return device->per_thread * (size_t)device->threads * sizeof(float)
         + query_tasks(&device->limits) * sizeof(double)
         + device->limits.widest * 12 + CPU_HITS * sizeof(osc_hit) + device->coded.bytes
         + device->reduction.bytes;
}

/* Stored weights are in memory already: kept ones would be there twice. */
static bool cpu_keeps(osc_device *device, size_t bytes)
{
    (void)device;
    (void)bytes;
    return false;
}

/* Work is done when a call returns. */
static osc_status cpu_turn(osc_device *device, unsigned turn)
{
    (void)device;
    (void)turn;
    return OSC_OK;
}

static osc_status cpu_put(osc_device *device, void *dst, const void *host, size_t bytes)
{
    (void)device;
    memcpy(dst, host, bytes);
    return OSC_OK;
}

static osc_status cpu_settle(osc_device *device, bool report)
{
    (void)device;
    (void)report;
    return OSC_OK;   /* hits are reported at once */
}

static osc_status cpu_host_view(osc_device *device, float **view, void *x, osc_dtype dtype,
                                size_t count)
{
    (void)device;
    (void)dtype;
    (void)count;
    *view = x;
    return OSC_OK;
}

static osc_status cpu_host_put(osc_device *device, void *x, osc_dtype dtype, const float *view,
                               size_t count)
{
    (void)device;
    (void)x;
    (void)dtype;
    (void)view;
    (void)count;
    return OSC_OK;   /* the view is x itself */
}

const osc_backend osc_backend_cpu = {
    .name = "cpu",
    .spec = "cpu",
    .dtype = OSC_F32,
    .host = true,
    .attends = OSC_ATTENDS_GROUPS | OSC_ATTENDS_ALIBI | OSC_ATTENDS_PAST,
    .open = cpu_open,
    .open_at = cpu_open_at,
    .select = cpu_select,
    .hand_over = cpu_hand_over,
    .close = cpu_close,
    .threads = cpu_threads,
    .alloc = cpu_alloc,
    .release = cpu_release,
    .plan = cpu_plan,
    .scratch_bytes = cpu_scratch_bytes,
    .keeps = cpu_keeps,
    .used = cpu_turn,
    .reuse = cpu_turn,
    .put = cpu_put,
    .get = cpu_put,
    .load = osc_cpu_load,
    .embed = osc_cpu_embed,
    .add_rows = osc_cpu_add_rows,
    .layernorm = osc_cpu_layernorm,
    .rmsnorm = osc_cpu_rmsnorm,
    .rotate = osc_cpu_rotate,
    .matmul = osc_cpu_matmul,
    .matmul_stored = osc_cpu_matmul_stored,
    .codes_kernel = osc_cpu_codes_kernel,
    .codes_bytes = osc_cpu_codes_bytes,
    .codes_load = osc_cpu_codes_load,
    .codes_matmul = osc_cpu_codes_matmul,
    .codes_view = osc_cpu_codes_view,
    .activate = osc_cpu_activate,
    .add = osc_cpu_add,
    .copy = osc_cpu_copy,
    .clear = osc_cpu_clear,
    .multiply = osc_cpu_multiply,
    .attention = osc_cpu_attention,
    .attend_scores = osc_cpu_attend_scores,
    .attend_softmax = osc_cpu_attend_softmax,
    .attend_values = osc_cpu_attend_values,
    .head = osc_cpu_head,
    .head_biased = osc_cpu_head_biased,
    .logits = osc_cpu_logits,
    .observe = osc_cpu_observe,
    .summarize = osc_cpu_summarize,
    .residual = osc_cpu_residual,
    .settle = cpu_settle,
    .host_view = cpu_host_view,
    .host_put = cpu_host_put,
};

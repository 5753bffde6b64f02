/* Products of codes on the device: memory, weights, and which kernel multiplies. */
#include <config.h>
#include "cuda/backend.h"
#include "cuda/codes.h"

#include <assert.h>

#include "base/alloc.h"
#include "cuda/codes_choice.h"

/* --- kernels -------------------------------------------------------------------------- */

static const osc_cuda_kernel pair = {
    .name = "few-dp4a", .fits = osc_cuda_pair_fits, .multiply = osc_cuda_pair_multiply,
    .codes = true,
};
static const osc_cuda_kernel few = {
    .name = "few-mma", .fits = osc_cuda_few_fits, .multiply = osc_cuda_few_multiply,
    .codes = true, .flags = true,
};
static const osc_cuda_kernel wgmma = {
    .name = "wgmma", .fits = osc_cuda_wgmma_fits, .multiply = osc_cuda_wgmma_multiply,
    .flags = true, .joins = true,
};
static const osc_cuda_kernel igemm = {
    .name = "cublaslt", .fits = osc_cuda_igemm_fits, .multiply = osc_cuda_igemm_multiply,
    .flags = true, .joins = true,
};

const osc_cuda_kernel *const osc_cuda_kernels[] = { &pair, &few, &wgmma, &igemm, NULL };
enum { KERNELS = sizeof osc_cuda_kernels / sizeof *osc_cuda_kernels - 1 };

void osc_cuda_codes_choose(osc_device *device, size_t kernel)
{
    device->kernel = kernel;
}

/* The chosen kernel where it fits, else from the one that was measured to be faster on the
 * first that does; the last always does. */
const osc_cuda_kernel *osc_cuda_kernel_for(const osc_device *device, const osc_cuda_layer *p)
{
    size_t best = osc_cuda_codes_choice(p->rows, p->n, p->k, device->hopper);
    if (device->kernel < KERNELS && osc_cuda_kernels[device->kernel]->fits(device, p))
        return osc_cuda_kernels[device->kernel];
    while (!osc_cuda_kernels[best]->fits(device, p))
        best++;
    return osc_cuda_kernels[best];
}

const char *osc_cuda_codes_kernel(const osc_device *device)
{
    if (device->kernel < KERNELS)
        return osc_cuda_kernels[device->kernel]->name;
    return device->codes != NULL && device->hopper && device->encode != NULL
         ? wgmma.name : igemm.name;
}

/* --- memory ----------------------------------------------------------------------------- */

static size_t lines(size_t bytes)
{
    return osc_cuda_round_up(bytes, 128);
}

/* The next part of a weight's memory. */
static void *part(char **at, size_t bytes)
{
    void *data = *at;
    *at += lines(bytes);
    return data;
}

osc_cuda_weight osc_cuda_code_weight(const void *memory, const osc_coding *coding, size_t n,
                                     size_t k)
{
    char *at = (char *)memory;
    osc_cuda_weight w = { .rows = osc_cuda_round_up(n, CODES_PANEL),
                          .stride = osc_cuda_round_up(k, CODES_ALIGN) };
    w.scale = part(&at, n * sizeof *w.scale);
    w.inverse = part(&at, n * sizeof *w.inverse);
    if (coding->zeropoint) {
        w.zero = part(&at, n * sizeof *w.zero);
        w.total = part(&at, n * sizeof *w.total);
    }
    if (coding->remove == OSC_REMOVE_FIXED)
        w.columns = part(&at, (k + 1) * sizeof *w.columns);
    if (coding->remove != OSC_REMOVE_NONE && coding->stored)
        w.stored = part(&at, k * w.rows * sizeof *w.stored);
    w.code = part(&at, w.rows * w.stride);
    w.bytes = (size_t)(at - (const char *)memory);
    return w;
}

size_t osc_cuda_codes_bytes(const osc_coding *coding, size_t n, size_t k)
{
    if (coding->w == OSC_SHARE_BLOCK)
        return osc_cuda_q8_bytes(n, k);
    return osc_cuda_code_weight(NULL, coding, n, k).bytes;
}

static osc_status own_cleared(osc_device *device, void **data, size_t bytes)
{
    OSC_TRY(osc_cuda_own(device, data, bytes));
    OSC_CUDA_TRY(cudaMemsetAsync(*data, 0, bytes, device->stream), "clearing scratch memory");
    return OSC_OK;
}

/* Scratch for the longest and widest product. */
static osc_status own_all(osc_device *device, osc_cuda_codes *c)
{
    size_t t = c->rows, k = c->widest, rows = osc_cuda_round_up(k, CODES_PANEL);
    size_t words = (k + CODES_ALIGN + 31) / 32;
    const struct { void **data; size_t bytes; } parts[] = {
        { (void **)&c->code, t * osc_cuda_round_up(k, CODES_ALIGN) },
        { (void **)&c->scale, t * sizeof *c->scale },
        { (void **)&c->inverse, t * sizeof *c->inverse },
        { (void **)&c->zero, t * sizeof *c->zero },
        { (void **)&c->kept, t * sizeof *c->kept },
        { (void **)&c->outliers, t * sizeof *c->outliers },
        { (void **)&c->side_x, t * CODES_SIDE * sizeof *c->side_x },
        { (void **)&c->side_w, rows * CODES_SIDE * sizeof *c->side_w },
        { (void **)&c->kept_w, k * sizeof *c->kept_w },
        { (void **)&c->columns, (k + 1) * sizeof *c->columns },
        { (void **)&c->found, 2 * (words + k) * sizeof *c->found },
        { (void **)&c->range, 4 * sizeof *c->range },
        { (void **)&c->meeting, sizeof *c->meeting },
        { &c->told, (size_t)device->processors * CODES_TOLD },
        { (void **)&c->range_w, 2 * sizeof *c->range_w },
        { (void **)&c->slice, CODES_SLICE },
    };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        OSC_TRY(own_cleared(device, parts[i].data, parts[i].bytes));
    const int32_t empty[4] = { INT32_MAX, INT32_MIN, INT32_MAX, INT32_MIN };
    OSC_CUDA_TRY(cudaMemcpyAsync(c->range, empty, sizeof empty, cudaMemcpyHostToDevice,
                                 device->stream), "clearing scratch memory");
    return osc_cuda_wait(device, "clearing scratch memory");
}

osc_status osc_cuda_codes_plan(osc_device *device, const osc_limits *limits)
{
    osc_cuda_codes *c = osc_alloc(1, sizeof *c);
    int shared;
    if (c == NULL)
        return OSC_ENOMEM;
    osc_cuda_codes_close(device);
    device->codes = c;
    c->rows = limits->rows;
    c->widest = limits->widest;
    OSC_CUDA_TRY(cudaDeviceGetAttribute(&shared, cudaDevAttrMaxSharedMemoryPerMultiprocessor,
                                        device->index), "asking for the shared memory");
    c->shared = (size_t)shared;
    OSC_TRY(own_all(device, c));
    return osc_cuda_known_plan(device, limits);
}

void osc_cuda_codes_close(osc_device *device)
{
    if (device->codes == NULL)
        return;
    osc_cuda_igemm_close(device);
    osc_cuda_known_close(device);
    osc_free(device->codes);
    device->codes = NULL;
}

/* --- weights --------------------------------------------------------------------------------- */

typedef osc_status (*piece_function)(osc_device *device, void *user, const void *values,
                                     size_t first, size_t rows);

/* Brings the tensor to the device, some rows at a time, and calls `take` for each. */
static osc_status for_pieces(osc_device *device, const osc_tensor *t, piece_function take,
                             void *user)
{
    size_t k = osc_tensor_width(t), all = osc_tensor_rows(t);
    size_t most = CUDA_STAGING / (k * osc_dtype_size(t->dtype));
    for (size_t first = 0, rows; first < all; first += rows) {
        void *raw = (char *)device->raw + device->next_half % 2 * CUDA_STAGING;
        rows = all - first < most ? all - first : most;
        OSC_TRY(osc_cuda_upload(device, raw, t, first * k, rows * k));
        OSC_TRY(take(device, user, raw, first, rows));
    }
    return OSC_OK;
}

/* One weight being coded. */
typedef struct {
    const osc_coding *coding;
    const osc_tensor *tensor;
    osc_cuda_weight   w;
    void             *blocks;
} loading;

static osc_status take_range(osc_device *device, void *user, const void *values, size_t first,
                             size_t rows)
{
    const loading *l = user;
    (void)first;
    return osc_cuda_range_w(device, device->codes->range_w, values, l->tensor->dtype,
                            rows * osc_tensor_width(l->tensor));
}

static osc_status take_codes(osc_device *device, void *user, const void *values, size_t first,
                             size_t rows)
{
    const loading *l = user;
    return osc_cuda_code_w(device, &l->w, l->coding, values, l->tensor->dtype, first, rows,
                           osc_tensor_rows(l->tensor), osc_tensor_width(l->tensor),
                           l->coding->w == OSC_SHARE_TENSOR ? device->codes->range_w : NULL,
                           device->bad);
}

static osc_status take_blocks(osc_device *device, void *user, const void *values, size_t first,
                              size_t rows)
{
    const loading *l = user;
    return osc_cuda_q8_load(device, l->blocks, values, l->tensor->dtype, first, rows,
                            osc_tensor_rows(l->tensor), osc_tensor_width(l->tensor), device->bad);
}

static osc_status set_columns(osc_device *device, const osc_cuda_weight *w,
                              const osc_code_source *source)
{
    uint32_t count = (uint32_t)source->column_count;
    if (w->columns == NULL)
        return OSC_OK;
    OSC_CUDA_TRY(cudaMemcpyAsync(w->columns, &count, sizeof count, cudaMemcpyHostToDevice,
                                 device->loads), "copying columns");
    OSC_CUDA_TRY(cudaMemcpyAsync(w->columns + 1, source->columns, count * sizeof count,
                                 cudaMemcpyHostToDevice, device->loads), "copying columns");
    return OSC_OK;
}

static bool is_float(osc_dtype dtype)
{
    return dtype == OSC_F32 || dtype == OSC_F16 || dtype == OSC_BF16;
}

osc_status osc_cuda_codes_load(osc_device *device, void *dst, const osc_coding *coding,
                               const osc_code_source *source, size_t *bad)
{
    static const int32_t empty[2] = { INT32_MAX, INT32_MIN };
    const osc_tensor *t = source->tensor;
    loading l = { .coding = coding, .tensor = t, .blocks = dst };
    if (t->ndim < 2 || !is_float(t->dtype))
        return osc_fail(OSC_EUNSUP, "weights of type %s cannot be coded",
                        osc_dtype_name(t->dtype));
    OSC_TRY(osc_cuda_check_begin(device));
    if (coding->w == OSC_SHARE_BLOCK) {
        OSC_TRY(for_pieces(device, t, take_blocks, &l));
    } else {
        if (osc_tensor_width(t) > OSC_CODES_WIDEST)
            return osc_fail(OSC_EUNSUP, "a product over %zu inputs: int8 codes are summed in "
                            "32 bits, which holds %d", osc_tensor_width(t), OSC_CODES_WIDEST);
        l.w = osc_cuda_code_weight(dst, coding, osc_tensor_rows(t), osc_tensor_width(t));
        OSC_TRY(set_columns(device, &l.w, source));
        OSC_CUDA_TRY(cudaMemcpyAsync(device->codes->range_w, empty, sizeof empty,
                                     cudaMemcpyHostToDevice, device->loads), "coding weights");
        if (coding->w == OSC_SHARE_TENSOR)
            OSC_TRY(for_pieces(device, t, take_range, &l));
        OSC_TRY(for_pieces(device, t, take_codes, &l));
    }
    return osc_cuda_check_end(device, bad);
}

/* --- products ------------------------------------------------------------------------- */

osc_status osc_cuda_code_x(osc_device *device, const osc_cuda_layer *p, bool side)
{
    osc_cuda_removed removed = osc_cuda_flags_of(device, p);
    if (osc_cuda_codes_known(device, p))
        return side ? osc_cuda_lay_side(device, p) : OSC_OK;
    osc_cuda_codes_made(device, p);
    if (removed.bits != NULL && osc_cuda_known_x_fits(p))
        return osc_cuda_code_known_x(device, p, removed, side);
    return osc_cuda_code_any_x(device, p, side);
}

/* One product of codes; its x is of one sequence, or of several that it takes together. */
static osc_status multiply(osc_device *device, osc_cuda_layer *p, const osc_cuda_kernel *kernel)
{
    osc_cuda_flags_want(device, &p->coding);
    osc_cuda_flags_shape(device, p);
    if (!kernel->codes)
        OSC_TRY(osc_cuda_code_x(device, p, true));
    if (kernel->flags && p->act != OSC_ACT_NONE)      /* the next product multiplies it */
        OSC_TRY(osc_cuda_flags_for(device, &p->flags, p->y, p->rows, p->n));
    return kernel->multiply(device, p);
}

/* Whether sequences that differ in their removed columns can be multiplied together. */
static bool joins(osc_device *device, osc_cuda_layer *p, const osc_cuda_kernel *kernel)
{
    if (osc_cuda_sequences(device, p->rows) == 1 || osc_cuda_coding_by_row(&p->coding))
        return true;
    p->removed = osc_cuda_flags_of(device, p);
    return kernel->joins && p->removed.bits != NULL && osc_cuda_known_x_fits(p);
}

static osc_cuda_layer layer_of(const osc_product *product, const void *x,
                               const osc_coding *coding, size_t rows, size_t k)
{
    osc_cuda_layer p = { .y = product->y, .plus = product->plus, .x = x, .bias = product->bias,
                         .coding = *coding, .act = product->act, .rows = rows, .n = product->n,
                         .k = k };
    if (coding->w != OSC_SHARE_BLOCK)
        p.w = osc_cuda_code_weight(product->w, coding, product->n, k);
    return p;
}

/* Of one sequence after the other, each with all products, which share its codes. */
static osc_status multiply_each(osc_device *device, const osc_product *products, size_t count,
                                const void *x, const osc_coding *coding, size_t rows, size_t k)
{
    size_t part = device->part;
    for (size_t first = 0; first < rows; first += part) {
        for (size_t i = 0; i < count; i++) {
            osc_product one = products[i];
            size_t skip = first * one.n * sizeof(uint16_t);
            one.y = (char *)one.y + skip;
            osc_cuda_layer p = layer_of(&one, (const char *)x + first * k * sizeof(uint16_t),
                                        coding, part, k);
            p.plus = NULL;
            OSC_TRY(multiply(device, &p, osc_cuda_kernel_for(device, &p)));
            if (one.plus != NULL)
                OSC_TRY(osc_cuda_add(device, (char *)one.plus + skip, one.y, part * one.n));
        }
    }
    return OSC_OK;
}

osc_status osc_cuda_codes_matmul(osc_device *device, void *y, const void *x, const void *w,
                                 const osc_coding *coding, const void *bias, osc_act act,
                                 size_t rows, size_t n, size_t k)
{
    osc_product product = { .y = y, .w = w, .bias = bias, .act = act, .n = n };
    assert(rows <= device->codes->rows && k <= device->codes->widest);
    osc_cuda_layer p = layer_of(&product, x, coding, rows, k);
    if (coding->w == OSC_SHARE_BLOCK)
        return osc_cuda_q8_multiply(device, &p, w);
    const osc_cuda_kernel *kernel = osc_cuda_kernel_for(device, &p);
    return joins(device, &p, kernel) ? multiply(device, &p, kernel)
                                     : multiply_each(device, &product, 1, x, coding, rows, k);
}

osc_status osc_cuda_codes_matmul_several(osc_device *device, bool *done,
                                         const osc_product *products, size_t count, const void *x,
                                         const osc_coding *coding, size_t rows, size_t k)
{
    osc_cuda_layer layers[OSC_PRODUCTS];
    bool pairs = true, joined = true;
    *done = coding->w != OSC_SHARE_BLOCK;
    for (size_t i = 0; *done && i < count; i++) {
        layers[i] = layer_of(&products[i], x, coding, rows, k);
        const osc_cuda_kernel *kernel = osc_cuda_kernel_for(device, &layers[i]);
        pairs = pairs && kernel == &pair;
        joined = joined && joins(device, &layers[i], kernel);
    }
    if (*done && !joined)
        return multiply_each(device, products, count, x, coding, rows, k);
    *done = *done && pairs;
    return *done ? osc_cuda_pair_multiply_several(device, layers, count) : OSC_OK;
}

/* Linear layers on the GPU: fp16 through cuBLASLt at its best algorithm, and llm-int8
 * with everything included, for every OPT width.  Device time from replays of a graph
 * with several calls on weights and inputs in turn, medians; error against float64 on
 * a sample of outputs; with schemes=yes every scheme as a session would have it, and
 * first what the GPU copies and multiplies at most; with parts=no kernels as a whole alone,
 * and fp16 at cuBLASLt's first algorithm.  JSON lines (DESIGN 9).
 *   bench_codes [width ...] [rows=1,8,512,2048] [shapes=fc1,fc2,square] [kernel=NAME,...]
 *               [weights=fp16|int8] [schemes=yes|no] [ceilings=yes|no] [parts=yes|no] */
#include <config.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "cuda/flags.cuh"
extern "C" {
#include "quant/scheme.h"
#include "cuda/backend.h"
extern const osc_backend osc_backend_cuda_f16;
}

enum { SAMPLE = 512, OUTLIERS = 7, MOST_SETS = 6, REPLAYS = 9, LONG_REPLAYS = 5,
       TRIALS = 3,            /* replays of an algorithm for fp16 that is to be compared */
       Q8_ROWS = 2048 };      /* beyond so many the checking kernel of q8-0 takes too long */

/* What the arguments ask for. */
typedef struct {
    const char *shapes, *kernels;      /* NULL: all kernels */
    bool stored, schemes, ceilings, parts;
} wanted;

static void ok(osc_status status)
{
    if (status != OSC_OK) {
        fprintf(stderr, "bench_codes: %s\n", osc_error());
        exit(1);
    }
}

static void ok(cudaError_t error)
{
    if (error != cudaSuccess) {
        fprintf(stderr, "bench_codes: %s\n", cudaGetErrorString(error));
        exit(1);
    }
}

static void ok(cublasStatus_t error)
{
    if (error != CUBLAS_STATUS_SUCCESS) {
        fprintf(stderr, "bench_codes: cuBLASLt: %s\n", cublasLtGetStatusString(error));
        exit(1);
    }
}

/* --- data, made on the device ------------------------------------------------------------- */

static __device__ float noise(unsigned long long i, unsigned seed)
{
    unsigned long long x = i * 0x9e3779b97f4a7c15ull + seed;
    float sum = 0.0f;
    for (unsigned r = 0; r < 4; r++) {
        x ^= x >> 30;
        x *= 0xbf58476d1ce4e5b9ull;
        x ^= x >> 27;
        x *= 0x94d049bb133111ebull;
        sum += (float)(x >> 40) * 0x1p-24f - 0.5f;
    }
    return sum * 1.7320508f;      /* nearly normal, variance 1 */
}

/* Rows of width k; OUTLIERS columns are 20 times as large. */
static __global__ void make(__half *data, size_t count, size_t k, float scale, unsigned seed,
                            bool outliers)
{
    size_t i = blockIdx.x * (size_t)blockDim.x + threadIdx.x;
    for (; i < count; i += gridDim.x * (size_t)blockDim.x) {
        size_t column = i % k;
        bool large = outliers && column % (k / OUTLIERS) == 3 && column / (k / OUTLIERS) < OUTLIERS;
        data[i] = __float2half_rn(noise(i, seed) * scale * (large ? 20.0f : 1.0f));
    }
}

/* What the kernel that made x would tell of its columns. */
static __global__ void find_columns(const __grid_constant__ osc_cuda_flags f, const __half *x,
                                    size_t count)
{
    size_t i = blockIdx.x * (size_t)blockDim.x + threadIdx.x;
    for (; i < count; i += gridDim.x * (size_t)blockDim.x)
        flag1<__half>(f, (unsigned)(i % f.width), x[i]);
}

/* Exact y for sampled (row, output). */
static __global__ void exact(double *y, const __half *x, const __half *w, const __half *bias,
                             size_t rows, size_t n, size_t k)
{
    size_t t = blockIdx.x * 7919ull % rows, j = blockIdx.x * 104729ull % n;
    __shared__ double part[128];
    double sum = 0.0;
    for (size_t i = threadIdx.x; i < k; i += 128)
        sum += (double)__half2float(x[t * k + i]) * (double)__half2float(w[j * k + i]);
    part[threadIdx.x] = sum;
    for (unsigned half = 64; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half)
            part[threadIdx.x] += part[threadIdx.x + half];
    }
    if (threadIdx.x == 0)
        y[blockIdx.x] = part[0] + (double)__half2float(bias[j]);
}

/* y as it is there. */
static __global__ void sample(double *got, const __half *y, size_t rows, size_t n)
{
    size_t t = blockIdx.x * 7919ull % rows, j = blockIdx.x * 104729ull % n;
    got[blockIdx.x] = (double)__half2float(y[t * n + j]);
}

/* One shape with its data. */
typedef struct {
    const char *shape;
    size_t d, rows, n, k, sets;
    __half *x, *w, *bias, *y;
    double *want, *got;
    char   *coded;
    osc_cuda_flags flags;        /* of x, the same for all sets */
    size_t  coded_bytes;
    osc_coding coding;
} layer;

static osc_cuda_removed removed_of(const layer *l)
{
    return { l->flags.bits, l->flags.words, (unsigned)l->rows, 1 };
}

static char *device_bytes(size_t bytes)
{
    void *data;
    ok(cudaMalloc(&data, bytes));
    return (char *)data;
}

static void open_layer(osc_device *device, layer *l)
{
    l->sets = std::min<size_t>(MOST_SETS, (200u << 20) / (l->n * l->k) + 2);
    l->coded_bytes = osc_cuda_round_up(osc_cuda_codes_bytes(&l->coding, l->n, l->k), 256);
    l->x = (__half *)device_bytes(l->sets * l->rows * l->k * 2);
    l->w = (__half *)device_bytes(l->sets * l->n * l->k * 2);
    l->bias = (__half *)device_bytes(l->n * 2);
    l->y = (__half *)device_bytes(l->sets * l->rows * l->n * 2);
    l->want = (double *)device_bytes(SAMPLE * sizeof(double));
    l->got = (double *)device_bytes(SAMPLE * sizeof(double));
    l->coded = device_bytes(l->sets * l->coded_bytes);
    make<<<2048, 256, 0, device->stream>>>(l->x, l->sets * l->rows * l->k, l->k, 1.0f, 1, true);
    make<<<2048, 256, 0, device->stream>>>(l->w, l->sets * l->n * l->k, l->k, 0.02f, 2, false);
    make<<<64, 256, 0, device->stream>>>(l->bias, l->n, l->n, 0.1f, 3, false);
    exact<<<SAMPLE, 128, 0, device->stream>>>(l->want, l->x, l->w, l->bias, l->rows, l->n, l->k);
    size_t words = (l->k + 31) / 32;
    l->flags = {};
    l->flags.bits = (uint32_t *)device_bytes(words * 4);
    l->flags.words = (unsigned)words;
    l->flags.rows = (unsigned)(l->sets * l->rows);
    l->flags.width = (unsigned)l->k;
    l->flags.threshold = l->coding.threshold;
    ok(cudaMemsetAsync(l->flags.bits, 0, words * 4, device->stream));
    find_columns<<<2048, 256, 0, device->stream>>>(l->flags, l->x, l->sets * l->rows * l->k);
    ok(cudaStreamSynchronize(device->stream));
    for (size_t s = 0; s < l->sets; s++) {
        osc_cuda_weight w = osc_cuda_code_weight(l->coded + s * l->coded_bytes, &l->coding, l->n,
                                                 l->k);
        ok(osc_cuda_code_w(device, &w, &l->coding, l->w + s * l->n * l->k, OSC_F16, 0, l->n, l->n,
                           l->k, NULL, device->bad));
    }
    ok(cudaStreamSynchronize(device->loads));
}

static void close_layer(layer *l)
{
    void *all[] = { l->x, l->w, l->bias, l->y, l->want, l->got, l->coded, l->flags.bits };
    for (void *data : all)
        ok(cudaFree(data));
}

/* Relative Frobenius error of the sampled outputs of the first set. */
static double error_of(osc_device *device, const layer *l)
{
    std::vector<double> want(SAMPLE), got(SAMPLE);
    double off = 0.0, all = 0.0;
    sample<<<SAMPLE, 1, 0, device->stream>>>(l->got, l->y, l->rows, l->n);
    ok(cudaStreamSynchronize(device->stream));
    ok(cudaMemcpy(want.data(), l->want, SAMPLE * sizeof(double), cudaMemcpyDeviceToHost));
    ok(cudaMemcpy(got.data(), l->got, SAMPLE * sizeof(double), cudaMemcpyDeviceToHost));
    for (size_t i = 0; i < SAMPLE; i++) {
        off += (got[i] - want[i]) * (got[i] - want[i]);
        all += want[i] * want[i];
    }
    return sqrt(off / all);
}

/* --- timing ----------------------------------------------------------------------------------- */

/* A graph of many calls with the sets of data in turn. */
typedef struct {
    cudaGraphExec_t run;
    size_t calls;
    std::vector<double> us;
} replay;

enum { CHECKED_ROWS = 8 };      /* beyond so many, q8-0's kernel, made for checking, runs once */

/* About what fp16 takes: the larger of arithmetic and of reading w, and a launch. */
static double expected_us(const layer *l)
{
    double size = (double)l->n * (double)l->k;
    return std::max(2e-6 * (double)l->rows * size / 650, 2e-3 * size / 4000) + 2;
}

/* Turns of the sets of data in a replay: some milliseconds, or one. */
static size_t turns(const layer *l)
{
    double once = (double)l->sets * expected_us(l);
    return (size_t)std::min(6.0, std::max(1.0, 3000 / once));
}

static size_t replays(const layer *l)
{
    return (double)(turns(l) * l->sets) * expected_us(l) > 5000 ? LONG_REPLAYS : REPLAYS;
}

template <typename F>
static replay capture(osc_device *device, const layer *l, F call, bool once = false)
{
    replay r = {};
    cudaGraph_t graph;
    r.calls = once ? 1 : l->sets * turns(l);
    call(0);
    ok(cudaStreamSynchronize(device->stream));
    osc_cuda_known_reset(device);
    ok(cudaStreamBeginCapture(device->stream, cudaStreamCaptureModeThreadLocal));
    for (size_t i = 0; i < r.calls; i++)
        call(i % l->sets);
    ok(cudaStreamEndCapture(device->stream, &graph));
    osc_cuda_known_reset(device);
    ok(cudaGraphInstantiate(&r.run, graph, 0));
    ok(cudaGraphDestroy(graph));
    return r;
}

static void run_once(osc_device *device, replay *r, cudaEvent_t from, cudaEvent_t to)
{
    float ms;
    ok(cudaEventRecord(from, device->stream));
    ok(cudaGraphLaunch(r->run, device->stream));
    ok(cudaEventRecord(to, device->stream));
    ok(cudaEventSynchronize(to));
    ok(cudaEventElapsedTime(&ms, from, to));
    r->us.push_back(1e3 * ms / r->calls);
}

/* Medians of replays that take turns, so that all see the same clocks; the first
 * round is not counted. */
static std::vector<double> medians(osc_device *device, size_t rounds, std::vector<replay> all)
{
    cudaEvent_t from, to;
    std::vector<double> median;
    ok(cudaEventCreate(&from));
    ok(cudaEventCreate(&to));
    for (size_t i = 0; i < rounds; i++)
        for (replay &r : all)
            run_once(device, &r, from, to);
    for (replay &r : all) {
        std::sort(r.us.begin() + 1, r.us.end());
        median.push_back(r.us[1 + (r.us.size() - 1) / 2]);
        ok(cudaGraphExecDestroy(r.run));
    }
    ok(cudaEventDestroy(from));
    ok(cudaEventDestroy(to));
    return median;
}

static void print(const layer *l, const char *scheme, const char *kernel, double us, double fp16,
                  double error)
{
    printf("{\"bench\":\"linear %s %s\",\"backend\":\"cuda\",\"kernel\":\"%s\",\"shape\":"
           "\"%zux%zux%zu\",\"width\":%zu,\"rows\":%zu,\"median_us\":%.2f,\"baseline\":"
           "\"fp16 cublaslt\",\"baseline_median_us\":%.2f,\"ratio\":%.3f,\"error\":%.2e}\n",
           scheme, l->shape, kernel, l->rows, l->n, l->k, l->d, l->rows, us, fp16, fp16 / us,
           error);
    fflush(stdout);
}

/* --- cuBLASLt ------------------------------------------------------------------------- */

typedef struct {
    cublasLtMatmulDesc_t op;
    cublasLtMatrixLayout_t w, x, y;
    std::vector<cublasLtMatmulHeuristicResult_t> found;
} product;

static void open_product(osc_device *device, product *p, const layer *l, bool codes)
{
    const cublasOperation_t turned = CUBLAS_OP_T;
    const size_t workspace = CUDA_WORKSPACE;
    size_t k = codes ? osc_cuda_round_up(l->k, CODES_ALIGN) : l->k;
    cudaDataType_t in = codes ? CUDA_R_8I : CUDA_R_16F, out = codes ? CUDA_R_32I : CUDA_R_16F;
    cublasLtMatmulPreference_t preference;
    int count = 0;
    ok(cublasLtMatmulDescCreate(&p->op, codes ? CUBLAS_COMPUTE_32I : CUBLAS_COMPUTE_32F,
                                codes ? CUDA_R_32I : CUDA_R_32F));
    ok(cublasLtMatmulDescSetAttribute(p->op, CUBLASLT_MATMUL_DESC_TRANSA, &turned, sizeof turned));
    ok(cublasLtMatrixLayoutCreate(&p->w, in, k, l->n, k));
    ok(cublasLtMatrixLayoutCreate(&p->x, in, k, l->rows, k));
    ok(cublasLtMatrixLayoutCreate(&p->y, out, l->n, l->rows, l->n));
    ok(cublasLtMatmulPreferenceCreate(&preference));
    ok(cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                            &workspace, sizeof workspace));
    p->found.resize(8);
    ok(cublasLtMatmulAlgoGetHeuristic(device->lt, p->op, p->w, p->x, p->y, p->y, preference, 8,
                                      p->found.data(), &count));
    p->found.resize(count);
    cublasLtMatmulPreferenceDestroy(preference);
}

static void close_product(product *p)
{
    cublasLtMatmulDescDestroy(p->op);
    cublasLtMatrixLayoutDestroy(p->w);
    cublasLtMatrixLayoutDestroy(p->x);
    cublasLtMatrixLayoutDestroy(p->y);
}

static void multiply_fp16(osc_device *device, const layer *l, const product *p, size_t algorithm,
                          size_t s)
{
    const float one = 1.0f, zero = 0.0f;
    __half *y = l->y + s * l->rows * l->n;
    ok(cublasLtMatmul(device->lt, p->op, &one, l->w + s * l->n * l->k, p->w,
                      l->x + s * l->rows * l->k, p->x, &zero, y, p->y, y, p->y,
                      &p->found[algorithm].algo, device->workspace, CUDA_WORKSPACE,
                      device->stream));
}

/* The best of the algorithms offered. */
static size_t best_fp16(osc_device *device, const layer *l, const product *p)
{
    std::vector<replay> all;
    for (size_t i = 0; i < p->found.size(); i++)
        all.push_back(capture(device, l, [&](size_t s) { multiply_fp16(device, l, p, i, s); }));
    std::vector<double> us = medians(device, TRIALS, all);
    return std::min_element(us.begin(), us.end()) - us.begin();
}

static void multiply_raw(osc_device *device, const layer *l, const product *p, int32_t *sum,
                         size_t s)
{
    const int32_t one = 1, zero = 0;
    osc_cuda_weight w = osc_cuda_code_weight(l->coded + s * l->coded_bytes, &l->coding, l->n, l->k);
    ok(cublasLtMatmul(device->lt, p->op, &one, w.code, p->w, device->codes->code, p->x, &zero, sum,
                      p->y, sum, p->y, &p->found[0].algo, device->workspace, CUDA_WORKSPACE,
                      device->stream));
}

/* --- ours ----------------------------------------------------------------------------- */

static void linear(osc_device *device, const layer *l, size_t s)
{
    ok(osc_cuda_codes_matmul(device, l->y + s * l->rows * l->n, l->x + s * l->rows * l->k,
                             l->coded + s * l->coded_bytes, &l->coding, l->bias, OSC_ACT_NONE,
                             l->rows, l->n, l->k));
}

static osc_cuda_layer product_of(const layer *l, size_t s)
{
    osc_cuda_layer p = {};
    p.y = l->y + s * l->rows * l->n;
    p.x = l->x + s * l->rows * l->k;
    p.bias = l->bias;
    p.w = osc_cuda_code_weight(l->coded + s * l->coded_bytes, &l->coding, l->n, l->k);
    p.coding = l->coding;
    p.rows = l->rows;
    p.n = l->n;
    p.k = l->k;
    return p;
}

/* What is timed side by side. */
typedef struct {
    const char *scheme, *kernel;
    double error;
} entry;

static void add_kernel(osc_device *device, const layer *l, size_t index,
                       bool alone, std::vector<replay> *all, std::vector<entry> *names)
{
    const osc_cuda_kernel *kernel = osc_cuda_kernels[index];
    osc_cuda_codes_choose(device, index);
    all->push_back(capture(device, l, [&](size_t s) { linear(device, l, s); }));
    linear(device, l, 0);
    names->push_back({ "llm-int8", kernel->name, error_of(device, l) });
    if (kernel->codes || !alone)
        return;
    all->push_back(capture(device, l, [&](size_t s) {
        osc_cuda_layer p = product_of(l, s);
        ok(kernel->multiply(device, &p));
    }));
    names->push_back({ "product alone", kernel->name, 0.0 });
    if (l->rows <= FEW_ROWS)
        return;
    all->push_back(capture(device, l, [&](size_t s) {
        osc_cuda_layer p = product_of(l, s);
        ok(osc_cuda_code_known_x(device, &p, removed_of(l), true));
        ok(kernel->multiply(device, &p));
    }));
    names->push_back({ "behind a norm", kernel->name, 0.0 });
}

/* What comes before a product, for an x that may be any, whose columns are known, and
 * whose codes are there. */
static void add_coding(osc_device *device, const layer *l, std::vector<replay> *all,
                       std::vector<entry> *names)
{
    bool side = l->rows > FEW_ROWS;
    all->push_back(capture(device, l, [&](size_t s) {
        osc_cuda_layer p = product_of(l, s);
        ok(osc_cuda_code_any_x(device, &p, side));
    }));
    names->push_back({ "coding x", "code", 0.0 });
    all->push_back(capture(device, l, [&](size_t s) {
        osc_cuda_layer p = product_of(l, s);
        ok(osc_cuda_code_known_x(device, &p, removed_of(l), side));
    }));
    names->push_back({ "known columns", "code", 0.0 });
    if (!side)
        return;
    all->push_back(capture(device, l, [&](size_t s) {
        osc_cuda_layer p = product_of(l, s);
        ok(osc_cuda_lay_side(device, &p));
    }));
    names->push_back({ "known codes", "code", 0.0 });
}

static void start_range(osc_device *device)
{
    static const int32_t empty[2] = { INT32_MAX, INT32_MIN };
    ok(cudaMemcpyAsync(device->codes->range_w, empty, sizeof empty, cudaMemcpyHostToDevice,
                       device->loads));
}

/* All sets of weights in a scheme's form. */
static char *code_weights(osc_device *device, const layer *l, const osc_coding *coding,
                          size_t bytes)
{
    char *coded = device_bytes(l->sets * bytes);
    const int32_t *range = coding->w == OSC_SHARE_TENSOR ? device->codes->range_w : NULL;
    for (size_t s = 0; s < l->sets; s++) {
        const __half *w = l->w + s * l->n * l->k;
        osc_cuda_weight form = osc_cuda_code_weight(coded + s * bytes, coding, l->n, l->k);
        start_range(device);
        if (range != NULL)
            ok(osc_cuda_range_w(device, device->codes->range_w, w, OSC_F16, l->n * l->k));
        if (coding->w == OSC_SHARE_BLOCK)
            ok(osc_cuda_q8_load(device, coded + s * bytes, w, OSC_F16, 0, l->n, l->n, l->k,
                                device->bad));
        else
            ok(osc_cuda_code_w(device, &form, coding, w, OSC_F16, 0, l->n, l->n, l->k, range,
                               device->bad));
    }
    ok(cudaStreamSynchronize(device->loads));
    return coded;
}

/* A scheme as a session has it: the kernel that the backend takes. */
static char *add_scheme(osc_device *device, const layer *l, const char *text,
                        std::vector<replay> *all, std::vector<entry> *names)
{
    osc_scheme_choice choice;
    ok(osc_scheme_parse(&choice, text));
    const osc_coding coding = choice.coding;
    size_t bytes = osc_cuda_round_up(osc_cuda_codes_bytes(&coding, l->n, l->k), 256);
    char *coded = code_weights(device, l, &coding, bytes);
    auto call = [=](size_t s) {
        ok(osc_backend_cuda_f16.codes_matmul(device, l->y + s * l->rows * l->n,
                                             l->x + s * l->rows * l->k, coded + s * bytes,
                                             &coding, l->bias, OSC_ACT_NONE, l->rows, l->n,
                                             l->k));
    };
    all->push_back(capture(device, l, call, coding.w == OSC_SHARE_BLOCK
                                            && l->rows > CHECKED_ROWS));
    call(0);
    names->push_back({ text, "chosen", error_of(device, l) });
    return coded;
}

static std::vector<char *> add_schemes(osc_device *device, const layer *l,
                                       std::vector<replay> *all, std::vector<entry> *names)
{
    static const char *const texts[] = {
        "absmax", "zeropoint", "absmax-row", "absmax-vector", "zeropoint-vector",
        "absmax-row-decomp", "llm-int8", "llm-int8:weights=int8", "llm-int8-zeropoint", "q8-0",
    };
    std::vector<char *> owned;
    for (const char *text : texts)
        if (l->rows <= Q8_ROWS || strncmp(text, "q8", 2) != 0)
            owned.push_back(add_scheme(device, l, text, all, names));
    return owned;
}

/* Whether a kernel was asked for by its whole name. */
static bool named(const char *kernels, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = kernels; at != NULL; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, name, length) == 0 && (at[length] == ',' || at[length] == '\0'))
            return true;
    }
    return kernels == NULL;
}

/* What a product of codes is made of: coding x, and bare sums into `sum`. */
static void add_parts(osc_device *device, const layer *l, const product *codes, int32_t *sum,
                      std::vector<replay> *all, std::vector<entry> *names)
{
    add_coding(device, l, all, names);
    all->push_back(capture(device, l, [&](size_t s) { multiply_raw(device, l, codes, sum, s); }));
    names->push_back({ "int8 sums", "cublaslt", 0.0 });
}

static void time_layer(osc_device *device, layer *l, const wanted *want)
{
    std::vector<char *> owned;
    std::vector<replay> all;
    std::vector<entry> names;
    product fp16, codes;
    open_layer(device, l);
    open_product(device, &fp16, l, false);
    open_product(device, &codes, l, true);
    int32_t *sum = want->parts ? (int32_t *)device_bytes(l->rows * l->n * 4) : NULL;
    size_t best = want->parts ? best_fp16(device, l, &fp16) : 0;
    all.push_back(capture(device, l, [&](size_t s) { multiply_fp16(device, l, &fp16, best, s); }));
    ok(osc_backend_cuda_f16.matmul(device, l->y, l->x, l->w, l->bias, OSC_ACT_NONE, l->rows, l->n,
                                   l->k));     /* with the bias, which the timed call leaves out */
    names.push_back({ "none", "cublaslt", error_of(device, l) });
    for (size_t i = 0; osc_cuda_kernels[i] != NULL; i++) {
        osc_cuda_layer p = product_of(l, 0);
        const osc_cuda_kernel *kernel = osc_cuda_kernels[i];
        if (kernel->fits(device, &p) && named(want->kernels, kernel->name))
            add_kernel(device, l, i, want->parts, &all, &names);
    }
    if (want->parts)
        add_parts(device, l, &codes, sum, &all, &names);
    osc_cuda_codes_choose(device, SIZE_MAX);
    if (want->schemes)
        owned = add_schemes(device, l, &all, &names);
    std::vector<double> us = medians(device, replays(l), all);
    for (size_t i = 0; i < us.size(); i++)
        print(l, names[i].scheme, names[i].kernel, us[i], us[0], names[i].error);
    close_product(&fp16);
    close_product(&codes);
    ok(cudaFree(sum));
    for (char *coded : owned)
        ok(cudaFree(coded));
    close_layer(l);
}

/* Microseconds of a copy of random bytes from the first half of `data` to the second; a
 * call in a graph goes to the copy engines, which are slower. */
static double time_copy(osc_device *device, char *data, size_t bytes)
{
    cudaEvent_t from, to;
    std::vector<double> us;
    make<<<2048, 256, 0, device->stream>>>((__half *)data, bytes / 2, bytes / 2, 1.0f, 4, false);
    ok(cudaEventCreate(&from));
    ok(cudaEventCreate(&to));
    for (size_t i = 0; i < REPLAYS; i++) {
        float ms;
        ok(cudaEventRecord(from, device->stream));
        ok(cudaMemcpyAsync(data + bytes, data, bytes, cudaMemcpyDeviceToDevice, device->stream));
        ok(cudaEventRecord(to, device->stream));
        ok(cudaEventSynchronize(to));
        ok(cudaEventElapsedTime(&ms, from, to));
        us.push_back(1e3 * ms);
    }
    ok(cudaEventDestroy(from));
    ok(cudaEventDestroy(to));
    std::sort(us.begin(), us.end());
    return us[us.size() / 2];
}

/* A copy of 4 GiB and a square product of 8192, as the rows above are timed. */
static void time_ceilings(osc_device *device)
{
    layer l = {};
    product fp16;
    l.shape = "square";
    l.d = l.rows = l.n = l.k = 8192;
    l.coding.x = l.coding.w = OSC_SHARE_ROW;
    open_layer(device, &l);
    open_product(device, &fp16, &l, false);
    size_t bytes = (size_t)1 << 32, best = best_fp16(device, &l, &fp16);
    char *data = device_bytes(2 * bytes);
    double copy = time_copy(device, data, bytes);
    std::vector<double> us = medians(device, REPLAYS, { capture(device, &l, [&](size_t s) {
        multiply_fp16(device, &l, &fp16, best, s);
    }) });
    printf("{\"bench\":\"ceilings\",\"backend\":\"cuda\",\"kernel\":\"memcpy, cublaslt\",\"shape\":"
           "\"4 GiB, 8192^3\",\"copy_gbps\":%.0f,\"fp16_tflops\":%.0f}\n",
           2e-3 * (double)bytes / copy, 2e-6 * 8192.0 * 8192.0 * 8192.0 / us[0]);
    fflush(stdout);
    close_product(&fp16);
    ok(cudaFree(data));
    close_layer(&l);
}

static bool yes(const char *argument)
{
    return strcmp(strchr(argument, '=') + 1, "yes") == 0;
}

static void parse(int argc, char **argv, wanted *want, std::vector<size_t> *widths,
                  std::vector<size_t> *rows)
{
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "rows=", 5) == 0)
            for (char *at = argv[i] + 4; at != NULL && *at != 0; at = strchr(at + 1, ','))
                rows->push_back(strtoul(at + 1, NULL, 10));
        else if (strncmp(argv[i], "shapes=", 7) == 0)
            want->shapes = argv[i] + 7;
        else if (strncmp(argv[i], "kernel=", 7) == 0)
            want->kernels = argv[i] + 7;
        else if (strncmp(argv[i], "schemes=", 8) == 0)
            want->schemes = yes(argv[i]);
        else if (strncmp(argv[i], "ceilings=", 9) == 0)
            want->ceilings = yes(argv[i]);
        else if (strncmp(argv[i], "parts=", 6) == 0)
            want->parts = yes(argv[i]);
        else if (strncmp(argv[i], "weights=", 8) == 0)
            want->stored = strcmp(argv[i] + 8, "int8") != 0;
        else
            widths->push_back(strtoul(argv[i], NULL, 10));
    }
    if (widths->empty())
        *widths = { 768, 1024, 2048, 2560, 4096, 5120, 7168, 9216, 12288 };
    if (rows->empty())
        *rows = { 1, 8, 512, 2048 };
}

static void time_shape(osc_device *device, const char *shape, size_t d, size_t rows,
                       const wanted *want)
{
    layer l = {};
    l.shape = shape;
    l.d = d;
    l.rows = rows;
    l.n = strcmp(shape, "fc1") == 0 ? 4 * d : d;
    l.k = strcmp(shape, "fc2") == 0 ? 4 * d : d;
    l.coding.x = l.coding.w = OSC_SHARE_ROW;
    l.coding.remove = OSC_REMOVE_ABSOLUTE;
    l.coding.threshold = 6.0f;
    l.coding.stored = want->stored;
    time_layer(device, &l, want);
}

int main(int argc, char **argv)
{
    std::vector<size_t> widths, rows;
    wanted want = { "fc1,fc2,square", NULL, true, false, false, true };
    osc_device *device;
    osc_limits limits = {};
    parse(argc, argv, &want, &widths, &rows);
    limits.tokens = *std::max_element(rows.begin(), rows.end());
    limits.heads = 1;
    limits.head_size = 64;
    limits.widest = 4 * *std::max_element(widths.begin(), widths.end());
    limits.codes = true;
    limits.vocabulary = limits.embed_width = 64;
    ok(osc_backend_cuda_f16.open(&device, 1));
    ok(osc_backend_cuda_f16.plan(device, &limits));
    if (want.ceilings)
        time_ceilings(device);
    for (size_t t : rows)
        for (size_t d : widths)
            for (const char *shape : { "fc1", "fc2", "square" })
                if (strstr(want.shapes, shape) != NULL)
                    time_shape(device, shape, d, t, &want);
    osc_backend_cuda_f16.close(device);
    return 0;
}

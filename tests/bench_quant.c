/* int8 products against float32 ones: the product of codes with its scales alone, then
 * whole linear layers from float x to float y.  All sides run in turn in this process on
 * the same number of threads (the first argument, 2 if there is none); the baseline is
 * the faster of the machine's own cblas_sgemm and the backend's float product. */
#include <config.h>
#include "bench.h"

#include <cblas.h>
#include <stdint.h>
#include <string.h>

#include "backend/cpu_i8.h"
#include "base/alloc.h"
#include "base/half.h"
#include "quant/scheme.h"

enum { RUNS = 11, SIDES = 16, OUTLIERS = 7 };

static const struct { size_t rows, n, k; } shapes[] = {
    { 512, 4096, 1024 }, { 512, 1024, 4096 }, { 2048, 2048, 2048 }, { 1, 4096, 4096 },
    { 8, 4096, 4096 },
};

typedef struct {
    osc_device *device;
    size_t      threads, rows, n, k;
    float      *x, *w, *y;
} shape;

/* One contender: what runs, and its times. */
typedef struct {
    char   name[64];
    void (*run)(const shape *s, const void *with);
    void  *with;                     /* a linear layer */
    const osc_cpu_i8 *kernel;
    double seconds[RUNS];
} side;

static void must(osc_status status)
{
    if (status == OSC_OK)
        return;
    fprintf(stderr, "bench_quant: %s\n", osc_error());
    exit(1);
}

static void run_sgemm(const shape *s, const void *with)
{
    (void)with;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)s->rows, (int)s->n, (int)s->k, 1.0f,
                s->x, (int)s->k, s->w, (int)s->k, 0.0f, s->y, (int)s->n);
}

static void run_float(const shape *s, const void *with)
{
    (void)with;
    must(osc_backend_cpu.matmul(s->device, s->y, s->x, s->w, NULL, OSC_ACT_NONE, s->rows, s->n,
                                s->k));
}

static void code_x(const shape *s, const osc_linear *linear)
{
    osc_cpu_i8_code(s->device, s->x, linear->weight, &linear->choice->coding, s->rows, s->n, s->k);
}

static void run_product(const shape *s, const void *with)
{
    const osc_linear *linear = with;
    osc_cpu_i8_product(s->device, s->y, s->x, linear->weight, &linear->choice->coding, NULL,
                       OSC_ACT_NONE, s->rows, s->n, s->k);
}

static void run_linear(const shape *s, const void *with)
{
    const osc_linear *linear = with;
    must(linear->choice->scheme->apply(linear, &osc_backend_cpu, s->device, s->y, s->x,
                                       OSC_ACT_NONE, s->rows));
}

static void set_blas_threads(size_t threads)
{
#ifdef HAVE_OPENBLAS_SET_NUM_THREADS
    openblas_set_num_threads((int)threads);
#else
    (void)threads;
#endif
}

static float noise(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (float)(int32_t)(*state >> 32) * 0x1p-31f;
}

static void open_shape(shape *s, size_t i, size_t threads)
{
    *s = (shape){ .threads = threads, .rows = shapes[i].rows, .n = shapes[i].n, .k = shapes[i].k };
    osc_limits limits = { .tokens = s->rows, .heads = 1, .head_size = 8, .codes = true,
                          .widest = s->k > s->n ? s->k : s->n, .vocabulary = 8, .embed_width = 8 };
    uint64_t state = i + 1;
    must(osc_backend_cpu.open(&s->device, threads));
    must(osc_backend_cpu.plan(s->device, &limits));
    s->x = osc_alloc(s->rows * s->k, sizeof *s->x);
    s->w = osc_alloc(s->n * s->k, sizeof *s->w);
    s->y = osc_alloc(s->rows * s->n, sizeof *s->y);
    for (size_t e = 0; e < s->rows * s->k; e++)
        s->x[e] = noise(&state);
    for (size_t e = 0; e < s->n * s->k; e++)
        s->w[e] = 0.05f * noise(&state);
    for (size_t o = 0; o < OUTLIERS; o++)     /* columns beyond 6 */
        s->x[o * (s->k / OUTLIERS) + 3] = 9.0f;
}

static void close_shape(shape *s)
{
    osc_free(s->x);
    osc_free(s->w);
    osc_free(s->y);
    osc_backend_cpu.close(s->device);
}

/* The weight as a checkpoint stores it: fp16, which llm-int8 gathers its columns from. */
static osc_linear *linear_of(const shape *s, const osc_tensor *stored, const char *scheme)
{
    osc_scheme_choice *choice = osc_alloc(1, sizeof *choice);
    osc_linear *linear = osc_alloc(1, sizeof *linear);
    size_t bad;
    must(osc_scheme_parse(choice, scheme));
    *linear = (osc_linear){ .choice = choice, .n = s->n, .k = s->k };
    must(osc_backend_cpu.alloc(s->device, &linear->weight, choice->scheme->bytes(
                               choice, &osc_backend_cpu, s->n, s->k)));
    must(choice->scheme->prepare(linear, &osc_backend_cpu, s->device, stored, &bad));
    return linear;
}

static size_t add_side(side *sides, size_t count, const char *what, const osc_cpu_i8 *kernel,
                       void (*run)(const shape *, const void *), osc_linear *with)
{
    snprintf(sides[count].name, sizeof sides->name, "%s%s%s", what, kernel ? " " : "",
             kernel ? kernel->name : "");
    sides[count].kernel = kernel;
    sides[count].run = run;
    sides[count].with = with;
    return count + 1;
}

static void time_sides(shape *s, side *sides, size_t count)
{
    for (size_t r = 0; r < RUNS + 1; r++) {      /* the first is not counted */
        for (size_t i = 0; i < count; i++) {
            if (sides[i].kernel != NULL)
                s->device->i8 = sides[i].kernel;
            if (sides[i].run == run_sgemm)
                set_blas_threads(s->threads);
            if (sides[i].run == run_product)
                code_x(s, sides[i].with);
            double start = bench_now();
            sides[i].run(s, sides[i].with);
            if (r > 0)
                sides[i].seconds[r - 1] = bench_now() - start;
            set_blas_threads(1);
        }
    }
}

static void report(const shape *s, side *sides, size_t count)
{
    char text[64];
    double sgemm = bench_median(sides[0].seconds, RUNS), own = bench_median(sides[1].seconds, RUNS);
    snprintf(text, sizeof text, "%zux%zux%zu", s->rows, s->k, s->n);
    bench_print("matmul", "float32", text, own, "cblas_sgemm", sgemm);
    for (size_t i = 2; i < count; i++)
        bench_print("int8", sides[i].name, text, bench_median(sides[i].seconds, RUNS),
                    own < sgemm ? "matmul" : "cblas_sgemm", own < sgemm ? own : sgemm);
}

static void bench_shape(size_t index, size_t threads)
{
    static const char *const schemes[] = { "absmax-vector", "llm-int8", "llm-int8:weights=int8",
                                           "llm-int8-zeropoint", "q8-0" };
    enum { SCHEMES = sizeof schemes / sizeof *schemes };
    static side sides[SIDES];
    shape s;
    open_shape(&s, index, threads);
    uint16_t *half = osc_alloc(s.n * s.k, sizeof *half);
    for (size_t e = 0; e < s.n * s.k; e++)
        half[e] = osc_float_to_f16(s.w[e]);
    osc_tensor stored = osc_tensor_make(half, OSC_F16, 2, (size_t[]){ s.n, s.k });
    size_t count = add_side(sides, 0, "cblas_sgemm", NULL, run_sgemm, NULL);
    count = add_side(sides, count, "float32", NULL, run_float, NULL);
    osc_linear *linears[SCHEMES];
    for (size_t i = 0; i < SCHEMES; i++)
        linears[i] = linear_of(&s, &stored, schemes[i]);
    for (size_t i = 0; osc_cpu_i8_kernels[i + 1] != NULL; i++)   /* not the portable one */
        if (osc_cpu_i8_kernels[i]->available())
            count = add_side(sides, count, "product", osc_cpu_i8_kernels[i], run_product,
                             linears[0]);
    for (size_t i = 0; i < SCHEMES; i++)
        count = add_side(sides, count, schemes[i], osc_cpu_i8_choose(), run_linear, linears[i]);
#ifdef HAVE_X86_64
    count = add_side(sides, count, "llm-int8", &osc_cpu_i8_avx2, run_linear, linears[1]);
#endif
    time_sides(&s, sides, count);
    report(&s, sides, count);
    for (size_t i = 0; i < SCHEMES; i++) {
        osc_backend_cpu.release(s.device, linears[i]->weight);
        osc_free((void *)linears[i]->choice);
        osc_free(linears[i]);
    }
    osc_free(half);
    close_shape(&s);
}

int main(int argc, char **argv)
{
    size_t threads = 2;
    if (argc > 1)
        must(osc_parse_size(&threads, "threads", argv[1], 1, 1024));
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        bench_shape(i, threads);
    return 0;
}

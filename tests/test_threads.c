/* Every operation of the CPU backend, in every vector build, and every scheme with every
 * kernel gives the same bits from any number of threads and in any process.  The program
 * starts itself again, `test_threads digests N`: a digest a line with N threads. */
#include <config.h>
#include "run.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/digest.h"
#include "coded_layer.h"
#include "engine/observer.h"
#include "near.h"

enum { ROWS = 197, WIDTH = 265, HEADS = 5, HEAD = 53, WIDE = 531, MOST_THREADS = 8 };
static const osc_sequences sequence = { 1, ROWS };

static const osc_backend *const cpu = &osc_backend_cpu;

/* --- digests -------------------------------------------------------------------- */

/* `what` begins the line; the rest is said of its bytes. */
static void say(const char *what, const char *how, const void *data, size_t size)
{
    osc_digest *digest;
    char hex[OSC_DIGEST_HEX];
    done(osc_digest_create(&digest));
    done(osc_digest_add(digest, data, size));
    done(osc_digest_finish(digest, hex));
    osc_digest_free(digest);
    printf("%s %s %s\n", what, how, hex);
}

/* Numbers that depend on `seed` alone, a few of them large. */
static float *numbers(size_t count, uint64_t seed)
{
    float *x = osc_alloc(count, sizeof *x);
    ck_assert_ptr_nonnull(x);
    random_fill(x, count, 1.0f, &seed);
    for (size_t i = 31; i < count; i += 997)
        x[i] *= 40.0f;
    return x;
}

/* What the operations of one device work on. */
typedef struct {
    osc_device *device;
    float      *x, *w, *bias, *y, *kv;      /* [ROWS, WIDTH], [WIDE, WIDTH], [WIDE],
                                               [HEADS * ROWS, WIDE], [ROWS, WIDTH] */
    osc_tensor  table;                      /* w */
    size_t      made;                       /* of y */
} bench;

enum { ROOM = HEADS * ROWS * WIDE };

static bench open_bench(const osc_cpu_vec *vec, size_t threads)
{
    bench b = { .x = numbers(ROWS * WIDTH, 1), .w = numbers(WIDE * WIDTH, 2),
                .bias = numbers(WIDE, 3), .kv = numbers(ROWS * WIDTH, 4),
                .y = osc_alloc(ROOM, sizeof(float)) };
    osc_limits limits = { .tokens = ROWS, .heads = HEADS, .head_size = HEAD, .widest = WIDE,
                          .vocabulary = WIDE, .embed_width = WIDTH };
    done(cpu->open(&b.device, threads));
    done(cpu->plan(b.device, &limits));
    b.device->vec = vec;
    b.table = osc_tensor_make(b.w, OSC_F32, 2, (size_t[]){ WIDE, WIDTH });
    return b;
}

static void close_bench(bench *b)
{
    cpu->close(b->device);
    osc_free(b->x);
    osc_free(b->w);
    osc_free(b->bias);
    osc_free(b->kv);
    osc_free(b->y);
}

/* --- operations: each leaves `made` numbers in y ----------------------------------------- */

static void use_load(bench *b)
{
    size_t bad;
    done(cpu->load(b->device, b->y, &b->table, &bad));
    b->made = WIDE * WIDTH;
}

static void use_embed(bench *b)
{
    int32_t ids[ROWS];
    for (int32_t i = 0; i < ROWS; i++)
        ids[i] = i * 7 % WIDE;
    done(cpu->embed(b->device, b->y, &b->table, ids, ROWS));
    done(cpu->add_rows(b->device, b->y, &b->table, 3, ROWS));
}

static void use_layernorm(bench *b)
{
    done(cpu->layernorm(b->device, b->y, b->x, b->w, b->bias, 1e-5f, ROWS, WIDTH));
}

static void use_rmsnorm(bench *b)
{
    done(cpu->rmsnorm(b->device, b->y, b->x, b->w, 1e-5f, ROWS, WIDTH));
}

static void use_rotate(bench *b)
{
    osc_rotary pairs = { .dim = 32, .base = 10000.0f, .first = 5 };
    memcpy(b->y, b->x, ROWS * WIDTH * sizeof *b->y);
    done(cpu->rotate(b->device, b->y, &pairs, ROWS, HEADS, HEAD));
    pairs.neighbours = true;
    done(cpu->rotate(b->device, b->y, &pairs, ROWS, HEADS, HEAD));
}

static void use_matmul(bench *b)
{
    done(cpu->matmul(b->device, b->y, b->x, b->w, b->bias, OSC_ACT_GELU, ROWS, WIDE, WIDTH));
    b->made = ROWS * WIDE;
}

static void use_matmul_few(bench *b)
{
    done(cpu->matmul(b->device, b->y, b->x, b->w, NULL, OSC_ACT_NONE, 1, WIDE, WIDTH));
    done(cpu->matmul_stored(b->device, b->y + WIDE, b->x, &b->table, b->bias, OSC_ACT_RELU,
                            OSC_FEW_ROWS));
    b->made = (1 + OSC_FEW_ROWS) * WIDE;
}

static void use_elements(bench *b)
{
    static const osc_act acts[] = { OSC_ACT_RELU, OSC_ACT_GELU, OSC_ACT_GELU_TANH, OSC_ACT_SILU };
    static const uint32_t columns[] = { 3, 17, WIDTH - 1 };
    done(cpu->copy(b->device, b->y, b->x, ROWS * WIDTH));
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++) {
        done(cpu->activate(b->device, b->y, acts[i], ROWS * WIDTH));
        done(cpu->add(b->device, b->y, b->x, ROWS * WIDTH));
        done(cpu->multiply(b->device, b->y, b->kv, ROWS * WIDTH));
    }
    done(cpu->clear(b->device, b->y, ROWS, WIDTH, columns, 3));
}

/* The doubles of top1 behind the outputs. */
static void use_attention(bench *b)
{
    double *top1 = (double *)(b->y + ROWS * WIDTH + 1);
    osc_attention a = { .tokens = ROWS, .heads = HEADS, .head_size = HEAD, .scale = 0.2f,
                        .top1 = top1 };
    memset(top1, 0, HEADS * sizeof *top1);
    done(cpu->attention(b->device, b->y, b->x, b->kv, b->kv, &a));
    b->made = ROWS * WIDTH + 1 + HEADS * 2;
}

/* Groups of heads, ALiBi, keys of earlier calls. */
static void use_attention_past(bench *b)
{
    enum { NOW = 61 };
    osc_attention a = { .tokens = NOW, .heads = HEADS, .head_size = HEAD, .scale = 0.2f,
                        .past = ROWS - NOW, .kv_heads = 1, .alibi = true };
    done(cpu->attention(b->device, b->y, b->x, b->kv, b->kv, &a));
    b->made = NOW * WIDTH;
}

static void use_attention_steps(bench *b)
{
    float *scores = osc_alloc(HEADS * ROWS * ROWS, sizeof *scores);
    osc_attention a = { .tokens = ROWS, .heads = HEADS, .head_size = HEAD, .scale = 0.2f,
                        .scores = scores };
    done(cpu->attend_scores(b->device, b->x, b->kv, &a));
    done(cpu->attend_softmax(b->device, &a));
    done(cpu->attend_values(b->device, b->y, b->kv, &a));
    osc_free(scores);
}

static void use_head(bench *b)
{
    osc_row_lse lse[ROWS];
    int32_t targets[ROWS];
    memset(lse, 0, sizeof lse);
    for (int32_t i = 0; i < ROWS; i++) {
        lse[i] = (osc_row_lse){ .max = -INFINITY };
        targets[i] = i * 5 % WIDE;
    }
    done(cpu->head(b->device, lse, b->x, b->w, targets, ROWS, 0, WIDE / 2, WIDTH, b->y, WIDE));
    done(cpu->head_biased(b->device, lse, b->x, b->w + WIDE / 2 * WIDTH, b->bias, targets, ROWS,
                          WIDE / 2, WIDE - WIDE / 2, WIDTH, b->y, WIDE));
    for (size_t i = 0; i < ROWS; i++) {
        float *to = b->y + ROWS * WIDE + 4 * i;
        to[0] = lse[i].max;
        to[1] = lse[i].target;
        memcpy(to + 2, &lse[i].sum, sizeof lse[i].sum);
    }
    b->made = ROWS * (WIDE + 4);
}

static void use_logits(bench *b)
{
    done(cpu->logits(b->device, b->y, b->x, &b->table, b->bias));
    b->made = WIDE;
}

/* Hits one after another behind the statistics. */
static osc_status keep_hits(const osc_hits_route *route, const osc_hit *hits, size_t count)
{
    bench *b = route->user;
    ck_assert_uint_le(b->made + count * 3, ROOM);
    memcpy(b->y + b->made, hits, count * sizeof *hits);
    b->made += count * 3;
    return OSC_OK;
}

static void use_observe(bench *b)
{
    osc_column_stats *stats = osc_column_stats_create(1, WIDTH);
    osc_hits_route route = { .sink = keep_hits, .user = b };
    b->made = 0;
    done(cpu->observe(b->device, stats, b->x, sequence, WIDTH, 6.0f, &route));
    ck_assert_uint_gt(b->made, 0);
    const struct { const void *data; size_t bytes; } parts[] = {
        { stats->min, WIDTH * 4 }, { stats->max, WIDTH * 4 }, { stats->sum, WIDTH * 8 },
        { stats->sumsq, WIDTH * 8 }, { stats->sum4, WIDTH * 8 }, { stats->count_ge, WIDTH * 8 },
        { stats->histogram, OSC_HISTOGRAM_BINS * 8 },
    };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        memcpy(b->y + b->made, parts[i].data, parts[i].bytes);
        b->made += parts[i].bytes / 4;
    }
    osc_column_stats_free(stats);
}

static osc_status keep_summary(const osc_summary_route *route, const osc_summary *summary)
{
    bench *b = route->user;
    memcpy(b->y, summary->power, sizeof summary->power);
    memcpy(b->y + 8, &summary->peak, sizeof summary->peak);
    b->made = 9;
    return OSC_OK;
}

static void use_summarize(bench *b)
{
    osc_summary_route route = { .sink = keep_summary, .user = b };
    done(cpu->summarize(b->device, b->x, sequence, WIDTH, &route));
}

static osc_status keep_residual(const osc_residual_route *route, const osc_residual *found)
{
    bench *b = route->user;
    memcpy(b->y, &found->ratio, sizeof found->ratio);
    memcpy(b->y + 2, &found->median, sizeof found->median);
    memcpy(b->y + 3, found->top, sizeof found->top);
    b->made = 3 + 3 * OSC_RESIDUAL_TOP;
    return OSC_OK;
}

static void use_residual(bench *b)
{
    double sumsq[WIDTH] = { 0 };
    uint64_t massive[WIDTH] = { 0 };
    osc_residual_stats stats = { WIDTH, sumsq, massive };
    osc_residual_route route = { .sink = keep_residual, .user = b };
    done(cpu->residual(b->device, &stats, b->x, sequence, WIDTH, &route));
    memcpy(b->y + b->made, sumsq, sizeof sumsq);
    memcpy(b->y + b->made + 2 * WIDTH, massive, sizeof massive);
    b->made += 4 * WIDTH;
}

static const struct {
    const char *name;
    void      (*use)(bench *b);
} operations[] = {
    { "load", use_load }, { "embed", use_embed }, { "layernorm", use_layernorm },
    { "rmsnorm", use_rmsnorm }, { "rotate", use_rotate }, { "matmul", use_matmul },
    { "matmul of few rows", use_matmul_few }, { "elements", use_elements },
    { "attention", use_attention }, { "attention with a past", use_attention_past },
    { "attention in steps", use_attention_steps }, { "head", use_head },
    { "logits", use_logits }, { "observe", use_observe }, { "summarize", use_summarize },
    { "residual", use_residual },
};
enum { OPERATIONS = sizeof operations / sizeof *operations };

static void say_operations(const osc_cpu_vec *vec, size_t threads)
{
    for (size_t i = 0; i < OPERATIONS; i++) {
        bench b = open_bench(vec, threads);
        b.made = ROWS * WIDTH;
        operations[i].use(&b);
        say(operations[i].name, vec->name, b.y, b.made * sizeof *b.y);
        close_bench(&b);
    }
}

/* --- schemes --------------------------------------------------------------------------- */

static const char *const schemes[] = {
    "none", "absmax", "zeropoint", "absmax-row", "absmax-vector", "zeropoint-vector",
    "absmax-row-decomp", "llm-int8", "llm-int8-zeropoint", "q8-0", "llm-int8:weights=int8",
    "llm-int8:rule=topk,threshold=3", "llm-int8-zeropoint:rule=ratio,threshold=1.4",
};
enum { SCHEMES = sizeof schemes / sizeof *schemes };

/* Of many rows and of few, which have a kernel of their own. */
static void say_scheme(const char *scheme, const struct osc_cpu_i8 *kernel, size_t threads)
{
    static const size_t rows[] = { ROWS, 3 };
    for (size_t i = 0; i < 2; i++) {
        coded_layer l;
        float *x = numbers(ROWS * WIDTH, 5), *w = numbers(WIDE * WIDTH, 6);
        float *y = osc_alloc(rows[i] * WIDE, sizeof *y);
        layer_open(&l, scheme, w, OSC_F32, rows[i], WIDE, WIDTH, threads);
        l.device->i8 = kernel;
        layer_apply(&l, y, x, OSC_ACT_RELU);
        layer_close(&l);
        say(scheme, kernel->name, y, rows[i] * WIDE * sizeof *y);
        osc_free(x);
        osc_free(w);
        osc_free(y);
    }
}

static size_t told_threads;

/* A test, since only there may checks fail. */
START_TEST(say_all)
{
    static const osc_cpu_vec *const builds[] = {
        &osc_cpu_vec_generic,
#ifdef HAVE_X86_64
        &osc_cpu_vec_avx2, &osc_cpu_vec_avx512,
#endif
    };
    const osc_cpu_vec *best = osc_cpu_vec_choose();
    for (size_t i = 0; i < sizeof builds / sizeof *builds; i++) {
        say_operations(builds[i], told_threads);
        if (builds[i] == best)
            break;       /* this processor has no more */
    }
    for (size_t k = 0; osc_cpu_i8_kernels[k] != NULL; k++)
        for (size_t s = 0; s < SCHEMES && osc_cpu_i8_kernels[k]->available(); s++)
            say_scheme(schemes[s], osc_cpu_i8_kernels[k], told_threads);
}
END_TEST

/* --- the test --------------------------------------------------------------------------- */

/* What a process with so many threads says, NUL-terminated. */
static char *all_of(size_t threads)
{
    enum { MOST = 1 << 16 };
    char command[64], *text = calloc(MOST, 1);
    snprintf(command, sizeof command, "exec /proc/%d/exe digests %zu", (int)getpid(), threads);
    FILE *in = popen(command, "r");
    ck_assert_ptr_nonnull(in);
    size_t size = fread(text, 1, MOST - 1, in);
    ck_assert_int_eq(pclose(in), 0);
    ck_assert_uint_gt(size, OSC_DIGEST_HEX * (OPERATIONS + SCHEMES));
    return text;
}

static void check_same(const char *a, const char *b, size_t threads)
{
    while (*a != '\0' || *b != '\0') {
        size_t n = strcspn(a, "\n"), m = strcspn(b, "\n");
        ck_assert_msg(n == m && memcmp(a, b, n) == 0, "%zu threads: %.*s, one: %.*s", threads,
                      (int)m, b, (int)n, a);
        a += n + (a[n] == '\n');
        b += m + (b[m] == '\n');
    }
}

START_TEST(test_same_bits)
{
    char *one = all_of(1);
    for (size_t threads = 1; threads <= MOST_THREADS; threads++) {
        char *other = all_of(threads);
        check_same(one, other, threads);
        free(other);
    }
    free(one);
}
END_TEST

static Suite *suite_of(const TTest *test)
{
    Suite *suite = suite_create("threads");
    TCase *tc = tcase_create("threads");
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, test);
    suite_add_tcase(suite, tc);
    return suite;
}

int main(int argc, char **argv)
{
    if (argc != 3 || strcmp(argv[1], "digests") != 0)
        return run_suite(suite_of(test_same_bits));
    SRunner *runner = srunner_create(suite_of(say_all));
    told_threads = (size_t)atoi(argv[2]);
    srunner_set_fork_status(runner, CK_NOFORK);
    srunner_run_all(runner, CK_SILENT);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed;
}

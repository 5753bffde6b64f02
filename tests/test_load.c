/* A long recording: 100,000 chunks of one sequence of a tiny model.  Memory stays what it
 * was and the file grows by the sequence; under `make check-long` also: the last chunks take
 * no longer than the first, and resuming at the end is quick. */
#include <config.h>
#include "run.h"

#include <hdf5.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "record_sim.h"

/* AddressSanitizer keeps what is released for a while. */
#if defined __has_feature
#define KEEPS_RELEASED __has_feature(address_sanitizer)
#elif defined __SANITIZE_ADDRESS__
#define KEEPS_RELEASED 1
#else
#define KEEPS_RELEASED 0
#endif

enum {
    CHUNKS = 100000, HIDDEN = 8, LENGTH = 2, PARTS = 10, SLACK_PAGES = 2048,
    POINT = 1 << OSC_AT_QKV_IN,
};

typedef struct {
    double seconds;      /* that a tenth of the CHUNKS took */
    long   pages;        /* resident after it */
    off_t  size;         /* of the file */
} part;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static long resident_pages(void)
{
    long size = 0, resident = 0;
    FILE *in = fopen("/proc/self/statm", "r");
    if (in != NULL && fscanf(in, "%ld %ld", &size, &resident) != 2)
        resident = 0;
    if (in != NULL)
        fclose(in);
    return resident;
}

static osc_corpus long_corpus(void)
{
    int32_t *ids = osc_alloc((size_t)CHUNKS * LENGTH, sizeof *ids);
    size_t *offset = osc_alloc(CHUNKS + 1, sizeof *offset);
    for (size_t i = 0; i < (size_t)CHUNKS * LENGTH; i++)
        ids[i] = (int32_t)(i * 7919 % 50000);
    for (size_t s = 0; s <= CHUNKS; s++)
        offset[s] = s * LENGTH;
    return (osc_corpus){ .ids = ids, .offset = offset, .count = CHUNKS, .longest = LENGTH,
                         .length = LENGTH, .bos = 2 };
}

static osc_recorder_options long_options(void)
{
    osc_recorder_options options = sim_options(sim_a);
    options.info.layers = 1;
    options.info.hidden = HIDDEN;
    options.info.heads = 0;
    options.info.sequence_length = LENGTH;
    options.info.sequences = CHUNKS;
    options.points = options.track = POINT;
    options.raw = 0;
    options.without = NULL;
    options.without_count = 0;
    options.metrics = false;
    options.interval = -1;
    options.resume = true;
    return options;
}

/* One sequence, with an outlier of feature 3 at its last position. */
static void run_sequence(const osc_hooks *hooks, size_t sequence, double nll[LENGTH])
{
    osc_observer *observer = osc_hooks_observer(hooks);
    const osc_observer_options *options = osc_observer_get_options(observer);
    osc_column_stats *stats = osc_observer_stats(observer, OSC_AT_QKV_IN, 0);
    for (size_t i = 0; i < LENGTH * HIDDEN; i++) {
        size_t f = i % HIDDEN;
        float x = i == HIDDEN + 3 ? 7.0f : 0.5f;
        stats->min[f] = stats->min[f] < x ? stats->min[f] : x;
        stats->max[f] = stats->max[f] > x ? stats->max[f] : x;
        stats->sum[f] += x;
        stats->count_ge[f] += x >= 6.0f;
        stats->histogram[39]++;
    }
    osc_hit hit = { .position = 1, .feature = 3, .value = 7.0f };
    ck_ok(options->on_hits(options->user, OSC_AT_QKV_IN, 0, sequence, &hit, 1));
    nll[0] = 0.0;
    nll[1] = sim_nll(sequence, 1);
}

static void record_parts(part parts[PARTS], const osc_corpus *corpus)
{
    osc_observer_shape shape = { .layers = 1, .hidden = HIDDEN };
    shape.width[OSC_AT_QKV_IN] = HIDDEN;
    osc_recorder_options options = long_options();
    osc_recorder *recorder;
    osc_hooks *hooks;
    ck_ok(osc_recorder_open(&recorder, &options, &shape, corpus));
    ck_ok(osc_hooks_create(&hooks, 1));
    ck_ok(osc_recorder_bind(recorder, hooks));
    for (size_t p = 0; p < PARTS; p++) {
        double start = now(), nll[LENGTH];
        for (size_t s = p * CHUNKS / PARTS; s < (p + 1) * CHUNKS / PARTS; s++) {
            run_sequence(hooks, s, nll);
            ck_ok(osc_recorder_add(recorder, s, 1, nll));
        }
        ck_ok(osc_recorder_finish(recorder));
        struct stat info;
        ck_assert_int_eq(stat(sim_a, &info), 0);
        parts[p] = (part){ now() - start, resident_pages(), info.st_size };
    }
    osc_hooks_free(hooks);
    osc_recorder_free(recorder);
}

static void check_resume(const osc_corpus *corpus)
{
    osc_observer_shape shape = { .layers = 1, .hidden = HIDDEN };
    shape.width[OSC_AT_QKV_IN] = HIDDEN;
    osc_recorder_options options = long_options();
    osc_recorder *recorder;
    double start = now();
    ck_ok(osc_recorder_open(&recorder, &options, &shape, corpus));
    ck_assert_uint_eq(osc_recorder_done(recorder), CHUNKS);
    osc_recorder_free(recorder);
    if (getenv("OSC_LONG") != NULL)
        ck_assert_double_lt(now() - start, 5.0);
    osc_record *record;
    ck_ok(osc_record_open(&record, sim_a));
    ck_assert(osc_record_get_info(record)->complete);
    ck_assert_uint_eq(osc_record_event_count(record), CHUNKS);
    osc_record_close(record);
}

START_TEST(test_load)
{
    part parts[PARTS];
    osc_corpus corpus = long_corpus();
    record_parts(parts, &corpus);
    for (size_t p = 0; getenv("OSC_LONG") != NULL && p < PARTS; p++)
        printf("# %zu chunks: %.3f s, %ld pages, %lld bytes\n", (p + 1) * CHUNKS / PARTS,
               parts[p].seconds, parts[p].pages, (long long)parts[p].size);
    /* After the first tenth nothing grows but the file, and that as in the tenth before. */
    if (!KEEPS_RELEASED)
        ck_assert_int_lt(parts[PARTS - 1].pages, parts[0].pages + SLACK_PAGES);
    double first = (double)(parts[PARTS / 2].size - parts[0].size) / (PARTS / 2);
    double second = (double)(parts[PARTS - 1].size - parts[PARTS / 2].size) / (PARTS / 2 - 1);
    ck_assert_double_lt(second, 1.3 * first + 65536);
    if (getenv("OSC_LONG") != NULL)
        ck_assert_double_lt(parts[PARTS - 1].seconds + parts[PARTS - 2].seconds,
                            3 * (parts[0].seconds + parts[1].seconds) + 0.5);
    check_resume(&corpus);
    osc_free(corpus.ids);
    osc_free(corpus.offset);
}
END_TEST

int main(void)
{
    if (!sim_set_up())
        return EXIT_FAILURE;
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    Suite *suite = suite_create("load");
    TCase *tc = tcase_create("load");
    tcase_set_timeout(tc, 1200);
    tcase_add_test(tc, test_load);
    suite_add_tcase(suite, tc);
    int result = run_suite(suite);
    sim_clean_up();
    return result;
}

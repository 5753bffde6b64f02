/* Recorders when things go wrong: files in the way, two writers, stopped runs, a full
 * disk, no memory, kill -9. */
#include <config.h>
#include "run.h"

#include <hdf5.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "record_sim.h"

static bool nothing_beside(const char *path)
{
    char name[96];
    bool clean = true;
    static const char *const suffix[] = { ".tmp", ".lock", ".raw" };
    for (size_t i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "%s%s", path, suffix[i]);
        clean = clean && !osc_file_exists(name);
    }
    return clean;
}

START_TEST(test_existing)
{
    osc_recorder *recorder;
    sim_make(sim_a);
    osc_recorder_options options = sim_options(sim_a);
    ck_assert_int_eq(sim_open(&recorder, &options), OSC_EINVAL);
    sim_error_has("exists already");
    options.path = sim_folder;
    options.overwrite = true;
    ck_assert_int_eq(sim_open(&recorder, &options), OSC_EINVAL);
    sim_error_has("not a regular file");
    options.path = "no/such/folder/run.h5";
    ck_assert_int_eq(sim_open(&recorder, &options), OSC_EIO);
    sim_error_has("No such file or directory");
    FILE *text = fopen(sim_b, "w");
    fputs("not HDF5", text);
    fclose(text);
    options = sim_options(sim_b);
    options.resume = true;
    ck_assert_int_eq(sim_open(&recorder, &options), OSC_EFORMAT);
    sim_error_has("not a readable HDF5 file");
    struct stat info;
    ck_assert_int_eq(stat(sim_b, &info), 0);
    ck_assert_int_eq(info.st_size, 8);
}
END_TEST

START_TEST(test_bad_options)
{
    static const struct {
        unsigned    points, track, raw;
        double      alpha;
        const char *message;
    } cases[] = {
        { SIM_POINTS, 1u << OSC_AT_Q, 0, 6, "without statistics cannot be tracked" },
        { SIM_POINTS, 1u << OSC_AT_FC2_IN, 0, 6, "only points of the hidden width 33" },
        { SIM_POINTS | 1u << OSC_AT_LOGITS, SIM_TRACK, 0, 6, "logits cannot be observed" },
        { SIM_POINTS | 1u << OSC_AT_SCORES, SIM_TRACK, 0, 6, "scores cannot be observed" },
        { SIM_POINTS, SIM_TRACK, 1u << OSC_AT_PATTERN, 6, "pattern cannot be recorded" },
        { SIM_POINTS, SIM_TRACK, 0, 0, "alpha is 0" },
        { 0xff & ~1u, 0x1e | 1u << OSC_AT_OUT_IN, 0, 6, "at most 4" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        osc_recorder *recorder;
        osc_recorder_options options = sim_options(sim_b);
        unlink(sim_b);
        options.points = cases[i].points;
        options.track = cases[i].track;
        options.raw = cases[i].raw;
        options.info.alpha = cases[i].alpha;
        ck_assert_int_eq(sim_open(&recorder, &options), OSC_EINVAL);
        sim_error_has(cases[i].message);
        ck_assert(!osc_file_exists(sim_b));
    }
}
END_TEST

START_TEST(test_second_writer)
{
    osc_recorder *one, *two;
    osc_recorder_options options = sim_options(sim_a);
    options.overwrite = true;
    ck_ok(sim_open(&one, &options));
    ck_assert_int_eq(sim_open(&two, &options), OSC_EINVAL);
    sim_error_has("another process is writing it");
    ck_ok(sim_record(one, 3, SIM_SEQUENCES));
    osc_recorder_free(one);
    ck_assert(nothing_beside(sim_a));
    ck_ok(sim_open(&two, &options));
    osc_recorder_free(two);
}
END_TEST

/* A run that a hook stopped leaves values of a part of a chunk behind. */
START_TEST(test_half_a_chunk)
{
    osc_recorder *recorder;
    osc_recorder_options options = sim_options(sim_a);
    options.overwrite = true;
    options.interval = 0;
    ck_ok(sim_open(&recorder, &options));
    osc_hooks *hooks;
    double nll[SIM_SEQUENCES * SIM_LENGTH];
    ck_ok(osc_hooks_create(&hooks, SIM_LAYERS));
    ck_ok(osc_recorder_bind(recorder, hooks));
    ck_ok(sim_run(hooks, 0, 3, nll));
    ck_ok(osc_recorder_add(recorder, 0, 3, nll));
    ck_assert_int_eq(osc_recorder_add(recorder, 2, 1, nll), OSC_EINVAL);
    ck_assert_int_eq(sim_run(hooks, 2, 1, nll), OSC_EINVAL);
    sim_error_has("number 3 of 11 is the next");
    ck_ok(sim_run(hooks, 3, 2, nll));
    ck_assert_int_eq(osc_recorder_add(recorder, 3, 1, nll), OSC_EINVAL);
    sim_error_has("only 1 were added");
    ck_assert_int_eq(osc_recorder_finish(recorder), OSC_EINVAL);
    sim_error_has("last committed state stands");
    osc_hooks_free(hooks);
    osc_recorder_free(recorder);
    options.resume = true;
    ck_ok(sim_record_all(&options, 2, SIM_SEQUENCES));
    sim_make(sim_b);
    sim_same_files(sim_a, sim_b);
}
END_TEST

/* The same with sequences that wait for a commit: only their number gives it away. */
START_TEST(test_stopped_run)
{
    osc_recorder *recorder;
    osc_recorder_options options = sim_options(sim_a);
    options.overwrite = true;
    options.metrics = _i == 1;
    ck_ok(sim_open(&recorder, &options));
    osc_hooks *hooks;
    double nll[SIM_SEQUENCES * SIM_LENGTH];
    ck_ok(osc_hooks_create(&hooks, SIM_LAYERS));
    ck_ok(osc_recorder_bind(recorder, hooks));
    ck_ok(sim_run(hooks, 0, 3, nll));
    ck_ok(osc_recorder_add(recorder, 0, 3, nll));
    ck_ok(sim_run(hooks, 3, 2, nll));
    ck_assert_int_eq(osc_recorder_finish(recorder), OSC_EINVAL);
    sim_error_has(_i == 1 ? "residual stream were observed 70 times"
                          : "qkv_in of block 0 was observed");
    osc_hooks_free(hooks);
    osc_recorder_free(recorder);
    osc_record *record;
    ck_ok(osc_record_open(&record, sim_a));
    ck_assert_uint_eq(osc_record_get_info(record)->sequences_done, 0);
    osc_record_close(record);
}
END_TEST

/* Every limit on the file's size at which a recording fails: the error is clear, the
 * old file is still there, and it can be resumed. */
START_TEST(test_disk_full)
{
    sim_make(sim_b);
    struct stat info;
    ck_assert_int_eq(stat(sim_b, &info), 0);
    signal(SIGXFSZ, SIG_IGN);
    unlink(sim_a);
    osc_recorder_options options = sim_options(sim_a);
    options.interval = 0;
    size_t failures = 0;
    for (rlim_t limit = 1000; ; limit += 150000) {
        struct rlimit most = { limit, RLIM_INFINITY };
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &most), 0);
        osc_status status = sim_record_all(&options, 1, SIM_SEQUENCES);
        char message[300];
        snprintf(message, sizeof message, "%s", osc_error());
        most.rlim_cur = RLIM_INFINITY;
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &most), 0);
        if (status == OSC_OK)
            break;
        ck_assert_int_eq(status, OSC_EIO);
        ck_assert_msg(strstr(message, "File too large") != NULL, "%s", message);
        ck_assert_msg(strstr(message, sim_a) != NULL, "%s", message);
        ck_assert(nothing_beside(sim_a));
        osc_record *record;
        if (osc_file_exists(sim_a)) {
            ck_ok(osc_record_open(&record, sim_a));
            osc_record_close(record);
        }
        options.resume = true;
        failures++;
    }
    ck_assert_uint_gt(failures, 2);
    sim_same_files(sim_a, sim_b);
}
END_TEST

/* Every allocation of ours failing once: an error, no crash, no leak, and the file is
 * what it was or better. */
START_TEST(test_out_of_memory)
{
    sim_make(sim_b);
    for (size_t n = 1; ; n += 1 + n / 6) {
        unlink(sim_a);
        osc_recorder_options options = sim_options(sim_a);
        options.interval = 0;
        osc_alloc_fail_from(n);
        osc_status status = sim_record_all(&options, 4, SIM_SEQUENCES);
        osc_alloc_fail_from(0);
        if (status == OSC_OK)
            break;
        ck_assert_int_eq(status, OSC_ENOMEM);
        options.resume = true;
        ck_ok(sim_record_all(&options, 4, SIM_SEQUENCES));
        sim_same_files(sim_a, sim_b);
    }
    for (size_t n = 1; n < 200; n++) {
        osc_record *record;
        const osc_column_stats *stats;
        osc_alloc_fail_from(n);
        osc_status status = osc_record_open(&record, sim_b);
        if (status == OSC_OK) {
            status = osc_record_stats(record, OSC_AT_QKV_IN, &stats);
            osc_record_close(record);
        }
        osc_alloc_fail_from(0);
        ck_assert(status == OSC_OK || status == OSC_ENOMEM);
    }
}
END_TEST

/* --- kill -9 ------------------------------------------------------------------------------ */

static pid_t start_child(void)
{
    fflush(NULL);
    pid_t child = fork();
    if (child != 0)
        return child;
    osc_recorder_options options = sim_options(sim_a);
    options.resume = true;
    options.interval = 0;
    _exit(sim_record_all(&options, 1, SIM_SEQUENCES) == OSC_OK ? 0 : 1);
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Kills a recording, if it lives so long; true if it came to its end. */
static bool killed_child(double delay)
{
    int state;
    pid_t child = start_child();
    ck_assert_int_gt(child, 0);
    usleep((useconds_t)(1e6 * delay));
    kill(child, SIGKILL);
    ck_assert_int_eq(waitpid(child, &state, 0), child);
    ck_assert(WIFSIGNALED(state) || WEXITSTATUS(state) == 0);
    return WIFEXITED(state);
}

/* Moments of death spread over the time that a whole recording takes here. */
START_TEST(test_kill)
{
    double start = seconds();
    osc_recorder_options options = sim_options(sim_b);
    options.overwrite = true;
    options.interval = 0;
    ck_ok(sim_record_all(&options, 1, SIM_SEQUENCES));
    double whole = seconds() - start;
    unlink(sim_a);
    unsigned seed = 12345, partial = 0;
    bool existed = false;
    for (unsigned round = 0; round < 20; round++) {
        seed = seed * 1103515245u + 12345u;
        bool ended = killed_child(whole * (seed >> 16) / 65536.0);
        ck_assert(osc_file_exists(sim_a) || !existed);
        existed = osc_file_exists(sim_a);
        if (!existed)
            continue;
        osc_record *record;
        ck_ok(osc_record_open(&record, sim_a));
        const osc_record_info *info = osc_record_get_info(record);
        osc_corpus corpus = sim_corpus();
        ck_assert_uint_eq(info->positions, corpus.offset[info->sequences_done]);
        partial += !info->complete;
        osc_record_close(record);
        if (ended) {
            sim_same_files(sim_a, sim_b);
            unlink(sim_a);
            existed = false;
        }
    }
    ck_assert_uint_gt(partial, 0);
    options = sim_options(sim_a);
    options.resume = true;
    ck_ok(sim_record_all(&options, 2, SIM_SEQUENCES));
    sim_same_files(sim_a, sim_b);
    ck_assert(nothing_beside(sim_a));
}
END_TEST

int main(void)
{
    if (!sim_set_up())
        return EXIT_FAILURE;
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    Suite *suite = suite_create("record_faults");
    TCase *tc = tcase_create("record_faults");
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, test_existing);
    tcase_add_test(tc, test_bad_options);
    tcase_add_test(tc, test_second_writer);
    tcase_add_test(tc, test_half_a_chunk);
    tcase_add_loop_test(tc, test_stopped_run, 0, 2);
    tcase_add_test(tc, test_disk_full);
    tcase_add_test(tc, test_out_of_memory);
    tcase_add_test(tc, test_kill);
    suite_add_tcase(suite, tc);
    int result = run_suite(suite);
    sim_clean_up();
    return result;
}

#include <config.h>
#include "run.h"

#include <hdf5.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "record_sim.h"

static char folder[] = "record-XXXXXX";
static char path_a[64], path_b[64];

#define ck_ok(call) ck_assert_msg((call) == OSC_OK, "%s: %s", #call, osc_error())

static void ck_error_has(const char *text)
{
    ck_assert_msg(strstr(osc_error(), text) != NULL, "'%s' is not in: %s", text, osc_error());
}

static osc_status open_recorder(osc_recorder **recorder, const osc_recorder_options *options)
{
    static osc_corpus corpus;
    osc_observer_shape shape = sim_shape();
    corpus = sim_corpus();
    return osc_recorder_open(recorder, options, &shape, &corpus);
}

/* A complete record at `path`. */
static void make_record(const char *path)
{
    osc_recorder_options options = sim_options(path);
    options.overwrite = true;
    ck_ok(sim_record_all(&options, 4, SIM_SEQUENCES));
}

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

/* --- round trip: the record against plain loops ---------------------------------- */

static size_t rows_of(size_t sequence)
{
    osc_corpus corpus = sim_corpus();
    return corpus.offset[sequence + 1] - corpus.offset[sequence];
}

static void check_stats(osc_record *record, osc_point point)
{
    const osc_column_stats *stats;
    ck_ok(osc_record_stats(record, point, &stats));
    ck_assert_uint_eq(osc_record_width(record, point), sim_width(point));
    for (size_t l = 0; l < SIM_LAYERS; l++) {
        for (size_t f = 0; f < sim_width(point); f++) {
            float min = INFINITY, max = -INFINITY;
            double sum = 0;
            uint64_t count = 0;
            for (size_t s = 0; s < SIM_SEQUENCES; s++) {
                for (size_t t = 0; t < rows_of(s); t++) {
                    float x = sim_value(point, l, s, t, f);
                    min = fminf(min, x);
                    max = fmaxf(max, x);
                    sum += x;
                    count += fabsf(x) >= 6.0f;
                }
            }
            ck_assert(stats[l].min[f] == min && stats[l].max[f] == max);
            ck_assert(stats[l].sum[f] == sum);
            ck_assert_uint_eq(stats[l].count_ge[f], count);
        }
    }
}

/* Tracked points, by bits, at which the feature reaches alpha. */
static unsigned reached(size_t layer, size_t s, size_t t, size_t f)
{
    unsigned bits = 0;
    for (unsigned p = 0; p < OSC_POINT_COUNT; p++)
        if ((SIM_TRACK >> p & 1) && fabsf(sim_value((osc_point)p, layer, s, t, f)) >= 6.0f)
            bits |= 1u << p;
    return bits;
}

static void check_positions(osc_record *record, unsigned track)
{
    const uint64_t *any, *pairs;
    ck_ok(osc_record_positions(record, track, &any, &pairs));
    for (size_t f = 0; f < SIM_HIDDEN; f++) {
        uint64_t expected_any = 0, expected_pairs = 0;
        for (size_t s = 0; s < SIM_SEQUENCES; s++) {
            for (size_t t = 0; t < rows_of(s); t++) {
                bool found = false;
                for (size_t l = 0; l < SIM_LAYERS; l++) {
                    bool here = (reached(l, s, t, f) & track) != 0;
                    expected_pairs += here;
                    found = found || here;
                }
                expected_any += found;
            }
        }
        ck_assert_uint_eq(any[f], expected_any);
        ck_assert_uint_eq(pairs[f], expected_pairs);
    }
}

typedef struct {
    osc_record_event *event;
    size_t            count, room;
} event_list;

static osc_status collect(void *user, const osc_record_event *events, size_t count)
{
    event_list *list = user;
    for (size_t i = 0; i < count; i++) {
        list->event = osc_grow(list->event, &list->room, list->count + 1, sizeof *events);
        list->event[list->count++] = events[i];
    }
    return OSC_OK;
}

static event_list expected_events(void)
{
    event_list list = { NULL, 0, 0 };
    for (int s = 0; s < SIM_SEQUENCES; s++)
        for (int16_t l = 0; l < SIM_LAYERS; l++)
            for (int8_t p = 0; p < OSC_POINT_COUNT; p++)
                for (int t = 0; (SIM_TRACK >> p & 1) && t < (int)rows_of((size_t)s); t++)
                    for (int f = 0; f < SIM_HIDDEN; f++) {
                        float x = sim_value((osc_point)p, (size_t)l, (size_t)s, (size_t)t, (size_t)f);
                        osc_record_event event = { s, t, f, l, p, x };
                        if (fabsf(x) >= 6.0f)
                            collect(&list, &event, 1);
                    }
    return list;
}

static void check_events(osc_record *record, const event_list *expected, size_t cap)
{
    event_list found = { NULL, 0, 0 };
    size_t kept = expected->count < cap ? expected->count : cap;
    ck_ok(osc_record_events(record, collect, &found));
    ck_assert_uint_eq(osc_record_event_count(record), kept);
    ck_assert_uint_eq(osc_record_events_dropped(record), expected->count - kept);
    ck_assert_uint_eq(found.count, kept);
    for (size_t i = 0; i < kept; i++) {
        const osc_record_event *a = &found.event[i], *b = &expected->event[i];
        ck_assert_msg(a->sequence == b->sequence && a->position == b->position &&
                      a->feature == b->feature && a->layer == b->layer && a->point == b->point &&
                      a->value == b->value, "event %zu", i);
    }
    osc_free(found.event);
}

static double check_sequences(osc_record *record)
{
    osc_corpus corpus = sim_corpus();
    int32_t ids[SIM_LENGTH];
    double nll[SIM_LENGTH], total = 0;
    size_t count;
    for (size_t s = 0; s < SIM_SEQUENCES; s++) {
        ck_ok(osc_record_sequence(record, s, &count, ids, nll));
        ck_assert_uint_eq(count, rows_of(s));
        for (size_t t = 0; t < count; t++) {
            ck_assert_int_eq(ids[t], corpus.ids[corpus.offset[s] + t]);
            ck_assert(nll[t] == sim_nll(s, t));
            total += nll[t];
        }
    }
    ck_assert_int_eq(osc_record_sequence(record, SIM_SEQUENCES, &count, ids, nll), OSC_EINVAL);
    return total;
}

static void check_info(const osc_record_info *info, double nll)
{
    osc_corpus corpus = sim_corpus();
    size_t positions = corpus.offset[SIM_SEQUENCES];
    ck_assert_str_eq(info->tool, "outlierscope test");
    ck_assert_str_eq(info->scheme, "llm-int8:threshold=6");
    ck_assert_str_eq(info->tokenizer_sha256, "");
    ck_assert_uint_eq(info->parameters, 123456789012345u);
    ck_assert_uint_eq(info->ffn, SIM_FFN);
    ck_assert_int_eq(info->bos, 2);
    ck_assert(info->alpha == 6.0);
    ck_assert(info->complete);
    ck_assert_uint_eq(info->sequences_done, SIM_SEQUENCES);
    ck_assert_uint_eq(info->positions, positions);
    ck_assert_uint_eq(info->scored, positions - SIM_SEQUENCES);
    ck_assert(info->nll == nll);
    ck_assert(info->perplexity == exp(nll / (double)info->scored));
}

START_TEST(test_round_trip)
{
    make_record(path_a);
    ck_assert(nothing_beside(path_a));
    osc_record *record;
    ck_ok(osc_record_open(&record, path_a));
    ck_assert_uint_eq(osc_record_points(record), SIM_POINTS);
    ck_assert_uint_eq(osc_record_track(record), SIM_TRACK);
    ck_assert_uint_eq(osc_record_raw(record), SIM_RAW);
    for (int p = 0; p < OSC_POINT_COUNT; p++)
        if (SIM_POINTS >> p & 1)
            check_stats(record, (osc_point)p);
    const osc_column_stats *stats;
    ck_assert_int_eq(osc_record_stats(record, OSC_AT_Q, &stats), OSC_ENOTFOUND);
    for (unsigned bits = 1; bits <= SIM_TRACK; bits++)
        if ((bits & ~(unsigned)SIM_TRACK) == 0)
            check_positions(record, bits);
    const uint64_t *any, *pairs;
    ck_assert_int_eq(osc_record_positions(record, 1u << OSC_AT_FC2_IN, &any, &pairs), OSC_ENOTFOUND);
    ck_assert_int_eq(osc_record_positions(record, 0, &any, &pairs), OSC_ENOTFOUND);
    event_list expected = expected_events();
    ck_assert_uint_gt(expected.count, 100);
    check_events(record, &expected, SIZE_MAX);
    osc_free(expected.event);
    const double *all, *later;
    ck_ok(osc_record_top1(record, &all, &later));
    double queries = (double)osc_record_get_info(record)->positions;
    for (size_t i = 0; i < SIM_LAYERS * SIM_HEADS; i++) {
        ck_assert(all[i] > 0.3 && all[i] < 0.8);
        ck_assert_double_eq_tol(later[i] * (queries - SIM_SEQUENCES) + SIM_SEQUENCES,
                                all[i] * queries, 1e-9);
    }
    check_info(osc_record_get_info(record), check_sequences(record));
    osc_record_close(record);
}
END_TEST

/* /raw read back with plain HDF5: half precision, NaN after a sequence's end. */
START_TEST(test_raw)
{
    make_record(path_a);
    hid_t file = H5Fopen(path_a, H5F_ACC_RDONLY, H5P_DEFAULT);
    hid_t dataset = H5Dopen2(file, "/raw/fc1_out", H5P_DEFAULT);
    size_t cells = (size_t)SIM_LAYERS * SIM_SEQUENCES * SIM_LENGTH * SIM_FFN;
    float *raw = osc_alloc(cells, sizeof *raw), *x = raw;
    ck_assert_int_ge(H5Dread(dataset, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, raw), 0);
    for (size_t l = 0; l < SIM_LAYERS; l++)
        for (size_t s = 0; s < SIM_SEQUENCES; s++)
            for (size_t t = 0; t < SIM_LENGTH; t++)
                for (size_t f = 0; f < SIM_FFN; f++, x++) {
                    float value = sim_value(OSC_AT_FC1_OUT, l, s, t, f);
                    ck_assert(t < rows_of(s) ? fabsf(*x - value) <= fabsf(value) * 0x1p-11f + 1e-7f
                                             : isnan(*x));
                }
    osc_free(raw);
    H5Dclose(dataset);
    H5Fclose(file);
}
END_TEST

/* --- grouping, resuming ------------------------------------------------------------- */

START_TEST(test_grouping)
{
    make_record(path_a);
    static const struct { size_t chunk; double interval; } cases[] = {
        { 1, 0 }, { 1, 1e9 }, { 2, 0 }, { 3, -1 }, { 7, 0 }, { 11, 1e9 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        osc_recorder_options options = sim_options(path_b);
        options.overwrite = true;
        options.interval = cases[i].interval;
        ck_ok(sim_record_all(&options, cases[i].chunk, SIM_SEQUENCES));
        sim_same_files(path_a, path_b);
    }
}
END_TEST

START_TEST(test_resume)
{
    make_record(path_a);
    for (size_t stop = 0; stop <= SIM_SEQUENCES; stop++) {
        unlink(path_b);
        osc_recorder_options options = sim_options(path_b);
        ck_ok(sim_record_all(&options, 2, stop));
        options.resume = true;
        options.info.threads = 7;
        osc_recorder *recorder;
        ck_ok(open_recorder(&recorder, &options));
        ck_assert_uint_eq(osc_recorder_done(recorder), stop);
        ck_ok(sim_record(recorder, 3, SIM_SEQUENCES));
        osc_recorder_free(recorder);
        sim_same_files(path_a, path_b);
    }
    osc_recorder_options options = sim_options(path_b);    /* now complete: nothing to do */
    options.resume = true;
    ck_ok(sim_record_all(&options, 3, SIM_SEQUENCES));
    sim_same_files(path_a, path_b);
    unlink(path_b);
    ck_ok(sim_record_all(&options, 3, SIM_SEQUENCES));     /* nothing to resume: from the start */
    sim_same_files(path_a, path_b);
}
END_TEST

#define CHANGE(field, value, text) \
    static void change_##field(osc_recorder_options *o) { o->info.field = value; }
#define CHANGE_OPTION(field, value) \
    static void change_##field(osc_recorder_options *o) { o->field = value; }
CHANGE(model, "other", )
CHANGE(arch, "gpt2", )
CHANGE(parameters, 5, )
CHANGE(ffn, 70, )
CHANGE(weights_sha256, "ab", )
CHANGE(tokenizer_sha256, "ab", )
CHANGE(text_sha256, "ab", )
CHANGE(dtype, "float32", )
CHANGE(backend, "cuda", )
CHANGE(scheme, "none", )
CHANGE(protocol, "gptq", )
CHANGE(bos, -1, )
CHANGE(sequence_length, 18, )
CHANGE(sequences, 10, )
CHANGE(alpha, 6.5, )
CHANGE_OPTION(event_cap, 5)
CHANGE_OPTION(points, SIM_TRACK)
CHANGE_OPTION(track, 1u << OSC_AT_QKV_IN)
CHANGE_OPTION(raw, 0)

START_TEST(test_refusals)
{
    static const struct {
        void (*change)(osc_recorder_options *options);
        const char *message;
    } cases[] = {
        { change_model, "model 'opt-sim', this run has 'other'" },
        { change_arch, "arch 'opt', this run has 'gpt2'" },
        { change_parameters, "parameters '123456789012345', this run has '5'" },
        { change_ffn, "ffn '71', this run has '70'" },
        { change_weights_sha256, "weights_sha256 'aa', this run has 'ab'" },
        { change_tokenizer_sha256, "tokenizer_sha256 '', this run has 'ab'" },
        { change_text_sha256, "text_sha256 'cc', this run has 'ab'" },
        { change_dtype, "dtype 'float16', this run has 'float32'" },
        { change_backend, "backend 'cpu', this run has 'cuda'" },
        { change_scheme, "scheme 'llm-int8:threshold=6', this run has 'none'" },
        { change_protocol, "protocol 'stream', this run has 'gptq'" },
        { change_bos, "bos '2', this run has '-1'" },
        { change_sequence_length, "sequence_length '17', this run has '18'" },
        { change_sequences, "sequences '11', this run has '10'" },
        { change_alpha, "alpha '6', this run has '6.5'" },
        { change_event_cap, "event_cap '1000000', this run has '5'" },
        { change_points, "points 'qkv_in+out_in+fc1_in+fc2_in', this run has "
                         "'qkv_in+out_in+fc1_in'" },
        { change_track, "track 'qkv_in+out_in+fc1_in', this run has 'qkv_in'" },
        { change_raw, "raw 'out_in+fc1_out', this run has ''" },
    };
    osc_recorder_options options = sim_options(path_a);
    options.overwrite = true;
    ck_ok(sim_record_all(&options, 2, 6));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        osc_recorder *recorder;
        options = sim_options(path_a);
        options.resume = true;
        cases[i].change(&options);
        ck_assert_int_eq(open_recorder(&recorder, &options), OSC_EINVAL);
        ck_error_has(cases[i].message);
        ck_error_has(path_a);
    }
    options = sim_options(path_a);
    options.resume = true;
    ck_ok(sim_record_all(&options, 5, SIM_SEQUENCES));      /* none of them did any harm */
    make_record(path_b);
    sim_same_files(path_a, path_b);
}
END_TEST

START_TEST(test_event_cap)
{
    event_list expected = expected_events();
    const size_t caps[] = { 0, 1, 57, expected.count - 1, expected.count, expected.count + 1 };
    for (size_t i = 0; i < sizeof caps / sizeof *caps; i++) {
        for (size_t chunk = 1; chunk <= SIM_SEQUENCES; chunk += 5) {
            osc_recorder_options options = sim_options(path_a);
            options.overwrite = true;
            options.event_cap = caps[i];
            options.interval = 0;
            ck_ok(sim_record_all(&options, chunk, 6));
            options.resume = true;
            ck_ok(sim_record_all(&options, chunk, SIM_SEQUENCES));
            osc_record *record;
            ck_ok(osc_record_open(&record, path_a));
            check_events(record, &expected, caps[i]);
            osc_record_close(record);
        }
    }
    osc_free(expected.event);
}
END_TEST

/* --- when things go wrong ------------------------------------------------------------- */

START_TEST(test_existing)
{
    osc_recorder *recorder;
    make_record(path_a);
    osc_recorder_options options = sim_options(path_a);
    ck_assert_int_eq(open_recorder(&recorder, &options), OSC_EINVAL);
    ck_error_has("exists already");
    options.path = folder;
    options.overwrite = true;
    ck_assert_int_eq(open_recorder(&recorder, &options), OSC_EINVAL);
    ck_error_has("not a regular file");
    options.path = "no/such/folder/run.h5";
    ck_assert_int_eq(open_recorder(&recorder, &options), OSC_EIO);
    ck_error_has("No such file or directory");
    FILE *text = fopen(path_b, "w");
    fputs("not HDF5", text);
    fclose(text);
    options = sim_options(path_b);
    options.resume = true;
    ck_assert_int_eq(open_recorder(&recorder, &options), OSC_EFORMAT);
    ck_error_has("not a readable HDF5 file");
    struct stat info;
    ck_assert_int_eq(stat(path_b, &info), 0);
    ck_assert_int_eq(info.st_size, 8);
}
END_TEST

START_TEST(test_bad_options)
{
    static const struct { unsigned points, track, raw; double alpha; const char *message; } cases[] = {
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
        osc_recorder_options options = sim_options(path_b);
        unlink(path_b);
        options.points = cases[i].points;
        options.track = cases[i].track;
        options.raw = cases[i].raw;
        options.info.alpha = cases[i].alpha;
        ck_assert_int_eq(open_recorder(&recorder, &options), OSC_EINVAL);
        ck_error_has(cases[i].message);
        ck_assert(!osc_file_exists(path_b));
    }
}
END_TEST

START_TEST(test_second_writer)
{
    osc_recorder *one, *two;
    osc_recorder_options options = sim_options(path_a);
    options.overwrite = true;
    ck_ok(open_recorder(&one, &options));
    ck_assert_int_eq(open_recorder(&two, &options), OSC_EINVAL);
    ck_error_has("another process is recording");
    ck_ok(sim_record(one, 3, SIM_SEQUENCES));
    osc_recorder_free(one);
    ck_assert(nothing_beside(path_a));
    ck_ok(open_recorder(&two, &options));
    osc_recorder_free(two);
}
END_TEST

/* A run that a hook stopped leaves values of a part of a chunk behind. */
START_TEST(test_half_a_chunk)
{
    osc_recorder *recorder;
    osc_recorder_options options = sim_options(path_a);
    options.overwrite = true;
    options.interval = 0;
    ck_ok(open_recorder(&recorder, &options));
    osc_hooks *hooks;
    double nll[SIM_SEQUENCES * SIM_LENGTH];
    ck_ok(osc_hooks_create(&hooks, SIM_LAYERS));
    ck_ok(osc_recorder_bind(recorder, hooks));
    ck_ok(sim_run(hooks, 0, 3, nll));
    ck_ok(osc_recorder_add(recorder, 0, 3, nll));
    ck_assert_int_eq(osc_recorder_add(recorder, 2, 1, nll), OSC_EINVAL);
    ck_assert_int_eq(sim_run(hooks, 2, 1, nll), OSC_EINVAL);
    ck_error_has("number 3 of 11 is the next");
    ck_ok(sim_run(hooks, 3, 2, nll));
    ck_assert_int_eq(osc_recorder_add(recorder, 3, 1, nll), OSC_EINVAL);
    ck_error_has("only 1 were added");
    ck_assert_int_eq(osc_recorder_finish(recorder), OSC_EINVAL);
    ck_error_has("last committed state stands");
    osc_hooks_free(hooks);
    osc_recorder_free(recorder);
    options.resume = true;
    ck_ok(sim_record_all(&options, 2, SIM_SEQUENCES));
    make_record(path_b);
    sim_same_files(path_a, path_b);
}
END_TEST

/* Every limit on the file's size at which a recording fails: the error is clear, the
 * old file is still there, and it can be resumed. */
START_TEST(test_disk_full)
{
    make_record(path_b);
    struct stat info;
    ck_assert_int_eq(stat(path_b, &info), 0);
    signal(SIGXFSZ, SIG_IGN);
    unlink(path_a);
    osc_recorder_options options = sim_options(path_a);
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
        ck_assert_msg(strstr(message, path_a) != NULL, "%s", message);
        ck_assert(nothing_beside(path_a));
        osc_record *record;
        if (osc_file_exists(path_a)) {
            ck_ok(osc_record_open(&record, path_a));
            osc_record_close(record);
        }
        options.resume = true;
        failures++;
    }
    ck_assert_uint_gt(failures, 2);
    sim_same_files(path_a, path_b);
}
END_TEST

/* Every allocation of ours failing once: an error, no crash, no leak, and the file is
 * what it was or better. */
START_TEST(test_out_of_memory)
{
    make_record(path_b);
    for (size_t n = 1; ; n += 1 + n / 6) {
        unlink(path_a);
        osc_recorder_options options = sim_options(path_a);
        options.interval = 0;
        osc_alloc_fail_from(n);
        osc_status status = sim_record_all(&options, 4, SIM_SEQUENCES);
        osc_alloc_fail_from(0);
        if (status == OSC_OK)
            break;
        ck_assert_int_eq(status, OSC_ENOMEM);
        options.resume = true;
        ck_ok(sim_record_all(&options, 4, SIM_SEQUENCES));
        sim_same_files(path_a, path_b);
    }
    for (size_t n = 1; n < 200; n++) {
        osc_record *record;
        const osc_column_stats *stats;
        osc_alloc_fail_from(n);
        osc_status status = osc_record_open(&record, path_b);
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
    osc_recorder_options options = sim_options(path_a);
    options.resume = true;
    options.interval = 0;
    _exit(sim_record_all(&options, 1, SIM_SEQUENCES) == OSC_OK ? 0 : 1);
}

START_TEST(test_kill)
{
    make_record(path_b);
    unlink(path_a);
    unsigned seed = 12345, killed = 0, partial = 0;
    for (unsigned round = 0; round < 20; round++) {
        pid_t child = start_child();
        ck_assert_int_gt(child, 0);
        seed = seed * 1103515245u + 12345u;
        usleep(1000 + seed / 65536u % (round < 10 ? 20000 : 120000));
        kill(child, SIGKILL);
        int state;
        waitpid(child, &state, 0);
        killed += WIFSIGNALED(state) != 0;
        ck_assert(WIFSIGNALED(state) || WEXITSTATUS(state) == 0);
        osc_record *record;
        if (!osc_file_exists(path_a))
            continue;
        ck_ok(osc_record_open(&record, path_a));
        const osc_record_info *info = osc_record_get_info(record);
        osc_corpus corpus = sim_corpus();
        ck_assert_uint_eq(info->positions, corpus.offset[info->sequences_done]);
        partial += !info->complete;
        osc_record_close(record);
        if (WIFEXITED(state)) {
            sim_same_files(path_a, path_b);
            unlink(path_a);
        }
    }
    ck_assert_uint_gt(killed, 5);
    ck_assert_uint_gt(partial, 0);
    osc_recorder_options options = sim_options(path_a);
    options.resume = true;
    ck_ok(sim_record_all(&options, 2, SIM_SEQUENCES));
    sim_same_files(path_a, path_b);
    ck_assert(nothing_beside(path_a));
}
END_TEST

/* --- damaged files ------------------------------------------------------------------------ */

/* Reads all that a record has; OSC_OK or the first failure. */
static osc_status read_all(const char *path)
{
    osc_record *record;
    OSC_TRY(osc_record_open(&record, path));
    osc_status status = OSC_OK;
    event_list found = { NULL, 0, 0 };
    const osc_column_stats *stats;
    const uint64_t *any, *pairs;
    for (unsigned p = 0; status == OSC_OK && p < OSC_POINT_COUNT; p++)
        if (osc_record_points(record) >> p & 1u)
            status = osc_record_stats(record, (osc_point)p, &stats);
    if (status == OSC_OK)
        status = osc_record_positions(record, osc_record_track(record), &any, &pairs);
    if (status == OSC_OK)
        status = osc_record_top1(record, NULL, NULL);
    if (status == OSC_OK)
        status = osc_record_events(record, collect, &found);
    for (size_t s = 0; status == OSC_OK && s < osc_record_get_info(record)->sequences_done; s++) {
        size_t count;
        int32_t ids[SIM_LENGTH];
        double nll[SIM_LENGTH];
        status = osc_record_sequence(record, s, &count, ids, nll);
    }
    osc_free(found.event);
    osc_record_close(record);
    return status;
}

static void copy_part(const char *to, const char *from, size_t size, size_t *whole)
{
    char *bytes;
    ck_ok(osc_read_file(&bytes, whole, from, (size_t)1 << 30));
    FILE *out = fopen(to, "wb");
    ck_assert_uint_eq(fwrite(bytes, 1, size < *whole ? size : *whole, out),
                      size < *whole ? size : *whole);
    fclose(out);
    osc_free(bytes);
}

START_TEST(test_truncated)
{
    make_record(path_a);
    ck_ok(read_all(path_a));
    size_t whole;
    copy_part(path_b, path_a, SIZE_MAX, &whole);
    ck_ok(read_all(path_b));
    for (size_t i = 0; i < 30; i++) {
        size_t unused, size = i < 25 ? whole * i / 25 : whole - (30 - i) * 7;
        copy_part(path_b, path_a, size, &unused);
        ck_assert_msg(read_all(path_b) == OSC_EFORMAT, "%zu of %zu bytes", size, whole);
        ck_error_has(path_b);
    }
    ck_assert_int_eq(read_all("no-such-record.h5"), OSC_ENOTFOUND);
}
END_TEST

static void delete_object(hid_t file, const char *name)
{
    ck_assert_int_ge(H5Ldelete(file, name, H5P_DEFAULT), 0);
}

/* Another dataset in the place of `name`. */
static void replace(hid_t file, const char *name, hid_t type, int rank, const hsize_t *dim, bool chunked)
{
    delete_object(file, name);
    hid_t space = H5Screate_simple(rank, dim, NULL), properties = H5Pcreate(H5P_DATASET_CREATE);
    if (chunked)
        H5Pset_chunk(properties, rank, dim);
    hid_t id = H5Dcreate2(file, name, type, space, H5P_DEFAULT, properties, H5P_DEFAULT);
    ck_assert_int_ge(id, 0);
    H5Dclose(id);
    H5Pclose(properties);
    H5Sclose(space);
}

static void put_number(hid_t file, const char *name, uint64_t value)
{
    hid_t attribute = H5Aopen(file, name, H5P_DEFAULT);
    ck_assert_int_ge(H5Awrite(attribute, H5T_NATIVE_UINT64, &value), 0);
    H5Aclose(attribute);
}

static const hsize_t stat_dim[] = { SIM_LAYERS, SIM_HIDDEN }, other_dim[] = { SIM_LAYERS, 34 };

static void no_stat(hid_t f) { delete_object(f, "/stats/qkv_in/sum"); }
static void no_point(hid_t f) { delete_object(f, "/stats/fc1_in"); }
static void no_axis_group(hid_t f) { delete_object(f, "/sequences"); }
static void no_positions(hid_t f) { delete_object(f, "/positions/qkv_in+fc1_in/any"); }
static void no_raw(hid_t f) { delete_object(f, "/raw/out_in"); }
static void wrong_type(hid_t f) { replace(f, "/stats/qkv_in/max", H5T_IEEE_F64LE, 2, stat_dim, true); }
static void wrong_rank(hid_t f) { replace(f, "/stats/qkv_in/max", H5T_IEEE_F32LE, 1, stat_dim, true); }
static void wrong_shape(hid_t f) { replace(f, "/stats/qkv_in/max", H5T_IEEE_F32LE, 2, other_dim, true); }
static void not_chunked(hid_t f) { replace(f, "/stats/qkv_in/max", H5T_IEEE_F32LE, 2, stat_dim, false); }
static void no_data(hid_t f) { replace(f, "/stats/qkv_in/max", H5T_IEEE_F32LE, 2, stat_dim, true); }
static void wrong_width(hid_t f) { replace(f, "/stats/qkv_in/min", H5T_IEEE_F32LE, 2, other_dim, true); }
static void text_rank(hid_t f) { replace(f, "/outliers/value", H5T_IEEE_F32LE, 2, stat_dim, true); }
static void a_group(hid_t f)
{
    delete_object(f, "/stats/qkv_in/max");
    H5Gclose(H5Gcreate2(f, "/stats/qkv_in/max", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
}
static void soft_link(hid_t f)
{
    delete_object(f, "/stats/qkv_in/max");
    H5Lcreate_soft("/stats/qkv_in/min", f, "/stats/qkv_in/max", H5P_DEFAULT, H5P_DEFAULT);
}
static void external_link(hid_t f)
{
    delete_object(f, "/stats/qkv_in");
    H5Lcreate_external(path_a, "/stats/qkv_in", f, "/stats/qkv_in", H5P_DEFAULT, H5P_DEFAULT);
}
static void no_attribute(hid_t f) { H5Adelete(f, "scheme"); }
static void no_schema(hid_t f) { H5Adelete(f, "schema"); }
static void many_layers(hid_t f) { put_number(f, "layers", 1u << 20); }
static void no_layers(hid_t f) { put_number(f, "layers", 0); }
static void more_layers(hid_t f) { put_number(f, "layers", SIM_LAYERS + 1); }
static void more_done(hid_t f) { put_number(f, "sequences_done", SIM_SEQUENCES + 1); }
static void fewer_done(hid_t f) { put_number(f, "sequences_done", SIM_SEQUENCES - 1); }
static void long_length(hid_t f) { put_number(f, "sequence_length", UINT64_MAX); }
static void more_events(hid_t f) { put_number(f, "events", UINT64_MAX / 2); }
static void text_number(hid_t f)
{
    H5Adelete(f, "hidden");
    hid_t space = H5Screate(H5S_SCALAR);
    H5Aclose(H5Acreate2(f, "hidden", H5T_IEEE_F64LE, space, H5P_DEFAULT, H5P_DEFAULT));
    H5Sclose(space);
}
static void far_event(hid_t f)
{
    int32_t far = 1000000;
    hsize_t start = 3, count = 1;
    hid_t dataset = H5Dopen2(f, "/outliers/feature", H5P_DEFAULT), space = H5Dget_space(dataset);
    hid_t memory = H5Screate_simple(1, &count, NULL);
    H5Sselect_hyperslab(space, H5S_SELECT_SET, &start, NULL, &count, NULL);
    ck_assert_int_ge(H5Dwrite(dataset, H5T_NATIVE_INT32, memory, space, H5P_DEFAULT, &far), 0);
    H5Sclose(memory);
    H5Sclose(space);
    H5Dclose(dataset);
}

START_TEST(test_damaged)
{
    static const struct { void (*damage)(hid_t file); const char *message; } cases[] = {
        { no_stat, "/stats/qkv_in/sum is missing" },
        { no_point, "/stats/fc1_in is missing" },
        { no_axis_group, "/sequences is missing" },
        { no_positions, "/positions/qkv_in+fc1_in/any is missing" },
        { no_raw, "/raw/out_in is missing" },
        { wrong_type, "/stats/qkv_in/max has the wrong type" },
        { wrong_rank, "/stats/qkv_in/max has 1 dimensions, expected 2" },
        { wrong_shape, "/stats/qkv_in/max has shape [3, 34], expected [3, 33]" },
        { not_chunked, "not stored in chunks" },
        { no_data, "claims more data than the file holds" },
        { wrong_width, "qkv_in has 34 features, expected 33" },
        { text_rank, "/outliers/value has 2 dimensions" },
        { a_group, "not a readable dataset" },
        { soft_link, "/stats/qkv_in/max is a link to elsewhere" },
        { external_link, "/stats/qkv_in is a link to elsewhere" },
        { no_attribute, "attribute 'scheme' is missing" },
        { no_schema, "attribute 'schema' is missing" },
        { many_layers, "attribute 'layers' is 1048576" },
        { no_layers, "0 layers" },
        { more_layers, "has shape [3, 33], expected [4, 33]" },
        { more_done, "12 sequences done of 11" },
        { fewer_done, "/sequences/length has shape [11], expected [10]" },
        { long_length, "attribute 'sequence_length' is" },
        { more_events, "/outliers/sequence has shape" },
        { text_number, "attribute 'hidden' has the wrong type" },
        { far_event, "event out of range" },
    };
    make_record(path_a);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t whole;
        copy_part(path_b, path_a, SIZE_MAX, &whole);
        hid_t file = H5Fopen(path_b, H5F_ACC_RDWR, H5P_DEFAULT);
        ck_assert_int_ge(file, 0);
        cases[i].damage(file);
        H5Fclose(file);
        ck_assert_msg(read_all(path_b) == OSC_EFORMAT, "case %zu: %s", i, osc_error());
        ck_error_has(cases[i].message);
    }
}
END_TEST

/* Bytes changed in the data, not in HDF5's own structures, which it does not all check:
 * the checksums show them. */
START_TEST(test_checksum)
{
    make_record(path_a);
    hid_t file = H5Fopen(path_a, H5F_ACC_RDONLY, H5P_DEFAULT);
    static const char *const names[] = { "/stats/qkv_in/sum", "/outliers/value", "/sequences/nll",
                                         "/positions/qkv_in+out_in+fc1_in/any" };
    hid_t dataset[4];
    haddr_t place[4];
    for (size_t i = 0; i < 4; i++) {
        hsize_t offset[2], size;
        unsigned mask;
        dataset[i] = H5Dopen2(file, names[i], H5P_DEFAULT);
        hid_t space = H5Dget_space(dataset[i]);
        ck_assert_int_ge(H5Dget_chunk_info(dataset[i], space, 0, offset, &mask, &place[i], &size), 0);
        H5Sclose(space);
        H5Dclose(dataset[i]);
    }
    H5Fclose(file);
    for (size_t i = 0; i < 4; i++) {
        size_t whole;
        copy_part(path_b, path_a, SIZE_MAX, &whole);
        FILE *stream = fopen(path_b, "r+b");
        fseek(stream, (long)place[i] + 5, SEEK_SET);
        int byte = getc(stream);
        fseek(stream, (long)place[i] + 5, SEEK_SET);
        putc(byte ^ 0x10, stream);
        fclose(stream);
        ck_assert_int_eq(read_all(path_b), OSC_EFORMAT);
        ck_error_has(names[i]);
    }
}
END_TEST

int main(void)
{
    if (mkdtemp(folder) == NULL)
        return EXIT_FAILURE;
    snprintf(path_a, sizeof path_a, "%s/a.h5", folder);
    snprintf(path_b, sizeof path_b, "%s/b.h5", folder);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    Suite *suite = suite_create("record");
    TCase *tc = tcase_create("record");
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, test_round_trip);
    tcase_add_test(tc, test_raw);
    tcase_add_test(tc, test_grouping);
    tcase_add_test(tc, test_resume);
    tcase_add_test(tc, test_refusals);
    tcase_add_test(tc, test_event_cap);
    tcase_add_test(tc, test_existing);
    tcase_add_test(tc, test_bad_options);
    tcase_add_test(tc, test_second_writer);
    tcase_add_test(tc, test_half_a_chunk);
    tcase_add_test(tc, test_disk_full);
    tcase_add_test(tc, test_out_of_memory);
    tcase_add_test(tc, test_kill);
    tcase_add_test(tc, test_truncated);
    tcase_add_test(tc, test_damaged);
    tcase_add_test(tc, test_checksum);
    suite_add_tcase(suite, tc);
    int result = run_suite(suite);
    unlink(path_a);
    unlink(path_b);
    rmdir(folder);
    return result;
}

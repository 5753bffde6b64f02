/* What recorders write and records give back, against plain loops. */
#include <config.h>
#include "run.h"

#include <hdf5.h>
#include <math.h>
#include <unistd.h>

#include "base/alloc.h"
#include "record_sim.h"

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

static sim_events expected_events(void)
{
    sim_events list = { NULL, 0, 0 };
    for (int s = 0; s < SIM_SEQUENCES; s++)
        for (int16_t l = 0; l < SIM_LAYERS; l++)
            for (int8_t p = 0; p < OSC_POINT_COUNT; p++)
                for (int t = 0; (SIM_TRACK >> p & 1) && t < (int)rows_of((size_t)s); t++)
                    for (int f = 0; f < SIM_HIDDEN; f++) {
                        float x = sim_value((osc_point)p, (size_t)l, (size_t)s, (size_t)t,
                                            (size_t)f);
                        osc_record_event event = { s, t, f, l, p, x };
                        if (fabsf(x) >= 6.0f)
                            sim_collect(&list, &event, 1);
                    }
    return list;
}

static void check_events(osc_record *record, const sim_events *expected, size_t cap)
{
    sim_events found = { NULL, 0, 0 };
    size_t kept = expected->count < cap ? expected->count : cap;
    ck_ok(osc_record_events(record, sim_collect, &found));
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
    sim_make(sim_a);
    osc_record *record;
    ck_ok(osc_record_open(&record, sim_a));
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
    ck_assert_int_eq(osc_record_positions(record, 1u << OSC_AT_FC2_IN, &any, &pairs),
                     OSC_ENOTFOUND);
    ck_assert_int_eq(osc_record_positions(record, 0, &any, &pairs), OSC_ENOTFOUND);
    sim_events expected = expected_events();
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
    osc_record_without without;
    ck_ok(osc_record_top1_without(record, &without));
    ck_assert_uint_eq(without.count, SIM_WITHOUT);
    ck_assert_mem_eq(without.features, sim_without, sizeof sim_without);
    for (size_t i = 0; i < SIM_LAYERS * SIM_HEADS; i++) {
        ck_assert(without.all[i] > 0.3 && without.all[i] < 0.8 && without.all[i] != all[i]);
        ck_assert_double_eq_tol(without.later[i] * (queries - SIM_SEQUENCES) + SIM_SEQUENCES,
                                without.all[i] * queries, 1e-9);
    }
    check_info(osc_record_get_info(record), check_sequences(record));
    osc_record_close(record);
}
END_TEST

/* --- metrics --------------------------------------------------------------------- */

static double plain_kurtosis(osc_point point, size_t layer, size_t s)
{
    double mean = 0, second = 0, fourth = 0, n = (double)(rows_of(s) * sim_width(point));
    for (int pass = 0; pass < 2; pass++)
        for (size_t t = 0; t < rows_of(s); t++)
            for (size_t f = 0; f < sim_width(point); f++) {
                double x = sim_value(point, layer, s, t, f);
                mean += pass == 0 ? x / n : 0;
                second += pass == 1 ? (x - mean) * (x - mean) : 0;
                fourth += pass == 1 ? pow(x - mean, 4) : 0;
            }
    return fourth / n / (pow(second / (n - 1), 2) + 1e-6);
}

static osc_status check_row(void *user, const osc_record_metrics_row *of)
{
    size_t *next = user;
    ck_assert_uint_eq(of->sequence, (*next)++);
    for (size_t state = 0; state < SIM_STATES; state++) {
        osc_residual r = sim_residual(state, of->sequence, NULL);
        ck_assert(of->ratio[state] == r.ratio && of->median[state] == r.median);
        for (size_t i = 0; i < OSC_RESIDUAL_TOP; i++) {
            size_t at = state * OSC_RESIDUAL_TOP + i;
            ck_assert(of->top[at] == r.top[i].value);
            ck_assert_int_eq(of->top_position[at], (int)r.top[i].position);
            ck_assert_int_eq(of->top_feature[at], (int)r.top[i].feature);
        }
    }
    for (size_t c = 0; c < 3 * SIM_LAYERS + 1; c++) {
        static const osc_point points[3] = { OSC_AT_QKV_IN, OSC_AT_ATTN_OUT, OSC_AT_RESID_POST };
        bool last = c == 3 * SIM_LAYERS;
        osc_point point = last ? OSC_AT_FINAL_NORM : points[c % 3];
        size_t layer = last ? 0 : c / 3;
        ck_assert(of->inf_norm[c] == sim_summary(point, layer, of->sequence).peak);
        double expected = plain_kurtosis(point, layer, of->sequence);
        ck_assert_double_eq_tol(of->kurtosis[c], expected, 1e-9 * expected);
    }
    return OSC_OK;
}

START_TEST(test_metrics)
{
    osc_record *record;
    sim_make(sim_a);
    ck_ok(osc_record_open(&record, sim_a));
    ck_assert_uint_eq(osc_record_module_points(record), SIM_MODULES);
    ck_assert_uint_eq(osc_record_module_count(record), 3 * SIM_LAYERS + 1);
    static const struct { size_t column; osc_point point; int layer; } places[] = {
        { 0, OSC_AT_QKV_IN, 0 }, { 1, OSC_AT_ATTN_OUT, 0 }, { 2, OSC_AT_RESID_POST, 0 },
        { 3, OSC_AT_QKV_IN, 1 }, { 8, OSC_AT_RESID_POST, 2 }, { 9, OSC_AT_FINAL_NORM, -1 },
    };
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        osc_point point;
        int layer;
        osc_record_module(record, places[i].column, &point, &layer);
        ck_assert_int_eq(point, places[i].point);
        ck_assert_int_eq(layer, places[i].layer);
    }
    size_t sequences = 0;
    ck_ok(osc_record_metrics_each(record, check_row, &sequences));
    ck_assert_uint_eq(sequences, SIM_SEQUENCES);
    const osc_residual_stats *stats;
    ck_ok(osc_record_residual(record, &stats));
    for (size_t state = 0; state < SIM_STATES; state++) {
        double sumsq[SIM_HIDDEN] = { 0 };
        uint64_t massive[SIM_HIDDEN] = { 0 };
        osc_residual_stats expected = { SIM_HIDDEN, sumsq, massive };
        for (size_t s = 0; s < SIM_SEQUENCES; s++)
            sim_residual(state, s, &expected);
        ck_assert_mem_eq(stats[state].sumsq, sumsq, sizeof sumsq);
        ck_assert_mem_eq(stats[state].massive, massive, sizeof massive);
        ck_assert_uint_eq(massive[7], state > 1 ? 2 * SIM_SEQUENCES : 0);
    }
    osc_record_close(record);
}
END_TEST

START_TEST(test_no_metrics)
{
    osc_recorder_options options = sim_options(sim_a);
    options.overwrite = true;
    options.metrics = false;
    ck_ok(sim_record_all(&options, 4, SIM_SEQUENCES));
    osc_record *record;
    const osc_residual_stats *stats;
    size_t sequences = 0;
    ck_ok(osc_record_open(&record, sim_a));
    ck_assert_uint_eq(osc_record_module_points(record), 0);
    ck_assert_int_eq(osc_record_residual(record, &stats), OSC_ENOTFOUND);
    ck_assert_int_eq(osc_record_metrics_each(record, check_row, &sequences), OSC_ENOTFOUND);
    osc_record_close(record);
    osc_recorder *recorder;
    options = sim_options(sim_a);
    options.resume = true;
    ck_assert_int_eq(sim_open(&recorder, &options), OSC_EINVAL);
    sim_error_has("modules '', this run has 'qkv_in+attn_out+resid_post+final_norm'");
}
END_TEST

/* Nothing is left out unless asked for, and only features that there are. */
START_TEST(test_without)
{
    static const struct { uint32_t feature[2]; size_t count; const char *message; } cases[] = {
        { { 0, SIM_HIDDEN }, 2, "feature 33 cannot be left out: qkv_in has 33 features" },
        { { 5, 4 }, 2, "not in rising order: 4 comes after 5" },
        { { 5, 5 }, 2, "not in rising order: 5 comes after 5" },
    };
    osc_recorder_options options = sim_options(sim_a);
    options.overwrite = true;
    osc_recorder *recorder;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        options.without = cases[i].feature;
        options.without_count = cases[i].count;
        ck_assert_int_eq(sim_open(&recorder, &options), OSC_EINVAL);
        sim_error_has(cases[i].message);
    }
    options.without_count = 0;
    ck_ok(sim_record_all(&options, 4, SIM_SEQUENCES));
    osc_record *record;
    osc_record_without without;
    ck_ok(osc_record_open(&record, sim_a));
    ck_ok(osc_record_top1(record, NULL, NULL));
    ck_assert_int_eq(osc_record_top1_without(record, &without), OSC_ENOTFOUND);
    osc_record_close(record);
}
END_TEST

/* /raw read back with plain HDF5: half precision, NaN after a sequence's end. */
START_TEST(test_raw)
{
    sim_make(sim_a);
    hid_t file = H5Fopen(sim_a, H5F_ACC_RDONLY, H5P_DEFAULT);
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
    sim_make(sim_a);
    static const struct { size_t chunk; double interval; } cases[] = {
        { 1, 0 }, { 1, 1e9 }, { 2, 0 }, { 3, -1 }, { 7, 0 }, { 11, 1e9 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        osc_recorder_options options = sim_options(sim_b);
        options.overwrite = true;
        options.interval = cases[i].interval;
        ck_ok(sim_record_all(&options, cases[i].chunk, SIM_SEQUENCES));
        sim_same_files(sim_a, sim_b);
    }
}
END_TEST

START_TEST(test_resume)
{
    sim_make(sim_a);
    for (size_t stop = 0; stop <= SIM_SEQUENCES; stop++) {
        unlink(sim_b);
        osc_recorder_options options = sim_options(sim_b);
        ck_ok(sim_record_all(&options, 2, stop));
        options.resume = true;
        options.info.threads = 7;
        osc_recorder *recorder;
        ck_ok(sim_open(&recorder, &options));
        ck_assert_uint_eq(osc_recorder_done(recorder), stop);
        ck_ok(sim_record(recorder, 3, SIM_SEQUENCES));
        osc_recorder_free(recorder);
        sim_same_files(sim_a, sim_b);
    }
    osc_recorder_options options = sim_options(sim_b);    /* now complete: nothing to do */
    options.resume = true;
    ck_ok(sim_record_all(&options, 3, SIM_SEQUENCES));
    sim_same_files(sim_a, sim_b);
    unlink(sim_b);
    ck_ok(sim_record_all(&options, 3, SIM_SEQUENCES));     /* nothing to resume: from the start */
    sim_same_files(sim_a, sim_b);
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
CHANGE_OPTION(without_count, 0)
static void fewer_features(osc_recorder_options *o) { o->without_count = 2; }
static void other_feature(osc_recorder_options *o)
{
    static const uint32_t other[SIM_WITHOUT] = { 0, 16, SIM_HIDDEN - 1 };
    o->without = other;
}

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
        { change_without_count, "without 3 features, in this run it is 0; feature 0 is left out "
                                "there only" },
        { fewer_features, "in this run it is 2; feature 32 is left out there only" },
        { other_feature, "feature 16 is left out here only" },
    };
    osc_recorder_options options = sim_options(sim_a);
    options.overwrite = true;
    ck_ok(sim_record_all(&options, 2, 6));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        osc_recorder *recorder;
        options = sim_options(sim_a);
        options.resume = true;
        cases[i].change(&options);
        ck_assert_int_eq(sim_open(&recorder, &options), OSC_EINVAL);
        sim_error_has(cases[i].message);
        sim_error_has(sim_a);
    }
    options = sim_options(sim_a);
    options.resume = true;
    ck_ok(sim_record_all(&options, 5, SIM_SEQUENCES));      /* none of them did any harm */
    sim_make(sim_b);
    sim_same_files(sim_a, sim_b);
}
END_TEST

START_TEST(test_event_cap)
{
    sim_events expected = expected_events();
    const size_t caps[] = { 0, 1, 57, expected.count - 1, expected.count, expected.count + 1 };
    for (size_t i = 0; i < sizeof caps / sizeof *caps; i++) {
        for (size_t chunk = 1; chunk <= SIM_SEQUENCES; chunk += 5) {
            osc_recorder_options options = sim_options(sim_a);
            options.overwrite = true;
            options.event_cap = caps[i];
            options.interval = 0;
            ck_ok(sim_record_all(&options, chunk, 6));
            options.resume = true;
            ck_ok(sim_record_all(&options, chunk, SIM_SEQUENCES));
            osc_record *record;
            ck_ok(osc_record_open(&record, sim_a));
            check_events(record, &expected, caps[i]);
            osc_record_close(record);
        }
    }
    osc_free(expected.event);
}
END_TEST

int main(void)
{
    if (!sim_set_up())
        return EXIT_FAILURE;
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    Suite *suite = suite_create("record");
    TCase *tc = tcase_create("record");
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, test_round_trip);
    tcase_add_test(tc, test_metrics);
    tcase_add_test(tc, test_no_metrics);
    tcase_add_test(tc, test_without);
    tcase_add_test(tc, test_raw);
    tcase_add_test(tc, test_grouping);
    tcase_add_test(tc, test_resume);
    tcase_add_test(tc, test_refusals);
    tcase_add_test(tc, test_event_cap);
    suite_add_tcase(suite, tc);
    int result = run_suite(suite);
    sim_clean_up();
    return result;
}

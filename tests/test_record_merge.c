/* Merging the records of shards: the record of a single run, or a refusal. */
#include <config.h>
#include "run.h"

#include <hdf5.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "record_sim.h"

/* Paths of shards, in the folder of sim_a and sim_b. */
enum { MOST = SIM_SEQUENCES };
static char        name[MOST][64];
static const char *shard[MOST];

static void set_names(void)
{
    for (size_t i = 0; i < MOST; i++) {
        snprintf(name[i], sizeof name[i], "%s/shard%zu.h5", sim_folder, i);
        shard[i] = name[i];
    }
}

static void remove_shards(void)
{
    for (size_t i = 0; i < MOST; i++)
        unlink(name[i]);
}

static osc_merge_options merge_options(size_t count)
{
    return (osc_merge_options){
        .path = sim_b, .shards = shard, .count = count, .overwrite = true,
        .tool = "outlierscope test", .command = "record --model m",
        .time = "2024-01-02T00:00:00Z", .host = "host",
    };
}

static osc_recorder_options shard_options(size_t i)
{
    osc_recorder_options options = sim_options(name[i]);
    options.overwrite = true;
    return options;
}

static void make_shards(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        osc_recorder_options options = shard_options(i);
        ck_ok(sim_record_shard(&options, i + 1, count, 1 + i % 3, SIZE_MAX));
    }
}

static bool no_draft(void)
{
    char beside[96];
    snprintf(beside, sizeof beside, "%s.tmp", sim_b);
    return !osc_file_exists(beside);
}

static bool nothing_beside(void)
{
    char beside[96];
    snprintf(beside, sizeof beside, "%s.lock", sim_b);
    return no_draft() && !osc_file_exists(beside);
}

/* --- equality ---------------------------------------------------------------------- */

START_TEST(test_shares)
{
    osc_corpus corpus = sim_corpus(), share;
    for (size_t shards = 1; shards <= SIM_SEQUENCES; shards++) {
        size_t next = 0;
        for (size_t i = 1; i <= shards; i++) {
            ck_ok(osc_corpus_share(&share, &corpus, i, shards));
            ck_assert_ptr_eq(share.offset, corpus.offset + next);
            ck_assert_uint_ge(share.count, SIM_SEQUENCES / shards);
            ck_assert_uint_le(share.count, SIM_SEQUENCES / shards + 1);
            next += share.count;
        }
        ck_assert_uint_eq(next, SIM_SEQUENCES);
    }
    static const struct { size_t shard, shards; } bad[] = {
        { 0, 2 }, { 3, 2 }, { 1, 12 }, { 1, 0 },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_int_eq(osc_corpus_share(&share, &corpus, bad[i].shard, bad[i].shards),
                         OSC_EINVAL);
    sim_error_has("the text has 11 sequences");
}
END_TEST

START_TEST(test_merge)
{
    static const size_t counts[] = { 1, 2, 3, 7, 11 };
    sim_make(sim_a);
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
        make_shards(counts[c]);
        for (size_t i = 0; i < counts[c]; i++)      /* in another order */
            shard[i] = name[(i * 5 + 3) % counts[c]];
        if (counts[c] == 1)
            shard[0] = name[0];
        osc_merge_options options = merge_options(counts[c]);
        ck_ok(osc_record_merge(&options));
        sim_same_merged(sim_a, sim_b);
        ck_assert(nothing_beside());
        set_names();
    }
}
END_TEST

/* The nll and the perplexity are added up id by id, as a run does. */
START_TEST(test_merged_info)
{
    osc_record *one, *merged;
    sim_make(sim_a);
    make_shards(3);
    osc_merge_options options = merge_options(3);
    options.command = "merge";
    ck_ok(osc_record_merge(&options));
    ck_ok(osc_record_open(&one, sim_a));
    ck_ok(osc_record_open(&merged, sim_b));
    const osc_record_info *a = osc_record_get_info(one), *b = osc_record_get_info(merged);
    ck_assert(a->nll == b->nll && a->perplexity == b->perplexity);
    ck_assert_uint_eq(a->scored, b->scored);
    ck_assert_uint_eq(b->shards, 1);
    ck_assert_str_eq(a->merged, "");
    ck_assert_ptr_nonnull(strstr(b->merged, "shard1.h5: shard 2 of 3, sequences 4 to 7, "));
    ck_assert_ptr_nonnull(strstr(b->merged, "with 2 threads, outlierscope test: record --model m"));
    ck_assert_str_eq(b->command, "merge");
    osc_record_close(merged);
    osc_record_close(one);
    ck_ok(osc_record_open(&one, name[1]));
    a = osc_record_get_info(one);
    ck_assert_uint_eq(a->shard, 2);
    ck_assert_uint_eq(a->shards, 3);
    ck_assert_uint_eq(a->first_sequence, 4);
    ck_assert_uint_eq(a->sequences, 4);
    ck_assert_uint_eq(a->corpus_sequences, 11);
    ck_assert_uint_eq(a->positions, 43);     /* of sequences 4 to 7 */
    osc_record_close(one);
}
END_TEST

START_TEST(test_event_cap)
{
    static const uint64_t caps[] = { 0, 1, 100, 300, 500 };
    for (size_t c = 0; c < sizeof caps / sizeof *caps; c++) {
        osc_recorder_options options = sim_options(sim_a);
        options.overwrite = true;
        options.event_cap = caps[c];
        ck_ok(sim_record_all(&options, 3, SIM_SEQUENCES));
        for (size_t i = 0; i < 4; i++) {
            options = shard_options(i);
            options.event_cap = caps[c];
            ck_ok(sim_record_shard(&options, i + 1, 4, 2, SIZE_MAX));
        }
        osc_merge_options merge = merge_options(4);
        ck_ok(osc_record_merge(&merge));
        sim_same_merged(sim_a, sim_b);
    }
}
END_TEST

START_TEST(test_resumed_shards)
{
    sim_make(sim_a);
    remove_shards();
    for (size_t i = 0; i < 3; i++) {
        osc_recorder_options options = shard_options(i);
        ck_ok(sim_record_shard(&options, i + 1, 3, 1, 2));
        options.overwrite = false;
        options.resume = true;
        ck_ok(sim_record_shard(&options, i + 1, 3, 2, SIZE_MAX));
    }
    osc_merge_options merge = merge_options(3);
    ck_ok(osc_record_merge(&merge));
    sim_same_merged(sim_a, sim_b);
    osc_recorder_options options = shard_options(1);     /* as another shard */
    options.overwrite = false;
    options.resume = true;
    ck_assert_int_eq(sim_record_shard(&options, 3, 3, 2, SIZE_MAX), OSC_EINVAL);
    sim_error_has("it was recorded with sequences '4', this run has '3'");
}
END_TEST

/* --- refusals ------------------------------------------------------------------------ */

#define CHANGE(field, value) \
    static void change_##field(osc_recorder_options *o) { o->info.field = value; }
#define CHANGE_OPTION(field, value) \
    static void change_##field(osc_recorder_options *o) { o->field = value; }
CHANGE(model, "other")
CHANGE(weights_sha256, "ab")
CHANGE(tokenizer_sha256, "ab")
CHANGE(text_sha256, "ab")
CHANGE(dtype, "float32")
CHANGE(backend, "cuda")
CHANGE(scheme, "none")
CHANGE(protocol, "gptq")
CHANGE(bos, -1)
CHANGE(sequence_length, 18)
CHANGE(alpha, 6.5)
CHANGE(parameters, 7)
CHANGE_OPTION(event_cap, 5)
CHANGE_OPTION(points, SIM_TRACK)
CHANGE_OPTION(track, 1u << OSC_AT_QKV_IN)
CHANGE_OPTION(raw, 0)
CHANGE_OPTION(metrics, false)
CHANGE_OPTION(without_count, 0)
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
        { change_model, "model is 'other' here, 'opt-sim' there" },
        { change_weights_sha256, "weights_sha256 is 'ab' here, 'aa' there" },
        { change_tokenizer_sha256, "tokenizer_sha256 is 'ab' here, '' there" },
        { change_text_sha256, "text_sha256 is 'ab' here, 'cc' there" },
        { change_dtype, "dtype is 'float32' here, 'float16' there" },
        { change_backend, "backend is 'cuda' here, 'cpu' there" },
        { change_scheme, "scheme is 'none' here, 'llm-int8:threshold=6' there" },
        { change_protocol, "protocol is 'gptq' here, 'stream' there" },
        { change_bos, "bos is '-1' here, '2' there" },
        { change_sequence_length, "sequence_length is '18' here, '17' there" },
        { change_alpha, "alpha is '6.5' here, '6' there" },
        { change_parameters, "parameters is '7' here, '123456789012345' there" },
        { change_event_cap, "event_cap is '5' here, '1000000' there" },
        { change_points, "points is 'qkv_in+out_in+fc1_in' here, "
                         "'qkv_in+out_in+fc1_in+fc2_in' there" },
        { change_track, "track is 'qkv_in' here, 'qkv_in+out_in+fc1_in' there" },
        { change_raw, "raw is '' here, 'out_in+fc1_out' there" },
        { change_metrics, "modules is '' here, 'qkv_in+attn_out+resid_post+final_norm' there" },
        { change_without_count, "features in /attention/without are 0 here, 3 there" },
        { other_feature, "feature number 1 in /attention/without is 16 here, 17 there" },
    };
    make_shards(2);
    sim_make(sim_b);
    sim_make(sim_a);
    osc_merge_options merge = merge_options(2);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        osc_recorder_options options = shard_options(1);
        cases[i].change(&options);
        ck_ok(sim_record_shard(&options, 2, 2, 3, SIZE_MAX));
        ck_assert_int_eq(osc_record_merge(&merge), OSC_EINVAL);
        sim_error_has(cases[i].message);
        sim_error_has("shard1.h5 does not belong to");
    }
    sim_same_files(sim_a, sim_b);       /* what was there is */
    ck_assert(nothing_beside());
}
END_TEST

/* shard0 .. shard2 are the three of one text, shard3 is one of two, shard4 half of one. */
START_TEST(test_wrong_shards)
{
    static const struct { size_t count, which[4]; const char *message; } cases[] = {
        { 2, { 0, 1 }, "shard 3 of 3 is missing: 2 records are given" },
        { 2, { 2, 1 }, "shard 1 of 3 is missing" },
        { 2, { 2, 0 }, "shard 2 of 3 is missing" },
        { 1, { 0 }, "shard 2 of 3 is missing: 1 record is given" },
        { 4, { 0, 1, 2, 1 }, "shard1.h5 are both shard 2 of 3" },
        { 3, { 0, 1, 3 }, "shards is '2' here, '3' there" },
        { 3, { 0, 4, 2 }, "shard4.h5: shard 2 of 3 is incomplete: 2 of 4 sequences are done" },
        { 3, { 0, 5, 2 }, "shard5.h5: shard 2 begins at sequence 3, expected 4" },
        { 3, { 0, 1, 6 }, "shard6.h5: the last shard ends at sequence 10 of 11" },
        { 0, { 0 }, "no records" },
    };
    make_shards(3);
    osc_recorder_options options = shard_options(3);
    ck_ok(sim_record_shard(&options, 2, 2, 3, SIZE_MAX));
    options = shard_options(4);
    ck_ok(sim_record_shard(&options, 2, 3, 2, 2));
    options = shard_options(5);
    osc_observer_shape shape = sim_shape();
    osc_corpus corpus = sim_corpus();
    for (size_t i = 5; i < 7; i++) {        /* shares that are none of ours */
        osc_recorder *recorder;
        options = shard_options(i);
        options.info.shards = 3;
        options.info.corpus_sequences = 11;
        options.info.shard = i == 5 ? 2 : 3;
        options.info.first_sequence = i == 5 ? 3 : 8;
        options.info.sequences = i == 5 ? 5 : 2;
        ck_ok(osc_recorder_open(&recorder, &options, &shape, &corpus));
        ck_ok(sim_record(recorder, 1, options.info.sequences));
        osc_recorder_free(recorder);
    }
    unlink(sim_b);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (size_t j = 0; j < cases[i].count; j++)
            shard[j] = name[cases[i].which[j]];
        osc_merge_options merge = merge_options(cases[i].count);
        ck_assert_int_eq(osc_record_merge(&merge), OSC_EINVAL);
        sim_error_has(cases[i].message);
        ck_assert(!osc_file_exists(sim_b) && nothing_beside());
        set_names();
    }
}
END_TEST

START_TEST(test_target)
{
    make_shards(2);
    osc_merge_options merge = merge_options(2);
    merge.path = name[1];
    ck_assert_int_eq(osc_record_merge(&merge), OSC_EINVAL);
    sim_error_has("is one of the records to merge");
    merge.path = sim_folder;
    ck_assert_int_eq(osc_record_merge(&merge), OSC_EINVAL);
    sim_error_has("not a regular file");
    merge = merge_options(2);
    sim_make(sim_b);
    merge.overwrite = false;
    ck_assert_int_eq(osc_record_merge(&merge), OSC_EINVAL);
    sim_error_has("exists already");
    merge.path = "no/such/folder/all.h5";
    ck_assert_int_eq(osc_record_merge(&merge), OSC_EIO);
    unlink(name[1]);
    merge = merge_options(2);
    ck_assert_int_eq(osc_record_merge(&merge), OSC_ENOTFOUND);
    sim_error_has("shard1.h5: no such file");
}
END_TEST

/* A record made before there were shards is the only one of its text. */
START_TEST(test_old_record)
{
    static const char *const later[] = { "shard", "shards", "first_sequence", "corpus_sequences",
                                         "merged", "modules" };
    sim_make(name[0]);
    hid_t file = H5Fopen(name[0], H5F_ACC_RDWR, H5P_DEFAULT);
    for (size_t i = 0; i < sizeof later / sizeof *later; i++)
        ck_assert_int_ge(H5Adelete(file, later[i]), 0);
    ck_assert_int_ge(H5Ldelete(file, "/modules", H5P_DEFAULT), 0);
    ck_assert_int_ge(H5Ldelete(file, "/residual", H5P_DEFAULT), 0);
    H5Fclose(file);
    osc_record *record;
    ck_ok(osc_record_open(&record, name[0]));
    const osc_record_info *info = osc_record_get_info(record);
    ck_assert(info->shard == 1 && info->shards == 1 && info->first_sequence == 0);
    ck_assert_uint_eq(info->corpus_sequences, SIM_SEQUENCES);
    ck_assert_str_eq(info->merged, "");
    osc_record_close(record);
    osc_recorder_options options = sim_options(name[0]);
    options.metrics = false;
    options.resume = true;
    ck_ok(sim_record_all(&options, 2, SIM_SEQUENCES));
    options.path = sim_a;
    options.resume = false;
    options.overwrite = true;
    ck_ok(sim_record_all(&options, 2, SIM_SEQUENCES));
    osc_merge_options merge = merge_options(1);
    ck_ok(osc_record_merge(&merge));
    sim_same_merged(sim_a, sim_b);
}
END_TEST

/* --- faults -------------------------------------------------------------------------- */

START_TEST(test_disk_full)
{
    sim_make(sim_a);
    make_shards(3);
    unlink(sim_b);
    signal(SIGXFSZ, SIG_IGN);
    osc_merge_options merge = merge_options(3);
    size_t failures = 0;
    for (rlim_t limit = 1000; ; limit += 150000) {
        struct rlimit most = { limit, RLIM_INFINITY };
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &most), 0);
        osc_status status = osc_record_merge(&merge);
        most.rlim_cur = RLIM_INFINITY;
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &most), 0);
        if (status == OSC_OK)
            break;
        ck_assert_int_eq(status, OSC_EIO);
        sim_error_has("File too large");
        ck_assert(!osc_file_exists(sim_b) && nothing_beside());
        failures++;
    }
    ck_assert_uint_gt(failures, 2);
    sim_same_merged(sim_a, sim_b);
}
END_TEST

START_TEST(test_out_of_memory)
{
    sim_make(sim_a);
    make_shards(2);
    osc_merge_options merge = merge_options(2);
    for (size_t n = 1; ; n += 1 + n / 8) {
        unlink(sim_b);
        osc_alloc_fail_from(n);
        osc_status status = osc_record_merge(&merge);
        osc_alloc_fail_from(0);
        if (status == OSC_OK)
            break;
        ck_assert_int_eq(status, OSC_ENOMEM);
        ck_assert(!osc_file_exists(sim_b) && no_draft());    /* a lock's name takes memory */
    }
    sim_same_merged(sim_a, sim_b);
}
END_TEST

static size_t asked, stop_at;
static bool stop(void)
{
    return ++asked >= stop_at;
}

START_TEST(test_stopped)
{
    make_shards(2);
    osc_merge_options merge = merge_options(2);
    merge.stop = stop;
    for (stop_at = 1; ; stop_at += 1 + stop_at / 2) {
        unlink(sim_b);
        asked = 0;
        osc_status status = osc_record_merge(&merge);
        if (status == OSC_OK)
            break;
        ck_assert_int_eq(status, OSC_STOP);
        ck_assert(!osc_file_exists(sim_b) && nothing_beside());
    }
    ck_assert_uint_gt(stop_at, 20);
}
END_TEST

/* A byte of a dataset's data changed: its checksum says so. */
START_TEST(test_damaged)
{
    make_shards(2);
    hid_t file = H5Fopen(name[1], H5F_ACC_RDONLY, H5P_DEFAULT);
    hid_t dataset = H5Dopen2(file, "/stats/qkv_in/sum", H5P_DEFAULT);
    hsize_t at[2] = { 0, 0 }, size;
    haddr_t address;
    unsigned filters;
    ck_assert_int_ge(H5Dget_chunk_info_by_coord(dataset, at, &filters, &address, &size), 0);
    H5Dclose(dataset);
    H5Fclose(file);
    FILE *raw = fopen(name[1], "r+b");
    ck_assert_int_eq(fseek(raw, (long)address + 12, SEEK_SET), 0);
    int byte = fgetc(raw);
    ck_assert_int_eq(fseek(raw, (long)address + 12, SEEK_SET), 0);
    fputc(byte ^ 0x55, raw);
    fclose(raw);
    unlink(sim_b);
    osc_merge_options merge = merge_options(2);
    ck_assert_int_eq(osc_record_merge(&merge), OSC_EFORMAT);
    sim_error_has("shard1.h5: ");
    sim_error_has("do not match their checksum");
    ck_assert(!osc_file_exists(sim_b) && nothing_beside());
}
END_TEST

int main(void)
{
    if (!sim_set_up())
        return EXIT_FAILURE;
    set_names();
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    Suite *suite = suite_create("record_merge");
    TCase *tc = tcase_create("record_merge");
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, test_shares);
    tcase_add_test(tc, test_merge);
    tcase_add_test(tc, test_merged_info);
    tcase_add_test(tc, test_event_cap);
    tcase_add_test(tc, test_resumed_shards);
    tcase_add_test(tc, test_refusals);
    tcase_add_test(tc, test_wrong_shards);
    tcase_add_test(tc, test_target);
    tcase_add_test(tc, test_old_record);
    tcase_add_test(tc, test_disk_full);
    tcase_add_test(tc, test_out_of_memory);
    tcase_add_test(tc, test_stopped);
    tcase_add_test(tc, test_damaged);
    suite_add_tcase(suite, tc);
    int result = run_suite(suite);
    remove_shards();
    sim_clean_up();
    return result;
}

/* Records that are damaged or made to harm: refused, never a crash or a wrong number. */
#include <config.h>
#include "run.h"

#include <hdf5.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/file.h"
#include "record_sim.h"

static osc_status read_all(const char *path)
{
    uint64_t unused;
    return sim_digest(path, &unused);
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
    sim_make(sim_a);
    ck_ok(read_all(sim_a));
    size_t whole;
    copy_part(sim_b, sim_a, SIZE_MAX, &whole);
    ck_ok(read_all(sim_b));
    for (size_t i = 0; i < 30; i++) {
        size_t unused, size = i < 25 ? whole * i / 25 : whole - (30 - i) * 7;
        copy_part(sim_b, sim_a, size, &unused);
        ck_assert_msg(read_all(sim_b) == OSC_EFORMAT, "%zu of %zu bytes", size, whole);
        sim_error_has(sim_b);
    }
    ck_assert_int_eq(read_all("no-such-record.h5"), OSC_ENOTFOUND);
}
END_TEST

static void delete_object(hid_t file, const char *name)
{
    ck_assert_int_ge(H5Ldelete(file, name, H5P_DEFAULT), 0);
}

/* Another dataset in the place of `name`. */
static void replace(hid_t file, const char *name, hid_t type, int rank, const hsize_t *dim,
                    bool chunked)
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

#define QKV_MAX "/stats/qkv_in/max"
#define QKV_MIN "/stats/qkv_in/min"
static void no_stat(hid_t f) { delete_object(f, "/stats/qkv_in/sum"); }
static void no_point(hid_t f) { delete_object(f, "/stats/fc1_in"); }
static void no_axis_group(hid_t f) { delete_object(f, "/sequences"); }
static void no_positions(hid_t f) { delete_object(f, "/positions/qkv_in+fc1_in/any"); }
static void no_raw(hid_t f) { delete_object(f, "/raw/out_in"); }
static void wrong_type(hid_t f) { replace(f, QKV_MAX, H5T_IEEE_F64LE, 2, stat_dim, true); }
static void wrong_rank(hid_t f) { replace(f, QKV_MAX, H5T_IEEE_F32LE, 1, stat_dim, true); }
static void wrong_shape(hid_t f) { replace(f, QKV_MAX, H5T_IEEE_F32LE, 2, other_dim, true); }
static void not_chunked(hid_t f) { replace(f, QKV_MAX, H5T_IEEE_F32LE, 2, stat_dim, false); }
static void no_data(hid_t f) { replace(f, QKV_MAX, H5T_IEEE_F32LE, 2, stat_dim, true); }
static void wrong_width(hid_t f) { replace(f, QKV_MIN, H5T_IEEE_F32LE, 2, other_dim, true); }
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
    H5Lcreate_external(sim_a, "/stats/qkv_in", f, "/stats/qkv_in", H5P_DEFAULT, H5P_DEFAULT);
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
/* Changes one number. */
static void change_number(hid_t f, const char *name, hsize_t start, int32_t value)
{
    hsize_t count = 1;
    hid_t dataset = H5Dopen2(f, name, H5P_DEFAULT), space = H5Dget_space(dataset);
    hid_t memory = H5Screate_simple(1, &count, NULL);
    H5Sselect_hyperslab(space, H5S_SELECT_SET, &start, NULL, &count, NULL);
    ck_assert_int_ge(H5Dwrite(dataset, H5T_NATIVE_INT32, memory, space, H5P_DEFAULT, &value), 0);
    H5Sclose(memory);
    H5Sclose(space);
    H5Dclose(dataset);
}
static void change_event(hid_t f, const char *name, int32_t value)
{
    change_number(f, name, 3, value);
}
static void far_without(hid_t f) { change_number(f, "/attention/without", 2, SIM_HIDDEN); }
static void negative_without(hid_t f) { change_number(f, "/attention/without", 0, -1); }
static void falling_without(hid_t f) { change_number(f, "/attention/without", 1, 0); }
static void no_attention(hid_t f) { delete_object(f, "/attention"); }
static void no_top1_without(hid_t f) { delete_object(f, "/attention/top1_without"); }
static void no_without_sum(hid_t f) { delete_object(f, "/attention/top1_without_sum"); }
static void matrix_without(hid_t f)
{
    replace(f, "/attention/without", H5T_STD_I32LE, 2, stat_dim, true);
}
static void external_attention(hid_t f)
{
    delete_object(f, "/attention");
    H5Lcreate_external(sim_a, "/attention", f, "/attention", H5P_DEFAULT, H5P_DEFAULT);
}
static void far_feature(hid_t f) { change_event(f, "/outliers/feature", SIM_HIDDEN); }
static void far_layer(hid_t f) { change_event(f, "/outliers/layer", -1); }
static void far_sequence(hid_t f) { change_event(f, "/outliers/sequence", SIM_SEQUENCES); }
static void far_position(hid_t f) { change_event(f, "/outliers/position", SIM_LENGTH); }
static void other_point(hid_t f) { change_event(f, "/outliers/point", OSC_AT_Q); }

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
        { far_feature, "event out of range" },
        { far_layer, "event out of range" },
        { far_sequence, "event out of range" },
        { far_position, "event out of range" },
        { other_point, "event out of range" },
        { far_without, "no rising list of features below 33: it has 33 at 2" },
        { negative_without, "no rising list of features below 33: it has -1 at 0" },
        { falling_without, "no rising list of features below 33: it has 0 at 1" },
        { no_attention, "/attention is missing" },
        { no_top1_without, "/attention/top1_without is missing" },
        { no_without_sum, "/attention/top1_without_sum is missing" },
        { matrix_without, "/attention/without has 2 dimensions, expected 1" },
        { external_attention, "/attention is a link to elsewhere" },
    };
    sim_make(sim_a);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t whole;
        copy_part(sim_b, sim_a, SIZE_MAX, &whole);
        hid_t file = H5Fopen(sim_b, H5F_ACC_RDWR, H5P_DEFAULT);
        ck_assert_int_ge(file, 0);
        cases[i].damage(file);
        H5Fclose(file);
        ck_assert_msg(read_all(sim_b) == OSC_EFORMAT, "case %zu: %s", i, osc_error());
        sim_error_has(cases[i].message);
    }
}
END_TEST

/* Bytes changed in the data: our checksums show them, and in a record without these those
 * that HDF5 keeps of every chunk. */
START_TEST(test_checksum)
{
    sim_make(sim_a);
    if (_i == 1)
        sim_unseal(sim_a);
    hid_t file = H5Fopen(sim_a, H5F_ACC_RDONLY, H5P_DEFAULT);
    static const char *const names[] = { "/stats/qkv_in/sum", "/outliers/value", "/sequences/nll",
                                         "/positions/qkv_in+out_in+fc1_in/any" };
    hid_t dataset[4];
    haddr_t place[4];
    for (size_t i = 0; i < 4; i++) {
        hsize_t offset[2], size;
        unsigned mask;
        dataset[i] = H5Dopen2(file, names[i], H5P_DEFAULT);
        hid_t space = H5Dget_space(dataset[i]);
        ck_assert_int_ge(H5Dget_chunk_info(dataset[i], space, 0, offset, &mask, &place[i],
                                            &size), 0);
        H5Sclose(space);
        H5Dclose(dataset[i]);
    }
    H5Fclose(file);
    for (size_t i = 0; i < 4; i++) {
        size_t whole;
        copy_part(sim_b, sim_a, SIZE_MAX, &whole);
        FILE *stream = fopen(sim_b, "r+b");
        fseek(stream, (long)place[i] + 5, SEEK_SET);
        int byte = getc(stream);
        fseek(stream, (long)place[i] + 5, SEEK_SET);
        putc(byte ^ 0x10, stream);
        fclose(stream);
        ck_assert_int_eq(read_all(sim_b), OSC_EFORMAT);
        sim_error_has(sim_b);
        sim_error_has(_i == 1 ? names[i] : "do not match their checksum");
    }
}
END_TEST

int main(void)
{
    if (!sim_set_up())
        return EXIT_FAILURE;
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    Suite *suite = suite_create("record_damage");
    TCase *tc = tcase_create("record_damage");
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, test_truncated);
    tcase_add_test(tc, test_damaged);
    tcase_add_loop_test(tc, test_checksum, 0, 2);
    suite_add_tcase(suite, tc);
    int result = run_suite(suite);
    sim_clean_up();
    return result;
}

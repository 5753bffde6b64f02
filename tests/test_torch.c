/* pytorch_model.bin: what PyTorch writes must be read; streams; damaged files. */
#include <config.h>
#include "run.h"

#include <fcntl.h>
#include <jansson.h>

#include "base/alloc.h"
#include "base/file.h"
#include "store/store.h"
#include "torch_case.h"

/* Copies `from` of the golden files to `to` of the folder. */
static void copy(const char *from, const char *to)
{
    char *bytes;
    size_t size;
    const char *path = in_tests(path_in("data/torch", from));
    ck_assert_msg(osc_read_file(&bytes, &size, path, 1 << 16) == OSC_OK, "%s", osc_error());
    put(to, bytes, size);
    osc_free(bytes);
}

static struct bytes golden(const char *name)
{
    char *bytes;
    struct bytes b = { NULL, 0, 0 };
    size_t size;
    const char *path = in_tests(path_in("data/torch", name));
    ck_assert_msg(osc_read_file(&bytes, &size, path, 1 << 16) == OSC_OK, "%s", osc_error());
    add(&b, bytes, size);
    osc_free(bytes);
    return b;
}

/* --- written by PyTorch --------------------------------------------------------------- */

static void check_tensor(const char *name, const json_t *expected, const osc_stored *stored)
{
    char hex[3] = "";
    size_t i;
    json_t *size;
    const json_t *shape = json_object_get(expected, "shape");
    const char *bytes = json_string_value(json_object_get(expected, "bytes"));
    ck_assert_msg(stored != NULL, "no %s", name);
    const osc_tensor *t = &stored->tensor;
    ck_assert_str_eq(osc_dtype_name(t->dtype),
                     json_string_value(json_object_get(expected, "dtype")));
    ck_assert_uint_eq(t->ndim, json_array_size(shape));
    json_array_foreach(shape, i, size)
        ck_assert_uint_eq(t->dim[i], (size_t)json_integer_value(size));
    ck_assert(osc_tensor_is_contiguous(t));
    ck_assert_uint_eq(2 * tensor_bytes(t), strlen(bytes));
    for (size_t k = 0; k < tensor_bytes(t); k++) {
        snprintf(hex, sizeof hex, "%02x", ((const uint8_t *)t->data)[k]);
        ck_assert_msg(memcmp(hex, bytes + 2 * k, 2) == 0, "%s: byte %zu", name, k);
    }
}

static void check_state(const char *format, bool floats)
{
    osc_store *store;
    json_t *expected = json_load_file(in_tests("data/torch/expected.json"), 0, NULL), *tensor;
    const char *name;
    size_t count = 0;
    ck_assert_ptr_nonnull(expected);
    ck_assert_msg(osc_store_open(&store, folder) == OSC_OK, "%s", osc_error());
    ck_assert_str_eq(osc_store_format(store), format);
    json_object_foreach(expected, name, tensor) {
        if (floats && strstr(json_string_value(json_object_get(tensor, "dtype")), "float") == NULL)
            continue;
        check_tensor(name, tensor, osc_store_find(store, name));
        count++;
    }
    ck_assert_uint_eq(osc_store_count(store), count);
    osc_store_close(store);
    json_decref(expected);
}

START_TEST(test_golden)
{
    static const char *const shards[] = {
        "pytorch_model.bin.index.json", "pytorch_model-00001-of-00002.bin",
        "pytorch_model-00002-of-00002.bin",
    };
    put_text("config.json", "{}");
    for (size_t i = 0; i < sizeof shards / sizeof *shards; i++)
        copy(shards[i], shards[i]);
    check_state("sharded PyTorch", false);
    copy("torch_zip.bin", "pytorch_model.bin");
    check_state("PyTorch zip", false);
    copy("torch_stream.bin", "pytorch_model.bin");
    check_state("PyTorch stream", false);
    copy("torch_parameters.bin", "pytorch_model.bin");
    check_state("PyTorch zip", true);
}
END_TEST

/* Data are used where they lie; tied tensors share them. */
START_TEST(test_nothing_is_copied)
{
    static const char *const files[] = { "torch_zip.bin", "torch_stream.bin" };
    put_text("config.json", "{}");
    for (size_t i = 0; i < 2; i++) {
        osc_store *store;
        copy(files[i], "pytorch_model.bin");
        ck_assert_int_eq(osc_store_open(&store, folder), OSC_OK);
        const uint8_t *base = osc_store_find(store, "base")->tensor.data;
        ck_assert_ptr_eq(osc_store_find(store, "tied")->tensor.data, base);
        ck_assert_ptr_eq(osc_store_find(store, "row")->tensor.data, base + 12 * sizeof(float));
        ck_assert_ptr_eq(osc_store_find(store, "last")->tensor.data, base + 23 * sizeof(float));
        ck_assert_ptr_ne(osc_store_find(store, "transposed")->tensor.data, base);
        if (i == 0)
            ck_assert_uint_eq((uintptr_t)base % 64, 0);
        osc_store_close(store);
    }
}
END_TEST

START_TEST(test_golden_refused)
{
    static const struct { const char *name, *message; osc_status status; } cases[] = {
        { "no_module", "refers to 'torch.nn.modules.linear.Linear'", OSC_EFORMAT },
        { "no_checkpoint", "'model' is a dict, expected a tensor", OSC_EFORMAT },
        { "no_list", "holds a list, expected a state dict", OSC_EFORMAT },
        { "no_tensor", "holds a tensor, expected a state dict", OSC_EFORMAT },
        { "no_sparse", "refers to 'torch._utils._rebuild_sparse_tensor'", OSC_EFORMAT },
        { "no_complex", "refers to 'torch.ComplexFloatStorage'", OSC_EFORMAT },
        { "no_expanded", "tensor 'w': shape [1000]: stride 0 of dimension 0", OSC_EFORMAT },
        { "no_protocol4", "pickle protocol 4", OSC_EUNSUP },
        { "no_protocol3_stream", "not a file of torch.save", OSC_EFORMAT },
        { "no_number_key", "the key of an item is an integer", OSC_EFORMAT },
        { "no_script", "activation.py': is compressed (method 8)", OSC_EUNSUP },
    };
    put_text("config.json", "{}");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s.bin", cases[i].name);
        copy(name, "pytorch_model.bin");
        expect(name, cases[i].status, cases[i].message);
    }
}
END_TEST

/* Fixtures that another hand made from the format's description. */
START_TEST(test_shared_fixtures)
{
    static const struct { const char *name; osc_status status; const char *message; } cases[] = {
        { "tiny_zip", OSC_OK, NULL }, { "tiny_zip_named", OSC_OK, NULL },
        { "tiny_legacy", OSC_OK, NULL },
        { "evil_reduce", OSC_EFORMAT, "refers to 'posix.system'" },
        { "evil_oob_stride", OSC_EFORMAT,
          "tensor 'w': shape [3, 4]: offset 8 and a reach of 11 go beyond" },
        { "evil_missing_storage", OSC_EFORMAT, "there is no data/0" },
        { "evil_short_storage", OSC_EFORMAT, "data/0 has 44 bytes" },
    };
    put_text("config.json", "{}");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char name[128], *bytes;
        size_t size;
        snprintf(name, sizeof name, "formats/fixtures/%s.bin", cases[i].name);
        const char *path = in_shared(name);
        if (path == NULL)
            return;
        ck_assert_int_eq(osc_read_file(&bytes, &size, path, 1 << 16), OSC_OK);
        put("pytorch_model.bin", bytes, size);
        osc_free(bytes);
        expect(name, cases[i].status, cases[i].message);
    }
}
END_TEST

/* --- streams -------------------------------------------------------------------------- */

#define STREAM_FLOATS(view) \
    "(" TEXT("\7", "storage") "ctorch\nFloatStorage\n" TEXT("\1", "0") TEXT("\3", "cpu") \
    ONE("\14") view "tQ"
#define STREAM_TENSOR(view) \
    W(TENSOR(STREAM_FLOATS(view), ONE("\1"), ONE("\2") "\x85", ONE("\1") "\x85"))
#define KEYS(keys) HEAD "]" keys "."
#define ZERO TEXT("\1", "0") "a"

static const struct {
    const char *state;
    size_t      state_size;
    const char *keys;
    size_t      keys_size;
    int64_t     count;       /* said before the data */
    size_t      data;        /* elements that follow */
    osc_status  status;
    const char *message;
} streams[] = {
    { BYTES(STREAM_TENSOR("N")), BYTES(KEYS(ZERO)), 12, 12, OSC_OK, NULL },
    { BYTES(STREAM_TENSOR("(" TEXT("\1", "v") ONE("\4") ONE("\3") "t")), BYTES(KEYS(ZERO)), 12, 12,
      OSC_OK, NULL },
    { BYTES(STREAM_TENSOR("(" TEXT("\1", "v") ONE("\4") ONE("\2") "t")), BYTES(KEYS(ZERO)), 12, 12,
      OSC_EFORMAT, "a reach of 1 go beyond its storage of 2" },
    { BYTES(STREAM_TENSOR("(" TEXT("\1", "v") ONE("\4") ONE("\11") "t")), BYTES(KEYS(ZERO)), 12, 12,
      OSC_EFORMAT, "a view of 9 elements at 4 goes beyond its storage of 12" },
    { BYTES(STREAM_TENSOR("(" TEXT("\1", "v") BIG BIG "t")), BYTES(KEYS(ZERO)), 12, 12, OSC_EFORMAT,
      "goes beyond its storage" },
    { BYTES(STREAM_TENSOR("K\1")), BYTES(KEYS(ZERO)), 12, 12, OSC_EFORMAT,
      "is not a tuple of three" },
    { BYTES(STREAM_TENSOR("")), BYTES(KEYS(ZERO)), 12, 12, OSC_EFORMAT, "('storage', ...) of 6" },
    { BYTES(STREAM_TENSOR("N")), BYTES(KEYS("")), 12, 12, OSC_EFORMAT,
      "storage '0' is not in the file" },
    { BYTES(STREAM_TENSOR("N")), BYTES(KEYS(ZERO ZERO)), 12, 12, OSC_EFORMAT,
      "storage '0' is there twice" },
    { BYTES(STREAM_TENSOR("N")), BYTES(KEYS(TEXT("\1", "1") "a")), 12, 12, OSC_EFORMAT,
      "storage '1' belongs to no tensor" },
    { BYTES(STREAM_TENSOR("N")), BYTES(KEYS("Na")), 12, 12, OSC_EFORMAT,
      "the key of a storage is None" },
    { BYTES(STREAM_TENSOR("N")), BYTES(HEAD "}."), 12, 12, OSC_EFORMAT,
      "the storage keys are a dict" },
    { BYTES(STREAM_TENSOR("N")), BYTES(KEYS(ZERO)), 11, 12, OSC_EFORMAT,
      "storage '0' has 11 elements, its tensors say 12" },
    { BYTES(STREAM_TENSOR("N")), BYTES(KEYS(ZERO)), -1, 12, OSC_EFORMAT, "its tensors say 12" },
    { BYTES(STREAM_TENSOR("N")), BYTES(KEYS(ZERO)), 12, 11, OSC_EFORMAT, "is the file complete?" },
    { BYTES(STREAM_TENSOR("N")), BYTES(KEYS(ZERO)), 12, 13, OSC_EFORMAT,
      "4 bytes after the last storage's end" },
    { BYTES(HEAD "cposix\nsystem\n."), BYTES(KEYS(ZERO)), 12, 12, OSC_EFORMAT,
      "state dict: byte 2 of the pickle, GLOBAL: refers to 'posix.system'" },
    { BYTES(HEAD "}."), BYTES(HEAD "cposix\nsystem\n."), 12, 12, OSC_EFORMAT,
      "storage keys: byte 2" },
};

START_TEST(test_streams)
{
    put_text("config.json", "{}");
    for (size_t i = 0; i < sizeof streams / sizeof *streams; i++) {
        static const float thirteenth = 0;
        struct bytes b = { NULL, 0, 0 };
        char label[32];
        stream_start(&b);
        add(&b, streams[i].state, streams[i].state_size);
        add(&b, streams[i].keys, streams[i].keys_size);
        add_number(&b, (uint64_t)streams[i].count, 8);
        for (size_t k = 0; k < streams[i].data; k++)
            add(&b, k < 12 ? &twelve[k] : &thirteenth, sizeof(float));
        put_bytes(&b);
        free(b.data);
        snprintf(label, sizeof label, "stream %zu", i);
        expect(label, streams[i].status, streams[i].message);
    }
}
END_TEST

START_TEST(test_stream_starts)
{
    static const struct { const char *text; size_t size; osc_status status; const char *message; }
    starts[] = {
        { BYTES(""), OSC_EFORMAT, "version: not a pickle" },
        { BYTES(HEAD "K\1."), OSC_EUNSUP, "version 1 of the stream" },
        { BYTES(HEAD "N."), OSC_EFORMAT, "the version is None" },
        { BYTES(HEAD "M\xe9\3."), OSC_EFORMAT, "system: not a pickle" },
        { BYTES(HEAD "M\xe9\3." HEAD "N."), OSC_EFORMAT, "does not say \"little_endian\"" },
        { BYTES(HEAD "M\xe9\3." HEAD "}."), OSC_EFORMAT, "does not say \"little_endian\"" },
        { BYTES(HEAD "M\xe9\3." HEAD "}" TEXT("\15", "little_endian") "\x89s."), OSC_EUNSUP,
          "big-endian" },
        { BYTES(HEAD "M\xe9\3." HEAD "}" TEXT("\15", "little_endian") "\x88s."), OSC_EFORMAT,
          "state dict: not a pickle" },
    };
    put_text("config.json", "{}");
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        struct bytes b = { NULL, 0, 0 };
        add(&b, torch_magic, sizeof torch_magic - 1);
        add(&b, starts[i].text, starts[i].size);
        put_bytes(&b);
        free(b.data);
        expect("start", starts[i].status, starts[i].message);
    }
    static const char *const others[] = {
        "", "P", "PK\3", "PK\5\6", "PYTORCH1", "\x80\2}.", "\x80",
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        put_text("pytorch_model.bin", others[i]);
        expect("another file", OSC_EFORMAT, "not a file of torch.save");
    }
    put_text("pytorch_model.bin", "version https://git-lfs.github.com/spec/v1\n");
    expect("pointer", OSC_EUNSUP, "is a Git LFS pointer");
}
END_TEST

/* --- damage --------------------------------------------------------------------------- */

static const char *const golden_files[] = { "torch_zip.bin", "torch_stream.bin" };

START_TEST(test_truncated)
{
    put_text("config.json", "{}");
    struct bytes b = golden(golden_files[_i]);
    put_bytes(&b);
    for (size_t cut = b.size; cut-- > 0;) {
        ck_assert_int_eq(truncate(in_folder("pytorch_model.bin"), (off_t)cut), 0);
        expect("cut short", OSC_EFORMAT, "pytorch_model.bin: ");
    }
    free(b.data);
}
END_TEST

/* Reads the first and last byte of every tensor: a sanitizer or the mapping's end
 * would stop a tensor that lies outside the file. */
static size_t touch(const osc_store *store)
{
    size_t sum = 0;
    for (size_t i = 0; i < osc_store_count(store); i++) {
        const osc_tensor *t = &osc_store_at(store, i)->tensor;
        const uint8_t *data = t->data;
        ck_assert_uint_le(tensor_bytes(t), osc_store_bytes(store));
        sum += tensor_bytes(t) == 0 ? 0 : (size_t)data[0] + data[tensor_bytes(t) - 1];
    }
    return sum;
}

START_TEST(test_damage)
{
    static const uint8_t replacements[] = { 0x00, 0x01, 0x28, 0x52, 0x68, 0x7f, 0x80, 0xff };
    put_text("config.json", "{}");
    struct bytes b = golden(golden_files[_i]);
    size_t accepted = 0;
    put_bytes(&b);
    int file = open(in_folder("pytorch_model.bin"), O_WRONLY);
    ck_assert_int_ge(file, 0);
    for (size_t i = 0; i < b.size; i++) {
        for (size_t r = 0; r < sizeof replacements; r++) {
            osc_store *store = NULL;
            ck_assert_int_eq(pwrite(file, &replacements[r], 1, (off_t)i), 1);
            if (osc_store_open(&store, folder) == OSC_OK) {
                touch(store);
                accepted++;
            }
            osc_store_close(store);
        }
        ck_assert_int_eq(pwrite(file, &b.data[i], 1, (off_t)i), 1);
    }
    ck_assert_uint_gt(accepted, b.size / 20);   /* bytes of weights and padding, the same byte */
    ck_assert_int_eq(close(file), 0);
    free(b.data);
}
END_TEST

START_TEST(test_every_allocation_fails_once)
{
    osc_store *store = NULL;
    osc_status status = OSC_ENOMEM;
    size_t n = 1;
    put_text("config.json", "{}");
    copy(golden_files[_i], "pytorch_model.bin");
    for (; status != OSC_OK && n < 200; n++) {
        osc_alloc_fail_from(n);
        status = osc_store_open(&store, folder);
        osc_alloc_fail_from(0);
        ck_assert(status == OSC_OK || (status == OSC_ENOMEM && store == NULL));
    }
    ck_assert_int_eq(status, OSC_OK);
    ck_assert_uint_gt(n, 15);
    osc_store_close(store);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("torch");
    TCase *tc = tcase_create("torch");
    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, folder_make, folder_remove);
    tcase_add_test(tc, test_golden);
    tcase_add_test(tc, test_nothing_is_copied);
    tcase_add_test(tc, test_golden_refused);
    tcase_add_test(tc, test_shared_fixtures);
    tcase_add_test(tc, test_streams);
    tcase_add_test(tc, test_stream_starts);
    tcase_add_loop_test(tc, test_truncated, 0, 2);
    tcase_add_loop_test(tc, test_damage, 0, 2);
    tcase_add_loop_test(tc, test_every_allocation_fails_once, 0, 2);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}

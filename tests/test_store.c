/* Checkpoint directories: what is looked for, what is handed out, what is refused. */
#include <config.h>
#include "run.h"

#include <jansson.h>

#include "base/alloc.h"
#include "base/file.h"
#include "checkpoint.h"
#include "store/format.h"
#include "store/store.h"

static void put_fixture(const char *name)
{
    char path[640];
    char *bytes;
    size_t size;
    const char *tests = getenv("OSC_TESTS");
    snprintf(path, sizeof path, "%s/data/safetensors/%s", tests == NULL ? "tests" : tests, name);
    ck_assert_msg(osc_read_file(&bytes, &size, path, 4096) == OSC_OK, "%s", osc_error());
    put("model.safetensors", bytes, size);
    osc_free(bytes);
}

static void expect(osc_status status, const char *message)
{
    osc_store *store = NULL;
    ck_assert_int_eq(osc_store_open(&store, folder), status);
    ck_assert_ptr_null(store);
    ck_assert_msg(strstr(osc_error(), message) != NULL, "'%s' lacks '%s'", osc_error(), message);
}

START_TEST(test_bad_fixtures)
{
    static const struct { const char *name, *message; } bad[] = {
        { "bad_dtype", "tensor 'w': dtype 'Q4' is none of the format's" },
        { "bad_duplicate_key", "tensor 'w' is there twice" },
        { "bad_header_len", "header length 1099511627776 is over the limit" },
        { "bad_header_len2", "header length 18446744073709551615 is over the limit" },
        { "bad_hole", "tensor 's': its data begin at 18, a hole after 16" },
        { "bad_not_object", "expected '{'" },
        { "bad_overlap", "tensor 's': its data begin at 14 and overlap those of tensor 'w'" },
        { "bad_shape_overflow", "tensor 'w': shape [4294967296, 4294967296]" },
        { "bad_size_mismatch", "tensor 'w': dtype F32 and shape [2, 3] make 24 bytes" },
        { "bad_trailing", "1 bytes of data after the last tensor's end at 18" },
        { "bad_truncated", "tensor 's': data_offsets [16, 18] go beyond the 17 bytes" },
    };
    put_text("config.json", "{}");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s.safetensors", bad[i].name);
        put_fixture(name);
        expect(OSC_EFORMAT, bad[i].message);
        ck_assert_ptr_nonnull(strstr(osc_error(), "model.safetensors"));
    }
}
END_TEST

static void check_good(const osc_store *store)
{
    static const size_t w_shape[] = { 2, 2 }, e_shape[] = { 2, 0 };
    ck_assert_str_eq(osc_store_path(store), folder);
    ck_assert_str_eq(osc_store_format(store), "safetensors");
    ck_assert_uint_eq(osc_store_count(store), 3);
    const osc_stored *e = osc_store_at(store, 0), *s = osc_store_at(store, 1);
    const osc_stored *w = osc_store_find(store, "w");
    ck_assert_str_eq(e->name, "e");
    ck_assert_str_eq(s->name, "s");
    ck_assert_ptr_eq(w, osc_store_at(store, 2));
    ck_assert_ptr_null(osc_store_find(store, ""));
    ck_assert_ptr_null(osc_store_find(store, "ww"));
    ck_assert_str_eq(w->file, "model.safetensors");
    ck_assert(osc_tensor_has_shape(&w->tensor, 2, w_shape));
    ck_assert(osc_tensor_is_contiguous(&w->tensor));
    ck_assert(osc_tensor_has_shape(&e->tensor, 2, e_shape));
    ck_assert(osc_tensor_has_shape(&s->tensor, 0, NULL));
    ck_assert_int_eq(w->tensor.dtype, OSC_F32);
    ck_assert_int_eq(e->tensor.dtype, OSC_F16);
    ck_assert_int_eq(s->tensor.dtype, OSC_BF16);
    float values[4];
    uint16_t scalar;
    memcpy(values, w->tensor.data, sizeof values);
    memcpy(&scalar, s->tensor.data, sizeof scalar);
    for (size_t i = 0; i < 4; i++)
        ck_assert_float_eq(values[i], (float)(i + 1));
    ck_assert_uint_eq(scalar, 0x3fc0);
}

START_TEST(test_good_fixtures)
{
    static const struct { const char *name; bool odd; } good[] = {
        { "good.safetensors", false }, { "good_unaligned.safetensors", true },
    };
    put_text("config.json", "{\"k\": 1}");
    for (size_t i = 0; i < 2; i++) {
        osc_store *store;
        put_fixture(good[i].name);
        ck_assert_msg(osc_store_open(&store, folder) == OSC_OK, "%s", osc_error());
        check_good(store);
        const void *data = osc_store_find(store, "w")->tensor.data;
        ck_assert_int_eq((uintptr_t)data % 2, good[i].odd);
        ck_assert_uint_eq(osc_store_bytes(store), good[i].odd ? 227 : 226);
        ck_assert_int_eq(json_integer_value(json_object_get(osc_store_config(store), "k")), 0);
        ck_assert(json_real_value(json_object_get(osc_store_config(store), "k")) == 1.0);
        osc_store_close(store);
    }
}
END_TEST

START_TEST(test_config)
{
    static const char *const good[] = {
        "{}", "{\"a\": 1000000000000000019884624838656, \"b\": [NaN, -Infinity], \"a\": null}\n",
    };
    static const struct { const char *text, *message; } bad[] = {
        { "", "config.json: not valid JSON" },    { "[]", "config.json: not a JSON object" },
        { "1", "config.json: not a JSON object" }, { "{\"a\": }", "line 1, column 7" },
    };
    put_fixture("good.safetensors");
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        osc_store *store;
        put_text("config.json", good[i]);
        ck_assert_msg(osc_store_open(&store, folder) == OSC_OK, "%s", osc_error());
        osc_store_close(store);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        put_text("config.json", bad[i].text);
        expect(OSC_EFORMAT, bad[i].message);
    }
    put_text("config.json", "{}");
    ck_assert_int_eq(truncate(in_folder("config.json"), (1 << 20) + 1), 0);
    expect(OSC_EFORMAT, "at most 1048576 are accepted");
    ck_assert_int_eq(remove(in_folder("config.json")), 0);
    expect(OSC_ENOTFOUND, "config.json: No such file");
}
END_TEST

START_TEST(test_what_is_found)
{
    put_text("config.json", "{}");
    expect(OSC_ENOTFOUND, "no weights: there is none of model.safetensors, "
           "model.safetensors.index.json, pytorch_model.bin, pytorch_model.bin.index.json");
    put_text("pytorch_model.bin.index.json", "{}");
    expect(OSC_EFORMAT, "pytorch_model.bin.index.json: \"weight_map\" is not an object");
    put_text("pytorch_model.bin", "{}");
    expect(OSC_EFORMAT, "pytorch_model.bin: not a file of torch.save");
    put_text("model.safetensors", "version https://git-lfs.github.com/spec/v1\noid sha256:00\n");
    expect(OSC_EUNSUP, "model.safetensors: is a Git LFS pointer");
    put_fixture("good.safetensors");
    osc_store *store;
    ck_assert_int_eq(osc_store_open(&store, folder), OSC_OK);
    ck_assert_str_eq(osc_store_format(store), "safetensors");
    osc_store_close(store);
    ck_assert_int_eq(osc_store_open(&store, in_folder("model.safetensors")), OSC_ENOTFOUND);
    ck_assert_ptr_nonnull(strstr(osc_error(), "not a directory"));
    ck_assert_int_eq(osc_store_open(&store, in_folder("absent")), OSC_ENOTFOUND);
    ck_assert_int_eq(osc_store_open(&store, ""), OSC_ENOTFOUND);
    ck_assert_int_eq(remove(in_folder("model.safetensors")), 0);
    ck_assert_int_eq(symlink("/dev/zero", in_folder("model.safetensors")), 0);
    expect(OSC_EIO, "not a regular file");
    osc_store_close(NULL);
}
END_TEST

/* An index beside two copies of one good file; tensors of good.safetensors: a, b. */
static const struct {
    const char *index;
    osc_status  status;
    const char *message;
} indexes[] = {
    { "{\"metadata\": {\"total_size\": 1e30}, \"weight_map\": {\"NAME\": \"one.safetensors\"}}",
      OSC_OK, "" },
    { "{}", OSC_EFORMAT, "\"weight_map\" is not an object" },
    { "[1]", OSC_EFORMAT, "\"weight_map\" is not an object" },
    { "{\"weight_map\": {}}", OSC_EFORMAT, "has 0 tensors" },
    { "{\"weight_map\": {\"x\": 7}}", OSC_EFORMAT, "tensor 'x' is not a string" },
    { "{\"weight_map\": {\"x\": \"one.safetensors\"}}", OSC_EFORMAT,
      "index.json: weight_map: tensor 'x' is not in one.safetensors" },
    { "{\"weight_map\": {\"NAME\": \"../one.safetensors\"}}", OSC_EFORMAT, "not a plain file name" },
    { "{\"weight_map\": {\"NAME\": \"/etc/passwd\"}}", OSC_EFORMAT, "not a plain file name" },
    { "{\"weight_map\": {\"NAME\": \"\"}}", OSC_EFORMAT, "not a plain file name" },
    { "{\"weight_map\": {\"NAME\": \"none.safetensors\"}}", OSC_ENOTFOUND, "none.safetensors" },
    { "{\"weight_map\": {\"NAME\": \"one.safetensors\", \"NAME\": \"two.safetensors\"}}",
      OSC_EFORMAT, "duplicate" },
    { "{\"weight_map\": {\"NAME\": \"one.safetensors\", \"x\": \"two.safetensors\"}}",
      OSC_EFORMAT, "weight_map" },
    { "{\"weight_map\": {\"NAME\"", OSC_EFORMAT, "not valid JSON" },
};

/* `text` with every NAME replaced by the name of a tensor of good.safetensors. */
static void put_index(const char *text, const char *name)
{
    char filled[1024];
    size_t used = 0;
    for (const char *at = text; *at != '\0';) {
        bool here = strncmp(at, "NAME", 4) == 0;
        used += (size_t)snprintf(filled + used, sizeof filled - used, "%.*s",
                                 here ? 100 : 1, here ? name : at);
        at += here ? 4 : 1;
    }
    put_text("model.safetensors.index.json", filled);
}

START_TEST(test_shards)
{
    osc_store *store;
    put_text("config.json", "{}");
    put_fixture("good.safetensors");
    ck_assert_int_eq(osc_store_open(&store, folder), OSC_OK);
    char name[100];
    snprintf(name, sizeof name, "%s", osc_store_at(store, 0)->name);
    size_t count = osc_store_count(store);
    osc_store_close(store);
    char target[4096];
    snprintf(target, sizeof target, "%s", in_folder("two.safetensors"));
    ck_assert_int_eq(rename(in_folder("model.safetensors"), target), 0);
    snprintf(target, sizeof target, "%s", in_folder("one.safetensors"));
    ck_assert_int_eq(link(in_folder("two.safetensors"), target), 0);
    for (size_t i = 0; i < sizeof indexes / sizeof *indexes; i++) {
        put_index(indexes[i].index, name);
        if (indexes[i].status != OSC_OK) {
            expect(indexes[i].status, indexes[i].message);
            continue;
        }
        ck_assert_msg(osc_store_open(&store, folder) == OSC_OK, "%s", osc_error());
        ck_assert_str_eq(osc_store_format(store), "sharded safetensors");
        ck_assert_uint_eq(osc_store_count(store), count);
        ck_assert_str_eq(osc_store_find(store, name)->file, "one.safetensors");
        osc_store_close(store);
    }
}
END_TEST

struct ticks {
    size_t count, last, total;
};

static void count_tick(void *user, const char *what, size_t done, size_t total)
{
    struct ticks *ticks = user;
    ck_assert_str_ne(what, "");
    ck_assert_uint_gt(done, ticks->last);
    *ticks = (struct ticks){ ticks->count + 1, done, total };
}

START_TEST(test_digest)
{
    osc_store *store;
    char hex[OSC_DIGEST_HEX];
    put_text("config.json", "{}");
    put_fixture("good.safetensors");
    ck_assert_int_eq(osc_store_open(&store, folder), OSC_OK);
    ck_assert_int_eq(osc_store_digest(store, hex, NULL), OSC_OK);
    /* sha256sum good.safetensors */
    ck_assert_str_eq(hex, "ee95dd8fa2e908b4aacf0d6cf68b5ae9ce512c0ed235ad0a69cb7ec50cf635c4");
    osc_store_close(store);

    static const char header[] =
        "{\"a\":{\"dtype\":\"U8\",\"shape\":[10000000],\"data_offsets\":[0,10000000]}}";
    struct ticks ticks = { 0, 0, 0 };
    osc_progress progress = { count_tick, &ticks };
    put_weights("model.safetensors", sizeof header - 1, header, sizeof header - 1, 10000000);
    ck_assert_int_eq(osc_store_open(&store, folder), OSC_OK);
    ck_assert_int_eq(osc_store_digest(store, hex, &progress), OSC_OK);
    ck_assert_uint_eq(ticks.count, 3);
    ck_assert_uint_eq(ticks.last, osc_store_bytes(store));
    ck_assert_uint_eq(ticks.total, osc_store_bytes(store));
    osc_store_close(store);
    char *bytes, whole[OSC_DIGEST_HEX];
    size_t size;
    osc_digest *digest;
    ck_assert_int_eq(osc_read_file(&bytes, &size, in_folder("model.safetensors"), 11000000),
                     OSC_OK);
    ck_assert_int_eq(osc_digest_create(&digest), OSC_OK);
    ck_assert_int_eq(osc_digest_add(digest, bytes, size), OSC_OK);
    ck_assert_int_eq(osc_digest_finish(digest, whole), OSC_OK);
    ck_assert_str_eq(hex, whole);
    osc_digest_free(digest);
    osc_free(bytes);
}
END_TEST

START_TEST(test_every_allocation_fails_once)
{
    osc_store *store = NULL;
    osc_status status = OSC_ENOMEM;
    size_t n = 1;
    put_text("config.json", "{}");
    put_fixture("good.safetensors");
    for (; status != OSC_OK && n < 100; n++) {
        osc_alloc_fail_from(n);
        status = osc_store_open(&store, folder);
        osc_alloc_fail_from(0);
        ck_assert(status == OSC_OK || (status == OSC_ENOMEM && store == NULL));
    }
    ck_assert_int_eq(status, OSC_OK);
    ck_assert_uint_gt(n, 8);
    osc_alloc_fail_from(1);
    char hex[OSC_DIGEST_HEX];
    ck_assert_int_eq(osc_store_digest(store, hex, NULL), OSC_ENOMEM);
    osc_alloc_fail_from(0);
    osc_store_close(store);
}
END_TEST

/* What formats of several files rely on. */
START_TEST(test_weights_of_two_files)
{
    static const char *const bad_names[] = { "", ".", "..", "../x", "/etc/passwd", "a\\b", "b/a" };
    struct osc_weights weights = { .folder = folder };
    struct osc_weight a = { .stored = { .name = "t", .file = "b.safetensors" } };
    struct osc_weight b = { .stored = { .name = "t", .file = "a.safetensors" }, .foreign = "F4" };
    osc_mapping file;
    put_text("b.safetensors", "b");
    put_text("a.safetensors", "a");
    for (size_t i = 0; i < sizeof bad_names / sizeof *bad_names; i++) {
        ck_assert_int_eq(osc_weights_map(&file, &weights, bad_names[i]), OSC_EFORMAT);
        ck_assert_ptr_nonnull(strstr(osc_error(), "is not a plain file name"));
    }
    ck_assert_int_eq(osc_weights_map(&file, &weights, "absent"), OSC_ENOTFOUND);
    ck_assert_int_eq(osc_weights_map(&file, &weights, "b.safetensors"), OSC_OK);
    ck_assert_int_eq(osc_weights_map(&file, &weights, "a.safetensors"), OSC_OK);
    ck_assert_int_eq(file.data[0], 'a');
    ck_assert_int_eq(osc_weights_add(&weights, &a), OSC_OK);
    ck_assert_int_eq(osc_weights_finish(&weights), OSC_OK);
    ck_assert_uint_eq(weights.file_count, 2);
    ck_assert_str_eq(osc_weight_file_name(weights.file[0].path), "a.safetensors");
    ck_assert_int_eq(osc_weights_add(&weights, &b), OSC_OK);
    ck_assert_int_eq(osc_weights_finish(&weights), OSC_EFORMAT);
    ck_assert_ptr_nonnull(strstr(osc_error(), "tensor 't' is both in "));
    osc_weights_release(&weights);
}
END_TEST

static size_t config_size(const osc_store *store, const char *key)
{
    return (size_t)json_number_value(json_object_get(osc_store_config(store), key));
}

static void check_shape(const osc_store *store, const char *name, size_t rows, size_t columns)
{
    const size_t shape[] = { rows, columns };
    const osc_stored *found = osc_store_find(store, name);
    ck_assert_msg(found != NULL, "no %s", name);
    ck_assert(osc_tensor_has_shape(&found->tensor, columns == 0 ? 1 : 2, shape));
    ck_assert_int_eq(found->tensor.dtype, OSC_F16);
}

static void check_model(const char *path)
{
    osc_store *store;
    ck_assert_msg(osc_store_open(&store, path) == OSC_OK, "%s", osc_error());
    size_t hidden = config_size(store, "hidden_size"), ffn = config_size(store, "ffn_dim");
    check_shape(store, "model.decoder.embed_tokens.weight", config_size(store, "vocab_size"),
                config_size(store, "word_embed_proj_dim"));
    check_shape(store, "model.decoder.embed_positions.weight",
                config_size(store, "max_position_embeddings") + 2, hidden);
    for (size_t i = 0; i < config_size(store, "num_hidden_layers"); i++) {
        char name[96];
        snprintf(name, sizeof name, "model.decoder.layers.%zu.fc1.weight", i);
        check_shape(store, name, ffn, hidden);
        snprintf(name, sizeof name, "model.decoder.layers.%zu.fc2.weight", i);
        check_shape(store, name, hidden, ffn);
        snprintf(name, sizeof name, "model.decoder.layers.%zu.self_attn.q_proj.bias", i);
        check_shape(store, name, hidden, 0);
    }
    for (size_t i = 1; i < osc_store_count(store); i++)
        ck_assert_int_lt(strcmp(osc_store_at(store, i - 1)->name, osc_store_at(store, i)->name), 0);
    osc_store_close(store);
}

START_TEST(test_shared_models)
{
    static const char *const models[] = {
        "opt-mini-2m-step500", "opt-mini-2m-step2000", "opt-mini-2m", "opt-mini-8m-step2000",
        "opt-mini-8m", "opt-mini-42m", "opt-mini-postln-2m",
    };
    const char *shared = getenv("OSC_SHARED"), *tests = getenv("OSC_TESTS");
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        char path[1024];
        if (shared != NULL)
            snprintf(path, sizeof path, "%s/models/%s", shared, models[i]);
        else
            snprintf(path, sizeof path, "%s/../../shared/models/%s",
                     tests == NULL ? "tests" : tests, models[i]);
        if (osc_file_exists(path))
            check_model(path);
        else
            printf("# skipped: no %s\n", path);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("store");
    TCase *tc = tcase_create("store");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, folder_make, folder_remove);
    tcase_add_test(tc, test_bad_fixtures);
    tcase_add_test(tc, test_good_fixtures);
    tcase_add_test(tc, test_config);
    tcase_add_test(tc, test_what_is_found);
    tcase_add_test(tc, test_shards);
    tcase_add_test(tc, test_digest);
    tcase_add_test(tc, test_every_allocation_fails_once);
    tcase_add_test(tc, test_weights_of_two_files);
    tcase_add_test(tc, test_shared_models);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}

/* A NaN or an infinity in any one weight of any architecture, from any form of its
 * checkpoint: the run fails and names tensor and element.  Tables that are only looked up are
 * read where they lie: there it is the log-likelihoods that are not finite (test_nonfinite.sh
 * shows how commands name the place). */
#include <config.h>
#include "run.h"

#include <string.h>

#include "base/file.h"
#include "files.h"
#include "reference.h"
#include "torch_file.h"

static const char *const models[] = {
    "opt-preln-s1", "opt-postln-proj-s1", "gpt2-s1", "gptj-s1", "bloom-6heads-s1", "llama-gqa-s1",
};
enum { MODELS = sizeof models / sizeof *models };

/* Halves. */
static const struct { const char *name; uint16_t bits; } values[] = {
    { "NaN", 0x7e00 }, { "infinity", 0x7c00 }, { "-infinity", 0xfc00 },
};

/* A checkpoint of one file of safetensors, and the file's bytes. */
typedef struct {
    osc_store *store;
    char      *bytes;
    size_t     size, data;      /* where the tensors begin */
} checkpoint;

static checkpoint read_checkpoint(const char *path)
{
    checkpoint c = { .data = 8 };
    must(osc_store_open(&c.store, path));
    must(osc_read_file(&c.bytes, &c.size, path_in(path, "model.safetensors"), 1 << 24));
    for (int i = 7; i >= 0; i--)
        c.data += (size_t)(uint8_t)c.bytes[i] << 8 * i;
    return c;
}

/* Where the tensor's bytes are in the file: all tensors cover the data exactly. */
static size_t place_of(const checkpoint *c, const osc_tensor *tensor)
{
    const uint8_t *first = tensor->data;
    for (size_t i = 0; i < osc_store_count(c->store); i++) {
        const uint8_t *at = osc_store_at(c->store, i)->tensor.data;
        first = at < first ? at : first;
    }
    return c->data + (size_t)((const uint8_t *)tensor->data - first);
}

/* What running over all ids of the vocabulary gives; `*finite`: whether all log-likelihoods
 * are. */
static osc_status run(bool *finite)
{
    osc_model *model;
    osc_session *session = NULL;
    OSC_TRY(osc_model_open(&model, folder));
    size_t length = osc_model_config(model)->positions;
    length = length < 16 ? length : 16;
    size_t count = osc_model_config(model)->vocabulary / length;
    int32_t *ids = osc_alloc(count * length, sizeof *ids);
    size_t *offset = osc_alloc(count + 1, sizeof *offset);
    double *nll = osc_alloc(count * length, sizeof *nll);
    for (size_t i = 0; i < count * length; i++)
        ids[i] = (int32_t)i;
    for (size_t i = 0; i <= count; i++)
        offset[i] = i * length;
    osc_corpus corpus = { .ids = ids, .offset = offset, .count = count, .longest = length };
    osc_session_options options = { .longest = length, .threads = 1, .chunk = count };
    osc_status status = osc_session_open(&session, model, &options);
    if (status == OSC_OK)
        status = osc_session_run(session, &corpus, 0, count, NULL, nll);
    *finite = true;
    for (size_t i = 0; i < count * length; i++)
        *finite = *finite && isfinite(nll[i]);
    osc_session_close(session);
    osc_model_close(model);
    osc_free(ids);
    osc_free(offset);
    osc_free(nll);
    return status;
}

static bool is_table(const char *name)
{
    return strstr(name, "embed_") != NULL || strstr(name, "wte") != NULL
           || strstr(name, "wpe") != NULL || strstr(name, "word_embeddings.") != NULL;
}

static void expect_named(const char *form, const osc_stored *stored, const char *value,
                         size_t element)
{
    char says[256];
    bool finite;
    osc_status status = run(&finite);
    if (is_table(stored->name) && status == OSC_OK) {
        ck_assert_msg(!finite, "%s, %s in %s: not to be seen", form, value, stored->name);
        return;
    }
    snprintf(says, sizeof says, "tensor %s is not finite (first at element %zu)", stored->name,
             element);
    ck_assert_msg(status == OSC_EVALUE && strstr(osc_error(), says) != NULL,
                  "%s, %s in %s, element %zu: %s", form, value, stored->name, element,
                  status == OSC_OK ? "no error" : osc_error());
}

/* The folder's checkpoint in the forms of PyTorch. */
static void check_torch(const osc_stored *stored, const char *value, size_t element)
{
    struct bytes zip = { NULL, 0, 0 }, stream = { NULL, 0, 0 };
    osc_store *store;
    must(osc_store_open(&store, folder));
    torch_zip(&zip, store, 0, osc_store_count(store));
    torch_stream(&stream, store);
    osc_store_close(store);
    ck_assert_int_eq(remove(in_folder("model.safetensors")), 0);
    put("pytorch_model.bin", zip.data, zip.size);
    expect_named("PyTorch zip", stored, value, element);
    put("pytorch_model.bin", stream.data, stream.size);
    expect_named("PyTorch stream", stored, value, element);
    ck_assert_int_eq(remove(in_folder("pytorch_model.bin")), 0);
    free(zip.data);
    free(stream.data);
}

START_TEST(test_weights)
{
    enum {
        USED = 5,          /* row of a table that is surely looked up */
        OTHER_FORMS = 9    /* of every such tensor */
    };
    char path[PATH], *config;
    size_t size;
    snprintf(path, sizeof path, "%s", in_tests(path_in("data/models", models[_i])));
    checkpoint c = read_checkpoint(path);
    must(osc_read_file(&config, &size, path_in(path, "config.json"), 1 << 20));
    put("config.json", config, size);
    put("model.safetensors", c.bytes, c.size);
    bool finite;
    must(run(&finite));
    ck_assert(finite);
    for (size_t i = 0; i < osc_store_count(c.store); i++) {
        const osc_stored *stored = osc_store_at(c.store, i);
        size_t count = osc_tensor_count(&stored->tensor), v = i % 3;
        size_t element = is_table(stored->name) ? USED * osc_tensor_width(&stored->tensor)
                                                : i * 7919 % count;
        char *at = c.bytes + place_of(&c, &stored->tensor) + 2 * element, whole[2];
        ck_assert_int_eq(stored->tensor.dtype, OSC_F16);
        memcpy(whole, at, 2);
        memcpy(at, &values[v].bits, 2);
        put("model.safetensors", c.bytes, c.size);
        expect_named("safetensors", stored, values[v].name, element);
        if (i % OTHER_FORMS == 0)
            check_torch(stored, values[v].name, element);
        memcpy(at, whole, 2);
    }
    osc_free(config);
    osc_free(c.bytes);
    osc_store_close(c.store);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("nonfinite-weights");
    TCase *tc = tcase_create("nonfinite-weights");
    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, folder_make, folder_remove);
    tcase_add_loop_test(tc, test_weights, 0, MODELS);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}

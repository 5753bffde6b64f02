/* One model from all forms of its checkpoint: the same numbers, bit for bit. */
#include <config.h>
#include "run.h"

#include <limits.h>
#include <string.h>

#include "files.h"
#include "reference.h"
#include "torch_file.h"

enum { SHARDS = 3 };

/* Log-likelihoods of the corpus under the checkpoint in `path`. */
static double *run(const char *path, const osc_corpus *corpus)
{
    osc_model *model;
    osc_session *session;
    double *nll = osc_alloc(corpus->offset[corpus->count], sizeof *nll);
    osc_session_options options = { .longest = corpus->longest, .threads = 2 };
    must(osc_model_open(&model, path));
    must(osc_session_open(&session, model, &options));
    size_t step = osc_session_chunk(session);
    for (size_t i = 0; i < corpus->count; i += step) {
        size_t n = corpus->count - i < step ? corpus->count - i : step;
        must(osc_session_run(session, corpus, i, n, NULL, nll + corpus->offset[i]));
    }
    osc_session_close(session);
    osc_model_close(model);
    return nll;
}

/* The folder's checkpoint gives the log-likelihoods `expected`. */
static void expect_same(const char *form, const osc_corpus *corpus, const double *expected)
{
    osc_store *store;
    must(osc_store_open(&store, folder));
    ck_assert_str_eq(osc_store_format(store), form);
    osc_store_close(store);
    double *nll = run(folder, corpus);
    ck_assert_msg(memcmp(nll, expected, corpus->offset[corpus->count] * sizeof *nll) == 0,
                  "%s: other numbers", form);
    osc_free(nll);
}

/* `name` in the folder becomes the file `path`. */
static void take(const char *path, const char *name)
{
    char resolved[PATH_MAX];
    ck_assert_ptr_nonnull(realpath(path, resolved));
    ck_assert_int_eq(symlink(resolved, in_folder(name)), 0);
}

static void put_shards(const osc_store *store)
{
    json_t *map = json_object(), *index = json_pack("{s:{s:i}, s:o}", "metadata", "total_size", 0,
                                                    "weight_map", map);
    size_t count = osc_store_count(store);
    for (size_t s = 0; s < SHARDS; s++) {
        struct bytes b;
        char name[64];
        snprintf(name, sizeof name, "pytorch_model_%05zu.bin", s + 1);
        torch_zip(&b, store, count * s / SHARDS, count * (s + 1) / SHARDS);
        put(name, b.data, b.size);
        free(b.data);
        for (size_t i = count * s / SHARDS; i < count * (s + 1) / SHARDS; i++)
            json_object_set_new(map, osc_store_at(store, i)->name, json_string(name));
    }
    ck_assert_int_eq(json_dump_file(index, in_folder("pytorch_model.bin.index.json"), 0), 0);
    json_decref(index);
}

/* Writes the checkpoint in `path` in each form and runs it. */
static void check_written(const char *path, const osc_corpus *corpus)
{
    osc_store *store;
    struct bytes b = { NULL, 0, 0 };
    double *expected = run(path, corpus);
    must(osc_store_open(&store, path));
    take(path_in(path, "config.json"), "config.json");
    put_shards(store);
    expect_same("sharded PyTorch", corpus, expected);
    torch_stream(&b, store);
    put("pytorch_model.bin", b.data, b.size);
    free(b.data);
    expect_same("PyTorch stream", corpus, expected);
    torch_zip(&b, store, 0, osc_store_count(store));
    put("pytorch_model.bin", b.data, b.size);
    free(b.data);
    expect_same("PyTorch zip", corpus, expected);
    osc_store_close(store);
    osc_free(expected);
}

static const char *const random_models[] = {
    "opt-preln-s1", "opt-preln-s2", "opt-postln-proj-s1", "opt-postln-proj-s2",
    "gpt2-s1", "gptj-s1", "bloom-6heads-s1", "llama-gqa-s1",
};

enum { MODELS = sizeof random_models / sizeof *random_models };

static osc_corpus *reference_corpus(const char *path)
{
    json_t *reference = read_json(path_in(path, "reference.json"));
    osc_corpus *corpus = corpus_of(json_object_get(reference, "ids"));
    json_decref(reference);
    return corpus;
}

START_TEST(test_random_models)
{
    char path[PATH];
    snprintf(path, sizeof path, "%s", in_tests(path_in("data/models", random_models[_i])));
    osc_corpus *corpus = reference_corpus(path);
    check_written(path, corpus);
    osc_corpus_free(corpus);
}
END_TEST

static osc_corpus *few_sequences(size_t count)
{
    osc_corpus *corpus;
    must(osc_corpus_read_tokens(&corpus, in_tests("data/text/sampled-16x256.tokens"), count));
    return corpus;
}

START_TEST(test_trained_model)
{
    char path[PATH];
    snprintf(path, sizeof path, "%s", in_share("opt-mini-2m"));
    osc_corpus *corpus = few_sequences(2);
    check_written(path, corpus);
    osc_corpus_free(corpus);
}
END_TEST

/* Files that PyTorch wrote, beside the golden checkpoints in safetensors. */
START_TEST(test_shared_random_models)
{
    static const struct { const char *file, *form; } files[] = {
        { "pytorch_model.bin", "PyTorch zip" }, { "legacy_pytorch_model.bin", "PyTorch stream" },
    };
    char path[PATH], shared[PATH];
    snprintf(path, sizeof path, "%s", in_tests(path_in("data/models", random_models[_i])));
    if (in_shared(path_in("reference", random_models[_i])) == NULL)
        return;
    snprintf(shared, sizeof shared, "%s", in_shared(path_in("reference", random_models[_i])));
    osc_corpus *corpus = reference_corpus(path);
    double *expected = run(path, corpus);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        if (access(path_in(shared, files[i].file), R_OK) != 0)
            continue;   /* the sharded ones have no stream */
        folder_empty();
        take(path_in(path, "config.json"), "config.json");
        take(path_in(shared, files[i].file), "pytorch_model.bin");
        expect_same(files[i].form, corpus, expected);
    }
    osc_free(expected);
    osc_corpus_free(corpus);
}
END_TEST

START_TEST(test_shared_trained_model)
{
    static const struct { const char *path, *form; } models[] = {
        { "reference/opt-mini-2m-torch", "PyTorch zip" },
        { "reference/opt-mini-2m-sharded", "sharded safetensors" },
    };
    osc_corpus *corpus = few_sequences(3);
    double *expected = run(in_share("opt-mini-2m"), corpus);
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        const char *path = in_shared(models[i].path);
        if (path == NULL)
            continue;
        double *nll = run(path, corpus);
        ck_assert_msg(memcmp(nll, expected, corpus->offset[corpus->count] * sizeof *nll) == 0,
                      "%s: other numbers", models[i].form);
        osc_free(nll);
    }
    osc_free(expected);
    osc_corpus_free(corpus);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("torch models");
    TCase *tc = tcase_create("torch models");
    tcase_set_timeout(tc, 300);
    tcase_add_checked_fixture(tc, folder_make, folder_remove);
    tcase_add_loop_test(tc, test_random_models, 0, MODELS);
    tcase_add_test(tc, test_trained_model);
    tcase_add_loop_test(tc, test_shared_random_models, 0, MODELS);
    tcase_add_test(tc, test_shared_trained_model);
    suite_add_tcase(suite, tc);
    return run_suite(suite);
}

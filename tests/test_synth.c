/* Generated models: the same weights on every machine, in memory and on disk, with
 * the outlier features that were asked for. */
#include <config.h>
#include "run.h"

#include <math.h>
#include <string.h>

#include "files.h"
#include "osc.h"

#define TINY "num_hidden_layers=2,hidden_size=48,word_embed_proj_dim=48,num_attention_heads=3," \
             "ffn_dim=96,vocab_size=200,max_position_embeddings=64"

static void must(osc_status status)
{
    ck_assert_msg(status == OSC_OK, "%s", osc_error());
}

/* A corpus of two sequences of ids below 200. */
static osc_corpus *make_ids(void)
{
    char line[1024] = "";
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 24; j++)
            sprintf(line + strlen(line), j < 23 ? "%d " : "%d\n", (i * 67 + j * 37) % 199);
    put_text("ids.tokens", line);
    osc_corpus *corpus;
    must(osc_corpus_read_tokens(&corpus, in_folder("ids.tokens"), 0));
    return corpus;
}

static osc_perplexity run(const char *path, const char *scheme, const osc_corpus *corpus,
                          osc_hook_fn hook, void *user)
{
    osc_model *model;
    osc_session *session;
    osc_hooks *hooks;
    double nll[48];
    must(osc_model_open(&model, path));
    osc_session_options options = { .longest = corpus->longest, .scheme = scheme };
    must(osc_session_open(&session, model, &options));
    must(osc_hooks_create(&hooks, osc_model_config(model)->layers));
    if (hook != NULL)
        must(osc_hooks_add(hooks, "blocks.*.qkv_in", OSC_READ, hook, user));
    must(osc_session_run(session, corpus, 0, corpus->count, hooks, nll));
    osc_hooks_free(hooks);
    osc_session_close(session);
    osc_model_close(model);
    return osc_perplexity_of(corpus, corpus->count, nll);
}

/* --- numbers ------------------------------------------------------------------- */

static void digest_of(char hex[OSC_DIGEST_HEX], const char *path, const char *name)
{
    osc_model *model;
    osc_digest *digest;
    must(osc_model_open(&model, path));
    const osc_store *store = osc_model_store(model);
    const osc_stored *stored = osc_store_find(store, name);
    ck_assert_ptr_nonnull(stored);
    osc_store_need(store, &stored->tensor);
    must(osc_digest_create(&digest));
    must(osc_digest_add(digest, stored->tensor.data, osc_tensor_count(&stored->tensor)
                                                     * osc_dtype_size(stored->tensor.dtype)));
    must(osc_digest_finish(digest, hex));
    osc_digest_free(digest);
    osc_model_close(model);
}

/* The numbers of generated.h computed apart from it, in Python:
 * tests/data/synth.py prints this digest. */
START_TEST(test_same_everywhere)
{
    char hex[OSC_DIGEST_HEX], other[OSC_DIGEST_HEX];
    digest_of(hex, "synth:opt-125m,seed=7," TINY, "model.decoder.layers.1.fc1.weight");
    ck_assert_str_eq(hex, "fa84f5a5b25bcd6d7dbb55c668d7d2857427c18a30b47ce67ecc4369fe5c7386");
    digest_of(other, "synth:opt-125m,seed=8," TINY, "model.decoder.layers.1.fc1.weight");
    ck_assert_str_ne(hex, other);
    digest_of(other, "synth:opt-125m,seed=7," TINY, "model.decoder.layers.0.fc1.weight");
    ck_assert_str_ne(hex, other);
}
END_TEST

START_TEST(test_distribution)
{
    osc_model *model;
    must(osc_model_open(&model, "synth:opt-125m,dtype=float32,num_hidden_layers=1"));
    const osc_store *store = osc_model_store(model);
    const osc_tensor *w = &osc_model_block(model, 0, OSC_W_FC1)->tensor;
    osc_store_need(store, w);
    const float *x = w->data;
    double sum = 0, square = 0, fourth = 0, n = (double)osc_tensor_count(w), most = 0;
    for (size_t i = 0; i < osc_tensor_count(w); i++) {
        double z = x[i] / 0.02;
        sum += z;
        square += z * z;
        fourth += z * z * z * z;
        most = fmax(most, fabs(z));
    }
    ck_assert_double_lt(fabs(sum / n), 3e-3);
    ck_assert_double_lt(fabs(square / n - 1.0), 5e-3);
    ck_assert_double_lt(fabs(fourth / n - 2.7), 0.03);   /* of a sum of four uniforms */
    ck_assert_double_lt(most, 3.4642);
    osc_model_close(model);
}
END_TEST

/* --- planted features --------------------------------------------------------------- */

typedef struct {
    size_t wide;
    bool   always[64];   /* |x| >= 6 in every position of every block, on one side */
    bool   ever[64];
    float  sign[64];
} reach;

static osc_status watch(const osc_event *event, void *user)
{
    reach *r = user;
    ck_assert_uint_eq(event->width, r->wide);
    for (size_t i = 0; i < event->rows * event->width; i++) {
        size_t feature = i % event->width;
        float x = event->data[i];
        if (r->sign[feature] == 0.0f)
            r->sign[feature] = copysignf(1.0f, x);
        r->ever[feature] |= fabsf(x) >= 6.0f;
        r->always[feature] &= x * r->sign[feature] >= 6.0f;
    }
    return OSC_OK;
}

START_TEST(test_planted)
{
    static const char path[] = "synth:opt-125m,seed=3,outliers=5," TINY;
    osc_corpus *corpus = make_ids();
    reach r = { .wide = 48 };
    memset(r.always, 1, sizeof r.always);
    run(path, NULL, corpus, watch, &r);
    osc_model *model;
    uint32_t feature[OSC_SYNTH_OUTLIERS];
    must(osc_model_open(&model, path));
    ck_assert_uint_eq(osc_synth_planted(feature, model), 5);
    for (size_t i = 0, next = 0; i < r.wide; i++) {
        bool planted = next < 5 && feature[next] == i;
        next += planted;
        ck_assert_msg(r.always[i] == planted && r.ever[i] == planted, "feature %zu", i);
    }
    osc_model_close(model);
    osc_corpus_free(corpus);
}
END_TEST

/* --- on disk ---------------------------------------------------------------------- */

static const struct { const char *settings; size_t files; const char *scheme; } stored_cases[] = {
    { "outliers=2", 1, "none" },
    { "outliers=2", 3, "llm-int8" },
    { "dtype=bfloat16,seed=12", 2, "none" },
    { "dtype=float32,tie=1", 1, NULL },   /* no such number in config.json */
    { "dtype=float32,do_layer_norm_before=0", 1, NULL },
    { "dtype=float32", 1, "none" },
};

/* Cuts the store into `files` files named as Hugging Face does, and one index. */
static void write_files(const osc_store *store, size_t files)
{
    size_t count = osc_store_count(store), first = 0;
    json_t *map = json_object();
    for (size_t i = 0; i < files; i++) {
        char name[64];
        size_t end = count * (i + 1) / files;
        snprintf(name, sizeof name, "model-%05zu-of-%05zu.safetensors", i + 1, files);
        FILE *out = fopen(in_folder(files == 1 ? "model.safetensors" : name), "wb");
        ck_assert_ptr_nonnull(out);
        must(osc_safetensors_write(out, store, first, end - first, NULL));
        ck_assert_int_eq(fclose(out), 0);
        for (; first < end; first++)
            json_object_set_new(map, osc_store_at(store, first)->name, json_string(name));
    }
    json_t *index = json_pack("{s:o}", "weight_map", map);
    if (files > 1)
        ck_assert_int_eq(json_dump_file(index, in_folder("model.safetensors.index.json"), 0), 0);
    json_decref(index);
    ck_assert_int_eq(json_dump_file(osc_store_config(store), in_folder("config.json"), 0), 0);
}

START_TEST(test_stored)
{
    char path[512];
    snprintf(path, sizeof path, "synth:opt-125m,%s," TINY, stored_cases[_i].settings);
    osc_model *model;
    osc_status status = osc_model_open(&model, path);
    if (stored_cases[_i].scheme == NULL) {
        ck_assert_int_eq(status, OSC_EINVAL);
        return;
    }
    must(status);
    osc_corpus *corpus = make_ids();
    write_files(osc_model_store(model), stored_cases[_i].files);
    osc_perplexity made = run(path, stored_cases[_i].scheme, corpus, NULL, NULL);
    osc_perplexity stored = run(folder, stored_cases[_i].scheme, corpus, NULL, NULL);
    ck_assert(made.nll == stored.nll && isfinite(made.nll));
    osc_corpus_free(corpus);
    osc_model_close(model);
}
END_TEST

/* --- texts -------------------------------------------------------------------------- */

static const struct { const char *text, *message; } refused[] = {
    { "synth:", "no name" },
    { "synth:opt-12m", "did you mean 'opt-125m'" },
    { "synth:gpt-9", "no model 'gpt-9'" },
    { "synth:opt-125m,seed", "not of the form key=value" },
    { "synth:opt-125m,seed=-1", "seed" },
    { "synth:opt-125m,seed=1,seed=2", "given twice" },
    { "synth:opt-125m,outliers=65", "outliers" },
    { "synth:opt-125m,magnitude=nan", "magnitude" },
    { "synth:opt-125m,dtype=int8", "dtype 'int8'" },
    { "synth:opt-125m,hiden_size=8", "did you mean 'hidden_size'" },
    { "synth:opt-125m,hidden_size=100", "not a multiple" },
    { "synth:opt-125m,num_hidden_layers=0", "number of blocks is 0" },
    { "synth:opt-125m,model_type=3", "no number" },
};

START_TEST(test_refused)
{
    osc_model *model;
    ck_assert_int_ne(osc_model_open(&model, refused[_i].text), OSC_OK);
    ck_assert_msg(strstr(osc_error(), refused[_i].message) != NULL, "%s", osc_error());
}
END_TEST

/* Every preset is a model that opens; none of its memory is used for that. */
START_TEST(test_presets)
{
    static const struct { const char *name; double billions; } sizes[] = {
        { "opt-125m", 0.125 }, { "opt-350m", 0.331 }, { "opt-1.3b", 1.316 }, { "opt-2.7b", 2.652 },
        { "opt-6.7b", 6.658 }, { "opt-13b", 12.853 }, { "opt-30b", 29.975 }, { "opt-66b", 65.720 },
        { "opt-175b", 174.604 },
    };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char path[64];
        osc_model *model;
        snprintf(path, sizeof path, "synth:%s", sizes[i].name);
        must(osc_model_open(&model, path));
        double billions = (double)osc_model_parameters(model) * 1e-9;
        ck_assert_msg(fabs(billions - sizes[i].billions) < 0.0006, "%s: %f", path, billions);
        ck_assert_str_eq(osc_model_name(model), path);
        osc_model_close(model);
    }
}
END_TEST

static Suite *synth_suite(void)
{
    Suite *suite = suite_create("synth");
    TCase *numbers = tcase_create("numbers");
    tcase_add_test(numbers, test_same_everywhere);
    tcase_add_test(numbers, test_distribution);
    suite_add_tcase(suite, numbers);
    TCase *models = tcase_create("models");
    tcase_add_checked_fixture(models, folder_make, folder_remove);
    tcase_add_test(models, test_planted);
    tcase_add_loop_test(models, test_stored, 0, sizeof stored_cases / sizeof *stored_cases);
    suite_add_tcase(suite, models);
    TCase *texts = tcase_create("texts");
    tcase_add_loop_test(texts, test_refused, 0, sizeof refused / sizeof *refused);
    tcase_add_test(texts, test_presets);
    suite_add_tcase(suite, texts);
    return suite;
}

int main(void)
{
    return run_suite(synth_suite());
}

/* What every architecture promises, on the tiny checkpoints: the points in their order
 * with their widths, the same bits for any threads and chunks, every scheme, attention
 * without features; and weights that are parts and transposes of stored tensors. */
#include <config.h>
#include "run.h"

#include <math.h>
#include <string.h>

#include "backend/alibi.h"
#include "files.h"
#include "reference.h"

/* `linears`: linear layers of a block. */
static const struct { const char *name; size_t linears; bool parallel; } models[] = {
    { "opt-preln-s1", 6, false }, { "gpt2-s1", 6, false }, { "gptj-s1", 6, true },
    { "bloom-6heads-s1", 6, false }, { "llama-gqa-s1", 7, false },
};

enum { MODELS = sizeof models / sizeof *models };

typedef struct {
    osc_model  *model;
    osc_corpus *corpus;
    double     *nll;
    size_t      ids;
} fixture;

static void open_model(fixture *f, size_t number)
{
    char path[PATH];
    snprintf(path, sizeof path, "%s", in_tests(path_in("data/models", models[number].name)));
    json_t *reference = read_json(path_in(path, "reference.json"));
    must(osc_model_open(&f->model, path));
    f->corpus = corpus_of(json_object_get(reference, "ids"));
    f->ids = f->corpus->offset[f->corpus->count];
    f->nll = osc_alloc(f->ids, sizeof *f->nll);
    json_decref(reference);
}

static void close_model(fixture *f)
{
    osc_free(f->nll);
    osc_corpus_free(f->corpus);
    osc_model_close(f->model);
}

static double run(fixture *f, const char *scheme, size_t threads, size_t chunk, osc_hooks *hooks)
{
    osc_session *session;
    osc_session_options options = { .scheme = scheme, .longest = f->corpus->longest,
                                    .threads = threads, .chunk = chunk };
    must(osc_session_open(&session, f->model, &options));
    size_t step = osc_session_chunk(session);
    for (size_t i = 0; i < f->corpus->count; i += step) {
        size_t n = f->corpus->count - i < step ? f->corpus->count - i : step;
        must(osc_session_run(session, f->corpus, i, n, hooks, f->nll + f->corpus->offset[i]));
    }
    osc_session_close(session);
    return osc_perplexity_of(f->corpus, f->corpus->count, f->nll).perplexity;
}

/* --- hook points ------------------------------------------------------------------- */

typedef struct {
    const osc_model *model;
    size_t           tokens;
    int              point, layer;   /* of the last event */
} visit;

static size_t width_at(const visit *v, osc_point point)
{
    const osc_config *c = osc_model_config(v->model);
    osc_observer_shape shape = osc_model_shape(v->model);
    switch (point) {
    case OSC_AT_EMBED:
    case OSC_AT_FINAL_NORM: return c->hidden;
    case OSC_AT_LOGITS: return c->vocabulary;
    case OSC_AT_SCORES:
    case OSC_AT_PATTERN: return v->tokens;
    default: return shape.width[point];
    }
}

/* Each event is of the point that follows the last one's. */
static osc_status in_order(const osc_event *event, void *user)
{
    visit *v = user;
    const osc_config *c = osc_model_config(v->model);
    if (v->point == OSC_AT_RESID_POST && v->layer + 1 < (int)c->layers) {
        v->point = OSC_AT_QKV_IN;
        v->layer++;
    } else {
        v->layer = v->point == OSC_AT_EMBED ? 0 : v->point == OSC_AT_RESID_POST ? -1 : v->layer;
        v->point++;
    }
    bool square = event->point == OSC_AT_SCORES || event->point == OSC_AT_PATTERN;
    ck_assert_msg((int)event->point == v->point && event->layer == v->layer, "%s of block %d "
                  "where %s of block %d was due", osc_point_name(event->point), event->layer,
                  osc_point_name((osc_point)v->point), v->layer);
    ck_assert_uint_eq(event->width, width_at(v, event->point));
    ck_assert_uint_eq(event->rows, square ? c->heads * v->tokens : v->tokens);
    return OSC_OK;
}

START_TEST(test_points_in_order)
{
    fixture f;
    osc_hooks *hooks;
    open_model(&f, (size_t)_i);
    f.corpus->count = 1;
    visit v = { f.model, f.corpus->offset[1], -1, -1 };
    must(osc_hooks_create(&hooks, osc_model_config(f.model)->layers));
    must(osc_hooks_add(hooks, "*", OSC_READ, in_order, &v));
    run(&f, NULL, 2, 0, hooks);
    ck_assert_int_eq(v.point, OSC_AT_LOGITS);
    osc_hooks_free(hooks);
    close_model(&f);
}
END_TEST

/* --- the same bits ----------------------------------------------------------------- */

START_TEST(test_same_bits)
{
    static const struct { size_t threads, chunk; } ways[] = { { 2, 1 }, { 3, 2 }, { 8, 1 } };
    static const char *const schemes[] = { "none", "llm-int8", "q8-0" };
    fixture f;
    open_model(&f, (size_t)_i);
    double *first = osc_alloc(f.ids, sizeof *first);
    for (size_t s = 0; s < sizeof schemes / sizeof *schemes; s++) {
        run(&f, schemes[s], 1, 0, NULL);
        memcpy(first, f.nll, f.ids * sizeof *first);
        for (size_t w = 0; w < sizeof ways / sizeof *ways; w++) {
            run(&f, schemes[s], ways[w].threads, ways[w].chunk, NULL);
            ck_assert_msg(memcmp(first, f.nll, f.ids * sizeof *first) == 0, "%s", schemes[s]);
        }
    }
    osc_free(first);
    close_model(&f);
}
END_TEST

/* --- schemes ----------------------------------------------------------------------- */

/* All of a block's linear layers are quantized, and the perplexity stays near. */
START_TEST(test_schemes)
{
    fixture f;
    open_model(&f, (size_t)_i);
    double none = run(&f, "none", 2, 0, NULL);
    for (size_t i = 1; osc_schemes[i] != NULL; i++) {
        double got = run(&f, osc_schemes[i]->name, 2, 0, NULL);
        printf("# %s %s: %.4f, none %.4f, %+.2f %%\n", models[_i].name, osc_schemes[i]->name, got,
               none, 100.0 * (got / none - 1.0));
        ck_assert(got != none);
        ck_assert_double_eq_tol(got / none, 1.0, 0.05);
    }
    size_t linears = 0;
    for (int slot = OSC_W_Q; slot <= OSC_W_FC2; slot++)
        linears += osc_model_block(f.model, 0, (osc_block_slot)slot) != NULL;
    ck_assert_uint_eq(linears, models[_i].linears);
    close_model(&f);
}
END_TEST

/* A contiguous float32 copy of a weight, owned by the caller. */
static osc_tensor copy_of(const osc_backend *backend, osc_device *device, const osc_tensor *w)
{
    size_t dim[2] = { osc_tensor_rows(w), osc_tensor_width(w) }, bad;
    float *values = osc_alloc(dim[0] * dim[1], sizeof *values);
    must(backend->load(device, values, w, &bad));
    ck_assert_uint_eq(bad, SIZE_MAX);
    return osc_tensor_make(values, OSC_F32, 2, dim);
}

/* y under the scheme, its weight coded from w. */
static void multiply(float *y, const osc_backend *backend, osc_device *device, const char *scheme,
                     const osc_tensor *w, const float *x, size_t rows)
{
    osc_scheme_choice choice;
    size_t n = osc_tensor_rows(w), k = osc_tensor_width(w), bad;
    must(osc_scheme_parse(&choice, scheme));
    osc_linear linear = { .choice = &choice, .n = n, .k = k };
    linear.weight = osc_alloc(choice.scheme->bytes(&choice, backend, n, k), 1);
    must(choice.scheme->prepare(&linear, backend, device, w, &bad));
    must(choice.scheme->apply(&linear, backend, device, y, x, OSC_ACT_NONE, rows));
    osc_free(linear.weight);
}

/* Weights in any strides give the bits that contiguous ones give. */
START_TEST(test_strides)
{
    enum { ROWS = 5, WIDEST = 384 };
    fixture f;
    const osc_backend *backend;
    osc_device *device;
    float x[ROWS * WIDEST], y[2][ROWS * WIDEST];
    osc_limits limits = { .tokens = ROWS, .heads = 1, .head_size = 8, .widest = WIDEST,
                          .codes = true, .vocabulary = 1, .embed_width = 1 };
    open_model(&f, (size_t)_i);
    must(osc_backend_find(&backend, NULL));
    must(backend->open(&device, 2));
    must(backend->plan(device, &limits));
    for (size_t i = 0; i < ROWS * WIDEST; i++)   /* some columns are removed by llm-int8 */
        x[i] = (float)((i * 2654435761u >> 7) % 2001) / 200.0f - 5.0f
             + (i % 31 == 3 ? 4.0f : 0.0f);
    for (int slot = OSC_W_Q; slot <= OSC_W_FC2; slot++) {
        const osc_stored *w = osc_model_block(f.model, 1, (osc_block_slot)slot);
        if (w == NULL)
            continue;
        osc_tensor copy = copy_of(backend, device, &w->tensor);
        size_t bytes = ROWS * osc_tensor_rows(&copy) * sizeof(float);
        for (size_t s = 0; osc_schemes[s] != NULL; s++) {
            multiply(y[0], backend, device, osc_schemes[s]->name, &w->tensor, x, ROWS);
            multiply(y[1], backend, device, osc_schemes[s]->name, &copy, x, ROWS);
            ck_assert_msg(memcmp(y[0], y[1], bytes) == 0, "%s, slot %d", osc_schemes[s]->name,
                          slot);
        }
        osc_free((void *)(uintptr_t)copy.data);
    }
    backend->close(device);
    close_model(&f);
}
END_TEST

/* --- attention without a feature --------------------------------------------------- */

static osc_status zero_feature(const osc_event *event, void *user)
{
    for (size_t r = 0; r < event->rows; r++)
        event->data[r * event->width + *(const uint32_t *)user] = 0.0f;
    return OSC_OK;
}

static double mass_of_first_block(fixture *f, const uint32_t *feature, bool without)
{
    osc_left_out set = { .feature = feature, .count = 1 };
    osc_observer_options options = { .alpha = 6.0f, .top1 = true,
                                     .without = without ? &set : NULL,
                                     .without_sets = without ? 1 : 0 };
    osc_observer_shape shape = osc_model_shape(f->model);
    osc_observer *observer;
    osc_hooks *hooks;
    must(osc_observer_create(&observer, &shape, &options));
    must(osc_hooks_create(&hooks, shape.layers));
    must(osc_hooks_observe(hooks, observer));
    if (!without && feature != NULL)
        must(osc_hooks_add(hooks, "blocks.0.qkv_in", OSC_WRITE, zero_feature,
                           (void *)(uintptr_t)feature));
    run(f, NULL, 2, 0, hooks);
    const osc_top1_stats *top1 = osc_observer_top1(observer);
    double mass = 0.0;
    for (size_t h = 0; h < shape.heads; h++)
        mass += (without ? top1->without : top1->mass)[h];
    mass /= (double)(shape.heads * top1->queries);
    osc_hooks_free(hooks);
    osc_observer_free(observer);
    return mass;
}

/* In block 0 it is the mass of a run whose hook zeroes the feature. */
START_TEST(test_without)
{
    static const uint32_t feature = 11;
    fixture f;
    open_model(&f, (size_t)_i);
    double without = mass_of_first_block(&f, &feature, true);
    double zeroed = mass_of_first_block(&f, &feature, false);
    double regular = mass_of_first_block(&f, NULL, false);
    ck_assert_double_eq_tol(without, zeroed, 1e-12);
    ck_assert(without > 0.0 && without <= 1.0);
    ck_assert(without != regular);
    close_model(&f);
}
END_TEST

/* --- parallel branches --------------------------------------------------------------- */

typedef struct {
    float  qkv_in[64 * 64];
    size_t same, different;
} branches;

static osc_status keep_and_change(const osc_event *event, void *user)
{
    branches *b = user;
    memcpy(b->qkv_in, event->data, event->rows * event->width * sizeof(float));
    for (size_t i = 0; i < event->rows * event->width; i++)
        event->data[i] = 0.0f;
    return OSC_OK;
}

static osc_status compare(const osc_event *event, void *user)
{
    branches *b = user;
    if (memcmp(b->qkv_in, event->data, event->rows * event->width * sizeof(float)) == 0)
        b->same++;
    else
        b->different++;
    return OSC_OK;
}

/* GPT-J's feed-forward layer reads what the attention read, and not what a hook made of
 * it; the criterion follows the tensor once. */
START_TEST(test_parallel)
{
    for (size_t i = 0; i < MODELS; i++) {
        fixture f;
        branches b = { .same = 0 };
        osc_hooks *hooks;
        open_model(&f, i);
        ck_assert_int_eq((osc_model_tracked(f.model) >> OSC_AT_FC1_IN & 1u) == 0,
                         models[i].parallel);
        ck_assert_uint_le(f.corpus->longest * osc_model_config(f.model)->hidden,
                          sizeof b.qkv_in / sizeof(float));
        must(osc_hooks_create(&hooks, osc_model_config(f.model)->layers));
        must(osc_hooks_add(hooks, "blocks.*.qkv_in", OSC_WRITE, keep_and_change, &b));
        must(osc_hooks_add(hooks, "blocks.*.fc1_in", OSC_READ, compare, &b));
        f.corpus->count = 1;
        run(&f, NULL, 1, 1, hooks);
        size_t blocks = osc_model_config(f.model)->layers;
        ck_assert_uint_eq(b.same, models[i].parallel ? blocks : 0);
        ck_assert_uint_eq(b.same + b.different, blocks);
        osc_hooks_free(hooks);
        close_model(&f);
    }
}
END_TEST

/* --- names in files ------------------------------------------------------------------ */

typedef struct { const char *name, *dtype; size_t bytes; const char *shape; } extra;

/* Copies a checkpoint into the folder with its tensors' prefix stripped, and one more
 * tensor, of zeros. */
static void put_renamed(const char *path, const char *prefix, const extra *more)
{
    size_t size, header_size = 0;
    char *bytes, *text, *config;
    must(osc_read_file(&bytes, &size, path_in(path, "model.safetensors"), 1 << 24));
    memcpy(&header_size, bytes, 8);
    json_t *header = json_loadb(bytes + 8, header_size, 0, NULL), *renamed = json_object(), *value;
    const char *name;
    size_t data = size - 8 - header_size, length = strlen(prefix);
    json_object_foreach(header, name, value)
        json_object_set(renamed, strncmp(name, prefix, length) == 0 ? name + length : name, value);
    json_object_set_new(renamed, more->name,
                        json_pack("{s:s, s:o, s:[I, I]}", "dtype", more->dtype, "shape",
                                  json_loads(more->shape, 0, NULL), "data_offsets",
                                  (json_int_t)data, (json_int_t)(data + more->bytes)));
    text = json_dumps(renamed, 0);
    size_t written = strlen(text);
    char *file = calloc(1, 8 + written + data + more->bytes);
    memcpy(file, &written, 8);
    memcpy(file + 8, text, written);
    memcpy(file + 8 + written, bytes + 8 + header_size, data);
    put("model.safetensors", file, 8 + written + data + more->bytes);
    must(osc_read_file(&config, &size, path_in(path, "config.json"), 1 << 20));
    put("config.json", config, size);
    free(file);
    free(text);
    json_decref(renamed);
    json_decref(header);
    osc_free(bytes);
    osc_free(config);
}

static const struct { size_t model; const char *prefix; extra more; bool fits; } named[] = {
    { 1, "transformer.", { "h.0.attn.bias", "U8", 16, "[1, 1, 4, 4]" }, true },
    { 1, "transformer.", { "h.2.attn.masked_bias", "F32", 4, "[]" }, true },
    { 1, "transformer.", { "h.0.attn.c_attn.scale", "F32", 4, "[1]" }, false },
    { 2, "transformer.", { "h.1.attn.bias", "BOOL", 16, "[1, 1, 4, 4]" }, true },
    { 2, "transformer.", { "h.1.attn.q_proj.bias", "F16", 128, "[64]" }, false },
    { 3, "transformer.", { "h.0.self_attention.scale_mask_softmax.causal_mask", "BOOL", 4,
                           "[2, 2]" }, true },
    { 3, "transformer.", { "word_embeddings.bias", "F16", 192, "[96]" }, false },
    { 4, "model.", { "layers.0.self_attn.rotary_emb.inv_freq", "F32", 32, "[8]" }, true },
    { 4, "model.", { "layers.0.mlp.gate_proj.bias", "F16", 352, "[176]" }, false },
};

/* Without prefix and with buffers that old files have: the same numbers.  A tensor of
 * another kind of model is refused. */
START_TEST(test_names)
{
    fixture f;
    osc_model *original, *renamed;
    open_model(&f, named[_i].model);
    put_renamed(in_tests(path_in("data/models", models[named[_i].model].name)), named[_i].prefix,
                &named[_i].more);
    osc_status status = osc_model_open(&renamed, folder);
    ck_assert_int_eq(status, named[_i].fits ? OSC_OK : OSC_EFORMAT);
    if (status == OSC_OK) {
        double want = run(&f, NULL, 2, 0, NULL);
        original = f.model;
        f.model = renamed;
        ck_assert(run(&f, NULL, 2, 0, NULL) == want);
        ck_assert(osc_model_parameters(renamed) == osc_model_parameters(original));
        osc_model_close(original);
    } else {
        ck_assert_msg(strstr(osc_error(), named[_i].more.name) != NULL, "%s", osc_error());
    }
    close_model(&f);
}
END_TEST

/* --- positions ------------------------------------------------------------------------- */

/* Values published with the method and its implementations. */
START_TEST(test_alibi_slopes)
{
    static const struct { size_t head, heads; double slope; } known[] = {
        { 0, 16, 0.70710678 }, { 1, 16, 0.5 }, { 15, 16, 0.00390625 }, { 0, 112, 0.91700404 },
        { 63, 112, 0.00390625 }, { 64, 112, 0.95760328 }, { 65, 112, 0.87812608 },
        { 111, 112, 0.01631678 }, { 0, 1, 0.00390625 }, { 4, 6, 0.5 }, { 5, 6, 0.125 },
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        ck_assert_double_eq_tol(osc_alibi_slope(known[i].head, known[i].heads), known[i].slope,
                                1e-7);
}
END_TEST

/* Both kinds of pairs, a part of the head, positions from 5 on. */
START_TEST(test_rotate)
{
    enum { ROWS = 7, HEADS = 3, D = 10, DIM = 6, FIRST = 5 };
    const osc_backend *backend;
    osc_device *device;
    osc_limits limits = { .tokens = ROWS, .heads = HEADS, .head_size = D, .widest = HEADS * D,
                          .vocabulary = 1, .embed_width = 1 };
    osc_rotary rotary = { .dim = DIM, .neighbours = _i == 1, .base = 100.0f, .first = FIRST };
    float x[ROWS * HEADS * D], y[ROWS * HEADS * D];
    for (size_t i = 0; i < ROWS * HEADS * D; i++)
        x[i] = y[i] = (float)(i * 37 % 101) / 25.0f - 2.0f;
    must(osc_backend_find(&backend, NULL));
    must(backend->open(&device, 2));
    must(backend->plan(device, &limits));
    must(backend->rotate(device, y, &rotary, ROWS, HEADS, D));
    backend->close(device);
    for (size_t t = 0; t < ROWS; t++)
        for (size_t h = 0; h < HEADS; h++) {
            const float *from = x + (t * HEADS + h) * D, *to = y + (t * HEADS + h) * D;
            for (size_t i = 0; i < DIM / 2; i++) {
                double angle = (double)(FIRST + t) * pow(100.0, -2.0 * (double)i / DIM);
                size_t a = _i == 1 ? 2 * i : i, b = _i == 1 ? a + 1 : i + DIM / 2;
                ck_assert_double_eq_tol(to[a], from[a] * cos(angle) - from[b] * sin(angle), 1e-5);
                ck_assert_double_eq_tol(to[b], from[b] * cos(angle) + from[a] * sin(angle), 1e-5);
            }
            ck_assert_mem_eq(from + DIM, to + DIM, (D - DIM) * sizeof(float));
        }
}
END_TEST

/* --- backends that cannot ------------------------------------------------------------- */

START_TEST(test_lacking_backend)
{
    static const char *const lacks[MODELS] = { NULL, NULL, "rotary position embeddings", "ALiBi",
                                               "RMSNorm" };
    fixture f;
    const osc_backend *cpu;
    open_model(&f, (size_t)_i);
    must(osc_backend_find(&cpu, NULL));
    must(osc_model_suits(f.model, cpu));
    osc_backend plain = *cpu;
    plain.name = "plain";
    plain.rmsnorm = NULL;
    plain.rotate = NULL;
    plain.multiply = NULL;
    plain.head_biased = NULL;
    plain.attends = 0;
    ck_assert_int_eq(osc_model_suits(f.model, &plain), lacks[_i] == NULL ? OSC_OK : OSC_EUNSUP);
    if (lacks[_i] != NULL)
        ck_assert_msg(strstr(osc_error(), lacks[_i]) != NULL
                      && strstr(osc_error(), "backend plain") != NULL, "%s", osc_error());
    close_model(&f);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("architectures");
    TCase *tc = tcase_create("models"), *files = tcase_create("files");
    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, test_points_in_order, 0, MODELS);
    tcase_add_loop_test(tc, test_same_bits, 0, MODELS);
    tcase_add_loop_test(tc, test_schemes, 0, MODELS);
    tcase_add_loop_test(tc, test_strides, 0, MODELS);
    tcase_add_loop_test(tc, test_without, 0, MODELS);
    tcase_add_test(tc, test_parallel);
    tcase_add_loop_test(tc, test_lacking_backend, 0, MODELS);
    tcase_add_test(tc, test_alibi_slopes);
    tcase_add_loop_test(tc, test_rotate, 0, 2);
    tcase_add_checked_fixture(files, folder_make, folder_remove);
    tcase_add_loop_test(files, test_names, 0, sizeof named / sizeof *named);
    suite_add_tcase(suite, tc);
    suite_add_tcase(suite, files);
    return run_suite(suite);
}

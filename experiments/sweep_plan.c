/* sweep --dry-run: what each cell will take (docs/sweep.md has the formulas). */
#include <config.h>
#include "experiments/sweep.h"

#include <math.h>
#include <string.h>
#include <time.h>

/* Whole forward passes reach about so much of the rate of one large float32 product
 * (measured: 0.72 to 0.83 of it, README). */
static const double PASS_SHARE = 0.75;

enum { PROBE_ROWS = 512, PROBE_WIDTH = 2048, PROBES = 3, HEAD_ROWS = 2048,
       CHUNK_IDS = 8192, CHUNK_BYTES = 64 << 20, STATISTICS = 64 };

typedef struct {
    double ids, flops, bytes;      /* ids of the sequences; of one pass; of memory */
} estimate;

/* --- settings to run_options ------------------------------------------------------------ */

static const char *text_of(const json_t *options, const char *key)
{
    return json_string_value(json_object_get(options, key));
}

/* Numbers were checked when the configuration was read. */
static size_t size_of(const json_t *options, const char *key, size_t otherwise)
{
    size_t value = otherwise;
    const char *text = text_of(options, key);
    if (text != NULL)
        (void)osc_parse_size(&value, key, text, 0, SIZE_MAX);
    return value;
}

static char *path_of(const sweep *s, const json_t *options, const char *key)
{
    return sweep_conf_path(&s->conf, text_of(options, key));
}

static osc_status open_text(run_input *input, const sweep *s, const sweep_cell *cell,
                            const char *model)
{
    const json_t *options = json_object_get(cell->section, "options");
    char *text = path_of(s, options, "text");
    char *tokens = path_of(s, options, "tokens"), *tokenizer = path_of(s, options, "tokenizer");
    run_options run = {
        .text = text, .tokens = tokens, .tokenizer = tokenizer,
        .protocol = text_of(options, "protocol"), .backend = text_of(options, "backend"),
        .length = size_of(options, "length", 0), .sequences = size_of(options, "sequences", 0),
        .bos = size_of(options, "bos", SIZE_MAX),
        .no_bos = json_is_true(json_object_get(options, "no-bos")),
    };
    osc_status status = run_open(input, model, &run);
    osc_free(text);
    osc_free(tokens);
    osc_free(tokenizer);
    return status;
}

static osc_status open_input(run_input *input, const sweep *s, const sweep_cell *cell)
{
    char *model;
    OSC_TRY(sweep_model_find(&model, s, cell->model));
    osc_status status = (cell->task->text ? open_text : sweep_zeroshot_input)(input, s, cell,
                                                                              model);
    osc_free(model);
    return status;
}

/* --- work ------------------------------------------------------------------------------- */

static double weights_of_block(const osc_model *model)
{
    double count = 0;
    for (int slot = OSC_W_Q; slot <= OSC_W_FC2; slot++) {
        const osc_stored *w = osc_model_block(model, 0, (osc_block_slot)slot);
        count += w == NULL ? 0 : (double)osc_tensor_count(&w->tensor);
    }
    return count;
}

/* Two operations per weight and id; in attention four per head dimension for each pair
 * of an id and one before it. */
static double pass_flops(const run_input *input)
{
    const osc_config *c = osc_model_config(input->model);
    const osc_corpus *corpus = input->corpus;
    double pairs = 0, ids = (double)corpus->offset[corpus->count];
    for (size_t i = 0; i < corpus->count; i++) {
        double t = (double)(corpus->offset[i + 1] - corpus->offset[i]);
        pairs += t * (t + 1) / 2;
    }
    double linear = (double)c->layers * weights_of_block(input->model)
                  + (double)c->vocabulary * (double)c->embed_width;
    double attention = (double)c->layers * (double)(c->heads * c->head_size) * pairs;
    return 2 * linear * ids + 4 * attention;
}

/* --- memory ------------------------------------------------------------------------------ */

/* Linear layers in the scheme's form: of all blocks if that is smaller than the stored
 * form, else of one. */
static double linear_bytes(const osc_model *model, const osc_scheme_choice *choice,
                           const osc_backend *backend)
{
    double form = 0, stored = 0;
    for (int slot = OSC_W_Q; slot <= OSC_W_FC2; slot++) {
        const osc_stored *w = osc_model_block(model, 0, (osc_block_slot)slot);
        if (w == NULL)
            continue;
        form += (double)choice->scheme->bytes(choice, backend, osc_tensor_rows(&w->tensor),
                                              osc_tensor_width(&w->tensor));
        stored += (double)(osc_tensor_count(&w->tensor) * osc_dtype_size(w->tensor.dtype));
    }
    return form < stored ? form * (double)osc_model_config(model)->layers : form;
}

/* Of the residual stream a chunk, of everything else one sequence (session.c). */
static double activation_bytes(const run_input *input, size_t chunk, size_t element)
{
    const osc_config *c = osc_model_config(input->model);
    double t = (double)input->corpus->longest, hidden = (double)c->hidden;
    if (chunk == 0) {
        double most = fmin(CHUNK_IDS / t, CHUNK_BYTES / (t * hidden * (double)element));
        chunk = most < 1 ? 1 : (size_t)most;
    }
    double heads = (double)(2 * c->heads + 2 * c->kv_heads) * (double)c->head_size;
    double row = 2 * hidden + heads + (double)c->ffn * (c->gated ? 2 : 1);
    return (double)element * ((double)chunk * t * hidden + t * row
                              + HEAD_ROWS * (double)c->embed_width);
}

/* Statistics of recorded points, about STATISTICS bytes a feature, five widths of hidden
 * size a block, and the same again while they are written. */
static double record_bytes(const osc_config *c)
{
    return 2.0 * STATISTICS * (double)c->layers * (3.0 * (double)c->hidden + (double)c->ffn);
}

static osc_status memory(double *bytes, const run_input *input, const sweep_cell *cell)
{
    const json_t *options = json_object_get(cell->section, "options");
    const osc_config *c = osc_model_config(input->model);
    const osc_backend *backend;
    size_t i;
    const json_t *scheme;
    double linear = 0;
    OSC_TRY(osc_backend_find(&backend, text_of(options, "backend")));
    json_array_foreach(json_object_get(cell->section, "schemes"), i, scheme) {
        osc_scheme_choice choice;
        const char *text = json_string_value(scheme);
        if (cell->scheme != NULL && strcmp(cell->scheme, text) != 0)
            continue;
        OSC_TRY(osc_scheme_parse(&choice, text));
        linear = fmax(linear, linear_bytes(input->model, &choice, backend));
    }
    if (linear == 0) {
        osc_scheme_choice none;
        OSC_TRY(osc_scheme_parse(&none, NULL));
        linear = linear_bytes(input->model, &none, backend);
    }
    *bytes = linear + activation_bytes(input, size_of(options, "chunk", 0),
                                       osc_dtype_size(backend->dtype))
           + (cell->task->kind == CELL_RECORD ? record_bytes(c) : 0);
    return OSC_OK;
}

/* --- rate -------------------------------------------------------------------------------- */

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static osc_status time_products(double *best, const osc_backend *backend, osc_device *device)
{
    size_t size = osc_dtype_size(backend->dtype), wide = PROBE_WIDTH;
    void *x = NULL, *w = NULL, *y = NULL;
    osc_limits limits = { .tokens = PROBE_ROWS, .heads = 1, .head_size = 64, .widest = wide,
                          .vocabulary = 1, .embed_width = 1 };
    osc_status status = backend->plan(device, &limits);
    if (status == OSC_OK)
        status = backend->alloc(device, &x, PROBE_ROWS * wide * size);
    if (status == OSC_OK)
        status = backend->alloc(device, &w, wide * wide * size);
    if (status == OSC_OK)
        status = backend->alloc(device, &y, PROBE_ROWS * wide * size);
    *best = INFINITY;
    for (int i = 0; i <= PROBES && status == OSC_OK; i++) {
        double begin = seconds();
        status = backend->matmul(device, y, x, w, NULL, OSC_ACT_NONE, PROBE_ROWS, wide, wide);
        if (i > 0)   /* the first warms up */
            *best = fmin(*best, seconds() - begin);
    }
    backend->release(device, x);
    backend->release(device, w);
    backend->release(device, y);
    return status;
}

/* FLOP/s of a product of the default backend, here and now. */
static osc_status measure_rate(double *rate)
{
    const osc_backend *backend;
    osc_device *device;
    double best;
    OSC_TRY(osc_backend_find(&backend, NULL));
    OSC_TRY(backend->open(&device, 0));
    osc_status status = time_products(&best, backend, device);
    backend->close(device);
    OSC_TRY(status);
    *rate = 2.0 * PROBE_ROWS * PROBE_WIDTH * PROBE_WIDTH / best;
    return OSC_OK;
}

/* --- the table ----------------------------------------------------------------------------- */

static osc_status estimate_cell(estimate *e, const sweep *s, const sweep_cell *cell)
{
    run_input input = { .model = NULL };
    const json_t *options = json_object_get(cell->section, "options");
    OSC_TRY(open_input(&input, s, cell));
    double passes = cell->task->passes(options,
                                       json_array_size(json_object_get(cell->section, "schemes")));
    e->ids = (double)input.corpus->offset[input.corpus->count];
    e->flops = passes * pass_flops(&input);
    osc_status status = memory(&e->bytes, &input, cell);
    run_close(&input);
    return status;
}

static void memory_cell(table *t, double bytes)
{
    if (bytes < 1e9)
        table_cell(t, "%.0f MB", bytes / 1e6);
    else
        table_cell(t, "%.1f GB", bytes / 1e9);
}

static void time_cell(table *t, double s)
{
    if (s < 60)
        table_cell(t, "%.1f s", s);
    else if (s < 6000)
        table_cell(t, "%.1f min", s / 60);
    else
        table_cell(t, "%.1f h", s / 3600);
}

/* The same reason often holds for all cells of a model. */
static void note_error(table *t, const sweep *s, sweep_cell *cell)
{
    snprintf(cell->error, sizeof cell->error, "%s", osc_error());
    for (const sweep_cell *other = s->cell; other < cell; other++)
        if (strcmp(other->error, cell->error) == 0)
            return;
    table_note(t, "%s: %s", cell->name, cell->error);
}

/* What cannot be estimated is told beside its cell, and no error: the run will tell. */
static void add_row(table *t, const sweep *s, sweep_cell *cell, double rate, estimate *sum)
{
    estimate e = { .ids = 0 };
    bool done = sweep_cell_done(s, cell);
    table_cell(t, "%s", cell->name);
    if (estimate_cell(&e, s, cell) != OSC_OK) {
        for (int i = 0; i < 4; i++)
            table_cell(t, "-");
        table_cell(t, "%s", done ? "done" : "cannot run");
        note_error(t, s, cell);
        return;
    }
    table_cell(t, "%.0f", e.ids);
    table_cell(t, "%.3g", e.flops / 1e9);
    memory_cell(t, e.bytes);
    time_cell(t, e.flops / (rate * PASS_SHARE));
    table_cell(t, "%s", done ? "done" : "to do");
    if (done)
        return;
    sum->flops += e.flops;
    sum->bytes = fmax(sum->bytes, e.bytes);
}

static void add_notes(table *t, double rate, bool measured, const estimate *sum)
{
    double left = sum->flops / (rate * PASS_SHARE);
    table_note(t, "To do: %.3g GFLOP, about %.1f min; at most %.0f MB at a time.",
               sum->flops / 1e9, left / 60, sum->bytes / 1e6);
    table_note(t, "Time: at %.2f of %.3g GFLOP/s, the rate of a float32 product%s, whatever the "
               "scheme.", PASS_SHARE, rate / 1e9, measured ? " measured just now" : " as given");
    table_note(t, "Memory: weights of a block in the scheme's form (of all, where they stay), "
               "activations of a chunk, statistics; not the file's mapped pages.");
}

osc_status sweep_plan(sweep *s, size_t shard, size_t shards, double rate)
{
    static const table_column columns[] = {
        { "cell", "", TABLE_LEFT, TABLE_ALWAYS },
        { "ids", "", TABLE_RIGHT, TABLE_ALWAYS },
        { "GFLOP", "", TABLE_RIGHT, TABLE_ALWAYS },
        { "memory", "", TABLE_RIGHT, TABLE_ALWAYS },
        { "time", "", TABLE_RIGHT, TABLE_ALWAYS },
        { "state", "", TABLE_LEFT, TABLE_ALWAYS },
    };
    table *t;
    bool measured = rate == 0;
    estimate sum = { .ids = 0 };
    if (measured)
        OSC_TRY(measure_rate(&rate));
    OSC_TRY(table_create(&t, NULL, columns, sizeof columns / sizeof *columns));
    for (size_t i = 0; i < s->count; i++)
        if (s->cell[i].unit % shards == shard - 1)
            add_row(t, s, &s->cell[i], rate, &sum);
    add_notes(t, rate, measured, &sum);
    osc_status status = table_write(t, TABLE_TEXT, stdout);
    table_free(t);
    return status;
}

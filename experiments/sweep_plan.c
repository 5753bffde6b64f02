/* sweep --dry-run: what each cell will take (estimate.h, docs/memory.md). */
#include <config.h>
#include "experiments/sweep.h"

#include <math.h>
#include <string.h>

#include "experiments/estimate.h"

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

static double number_of(const json_t *options, const char *key)
{
    double value = 0;
    const char *text = text_of(options, key);
    if (text != NULL)
        (void)osc_parse_double(&value, key, text, 0, INFINITY);
    return value;
}

/* A path of the configuration, owned by the caller; NULL stays NULL. */
static char *path_of(const sweep *s, const json_t *options, const char *key)
{
    return sweep_conf_path(&s->conf, text_of(options, key));
}

typedef struct {
    char       *model, *text, *tokens, *tokenizer;   /* owned */
    run_options run;
} settings;

static void free_settings(settings *set)
{
    osc_free(set->model);
    osc_free(set->text);
    osc_free(set->tokens);
    osc_free(set->tokenizer);
}

/* `set` is to be freed, whatever comes back. */
static osc_status open_input(run_input *input, settings *set, const sweep *s,
                             const sweep_cell *cell)
{
    const json_t *options = json_object_get(cell->section, "options");
    *set = (settings){ .text = path_of(s, options, "text"), .tokens = path_of(s, options, "tokens"),
                       .tokenizer = path_of(s, options, "tokenizer") };
    set->run = (run_options){
        .text = set->text, .tokens = set->tokens, .tokenizer = set->tokenizer,
        .protocol = text_of(options, "protocol"), .backend = text_of(options, "backend"),
        .length = size_of(options, "length", 0), .sequences = size_of(options, "sequences", 0),
        .bos = size_of(options, "bos", SIZE_MAX), .chunk = size_of(options, "chunk", 0),
        .threads = size_of(options, "threads", 0), .memory = number_of(options, "memory"),
        .no_bos = json_is_true(json_object_get(options, "no-bos")),
    };
    OSC_TRY(sweep_model_find(&set->model, s, cell->model));
    return cell->task->text ? run_open(input, set->model, &set->run)
                            : sweep_zeroshot_input(input, s, cell, set->model);
}

/* --- a cell ----------------------------------------------------------------------------- */

/* Operations of all its passes; memory and time of a cell: of schemes that run one after
 * the other, the most and the sum. */
typedef struct {
    double ids, flops, bytes, seconds;
} cell_estimate;

static osc_status add_scheme(cell_estimate *sum, estimator *rates, const estimate_work *work)
{
    estimate e;
    OSC_TRY(estimate_make(&e, rates, work));
    sum->ids = e.ids;
    sum->flops += work->passes * e.flops;
    sum->bytes = fmax(sum->bytes, e.peak);
    sum->seconds += e.seconds;
    return OSC_OK;
}

/* Of the cell's scheme, or of all that its section names and none, which `compare` always
 * measures. */
static osc_status add_schemes(cell_estimate *sum, estimator *rates, estimate_work *work,
                              const sweep_cell *cell)
{
    size_t i;
    const json_t *scheme, *schemes = json_object_get(cell->section, "schemes");
    bool none = false;
    work->scheme = cell->scheme;
    if (cell->task->schemes == SCHEMES_EACH)
        return add_scheme(sum, rates, work);
    json_array_foreach(schemes, i, scheme) {
        work->scheme = json_string_value(scheme);
        none = none || strcmp(work->scheme, "none") == 0;
        OSC_TRY(add_scheme(sum, rates, work));
    }
    work->scheme = "none";
    return none ? OSC_OK : add_scheme(sum, rates, work);
}

static osc_status estimate_cell(cell_estimate *e, estimator *rates, const sweep *s,
                                const sweep_cell *cell)
{
    settings set;
    run_input input = { .model = NULL };
    const json_t *options = json_object_get(cell->section, "options");
    *e = (cell_estimate){ .ids = 0 };
    osc_status status = open_input(&input, &set, s, cell);
    if (status == OSC_OK) {
        estimate_work work = { .input = &input, .corpus = input.corpus, .options = &set.run,
                               .passes = cell->task->passes(options) };
        if (cell->task->kind == CELL_RECORD)
            work.beside = estimate_recorder(input.model, osc_model_tracked(input.model)
                                            | 1u << OSC_AT_FC2_IN, true);
        status = add_schemes(e, rates, &work, cell);
    }
    run_close(&input);
    free_settings(&set);
    return status;
}

/* --- the table ----------------------------------------------------------------------------- */

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
static void add_row(table *t, estimator *rates, const sweep *s, sweep_cell *cell,
                    cell_estimate *sum)
{
    cell_estimate e;
    bool done = sweep_cell_done(s, cell);
    table_cell(t, "%s", cell->name);
    if (estimate_cell(&e, rates, s, cell) != OSC_OK) {
        for (int i = 0; i < 4; i++)
            table_cell(t, "-");
        table_cell(t, "%s", done ? "done" : "cannot run");
        note_error(t, s, cell);
        return;
    }
    table_cell(t, "%.0f", e.ids);
    table_cell(t, "%.3g", e.flops / 1e9);
    estimate_memory_cell(t, e.bytes);
    estimate_time_cell(t, e.seconds);
    table_cell(t, "%s", done ? "done" : "to do");
    if (done)
        return;
    sum->flops += e.flops;
    sum->seconds += e.seconds;
    sum->bytes = fmax(sum->bytes, e.bytes);
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
    cell_estimate sum = { .ids = 0 };
    estimator rates = { .stated = rate };
    OSC_TRY(table_create(&t, NULL, columns, sizeof columns / sizeof *columns));
    for (size_t i = 0; i < s->count; i++)
        if (s->cell[i].unit % shards == shard - 1)
            add_row(t, &rates, s, &s->cell[i], &sum);
    table_note(t, "To do: %.3g GFLOP, about %.1f min; at most %.0f MB at a time.",
               sum.flops / 1e9, sum.seconds / 60, sum.bytes / 1e6);
    estimate_notes(t, &rates);
    osc_status status = table_write(t, TABLE_TEXT, stdout);
    table_free(t);
    estimator_free(&rates);
    return status;
}

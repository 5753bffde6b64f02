/* generate: text that a model continues, id by id. */
#include <config.h>
#include "experiments/generate.h"

#include <string.h>

#include "analyses/jsonout.h"
#include "experiments/stop.h"

extern const cli_command experiment_generate;

/* --- results ------------------------------------------------------------------------ */

static double rate(size_t count, double seconds)
{
    return seconds > 0.0 ? (double)count / seconds : 0.0;
}

static void print_speed(const generated_text *t)
{
    if (cli_quiet())
        return;
    fprintf(stderr, "%zu prompt id%s in %.3f s (%.1f/s), first new id after %.3f s",
            t->prompt_count, t->prompt_count == 1 ? "" : "s", t->prefill,
            rate(t->prompt_count, t->prefill), t->first);
    if (t->count > 1)
        fprintf(stderr, ", %zu more in %.3f s (%.1f/s)", t->count - 1, t->decode,
                rate(t->count - 1, t->decode));
    fprintf(stderr, "; stopped: %s\n", t->stopped);
}

static json_t *ids_json(const int32_t *ids, size_t count)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count && array != NULL; i++) {
        if (json_array_append_new(array, json_integer(ids[i])) != 0) {
            json_decref(array);
            array = NULL;
        }
    }
    return array;
}

/* Text of the decoder is UTF-8; NULL without one. */
static json_t *string_json(const generator *g, const generate_string *string)
{
    if (g->decoder == NULL)
        return json_null();
    return json_stringn(string->text != NULL ? string->text : "", string->size);
}

static json_t *speed_json(const generated_text *t)
{
    return json_pack("{s:{s:I, s:f, s:f}, s:f, s:{s:I, s:f, s:f}}",
                     "prefill", "ids", (json_int_t)t->prompt_count, "seconds", t->prefill,
                     "ids_per_second", rate(t->prompt_count, t->prefill),
                     "first_seconds", t->first,
                     "decode", "ids", (json_int_t)(t->count - 1), "seconds", t->decode,
                     "ids_per_second", rate(t->count - 1, t->decode));
}

static json_t *text_json(const generator *g, const osc_model *model, const generated_text *t)
{
    const osc_sampling *sampling = &g->options->sampling;
    json_t *row = json_pack(
        "{s:o, s:s, s:s, s:I, s:o, s:o, s:o, s:o, s:s, s:f, s:I, s:f, s:I, s:I, s:I, s:I}",
        "model", json_out_text(osc_model_name(model)),
        "scheme", osc_session_scheme(g->session), "backend", osc_session_backend(g->session),
        "threads", (json_int_t)osc_session_threads(g->session),
        "prompt", string_json(g, &t->before), "prompt_ids", ids_json(t->prompt, t->prompt_count),
        "text", string_json(g, &t->after), "ids", ids_json(t->ids, t->count),
        "stopped", t->stopped, "temperature", sampling->temperature,
        "top_k", (json_int_t)sampling->top_k, "top_p", sampling->top_p,
        "seed", (json_int_t)sampling->seed,
        "step_bytes", (json_int_t)osc_decode_step_bytes(g->session),
        "weight_bytes", (json_int_t)osc_session_weight_bytes(g->session),
        "cache_bytes", (json_int_t)osc_decode_cache_bytes(g->session));
    json_t *speed = speed_json(t);
    bool failed = row == NULL || speed == NULL || json_object_update(row, speed) != 0;
    json_decref(speed);
    if (!failed)
        return row;
    json_decref(row);
    return NULL;
}

/* --- running -------------------------------------------------------------------------- */

static osc_status open_session(osc_session **session, const osc_model *model,
                               const generate_prompts *prompts, const generate_options *o)
{
    size_t positions = osc_model_config(model)->positions;
    size_t room = positions - prompts->longest, more = o->max - 1;   /* the last id goes nowhere */
    osc_session_options options = {
        .backend = o->run.backend, .scheme = o->scheme, .threads = o->run.threads,
        .longest = prompts->longest + (more < room ? more : room), .cached = true,
        .allow_nonfinite = o->run.allow_nonfinite,
    };
    return osc_session_open(session, model, &options);
}

/* Texts follow one another as the documents of a text file do. */
static osc_status run_prompts(const generator *g, const osc_model *model,
                              const generate_prompts *prompts, json_t *rows)
{
    osc_status status = OSC_OK;
    for (size_t i = 0; i < prompts->count && status == OSC_OK; i++) {
        generated_text text;
        if (!g->options->json && i > 0)
            fputs(g->decoder != NULL ? "<|endoftext|>\n" : "", stdout);
        status = generate_text(&text, g, prompts, i);
        if (!g->options->json)
            putchar('\n');
        if (status == OSC_OK && g->options->json) {
            if (json_array_append_new(rows, text_json(g, model, &text)) != 0)
                status = osc_fail(OSC_ENOMEM, "out of memory");
        } else if (status == OSC_OK) {
            fflush(stdout);
            print_speed(&text);
        }
        if (status == OSC_OK && stop_signal() != 0)
            status = osc_fail(OSC_STOP, "stopped by a signal");
        generate_free_text(&text);
    }
    return status;
}

/* Without a tokenizer there are ids alone, in and out. */
static osc_status open_decoder(osc_tokenizer **tokenizer, osc_decoder **decoder,
                               const osc_model *model, const generate_options *o)
{
    osc_status status = run_open_tokenizer(tokenizer, model, o->run.tokenizer);
    if (status == OSC_ENOTFOUND && o->run.tokens != NULL && o->run.tokenizer == NULL)
        return OSC_OK;
    return status == OSC_OK ? osc_decoder_create(decoder, *tokenizer, true) : status;
}

static osc_status run_model(const osc_model *model, const generate_options *o, json_t *rows)
{
    generator g = { .options = o, .positions = osc_model_config(model)->positions };
    generate_prompts prompts = { .count = 0 };
    osc_tokenizer *tokenizer = NULL;
    osc_status status = open_decoder(&tokenizer, &g.decoder, model, o);
    if (status == OSC_OK)
        status = generate_read_prompts(&prompts, model, tokenizer, o);
    if (status == OSC_OK)
        status = generate_read_ends(&g.ends, model);
    if (status == OSC_OK)
        status = osc_sampler_create(&g.sampler, &o->sampling, osc_model_config(model)->vocabulary);
    if (status == OSC_OK)
        status = open_session(&g.session, model, &prompts, o);
    if (status == OSC_OK)
        status = run_prompts(&g, model, &prompts, rows);
    osc_session_close(g.session);
    osc_sampler_free(g.sampler);
    generate_free_prompts(&prompts);
    osc_decoder_free(g.decoder);
    osc_tokenizer_close(tokenizer);
    return status;
}

static osc_status run_all(const generate_options *o, json_t *rows)
{
    osc_model *model = NULL;
    char *path = run_shipped_or(o->model, CLI_DEFAULT_MODEL);
    osc_status status = path != NULL ? osc_model_open(&model, path) : OSC_ENOTFOUND;
    if (status == OSC_OK)
        status = run_model(model, o, rows);
    osc_model_close(model);
    osc_free(path);
    return status;
}

/* --- the command ---------------------------------------------------------------------- */

static int check_options(generate_options *o, const char *format)
{
    const cli_command *command = &experiment_generate;
    osc_scheme_choice scheme;
    int rc = run_check_options(command, &o->run);
    if (rc != CLI_DONE)
        return rc;
    if ((o->prompts.count > 0) + (o->run.text != NULL) + (o->run.tokens != NULL) > 1)
        return cli_usage(command, "--prompt, --text and --tokens exclude each other");
    if (o->scheme != NULL && osc_scheme_parse(&scheme, o->scheme) != OSC_OK)
        return cli_usage(command, "--scheme: %s", osc_error());
    if (o->sampling.top_p <= 0.0)
        return cli_usage(command, "--top-p: expected a share above 0");
    if (o->sampling.temperature == 0.0 && (o->sampling.top_k > 0 || o->sampling.top_p < 1.0))
        return cli_usage(command, "--top-k and --top-p have no effect without --temperature");
    if (strcmp(format, "text") != 0 && strcmp(format, "json") != 0)
        return cli_usage(command, "--format '%s': expected text or json", format);
    o->json = strcmp(format, "json") == 0;
    return CLI_DONE;
}

/* What was generated before a failure is not thrown away. */
static int run_checked(const generate_options *o)
{
    json_t *rows = json_array();
    stop_catch();
    int rc = run_all(o, rows) == OSC_OK ? 0 : cli_fail(&experiment_generate);
    if (!o->json || (rc != 0 && json_array_size(rows) == 0)) {
        json_decref(rows);
        return rc;
    }
    int written = json_out_write(rows, stdout) == OSC_OK ? 0 : cli_fail(&experiment_generate);
    return rc != 0 ? rc : written;
}

static int generate(int argc, char **argv)
{
    generate_options o = { .run = RUN_OPTIONS_DEFAULT, .max = 64, .sampling = { .top_p = 1.0 } };
    const char *format = "text";
    size_t seed = 0;
    const cli_option options[] = {
        { "model", 0, CLI_TEXT, "DIR", "checkpoint directory "
          "(default: the shipped " CLI_DEFAULT_MODEL ")", &o.model, 0, 0 },
        { "scheme", 0, CLI_TEXT, "NAME", "matmul scheme with its options, NAME:KEY=VALUE,... "
          "(default: none)", &o.scheme, 0, 0 },
        { "prompt", 0, CLI_LIST, "TEXT", "text to continue, may be repeated (default: the first "
          "ids of the shipped sampled.txt)", &o.prompts, 0, 0 },
        { "text", 0, CLI_TEXT, "FILE", "continue every document of a text: plain, .jsonl, "
          ".json.gz", &o.run.text, 0, 0 },
        { "tokens", 0, CLI_TEXT, "FILE", "continue ids, a sequence a line, taken as they are",
          &o.run.tokens, 0, 0 },
        { "length", 0, CLI_SIZE, "N", "use the first N ids of each prompt (default: all; 16 of "
          "the shipped text)", &o.length, 1, 1 << 24 },
        { "max", 0, CLI_SIZE, "N", "new ids of each text, at most (default: 64)", &o.max, 1,
          1 << 24 },
        { "temperature", 0, CLI_NUMBER, "T", "divide the logits by T and draw; 0: take the most "
          "probable id (default: 0)", &o.sampling.temperature, 0, 1e6 },
        { "top-k", 0, CLI_SIZE, "K", "draw from the K most probable ids (default: all)",
          &o.sampling.top_k, 1, INT32_MAX },
        { "top-p", 0, CLI_NUMBER, "P", "then from the fewest that have the share P of the "
          "probability (default: 1)", &o.sampling.top_p, 0, 1 },
        { "seed", 0, CLI_SIZE, "S", "of the draws (default: 0)", &seed, 0, 9007199254740992.0 },
        { "ignore-eos", 0, CLI_SWITCH, NULL, "go on after an id that ends a text", &o.ignore_eos,
          0, 0 },
        { "format", 0, CLI_TEXT, "NAME", "text or json (default: text)", &format, 0, 0 },
        { "tokenizer", 0, CLI_TEXT, "DIR", "folder of the tokenizer (default: the model's)",
          &o.run.tokenizer, 0, 0 },
        { "bos", 0, CLI_SIZE, "ID", "id in front of prompts (default: what config.json says)",
          &o.run.bos, 0, INT32_MAX },
        { "no-bos", 0, CLI_SWITCH, NULL, "put no id in front of prompts", &o.run.no_bos, 0, 0 },
        { "backend", 0, CLI_TEXT, "NAME", "where to compute (default: cpu)", &o.run.backend, 0, 0 },
        { "threads", 0, CLI_SIZE, "N", "threads (default: all processors); results do not depend "
          "on it", &o.run.threads, 1, 4096 },
        { "allow-nonfinite", 0, CLI_SWITCH, NULL, "go on although a weight is NaN or infinite",
          &o.run.allow_nonfinite, 0, 0 },
        { NULL, 0, CLI_SWITCH, NULL, NULL, NULL, 0, 0 }
    };
    int rc = cli_parse(&experiment_generate, options, &argc, argv);
    o.sampling.seed = seed;
    if (rc == CLI_DONE)
        rc = check_options(&o, format);
    return rc != CLI_DONE ? rc : run_checked(&o);
}

const cli_command experiment_generate = {
    .name = "generate",
    .summary = "continue prompts, id by id, under any matmul scheme",
    .operands = "",
    .details =
        "The text streams to stdout, its speed goes to stderr. Logits are divided by the\n"
        "temperature, the K largest stay, of these the fewest with the share P of the\n"
        "probability; one is drawn. The same seed gives the same text.\n"
        "\n"
        "Schemes that look at all rows of a product at once (absmax, zeropoint, and the outlier\n"
        "columns of the decomposed ones) see the prompt's rows together and then one row a step.\n"
        "\n"
        "Examples:\n"
        "  outlierscope generate\n"
        "  outlierscope generate --prompt 'Once upon a time' --temperature 0.8 --top-p 0.95\n"
        "  outlierscope generate --model ~/opt-1.3b --scheme llm-int8 --text prompts.txt --max 99\n"
        "  outlierscope generate --model synth:opt-1.3b --ignore-eos --format json\n",
    .run = generate,
};

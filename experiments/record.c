/* record: runs a model over a text and writes what the hooks saw to an HDF5 file. */
#include <config.h>
#include "cli/cli.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

#include "experiments/dry_run.h"
#include "experiments/nonfinite.h"
#include "experiments/point_list.h"
#include "experiments/provenance.h"
#include "experiments/record_report.h"
#include "experiments/run.h"
#include "experiments/shard.h"
#include "experiments/stop.h"
#include "experiments/without.h"

extern const cli_command experiment_record;

typedef struct {
    run_options run;
    const char *model, *scheme, *output;
    const char *points, *track, *raw, *without, *shard;
    double      alpha, interval;
    size_t      event_cap;
    bool        resume, force, no_metrics, dry;
} record_options;

/* One recording under way. */
typedef struct {
    run_input             input;
    osc_corpus            corpus;    /* the input's, or the shard's part of it */
    size_t                shard, shards;
    osc_session          *session;
    osc_recorder_options  recording;
    without_list          without;
    osc_recorder         *recorder;
    osc_hooks            *hooks;
    double               *nll;       /* of one chunk */
    bool                  created;   /* there was no file at the output path before */
    char command[4096], host[256], time[32], weights[OSC_DIGEST_HEX];
} recording;

/* --- options ------------------------------------------------------------------ */

static int check_options(recording *r, const record_options *o)
{
    int rc = run_check_options(&experiment_record, &o->run);
    if (rc != CLI_DONE)
        return rc;
    if (o->resume && o->force)
        return cli_usage(&experiment_record, "--resume and --force exclude each other");
    osc_scheme_choice scheme;
    if (osc_scheme_parse(&scheme, o->scheme) != OSC_OK)
        return cli_usage(&experiment_record, "--scheme: %s", osc_error());
    if ((o->points != NULL
         && point_list_parse(&r->recording.points, "points", o->points) != OSC_OK)
        || (o->track != NULL
            && point_list_parse(&r->recording.track, "track", o->track) != OSC_OK)
        || point_list_parse(&r->recording.raw, "raw", o->raw) != OSC_OK)
        return cli_usage(&experiment_record, "%s", osc_error());
    if (shard_parse(&r->shard, &r->shards, o->shard) != OSC_OK)
        return cli_usage(&experiment_record, "%s", osc_error());
    r->recording.event_cap = o->event_cap;
    r->recording.resume = o->resume;
    r->recording.overwrite = o->force;
    r->recording.interval = o->interval;
    r->recording.info.alpha = o->alpha;
    return CLI_DONE;
}

/* --- the run ------------------------------------------------------------------- */

static void fill_info(recording *r)
{
    const osc_config *config = osc_model_config(r->input.model);
    const osc_corpus *corpus = &r->corpus;
    r->recording.info = (osc_record_info){
        .tool = PACKAGE_STRING,
        .command = r->command,
        .time = r->time,
        .host = r->host,
        .backend = osc_session_backend(r->session),
        .threads = osc_session_threads(r->session),
        .dtype = osc_dtype_name(osc_model_dtype(r->input.model)),
        .scheme = osc_session_scheme(r->session),
        .model = osc_model_name(r->input.model),
        .arch = config->arch,
        .parameters = osc_model_parameters(r->input.model),
        .layers = config->layers,
        .hidden = config->hidden,
        .heads = config->heads,
        .ffn = config->ffn,
        .weights_sha256 = r->weights,
        .tokenizer_sha256 = r->input.tokenizer_digest,
        .text_sha256 = corpus->digest,
        .protocol = osc_protocol_name(corpus->protocol),
        .bos = corpus->bos,
        .sequence_length = corpus->length,
        .sequences = corpus->count,
        .shard = r->shard,
        .shards = r->shards,
        .first_sequence = (size_t)(corpus->offset - r->input.corpus->offset),
        .corpus_sequences = r->input.corpus->count,
        .alpha = r->recording.info.alpha,
    };
}

/* Where the record goes; refuses an existing file before hours are spent. */
static osc_status choose_output(recording *r, const char *output, char **chosen)
{
    char name[512], part[64] = "";
    if (r->shards > 1)
        snprintf(part, sizeof part, ".%zu-of-%zu", r->shard, r->shards);
    snprintf(name, sizeof name, "%s%s.h5", osc_model_name(r->input.model), part);
    const char *path = output != NULL ? output : name;
    r->created = !osc_file_exists(path);
    if (!r->created && !r->recording.resume && !r->recording.overwrite)
        return osc_fail(OSC_EINVAL, "%s exists: --resume continues it, --force replaces it, "
                        "-o FILE writes another", path);
    *chosen = osc_copy_string(path, strlen(path));
    r->recording.path = *chosen;
    return *chosen != NULL ? OSC_OK : OSC_ENOMEM;
}

static osc_status choose_features(recording *r, const char *without)
{
    if (without == NULL)
        return OSC_OK;
    OSC_TRY(without_read(&r->without, without, osc_model_config(r->input.model)->hidden));
    r->recording.without = r->without.feature;
    r->recording.without_count = r->without.count;
    return OSC_OK;
}

/* Model and text; the points that depend on the model. */
static osc_status open_input(recording *r, const record_options *o)
{
    char *model = run_shipped_or(o->model, CLI_DEFAULT_MODEL);
    osc_status status = model != NULL ? run_open(&r->input, model, &o->run) : OSC_ENOTFOUND;
    osc_free(model);
    OSC_TRY(status);
    OSC_TRY(osc_corpus_share(&r->corpus, r->input.corpus, r->shard, r->shards));
    if (o->track == NULL)
        r->recording.track = osc_model_tracked(r->input.model);
    if (o->points == NULL)
        r->recording.points = osc_model_tracked(r->input.model) | 1u << OSC_AT_FC2_IN;
    return choose_features(r, o->without);
}

/* All of the weights are read for it: what a session would refuse is found out before. */
static osc_status digest_weights(recording *r, const record_options *o)
{
    osc_session_needs needs;
    osc_session_options options = run_session_options(&r->input, o->scheme, NULL, &o->run);
    OSC_TRY(osc_session_predict(&needs, r->input.model, &options));
    return osc_store_digest(osc_model_store(r->input.model), r->weights, cli_progress());
}

/* Everything that can fail without a file being touched, then the recorder. */
static osc_status open_all(recording *r, const record_options *o, char **path)
{
    OSC_TRY(open_input(r, o));
    OSC_TRY(choose_output(r, o->output, path));
    OSC_TRY(digest_weights(r, o));
    OSC_TRY(run_session(&r->session, &r->input, o->scheme, "recording", &o->run));
    size_t chunk = osc_session_chunk(r->session), longest = r->corpus.longest;
    r->nll = osc_alloc(chunk < r->corpus.count ? chunk : r->corpus.count,
                       longest * sizeof *r->nll);
    if (r->nll == NULL)
        return OSC_ENOMEM;
    r->recording.metrics = !o->no_metrics && osc_session_summarizes(r->session);
    fill_info(r);
    osc_observer_shape shape = osc_model_shape(r->input.model);
    OSC_TRY(osc_hooks_create(&r->hooks, shape.layers));
    OSC_TRY(osc_recorder_open(&r->recorder, &r->recording, &shape, &r->corpus));
    return osc_recorder_bind(r->recorder, r->hooks);
}

static void close_all(recording *r)
{
    osc_recorder_free(r->recorder);
    osc_free(r->without.feature);
    osc_hooks_free(r->hooks);
    osc_free(r->nll);
    osc_session_close(r->session);
    run_close(&r->input);
}

static osc_status run_chunks(recording *r)
{
    const osc_corpus *corpus = &r->corpus;
    size_t chunk = osc_session_chunk(r->session), first = osc_recorder_done(r->recorder);
    while (first < corpus->count && stop_signal() == 0) {
        size_t count = corpus->count - first < chunk ? corpus->count - first : chunk;
        OSC_TRY(osc_session_run(r->session, corpus, first, count, r->hooks, r->nll));
        OSC_TRY(osc_recorder_add(r->recorder, first, count, r->nll));
        OSC_TRY(nonfinite_tell(r->session, corpus, first, count, r->nll,
                               osc_model_config(r->input.model)->layers));
        first += count;
    }
    return osc_recorder_finish(r->recorder);
}

/* A run that fails at its first sequence leaves no empty record behind. */
static void remove_if_empty(const recording *r)
{
    osc_record *record;
    char message[1024];
    snprintf(message, sizeof message, "%s", osc_error());
    if (r->created && osc_record_open(&record, r->recording.path) == OSC_OK) {
        bool empty = osc_record_get_info(record)->sequences_done == 0;
        osc_record_close(record);
        if (empty)
            unlink(r->recording.path);
    }
    osc_fail(OSC_EIO, "%s", message);   /* what went wrong first is what the user must know */
}

static osc_status predict(recording *r, const record_options *o)
{
    dry_run d;
    estimate_work work = { .input = &r->input, .corpus = &r->corpus, .scheme = o->scheme,
                           .options = &o->run, .passes = 1 };
    OSC_TRY(dry_run_open(&d));
    osc_status status = open_input(r, o);
    if (status == OSC_OK) {
        work.beside = estimate_recorder(r->input.model, r->recording.points | r->recording.track,
                                        !o->no_metrics);
        status = dry_run_add(&d, &work);
    }
    return dry_run_close(&d, status);
}

static int run_dry(recording *r, const record_options *o)
{
    osc_status status = predict(r, o);
    close_all(r);
    return status == OSC_OK ? 0 : cli_fail(&experiment_record);
}

static int run_record(recording *r, const record_options *o)
{
    char *path = NULL;
    stop_catch();
    osc_status status = open_all(r, o, &path);
    if (status == OSC_OK) {
        status = run_chunks(r);
        if (status != OSC_OK)
            remove_if_empty(r);
    }
    cli_progress_end();
    close_all(r);
    if (status == OSC_OK)
        status = record_report(path, stop_signal() != 0);
    osc_free(path);
    if (status != OSC_OK)
        return cli_fail(&experiment_record);
    return stop_signal() != 0 ? stop_status() : 0;
}

static int record(int argc, char **argv)
{
    record_options o = {
        .run = RUN_OPTIONS_DEFAULT,
        .raw = "none",
        .scheme = "none",
        .alpha = 6.0,
        .interval = -1.0,
        .event_cap = 20000000,
    };
    const cli_option options[] = {
        { "model", 0, CLI_TEXT, "DIR", "checkpoint directory (default: the shipped "
          CLI_DEFAULT_MODEL ")", &o.model, 0, 0 },
        { "output", 'o', CLI_TEXT, "FILE", "the record (default: MODEL.h5 in the current folder, "
          "MODEL.I-of-N.h5 of a shard)",
          &o.output, 0, 0 },
        { "points", 0, CLI_TEXT, "LIST", "hook points to keep statistics of "
          "(default: qkv_in,out_in,fc1_in,fc2_in; GPT-J: not fc1_in)", &o.points, 0, 0 },
        { "track", 0, CLI_TEXT, "LIST", "hook points to keep outlier events of "
          "(default: qkv_in,out_in,fc1_in; GPT-J: not fc1_in)", &o.track, 0, 0 },
        { "alpha", 0, CLI_NUMBER, "X", "magnitude from which a value is an outlier (default: 6)",
          &o.alpha, 1e-6, 1e6 },
        { "raw", 0, CLI_TEXT, "LIST", "hook points to keep every value of, as fp16 "
          "(default: none)", &o.raw, 0, 0 },
        { "event-cap", 0, CLI_SIZE, "N", "events to keep at most; the rest is counted "
          "(default: 20000000)", &o.event_cap, 0, 0x1p53 },
        { "without", 0, CLI_TEXT, "LIST|RECORD", "keep the attention top-1 mass also without these "
          "features, 7,63 or a record's outliers", &o.without, 0, 0 },
        { "no-metrics", 0, CLI_SWITCH, NULL, "leave out the metrics of the residual stream and "
          "of modules' outputs", &o.no_metrics, 0, 0 },
        { "shard", 0, CLI_TEXT, "I/N", "record share I of N of the sequences, for 'merge' "
          "(default: all)", &o.shard, 0, 0 },
        { "resume", 0, CLI_SWITCH, NULL, "continue an interrupted record", &o.resume, 0, 0 },
        { "force", 'f', CLI_SWITCH, NULL, "replace an existing record", &o.force, 0, 0 },
        { "interval", 0, CLI_NUMBER, "SECONDS", "least time between commits "
          "(default: so that they cost about 2 % of the time)", &o.interval, 0, 1e9 },
        { "scheme", 0, CLI_TEXT, "NAME", "matmul scheme of the linear layers (default: none)",
          &o.scheme, 0, 0 },
        RUN_OPTION_ROWS(o.run),
        RUN_DRY_ROW(o.dry),
        { NULL, 0, CLI_SWITCH, NULL, NULL, NULL, 0, 0 }
    };
    recording r = { .created = false };
    provenance_command(r.command, sizeof r.command, argc, argv);
    provenance_host(r.host, sizeof r.host);
    provenance_time(r.time, sizeof r.time);
    int rc = cli_parse(&experiment_record, options, &argc, argv);
    if (rc == CLI_DONE)
        rc = check_options(&r, &o);
    if (rc != CLI_DONE)
        return rc;
    return o.dry ? run_dry(&r, &o) : run_record(&r, &o);
}

const cli_command experiment_record = {
    .name = "record",
    .summary = "run a model over a text and record magnitudes and outliers to HDF5",
    .operands = "",
    .details =
        "Points of a block: qkv_in q k v out_in attn_out resid_mid fc1_in fc1_out fc2_in\n"
        "mlp_out resid_post; TransformerLens's names are understood too. Statistics are per\n"
        "block and feature; events are the single values of at least alpha.\n"
        "\n"
        "The record grows chunk by chunk and can be read at any moment. Ctrl-C finishes the\n"
        "chunk; the same command with --resume goes on, to the same result.\n"
        "\n"
        "--without zeroes features at the input of each block's attention and keeps the largest\n"
        "probabilities of that beside the regular ones; what goes on to the next block, and so\n"
        "everything else in the record, is the regular.\n"
        "\n"
        "--shard I/N records the I-th of N nearly equal parts of the sequences, on any machine;\n"
        "'merge' makes one record of all N, the one that a single run would have made.\n"
        "\n"
        "Examples:\n"
        "  outlierscope record\n"
        "  outlierscope record --model ~/opt-6.7b --text wiki.txt -o 6.7b.h5\n"
        "  outlierscope record --model ~/opt-6.7b --text wiki.txt -o 6.7b.h5 --resume\n"
        "  outlierscope record --model ~/opt-13b --scheme llm-int8 --memory 6 --dry-run\n"
        "  outlierscope record --without opt-mini-8m.h5 -o without.h5\n"
        "  outlierscope record --shard 1/2; outlierscope record --shard 2/2\n",
    .run = record,
};

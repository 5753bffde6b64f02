/* sweep: the command. */
#include <config.h>
#include "experiments/sweep.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "experiments/shard.h"
#include "experiments/stop.h"

#define DEFAULT_SWEEP "opt-mini"
#define MODELS_VARIABLE "OUTLIERSCOPE_MODELS"

typedef struct {
    const char *output, *model_root, *shard_text;
    bool        resume, dry_run;
    double      rate;              /* GFLOP/s; 0: measured */
    size_t      shard, shards;     /* i of n, from 1 */
} sweep_options;

typedef struct {
    size_t state[CELL_STATES];     /* cells of this shard by state */
    bool   all_there;              /* all cells of the sweep have their results */
} tally;

/* --- options ------------------------------------------------------------------------------ */

static int parse(sweep_options *o, int *argc, char **argv)
{
    const cli_option options[] = {
        { "output", 'o', CLI_TEXT, "DIR", "folder of the sweep (default: sweep-NAME in the current "
          "folder)", &o->output, 0, 0 },
        { "resume", 0, CLI_SWITCH, NULL, "go on with the sweep in DIR: run what is not done",
          &o->resume, 0, 0 },
        { "shard", 0, CLI_TEXT, "I/N", "run every N-th cell, beginning with the I-th",
          &o->shard_text, 0, 0 },
        { "dry-run", 0, CLI_SWITCH, NULL, "list the cells with what they will take, and end",
          &o->dry_run, 0, 0 },
        { "rate", 0, CLI_NUMBER, "GFLOPS", "rate of a large product, for the times of --dry-run "
          "(default: measured)", &o->rate, 1e-3, 1e9 },
        { "model-root", 0, CLI_TEXT, "DIR", "where models without a path are (default: the "
          "environment variable " MODELS_VARIABLE ")", &o->model_root, 0, 0 },
        { NULL, 0, CLI_SWITCH, NULL, NULL, NULL, 0, 0 }
    };
    int rc = cli_parse(&experiment_sweep, options, argc, argv);
    if (rc != CLI_DONE)
        return rc;
    if (*argc > 2)
        return cli_usage(&experiment_sweep, "one configuration at a time, not also '%s'", argv[2]);
    if (shard_parse(&o->shard, &o->shards, o->shard_text) != OSC_OK)
        return cli_usage(&experiment_sweep, "%s", osc_error());
    return CLI_DONE;
}

/* --- opening ------------------------------------------------------------------------------- */

/* A file, or the name of a configuration that ships. */
static osc_status find_conf(char **path, const char *name)
{
    char shipped[256];
    if (name != NULL && (osc_file_exists(name) || strchr(name, '/') != NULL)) {
        *path = osc_copy_string(name, strlen(name));
        return *path != NULL ? OSC_OK : OSC_ENOMEM;
    }
    snprintf(shipped, sizeof shipped, "sweeps/%s.conf", name != NULL ? name : DEFAULT_SWEEP);
    *path = cli_shipped(shipped);
    if (*path != NULL)
        return OSC_OK;
    return name == NULL ? OSC_ENOTFOUND
         : osc_fail(OSC_ENOTFOUND, "%s: no such file, nor a configuration that ships", name);
}

/* Cells run in another folder than this. */
static osc_status absolute(char **path, const char *given)
{
    char here[PATH_MAX];
    if (given[0] == '/')
        *path = osc_copy_string(given, strlen(given));
    else if (getcwd(here, sizeof here) == NULL)
        return osc_fail(OSC_EIO, "the current folder has no path: %s", strerror(errno));
    else
        *path = osc_path_join(here, given);
    return *path != NULL ? OSC_OK : OSC_ENOMEM;
}

/* OSC_SHARE is for the cells' processes too. */
static osc_status fix_share(void)
{
    char *path;
    const char *share = getenv("OSC_SHARE");
    if (share == NULL || share[0] == '\0' || share[0] == '/')
        return OSC_OK;
    OSC_TRY(absolute(&path, share));
    int failed = setenv("OSC_SHARE", path, 1);
    osc_free(path);
    return failed == 0 ? OSC_OK : osc_fail(OSC_ENOMEM, "out of memory");
}

static osc_status find_places(sweep *s, const sweep_options *o)
{
    char name[512];
    const char *root = o->model_root != NULL ? o->model_root : getenv(MODELS_VARIABLE);
    snprintf(name, sizeof name, "sweep-%s", sweep_conf_name(&s->conf));
    OSC_TRY(absolute(&s->folder, o->output != NULL ? o->output : name));
    return root != NULL && root[0] != '\0' ? absolute(&s->model_root, root) : OSC_OK;
}

static osc_status open_sweep(sweep *s, const sweep_options *o, const char *name)
{
    char *path;
    OSC_TRY(fix_share());
    OSC_TRY(find_conf(&path, name));
    osc_status status = sweep_conf_read(&s->conf, path);
    osc_free(path);
    OSC_TRY(status);
    OSC_TRY(find_places(s, o));
    return sweep_cells_make(s);
}

static void close_sweep(sweep *s)
{
    sweep_cells_free(s);
    sweep_conf_free(&s->conf);
    osc_free(s->folder);
    osc_free(s->model_root);
}

/* --- running -------------------------------------------------------------------------------- */

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void say(size_t number, size_t count, const sweep_cell *cell, double took)
{
    if (cli_quiet())
        return;
    fprintf(stderr, "[%zu/%zu] %s: ", number, count, cell->name);
    switch (cell->state) {
    case CELL_DONE:        fprintf(stderr, "%.1f s\n", took); break;
    case CELL_DONE_BEFORE: fputs("was done before\n", stderr); break;
    case CELL_ELSEWHERE:   fputs("another process is at it\n", stderr); break;
    case CELL_FAILED:      fputs("FAILED\n", stderr); break;
    default:               fputs("stopped\n", stderr); break;
    }
}

/* Cells that another process holds are tried once more at the end: it may be gone. */
static void run_cells(sweep *s, const sweep_options *o)
{
    size_t number = 0, mine = 0;
    for (size_t i = 0; i < s->count; i++)
        mine += s->cell[i].unit % o->shards == o->shard - 1;
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < s->count && stop_signal() == 0; i++) {
            sweep_cell *cell = &s->cell[i];
            if (cell->unit % o->shards != o->shard - 1
                || cell->state != (pass == 0 ? CELL_TO_DO : CELL_ELSEWHERE))
                continue;
            double begin = now();
            sweep_run(s, cell);
            number += pass == 0;
            say(number, mine, cell, now() - begin);
        }
}

/* Cells of other shards, and those that another process was at, may be done by now. */
static tally count_cells(sweep *s, const sweep_options *o)
{
    tally t = { .all_there = true };
    for (size_t i = 0; i < s->count; i++) {
        sweep_cell *cell = &s->cell[i];
        if ((cell->state == CELL_TO_DO || cell->state == CELL_ELSEWHERE)
            && sweep_cell_done(s, cell))
            cell->state = CELL_DONE_BEFORE;
        t.state[cell->state] += cell->unit % o->shards == o->shard - 1;
        t.all_there = t.all_there
            && (cell->state == CELL_DONE || cell->state == CELL_DONE_BEFORE);
    }
    return t;
}

static void print_failures(const sweep *s)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->cell[i].state == CELL_FAILED)
            fprintf(stderr, "outlierscope sweep: %s failed: %s\n", s->cell[i].name,
                    s->cell[i].error);
}

static int summarize(const sweep *s)
{
    osc_status status = sweep_summarize(s);
    if (status == OSC_OK)
        printf("tables are in %s/tables, figures in %s/figures\n", s->folder, s->folder);
    return status == OSC_OK ? 0 : status == OSC_STOP ? 1 : cli_fail(&experiment_sweep);
}

/* Tables are made of everything, when nothing more will come from elsewhere. */
static int finish(sweep *s, const sweep_options *o)
{
    tally t = count_cells(s, o);
    bool over = t.all_there || (o->shards == 1 && t.state[CELL_ELSEWHERE] == 0);
    int rc = 0;
    printf("%s: %zu cells done now, %zu before, %zu failed", sweep_conf_name(&s->conf),
           t.state[CELL_DONE], t.state[CELL_DONE_BEFORE], t.state[CELL_FAILED]);
    if (t.state[CELL_ELSEWHERE] > 0)
        printf(", %zu left to other processes", t.state[CELL_ELSEWHERE]);
    putchar('\n');
    if (over)
        rc = summarize(s);
    else
        printf("no tables yet: they are made when all cells are done\n");
    print_failures(s);
    return t.state[CELL_FAILED] > 0 ? 1 : rc;
}

static int run(sweep *s, const sweep_options *o)
{
    stop_catch();
    if (sweep_file_open(s, o->resume) != OSC_OK)
        return cli_fail(&experiment_sweep);
    run_cells(s, o);
    int rc = stop_signal() == 0 ? finish(s, o) : 0;
    if (stop_signal() == 0)
        return rc;
    print_failures(s);
    fprintf(stderr, "outlierscope sweep: stopped; the same command with --resume goes on\n");
    return stop_status();
}

static int sweep_main(int argc, char **argv)
{
    sweep_options o = { .output = NULL };
    sweep s = { .cell = NULL };
    int rc = parse(&o, &argc, argv);
    if (rc != CLI_DONE)
        return rc;
    if (open_sweep(&s, &o, argc > 1 ? argv[1] : NULL) != OSC_OK)
        rc = cli_fail(&experiment_sweep);
    else if (o.dry_run)
        rc = sweep_plan(&s, o.shard, o.shards, 1e9 * o.rate) == OSC_OK
           ? 0 : cli_fail(&experiment_sweep);
    else
        rc = run(&s, &o);
    close_sweep(&s);
    return rc;
}

const cli_command experiment_sweep = {
    .name = "sweep",
    .summary = "models x schemes x tasks from one file, resumable, over many machines",
    .operands = "[FILE]",
    .details =
        "FILE is a configuration (docs/sweep.md), or the name of one that ships: opt-mini (the\n"
        "default), opt, quantization, ablation. Each cell, a model under a scheme in a task, is\n"
        "a process of its own with its result and log in DIR/cells; a cell that fails is told\n"
        "at the end, and the others go on. Then DIR/tables and DIR/figures are made.\n"
        "\n"
        "After Ctrl-C, or a crash, --resume runs what is left, to the same tables. Several\n"
        "processes may work at one DIR, each on its --shard or all on everything: a cell\n"
        "that one is at is left alone by the others.\n"
        "\n"
        "Examples:\n"
        "  outlierscope sweep\n"
        "  outlierscope sweep family.conf -o family --dry-run\n"
        "  outlierscope sweep opt --model-root ~/checkpoints -o opt --resume\n"
        "  parallel outlierscope sweep family.conf -o family --resume --shard {}/4 ::: 1 2 3 4\n",
    .run = sweep_main,
};

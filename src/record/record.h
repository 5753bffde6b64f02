/* Record files (HDF5, schema "outlierscope-record/1", docs/RECORD.md): writer and
 * reader.  Only this folder includes hdf5.h. */
#ifndef OSC_RECORD_RECORD_H
#define OSC_RECORD_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/progress.h"
#include "base/status.h"
#include "engine/hook.h"
#include "engine/observer.h"
#include "text/corpus.h"

/* Root attributes.  Strings are owned by whoever fills the struct. */
typedef struct {
    const char *tool;            /* "outlierscope 0.1.0" */
    const char *command;         /* the command line */
    const char *time;            /* ISO 8601, UTC, when recording started */
    const char *host;
    const char *backend;         /* "cpu" */
    size_t      threads;
    const char *dtype;           /* stored dtype of the weights */
    const char *scheme;          /* "none", "llm-int8:threshold=6" */
    const char *model;           /* name */
    const char *arch;            /* "opt" */
    uint64_t    parameters;
    size_t      layers, hidden, heads, ffn;
    const char *weights_sha256, *tokenizer_sha256, *text_sha256;   /* "" if there is none */
    const char *protocol;        /* osc_protocol_name */
    int32_t     bos;             /* -1: none */
    size_t      sequence_length;
    size_t      sequences;       /* planned */
    /* --- a record of a share of a text's sequences (0 shards: 1 of 1, all of them) */
    size_t      shard, shards;   /* number 1 .. shards */
    size_t      first_sequence;  /* of the whole corpus: events count from its first */
    size_t      corpus_sequences;
    const char *merged;          /* of a merged record: a line per shard, whence it came; else "" */
    double      alpha;
    /* --- filled by the recorder and the reader; ignored when creating */
    size_t      sequences_done;
    size_t      positions;       /* ids of the sequences done */
    size_t      scored;
    double      nll;             /* total over the scored ids, nats */
    double      perplexity;
    bool        complete;
} osc_record_info;

/* --- writing -------------------------------------------------------------------- */

typedef struct osc_recorder osc_recorder;

enum { OSC_TRACK_MOST = 4 };     /* tracked points, at most */

typedef struct {
    const char     *path;
    osc_record_info info;
    unsigned        points;      /* bits (1u << point): column statistics */
    unsigned        track;       /* bits: events and position counts; all of width `hidden` */
    unsigned        raw;         /* bits: every value as fp16 under /raw */
    /* Features, rising, below `hidden`: also the attention top-1 mass with these
     * columns of qkv_in zeroed (osc_observer_options).  Must outlive the recorder. */
    const uint32_t *without;
    size_t          without_count;
    /* Also /modules and /residual: metrics of the outputs of the model's modules and of the
     * residual stream, which the backend must be able to summarize. */
    bool            metrics;
    uint64_t        event_cap;   /* events kept at most; the rest is counted */
    bool            resume;      /* continue the file at `path` if there is one; comes first */
    bool            overwrite;   /* replace it; without either an existing file is OSC_EINVAL */
    double          interval;    /* least seconds between commits; negative: chosen so that
                                    committing costs at most about 2 % of the time.  Earlier
                                    where a million events or four million ids wait */
} osc_recorder_options;

/* Opens a recording of the sequences of `corpus`, all or a share (osc_corpus_share) as
 * `info` says, and commits an empty record (or, with resume, checks that the file at
 * `path` is of the same model, text and options, naming the first difference, and takes
 * up its state).  `corpus` must outlive the recorder.
 * Whatever happens later, the file at `path` is a complete HDF5 file: a commit
 * writes PATH.tmp, syncs it and renames it.  PATH.lock is locked until the end: a
 * second recorder of the same path is OSC_EINVAL.  Else OSC_EINVAL, OSC_EIO, OSC_EFORMAT,
 * OSC_ENOMEM. */
osc_status osc_recorder_open(osc_recorder **recorder, const osc_recorder_options *options,
                             const osc_observer_shape *shape, const osc_corpus *corpus);

/* Adds the recorder's observer and its hooks for /raw to `hooks`. */
osc_status osc_recorder_bind(osc_recorder *recorder, osc_hooks *hooks);

/* Sequences done when the recorder was opened: where to go on. */
size_t osc_recorder_done(const osc_recorder *recorder);

/* Sequences first .. first+count-1 have run with these hooks; `nll` as from
 * osc_session_run.  Commits if it is time.  On failure the last committed state
 * stands.  After a run that failed or was stopped within a chunk, its values are
 * in the accumulators: commits are refused (OSC_EINVAL), go on by resuming. */
osc_status osc_recorder_add(osc_recorder *recorder, size_t first, size_t count, const double *nll);

/* Commits what is left; the record is complete if all sequences are done. */
osc_status osc_recorder_finish(osc_recorder *recorder);

/* Releases the recorder without committing. */
void osc_recorder_free(osc_recorder *recorder);

/* --- merging -------------------------------------------------------------------- */

typedef struct {
    const char        *path;             /* the record to make */
    const char *const *shards;           /* [count] records of all shards, in any order */
    size_t             count;
    bool               overwrite;        /* replace what is at `path`; else OSC_EINVAL */
    const char        *tool, *command, *time, *host;   /* of the merging, as in osc_record_info */
    bool             (*stop)(void);      /* asked between pieces of work; OSC_STOP; may be NULL */
    const osc_progress *progress;        /* told of sequences merged; may be NULL */
} osc_merge_options;

/* Makes one record of the complete records of all shards of a corpus, that of a single
 * run: minima, maxima, counts, events, sequences, values and the nll equal it bit for bit,
 * other sums within rounding (they are added up shard by shard).  Memory is bounded by
 * one dataset of /stats.  OSC_EINVAL, naming a file and both values, for records that do
 * not belong together, a shard that is missing, doubled or incomplete; else as the
 * reading and writing of records. */
osc_status osc_record_merge(const osc_merge_options *options);

/* --- reading -------------------------------------------------------------------- */

typedef struct osc_record osc_record;

/* Opens a record read-only.  OSC_EFORMAT says which object is missing or has the
 * wrong type or shape. */
osc_status osc_record_open(osc_record **record, const char *path);
void osc_record_close(osc_record *record);
const char *osc_record_path(const osc_record *record);
/* Strings live until osc_record_close. */
const osc_record_info *osc_record_get_info(const osc_record *record);

/* Points with column statistics; points that were tracked; points under /raw. */
unsigned osc_record_points(const osc_record *record);
unsigned osc_record_track(const osc_record *record);
unsigned osc_record_raw(const osc_record *record);
size_t osc_record_width(const osc_record *record, osc_point point);

/* /stats/<point>: one osc_column_stats per block, [layers]; owned by the record,
 * read on first use.  OSC_ENOTFOUND if the point was not recorded. */
osc_status osc_record_stats(osc_record *record, osc_point point, const osc_column_stats **stats);

/* /positions/<track> for a non-empty subset `track` of the tracked points, [hidden]:
 * `any`: positions at which the feature reaches alpha in some block;
 * `pairs`: (block, position) pairs at which it does.  Owned by the record. */
osc_status osc_record_positions(osc_record *record, unsigned track,
                                const uint64_t **any, const uint64_t **pairs);

/* /attention/top1, [layers * heads]: mean over queries; without the queries at
 * position 0 in `later` (either pointer may be NULL).  OSC_ENOTFOUND if absent. */
osc_status osc_record_top1(osc_record *record, const double **all, const double **later);

/* /attention/top1_without: the same with features zeroed at the attention's input.
 * All arrays are owned by the record.  OSC_ENOTFOUND if it was not asked for. */
typedef struct {
    const double   *all, *later;   /* [layers * heads] */
    const uint32_t *features;      /* [count], rising */
    size_t          count;
} osc_record_without;
osc_status osc_record_top1_without(osc_record *record, osc_record_without *without);

/* Points in /modules, final_norm too; 0 in a record without metrics, in which the
 * functions below give OSC_ENOTFOUND. */
unsigned osc_record_module_points(const osc_record *record);
/* Columns of /modules; and the module of a column, of block `layer` or -1. */
size_t osc_record_module_count(const osc_record *record);
void osc_record_module(const osc_record *record, size_t column, osc_point *point, int *layer);

/* /residual/sumsq and massive, one per state, [layers + 1], the arrays of all following
 * each other; state s enters block s, the last leaves the last block.  Owned by the record. */
osc_status osc_record_residual(osc_record *record, const osc_residual_stats **stats);

/* /modules and /residual of one sequence, number `sequence` of the record. */
typedef struct {
    size_t         sequence;
    const float   *inf_norm;                      /* [modules] max|x| */
    const double  *kurtosis;                      /* [modules] */
    const double  *ratio;                         /* [states] sum over positions of max/median */
    const float   *median;                        /* [states] of |x| */
    const float   *top;                           /* [states * OSC_RESIDUAL_TOP], NaN: no more */
    const int32_t *top_position, *top_feature;
} osc_record_metrics_row;
/* `fn` gets them in order; the arrays live until it returns. */
osc_status osc_record_metrics_each(osc_record *record,
                                    osc_status (*fn)(void *user, const osc_record_metrics_row *of),
                                    void *user);

/* /outliers: `fn` gets the events in file order, a batch at a time. */
typedef struct {
    int32_t   sequence, position, feature;   /* sequence: of the whole corpus */
    int16_t   layer;
    int8_t    point;     /* osc_point */
    float     value;
} osc_record_event;
osc_status osc_record_events(osc_record *record,
                             osc_status (*fn)(void *user, const osc_record_event *events,
                                              size_t count),
                             void *user);
uint64_t osc_record_event_count(const osc_record *record);
uint64_t osc_record_events_dropped(const osc_record *record);

/* /sequences, of sequence number `sequence` of this record, from 0: ids and nll, both
 * [*count], into arrays of sequence_length elements given by the caller (either may be
 * NULL). */
osc_status osc_record_sequence(osc_record *record, size_t sequence, size_t *count,
                               int32_t *ids, double *nll);

#endif

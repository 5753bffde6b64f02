/* What a record consists of: the one list of datasets from which a record is
 * created, checked and documented (docs/RECORD.md). */
#ifndef OSC_RECORD_LAYOUT_H
#define OSC_RECORD_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record/h5.h"
#include "record/record.h"

#define OSC_RECORD_SCHEMA "outlierscope-record/1"

enum {
    OSC_RECORD_DIMS = 4,
    OSC_RECORD_WIDEST = 1 << 24,               /* features, at most */
    OSC_RECORD_LONGEST = 1 << 24,              /* ids of a sequence, at most */
    OSC_RECORD_NAMES = 128,                    /* bytes of point names joined, at most */
    OSC_RECORD_PATH = 160,                     /* bytes of an object's path, at most */
    OSC_RECORD_SUBSETS = 1 << OSC_TRACK_MOST,  /* sets of tracked points, the empty one too */
};

/* The sizes that determine all shapes. */
typedef struct {
    size_t   layers, heads, hidden;
    size_t   length;                    /* ids of a sequence, at most */
    size_t   width[OSC_POINT_COUNT];    /* of the points in `points` and `raw` */
    unsigned points, track, raw;        /* bits (1u << point) */
    size_t   without;                   /* features left out of a second top-1 mass; 0: none */
    unsigned modules;                   /* bits of the points in /modules; 0: nor /residual */
} osc_record_layout;

/* Columns of /modules: block 0's points in order, block 1's, ..., final_norm. */
size_t osc_record_modules(const osc_record_layout *layout);
/* The column of a module, of block `layer` or -1. */
size_t osc_record_module_column(const osc_record_layout *layout, osc_point point, int layer);

typedef enum { OSC_GROWS_NOT, OSC_GROWS_BY_SEQUENCE, OSC_GROWS_BY_EVENT } osc_record_growth;

/* What becomes of a dataset when the records of shards are merged; those that grow are
 * put behind each other. */
typedef enum {
    OSC_MERGE_ADD, OSC_MERGE_MIN, OSC_MERGE_MAX,
    OSC_MERGE_SAME,        /* is the same in all */
    OSC_MERGE_APART,       /* of /attention: has counts of its own */
} osc_record_merging;

typedef struct {
    char              path[OSC_RECORD_PATH];
    osc_h5_kind       kind;
    size_t            rank;
    size_t            dim[OSC_RECORD_DIMS];      /* 0 for the dimension that grows */
    size_t            chunk[OSC_RECORD_DIMS];
    const char       *label[OSC_RECORD_DIMS];    /* "layer", "feature", ... */
    osc_record_growth growth;
    size_t            growing;                   /* which dimension */
    osc_record_merging merging;                  /* unless it grows */
    bool              packed;                    /* shuffled and compressed */
    double            fill;                      /* of what is never written */
    const char       *description, *units;
} osc_record_dataset;

/* Calls `fn` for every dataset, the axes aside, in a fixed order; stops at the
 * first failure. */
typedef osc_status (*osc_record_dataset_fn)(void *user, const osc_record_dataset *dataset);
osc_status osc_record_each(const osc_record_layout *layout, osc_record_dataset_fn fn, void *user);

/* Fields of osc_column_stats, each [layer, feature] of /stats/<point>; `absmax`,
 * which is computed from min and max, is not in this table. */
typedef struct {
    const char *name;
    osc_h5_kind kind;
    size_t      offset;          /* of the array's pointer in osc_column_stats */
    osc_record_merging merging;
    const char *description, *units;
} osc_record_field;
enum { OSC_RECORD_FIELDS = 6 };
extern const osc_record_field osc_record_fields[OSC_RECORD_FIELDS];

/* Columns of /outliers; in `dst`, dense, as stored, from events. */
typedef struct {
    const char *name;
    osc_h5_kind kind;
    size_t      offset;          /* in osc_record_event */
    const char *description, *units;
} osc_record_column;
enum { OSC_RECORD_COLUMNS = 6 };
extern const osc_record_column osc_record_columns[OSC_RECORD_COLUMNS];

/* Datasets of /modules and /residual with a row per sequence. */
typedef enum { OSC_OF_MODULE, OSC_OF_STATE, OSC_OF_TOP } osc_record_columns_of;
typedef struct {
    const char *group, *name;
    osc_h5_kind kind;
    osc_record_columns_of columns;
    double      fill;
    const char *description, *units;
} osc_record_metric;
typedef enum {
    OSC_INF_NORM, OSC_KURTOSIS, OSC_RATIO, OSC_MEDIAN, OSC_TOP_VALUE, OSC_TOP_POSITION,
    OSC_TOP_FEATURE, OSC_RECORD_METRICS
} osc_metric;
extern const osc_record_metric osc_record_metrics[OSC_RECORD_METRICS];
/* Values of one sequence. */
size_t osc_record_metric_columns(const osc_record_layout *layout, osc_metric metric);

/* Names of the points in `bits` joined by '+', in the order of a run; "" if none. */
void osc_record_join(char text[OSC_RECORD_NAMES], unsigned bits);
/* The other way round; OSC_EFORMAT if a name is not that of a point in `possible`. */
osc_status osc_record_split(unsigned *bits, const char *text, unsigned possible);
/* Points of a block. */
unsigned osc_record_in_blocks(void);

/* Tracked points number 0, 1, ... in order: the bits of the points in `subset`, a
 * set of such numbers. */
unsigned osc_record_subset(unsigned track, unsigned subset);

/* "/stats/qkv_in/min" and the like. */
void osc_record_path_of(char path[OSC_RECORD_PATH], const char *group, const char *middle,
                        const char *name);

#endif

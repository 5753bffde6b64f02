/* The parts of the command `outliers`: a record's numbers, and how they are shown. */
#ifndef ANALYSES_OUTLIERS_H
#define ANALYSES_OUTLIERS_H

#include "analyses/features.h"
#include "analyses/metrics.h"
#include "analyses/table.h"

/* One record's row.  The record itself is closed again. */
typedef struct {
    char           *path, *model, *scheme, *protocol;   /* owned */
    osc_record_info info;         /* numbers; its strings are NULL */
    unsigned        track;
    feature_list    features;     /* outliers, or all that reach alpha */
    feature_summary summary;
    double          top1;         /* mean over blocks and heads; NaN if not recorded */
    double          top1_without; /* the same with `without` zeroed; NaN if not recorded */
    uint32_t       *without;      /* [without_count], rising, owned; NULL if not recorded */
    size_t          without_count;
    uint64_t        dropped;      /* events lost to the record's cap */
    record_metrics  metrics;
    size_t          order;        /* as given */
} outlier_result;

typedef struct {
    const char  *track;           /* "qkv_in,fc1_in"; NULL: all that the record tracked */
    feature_rule rule;
    bool         all;             /* list every feature that reaches alpha */
} outlier_options;

/* Reads the record at `path`; messages name it.  Released with outliers_free. */
osc_status outliers_read(outlier_result *result, const char *path, const outlier_options *options);
void outliers_free(outlier_result *result);

/* The paper's table, a row per record, and the protocol behind it. */
osc_status outliers_write(const outlier_result *results, size_t count, table_format format,
                          const outlier_options *options, FILE *out);

/* The features that the results list, a row each. */
osc_status outliers_write_features(const outlier_result *results, size_t count,
                                   table_format format, FILE *out);

/* Measures that know no threshold of magnitude, a row per record. */
osc_status outliers_write_metrics(const outlier_result *results, size_t count,
                                  table_format format, FILE *out);

/* DESIGN.md, section 9. */
osc_status outliers_write_json(const outlier_result *results, size_t count,
                               const outlier_options *options, FILE *out);

/* "block", "sublayer"; "pairs", "any". */
extern const char *const layers_rule_names[LAYERS_RULE_COUNT];
extern const char *const positions_rule_names[POSITIONS_RULE_COUNT];

#endif

/* Which features are outliers (DESIGN.md, section 4): arrays in, features out; no
 * file is read here.
 *
 * A feature is a column index, followed through all blocks and all tracked tensors.
 * It is an outlier if |x| >= alpha in at least `min_layers` of the layers and at at
 * least `min_positions` of the positions, both counted as the rule says. */
#ifndef ANALYSES_FEATURES_H
#define ANALYSES_FEATURES_H

#include "osc.h"

typedef enum {
    LAYERS_BLOCK,      /* blocks in which some tracked tensor reaches alpha / blocks */
    LAYERS_SUBLAYER,   /* tracked tensors that reach it / tracked tensors */
    LAYERS_RULE_COUNT
} layers_rule;

typedef enum {
    POSITIONS_PAIRS,   /* (block, position) pairs at which it is reached / pairs */
    POSITIONS_ANY,     /* positions at which some block reaches it / positions */
    POSITIONS_RULE_COUNT
} positions_rule;

typedef struct {
    layers_rule    layers;
    positions_rule positions;
    double         min_layers, min_positions;   /* shares; reaching them is enough */
} feature_rule;

/* The paper's. */
#define FEATURE_RULE_DEFAULT { LAYERS_BLOCK, POSITIONS_PAIRS, 0.25, 0.06 }

/* What a record says of the tracked tensors. */
typedef struct {
    size_t   layers, width, points;                  /* blocks, features, tracked points */
    uint64_t positions;
    float    alpha;
    const osc_column_stats *stats[OSC_TRACK_MOST];   /* [points] -> [layers] */
    const uint64_t *any, *pairs;                     /* [width], of these points together; any is
                                                        NULL if the rule counts pairs and nobody
                                                        asks for the other */
} feature_input;

typedef struct {
    size_t   feature;
    uint64_t pairs_count, any_count;
    double   layers_block, layers_sublayer;   /* shares, counted both ways */
    double   pairs, any;
    double   layers, positions;               /* those that the rule chose */
    float    min, max;                        /* of all values in tracked tensors */
    bool     one_sided;                       /* its values beyond alpha have one sign */
    bool     outlier;
    double   quartiles[3];                    /* NaN until events_quartiles */
} feature_row;

typedef struct {
    feature_row *row;     /* [count], most common first */
    size_t       count;
} feature_list;

/* Every feature that reaches alpha in some tracked tensor.  Order: the share of
 * positions that the rule chose, then pairs, both falling, then the index.
 * OSC_EVALUE if there are no positions.  Released with features_free. */
osc_status features_find(feature_list *list, const feature_input *input, const feature_rule *rule);
void features_free(feature_list *list);

/* Drops the features that are not outliers. */
void features_keep_outliers(feature_list *list);

typedef struct {
    size_t count, one_sided;                  /* outliers */
    const feature_row *common;                /* the most common outlier, or NULL */
    double mean_layers, mean_positions;       /* over the outliers; NaN if none */
} feature_summary;

feature_summary features_summarize(const feature_list *list);

/* count / total >= share.  Exact for shares written as a decimal: the quotient and
 * the share are both the doubles nearest to their true values, so equal numbers
 * compare equal, and totals are far too small for different ones to round alike. */
bool share_reaches(uint64_t count, uint64_t total, double share);

#endif

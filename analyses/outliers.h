/* The parts of the command `outliers`: a record's numbers, and how they are shown. */
#ifndef ANALYSES_OUTLIERS_H
#define ANALYSES_OUTLIERS_H

#include "analyses/features.h"
#include "analyses/metrics.h"
#include "analyses/table.h"

/* One record's row.  The record itself is closed again. */
typedef struct {
    char           *path, *model, *scheme, *protocol;   /* owned */
    char           *weights_sha256, *tokenizer_sha256, *text_sha256;   /* owned */
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

typedef enum {
    OUTLIERS_GIVEN, OUTLIERS_PARAMETERS, OUTLIERS_PERPLEXITY, OUTLIERS_ORDERS
} outliers_order;

/* As given; the smallest model first; or the worst perplexity first, as the paper's
 * table (one that is no number comes last). */
void outliers_sort(outlier_result *results, size_t count, outliers_order order);

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

/* "in >= 25 % of the blocks and at >= 6 % of the (block, position) pairs", with that sign;
 * returns `text`. */
const char *outliers_rule_text(char *text, size_t size, const feature_rule *rule,
                               const char *sign);

/* --- the rule on the command line --------------------------------------------------- */

/* The texts of options that name one of several things. */
typedef struct {
    const char *layers, *positions;
} outlier_choices;

#define OUTLIER_CHOICES_DEFAULT { "block", "pairs" }

/* Rows of a command's option table; `o` are outlier_options, `c` outlier_choices. */
#define OUTLIER_RULE_OPTIONS(o, c)                                                         \
    { "track", 0, CLI_TEXT, "POINTS", "tracked tensors, separated by commas (all)",        \
      &(o)->track, 0, 0 },                                                                 \
    { "layers", 0, CLI_TEXT, "block|sublayer", "how layers are counted (block)",           \
      &(c)->layers, 0, 0 },                                                                \
    { "positions", 0, CLI_TEXT, "pairs|any", "how positions are counted (pairs)",          \
      &(c)->positions, 0, 0 },                                                             \
    { "min-layers", 0, CLI_NUMBER, "SHARE", "least share of the layers (0.25)",            \
      &(o)->rule.min_layers, 0, 1 },                                                       \
    { "min-positions", 0, CLI_NUMBER, "SHARE", "least share of the positions (0.06)",      \
      &(o)->rule.min_positions, 0, 1 }

/* Takes the choices over into the options and checks --track.  OSC_EINVAL. */
osc_status outliers_choose(outlier_options *options, const outlier_choices *choices);

/* What they do, for --help. */
#define OUTLIER_RULE_DETAILS                                                               \
    "A feature (column index) is an outlier if |x| reaches the record's alpha in at least\n" \
    "--min-layers of the layers and at at least --min-positions of the positions.\n"       \
    "  --layers block      blocks in which any tracked tensor reaches it\n"                \
    "  --layers sublayer   tracked tensors that reach it\n"                                \
    "  --positions pairs   (block, position) pairs at which it is reached\n"               \
    "  --positions any     positions at which any block reaches it\n"                      \
    "The most common outlier is the one with the largest share of positions; of equal ones\n" \
    "that with more pairs, then the smaller index.\n"

/* "block", "sublayer"; "pairs", "any". */
extern const char *const layers_rule_names[LAYERS_RULE_COUNT];
extern const char *const positions_rule_names[POSITIONS_RULE_COUNT];

#endif

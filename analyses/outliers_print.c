/* The tables of `outliers`. */
#include <config.h>
#include "analyses/outliers.h"

#include <math.h>
#include <string.h>

#include "analyses/options.h"
#include "analyses/record_text.h"

const char *const layers_rule_names[LAYERS_RULE_COUNT] = {
    [LAYERS_BLOCK] = "block", [LAYERS_SUBLAYER] = "sublayer",
};
const char *const positions_rule_names[POSITIONS_RULE_COUNT] = {
    [POSITIONS_PAIRS] = "pairs", [POSITIONS_ANY] = "any",
};

/* In the order of DESIGN.md, section 4; the data columns at the end make a line of CSV
 * speak for itself. */
enum { SCHEME_COLUMN = 1 };
static const table_column record_columns[] = {
    { "model", "", TABLE_LEFT, TABLE_ALWAYS },
    { "scheme", "", TABLE_LEFT, TABLE_DATA },
    { "params", "", TABLE_RIGHT, TABLE_ALWAYS },
    { "ppl", "", TABLE_RIGHT, TABLE_ALWAYS },
    { "outliers", "", TABLE_RIGHT, TABLE_ALWAYS },
    { "1-sided", "", TABLE_RIGHT, TABLE_ALWAYS },
    { "layers", "%", TABLE_RIGHT, TABLE_ALWAYS },
    { "mean", "", TABLE_RIGHT, TABLE_PEOPLE },
    { "positions", "%", TABLE_RIGHT, TABLE_ALWAYS },
    { "mean", "", TABLE_RIGHT, TABLE_PEOPLE },
    { "mean layers", "%", TABLE_RIGHT, TABLE_DATA },
    { "mean positions", "%", TABLE_RIGHT, TABLE_DATA },
    { "quartiles", "", TABLE_RIGHT, TABLE_PEOPLE },
    { "q1", "", TABLE_RIGHT, TABLE_DATA },
    { "q2", "", TABLE_RIGHT, TABLE_DATA },
    { "q3", "", TABLE_RIGHT, TABLE_DATA },
    { "top-1", "%", TABLE_RIGHT, TABLE_ALWAYS },
    { "without", "", TABLE_RIGHT, TABLE_ALWAYS },
    { "alpha", "", TABLE_RIGHT, TABLE_DATA },
    { "track", "", TABLE_LEFT, TABLE_DATA },
    { "protocol", "", TABLE_LEFT, TABLE_DATA },
    { "sequences", "", TABLE_RIGHT, TABLE_DATA },
    { "scored", "", TABLE_RIGHT, TABLE_DATA },
    { "events dropped", "", TABLE_RIGHT, TABLE_DATA },
    { "record", "", TABLE_LEFT, TABLE_DATA },
};

enum { MODEL_COLUMN = 1 };
static const table_column feature_columns[] = {
    { "record", "", TABLE_LEFT, TABLE_DATA },
    { "model", "", TABLE_LEFT, TABLE_DATA },
    { "feature", "", TABLE_RIGHT, TABLE_ALWAYS },
    { "outlier", "", TABLE_LEFT, TABLE_ALWAYS },
    { "blocks", "%", TABLE_RIGHT, TABLE_ALWAYS },
    { "sublayers", "%", TABLE_RIGHT, TABLE_ALWAYS },
    { "pairs", "%", TABLE_RIGHT, TABLE_ALWAYS },
    { "positions", "%", TABLE_RIGHT, TABLE_ALWAYS },
    { "min", "", TABLE_RIGHT, TABLE_ALWAYS },
    { "max", "", TABLE_RIGHT, TABLE_ALWAYS },
    { "1-sided", "", TABLE_LEFT, TABLE_ALWAYS },
    { "quartiles", "", TABLE_RIGHT, TABLE_PEOPLE },
    { "q1", "", TABLE_RIGHT, TABLE_DATA },
    { "q2", "", TABLE_RIGHT, TABLE_DATA },
    { "q3", "", TABLE_RIGHT, TABLE_DATA },
};

/* The column for people and the three for programs; NULL: no values. */
static void quartile_cells(table *t, table_format format, const double *q)
{
    static const double none[3] = { NAN, NAN, NAN };
    q = q == NULL ? none : q;
    if (isnan(q[1]))
        table_cell(t, "-");
    else
        table_cell(t, "(%.1f, %.1f, %.1f)", q[0], q[1], q[2]);
    for (int i = 0; i < 3; i++)
        table_number(t, format, 2, q[i]);
}

static void record_row(table *t, const outlier_result *r, table_format format)
{
    const feature_row *common = r->summary.common;
    char text[128];
    table_cell(t, "%s", r->model);
    table_cell(t, "%s", r->scheme);
    if (format == TABLE_CSV)
        table_cell(t, "%llu", (unsigned long long)r->info.parameters);
    else
        table_cell(t, "%s", record_parameters_text(text, sizeof text, r->info.parameters));
    table_number(t, format, 2, r->info.perplexity);
    table_cell(t, "%zu", r->summary.count);
    table_cell(t, "%zu", r->summary.one_sided);
    table_number(t, format, 1, common == NULL ? NAN : 100 * common->layers);
    table_number(t, format, 1, 100 * r->summary.mean_layers);
    table_number(t, format, 1, common == NULL ? NAN : 100 * common->positions);
    table_number(t, format, 1, 100 * r->summary.mean_positions);
    table_number(t, format, 1, 100 * r->summary.mean_layers);
    table_number(t, format, 1, 100 * r->summary.mean_positions);
    quartile_cells(t, format, common == NULL ? NULL : common->quartiles);
    table_number(t, format, 1, 100 * r->top1);
    table_number(t, format, 1, 100 * r->top1_without);
    table_number(t, format, 2, r->info.alpha);
    table_cell(t, "%s", option_points_text(text, sizeof text, r->track));
    table_cell(t, "%s", r->protocol);
    table_cell(t, "%zu", r->info.sequences_done);
    table_cell(t, "%zu", r->info.scored);
    table_cell(t, "%llu", (unsigned long long)r->dropped);
    table_cell(t, "%s", r->path);
}

static void protocol_text(char *text, size_t size, const outlier_result *r)
{
    char points[128];
    int used = record_protocol_text(text, size, &r->info, r->protocol, r->scheme);
    if (used >= 0 && (size_t)used < size)
        snprintf(text + used, size - (size_t)used, "; |x| >= %g in %s", r->info.alpha,
                 option_points_text(points, sizeof points, r->track));
}

static void note_protocols(table *t, const outlier_result *results, size_t count)
{
    char first[512], text[512];
    bool same = true;
    protocol_text(first, sizeof first, &results[0]);
    for (size_t i = 1; i < count; i++) {
        protocol_text(text, sizeof text, &results[i]);
        same &= strcmp(first, text) == 0;
    }
    for (size_t i = 0; i < (same ? 1 : count); i++) {
        protocol_text(text, sizeof text, &results[i]);
        table_note(t, "%s%s%s.", same ? "" : results[i].path, same ? "" : ": ", text);
    }
    for (size_t i = 0; i < count; i++) {
        const outlier_result *r = &results[i];
        if (!r->info.complete)
            table_note(t, "%s is incomplete: %zu of %zu sequences.", r->path,
                       r->info.sequences_done, r->info.sequences);
        if (record_shard_text(text, sizeof text, &r->info)[0] != '\0')
            table_note(t, "%s is %s.", r->path, text);
        if (r->dropped > 0)
            table_note(t, "%s: its cap dropped %llu events; quartiles are of those kept.",
                       r->path, (unsigned long long)r->dropped);
    }
}

/* Is it the outliers of this table that were zeroed? */
static bool are_outliers(const outlier_result *r)
{
    size_t found = 0;
    for (size_t i = 0; i < r->features.count; i++)
        for (size_t j = 0; r->features.row[i].outlier && j < r->without_count; j++)
            found += r->without[j] == r->features.row[i].feature;
    return found == r->summary.count && found == r->without_count;
}

static void note_without(table *t, const outlier_result *r)
{
    char list[160] = "";
    size_t used = 0, shown = 0;
    if (r->without == NULL) {
        if (r->summary.count > 0)
            table_note(t, "%s: without is not recorded; the command that made it does with "
                       "--without %s -o FILE.", r->path, r->path);
        return;
    }
    for (; shown < r->without_count && used + 24 < sizeof list; shown++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%u", shown == 0 ? "" : ", ",
                                 (unsigned)r->without[shown]);
    table_note(t, "%s: without feature%s %s%s%s.", r->path, r->without_count == 1 ? "" : "s", list,
               shown < r->without_count ? ", ..." : "",
               are_outliers(r) ? "" : ", which are not the outliers of this table");
}

const char *outliers_rule_text(char *text, size_t size, const feature_rule *rule,
                               const char *sign)
{
    snprintf(text, size, "in %s %g %% of the %s and at %s %g %% of the %s", sign,
             100 * rule->min_layers, rule->layers == LAYERS_BLOCK ? "blocks" : "tracked tensors",
             sign, 100 * rule->min_positions,
             rule->positions == POSITIONS_PAIRS ? "(block, position) pairs" : "positions");
    return text;
}

static void note_rule(table *t, const feature_rule *rule)
{
    char text[160];
    table_note(t, "Outlier: a feature that reaches it %s.",
               outliers_rule_text(text, sizeof text, rule, ">="));
    table_note(t, "Layers, positions, quartiles: of the most common outlier; mean: over all "
               "outliers.");
    table_note(t, "Top-1: largest attention probability, mean over blocks, heads and queries; "
               "without: with features zeroed at the attention's input.");
}

osc_status outliers_write(const outlier_result *results, size_t count, table_format format,
                          const outlier_options *options, FILE *out)
{
    table *t;
    table_column columns[sizeof record_columns / sizeof *record_columns];
    memcpy(columns, record_columns, sizeof columns);
    for (size_t i = 1; i < count; i++)
        if (strcmp(results[i].scheme, results[0].scheme) != 0)
            columns[SCHEME_COLUMN].shown = TABLE_ALWAYS;
    OSC_TRY(table_create(&t, NULL, columns, sizeof columns / sizeof *columns));
    for (size_t i = 0; i < count; i++)
        record_row(t, &results[i], format);
    note_protocols(t, results, count);
    note_rule(t, &options->rule);
    for (size_t i = 0; i < count; i++)
        note_without(t, &results[i]);
    osc_status status = table_write(t, format, out);
    table_free(t);
    return status;
}

static void feature_cells(table *t, const outlier_result *result, const feature_row *row,
                          table_format format)
{
    table_cell(t, "%s", result->path);
    table_cell(t, "%s", result->model);
    table_cell(t, "%zu", row->feature);
    table_cell(t, "%s", row->outlier ? "yes" : "no");
    table_number(t, format, 1, 100 * row->layers_block);
    table_number(t, format, 1, 100 * row->layers_sublayer);
    table_number(t, format, 1, 100 * row->pairs);
    table_number(t, format, 1, 100 * row->any);
    table_number(t, format, 2, row->min);
    table_number(t, format, 2, row->max);
    table_cell(t, "%s", row->one_sided ? "yes" : "no");
    quartile_cells(t, format, row->quartiles);
}

osc_status outliers_write_features(const outlier_result *results, size_t count,
                                   table_format format, FILE *out)
{
    table *t;
    table_column columns[sizeof feature_columns / sizeof *feature_columns];
    memcpy(columns, feature_columns, sizeof columns);
    if (count > 1)
        columns[MODEL_COLUMN].shown = TABLE_ALWAYS;
    OSC_TRY(table_create(&t, NULL, columns, sizeof columns / sizeof *columns));
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < results[i].features.count; j++)
            feature_cells(t, &results[i], &results[i].features.row[j], format);
    osc_status status = table_write(t, format, out);
    table_free(t);
    return status;
}

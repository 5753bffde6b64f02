#include <config.h>
#include "analyses/coverage.h"

#include <stdio.h>
#include <string.h>

#include "analyses/jsonout.h"
#include "analyses/options.h"
#include "analyses/record_text.h"

void coverage_caption(char *text, size_t size, const coverage *c, double alpha, const char *sign)
{
    char points[128];
    option_points_text(points, sizeof points, c->points);
    bool several = strchr(points, ',') != NULL;
    const char *which = !several ? "" : c->source == COVERAGE_MOST ? "the one most often there of "
                                                                   : "any of ";
    snprintf(text, size, "Share of the %llu positions at which |x| %s %g in %s%s",
             (unsigned long long)c->positions, sign, alpha, which, points);
}

/* --- table ------------------------------------------------------------------------------ */

static osc_status create_table(table **t, const coverage *c, table_format format)
{
    size_t width = c->layers + 3;
    table_column *columns = osc_alloc(width, sizeof *columns);
    char (*names)[32] = osc_alloc(c->layers, sizeof *names);
    osc_status status = OSC_ENOMEM;
    if (columns != NULL && names != NULL) {
        columns[0] = (table_column){ "feature", "", TABLE_RIGHT, TABLE_ALWAYS };
        columns[1] = (table_column){ "outlier", "", TABLE_LEFT, TABLE_ALWAYS };
        columns[2] = (table_column){ "mean", "%", TABLE_RIGHT, TABLE_ALWAYS };
        for (size_t i = 0; i < c->layers; i++) {
            snprintf(names[i], sizeof names[i], "%s%zu", format == TABLE_CSV ? "block " : "", i);
            columns[i + 3] = (table_column){ names[i], format == TABLE_CSV ? "%" : "",
                                             TABLE_RIGHT, TABLE_ALWAYS };
        }
        status = table_create(t, NULL, columns, width);
    }
    osc_free(names);
    osc_free(columns);
    return status;
}

static void feature_row(table *t, const coverage *c, size_t feature, table_format format)
{
    table_cell(t, "%zu", feature);
    table_cell(t, "%s", c->outlier[feature] ? "yes" : "no");
    table_number(t, format, 1, 100 * (double)coverage_total(c, feature)
                               / ((double)c->positions * (double)c->layers));
    for (size_t layer = 0; layer < c->layers; layer++) {
        double percent = 100 * coverage_share(c, layer, feature);
        if (percent > 0 && percent < 0.05 && format != TABLE_CSV)
            table_cell(t, "<0.1");
        else if (percent == 0)
            table_cell(t, "0");
        else
            table_number(t, format, 1, percent);
    }
}

static void add_notes(table *t, const coverage *c, const osc_record_info *info,
                      const coverage_choice *choice)
{
    char text[512];
    coverage_caption(text, sizeof text, c, info->alpha, ">=");
    table_note(t, "%s, in percent: mean over the blocks, then block 0 to %zu.", text,
               c->layers - 1);
    record_protocol_text(text, sizeof text, info, info->protocol, info->scheme);
    table_note(t, "%s: %s.", info->model, text);
    if (choice->count < choice->reaching)
        table_note(t, "%zu features reach it; these are %zu, outliers before others, by coverage "
                   "(--top 0 for all).", choice->reaching, choice->count);
    if (choice->reaching == 0)
        table_note(t, "No feature reaches it in any block.");
    if (!info->complete)
        table_note(t, "The record is incomplete: %zu of %zu sequences.", info->sequences_done,
                   info->sequences);
    if (record_shard_text(text, sizeof text, info)[0] != '\0')
        table_note(t, "The record is %s.", text);
    if (c->source == COVERAGE_MOST)
        table_note(t, "The record does not hold all its events, so that the union of its tracked "
                   "tensors is unknown: a block's share is that of the tensor with the largest.");
}

osc_status coverage_write_table(const coverage *c, const osc_record_info *info,
                                const coverage_choice *choice, table_format format, FILE *out)
{
    table *t;
    OSC_TRY(create_table(&t, c, format));
    for (size_t i = 0; i < choice->count; i++)
        feature_row(t, c, choice->feature[i], format);
    add_notes(t, c, info, choice);
    osc_status status = table_write(t, format, out);
    table_free(t);
    return status;
}

/* --- JSON ------------------------------------------------------------------------------- */

static json_t *feature_object(const coverage *c, size_t feature)
{
    json_t *blocks = json_array();
    for (size_t layer = 0; layer < c->layers && blocks != NULL; layer++)
        json_array_append_new(blocks, json_out_number(coverage_share(c, layer, feature)));
    double mean = (double)coverage_total(c, feature) / ((double)c->positions * (double)c->layers);
    return json_pack("{s:I, s:b, s:o, s:o}", "feature", (json_int_t)feature,
                     "outlier", (int)c->outlier[feature], "mean", json_out_number(mean),
                     "blocks", blocks);
}

osc_status coverage_write_json(const coverage *c, const osc_record_info *info,
                               const coverage_choice *choice, FILE *out)
{
    static const char *const sources[] = {
        [COVERAGE_POINT] = "point", [COVERAGE_UNION] = "union", [COVERAGE_MOST] = "largest",
    };
    char points[128];
    json_t *features = json_array();
    for (size_t i = 0; i < choice->count && features != NULL; i++)
        json_array_append_new(features, feature_object(c, choice->feature[i]));
    return json_out_write(json_pack(
        "{s:o, s:I, s:o, s:o, s:o, s:I, s:I, s:I, s:b, s:I, s:I, s:s, s:s, s:I, s:o}",
        "model", json_out_text(info->model), "parameters", (json_int_t)info->parameters,
        "scheme", json_out_text(info->scheme), "protocol", json_out_text(info->protocol),
        "alpha", json_out_number(info->alpha), "sequences", (json_int_t)info->sequences_done,
        "positions", (json_int_t)c->positions, "scored", (json_int_t)info->scored,
        "complete", (int)info->complete,
        "shard", (json_int_t)info->shard, "shards", (json_int_t)info->shards,
        "points", option_points_text(points, sizeof points, c->points),
        "counting", sources[c->source],
        "reaching", (json_int_t)choice->reaching, "features", features), out);
}

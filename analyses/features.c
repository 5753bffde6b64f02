#include <config.h>
#include "analyses/features.h"

#include <math.h>
#include <stdlib.h>

bool share_reaches(uint64_t count, uint64_t total, double share)
{
    return (double)count / (double)total >= share;
}

static bool reaches(const osc_column_stats *stats, size_t feature, float alpha)
{
    return stats->max[feature] >= alpha || stats->min[feature] <= -alpha;
}

/* Fills what the column statistics say; returns the blocks and tensors that reach
 * alpha. */
static void scan(feature_row *row, size_t *blocks, size_t *tensors, const feature_input *in,
                 size_t feature)
{
    *row = (feature_row){ .feature = feature, .min = INFINITY, .max = -INFINITY };
    *blocks = *tensors = 0;
    for (size_t layer = 0; layer < in->layers; layer++) {
        size_t before = *tensors;
        for (size_t p = 0; p < in->points; p++) {
            const osc_column_stats *stats = &in->stats[p][layer];
            *tensors += reaches(stats, feature, in->alpha);
            row->min = fminf(row->min, stats->min[feature]);
            row->max = fmaxf(row->max, stats->max[feature]);
        }
        *blocks += *tensors > before;
    }
    row->one_sided = !(row->max >= in->alpha && row->min <= -in->alpha);
}

static void judge(feature_row *row, size_t blocks, size_t tensors, const feature_input *in,
                  const feature_rule *rule)
{
    uint64_t all_tensors = in->layers * in->points, all_pairs = in->layers * in->positions;
    row->pairs_count = in->pairs[row->feature];
    row->any_count = in->any == NULL ? 0 : in->any[row->feature];
    row->layers_block = (double)blocks / (double)in->layers;
    row->layers_sublayer = (double)tensors / (double)all_tensors;
    row->pairs = (double)row->pairs_count / (double)all_pairs;
    row->any = (double)row->any_count / (double)in->positions;
    bool sublayer = rule->layers == LAYERS_SUBLAYER, any = rule->positions == POSITIONS_ANY;
    row->layers = sublayer ? row->layers_sublayer : row->layers_block;
    row->positions = any ? row->any : row->pairs;
    row->outlier = share_reaches(sublayer ? tensors : blocks, sublayer ? all_tensors : in->layers,
                                 rule->min_layers)
                && share_reaches(any ? row->any_count : row->pairs_count,
                                 any ? in->positions : all_pairs, rule->min_positions);
    for (int i = 0; i < 3; i++)
        row->quartiles[i] = NAN;
}

static int most_common_first(const void *a, const void *b)
{
    const feature_row *x = a, *y = b;
    if (x->positions != y->positions)
        return x->positions < y->positions ? 1 : -1;
    if (x->pairs_count != y->pairs_count)
        return x->pairs_count < y->pairs_count ? 1 : -1;
    return x->feature < y->feature ? -1 : x->feature > y->feature;
}

osc_status features_find(feature_list *list, const feature_input *input, const feature_rule *rule)
{
    if (input->positions == 0 || input->layers == 0 || input->points == 0)
        return osc_fail(OSC_EVALUE, "nothing has been recorded yet");
    size_t capacity = 0;
    feature_list found = { .row = NULL };
    for (size_t f = 0; f < input->width; f++) {
        feature_row row;
        size_t blocks, tensors;
        scan(&row, &blocks, &tensors, input, f);
        if (tensors == 0)
            continue;
        judge(&row, blocks, tensors, input, rule);
        feature_row *grown = osc_grow(found.row, &capacity, found.count + 1, sizeof *grown);
        if (grown == NULL) {
            features_free(&found);
            return OSC_ENOMEM;
        }
        found.row = grown;
        found.row[found.count++] = row;
    }
    if (found.count > 0)
        qsort(found.row, found.count, sizeof *found.row, most_common_first);
    *list = found;
    return OSC_OK;
}

void features_free(feature_list *list)
{
    osc_free(list->row);
    *list = (feature_list){ .row = NULL };
}

void features_keep_outliers(feature_list *list)
{
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++)
        if (list->row[i].outlier)
            list->row[kept++] = list->row[i];
    list->count = kept;
}

feature_summary features_summarize(const feature_list *list)
{
    feature_summary summary = { .count = 0 };
    for (size_t i = 0; i < list->count; i++) {
        const feature_row *row = &list->row[i];
        if (!row->outlier)
            continue;
        if (summary.common == NULL)
            summary.common = row;
        summary.count++;
        summary.one_sided += row->one_sided;
        summary.mean_layers += row->layers;
        summary.mean_positions += row->positions;
    }
    double count = summary.count > 0 ? (double)summary.count : NAN;
    summary.mean_layers /= count;
    summary.mean_positions /= count;
    return summary;
}

#include <config.h>
#include "analyses/outliers.h"

#include <math.h>

#include "analyses/jsonout.h"
#include "analyses/options.h"

static json_t *quartiles(const double q[3])
{
    return isnan(q[1]) ? json_null() : json_out_numbers(q, 3);
}

static json_t *feature_object(const feature_row *row)
{
    return json_pack("{s:I, s:o, s:o, s:o, s:o, s:o, s:b, s:o, s:b, s:o, s:o}",
                     "feature", (json_int_t)row->feature,
                     "layers", json_out_number(row->layers),
                     "pairs", json_out_number(row->pairs),
                     "positions", json_out_number(row->any),
                     "min", json_out_number(row->min),
                     "max", json_out_number(row->max),
                     "one_sided", (int)row->one_sided,
                     "quartiles", quartiles(row->quartiles),
                     "outlier", (int)row->outlier,
                     "layers_block", json_out_number(row->layers_block),
                     "layers_sublayer", json_out_number(row->layers_sublayer));
}

/* NULL when out of memory, as everything here. */
static json_t *feature_array(const feature_list *features)
{
    json_t *array = json_array();
    for (size_t i = 0; i < features->count && array != NULL; i++) {
        if (json_array_append_new(array, feature_object(&features->row[i])) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

static json_t *without_array(const outlier_result *r)
{
    json_t *array = r->without == NULL ? json_null() : json_array();
    for (size_t i = 0; i < r->without_count && array != NULL; i++) {
        if (json_array_append_new(array, json_integer((json_int_t)r->without[i])) != 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

static json_t *point_array(unsigned points)
{
    json_t *array = json_array();
    for (unsigned p = 0; p < OSC_POINT_COUNT && array != NULL; p++)
        if ((points >> p & 1u) != 0)
            json_array_append_new(array, json_string(osc_point_name((osc_point)p)));
    return array;
}

/* The row of the most common outlier; nulls if there is none. */
static json_t *common_object(const outlier_result *r)
{
    static const feature_row none = {
        .layers = NAN, .positions = NAN, .layers_block = NAN, .layers_sublayer = NAN,
        .pairs = NAN, .any = NAN, .quartiles = { NAN, NAN, NAN },
    };
    const feature_row *row = r->summary.common != NULL ? r->summary.common : &none;
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
                     "layers", json_out_number(row->layers),
                     "positions", json_out_number(row->positions),
                     "mean_layers", json_out_number(r->summary.mean_layers),
                     "mean_positions", json_out_number(r->summary.mean_positions),
                     "layers_block", json_out_number(row->layers_block),
                     "layers_sublayer", json_out_number(row->layers_sublayer),
                     "pairs", json_out_number(row->pairs),
                     "positions_any", json_out_number(row->any),
                     "quartiles", quartiles(row->quartiles),
                     "most_common", r->summary.common == NULL ? json_null()
                                        : json_integer((json_int_t)row->feature));
}

static json_t *protocol_object(const outlier_result *r, const outlier_options *options)
{
    const osc_record_info *info = &r->info;
    return json_pack("{s:o, s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:b, s:I, s:I, s:o, s:s, s:s,"
                     " s:o, s:o}",
                     "record", json_out_text(r->path),
                     "scheme", json_out_text(r->scheme),
                     "protocol", json_out_text(r->protocol),
                     "bos", (json_int_t)info->bos,
                     "sequences", (json_int_t)info->sequences_done,
                     "sequence_length", (json_int_t)info->sequence_length,
                     "recorded_positions", (json_int_t)info->positions,
                     "scored", (json_int_t)info->scored,
                     "complete", (int)info->complete,
                     "shard", (json_int_t)info->shard,
                     "shards", (json_int_t)info->shards,
                     "track", point_array(r->track),
                     "layers_rule", layers_rule_names[options->rule.layers],
                     "positions_rule", positions_rule_names[options->rule.positions],
                     "min_layers", json_out_number(options->rule.min_layers),
                     "min_positions", json_out_number(options->rule.min_positions));
}

static json_t *counts(const uint64_t *values, size_t count)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count && array != NULL; i++)
        json_array_append_new(array, json_integer((json_int_t)values[i]));
    return array;
}

static json_t *massive_object(const record_metrics *m)
{
    json_t *features = json_array(), *top = json_array();
    for (size_t i = 0; i < m->massive_features; i++)
        json_array_append_new(features, json_integer((json_int_t)m->massive_feature[i]));
    for (size_t l = 0; l < m->layers; l++)
        json_array_append_new(top, json_out_numbers(m->top + l * OSC_RESIDUAL_TOP,
                                                    OSC_RESIDUAL_TOP));
    return json_pack("{s:I, s:o, s:o, s:o, s:o, s:o}",
                     "count", (json_int_t)m->massive_count,
                     "features", features,
                     "scalars", counts(m->massive_scalars, m->massive_features),
                     "layers", counts(m->massive_layer, m->layers),
                     "top", top,
                     "median", json_out_numbers(m->median, m->layers));
}

static json_t *over_blocks(double mean, double most, const double *blocks, size_t count)
{
    return json_pack("{s:o, s:o, s:o}", "mean", json_out_number(mean), "max", json_out_number(most),
                     "blocks", json_out_numbers(blocks, count));
}

/* Nulls where the record has no measures. */
static json_t *metrics_object(const record_metrics *m)
{
    char module[64] = "final_norm";
    if (!m->recorded)
        return json_pack("{s:n, s:n, s:n, s:n, s:n}", "he_kurtosis", "mmr", "inf_norm", "kurtosis",
                         "massive");
    if (m->inf_norm_layer >= 0)
        snprintf(module, sizeof module, "blocks.%d.%s", m->inf_norm_layer,
                 osc_point_name(m->inf_norm_point));
    return json_pack("{s:o, s:o, s:o, s:s, s:{s:o, s:o}, s:o}",
                     "he_kurtosis", over_blocks(m->he_kurtosis_mean, m->he_kurtosis_max,
                                                m->he_kurtosis, m->layers),
                     "mmr", over_blocks(m->mmr_mean, m->mmr_max, m->mmr, m->layers),
                     "inf_norm", json_out_number(m->inf_norm),
                     "inf_norm_module", module,
                     "kurtosis", "mean", json_out_number(m->kurtosis_mean),
                     "max", json_out_number(m->kurtosis_max),
                     "massive", massive_object(m));
}

static json_t *record_object(const outlier_result *r, const outlier_options *options)
{
    json_t *object = json_pack("{s:o, s:I, s:o, s:o, s:I, s:I}",
                               "model", json_out_text(r->model),
                               "parameters", (json_int_t)r->info.parameters,
                               "perplexity", json_out_number(r->info.perplexity),
                               "alpha", json_out_number(r->info.alpha),
                               "count", (json_int_t)r->summary.count,
                               "one_sided", (json_int_t)r->summary.one_sided);
    json_t *rest = json_pack("{s:o, s:o, s:o, s:I, s:o}",
                             "top1", json_out_number(r->top1),
                             "top1_without", json_out_number(r->top1_without),
                             "without_features", without_array(r),
                             "events_dropped", (json_int_t)r->dropped,
                             "features", feature_array(&r->features));
    json_t *metrics = metrics_object(&r->metrics);
    json_t *common = common_object(r), *protocol = protocol_object(r, options);
    if (json_object_update(object, common) != 0 || json_object_update(object, protocol) != 0
        || json_object_update(object, metrics) != 0 || json_object_update(object, rest) != 0) {
        json_decref(object);
        object = NULL;
    }
    json_decref(metrics);
    json_decref(common);
    json_decref(protocol);
    json_decref(rest);
    return object;
}

osc_status outliers_write_json(const outlier_result *results, size_t count,
                               const outlier_options *options, FILE *out)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count && array != NULL; i++) {
        if (json_array_append_new(array, record_object(&results[i], options)) != 0) {
            json_decref(array);
            array = NULL;
        }
    }
    return json_out_write(array, out);
}

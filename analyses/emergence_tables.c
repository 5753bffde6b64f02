/* What is known of a model, what is related to what, and in which figure. */
#include <config.h>
#include "analyses/emergence.h"

#include <math.h>

#include "analyses/published.h"

/* --- of a record ------------------------------------------------------------------------ */

static double record_parameters(const outlier_result *r, const emergence_options *options)
{
    (void)options;
    return (double)r->info.parameters;
}

static double record_perplexity(const outlier_result *r, const emergence_options *options)
{
    (void)options;
    return r->info.perplexity;
}

static double record_count(const outlier_result *r, const emergence_options *options)
{
    (void)options;
    return (double)r->summary.count;
}

/* Without an outlier feature no layer and no position is affected by one. */
static double record_layers(const outlier_result *r, const emergence_options *options)
{
    if (r->summary.common == NULL)
        return 0;
    return options->mean ? r->summary.mean_layers : r->summary.common->layers;
}

static double record_positions(const outlier_result *r, const emergence_options *options)
{
    if (r->summary.common == NULL)
        return 0;
    return options->mean ? r->summary.mean_positions : r->summary.common->positions;
}

/* Without one there is no magnitude. */
static double record_median(const outlier_result *r, const emergence_options *options)
{
    (void)options;
    return r->summary.common == NULL ? NAN : fabs(r->summary.common->quartiles[1]);
}

/* NaN where the record was made without. */
static double record_he_kurtosis(const outlier_result *r, const emergence_options *options)
{
    (void)options;
    return r->metrics.he_kurtosis_max;
}

static double record_mmr(const outlier_result *r, const emergence_options *options)
{
    (void)options;
    return r->metrics.mmr_max;
}

static double record_inf_norm(const outlier_result *r, const emergence_options *options)
{
    (void)options;
    return r->metrics.inf_norm;
}

static double record_kurtosis(const outlier_result *r, const emergence_options *options)
{
    (void)options;
    return r->metrics.kurtosis_mean;
}

static double record_massive(const outlier_result *r, const emergence_options *options)
{
    (void)options;
    return r->metrics.recorded ? (double)r->metrics.massive_features : NAN;
}

/* --- of a published model ---------------------------------------------------------------- */

static double paper_parameters(size_t model) { return published_models[model].parameters; }
static double paper_perplexity(size_t model) { return published_models[model].perplexity; }
static double paper_count(size_t model)      { return (double)published_models[model].count; }
static double paper_layers(size_t model)     { return published_models[model].layers; }
static double paper_positions(size_t model)  { return published_models[model].positions; }
static double paper_median(size_t model)
{
    return fabs(published_models[model].quartiles[1]);
}

/* --- tables --------------------------------------------------------------------------------- */

const emergence_quantity_info emergence_quantities[EMERGENCE_QUANTITIES] = {
    [EMERGENCE_PARAMETERS] = {
        .key = "parameters", .header = "params", .axis = "parameters", .log = true,
        .of_record = record_parameters, .of_published = paper_parameters },
    [EMERGENCE_PERPLEXITY] = {
        .key = "perplexity", .header = "ppl", .axis = "perplexity, better models to the right",
        .decimals = 2, .reversed = true, .log_if_wide = true,
        .of_record = record_perplexity, .of_published = paper_perplexity },
    [EMERGENCE_COUNT] = {
        .key = "count", .header = "outliers", .axis = "outlier features",
        .whole = true, .of_record = record_count, .of_published = paper_count },
    [EMERGENCE_LAYERS] = {
        .key = "layers", .header = "layers", .unit = "%", .axis = "layers affected (%)",
        .decimals = 1, .of_record = record_layers, .of_published = paper_layers },
    [EMERGENCE_POSITIONS] = {
        .key = "positions", .header = "positions", .unit = "%", .axis = "positions affected (%)",
        .decimals = 1, .of_record = record_positions, .of_published = paper_positions },
    [EMERGENCE_MEDIAN] = {
        .key = "median", .header = "median |x|", .axis = "median |x| of the most common outlier",
        .decimals = 2, .of_record = record_median, .of_published = paper_median },
    [EMERGENCE_HE_KURTOSIS] = {
        .key = "he_kurtosis", .header = "He kurtosis", .decimals = 2, .optional = true,
        .axis = "kurtosis over neurons, largest block", .of_record = record_he_kurtosis },
    [EMERGENCE_MMR] = {
        .key = "mmr", .header = "MMR", .decimals = 2, .optional = true,
        .axis = "max/median ratio, largest block", .of_record = record_mmr },
    [EMERGENCE_INF_NORM] = {
        .key = "inf_norm", .header = "inf-norm", .decimals = 2, .optional = true,
        .axis = "inf-norm of the largest module output", .of_record = record_inf_norm },
    [EMERGENCE_KURTOSIS] = {
        .key = "kurtosis", .header = "kurtosis", .decimals = 2, .optional = true,
        .axis = "kurtosis of module outputs, mean", .of_record = record_kurtosis },
    [EMERGENCE_MASSIVE] = {
        .key = "massive_features", .header = "massive features", .whole = true, .optional = true,
        .axis = "features with massive activations", .of_record = record_massive },
};

/* Shares of a whole end at 1; what has no such end has a ceiling of its own. */
const emergence_relation emergence_relations[EMERGENCE_RELATIONS] = {
    { EMERGENCE_PARAMETERS, EMERGENCE_LAYERS, FIT_LOGISTIC_UNIT, EMERGENCE_3A },
    { EMERGENCE_PARAMETERS, EMERGENCE_POSITIONS, FIT_LOGISTIC_UNIT, EMERGENCE_3A },
    { EMERGENCE_PERPLEXITY, EMERGENCE_LAYERS, FIT_EXPONENTIAL, EMERGENCE_3B },
    { EMERGENCE_PERPLEXITY, EMERGENCE_POSITIONS, FIT_EXPONENTIAL, EMERGENCE_3B },
    { EMERGENCE_PARAMETERS, EMERGENCE_MEDIAN, FIT_LOGISTIC, EMERGENCE_4A },
    { EMERGENCE_PERPLEXITY, EMERGENCE_COUNT, FIT_EXPONENTIAL, EMERGENCE_4B },
    { EMERGENCE_PARAMETERS, EMERGENCE_COUNT, FIT_LOGISTIC, -1 },
    { EMERGENCE_PARAMETERS, EMERGENCE_HE_KURTOSIS, FIT_LOGISTIC, EMERGENCE_METRICS_SIZE },
    { EMERGENCE_PARAMETERS, EMERGENCE_MMR, FIT_LOGISTIC, EMERGENCE_METRICS_SIZE },
    { EMERGENCE_PARAMETERS, EMERGENCE_INF_NORM, FIT_LOGISTIC, EMERGENCE_METRICS_SIZE },
    { EMERGENCE_PARAMETERS, EMERGENCE_KURTOSIS, FIT_LOGISTIC, EMERGENCE_METRICS_SIZE },
    { EMERGENCE_PARAMETERS, EMERGENCE_MASSIVE, FIT_LOGISTIC, EMERGENCE_METRICS_SIZE },
    { EMERGENCE_PERPLEXITY, EMERGENCE_HE_KURTOSIS, FIT_EXPONENTIAL,
      EMERGENCE_METRICS_PERPLEXITY },
    { EMERGENCE_PERPLEXITY, EMERGENCE_MMR, FIT_EXPONENTIAL, EMERGENCE_METRICS_PERPLEXITY },
    { EMERGENCE_PERPLEXITY, EMERGENCE_INF_NORM, FIT_EXPONENTIAL, EMERGENCE_METRICS_PERPLEXITY },
    { EMERGENCE_PERPLEXITY, EMERGENCE_KURTOSIS, FIT_EXPONENTIAL, EMERGENCE_METRICS_PERPLEXITY },
    { EMERGENCE_PERPLEXITY, EMERGENCE_MASSIVE, FIT_EXPONENTIAL, EMERGENCE_METRICS_PERPLEXITY },
};

const emergence_figure_info emergence_figures[EMERGENCE_FIGURES] = {
    [EMERGENCE_3A] = { "3a", "3a",
                       "Layers and positions affected by outlier features, by model size" },
    [EMERGENCE_3B] = { "3b", "3b",
                       "Layers and positions affected by outlier features, by perplexity" },
    [EMERGENCE_4A] = { "4a", "4a", "Magnitude of the most common outlier feature, by model size" },
    [EMERGENCE_4B] = { "4b", "4b", "Number of outlier features, by perplexity" },
    [EMERGENCE_METRICS_SIZE] = { "metrics-size", "", "Other measures of outliers, by model size" },
    [EMERGENCE_METRICS_PERPLEXITY] = { "metrics-perplexity", "",
                                       "Other measures of outliers, by perplexity" },
};

/* --- what is shown ---------------------------------------------------------------------- */

bool emergence_known(const emergence_family *family, emergence_quantity q)
{
    bool known = family->count > 0 && !emergence_quantities[q].optional;
    for (size_t i = 0; i < family->count; i++)
        known |= isfinite(family->point[i].value[q]);
    return known;
}

bool emergence_relates(const emergence_family *family, size_t relation)
{
    const emergence_relation *r = &emergence_relations[relation];
    return emergence_known(family, r->x) && emergence_known(family, r->y);
}

bool emergence_has_figure(const emergence_set *set, emergence_figure figure)
{
    for (size_t i = 0; i < EMERGENCE_RELATIONS; i++)
        if (emergence_relations[i].figure == (int)figure && emergence_relates(&set->records, i))
            return true;
    return false;
}
